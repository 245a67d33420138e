"""Labels of all kinds to 0 … C−1 with the names of the classes."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor


class Labels(NamedTuple):
    """Which class each example belongs to, and what the classes are called; None twice where there are no labels."""

    numbers: Tensor | None = None               # (N,) int64, 0 … C−1
    classes: tuple[str, ...] | None = None      # C names


def understand(labels: Any, n: int, classes: Any = None) -> Labels:
    """Labels as they come, numbers or strings, as 0 … C−1; the names of the classes are what the labels were.

    Args:
        labels: one for each of the n examples, or None.
        n: how many examples there are.
        classes: names of the labels 0, 1, …, as torchvision's data sets have them; used where they fit.

    Raises:
        TypeError, ValueError: for what is not one label for each example; says what came and what to call.
    """
    if labels is None:
        return Labels()
    values = _one_for_each(labels, n)
    if values.dtype.kind in "US":
        values = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    elif values.dtype.kind == "f":
        values = _whole(values)
    elif values.dtype.kind not in "iub":
        raise TypeError(f"labels must be whole numbers or strings, one for each picture, got {values.dtype}")
    found, numbers = np.unique(values, return_inverse=True)
    if _names_fit(classes, found):
        return Labels(torch.from_numpy(values.astype(np.int64)), tuple(map(str, classes)))
    return Labels(torch.from_numpy(numbers.reshape(-1).astype(np.int64)), tuple(map(str, found.tolist())))


def describe(labels: Labels) -> str:
    """The classes in a few words: "; 10 classes: 0, 1, 2, …, 9"; "" where there are none."""
    if labels.classes is None:
        return ""
    names = list(labels.classes)
    shown = names if len(names) <= 12 else [*names[:3], "…", names[-1]]
    return f"; {len(names)} {'class' if len(names) == 1 else 'classes'}: {', '.join(shown)}"


def _one_for_each(labels: Any, n: int) -> np.ndarray:
    """The labels as an array (n,) of numbers or strings."""
    if isinstance(labels, Tensor):
        labels = (labels.double() if labels.is_floating_point() else labels).detach().cpu().numpy()
    if isinstance(labels, (str, bytes, dict, set)) or not hasattr(labels, "__len__"):
        hint = (": list(labels.values())" if isinstance(labels, dict) else
                ": list(labels)" if hasattr(labels, "__iter__") and not isinstance(labels, (str, bytes)) else "")
        raise TypeError(f"labels must be an array or a list with one label for each of the {n} pictures{hint}, got "
                        f"{type(labels).__name__}")
    try:
        values = np.asarray(labels)
    except (TypeError, ValueError):
        raise ValueError(f"labels must hold one label for each of the {n} pictures, got lists of unequal lengths: pass "
                         f"one of each, as [several[0] for several in labels]") from None
    if values.ndim == 1 and (values.dtype.kind == "O" or values.dtype.kind == "U" and isinstance(labels, (list, tuple))):
        values = _alike(list(labels))       # NumPy makes the string "nan" of NaN among strings
    if values.ndim != 1:
        name = "labels" if hasattr(labels, "argmax") else "np.asarray(labels)"
        hint = (f"{name}.argmax(1) if they are one-hot, or one of the columns, {name}[:, 0]"
                if values.ndim == 2 and values.shape[1] > 1 else f"{name}.reshape(-1)")
        raise ValueError(f"labels must be one for each picture, ({n},), got {values.shape}: pass {hint}")
    if len(values) != n:
        more = f"labels[:{n}]" if len(values) > n else f"images[:{len(values)}]"
        raise ValueError(f"labels must be one for each of the {n} pictures, got {len(values)}: leave the same ones out of "
                         f"both; if only the last are too many, pass {more}")
    return values


def _alike(values: list) -> np.ndarray:
    """What an array of objects holds, where all are strings or all are numbers; ValueError else."""
    missing = [k for k, value in enumerate(values) if value is None or isinstance(value, float) and value != value]
    if missing:
        raise ValueError(f"labels must be one for each picture, but {len(missing)} are missing (None or NaN), the first is "
                         f"labels[{missing[0]}]: leave these pictures out, or give the missing a name, such as \"unknown\"")
    kinds = {str if isinstance(value, str) else type(value) for value in values}
    if kinds != {str} and not all(issubclass(kind, (int, float, np.number, np.bool_)) for kind in kinds):
        names = sorted(kind.__name__ for kind in kinds)
        raise TypeError(f"labels must all be whole numbers or all strings, got {', '.join(names)}: pass "
                        f"[str(y) for y in labels]")
    return np.asarray(values)


def _whole(values: np.ndarray) -> np.ndarray:
    """Floats that are whole numbers, as integers."""
    if not np.isfinite(values).all():
        bad = np.flatnonzero(~np.isfinite(values))
        raise ValueError(f"labels must be whole numbers or strings, but {len(bad)} are NaN or infinite, the first is "
                         f"labels[{bad[0]}]: leave these pictures out, images[np.isfinite(labels)] and the same of labels")
    if (values != np.rint(values)).any():
        odd = values[values != np.rint(values)][0]
        raise ValueError(f"labels must be whole numbers or strings that name classes, got {odd:g}: measured numbers become "
                         f"classes by np.digitize(labels, edges), or leave labels out")
    return values.astype(np.int64)


def _names_fit(classes: Any, found: np.ndarray) -> bool:
    """Whether the labels found are numbers of a list of names."""
    return (isinstance(classes, (list, tuple)) and all(isinstance(name, str) for name in classes)
            and found.dtype.kind in "iu" and 0 <= found[0] and found[-1] < len(classes))
