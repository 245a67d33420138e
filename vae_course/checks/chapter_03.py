"""Checks of the exercises of notebook 03."""

import math
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt, WrongLine
from vae_course.checks.values import NO_NUMBER, as_number, close, parts_of, to_tensor
from vae_course.densities import kl_to_standard_normal, reparameterize
from vae_course.derivations.tasks import Posted, Task, positive, real


def _batch(*shape: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two tensors of one shape, none of whose values is near 0."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(2, *shape, generator=generator, dtype=torch.float64))
    return first + 0.3 * first.sign(), second + 0.3 * second.sign()


def _terms(mu: Tensor, logvar: Tensor) -> Tensor:
    return 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar)


check_kl_from_log_sigma = Check(
    "kl_from_log_sigma(mu, log_sigma), both (B, Z), → (B,) nats: the KL to N(0, I) of each example (notebook 03).",
    lambda mu, s: kl_to_standard_normal(mu, 2 * s), [_batch(5, 3, seed=1), _batch(2, 4, seed=2)], {
    "log_sigma was used as if it were log σ²: σ² = exp(2·log_sigma), log σ² = 2·log_sigma.": kl_to_standard_normal,
    "The first σ² is right, the logarithm is not: log σ² = 2·log_sigma, and the ½ makes it log_sigma.":
        lambda mu, s: 0.5 * (mu ** 2 + torch.exp(2 * s) - 1 - s).sum(1),
    "exp(log_sigma) is σ, and the formula has σ²: exp(2·log_sigma).":
        lambda mu, s: 0.5 * (mu ** 2 + torch.exp(s) - 1 - 2 * s).sum(1),
    "The ½ is missing: this is twice the KL.": But(lambda kl: 2 * kl),
    "The sign: this is −KL, and a KL is never negative.": But(torch.neg),
    "The sign of the logarithm: −log σ², so that a small σ costs more.":
        lambda mu, s: (0.5 * (mu ** 2 + torch.exp(2 * s) - 1) + s).sum(1),
    "You averaged over the latents: the KL of independent latents is their sum.": lambda mu, s: _terms(mu, 2 * s).mean(1),
    "You summed over the batch: one value for each example, so sum over axis 1.": lambda mu, s: _terms(mu, 2 * s).sum(0),
    "You added up all examples: sum over axis 1 only.": But(torch.sum),
    "One value for each latent: sum over axis 1, so that one for each example is left.": lambda mu, s: _terms(mu, 2 * s),
}, "½(μ² + e^{2·log σ} − 1) − log σ, summed over the latents.",
    otherwise="Put σ² = exp(2·log_sigma) into ½(μ² + σ² − 1 − log σ²), and sum over axis 1.")


check_kl_of_batch = Check(
    "kl_of_batch(mu, logvar), both (B, …), → (B,) nats, summed over all axes but the first (notebook 03).",
    lambda mu, v: kl_to_standard_normal(mu.flatten(1), v.flatten(1)),
    [_batch(4, 2, 3, 5, seed=5), _batch(3, 6, seed=6), _batch(2, 3, 4, seed=7)], {
    "You summed over the last axis only: every axis but the first belongs to the example.":
        lambda mu, v: _terms(mu, v).sum(-1),
    "You summed over the batch too: the first axis must be left.": lambda mu, v: _terms(mu, v).sum(),
    "You averaged over everything: sum over an example's own axes, and keep the batch.": lambda mu, v: _terms(mu, v).mean(),
    "You averaged over the batch: one value for each example is asked for; the average comes last, in the loss.":
        But(torch.mean),
    "You averaged over the latents: the KL of independent latents is their sum.":
        lambda mu, v: _terms(mu, v).flatten(1).mean(1),
    "You summed over the batch and kept the latents: keep the first axis, sum over the others.":
        lambda mu, v: _terms(mu, v).sum(0),
    "Nothing was summed: .flatten(1).sum(1) leaves one value for each example.": _terms,
    "The ½ is missing: this is twice the KL.": But(lambda kl: 2 * kl),
    "The sign: this is −KL, and a KL is never negative.": But(torch.neg),
    "logvar is log σ² already: σ² = exp(logvar).": lambda mu, v: _terms(mu, 2 * v).flatten(1).sum(1),
}, "one value for each example, summed over all of its own axes.",
    otherwise="½(μ² + e^logvar − 1 − logvar), then .flatten(1).sum(1).")

