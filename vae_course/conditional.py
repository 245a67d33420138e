"""The conditional VAE: p(x|y) = ∫ p(x|z, y) p(z|y) dz, with the label y given to the networks, to the prior, or to both."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.densities import reparameterize
from vae_course.models import VAE, GaussianEncoder, mlp, start_at_mean_image

WHOLE_NUMBERS = (torch.int64, torch.int32, torch.int16, torch.uint8)


class OneHot(nn.Module):
    """Labels to one-hot vectors: (B,) whole numbers from 0 to num_classes − 1, to (B, num_classes) float32.

    The buffer `seen` (num_classes,) holds the classes that a model was trained on; `note` sets it, never a forward pass.

    Raises:
        TypeError: if the labels are not whole numbers.
        ValueError: if they are not one number per example, or lie outside 0 … num_classes − 1.
    """

    seen: Tensor

    def __init__(self, num_classes: int):
        super().__init__()
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"num_classes must be a whole number ≥ 2, got {num_classes!r}")
        self.num_classes = num_classes
        self.register_buffer("seen", torch.zeros(num_classes, dtype=torch.bool))

    def forward(self, labels: Tensor) -> Tensor:
        self.check(labels)
        one_hot = labels.unsqueeze(1) == torch.arange(self.num_classes, device=labels.device)   # (B, 1) == (C,)
        return one_hot.float()

    def note(self, labels: Tensor) -> None:
        """Add the classes of these labels (N,) to those that the model was trained on; all their values are checked."""
        with runtime.checking_values():
            self.check(labels)
        self.seen[labels.long().unique()] = True

    def check(self, labels: Tensor) -> None:
        """Raise TypeError or ValueError unless these are classes, one for each example. Values as `runtime.may_be_read`."""
        if not isinstance(labels, Tensor) or labels.dtype not in WHOLE_NUMBERS:
            kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
            raise TypeError(f"labels must be a tensor of whole numbers (int64), got {kind}")
        if labels.ndim != 1:
            raise ValueError(f"labels must have shape (B,), one class for each example, got {tuple(labels.shape)}")
        if not runtime.may_be_read(labels):
            return
        low, high = (labels.min().item(), labels.max().item()) if len(labels) else (0, 0)
        if low < 0 or high >= self.num_classes:
            raise ValueError(f"labels must lie from 0 to {self.num_classes - 1} (num_classes = {self.num_classes}), "
                             f"got values from {low} to {high}")

    def check_seen(self, labels: Tensor) -> None:
        """Raise ValueError if the model was trained, but never on one of these classes."""
        with runtime.checking_values():
            self.check(labels)
        unseen = labels[~self.seen[labels.long()]]
        if self.seen.any() and len(unseen):
            raise ValueError(f"labels ask for class {unseen[0].item()}, which never came up in training: num_classes is "
                             f"{self.num_classes}, and the training labels held {self.seen.nonzero().flatten().tolist()}")


# ---------------------------------------------------------------- parts

class ConcatCondition(nn.Module):
    """A network that sees the condition: (x, c) → net([x, gain · c]), both flattened and side by side.

    A gain above 1 lets a condition of few numbers be heard beside an x of many: its weights act, and learn, as much faster.
    """

    def __init__(self, net: nn.Module, gain: float = 1.0):
        super().__init__()
        self.net, self.gain = net, gain

    def extra_repr(self) -> str:
        return f"gain={self.gain:g}"

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.net(torch.cat([x.flatten(1), self.gain * c], 1))


class IgnoreCondition(nn.Module):
    """A network that does not see the condition: (x, c) → net(x)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.net(x)


class ClassMeans(nn.Module):
    """The prior p(z|y) = N(m_y, I): one learned mean for each class, all of them 0 at the start."""

    def __init__(self, num_classes: int, latent_dim: int):
        super().__init__()
        self.means = nn.Parameter(torch.zeros(num_classes, latent_dim))

    def forward(self, c: Tensor) -> tuple[Tensor, Tensor]:
        mean = (c.unsqueeze(2) * self.means).sum(1)  # c @ means, in float32 also under autocast
        return mean, torch.zeros_like(mean)


