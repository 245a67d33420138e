"""Checks of the exercises of notebook 01."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.distributions import Normal

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import NO_NUMBER, as_number, parts_of, to_tensor
from vae_course.derivations.tasks import Task, positive


def _mixture(n_classes: int, n_pixels: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """A picture (D,) of zeros and ones, the prior (K,) and the probabilities of white (K, D)."""
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(n_pixels, generator=generator) < 0.4).float()
    prior = torch.rand(n_classes, generator=generator) + 0.2
    return x, prior / prior.sum(), 0.1 + 0.8 * torch.rand(n_classes, n_pixels, generator=generator)


def _px(x, lam):
    return torch.where(x == 1, lam, 1 - lam)


def _share(joint):
    return joint / joint.sum()


check_class_posterior = Check(
    "class_posterior(x, prior, lam) → (K,) p(z|x) of one picture under a Bernoulli mixture (notebook 01).",
    lambda x, w, lam: _share(w * _px(x, lam).prod(1)), [_mixture(3, 4, seed=1), _mixture(2, 5, seed=2)], {
    "That is the joint p(x, z): divide it by its sum over z, which is p(x).": lambda x, w, lam: w * _px(x, lam).prod(1),
    "The prior is missing: multiply by it before you divide by the sum.": lambda x, w, lam: _share(_px(x, lam).prod(1)),
    "That is the likelihood p(x|z): multiply by the prior, then divide by the sum over z.":
        lambda x, w, lam: _px(x, lam).prod(1),
    "That is the prior: the picture was not used.": lambda x, w, lam: w,
    "The black pixels are missing: a black pixel has the probability 1 − lam.":
        lambda x, w, lam: _share(w * (lam ** x).prod(1)),
    "Black and white are swapped: lam is the probability of white, x = 1.":
        lambda x, w, lam: _share(w * _px(1 - x, lam).prod(1)),
    "The pixels were added: independent given z, their probabilities multiply.":
        lambda x, w, lam: _share(w * _px(x, lam).sum(1)),
    "One number is p(x): return a probability for each class.": lambda x, w, lam: (w * _px(x, lam).prod(1)).sum(),
}, "the prior times the product over the pixels, divided by the sum over the classes.",
    otherwise="Compute p(x|z) for each class as a product over the pixels, times the prior, then divide by the sum.")


_FIRST, _SECOND = "rho_1*lambda_1*lambda_2", "rho_2*kappa_1*kappa_2"     # the joint of a white picture with either class
_ODDS = "log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)"
check_log_odds = ProveIt(
    "log_odds(d) → the derivation d with at least two steps to what the prior and the two pixels say (notebook 01).",
    Task([(f"log({_FIRST}/({_FIRST} + {_SECOND})) - log({_SECOND}/({_FIRST} + {_SECOND}))", ""),
          (f"log({_FIRST}/({_SECOND}))", "a difference of logarithms; the evidence p(x) cancels"),
          (_ODDS, "the logarithm of a product is the sum of the logarithms")],
         positive("rho_1 rho_2 lambda_1 lambda_2 kappa_1 kappa_2"), mistakes={
        "The prior is missing: rho_1 and rho_2 are in the joint.": "log(lambda_1/kappa_1) + log(lambda_2/kappa_2)",
        "Upside down: the first class stands above.": "log(rho_2/rho_1) + log(kappa_1/lambda_1) + log(kappa_2/lambda_2)",
        "The logarithm of a product is the sum of the logarithms, not their product.":
            "log(rho_1/rho_2)*log(lambda_1/kappa_1)*log(lambda_2/kappa_2)",
        "The logarithm of a quotient is a difference of logarithms, not the logarithm of a difference.":
            f"log({_FIRST} - {_SECOND})",
        "The prior counts once for a picture, not once for each pixel.":
            "log(rho_1*lambda_1/(rho_2*kappa_1)) + log(rho_1*lambda_2/(rho_2*kappa_2))",
        "The evidence p(x) does not add anything: it is the same for both classes, and cancels.":
            f"{_ODDS} - log({_FIRST} + {_SECOND})",
    }), 2, "{n} steps, each proved: to compare two codes, p(x) is not needed.")


def _several(x, w, b, s, *, prior=1.0, each=None):
    precision = prior + len(x) * (w ** 2 / s ** 2 if each is None else each)
    return w * (x - b).sum() / s ** 2 / precision, torch.as_tensor(1 / precision)


def _single(x, w, b, s):
    total = w ** 2 + s ** 2
    return w * (x.mean() - b) / total, torch.as_tensor(s ** 2 / total)


check_posterior_of_several = Check(
    "posterior_of_several(x, w, b, s) → mean and variance of p(z|x_1, …, x_D), two numbers (notebook 01).",
    _several, [(torch.tensor([1.0, 2.5, 0.7]), 1.5, 0.5, 0.8), (torch.tensor([-1.2, 0.4]), -0.7, 0.3, 1.3),
               (torch.tensor([2.0]), 0.9, -0.4, 0.6)], {
    "That is the formula for one measurement, with the mean of x put in: several measurements say more than one.": _single,
    "The prior is missing: it adds 1 to the precision.": lambda *args: _several(*args, prior=0.0),
    "The second number is the precision: return the variance, one over it.": But(lambda mean, v: (mean, 1 / v)),
    "The second number is the standard deviation: return the variance.": But(lambda mean, v: (mean, v ** 0.5)),
    "The offset b is missing: it is x − b that tells about z.": lambda x, w, b, s: _several(x, w, 0.0, s),
    "s was taken for a variance: the noise has the variance s².": lambda x, w, b, s: _several(x, w, b, s ** 0.5),
    "Each measurement adds w²/s² to the precision, not w/s².": lambda x, w, b, s: _several(x, w, b, s, each=w / s ** 2),
    "Each measurement adds w²/s² to the precision, not 1/s².": lambda x, w, b, s: _several(x, w, b, s, each=1 / s ** 2),
    "The mean of x was taken where its sum belongs: the measurements add up.":
        lambda x, *rest: (_several(x, *rest)[0] / len(x), _several(x, *rest)[1]),
    "The factor w of the mean is missing: the exponent holds w·z·(x − b)/s².":
        lambda x, w, *rest: (_several(x, w, *rest)[0] / w, _several(x, w, *rest)[1]),
}, "precision 1 + D·w²/s², and the mean w·Σ(x − b)/s² over it.",
    otherwise="The precision is 1 + D·w²/s²; the mean is w·Σ(x − b)/s² divided by it.")


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


# ---------------------------------------------------------------- sharper pictures

_RUNS = [(0.5, 500, (1, 4, 8)), (1.0, 500, (3, 6))]    # s, K and the dimensions D, which add up to five means


def _mean_errors(s: float, n_draws: int, dims: Sequence[int], n_points: int = 1000, made_with: float | None = None,
                 noise: float | None = None, average: Callable = torch.logsumexp, less_k: bool = True,
                 less_truth: bool = True, seed: int | None = None) -> Tensor:
    """The mean over x of the estimate minus log p(x), one for each D; or of something that is wrong."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)

    def normal(n: int, n_dims: int) -> Tensor:
        return torch.randn(n, n_dims, generator=generator, dtype=torch.float64)

    errors = []
    for n_dims in dims:
        z = normal(n_draws, n_dims)
        x = normal(n_points, n_dims) + (s if made_with is None else made_with) * normal(n_points, n_dims)
        spread = s if noise is None else noise
        log_w = -torch.cdist(z, x) ** 2 / (2 * spread**2) - n_dims * math.log(spread * math.sqrt(2 * math.pi))
        estimate = average(log_w, 0) - less_k * math.log(n_draws)
        truth = Normal(0.0, math.sqrt(1 + s**2)).log_prob(x).sum(1)
        errors.append((estimate - less_truth * truth).mean())
    return torch.stack(errors)


