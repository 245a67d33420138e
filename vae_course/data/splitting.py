"""Splits in which each class has its share, and the sets that come of them."""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vae_course.data.images import ImageData, ImageSet
from vae_course.data.labels import Labels, describe
from vae_course.data.stored import ImageFile


def assembled(name: str, halves: Sequence[Tensor | ImageFile], labels: Labels, parts: Sequence[Tensor],
              device: torch.device, said: Sequence[str]) -> ImageData:
    """The two sets, on the device, and one printed line that says what is in them.

    Args:
        name: what the data are called.
        halves: the examples to train on, and those for the test.
        labels: of all the examples.
        parts: (n,) int64, for each half: which labels are its own.
        device: where the tensors shall live; what is in a file stays there.
        said: sentences for the end of the line.
    """
    train, test = (ImageSet(half if isinstance(half, ImageFile) else _moved(half, device),
                            None if labels.numbers is None else
                            labels.numbers[part].to("cpu" if isinstance(half, ImageFile) else device))
                   for half, part in zip(halves, parts))
    data = ImageData(name, train, test, classes=labels.classes)
    print(f"Data: {name}, {len(train) + len(test):,} {_what(train.images)}: {len(train):,} to train on and {len(test):,} "
          f"for the test{describe(labels)}.", *said, *_without_test(data))
    return data


def _what(images: Tensor | ImageFile) -> str:
    if images.ndim == 2:
        return f"rows of {images.shape[1]} numbers"
    _, channels, height, width = images.shape
    return f"{'grey' if channels == 1 else 'colour'} pictures, {height} high and {width} wide"


def _without_test(data: ImageData) -> list[str]:
    """A sentence about the classes that are so small that all their pictures are trained on."""
    if data.train.labels is None or data.test.labels is None:
        return []
    absent = len(set(data.train.labels.tolist()) - set(data.test.labels.tolist()))
    return [f"{absent} of the classes {'has' if absent == 1 else 'have'} no picture in the test set."] if absent else []


def _moved(half: Tensor, device: torch.device) -> Tensor:
    try:
        return half.to(device)
    except torch.OutOfMemoryError:
        raise ValueError(f"device {device} has no room for {half.nbytes / 1e9:.1f} GB of pictures: pass device=\"cpu\", and "
                         f"fit copies each batch when its turn comes") from None


def split(n: int, labels: Labels, test_fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Which examples are trained on and which are for the test, in a random order that repeats with the seed.

    Of each class the same share is for the test, as nearly as whole numbers allow, and one at least is trained on.

    Returns:
        (n_train,) and (n_test,) int64.

    Raises:
        ValueError: if an argument is out of its range, or nothing can be left for the test.
    """
    check_split(test_fraction, seed)
    if n < 2:
        raise ValueError(f"images must hold at least 2 pictures, one to train on and one for the test, got {n}")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(operator.index(seed)))
    n_test = min(max(round(float(test_fraction) * n), 1), n - 1)
    if labels.numbers is None:
        return order[n_test:], order[:n_test]
    members = torch.bincount(labels.numbers)
    wanted = members * (n_test / n)
    taken = torch.minimum(wanted.floor().long(), (members - 1).clamp(min=0))
    by_remainder = torch.argsort(wanted.floor() - wanted, stable=True)
    may_give = by_remainder[(taken < members - 1)[by_remainder]]
    taken[may_give[:n_test - int(taken.sum())]] += 1
    if taken.sum() == 0:
        raise ValueError(f"labels must name classes with several pictures, but each of these {n} pictures has a label of "
                         f"its own: leave labels out, or name the classes")
    by_class = torch.argsort(labels.numbers[order], stable=True)
    place = torch.arange(n) - (members.cumsum(0) - members).repeat_interleave(members)     # within its class
    for_test = torch.empty(n, dtype=torch.bool)
    for_test[by_class] = place < taken.repeat_interleave(members)
    return order[~for_test], order[for_test]


def pick(images: Tensor | ImageFile, index: Tensor) -> Tensor | ImageFile:
    """The examples that `index` names: a new tensor, or a view of the file."""
    return images.subset(index) if isinstance(images, ImageFile) else images[index]


def check_split(test_fraction: Any, seed: Any) -> None:
    """Raise TypeError or ValueError unless these can be the arguments of `split`."""
    try:
        fits = not isinstance(test_fraction, (bool, str)) and 0 < float(test_fraction) < 1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        count = isinstance(test_fraction, int) and not isinstance(test_fraction, bool) and test_fraction > 1
        hint = (f"; for {test_fraction} pictures pass test_fraction={test_fraction} / len(images)" if count else
                "; to train on all, pass a small one, such as 0.01" if test_fraction == 0 else "")
        raise ValueError(f"test_fraction must be a share of the pictures, between 0 and 1, as 1/6, got {test_fraction!r}"
                         f"{hint}")
    try:
        operator.index(seed)
    except TypeError:
        raise TypeError(f"seed must be a whole number, as 0, got {seed!r}") from None
