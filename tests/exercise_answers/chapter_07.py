"""Right and wrong answers to the exercises of notebook 07."""

import math

import torch

LOG_2, LOG_2PI = math.log(2), math.log(2 * math.pi)


def normal(x, mean, sigma):
    return torch.distributions.Normal(mean, sigma).log_prob(x)


def half_error(x, mean, sigma):
    return (0.5 * ((x - mean) / sigma) ** 2).flatten(1).sum(1)


def sse(x, mean):
    return ((x - mean) ** 2).sum()


def bce_mass(lam):
    return 0.5 if lam == 0.5 else (2 * lam - 1) / math.log(lam / (1 - lam))


def bce_mass_by_quadrature(lam):
    t = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    return (lam ** t * (1 - lam) ** (1 - t)).mean()


def beta(p, z, pixels, latents, w):
    return w * (p if pixels else 1) / (z if latents else 1)


def bits(nats, n, a):
    return math.log2(a) - nats / n / LOG_2


RIGHT = [
    ("check_gaussian_nats", lambda x, mean, sigma: normal(x, mean, sigma).flatten(1).sum(1)),
    ("check_gaussian_nats", lambda x, m, s: -half_error(x, m, s) - x[0].numel() * (math.log(s) + LOG_2PI / 2)),
    ("check_best_sigma", lambda x, mean: (sse(x, mean) / x.numel()).sqrt()),
    ("check_best_sigma", lambda x, mean: torch.nn.functional.mse_loss(mean, x).item() ** 0.5),
    ("check_bce_mass", bce_mass),
    ("check_bce_mass", bce_mass_by_quadrature),
    ("check_beta_of_means", beta),
    ("check_bits_per_dimension", bits),
]

WRONG = [
    ("check_gaussian_nats", lambda x, m, s: -normal(x, m, s).flatten(1).sum(1), "The sign: return the log-likelihood"),
    ("check_gaussian_nats", lambda x, m, s: -half_error(x, m, s), "The constant is missing"),
    ("check_gaussian_nats", lambda x, m, s: -half_error(x, m, s) - x[0].numel() * math.log(s), "−½ log 2π for each pixel"),
    ("check_gaussian_nats", lambda x, m, s: -half_error(x, m, s) - x[0].numel() * LOG_2PI / 2, "−log σ for each pixel"),
    ("check_gaussian_nats", lambda x, m, s: -half_error(x, m, s) - math.log(s) - LOG_2PI / 2, "counted once"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s ** 0.5).flatten(1).sum(1), "is σ, not σ²"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s).flatten(1).sum(1) - half_error(x, m, s), "The ½ of the squared"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s).flatten(1).mean(1), "averaged over the pixels"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s).sum(), "summed over the batch"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s).flatten(1).sum(1).mean(), "averaged over the batch"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s), "The shape should be (4,)"),
    ("check_gaussian_nats", lambda x, m, s: torch.full((len(x),), math.nan), "not finite"),
    ("check_gaussian_nats", lambda x, m, s: normal(x, m, s).flatten(1).sum(1) + 1, "the answer should be"),

    ("check_best_sigma", lambda x, m: sse(x, m) / x.numel(), "best variance"),
    ("check_best_sigma", sse, "the summed squared error"),
    ("check_best_sigma", lambda x, m: sse(x, m).sqrt(), "before you take the root"),
    ("check_best_sigma", lambda x, m: (sse(x, m) / len(x)).sqrt(), "the number of pictures only"),
    ("check_best_sigma", lambda x, m: (sse(x, m) / x[0].numel()).sqrt(), "the pixels of one picture only"),
    ("check_best_sigma", lambda x, m: (x - m).abs().mean(), "mean absolute error"),
    ("check_best_sigma", lambda x, m: (x - m).std(), "subtracts the mean error"),
    ("check_best_sigma", lambda x, m: (x - m).std(unbiased=False), "subtracts the mean error"),
    ("check_best_sigma", lambda x, m: (sse(x, m) / (x.numel() - 1)).sqrt(), "not by n − 1"),
    ("check_best_sigma", lambda x, m: ((x - m) ** 2).mean(0).sqrt(), "One σ for all pixels"),
    ("check_best_sigma", lambda x, m: ((x - m) ** 2).flatten(1).mean(1).sqrt(), "One σ for all pictures"),
    ("check_best_sigma", lambda x, m: 0.5, "the answer should be"),
    ("check_best_sigma", lambda x, m: None, "return"),

    ("check_bce_mass", lambda lam: (2 * lam - 1) / math.log(lam / (1 - lam)), "0/0"),
    ("check_bce_mass", lambda lam: torch.tensor(2 * lam - 1) / torch.tensor(lam / (1 - lam)).log(), "0/0"),
    ("check_bce_mass", lambda lam: 1 / bce_mass(lam), "one over it"),
    ("check_bce_mass", lambda lam: 1.0, "Mass 1 is the sum"),
    ("check_bce_mass", lambda lam: math.log(bce_mass(lam)), "the logarithm of the mass"),
    ("check_bce_mass", lambda lam: -bce_mass(lam), "a mass is positive"),
    ("check_bce_mass", lambda lam: 0.5 if lam == 0.5 else (2 * lam - 1) / math.log10(lam / (1 - lam)), "log₁₀"),
    ("check_bce_mass", lambda lam: 0.5, "mean of the weight at its two ends"),
    ("check_bce_mass", lambda lam: math.nan, "not finite"),

    ("check_beta_of_means", lambda p, z, pixels, latents, w: w * (z if latents else 1) / (p if pixels else 1), "way round"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: beta(p, z, pixels, latents, 1), "The weight in front"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: beta(p, z, pixels, False, w), "divides the KL by n_latents"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: beta(p, z, False, latents, w), "divides the reconstruction"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: w * p / z, "only if both are averaged"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: w * (p if pixels else 1) * (z if latents else 1), "same way"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: w, "only if both terms are sums"),
    ("check_beta_of_means", lambda p, z, pixels, latents, w: 3.92, "the answer should be"),

    ("check_bits_per_dimension", lambda nats, n, a: -nats / n / LOG_2, "The unit is unchanged"),
    ("check_bits_per_dimension", lambda nats, n, a: -nats / n / LOG_2 - math.log2(a), "wrong direction"),
    ("check_bits_per_dimension", lambda nats, n, a: -(nats - math.log(a)) / n / LOG_2, "log a was taken once"),
    ("check_bits_per_dimension", lambda nats, n, a: -(nats - n * math.log(a)) / n, "in nats: divide"),
    ("check_bits_per_dimension", lambda nats, n, a: bits(nats, n, a) * LOG_2 ** 2, "multiplied by log 2"),
    ("check_bits_per_dimension", lambda nats, n, a: n * bits(nats, n, a), "whole picture"),
    ("check_bits_per_dimension", lambda nats, n, a: -bits(nats, n, a), "The sign"),
    ("check_bits_per_dimension", lambda nats, n, a: -nats / n / LOG_2 + math.log(a), "has to be divided by log 2"),
    ("check_bits_per_dimension", lambda nats, n, a: 8.0, "the answer should be"),
]
