"""from_dataset: any map-style torch Dataset, or a list, of pictures or of (picture, label) pairs."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from vae_course.data.arrays import arrangement, as_numbers, axes_of
from vae_course.data.images import ImageData, assembled, checked_options, chosen
from vae_course.data.pixels import ON_WHITE, Values, as_pixels, has_alpha, is_grey
from vae_course.data.stored import DataError, bar, file_name, made_before, note, stored

BLOCK = 64      # pictures that are converted at a time
WHAT = "dataset must be a torch Dataset, or a list, of pictures or of (picture, label) pairs"


def from_dataset(dataset: Any, *, test_fraction: float = 1 / 6, seed: int = 0, device: torch.device | str = "cpu",
                 file: str | os.PathLike | None = None) -> ImageData:
    """The pictures of a map-style torch Dataset, each read once: checked, split, and stored as `fit` takes them.

    Pictures are Pillow's images, or arrays or tensors, H × W, C × H × W or H × W × C, of whole numbers 0–255 or floats in
    [0, 1]; all have one size. Rows of floats, D each, are a table. Random transforms are drawn once. One line is printed.

    Args:
        dataset: has a length, and dataset[k] is a picture or (picture, label); labels are numbers, strings or tensors of one
            number. Where it has `classes`, a list of names, as torchvision's have, these are kept.
        test_fraction: the share that is for the test, of each class where there are labels.
        seed: of the random split.
        device: where the tensors shall live.
        file: a .npy file that the pictures are written to, instead of memory; train and test are then `ImageFile`s.

    Raises:
        TypeError, ValueError: for what cannot be understood; says what came, and the call that mends it.
        DataError: if the file cannot be written or holds something else, or the dataset fails.
    """
    options, path, n = checked_options(test_fraction, seed, device), file_name(file), _length(dataset)
    made_from = {"dataset": type(dataset).__qualname__, "length": n}
    made_before(path, made_from)    # if so, it is written anew: a transform may have changed
    reading = _Reading(dataset, n)
    images = stored(reading.blocks(), n, path)
    note(path, {"made_from": made_from})
    labels = None if all(label is None for label in reading.labels) else reading.labels
    name, whole = "own pictures" if isinstance(dataset, (list, tuple)) else type(dataset).__name__, dataset
    while not hasattr(whole, "classes") and hasattr(whole, "dataset"):      # as a Subset has
        whole = whole.dataset
    return assembled(name, n, partial(chosen, images), labels, options, reading.said, getattr(whole, "classes", None))


def _length(dataset: Any) -> int:
    """How many examples there are; TypeError or ValueError if it is no map-style dataset with two or more."""
    for holds, way in (
        (isinstance(dataset, DataLoader), "pass data.from_dataset(loader.dataset)"),
        (isinstance(dataset, IterableDataset), "an IterableDataset: pass list(dataset), or a part of it"),
        (isinstance(dataset, (np.ndarray, Tensor)), "pass data.from_arrays(dataset)"),
        (isinstance(dataset, (str, os.PathLike)), "data.from_folder(folder, size) reads files"),
        (isinstance(dataset, type), "a class: pass an instance of it"),
        (isinstance(dataset, Mapping) or not hasattr(dataset, "__getitem__"), "pass list(zip(pictures, labels))"),
        (not hasattr(dataset, "__len__"), "which has no length: pass [dataset[k] for k in range(n)]"),
    ):
        if holds:
            raise TypeError(f"{WHAT}, got {getattr(dataset, '__name__', type(dataset).__name__)}: {way}")
    n = len(dataset)
    if n < 2:
        raise ValueError(f"dataset must hold at least 2 pictures, one to train on and one for the test, got {n}")
    return n


class _Reading:
    """Reads a dataset once, and learns from its first picture how all become uint8."""

    def __init__(self, dataset: Any, n: int):
        self.dataset, self.n = dataset, n
        self.labels: list = []
        self.said: list[str] = []
        self.first: np.ndarray | None = None
        self.x, self.each = "", ""      # for the messages: one picture, and a loop over all

    def blocks(self) -> Iterator[np.ndarray]:
        """The pictures, (k, C, H, W) uint8, or rows, (k, D) float32; TypeError or ValueError for what is neither."""
        with bar(self.n) as shown:
            for start in range(0, self.n, BLOCK):
                block = np.stack([self._numbers(k) for k in range(start, min(start + BLOCK, self.n))])
                if start == 0:
                    arrange = self._arrangement(block)
                    values = Values("the pictures of dataset", self._mended, block.dtype)
                values.take(block)
                if block.ndim == 2:
                    values.check_table()
                    yield block.astype(np.float32)
                else:
                    values.check_pictures()
                    yield values.as_uint8(arrange(block))
                shown.update(len(block))
        if block.ndim > 2:
            values.check_brightness()
        self.said += values.said

    def _arrangement(self, block: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """As that of arrays; of its errors, what they call images."""
        try:
            shape = (self.n, *block.shape[1:])
            return arrangement(shape, block.dtype.kind == "f", lambda change: change.format(x="images"))[1]
        except ValueError as error:
            raise ValueError(f"{WHAT}; of images = np.stack([np.asarray(x) for {self.each}]), which data.from_arrays takes: "
                             f"{error}") from None

    def _mended(self, change: str) -> str:
        changed = change.format(x=self.x)
        return f"[({changed}, y) for {self.each}]" if "y" in self.each else f"[{changed} for {self.each}]"

    def _numbers(self, k: int) -> np.ndarray:
        """Picture k as numbers, of the shape and kind of the first one, (1, H, W) where it has no channels."""
        picture, *label = _apart(self.dataset, k)
        self.labels.append(_one(label[0], k) if label else None)
        if isinstance(picture, Image.Image):
            array = as_pixels(picture, 1 if is_grey(picture) and (self.first is None or len(self.first) == 1) else 3)
            if has_alpha(picture) and ON_WHITE not in self.said:
                self.said.append(ON_WHITE)
        else:
            array = as_numbers(picture, f"dataset[{k}]")
            array = array[None] if array.ndim == 2 else array
        if array.dtype.kind not in "buif":
            raise TypeError(f"{WHAT}, but dataset[{k}] holds {array.dtype} {array.shape}: give the dataset a transform that "
                            f"makes arrays of numbers of it")
        if self.first is None:
            self.first = array
            self.x = "x" if isinstance(picture, (np.ndarray, Tensor)) else "np.asarray(x)"
            self.each = "x, y in dataset" if label else "x in dataset"
        elif (array.shape, array.dtype.kind) != (self.first.shape, self.first.dtype.kind):
            raise ValueError(f"{WHAT}, all of one size and type, but dataset[0] is {self.first.dtype} {self.first.shape} "
                             f"and dataset[{k}] {array.dtype} {array.shape}: give the dataset one transform for all, as "
                             f"lambda x: x.convert(\"RGB\").resize((64, 64)) for Pillow's")
        return array


def _apart(dataset: Any, k: int) -> tuple:
    """dataset[k] as (picture,) or (picture, label)."""
    try:
        item = dataset[k]
    except Exception as error:
        raise DataError(f"dataset[{k}] fails with {type(error).__name__}: {error}. Mend the dataset, or leave this one out: "
                        f"torch.utils.data.Subset(dataset, indices)") from error
    if isinstance(item, list) and not (len(item) == 2 and axes_of(item[1]) < axes_of(item[0])):
        item = (item,)      # a picture as lists of numbers
    parts = item if isinstance(item, (tuple, list, Mapping)) else (item,)
    if isinstance(parts, Mapping) or len(parts) not in (1, 2):
        keys = list(parts) if isinstance(parts, Mapping) else list(range(len(parts)))
        two = ", ".join(f"item[{key!r}]" for key in keys[:2])
        raise TypeError(f"{WHAT}, but dataset[{k}] is a {type(item).__name__} with the keys {', '.join(map(repr, keys))}: "
                        f"pass [({two}) for item in dataset], with the keys that are meant")
    if axes_of(parts[0]) == 0:
        raise TypeError(f"{WHAT}, but dataset[{k}] begins with {type(parts[0]).__name__}, which is no picture: pass "
                        f"[(y, x) for x, y in dataset] if the label comes first")
    return tuple(parts)


def _one(label: Any, k: int) -> Any:
    """A label as a number or a string."""
    if isinstance(label, (Tensor, np.ndarray)) and math.prod(label.shape) == 1:
        return label.item()
    if axes_of(label) > 0 or isinstance(label, Mapping):
        key = next(iter(label), None) if isinstance(label, Mapping) else 0
        raise ValueError(f"{WHAT}, one label each, but that of dataset[{k}] is a {type(label).__name__} of {len(label)}: "
                         f"pass [(x, y[{key!r}]) for x, y in dataset], or y.argmax() of what is one-hot")
    return label
