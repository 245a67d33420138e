"""Right and wrong answers to the exercises of notebook 06."""

import torch

from vae_course.densities import reparameterize


def z_and_slope(mu, logvar, eps):
    return mu + torch.exp(0.5 * logvar) * eps, 0.5 * torch.exp(0.5 * logvar) * eps


def slope_by_autograd(mu, logvar, eps):
    logvar = logvar.clone().requires_grad_()
    z = torch.addcmul(mu, torch.exp(0.5 * logvar), eps)
    z.sum().backward()
    return z.detach(), logvar.grad


def exponential(rate, u):
    return -u.log() / rate, u.log() / rate**2


def exponential_by_inverse_cdf(rate, u):
    z = torch.distributions.Exponential(rate).icdf(u)
    return z, -z / rate


def score_in_log_sigma(f, mu, log_sigma, eps):
    return f(mu + log_sigma.exp() * eps) * (eps**2 - 1)


def score_by_autograd(f, mu, log_sigma, eps):
    log_sigma = log_sigma.clone().requires_grad_()
    z = (mu + log_sigma.exp() * eps).detach()
    torch.distributions.Normal(mu, log_sigma.exp()).log_prob(z).sum().backward()
    return f(z) * log_sigma.grad


def baseline(f, z, mu, sigma):
    return torch.sum(f * (z - mu)**2) / torch.sum((z - mu)**2)


def baseline_by_search(f, z, mu, sigma):
    b = torch.zeros((), dtype=f.dtype, requires_grad=True)
    mean_square = (((f - b) * (z - mu) / sigma**2)**2).mean()       # a parabola in b: one Newton step is exact
    slope, = torch.autograd.grad(mean_square, b, create_graph=True)
    curvature, = torch.autograd.grad(slope, b)
    return (b - slope / curvature).detach()


def ratio_by_quadrature(a, sigma, mu=0.0):
    z = torch.linspace(-12 * sigma, 12 * sigma + 4 * a * sigma**2, 20_001, dtype=torch.float64)
    density = torch.distributions.Normal(mu, sigma).log_prob(z).exp()
    score, path = torch.exp(a * z) * (z - mu) / sigma**2, a * torch.exp(a * z)
    return (torch.trapezoid(density * score**2, z) / torch.trapezoid(density * path**2, z)).item()


RIGHT = [
    ("check_draw_and_slope", z_and_slope),
    ("check_draw_and_slope", slope_by_autograd),
    ("check_draw_exponential", exponential),
    ("check_draw_exponential", exponential_by_inverse_cdf),
    ("check_score_for_log_sigma", score_in_log_sigma),
    ("check_score_for_log_sigma", score_by_autograd),
    ("check_best_baseline", baseline),
    ("check_best_baseline", baseline_by_search),
    ("check_score_over_pathwise", lambda a, sigma: (sigma**2 + 4 * a**2 * sigma**4) / (a**2 * sigma**4)),
    ("check_score_over_pathwise", ratio_by_quadrature),
]

