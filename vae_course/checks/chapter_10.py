"""Checks of the exercises of notebook 10."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, Wrong, compare, verdict


def check_best_latent(best_latent: Callable[[float, float, float], tuple[float, float]]) -> Verdict:
    """best_latent(S, T, beta) → (w², rate in nats) at the optimum of the linear β-VAE in one direction (notebook 10)."""
    def answer(weight: Callable, rate: Callable, on: Callable = lambda S, T, beta: S > beta * T) -> Callable:
        return lambda S, T, beta: (weight(S, T, beta), rate(S, T, beta)) if on(S, T, beta) else (0.0, 0.0)

    def weight(S, T, beta):
        return S - beta * T

    def rate(S, T, beta):
        return 0.5 * math.log(S / (beta * T))

    def always(S, T, beta):
        return True

    return compare(
        best_latent, answer(weight, rate), [(3.0, 0.5, 4.0), (1.0, 0.5, 4.0), (2.0, 0.7, 0.5), (0.3, 1.0, 1.0),
                                          (0.3, 0.5, 0.5), (2.0, 1.5, 1.2)], {
            "Below the threshold S = βT nothing is switched on: both are 0.": answer(weight, rate, always),
            "Right above the threshold. Below it the latent is off: w² = 0 and the rate is 0, not negative.":
                lambda *case: (max(weight(*case), 0.0), rate(*case)),
            "β multiplies T, the price of a nat, in the threshold and in w².":
                answer(lambda S, T, beta: S - T, lambda S, T, beta: 0.5 * math.log(S / T), lambda S, T, beta: S > T),
            "That is w; return its square S − βT.": answer(lambda *case: math.sqrt(weight(*case)), rate),
            "The ½ is missing: the rate is −½ log v with v = βT/S.": answer(weight, lambda *case: 2 * rate(*case)),
            "That is in bits: nats have the natural logarithm.": answer(weight, lambda *case: rate(*case) / math.log(2)),
            "The sign: a rate is never negative.": answer(weight, lambda *case: -rate(*case)),
            "T is a variance already: do not square it.": answer(
                lambda S, T, beta: S - beta * T**2, lambda S, T, beta: 0.5 * math.log(S / (beta * T**2)),
                lambda S, T, beta: S > beta * T**2),
            "The order is (w², rate).": lambda *case: answer(weight, rate)(*case)[::-1],
        }, "w² = S − βT and ½ log(S/βT) nats, or nothing at all.")


def check_predict(predict: Callable[[Tensor, float, float], tuple[int, float]]) -> Verdict:
    """predict(eigenvalues, T, beta) → (latents that are on, total rate in nats) of a linear β-VAE (notebook 10)."""
    def count(eigenvalues, T, beta):
        return (eigenvalues > beta * T).sum()

    def rate(eigenvalues, T, beta):
        return 0.5 * torch.log(eigenvalues / (beta * T)).clamp(min=0).sum()

    def answer(how_many: Callable, nats: Callable) -> Callable:
        return lambda *case: (how_many(*case), nats(*case))

    spectrum = torch.tensor([5.0, 3.0, 1.2, 0.7, 0.2])
    return compare(
        predict, answer(count, rate), [(spectrum, 0.5, 2.0), (spectrum, 0.5, 4.0), (spectrum.flip(0), 0.2, 0.5),
                                       (spectrum.flip(0), 0.5, 2.0), (spectrum, 1.0, 6.0)], {
            "Only latents above the threshold pay: the others have a rate of 0, not a negative one.":
                answer(count, lambda eigenvalues, T, beta: 0.5 * torch.log(eigenvalues / (beta * T)).sum()),
            "The ½ is missing.": answer(count, lambda *case: 2 * rate(*case)),
            "That is in bits: nats have the natural logarithm.": answer(count, lambda *case: rate(*case) / math.log(2)),
            "The threshold is βT, not T.": lambda eigenvalues, T, beta: answer(count, rate)(eigenvalues, T, 1.0),
            "The total rate is a sum over the latents, not a mean.": answer(
                count, lambda eigenvalues, T, beta: rate(eigenvalues, T, beta) / count(eigenvalues, T, beta).clamp(min=1)),
            "Sum the logarithms: the logarithm of a sum is not their sum.": answer(
                count, lambda eigenvalues, T, beta: 0.5 * torch.log(
                    (eigenvalues[eigenvalues > beta * T] / (beta * T)).sum().clamp(min=1))),
            "On are those above the threshold.": answer(
                lambda eigenvalues, T, beta: (eigenvalues <= beta * T).sum(), rate),
            "That is the sum of the squared weights S − βT: the rate is a logarithm.": answer(
                count, lambda eigenvalues, T, beta: (eigenvalues - beta * T).clamp(min=0).sum()),
            "The order is (latents that are on, rate).": lambda *case: answer(count, rate)(*case)[::-1],
        }, "count what lies above βT, and add ½ log(S/βT) for each.")


def check_free_bits(free_bits: Callable[[Tensor, float], Tensor]) -> Verdict:
    """free_bits(kl, floor), kl (B, Z) nats → the scalar Σ_j max(floor, mean over the batch of kl_j) (notebook 10)."""
    g = torch.Generator().manual_seed(10)
    kl = torch.rand(6, 4, generator=g) * torch.tensor([2.0, 0.6, 0.3, 0.01])
    return compare(
        free_bits, lambda kl, floor: kl.mean(0).clamp(min=floor).sum(),
        [(kl, 0.25), (kl, 0.0), (5 * kl[:3], 0.5), (torch.zeros(2, 3), 0.1)], {
            "Average over the batch before the floor: single examples may have less.":
                lambda kl, floor: kl.clamp(min=floor).mean(0).sum(),
            "The floor holds for each latent, not for their sum.": lambda kl, floor: kl.sum(1).mean().clamp(min=floor),
            "You put the floor under the sum of each example: it holds for each latent, after the mean over the batch.":
                lambda kl, floor: kl.sum(1).clamp(min=floor).mean(),
            "The nats below the floor are free, those above are not: that is min. Take max.":
                lambda kl, floor: kl.mean(0).clamp(max=floor).sum(),
            "You subtract the floor; it replaces a smaller KL: max(floor, kl).":
                lambda kl, floor: (kl.mean(0) - floor).clamp(min=0).sum(),
            "The latents are added, not averaged.": lambda kl, floor: kl.mean(0).clamp(min=floor).mean(),
            "Average over the batch, do not add.": lambda kl, floor: kl.sum(0).clamp(min=floor).sum(),
            "The axes: axis 0 holds the examples, axis 1 the latents.": lambda kl, floor: kl.mean(1).clamp(min=floor).sum(),
            "Without a floor that is the KL term of the ELBO.": lambda kl, floor: kl.mean(0).sum(),
        }, "Σ_j max(floor, mean KL of latent j): below the floor its gradient is 0.")


ILLNESSES = ("collapse", "no price", "learning rate", "overfitting", "healthy")


def check_diagnose(diagnose: Callable[[dict[str, list[float]]], str]) -> Verdict:
    """diagnose(log) → the illness of a training, from its columns "train_recon", "train_kl", "train_elbo", and the same
    with "validation_", one number per epoch (notebook 10)."""
    def check() -> str:
        for case, (illness, log) in enumerate(made_up_logs()):
            got = diagnose({name: list(column) for name, column in log.items()})
            if got not in ILLNESSES:
                raise Wrong(f"Return one of {', '.join(map(repr, ILLNESSES))}; got {got!r}.")
            if got != illness:
                last = ", ".join(f"{name} {column[-1]:.1f}" for name, column in log.items())
                raise Wrong(f"Log {case + 1} of {3 * len(ILLNESSES)} is a case of {illness!r}, and you said {got!r}. "
                            f"{SIGNS[illness]} Its last epoch: {last}.")
        return "Right: all logs recognised."
    return verdict(check)


SIGNS = {
    "collapse": "The rate is near 0 from the first epochs on.",
    "no price": "The rate grows far beyond what a picture is worth, and the ELBO falls although reconstruction improves.",
    "learning rate": "The training ELBO falls again and again, by nats, and the validation ELBO with it.",
    "overfitting": "The validation ELBO has fallen since its best epoch, and lies far below the training ELBO, which rises.",
    "healthy": "Training and validation ELBO rise together, be there a gap or not, and the rate is tens of nats.",
}


def made_up_logs() -> list[tuple[str, dict[str, list[float]]]]:
    """Three logs of each illness: curves of the shape that trainings on MNIST have, with noise; nats per example."""
    g = torch.Generator().manual_seed(4)
    made = []
    for k in range(3):
        for illness in ILLNESSES:
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