_given_first = "Integral(N(z_1; mu_1, sigma_1**2)*{}, (z_1, -oo, oo))".format
_SPREAD = "(a**2*sigma_1**2 + sigma_2**2)"
_ALONE = f"(mu_2**2 + {_SPREAD} - 1 - log{_SPREAD})/2"
check_price_of_correlation = ProveIt(
    "price_of_correlation(d) → the derivation d with at least two steps from the mean KL of the second latent to the goal\n"
    "(notebook 03).",
    Task([(_given_first("((mu_2 + a*(z_1 - mu_1))**2 + sigma_2**2 - 1 - log(sigma_2**2))/2"), ""),
          (f"(mu_2**2 + {_SPREAD} - 1 - log(sigma_2**2))/2", "the average of z_1 - mu_1 is 0, of its square sigma_1**2"),
          (f"{_ALONE} + log({_SPREAD}/sigma_2**2)/2", "subtract a logarithm and add it again")],
         real("z_1 a mu_1 mu_2") | positive("sigma_1 sigma_2"), mistakes={
        "The mean of z₂ moves with z₁, so its square is μ₂² + a²σ₁² on average.":
            "(mu_2**2 + sigma_2**2 - 1 - log(sigma_2**2))/2",
        "Moved by a·(z₁ − μ₁), the mean has the variance a²σ₁²: a is squared too.":
            "(mu_2**2 + a*sigma_1**2 + sigma_2**2 - 1 - log(sigma_2**2))/2",
        "The average of (z₁ − μ₁)² is the variance, σ₁².": "(mu_2**2 + a**2*sigma_1 + sigma_2**2 - 1 - log(sigma_2**2))/2",
        "That is the KL of z₂ by itself. In the average the logarithm holds σ₂², as before.": _ALONE,
        "The sign: to log(a²σ₁² + σ₂²), which was subtracted, its half comes back with a plus.":
            f"{_ALONE} - log({_SPREAD}/sigma_2**2)/2",
    }), 2, "{n} steps, each proved. Tying z₂ to z₁ costs ½·log(1 + a²σ₁²/σ₂²) more than the two widths alone.")

check_cost_of_halving = Check(
    "cost_of_halving(sigma) → KL at σ/2 minus KL at σ, nats, with the mean unchanged (notebook 03).",
    lambda s: math.log(2) - 3 * s ** 2 / 8, [(0.3,), (1.0,), (2.0,)], {
    "That is right only as σ → 0: the term ½σ² changes too, from ½σ² to ⅛σ².": lambda s: math.log(2),
    "The sign: subtract the KL at σ from the KL at σ/2.": But(lambda cost: -cost),
    "log(σ²/4) = log σ² − 2 log 2, and the ½ leaves log 2.": lambda s: math.log(4) - 3 * s ** 2 / 8,
    "The ½ of the KL is missing.": But(lambda cost: 2 * cost),
    "Here is log σ for log σ²: the logarithm gives log 2.": lambda s: 0.5 * math.log(2) - 3 * s ** 2 / 8,
    "(σ/2)² is σ²/4, not σ²/2.": lambda s: math.log(2) - s ** 2 / 4,
    "The ½ in front of σ² is missing: ½·σ²/4 − ½·σ² = −3σ²/8.": lambda s: math.log(2) - 3 * s ** 2 / 4,
    "That is the KL at σ/2 itself: subtract the KL at σ.": lambda s: 0.5 * (s ** 2 / 4 - 1 - math.log(s ** 2 / 4)),
    "In nats: use the natural logarithm.": lambda s: 1 - 3 * s ** 2 / 8,
}, "log 2 − ⅜σ². A small σ costs a bit for each halving; for σ > 1.36 halving is a gain.",
    otherwise="Write ½(μ² + σ² − 1 − log σ²) for σ/2 and for σ, and subtract.")

