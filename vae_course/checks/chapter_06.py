"""Checks of the exercises of notebook 06."""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check
from vae_course.checks.proofs import MissingLine
from vae_course.derivations.conditions import INTERCHANGE
from vae_course.derivations.tasks import Task, positive, real, real_functions


def _noise(seed: int, n: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Three tensors (n,): two parameters and standard normal noise."""
    return tuple(torch.randn(3, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


check_draw_and_slope = Check(
    "draw_and_slope(mu, logvar, eps) → z = mu + sigma·eps and ∂z/∂logvar (notebook 06).",
    lambda mu, v, eps: (mu + (v / 2).exp() * eps, 0.5 * (v / 2).exp() * eps), [_noise(1), _noise(2)], {
    "exp(logvar) is the variance; z needs σ = exp(0.5·logvar).":
        lambda mu, v, eps: (mu + v.exp() * eps, 0.5 * v.exp() * eps),
    "exp(logvar) is the variance; z needs σ = exp(0.5·logvar), and the slope is half of σ·eps.":
        lambda mu, v, eps: (mu + v.exp() * eps, v.exp() * eps),
    "z uses logvar itself as σ: σ = exp(0.5·logvar).": lambda mu, v, eps: (mu + v * eps, eps),
    "That is ∂z/∂σ. By the chain rule multiply by ∂σ/∂logvar = σ/2.": lambda mu, v, eps: (mu + (v / 2).exp() * eps, eps),
    "That is ∂z/∂log σ; log σ² is twice log σ, which gives a factor ½.": But(lambda z, slope: (z, 2 * slope)),
    "The noise is missing in the slope: a draw at eps = 0 does not move with σ.":
        lambda mu, v, eps: (mu + (v / 2).exp() * eps, 0.5 * (v / 2).exp()),
    "That is ∂z/∂mu; the slope in logvar was asked for.": But(lambda z, slope: (z, torch.ones_like(z))),
    "The order is z first, then ∂z/∂logvar.": But(lambda z, slope: (slope, z)),
}, "z = mu + σ·eps, and its slope in log σ² is ½·σ·eps.",
    otherwise="z = mu + σ·eps with σ = exp(0.5·logvar); differentiate this in logvar.")


def _rates(seed: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.3 + 2 * a, 0.05 + 0.9 * b


check_draw_exponential = Check(
    "draw_exponential(rate, u) → z = −log(u)/rate and ∂z/∂rate; 1 − u in place of u is right too (notebook 06).",
    lambda rate, u: (-u.log() / rate, u.log() / rate**2), [_rates(1), _rates(2)], {
    "The sign of z: log(u) is negative, and z must be positive.": But(lambda z, slope: (-z, -slope)),
    "Solve e^(−rate·z) = u for z: the rate divides, it does not multiply.": lambda rate, u: (-u.log() * rate, -u.log()),
    "The rate is missing in z: solve e^(−rate·z) = u for z.": lambda rate, u: (-u.log(), torch.zeros_like(u)),
    "z is right. Its slope is negative: a larger rate makes the draw smaller.": But(lambda z, slope: (z, -slope)),
    "z is right. The derivative of 1/rate is −1/rate², so the slope is −z/rate, not −z.": But(lambda z, slope: (z, -z)),
    "z is right. The slope is asked for in rate, not in u.": lambda rate, u: (-u.log() / rate, -1 / (rate * u)),
    "That is the density at u, not a draw: set the probability e^(−rate·z) equal to u.":
        lambda rate, u: (rate * torch.exp(-rate * u), (1 - rate * u) * torch.exp(-rate * u)),
}, "z = −log(u)/rate, with the slope −z/rate.",
    also=[lambda rate, u: (-torch.log1p(-u) / rate, torch.log1p(-u) / rate**2)],
    otherwise="Set e^(−rate·z) = u, solve for z, differentiate in rate.")


def _weighed(weight: Callable) -> Callable:
    return lambda f, mu, s, eps: f(mu + s.exp() * eps) * weight(s, eps)


def step(z: Tensor) -> Tensor:
    """A function without a slope, 0 or 1."""
    return (z > 0).double()


check_score_for_log_sigma = Check(
    "score_for_log_sigma(f, mu, log_sigma, eps) → f(z)·(eps² − 1), one estimate for each draw (notebook 06).",
    _weighed(lambda s, eps: eps**2 - 1), [(torch.sin, *_noise(3)), (step, *_noise(4))], {
    "That is the gradient in σ; the chain rule multiplies it by ∂σ/∂log σ = σ.":
        _weighed(lambda s, eps: (eps**2 - 1) / s.exp()),
    "That is the gradient in log σ², which is half of that in log σ.": But(lambda estimates: 0.5 * estimates),
    "The −1 is missing: it comes from the 1/σ in front of the density, and gives the score the mean zero.":
        _weighed(lambda s, eps: eps**2),
    "That is the gradient in μ: its score is eps/σ, that of log σ is eps² − 1.": _weighed(lambda s, eps: eps / s.exp()),
    "The sign of the score: eps² − 1, since a draw far out is made likelier by a larger σ.": But(torch.neg),
    "Return one estimate for each draw, not their mean.": But(torch.mean),
    "f is to be taken at z = mu + σ·eps, not at eps.": lambda f, mu, s, eps: f(eps) * (eps**2 - 1),
    "log_sigma is log σ, not σ: take its exponential.": lambda f, mu, s, eps: f(mu + s * eps) * (eps**2 - 1),
}, "f(z) times eps² − 1; no slope of f is needed.", otherwise="Multiply f(z) by ∂ log N(z; μ, σ²)/∂ log σ.")


def _values(seed: int, mu: float, sigma: float, *more: float) -> tuple[Tensor, Tensor, float, float]:
    z = torch.cat([mu + sigma * _noise(seed, 50)[2], torch.tensor(more, dtype=torch.float64)])
    return z**2 + 3, z, mu, sigma


def _score(z: Tensor, mu: float, sigma: float) -> Tensor:
    return (z - mu) / sigma**2


def _mean_weighed(weight: Callable) -> Callable:
    """The mean of f, weighed with a function of the score."""
    return lambda f, *z_mu_sigma: (f * weight(_score(*z_mu_sigma))).mean() / weight(_score(*z_mu_sigma)).mean()


check_best_baseline = Check(
    "best_baseline(f_values, z, mu, sigma) → mean(f·s²)/mean(s²) with the score s for mu (notebook 06).",
    _mean_weighed(torch.square),
    # in the third case one draw is the mean itself: there s is 0, and a quotient of two s² is not a number
    [_values(5, 1.0, 0.5), _values(6, -0.7, 1.4), _values(7, 0.5, 0.8, 0.5)], {
    "That is the mean of f. Draws with a large score must count more: weigh with s².": lambda f, *_: f.mean(),
    "Weigh with the square of the score, s², not with s.": _mean_weighed(lambda s: s),
    "That is the gradient itself, the mean of f·s. The baseline is mean(f·s²)/mean(s²).":
        lambda f, *a: (f * _score(*a)).mean(),
    "The denominator, the mean of s², is missing.": lambda f, *a: (f * _score(*a)**2).mean(),
    "The mean of a quotient is not the quotient of the means: s² cancels in it, and the mean of f is left.":
        lambda f, *a: (f * _score(*a)**2 / _score(*a)**2).mean(),
    "s is (z − mu)/sigma², not z/sigma².": lambda f, z, mu, s: (f * z**2).mean() / (z**2).mean(),
    "μ² + 3σ² belongs to f = z²; f_values may come from any f.": lambda f, z, mu, s: mu**2 + 3 * s**2,
    "The absolute score is not its square: weigh with s².": _mean_weighed(torch.abs),
    "Return one number, the baseline, not one for each draw.": lambda f, *a: f * _score(*a)**2 / (_score(*a)**2).mean(),
}, "the mean of f, weighed with the squared score.", otherwise="mean(f·s²)/mean(s²) with s = (z − mu)/sigma².")

check_score_over_pathwise = Check(
    "score_over_pathwise(a, sigma) → ratio of the estimators' mean squares for f = e^(az) (notebook 06).",
    lambda a, s: 4 + 1 / (a * s)**2, [(0.7, 0.9), (3.0, 0.4), (1.5, 2.0)], {
    "That is pathwise over score: turn it round.": But(lambda ratio: 1 / ratio),
    "That takes e^(2az) and the score for independent: under the shifted Gaussian, z − μ has the mean 2aσ².":
        But(lambda ratio: ratio - 4),
    "The pathwise square has the factor a², since f' = a·e^(az): divide by it.": lambda a, s: 4 * a**2 + 1 / s**2,
    "The score is (z − μ)/σ²; you divided by σ once only.": lambda a, s: 4 * s**2 + 1 / a**2,
    "f² is e^(2az), so the mean shifts by 2aσ², not by aσ².": But(lambda ratio: ratio - 3),
    "The spread about the shifted mean is missing: E(z − μ)² = σ² + (2aσ²)².": lambda a, s: 4.0,
    "That is the ratio of the roots: the mean squares were asked for.": But(lambda ratio: ratio**0.5),
}, "4 + 1/(aσ)², always more than 4: for this f the pathwise gradient wins.",
    otherwise="E(z − μ)² under N(μ + 2aσ², σ²) is σ² + 4a²σ⁴; divide by σ⁴ and by a².")

_over_z = "Integral({}, (z, -oo, oo))".format
check_missing_line = MissingLine(
    "missing_line() → \"the line\" between ∂F/∂σ and the mean of f times the score for σ, or a list of lines (notebook 06).",
    Task([(f"Derivative({_over_z('N(z; mu, sigma**2)*f(z)')}, sigma)", ""),
          (_over_z("f(z)*Derivative(N(z; mu, sigma**2), sigma)"), "the derivative goes under the integral, to the density"),
          (_over_z("N(z; mu, sigma**2)*f(z)*((z - mu)**2/sigma**3 - 1/sigma)"), "the slope of N is N times the score")],
         real("z mu") | positive("sigma") | real_functions("f"), may_assume=[INTERCHANGE], mistakes={
        "That is the slope in μ; here σ moves.": _over_z("f(z)*Derivative(N(z; mu, sigma**2), mu)"),
        "The density was lost: its slope is N times the slope of log N.":
            _over_z("f(z)*Derivative(log(N(z; mu, sigma**2)), sigma)"),
        "z is not moved by σ here: the density changes, not f.": _over_z("N(z; mu, sigma**2)*Derivative(f(z), z)"),
        "The score for σ is (z − μ)²/σ³ − 1/σ: the 1/σ comes from the factor 1/σ of the density.":
            _over_z("N(z; mu, sigma**2)*f(z)*(z - mu)**2/sigma**3"),
        "That is the score for log σ: divide by σ.": _over_z("N(z; mu, sigma**2)*f(z)*((z - mu)**2/sigma**2 - 1)"),
    }), "the step before it and the step after it are both proved.")
