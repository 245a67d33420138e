"""Checks of the exercises of notebook 00."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from vae_course.checks.check import Check, Inspection
from vae_course.checks.values import close

check_bits_per_pixel = Check(
    "to_bits(nats per 28×28 image) → bits per pixel (notebook 00).",
    lambda n: n / math.log(2) / 784, [(103.7,), (250.0,)], {
    "That is bits per image: divide by the 784 pixels too.": lambda n: n / math.log(2),
    "That is nats per pixel: a bit is log 2 = 0.693 nats, so divide by log 2.": lambda n: n / 784,
    "You multiplied by log 2; a bit is log 2 nats, so bits are the larger number: divide.": lambda n: n * math.log(2) / 784,
    "That uses log₁₀ 2; nats go with the natural logarithm.": lambda n: n / math.log10(2) / 784,
}, "nats / log 2 / 784.",
    unlike=lambda arguments, got, _: f"For {arguments[0]} nats per image the answer is not {got}. "
                                     "Convert nats to bits, then share among the pixels.")


def _drawn(generate: Callable) -> SimpleNamespace:
    """The codes that generate gave to the decoder, last or in batches, and what it returned."""
    asked: list[Tensor] = []

    def decode(z: Tensor) -> Tensor:
        asked.append(torch.as_tensor(z).clone())
        return z * 2

    answer = generate(decode, 4000, 3)
    z = asked[-1] if asked else torch.zeros(2)
    if z.shape != (4000, 3) and all(batch.shape[1:] == (3,) for batch in asked):
        z = torch.cat(asked or [z])
    return SimpleNamespace(asked=asked, answer=answer, z=z, shape=tuple(z.shape), mean=z.mean(), spread=z.std())


def _with_codes(draw: Callable) -> Callable:
    """An answer that decodes other codes."""
    return lambda decode, n, d: decode(draw(n, d))


check_generate = Inspection(
    "generate(decode, n, latent_dim) → the decoder's output for n draws from the prior (notebook 00).",
    _drawn, _with_codes(torch.randn), {
    "The decoder was not called: draw z from the prior and return decode(z).":
        (lambda seen: not seen.asked, lambda decode, n, d: torch.randn(n, d)),
    "decode got z of shape {seen.shape}; it needs one row per picture, (4000, 3).":
        (lambda seen: seen.shape != (4000, 3), _with_codes(lambda n, d: torch.randn(d)),
         _with_codes(lambda n, d: torch.randn(d, n))),
    "No z is negative, but half of the numbers from N(0, I) are: use torch.randn as it is (torch.rand is uniform).":
        (lambda seen: seen.z.min() >= 0 and seen.z.max() > seen.z.min(), _with_codes(torch.rand),
         _with_codes(lambda n, d: torch.randn(n, d).abs())),
    "z has mean {seen.mean:.2f} and standard deviation {seen.spread:.2f}; the prior has 0 and 1.":
        (lambda seen: seen.z.mean(0).abs().max() > 0.1 or (seen.z.std(0) - 1).abs().max() > 0.1,
         _with_codes(torch.zeros), _with_codes(lambda n, d: 3 * torch.randn(n, d)),
         _with_codes(lambda n, d: 1 + torch.randn(n, d))),
    "The numbers of one code move together: draw all n × latent_dim numbers independently.":
        (lambda seen: (torch.corrcoef(seen.z.T) - torch.eye(3)).abs().max() > 0.1,
         _with_codes(lambda n, d: torch.randn(n, 1).expand(n, d))),
    "Codes repeat, or are not normal: of the draws from N(0, 1), 68 % lie between −1 and 1.":
        (lambda seen: len(seen.z.unique(dim=0)) < 4000 or not 0.65 < (seen.z.abs() < 1).float().mean() < 0.72,
         _with_codes(lambda n, d: torch.randn(n // 2, d).repeat(2, 1)),
         _with_codes(lambda n, d: 12 ** 0.5 * (torch.rand(n, d) - 0.5))),
    "Return what decode(z) returned, unchanged.":
        (lambda seen: not isinstance(seen.answer, Tensor) or not close(seen.answer, seen.z * 2),
         lambda decode, n, d: torch.sigmoid(decode(torch.randn(n, d))), lambda decode, n, d: decode(torch.randn(n, d))[0]),
}, "z from N(0, I), one row per picture, and the decoder. No image is encoded.")

check_coin_flips = Check(
    "coin_flip_nats(x) → log-probability of the picture x, zeros and ones, under fair coins, in nats (notebook 00).",
    lambda x: -x.numel() * math.log(2),
    [((torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(0)) < 0.2).float(),), (torch.zeros(2, 5),)], {
    "The sign: a probability below 1 has a negative logarithm.": lambda x: x.numel() * math.log(2),
    "That is in bits; in nats each coin counts log 2 = 0.693.": lambda x: -float(x.numel()),
    "The pixels are independent: multiply their probabilities, so add their logarithms.": lambda x: -math.log(2),
    "That counts the white pixels only; a black one has probability ½ too.": lambda x: -x.sum() * math.log(2),
    "That is the probability, too small to be told from 0; return its logarithm.": lambda x: 0.5 ** x.numel(),
}, "−n log 2, the same for every picture.",
    unlike=lambda arguments, got, _: "Right for a digit of 784 pixels, but not for a black picture of 2 × 5."
    if len(arguments[0]) == 2 else
    f"For 784 pixels the answer is not {got}: each pixel has probability ½, whatever its colour.")