# Both were posted, in other letters: stats.stackexchange.com/questions/7440 lost −½ in its result, and an answer to
# stats.stackexchange.com/questions/318184 called lines 1 and 2 equivalent. The last line of each is ours.
_TWO_GAUSSIANS = Posted([
    "Integral(N(z; mu, sigma**2)*log(N(z; mu, sigma**2)/N(z; m, tau**2)), (z, -oo, oo))",
    "log(2*pi*tau**2)/2 + (sigma**2 + (mu - m)**2)/(2*tau**2) - (1 + log(2*pi*sigma**2))/2",
    "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2)",
    "((mu - m)**2 + sigma**2)/(2*tau**2) - log(sigma/tau)",
], 3, "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2", real("z mu m") | positive("sigma tau"), {
    "This is the posted line again.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2)",
    "The ½ has the wrong sign.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) + 1/2",
    "The 1 stands in a bracket that is halved.": "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1",
    "The ½ is right now, and the logarithm is turned upside down.":
        "log(sigma/tau) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2",
    "The logarithm of √(τ²/σ²) is log(τ/σ), without another ½.":
        "log(tau/sigma)/2 + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2",
})
_UNIT_GAUSSIAN = Posted([
    "-(2*log(sigma) - sigma**2 - mu**2 + 1)/2",
    "-(log(sigma) - sigma - mu**2 + 1)/2",
    "(mu**2 + sigma - 1 - log(sigma))/2",
], 2, "-(log(sigma**2) - sigma**2 - mu**2 + 1)/2", real("mu") | positive("sigma"), {
    "This is the posted line again.": "-(log(sigma) - sigma - mu**2 + 1)/2",
    "The logarithm is mended, and σ still stands for σ².": "-(log(sigma**2) - sigma - mu**2 + 1)/2",
    "The square is back, and log σ still stands for 2 log σ = log σ².": "-(log(sigma) - sigma**2 - mu**2 + 1)/2",
})
check_mended_lines = WrongLine(
    "mended_lines() → (number, \"line\"), (number, \"line\"): each wrong line, and what it should be (notebook 03).",
    [_TWO_GAUSSIANS, _UNIT_GAUSSIAN],
    "the first lost −½, the second put log σ and σ for log σ² and σ².")


# ---------------------------------------------------------------- the width of an idle latent

_LATENTS, _WIDTH, _NOISE = 5, 1.5, 0.5


def _table() -> Tensor:
    """200 rows of 8 numbers that two hidden numbers explain, but for a little noise."""
    g = torch.Generator().manual_seed(30)
    return torch.randn(200, 2, generator=g) @ torch.randn(2, 8, generator=g) + 0.2 * torch.randn(200, 8, generator=g)


_rows = _table()


def _another_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """A formula whose minimum lies at σ = 1.5."""
    return 0.5 * (mu ** 2 + logvar.exp() - _WIDTH ** 2 * (1 + logvar))


@cache
def _trained(formula: Callable, steps: int, latent_dim: int) -> nn.Module:
    """The encoder of a linear VAE after so many steps with this formula for the KL."""
    encoder, decoder = nn.Linear(8, 2 * latent_dim), nn.Linear(latent_dim, 8)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 0.03)
    for _ in range(steps):
        mu, logvar = encoder(_rows).chunk(2, 1)
        distance = ((_rows - decoder(reparameterize(mu, logvar))) ** 2).sum(1) / (2 * _NOISE ** 2)
        optimizer.zero_grad()
        (distance + formula(mu, logvar).sum(1)).mean().backward()
        optimizer.step()
    return encoder


