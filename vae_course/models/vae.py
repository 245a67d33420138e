"""The VAE: an encoder, a decoder, a likelihood and a prior, each of which can be exchanged for another."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.arguments import check_examples, check_float
from vae_course.densities import (
    kl_between_normals,
    kl_to_standard_normal,
    normal_log_density,
    reparameterize,
    standard_normal_log_density,
)
from vae_course.models.likelihoods import BernoulliLikelihood


class VAE(nn.Module):
    """A variational autoencoder: p(x) = ∫ p(x|z) p(z) dz, with q(z|x) for the posterior.

    Args:
        encoder: x (B, *input_shape) → (mu, logvar), (B, Z) each; needs an attribute `latent_dim`.
        decoder: z (B, Z) → recon (B, *input_shape), whose meaning the likelihood fixes.
        likelihood: `log_prob`, `mean` and `sample`; Bernoulli if None.
        input_shape: shape of one example: (C, H, W) of a picture, (D,) of a row of a table.
        prior: `log_prob` and `sample`, such as `MixturePrior`; N(0, I) if None. `model.prior = …` exchanges it later.
            A Gaussian of independent dimensions is stated by `prior_parameters` alone, which a subclass overrides.

    Raises:
        TypeError: if the encoder has no latent_dim, or the likelihood or the prior lacks one of its parts.

    Source: Kingma & Welling (2014), arXiv:1312.6114. Built in notebooks/08.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, likelihood: nn.Module | None = None,
                 input_shape: Sequence[int] = (1, 28, 28), prior: nn.Module | None = None):
        super().__init__()
        if not hasattr(encoder, "latent_dim"):
            raise TypeError(f"encoder must have an attribute latent_dim, the length of z, and give (mu, logvar), as "
                            f"models.GaussianEncoder(features, feature_dim, latent_dim) does, got {type(encoder).__name__}")
        check_likelihood(likelihood)
        check_prior(prior)
        self.encoder, self.decoder = encoder, decoder
        self.likelihood: Any = likelihood if likelihood is not None else BernoulliLikelihood()
        self.input_shape = tuple(input_shape)
        self.latent_dim: int = encoder.latent_dim  # type: ignore[assignment]
        self.prior: Any = prior

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x), (B, Z) each, for images x (B, *input_shape) in [0, 1]."""
        self._check_input(x)
        return self._checked_posterior(x, call(self.encoder, "encoder", x))

    def decode(self, z: Tensor) -> Tensor:
        """recon (B, *input_shape) for z (B, Z): logits for a Bernoulli likelihood, means for a Gaussian one."""
        self._check_code(z)
        return call(self.decoder, "decoder", z).float()

    def forward(self, x: Tensor, *condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """recon, mu, logvar for images x: encode, draw z by reparameterization, decode."""
        mu, logvar = self.encode(x, *condition)
        return self.decode(reparameterize(mu, logvar), *condition), mu, logvar

    def prior_parameters(self) -> tuple[Tensor, Tensor]:
        """mean and logvar of p(z), (Z,) each. For another Gaussian prior override this alone: all else follows from it."""
        if self.prior is not None:
            raise ValueError(f"the prior, {type(self.prior).__name__}, has no mean and logvar that say all of it: take "
                             f"model.log_prior(z) and model.sample_prior(n)")
        zeros = torch.zeros(2, self.latent_dim, device=next(self.parameters()).device)
        return zeros[0], zeros[1]

    def has_standard_prior(self) -> bool:
        """Whether the prior is N(0, I) by construction, so that shorter formulas with the same digits may be used."""
        return self.prior is None and getattr(self.prior_parameters, "__func__", None) is VAE.prior_parameters

    def kl(self, mu: Tensor, logvar: Tensor, *condition: Tensor) -> Tensor:
        """KL(q(z|x) || p(z)): (B,) nats; by its formula if the prior is Gaussian, else estimated with one draw of z."""
        if self.has_standard_prior():
            return kl_to_standard_normal(mu, logvar)
        if hasattr(self.prior, "log_prob"):
            return self.kl_at(reparameterize(mu, logvar), mu, logvar)
        return kl_between_normals(mu, logvar, *(part.expand_as(mu) for part in self.prior_parameters(*condition)))

    def kl_at(self, z: Tensor, mu: Tensor, logvar: Tensor, *condition: Tensor) -> Tensor:
        """`kl`, where it has no formula with this draw z (B, Z) of q(z|x): log q(z|x) − log p(z), (B,) nats."""
        if hasattr(self.prior, "log_prob"):
            return normal_log_density(z, mu, logvar) - self.log_prior(z)
        return self.kl(mu, logvar, *condition)

    def log_prior(self, z: Tensor, *condition: Tensor) -> Tensor:
        """log p(z): (B, Z) to (B,) nats."""
        if self.has_standard_prior():
            return standard_normal_log_density(z)
        if hasattr(self.prior, "log_prob"):
            return self.prior.log_prob(z)
        return normal_log_density(z, *(part.expand_as(z) for part in self.prior_parameters(*condition)))

    @torch.no_grad()
    def sample_prior(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """n draws z ~ p(z): (n, Z). The generator is on the CPU."""
        if self.prior is not None:
            return self.prior.sample(n, generator)
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
    def posterior(self, image: np.ndarray | Tensor, *condition: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """mu (Z,) and sigma (Z,) of q(z|x) for one image, as NumPy: what an explorer shows.

        Args:
            image: a picture as `data.from_arrays` takes it, or a row of a table: the height and width alone where it is
                grey, the channels first or last; uint8 from 0 to 255, or floats as the model was trained on.

        Raises:
            TypeError, ValueError: if it is not one example of the model's input_shape, or the likelihood refuses its pixels.
        """
        x = example_of(self.input_shape, image).to(next(self.parameters()).device).unsqueeze(0)
        mu, logvar = self.encode(x, *condition)
        self.likelihood.log_prob(x, self.decode(mu, *condition))  # checks the pixels as it does in training
        return mu[0].cpu().numpy(), torch.exp(0.5 * logvar[0]).cpu().numpy()

    @torch.no_grad()
    def picture(self, z: Sequence[float], *condition: Tensor) -> np.ndarray:
        """The decoder's mean picture of one code z (Z,): NumPy in [0, 1], height × width, or height × width × 3 in colour.

        Raises:
            ValueError: if z does not have Z numbers, or an example is not a grey or coloured picture.
        """
        code = torch.as_tensor(np.asarray(z), dtype=torch.float32)
        if code.shape != (self.latent_dim,):
            raise ValueError(f"z must have shape ({self.latent_dim},), got {tuple(code.shape)}")
        mean = self.likelihood.mean(self.decode(code.unsqueeze(0).to(next(self.parameters()).device), *condition))[0]
        if mean.ndim not in (2, 3) or mean.ndim == 3 and len(mean) not in (1, 3):
            raise ValueError(f"there is no picture of an example of shape {tuple(mean.shape)}, only of (1, H, W) and "
                             f"(3, H, W): for its numbers take model.likelihood.mean(model.decode(z)), z (B, Z)")
        if mean.ndim == 3:
            mean = mean[0] if len(mean) == 1 else mean.permute(1, 2, 0)     # pictures have their colours last
        return mean.clamp(0, 1).cpu().numpy()

    def plain_decoder(self) -> nn.Module:
        """The decoder made of common layers, as `export_decoder` writes it."""
        return self.decoder

    def _check_input(self, x: Tensor) -> None:
        weight = next(self.parameters(), x)     # a model may have no weights
        check_examples(x, self.input_shape, weight.dtype)
        if x.device != weight.device:
            raise ValueError(f"x must be on the model's device, got {x.device}: x.to({str(weight.device)!r})")

    def _check_code(self, z: Tensor) -> None:
        check_float(z=z)
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            way_out = ": z.unsqueeze(0)" if z.shape == (self.latent_dim,) else ""
            raise ValueError(f"z must have shape (B, {self.latent_dim}), got {tuple(z.shape)}{way_out}")
        weight = next(self.decoder.parameters(), z) if isinstance(self.decoder, nn.Module) else z   # it may be a function
        if z.dtype != weight.dtype:
            raise TypeError(f"z must be {weight.dtype}, as the decoder's weights are, got {z.dtype}: z.to({weight.dtype})")
        if z.device != weight.device:
            raise ValueError(f"z must be on the model's device, got {z.device}: z.to({str(weight.device)!r})")

    def _checked_posterior(self, x: Tensor, encoded: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """What the encoder made of x, as float32, also under autocast: the KL is a difference of large terms."""
        expected = (len(x), self.latent_dim)
        shapes = [getattr(part, "shape", None) for part in encoded] if isinstance(encoded, tuple | list) else None
        if shapes != [expected, expected]:
            got = ", ".join(str(tuple(s or ())) for s in shapes) if shapes else f"one {type(encoded).__name__}"
            raise ValueError(f"the encoder must give a pair (mu, logvar), each (B, latent_dim) = {expected}, got {got}: end "
                             f"it with models.GaussianEncoder(features, feature_dim, latent_dim)")
        mu, logvar = encoded
        return mu.float(), logvar.float()


def call(part: Callable, name: str, x: Tensor, *condition: Tensor) -> Any:
    """part(x, …); where torch finds that its layers do not fit x, a ValueError says so, with the part's name."""
    try:
        return part(x, *condition)
    except RuntimeError as error:
        if not any(word in str(error) for word in ("shapes cannot be multiplied", "channels", "size of tensor", "Sizes of",
                                                   "is invalid for input of size", "unflatten", "dimension")):
            raise
        raise ValueError(f"the {name}'s layers do not fit what it is given, {tuple(x.shape)}: its first layer must take one "
                         f"example of this shape, flattened if it is linear. torch says: {error}") from None


