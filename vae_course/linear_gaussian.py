"""The VAE of which everything is known: p(z) = N(0, 1), p(x|z) = N(wz + m, σ²), one number each. Exact answers in nats."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_course.densities import kl_between_normals, normal_log_density


@dataclass(frozen=True)
class LinearGaussian:
    """z ~ N(0, 1), x | z ~ N(w·z + m, sigma²), with one latent and one observed number.

    Args:
        w, m, sigma: the slope, the offset, and the noise's standard deviation, which must be positive.

    Source: Bishop (2006), *Pattern Recognition and Machine Learning*, §2.3.3. Derived in notebooks/01 and 04.
    """

    w: float
    m: float
    sigma: float

    def __post_init__(self):
        if not self.sigma > 0:
            raise ValueError(f"sigma must be positive, got {self.sigma}")

    def log_px(self, x: Tensor) -> Tensor:
        """log p(x), exact: (B,) to (B,) nats; may be positive."""
        return _log_normal(x, torch.full_like(x, self.m), self.w ** 2 + self.sigma ** 2)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of p(z|x) for x (B,), each (B,)."""
        total = self.w ** 2 + self.sigma ** 2
        return self.w * (x - self.m) / total, torch.full_like(x, self.sigma ** 2 / total)

    def elbo(self, x: Tensor, mu: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """recon, kl and gap of q = N(mu, variance), exact, each (B,) nats: recon − kl + gap = log p(x).

        gap is KL(q ‖ p(z|x)).

        Args:
            x, mu, variance: (B,) each; variance must be positive.
        """
        if not (variance > 0).all():
            raise ValueError(f"variance must be positive, got {variance.min().item():g}")
        recon = _log_normal(x, self.w * mu + self.m, self.sigma ** 2) - self.w ** 2 * variance / (2 * self.sigma ** 2)
        kl = _kl(mu, variance, torch.zeros_like(mu), torch.ones_like(mu))
        return recon, kl, _kl(mu, variance, *self.posterior(x))

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """n draws of (z, x), each (n,): first z from the prior, then x given z."""
        z = torch.randn(n, generator=generator)
        return z, self.w * z + self.m + self.sigma * torch.randn(n, generator=generator)


def _log_normal(x: Tensor, mean: Tensor, variance: float) -> Tensor:
    logvar = torch.full_like(mean, variance).log()
    return normal_log_density(x[:, None], mean[:, None], logvar[:, None])


def _kl(mu: Tensor, variance: Tensor, prior_mu: Tensor, prior_variance: Tensor) -> Tensor:
    one_column = (mu, variance.log(), prior_mu, prior_variance.log())
    return kl_between_normals(*(tensor[:, None] for tensor in one_column))
