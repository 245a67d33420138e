"""The conditional VAE: p(x|y) = ∫ p(x|z, y) p(z|y) dz, with the label y given to the networks, to the prior, or to both."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.conditional.parts import OneHot
from vae_course.densities import reparameterize
from vae_course.models import VAE
from vae_course.models.vae import call


class CVAE(VAE):
    """A conditional VAE: log p(x|y) ≥ E_q log p(x|z, y) − KL(q(z|x, y) || p(z|y)).

    Args:
        encoder: (x, c) → (mu, logvar), (B, Z) each; needs an attribute `latent_dim`.
        decoder: (z, c) → recon (B, *input_shape).
        condition: y → c (B, C), what the networks see of y: `OneHot(10)` for labels, `nn.Flatten()` for observed pixels.
        likelihood: `log_prob`, `mean` and `sample`; Bernoulli if None.
        prior: c → (mean, logvar) of p(z|y), (B, Z) each, e.g. `ClassMeans` or a network; None for N(0, I) whatever y is.
        input_shape: shape of one example.

    Methods raise TypeError or ValueError, naming the argument, if y does not fit `condition` or has another length than x.

    Source: Sohn, Lee & Yan (2015), "Learning structured output representation using deep conditional generative models".
    Built in notebooks/11.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, condition: nn.Module, likelihood: nn.Module | None = None,
                 prior: nn.Module | None = None, input_shape: Sequence[int] = (1, 28, 28)):
        super().__init__(encoder, decoder, likelihood, input_shape)
        self.condition, self.prior = condition, prior

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """mu and logvar of q(z|x, y), (B, Z) each, for images x (B, *input_shape) in [0, 1] and conditions y (B, …)."""
        self._check_input(x)
        return self._checked_posterior(x, call(self.encoder, "encoder", x, self._condition(y, x=x)))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """recon (B, *input_shape) for z (B, Z) and y (B, …): logits for a Bernoulli likelihood, means for a Gaussian one."""
        self._check_code(z)
        return call(self.decoder, "decoder", z, self._condition(y, z=z)).float()

    def prior_parameters(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """mean and logvar of p(z|y), (B, Z) each: the one place that states the prior."""
        c = self._condition(y)
        if self.prior is None:
            zeros = c.new_zeros(len(c), self.latent_dim)
            return zeros, zeros
        mean, logvar = self.prior(c)
        return mean.float(), logvar.float()

    def has_standard_prior(self) -> bool:
        """Whether the prior is N(0, I) whatever y is."""
        return self.prior is None and getattr(self.prior_parameters, "__func__", None) is CVAE.prior_parameters

    def note_training_data(self, x: object, *condition: Tensor) -> None:
        """Remember which classes the model is trained on, so that `generate` can refuse others.

        `training.fit` calls this with its training data before the first step; a loop of your own may do the same.

        Args:
            x: the images, as `fit` was given them; not looked at.
            condition: the labels (N,), where the condition is `OneHot`; anything else is passed over.
        """
        if condition and isinstance(self.condition, OneHot):
            self.condition.note(condition[0])

    @torch.no_grad()
    def sample_prior(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw z ~ p(z|y) for each condition: (B, Z). The generator is on the CPU."""
        y = self._on_device(y)
        mean, logvar = (part.cpu().expand(len(y), self.latent_dim) for part in self.prior_parameters(y))
        return reparameterize(mean, logvar, generator).to(y.device)  # drawn on the CPU: the same digits on every device

    @torch.no_grad()
    def generate(self, y: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Decoder means (B, *input_shape) of one draw z ~ p(z|y) for each condition. No image is encoded."""
        y = self._on_device(y)
        self._check_asked(y)
        return self.likelihood.mean(self.decode(self.sample_prior(y, generator), y))

    @torch.no_grad()
    def posterior(self, image: np.ndarray | Tensor, y: int) -> tuple[np.ndarray, np.ndarray]:
        """mu (Z,) and sigma (Z,) of q(z|x, y) for one image of class y, as NumPy; see `VAE.posterior`."""
        return super().posterior(image, self._one(y))

    @torch.no_grad()
    def picture(self, z: Sequence[float], y: int) -> np.ndarray:
        """The decoder's mean picture of one code z (Z,) and one class y, as NumPy in [0, 1]; see `VAE.picture`."""
        labels = self._one(y)
        self._check_asked(labels)
        return super().picture(z, labels)

    def _condition(self, y: Tensor | None, **others: Tensor) -> Tensor:
        if y is None:
            raise TypeError("a conditional model needs its condition, such as labels (B,), after the images, got none: e.g. "
                            "fit(model, loss_fn, (images, labels), …) and test_elbo(model, images, labels, …)")
        c = self.condition(y)
        for name, tensor in others.items():
            if len(c) != len(tensor):
                raise ValueError(f"{name} and its labels must have the same length, got {len(tensor)} and {len(c)}")
        return c

    def _on_device(self, y: Tensor) -> Tensor:
        return y.to(next(self.parameters()).device) if isinstance(y, Tensor) else y

    def _one(self, y: int) -> Tensor:
        return self._on_device(torch.as_tensor(y).unsqueeze(0))

    def _check_asked(self, y: Tensor) -> None:
        if isinstance(self.condition, OneHot):
            self.condition.check_seen(y)
