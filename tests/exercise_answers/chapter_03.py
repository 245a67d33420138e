"""Right and wrong answers to the exercises of notebook 03."""

import math

import torch
from torch.distributions import Normal, kl_divergence

STANDARD = Normal(0.0, 1.0)


def terms(mu, logvar):
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar)


def right_from_log_sigma(mu, log_sigma):
    return kl_divergence(Normal(mu, log_sigma.exp()), STANDARD).sum(-1)


def right_normals(mu, sigma, m, tau):
    return kl_divergence(Normal(mu, sigma), Normal(m, tau))


def right_of_batch(mu, logvar):
    return kl_divergence(Normal(mu, (0.5 * logvar).exp()), STANDARD).flatten(1).sum(1)


def right_slopes(mu, sigma):
    return torch.func.grad(lambda mu, sigma: kl_divergence(Normal(mu, sigma), STANDARD).sum(), argnums=(0, 1))(mu, sigma)


def in_nats(sigma):
    return 0.5 * (sigma ** 2 - 1) - math.log(sigma)


RIGHT = [
    ("check_kl_from_log_sigma", right_from_log_sigma),
    ("check_kl_from_log_sigma", lambda mu, s: (0.5 * (mu ** 2 + torch.exp(2 * s) - 1) - s).sum(1)),
    ("check_kl_normals", right_normals),
    ("check_kl_normals", lambda mu, s, m, t: torch.log(t / s) + (s ** 2 + (mu - m) ** 2) / (2 * t ** 2) - 0.5),
    ("check_kl_of_batch", right_of_batch),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).sum(tuple(range(1, mu.ndim)))),
    ("check_cost_of_halving", lambda sigma: in_nats(sigma / 2) - in_nats(sigma)),
    ("check_kl_slopes", right_slopes),
    ("check_kl_slopes", lambda mu, s: [mu, s - 1 / s]),
]

