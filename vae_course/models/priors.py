"""Priors p(z) beyond N(0, I): what a VAE takes as its `prior`."""

import math
import warnings

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.arguments import check_float

REGULARIZATION = 1e-3   # added to the variances of a fitted mixture, so that no component shrinks to a point


class MixturePrior(nn.Module):
    """p(z) = Σ_k π_k N(z; m_k, C_k): a mixture of Gaussians, learned with the network or fitted to codes (`of_codes`).

    Each covariance is held as an upper triangle U_k with C_k = (U_k U_kᵀ)⁻¹, so that (z − m_k) U_k is standard normal.

    Args:
        latent_dim: Z.
        num_components: how many Gaussians.

    Raises:
        ValueError: if one of them is not a whole number ≥ 1.

    Source: Tomczak & Welling (2018), arXiv:1705.07120, §2, who learn it; the fit is that of Ghosh et al. (2020),
    arXiv:1903.12436. Tried in notebooks/12.
    """

    def __init__(self, latent_dim: int, num_components: int):
        super().__init__()
        for name, number in (("latent_dim", latent_dim), ("num_components", num_components)):
            if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
                raise ValueError(f"{name} must be a whole number ≥ 1, got {number!r}")
        self.latent_dim, self.num_components = int(latent_dim), int(num_components)
        self.logits = nn.Parameter(torch.zeros(num_components))                             # π = softmax
        self.means = nn.Parameter(0.5 * torch.randn(num_components, latent_dim))            # apart, or all would learn alike
        self.log_diagonal = nn.Parameter(torch.zeros(num_components, latent_dim))           # of U
        self.above = nn.Parameter(torch.zeros(num_components, latent_dim, latent_dim))      # U above its diagonal

    def arguments(self) -> dict[str, int]:
        """What makes this prior again, beside its weights."""
        return {"latent_dim": self.latent_dim, "num_components": self.num_components}

    @classmethod
    @torch.no_grad()
    def of_codes(cls, codes: Tensor, num_components: int, seed: int = 0, max_iter: int = 15) -> "MixturePrior":
        """The mixture that expectation–maximization fits to codes, by scikit-learn, from a start by k-means.

        Args:
            codes: (N, Z), draws z ~ q(z|x) of the training pictures: draws, as the prior is asked about draws.
            num_components: how many Gaussians; N must be larger.
            seed: of the start.
            max_iter: rounds of expectation–maximization; few, since the last ones gain little.

        Raises:
            ValueError: if codes are not (N, Z) finite numbers, with N > num_components.
        """
        from sklearn.mixture import GaussianMixture  # two seconds, which only this needs

        check_float(codes=codes)
        if codes.ndim != 2 or not torch.isfinite(codes).all():
            raise ValueError(f"codes must be finite numbers of shape (N, Z), got {tuple(codes.shape)}")
        if len(codes) <= num_components:
            raise ValueError(f"codes must be more than the {num_components} components, got {len(codes)}: encode more "
                             f"pictures, or take fewer components")
        prior = cls(codes.shape[1], num_components)
        found = GaussianMixture(num_components, reg_covar=REGULARIZATION, max_iter=max_iter, tol=0, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")             # that it has not converged: the rounds are few on purpose
            found.fit(codes.cpu().double().numpy())
        factors = torch.from_numpy(found.precisions_cholesky_).float()      # (K, Z, Z), upper triangles
        prior.logits.copy_(torch.from_numpy(found.weights_).log())
        prior.means.copy_(torch.from_numpy(found.means_))
        prior.log_diagonal.copy_(factors.diagonal(dim1=1, dim2=2).log())
        prior.above.copy_(torch.triu(factors, 1))
        return prior.to(codes.device)

    def factors(self) -> Tensor:
        """(K, Z, Z): the upper triangles U_k."""
        return torch.triu(self.above, 1) + torch.diag_embed(self.log_diagonal.exp())

    def log_joint(self, z: Tensor) -> Tensor:
        """log π_k + log N(z; m_k, C_k): (B, Z) to (B, K) nats; its softmax says which component drew z."""
        with torch.autocast(z.device.type, enabled=False):      # the log-density is a difference of large terms
            z, factors = z.float(), self.factors()
            whitened = (z @ factors.permute(1, 0, 2).flatten(1)).unflatten(1, (self.num_components, self.latent_dim))
            whitened = whitened - torch.einsum("kz,kzy->ky", self.means, factors)           # (z − m) U: (B, K, Z)
            log_norm = self.log_diagonal.sum(1) - 0.5 * self.latent_dim * math.log(2 * math.pi)
            return torch.log_softmax(self.logits, 0) + log_norm - 0.5 * (whitened ** 2).sum(2)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z): (B, Z) to (B,) nats."""
        return torch.logsumexp(self.log_joint(z), 1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws z ~ p(z): (n, Z), on the prior's device. The generator is on the CPU, for the same digits everywhere."""
        shares = torch.softmax(self.logits.cpu().double(), 0)
        k = torch.multinomial(shares, n, replacement=True, generator=generator)
        eps = torch.randn(n, 1, self.latent_dim, generator=generator)
        white = torch.linalg.solve_triangular(self.factors().cpu()[k], eps, upper=True, left=False)     # ε U⁻¹
        return (self.means.cpu()[k] + white.squeeze(1)).to(self.means.device)
