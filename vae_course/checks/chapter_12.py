"""Checks of the exercises of notebook 12."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, compare
from vae_course.objectives import importance_weighted_bound


def check_iw_bound(iw_bound: Callable[[Tensor], Tensor]) -> Verdict:
    """iw_bound(log_w), (K, B) nats → L_K of each example, (B,) nats, also far below 0 (notebook 12)."""
    g = torch.Generator().manual_seed(12)
    log_w = torch.randn(5, 3, generator=g)
    return compare(
        iw_bound, importance_weighted_bound,
        [(log_w,), (2 * log_w[:2] + 1,), (log_w[:1] - 3,), (3 * torch.randn(6, 2, generator=g) - 900,)], {
            "That is the mean of the logarithms, the ELBO: take the logarithm of the mean weight.": lambda v: v.mean(0),
            "That is the log of the sum: subtract log K.": lambda v: torch.logsumexp(v, 0),
            "Subtract log K, not K.": lambda v: torch.logsumexp(v, 0) - len(v),
            "The axes: axis 0 holds the K samples, axis 1 the examples.":
                lambda v: torch.logsumexp(v, 1) - math.log(v.shape[1]),
            "exp(−900) is 0 in the computer, and its logarithm is −∞: use torch.logsumexp.": lambda v: v.exp().mean(0).log(),
            "That is the mean weight: its logarithm is missing.": lambda v: v.exp().mean(0),
            "That is the largest log weight, the bound up to log K at most.": lambda v: v.max(0).values,
            "One bound for each example: do not average over them.": lambda v: importance_weighted_bound(v).mean(),
        }, "logsumexp over the samples, minus log K.",
        otherwise="The log of the mean weight: torch.logsumexp over axis 0 does not underflow far below 0.")


def check_draws_needed(draws_needed: Callable[[float, float, float, float], float]) -> Verdict:
    """draws_needed(shift, stretch, variance, loss) → the smallest K with (M − 1)/2K ≤ loss nats, or inf (notebook 12).

    M = E(w/p(x))² of a q whose mean is off by `shift` and whose variance is `stretch` × the posterior's `variance`.
    """
    def excess(shift: float, stretch: float, variance: float, delta: float) -> float:
        return stretch * variance / math.sqrt(2 * variance * delta) * math.exp(shift ** 2 / (2 * delta)) - 1

    def answer(count: Callable = lambda m, loss: max(1, math.ceil(m / (2 * loss))),
               delta: Callable = lambda stretch, variance: (stretch - 0.5) * variance, narrow: float = math.inf) -> Callable:
        def draws(shift, stretch, variance, loss):
            if delta(stretch, variance) <= 0:
                return narrow
            return count(excess(shift, stretch, variance, delta(stretch, variance)), loss)
        return draws

    return compare(
        draws_needed, answer(),
        [(0.3, 1.5, 0.1, 0.01), (0.0, 2.0, 0.7, 0.003), (0.5, 0.8, 0.4, 0.02), (0.2, 0.4, 0.3, 0.1), (0.0, 0.5, 0.3, 0.1),
         (0.0, 1.0, 0.5, 0.1), (-0.2, 1.2, 0.25, 0.5)], {
            "One draw at least: without any there is no estimate.": answer(lambda m, loss: math.ceil(m / (2 * loss))),
            "M is infinite where q's variance is half the posterior's or less: the formula gives no K.": answer(narrow=1),
            "Round up: K is a whole number, and the loss may not be larger.": answer(lambda m, loss: round(m / (2 * loss))),
            "K is a whole number: round up.": answer(lambda m, loss: m / (2 * loss)),
            "Rounded down, the loss is a little too large: round up.": answer(lambda m, loss: math.floor(m / (2 * loss))),
            "The loss is (M − 1)/2K: the 2 is missing.": answer(lambda m, loss: max(1, math.ceil(m / loss))),
            "The loss is (M − 1)/2K, not M/2K: at M = 1 nothing is lost.":
                answer(lambda m, loss: max(1, math.ceil((m + 1) / (2 * loss)))),
            "q's variance is S/2 + δ: δ = (stretch − ½)·variance.":
                answer(delta=lambda stretch, variance: stretch * variance),
        }, "(M − 1)/2K falls like 1/K; at half the posterior's variance or less it does not hold.",
        otherwise="δ = (stretch − ½)·variance gives M; then the smallest whole K with (M − 1)/2K ≤ loss.", tolerance=1e-6)


def check_best_guess(best_guess: Callable[[float, Tensor, Tensor, float], Tensor]) -> Verdict:
    """best_guess(y, points, weights, sigma) → E[x|y] of x among the points, y = x + sigma·ε (notebook 12)."""
    points, weights = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.2, 0.5, 0.3])
    cases = [(0.3, points, weights, 0.8), (-0.7, points, weights, 1.5), (1.0, points[:2], torch.tensor([0.9, 0.1]), 0.5),
             (60.0, points, weights, 0.5)]

    def guess(exponent: Callable, prior: Callable = torch.log) -> Callable:
        return lambda y, points, weights, sigma: (
            torch.softmax(prior(weights) + exponent(y, points, sigma), 0) * points).sum()

    def right(y, points, sigma):
        return -(y - points) ** 2 / (2 * sigma ** 2)

    def most_probable(y, points, weights, sigma):
        return points[(torch.log(weights) + right(y, points, sigma)).argmax()]

    return compare(
        best_guess, guess(right), cases, {
            "That is the most probable point: the best guess in squared error is the mean.": most_probable,
            "The prior is missing: multiply the likelihood by `weights`.": guess(right, torch.zeros_like),
            "Square sigma: the exponent is −(y − x)²/(2σ²).": guess(lambda y, p, sigma: -(y - p) ** 2 / (2 * sigma)),
            "The ½ in the exponent is missing: −(y − x)²/(2σ²).": guess(lambda y, p, sigma: -(y - p) ** 2 / sigma ** 2),
            "The sign of the exponent: near points are more probable.": guess(lambda y, p, sigma: -right(y, p, sigma)),
            "The exponent needs the square of y − x.": guess(lambda y, p, sigma: -(y - p).abs() / (2 * sigma ** 2)),
            "Divide by p(y): the posterior's probabilities must add up to 1.":
                lambda y, p, weights, sigma: (weights * right(y, p, sigma).exp() * p).sum(),
            "That is the prior mean: it does not look at y.": lambda y, p, weights, sigma: (weights * p).sum(),
            "`weights` are probabilities: add their logarithm.": guess(right, lambda weights: weights),
        }, "the posterior mean: the nearest point without noise, the prior mean with much of it.",
        otherwise="Weigh the points by weights·N(y; point, σ²), as shares: torch.softmax does not underflow.")


def check_auroc(auroc: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """auroc(normal, odd), (n,) and (m,) scores → share of pairs with odd < normal, ties counted half (notebook 12)."""
    g = torch.Generator().manual_seed(14)
    normal, odd = torch.randn(5, generator=g), torch.randn(7, generator=g) - 0.7
    ties = torch.tensor([1.0, 2.0, 3.0, 3.0]), torch.tensor([0.0, 1.0, 3.0])

    def pairs(normal: Tensor, odd: Tensor, tie: float = 0.5) -> Tensor:
        lower, equal = odd[:, None] < normal, odd[:, None] == normal
        return (lower.double() + tie * equal.double()).mean()

    return compare(
        auroc, pairs, [(normal, odd), ties, (odd, normal + 1), (torch.ones(3), torch.ones(2))], {
            "The other way round: count the pairs in which the odd picture scores lower.": lambda n, o: 1 - pairs(n, o),
            "A tie counts half.": lambda n, o: pairs(n, o, 0.0),
            "A tie counts half, not whole.": lambda n, o: pairs(n, o, 1.0),
            "That is a number of pairs: divide by n·m.": lambda n, o: pairs(n, o) * len(n) * len(o),
            "That is one threshold, the mean of the normal scores: compare all pairs.":
                lambda n, o: (o < n.mean()).double().mean(),
            "That is one threshold, the lowest normal score: compare all pairs.":
                lambda n, o: (o < n.min()).double().mean(),
        }, "the share of pairs, a tie half; only the order of the scores counts.")
