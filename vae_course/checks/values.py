"""The values that the answers to the exercises return: how a check compares them, and shows them in a hint."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def close(a, b, tolerance: float = 1e-4, *, equal_nan: bool = False) -> bool:
    """Whether two numbers or tensors have one shape and agree to the tolerance; NaN agrees with NaN only if asked to.

    What is neither, such as the None of a forgotten `return`, agrees with nothing.
    """
    try:
        a, b = to_tensor(a), to_tensor(b)
    except NO_NUMBER:
        return False
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=equal_nan)


NO_NUMBER = (TypeError, ValueError, RuntimeError, OverflowError)    # what torch raises for a text, a dict, None, …


def to_tensor(value) -> Tensor:
    """A number, a tensor, an array or a list of such as one tensor of doubles; raises NO_NUMBER for anything else."""
    if isinstance(value, (tuple, list)) and any(isinstance(row, Tensor) for row in value):
        value = torch.stack([torch.as_tensor(row, dtype=torch.float64) for row in value])
    return torch.as_tensor(value, dtype=torch.float64).detach()


def as_number(value) -> float:
    """The value as a number; NaN if it is none."""
    try:
        return to_tensor(value).item()
    except NO_NUMBER:
        return math.nan


def parts_of(value, n: int) -> tuple:
    """The n things that were returned, in a tuple, a list, or the rows of a tensor; () if it is no n things."""
    try:
        return tuple(value) if len(value) == n and not isinstance(value, Mapping) else ()
    except TypeError:   # a number, or a tensor without axes
        return ()


def pairs_of(got, wanted) -> list[tuple]:
    """(got, wanted) for each of the things that were asked for."""
    return list(zip(parts_of(got, len(wanted)), wanted)) if isinstance(wanted, tuple) else [(got, wanted)]


def same(got, wanted, tolerance: float = 1e-4, *, equal_nan: bool = False) -> bool:
    """Whether an answer gave the wanted number, tensor or text, or tuple of them, in which `...` is anything."""
    if isinstance(wanted, tuple):
        pairs = pairs_of(got, wanted)
        return pairs != [] and all(w is ... or same(g, w, tolerance, equal_nan=equal_nan) for g, w in pairs)
    if isinstance(wanted, str):
        return isinstance(got, str) and got == wanted
    return close(got, wanted, tolerance, equal_nan=equal_nan)


def same_mistake(got, value, *, only_numbers: bool = False) -> bool:
    """Whether an answer gave what a mistake gives: the same value, NaN too (0/0 is NaN, or an error), or the same error."""
    got, value = (math.nan if isinstance(v, ZeroDivisionError) else v for v in (got, value))
    if isinstance(got, Exception) or isinstance(value, Exception):
        return not only_numbers and type(got) is type(value)
    return same(got, value, equal_nan=not only_numbers)


def wanted_and_got(pairs: Sequence[tuple], tolerance: float) -> str:
    """What the answer should be, and is: all of it if that is short, else the first number that differs."""
    got, wanted = zip(*pairs)
    whose, at = "the answer", ""
    if any(map(_is_long, wanted)):
        k = next(k for k, (g, w) in enumerate(pairs) if not close(g, w, tolerance))
        g, w = map(to_tensor, pairs[k])
        differs = ~torch.isclose(g, w, rtol=tolerance, atol=tolerance)
        whose = f"value {k + 1} of the answer" if len(pairs) > 1 else whose
        at = f" at the index {differs.nonzero()[0].tolist()}"
        got, wanted = (g[differs][0].item(),), (w[differs][0].item(),)
    digits = 4 if short(got) != short(wanted) else 8
    return f"{whose} should be {short(wanted, digits)}{at}, and is {short(got, digits)}"


def _is_long(value) -> bool:
    return isinstance(value, Tensor) and value.numel() > 6


def short(value, digits: int = 4) -> str:
    """A value for a hint: so many digits, long tensors by their shape, and functions by their name."""
    if isinstance(value, (tuple, list)):
        parts = [short(part, digits) for part in value]
        return "(" + ", ".join(parts) + ")" if len(parts) != 1 else parts[0]
    if isinstance(value, Tensor):
        return (f"a tensor of shape {tuple(value.shape)}" if _is_long(value) else
                str([float(f"{v:.{digits}g}") for v in value.flatten().tolist()]))
    return f"{value:.{digits}g}" if isinstance(value, float) else getattr(value, "__name__", str(value))
