"""Checks of the exercises of notebook 12."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check
from vae_course.objectives import importance_weighted_bound

_g = torch.Generator().manual_seed(12)
_log_w = torch.randn(5, 3, generator=_g)

check_iw_bound = Check(
    "iw_bound(log_w), (K, B) nats → L_K of each example, (B,) nats, also far below 0 (notebook 12).",
    importance_weighted_bound,
    [(_log_w,), (2 * _log_w[:2] + 1,), (_log_w[:1] - 3,), (3 * torch.randn(6, 2, generator=_g) - 900,)], {
    "That is the mean of the logarithms, the ELBO: take the logarithm of the mean weight.": lambda v: v.mean(0),
    "That is the log of the sum: subtract log K.": lambda v: torch.logsumexp(v, 0),
    "Subtract log K, not K.": lambda v: torch.logsumexp(v, 0) - len(v),
    "The axes: axis 0 holds the K samples, axis 1 the examples.": lambda v: importance_weighted_bound(v.T),
    "exp(−900) is 0 in the computer, and its logarithm is −∞: use torch.logsumexp.": lambda v: v.exp().mean(0).log(),
    "That is the mean weight: its logarithm is missing.": lambda v: v.exp().mean(0),
    "That is the largest log weight, the bound up to log K at most.": lambda v: v.max(0).values,
    "One bound for each example: do not average over them.": But(torch.mean),
}, "logsumexp over the samples, minus log K.",
    otherwise="The log of the mean weight: torch.logsumexp over axis 0 does not underflow far below 0.")


def _draws(count: Callable = lambda m, loss: max(1, math.ceil((m - 1) / (2 * loss))), narrow: float = math.inf,
           offset: float = -0.5) -> Callable:
    """The draws by another rule for M and the loss, for a narrow q, or with another δ = (stretch + offset)·variance."""
    def draws(shift, stretch, variance, loss):
        delta = (stretch + offset) * variance
        if delta <= 0:
            return narrow
        m = stretch * variance / math.sqrt(2 * variance * delta) * math.exp(shift ** 2 / (2 * delta))
        return count(m, loss)
    return draws


check_draws_needed = Check(
    "draws_needed(shift, stretch, variance, loss) → the smallest K with (M − 1)/2K ≤ loss nats, or inf (notebook 12).\n\n"
    "M = E(w/p(x))² of a q whose mean is off by `shift` and whose variance is `stretch` × the posterior's `variance`.",
    _draws(),
    [(0.3, 1.5, 0.1, 0.01), (0.0, 2.0, 0.7, 0.003), (0.5, 0.8, 0.4, 0.02), (0.2, 0.4, 0.3, 0.1), (0.0, 0.5, 0.3, 0.1),
     (0.0, 1.0, 0.5, 0.1), (-0.2, 1.2, 0.25, 0.5)], {
    "One draw at least: without any there is no estimate.": _draws(lambda m, loss: math.ceil((m - 1) / (2 * loss))),
    "M is infinite where q's variance is half the posterior's or less: the formula gives no K.": _draws(narrow=1),
    "Round up: K is a whole number, and the loss may not be larger.": _draws(lambda m, loss: round((m - 1) / (2 * loss))),
    "K is a whole number: round up.": _draws(lambda m, loss: (m - 1) / (2 * loss)),
    "Rounded down, the loss is a little too large: round up.": _draws(lambda m, loss: math.floor((m - 1) / (2 * loss))),
    "The loss is (M − 1)/2K: the 2 is missing.": _draws(lambda m, loss: max(1, math.ceil((m - 1) / loss))),
    "The loss is (M − 1)/2K, not M/2K: at M = 1 nothing is lost.": _draws(lambda m, loss: max(1, math.ceil(m / (2 * loss)))),
    "q's variance is S/2 + δ: δ = (stretch − ½)·variance.": _draws(offset=0.0),
}, "(M − 1)/2K falls like 1/K; at half the posterior's variance or less it does not hold.",
    otherwise="δ = (stretch − ½)·variance gives M; then the smallest whole K with (M − 1)/2K ≤ loss.", tolerance=1e-6)


def _near(y: float, points: Tensor, sigma: float) -> Tensor:
    return -(y - points) ** 2 / (2 * sigma ** 2)


def _guess(exponent: Callable = _near, prior: Callable = torch.log) -> Callable:
    """The mean of the points under a posterior of another prior or another likelihood."""
    return lambda y, points, w, s: (
        torch.softmax(prior(w) + exponent(y, points, s), 0) * points).sum()


_points, _weights = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.2, 0.5, 0.3])

check_best_guess = Check(
    "best_guess(y, points, weights, sigma) → E[x|y] of x among the points, y = x + sigma·ε (notebook 12).",
    _guess(), [(0.3, _points, _weights, 0.8), (-0.7, _points, _weights, 1.5),
               (1.0, _points[:2], torch.tensor([0.9, 0.1]), 0.5), (60.0, _points, _weights, 0.5)], {
    "That is the most probable point: the best guess in squared error is the mean.":
        lambda y, p, w, s: p[(torch.log(w) + _near(y, p, s)).argmax()],
    "The prior is missing: multiply the likelihood by `weights`.": _guess(prior=torch.zeros_like),
    "Square sigma: the exponent is −(y − x)²/(2σ²).": _guess(lambda y, p, s: -(y - p) ** 2 / (2 * s)),
    "The ½ in the exponent is missing: −(y − x)²/(2σ²).": _guess(lambda y, p, s: 2 * _near(y, p, s)),
    "The sign of the exponent: near points are more probable.": _guess(lambda y, p, s: -_near(y, p, s)),
    "The exponent needs the square of y − x.": _guess(lambda y, p, s: -(y - p).abs() / (2 * s ** 2)),
    "Divide by p(y): the posterior's probabilities must add up to 1.":
        lambda y, p, w, s: (w * _near(y, p, s).exp() * p).sum(),
    "That is the prior mean: it does not look at y.": lambda y, p, w, s: (w * p).sum(),
    "`weights` are probabilities: add their logarithm.": _guess(prior=lambda w: w),
}, "the posterior mean: the nearest point without noise, the prior mean with much of it.",
    otherwise="Weigh the points by weights·N(y; point, σ²), as shares: torch.softmax does not underflow.")


def _pairs(normal: Tensor, odd: Tensor, tie: float = 0.5) -> Tensor:
    lower, equal = odd[:, None] < normal, odd[:, None] == normal
    return (lower.double() + tie * equal.double()).mean()


_g = torch.Generator().manual_seed(14)
_normal, _odd = torch.randn(5, generator=_g), torch.randn(7, generator=_g) - 0.7

check_auroc = Check(
    "auroc(normal, odd), (n,) and (m,) scores → share of pairs with odd < normal, ties counted half (notebook 12).",
    _pairs, [(_normal, _odd), (torch.tensor([1.0, 2.0, 3.0, 3.0]), torch.tensor([0.0, 1.0, 3.0])), (_odd, _normal + 1),
             (torch.ones(3), torch.ones(2))], {
    "The other way round: count the pairs in which the odd picture scores lower.": But(lambda share: 1 - share),
    "A tie counts half.": lambda n, o: _pairs(n, o, 0.0),
    "A tie counts half, not whole.": lambda n, o: _pairs(n, o, 1.0),
    "That is a number of pairs: divide by n·m.": lambda n, o: _pairs(n, o) * len(n) * len(o),
    "That is one threshold, the mean of the normal scores: compare all pairs.": lambda n, o: (o < n.mean()).double().mean(),
    "That is one threshold, the lowest normal score: compare all pairs.": lambda n, o: (o < n.min()).double().mean(),
}, "the share of pairs, a tie half; only the order of the scores counts.")
