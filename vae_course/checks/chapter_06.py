"""Checks of the exercises of notebook 06."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import MissingLine, ProveIt, WrongLine
from vae_course.checks.values import as_number, parts_of
from vae_course.derivations.conditions import INTERCHANGE
from vae_course.derivations.tasks import Posted, Task, positive, real, real_functions
from vae_course.models import VAE, GaussianEncoder, GaussianLikelihood


def _noise(seed: int, n: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Three tensors (n,): two parameters and standard normal noise."""
    return tuple(torch.randn(3, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def _rates(seed: int) -> tuple[Tensor, Tensor]:
    a, b = torch.rand(2, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 0.3 + 2 * a, 0.05 + 0.9 * b


check_draw_exponential = Check(
    "draw_exponential(rate, u) → a draw z made of u, and ∂z/∂rate; 1 − u in place of u is right too (notebook 06).",
    lambda rate, u: (-u.log() / rate, u.log() / rate**2), [_rates(1), _rates(2)], {
    "That sets the density equal to u. Set the probability of a value above z equal to u: the density's integral from z on.":
        lambda rate, u: ((rate / u).log() / rate, (1 - (rate / u).log()) / rate**2),
    "The sign of z: log(u) is negative, and z must be positive.": But(lambda z, slope: (-z, -slope)),
    "Solve e^(−rate·z) = u for z: the rate divides, it does not multiply.": lambda rate, u: (-u.log() * rate, -u.log()),
    "The rate is missing in z: solve e^(−rate·z) = u for z.": lambda rate, u: (-u.log(), torch.zeros_like(u)),
    "z is right. Its slope is negative: a larger rate makes the draw smaller.": But(lambda z, slope: (z, -slope)),
    "z is right. The derivative of 1/rate is −1/rate², so the slope is −z/rate, not −z.": But(lambda z, slope: (z, -z)),
    "z is right. The slope is asked for in rate, not in u.": lambda rate, u: (-u.log() / rate, -1 / (rate * u)),
    "That is the density at u, not a draw: set the probability of a value above z equal to u.":
        lambda rate, u: (rate * torch.exp(-rate * u), (1 - rate * u) * torch.exp(-rate * u)),
}, "z = −log(u)/rate, with the slope −z/rate.",
    also=[lambda rate, u: (-torch.log1p(-u) / rate, torch.log1p(-u) / rate**2)],
    otherwise="Find the probability of a value above z, set it equal to u, solve for z, differentiate in rate.")


def _values(seed: int, mu: float, sigma: float, *more: float) -> tuple[Tensor, Tensor, float, float]:
    z = torch.cat([mu + sigma * _noise(seed, 50)[2], torch.tensor(more, dtype=torch.float64)])
    return z**2 + 3, z, mu, sigma


def _score(z: Tensor, mu: float, sigma: float) -> Tensor:
    return (z - mu) / sigma**2


def _mean_weighed(weight: Callable) -> Callable:
    """The mean of f, weighed with a function of the score."""
    return lambda f, *z_mu_sigma: (f * weight(_score(*z_mu_sigma))).mean() / weight(_score(*z_mu_sigma)).mean()


check_best_baseline = Check(
    "best_baseline(f_values, z, mu, sigma) → mean(f·s²)/mean(s²) with the score s for mu (notebook 06).",
    _mean_weighed(torch.square),
    # in the third case one draw is the mean itself: there s is 0, and a quotient of two s² is not a number
    [_values(5, 1.0, 0.5), _values(6, -0.7, 1.4), _values(7, 0.5, 0.8, 0.5)], {
    "That is the mean of f. Draws with a large score must count more: weigh with s².": lambda f, *_: f.mean(),
    "Weigh with the square of the score, s², not with s.": _mean_weighed(lambda s: s),
    "That is the gradient itself, the mean of f·s. The baseline is mean(f·s²)/mean(s²).":
        lambda f, *a: (f * _score(*a)).mean(),
    "The denominator, the mean of s², is missing.": lambda f, *a: (f * _score(*a)**2).mean(),
    "The mean of a quotient is not the quotient of the means: s² cancels in it, and the mean of f is left.":
        lambda f, *a: (f * _score(*a)**2 / _score(*a)**2).mean(),
    "s is (z − mu)/sigma², not z/sigma².": lambda f, z, mu, s: (f * z**2).mean() / (z**2).mean(),
    "μ² + 3σ² belongs to f = z²; f_values may come from any f.": lambda f, z, mu, s: mu**2 + 3 * s**2,
    "The absolute score is not its square: weigh with s².": _mean_weighed(torch.abs),
    "Return one number, the baseline, not one for each draw.": lambda f, *a: f * _score(*a)**2 / (_score(*a)**2).mean(),
}, "the mean of f, weighed with the squared score.", otherwise="mean(f·s²)/mean(s²) with s = (z − mu)/sigma².")

_over_z = "Integral({}, (z, -oo, oo))".format
_BY_LOGVAR = "N(z; mu, exp(logvar))"
check_missing_lines = MissingLine(
    "missing_lines() → a list of at least two lines, from ∂F/∂logvar to the mean of f times the score (notebook 06).",
    Task([(f"Derivative({_over_z(f'{_BY_LOGVAR}*f(z)')}, logvar)", ""),
          (_over_z(f"f(z)*Derivative({_BY_LOGVAR}, logvar)"), "the derivative goes under the integral, to the density"),
          (_over_z(f"{_BY_LOGVAR}*f(z)*((z - mu)**2*exp(-logvar) - 1)/2"), "the slope of N is N times the score")],
         real("z mu logvar") | real_functions("f"), may_assume=[INTERCHANGE],
         goal_in_words="the mean of f times the score", mistakes={
        "The factor ½ is missing: log N is −logvar/2 − (z − μ)²·exp(−logvar)/2 and a constant.":
            _over_z(f"{_BY_LOGVAR}*f(z)*((z - mu)**2*exp(-logvar) - 1)"),
        "That is the score for σ. Here log σ² moves: multiply by the slope of σ = exp(logvar/2), which is σ/2.":
            _over_z(f"{_BY_LOGVAR}*f(z)*((z - mu)**2*exp(-3*logvar/2) - exp(-logvar/2))"),
        "That is the score for σ². Here its logarithm moves: multiply by the slope of exp(logvar), which is σ².":
            _over_z(f"{_BY_LOGVAR}*f(z)*((z - mu)**2*exp(-2*logvar) - exp(-logvar))/2"),
        "The −½ is missing: it comes from the factor 1/σ = exp(−logvar/2) of the density.":
            _over_z(f"{_BY_LOGVAR}*f(z)*(z - mu)**2*exp(-logvar)/2"),
        "That is the slope in μ; here log σ² moves.": _over_z(f"f(z)*Derivative({_BY_LOGVAR}, mu)"),
        "The density was lost: its slope is N times the slope of log N.":
            _over_z(f"f(z)*Derivative(log({_BY_LOGVAR}), logvar)"),
    }), "{n} lines, each proved, for all f: the score for log σ² is (ε² − 1)/2 with ε = (z − μ)/σ.")

_N = "N(z; mu, sigma**2)"
_ENDS = _over_z(f"Derivative({_N}*f(z), z)")                                    # the change of N·f between both ends
_SCORE_MEAN = _over_z(f"{_N}*f(z)*(z - mu)/sigma**2")
check_equal_means = ProveIt(
    "equal_means(d) → the derivation d with at least two steps from E f' to E[f·score] and what the ends add (notebook 06).",
    Task([(_over_z(f"{_N}*Derivative(f(z), z)"), ""),
          (_over_z(f"Derivative({_N}*f(z), z) - Derivative({_N}, z)*f(z)"), "the product rule"),
          (f"{_ENDS} - {_over_z(f'Derivative({_N}, z)*f(z)')}", "the integral of a difference"),
          (f"{_SCORE_MEAN} + {_ENDS}", "the slope of N in z is −N times the score")],
         real("z mu") | positive("sigma") | real_functions("f"), mistakes={
        "The slope of N in z is −N times the score, and the minus of the product rule makes it a plus.":
            f"{_ENDS} - {_SCORE_MEAN}",
        "The product rule: N·f' is the slope of the product less N'·f, with a minus.":
            f"{_ENDS} + {_over_z(f'Derivative({_N}, z)*f(z)')}",
        "A product of slopes is not the slope of a product.": _over_z(f"Derivative({_N}, z)*Derivative(f(z), z)"),
        "The score for μ is (z − μ)/σ²: you divided by σ.": f"{_over_z(f'{_N}*f(z)*(z - mu)/sigma')} + {_ENDS}",
    }), 2, "{n} steps, each proved, for all f with a slope: the two means differ by what N·f changes between the ends.")

_FROM_EDGE = "Integral({}, (varepsilon, (1 - mu)/sigma, oo))".format
_ABOVE = _FROM_EDGE("N(varepsilon; 0, 1)*Derivative(mu + sigma*varepsilon, mu)")
_JUMP = Posted([
    f"Derivative(Integral({_N}*z, (z, 1, oo)), mu)",
    f"Derivative({_FROM_EDGE('N(varepsilon; 0, 1)*(mu + sigma*varepsilon)')}, mu)",
    _ABOVE,
    _FROM_EDGE("N(varepsilon; 0, 1)"),
], 3, f"{_ABOVE} + N((1 - mu)/sigma; 0, 1)/sigma", real("z mu varepsilon") | positive("sigma"), {
    "This is the posted line again.": _ABOVE,
    "The sign: the lower limit (1 − μ)/σ falls as μ grows, so what it adds has a plus.":
        f"{_ABOVE} - N((1 - mu)/sigma; 0, 1)/sigma",
    "The limit (1 − μ)/σ moves with the speed 1/σ: that factor is missing.": f"{_ABOVE} + N((1 - mu)/sigma; 0, 1)",
    "That is what the jump adds; the slope above it is missing.": "N((1 - mu)/sigma; 0, 1)/sigma",
})
_INSIDE = "Integral(z*Derivative(1/a, a), (z, 0, a))"
_SUPPORT = Posted([
    "Derivative(Integral(z/a, (z, 0, a)), a)",
    _INSIDE,
    "-Integral(z, (z, 0, a))/a**2",
    "-1/2",
], 2, f"a*1/a + {_INSIDE}", real("z") | positive("a"), {
    "This is the posted line again.": _INSIDE,
    "The sign: the upper limit moves outward, so it adds.": f"{_INSIDE} - 1",
    "At the edge stands f times the density, a times 1/a, not the density alone.": f"{_INSIDE} + 1/a",
    "That is what the edge adds; the density inside falls too.": "a*1/a",
})
check_lost_edges = WrongLine(
    "lost_edges() → (number, \"line\"), (number, \"line\"): each wrong line, and what it should be (notebook 06).",
    [_JUMP, _SUPPORT], "a limit of the integral moves with the parameter, and what it adds was lost in both.")


# ---------------------------------------------------------------- fewer latents

_PIXELS, _LATENTS, _PICTURES, _N_PAIRS = 4, 3, 5, 2_000


def _linear_vae() -> tuple[Any, Tensor]:
    """A VAE whose decoder is linear, and two examples, so that the variances are known."""
    g = torch.Generator().manual_seed(6)
    encoder = GaussianEncoder(nn.Identity(), _PIXELS, _LATENTS)
    model = VAE(encoder, nn.Linear(_LATENTS, _PIXELS), GaussianLikelihood(0.7), (_PIXELS,))
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *model.decoder.parameters()):
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=g))
    return model, 2.5 + torch.randn(_PICTURES, _PIXELS, generator=g)


