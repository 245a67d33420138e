"""What the functions of the course check first: types, shapes and values, each error with the call that mends it."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vae_course import runtime


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
            hint = "; these look like 0–255 pixels: divide by 255 (data.grey does so for uint8)" if high > 2 else ""
            raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}{hint}")
