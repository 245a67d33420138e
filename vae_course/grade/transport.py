"""What an answer returns, as plain text between two processes: numbers, tensors, texts, and rows of them; no pickle.

Whoever reads it runs no code of the one who wrote it. What is nothing of this kind arrives as a thing of no use.
"""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_course.derivations import Derivation, printing, text

LARGEST = 32 * 2**20    # bytes of a tensor
DEEPEST = 20            # lists in lists
KINDS = {str(dtype): dtype for dtype in (torch.float32, torch.float64, torch.int64, torch.bool)}


class Unknown:
    """In the place of a value that is not carried over."""


def encode(value: Any, depth: int = 0) -> list:
    """The value as lists, texts and numbers, ready for JSON."""
    try:
        return _encoded(value, depth)
    except Exception:   # an object of the student's may do anything when it is looked at
        return ["unknown"]


def _encoded(value: Any, depth: int) -> list:
    if depth > DEEPEST:
        return ["unknown"]
    if value is None or isinstance(value, bool):
        return ["plain", value]
    if isinstance(value, str):
        return ["plain", str.__str__(value)]
    if isinstance(value, int) and abs(value) < 2**63:
        return ["plain", int(value)]
    if isinstance(value, float):
        return ["plain", float(value)]
    if isinstance(value, Tensor):
        return _tensor(value.detach().cpu(), "tensor")
    if isinstance(value, np.ndarray | np.generic):
        return _tensor(torch.as_tensor(np.array(value)), "array")
    if isinstance(value, list | tuple):
        return ["tuple" if isinstance(value, tuple) else "list", [encode(part, depth + 1) for part in value]]
    if isinstance(value, dict):
        return ["dict", [[encode(key, depth + 1), encode(part, depth + 1)] for key, part in value.items()]]
    if isinstance(value, Derivation):
        return _derivation(value)
    if hasattr(value, "free_symbols"):  # SymPy's
        number = value.is_number
        return ["formula", printing.to_text(value), float(value) if number else None]
    return ["unknown"]


def _tensor(tensor: Tensor, kind: str) -> list:
    if tensor.is_complex() or tensor.is_sparse or tensor.numel() * 8 > LARGEST:
        return ["unknown"]
    if str(tensor.dtype) not in KINDS:
        tensor = tensor.double() if tensor.is_floating_point() else tensor.long()
    numbers = tensor.contiguous().numpy()
    return [kind, str(tensor.dtype), list(tensor.shape), base64.b64encode(numbers.tobytes()).decode()]


def decode(code: list, formulas_as_numbers: bool) -> Any:
    """The value again; raises ValueError, TypeError or LookupError for what `encode` did not make."""
    kind, *rest = code
    if kind == "plain":
        return rest[0]
    if kind in ("list", "tuple"):
        parts = [decode(part, formulas_as_numbers) for part in rest[0]]
        return parts if kind == "list" else tuple(parts)
    if kind == "dict":
        return {decode(key, formulas_as_numbers): decode(part, formulas_as_numbers) for key, part in rest[0]}
    if kind == "formula":
        return rest[1] if formulas_as_numbers and rest[1] is not None else rest[0]
    if kind in ("tensor", "array"):
        dtype, shape, data = rest
        flat = torch.frombuffer(bytearray(base64.b64decode(data)) or bytearray(8), dtype=KINDS[dtype])
        tensor = (flat if data else flat[:0]).reshape(shape)
        return tensor if kind == "tensor" else tensor.numpy()
    return Unknown()


# ---------------------------------------------------------------- what an answer did, and the same again

class Recorder:
    """An answer that notes what each call of it returns or raises, in `calls`."""

    def __init__(self, answer: Any):
        self.answer, self.calls = answer, list[list]()

    def __call__(self, *arguments: Any) -> Any:
        try:
            value = self.answer(*arguments)
        except Exception as error:
            self.calls.append(["raise", type(error).__name__, f"{error}"[:1000]])
            raise
        self.calls.append(["return", encode(value)])
        return value


class Replay:
    """An answer that returns and raises what was noted; called more often than that, it raises RuntimeError."""

    def __init__(self, calls: list[list], formulas_as_numbers: bool):
        self.calls: Iterator[list] = iter(calls)
        self.formulas_as_numbers = formulas_as_numbers

    def __call__(self, *arguments: Any) -> Any:
        noted: list[Any] = next(self.calls, ["raise", "RuntimeError", "it was not called in every case"])
        kind, *rest = noted
        if kind == "return" and rest[0][0] == "derivation":
            return _continued(arguments[0], rest[0][1])
        if kind == "return":
            return decode(rest[0], self.formulas_as_numbers)
        name, words = rest
        raise NotImplementedError if name == "NotImplementedError" else type(name, (Exception,), {})(words)


def _derivation(derivation: Derivation) -> list:
    """The lines after the first, as texts that are read as the same lines; ["unknown"] where a line has no such text."""
    steps = []
    for line in derivation.lines[1:]:
        typed = printing.to_text(line.shown)
        if text.parse(typed, derivation.known) != line.shown:
            return ["unknown"]
        steps.append([line.relation, typed, line.because or "as the answer says"])
    return ["derivation", steps]


def _continued(derivation: Derivation, steps: list[list[str]]) -> Derivation:
    """The derivation with these lines, each judged anew."""
    for relation, line, because in steps:
        if relation == "==":
            derivation.step(line, because)
        else:
            derivation.bound(line, because, relation)
    return derivation