def _exact_variances(model: Any, x: Tensor) -> tuple[float, float, float]:
    """Of one draw's gradient in mu, summed over latents, mean over examples: pathwise, leave-one-out of two draws, score.

    With z = μ + σ·eps the distance f is a quadratic form in eps, with the slope b at 0 and the second derivatives H.
    """
    with torch.no_grad():
        mu, logvar = model.encode(x)
        sigma, weight, noise = (0.5 * logvar).exp(), model.decoder.weight, model.likelihood.sigma**2
        found = torch.zeros(3)
        for k in range(len(x)):
            a = weight.T @ weight / noise
            b = sigma[k] * (weight.T @ (model.decode(mu)[k] - x[k])) / noise
            h = sigma[k, :, None] * a * sigma[k]
            square, at_mu = (h @ h).diagonal(), -model.likelihood.log_prob(x, model.decode(mu))[k]
            spread, mean = b @ b + square.sum() / 2, at_mu + h.trace() / 2                      # Var f and E f
            centred = ((spread + 2 * b**2 + 2 * square - b**2) / sigma[k]**2).sum()
            found += torch.stack([(square / sigma[k]**2).sum(),
                                  centred + ((spread + b**2) / sigma[k]**2).sum(),
                                  centred + ((mean**2 + 2 * mean * h.diagonal()) / sigma[k]**2).sum()])
    pathwise, leave_one_out, score = (found / len(x)).tolist()
    return pathwise, leave_one_out, score


