"""Pictures with their labels and splits, and the ways to turn uint8 pictures into pixels in [0, 1]."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
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

def check_images(images: Tensor, of_floats: str = "data.unchanged") -> None:
    """Raise TypeError unless `images` is a uint8 tensor; `of_floats` names what prepares floats in its place."""
    if isinstance(images, Tensor) and images.dtype == torch.uint8:
        return
    what = "images must be a uint8 tensor with values 0–255, got"
    if isinstance(images, Tensor):
        way = f"floats in [0, 1] are prepared by {of_floats}, or made uint8 by" if images.is_floating_point() else "pass"
        raise TypeError(f"{what} {images.dtype}: {way} data.from_arrays(images).train.images")
    way = ("images[:100], some of them" if isinstance(images, ImageFile) else
           "torch.from_numpy(images)" if getattr(images, "dtype", None) == np.uint8 else
           "data.from_arrays(images).train.images")
    raise TypeError(f"{what} {type(images).__name__}: pass {way}")


def grey(images: Tensor) -> Tensor:
    """Pixels as they are, divided by 255 (binarization "none"): (B, …) uint8 to (B, …) float32 in [0, 1].

    Raises:
        TypeError: for floats, which `unchanged` takes, and for what is no tensor.
    """
    check_images(images)
    return images.float() / 255


def unchanged(x: Tensor) -> Tensor:
    """Numbers as they are, for the rows of a table: (B, …) float32 to (B, …) float32.

    Raises:
        TypeError: for uint8 pictures, which `grey` takes, and for other types.
    """
    if isinstance(x, Tensor) and x.dtype == torch.float32:
        return x
    kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
    way = ("uint8 pictures are prepared by data.grey" if kind == torch.uint8 else
           "pass x.float()" if isinstance(x, Tensor) else "pass data.from_arrays(x).train.images")
    raise TypeError(f"x must be a float32 tensor, got {kind}: {way}")


def stochastic(images: Tensor) -> Tensor:
    """A fresh Bernoulli draw of every pixel, with its grey value as the probability: (B, …) float32, 0 or 1.

    Called on each batch of each epoch, it gives the protocol of Salakhutdinov & Murray (2008) and Burda et al. (2016).
    """
    check_images(images, "torch.bernoulli")
    p = images.float() / 255
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
    """Split off n random examples, for validation: returns (the rest, the n held out); disjoint, the same every time.

    Pictures in an `ImageFile` stay there.
    """
    if not isinstance(data, ImageSet):
        way = "data.train" if isinstance(data, ImageData) else "data.ImageSet(images, labels)"
        raise TypeError(f"data must be an ImageSet, got {type(data).__name__}: pass {way}")
    if not isinstance(n, Integral) or isinstance(n, bool) or not 0 < n < len(data):
        hint = f"; for a share pass n=round({n!r} * len(data))" if isinstance(n, float) and 0 < n < 1 else ""
        raise ValueError(f"n must lie between 1 and {len(data) - 1}, got {n!r}{hint}")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).to(data.images.device)
    return subset(data, order[n:]), subset(data, order[:n])


def subset(data: ImageSet, index: Tensor) -> ImageSet:
    """The examples that `index` (n,) names, with their labels; those of an ImageFile stay in the file."""
    images = data.images.subset(index) if isinstance(data.images, ImageFile) else data.images[index]
    return ImageSet(images, None if data.labels is None else data.labels[index.to(data.labels.device)])
