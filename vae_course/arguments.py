"""What the functions of the course check first: types, shapes and values, each error with the call that mends it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from vae_course import runtime

PICTURES = "data.from_arrays({name}).train.images takes a list of pictures"


def check_float(**tensors: Tensor) -> None:
    """Raise TypeError, naming the argument and the way out, unless every tensor holds floating-point numbers."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            numbers = isinstance(tensor, np.ndarray | list | tuple)
            raise TypeError(f"{name} must be a floating-point tensor, got {type(tensor).__name__}"
                            + (f"; torch.as_tensor({name}, dtype=torch.float32)" if numbers else "")
                            + (f"; data.grey({name}.images)" if hasattr(tensor, "images") else ""))
        if not tensor.is_floating_point():
            way_out = f"turn pixels into [0, 1] with data.grey({name})" if tensor.dtype == torch.uint8 else f"{name}.float()"
            raise TypeError(f"{name} must be a floating-point tensor, got {tensor.dtype}; {way_out}")


def check_examples(x: Tensor, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> None:
    """Raise TypeError or ValueError, with the call that mends it, unless x holds examples of a model.

    Args:
        x: what a model is given as its first argument; right is (B, *shape).
        shape: of one example, the model's `input_shape`.
        dtype: that of the model's weights.
    """
    check_float(x=x)
    if x.dtype != dtype:
        raise TypeError(f"x must be {dtype}, as the model's weights are, got {x.dtype}: "
                        + ("x.float()" if dtype == torch.float32 else f"model.float(), or x.to({dtype})"))
    if x.ndim != 1 + len(shape) or tuple(x.shape[1:]) != tuple(shape):
        raise ValueError(f"x must have shape (B, {', '.join(map(str, shape))}), got {tuple(x.shape)}: "
                         f"{_reshaped(tuple(x.shape), tuple(shape))}")


def _reshaped(got: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """The call that makes examples of this shape of a tensor that has another, or the model that takes them."""
    if len(got) < 2 and got != shape:
        return "the first axis counts the examples, the others are those of one example"
    ways = [("x", got[1:])]                                                 # code, and the shape of an example after it
    if len(got) == 4:
        ways.append(("x.permute(0, 3, 1, 2)", (got[3], *got[1:3])))         # the channels came last
    if len(got) == 3:
        ways += [("x.unsqueeze(1)", (1, *got[1:])), ("x.permute(2, 0, 1).unsqueeze(0)", (got[2], *got[:2]))]
    ways += [("x.unsqueeze(0)", got), ("x[None, None]", (1, *got))]         # a single example
    if math.prod(got[1:]) == math.prod(shape) and 1 in (len(got) - 1, len(shape)):
        ways.append((f"x.reshape(-1, {', '.join(map(str, shape))})", shape))
    for code, after in ways:
        if after == shape:
            return code
    code, after = ways[1] if len(got) == 3 or len(got) == 4 and got[3] in (1, 3, 4) and got[1] > 4 else ways[0]
    return f"make a model of this size, such as models.mlp_vae({after})" + (f", and give it {code}" if code != "x" else "")


def check_same_shape(**tensors: Tensor) -> None:
    """Raise ValueError, naming both arguments, unless all tensors have one shape (broadcasting would hide a bug)."""
    (first, a), *others = tensors.items()
    for name, b in others:
        if a.shape != b.shape:
            raise ValueError(f"{first} and {name} must have the same shape, got {tuple(a.shape)} and {tuple(b.shape)}")


def check_unit_interval(**tensors: Tensor) -> None:
    """Raise ValueError, naming the argument, if a value lies outside [0, 1] or is NaN.

    On a GPU only inside `runtime.checking_values`, as `training.fit` has it for the first batch: reading makes it wait.
    """
    for name, x in tensors.items():
        if not runtime.may_be_read(x):
            continue
        low, high = x.min().item(), x.max().item()
        if not (low >= 0 and high <= 1):
            if low != low:
                raise ValueError(f"{name} must lie in [0, 1], got nan: {name}.isnan() says where; leave these examples out, "
                                 f"or torch.nan_to_num({name})")
            like_bytes = low >= 0 and high > 2
            hint = "these look like 0–255 pixels: divide by 255 (data.grey does so for uint8)" if like_bytes else \
                "for numbers on any scale take likelihood=models.GaussianLikelihood(learn_sigma=True)"
            raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}; {hint}")


# ---------------------------------------------------------------- data: tensors, or pictures that stay in a file

def check_source(**given: Any) -> None:
    """Raise TypeError, with the call that mends it, unless each holds examples as a tensor or an ImageFile does."""
    for name, data in given.items():
        if not is_source(data):
            raise TypeError(f"{name} must be a tensor (N, …), got {told(data)}{way_out(name, data)}")


def is_source(given: Any) -> bool:
    """Whether examples can be asked of it as of a tensor."""
    return isinstance(given, Tensor) or isinstance(getattr(given, "dtype", None), torch.dtype) and hasattr(given, "split")


def way_out(name: str, given: Any) -> str:
    """The call that makes of it what the course takes, after a colon; "" where none is known."""
    for fits, text in WAYS_OUT:
        if fits(given):
            return ": " + text.format(name=name)
    return ""


def _of(given: Any, i: int) -> Any:
    """The ith part of a list or a tuple, else None."""
    return given[i] if isinstance(given, list | tuple) and len(given) > i else None


def _holds(*names: str) -> Callable[[Any], bool]:
    return lambda given: all(hasattr(given, name) for name in names)


WAYS_OUT: list[tuple[Callable[[Any], bool], str]] = [
    (_holds("train", "test"), "give the images of a part of it, such as data.train.images, or, to a model that takes "
                              "labels, (data.train.images, data.train.labels)"),
    (_holds("images", "labels"), "give {name}.images, or, to a model that takes labels, ({name}.images, {name}.labels)"),
    (lambda given: isinstance(given, str | Path), "data.from_folder(path, size=64).train.images reads a folder of pictures"),
    (lambda given: isinstance(given, DataLoader), "batches are drawn here, so give what the loader draws from, "
                                                  "data.from_dataset(loader.dataset).train.images, and batch_size"),
    (lambda given: isinstance(given, IterableDataset) or hasattr(given, "__next__"),
     "it can be read once only, so collect its pictures, data.from_arrays(list({name})).train.images"),
    (lambda given: isinstance(given, Dataset), "data.from_dataset({name}).train.images"),
    (lambda given: isinstance(given, np.ndarray), "data.from_arrays({name}).train.images; or, as they are, "
                                                  "torch.from_numpy({name})"),
    (_holds("to_numpy"), "data.from_arrays({name}.to_numpy()).train.images"),
    (_holds("keys"), "give its tensors, such as ({name}['images'], {name}['labels'])"),
    (lambda given: isinstance(_of(given, 0), tuple | list) and len(given[0]) == 2,
     "data.from_dataset({name}).train.images takes (picture, label) pairs, and .labels are for a model that takes them"),
    (lambda given: len(shape_of(_of(given, 0))) in (2, 3) and len(set(map(shape_of, given))) == 1, PICTURES),
    (lambda given: len(shape_of(_of(given, 0))) > 3 or is_source(_of(given, 0)) or isinstance(_of(given, 0), list),
     "data.from_arrays(images, labels) makes tensors of them, and numbers of labels that are words; then "
     "(data.train.images, data.train.labels)"),
    (lambda given: len(shape_of(_of(given, 0))) > 1 or hasattr(_of(given, 0), "getbands"),
     PICTURES),
    (lambda given: hasattr(given, "getbands"), "data.from_arrays([{name}]) takes a list of pictures"),
]


def _kind(given: Any) -> str:
    parts = {type(part).__name__ for part in given[:3]} if isinstance(given, list | tuple) else set()
    return type(given).__name__ + (f" of {', '.join(sorted(parts))}" if parts else "")


def shape_of(given: Any) -> tuple:
    shape = getattr(given, "shape", ())
    return tuple(shape) if isinstance(shape, tuple) else ()


def told(given: Any) -> str:
    """What something is, in a few words: "ndarray (53, 28, 28) float64", "a tuple of Tensor (53, 1, 28, 28) uint8, list"."""
    if isinstance(given, list | tuple) and not hasattr(given, "_fields"):
        kinds = [told(part) if hasattr(part, "shape") else _kind(part) for part in given[:3]]
        kinds += ["…"] * (len(given) > 3)
        return f"a {type(given).__name__} of {len(given)}" + (f": {', '.join(kinds)}" if kinds else "")
    if isinstance(given, type | FunctionType):
        return f"the {'class' if isinstance(given, type) else 'function'} {given.__name__}"
    if isinstance(given, str):
        return repr(given)
    dtype = str(getattr(given, "dtype", "")).removeprefix("torch.")
    return type(given).__name__ + (f" {shape_of(given)} {dtype}" if dtype else "")
