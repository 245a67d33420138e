"""Checks of the exercises of notebook 11."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check

_g = torch.Generator().manual_seed(11)


def _minus(kl: Callable = lambda d, v: 0.5 * (d ** 2 + v.exp() - 1 - v)) -> Callable:
    """recon minus another KL to the prior, made of the distance of the means and the log-variance."""
    return lambda r, mu, v, m: r - kl(mu - m, v).sum(1)


check_conditional_elbo = Check(
    "conditional_elbo(recon, mu, logvar, prior_mean), (B,), (B, Z) thrice → recon − KL to N(m, I), nats (notebook 11).",
    _minus(), [(-100 + torch.randn(b, generator=_g), *(torch.randn(b, z, generator=_g) for _ in range(3)))
                  for b, z in ((4, 3), (2, 5))], {
    "That is the KL to N(0, I): the mean of this prior is m_y, so compare mu with it.":
        lambda r, mu, v, m: _minus()(r, mu, v, 0 * m),
    "The sign of the KL: the ELBO is recon minus it.": lambda r, *rest: 2 * r - _minus()(r, *rest),
    "That is minus the ELBO, a loss.": But(torch.neg),
    "The distance of the means must be squared: (mu − m)².": _minus(lambda d, v: (d + v.exp() - 1 - v) / 2),
    "The distance of the means must be squared: (mu − m)², not |mu − m|.":
        _minus(lambda d, v: (d.abs() + v.exp() - 1 - v) / 2),
    "mu² − m² is not (mu − m)².": lambda r, mu, v, m: _minus()(r, mu, v, 0 * m) + 0.5 * (m ** 2).sum(1),
    "mu² + m² is not (mu − m)².": lambda r, mu, v, m: _minus()(r, mu, v, 0 * m) - 0.5 * (m ** 2).sum(1),
    "The distance has the other sign in it: (mu − m)², not (mu + m)².": lambda r, mu, v, m: _minus()(r, mu, v, -m),
    "The factor ½ of the KL is missing.": _minus(lambda d, v: d ** 2 + v.exp() - 1 - v),
    "Sum over the latents, do not average over them.": lambda r, mu, *rest: r + _minus()(0 * r, mu, *rest) / mu.shape[1],
    "One number for each picture: do not average over the batch.": But(torch.mean),
    "You used logvar as if it were log σ: the variance is exp(logvar).": lambda r, mu, v, m: _minus()(r, mu, 2 * v, m),
    "exp(logvar / 2) is σ; the KL has the variance, exp(logvar).": _minus(lambda d, v: (d ** 2 + (v / 2).exp() - 1 - v) / 2),
    "The −1 for each latent is missing: a cloud on its prior pays nothing.": _minus(lambda d, v: (d ** 2 + v.exp() - v) / 2),
}, "recon minus the KL to the prior of the class; a cloud that sits on its prior pays nothing.")


def _sums(mu: Tensor, labels: Tensor, c: int) -> Tensor:
    return torch.zeros(c, mu.shape[1]).index_add(0, labels, mu)


def _by_class(statistic: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor, int], Tensor]:
    return lambda mu, labels, c: torch.stack([statistic(mu[labels == y]) for y in range(c)])


_g = torch.Generator().manual_seed(12)

check_best_means = Check(
    "best_means(mu, labels, num_classes), (n, Z), (n,) → (C, Z), the class means of mu (notebook 11).",
    lambda mu, y, c: _sums(mu, y, c) / torch.bincount(y, minlength=c)[:, None],
    [(torch.randn(len(labels), c, generator=_g), torch.tensor(labels), c) for c, labels in (
        (3, [2, 0, 1, 2, 2, 0, 2]), (2, [1, 0, 0, 1, 0, 1, 1, 1]), (4, [3, 1, 0, 2, 1, 3]))], {
    "That is the sum over each class: divide by the number of its pictures.": _sums,
    "Divide by the number of pictures of the class, not by that of all.": lambda mu, y, c: _sums(mu, y, c) / len(y),
    "That is the same mean for every class: select the rows of each class first.": lambda mu, y, c: mu.mean(0).expand(c, -1),
    "That is the median; the sum of *squared* distances is smallest at the mean.": _by_class(lambda rows: rows.median(0)[0]),
    "That is the middle between the extremes; the squared distances are smallest at the mean.":
        _by_class(lambda rows: (rows.amin(0) + rows.amax(0)) / 2),
    "Average over the pictures of the class, not over the latents too.":
        _by_class(lambda rows: rows.mean().expand(rows.shape[1])),
    "That is one picture of each class: take the mean of all.": _by_class(lambda rows: rows[-1]),
    "That is one picture of each class: take the mean of all of them.": _by_class(lambda rows: rows[0]),
    "One row for each class, not one for each picture: you returned the mean of each picture's class.":
        lambda mu, y, c: _by_class(lambda rows: rows.mean(0))(mu, y, c)[y],
}, "the mean of each class; every other point costs (m − M)² more for each of its pictures.")


def _bayes(log_px: Tensor, log_prior: Tensor) -> Tensor:
    return torch.log_softmax(log_px + log_prior, 1)


_g = torch.Generator().manual_seed(13)

check_log_class_posterior = Check(
    "log_class_posterior(log_px_given_y, log_prior_y), (N, C), (C,) → log q(y|x), (N, C) nats (notebook 11).",
    _bayes, [(-100 + 2 * torch.randn(4, 3, generator=_g), torch.tensor([0.7, 0.2, 0.1]).log()),
             (-100 + torch.randn(3, 3, generator=_g), torch.tensor([0.5, 0.1, 0.4]).log()),
             (-900 + 3 * torch.randn(5, 2, generator=_g), torch.tensor([0.25, 0.75]).log())], {
    "The prior p(y) is missing: Bayes' rule has p(x|y)·p(y) above.": lambda log_px, log_py: torch.log_softmax(log_px, 1),
    "That is log p(x|y)p(y), not normalised: subtract the logarithm of its sum over y.":
        lambda log_px, log_py: log_px + log_py,
    "Neither prior nor normalisation: this is log p(x|y) itself.": lambda log_px, log_py: log_px,
    "These are probabilities: their logarithms were asked for.": But(torch.exp),
    "Normalise over the classes, axis 1: each picture's probabilities add up to 1.":
        lambda log_px, log_py: torch.log_softmax(log_px + log_py, 0),
    "Add the prior before you normalise, not after: these rows do not add up to 1.":
        lambda log_px, log_py: torch.log_softmax(log_px, 1) + log_py,
    "The logarithm of a product is a sum: add log p(y), do not multiply by it.":
        lambda log_px, log_py: torch.log_softmax(log_px * log_py, 1),
    "log p(y) is a logarithm already: you added p(y).": lambda log_px, log_py: _bayes(log_px, log_py.exp()),
    "The prior multiplies, so its logarithm is added, not subtracted.": lambda log_px, log_py: _bayes(log_px, -log_py),
    "You divided by the largest term, not by the sum over y.":
        lambda log_px, log_py: (log_px + log_py) - (log_px + log_py).amax(1, keepdim=True),
    "You divided by the mean over y, not by the sum.":
        lambda log_px, log_py: _bayes(log_px, log_py) + math.log(log_px.shape[1]),
    "That is the predicted class: all log-probabilities were asked for.": lambda *a: _bayes(*a).argmax(1),
}, "the classes' log-odds are differences of log p(x|y) + log p(y), and each row adds up to 1.",
    otherwise="exp(−900) is 0 in single precision: stay in logarithms, with torch.logsumexp or torch.log_softmax.")


def _information(p: Tensor, first: int = 0, second: int = 1) -> Tensor:
    """Conditional mutual information of two axes, given the rest."""
    rest, without_second = p.sum((first, second), keepdim=True), p.sum(second, keepdim=True)
    return (p * torch.log(p * rest / (without_second * p.sum(first, keepdim=True)))).sum()


def _each_slice(p: Tensor) -> Tensor:
    return torch.stack([_information(part[..., None] / part.sum()) for part in p.unbind(2)])


_g = torch.Generator().manual_seed(14)
_by_means = torch.einsum("y,yz,xz->xyz", torch.tensor([0.3, 0.7]), torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]),
                         torch.softmax(torch.randn(4, 3, generator=_g), 0))  # p(y) p(z|y) p(x|z), as in construction (b)

check_information_given_z = Check(
    "information_given_z(p), a joint table p(x, y, z) (X, Y, Z) without zeros → I(x; y|z) in nats (notebook 11).",
    _information, [(torch.softmax(1.5 * torch.randn(24, generator=_g), 0).view(shape),) for shape in ((2, 3, 4), (4, 2, 3))]
    + [(_by_means,)], {
    "That is in bits: nats have the natural logarithm.": But(lambda nats: nats / math.log(2)),
    "That is I(x; y), with z summed away: first compare x and y at each z.": lambda p: _information(p.sum(2)[..., None]),
    "Weigh the values of z with p(z), do not just average over them.": lambda p: _each_slice(p).mean(),
    "That is the sum over z without its weights p(z).": lambda p: _each_slice(p).sum(),
    "One number: the mean over z of these, with the weights p(z).": _each_slice,
    "That is I(x; z|y): the roles of y and z are swapped.": lambda p: _information(p, 0, 2),
    "That is I(y; z|x): the condition is z, the last axis.": lambda p: _information(p, 1, 2),
    "The sign: information is never negative.": But(torch.neg),
    "p(z) is missing above: given z, the product of the marginals is p(x, z)·p(y, z)/p(z).":
        lambda p: (p * torch.log(p / (p.sum(1, keepdim=True) * p.sum(0, keepdim=True)))).sum(),
    "That compares with p(x)p(y)p(z): given z, the marginals are p(x|z) and p(y|z).":
        lambda p: (p * torch.log(p / (p.sum((1, 2))[:, None, None] * p.sum((0, 2))[:, None] * p.sum((0, 1))))).sum(),
}, "it is 0 for the table with p(y) p(z|y) p(x|z), the class-mean construction, and only for such tables.")
