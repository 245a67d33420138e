"""Checks of the exercises of notebook 00."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, Wrong, close, name_mistake, verdict


def check_bits_per_pixel(to_bits: Callable[[float], float]) -> Verdict:
    """to_bits(nats per 28×28 image) → bits per pixel (notebook 00)."""
    def check() -> str:
        nats = 103.7
        answer = to_bits(nats)
        if not close(answer, nats / math.log(2) / 784):
            name_mistake(answer, {
                "That is bits per image: divide by the 784 pixels too.": nats / math.log(2),
                "That is nats per pixel: a bit is log 2 = 0.693 nats, so divide by log 2.": nats / 784,
                "You multiplied by log 2; a bit is log 2 nats, so bits are the larger number: divide.":
                    nats * math.log(2) / 784,
                "That uses log₁₀ 2; nats go with the natural logarithm.": nats / math.log10(2) / 784,
            }, f"For {nats} nats per image the answer is not {answer}. Convert nats to bits, then share among the pixels.")
        return "Right: nats / log 2 / 784."
    return verdict(check)


def check_generate(generate: Callable[[Callable[[Tensor], Tensor], int, int], Tensor]) -> Verdict:
    """generate(decode, n, latent_dim) → the decoder's output for n draws from the prior (notebook 00)."""
    def check() -> str:
        seen: list[Tensor] = []

        def decode(z: Tensor) -> Tensor:
            seen.append(z)
            return z * 2

        n, latent_dim = 4000, 3
        answer = generate(decode, n, latent_dim)
        if not seen:
            raise Wrong("The decoder was not called: draw z from the prior and return decode(z).")
        z = seen[-1]
        if tuple(z.shape) != (n, latent_dim):
            raise Wrong(f"decode got z of shape {tuple(z.shape)}; it needs one row per picture, ({n}, {latent_dim}).")
        if z.min() >= 0 and z.max() > z.min():
            raise Wrong("No z is negative: torch.rand is uniform. The prior is N(0, I): torch.randn.")
        if z.mean(0).abs().max() > 0.1 or (z.std(0) - 1).abs().max() > 0.1:
            raise Wrong(f"z has mean {z.mean():.2f} and standard deviation {z.std():.2f}; the prior has 0 and 1.")
        if (torch.corrcoef(z.T) - torch.eye(latent_dim)).abs().max() > 0.1:
            raise Wrong("The numbers of one code move together: draw all n × latent_dim numbers independently.")
        if len(torch.unique(z, dim=0)) < n or not 0.65 < (z.abs() < 1).float().mean() < 0.72:
            raise Wrong("Codes repeat, or are not normal: of the draws from N(0, 1), 68 % lie between −1 and 1.")
        if not isinstance(answer, Tensor) or not close(answer, z * 2):
            raise Wrong("Return what decode(z) returned, unchanged.")
        return "Right: z from N(0, I), one row per picture, and the decoder. No image is encoded."
    return verdict(check)


def check_coin_flips(coin_flip_nats: Callable[[Tensor], float]) -> Verdict:
    """coin_flip_nats(x) → log-probability of the picture x, zeros and ones, under fair coins, in nats (notebook 00)."""
    def check() -> str:
        digit = (torch.rand(1, 28, 28) < 0.2).float()
        answer, n = coin_flip_nats(digit), 784
        if not close(answer, -n * math.log(2)):
            name_mistake(answer, {
                "The sign: a probability below 1 has a negative logarithm.": n * math.log(2),
                "That is in bits; in nats each coin counts log 2 = 0.693.": -float(n),
                "The pixels are independent: multiply their probabilities, so add their logarithms.": -math.log(2),
                "That counts the white pixels only; a black one has probability ½ too.": -digit.sum() * math.log(2),
                "That is the probability, too small to be told from 0; return its logarithm.": 0.5 ** n,
            }, f"For 784 pixels the answer is not {answer}: each pixel has probability ½, whatever its colour.")
        if not close(coin_flip_nats(torch.zeros(2, 5)), -10 * math.log(2)):
            raise Wrong("Right for a digit of 784 pixels, but not for a black picture of 2 × 5.")
        return "Right: −n log 2, the same for every picture."
    return verdict(check)
