"""What a reader may hand over as pictures, as one NumPy array; all else is refused with the call that takes it."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vae_course.data.images import ImageData, ImageSet
from vae_course.data.pillow import as_pixels, is_grey
from vae_course.data.stored import DataError, ImageFile

WHAT = "images must be an array of pictures, (N, H, W), (N, C, H, W) or (N, H, W, C), or a table (N, D) of floats"


class Given(NamedTuple):
    """The array, and how messages shall write what the reader can do with what came."""

    array: np.ndarray
    name: str                           # what it is called where it is an array: "images", or "np.asarray(images)"
    turned: Callable[[tuple], str]      # an order of the axes → the call that makes it
    mended: Callable[[str], str]        # a change of x, as "{x} / 255" → the call that makes it


def as_array(images: Any) -> Given:
    """Arrays, tensors, and lists of them or of Pillow's images, all of one size, as numbers (N, …).

    Raises:
        TypeError, ValueError: for all else; says what came and which call takes it.
    """
    if isinstance(images, Tensor):
        tensor = (images.to_dense() if images.layout != torch.strided else images).detach().cpu()
        other = tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64)
        return Given((tensor.float() if other else tensor).numpy(), "images", lambda axes: f"images.permute{axes}",
                     lambda change: change.replace("np.nan_to_num(", "torch.nan_to_num(").format(x="images"))
    _refuse(images)
    listed = isinstance(images, (list, tuple))
    array = _stacked(list(images)) if listed else images if isinstance(images, np.memmap) else np.asarray(images)
    if array.dtype == object:
        array = _stacked(array.tolist())
    if array.dtype.kind not in "buif":
        hint = ": pass np.abs(images)" if array.dtype.kind == "c" else ""
        raise TypeError(f"{WHAT}, got {array.dtype} {array.shape}{hint}")
    name = "images" if type(images) in (np.ndarray, np.memmap) else "np.asarray(images)"
    return Given(array, name, lambda axes: f"np.transpose(images, {axes})", lambda change: change.format(x=name))


def whole_file(array: np.ndarray) -> ImageFile | None:
    """The .npy file of which `array` is the memory map, if it is all of it and its pictures can stay there as they are."""
    if not isinstance(array, np.memmap) or array.mode == "c" or not array.flags.c_contiguous:
        return None
    storable = (array.dtype == np.uint8 and (array.ndim == 3 or array.ndim == 4 and array.shape[1] in (1, 3))
                or array.dtype == np.float32 and array.ndim == 2)
    if not storable or array.filename is None:
        return None
    try:
        file = ImageFile(array.filename)
    except DataError:
        return None     # a map of plain bytes, which is read into memory
    return file if (file.offset, tuple(file.shape)) == (array.offset, array.shape) else None


def _refuse(images: Any) -> None:
    """Raise TypeError for what is no array, but something else that a reader has pictures in."""
    kind = type(images).__name__
    if isinstance(images, (str, os.PathLike)):
        path = Path(images)
        way = ("np.load(path) is a dict of arrays, of which one holds the pictures" if path.suffix == ".npz" else
               f"data.from_arrays(data.ImageFile({str(path)!r}))" if path.suffix == ".npy" else
               "data.from_folder(folder, size) reads files")
        raise TypeError(f"{WHAT}, got the {kind} {str(path)!r}: {way}")
    for types, way in (
        (DataLoader, "data.from_dataset(images.dataset)"),
        (Dataset, "data.from_dataset(images)"),
        (ImageData, "it is what from_arrays returns: take images.train and images.test"),
        (ImageSet, "pass images.images, images.labels"),
        (Image.Image, "one picture is too few; several in a list"),
    ):
        if isinstance(images, types):
            raise TypeError(f"{WHAT}, got {kind}: {way}")
    if isinstance(images, Mapping):
        raise TypeError(f"{WHAT}, got {kind} with the keys {', '.join(map(repr, images))}: pass images[key] of one")
    if np.ma.is_masked(images):
        raise ValueError(f"{WHAT}, got an array with masked values: pass images.filled(0)")
    if hasattr(images, "toarray"):
        raise TypeError(f"{WHAT}, got {kind}: pass images.toarray()")
    if not hasattr(images, "__array__") and not isinstance(images, (list, tuple)):
        hint = (": data.from_dataset(images) takes what has a length and images[0]" if hasattr(images, "__getitem__") else
                ": pass list(images)" if isinstance(images, Iterable) else "")
        raise TypeError(f"{WHAT}, got {kind}{hint}")


def _stacked(pictures: list) -> np.ndarray:
    """A list of pictures, or of lists of numbers, as one array."""
    if not pictures:
        raise ValueError("images must hold pictures, got an empty list")
    first = pictures[0]
    if isinstance(first, (str, os.PathLike)):
        raise TypeError(f"{WHAT}, got a list of {type(first).__name__}: data.from_folder(folder, size) reads files; or pass "
                        f"[PIL.Image.open(name) for name in images], if all have one size")
    if len(pictures) == 2 and axes_of(first) > 1 and axes_of(pictures[1]) == 1:
        raise TypeError(f"{WHAT}, got pictures and labels in one: pass data.from_arrays(*images)")
    if isinstance(first, Mapping):
        raise TypeError(f"{WHAT}, got a list of {type(first).__name__} with the keys {', '.join(map(repr, first))}: pass "
                        f"[row[key] for row in images] of one")
    if isinstance(first, (list, tuple)) and len(first) == 2 and axes_of(first[0]) >= 2 and axes_of(first[1]) <= 1:
        raise TypeError(f"{WHAT}, got a list of pairs: data.from_dataset(images) takes it, or pass both apart: "
                        f"data.from_arrays([x for x, y in images], [y for x, y in images])")
    if any(isinstance(picture, Image.Image) for picture in pictures):
        channels = 1 if all(isinstance(picture, Image.Image) and is_grey(picture) for picture in pictures) else 3
        pictures = [as_pixels(picture, channels) if isinstance(picture, Image.Image) else picture for picture in pictures]
    arrays = []
    for k, picture in enumerate(pictures):
        try:
            arrays.append(as_array(picture).array if isinstance(picture, Tensor) else np.asarray(picture))
        except ValueError:
            raise ValueError(f"images must hold pictures of one size, but images[{k}] has unequal rows") from None
        if arrays[k].shape != arrays[0].shape:
            raise ValueError(f"images must be pictures of one size, got {arrays[0].shape} and {arrays[k].shape}"
                             f": pass [PIL.Image.fromarray(x).resize((64, 64)) for x in images] if they are uint8, or "
                             f"read files by data.from_folder(folder, size)")
    array = np.stack(arrays)
    return array[:, None] if array.ndim == 3 else array     # each of them is one grey picture, however many there are


def axes_of(thing: Any) -> int:
    """The number of axes of a picture or a label, whatever holds it: 0 for a number or a name."""
    if isinstance(thing, Image.Image):
        return 2
    if isinstance(thing, (list, tuple)):
        return 1 + (axes_of(thing[0]) if thing else 0)
    return getattr(thing, "ndim", 0)
