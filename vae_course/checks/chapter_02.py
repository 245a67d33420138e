"""Checks of the exercises of notebook 02."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.special import xlogy

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import NO_NUMBER, parts_of, to_tensor
from vae_course.derivations.tasks import Task, positive


def _doubles(*values) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(value, dtype=torch.float64) for value in values)


def _normal(mean: float, sigma: float) -> Normal:
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64))


def _kl(q: Tensor, p: Tensor, axis: int = -1) -> Tensor:
    return (xlogy(q, q) - xlogy(q, p)).sum(axis)


_p, _q, _with_zeros, _impossible = _doubles(
    [[0.2, 0.3, 0.1, 0.4], [0.25, 0.25, 0.25, 0.25], [0.6, 0.2, 0.1, 0.1]],
    [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]],
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.2, 0.3, 0.5]],
    [[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])

check_categorical_kl = Check(
    "categorical_kl(q, p) → (B,) nats, with 0·log 0 = 0 and inf where p = 0 < q; q, p: (B, n) (notebook 02).",
    _kl, [(_q, _p), (_with_zeros, _p), (_with_zeros[:2], _impossible)], {
    "The arguments are swapped: the average is over q.": lambda q, p: _kl(p, q),
    "nan_to_num replaces inf too, by a large number: keep it with posinf=math.inf.":
        lambda q, p: torch.nan_to_num(q * torch.log(q / p), nan=0.0).sum(-1),
    "You averaged over the outcomes: sum them.": lambda q, p: _kl(q, p) / q.shape[-1],
    "One number for the whole batch: sum over the last axis only, so that each row keeps its own.": But(torch.sum),
    "You averaged over the rows: each row keeps its own value.": But(torch.mean),
    "You summed over the rows: the outcomes are the last axis.": lambda q, p: _kl(q, p, 0),
    "The sign: the ratio in the logarithm is q/p.": But(torch.neg),
    "These are bits: take the natural logarithm.": But(lambda kl: kl / math.log(2)),
    "That is the cross-entropy: the entropy of q is not subtracted.": lambda q, p: -xlogy(q, p).sum(-1),
    **{f"A small number in the logarithm (about {epsilon:g}) hides what is infinite: leave it out.":
       lambda q, p, epsilon=epsilon: (q * torch.log((q + epsilon) / (p + epsilon))).sum(-1)
       for epsilon in (1e-5, 1e-6, 1e-8, 1e-10, 1e-12)},
}, "(B,) nats, zeros included.",
    otherwise="Where q = 0 the term is 0 (0·log 0 must not give NaN); where p = 0 < q it is inf.")


_BOTH, _RATIO = "(q_1 + q_2)", "(q_1 + q_2)/(p_1 + p_2)"
_LEFT_OVER = "{both}*log({ratio}) - q_1*{of}{one} - q_2*{of}{two}".format
_ONE, _TWO = f"({_RATIO}*p_1/q_1)", f"({_RATIO}*p_2/q_2)"
check_merging = ProveIt(
    "merging(d) → the derivation d with at least two steps: merging two outcomes never raises the KL (notebook 02).",
    Task([("q_1*log(q_1/p_1) + q_2*log(q_2/p_2)", ""),
          (_LEFT_OVER(both=_BOTH, ratio=_RATIO, of="log", one=_ONE, two=_TWO), "take out the ratio of the sums"),
          (_LEFT_OVER(both=_BOTH, ratio=_RATIO, of="", one=f"({_ONE} - 1)", two=f"({_TWO} - 1)"), "the tangent, twice"),
          (f"{_BOTH}*log({_RATIO})", "the rest cancels")],
         positive("q_1 q_2 p_1 p_2"), relation=">=", mistakes={
        "The sums stand in front of the logarithm as well as in it.": f"log({_RATIO})",
        "Upside down: the ratio is q over p.": f"{_BOTH}*log(1/({_RATIO}))",
        "A sum of logarithms is not the logarithm of the sum.": f"{_BOTH}*log(q_1/p_1 + q_2/p_2)",
        "The tangent gives q_1 − p_1 for a single term. This line has the opposite sign.": "p_1 - q_1 + p_2 - q_2",
        "Probabilities of outcomes that are merged add up; they are not averaged.": f"{_BOTH}*log(2*{_RATIO})",
    }), 2, "{n} steps, each proved, for all positive numbers: coarser tables lie closer together.")


def _table(normal: Normal, edges: Tensor, bins: slice = slice(None)) -> Tensor:
    below = normal.cdf(edges)
    return torch.cat([below[:1], below.diff(), 1 - below[-1:]])[bins]


def _binned(q: Normal, p: Normal, edges: Tensor, bins: slice = slice(None)) -> Tensor:
    return _kl(_table(q, edges, bins), _table(p, edges, bins))


def _by_densities(q: Normal, p: Normal, edges: Tensor) -> Tensor:
    middle = (edges[1:] + edges[:-1]) / 2
    return q.log_prob(middle).exp() * (q.log_prob(middle) - p.log_prob(middle))


check_binned_normal_kl = Check(
    "binned_normal_kl(q, p, edges) → the KL of the two tables of bins, both tails included (notebook 02).",
    _binned, [(_normal(0.8, 0.5), _normal(0.0, 1.0), *_doubles([-0.5, -0.1, 0.3, 0.7, 1.1, 1.5])),
                 (_normal(-1.0, 1.5), _normal(0.5, 1.0), *_doubles([-1.0, -0.2, 0.4, 2.0]))], {
    "The arguments are swapped: the average is over q.": lambda q, p, e: _binned(p, q, e),
    "The two tails are missing: the tables do not sum to one.": lambda q, p, e: _binned(q, p, e, slice(1, -1)),
    "One tail is missing: what lies above the last edge is an outcome too.":
        lambda q, p, e: _binned(q, p, e, slice(0, -1)),
    "One tail is missing: what lies below the first edge is an outcome too.":
        lambda q, p, e: _binned(q, p, e, slice(1, None)),
    "These are densities, not probabilities: take differences of q.cdf.": lambda q, p, e: _by_densities(q, p, e).sum(),
    "Density times width is only nearly the probability of a bin: take differences of q.cdf.":
        lambda q, p, e: (_by_densities(q, p, e) * e.diff()).sum(),
    "q.cdf is the probability below an edge; that of a bin is the difference of two of them.":
        lambda q, p, e: _kl(q.cdf(e), p.cdf(e)),
    "That is the KL of the densities, by an integral: the one of the tables is smaller.":
        lambda q, p, e: kl_divergence(q, p),
    "The sign: the ratio in the logarithm is q/p.": But(torch.neg),
    "The bins were averaged: sum them.": lambda q, p, e: _binned(q, p, e) / (len(e) + 1),
}, "differences of the distribution functions, tails included, then the sum.")


def _moments(weights: Tensor, means: Tensor, within: Tensor | float) -> tuple[Tensor, Tensor]:
    mean = (weights * means).sum()
    return mean, within + (weights * (means - mean) ** 2).sum()


check_mixture_moments = Check(
    "mixture_moments(weights, means, sigmas) → mean and variance of the mixture (notebook 02).",
    lambda w, m, s: _moments(w, m, (w * s ** 2).sum()),
    [_doubles([0.35, 0.65], [-2.0, 2.5], [0.6, 0.8]), _doubles([0.5, 0.2, 0.3], [1.0, -3.0, 0.5], [0.4, 1.2, 2.0])], {
    "The variance between the modes is missing: the means differ.": lambda w, m, s: ((w * m).sum(), (w * s ** 2).sum()),
    "The variance within the modes is missing: add the average of sigma².": lambda w, m, s: _moments(w, m, 0.0),
    "That is the standard deviation: the variance was asked for.": But(lambda mean, variance: (mean, variance.sqrt())),
    "Average the variances sigma², not sigma.": lambda w, m, s: _moments(w, m, (w * s).sum()),
    "Average sigma² and not sigma, then square: (Σ w·sigma)² is less.": lambda w, m, s: _moments(w, m, (w * s).sum() ** 2),
    "The weights are forgotten.": lambda w, m, s: (m.mean(), (s ** 2).mean() + m.var(correction=0)),
    "That is the variance of a weighted sum of independent draws; a mixture takes one draw from one part.":
        lambda w, m, s: ((w * m).sum(), (w ** 2 * s ** 2).sum()),
    "That is E z²: take off the square of the mean.": lambda w, m, s: ((w * m).sum(), (w * (s ** 2 + m ** 2)).sum()),
    "That is one mode, the heaviest: a reverse fit. Forward copies the moments of the whole mixture.":
        lambda w, m, s: (m[w.argmax()], s[w.argmax()] ** 2),
}, "the variance within the parts and the variance between them.", otherwise="Return the mean, then the variance.")


# ---------------------------------------------------------------- taking a side

_DISTANCES = (0.5, 1.5, 3.0, 4.0)


@cache
def _reverse_fits(from_middle: bool = False) -> tuple[Tensor, Tensor]:
    """Means and standard deviations, (4,) each, of the Gaussians that minimize KL(q‖p) for _DISTANCES."""
    d = torch.tensor(_DISTANCES, dtype=torch.float64)[:, None]
    z = torch.linspace(-14, 14, 561, dtype=torch.float64)
    log_p = torch.logaddexp(Normal(-d, 1).log_prob(z), Normal(d, 1).log_prob(z)) - math.log(2)
    mu, log_sigma = (0 * d if from_middle else d.clone()).requires_grad_(), torch.zeros_like(d).requires_grad_()
    optimizer = torch.optim.Adam([mu, log_sigma], lr=0.03)
    for _ in range(500):
        log_q = Normal(mu, log_sigma.exp()).log_prob(z)
        optimizer.zero_grad()
        (log_q.exp() * (log_q - log_p)).sum().backward()
        optimizer.step()
    return mu.detach()[:, 0], log_sigma.detach().exp()[:, 0]


def _looked_at(answer: Callable) -> SimpleNamespace:
    """What is predicted, and the fitted means and standard deviations."""
    returned = parts_of(answer(list(_DISTANCES)), 3)
    values = []
    for part in returned or 3 * (None,):
        try:
            values.append(to_tensor(part).detach().double())
        except NO_NUMBER:
            values.append(torch.full((), math.nan))
    predicted, mu, sigma = values
    fits = mu.shape == sigma.shape == (len(_DISTANCES),)
    right_mu, right_sigma = _reverse_fits()
    return SimpleNamespace(three=bool(returned), predicted=predicted.item() if predicted.numel() == 1 else math.nan,
                           fits=fits, shape=tuple(mu.shape), mu=mu, sigma=sigma, last=mu[-1].item() if fits else math.nan,
                           width=sigma[-1].item() if fits else math.nan, right_mu=right_mu, right_sigma=right_sigma)


def _close(one: Tensor, other: Tensor, tolerance: float = 0.06) -> bool:
    return bool(((one - other).abs() < tolerance).all())


def _forward_sigma(distances: Sequence[float]) -> Tensor:
    return (1 + torch.tensor(distances, dtype=torch.float64) ** 2).sqrt()


def _fitted(predicted: object = 2.0, change: Callable = lambda mu, sigma: (mu, sigma),
            from_middle: bool = False) -> Callable:
    """The answer with these fits; a right one, or one with something wrong."""
    def take_a_side(distances: Sequence[float]):
        assert tuple(distances) == _DISTANCES
        return predicted, *change(*_reverse_fits(from_middle))
    return take_a_side


check_take_a_side = Inspection(
    "take_a_side(distances) → the distance that you predict, and the means and standard deviations of the reverse fits\n"
    "that start at N(δ, 1), one for each distance δ (notebook 02).",
    _looked_at, _fitted(), {
    "Return three things: the distance that you predict, the means, and the standard deviations.":
        (lambda seen: not seen.three, lambda distances: _fitted()(distances)[1:]),
    "Predict first: write down the distance δ at which the fit starts to take a side.":
        (lambda seen: not 0 < seen.predicted < math.inf, _fitted(predicted=None), _fitted(predicted=0.0)),
    "The means for four distances have the shape {seen.shape}: one number for each is asked for, (4,), and as many standard "
    "deviations.":
        (lambda seen: not seen.fits, _fitted(change=lambda mu, sigma: (mu[:, None], sigma[:, None])),
         _fitted(change=lambda mu, sigma: (mu[0], sigma[0]))),
    "That is the forward fit, which copies mean and variance: average over q, not over p.":
        (lambda seen: _close(seen.mu, 0 * seen.mu) and _close(seen.sigma, _forward_sigma(_DISTANCES)),
         _fitted(change=lambda mu, sigma: (0 * mu, _forward_sigma(_DISTANCES)))),
    "From the middle the slope in mu is 0, so the fit stays there. Start at mu = δ.":
        (lambda seen: _close(seen.mu, 0 * seen.mu), _fitted(from_middle=True)),
    "That is log sigma: return sigma itself.":
        (lambda seen: _close(seen.sigma, seen.right_sigma.log()), _fitted(change=lambda mu, sigma: (mu, sigma.log()))),
    "That is the variance: return sigma.":
        (lambda seen: _close(seen.sigma, seen.right_sigma**2), _fitted(change=lambda mu, sigma: (mu, sigma**2))),
    "For δ = 4 the fit should be near N(4, 1²), and yours is N({seen.last:.2f}, {seen.width:.2f}²). Start at mu = δ and "
    "sigma = 1, lower KL(q‖p) until nothing moves, and let both parts of p have the standard deviation 1.":
        (lambda seen: not _close(seen.mu[-1:], seen.right_mu[-1:]) or not _close(seen.sigma[-1:], seen.right_sigma[-1:]),
         _fitted(change=lambda mu, sigma: (mu, sigma + 0.3)), _fitted(change=lambda mu, sigma: (mu / 2, sigma))),
    "For δ = 4 the fit is right. For δ = 0.5 and 1.5 the right one covers both modes, with the mean 0: has yours converged?":
        (lambda seen: not _close(seen.mu, seen.right_mu) or not _close(seen.sigma, seen.right_sigma),
         _fitted(change=lambda mu, sigma: (torch.tensor(_DISTANCES), torch.ones_like(sigma)))),
}, "one mode at δ = 4, both at δ = 1.5. Now call it with 1.0, 1.2, … 3.0: was δ = {seen.predicted:g} near?")
