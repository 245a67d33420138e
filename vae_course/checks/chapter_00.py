"""Checks of the exercises of notebook 00."""

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
from torch import Tensor

from vae_course.checks.check import Check, Inspection
from vae_course.checks.proofs import MissingLine
from vae_course.checks.values import NO_NUMBER, parts_of, to_tensor
from vae_course.derivations.tasks import Task, real

# ---------------------------------------------------------------- independent pixels


def _pictures(n: int, *shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """n pictures of zeros and ones, and for each pixel the probability of white."""
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(n, *shape, generator=g) < 0.4).float(), 0.1 + 0.7 * torch.rand(shape, generator=g)


def _each_pixel(x: Tensor, lam: Tensor) -> Tensor:
    """The probability of what each pixel is, (B, D)."""
    return torch.where(x == 1, lam, 1 - lam).flatten(1)


check_pixel_by_pixel = Check(
    "pixel_by_pixel(x, lam) → (B,) log-probabilities in nats: pictures x, zeros and ones, of independent pixels, each\n"
    "white with its own probability lam, (1, 28, 28) or of any other shape (notebook 00).",
    lambda x, lam: _each_pixel(x, lam).log().sum(1),
    [_pictures(3, 1, 2, 5, seed=1), _pictures(2, 1, 4, 3, seed=2), _pictures(4, 2, 2, 3, seed=3)], {
    "The sign: a probability below 1 has a negative logarithm.": lambda x, lam: -_each_pixel(x, lam).log().sum(1),
    "The black pixels are missing: a black one has the probability 1 − lam.":
        lambda x, lam: (x * lam.log()).flatten(1).sum(1),
    "Black and white are swapped: lam is the probability of white, x = 1.":
        lambda x, lam: _each_pixel(1 - x, lam).log().sum(1),
    "You averaged over the pixels: independent pixels multiply, so their logarithms add up.":
        lambda x, lam: _each_pixel(x, lam).log().mean(1),
    "You added the probabilities: independent pixels multiply, so add the logarithms.":
        lambda x, lam: _each_pixel(x, lam).sum(1).log(),
    "That is the probability: with 784 pixels it is too small for the computer. Return its logarithm.":
        lambda x, lam: _each_pixel(x, lam).prod(1),
    "That is in bits: take the natural logarithm.": lambda x, lam: _each_pixel(x, lam).log2().sum(1),
    "The pictures were added up: return one number for each, (B,).": lambda x, lam: _each_pixel(x, lam).log().sum(),
    "You averaged over the pictures: return one number for each, (B,).":
        lambda x, lam: _each_pixel(x, lam).log().sum(1).mean(),
    "Return one number for each picture, not for each pixel.": lambda x, lam: torch.where(x == 1, lam, 1 - lam).log(),
}, "the sum over the pixels of log lam where white, and of log(1 − lam) where black.",
    otherwise="Sum log lam over the white pixels and log(1 − lam) over the black ones, one sum for each picture.")


# ---------------------------------------------------------------- the log-odds of a pixel

_WHITE = "1/(1 + exp(-ell))"
_BLACK = f"(1 - {_WHITE})"
check_logit_line = MissingLine(
    "logit_line() → \"the line\" between log λ and ell + log(1 − λ), or a list of lines (notebook 00).",
    Task([(f"log({_WHITE})", ""),
          (f"log(exp(ell)*{_BLACK})", "λ is exp(ell) times 1 − λ"),
          (f"ell + log{_BLACK}", "the logarithm of a product")],
         real("ell"), mistakes={
        "Upside down: 1 − λ is exp(−ell)/(1 + exp(−ell)), so λ is exp(ell) times as much.": f"log(exp(-ell)*{_BLACK})",
        "λ is 1/(1 + exp(−ell)): with exp(ell) above, 1 + exp(ell) stands below.": "log(exp(ell)/(1 + exp(-ell)))",
        "The logarithm of a difference is not the difference of logarithms.": f"ell + log(1) - log({_WHITE})",
        "The logarithm of a product is the sum of the logarithms.": f"ell*log{_BLACK}",
        "That is λ: the logarithm was lost.": f"exp(ell)*{_BLACK}",
    }), "the step before it and the step after it are both proved.")


