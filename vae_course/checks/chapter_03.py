"""Checks of the exercises of notebook 03."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check
from vae_course.checks.proofs import WrongLine
from vae_course.densities import kl_between_normals, kl_to_standard_normal
from vae_course.derivations.tasks import Posted, positive, real


def _batch(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape, none of whose values is near 0."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(2, *shape, generator=generator, dtype=torch.float64))
    return first + 0.3 * first.sign(), second + 0.3 * second.sign()


def _terms(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar)


check_kl_from_log_sigma = Check(
    "kl_from_log_sigma(mu, log_sigma), both (B, Z), → (B,) nats: the KL to N(0, I) of each example (notebook 03).",
    lambda mu, s: kl_to_standard_normal(mu, 2 * s), [_batch(5, 3, seed=1), _batch(2, 4, seed=2)], {
    "log_sigma was used as if it were log σ²: σ² = exp(2·log_sigma), log σ² = 2·log_sigma.": kl_to_standard_normal,
    "The first σ² is right, the logarithm is not: log σ² = 2·log_sigma, and the ½ makes it log_sigma.":
        lambda mu, s: 0.5 * (mu ** 2 + torch.exp(2 * s) - 1 - s).sum(1),
    "exp(log_sigma) is σ, and the formula has σ²: exp(2·log_sigma).":
        lambda mu, s: 0.5 * (mu ** 2 + torch.exp(s) - 1 - 2 * s).sum(1),
    "The ½ is missing: this is twice the KL.": But(lambda kl: 2 * kl),
    "The sign: this is −KL, and a KL is never negative.": But(torch.neg),
    "The sign of the logarithm: −log σ², so that a small σ costs more.":
        lambda mu, s: (0.5 * (mu ** 2 + torch.exp(2 * s) - 1) + s).sum(1),
    "You averaged over the latents: the KL of independent latents is their sum.": lambda mu, s: _terms(mu, 2 * s).mean(1),
    "You summed over the batch: one value for each example, so sum over axis 1.": lambda mu, s: _terms(mu, 2 * s).sum(0),
    "You added up all examples: sum over axis 1 only.": But(torch.sum),
    "One value for each latent: sum over axis 1, so that one for each example is left.": lambda mu, s: _terms(mu, 2 * s),
}, "½(μ² + e^{2·log σ} − 1) − log σ, summed over the latents.",
    otherwise="Put σ² = exp(2·log_sigma) into ½(μ² + σ² − 1 − log σ²), and sum over axis 1.")


def _two_normals(seed: int, *shape: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    (mu, m), (a, b) = _batch(*shape, seed=seed), _batch(*shape, seed=seed + 10)
    return mu, torch.exp(0.4 * a), m, torch.exp(0.4 * b)


def _kl_normals(mu, sigma, m, tau):
    columns = (mu, 2 * sigma.log(), m, 2 * tau.log())
    return kl_between_normals(*(tensor.flatten()[:, None] for tensor in columns)).view_as(mu)


def _of_parts(distance: Callable = lambda d, s, t: (d / t) ** 2, ratio: Callable = lambda s, t: (s / t) ** 2,
              log: Callable = lambda s, t: 2 * torch.log(s / t), factor: float = 0.5) -> Callable:
    """The KL between two normals, made of three parts that an answer may get wrong; d is the distance of the means."""
    return lambda mu, s, m, t: factor * (distance(mu - m, s, t) + ratio(s, t) - 1 - log(s, t))


check_kl_normals = Check(
    "kl_normals(mu, sigma, m, tau) → KL(N(mu, sigma²) ‖ N(m, tau²)), nats, for each entry (notebook 03).",
    _kl_normals, [_two_normals(3, 4), _two_normals(4, 3, 2)], {
    "The two are swapped: this is KL(N(m, τ²) ‖ N(μ, σ²)).": lambda mu, s, m, t: _kl_normals(m, t, mu, s),
    "The distance of the means must be divided by τ²: it counts in units of the prior's variance.":
        _of_parts(lambda d, s, t: d ** 2),
    "The distance of the means was divided by σ²: it must be τ², the prior's variance.":
        _of_parts(lambda d, s, t: (d / s) ** 2),
    "The distance of the means must be squared.": _of_parts(lambda d, s, t: d / t),
    "The arguments are standard deviations: the ratio must be σ²/τ², not σ/τ.": _of_parts(ratio=lambda s, t: s / t),
    "Here is log(σ/τ) for log(σ²/τ²): the ½ is in front of the whole bracket.": _of_parts(log=lambda s, t: torch.log(s / t)),
    "The sign of the logarithm: −log(σ²/τ²).": _of_parts(log=lambda s, t: -2 * torch.log(s / t)),
    "The arguments sigma and tau were taken for variances: they are standard deviations.":
        lambda mu, s, m, t: _kl_normals(mu, s.sqrt(), m, t.sqrt()),
    "The ½ is missing: this is twice the KL.": _of_parts(factor=1.0),
    "The prior is N(m, τ²), not N(0, 1): use m and tau.": lambda mu, s, m, t: _kl_normals(mu, s, 0 * m, t ** 0),
    "Return one value for each entry: nothing is summed here.": But(torch.sum),
}, "½(((μ − m)² + σ²)/τ² − 1) − log(σ/τ).",
    otherwise="The formula of section 4 is ½(((μ − m)² + σ²)/τ² − 1 − log(σ²/τ²)).")

check_kl_of_batch = Check(
    "kl_of_batch(mu, logvar), both (B, …), → (B,) nats, summed over all axes but the first (notebook 03).",
    lambda mu, v: kl_to_standard_normal(mu.flatten(1), v.flatten(1)),
    [_batch(4, 2, 3, 5, seed=5), _batch(3, 6, seed=6), _batch(2, 3, 4, seed=7)], {
    "You summed over the last axis only: every axis but the first belongs to the example.":
        lambda mu, v: _terms(mu, v).sum(-1),
    "You summed over the batch too: the first axis must be left.": lambda mu, v: _terms(mu, v).sum(),
    "You averaged over everything: sum over an example's own axes, and keep the batch.": lambda mu, v: _terms(mu, v).mean(),
    "You averaged over the batch: one value for each example is asked for; the average comes last, in the loss.":
        But(torch.mean),
    "You averaged over the latents: the KL of independent latents is their sum.":
        lambda mu, v: _terms(mu, v).flatten(1).mean(1),
    "You summed over the batch and kept the latents: keep the first axis, sum over the others.":
        lambda mu, v: _terms(mu, v).sum(0),
    "Nothing was summed: .flatten(1).sum(1) leaves one value for each example.": _terms,
    "The ½ is missing: this is twice the KL.": But(lambda kl: 2 * kl),
    "The sign: this is −KL, and a KL is never negative.": But(torch.neg),
    "logvar is log σ² already: σ² = exp(logvar).": lambda mu, v: _terms(mu, 2 * v).flatten(1).sum(1),
}, "one value for each example, summed over all of its own axes.",
    otherwise="½(μ² + e^logvar − 1 − logvar), then .flatten(1).sum(1).")

check_cost_of_halving = Check(
    "cost_of_halving(sigma) → KL at σ/2 minus KL at σ, nats, with the mean unchanged (notebook 03).",
    lambda s: math.log(2) - 3 * s ** 2 / 8, [(0.3,), (1.0,), (2.0,)], {
    "That is right only as σ → 0: the term ½σ² changes too, from ½σ² to ⅛σ².": lambda s: math.log(2),
    "The sign: subtract the KL at σ from the KL at σ/2.": But(lambda cost: -cost),
    "log(σ²/4) = log σ² − 2 log 2, and the ½ leaves log 2.": lambda s: math.log(4) - 3 * s ** 2 / 8,
    "The ½ of the KL is missing.": But(lambda cost: 2 * cost),
    "Here is log σ for log σ²: the logarithm gives log 2.": lambda s: 0.5 * math.log(2) - 3 * s ** 2 / 8,
    "(σ/2)² is σ²/4, not σ²/2.": lambda s: math.log(2) - s ** 2 / 4,
    "The ½ in front of σ² is missing: ½·σ²/4 − ½·σ² = −3σ²/8.": lambda s: math.log(2) - 3 * s ** 2 / 4,
    "That is the KL at σ/2 itself: subtract the KL at σ.": lambda s: 0.5 * (s ** 2 / 4 - 1 - math.log(s ** 2 / 4)),
    "In nats: use the natural logarithm.": lambda s: 1 - 3 * s ** 2 / 8,
}, "log 2 − ⅜σ². A small σ costs a bit for each halving; for σ > 1.36 halving is a gain.",
    otherwise="Write ½(μ² + σ² − 1 − log σ²) for σ/2 and for σ, and subtract.")

check_kl_slopes = Check(
    "kl_slopes(mu, sigma) → (∂KL/∂mu, ∂KL/∂sigma), each as mu (notebook 03).",
    lambda mu, s: (mu, s - 1 / s), [(mu, torch.exp(0.5 * a)) for mu, a in (_batch(4, seed=8), _batch(2, 3, seed=9))], {
    "The second is the slope in log σ², ½(σ² − 1): differentiate by σ itself.": lambda mu, s: (mu, 0.5 * (s ** 2 - 1)),
    "The second is the slope in log σ, σ² − 1: divide by σ.": lambda mu, s: (mu, s ** 2 - 1),
    "The second is the slope in σ²: multiply by the slope of σ², which is 2σ.": lambda mu, s: (mu, 0.5 * (1 - 1 / s ** 2)),
    "The slope of −½·log σ² is −1/σ, since log σ² = 2 log σ.": lambda mu, s: (mu, s - 0.5 / s),
    "The ½ is missing in both: these are the slopes of twice the KL.": But(lambda by_mu, by_s: (2 * by_mu, 2 * by_s)),
    "The slope of ½μ² is μ.": But(lambda by_mu, by_s: (by_mu / 2, by_s)),
    "The slope of ½σ² is σ.": lambda mu, s: (mu, 0.5 * s - 1 / s),
    "The sign of the logarithm's slope: −½·log σ² gives −1/σ.": lambda mu, s: (mu, s + 1 / s),
    "The sign: these point downhill; the gradient points uphill.": But(lambda by_mu, by_s: (-by_mu, -by_s)),
    "The other way round: first the slope in μ, then in σ.": But(lambda by_mu, by_s: (by_s, by_mu)),
}, "μ and σ − 1/σ, which is not bounded as σ → 0.",
    otherwise="(∂KL/∂μ, ∂KL/∂σ), from ½(μ² + σ² − 1 − log σ²) with log σ² = 2 log σ.")

# Both were posted, in other letters: stats.stackexchange.com/questions/7440 lost −½ in its result, and an answer to
# stats.stackexchange.com/questions/318184 called lines 1 and 2 equivalent. The last line of each is ours.
_TWO_GAUSSIANS = Posted([
    "Integral(N(z; mu, sigma**2)*log(N(z; mu, sigma**2)/N(z; m, tau**2)), (z, -oo, oo))",
    "log(2*pi*tau**2)/2 + (sigma**2 + (mu - m)**2)/(2*tau**2) - (1 + log(2*pi*sigma**2))/2",
    "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2)",
    "((mu - m)**2 + sigma**2)/(2*tau**2) - log(sigma/tau)",
], 3, "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2", real("z mu m") | positive("sigma tau"), {
    "This is the posted line again.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2)",
    "The ½ has the wrong sign.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) + 1/2",
    "The 1 stands in a bracket that is halved.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1",
    "The ½ is right now, and the logarithm is turned upside down.":
        "log(sigma/tau) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2",
    "The logarithm of √(τ²/σ²) is log(τ/σ), without another ½.":
        "log(tau/sigma)/2 + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2",
})
_UNIT_GAUSSIAN = Posted([
    "-(2*log(sigma) - sigma**2 - mu**2 + 1)/2",
    "-(log(sigma) - sigma - mu**2 + 1)/2",
    "(mu**2 + sigma - 1 - log(sigma))/2",
], 2, "-(log(sigma**2) - sigma**2 - mu**2 + 1)/2", real("mu") | positive("sigma"), {
    "This is the posted line again.": "-(log(sigma) - sigma - mu**2 + 1)/2",
    "The logarithm is mended, and σ still stands for σ².": "-(log(sigma**2) - sigma - mu**2 + 1)/2",
    "The square is back, and log σ still stands for 2 log σ = log σ².": "-(log(sigma) - sigma**2 - mu**2 + 1)/2",
})
check_mended_lines = WrongLine(
    "mended_lines() → (number, \"line\"), (number, \"line\"): each wrong line, and what it should be (notebook 03).",
    [_TWO_GAUSSIANS, _UNIT_GAUSSIAN],
    "the first lost −½, the second put log σ and σ for log σ² and σ².")