def _described(encoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """The variance of μ over the rows and the mean σ, (Z,) each; empty if that is no encoder."""
    try:
        mu, logvar = encoder(x).detach().double().chunk(2, 1)
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return torch.zeros(0), torch.zeros(0)
    return mu.var(0), torch.exp(0.5 * logvar).mean(0)


def _idle_seen(answer: Callable) -> SimpleNamespace:
    """What is predicted and measured, and what the encoder that is returned says of the rows."""
    predicted, measured, encoder = parts_of(answer(_another_kl, _rows.clone(), _LATENTS), 3) or (None, None, None)
    spread, widths = _described(encoder, _rows)
    guesses = [as_number(guess) for guess in parts_of(predicted, 2)] or [math.nan, math.nan]
    seen = SimpleNamespace(three=encoder is not None, predicted=guesses, widths=widths, n=len(widths))
    seen.idle = spread < 0.05
    seen.n_idle, seen.width = int(seen.idle.sum()), float(widths[seen.idle].mean())
    try:
        seen.measured = to_tensor(measured).double()
    except NO_NUMBER:
        seen.measured = torch.zeros(())
    seen.shape = tuple(seen.measured.shape)
    return seen


def _idle_answer(formula: Callable = _another_kl, steps: int = 500, latent_dim: int = _LATENTS,
                 predicted: object = (0.5, 1.2),
                 sigma: Callable = lambda logvar: torch.exp(0.5 * logvar).mean(0),
                 back: Callable = lambda *parts: parts) -> Callable:
    """The answer that trains and measures so; a right one, or one with something wrong."""
    def idle_width(kl, x: Tensor, n: int):
        encoder = _trained(formula, steps, latent_dim)
        return back(predicted, sigma(encoder(x).detach().chunk(2, 1)[1]), encoder)
    return idle_width


def _measures(change: Callable) -> Callable:
    """Whether the numbers are those of the encoder, changed in this way."""
    return lambda seen: close(seen.measured, change(seen.widths), 0.02)


def _right_kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return _terms(mu, logvar)


check_idle_width = Inspection(
    "idle_width(formula, x, latent_dim) → two predicted σ of an idle latent, the mean σ of each latent (Z,), and the\n"
    "encoder, of a linear VAE that was trained on x (B, …) with this formula for the KL (notebook 03).",
    _idle_seen, _idle_answer(), {
    "Return three things: what you predicted (a pair), the mean σ of each latent, and the encoder.":
        (lambda seen: not seen.three, _idle_answer(back=lambda *parts: parts[1]),
         _idle_answer(back=lambda predicted, sigma, _: (predicted, sigma, None))),
    "Predict first: write down two positive numbers, the σ that you expect of an idle latent with either formula.":
        (lambda seen: not all(0 < guess < math.inf for guess in seen.predicted), _idle_answer(predicted=None),
         _idle_answer(predicted=0.7), _idle_answer(predicted=(0.7, -0.3))),
    "encoder(x).chunk(2, 1) should be mu and logvar of 5 latents each, and there are {seen.n}.":
        (lambda seen: seen.n != _LATENTS, _idle_answer(latent_dim=4),
         _idle_answer(back=lambda predicted, sigma, _: (predicted, sigma, 3.0))),
    "Two hidden numbers explain these rows, and {seen.n_idle} of 5 latents are idle, where it should be 3: train longer.":
        (lambda seen: seen.n_idle != _LATENTS - 2, _idle_answer(steps=0), _idle_answer(lambda mu, logvar: 0 * mu)),
    "The idle latents have σ near 1: was the right KL trained with, and not the formula in the argument?":
        (lambda seen: close(seen.width, 1.0, 0.05), _idle_answer(_right_kl)),
    "The idle latents have σ = {seen.width:.2f}; this formula leads elsewhere. Add its sum over latents to the distance.":
        (lambda seen: not close(seen.width, _WIDTH, 0.05), _idle_answer(lambda mu, v: mu ** 2 + v.exp() - 4 * v)),
    "The mean σ of each latent has the shape (5,), and yours {seen.shape}: average over the rows only.":
        (lambda seen: seen.shape != (_LATENTS,), _idle_answer(sigma=lambda logvar: torch.exp(0.5 * logvar).mean()),
         _idle_answer(sigma=lambda logvar: torch.exp(0.5 * logvar))),
    "That is σ², the variance: σ = exp(logvar / 2).":
        (_measures(torch.square), _idle_answer(sigma=lambda logvar: logvar.exp().mean(0))),
    "That is log σ²: σ = exp(logvar / 2).":
        (_measures(lambda widths: 2 * widths.log()), _idle_answer(sigma=lambda logvar: logvar.mean(0))),
    "The encoder that you returned gives other σ than you measured.":
        (lambda seen: not close(seen.measured, seen.widths, 0.02), _idle_answer(sigma=lambda logvar: 0 * logvar[0] + 0.7)),
}, "three idle latents with σ = {seen.width:.2f}. Now call it with the chapter's two formulas: were "
   "{seen.predicted[0]:g} and {seen.predicted[1]:g} near?")