# ---------------------------------------------------------------- how grey the decoded pictures are

_SCALES, _N, _Z, _PIXELS = (0.5, 1.0, 2.5), 4000, 3, 6
_GRID = torch.linspace(-8, 8, 8001, dtype=torch.float64)
_WEIGHTS = torch.softmax(-_GRID**2 / 2, 0)               # of N(0, 1)


def _entropy(lam: Tensor) -> Tensor:
    return -torch.special.xlogy(lam, lam) - torch.special.xlogy(1 - lam, 1 - lam)


def _half_entropy(lam: Tensor) -> Tensor:
    return -torch.special.xlogy(lam, lam)


def _expected(values: Callable[[Tensor], Tensor] = _entropy, spread: Callable[[float], float] = float,
              times: float = _PIXELS) -> Tensor:
    """The exact mean for each scale of `times` the values of a pixel, (S,)."""
    return torch.stack([times * (_WEIGHTS * values(torch.sigmoid(2 * spread(s) * _GRID))).sum() for s in _SCALES])


# A picture holds each of three pixels twice, as λ and as 1 − λ, whose entropies are equal.
_MEANS = _expected()
_STD = (4 * _Z * (_expected(lambda lam: _entropy(lam) ** 2, times=1) - (_MEANS / _PIXELS) ** 2)).sqrt()
_ERRORS = _STD / _N ** 0.5


def _measured(answer: Callable) -> SimpleNamespace:
    """What the answer returns, and the codes that it gave to a decoder of which the mean entropies are known exactly."""
    asked: list[Tensor] = []

    def decode(z: Tensor) -> Tensor:
        asked.append(z.detach().clone())
        return torch.sigmoid(2 * torch.cat([z, -z], -1)).reshape(*z.shape[:-1], 1, 2, -1)

    parts = parts_of(answer(decode, list(_SCALES), _N, _Z), 3)
    numbers = []
    for part, shape in zip(parts or (None, None, None), [(), (len(_SCALES),), (len(_SCALES),)]):
        try:
            number = to_tensor(part)
        except NO_NUMBER:
            number = torch.full((), math.nan)
        numbers.append(number if number.shape == shape else torch.full(shape, math.nan))
    predicted, means, errors = numbers
    widths = {z.shape[-1] for z in asked if z.ndim == 2}
    return SimpleNamespace(three=bool(parts), predicted=predicted.item(), means=means, errors=errors, asked=asked,
                           widths=widths, drawn=sum(len(z) for z in asked), greyest=_SCALES[int(means.argmax())])


def _near(means: Tensor, expected: Tensor) -> bool:
    return bool(((means - expected).abs() < 6 * _ERRORS + 0.002 * expected.abs()).all())


def _like(errors: Tensor, expected: Tensor) -> bool:
    return bool(((errors / expected - 1).abs() < 0.15).all())


def _by(values: Callable[[Tensor], Tensor] = _entropy, *, predicted: float | None = 1.0, noise: Callable = torch.randn,
        spread: Callable[[float], float] = float, share: float = 1, change: Callable = lambda means, errors: (means, errors)
        ) -> Callable:
    """The answer that draws and measures so; a right one, or one with something wrong."""
    def greyness(decode: Callable, scales: Sequence[float], n: int, latent_dim: int):
        n = int(share * n)
        grey = torch.stack([values(decode(spread(s) * noise(n, latent_dim))).flatten(1).sum(1) for s in scales])
        return predicted, *change(grey.mean(1), grey.std(1) / n ** 0.5)
    return greyness


def _of_the_mean(decode: Callable, scales: Sequence[float], n: int, latent_dim: int):
    pictures = torch.stack([decode(s * torch.randn(n, latent_dim)) for s in scales])
    return 1.0, _entropy(pictures.mean(1)).flatten(1).sum(1), torch.full((len(scales),), 0.01)


