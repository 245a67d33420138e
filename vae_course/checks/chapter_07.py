"""Checks of the exercises of notebook 07."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, Wrong, compare
from vae_course.densities import gaussian_log_likelihood


def check_gaussian_nats(gaussian_nats: Callable[[Tensor, Tensor, float], Tensor]) -> Verdict:
    """gaussian_nats(x, mean, sigma) → log p(x|z) of independent Gaussian pixels, (B,) nats (notebook 07)."""
    def right(x: Tensor, mean: Tensor, sigma: float) -> Tensor:
        return gaussian_log_likelihood(x, mean, torch.tensor(2 * math.log(sigma)))

    def parts(x: Tensor, mean: Tensor, sigma: float) -> tuple[Tensor, int]:
        return ((x - mean) ** 2).flatten(1).sum(1) / (2 * sigma ** 2), x[0].numel()

    def nats(error: Tensor, n: int, log_sigma: float, log_two_pi: float = math.log(2 * math.pi)) -> Tensor:
        return -error - n * (log_sigma + 0.5 * log_two_pi)

    g = torch.Generator().manual_seed(7)
    cases = [(torch.rand(*shape, generator=g), torch.rand(*shape, generator=g), sigma)
             for shape, sigma in (((4, 1, 5, 6), 0.3), ((3, 7), 2.0))]
    return compare(gaussian_nats, right, cases, {
        "The sign: return the log-likelihood, not the loss.": lambda *a: -right(*a),
        "The constant is missing: −½ log 2π − log σ for each pixel. Without it this is a distance, not a log-density.":
            lambda *a: -parts(*a)[0],
        "−½ log 2π for each pixel is missing.": lambda x, m, s: nats(*parts(x, m, s), math.log(s), 0.0),
        "−log σ for each pixel is missing: a wide density is a low one.": lambda x, m, s: nats(*parts(x, m, s), 0.0),
        "The constant was counted once: it belongs to each pixel.": lambda x, m, s: nats(parts(x, m, s)[0], 1, math.log(s)),
        "The third argument is σ, not σ²: the squared error is divided by 2σ².":
            lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(math.log(s))),
        "The ½ of the squared error is missing.": lambda x, m, s: nats(2 * parts(x, m, s)[0], x[0].numel(), math.log(s)),
        "You averaged over the pixels: sum them, for the logarithm of a product is a sum.":
            lambda x, m, s: right(x, m, s) / x[0].numel(),
        "You summed over the batch as well: return one value for each picture.": lambda *a: right(*a).sum(),
        "You averaged over the batch: return one value for each picture.": lambda *a: right(*a).mean(),
    }, "−(x − m)²/(2σ²) − log σ − ½ log 2π, summed over the pixels of each picture.")


def check_best_sigma(best_sigma: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """best_sigma(x, mean) → the one σ under which the pictures are most probable, √(SSE/n) (notebook 07)."""
    def sse(x: Tensor, mean: Tensor) -> Tensor:
        return ((x - mean) ** 2).sum()

    g = torch.Generator().manual_seed(8)
    cases = [(torch.rand(*shape, generator=g) + shift, torch.rand(*shape, generator=g))
             for shape, shift in (((4, 1, 3, 5), 0.3), ((6, 7), 0.0))]
    return compare(best_sigma, lambda x, m: (sse(x, m) / x.numel()).sqrt(), cases, {
        "That is the best variance SSE/n; σ is its square root.": lambda x, m: sse(x, m) / x.numel(),
        "That is the summed squared error: divide by the number of pixels, then take the root.": sse,
        "Divide by the number of pixels n before you take the root.": lambda x, m: sse(x, m).sqrt(),
        "You divided by the number of pictures only: n counts all their pixels.": lambda x, m: (sse(x, m) / len(x)).sqrt(),
        "You divided by the pixels of one picture only: n counts the pixels of all pictures.":
            lambda x, m: (sse(x, m) / x[0].numel()).sqrt(),
        "That is the mean absolute error; the Gaussian's σ comes from the squared error.": lambda x, m: (x - m).abs().mean(),
        "`.std()` subtracts the mean error first; here the decoder's value is the mean, and a steady error counts.":
            lambda x, m: (x - m).std(),
        "`.std(unbiased=False)` subtracts the mean error first; here a steady error counts too.":
            lambda x, m: (x - m).std(unbiased=False),
        "Divide by n, not by n − 1: this is the maximum of the likelihood.":
            lambda x, m: (sse(x, m) / (x.numel() - 1)).sqrt(),
        "One σ for all pixels was asked for: average over everything.": lambda x, m: ((x - m) ** 2).mean(0).sqrt(),
        "One σ for all pictures was asked for: average over everything.":
            lambda x, m: ((x - m) ** 2).flatten(1).mean(1).sqrt(),
    }, "√(SSE/n), over all pixels of all pictures.")


def check_bce_mass(bce_mass: Callable[[float], float]) -> Verdict:
    """bce_mass(lam) → ∫₀¹ λˣ(1−λ)¹⁻ˣ dx = (2λ−1)/log(λ/(1−λ)), and ½ at λ = ½ (notebook 07)."""
    def right(lam: float) -> float:
        return 0.5 if lam == 0.5 else (2 * lam - 1) / math.log(lam / (1 - lam))

    def answer(lam: float) -> float:
        at_half = "At λ = ½ the formula is 0/0: treat it apart, and return its limit ½."
        try:
            value = bce_mass(lam)
        except ZeroDivisionError:
            raise Wrong(at_half) from None
        if lam == 0.5 and value is not None and not torch.as_tensor(value).isfinite().all():
            raise Wrong(at_half)
        return value

    return compare(answer, right, [(0.8,), (0.1,), (0.5,), (0.35,)], {
        "That is C(λ), the normalising constant; the mass is one over it.": lambda lam: 1 / right(lam),
        "Mass 1 is the sum over x = 0 and x = 1; a grey pixel needs the integral from 0 to 1.": lambda lam: 1.0,
        "That is the logarithm of the mass.": lambda lam: math.log(right(lam)),
        "The sign: a mass is positive. With 2λ − 1 above goes log λ − log(1 − λ) below.": lambda lam: -right(lam),
        "That uses log₁₀; the integral of an exponential gives the natural logarithm.":
            lambda lam: right(lam) * (math.log(10) if lam != 0.5 else 1),
        "That is the mean of the weight at its two ends; integrate over all grey values between them.": lambda lam: 0.5,
    }, "(2λ − 1)/log(λ/(1 − λ)), which is largest at λ = ½, where it is ½.")


def check_beta_of_means(beta_of_means: Callable[[int, int, bool, bool, float], float]) -> Verdict:
    """beta_of_means(n_pixels, n_latents, pixels_averaged, latents_averaged, weight) → the hidden β (notebook 07)."""
    def right(n_pixels: int, n_latents: int, pixels: bool, latents: bool, weight: float) -> float:
        return weight * (n_pixels if pixels else 1) / (n_latents if latents else 1)

    cases = [(784, 200, True, True, 1.0), (784, 2, True, True, 1.0), (784, 20, True, False, 0.001),
             (100, 4, False, True, 3.0), (100, 5, False, False, 2.0)]
    return compare(beta_of_means, right, cases, {
        "The other way round: an averaged reconstruction is lighter, so the KL is relatively heavier.":
            lambda p, z, pixels, latents, w: w * (z if latents else 1) / (p if pixels else 1),
        "The weight in front of the KL is missing.": lambda p, z, pixels, latents, w: right(p, z, pixels, latents, 1.0),
        "The average over the latents divides the KL by n_latents.":
            lambda p, z, pixels, latents, w: right(p, z, pixels, False, w),
        "The average over the pixels divides the reconstruction by n_pixels; multiply the loss by it and read off β.":
            lambda p, z, pixels, latents, w: right(p, z, False, latents, w),
        "That holds only if both are averaged: look at pixels_averaged and latents_averaged.":
            lambda p, z, pixels, latents, w: w * p / z,
        "Both averages count the same way: one divides the reconstruction, the other the KL, so divide too.":
            lambda p, z, pixels, latents, w: w * (p if pixels else 1) * (z if latents else 1),
        "β is the written weight only if both terms are sums.": lambda p, z, pixels, latents, w: w,
    }, "the weight, times n_pixels if these are averaged, divided by n_latents if those are.")


def check_bits_per_dimension(bits: Callable[[float, int, float], float]) -> Verdict:
    """bits(log_density, n_pixels, a): nats on [0, 1] → bits per dimension on [0, a] (notebook 07)."""
    log_2 = math.log(2)
    return compare(bits, lambda nats, n, a: -(nats - n * math.log(a)) / (n * log_2),
                   [(550.0, 784, 255.0), (-90.0, 50, 256.0), (12.0, 30, 1.0)], {
        "The unit is unchanged: each pixel loses log a nats when the range grows from 1 to a.":
            lambda nats, n, a: -nats / (n * log_2),
        "The wrong direction: on a longer range a density is lower, so there are more bits.":
            lambda nats, n, a: -(nats + n * math.log(a)) / (n * log_2),
        "log a was taken once: each of the pixels loses it.": lambda nats, n, a: -(nats - math.log(a)) / (n * log_2),
        "That is in nats: divide by log 2.": lambda nats, n, a: -(nats - n * math.log(a)) / n,
        "You multiplied by log 2; a bit is log 2 nats, so divide.": lambda nats, n, a: -(nats - n * math.log(a)) / n * log_2,
        "That is for the whole picture: divide by the number of pixels.":
            lambda nats, n, a: -(nats - n * math.log(a)) / log_2,
        "The sign: bits per dimension count −log p, so that fewer are better.":
            lambda nats, n, a: (nats - n * math.log(a)) / (n * log_2),
        "log a is in nats, and has to be divided by log 2 as well.": lambda nats, n, a: -nats / (n * log_2) + math.log(a),
    }, "−(nats − n log a)/(n log 2).")
