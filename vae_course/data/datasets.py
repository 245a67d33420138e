"""from_dataset: any map-style torch Dataset, or a list, of pictures or of (picture, label) pairs."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from vae_course import runtime
from vae_course.data.given import as_array, axes_of
from vae_course.data.images import ImageData
from vae_course.data.labels import understand
from vae_course.data.layouts import arrangement, as_a_picture
from vae_course.data.pillow import as_pixels, has_alpha, is_grey
from vae_course.data.pixels import Pixels, Range
from vae_course.data.splitting import assembled, check_split, pick, split
from vae_course.data.stored import DataError
from vae_course.data.storing import bar, file_name, made_before, note, stored

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
    check_split(test_fraction, seed)
    device, path = runtime.pick_device(None if device is None else str(device)), file_name(file)
    n = _length(dataset)
    made_from = {"dataset": type(dataset).__qualname__, "length": n}
    if path is not None:
        made_before(path, made_from)    # if so, it is written anew: a transform may have changed
    labels: list = []
    said: list[str] = []
    images = stored(_blocks(dataset, n, labels, said), n, path)
    if path is not None:
        note(path, {"made_from": made_from})
    understood = understand(None if all(label is None for label in labels) else labels, n, _classes(dataset))
    parts = split(n, understood, test_fraction, seed)
    halves = [pick(images, index) for index in parts]
    name = "own pictures" if isinstance(dataset, (list, tuple)) else type(dataset).__name__
    return assembled(name, halves, understood, parts, device, said)


def _length(dataset: Any) -> int:
    """How many examples there are; TypeError or ValueError if it is no map-style dataset with two or more."""
    kind = type(dataset).__name__
    if isinstance(dataset, DataLoader):
        raise TypeError(f"{WHAT}, got a DataLoader: pass data.from_dataset(loader.dataset)")
    if isinstance(dataset, IterableDataset):
        raise TypeError(f"{WHAT}, got {kind}, an IterableDataset: pass data.from_dataset(list(dataset)), or of many "
                        f"list(itertools.islice(dataset, 10_000))")
    if isinstance(dataset, (np.ndarray, Tensor)):
        raise TypeError(f"{WHAT}, got {kind}: pass data.from_arrays(dataset)")
    if isinstance(dataset, (str, os.PathLike)):
        raise TypeError(f"{WHAT}, got {kind}: data.from_folder(folder, size) reads files")
    if isinstance(dataset, (Mapping, type)) or not hasattr(dataset, "__getitem__"):
        hint = ", pass an instance of it" if isinstance(dataset, type) else ""
        raise TypeError(f"{WHAT}, got {'the class ' if isinstance(dataset, type) else ''}"
                        f"{dataset.__name__ if isinstance(dataset, type) else kind}{hint}: it must have a length, and "
                        f"dataset[0] must be its first picture; pass [(picture, label), …]")
    try:
        n = len(dataset)
    except (TypeError, NotImplementedError):
        raise TypeError(f"{WHAT}, got {kind}, which has no length: give it a method __len__, or pass "
                        f"[dataset[k] for k in range(n)]") from None
    if n < 2:
        raise ValueError(f"dataset must hold at least 2 pictures, one to train on and one for the test, got {n}")
    return n


def _blocks(dataset: Any, n: int, labels: list, said: list[str]) -> Iterator[np.ndarray]:
    """The pictures in blocks, (k, C, H, W) uint8 or (k, D) float32; labels, and what there is to say, go into the lists."""
    block, first, reading = [], None, None
    with bar(n, "picture") as shown:
        for k in range(n):
            picture, *label = _apart(dataset, k)
            if k and len(label) != bool(labels):
                raise TypeError(f"{WHAT}, all alike, but dataset[{k}] has {'a' if label else 'no'} label, unlike others: "
                                f"give all a label, or none")
            labels += [_one(label[0], k)] if label else []
            array = _array(picture, k, first)
            first = array if first is None else first
            reading = reading or _Reading(picture, array, bool(label), n)
            if isinstance(picture, Image.Image) and has_alpha(picture):
                reading.pixels.say_on_white()
            block.append(array)
            if len(block) == BLOCK or k == n - 1:
                yield reading.convert(np.stack(block))
                block = []
            shown.update()
    if reading is not None:
        said += reading.finish()


class _Reading:
    """How the pictures of a dataset become uint8, found out from the first of them."""

    def __init__(self, picture: Any, array: np.ndarray, with_label: bool, n: int):
        x, is_pillow = "x", isinstance(picture, Image.Image)
        if not isinstance(picture, (np.ndarray, Tensor)):
            x = "np.asarray(x)"
        each = "({x}, y) for x, y in dataset" if with_label else "{x} for x in dataset"
        self.pixels = Pixels("the pictures of dataset", lambda change: f"[{each.format(x=change.format(x=x))}]")
        self.is_table = array.ndim == 1 and array.dtype.kind == "f"
        self.arrange: Callable[[np.ndarray], np.ndarray] = np.asarray     # Pillow's are (C, H, W) already, a row a row
        if array.ndim == 2:
            self.arrange = lambda block: block[:, None]
        elif array.ndim == 1 and not self.is_table:
            raise ValueError(f"{WHAT}, got rows of {array.size} whole numbers: for flattened pictures pass "
                             f"{self.pixels.mended('{x}.reshape(' + (as_a_picture(array.size) or 'height, width') + ')')}")
        elif array.ndim > 2 and not is_pillow:
            stacked = f"np.stack([np.asarray(x) for {'x, y' if with_label else 'x'} in dataset])"
            try:
                _, self.arrange = arrangement((n, *array.shape), False, "images",
                                              lambda axes: f"np.transpose(images, {axes})")
            except ValueError as error:
                raise ValueError(f"{WHAT}; of images = {stacked}, which data.from_arrays takes: {error}") from None

    def convert(self, block: np.ndarray) -> np.ndarray:
        """(k, …) as they came to (k, C, H, W) uint8, or rows of a table to (k, D) float32; ValueError for wrong values."""
        values = Range(block.dtype).take(block)
        if self.is_table:
            self.pixels.check_finite(values, largest=0)
            return block.astype(np.float32)
        self.pixels.check(values)
        return self.pixels(self.arrange(block))

    def finish(self) -> list[str]:
        """What there is to say at the end; ValueError for pictures that are all too dark."""
        if not self.is_table:
            self.pixels.check_brightness()
        return list(self.pixels.said)


def _apart(dataset: Any, k: int) -> tuple:
    """dataset[k] as (picture,) or (picture, label)."""
    try:
        item = dataset[k]
    except Exception as error:
        raise DataError(f"dataset[{k}] fails with {type(error).__name__}: {error}. Mend the dataset, or leave this one out: "
                        f"torch.utils.data.Subset(dataset, indices)") from error
    if isinstance(item, Mapping):
        raise TypeError(f"{WHAT}, but dataset[{k}] is a {type(item).__name__} with the keys {', '.join(map(repr, item))}: "
                        f"pass [(row[\"image\"], row[\"label\"]) for row in dataset], with the keys that are meant")
    if isinstance(item, list) and not (len(item) == 2 and axes_of(item[1]) < axes_of(item[0])):
        item = (item,)      # a picture as lists of numbers
    parts = tuple(item) if isinstance(item, (tuple, list)) else (item,)
    if len(parts) not in (1, 2):
        raise TypeError(f"{WHAT}, but dataset[{k}] has {len(parts)} parts: pass [(item[0], item[1]) for item in dataset]")
    if axes_of(parts[0]) == 0:
        hint = (": pass [(y, x) for x, y in dataset], if the label comes first" if len(parts) == 2 and axes_of(parts[1]) > 0
                else "")
        raise TypeError(f"{WHAT}, but dataset[{k}] begins with {type(parts[0]).__name__}, which is no picture{hint}")
    return parts


def _one(label: Any, k: int) -> Any:
    """A label as a number or a string."""
    if axes_of(label) == 0 and not isinstance(label, (Tensor, Mapping)):
        return label
    if isinstance(label, (Tensor, np.ndarray)) and math.prod(label.shape) == 1:
        return label.item()
    if isinstance(label, Mapping):
        raise TypeError(f"{WHAT}, one label each, but that of dataset[{k}] is a {type(label).__name__} with the keys "
                        f"{', '.join(map(repr, label))}: pass [(x, y[key]) for x, y in dataset]")
    raise ValueError(f"{WHAT}, one label each, but dataset[{k}] has {math.prod(np.shape(label))} numbers for a label: pass "
                     f"[(x, y[0]) for x, y in dataset] for the first of them, or int(y.argmax()) if they are one-hot")


def _array(picture: Any, k: int, first: np.ndarray | None) -> np.ndarray:
    """One picture as numbers, of the shape and kind of the first one."""
    if isinstance(picture, Image.Image):
        grey = is_grey(picture)
        if first is not None and len(first) == 1 and not grey:
            raise ValueError(f"{WHAT}, all grey or all in colour, but dataset[{k}] is in colour, unlike those before: give "
                             f"the dataset the transform lambda x: x.convert(\"RGB\")")
        array = as_pixels(picture, (1 if grey else 3) if first is None else len(first))
    else:
        array = as_array(picture).array if isinstance(picture, Tensor) else np.asarray(picture)
        if array.dtype.kind not in "buif":
            raise TypeError(f"{WHAT}, but dataset[{k}] holds {array.dtype} {array.shape}: give the dataset a "
                            f"transform that makes arrays of numbers of it")
    if first is not None and array.shape != first.shape:
        raise ValueError(f"{WHAT}, all of one size, but dataset[0] is {first.shape} and dataset[{k}] {array.shape}: give "
                         f"the dataset a transform, as torchvision.transforms.Resize((64, 64)), or read files by "
                         f"data.from_folder(folder, 64)")
    if first is not None and (array.dtype.kind == "f") != (first.dtype.kind == "f"):
        raise ValueError(f"{WHAT}, all of one type, but dataset[0] is {first.dtype} and dataset[{k}] {array.dtype}: give "
                         f"the dataset one transform for all")
    return array


def _classes(dataset: Any) -> Any:
    """The names of the classes that the dataset has, or the one of which it is a part; None if it has none."""
    while not hasattr(dataset, "classes") and hasattr(dataset, "dataset"):
        dataset = dataset.dataset
    return getattr(dataset, "classes", None)
