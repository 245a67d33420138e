"""Checks of the exercises of notebook 01."""

import torch
from torch import Tensor

from vae_course.checks.check import But, Check


def _mixture(n_classes: int, n_pixels: int, seed: int, n_pictures: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures of zeros and ones, (D,) or (B, D), the weights (Z,) and the probabilities of white (Z, D)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (n_pixels,) if n_pictures is None else (n_pictures, n_pixels)
    x = (torch.rand(shape, generator=generator) < 0.4).float()
    weights = torch.rand(n_classes, generator=generator) + 0.2
    return x, weights / weights.sum(), 0.1 + 0.8 * torch.rand(n_classes, n_pixels, generator=generator)


def _by_class(x: Tensor, lam: Tensor) -> Tensor:
    """log p(x|z) of pictures (B, D): (B, Z) nats."""
    return x @ lam.log().T + (1 - x) @ torch.log1p(-lam).T


def _px(x, lam):
    return torch.where(x == 1, lam, 1 - lam)


def _share(joint):
    return joint / joint.sum()


check_class_posterior = Check(
    "class_posterior(x, weights, lam) → (Z,) p(z|x) of one picture under a Bernoulli mixture (notebook 01).",
    lambda x, w, lam: _share(w * _px(x, lam).prod(1)), [_mixture(3, 4, seed=1), _mixture(2, 5, seed=2)], {
    "That is the joint p(x, z): divide it by its sum over z, which is p(x).": lambda x, w, lam: w * _px(x, lam).prod(1),
    "The prior is missing: multiply by weights before you divide by the sum.": lambda x, w, lam: _share(_px(x, lam).prod(1)),
    "That is the likelihood p(x|z): multiply by weights, then divide by the sum over z.":
        lambda x, w, lam: _px(x, lam).prod(1),
    "That is the prior: the picture was not used.": lambda x, w, lam: w,
    "The black pixels are missing: a black pixel has the probability 1 − lam.":
        lambda x, w, lam: _share(w * (lam ** x).prod(1)),
    "Black and white are swapped: lam is the probability of white, x = 1.":
        lambda x, w, lam: _share(w * _px(1 - x, lam).prod(1)),
    "The pixels were added: independent given z, their probabilities multiply.":
        lambda x, w, lam: _share(w * _px(x, lam).sum(1)),
    "One number is p(x): return a probability for each class.": lambda x, w, lam: (w * _px(x, lam).prod(1)).sum(),
}, "weights times the product over the pixels, divided by the sum over the classes.",
    otherwise="Compute p(x|z) for each class as a product over the pixels, times weights, then divide by the sum.")


def _several(x, w, m, sigma, *, prior=1.0, each=None):
    precision = prior + len(x) * (w ** 2 / sigma ** 2 if each is None else each)
    return w * (x - m).sum() / sigma ** 2 / precision, torch.as_tensor(1 / precision)


def _single(x, w, m, sigma):
    total = w ** 2 + sigma ** 2
    return w * (x.mean() - m) / total, torch.as_tensor(sigma ** 2 / total)


check_posterior_of_several = Check(
    "posterior_of_several(x, w, m, sigma) → mean and variance of p(z|x_1, …, x_n), two numbers (notebook 01).",
    _several, [(torch.tensor([1.0, 2.5, 0.7]), 1.5, 0.5, 0.8), (torch.tensor([-1.2, 0.4]), -0.7, 0.3, 1.3),
               (torch.tensor([2.0]), 0.9, -0.4, 0.6)], {
    "That is the formula for one measurement, with the mean of x put in: n measurements say more than one.": _single,
    "The prior is missing: it adds 1 to the precision.": lambda *args: _several(*args, prior=0.0),
    "The second number is the precision: return the variance, one over it.": But(lambda mean, v: (mean, 1 / v)),
    "The second number is the standard deviation: return the variance.": But(lambda mean, v: (mean, v ** 0.5)),
    "The offset m is missing: it is x − m that tells about z.": lambda x, w, m, s: _several(x, w, 0.0, s),
    "sigma was taken for a variance: the noise has the variance sigma².": lambda x, w, m, s: _several(x, w, m, s ** 0.5),
    "Each measurement adds w²/σ² to the precision, not w/σ².": lambda x, w, m, s: _several(x, w, m, s, each=w / s ** 2),
    "Each measurement adds w²/σ² to the precision, not 1/σ².": lambda x, w, m, s: _several(x, w, m, s, each=1 / s ** 2),
    "The mean of x was taken where its sum belongs: the measurements add up.":
        lambda x, *rest: (_several(x, *rest)[0] / len(x), _several(x, *rest)[1]),
    "The factor w of the mean is missing: the exponent holds w·z·(x − m)/σ².":
        lambda x, w, *rest: (_several(x, w, *rest)[0] / w, _several(x, w, *rest)[1]),
}, "precision 1 + n·w²/σ², and the mean w·Σ(x − m)/σ² over it.",
    otherwise="The precision is 1 + n·w²/σ²; the mean is w·Σ(x − m)/σ² divided by it.")


def _log_weights(n_draws: int, n_points: int, seed: int, shift: float = 0.0) -> tuple[Tensor]:
    return (1.5 * torch.randn(n_draws, n_points, generator=torch.Generator().manual_seed(seed)) + shift,)


def _sample_size(log_w, axis=0):
    return 1 / (torch.softmax(log_w, axis) ** 2).sum(axis)


check_effective_sample_size = Check(
    "effective_sample_size(log_w), log-weights (K, B), → (B,) numbers between 1 and K (notebook 01).",
    _sample_size,
    [_log_weights(7, 3, 1), _log_weights(4, 5, 2), _log_weights(9, 3, 3, -1000.0), _log_weights(6, 2, 4, 800.0)], {
    "The formula wants the weights: take the exponential of log_w first.": lambda v: v.sum(0) ** 2 / (v ** 2).sum(0),
    "Upside down: the square of the sum is above, the sum of the squares below.": But(lambda size: 1 / size),
    "That is the share ESS/K: take sums, not means.": lambda v: _sample_size(v) / len(v),
    "That is K·ESS: take sums both above and below, not a mean below.": lambda v: _sample_size(v) * len(v),
    "The square is on the wrong side: square the sum above, and the weights below.":
        lambda v: v.exp().sum(0) / (v.exp() ** 2).sum(0),
    "That is K: it counts all draws, however small their weight.": lambda v: torch.full_like(v[0], len(v)),
    "You summed over the columns: the draws are the first axis, so sum over axis 0.": lambda v: _sample_size(v, 1),
    "The columns were put together: one value for each column is asked for.": lambda v: _sample_size(v.flatten()),
    "That is the sum of the weights, the largest being 1: square it, and divide by the sum of the squares.":
        lambda v: (v - v.max(0).values).exp().sum(0),
}, "the square of the sum over the sum of the squares, without overflow.",
    otherwise="Subtract the largest log-weight of each column before the exponential: the ESS does not change.")

check_mixture_log_px = Check(
    "mixture_log_px(x, weights, lam), pictures (B, D), → (B,) nats under a Bernoulli mixture (notebook 01).",
    lambda x, w, lam: torch.logsumexp(w.log() + _by_class(x, lam), 1),
    [_mixture(3, 5, 5, n_pictures=4), _mixture(4, 6, 6, n_pictures=2), _mixture(3, 784, 7, n_pictures=5)], {
    "Here is the mean of log p(x|z): the logarithm comes after the sum over the classes.":
        lambda x, w, lam: _by_class(x, lam) @ w,
    "The prior is missing: add log(weights) before the logsumexp.": lambda x, w, lam: torch.logsumexp(_by_class(x, lam), 1),
    "The weights were added, not their logarithms: log(weights·p) = log(weights) + log p.":
        lambda x, w, lam: torch.logsumexp(w + _by_class(x, lam), 1),
    "Only the best class was kept: all classes contribute to p(x).":
        lambda x, w, lam: (w.log() + _by_class(x, lam)).max(1).values,
    "The black pixels are missing: add (1 − x)·log(1 − lam).":
        lambda x, w, lam: torch.logsumexp(w.log() + x @ lam.log().T, 1),
    "You averaged over the pixels: log-probabilities of independent pixels add up.":
        lambda x, w, lam: torch.logsumexp(w.log() + _by_class(x, lam) / x.shape[1], 1),
    "That is p(x) itself: return its logarithm.": But(torch.exp),
    "The sign: this is −log p(x).": But(torch.neg),
    "The pixel probabilities were mixed first: that makes the pixels independent. Mix whole pictures.":
        lambda x, w, lam: _by_class(x, (w @ lam)[None])[:, 0],
    "You added up the batch: one value for each picture.": But(torch.sum),
    "You averaged over the batch: one value for each picture.": But(torch.mean),
}, "the logsumexp over the classes of log(weights) plus the sum over the pixels.",
    otherwise="Sum log-probabilities over the pixels, add log(weights), then torch.logsumexp over the classes: products "
              "of 784 probabilities underflow to 0.")
