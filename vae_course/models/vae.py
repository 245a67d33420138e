"""The VAE: an encoder, a decoder and a likelihood, each of which can be exchanged for another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.densities import (
    check_float,
    kl_between_normals,
    kl_to_standard_normal,
    normal_log_density,
    reparameterize,
    standard_normal_log_density,
)
from vae_course.models.likelihoods import BernoulliLikelihood


class VAE(nn.Module):
    """A variational autoencoder with the prior p(z) = N(0, I), or another Gaussian: see `prior_parameters`.

    Args:
        encoder: x (B, *input_shape) → (mu, logvar), (B, Z) each; needs an attribute `latent_dim`.
        decoder: z (B, Z) → recon (B, *input_shape), whose meaning the likelihood fixes.
        likelihood: `log_prob`, `mean` and `sample`; Bernoulli if None.
        input_shape: shape of one example.

    Source: Kingma & Welling (2014), arXiv:1312.6114. Built in notebooks/08.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, likelihood: nn.Module | None = None,
                 input_shape: Sequence[int] = (1, 28, 28)):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.likelihood: Any = likelihood if likelihood is not None else BernoulliLikelihood()
        self.input_shape = tuple(input_shape)
        self.latent_dim: int = encoder.latent_dim  # type: ignore[assignment]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x), (B, Z) each, for images x (B, *input_shape) in [0, 1]."""
        self._check_input(x)
        mu, logvar = self.encoder(x)
        return mu.float(), logvar.float()  # float32 also under autocast: the KL is a difference of large terms

    def decode(self, z: Tensor) -> Tensor:
        """recon (B, *input_shape) for z (B, Z): logits for a Bernoulli likelihood, means for a Gaussian one."""
        self._check_code(z)
        return self.decoder(z).float()

    def forward(self, x: Tensor, *condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """recon, mu, logvar for images x: encode, draw z by reparameterization, decode."""
        mu, logvar = self.encode(x, *condition)
        return self.decode(reparameterize(mu, logvar), *condition), mu, logvar

    def prior_parameters(self) -> tuple[Tensor, Tensor]:
        """mean and logvar of p(z), (Z,) each. For another Gaussian prior override this alone: all else follows from it."""
        zeros = torch.zeros(2, self.latent_dim, device=next(self.parameters()).device)
        return zeros[0], zeros[1]

    def has_standard_prior(self) -> bool:
        """Whether the prior is N(0, I) by construction, so that shorter formulas with the same digits may be used."""
        return getattr(self.prior_parameters, "__func__", None) is VAE.prior_parameters

    def kl(self, mu: Tensor, logvar: Tensor, *condition: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)): (B,) nats."""
        if self.has_standard_prior():
            return kl_to_standard_normal(mu, logvar)
        return kl_between_normals(mu, logvar, *(part.expand_as(mu) for part in self.prior_parameters(*condition)))

    def log_prior(self, z: Tensor, *condition: Tensor) -> Tensor:
        """log p(z): (B, Z) to (B,) nats."""
        if self.has_standard_prior():
            return standard_normal_log_density(z)
        return normal_log_density(z, *(part.expand_as(z) for part in self.prior_parameters(*condition)))

    @torch.no_grad()
    def sample_prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws z ~ p(z): (n, Z). The generator is on the CPU."""
        mean, logvar = (part.cpu().expand(n, self.latent_dim) for part in self.prior_parameters())
        return reparameterize(mean, logvar, generator).to(next(self.parameters()).device)  # the same digits on each device

    @torch.no_grad()
    def generate(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Decoder means (n, *input_shape) of n draws z ~ p(z). No image is encoded. The generator is on the CPU."""
        return self.likelihood.mean(self.decode(self.sample_prior(n, generator)))

    @runtime.checking_values()
    @torch.no_grad()
    def reconstruct(self, x: Tensor, *condition: Tensor) -> Tensor:
        """Decoder means (B, *input_shape) at the posterior means of the images x, which may be noisy: any pixels will do."""
        return self.likelihood.mean(self.decode(self.encode(x, *condition)[0], *condition))

    @runtime.checking_values()
    @torch.no_grad()
    def posterior(self, image: np.ndarray, *condition: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """mu (Z,) and sigma (Z,) of q(z|x) for one image (H, W) in [0, 1], as NumPy: what an explorer shows.

        Raises:
            ValueError: if the image does not have the size of the model's input, or pixels that the likelihood refuses.
        """
        x = torch.as_tensor(np.asarray(image), dtype=torch.float32, device=next(self.parameters()).device)
        if x.shape != self.input_shape[-2:]:
            raise ValueError(f"image must have shape {self.input_shape[-2:]}, got {tuple(x.shape)}")
        mu, logvar = self.encode(x := x.reshape(1, *self.input_shape), *condition)
        self.likelihood.log_prob(x, self.decode(mu, *condition))  # checks the pixels as it does in training
        return mu[0].cpu().numpy(), torch.exp(0.5 * logvar[0]).cpu().numpy()

    @torch.no_grad()
    def picture(self, z: Sequence[float], *condition: Tensor) -> np.ndarray:
        """The decoder's mean picture (H, W) of one code z (Z,), as NumPy in [0, 1]: what an explorer shows.

        Raises:
            ValueError: if z does not have Z numbers.
        """
        code = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        if code.shape != (self.latent_dim,):
            raise ValueError(f"z must have shape ({self.latent_dim},), got {tuple(code.shape)}")
        mean = self.likelihood.mean(self.decode(code.unsqueeze(0).to(next(self.parameters()).device), *condition))
        return mean.reshape(mean.shape[-2:]).clamp(0, 1).cpu().numpy()

    def _check_input(self, x: Tensor) -> None:
        check_float(x=x)
        if x.shape[1:] != self.input_shape or x.ndim != 1 + len(self.input_shape):
            raise ValueError(f"x must have shape (B, {', '.join(map(str, self.input_shape))}), got {tuple(x.shape)}")

    def _check_code(self, z: Tensor) -> None:
        check_float(z=z)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z must have shape (B, {self.latent_dim}), got {tuple(z.shape)}")
