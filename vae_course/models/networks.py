"""The networks of the course: encoders and decoders for pictures, and the VAEs that are made of them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.arguments import check_float, check_unit_interval
from vae_course.models.files import remembers
from vae_course.models.vae import VAE, check_likelihood


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


# ---------------------------------------------------------------- the VAEs that are made of them

@remembers
def mlp_vae(input_shape: Sequence[int] | int, latent_dim: int = 20, hidden_dim: int = 400,
            activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
            mean_image: Tensor | None = None, prior: nn.Module | None = None) -> VAE:
    """A fully connected VAE, D – hidden_dim – latent_dim – hidden_dim – D, for pictures of any size or rows of a table.

    Args:
        input_shape: of one example: (channels, height, width), channels first; or (D,), or just D, for a table of D columns.
        latent_dim: Z.
        hidden_dim: width of the one hidden layer on either side.
        activation: makes the nonlinearity, e.g. nn.ReLU or nn.SiLU.
        likelihood: as VAE; Bernoulli if None. A table's numbers need a Gaussian one.
        mean_image: mean training example, of the shape of one, at which training then begins instead of at grey noise: the
            decoder's output bias starts there, or at its log-odds where the output is a logit.
        prior: as VAE; N(0, I) if None.

    Raises:
        TypeError, ValueError: naming the argument, what was expected and the way out.
    """
    shape = checked_shape(input_shape)
    check_network(activation, likelihood, latent_dim=latent_dim, hidden_dim=hidden_dim)
    n = math.prod(shape)
    encoder = GaussianEncoder(nn.Sequential(nn.Flatten(), mlp([n, hidden_dim], activation), activation()),
                              hidden_dim, latent_dim)
    decoder = nn.Sequential(mlp([latent_dim, hidden_dim, n], activation), nn.Unflatten(1, shape))
    model = VAE(encoder, decoder, likelihood, shape, prior)
    if mean_image is not None:
        start_at_mean_image(decoder[0][-1], mean_image, likelihood)  # type: ignore[index]
    return model


def reference_vae(latent_dim: int = 20, hidden_dim: int = 400, activation: Callable[[], nn.Module] = nn.ReLU,
                  likelihood: nn.Module | None = None, mean_image: Tensor | None = None,
                  prior: nn.Module | None = None) -> VAE:
    """The network of the course: `mlp_vae` for 28×28 grey pictures, 784 – hidden_dim – latent_dim – hidden_dim – 784.

    Args, Raises: as `mlp_vae`.
    """
    return mlp_vae((1, 28, 28), latent_dim, hidden_dim, activation, likelihood, mean_image, prior)


@remembers
def conv_vae(input_shape: Sequence[int] = (1, 28, 28), latent_dim: int = 20, channels: int = 32, hidden_dim: int = 256,
             depth: int | None = None, activation: Callable[[], nn.Module] = nn.SiLU,
             likelihood: nn.Module | None = None, mean_image: Tensor | None = None,
             prior: nn.Module | None = None) -> VAE:
    """A convolutional VAE: 28×28 – 14×14 – 7×7 – hidden_dim – latent_dim, and back by transposed convolutions.

    Args:
        input_shape: (channels, height, width) of one picture, height and width at least 8, and not only powers of two.
        channels: of the first layer; each further layer has twice as many, up to eight times as many.
        hidden_dim: width of the linear layer beside the code.
        depth: how often the sides are halved; if None, as long as the smaller one stays at least 4.
        latent_dim, activation, likelihood, mean_image, prior: as `mlp_vae`; here the decoder adds the mean image to its
            output, pixel by pixel.

    Raises:
        TypeError, ValueError: as `mlp_vae`; if a side is below 8, or too short for this depth.

    Source: the strided architecture of Radford et al. (2016), arXiv:1511.06434, without its batch normalization.
    """
    check_network(activation, likelihood, latent_dim=latent_dim, channels=channels, hidden_dim=hidden_dim)
    sizes = halved(shape := checked_shape(input_shape), depth)
    widths = conv_widths(shape[0], channels, len(sizes))
    features = nn.Sequential(*down(widths, activation), nn.Flatten(),
                             nn.Linear(widths[-1] * math.prod(sizes[-1]), hidden_dim), activation())
    decoder = conv_decoder(latent_dim, hidden_dim, widths, sizes, activation)
    if mean_image is not None:
        start_at_mean_image(decoder[-1], mean_image, likelihood)  # type: ignore[arg-type]
    return VAE(GaussianEncoder(features, hidden_dim, latent_dim), decoder, likelihood, shape, prior)


# ---------------------------------------------------------------- convolutions for any size

def halved(shape: Sequence[int], depth: int | None = None) -> list[tuple[int, int]]:
    """Height and width of a picture, and after each halving, rounded down.

    Args:
        shape: (C, H, W) of the picture.
        depth: how often; if None, as long as the smaller side stays at least 4.

    Raises:
        ValueError: if a side is below 8, or depth would leave less than one pixel.
    """
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ValueError(f"input_shape must be (channels, height, width) with sides of at least 8 for convolutions, got "
                         f"{tuple(shape)}: take mlp_vae or mlp_cvae, which take any shape")
    side = min(shape[1:])
    deepest, usual = side.bit_length() - 1, (side // 4).bit_length() - 1
    if depth is not None and not (is_whole(depth) and 1 <= depth <= deepest):
        raise ValueError(f"depth must be a whole number from 1 to {deepest}, since a side of {side} cannot be halved more "
                         f"often, got {depth!r}: leave it out for {usual}")
    return [(shape[1] >> k, shape[2] >> k) for k in range((usual if depth is None else depth) + 1)]


def conv_widths(colours: int, channels: int, n: int) -> list[int]:
    """Channels of the picture and of n − 1 convolutions: twice as many after each, up to 8 · channels."""
    return [colours, *(channels * min(2 ** k, 8) for k in range(n - 1))]


def down(widths: Sequence[int], activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """Convolutions that halve a picture's sides, rounded down, each with an activation after it."""
    return [layer for n_in, n_out in zip(widths, widths[1:]) for layer in (nn.Conv2d(n_in, n_out, 4, 2, 1), activation())]


