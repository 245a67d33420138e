"""Checks of the exercises of notebook 07."""

import math

import torch
from torch import Tensor

from vae_course.checks.check import But, Check
from vae_course.densities import gaussian_log_likelihood


def _pictures(seed: int, *shapes: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
    """Two batches of pictures of each shape, with values in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(*shape, generator=generator), torch.rand(*shape, generator=generator)) for shape in shapes]


def _half_errors(x: Tensor, mean: Tensor, sigma: float) -> Tensor:
    return ((x - mean) ** 2).flatten(1).sum(1) / (2 * sigma ** 2)


check_gaussian_nats = Check(
    "gaussian_nats(x, mean, sigma) → log p(x|z) of independent Gaussian pixels, (B,) nats (notebook 07).",
    lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(2 * math.log(s))),
    [(*pair, sigma) for pair, sigma in zip(_pictures(7, (4, 1, 5, 6), (3, 7)), (0.3, 2.0))], {
    "The sign: return the log-likelihood, not the loss.": But(torch.neg),
    "The constant is missing: −½ log 2π − log σ for each pixel. Without it this is a distance, not a log-density.":
        lambda x, m, s: -_half_errors(x, m, s),
    "−½ log 2π for each pixel is missing.": lambda x, m, s: -_half_errors(x, m, s) - x[0].numel() * math.log(s),
    "−log σ for each pixel is missing: a wide density is a low one.":
        lambda x, m, s: -_half_errors(x, m, s) - x[0].numel() * 0.5 * math.log(2 * math.pi),
    "The constant was counted once: it belongs to each pixel.":
        lambda x, m, s: -_half_errors(x, m, s) - math.log(s) - 0.5 * math.log(2 * math.pi),
    "The third argument is σ, not σ²: the squared error is divided by 2σ².":
        lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(math.log(s))),
    "The ½ of the squared error is missing.":
        lambda x, m, s: -2 * _half_errors(x, m, s) - x[0].numel() * (math.log(s) + 0.5 * math.log(2 * math.pi)),
    "You averaged over the pixels: sum them, for the logarithm of a product is a sum.":
        lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(2 * math.log(s))) / x[0].numel(),
    "You summed over the batch as well: return one value for each picture.": But(torch.sum),
    "You averaged over the batch: return one value for each picture.": But(torch.mean),
}, "−(x − m)²/(2σ²) − log σ − ½ log 2π, summed over the pixels of each picture.")


def _sse(x: Tensor, mean: Tensor) -> Tensor:
    return ((x - mean) ** 2).sum()


(_bright, _other), _flat = _pictures(8, (4, 1, 3, 5), (6, 7))

check_best_sigma = Check(
    "best_sigma(x, mean) → the one σ under which the pictures are most probable, √(SSE/n) (notebook 07).",
    lambda x, m: (_sse(x, m) / x.numel()).sqrt(), [(_bright + 0.3, _other), _flat], {
    "That is the best variance SSE/n; σ is its square root.": But(torch.square),
    "That is the summed squared error: divide by the number of pixels, then take the root.": _sse,
    "Divide by the number of pixels n before you take the root.": lambda x, m: _sse(x, m).sqrt(),
    "You divided by the number of pictures only: n counts all their pixels.": lambda x, m: (_sse(x, m) / len(x)).sqrt(),
    "You divided by the pixels of one picture only: n counts the pixels of all pictures.":
        lambda x, m: (_sse(x, m) / x[0].numel()).sqrt(),
    "That is the mean absolute error; the Gaussian's σ comes from the squared error.": lambda x, m: (x - m).abs().mean(),
    "`.std()` subtracts the mean error first; here the decoder's value is the mean, and a steady error counts.":
        lambda x, m: (x - m).std(),
    "`.std(unbiased=False)` subtracts the mean error first; here a steady error counts too.":
        lambda x, m: (x - m).std(unbiased=False),
    "Divide by n, not by n − 1: this is the maximum of the likelihood.": lambda x, m: (_sse(x, m) / (x.numel() - 1)).sqrt(),
    "One σ for all pixels was asked for: average over everything.": lambda x, m: ((x - m) ** 2).mean(0).sqrt(),
    "One σ for all pictures was asked for: average over everything.": lambda x, m: ((x - m) ** 2).flatten(1).mean(1).sqrt(),
}, "√(SSE/n), over all pixels of all pictures.")


def _mass(lam: float, log=math.log) -> float:
    return 0.5 if lam == 0.5 else (2 * lam - 1) / log(lam / (1 - lam))


check_bce_mass = Check(
    "bce_mass(lam) → ∫₀¹ λˣ(1−λ)¹⁻ˣ dx = (2λ−1)/log(λ/(1−λ)), and ½ at λ = ½ (notebook 07).",
    _mass, [(0.8,), (0.1,), (0.5,), (0.35,)], {
    "At λ = ½ the formula is 0/0: treat it apart, and return its limit ½.":
        lambda lam: (2 * lam - 1) / math.log(lam / (1 - lam)),
    "That is C(λ), the normalising constant; the mass is one over it.": But(lambda mass: 1 / mass),
    "Mass 1 is the sum over x = 0 and x = 1; a grey pixel needs the integral from 0 to 1.": lambda lam: 1.0,
    "That is the logarithm of the mass.": But(math.log),
    "The sign: a mass is positive. With 2λ − 1 above goes log λ − log(1 − λ) below.": But(lambda mass: -mass),
    "That uses log₁₀; the integral of an exponential gives the natural logarithm.": lambda lam: _mass(lam, math.log10),
    "That is the mean of the weight at its two ends; integrate over all grey values between them.": lambda lam: 0.5,
}, "(2λ − 1)/log(λ/(1 − λ)), which is largest at λ = ½, where it is ½.")


def _beta(n_pixels: int, n_latents: int, pixels: bool, latents: bool, weight: float) -> float:
    return weight * (n_pixels if pixels else 1) / (n_latents if latents else 1)


check_beta_of_means = Check(
    "beta_of_means(n_pixels, n_latents, pixels_averaged, latents_averaged, weight) → the hidden β (notebook 07).",
    _beta, [(784, 200, True, True, 1.0), (784, 2, True, True, 1.0), (784, 20, True, False, 0.001),
            (100, 4, False, True, 3.0), (100, 5, False, False, 2.0)], {
    "The other way round: an averaged reconstruction is lighter, so the KL is relatively heavier.":
        lambda p, z, pixels, latents, w: w * (z if latents else 1) / (p if pixels else 1),
    "The weight in front of the KL is missing.": lambda p, z, pixels, latents, w: _beta(p, z, pixels, latents, 1.0),
    "The average over the latents divides the KL by n_latents.":
        lambda p, z, pixels, latents, w: _beta(p, z, pixels, False, w),
    "The average over the pixels divides the reconstruction by n_pixels; multiply the loss by it and read off β.":
        lambda p, z, pixels, latents, w: _beta(p, z, False, latents, w),
    "That holds only if both are averaged: look at pixels_averaged and latents_averaged.":
        lambda p, z, pixels, latents, w: w * p / z,
    "Both averages count the same way: one divides the reconstruction, the other the KL, so divide too.":
        lambda p, z, pixels, latents, w: w * (p if pixels else 1) * (z if latents else 1),
    "β is the written weight only if both terms are sums.": lambda p, z, pixels, latents, w: w,
}, "the weight, times n_pixels if these are averaged, divided by n_latents if those are.")


def _bits(nats: float, n: int, a: float) -> float:
    return -(nats - n * math.log(a)) / (n * math.log(2))


check_bits_per_dimension = Check(
    "bits(log_density, n_pixels, a): nats on [0, 1] → bits per dimension on [0, a] (notebook 07).",
    _bits, [(550.0, 784, 255.0), (-90.0, 50, 256.0), (12.0, 30, 1.0)], {
    "The unit is unchanged: each pixel loses log a nats when the range grows from 1 to a.":
        lambda nats, n, a: _bits(nats, n, 1.0),
    "The wrong direction: on a longer range a density is lower, so there are more bits.":
        lambda nats, n, a: _bits(nats, n, 1 / a),
    "log a was taken once: each of the pixels loses it.": lambda nats, n, a: _bits(nats - math.log(a), n, 1.0),
    "That is in nats: divide by log 2.": But(lambda bits: bits * math.log(2)),
    "You multiplied by log 2; a bit is log 2 nats, so divide.": But(lambda bits: bits * math.log(2) ** 2),
    "That is for the whole picture: divide by the number of pixels.": lambda nats, n, a: _bits(nats, n, a) * n,
    "The sign: bits per dimension count −log p, so that fewer are better.": But(lambda bits: -bits),
    "log a is in nats, and has to be divided by log 2 as well.": lambda nats, n, a: _bits(nats, n, 1.0) + math.log(a),
}, "−(nats − n log a)/(n log 2).")
