"""Features that are trained here: functions of pictures (N, …) to (N, F), for the measures of this folder."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.samples.pictures import Images, as_images, blocks

ROUNDS = 100    # at most, of the search for principal axes
SETTLED = 1e-8  # of the largest variance: a change of the others that no longer matters


@dataclass(frozen=True)
class PCA:
    """Principal components of training pictures; called with pictures (N, …), it gives their codes (N, n), float64.

    The codes are whitened: over the training pictures each has mean 0 and variance 1. So the few directions of largest
    variance, such as brightness, do not drown the others in a distance between codes, and blur is seen, which is a lack of
    variance in the later directions. `decode(torch.randn(m, n))` draws from the Gaussian that PCA fits to the pictures.
    """

    mean: Tensor            # (D,) of the training pictures
    axes: Tensor            # (n, D) orthonormal
    sigma: Tensor           # (n,) standard deviation of the training pictures along each axis
    shape: tuple[int, ...]  # of a picture

    @torch.no_grad()
    def __call__(self, pictures: Images) -> Tensor:
        pictures, = as_images(pictures=pictures)
        if tuple(pictures.shape[1:]) != self.shape:
            raise ValueError(f"pictures must have shape (N, {', '.join(map(str, self.shape))}), like those that this PCA "
                             f"was fitted to, got {tuple(pictures.shape)}")
        return torch.cat([(x - self.mean) @ self.axes.T / self.sigma for x in blocks(pictures, "pictures")])

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (N, n) to (N, …) float32 pictures; those of a picture give the nearest one that n components can make."""
        if codes.ndim != 2 or codes.shape[1] != len(self.sigma):
            raise ValueError(f"codes must have shape (N, {len(self.sigma)}), got {tuple(codes.shape)}")
        return ((codes.cpu().double() * self.sigma) @ self.axes + self.mean).float().unflatten(1, self.shape)


@torch.no_grad()
def pca_features(images: Images, n: int = 50, seed: int = 0) -> PCA:
    """The first n principal components of training pictures, as a function of pictures.

    Args:
        images: Tensor, NumPy array or ImageFile (N, …), uint8 or floats; read once in each round of the search.
        n: components; less than N, and no more than the numbers of a picture.
        seed: of the axes from which the search starts.

    Raises:
        TypeError, ValueError: if `images` is not what `nearest` takes, or does not vary in n directions.

    Source: subspace iteration, Halko, Martinsson & Tropp (2011), arXiv:0909.4061, Algorithm 4.4, until the variances have
    settled. It needs memory for n + 10 pictures, where the covariance matrix needs D² numbers.
    """
    images, = as_images(images=images)
    numbers = int(np.prod(images.shape[1:]))
    most = min(len(images) - 1, numbers)
    if not isinstance(n, int) or not 1 <= n <= most:
        raise ValueError(f"n must be a whole number from 1 to {most}, for {len(images)} images of {numbers} numbers, "
                         f"got {n!r}")
    mean = torch.stack([x.sum(0) for x in blocks(images, "images")]).sum(0) / len(images)
    generator = torch.Generator().manual_seed(seed)
    onto = torch.randn(numbers, min(n + 10, numbers), generator=generator, dtype=torch.double)
    variances = torch.zeros(onto.shape[1], dtype=torch.double)
    for _ in range(ROUNDS):
        axes, before = torch.linalg.qr(onto)[0], variances
        onto = torch.zeros_like(axes)                           # the covariance times the axes
        for x in blocks(images, "images"):
            x = x - mean                                        # in place it would change a float64 tensor of the caller
            onto += x.T @ (x @ axes) / len(images)
        variances, rotation = torch.linalg.eigh(axes.T @ onto)  # the largest last
        if (variances - before)[-n:].abs().max() <= SETTLED * variances[-1]:
            break
    variances, axes = variances.flip(0)[:n], (axes @ rotation).flip(1)[:, :n]
    varied = int((variances > 1e-12 * (variances[0] + 1e-12)).sum())    # in float64 the others are rounding
    if varied < n:
        raise ValueError(f"images must vary in n = {n} directions, and do in {varied}: ask for fewer, "
                         f"pca_features(images, n={varied})" if varied else "images must differ, and are all the same")
    return PCA(mean, axes.T.contiguous(), variances.sqrt(), tuple(images.shape[1:]))


def network_features(net: nn.Module) -> Callable[[Images], Tensor]:
    """A network's outputs as features: a function of pictures, which gives float64, in blocks and without gradients.

    The last hidden layer of a classifier that is an nn.Sequential, such as the judge of notebooks/11, is
    `network_features(judge[:-1])`. The network sees pixels in [0, 1], on its own device.
    """
    @torch.no_grad()
    def features(pictures: Images) -> Tensor:
        pictures, = as_images(pictures=pictures)
        net.eval()
        device = next((p.device for p in net.parameters()), torch.device("cpu"))
        shape = tuple(pictures.shape[1:])
        return torch.cat([net(x.float().unflatten(1, shape).to(device)).flatten(1).cpu().double()
                          for x in blocks(pictures, "pictures")])
    return features
