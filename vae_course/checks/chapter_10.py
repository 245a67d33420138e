"""Checks of the exercises of notebook 10."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.check import But, Check


def _latent(S, T, beta, *, always=False):
    return (S - beta * T, 0.5 * math.log(S / (beta * T))) if always or S > beta * T else (0.0, 0.0)


check_best_latent = Check(
    "best_latent(S, T, beta) → (w², rate in nats) at the optimum of the linear β-VAE in one direction (notebook 10).",
    _latent, [(3.0, 0.5, 4.0), (1.0, 0.5, 4.0), (2.0, 0.7, 0.5), (0.3, 1.0, 1.0), (0.3, 0.5, 0.5), (2.0, 1.5, 1.2)], {
    "Below the threshold S = βT nothing is switched on: both are 0.": lambda *case: _latent(*case, always=True),
    "Right above the threshold. Below it the latent is off: w² = 0 and the rate is 0, not negative.":
        lambda *case: (_latent(*case)[0], _latent(*case, always=True)[1]),
    "β multiplies T, the price of a nat, in the threshold and in w².": lambda S, T, _: _latent(S, T, 1.0),
    "That is w; return its square S − βT.": But(lambda weight, rate: (math.sqrt(weight), rate)),
    "The ½ is missing: the rate is −½ log v with v = βT/S.": But(lambda weight, rate: (weight, 2 * rate)),
    "That is in bits: nats have the natural logarithm.": But(lambda weight, rate: (weight, rate / math.log(2))),
    "The sign: a rate is never negative.": But(lambda weight, rate: (weight, -rate)),
    "T is a variance already: do not square it.": lambda S, T, beta: _latent(S, T**2, beta),
    "The order is (w², rate).": But(lambda weight, rate: (rate, weight)),
}, "w² = S − βT and ½ log(S/βT) nats, or nothing at all.")


def _predicted(eigenvalues: Tensor, T: float, beta: float) -> tuple[Tensor, Tensor]:
    return (eigenvalues > beta * T).sum(), 0.5 * torch.log(eigenvalues / (beta * T)).clamp(min=0).sum()


def _with_nats(nats: Callable) -> Callable:
    """The right number of latents, with another rate made of the eigenvalues and βT."""
    return lambda S, T, beta: (_predicted(S, T, beta)[0], nats(S, beta * T))


_spectrum = torch.tensor([5.0, 3.0, 1.2, 0.7, 0.2])

check_predict = Check(
    "predict(eigenvalues, T, beta) → (latents that are on, total rate in nats) of a linear β-VAE (notebook 10).",
    _predicted, [(_spectrum, 0.5, 2.0), (_spectrum, 0.5, 4.0), (_spectrum.flip(0), 0.2, 0.5),
                 (_spectrum.flip(0), 0.5, 2.0), (_spectrum, 1.0, 6.0)], {
    "Only latents above the threshold pay: the others have a rate of 0, not a negative one.":
        _with_nats(lambda S, price: 0.5 * torch.log(S / price).sum()),
    "The ½ is missing.": But(lambda count, nats: (count, 2 * nats)),
    "That is in bits: nats have the natural logarithm.": But(lambda count, nats: (count, nats / math.log(2))),
    "The threshold is βT, not T.": lambda S, T, beta: _predicted(S, T, 1.0),
    "The total rate is a sum over the latents, not a mean.": But(lambda count, nats: (count, nats / count.clamp(min=1))),
    "Sum the logarithms: the logarithm of a sum is not their sum.": _with_nats(
        lambda S, price: 0.5 * torch.log((S[S > price] / price).sum().clamp(min=1))),
    "On are those above the threshold.": lambda S, *rest: (len(S) - _predicted(S, *rest)[0], ...),
    "That is the sum of the squared weights S − βT: the rate is a logarithm.":
        _with_nats(lambda S, price: (S - price).clamp(min=0).sum()),
    "The order is (latents that are on, rate).": But(lambda count, nats: (nats, count)),
}, "count what lies above βT, and add ½ log(S/βT) for each.")

_kl = torch.rand(6, 4, generator=torch.Generator().manual_seed(10)) * torch.tensor([2.0, 0.6, 0.3, 0.01])

check_free_bits = Check(
    "free_bits(kl, floor), kl (B, Z) nats → the scalar Σ_j max(floor, mean over the batch of kl_j) (notebook 10).",
    lambda kl, f: kl.mean(0).clamp(min=f).sum(),
    # in the last case the first example has less than the floor in all its latents together, and the mean has more
    [(_kl, 0.25), (_kl, 0.0), (5 * _kl[:3], 0.5), (torch.zeros(2, 3), 0.1), (torch.tensor([[0.1, 0.2], [0.3, 1.9]]), 0.6)], {
    "Average over the batch before the floor: single examples may have less.": lambda kl, f: kl.clamp(min=f).mean(0).sum(),
    "The floor holds for each latent, not for their sum.": lambda kl, f: kl.sum(1).mean().clamp(min=f),
    "You put the floor under the sum of each example: it holds for each latent, after the mean over the batch.":
        lambda kl, f: kl.sum(1).clamp(min=f).mean(),
    "The nats below the floor are free, those above are not: that is min. Take max.":
        lambda kl, f: kl.mean(0).clamp(max=f).sum(),
    "You subtract the floor; it replaces a smaller KL: max(floor, kl).": lambda kl, f: (kl.mean(0) - f).clamp(min=0).sum(),
    "The latents are added, not averaged.": lambda kl, f: kl.mean(0).clamp(min=f).mean(),
    "Average over the batch, do not add.": lambda kl, f: kl.sum(0).clamp(min=f).sum(),
    "The axes: axis 0 holds the examples, axis 1 the latents.": lambda kl, f: kl.mean(1).clamp(min=f).sum(),
    "Without a floor that is the KL term of the ELBO.": lambda kl, f: kl.mean(0).sum(),
}, "Σ_j max(floor, mean KL of latent j): below the floor its gradient is 0.")


_SIGNS = {
    "collapse": "The rate is near 0 from the first epochs on.",
    "no price": "The rate grows far beyond what a picture is worth, and the ELBO falls although reconstruction improves.",
    "learning rate": "The training ELBO falls again and again, by nats, and the validation ELBO with it.",
    "overfitting": "The validation ELBO has fallen since its best epoch, and lies far below the training ELBO, which rises.",
    "healthy": "Training and validation ELBO rise together, be there a gap or not, and the rate is tens of nats.",
}


def _made_up_logs() -> list[tuple[str, dict[str, list[float]]]]:
    """Three logs of each illness: curves of the shape that trainings on MNIST have, with noise; nats per example."""
    g = torch.Generator().manual_seed(4)
    made = []
    for k in range(3):
        for illness in _SIGNS:
            n = int(torch.randint(8, 25, (), generator=g))
            t = torch.linspace(0, 1, n)
            recon, kl = -95 - 25 * k - 80 * torch.exp(-6 * t), 24 - 10 * torch.exp(-8 * t)
            gap, rough = 0.7 + 12 * k * (1 - torch.exp(-6 * t)), 0.15
            if illness == "collapse":
                recon, kl, gap = -206 - 12 * torch.exp(-6 * t), 0.05 + 2 * torch.exp(-12 * t), 0.7 + 0 * t
            if illness == "no price":
                recon, kl = -60 - 80 * torch.exp(-5 * t), 150 + 600 * t
            if illness == "learning rate":  # once up and down a good curve, else near the mean digit
                gap, rough = 0.7 + 0 * t, 6.0
                if k != 1:
                    recon, kl, rough = -200 - 30 * torch.exp(-30 * t), 4 + 0 * t, 4.0
            if illness == "overfitting":
                recon, gap = -95 - 80 * torch.exp(-6 * t) + (35 - 7 * k) * t, 1 + (70 - 12 * k) * t**1.5
            kl = kl * (1 + 0.1 * torch.rand((), generator=g))
            noise = rough * torch.randn(2, n, generator=g)
            parts = {"train": recon + noise[0], "validation": recon - gap + noise[1]}
            log = {f"{part}_{name}": column.tolist() for part, value in parts.items()
                   for name, column in (("recon", value), ("kl", kl), ("elbo", value - kl))}
            made.append((illness, log))
    return made


_LOGS = _made_up_logs()


def _misjudged(arguments: tuple, got: str, illness: str) -> str:
    log, = arguments
    number = [log for _, log in _LOGS].index(log) + 1
    last = ", ".join(f"{name} {column[-1]:.1f}" for name, column in log.items())
    return (f"Log {number} of {len(_LOGS)} is a case of {illness!r}, and you said {got!r}. {_SIGNS[illness]} "
            f"Its last epoch: {last}.")


check_diagnose = Check(
    'diagnose(log) → the illness of a training, from its columns "train_recon", "train_kl", "train_elbo", and the same '
    'with "validation_", one number per epoch (notebook 10).',
    lambda log: next(illness for illness, made_up in _LOGS if made_up == log), [(log,) for _, log in _LOGS], {},
    "all logs recognised.", unlike=_misjudged,
    form=lambda value: "" if isinstance(value, str) and value in _SIGNS else
    f"Return one of {', '.join(map(repr, _SIGNS))}; got {value!r}.")
