"""Sets of pictures with their labels, the ways to pixels in [0, 1], and the splits of what a reader brings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_course import runtime
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


# ---------------------------------------------------------------- labels

def understood(labels: Any, n: int, names: Any) -> tuple[Tensor, tuple[str, ...]]:
    """Labels of n examples as they come, numbers or strings, as (n,) int64, 0 … C−1, and the names of the C classes.

    These are what the labels were, or `names`, as torchvision's data sets have them, where they fit.
    """
    values = _one_for_each(labels, n)
    found, numbers = np.unique(values, return_inverse=True)
    if (isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
            and values.dtype.kind == "i" and 0 <= found[0] and found[-1] < len(names)):
        return torch.from_numpy(values), tuple(names)
    return torch.from_numpy(numbers.reshape(-1).astype(np.int64)), tuple(map(str, found.tolist()))


def _one_for_each(labels: Any, n: int) -> np.ndarray:
    """The labels as an array (n,) of int64, bool or strings."""
    one = f"labels must be one for each of the {n} pictures"
    if isinstance(labels, (str, bytes, Mapping)) or not hasattr(labels, "__getitem__"):
        way = "list(labels.values())" if isinstance(labels, Mapping) else "a list, as list(labels)"
        raise TypeError(f"{one}, in an array or a list, got {type(labels).__name__}: pass {way}")
    given = labels.detach().cpu().tolist() if isinstance(labels, Tensor) else labels
    array = np.asarray(given, dtype=object)     # as objects, or NumPy would make strings of numbers among strings
    if array.ndim != 1:
        raise ValueError(f"{one}, ({n},), got {array.shape}: pass np.asarray(labels).argmax(1) if they are one-hot, or one "
                         f"of the columns, np.asarray(labels)[:, 0]")
    if len(array) != n:
        more = f"labels[:{n}]" if len(array) > n else f"images[:{len(array)}]"
        raise ValueError(f"{one}, got {len(array)}: leave the same ones out of both; if only the last are too many, pass "
                         f"{more}")
    values = [y.item() if hasattr(y, "item") else y.decode() if isinstance(y, bytes) else y for y in array]
    missing = [k for k, y in enumerate(values) if y is None or isinstance(y, float) and y != y]
    if missing:
        raise ValueError(f"{one}, but {len(missing)} are missing (None or NaN), the first is labels[{missing[0]}]: leave "
                         f"these pictures out, or give the missing a name, such as \"unknown\"")
    if all(isinstance(y, (str, bool)) for y in values) and len({type(y) for y in values}) == 1:
        return np.asarray(values)
    odd = [y for y in values if not (isinstance(y, (int, float)) and abs(y) < 2 ** 63 and float(y).is_integer())]
    if odd:
        kinds = ", ".join(sorted({type(y).__name__ for y in values}))
        raise TypeError(f"labels must all be whole numbers or all strings, got {kinds}, such as {odd[0]!r}: pass "
                        f"[str(y) for y in labels], or, of measured numbers, np.digitize(labels, edges)")
    return np.asarray(values).astype(np.int64)


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
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    rest, held = (ImageSet(chosen(data.images, index), None if data.labels is None else chosen(data.labels, index))
                  for index in (order[n:], order[:n]))
    return rest, held


def chosen(images: Tensor | ImageFile, index: Tensor) -> Tensor | ImageFile:
    """The examples that `index` (n,) names: a new tensor, or a view of the file."""
    return images.subset(index) if isinstance(images, ImageFile) else images[index.to(images.device)]


class Options(NamedTuple):
    """How to split, and where to: as `checked_options` returns them."""

    test_fraction: float
    seed: int
    device: torch.device


def checked_options(test_fraction: Any, seed: Any, device: Any) -> Options:
    """These arguments, before anything is read; TypeError or ValueError if they cannot be meant."""
    if not isinstance(test_fraction, Real) or not 0 < float(test_fraction) < 1:
        raise ValueError(f"test_fraction must be a share of the pictures, between 0 and 1, as 1/6, got {test_fraction!r}; "
                         f"for 1000 pictures pass test_fraction=1000 / len(images)")
    if not isinstance(seed, Integral):
        raise TypeError(f"seed must be a whole number, as 0, got {seed!r}")
    return Options(float(test_fraction), int(seed), runtime.pick_device(None if device is None else str(device)))


def assembled(name: str, n: int, take: Callable[[Tensor], Tensor | ImageFile], labels: Any, options: Options,
              said: Sequence[str], names: Any = None) -> ImageData:
    """The two sets out of n examples, on the device, and one printed line that says what is in them.

    `take` makes a tensor of the examples with these numbers, (m,) int64, or an ImageFile, which stays where it is; `said`
    are sentences for the end of the line, complete when all are taken; labels and names are as `understood` takes them.
    """
    numbers, classes = (None, None) if labels is None else understood(labels, n, names)
    halves, parts = [], split(n, numbers, options)
    for index in parts:
        images = take(index)
        try:
            images = images if isinstance(images, ImageFile) else images.to(options.device)
        except torch.OutOfMemoryError:
            raise ValueError(f"device {options.device} has no room for {images.nbytes / 1e9:.1f} GB of pictures: pass "
                             f"device=\"cpu\", and fit copies each batch when its turn comes") from None
        halves.append(ImageSet(images, None if numbers is None else numbers[index].to(images.device)))
    train, test = halves
    _, *sides = train.images.shape
    what = (f"rows of {sides[0]} numbers" if len(sides) == 1 else
            f"{'grey' if sides[0] == 1 else 'colour'} pictures, {sides[1]} high and {sides[2]} wide")
    of = ""
    if numbers is not None and classes is not None:
        shown = classes if len(classes) <= 12 else (*classes[:3], "…", classes[-1])
        of = f"; {len(classes)} {'class' if len(classes) == 1 else 'classes'}: {', '.join(shown)}"
        absent = len(set(numbers[parts[0]].tolist()) - set(numbers[parts[1]].tolist()))
        of += f"; {absent} of them without a picture in the test set" if absent else ""
    print(f"Data: {name}, {n:,} {what}: {len(train):,} to train on and {len(test):,} for the test{of}.", *said)
    return ImageData(name, train, test, classes=classes)


def split(n: int, labels: Tensor | None, options: Options) -> tuple[Tensor, Tensor]:
    """Which examples are trained on and which are for the test, in a random order that repeats with the seed.

    (n_train,) and (n_test,) int64. Of each class the same share is for the test, as nearly as whole numbers allow, and one
    at least is trained on.
    """
    if n < 2:
        raise ValueError(f"images must hold at least 2 pictures, one to train on and one for the test, got {n}")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(options.seed))
    n_test = min(max(round(options.test_fraction * n), 1), n - 1)
    if labels is None:
        return order[n_test:], order[:n_test]
    members = torch.bincount(labels)
    wanted = members * (n_test / n)
    taken = torch.minimum(wanted.floor().long(), (members - 1).clamp(min=0))
    by_remainder = torch.argsort(wanted.floor() - wanted, stable=True)
    may_give = by_remainder[(taken < members - 1)[by_remainder]]
    taken[may_give[:n_test - int(taken.sum())]] += 1
    if taken.sum() == 0:
        raise ValueError(f"labels must name classes with several pictures, but each of these {n} pictures has a label of "
                         f"its own: leave labels out, or name the classes")
    by_class = torch.argsort(labels[order], stable=True)
    place = torch.arange(n) - (members.cumsum(0) - members).repeat_interleave(members)     # within its class
    for_test = torch.empty(n, dtype=torch.bool)
    for_test[by_class] = place < taken.repeat_interleave(members)
    return order[~for_test], order[for_test]
