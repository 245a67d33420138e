"""Checks of the exercises of notebook 05."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check


def _distance(noise: Callable[[Tensor, Tensor], Tensor | float]) -> Callable:
    """The distance at the centre, plus what the noise adds, made of the weights and the standard deviations."""
    return lambda x, w, mu, s: (x - (w * mu).sum()) ** 2 + noise(w, s)


check_expected_distance = Check(
    "expected_distance(x, w, mu, sigma) → E(x − Σ w_j z_j)² for independent z_j ~ N(mu_j, sigma_j²) (notebook 05).",
    _distance(lambda w, s: (w ** 2 * s ** 2).sum()),
    [(1.0, torch.tensor([1.5, -0.7, 0.4]), torch.tensor([0.5, 1.0, -2.0]), torch.tensor([0.4, 1.3, 0.6])),
     (-2.0, torch.tensor([0.3, 2.0]), torch.tensor([1.0, -0.5]), torch.tensor([2.0, 0.1])),
     (0.5, torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.0]))], {
    "That is the distance at the centre; the noise is missing.": _distance(lambda w, s: 0.0),
    "The slip of a square: w_j·z_j has the variance w_j²·σ_j², not w_j·σ_j².": _distance(lambda w, s: (w * s ** 2).sum()),
    "sigma is a standard deviation: its square is the variance.": _distance(lambda w, s: (w ** 2 * s).sum()),
    "You added the standard deviations before squaring: the variances of independent noises add.":
        _distance(lambda w, s: (w * s).sum() ** 2),
    "The noise does not know the weights: it passes through the generator, which multiplies it by w_j.":
        _distance(lambda w, s: (s ** 2).sum()),
    "The sign of the noise: it adds to the distance.": _distance(lambda w, s: -(w ** 2 * s ** 2).sum()),
    "Sum over the latents first, and square the error of the whole sum.":
        lambda x, w, mu, s: ((x - w * mu) ** 2 + w ** 2 * s ** 2).sum(),
}, "(x − Σ w_j μ_j)² + Σ w_j² σ_j².")


def _share(noise: Callable[[Tensor], Tensor], correction: int = 0) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda mu, v: noise(v) / (noise(v) + mu.var(0, correction=correction))


def _variance(logvar: Tensor) -> Tensor:
    return logvar.exp().mean(0)


_g = torch.Generator().manual_seed(7)
_mu, _logvar = torch.randn(5, 3, generator=_g), torch.randn(5, 3, generator=_g) - 1

check_noise_share = Check(
    "noise_share(mu, logvar), (B, Z) each → (Z,): mean of σ² over (mean of σ² + variance of μ) (notebook 05).",
    _share(_variance), [(_mu, _logvar), (10 * _mu, _logvar + 2 * math.log(10)), (0 * _mu, _logvar),
                        (torch.randn(4, 2, generator=_g) + 3, torch.full((4, 2), -30.0))], {
    "Divide by B in the variance: mu.var(0, correction=0).": _share(_variance, correction=1),
    "That is the share of the means: the noise share is 1 minus it.": But(lambda share: 1 - share),
    "That is noise over signal: divide by the whole variance, noise + variance of mu.":
        lambda mu, v: _variance(v) / mu.var(0, correction=0),
    "That is the mean σ: it changes with the unit of the codes. Compare variances.": lambda mu, v: (v / 2).exp().mean(0),
    "That is the mean σ²: it changes with the unit of the codes. Divide by the variance of the codes.":
        lambda mu, v: _variance(v),
    "Average σ², not log σ²: take exp before the mean.": _share(lambda v: v.mean(0).exp()),
    "You squared the mean σ: average the variances σ² = exp(logvar).": _share(lambda v: _variance(v / 2) ** 2),
    "You used σ as if it were σ²: exp(logvar) is the variance already.": _share(lambda v: _variance(v / 2)),
    "Axis 0 holds the pictures: average over it, and keep the latents apart.": lambda mu, v: _share(_variance)(mu.T, v.T),
    "One share for each latent: do not average over the latents.": But(torch.mean),
}, "mean σ² / (mean σ² + variance of μ), the same in every unit of the codes.", tolerance=1e-5)


def _root(part: float, rest: float) -> float:
    return math.sqrt(part / (part + rest))


check_priced_sigma = Check(
    "priced_sigma(w, tau, beta) → the σ that minimises w²σ²/(2τ²) + β·½(σ² − 1 − log σ²) (notebook 05).",
    lambda w, t, b: _root(b * t ** 2, w ** 2), [(1.5, 0.6, 0.5), (0.7, 1.2, 4.0), (2.0, 0.5, 0.0), (0.0, 0.3, 1.0)], {
    "That is the variance σ*²; the standard deviation is its square root.": But(lambda s: s ** 2),
    "That is the answer at β = 1: the slope of the KL term is multiplied by β.": lambda w, t, b: _root(t ** 2, w ** 2),
    "β is only in the numerator: solve w²/τ² + β(1 − 1/v) = 0 for v again.":
        lambda w, t, b: math.sqrt(b) * _root(t ** 2, w ** 2),
    "β multiplies the wrong term: it weighs the KL, not the distance.": lambda w, t, b: _root(t ** 2, b * w ** 2),
    "tau is a standard deviation: τ² stands in the loss.": lambda w, t, b: _root(b * t, w ** 2),
    "The slip of a square: the noise costs w²σ², not wσ².": lambda w, t, b: _root(b * t ** 2, w),
    "The two terms are swapped: this is small where the generator's noise is large.":
        lambda w, t, b: _root(w ** 2, b * t ** 2),
}, "σ* = √(βτ²/(βτ² + w²)): 0 at β = 0, and 1 if w = 0.")

check_code_information = Check(
    "code_information(a, q) → I(x; z) in nats for z | x ~ N(a·x, q), x ~ N(0, 1) (notebook 05).",
    lambda a, q: 0.5 * math.log(1 + a ** 2 / q), [(0.8, 0.5), (3.0, 0.1), (-0.8, 0.36), (0.0, 1.0), (0.0, 0.2)], {
    "That is the mean KL to the prior. It is the information only if the aggregated posterior is the prior, "
    "which here is N(0, a² + q).": lambda a, q: 0.5 * (a ** 2 + q - 1 - math.log(q)),
    "That holds only if a² + q = 1: compare with the aggregated posterior N(0, a² + q).": lambda a, q: -0.5 * math.log(q),
    "That is in bits: nats have the natural logarithm.": But(lambda i: i / math.log(2)),
    "The ½ is missing: the logarithm of a standard deviation is half that of a variance.": But(lambda i: 2 * i),
    "The sign: information is never negative.": But(lambda i: -i),
    "The slip of a square: the means a·x have the variance a².": lambda a, q: 0.5 * math.log(1 + abs(a) / q),
    "q is the variance already: do not square it.": lambda a, q: 0.5 * math.log(1 + a ** 2 / q ** 2),
}, "½ log(1 + a²/q) nats: 0 if the cloud does not move with x.")
