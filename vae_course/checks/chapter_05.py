"""Checks of the exercises of notebook 05."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.checks.check import But, Check, Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import as_number, parts_of
from vae_course.derivations.tasks import Task, positive, real
from vae_course.models import VAE, GaussianEncoder


def _distance(noise: Callable[[Tensor, Tensor], Tensor | float]) -> Callable:
    """The distance at the centre, plus what the noise adds, made of the weights and the standard deviations."""
    return lambda x, w, mu, s: (x - (w * mu).sum()) ** 2 + noise(w, s)


check_expected_distance = Check(
    "expected_distance(x, w, mu, sigma) → E(x − Σ w_j z_j)² for independent z_j ~ N(mu_j, sigma_j²) (notebook 05).",
    _distance(lambda w, s: (w ** 2 * s ** 2).sum()),
    [(1.0, torch.tensor([1.5, -0.7, 0.4]), torch.tensor([0.5, 1.0, -2.0]), torch.tensor([0.4, 1.3, 0.6])),
     (-2.0, torch.tensor([0.3, 2.0]), torch.tensor([1.0, -0.5]), torch.tensor([2.0, 0.1])),
     (0.5, torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.0]))], {
    "That is the distance at the centre; the noise is missing.": _distance(lambda w, s: 0.0),
    "The slip of a square: w_j·z_j has the variance w_j²·σ_j², not w_j·σ_j².": _distance(lambda w, s: (w * s ** 2).sum()),
    "sigma is a standard deviation: its square is the variance.": _distance(lambda w, s: (w ** 2 * s).sum()),
    "You added the standard deviations before squaring: the variances of independent noises add.":
        _distance(lambda w, s: (w * s).sum() ** 2),
    "The noise does not know the weights: it passes through the generator, which multiplies it by w_j.":
        _distance(lambda w, s: (s ** 2).sum()),
    "The sign of the noise: it adds to the distance.": _distance(lambda w, s: -(w ** 2 * s ** 2).sum()),
    "Sum over the latents first, and square the error of the whole sum.":
        lambda x, w, mu, s: ((x - w * mu) ** 2 + w ** 2 * s ** 2).sum(),
}, "(x − Σ w_j μ_j)² + Σ w_j² σ_j².")


def _share(noise: Callable[[Tensor], Tensor], correction: int = 0) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda mu, v: noise(v) / (noise(v) + mu.var(0, correction=correction))


def _variance(logvar: Tensor) -> Tensor:
    return logvar.exp().mean(0)


_g = torch.Generator().manual_seed(7)
_mu, _logvar = torch.randn(5, 3, generator=_g), torch.randn(5, 3, generator=_g) - 1

check_noise_share = Check(
    "noise_share(mu, logvar), (B, Z) each → (Z,): mean of σ² over (mean of σ² + variance of μ) (notebook 05).",
    _share(_variance), [(_mu, _logvar), (10 * _mu, _logvar + 2 * math.log(10)), (0 * _mu, _logvar),
                        (torch.randn(4, 2, generator=_g) + 3, torch.full((4, 2), -30.0))], {
    "Divide by B in the variance: mu.var(0, correction=0).": _share(_variance, correction=1),
    "That is the share of the means: the noise share is 1 minus it.": But(lambda share: 1 - share),
    "That is noise over signal: divide by the whole variance, noise + variance of mu.":
        lambda mu, v: _variance(v) / mu.var(0, correction=0),
    "That is the mean σ: it changes with the unit of the codes. Compare variances.": lambda mu, v: (v / 2).exp().mean(0),
    "That is the mean σ²: it changes with the unit of the codes. Divide by the variance of the codes.":
        lambda mu, v: _variance(v),
    "Average σ², not log σ²: take exp before the mean.": _share(lambda v: v.mean(0).exp()),
    "You squared the mean σ: average the variances σ² = exp(logvar).": _share(lambda v: _variance(v / 2) ** 2),
    "You used σ as if it were σ²: exp(logvar) is the variance already.": _share(lambda v: _variance(v / 2)),
    "Axis 0 holds the pictures: average over it, and keep the latents apart.": lambda mu, v: _share(_variance)(mu.T, v.T),
    "One share for each latent: do not average over the latents.": But(torch.mean),
}, "mean σ² / (mean σ² + variance of μ), the same in every unit of the codes.", tolerance=1e-5)


_DISTANCE, _KL = "((x - w*mu)**2 + w**2*sigma**2)/(2*s**2)", "(mu**2 + sigma**2 - 1 - log(sigma**2))/2"
check_best_width = ProveIt(
    "best_width(d) → the derivation d with at least two steps from the slope in σ of distance + β·KL to a product that\n"
    "shows where the slope is 0 (notebook 05).",
    Task([(f"Derivative({_DISTANCE} + beta*{_KL}, sigma)", ""),
          ("w**2*sigma/s**2 + beta*(sigma - 1/sigma)", "only two terms of each part hold σ"),
          ("(w**2/s**2 + beta)*sigma - beta/sigma", "collect σ"),
          ("(w**2/s**2 + beta)*(sigma**2 - beta*s**2/(w**2 + beta*s**2))/sigma", "take the bracket out")],
         real("x w mu") | positive("sigma s beta"), mistakes={
        "β multiplies all of the KL: its pull −1/σ too.": "w**2*sigma/s**2 + beta*sigma - 1/sigma",
        "log σ² is 2 log σ: its slope in σ is 2/σ.": "w**2*sigma/s**2 + beta*(sigma - 1/(2*sigma))",
        "β weighs the KL, not the distance.": "beta*w**2*sigma/s**2 + sigma - 1/sigma",
        "That is the slope in σ²; here it is in σ.": "w**2/(2*s**2) + beta*(1 - 1/sigma**2)/2",
        "The slope of σ² is 2σ, and the 2 cancels with the ½: without σ, a factor is missing.":
            "w**2/s**2 + beta*(1 - 1/sigma)",
    }), 2, "{n} steps, each proved. The slope is 0 only at σ² = βs²/(w² + βs²).")

# ---------------------------------------------------------------- a quarter of the KL

_PIXELS, _LATENTS, _PICTURES = 6, 3, 40
_g = torch.Generator().manual_seed(5)
_WEIGHTS = {name: torch.randn(shape, generator=_g) for name, shape in
            {"mu": (_LATENTS, _PIXELS), "logvar": (_LATENTS, _PIXELS), "decode": (_PIXELS, _LATENTS)}.items()}
_X = torch.rand(_PICTURES, _PIXELS, generator=_g)


def _vae(beta: float) -> VAE:
    """What training with the weight beta might give: the more weight, the wider and the less unequal are the clouds."""
    encoder, decoder = GaussianEncoder(nn.Identity(), _PIXELS, _LATENTS), nn.Linear(_LATENTS, _PIXELS)
    with torch.no_grad():
        encoder.to_mu.weight.copy_(3 * _WEIGHTS["mu"])
        encoder.to_logvar.weight.copy_(_WEIGHTS["logvar"] / (1 + beta))
        encoder.to_logvar.bias.fill_(math.log(0.1 * (beta + 0.1)))
        decoder.weight.copy_(0.6 * _WEIGHTS["decode"])
        decoder.bias.copy_(beta * torch.arange(_PIXELS) / 5)
    return VAE(encoder, decoder, None, (_PIXELS,))


def _variance_of_all(logvar: Tensor) -> Tensor:
    return logvar.exp().mean()


def _sigma(beta: float, mean: Callable[[Tensor], Tensor] = lambda logvar: torch.exp(0.5 * logvar).mean()) -> float:
    with torch.no_grad():
        return mean(_vae(beta).encode(_X)[1]).item()


_RATIO = _sigma(0.25) / _sigma(1.0)


def _codes_of(pictures: Tensor, beta: float) -> tuple[Tensor, float]:
    """The codes (n, Z) whose decoder means these are, and by how much their logits differ: 0 if this model made them."""
    with torch.no_grad():
        weight, bias = (parameter.double() for parameter in _vae(beta).decoder.parameters())
        logits = pictures.double().flatten(1).logit() - bias
        codes = torch.linalg.lstsq(weight, logits.T).solution.T
        return codes, (codes @ weight.T - logits).abs().max().item()


def _tried(answer: Callable) -> SimpleNamespace:
    """What is returned, the weights that were trained with, and the pictures whose distance was measured."""
    betas: list[float] = []
    measured: list[tuple[float, Tensor]] = []

    def train(beta: float) -> VAE:
        betas.append(float(beta))
        return _vae(float(beta))

    def distance(pictures: Tensor) -> float:
        measured.append((pictures.double().square().mean().item(), pictures.detach()))
        return measured[-1][0]

    value = answer(train, _X.clone(), distance)
    predicted, ratio, *distances = map(as_number, parts_of(value, 4) or 4 * (math.nan,))
    made = dict(measured)
    sets = [made[number] for number in distances if number in made]
    known = len(sets) == 2
    means = known and all(x.numel() and 0 < x.min() and x.max() < 1 for x in sets)
    codes, errors = zip(*map(_codes_of, sets, (1.0, 0.25))) if means else ((), ())
    wide = [code.square().mean().sqrt().item() for code in codes] or [math.nan]
    return SimpleNamespace(
        returned=value, predicted=predicted, ratio=ratio, right=_RATIO, betas=sorted(set(betas)), means=means,
        known=known, n=min(map(len, sets), default=0),
        swapped=max(errors, default=0.0) > 0.01, wide=max(wide), least=min(wide))


def _quarter(predicted: object = 0.5, betas: tuple[float, ...] = (1.0, 0.25), n: int = 2000, width: float = 1.0,
             mean: Callable[[Tensor], Tensor] = lambda logvar: torch.exp(0.5 * logvar).mean(),
             picture: Callable[[VAE, Tensor], Tensor] = lambda vae, z: vae.likelihood.mean(vae.decode(z)),
             changed: Callable[..., tuple] = lambda *four: four, of_pictures: bool = False) -> Callable:
    """The answer that tries so; a right one, or one with something wrong."""
    def quarter_beta(train: Callable[[float], VAE], x: Tensor, distance: Callable[[Tensor], Any]):
        widths, distances = [], []
        with torch.no_grad():
            for beta in betas:
                vae = train(beta)
                mu, logvar = vae.encode(x)
                widths.append(mean(logvar))
                z = width * torch.randn(n, mu.shape[1])
                distances.append(distance(picture(vae, mu if of_pictures else z)))
        return changed(predicted, widths[1] / widths[0], *distances)
    return quarter_beta


check_quarter_beta = Inspection(
    "quarter_beta(train, x, distance) → your prediction of the ratio, the ratio of the mean σ at β = ¼ to that at β = 1,\n"
    "and the distances of decoder means of prior draws at β = 1 and at β = ¼ (notebook 05).",
    _tried, _quarter(), {
    "Return four things: the ratio that you predict, the ratio, and two distances, first at β = 1.":
        (lambda seen: not parts_of(seen.returned, 4), lambda *arguments: _quarter()(*arguments)[1:]),
    "Predict first: write down the ratio of the mean σ that you expect, a number above 0.":
        (lambda seen: not seen.predicted > 0, _quarter(predicted=None), _quarter(predicted=-0.5)),
    "Train with β = 1 and with β = 0.25; yours are {seen.betas}.":
        (lambda seen: seen.betas != [0.25, 1.0], _quarter(betas=(1.0, 4.0)), _quarter(betas=(1.0, 0.5))),
    "That is the ratio of β = 1 to β = ¼: turn it over.":
        (lambda seen: math.isclose(seen.ratio * _RATIO, 1, rel_tol=1e-3),
         _quarter(changed=lambda predicted, ratio, *both: (predicted, 1 / ratio, *both))),
    "σ is exp(½·logvar); exp(logvar) is the variance.":
        (lambda seen: math.isclose(seen.ratio, _sigma(0.25, _variance_of_all) / _sigma(1.0, _variance_of_all), rel_tol=1e-3),
         _quarter(mean=_variance_of_all)),
    "Take the mean of σ, after the exponential: the mean of logvar gives another number.":
        (lambda seen: math.isclose(seen.ratio, math.exp((_sigma(0.25, Tensor.mean) - _sigma(1.0, Tensor.mean)) / 2),
                                   rel_tol=1e-3), _quarter(mean=lambda logvar: torch.exp(0.5 * logvar.mean()))),
    "The ratio of the mean σ should be {seen.right:.3f} for these two models, and is {seen.ratio:.3f}.":
        (lambda seen: not math.isclose(seen.ratio, _RATIO, rel_tol=1e-3), _quarter(mean=lambda logvar: logvar.mean())),
    "A distance that you return is none that `distance(pictures)` gave.":
        (lambda seen: not seen.known, _quarter(changed=lambda predicted, ratio, a, b: (predicted, ratio, a, 2 * b))),
    "The order: first the distance at β = 1, then that at β = ¼.":
        (lambda seen: seen.swapped, _quarter(changed=lambda predicted, ratio, a, b: (predicted, ratio, b, a))),
    "Decoder means lie between 0 and 1: `vae.likelihood.mean` makes them of the logits. (And draws are 0 or 1.)":
        (lambda seen: not seen.means, _quarter(picture=lambda vae, z: vae.decode(z)),
         _quarter(picture=lambda vae, z: torch.bernoulli(torch.sigmoid(vae.decode(z))))),
    "Codes are drawn from the prior N(0, I), not from the clouds of x: yours have a root mean square of {seen.wide:.2f}.":
        (lambda seen: not 0.8 < seen.least <= seen.wide < 1.25, _quarter(of_pictures=True), _quarter(width=0.3)),
    "A distance of {seen.n} pictures is mostly noise: draw at least 500.":
        (lambda seen: seen.n < 500, _quarter(n=100)),
}, "a ratio of {seen.ratio:.2f} in these two small models. Now call it with MNIST: was {seen.predicted:g} near?")

# ---------------------------------------------------------------- information

check_code_information = Check(
    "code_information(a, sigma) → I(x; z) in nats for z | x ~ N(a·x, sigma²), x ~ N(0, 1) (notebook 05).",
    lambda a, s: 0.5 * math.log(1 + (a / s) ** 2), [(0.8, 0.7), (3.0, 0.3), (-0.8, 0.6), (0.0, 1.0), (0.0, 0.4)], {
    "That is the mean KL to the prior. It is the information only if the aggregated posterior is the prior, "
    "which here is N(0, a² + σ²).": lambda a, s: 0.5 * (a ** 2 + s ** 2 - 1) - math.log(s),
    "That holds only if a² + σ² = 1: compare with the aggregated posterior N(0, a² + σ²).": lambda a, s: -math.log(s),
    "That is in bits: nats have the natural logarithm.": But(lambda i: i / math.log(2)),
    "The ½ is missing: the logarithm of a standard deviation is half that of a variance.": But(lambda i: 2 * i),
    "The sign: information is never negative.": But(lambda i: -i),
    "The slip of a square: the means a·x have the variance a².": lambda a, s: 0.5 * math.log(1 + abs(a) / s ** 2),
    "sigma is a standard deviation: its square is the variance.": lambda a, s: 0.5 * math.log(1 + a ** 2 / s),
}, "½ log(1 + a²/σ²) nats: 0 if the cloud does not move with x.")