# ---------------------------------------------------------------- the model

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
        mu, logvar = self.encoder(x, self._condition(y, x=x))
        return mu.float(), logvar.float()  # float32 also under autocast: the KL is a difference of large terms

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """recon (B, *input_shape) for z (B, Z) and y (B, …): logits for a Bernoulli likelihood, means for a Gaussian one."""
        self._check_code(z)
        return self.decoder(z, self._condition(y, z=z)).float()

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

    def note_training_data(self, x: Tensor, *condition: Tensor) -> None:
        """Remember which classes the model is trained on, so that `generate` can refuse others.

        `training.fit` calls this with its training data before the first step; a loop of your own may do the same.

        Args:
            x: (N, *input_shape) images.
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
    def posterior(self, image: np.ndarray, y: int) -> tuple[np.ndarray, np.ndarray]:
        """mu (Z,) and sigma (Z,) of q(z|x, y) for one image (H, W) in [0, 1] of class y, as NumPy."""
        return super().posterior(image, self._one(y))

    @torch.no_grad()
    def picture(self, z: Sequence[float], y: int) -> np.ndarray:
        """The decoder's mean picture (H, W) of one code z (Z,) and one class y, as NumPy in [0, 1]."""
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


# ---------------------------------------------------------------- the two networks of chapter 11

def reference_cvae(num_classes: int = 10, latent_dim: int = 20, hidden_dim: int = 400,
                   activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
                   prior: nn.Module | None = None, mean_image: Tensor | None = None, label_gain: float = 10.0) -> CVAE:
    """The reference VAE with the label beside the image and beside z: 784+C – hidden – latent – and latent+C – hidden – 784.

    Args:
        num_classes: C, the number of classes; labels run from 0 to C − 1.
        prior: as CVAE; None for N(0, I).
        latent_dim, hidden_dim, activation, likelihood, mean_image: as `models.reference_vae`.
        label_gain: what stands in the one-hot vector in the place of the 1. The length of a digit, as a vector of
            pixels, is about 10: a label as loud as that is not drowned out.
    """
    return _conditional(lambda net: ConcatCondition(net, label_gain), num_classes, num_classes, latent_dim, hidden_dim,
                        activation, likelihood, prior, mean_image)


def class_mean_vae(num_classes: int = 10, latent_dim: int = 20, hidden_dim: int = 400,
                   activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
                   mean_image: Tensor | None = None) -> CVAE:
    """The reference VAE under the prior p(z|y) = N(m_y, I) with learned m_y: encoder and decoder do not see the label.

    Args: as `reference_cvae`.
    """
    return _conditional(IgnoreCondition, 0, num_classes, latent_dim, hidden_dim, activation, likelihood,
                        ClassMeans(num_classes, latent_dim), mean_image)


def _conditional(part: Callable[[nn.Module], nn.Module], width: int, num_classes: int, latent_dim: int, hidden_dim: int,
                 activation: Callable[[], nn.Module], likelihood: nn.Module | None, prior: nn.Module | None,
                 mean_image: Tensor | None) -> CVAE:
    """784–400–20–400–784 within `part`, which shows the label to the networks in `width` more inputs, or does not."""
    condition = OneHot(num_classes)
    features = nn.Sequential(nn.Flatten(), mlp([784 + width, hidden_dim], activation), activation())
    net = nn.Sequential(mlp([latent_dim + width, hidden_dim, 784], activation), nn.Unflatten(1, (1, 28, 28)))
    if mean_image is not None:
        start_at_mean_image(net[0][-1], mean_image, likelihood)  # type: ignore[index]
    return CVAE(GaussianEncoder(part(features), hidden_dim, latent_dim), part(net), condition, likelihood, prior)