WRONG = [
    ("check_draw_and_slope", lambda mu, v, eps: mu + torch.exp(0.5 * v) * eps, "Return 2 things"),
    ("check_draw_and_slope", lambda mu, v, eps: (mu + v.exp() * eps, 0.5 * v.exp() * eps), "is the variance"),
    ("check_draw_and_slope", lambda mu, v, eps: (mu + v.exp() * eps, v.exp() * eps), "the slope is half of"),
    ("check_draw_and_slope", lambda mu, v, eps: (mu + v * eps, eps), "logvar itself as σ"),
    ("check_draw_and_slope", lambda mu, v, eps: (z_and_slope(mu, v, eps)[0], eps), "That is ∂z/∂σ"),
    ("check_draw_and_slope", lambda mu, v, eps: (z_and_slope(mu, v, eps)[0], torch.exp(0.5 * v) * eps), "∂z/∂log σ; log"),
    ("check_draw_and_slope", lambda mu, v, eps: (z_and_slope(mu, v, eps)[0], 0.5 * torch.exp(0.5 * v)), "noise is missing"),
    ("check_draw_and_slope", lambda mu, v, eps: (z_and_slope(mu, v, eps)[0], torch.ones_like(mu)), "That is ∂z/∂mu"),
    ("check_draw_and_slope", lambda mu, v, eps: z_and_slope(mu, v, eps)[::-1], "The order is z first"),
    ("check_draw_and_slope", lambda mu, v, eps: (reparameterize(mu, v), z_and_slope(mu, v, eps)[1]), "differentiate this"),

    ("check_draw_exponential", lambda rate, u: -u.log() / rate, "Return 2 things"),
    ("check_draw_exponential", lambda rate, u: (u.log() / rate, -u.log() / rate**2), "The sign of z"),
    ("check_draw_exponential", lambda rate, u: (-u.log() * rate, -u.log()), "the rate divides"),
    ("check_draw_exponential", lambda rate, u: (-u.log(), torch.zeros_like(u)), "The rate is missing"),
    ("check_draw_exponential", lambda rate, u: (-u.log() / rate, -u.log() / rate**2), "Its slope is negative"),
    ("check_draw_exponential", lambda rate, u: (-u.log() / rate, u.log() / rate), "not −z"),
    ("check_draw_exponential", lambda rate, u: (-u.log() / rate, -1 / (rate * u)), "not in u"),
    ("check_draw_exponential", lambda rate, u: (rate * torch.exp(-rate * u), (1 - rate * u) * torch.exp(-rate * u)),
     "That is the density"),
    ("check_draw_exponential", lambda rate, u: (torch.distributions.Exponential(rate).sample(), -u), "solve for z"),

    ("check_score_for_log_sigma", lambda f, mu, s, eps: score_in_log_sigma(f, mu, s, eps) / s.exp(), "the gradient in σ;"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: 0.5 * score_in_log_sigma(f, mu, s, eps), "the gradient in log σ²"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: f(mu + s.exp() * eps) * eps**2, "The −1 is missing"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: f(mu + s.exp() * eps) * eps / s.exp(), "the gradient in μ"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: -score_in_log_sigma(f, mu, s, eps), "The sign of the score"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: score_in_log_sigma(f, mu, s, eps).mean(), "one estimate for each"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: f(eps) * (eps**2 - 1), "not at eps"),
    ("check_score_for_log_sigma", lambda f, mu, s, eps: f(mu + s * eps) * (eps**2 - 1), "take its exponential"),

    ("check_best_baseline", lambda f, z, mu, sigma: f.mean(), "That is the mean of f"),
    ("check_best_baseline", lambda f, z, mu, sigma: (f * (z - mu)).mean() / (z - mu).mean(), "not with s"),
    ("check_best_baseline", lambda f, z, mu, sigma: (f * (z - mu)).mean() / sigma**2, "the gradient itself"),
    ("check_best_baseline", lambda f, z, mu, sigma: (f * (z - mu)**2).mean() / sigma**4, "The denominator"),
    ("check_best_baseline", lambda f, z, mu, sigma: (f * z**2).mean() / (z**2).mean(), "not z/sigma²"),
    ("check_best_baseline", lambda f, z, mu, sigma: mu**2 + 3 * sigma**2, "belongs to f = z²"),
    ("check_best_baseline", lambda f, z, mu, sigma: (f * (z - mu).abs()).mean() / (z - mu).abs().mean(), "not its square"),
    ("check_best_baseline", lambda f, z, mu, sigma: f * (z - mu)**2 / ((z - mu)**2).mean(), "Return one number"),

    ("check_score_over_pathwise", lambda a, s: 1 / (4 + 1 / (a * s)**2), "turn it round"),
    ("check_score_over_pathwise", lambda a, s: 1 / (a * s)**2, "for independent"),
    ("check_score_over_pathwise", lambda a, s: 4 * a**2 + 1 / s**2, "the factor a²"),
    ("check_score_over_pathwise", lambda a, s: 4 * s**2 + 1 / a**2, "by σ once only"),
    ("check_score_over_pathwise", lambda a, s: 1 + 1 / (a * s)**2, "not by aσ²"),
    ("check_score_over_pathwise", lambda a, s: 4.0, "The spread about the shifted mean"),
    ("check_score_over_pathwise", lambda a, s: (4 + 1 / (a * s)**2)**0.5, "the ratio of the roots"),
]