_model, _x = _linear_vae()
_PATHWISE, _LEAVE_ONE_OUT, _SCORE = _exact_variances(_model, _x)


def _measured(answer: Callable) -> SimpleNamespace:
    value = answer(_linear_vae()[0], _x.clone(), _N_PAIRS)
    predicted, pathwise, leave_one_out = map(as_number, parts_of(value, 3) or 3 * (math.nan,))
    return SimpleNamespace(right=_PATHWISE, right_score=_LEAVE_ONE_OUT, returned=value, predicted=predicted,
                           pathwise=pathwise, leave_one_out=leave_one_out,
                           ratio=leave_one_out / pathwise if pathwise else math.nan)


def _near(value: float, exact: float) -> bool:
    """Within a third: 2,000 pairs of draws tell a variance to a few hundredths."""
    return value > 0 and abs(math.log(value / exact)) < 0.3


def _sampled(predicted: object = 20.0, own: bool = False, baseline: bool = True, per_draw: int = 2, half: float = 0.5,
             spread: Callable = lambda g: g.var(0), over: Callable = lambda v: v.sum(1).mean()) -> Callable:
    """The answer that samples so; a right one, or one with something wrong."""
    def fewer_latents(model: VAE, x: Tensor, n: int):
        with torch.no_grad():
            mu, logvar = model.encode(x)
        sigma = torch.exp(half * logvar)
        eps = torch.randn(n, 2, *mu.shape)
        z = (mu + sigma * eps).requires_grad_()
        f = -model.likelihood.log_prob(x.expand(n, 2, *x.shape).flatten(0, 2), model.decode(z.flatten(0, 2))).view(n, 2, -1)
        paths, = torch.autograd.grad(f.sum(), z)
        others = f.mean(1, keepdim=True) if own else f.flip(1)
        scores = (f - others * baseline).detach().unsqueeze(-1) * eps / sigma
        return predicted, over(spread(paths[:, 0])), per_draw * over(spread(scores.mean(1)))
    return fewer_latents


