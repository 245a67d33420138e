"""Pictures with their labels and splits, and the ways to turn uint8 pictures into pixels in [0, 1]."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_course.data.stored import ImageFile


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels, on one device."""

    images: Any             # (N, C, H, W) uint8, 0–255: a tensor or an ImageFile; for a table (N, D) float32
    labels: Tensor | None   # (N,) int64, or None where the source has none

    def __len__(self) -> int:
        return len(self.images)


class ImageData(NamedTuple):
    """A data set with its splits. `validation` is None unless the source fixes one: see `hold_out`.

    `classes` are the names of the labels 0, 1, …; None where there are no labels.
    """

    name: str
    train: ImageSet
    test: ImageSet
    validation: ImageSet | None = None
    classes: tuple[str, ...] | None = None


# ---------------------------------------------------------------- uint8 images to pixels in [0, 1]

def check_images(images: Tensor) -> None:
    """Raise TypeError unless `images` is a uint8 tensor."""
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a uint8 tensor with values 0–255, got {kind}")


def grey(images: Tensor) -> Tensor:
    """Pixels as they are, divided by 255 (binarization "none"): (B, …) uint8 to (B, …) float32 in [0, 1]."""
    check_images(images)
    return images.float() / 255


def unchanged(x: Tensor) -> Tensor:
    """Numbers as they are, for tables: (B, …) float32 to (B, …) float32."""
    return x


def stochastic(images: Tensor) -> Tensor:
    """A fresh Bernoulli draw of every pixel, with its grey value as the probability: (B, …) float32, 0 or 1.

    Called on each batch of each epoch, it gives the protocol of Salakhutdinov & Murray (2008) and Burda et al. (2016).
    """
    p = grey(images)
    return (torch.rand_like(p) < p).float()  # torch.bernoulli(p) draws the same, at twice the time


def fixed(images: Tensor) -> Tensor:
    """Pixels that are binary already, as `load_fixed_mnist` returns them: (B, …) uint8 0/255 to (B, …) float32 0/1.

    Raises:
        ValueError: if a pixel is neither 0 nor 255.
    """
    check_images(images)
    if not images.is_cuda and not ((images == 0) | (images == 255)).all():
        raise ValueError("images must hold only 0 and 255 for `fixed`; use `stochastic` to binarize grey images")
    return images.float() / 255


# ---------------------------------------------------------------- splits

def hold_out(data: ImageSet, n: int, seed: int = 0) -> tuple[ImageSet, ImageSet]:
    """Split off n random examples, for validation: returns (the rest, the n held out); disjoint, the same every time."""
    if not 0 < n < len(data):
        raise ValueError(f"n must lie between 1 and {len(data) - 1}, got {n}")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).to(data.images.device)
    return subset(data, order[n:]), subset(data, order[:n])


def subset(data: ImageSet, index: Tensor) -> ImageSet:
    """The examples that `index` (n,) names, with their labels; those of an ImageFile stay in the file."""
    images = data.images.subset(index) if isinstance(data.images, ImageFile) else data.images[index]
    return ImageSet(images, None if data.labels is None else data.labels[index.to(data.labels.device)])