def check_likelihood(likelihood: Any) -> None:
    """Raise TypeError unless this is a likelihood, p(x|z) of the decoder's output, or None."""
    parts = ("log_prob", "mean", "sample")
    if likelihood is None or not isinstance(likelihood, type) and all(hasattr(likelihood, part) for part in parts):
        return
    got, way_out = type(likelihood).__name__, ""
    if isinstance(likelihood, type):
        got, way_out = f"the class {likelihood.__name__}", f": {likelihood.__name__}(), with brackets"
    raise TypeError(f"likelihood must have {', '.join(parts)}, as models.GaussianLikelihood() has, got {got}{way_out}")


def check_prior(prior: Any) -> None:
    """Raise TypeError unless this is a prior p(z), or None, which stands for N(0, I)."""
    if prior is None or not isinstance(prior, type) and hasattr(prior, "log_prob") and hasattr(prior, "sample"):
        return
    got = f"the class {prior.__name__}" if isinstance(prior, type) else type(prior).__name__
    raise TypeError(f"prior must have log_prob(z) and sample(n, generator), as models.MixturePrior(latent_dim, "
                    f"num_components) has, or be None for N(0, I), got {got}")


def example_of(shape: tuple[int, ...], image: np.ndarray | Tensor) -> Tensor:
    """One example of a model, float32 of this shape, of what `data.from_arrays` would take for it: see `VAE.posterior`."""
    array = image.detach().cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
    if array.dtype.kind not in "buif":
        raise TypeError(f"image must hold numbers, got {array.dtype}")
    x = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    if array.dtype == np.uint8:
        if len(shape) == 1:
            raise TypeError("image must hold the floats of a row of a table, as the model was trained on, got uint8: "
                            "image.astype('float32')")
        x = x / 255
    for arranged in (x, x.unsqueeze(0), x.permute(2, 0, 1) if x.ndim == 3 else x):   # or grey, or channels last
        if arranged.shape == shape:
            return arranged
    accepted = f"{shape[-2:]} or {shape}" if len(shape) == 3 and shape[0] == 1 else f"{shape}"
    raise ValueError(f"image must have shape {accepted}, got {tuple(x.shape)}"
                     + (": np.stack([image] * 3) makes a grey picture one of three colours"
                        if len(shape) == 3 and shape[0] == 3 and x.shape == shape[1:] else ""))
