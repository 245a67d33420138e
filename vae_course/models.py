"""The VAE: an encoder, a decoder and a likelihood, each of which can be exchanged for another."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.densities import (
    bernoulli_log_likelihood,
    check_float,
    check_unit_interval,
    continuous_bernoulli_log_likelihood,
    gaussian_log_likelihood,
    kl_between_normals,
    kl_to_standard_normal,
    normal_log_density,
    reparameterize,
    standard_normal_log_density,
)


def mlp(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[-1] with an activation between them, none after the last."""
    if len(sizes) < 2:
        raise ValueError(f"sizes must name at least an input and an output width, got {list(sizes)}")
    layers = [layer for n_in, n_out in zip(sizes, sizes[1:]) for layer in (nn.Linear(n_in, n_out), activation())]
    return nn.Sequential(*layers[:-1])


class GaussianEncoder(nn.Module):
    """x → (mu, logvar) of q(z|x), or (x, c) → those of q(z|x, c): shared features, then one linear layer for each."""

    def __init__(self, features: nn.Module, feature_dim: int, latent_dim: int):
        super().__init__()
        self.features, self.latent_dim = features, latent_dim
        self.to_mu = nn.Linear(feature_dim, latent_dim)
        self.to_logvar = nn.Linear(feature_dim, latent_dim)

    def forward(self, x: Tensor, *condition: Tensor) -> tuple[Tensor, Tensor]:
        h = self.features(x, *condition)            # (B, feature_dim)
        return self.to_mu(h), self.to_logvar(h)     # (B, Z), (B, Z)


# ---------------------------------------------------------------- likelihoods: what the decoder's output means

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


# ---------------------------------------------------------------- the model

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


def reference_vae(latent_dim: int = 20, hidden_dim: int = 400, activation: Callable[[], nn.Module] = nn.ReLU,
                  likelihood: nn.Module | None = None, mean_image: Tensor | None = None) -> VAE:
    """The network of the course: 784 – hidden_dim – latent_dim – hidden_dim – 784.

    Args:
        latent_dim: Z.
        hidden_dim: width of the one hidden layer on either side.
        activation: makes the nonlinearity, e.g. nn.ReLU or nn.SiLU.
        likelihood: as VAE.
        mean_image: (1, 28, 28) mean training image in [0, 1]; the decoder's output bias starts at its log-odds, so that
            training begins at the mean digit instead of at grey noise. Bernoulli-type likelihoods only.

    Raises:
        TypeError, ValueError: if mean_image is not a float tensor of 784 pixels in [0, 1], or goes with a Gaussian one.
    """
    encoder = GaussianEncoder(nn.Sequential(nn.Flatten(), mlp([784, hidden_dim], activation), activation()),
                              hidden_dim, latent_dim)
    decoder = nn.Sequential(mlp([latent_dim, hidden_dim, 784], activation), nn.Unflatten(1, (1, 28, 28)))
    model = VAE(encoder, decoder, likelihood)
    if mean_image is not None:
        start_at_mean_image(decoder[0][-1], mean_image, likelihood)  # type: ignore[index]
    return model


def conv_vae(latent_dim: int = 20, channels: int = 32, hidden_dim: int = 256, activation: Callable[[], nn.Module] = nn.SiLU,
             likelihood: nn.Module | None = None, mean_image: Tensor | None = None) -> VAE:
    """A convolutional VAE: 28×28 – 14×14 – 7×7 – hidden_dim – latent_dim, and back by transposed convolutions.

    Args:
        channels: of the 14×14 layers; the 7×7 layers have twice as many.
        hidden_dim: width of the linear layer beside the code.
        latent_dim, activation, likelihood, mean_image: as `reference_vae`; here the decoder adds the log-odds of
            mean_image to its output, pixel by pixel.

    Source: the strided architecture of Radford et al. (2016), arXiv:1511.06434, without its batch normalization.
    """
    wide = 2 * channels
    features = nn.Sequential(nn.Conv2d(1, channels, 4, 2, 1), activation(), nn.Conv2d(channels, wide, 4, 2, 1), activation(),
                             nn.Flatten(), nn.Linear(49 * wide, hidden_dim), activation())
    decoder = nn.Sequential(nn.Linear(latent_dim, hidden_dim), activation(), nn.Linear(hidden_dim, 49 * wide), activation(),
                            nn.Unflatten(1, (wide, 7, 7)), nn.ConvTranspose2d(wide, channels, 4, 2, 1), activation(),
                            nn.ConvTranspose2d(channels, 1, 4, 2, 1), PixelBias())
    if mean_image is not None:
        start_at_mean_image(decoder[-1], mean_image, likelihood)  # type: ignore[arg-type]
    return VAE(GaussianEncoder(features, hidden_dim, latent_dim), decoder, likelihood)


class PixelBias(nn.Module):
    """Adds one learned number to each pixel: (B, 1, 28, 28) to (B, 1, 28, 28)."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 28, 28))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


@torch.no_grad()
def start_at_mean_image(output_layer: nn.Linear | PixelBias, mean_image: Tensor,
                        likelihood: nn.Module | None = None) -> None:
    """Set the layer's bias to log(p/(1−p)) of the mean image's pixels p, kept within [0.001, 0.999]."""
    if isinstance(likelihood, GaussianLikelihood):
        raise ValueError("mean_image sets logits, and the output of a Gaussian decoder is a mean: leave mean_image out")
    check_float(mean_image=mean_image)
    if mean_image.numel() != output_layer.bias.numel():
        raise ValueError(f"mean_image must have {output_layer.bias.numel()} pixels, got {tuple(mean_image.shape)}")
    check_unit_interval(mean_image=mean_image)
    output_layer.bias.copy_(torch.logit(mean_image.reshape(output_layer.bias.shape), eps=1e-3))
