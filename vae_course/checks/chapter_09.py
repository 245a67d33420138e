"""Checks of the exercises of notebook 09."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p).sum(-1)


check_information_of_table = Check(
    "information_of_table(q), q (n, m) with row i = q(z|x_i) → I(x; z) in nats for n equally frequent x (notebook 09).",
    lambda q: _kl(q, q.mean(0)).mean(), [
        (torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]),), (torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]),),
        (torch.eye(3),), (torch.tensor([[0.4, 0.6], [0.4, 0.6]]),)], {
    "That is in bits: nats have the natural logarithm.": But(lambda nats: nats / math.log(2)),
    "Average over the n pictures: each has the frequency 1/n.": lambda q: _kl(q, q.mean(0)).sum(),
    "Compare each row with the mean of the rows, mean(0). That is the KL to a uniform prior (mean(1) gives it too).":
        lambda q: _kl(q, torch.full_like(q, 1 / q.shape[1])).mean(),
    "The KL is the wrong way round: it weighs the logarithm with the row, not with the mixture.":
        lambda q: _kl(q.mean(0).expand_as(q), q).mean(),
    "That is the entropy of the aggregated posterior: subtract the mean entropy of the rows.": lambda q: _entropy(q.mean(0)),
    "That is the mean entropy of the rows, what a code leaves open.": lambda q: _entropy(q).mean(),
    "The sign: information is never negative.": But(torch.neg),
    "Sum over the codes, and average over the pictures only.": lambda q: _kl(q, q.mean(0)).mean() / q.shape[1],
}, "the mean KL of the rows to their mean: log 3 for three codes that give the picture away, 0 for equal rows.",
    otherwise="Remember that 0·log 0 counts as 0.")

_g = torch.Generator().manual_seed(9)
_mu, _logvar = torch.randn(5, 3, generator=_g), torch.randn(5, 3, generator=_g) - 1


def _parts(z, mu, logvar, *, variance=torch.exp, log_variance=lambda v: v):
    """The log-density of each cloud and latent, (n, Z)."""
    return -0.5 * ((z - mu) ** 2 / variance(logvar) + log_variance(logvar) + math.log(2 * math.pi))


def _log_mean(log_q: Tensor) -> Tensor:
    return torch.logsumexp(log_q, 0) - math.log(len(log_q))


check_log_mixture = Check(
    "log_mixture(z, mu, logvar), (Z,), (n, Z), (n, Z) → log of the mean of the n densities at z, nats (notebook 09).",
    lambda *a: _log_mean(_parts(*a).sum(1)),
    [(torch.tensor([0.3, -0.5, 1.0]), _mu, _logvar), (torch.tensor([-1.0, 0.2, 0.0]), _mu[:2], _logvar[:2]),
     (torch.full((3,), 40.0), _mu, _logvar), (torch.tensor([0.7]), _mu[:4, :1], _logvar[:4, :1])], {
    "That is the mean of the logarithms: take the logarithm of the mean density.": lambda *a: _parts(*a).sum(1).mean(),
    "That is the log of the sum: subtract log n to make it a mean.": lambda *a: _parts(*a).sum(1).logsumexp(0),
    "You divided by σ: the square is divided by the variance, exp(logvar).":
        lambda *a: _log_mean(_parts(*a, variance=lambda v: torch.exp(v / 2)).sum(1)),
    "logvar is the log of the variance already: do not double it.":
        lambda *a: _log_mean(_parts(*a, log_variance=lambda v: 2 * v).sum(1)),
    "You used logvar as if it were log σ: the variance is exp(logvar).":
        lambda z, mu, v: _log_mean(_parts(z, mu, 2 * v).sum(1)),
    "The log-variance is missing: wide clouds are low.":
        lambda *a: _log_mean(_parts(*a, log_variance=torch.zeros_like).sum(1)),
    "The constant is missing: −½ log 2π for each of the Z latents.":
        lambda z, *clouds: _log_mean(_parts(z, *clouds).sum(1)) + len(z) / 2 * math.log(2 * math.pi),
    "Average the log-densities over nothing but the clouds: sum over the latents.": lambda *a: _log_mean(_parts(*a).mean(1)),
    "The log-density of one cloud is the sum over its latents: sum before you mix.": lambda *a: _log_mean(_parts(*a)).sum(),
    "The density of the mean cloud is not the mean of the densities.":
        lambda z, mu, v: _parts(z, mu.mean(0), v.exp().mean(0).log()).sum(),
}, "logsumexp over the clouds minus log n; far from all clouds it stays finite.",
    otherwise="Far from all clouds the densities underflow to 0: use torch.logsumexp, not exp and log.")


def _angle(a: Tensor, b: Tensor) -> Tensor:
    return torch.arccos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))


def _way(angle: Callable[[Tensor, Tensor], Tensor] = _angle, divide: bool = True) -> Callable:
    """Slerp with another angle, or without the division by its sine."""
    def point(a: Tensor, b: Tensor, t: float) -> Tensor:
        omega = angle(a, b)
        bottom = torch.sin(omega) if divide else torch.ones(())
        if divide and abs(bottom) < 1e-3:
            return (1 - t) * a + t * b
        return (torch.sin((1 - t) * omega) * a + torch.sin(t * omega) * b) / bottom
    return point


def _lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    return (1 - t) * a + t * b


_a, _b = torch.tensor([1.0, 0.5, -0.3]), torch.tensor([-0.4, 2.0, 0.7])

check_arc = Check(
    "arc(a, b, t), (Z,) each → slerp: the point a fraction t of the arc from a to b (notebook 09).",
    _way(), [(_a, _b, 0.3), (torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5), (_b, _a, 0.8), (_a, 2 * _a, 0.25)], {
    "That is lerp, the straight way.": _lerp,
    "The angle: divide a·b by both norms before arccos.": _way(lambda a, b: torch.arccos((a @ b).clamp(-1, 1))),
    "torch.sin takes radians: do not turn the angle into degrees.": _way(lambda a, b: torch.rad2deg(_angle(a, b))),
    "The sine of the whole angle is missing below: divide by sin Ω.": _way(divide=False),
    "The weights are swapped: t = 0 must give a.": lambda a, b, t: _way()(a, b, 1 - t),
    "That is the cosine, not the angle: take arccos.": _way(lambda a, b: torch.cos(_angle(a, b))),
    "Only the angle is taken from unit vectors: the ends keep their lengths, t = 0 must give a.":
        lambda a, b, t: _way()(a / a.norm(), b / b.norm(), t),
    "That is lerp, stretched to the length of a: the angle does not move evenly.":
        lambda a, b, t: _lerp(a, b, t) / _lerp(a, b, t).norm() * a.norm(),
    "Right for a right angle only: the weights are sin((1 − t)Ω)/sin Ω and sin(tΩ)/sin Ω.":
        lambda a, b, t: math.cos(t * math.pi / 2) * a + math.sin(t * math.pi / 2) * b,
}, "the arc, at any angle, and the straight way where there is no angle.",
    otherwise="If a and b point the same way, sin Ω = 0: use lerp there.", tolerance=1e-3)

_g = torch.Generator().manual_seed(11)
_codes = torch.randn(4, 3, generator=_g)

check_blend = Check(
    "blend(codes, weights), (n, Z), (n,) → Σ w_k z_k / √(Σ w_k²): variance 1 again (notebook 09).",
    lambda z, w: w @ z / w.square().sum().sqrt(),
    [(_codes, torch.tensor([0.5, 0.3, 0.15, 0.05])), (_codes[:2], torch.tensor([0.5, 0.5])),
     (_codes[:3], torch.tensor([0.0, 1.0, 0.0])), (torch.randn(5, 2, generator=_g), torch.full((5,), 0.2)),
     (_codes[:2], torch.tensor([1.5, -0.5]))], {  # a weight may be negative: then Σ √(w²) is not Σ w
    "That is the weighted mean: its variance is the sum of the squared weights, below 1.": lambda z, w: w @ z,
    "Divide by the standard deviation √(Σ w²), not by the variance.": lambda z, w: w @ z / w.square().sum(),
    "Take the square root outside the sum: √(Σ w²) is not Σ √(w²).": lambda z, w: w @ z / w.square().sqrt().sum(),
    "√n is right for equal weights only: divide by √(Σ w²).": lambda z, w: w @ z * len(w) ** 0.5,
    "That fixes the length of this one vector: the variance is a matter of all draws.":
        lambda z, w: torch.nn.functional.normalize(w @ z, dim=0) * z.shape[1] ** 0.5,
    "You divided by the spread of these few codes: their variance is 1 by assumption, only the weights count.":
        lambda z, w: w @ z / (w @ z).std(),
    "The weights were squared: mix with w, divide by √(Σ w²).": lambda z, w: w.square() @ z / w.square().sum().sqrt(),
}, "Σ w z / √(Σ w²); the mean of ten draws has variance 1/10.")
