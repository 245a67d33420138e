"""Checks of the exercises of notebook 07."""

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt, WrongLine
from vae_course.checks.values import as_number, parts_of
from vae_course.densities import bernoulli_log_likelihood, gaussian_log_likelihood, kl_to_standard_normal
from vae_course.derivations.tasks import Posted, Task, positive, real
from vae_course.models import reference_vae

_OVER_X = "Integral({}, (x, -oo, oo))".format
check_absolute_error = ProveIt(
    "absolute_error(d) → the derivation d with at least two steps from ∫exp(−|x − g|/c) dx to 2c (notebook 07).",
    Task([(_OVER_X("exp(-Abs(x - g)/c)"), ""),
          ("Integral(exp((x - g)/c), (x, -oo, g)) + Integral(exp(-(x - g)/c), (x, g, oo))", "left of g and right of it"),
          ("c + c", "two exponentials"),
          ("2*c", "add")], real("x g u") | positive("c"), mistakes={
        "That is one side of g alone.": "Integral(exp(-(x - g)/c), (x, g, oo))",
        "The scale multiplies the mass: with x = g + c·u, dx = c·du.": "2/c",
        "The scale is lost: with x = g + c·u, dx = c·du.": "2",
        "That is the mass of the squared error.": "sqrt(2*pi)*c",
        "Left of g, x − g is negative, so |x − g| = g − x: the exponent is (x − g)/c.":
            "Integral(exp(-(x - g)/c), (x, -oo, g)) + Integral(exp(-(x - g)/c), (x, g, oo))",
    }), 2, "{n} steps, each proved. The mass does not depend on g, so the absolute error is −log p too, of the Laplace "
           "distribution exp(−|x − g|/c)/(2c).")


