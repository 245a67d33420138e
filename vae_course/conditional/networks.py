"""The conditional networks of the course, fully connected and convolutional, for examples of any shape."""

import math
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from vae_course.conditional.cvae import CVAE
from vae_course.conditional.parts import ClassMeans, ConcatCondition, ConditionAfter, IgnoreCondition, OneHot
from vae_course.models import GaussianEncoder, mlp, start_at_mean_image
from vae_course.models.files import remembers
from vae_course.models.likelihoods import check_positive
from vae_course.models.networks import check_network, checked_shape, conv_decoder, conv_widths, down, halved


@remembers
def mlp_cvae(input_shape: Sequence[int] | int, num_classes: int = 10, latent_dim: int = 20, hidden_dim: int = 400,
             activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
             prior: nn.Module | None = None, mean_image: Tensor | None = None, label_gain: float | None = None) -> CVAE:
    """`models.mlp_vae` with the label beside x and beside z: D+C – hidden – latent – and latent+C – hidden – D.

    Args:
        num_classes: C, the number of classes; labels run from 0 to C − 1.
        prior: as CVAE; None for N(0, I).
        input_shape, latent_dim, hidden_dim, activation, likelihood, mean_image: as `models.mlp_vae`.
        label_gain: what stands in the one-hot vector in the place of the 1. The length of a digit, as a vector of
            pixels, is about 10: a label as loud as that is not drowned out. If None, 10 √(D/784).

    Raises:
        TypeError, ValueError: as `models.mlp_vae`; if num_classes or label_gain is no such number.
    """
    gain = checked_gain(label_gain, input_shape)
    return _mlp(partial(ConcatCondition, gain=gain), num_classes, input_shape, num_classes, latent_dim, hidden_dim,
                activation, likelihood, prior, mean_image)


def reference_cvae(num_classes: int = 10, latent_dim: int = 20, hidden_dim: int = 400,
                   activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
                   prior: nn.Module | None = None, mean_image: Tensor | None = None, label_gain: float = 10.0) -> CVAE:
    """`mlp_cvae` for 28×28 grey pictures: 784+C – hidden – latent – and latent+C – hidden – 784.

    Args: as `mlp_cvae`.
    """
    return mlp_cvae((1, 28, 28), num_classes, latent_dim, hidden_dim, activation, likelihood, prior, mean_image, label_gain)


@remembers
def class_mean_vae(num_classes: int = 10, latent_dim: int = 20, hidden_dim: int = 400,
                   activation: Callable[[], nn.Module] = nn.ReLU, likelihood: nn.Module | None = None,
                   mean_image: Tensor | None = None, input_shape: Sequence[int] | int = (1, 28, 28)) -> CVAE:
    """`models.mlp_vae` under the prior p(z|y) = N(m_y, I) with learned m_y: encoder and decoder do not see the label.

    Args: as `mlp_cvae`.
    """
    check_network(activation, likelihood, latent_dim=latent_dim)
    return _mlp(IgnoreCondition, 0, input_shape, num_classes, latent_dim, hidden_dim, activation, likelihood,
                ClassMeans(OneHot(num_classes).num_classes, latent_dim), mean_image)


@remembers
def conv_cvae(input_shape: Sequence[int] = (1, 28, 28), num_classes: int = 10, latent_dim: int = 20, channels: int = 32,
              hidden_dim: int = 256, depth: int | None = None, activation: Callable[[], nn.Module] = nn.SiLU,
              likelihood: nn.Module | None = None, prior: nn.Module | None = None, mean_image: Tensor | None = None,
              label_gain: float | None = None) -> CVAE:
    """`models.conv_vae` with the label beside what the convolutions make of x, and beside z.

    Args:
        num_classes, prior, label_gain: as `mlp_cvae`.
        input_shape, latent_dim, channels, hidden_dim, depth, activation, likelihood, mean_image: as `models.conv_vae`.

    Raises:
        TypeError, ValueError: as `models.conv_vae` and `mlp_cvae`.
    """
    check_network(activation, likelihood, latent_dim=latent_dim, channels=channels, hidden_dim=hidden_dim)
    condition, part = OneHot(num_classes), partial(ConcatCondition, gain=checked_gain(label_gain, input_shape))
    sizes = halved(shape := checked_shape(input_shape), depth)
    widths = conv_widths(shape[0], channels, len(sizes))
    head = nn.Sequential(nn.Linear(widths[-1] * math.prod(sizes[-1]) + num_classes, hidden_dim), activation())
    features = ConditionAfter(nn.Sequential(*down(widths, activation)), part(head))
    net = conv_decoder(latent_dim + num_classes, hidden_dim, widths, sizes, activation)
    if mean_image is not None:
        start_at_mean_image(net[-1], mean_image, likelihood)  # type: ignore[arg-type]
    return CVAE(GaussianEncoder(features, hidden_dim, latent_dim), part(net), condition, likelihood, prior, shape)


def _mlp(part: Callable[[nn.Module], nn.Module], width: int, input_shape: Sequence[int] | int, num_classes: int,
         latent_dim: int, hidden_dim: int, activation: Callable[[], nn.Module], likelihood: nn.Module | None,
         prior: nn.Module | None, mean_image: Tensor | None) -> CVAE:
    """D – hidden – latent – hidden – D within `part`, which shows the label to the networks in `width` more inputs."""
    shape = checked_shape(input_shape)
    check_network(activation, likelihood, latent_dim=latent_dim, hidden_dim=hidden_dim)
    condition, n = OneHot(num_classes), math.prod(shape)
    features = nn.Sequential(nn.Flatten(), mlp([n + width, hidden_dim], activation), activation())
    net = nn.Sequential(mlp([latent_dim + width, hidden_dim, n], activation), nn.Unflatten(1, shape))
    if mean_image is not None:
        start_at_mean_image(net[0][-1], mean_image, likelihood)  # type: ignore[index]
    return CVAE(GaussianEncoder(part(features), hidden_dim, latent_dim), part(net), condition, likelihood, prior, shape)


def checked_gain(label_gain: float | None, input_shape: Sequence[int] | int) -> float:
    """label_gain, or about the length of a picture; raises ValueError unless it is a positive number."""
    if label_gain is None:
        return 10.0 * math.sqrt(math.prod(checked_shape(input_shape)) / 784)
    check_positive(label_gain=label_gain)
    return label_gain
