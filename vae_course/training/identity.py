"""What makes a run that run: the settings that a checkpoint keeps, told so that two runs can be compared."""

import dis
import hashlib
import inspect
import numbers
import os
import platform
from collections.abc import Callable, Sequence
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.checkpoints import CheckpointError

PIECE = 2**26  # bytes of the data that are hashed at once


def fingerprint(tensors: Sequence[Tensor]) -> str:
    """A hash of types, shapes and every byte, in order: the same on each device, and another for other pictures."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)};".encode())
        rows = max(1, PIECE // max(1, tensor[:1].numel() * tensor.element_size()))
        for piece in tensor.detach().split(rows) if tensor.numel() else ():
            digest.update(piece.reshape(-1).contiguous().cpu().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------- functions, told in a line

def describe(value: Any) -> str:
    """A function or an argument in a line that is the same in another process, and differs where the value does.

    Told are names, the arguments that `functools.partial` binds, and of a function that is not the course's its code and
    the numbers that it takes from outside: defaults, a closure, global variables. Not told: the weights of a module, and
    what a function that is called does inside.
    """
    if value is None or isinstance(value, numbers.Number | str | bytes):
        return repr(value.item() if hasattr(value, "item") else value)  # type: ignore[union-attr]  # a NumPy scalar
    if isinstance(value, np.ndarray):
        value = torch.as_tensor(value)
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {fingerprint([value.reshape(-1)])}"
    if isinstance(value, dict):
        return f"{{{_listed([], value)}}}"
    if isinstance(value, list | tuple):
        return f"[{_listed(value, {})}]"
    if isinstance(value, partial):
        return f"{describe(value.func)}({_listed(value.args, value.keywords)})"
    if isinstance(value, MethodType):
        return f"{describe(value.__self__)}.{value.__name__}"
    if isinstance(value, nn.Module):
        return " ".join(repr(value).split())
    if isinstance(value, type | BuiltinFunctionType):
        return _name(value)
    function = inspect.unwrap(value) if callable(value) else value
    if isinstance(function, FunctionType):
        return _name(function) + ("" if (function.__module__ or "").startswith("vae_course.") else _own_code(function))
    return f"{_name(type(value))}({_listed([], _plain(getattr(value, '__dict__', {})))})"


def _listed(values: Sequence, by_name: dict) -> str:
    return ", ".join([*map(describe, values), *(f"{name}={describe(value)}" for name, value in by_name.items())])


def _name(value: type | FunctionType | BuiltinFunctionType) -> str:
    module = (value.__module__ or "builtins").removeprefix("vae_course.").removeprefix("training.")
    return f"{module}.{value.__qualname__}"


def _own_code(function: FunctionType) -> str:
    """The numbers that a function takes from outside, and a hash of its code, which depends on Python's version."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}
    cells = {name: cell.cell_contents for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
             if cell != type(cell)()}  # a cell may still be empty
    asked = {instruction.argval for instruction in dis.get_instructions(function) if instruction.opname == "LOAD_GLOBAL"}
    outside = {name: function.__globals__[name] for name in sorted(asked) if name in function.__globals__}
    version = ".".join(platform.python_version_tuple()[:2])
    return f"({_listed([], _plain({**outside, **cells, **defaults}))}) [code {_hash(function.__code__)}, Python {version}]"


def _plain(by_name: dict) -> dict:
    """Those values that are numbers or words."""
    return {name: value for name, value in by_name.items() if isinstance(value, numbers.Number | str)}


def _hash(code: CodeType) -> str:
    constants = [_hash(c) if isinstance(c, CodeType) else
                 repr(sorted(map(repr, c)) if isinstance(c, frozenset) else c) for c in code.co_consts]  # a set has no order
    told = repr((code.co_code, code.co_names, code.co_freevars, constants))
    return hashlib.sha256(told.encode()).hexdigest()[:8]


# ---------------------------------------------------------------- two runs, compared

def settle(now: dict, found: dict | None, extend: Callable | None, path: str | os.PathLike | None) -> dict:
    """The settings of a run, with the extensions that it has had: a list of [epoch after which, schedule].

    Args:
        now: what `fit` was called with.
        found: the checkpoint at `path` that is gone on from, if any.
        extend: as `fit`.

    Raises:
        CheckpointError: naming every difference, and the ways out.
    """
    now = {**now, "extensions": []}
    if found is None:
        return now
    saved, done = found["settings"], len(found["history"])
    if absent := [name for name in now if name not in saved]:
        raise CheckpointError(
            f"{path} was written by an earlier version of the course, which did not save {', '.join(absent)}: whether it is "
            f"of this run cannot be told. The file is left as it is. To go on from its weights with a new schedule: "
            f"model.load_state_dict(checkpoints.load_checkpoint({str(path)!r})['model']), then fit with another "
            f"checkpoint; or start anew with resume=False (the old file is kept)")
    before = saved["extensions"]
    if extend is not None and now["epochs"] > saved["epochs"]:  # a new extension
        if done < saved["epochs"]:
            raise CheckpointError(f"{path} stopped after epoch {done} of {saved['epochs']}: finish that run first, with "
                                  f"epochs={saved['epochs']}; then extend can add epochs to it")
        now["extensions"] = [*before, [saved["epochs"], describe(extend)]]
        saved = {**saved, "epochs": now["epochs"], "extensions": now["extensions"]}
    elif extend is not None:  # the one that was begun, or finished, before
        start = before[-1][0] if before else saved["epochs"]
        now["extensions"] = [*before[:-1], [start, describe(extend)]]
    changed = [f"{name} was {_told(saved[name])}, is now {_told(value)}" for name, value in now.items()
               if saved[name] != value]
    if changed:
        longer = "" if extend is not None or now["epochs"] <= saved["epochs"] else (
            " To add epochs to a finished run, state their schedule with extend, such as "
            "extend=lambda progress: 0.1 * schedules.cosine(progress).")
        raise CheckpointError(f"{path} is of another run: {'; '.join(changed)}. Use the old settings, another file, or "
                              f"resume=False (the old file is kept).{longer}")
    return now


def _told(value) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", then ".join(f"{schedule} after epoch {epoch}" for epoch, schedule in value) or "none"
