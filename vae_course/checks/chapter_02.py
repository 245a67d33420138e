"""Checks of the exercises of notebook 02."""

import math

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy
from torch.special import xlogy

from vae_course.checks.check import But, Check


def _doubles(*values) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(value, dtype=torch.float64) for value in values)


def _normal(mean: float, sigma: float) -> Normal:
    return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64))


def _coin_kl(p: Tensor, q: Tensor) -> Tensor:
    return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))


check_both_directions = Check(
    "both_directions(p, q) → KL(p‖q), KL(q‖p) of two coins, in nats (notebook 02).",
    lambda p, q: (_coin_kl(p, q), _coin_kl(q, p)), [_doubles(0.5, 0.001), _doubles(0.2, 0.7), _doubles(0.9, 0.6)], {
    "The other way round: the first is KL(p‖q), which averages over p.": lambda p, q: (_coin_kl(q, p), _coin_kl(p, q)),
    "Both values are KL(p‖q): swap the arguments for the second.": But(lambda first, second: (first, first)),
    "That is the term of heads alone: tails, with 1 − p and 1 − q, belong to the sum.":
        lambda p, q: (p * torch.log(p / q), q * torch.log(q / p)),
    "The sign: the ratio is p/q where the average is over p.": But(lambda first, second: (-first, -second)),
    "These are bits: the unit here is the nat, so take the natural logarithm, torch.log.":
        But(lambda first, second: (first / math.log(2), second / math.log(2))),
    "That is the cross-entropy: take off the entropy, or put the ratio into the logarithm.":
        lambda p, q: (binary_cross_entropy(q, p), binary_cross_entropy(p, q)),
    "Do not average the two directions: they differ, and both are asked for.":
        But(lambda first, second: ((first + second) / 2,) * 2),
}, "the sum over heads and tails, in both directions.", otherwise="KL(p‖q), then KL(q‖p), each a sum of two terms.")


def _kl(p: Tensor, q: Tensor, axis: int = -1) -> Tensor:
    return (xlogy(p, p) - xlogy(p, q)).sum(axis)


_q, _p, _with_zeros, _impossible = _doubles(
    [[0.2, 0.3, 0.1, 0.4], [0.25, 0.25, 0.25, 0.25], [0.6, 0.2, 0.1, 0.1]],
    [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]],
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.2, 0.3, 0.5]],
    [[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])

check_categorical_kl = Check(
    "categorical_kl(p, q) → (B,) nats, with 0·log 0 = 0 and inf where q = 0 < p; p, q: (B, K) (notebook 02).",
    _kl, [(_p, _q), (_with_zeros, _q), (_with_zeros[:2], _impossible)], {
    "The arguments are swapped: the average is over p.": lambda p, q: _kl(q, p),
    "nan_to_num replaces inf too, by a large number: keep it with posinf=math.inf.":
        lambda p, q: torch.nan_to_num(p * torch.log(p / q), nan=0.0).sum(-1),
    "You averaged over the letters: sum them.": lambda p, q: _kl(p, q) / p.shape[-1],
    "One number for the whole batch: sum over the last axis only, so that each row keeps its own.": But(torch.sum),
    "You averaged over the rows: each row keeps its own value.": But(torch.mean),
    "You summed over the rows: the letters are the last axis.": lambda p, q: _kl(p, q, 0),
    "The sign: the ratio in the logarithm is p/q.": But(torch.neg),
    "These are bits: take the natural logarithm.": But(lambda kl: kl / math.log(2)),
    "That is the cross-entropy: the entropy of p is not taken off.": lambda p, q: -xlogy(p, q).sum(-1),
    **{f"A small number in the logarithm (about {epsilon:g}) hides what is infinite: leave it out.":
       lambda p, q, epsilon=epsilon: (p * torch.log((p + epsilon) / (q + epsilon))).sum(-1)
       for epsilon in (1e-5, 1e-6, 1e-8, 1e-10, 1e-12)},
}, "(B,) nats, zeros included.",
    otherwise="Where p = 0 the term is 0 (0·log 0 must not give NaN); where q = 0 < p it is inf.")


