"""The networks of the course: encoders and decoders for pictures, and the VAEs that are made of them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vae_course.densities import check_float, check_unit_interval
from vae_course.models.likelihoods import GaussianLikelihood
from vae_course.models.vae import VAE


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