@cache
def _usual(answer: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of what such an answer returns, in all runs one after the other, (5,) each."""
    runs = torch.stack([torch.cat([answer(*run, seed=seed) for run in _RUNS]) for seed in range(12)])
    return runs.mean(0), runs.std(0)


def _near(errors: Tensor, answer: Callable[..., Tensor] = _mean_errors) -> bool:
    """Whether these may be the mean errors of such an answer."""
    mean, spread = _usual(answer)
    return errors.shape == mean.shape and bool(((errors - mean).abs() < 6 * spread + 0.01).all())


def _looked_at(answer: Callable) -> SimpleNamespace:
    """What is predicted, and the mean errors in all runs one after the other."""
    returned = [answer(s, n_draws, list(dims)) for s, n_draws, dims in _RUNS]
    parts = [parts_of(value, 2) or (None, None) for value in returned]
    predicted = as_number(parts[0][0])
    try:
        errors = [to_tensor(errors).double() for _, errors in parts]
    except NO_NUMBER:
        errors = [torch.zeros(0)] * len(_RUNS)
    fits = all(mean.shape == (len(dims),) for mean, (_, _, dims) in zip(errors, _RUNS))
    together = torch.cat(errors) if fits else torch.zeros(0)
    return SimpleNamespace(two=all(parts_of(value, 2) for value in returned), predicted=predicted, errors=together,
                           shape=tuple(errors[0].shape), last=together[2].item() if fits else math.nan)


def _sampled(errors: Callable[..., Tensor] = _mean_errors, predicted: float | None = 4.0,
             change: Callable[[Tensor], Tensor] = lambda errors: errors) -> Callable:
    """The answer with these mean errors; a right one, or one with something wrong."""
    def sharper_pictures(s: float, n_draws: int, dims: Sequence[int]):
        return predicted, change(errors(s, n_draws, dims))
    return sharper_pictures


_estimates = partial(_mean_errors, less_truth=False)
_sums = partial(_mean_errors, less_k=False)
_means_of_logs = partial(_mean_errors, average=torch.mean, less_k=False)
_best_draws = partial(_mean_errors, average=lambda log_w, axis: log_w.amax(axis), less_k=False)
check_sharper_pictures = Inspection(
    "sharper_pictures(s, n_draws, dims) → the dimension that you predict, and the mean over at least 1,000 points x\n"
    "of the estimate minus log p(x), in nats, one for each number of dimensions in dims (notebook 01).",
    _looked_at, _sampled(), {
    "Return two things: the number of dimensions that you predict, and the mean errors.":
        (lambda seen: not seen.two, lambda *arguments: _sampled()(*arguments)[1]),
    "Predict first: write down a number of dimensions before you sample.":
        (lambda seen: not 0 < seen.predicted < math.inf, _sampled(predicted=None), _sampled(predicted=0.0)),
    "The mean errors for three numbers of dimensions have the shape {seen.shape}: one number for each is asked for, (3,).":
        (lambda seen: not len(seen.errors), _sampled(change=lambda errors: errors.mean()),
         _sampled(change=lambda errors: errors[:, None])),
    "The sign: the error is the estimate minus the exact log p(x), and most estimates are too low.":
        (lambda seen: _near(-seen.errors), _sampled(change=torch.neg)),
    "That is the estimate itself: subtract the exact log p(x), the sum over D dimensions of log N(x; 0, 1 + s²).":
        (lambda seen: _near(seen.errors, _estimates), _sampled(_estimates)),
    "That is the mean of log p(x|z): the logarithm comes after the mean over the draws.":
        (lambda seen: _near(seen.errors, _means_of_logs), _sampled(_means_of_logs)),
    "The draws were added up: the estimate is their mean, so subtract log K.":
        (lambda seen: _near(seen.errors, _sums), _sampled(_sums)),
    "That is the best draw alone: the estimate is the mean over all K.":
        (lambda seen: _near(seen.errors, _best_draws), _sampled(_best_draws)),
    "The mean error for s = 0.5, 500 draws and D = 8 should be near −1.3, and is {seen.last:.2f}. Draw x from the model, "
    "with the same s: z first, then x = z + s·ε.":
        (lambda seen: not _near(seen.errors), _sampled(partial(_mean_errors, noise=1.0)),
         _sampled(partial(_mean_errors, made_with=1.0)), _sampled(partial(_mean_errors, n_points=1, seed=3))),
}, "for s = 0.5 and 500 draws the estimate loses {seen.last:.1f} nats in 8 dimensions. Now call it with s = 0.1: was "
   "D = {seen.predicted:g} near?")
