"""Classes in explorers: which labels there are, what they are called in menus and words, and what fits into a picture."""

from collections.abc import Sequence

import numpy as np

from vae_course import plots
from vae_course.pixels import as_array
from vae_course.widgets.explorer import CannotExplore
from vae_course.widgets.pictures import can_be_written

TEN_DIGITS = set("0123456789")


class Classes:
    """The classes of some labels.

    Attributes:
        found: the labels that occur, rising.
        names: of the labels 0, 1, …, or None.
        named: whether they have names that are no numbers.
        written: whether pictures can have these names in them.
        kind: "digit" where each name is one, or, without names, each label of grey pictures; else "class".
    """

    def __init__(self, labels: np.ndarray, names: Sequence[str] | None = None, colour: bool = False):
        self.found, self.names = np.unique(labels).tolist(), names
        self.named = names is not None and not all(name.isdecimal() for name in names)
        self.written = not self.named or all(map(can_be_written, names or ()))
        digits = {self.name(label) for label in self.found} if names is None else set(names)
        self.kind = "digit" if digits <= TEN_DIGITS and not (colour and names is None) else "class"

    def name(self, label: int) -> str:
        """In menus and words."""
        known = self.names is not None and 0 <= label < len(self.names)  # a classifier of one's own may answer another one
        name = plots.class_name(label, self.names if known else None)
        return name if self.written else f"{label}: {name}"

    def short(self, label: int) -> str:
        """In a picture: the name, or the number where a picture's fonts lack letters of the names."""
        return self.name(label) if self.written else str(label)

    def mark(self, label: int) -> str:
        """What a disc on a map has room for: a name that is a number, else the label."""
        return str(label) if self.named else self.name(label)

    def which(self, label: int) -> str:
        """E.g. "digit 7", or "class coat"."""
        return f"{self.kind} {self.name(label)}"

    def one(self, label: int) -> str:
        """E.g. "a 7", or "coat"."""
        return self.name(label) if self.named else f"a {self.name(label)}"

    @property
    def in_pictures(self) -> list[str] | None:
        """What `plots.draw_codes` writes for each label from 0; None if labels have no names."""
        return None if self.names is None else [self.short(label) for label in range(len(self.names))]


def check_labels(labels, n: int, names=None, *, what: str = "codes", colour: bool = False,
                 argument: str = "labels") -> tuple[np.ndarray, Classes]:
    """labels as whole numbers (n,), one for each of n codes or images, and their classes.

    Args:
        labels: what the explorer was given.
        n: how many there must be.
        names: the names of the labels 0, 1, …, or None.
        what: of what there are n.
        colour: whether the pictures have colour; then numbers without names are not taken for digits.
        argument: what the messages call the labels.

    Raises:
        CannotExplore: if labels or names are something else, or do not fit.
    """
    values = as_array(labels)
    if values.dtype.kind in "OSU":
        raise CannotExplore(f"{argument} must be whole numbers, the classes, and these are names or other things, such as "
                            f"{values.ravel().tolist()[0]!r}. data.from_arrays(images, labels) numbers them and keeps their "
                            f"names: give its train.labels, and its classes as classes=…")
    if values.shape != (n,):
        advice = f" One number each, of rows that mark it with a 1: {argument}.argmax(1)." if values.ndim == 2 else ""
        prefix = "" if argument == "labels" else f"{argument}: "
        raise CannotExplore(f"{prefix}There are {n} {what} and labels of shape {values.shape}: give one for each.{advice}")
    if values.dtype.kind not in "iub":
        raise CannotExplore(f"{argument} must be whole numbers, the classes, and they are {values.dtype}. "
                            f"Take the labels of the data set, e.g. test.labels.")
    values = values.astype(int)
    return values, Classes(values, _check_names(names, values, argument), colour)


def _check_names(names, labels: np.ndarray, argument: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    advice = "Give what data.from_arrays(…) has as its classes, a name for each label from 0, or leave classes out."
    if isinstance(names, (str, bytes, dict, set)) or not hasattr(names, "__iter__"):
        raise CannotExplore(f"classes must be a list of names, and got {type(names).__name__}: {names!r}. {advice}")
    names = tuple(map(str, names))
    if len(set(names)) < len(names) or "" in names:
        raise CannotExplore(f"The names in classes must differ, and none may be empty, and got {names}. {advice}")
    if labels.min() < 0 or labels.max() >= len(names):
        raise CannotExplore(f"classes has {len(names)} names, for the labels 0 to {len(names) - 1}, and {argument} go from "
                            f"{labels.min()} to {labels.max()}. {advice}")
    return names