def _pictures(seed: int, *shapes: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
    """Two batches of pictures of each shape, with values in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(*shape, generator=generator), torch.rand(*shape, generator=generator)) for shape in shapes]


def _half_errors(x: Tensor, mean: Tensor, sigma: float) -> Tensor:
    return ((x - mean) ** 2).flatten(1).sum(1) / (2 * sigma ** 2)


check_gaussian_nats = Check(
    "gaussian_nats(x, mean, s) → log p(x|z) of independent Gaussian pixels, (B,) nats (notebook 07).",
    lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(2 * math.log(s))),
    [(*pair, sigma) for pair, sigma in zip(_pictures(7, (4, 1, 5, 6), (3, 7)), (0.3, 2.0))], {
    "The sign: return the log-likelihood, not the loss.": But(torch.neg),
    "The constant is missing: −½ log 2π − log s for each pixel. Without it this is a distance, not a log-density.":
        lambda x, m, s: -_half_errors(x, m, s),
    "−½ log 2π for each pixel is missing.": lambda x, m, s: -_half_errors(x, m, s) - x[0].numel() * math.log(s),
    "−log s for each pixel is missing: a wide density is a low one.":
        lambda x, m, s: -_half_errors(x, m, s) - x[0].numel() * 0.5 * math.log(2 * math.pi),
    "The constant was counted once: it belongs to each pixel.":
        lambda x, m, s: -_half_errors(x, m, s) - math.log(s) - 0.5 * math.log(2 * math.pi),
    "The third argument is s, not s²: the squared error is divided by 2s².":
        lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(math.log(s))),
    "The ½ of the squared error is missing.":
        lambda x, m, s: -2 * _half_errors(x, m, s) - x[0].numel() * (math.log(s) + 0.5 * math.log(2 * math.pi)),
    "You averaged over the pixels: sum them, for the logarithm of a product is a sum.":
        lambda x, m, s: gaussian_log_likelihood(x, m, torch.tensor(2 * math.log(s))) / x[0].numel(),
    "You summed over the batch as well: return one value for each picture.": But(torch.sum),
    "You averaged over the batch: return one value for each picture.": But(torch.mean),
}, "−(x − mean)²/(2s²) − log s − ½ log 2π, summed over the pixels of each picture.")


_NAMES = positive("S D s beta") | real("kl")
_LEARNED = Posted([
    "S/(2*s**2) + D/2*log(2*pi*s**2) + beta*kl",
    "beta*S/(2*beta*s**2) + D/2*log(2*pi*s**2) + beta*kl",
    "beta*(S/(2*beta*s**2) + D/2*log(2*pi*s**2) + kl)",
], 3, "beta*(S/(2*beta*s**2) + D/(2*beta)*log(2*pi*s**2) + kl)", _NAMES, {
    "This is the posted line again.": "beta*(S/(2*beta*s**2) + D/2*log(2*pi*s**2) + kl)",
    "The variance may be called βs² under the squared error, but in the logarithm stands s².":
        "beta*(S/(2*beta*s**2) + D/2*log(2*pi*beta*s**2) + kl)",
    "β is taken out of the logarithm's term, so divide by it there.":
        "beta*(S/(2*beta*s**2) + beta*D/2*log(2*pi*s**2) + kl)",
    "The KL had the factor β; in the bracket it has none.":
        "beta*(S/(2*beta*s**2) + D/(2*beta)*log(2*pi*s**2) + beta*kl)",
})
_HALF = Posted([
    "S + kl",
    "2*(S/2) + kl",
    "2*(S/2 + kl)",
], 3, "2*(S/2 + kl/2)", _NAMES, {
    "This is the posted line again.": "2*(S/2 + kl)",
    "The factor 2 is taken out of both terms: the KL must be halved, not doubled.": "2*(S/2 + 2*kl)",
    "The squared error needs its ½: with s = 1 it is S/2.": "2*(S + kl/2)",
})
check_lost_beta = WrongLine(
    "lost_beta() → (number, \"line\"), (number, \"line\"): each wrong line, and what it should be (notebook 07).",
    [_LEARNED, _HALF], "what is taken out of a bracket is taken out of each term. If s is learned, β cannot be hidden in "
                       "it; and the squared error without ½ is β = ½ for s = 1.")


def _mass(lam: float, log=math.log) -> float:
    return 0.5 if lam == 0.5 else (2 * lam - 1) / log(lam / (1 - lam))


check_bce_mass = Check(
    "bce_mass(lam) → ∫₀¹ λˣ(1−λ)¹⁻ˣ dx, a number (notebook 07).",
    _mass, [(0.8,), (0.1,), (0.5,), (0.35,)], {
    "At λ = ½ the formula is 0/0: treat it apart, and return its limit ½.":
        lambda lam: (2 * lam - 1) / math.log(lam / (1 - lam)),
    "That is C(λ), the normalising constant; the mass is one over it.": But(lambda mass: 1 / mass),
    "Mass 1 is the sum over x = 0 and x = 1; a grey pixel needs the integral from 0 to 1.": lambda lam: 1.0,
    "That is the logarithm of the mass.": But(math.log),
    "The sign: a mass is positive. With 2λ − 1 above goes log λ − log(1 − λ) below.": But(lambda mass: -mass),
    "That uses log₁₀; the integral of an exponential gives the natural logarithm.": lambda lam: _mass(lam, math.log10),
    "That is the mean of the weight at its two ends; integrate over all grey values between them.": lambda lam: 0.5,
    "That is the weight of one grey value: add up those of all from 0 to 1.": lambda lam: lam**0.5 * (1 - lam)**0.5,
    "You added up the weights of the grid: multiply by the width of a strip, or take the mean.":
        lambda lam: 1000 * _mass(lam),
}, "the mass is largest at λ = ½, where it is ½.",
    otherwise="Add up the weight at the middles of many narrow strips, times their width; 1,000 strips are enough.")


_N_LATENTS, _N, _BETA = 40, 300, 784 / 40    # so the check's snippet, a mean over pixels and one over latents, has this β


def _waves() -> Tensor:
    """Grey pictures (300, 1, 28, 28) uint8 of three numbers each, which shift the brightness along waves."""
    g = torch.Generator().manual_seed(70)
    at = torch.linspace(0, 6.3, 28)
    waves = torch.stack([torch.sin(at)[:, None].expand(28, 28), torch.cos(at)[None].expand(28, 28),
                         torch.sin(at[:, None] + at)]).flatten(1)
    return (255 * torch.sigmoid(3 * torch.randn(_N, 3, generator=g) @ waves)).to(torch.uint8).view(_N, 1, 28, 28)


_images = _waves()
_x = _images / 255


def _snippet(x: Tensor, out: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    kl = -0.5 * torch.mean(1 + logvar - mu**2 - logvar.exp())
    return nn.functional.binary_cross_entropy_with_logits(out, x) + kl


@torch.no_grad()
def _rate_and_bce(model) -> tuple[float, float]:
    """Of the check's pictures, in nats per picture; NaN if it is no such model."""
    try:
        recon, mu, logvar = model(_x)
        assert mu.shape == (_N, _N_LATENTS)
    except (TypeError, AttributeError, ValueError, AssertionError):
        return math.nan, math.nan
    return kl_to_standard_normal(mu, logvar).mean().item(), -bernoulli_log_likelihood(_x, recon).mean().item()


# The BCE of the mean picture.
_FLAT = -bernoulli_log_likelihood(_x, torch.logit(_x.mean(0, keepdim=True)).expand_as(_x)).mean().item()


def _searched(answer: Callable) -> SimpleNamespace:
    """What is returned, and the rates of the two models on the check's pictures."""
    parts = parts_of(answer(_snippet, _images.clone(), _N_LATENTS), 4) or 4 * (None,)
    (rate, bce), (rate_of_beta, bce_of_beta) = map(_rate_and_bce, parts[2:])
    return SimpleNamespace(four=parts[3] is not None, predicted=as_number(parts[0]), found=as_number(parts[1]), right=_BETA,
                           rate=rate, rate_of_beta=rate_of_beta, worst=max(bce, bce_of_beta), flat=_FLAT)


@cache
def _trained(beta: float, n_latents: int, steps: int) -> nn.Module:
    torch.manual_seed(0)
    vae = reference_vae(n_latents, hidden_dim=200)
    optimizer = torch.optim.Adam(vae.parameters(), 2e-3)
    for step in range(steps):
        batch = _x[step % 3::3]
        recon, mu, logvar = vae(batch)
        loss = (-bernoulli_log_likelihood(batch, recon) + beta * kl_to_standard_normal(mu, logvar)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return vae


def _found(found: float = _BETA, beta: float = _BETA, predicted: object = 30.0, n_latents: int = _N_LATENTS,
           steps: int = 90, back: Callable = lambda *parts: parts) -> Callable:
    """The answer that trains so; a right one, or one with something wrong."""
    def find_beta(snippet: Callable, images: Tensor, n: int):
        return back(predicted, found, *(_trained(b, n_latents, steps) for b in (_BETA, beta)))
    return find_beta


def _is_near(value: float, wanted: float) -> bool:
    return value > 0 and abs(math.log(value / wanted)) < 0.3


check_find_beta = Inspection(
    "find_beta(snippet, images, n_latents) → the β that you predict, the β that you found, the model that the snippet\n"
    "trained, and the one that −recon + β·kl trained with the β that you found (notebook 07).",
    _searched, _found(), {
    "Return four things: your prediction, the β that you found, and the two trained models.":
        (lambda seen: not seen.four, _found(back=lambda *parts: parts[:2])),
    "Predict first: write down the β that you expect, a number above 0.":
        (lambda seen: not 0 < seen.predicted < math.inf, _found(predicted=None), _found(predicted=-1.0)),
    "The third and fourth thing must be the models, with n_latents latents: `models.reference_vae(n_latents)`.":
        (lambda seen: math.isnan(seen.rate) or math.isnan(seen.rate_of_beta), _found(n_latents=2),
         _found(back=lambda predicted, found, *models: (predicted, found, 3.0, 3.0))),
    "What you found is what you predicted, digit by digit: find it by training.":
        (lambda seen: seen.found == seen.predicted, _found(predicted=_BETA)),
    "Train longer, or with a lower learning rate: the worse of your two models has a BCE of {seen.worst:.0f} nats, and one "
    "picture for all would have {seen.flat:.0f}.":
        (lambda seen: seen.worst > _FLAT - 10, _found(steps=1)),
    "The rates of your two models are {seen.rate:.2f} and {seen.rate_of_beta:.2f} nats: go on, until they agree.":
        (lambda seen: not abs(math.log(seen.rate_of_beta / seen.rate)) < 0.2, _found(beta=1.0)),
    "The rates agree at {seen.rate:.2f} nats, but the β that you return, {seen.found:.3g}, is the other way round: a larger "
    "β makes the KL more expensive.":
        (lambda seen: _is_near(seen.found, 1 / _BETA), _found(1 / _BETA)),
    "The rates agree at {seen.rate:.2f} nats, but the β that you return, {seen.found:.3g}, is not the one that trained the "
    "second model: is its KL summed over the latents, and its BCE over the pixels?":
        (lambda seen: not _is_near(seen.found, _BETA), _found(784.0), _found(1.0)),
}, "you found {seen.found:.3g}, and exactly it is {seen.right:.3g}; both models spend about {seen.rate:.1f} nats. You "
   "predicted {seen.predicted:g}. Now predict for 200 latents, and call it with MNIST.")