check_greyness = Inspection(
    "greyness(decode, scales, n, latent_dim) → the scale for which you predict the greyest pictures; the mean entropy of a\n"
    "picture for each scale, in nats; and the standard errors of these means (notebook 00).",
    _measured, _by(), {
    "Return three things: the predicted scale, the mean entropies and their standard errors.":
        (lambda seen: not seen.three, lambda *arguments: _by()(*arguments)[:2]),
    "Predict first: write down a scale, a number above 0, before you draw.":
        (lambda seen: not 0 < seen.predicted < math.inf, _by(predicted=None), _by(predicted=-1.0)),
    "The decoder was not called: draw codes and return what their pictures show.":
        (lambda seen: not seen.asked, lambda *arguments: (1.0, _MEANS, _ERRORS)),
    "decode takes codes of the shape (n, latent_dim), here (4000, 3), one row for each picture.":
        (lambda seen: seen.widths != {_Z}, lambda decode, scales, n, d: _by()(decode, scales, d, n)),
    "There are {seen.drawn} draws, and 3 × 4000 are asked for: n for each of the three scales.":
        (lambda seen: seen.drawn != len(_SCALES) * _N, _by(share=0.5)),
    "Return one mean and one standard error for each scale: (3,) numbers each.":
        (lambda seen: bool(seen.means.isnan().any() or seen.errors.isnan().any()),
         _by(change=lambda means, errors: (means.mean(), errors.mean()))),
    "The sign: an entropy is never negative.": (lambda seen: _near(-seen.means, _MEANS), _by(lambda lam: -_entropy(lam))),
    "That is the mean over the pixels: sum over the pixels of a picture, then average over the pictures.":
        (lambda seen: _near(seen.means, _expected(times=1)), _by(lambda lam: _entropy(lam) / _PIXELS)),
    "The sum over all pictures was taken: average over them.":
        (lambda seen: _near(seen.means / _N, _MEANS), _by(change=lambda means, errors: (means * _N, errors))),
    "That is −λ log λ alone: a pixel may also be black, with the probability 1 − λ.":
        (lambda seen: _near(seen.means, _expected(_half_entropy)), _by(_half_entropy)),
    "That is in bits: take the natural logarithm.":
        (lambda seen: _near(seen.means * math.log(2), _MEANS), _by(lambda lam: _entropy(lam) / math.log(2))),
    "All scales give the same: multiply the codes by the scale before you decode them.":
        (lambda seen: _near(seen.means, _expected(spread=lambda s: 1.0)), _by(spread=lambda s: 1.0)),
    "The scale is the standard deviation of the codes, not their variance: z = scale·ε.":
        (lambda seen: _near(seen.means, _expected(spread=math.sqrt)), _by(spread=math.sqrt)),
    "That is the entropy of the mean picture: take the entropy of each picture, then the mean.":
        (lambda seen: _near(seen.means, torch.full_like(_MEANS, _PIXELS * math.log(2))), _of_the_mean),
    f"For the scale 0.5 the mean should be near {_MEANS[0]:.2f} nats here, and is {{seen.means[0]:.2f}}: draw ε from "
    "N(0, I) with torch.randn, and sum −λ log λ − (1 − λ) log(1 − λ) over the pixels.":
        (lambda seen: not _near(seen.means, _MEANS), _by(noise=torch.rand), _by(lambda lam: lam * (1 - lam))),
    "The means are right. That is the standard deviation of one picture: divide by √n for the error of the mean.":
        (lambda seen: _like(seen.errors, _STD), _by(change=lambda means, errors: (means, errors * _N ** 0.5))),
    "The means are right. The standard error is the standard deviation over the pictures, divided by √n.":
        (lambda seen: not _like(seen.errors, _ERRORS), _by(change=lambda means, errors: (means, errors / _N ** 0.5)),
         _by(change=lambda means, errors: (means, 0 * errors))),
}, "for this made-up decoder the pictures are greyest at scale {seen.greyest:g}. Now measure your VAE: was "
   "{seen.predicted:g} right?")
