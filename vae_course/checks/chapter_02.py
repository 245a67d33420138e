"""Checks of the exercises of notebook 02."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.verdict import Verdict, compare


def _coin_kl(p: Tensor, q: Tensor) -> Tensor:
    return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))


def check_both_directions(both_directions: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Verdict:
    """both_directions(p, q) → KL(p‖q), KL(q‖p) of two coins, in nats (notebook 02)."""
    def only_heads(p, q):
        return p * torch.log(p / q), q * torch.log(q / p)

    def cross_entropy(p, q):
        return p * torch.log(q) + (1 - p) * torch.log(1 - q)

    cases = [(torch.tensor(p, dtype=torch.float64), torch.tensor(q, dtype=torch.float64))
             for p, q in ((0.5, 0.001), (0.2, 0.7), (0.9, 0.6))]
    return compare(both_directions, lambda p, q: (_coin_kl(p, q), _coin_kl(q, p)), cases, {
        "The other way round: the first is KL(p‖q), which averages over p.": lambda p, q: (_coin_kl(q, p), _coin_kl(p, q)),
        "Both values are KL(p‖q): swap the arguments for the second.": lambda p, q: (_coin_kl(p, q), _coin_kl(p, q)),
        "That is the term of heads alone: tails, with 1 − p and 1 − q, belong to the sum.": only_heads,
        "The sign: the ratio is p/q where the average is over p.": lambda p, q: (-_coin_kl(p, q), -_coin_kl(q, p)),
        "These are bits: the unit here is the nat, so take the natural logarithm, torch.log.":
            lambda p, q: (_coin_kl(p, q) / math.log(2), _coin_kl(q, p) / math.log(2)),
        "That is the cross-entropy: take off the entropy, or put the ratio into the logarithm.":
            lambda p, q: (-cross_entropy(p, q), -cross_entropy(q, p)),
        "Do not average the two directions: they differ, and both are asked for.":
            lambda p, q: ((_coin_kl(p, q) + _coin_kl(q, p)) / 2,) * 2,
    }, "the sum over heads and tails, in both directions.", otherwise="KL(p‖q), then KL(q‖p), each a sum of two terms.")


def check_categorical_kl(categorical_kl: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """categorical_kl(p, q) → (B,) nats, with 0·log 0 = 0 and inf where q = 0 < p; p, q: (B, K) (notebook 02)."""
    def right(p, q):
        return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)

    def with_epsilon(p, q, epsilon):
        return (p * torch.log((p + epsilon) / (q + epsilon))).sum(-1)

    q = torch.tensor([[0.2, 0.3, 0.1, 0.4], [0.25, 0.25, 0.25, 0.25], [0.6, 0.2, 0.1, 0.1]], dtype=torch.float64)
    p = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.4, 0.1]], dtype=torch.float64)
    with_zeros = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.2, 0.3, 0.5]], dtype=torch.float64)
    impossible = torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    cases = [(p, q), (with_zeros, q), (with_zeros[:2], impossible)]
    mistakes = {
        "The arguments are swapped: the average is over p.": lambda p, q: right(q, p),
        "nan_to_num replaces inf too, by a large number: keep it with posinf=math.inf.":
            lambda p, q: torch.nan_to_num(p * torch.log(p / q), nan=0.0).sum(-1),
        "You averaged over the letters: sum them.": lambda p, q: right(p, q) / p.shape[-1],
        "One number for the whole batch: sum over the last axis only, so that each row keeps its own.":
            lambda p, q: right(p, q).sum(),
        "You averaged over the rows: each row keeps its own value.": lambda p, q: right(p, q).mean(),
        "You summed over the rows: the letters are the last axis.":
            lambda p, q: (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(0),
        "The sign: the ratio in the logarithm is p/q.": lambda p, q: -right(p, q),
        "These are bits: take the natural logarithm.": lambda p, q: right(p, q) / math.log(2),
        "That is the cross-entropy: the entropy of p is not taken off.":
            lambda p, q: -torch.special.xlogy(p, q).sum(-1),
    }
    for epsilon in (1e-5, 1e-6, 1e-8, 1e-10, 1e-12):
        mistakes[f"A small number in the logarithm (about {epsilon:g}) hides what is infinite: leave it out."] = \
            lambda p, q, epsilon=epsilon: with_epsilon(p, q, epsilon)
    return compare(categorical_kl, right, cases, mistakes, "(B,) nats, zeros included.",
                   otherwise="Where p = 0 the term is 0 (0·log 0 must not give NaN); where q = 0 < p it is inf.")


def check_binned_normal_kl(binned_normal_kl: Callable[[Normal, Normal, Tensor], Tensor]) -> Verdict:
    """binned_normal_kl(p, q, edges) → the KL of the two tables of bins, both tails included (notebook 02)."""
    def kl(P, Q):
        return (torch.special.xlogy(P, P) - torch.special.xlogy(P, Q)).sum()

    def table(normal, edges):
        below = normal.cdf(edges)
        return torch.cat([below[:1], below.diff(), 1 - below[-1:]])

    def by_densities(p, q, edges):
        middle = (edges[1:] + edges[:-1]) / 2
        return p.log_prob(middle).exp() * (p.log_prob(middle) - q.log_prob(middle))

    def right(p, q, edges):
        return kl(table(p, edges), table(q, edges))

    def normal(mean, sigma):
        return Normal(torch.tensor(mean, dtype=torch.float64), torch.tensor(sigma, dtype=torch.float64))

    cases = [(normal(0.8, 0.5), normal(0.0, 1.0), torch.linspace(-0.5, 1.5, 6, dtype=torch.float64)),
             (normal(-1.0, 1.5), normal(0.5, 1.0), torch.tensor([-1.0, -0.2, 0.4, 2.0], dtype=torch.float64))]
    return compare(binned_normal_kl, right, cases, {
        "The arguments are swapped: the average is over p.": lambda p, q, e: right(q, p, e),
        "The two tails are missing: the tables do not sum to one.": lambda p, q, e: kl(p.cdf(e).diff(), q.cdf(e).diff()),
        "One tail is missing: what lies above the last edge is a letter too.":
            lambda p, q, e: kl(table(p, e)[:-1], table(q, e)[:-1]),
        "One tail is missing: what lies below the first edge is a letter too.":
            lambda p, q, e: kl(table(p, e)[1:], table(q, e)[1:]),
        "These are densities, not probabilities: take differences of p.cdf.": lambda p, q, e: by_densities(p, q, e).sum(),
        "Density times width is only nearly the probability of a bin: take differences of p.cdf.":
            lambda p, q, e: (by_densities(p, q, e) * e.diff()).sum(),
        "p.cdf is the probability below an edge; that of a bin is the difference of two of them.":
            lambda p, q, e: kl(p.cdf(e), q.cdf(e)),
        "That is the KL of the densities, by an integral: the one of the tables is smaller.":
            lambda p, q, e: torch.distributions.kl_divergence(p, q),
        "The sign: the ratio in the logarithm is P/Q.": lambda p, q, e: -right(p, q, e),
        "The bins were averaged: sum them.": lambda p, q, e: right(p, q, e) / (len(e) + 1),
    }, "differences of the distribution functions, tails included, then the sum.")


def check_change_unit(change_unit: Callable[[float, float, float], tuple[float, float]]) -> Verdict:
    """change_unit(h, kl, c) → differential entropy and KL after every length is multiplied by c (notebook 02)."""
    return compare(change_unit, lambda h, kl, c: (h + math.log(c), kl), [(-0.4, 0.6, 1000.0), (1.2, 2.5, 0.1)], {
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


def check_mixture_moments(mixture_moments: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> Verdict:
    """mixture_moments(weights, means, sigmas), each (K,) → mean and variance of the mixture (notebook 02)."""
    def mean(w, m):
        return (w * m).sum()

    def between(w, m):
        return (w * (m - mean(w, m)) ** 2).sum()

    def right(w, m, s):
        return mean(w, m), (w * s ** 2).sum() + between(w, m)

    cases = [tuple(torch.tensor(values, dtype=torch.float64) for values in case) for case in (
        ([0.35, 0.65], [-2.0, 2.0], [0.6, 0.8]),
        ([0.5, 0.2, 0.3], [1.0, -3.0, 0.5], [0.4, 1.2, 2.0]))]
    return compare(mixture_moments, right, cases, {
        "The variance between the modes is missing: the means differ.": lambda w, m, s: (mean(w, m), (w * s ** 2).sum()),
        "The variance within the modes is missing: add the average of sigma².": lambda w, m, s: (mean(w, m), between(w, m)),
        "That is the standard deviation: the variance was asked for.":
            lambda w, m, s: (mean(w, m), right(w, m, s)[1].sqrt()),
        "Average the variances sigma², not sigma.": lambda w, m, s: (mean(w, m), (w * s).sum() + between(w, m)),
        "Average sigma² and not sigma, then square: (Σ w·sigma)² is less.":
            lambda w, m, s: (mean(w, m), (w * s).sum() ** 2 + between(w, m)),
        "The weights are forgotten.": lambda w, m, s: (m.mean(), (s ** 2).mean() + m.var(correction=0)),
        "That is the variance of a weighted sum of independent draws; a mixture takes one draw from one part.":
            lambda w, m, s: (mean(w, m), (w ** 2 * s ** 2).sum()),
        "That is E z²: take off the square of the mean.": lambda w, m, s: (mean(w, m), (w * (s ** 2 + m ** 2)).sum()),
        "That is one mode, the heaviest: a reverse fit. Forward copies the moments of the whole mixture.":
            lambda w, m, s: (m[w.argmax()], s[w.argmax()] ** 2),
    }, "the variance within the parts and the variance between them.", otherwise="Return the mean, then the variance.")