def up(widths: Sequence[int], sizes: Sequence[tuple[int, int]], activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """`down` backwards: transposed convolutions to each of the sizes, an activation between them, none after the last."""
    layers: list[nn.Module] = []
    for n_out, n_in, (height, width) in reversed(list(zip(widths, widths[1:], sizes))):
        odd = (height % 2, width % 2)   # the row or column that the halving rounded off
        layers += [nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, output_padding=odd), activation()]
    return layers[:-1]


def conv_decoder(n_in: int, hidden_dim: int, widths: Sequence[int], sizes: Sequence[tuple[int, int]],
                 activation: Callable[[], nn.Module]) -> nn.Sequential:
    """n_in numbers – hidden_dim – the smallest of the sizes – `up` to the largest, and a bias for each pixel."""
    inner = (widths[-1], *sizes[-1])
    return nn.Sequential(nn.Linear(n_in, hidden_dim), activation(), nn.Linear(hidden_dim, math.prod(inner)), activation(),
                         nn.Unflatten(1, inner), *up(widths, sizes, activation), PixelBias((widths[0], *sizes[0])))


class PixelBias(nn.Module):
    """Adds one learned number to each pixel: (B, C, H, W) to (B, C, H, W)."""

    def __init__(self, shape: Sequence[int] = (1, 28, 28)):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


@torch.no_grad()
def start_at_mean_image(output_layer: nn.Linear | PixelBias, mean_image: Tensor,
                        likelihood: nn.Module | None = None) -> None:
    """Set the layer's bias to the mean image, or to log(p/(1−p)) of its pixels p, within [0.001, 0.999], for logits."""
    check_float(mean_image=mean_image)
    if mean_image.numel() != output_layer.bias.numel():
        raise ValueError(f"mean_image must have {output_layer.bias.numel()} pixels, got {tuple(mean_image.shape)}: the mean "
                         f"of training examples x (N, …) is x.mean(0)")
    start = mean_image.reshape(output_layer.bias.shape)
    if not getattr(likelihood, "output_is_mean", False):
        check_unit_interval(mean_image=mean_image)
        start = torch.logit(start, eps=1e-3)
    output_layer.bias.copy_(start)


# ---------------------------------------------------------------- arguments

def whole_shape(input_shape: Sequence[int] | int, what: str = "input_shape must be a shape") -> tuple[int, ...]:
    """input_shape as a tuple; raises ValueError, which begins with `what`, unless it is whole numbers ≥ 1."""
    given: Any = (input_shape,) if is_whole(input_shape) else input_shape
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str) or not all(map(is_whole, given)):
        raise ValueError(f"{what}, of whole numbers, got {input_shape!r}")
    shape = tuple(map(int, given))
    if not shape or min(shape) < 1:
        raise ValueError(f"{what}, of whole numbers ≥ 1, got {shape}")
    return shape


def checked_shape(input_shape: Sequence[int] | int) -> tuple[int, ...]:
    """input_shape as a tuple, (C, H, W) or (D,); raises ValueError, with what is probably meant, for anything else."""
    what = "input_shape must be (channels, height, width), such as (1, 28, 28), or (D,) for a table of D columns"
    shape = whole_shape(input_shape, what)
    if len(shape) == 2:
        raise ValueError(f"{what}, got {shape}: say {(1, *shape)} for grey pictures, {(3, *shape)} for colour")
    if len(shape) == 4:
        raise ValueError(f"{what}, got {shape}: leave out the number of examples, {shape[1:]}")
    if len(shape) > 4:
        raise ValueError(f"{what}, got {shape}")
    if len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= 8:
        raise ValueError(f"{what}, got {shape}: channels first, {(shape[2], *shape[:2])}, and x.permute(0, 3, 1, 2)")
    return shape


def is_whole(value: object) -> bool:
    """Whether this is a whole number, of Python or NumPy."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_network(activation: Callable[[], nn.Module], likelihood: nn.Module | None, **sizes: int) -> None:
    """Raise TypeError or ValueError, naming the argument, for parts that no network can be made of."""
    for name, size in sizes.items():
        if not is_whole(size) or size < 1:
            raise ValueError(f"{name} must be a whole number ≥ 1, got {size!r}")
    what = "activation must make a layer when it is called, such as nn.ReLU or functools.partial(nn.LeakyReLU, 0.2)"
    if isinstance(activation, nn.Module) or not callable(activation):
        raise TypeError(f"{what}, got {activation!r}"
                        + (": leave out the brackets" if isinstance(activation, nn.Module) else ""))
    try:
        made = activation()
    except TypeError as error:
        raise TypeError(f"{what}, got {activation!r}: {error}") from None
    if not isinstance(made, nn.Module):
        raise TypeError(f"{what}, got {activation!r}, which makes a {type(made).__name__}")
    check_likelihood(likelihood)
