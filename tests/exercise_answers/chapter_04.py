"""Right and wrong answers to the exercises of notebook 04."""

import math

import torch

from vae_course.linear_gaussian import LinearGaussian


def tensors(*numbers):
    return (torch.tensor([number], dtype=torch.float64) for number in numbers)


def kl(mu, v, other_mu, other_v):
    p, q = torch.distributions.Normal(mu, v**0.5), torch.distributions.Normal(other_mu, other_v**0.5)
    return torch.distributions.kl_divergence(p, q).item()


def posterior(w, sigma, x):
    return tuple(value.item() for value in LinearGaussian(w, 0.0, sigma).posterior(*tensors(x)))


def gap(w, sigma, x, mu, v):
    return LinearGaussian(w, 0.0, sigma).elbo(*tensors(x, mu, v))[2].item()


def gap_by_difference(w, sigma, x, mu, v):
    model = LinearGaussian(w, 0.0, sigma)
    recon, kl_term, _ = model.elbo(*tensors(x, mu, v))
    return (model.log_px(*tensors(x)) - (recon - kl_term)).squeeze()


def elbo(w, sigma, x, mu, v):
    recon, kl_term, _ = LinearGaussian(w, 0.0, sigma).elbo(*tensors(x, mu, v))
    return (recon - kl_term).item()


def log_px_minus_recon(w, sigma, x, mu, v):
    model = LinearGaussian(w, 0.0, sigma)
    return (model.log_px(*tensors(x)) - model.elbo(*tensors(x, mu, v))[0]).item()


def best_q(w, sigma, tau, x):
    mean, variance = posterior(w * tau, sigma, x)       # z = tau·u with u ~ N(0, 1)
    return tau * mean, tau**2 * variance


def with_mask(joint, q):
    return torch.where(q > 0, q * (joint / q).log(), 0.0).sum()


RIGHT = [
    ("check_highest_log_px", lambda w, s: -0.5 * math.log(2 * math.pi * (w**2 + s**2))),
    ("check_highest_log_px", lambda w, s: LinearGaussian(w, 0.0, s).log_px(*tensors(0.0)).squeeze()),
    ("check_discrete_elbo", with_mask),
    ("check_discrete_elbo", lambda joint, q: (torch.special.xlogy(q, joint) - torch.special.xlogy(q, q)).sum().item()),
    ("check_gap_of_q", gap),
    ("check_gap_of_q", gap_by_difference),
    ("check_best_q", best_q),
    ("check_best_q", lambda w, s, tau, x: (w * tau**2 * x / (w**2 * tau**2 + s**2), s**2 * tau**2 / (w**2 * tau**2 + s**2))),
]

WRONG = [
    ("check_highest_log_px", lambda w, s: -0.5 * math.log(2 * math.pi * s**2), "peak of p(x|z)"),
    ("check_highest_log_px", lambda w, s: -0.5 * math.log(2 * math.pi * (w + s)**2), "Standard deviations do not add"),
    ("check_highest_log_px", lambda w, s: 0.5 * math.log(2 * math.pi * (w**2 + s**2)), "The sign"),
    ("check_highest_log_px", lambda w, s: 1 / math.sqrt(2 * math.pi * (w**2 + s**2)), "That is the density"),
    ("check_highest_log_px", lambda w, s: -math.log(2 * math.pi * (w**2 + s**2)), "The ½ is missing"),
    ("check_highest_log_px", lambda w, s: -0.25 * math.log(4 * math.pi**2 * (w**2 + s**2)), "a standard deviation for the"),
    ("check_highest_log_px", lambda w, s: 0.0, "largest at x = m"),

    ("check_discrete_elbo", lambda joint, q: joint.sum().log(), "That is log p(x)"),
    ("check_discrete_elbo", lambda joint, q: torch.special.xlogy(q, joint).sum(), "−log q is missing"),
    ("check_discrete_elbo", lambda joint, q: -with_mask(joint, q), "The sign"),
    ("check_discrete_elbo", lambda joint, q: (joint / q).log().mean(), "not with equal weights"),
    ("check_discrete_elbo", lambda joint, q: (joint / q).log().sum(), "Multiply each logarithm by q_i"),
    ("check_discrete_elbo", lambda joint, q: (joint * (joint / q).log()).sum(), "not p(x, z_i)"),
    ("check_discrete_elbo", lambda joint, q: with_mask(joint, q) / len(q), "do not divide by K"),
    ("check_discrete_elbo", lambda joint, q: with_mask(joint / joint.sum(), q), "minus the gap"),
    ("check_discrete_elbo", lambda joint, q: (q * (joint / q).log()).sum(), "not NaN"),
    ("check_discrete_elbo", lambda joint, q: q * (joint / q).log(), "The shape should be ()"),

    ("check_gap_of_q", lambda w, s, x, mu, v: kl(*posterior(w, s, x), mu, v), "the two are swapped"),
    ("check_gap_of_q", lambda w, s, x, mu, v: kl(mu, v, 0.0, 1.0), "the KL to the prior"),
    ("check_gap_of_q", elbo, "That is the ELBO"),
    ("check_gap_of_q", lambda *a: -gap(*a), "The sign"),
    ("check_gap_of_q", lambda w, s, x, mu, v: gap(w, s, x, mu, v**2), "do not square it"),
    ("check_gap_of_q", log_px_minus_recon, "The kl was not subtracted"),
    ("check_gap_of_q", lambda *a: 2 * gap(*a), "The ½ of the KL"),

    ("check_best_q", lambda w, s, tau, x: posterior(w, s, x), "τ is not used"),
    ("check_best_q", lambda w, s, tau, x: best_q(w, s, tau**0.5, x), "τ², not τ"),
    ("check_best_q", lambda *a: (best_q(*a)[0], best_q(*a)[1]**0.5), "that is the standard deviation"),
    ("check_best_q", lambda *a: (best_q(*a)[0], 1 / best_q(*a)[1]), "that is 1/variance"),
    ("check_best_q", lambda w, s, tau, x: (x / w, best_q(w, s, tau, x)[1]), "That maximises recon alone"),
    ("check_best_q", lambda w, s, tau, x: best_q(w, s**0.5, tau, x), "σ², not σ"),
    ("check_best_q", lambda *a: best_q(*a)[::-1], "Return mean, variance"),
    ("check_best_q", lambda *a: best_q(*a)[0], "Return 2 things"),
]
