"""Checks of the exercises of notebook 04."""

import math

import torch
from torch import Tensor

from vae_course.checks.check import But, Check
from vae_course.checks.proofs import ProveIt
from vae_course.derivations.tasks import Task, positive, positive_functions, real


def _half_log(variance: float) -> float:
    return -0.5 * math.log(2 * math.pi * variance)


check_highest_log_px = Check(
    "highest_log_px(w, sigma) → the largest log p(x) over x in the linear-Gaussian model (notebook 04).",
    lambda w, s: _half_log(w**2 + s**2), [(0.2, 0.3), (1.5, 0.05), (0.1, 0.02)], {
    "That is the peak of p(x|z); z varies too, so the variance of x is w² + σ².": lambda w, s: _half_log(s**2),
    "Standard deviations do not add, variances do: w² + σ², not (w + σ)².": lambda w, s: _half_log((w + s)**2),
    "That takes a standard deviation for the variance: the variance is w² + σ².":
        lambda w, s: _half_log(math.sqrt(w**2 + s**2)),
    "The sign: the logarithm of 1/√(2π·variance) is −½ log(2π·variance).": But(lambda peak: -peak),
    "That is the density; return its logarithm.": But(math.exp),
    "The ½ is missing: the density has the square root of 2π·variance below.": But(lambda peak: 2 * peak),
}, "it exceeds 0 if w² + σ² < 1/(2π), so for w = 0.2 only if σ is below about 0.345.",
    otherwise="p(x) = N(m, w² + σ²) is largest at x = m; insert that.")


def _elbo(joint: Tensor, q: Tensor) -> Tensor:
    drawn = q > 0
    return (q[drawn] * (joint[drawn] / q[drawn]).log()).sum()


check_discrete_elbo = Check(
    "discrete_elbo(joint, q) → Σ q_i log(p(x, z_i)/q_i) for two tables (K,), in nats (notebook 04).",
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
    "The sum already is the mean under q: do not divide by K.": lambda p, q: _elbo(p, q) / len(q),
    "That is minus the gap: you normalised the joint. The ELBO keeps p(x, z) as it is.": lambda p, q: _elbo(p / p.sum(), q),
}, "Σ q log(p(x, z)/q), with 0 where q is 0.",
    otherwise="Each code adds q_i·log(p(x, z_i)/q_i), and one that is never drawn (q_i = 0) adds 0, not NaN.")


def _kl(mu: float, v: float, other_mu: float, other_v: float) -> float:
    return 0.5 * ((mu - other_mu)**2 / other_v + v / other_v - 1 - math.log(v / other_v))


def _posterior(w: float, sigma: float, x: float, tau: float = 1.0) -> tuple[float, float]:
    v = 1 / (w**2 / sigma**2 + 1 / tau**2)
    return v * w * x / sigma**2, v


def _gap(w, sigma, x, mu, v):
    return _kl(mu, v, *_posterior(w, sigma, x))


check_gap_of_q = Check(
    "gap_of_q(w, sigma, x, mu, v) → KL(N(mu, v) ‖ p(z|x)) in the linear-Gaussian model with m = 0 (notebook 04).",
    _gap, [(1.5, 0.5, 1.0, 0.9, 0.15), (0.7, 1.2, -2.0, 0.4, 0.6), (1.1, 0.3, 0.8, 0.0, 1.0)], {
    "That is KL(posterior‖q): the two are swapped.": lambda w, s, x, mu, v: _kl(*_posterior(w, s, x), mu, v),
    "That is the KL to the prior, which the ELBO subtracts. The gap is the KL to the posterior.":
        lambda w, s, x, mu, v: _kl(mu, v, 0.0, 1.0),
    "That is the ELBO; the gap is log p(x) minus it.":
        lambda w, s, x, mu, v: _half_log(w**2 + s**2) - 0.5 * x**2 / (w**2 + s**2) - _gap(w, s, x, mu, v),
    "The sign: the gap is log p(x) − ELBO, never negative.": But(lambda gap: -gap),
    "v is the variance already: do not square it.": lambda w, s, x, mu, v: _gap(w, s, x, mu, v**2),
    "The kl was not subtracted: the ELBO is recon − kl.": lambda w, s, x, mu, v: _gap(w, s, x, mu, v) - _kl(mu, v, 0.0, 1.0),
    "The ½ of the KL is missing.": But(lambda gap: 2 * gap),
}, "KL(q‖posterior), which is log p(x) − ELBO.",
    otherwise="The posterior is N(wx/(w² + σ²), σ²/(w² + σ²)); take KL(q‖posterior).")

check_best_q = Check(
    "best_q(w, sigma, tau, x) → mean and variance that maximise the ELBO under the prior N(0, tau²) (notebook 04).",
    lambda w, s, tau, x: _posterior(w, s, x, tau), [(1.5, 0.5, 2.0, 1.0), (0.8, 1.3, 0.6, -2.0)], {
    "That is the answer for the prior N(0, 1): τ is not used.": lambda w, s, tau, x: _posterior(w, s, x),
    "The prior's variance is τ², not τ.": lambda w, s, tau, x: _posterior(w, s, x, math.sqrt(tau)),
    "The second value must be the variance; that is the standard deviation.": But(lambda mu, v: (mu, math.sqrt(v))),
    "The second value must be the variance; that is 1/variance.": But(lambda mu, v: (mu, 1 / v)),
    "That maximises recon alone, so the mean is x/w: the KL pulls it towards 0.":
        lambda w, s, tau, x: (x / w, _posterior(w, s, x, tau)[1]),
    "The decoder's noise has the variance σ², not σ.": lambda w, s, tau, x: _posterior(w, math.sqrt(s), x, tau),
}, "1/v = w²/σ² + 1/τ² and μ = v·w·x/σ², the exact posterior.",
    otherwise="1/v = w²/σ² + 1/τ²; the mean solves w(x − wμ)/σ² = μ/τ². Return mean, variance.")

_over_z = "Integral({}, (z, -oo, oo))".format
_RECON, _KL = _over_z("q(z)*log(likelihood(z))"), _over_z("q(z)*log(q(z)/prior(z))")
_ELBO, _GAP = _over_z("q(z)*log(likelihood(z)*prior(z)/q(z))"), _over_z("q(z)*log(q(z)*p_x/(likelihood(z)*prior(z)))")
check_prove_account = ProveIt(
    "prove_account(d) → the derivation d with at least three steps from log p(x) to recon − kl + gap (notebook 04).",
    Task([("log(p_x)", ""),
          (_over_z("q(z)*log(p_x)"), "the mean of a constant is the constant"),
          (f"{_ELBO} + {_GAP}", "multiply and divide by likelihood, prior and q, then take the logarithm apart"),
          (f"{_RECON} - {_KL} + {_GAP}", "the logarithm of a product")],
         real("z") | positive("p_x=p(x)") | positive_functions("q likelihood=p_{x|z} prior=p_{z} posterior=p_{z|x}"),
         given=[(_over_z("q(z)"), "1")], mistakes={
        "The gap is added: log p(x) lies above the ELBO.": f"{_RECON} - {_KL} - {_GAP}",
        "The kl is subtracted: ELBO = recon − kl.": f"{_RECON} + {_KL} + {_GAP}",
        "The gap is missing: the ELBO alone lies below log p(x).": _ELBO,
        "The mean is under q: the weight of log p(x) under the integral is q(z).": _over_z("log(p_x)"),
        "The mean is under q: only q is given to integrate to 1.": _over_z("prior(z)*log(p_x)"),
    }), 3, "{n} steps, and each of them is proved, for every model and every q.")
