"""Checks of the exercises of notebook 05."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_course.checks.verdict import Verdict, compare


def check_expected_distance(expected_distance: Callable[[float, Tensor, Tensor, Tensor], Tensor]) -> Verdict:
    """expected_distance(x, w, mu, sigma) → E(x − Σ w_j z_j)² for independent z_j ~ N(mu_j, sigma_j²) (notebook 05)."""
    def bias(x, w, mu):
        return (x - (w * mu).sum()) ** 2

    cases = [(1.0, torch.tensor([1.5, -0.7, 0.4]), torch.tensor([0.5, 1.0, -2.0]), torch.tensor([0.4, 1.3, 0.6])),
             (-2.0, torch.tensor([0.3, 2.0]), torch.tensor([1.0, -0.5]), torch.tensor([2.0, 0.1])),
             (0.5, torch.tensor([2.0]), torch.tensor([-1.0]), torch.tensor([0.0]))]
    return compare(
        expected_distance, lambda x, w, mu, sigma: bias(x, w, mu) + (w ** 2 * sigma ** 2).sum(), cases, {
            "That is the distance at the centre; the noise is missing.": lambda x, w, mu, sigma: bias(x, w, mu),
            "The slip of a square: w_j·z_j has the variance w_j²·σ_j², not w_j·σ_j².":
                lambda x, w, mu, sigma: bias(x, w, mu) + (w * sigma ** 2).sum(),
            "sigma is a standard deviation: its square is the variance.":
                lambda x, w, mu, sigma: bias(x, w, mu) + (w ** 2 * sigma).sum(),
            "You added the standard deviations before squaring: the variances of independent noises add.":
                lambda x, w, mu, sigma: bias(x, w, mu) + (w * sigma).sum() ** 2,
            "The noise does not know the weights: it passes through the generator, which multiplies it by w_j.":
                lambda x, w, mu, sigma: bias(x, w, mu) + (sigma ** 2).sum(),
            "The sign of the noise: it adds to the distance.":
                lambda x, w, mu, sigma: bias(x, w, mu) - (w ** 2 * sigma ** 2).sum(),
            "Sum over the latents first, and square the error of the whole sum.":
                lambda x, w, mu, sigma: ((x - w * mu) ** 2 + w ** 2 * sigma ** 2).sum(),
        }, "(x − Σ w_j μ_j)² + Σ w_j² σ_j².")


def check_noise_share(noise_share: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """noise_share(mu, logvar), (B, Z) each → (Z,): mean of σ² over (mean of σ² + variance of μ) (notebook 05)."""
    g = torch.Generator().manual_seed(7)
    mu, logvar = torch.randn(5, 3, generator=g), torch.randn(5, 3, generator=g) - 1
    cases = [(mu, logvar), (10 * mu, logvar + 2 * math.log(10)), (0 * mu, logvar), (torch.randn(4, 2, generator=g) + 3,
                                                                                   torch.full((4, 2), -30.0))]

    def share(noise: Callable[[Tensor], Tensor], correction: int = 0) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda mu, logvar: noise(logvar) / (noise(logvar) + mu.var(0, correction=correction))

    def variance(logvar):
        return logvar.exp().mean(0)

    return compare(
        noise_share, share(variance), cases, {
            "Divide by B in the variance: mu.var(0, correction=0).": share(variance, correction=1),
            "That is the share of the means: the noise share is 1 minus it.":
                lambda mu, logvar: mu.var(0, correction=0) / (variance(logvar) + mu.var(0, correction=0)),
            "That is noise over signal: divide by the whole variance, noise + variance of mu.":
                lambda mu, logvar: variance(logvar) / mu.var(0, correction=0),
            "That is the mean σ: it changes with the unit of the codes. Compare variances.":
                lambda mu, logvar: (logvar / 2).exp().mean(0),
            "That is the mean σ²: it changes with the unit of the codes. Divide by the variance of the codes.":
                lambda mu, logvar: variance(logvar),
            "Average σ², not log σ²: take exp before the mean.": share(lambda logvar: logvar.mean(0).exp()),
            "You squared the mean σ: average the variances σ² = exp(logvar).":
                share(lambda logvar: (logvar / 2).exp().mean(0) ** 2),
            "You used σ as if it were σ²: exp(logvar) is the variance already.":
                share(lambda logvar: (logvar / 2).exp().mean(0)),
            "Axis 0 holds the pictures: average over it, and keep the latents apart.":
                lambda mu, logvar: (logvar.exp().mean(1) / (logvar.exp().mean(1) + mu.var(1, correction=0))),
            "One share for each latent: do not average over the latents.":
                lambda mu, logvar: share(variance)(mu, logvar).mean(),
        }, "mean σ² / (mean σ² + variance of μ), the same in every unit of the codes.", tolerance=1e-5)


def check_priced_sigma(priced_sigma: Callable[[float, float, float], float]) -> Verdict:
    """priced_sigma(w, tau, beta) → the σ that minimises w²σ²/(2τ²) + β·½(σ² − 1 − log σ²) (notebook 05)."""
    def root(top: Callable, bottom: Callable) -> Callable:
        return lambda w, tau, beta: math.sqrt(top(w, tau, beta) / bottom(w, tau, beta))

    def sum_with_beta(w, tau, beta):
        return beta * tau ** 2 + w ** 2

    def sum_without_beta(w, tau, beta):
        return tau ** 2 + w ** 2

    right = root(lambda w, tau, beta: beta * tau ** 2, sum_with_beta)
    return compare(
        priced_sigma, right, [(1.5, 0.6, 0.5), (0.7, 1.2, 4.0), (2.0, 0.5, 0.0), (0.0, 0.3, 1.0)], {
            "That is the variance σ*²; the standard deviation is its square root.":
                lambda w, tau, beta: right(w, tau, beta) ** 2,
            "That is the answer at β = 1: the slope of the KL term is multiplied by β.":
                root(lambda w, tau, beta: tau ** 2, sum_without_beta),
            "β is only in the numerator: solve w²/τ² + β(1 − 1/v) = 0 for v again.":
                root(lambda w, tau, beta: beta * tau ** 2, sum_without_beta),
            "β multiplies the wrong term: it weighs the KL, not the distance.":
                root(lambda w, tau, beta: tau ** 2, lambda w, tau, beta: tau ** 2 + beta * w ** 2),
            "tau is a standard deviation: τ² stands in the loss.":
                root(lambda w, tau, beta: beta * tau, lambda w, tau, beta: beta * tau + w ** 2),
            "The slip of a square: the noise costs w²σ², not wσ².":
                root(lambda w, tau, beta: beta * tau ** 2, lambda w, tau, beta: beta * tau ** 2 + w),
            "The two terms are swapped: this is small where the generator's noise is large.":
                root(lambda w, tau, beta: w ** 2, sum_with_beta),
        }, "σ* = √(βτ²/(βτ² + w²)): 0 at β = 0, and 1 if w = 0.")


def check_code_information(code_information: Callable[[float, float], float]) -> Verdict:
    """code_information(a, q) → I(x; z) in nats for z | x ~ N(a·x, q), x ~ N(0, 1) (notebook 05)."""
    return compare(
        code_information, lambda a, q: 0.5 * math.log(1 + a ** 2 / q),
        [(0.8, 0.5), (3.0, 0.1), (-0.8, 0.36), (0.0, 1.0), (0.0, 0.2)], {
            "That is the mean KL to the prior. It is the information only if the aggregated posterior is the prior, "
            "which here is N(0, a² + q).": lambda a, q: 0.5 * (a ** 2 + q - 1 - math.log(q)),
            "That holds only if a² + q = 1: compare with the aggregated posterior N(0, a² + q).":
                lambda a, q: -0.5 * math.log(q),
            "That is in bits: nats have the natural logarithm.": lambda a, q: 0.5 * math.log2(1 + a ** 2 / q),
            "The ½ is missing: the logarithm of a standard deviation is half that of a variance.":
                lambda a, q: math.log(1 + a ** 2 / q),
            "The sign: information is never negative.": lambda a, q: -0.5 * math.log(1 + a ** 2 / q),
            "The slip of a square: the means a·x have the variance a².": lambda a, q: 0.5 * math.log(1 + abs(a) / q),
            "q is the variance already: do not square it.": lambda a, q: 0.5 * math.log(1 + a ** 2 / q ** 2),
        }, "½ log(1 + a²/q) nats: 0 if the cloud does not move with x.")