def _table(normal: Normal, edges: Tensor, bins: slice = slice(None)) -> Tensor:
    below = normal.cdf(edges)
    return torch.cat([below[:1], below.diff(), 1 - below[-1:]])[bins]


def _binned(p: Normal, q: Normal, edges: Tensor, bins: slice = slice(None)) -> Tensor:
    return _kl(_table(p, edges, bins), _table(q, edges, bins))


def _by_densities(p: Normal, q: Normal, edges: Tensor) -> Tensor:
    middle = (edges[1:] + edges[:-1]) / 2
    return p.log_prob(middle).exp() * (p.log_prob(middle) - q.log_prob(middle))


check_binned_normal_kl = Check(
    "binned_normal_kl(p, q, edges) → the KL of the two tables of bins, both tails included (notebook 02).",
    _binned, [(_normal(0.8, 0.5), _normal(0.0, 1.0), *_doubles([-0.5, -0.1, 0.3, 0.7, 1.1, 1.5])),
                 (_normal(-1.0, 1.5), _normal(0.5, 1.0), *_doubles([-1.0, -0.2, 0.4, 2.0]))], {
    "The arguments are swapped: the average is over p.": lambda p, q, e: _binned(q, p, e),
    "The two tails are missing: the tables do not sum to one.": lambda p, q, e: _binned(p, q, e, slice(1, -1)),
    "One tail is missing: what lies above the last edge is a letter too.": lambda p, q, e: _binned(p, q, e, slice(0, -1)),
    "One tail is missing: what lies below the first edge is a letter too.": lambda p, q, e: _binned(p, q, e, slice(1, None)),
    "These are densities, not probabilities: take differences of p.cdf.": lambda p, q, e: _by_densities(p, q, e).sum(),
    "Density times width is only nearly the probability of a bin: take differences of p.cdf.":
        lambda p, q, e: (_by_densities(p, q, e) * e.diff()).sum(),
    "p.cdf is the probability below an edge; that of a bin is the difference of two of them.":
        lambda p, q, e: _kl(p.cdf(e), q.cdf(e)),
    "That is the KL of the densities, by an integral: the one of the tables is smaller.":
        lambda p, q, e: kl_divergence(p, q),
    "The sign: the ratio in the logarithm is P/Q.": But(torch.neg),
    "The bins were averaged: sum them.": lambda p, q, e: _binned(p, q, e) / (len(e) + 1),
}, "differences of the distribution functions, tails included, then the sum.")

check_change_unit = Check(
    "change_unit(h, kl, c) → differential entropy and KL after every length is multiplied by c (notebook 02).",
    lambda h, kl, c: (h + math.log(c), kl), [(-0.4, 0.6, 1000.0), (1.2, 2.5, 0.1)], {
    "The KL does not change: the factor cancels in the ratio.": lambda h, kl, c: (h + math.log(c), kl + math.log(c)),
    "The sign: numbers that are c times larger are spread more widely, so the density is lower and h larger.":
        lambda h, kl, c: (h - math.log(c), kl),
    "h does change: the density has a unit, so log p shifts by log c.": lambda h, kl, c: (h, kl),
    "h is not multiplied by c: a factor inside a logarithm becomes a summand.": lambda h, kl, c: (h * c, kl),
    "Neither is multiplied by c: inside a logarithm a factor becomes a summand, and in a ratio it cancels.":
        lambda h, kl, c: (h * c, kl * c),
    "Take the logarithm of c: h shifts by log c, not by c.": lambda h, kl, c: (h + c, kl),
    "Take the natural logarithm: the unit is the nat.": lambda h, kl, c: (h + math.log10(c), kl),
}, "h shifts by log c, and the KL stays.", otherwise="Return the differential entropy, then the KL.")


def _moments(weights: Tensor, means: Tensor, within: Tensor | float) -> tuple[Tensor, Tensor]:
    mean = (weights * means).sum()
    return mean, within + (weights * (means - mean) ** 2).sum()


check_mixture_moments = Check(
    "mixture_moments(weights, means, sigmas), each (K,) → mean and variance of the mixture (notebook 02).",
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
