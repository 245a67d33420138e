"""Checks of the exercises of notebook 03."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, compare
from vae_course.densities import kl_between_normals, kl_to_standard_normal


def _batch(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape, none of whose values is near 0."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(2, *shape, generator=generator, dtype=torch.float64))
    return first + 0.3 * first.sign(), second + 0.3 * second.sign()


def check_kl_from_log_sigma(kl_from_log_sigma: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """kl_from_log_sigma(mu, log_sigma), both (B, Z), → (B,) nats: the KL to N(0, I) of each example (notebook 03)."""
    def right(mu, log_sigma):
        return kl_to_standard_normal(mu, 2 * log_sigma)

    return compare(
        kl_from_log_sigma, right, [_batch(5, 3, seed=1), _batch(2, 4, seed=2)],
        {
            "log_sigma was used as if it were log σ²: σ² = exp(2·log_sigma), log σ² = 2·log_sigma.": kl_to_standard_normal,
            "The first σ² is right, the logarithm is not: log σ² = 2·log_sigma, and the ½ makes it log_sigma.":
                lambda mu, s: 0.5 * (mu ** 2 + torch.exp(2 * s) - 1 - s).sum(1),
            "exp(log_sigma) is σ, and the formula has σ²: exp(2·log_sigma).":
                lambda mu, s: 0.5 * (mu ** 2 + torch.exp(s) - 1 - 2 * s).sum(1),
            "The ½ is missing: this is twice the KL.": lambda mu, s: 2 * right(mu, s),
            "The sign: this is −KL, and a KL is never negative.": lambda mu, s: -right(mu, s),
            "The sign of the logarithm: −log σ², so that a small σ costs more.":
                lambda mu, s: (0.5 * (mu ** 2 + torch.exp(2 * s) - 1) + s).sum(1),
            "You averaged over the latents: the KL of independent latents is their sum.":
                lambda mu, s: right(mu, s) / mu.shape[1],
            "You summed over the batch: one value for each example, so sum over axis 1.":
                lambda mu, s: 0.5 * (mu ** 2 + torch.exp(2 * s) - 1 - 2 * s).sum(0),
            "You added up all examples: sum over axis 1 only.": lambda mu, s: right(mu, s).sum(),
            "One value for each latent: sum over axis 1, so that one for each example is left.":
                lambda mu, s: 0.5 * (mu ** 2 + torch.exp(2 * s) - 1 - 2 * s),
        },
        "½(μ² + e^{2·log σ} − 1) − log σ, summed over the latents.",
        otherwise="Put σ² = exp(2·log_sigma) into ½(μ² + σ² − 1 − log σ²), and sum over axis 1.")


def _kl_of_parts(distance: Callable, ratio: Callable, log: Callable, factor: float = 0.5) -> Callable:
    """The KL between two normals, made of three parts that an answer may get wrong."""
    return lambda mu, s, m, t: factor * (distance(mu, s, m, t) + ratio(s, t) - 1 - log(s, t))


def _squared_distance(mu, s, m, t):
    return (mu - m) ** 2 / t ** 2


def _squared_ratio(s, t):
    return s ** 2 / t ** 2


def _log_ratio(s, t):
    return 2 * torch.log(s / t)


def check_kl_normals(kl_normals: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Verdict:
    """kl_normals(mu, sigma, m, tau) → KL(N(mu, sigma²) ‖ N(m, tau²)), nats, for each entry (notebook 03)."""
    def right(mu, sigma, m, tau):
        columns = (mu, 2 * sigma.log(), m, 2 * tau.log())
        return kl_between_normals(*(tensor.flatten()[:, None] for tensor in columns)).view_as(mu)

    def case(seed: int, *shape: int) -> tuple:
        (mu, m), (a, b) = _batch(*shape, seed=seed), _batch(*shape, seed=seed + 10)
        return mu, torch.exp(0.4 * a), m, torch.exp(0.4 * b)

    return compare(
        kl_normals, right, [case(3, 4), case(4, 3, 2)],
        {
            "The two are swapped: this is KL(N(m, τ²) ‖ N(μ, σ²)).": lambda mu, s, m, t: right(m, t, mu, s),
            "The distance of the means must be divided by τ²: it counts in units of the prior's variance.":
                _kl_of_parts(lambda mu, s, m, t: (mu - m) ** 2, _squared_ratio, _log_ratio),
            "The distance of the means was divided by σ²: it must be τ², the prior's variance.":
                _kl_of_parts(lambda mu, s, m, t: (mu - m) ** 2 / s ** 2, _squared_ratio, _log_ratio),
            "The distance of the means must be squared.":
                _kl_of_parts(lambda mu, s, m, t: (mu - m) / t, _squared_ratio, _log_ratio),
            "The arguments are standard deviations: the ratio must be σ²/τ², not σ/τ.":
                _kl_of_parts(_squared_distance, lambda s, t: s / t, _log_ratio),
            "Here is log(σ/τ) for log(σ²/τ²): the ½ is in front of the whole bracket.":
                _kl_of_parts(_squared_distance, _squared_ratio, lambda s, t: torch.log(s / t)),
            "The sign of the logarithm: −log(σ²/τ²).":
                _kl_of_parts(_squared_distance, _squared_ratio, lambda s, t: -_log_ratio(s, t)),
            "The arguments sigma and tau were taken for variances: they are standard deviations.":
                _kl_of_parts(lambda mu, s, m, t: (mu - m) ** 2 / t, lambda s, t: s / t, lambda s, t: torch.log(s / t)),
            "The ½ is missing: this is twice the KL.": _kl_of_parts(_squared_distance, _squared_ratio, _log_ratio, 1.0),
            "The prior is N(m, τ²), not N(0, 1): use m and tau.":
                lambda mu, s, m, t: right(mu, s, torch.zeros_like(m), torch.ones_like(t)),
            "Return one value for each entry: nothing is summed here.": lambda *args: right(*args).sum(),
        },
        "½(((μ − m)² + σ²)/τ² − 1) − log(σ/τ).",
        otherwise="The formula of section 4 is ½(((μ − m)² + σ²)/τ² − 1 − log(σ²/τ²)).")


def check_kl_of_batch(kl_of_batch: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """kl_of_batch(mu, logvar), both (B, …), → (B,) nats, summed over all axes but the first (notebook 03)."""
    def by_entry(mu, logvar):
        return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar)

    def right(mu, logvar):
        return kl_to_standard_normal(mu.flatten(1), logvar.flatten(1))

    return compare(
        kl_of_batch, right, [_batch(4, 2, 3, 5, seed=5), _batch(3, 6, seed=6), _batch(2, 3, 4, seed=7)],
        {
            "You summed over the last axis only: every axis but the first belongs to the example.":
                lambda mu, v: by_entry(mu, v).sum(-1),
            "You summed over the batch too: the first axis must be left.": lambda mu, v: by_entry(mu, v).sum(),
            "You averaged over everything: sum over an example's own axes, and keep the batch.":
                lambda mu, v: by_entry(mu, v).mean(),
            "You averaged over the batch: one value for each example is asked for; the average comes last, in the loss.":
                lambda mu, v: right(mu, v).mean(),
            "You averaged over the latents: the KL of independent latents is their sum.":
                lambda mu, v: by_entry(mu, v).flatten(1).mean(1),
            "You summed over the batch and kept the latents: keep the first axis, sum over the others.":
                lambda mu, v: by_entry(mu, v).sum(0),
            "Nothing was summed: .flatten(1).sum(1) leaves one value for each example.": by_entry,
            "The ½ is missing: this is twice the KL.": lambda mu, v: 2 * right(mu, v),
            "The sign: this is −KL, and a KL is never negative.": lambda mu, v: -right(mu, v),
            "logvar is log σ² already: σ² = exp(logvar).": lambda mu, v: right(mu, 2 * v),
        },
        "one value for each example, summed over all of its own axes.",
        otherwise="½(μ² + e^logvar − 1 − logvar), then .flatten(1).sum(1).")


def check_cost_of_halving(cost_of_halving: Callable[[float], float]) -> Verdict:
    """cost_of_halving(sigma) → KL at σ/2 minus KL at σ, nats, with the mean unchanged (notebook 03)."""
    def right(sigma):
        return math.log(2) - 3 * sigma ** 2 / 8

    return compare(
        cost_of_halving, right, [(0.3,), (1.0,), (2.0,)],
        {
            "That is right only as σ → 0: the term ½σ² changes too, from ½σ² to ⅛σ².": lambda s: math.log(2),
            "The sign: subtract the KL at σ from the KL at σ/2.": lambda s: -right(s),
            "log(σ²/4) = log σ² − 2 log 2, and the ½ leaves log 2.": lambda s: math.log(4) - 3 * s ** 2 / 8,
            "The ½ of the KL is missing.": lambda s: 2 * right(s),
            "Here is log σ for log σ²: the logarithm gives log 2.": lambda s: 0.5 * math.log(2) - 3 * s ** 2 / 8,
            "(σ/2)² is σ²/4, not σ²/2.": lambda s: math.log(2) - s ** 2 / 4,
            "The ½ in front of σ² is missing: ½·σ²/4 − ½·σ² = −3σ²/8.": lambda s: math.log(2) - 3 * s ** 2 / 4,
            "That is the KL at σ/2 itself: subtract the KL at σ.":
                lambda s: 0.5 * (s ** 2 / 4 - 1 - math.log(s ** 2 / 4)),
            "In nats: use the natural logarithm.": lambda s: 1 - 3 * s ** 2 / 8,
        },
        "log 2 − ⅜σ². A small σ costs a bit for each halving; for σ > 1.36 halving is a gain.",
        otherwise="Write ½(μ² + σ² − 1 − log σ²) for σ/2 and for σ, and subtract.")


def check_kl_slopes(kl_slopes: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Verdict:
    """kl_slopes(mu, sigma) → (∂KL/∂mu, ∂KL/∂sigma), each as mu (notebook 03)."""
    def case(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
        mu, a = _batch(*shape, seed=seed)
        return mu, torch.exp(0.5 * a)

    def right(mu, sigma):
        return mu, sigma - 1 / sigma

    return compare(
        kl_slopes, right, [case(8, 4), case(9, 2, 3)],
        {
            "The second is the slope in log σ², ½(σ² − 1): differentiate by σ itself.":
                lambda mu, s: (mu, 0.5 * (s ** 2 - 1)),
            "The second is the slope in log σ, σ² − 1: divide by σ.": lambda mu, s: (mu, s ** 2 - 1),
            "The second is the slope in σ²: multiply by the slope of σ², which is 2σ.":
                lambda mu, s: (mu, 0.5 * (1 - 1 / s ** 2)),
            "The slope of −½·log σ² is −1/σ, since log σ² = 2 log σ.": lambda mu, s: (mu, s - 0.5 / s),
            "The ½ is missing in both: these are the slopes of twice the KL.": lambda mu, s: (2 * mu, 2 * (s - 1 / s)),
            "The slope of ½μ² is μ.": lambda mu, s: (mu / 2, s - 1 / s),
            "The slope of ½σ² is σ.": lambda mu, s: (mu, 0.5 * s - 1 / s),
            "The sign of the logarithm's slope: −½·log σ² gives −1/σ.": lambda mu, s: (mu, s + 1 / s),
            "The sign: these point downhill; the gradient points uphill.": lambda mu, s: (-mu, 1 / s - s),
            "The other way round: first the slope in μ, then in σ.": lambda mu, s: (s - 1 / s, mu),
        },
        "μ and σ − 1/σ, which is not bounded as σ → 0.",
        otherwise="(∂KL/∂μ, ∂KL/∂σ), from ½(μ² + σ² − 1 − log σ²) with log σ² = 2 log σ.")
