"""Checks of the exercises of notebook 04."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import NO_NUMBER, as_number, close, parts_of, to_tensor
from vae_course.derivations.tasks import Task, positive_functions, real


def _half_log(variance: float) -> float:
    return -0.5 * math.log(2 * math.pi * variance)


check_highest_log_px = Check(
    "highest_log_px(w, s) → the largest log p(x) over x in the linear-Gaussian model (notebook 04).",
    lambda w, s: _half_log(w**2 + s**2), [(0.2, 0.3), (1.5, 0.05), (0.1, 0.02)], {
    "That is the peak of p(x|z); z varies too, so the variance of x is w² + s².": lambda w, s: _half_log(s**2),
    "Standard deviations do not add, variances do: w² + s², not (w + s)².": lambda w, s: _half_log((w + s)**2),
    "That takes a standard deviation for the variance: the variance is w² + s².":
        lambda w, s: _half_log(math.sqrt(w**2 + s**2)),
    "The sign: the logarithm of 1/√(2π·variance) is −½ log(2π·variance).": But(lambda peak: -peak),
    "That is the density; return its logarithm.": But(math.exp),
    "The ½ is missing: the density has the square root of 2π·variance below.": But(lambda peak: 2 * peak),
}, "it exceeds 0 if w² + s² < 1/(2π), so for w = 0.2 only if s is below about 0.345.",
    otherwise="p(x) = N(b, w² + s²) is largest at x = b; insert that.")


def _elbo(joint: Tensor, q: Tensor) -> Tensor:
    drawn = q > 0
    return (q[drawn] * (joint[drawn] / q[drawn]).log()).sum()


check_discrete_elbo = Check(
    "discrete_elbo(joint, q) → Σ q_i log(p(x, z_i)/q_i) for two tables (n,), in nats (notebook 04).",
    _elbo, [(torch.tensor([0.10, 0.02, 0.06]), torch.tensor([0.5, 0.2, 0.3])),
            (torch.tensor([0.05, 0.20, 0.01, 0.30]), torch.tensor([0.1, 0.6, 0.1, 0.2])),
            (torch.tensor([0.05, 0.20, 0.01, 0.30]), torch.tensor([0.0, 0.7, 0.0, 0.3]))], {
    "That is log p(x), the logarithm of the mean weight: the ELBO is the mean of the logarithms.":
        lambda p, q: p.sum().log(),
    "−log q is missing: that is E_q log p(x, z) without the entropy of q.": lambda p, q: torch.special.xlogy(q, p).sum(),
    "The sign: that is −ELBO, E_q log(q/p(x, z)).": But(torch.neg),
    "Average under q, not with equal weights: multiply each logarithm by q_i and add.": lambda p, q: (p / q).log().mean(),
    "Multiply each logarithm by q_i: z is drawn from q.": lambda p, q: (p / q).log().sum(),
    "The weights under the mean are q_i, not p(x, z_i).": lambda p, q: (p * (p / q).log()).sum(),
    "The sum already is the mean under q: do not divide by n.": lambda p, q: _elbo(p, q) / len(q),
    "That is minus the gap: you normalized the joint. The ELBO keeps p(x, z) as it is.": lambda p, q: _elbo(p / p.sum(), q),
}, "Σ q log(p(x, z)/q), with 0 where q is 0.",
    otherwise="Each code adds q_i·log(p(x, z_i)/q_i), and one that is never drawn (q_i = 0) adds 0, not NaN.")


def _posterior(w: float, s: float, tau: float, x: float) -> tuple[float, float]:
    variance = 1 / (w**2 / s**2 + 1 / tau**2)
    return variance * w * x / s**2, variance


check_best_q = Check(
    "best_q(w, s, tau, x) → mean and variance that maximize the ELBO under the prior N(0, tau²) (notebook 04).",
    _posterior, [(1.5, 0.5, 2.0, 1.0), (0.8, 1.3, 0.6, -2.0)], {
    "That is the answer for the prior N(0, 1): τ is not used.": lambda w, s, tau, x: _posterior(w, s, 1.0, x),
    "The prior's variance is τ², not τ.": lambda w, s, tau, x: _posterior(w, s, math.sqrt(tau), x),
    "The second value must be the variance; that is the standard deviation.": But(lambda mu, v: (mu, math.sqrt(v))),
    "The second value must be the variance; that is 1/variance.": But(lambda mu, v: (mu, 1 / v)),
    "That maximizes recon alone, so the mean is x/w: the KL pulls it towards 0.":
        lambda w, s, tau, x: (x / w, _posterior(w, s, tau, x)[1]),
    "The decoder's noise has the variance s², not s.": lambda w, s, tau, x: _posterior(w, math.sqrt(s), tau, x),
}, "1/σ² = w²/s² + 1/τ² and μ = σ²·w·x/s², the exact posterior.",
    otherwise="1/σ² = w²/s² + 1/τ²; the mean solves w(x − wμ)/s² = μ/τ². Return mean, variance.")

_over_z = "Integral({}, (z, -oo, oo))".format
_RECON, _KL = _over_z("q(z)*log(likelihood(z))"), _over_z("q(z)*log(q(z)/prior(z))")
check_prove_two_terms = ProveIt(
    "prove_two_terms(d) → the derivation d with at least two steps from the ELBO to recon − kl (notebook 04).",
    Task([(_over_z("q(z)*log(joint(z)/q(z))"), ""),
          (_over_z("q(z)*log(likelihood(z)*prior(z)/q(z))"), "the joint density is a product"),
          (f"{_RECON} - {_KL}", "the logarithm of a product")],
         real("z") | positive_functions("q=q_{z|x} joint=p_{x,z} likelihood=p_{x|z} prior=p_{z}"),
         given=[("joint(z)", "likelihood(z)*prior(z)")], mistakes={
        "The kl is subtracted: ELBO = recon − kl.": f"{_RECON} + {_KL}",
        "The prior is lost: the joint density is p(x|z) p(z).": _over_z("q(z)*log(likelihood(z)/q(z))"),
        "The entropy of q is lost: the logarithm has q below.": _over_z("q(z)*log(likelihood(z)*prior(z))"),
        "The mean is under q, not under the prior.": _over_z("prior(z)*log(likelihood(z)*prior(z)/q(z))"),
        "The KL to the prior has q above and the prior below.": f"{_RECON} - {_over_z('q(z)*log(prior(z)/q(z))')}",
    }), 2, "{n} steps, and each of them is proved, for every model and every q that are positive.")


# ---------------------------------------------------------------- a cloud that cannot shrink

_RUNS = [(2.5, 0.5, 0.6), (4.0, 1.0, 0.3)]      # the mean of x²; the decoder's noise s; the cloud's width σ


def _data(mean_square: float) -> Tensor:
    """x (400,), symmetric, so that its mean is 0."""
    half = torch.randn(200, generator=torch.Generator().manual_seed(4))
    x = torch.cat([half, -half])
    return x * (mean_square / x.square().mean()).sqrt()


def _top(mean_square: float, s: float, sigma: float) -> float:
    """The slope at which the mean ELBO is largest: w² + s² = s/σ times the root of the mean square."""
    return math.sqrt(max(s * math.sqrt(mean_square) / sigma - s**2, 0))


def _of_all_runs(slope: Callable[[float, float, float], float]) -> list[float]:
    return [slope(*run) for run in _RUNS]


def _free(mean_square: float, s: float, sigma: float) -> float:
    return math.sqrt(mean_square - s**2)


def _encoder_slope(mean_square: float, s: float, sigma: float) -> float:
    w = _top(mean_square, s, sigma)
    return w / (w**2 + s**2)


def _looked_at(answer: Callable) -> SimpleNamespace:
    """What is predicted, and the slopes without their signs: −w with −a is as good as w with a."""
    returned = [answer(_data(mean_square), s, sigma) for mean_square, s, sigma in _RUNS]
    parts = [parts_of(value, 2) or (None, None) for value in returned]
    predicted = as_number(parts[0][0])
    try:
        slopes = [abs(to_tensor(slope).item()) for _, slope in parts]
    except NO_NUMBER:
        slopes = []
    return SimpleNamespace(two=all(parts_of(value, 2) for value in returned), predicted=predicted, slopes=slopes,
                           first=slopes[0] if slopes else math.nan)


def _near(seen: SimpleNamespace, slope: Callable[[float, float, float], float], tolerance: float = 0.03) -> bool:
    return len(seen.slopes) == len(_RUNS) and close(seen.slopes, _of_all_runs(slope), tolerance)


def _learnt(slope: Callable[[float, float, float], float] = _top, predicted: float | None = 1.2,
            change: Callable = lambda w: w) -> Callable:
    """The answer that ends at this slope; a right one, or one with something wrong."""
    def learned_slope(x: Tensor, s: float, sigma: float):
        return predicted, change(slope(x.square().mean().item(), s, sigma))
    return learned_slope


check_learned_slope = Inspection(
    "learned_slope(x, s, sigma) → your prediction, and the slope w that the mean ELBO over x (B,) learns with the\n"
    "decoder's noise s, if the clouds are N(ax, sigma²) and only w and a are trained (notebook 04).",
    _looked_at, _learnt(), {
    "Return two things: the slope that you predict, and the one that training finds.":
        (lambda seen: not seen.two, lambda *arguments: _learnt()(*arguments)[1]),
    "Predict first: write down a slope before you train.":
        (lambda seen: not math.isfinite(seen.predicted), _learnt(predicted=None), _learnt(predicted=math.nan)),
    "The slope must be one number: return w, not w and a.":
        (lambda seen: not seen.slopes, _learnt(change=lambda w: torch.tensor([w, 0.5])), _learnt(change=lambda w: None)),
    "The slope stayed at 0: if w and a both start at 0, both derivatives are 0 there. Start elsewhere.":
        (lambda seen: max(seen.slopes) < 1e-3, _learnt(change=lambda w: 0.0)),
    "That is the slope w if clouds may shrink: σ is given, so do not train it.":
        (lambda seen: _near(seen, _free), _learnt(_free)),
    "That is the encoder's slope a; the decoder's slope w is asked for.":
        (lambda seen: _near(seen, _encoder_slope), _learnt(_encoder_slope)),
    "That is w²; return w.": (lambda seen: _near(seen, lambda *run: _top(*run) ** 2), _learnt(change=lambda w: w**2)),
    "That takes σ for the variance of the cloud: the variance is σ².":
        (lambda seen: _near(seen, lambda v, s, sigma: _top(v, s, math.sqrt(sigma))),
         _learnt(lambda v, s, sigma: _top(v, s, math.sqrt(sigma)))),
    "That takes s for the variance of the decoder's noise: the variance is s².":
        (lambda seen: _near(seen, lambda v, s, sigma: _top(v, math.sqrt(s), sigma)),
         _learnt(lambda v, s, sigma: _top(v, math.sqrt(s), sigma))),
    "For data with the mean square 2.5, s = 0.5 and σ = 0.6 the slope should be near 1.03, and is {seen.first:.2f}. recon "
    "has the term −w²σ²/(2s²), kl has a²x²/2; train until w stands still.":
        (lambda seen: not _near(seen, _top), _learnt(change=lambda w: 2 * w), _learnt(lambda v, s, sigma: 0.5)),
}, "{seen.first:.2f} on the check's data. Now call it with data of the slope 1.5: was {seen.predicted:g} near?")