check_fewer_latents = Inspection(
    "fewer_latents(model, x, n) → your prediction of the ratio, and the variances of one draw's gradient in mu by the\n"
    "pathwise estimate and by leave-one-out of two draws, summed over latents, mean over examples (notebook 06).",
    _measured, _sampled(), {
    "Return three things: the ratio that you predict, and the two variances.":
        (lambda seen: not parts_of(seen.returned, 3), lambda *arguments: _sampled()(*arguments)[1:]),
    "Predict first: write down the ratio that you expect for two latents, a number above 0.":
        (lambda seen: not seen.predicted > 0, _sampled(predicted=None), _sampled(predicted=-1.0)),
    "Each variance is one number: sum over the latents, then take the mean over the pictures.":
        (lambda seen: math.isnan(seen.pathwise) or math.isnan(seen.leave_one_out), _sampled(over=lambda v: v.sum(1))),
    "The variances are summed over the latents, and their mean is taken over the pictures: yours is {seen.pathwise:.3g}.":
        (lambda seen: _near(seen.pathwise, _PATHWISE / _LATENTS) or _near(seen.pathwise, _PATHWISE * _PICTURES),
         _sampled(over=Tensor.mean), _sampled(over=Tensor.sum)),
    "The pathwise variance should be near {seen.right:.3g} on a linear decoder, and is {seen.pathwise:.3g}.":
        (lambda seen: not _near(seen.pathwise, _PATHWISE), _sampled(half=1.0), _sampled(spread=lambda g: (g**2).mean(0))),
    "Leave-one-out averages two draws, which halves its variance: multiply by 2 for the variance of one.":
        (lambda seen: _near(seen.leave_one_out, _LEAVE_ONE_OUT / 2), _sampled(per_draw=1)),
    "The baseline is missing: subtract from each f the f of the other draw.":
        (lambda seen: _near(seen.leave_one_out, _SCORE), _sampled(baseline=False)),
    "Each draw's baseline is the other draw alone: with its own f in the mean the estimate is half of what it should be.":
        (lambda seen: _near(seen.leave_one_out, _LEAVE_ONE_OUT / 4), _sampled(own=True)),
    "Pathwise is right. Leave-one-out's variance should be near {seen.right_score:.3g}, and is {seen.leave_one_out:.3g}.":
        (lambda seen: not _near(seen.leave_one_out, _LEAVE_ONE_OUT), _sampled(per_draw=30)),
}, "a ratio of {seen.ratio:.1f} on a linear decoder. Now call it with both networks, and compare with your prediction of\n"
   "{seen.predicted:g}.")
