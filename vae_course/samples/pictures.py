"""Pictures of any kind, in blocks of rows of numbers: what all of this folder works on."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

MEMORY = 256 * 2**20    # bytes that the tensors of one block may take
Images = Any            # (N, …) pictures: a Tensor, a NumPy array or a data.ImageFile of uint8 from 0 to 255, or of floats


def as_images(**sets: Images) -> list[Images]:
    """These sets of pictures, NumPy arrays as tensors.

    Raises:
        TypeError: naming the argument, unless it is a Tensor, NumPy array or ImageFile of uint8 or floating-point numbers.
        ValueError: if it has no picture, or is a single one.
    """
    return [_as_images(name, images) for name, images in sets.items()]


def _as_images(name: str, images: Images) -> Images:
    if isinstance(images, np.ndarray) and images.dtype.kind in "uifb":
        images = torch.as_tensor(np.ascontiguousarray(images))
    if not isinstance(getattr(images, "dtype", None), torch.dtype) or not hasattr(images, "split"):
        way_out = f": pass {name}.images" if hasattr(images, "images") else ": e.g. data.from_arrays(…).train.images"
        raise TypeError(f"{name} must be a tensor of pictures (N, …), a NumPy array or an ImageFile, got "
                        f"{type(images).__name__}{way_out}")
    if images.dtype != torch.uint8 and not images.dtype.is_floating_point:
        raise TypeError(f"{name} must hold uint8 numbers from 0 to 255, or floats, got {images.dtype}: "
                        f"{name}.to(torch.uint8), or {name}.float() for a table")
    if len(images.shape) < 2 or 0 in images.shape:
        raise ValueError(f"{name} must have shape (N, …) with N ≥ 1, got {tuple(images.shape)}"
                         + (": one picture is x.unsqueeze(0)" if len(images.shape) == 1 and len(images) else ""))
    return images


def rows(images: Tensor, name: str, beside_bytes: bool = False) -> Tensor:
    """Pictures (B, …) as (B, D) float64; uint8 becomes x / 255.

    Raises:
        ValueError: for numbers that are not finite, or floats on another scale than [0, 1] `beside_bytes`.
    """
    if images.dtype == torch.uint8:
        return images.flatten(1).double().div_(255)     # a copy: changed in place, without a second one
    x = images.flatten(1).double()
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} must hold finite numbers, got NaN or infinity")
    if beside_bytes and (x.min() < -0.5 or x.max() > 1.5):      # a Gaussian decoder's means may pass 0 and 1 a little
        raise ValueError(f"{name} must lie in [0, 1] beside uint8 pictures, got values from {x.min():.4g} to {x.max():.4g}: "
                         f"divide by 255 what runs to 255")
    return x


def blocks(images: Images, name: str, memory: int = MEMORY) -> Iterator[Tensor]:
    """All pictures as `rows` on the CPU, so many at once that four tensors of their size fit into `memory` bytes."""
    numbers = int(np.prod(images.shape[1:]))
    for block in images.split(min(1000, max(1, memory // (32 * numbers)))):
        yield rows(block.cpu(), name)
