"""Likelihoods p(x|z): what the decoder's output means."""

import math

import torch
from torch import Tensor, nn

from vae_course.densities import (
    bernoulli_log_likelihood,
    continuous_bernoulli_log_likelihood,
    gaussian_log_likelihood,
)


class BernoulliLikelihood(nn.Module):
    """p(x|z) for binary pixels; the decoder's output is `recon_logits`."""

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
    """p(x|z) = N(x; recon, σ²) with one σ for all pixels, fixed or learned with the network."""

    def __init__(self, sigma: float = 1.0, learn_sigma: bool = False):
        super().__init__()
        if not sigma > 0:
            raise ValueError(f"sigma must be positive, got {sigma}")
        self.logvar = nn.Parameter(torch.tensor(2 * math.log(sigma)), requires_grad=learn_sigma)

    def extra_repr(self) -> str:
        return "sigma learned" if self.logvar.requires_grad else f"sigma={self.sigma.item():.6g}"

    @property
    def sigma(self) -> Tensor:
        """The standard deviation of a pixel, a scalar."""
        return torch.exp(0.5 * self.logvar)

    def log_prob(self, x: Tensor, recon: Tensor) -> Tensor:
        """(B, …) pixels and means to (B,) nats."""
        return gaussian_log_likelihood(x, recon, self.logvar)

    def mean(self, recon: Tensor) -> Tensor:
        """E[x|z], as recon: the decoder's output itself."""
        return recon

    def sample(self, recon: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x, as recon."""
        return recon + self.sigma * torch.randn(recon.shape, generator=generator, device=recon.device, dtype=recon.dtype)