WRONG = [
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, s).sum(1), "as if it were log σ²"),
    ("check_kl_from_log_sigma", lambda mu, s: 0.5 * (mu ** 2 + (2 * s).exp() - 1 - s).sum(1), "the logarithm is not"),
    ("check_kl_from_log_sigma", lambda mu, s: 0.5 * (mu ** 2 + s.exp() - 1 - 2 * s).sum(1), "exp(log_sigma) is σ"),
    ("check_kl_from_log_sigma", lambda mu, s: 2 * right_from_log_sigma(mu, s), "The ½ is missing"),
    ("check_kl_from_log_sigma", lambda mu, s: -right_from_log_sigma(mu, s), "this is −KL"),
    ("check_kl_from_log_sigma", lambda mu, s: (0.5 * (mu ** 2 + (2 * s).exp() - 1) + s).sum(1), "sign of the logarithm"),
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, 2 * s).mean(1), "averaged over the latents"),
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, 2 * s).sum(0), "summed over the batch"),
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, 2 * s).sum(), "added up all examples"),
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, 2 * s), "One value for each latent"),
    ("check_kl_from_log_sigma", lambda mu, s: terms(mu, 2 * s).mean(), "The shape should be (5,), and is ()"),
    ("check_kl_from_log_sigma", lambda mu, s: 0 * mu.sum(1), "the answer should be"),
    ("check_kl_from_log_sigma", lambda mu, s: mu.sum(1) * float("nan"), "not finite"),

    ("check_kl_normals", lambda mu, s, m, t: right_normals(m, t, mu, s), "The two are swapped"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * ((mu - m) ** 2 + s ** 2 / t ** 2 - 1) - torch.log(s / t),
     "must be divided by τ²"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * ((mu - m) ** 2 / s ** 2 + s ** 2 / t ** 2 - 1) - torch.log(s / t),
     "was divided by σ²"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * ((mu - m) / t + s ** 2 / t ** 2 - 1) - torch.log(s / t),
     "must be squared"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * ((mu - m) ** 2 / t ** 2 + s / t - 1) - torch.log(s / t), "not σ/τ"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * (((mu - m) ** 2 + s ** 2) / t ** 2 - 1 - torch.log(s / t)),
     "log(σ/τ) for log(σ²/τ²)"),
    ("check_kl_normals", lambda mu, s, m, t: 0.5 * (((mu - m) ** 2 + s ** 2) / t ** 2 - 1) + torch.log(s / t),
     "sign of the logarithm"),
    ("check_kl_normals", lambda mu, s, m, t: right_normals(mu, s.sqrt(), m, t.sqrt()), "taken for variances"),
    ("check_kl_normals", lambda *args: 2 * right_normals(*args), "The ½ is missing"),
    ("check_kl_normals", lambda mu, s, m, t: right_normals(mu, s, 0 * m, t ** 0), "use m and tau"),
    ("check_kl_normals", lambda *args: right_normals(*args).sum(), "nothing is summed"),
    ("check_kl_normals", lambda mu, s, m, t: 0 * mu, "The formula of section 4"),

    ("check_kl_of_batch", lambda mu, v: terms(mu, v).sum(-1), "the last axis only"),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).sum(), "summed over the batch too"),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).mean(), "averaged over everything"),
    ("check_kl_of_batch", lambda mu, v: right_of_batch(mu, v).mean(), "averaged over the batch"),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).flatten(1).mean(1), "averaged over the latents"),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).sum(0), "kept the latents"),
    ("check_kl_of_batch", terms, "Nothing was summed"),
    ("check_kl_of_batch", lambda mu, v: 2 * right_of_batch(mu, v), "The ½ is missing"),
    ("check_kl_of_batch", lambda mu, v: -right_of_batch(mu, v), "this is −KL"),
    ("check_kl_of_batch", lambda mu, v: right_of_batch(mu, 2 * v), "is log σ² already"),
    ("check_kl_of_batch", lambda mu, v: terms(mu, v).sum((1, 2, 3)), "Your function raised"),

    ("check_cost_of_halving", lambda sigma: math.log(2), "only as σ → 0"),
    ("check_cost_of_halving", lambda sigma: in_nats(sigma) - in_nats(sigma / 2), "The sign"),
    ("check_cost_of_halving", lambda sigma: math.log(4) - 3 * sigma ** 2 / 8, "the ½ leaves log 2"),
    ("check_cost_of_halving", lambda sigma: 2 * (in_nats(sigma / 2) - in_nats(sigma)), "The ½ of the KL"),
    ("check_cost_of_halving", lambda sigma: 0.5 * math.log(2) - 3 * sigma ** 2 / 8, "log σ for log σ²"),
    ("check_cost_of_halving", lambda sigma: math.log(2) - sigma ** 2 / 4, "not σ²/2"),
    ("check_cost_of_halving", lambda sigma: math.log(2) - 3 * sigma ** 2 / 4, "½ in front of σ²"),
    ("check_cost_of_halving", lambda sigma: in_nats(sigma / 2), "subtract the KL at σ"),
    ("check_cost_of_halving", lambda sigma: 1 - 3 * sigma ** 2 / 8, "natural logarithm"),
    ("check_cost_of_halving", lambda sigma: 0.7, "the answer should be"),

    ("check_kl_slopes", lambda mu, s: (mu, 0.5 * (s ** 2 - 1)), "the slope in log σ²"),
    ("check_kl_slopes", lambda mu, s: (mu, s ** 2 - 1), "the slope in log σ, "),
    ("check_kl_slopes", lambda mu, s: (mu, 0.5 - 0.5 / s ** 2), "the slope in σ²"),
    ("check_kl_slopes", lambda mu, s: (mu, s - 0.5 / s), "is −1/σ, since"),
    ("check_kl_slopes", lambda mu, s: (2 * mu, 2 * (s - 1 / s)), "The ½ is missing in both"),
    ("check_kl_slopes", lambda mu, s: (mu / 2, s - 1 / s), "The slope of ½μ² is μ"),
    ("check_kl_slopes", lambda mu, s: (mu, s / 2 - 1 / s), "The slope of ½σ² is σ"),
    ("check_kl_slopes", lambda mu, s: (mu, s + 1 / s), "logarithm's slope"),
    ("check_kl_slopes", lambda mu, s: (-mu, 1 / s - s), "point downhill"),
    ("check_kl_slopes", lambda mu, s: (s - 1 / s, mu), "The other way round"),
    ("check_kl_slopes", lambda mu, s: mu, "Return 2 things"),
]
