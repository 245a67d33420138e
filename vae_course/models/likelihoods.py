"""Likelihoods p(x|z): what the decoder's output means."""

import math
import numbers

import torch
from torch import Tensor, nn

from vae_course.densities import (
    bernoulli_log_likelihood,
    continuous_bernoulli_log_likelihood,
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
    softplus,
)

PIXEL_STEP = 1 / 255    # between two values of a pixel

def is_number(value: object) -> bool:
    """Whether this is one number, of Python, NumPy or torch."""
    return isinstance(value, numbers.Real) or isinstance(value, Tensor) and value.ndim == 0


def check_positive(**values: float) -> None:
    """Raise ValueError, naming the argument, unless each is a positive number."""
    for name, value in values.items():
        if not is_number(value) or not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive, got {value!r}")


class BernoulliLikelihood(nn.Module):
    """p(x|z) for binary pixels; the decoder's output is `recon_logits`."""

    def arguments(self) -> dict[str, float]:
        """What makes this likelihood again: nothing."""
        return {}

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        """(B, …) pixels and logits to (B,) nats."""
        return bernoulli_log_likelihood(x, recon)

    def mean(self, recon: Tensor) -> Tensor:
        """E[x|z], as recon: the picture that is usually shown."""
        return torch.sigmoid(recon)

    def sample(self, recon: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x, as recon: 0 or 1 for each pixel."""
        return torch.bernoulli(self.mean(recon), generator=generator)


class ContinuousBernoulliLikelihood(nn.Module):
    """p(x|z) on [0, 1] (Loaiza-Ganem & Cunningham 2019); the decoder's output is the logit l of λ."""

    def arguments(self) -> dict[str, float]:
        """What makes this likelihood again: nothing."""
        return {}

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        """(B, …) pixels and logits to (B,) nats."""
        return continuous_bernoulli_log_likelihood(x, recon)

    def mean(self, recon: Tensor) -> Tensor:
        """E[x|z], as recon: λ/(2λ−1) − 1/l, and ½ + l/12 near l = 0."""
        near_zero = recon.abs() < 0.1
        safe = torch.where(near_zero, 1.0, recon)
        return torch.where(near_zero, 0.5 + recon / 12, torch.sigmoid(safe) / torch.tanh(safe / 2) - 1 / safe)

    def sample(self, recon: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x in [0, 1], as recon, by inverting the distribution function F(x) = (e^{lx} − 1)/(e^l − 1)."""
        u = torch.rand(recon.shape, generator=generator, device=recon.device, dtype=recon.dtype)
        size = recon.abs().clamp(min=1e-4)  # l and −l are mirror images, and e^{−|l|} does not overflow
        below = 1 + torch.log(u + (1 - u) * torch.exp(-size)) / size
        return torch.where(recon < 0, 1 - below, below).clamp(0, 1)


class GaussianLikelihood(nn.Module):
    """p(x|z) = N(x; recon, σ²) with one σ for all pixels, fixed or learned with the network.

    Args:
        sigma: σ, at the start if it is learned.
        learn_sigma: whether σ is a parameter.
        least_sigma: what a learned σ stays above: σ² = least_sigma² + exp(logvar). Without it σ runs to zero where the
            pictures can be reproduced exactly, and log p(x|z) to infinity.

    A density is no probability. Of pixels k/255 with k = 0 … 255, dequantized by u ~ U(−½, ½), it gives
    E_u log p((k + u)/255) − D log 255 ≤ log P(k), in nats (Jensen: P(k) is the integral of p over cells of width 1/255);
    so `bits_per_dim(log p − D log 255, D)`. Without the noise u this is no bound.

    Source of the last: Theis, van den Oord & Bethge (2016), arXiv:1511.01844, §3.1.
    """

    output_is_mean = True

    def __init__(self, sigma: float = 1.0, learn_sigma: bool = False, least_sigma: float = 0.0):
        super().__init__()
        check_positive(sigma=sigma)
        if not is_number(least_sigma) or not 0 <= least_sigma < sigma:
            raise ValueError(f"least_sigma must be at least 0 and below sigma, {sigma}, at which learning begins, got "
                             f"{least_sigma!r}")
        start = 2 * math.log(sigma) + (math.log1p(-(least_sigma / sigma) ** 2) if least_sigma else 0.0)
        self.logvar = nn.Parameter(torch.tensor(start), requires_grad=learn_sigma)
        self.first_sigma, self.least_sigma = float(sigma), float(least_sigma)

    def extra_repr(self) -> str:
        least = f", at least {self.least_sigma:.6g}" if self.least_sigma else ""
        return f"sigma learned{least}" if self.logvar.requires_grad else f"sigma={self.sigma.item():.6g}"

    def arguments(self) -> dict[str, float | bool]:
        """What makes this likelihood again, with its first σ: plain numbers for a file, beside the weights."""
        return {"sigma": self.first_sigma, "learn_sigma": self.logvar.requires_grad, "least_sigma": self.least_sigma}

    @property
    def total_logvar(self) -> Tensor:
        """log σ², a scalar; `logvar` alone is the part of it that is learned."""
        if not self.least_sigma:
            return self.logvar
        return torch.logaddexp(self.logvar, torch.full_like(self.logvar, 2 * math.log(self.least_sigma)))

    @property
    def sigma(self) -> Tensor:
        """The standard deviation of a pixel, a scalar."""
        return torch.exp(0.5 * self.total_logvar)

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        """(B, …) pixels and means to (B,) nats."""
        return gaussian_log_likelihood(x, recon, self.total_logvar)

    def mean(self, recon: Tensor) -> Tensor:
        """E[x|z], as recon: the decoder's output itself."""
        return recon

    def sample(self, recon: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x, as recon."""
        return recon + self.sigma * torch.randn(recon.shape, generator=generator, device=recon.device, dtype=recon.dtype)

    def warning(self) -> str | None:
        """What is wrong with a learned σ that runs to zero, and what people do about it; None if nothing is."""
        sigma = self.sigma.item()
        if not self.logvar.requires_grad or not sigma < 0.5 * PIXEL_STEP:   # no word about NaN
            return None
        return (f"the learned σ has shrunk to {sigma:.2g}, below half a pixel's step of 1/255: the decoder's σ runs to "
                f"zero, since these examples can be reproduced (almost) exactly, and the ELBO then grows without limit and "
                f"means nothing. What people do: a floor, GaussianLikelihood(learn_sigma=True, least_sigma=1/255); "
                f"dequantization, which adds uniform noise to the pixels, (k + u)/256 with u in [0, 1) and k from 0 to 255; "
                f"or probabilities in the place of densities, DiscretizedLogisticLikelihood()")


class DiscretizedLogisticLikelihood(nn.Module):
    """p(x|z) of pixels k/255, k = 0 … 255: a logistic with the mean recon, rounded and held to [0, 1]. A probability.

    Args:
        scale: s of the logistic, whose standard deviation is s·π/√3; at the start if it is learned.
        learn_scale: whether s is a parameter.
        levels: how many values a pixel has; 0, 1/(levels − 1), …, 1.

    Its log is at most 0, so it does not run away where the scale goes to zero, and `bits_per_dim` needs no noise.

    Source: Kingma et al. (2016), arXiv:1606.04934, appendix; Salimans et al. (2017), arXiv:1701.05517, §2.1.
    """

    output_is_mean = True

    def __init__(self, scale: float = 0.1, learn_scale: bool = True, levels: int = 256):
        super().__init__()
        check_positive(scale=scale)
        if not isinstance(levels, int) or isinstance(levels, bool) or levels < 2:
            raise ValueError(f"levels must be a whole number ≥ 2, got {levels!r}")
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learn_scale)
        self.first_scale, self.levels = float(scale), levels

    def extra_repr(self) -> str:
        scale = "scale learned" if self.log_scale.requires_grad else f"scale={self.scale.item():.6g}"
        return scale if self.levels == 256 else f"{scale}, levels={self.levels}"

    def arguments(self) -> dict[str, float | bool | int]:
        """What makes this likelihood again, with its first scale: plain numbers for a file, beside the weights."""
        return {"scale": self.first_scale, "learn_scale": self.log_scale.requires_grad, "levels": self.levels}

    @property
    def scale(self) -> Tensor:
        """s of the logistic, a scalar."""
        return torch.exp(self.log_scale)

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        """(B, …) pixels k/255 and means to (B,) nats."""
        return discretized_logistic_log_likelihood(x, recon, self.log_scale, self.levels)

    def mean(self, recon: Tensor) -> Tensor:
        """The mean of the logistic held to [0, 1], as recon: E[x|z] up to 5e-5 where s ≥ 1/255, to half a step elsewhere."""
        s = self.scale
        return s * (softplus(recon / s) - softplus((recon - 1) / s))

    def sample(self, recon: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x, as recon: multiples of 1/255."""
        u = torch.rand(recon.shape, generator=generator, device=recon.device, dtype=recon.dtype)
        drawn = recon + self.scale * torch.logit(u)     # −∞ for u = 0, which is the value 0
        return (drawn * (self.levels - 1)).round().clamp(0, self.levels - 1) / (self.levels - 1)
