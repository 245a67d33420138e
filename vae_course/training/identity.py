"""What makes a run that run: the settings that a checkpoint keeps, told so that two runs can be compared."""

import dis
import hashlib
import inspect
import numbers
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial, reduce
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_course.checkpoints import CheckpointError
from vae_course.training.feeding import Source, pieces

PIECE = 2**26  # bytes of the data that are hashed at once
LONG = 240      # letters of a description that a message shows whole
PLAIN = numbers.Number | str | bytes | Enum | None      # what is told as Python writes it


def fingerprint(sources: Sequence[Source]) -> str:
    """A hash of types, shapes and every byte, in order: the same wherever they lie, another for other pictures."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.dtype} {tuple(source.shape)};".encode())
        for piece in pieces(source, PIECE):
            digest.update(piece.detach().reshape(-1).contiguous().cpu().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


# ---------------------------------------------------------------- functions, told in a line

def describe(value: Any, inside: tuple = ()) -> str:
    """A function or an argument in a line that is the same in another process, and differs where the value does.

    Told are names, the arguments that `functools.partial` binds, and of a function that is not the course's or a library's
    its code and what it takes from outside: defaults, a closure, global variables. Of an object told are its class, its
    attributes, and the code by which it is called. One number is told alike as 1, 1.0 and torch.tensor(1).

    Not told: attributes whose name begins with "_"; lists in a closure, an attribute or a global variable, which are mostly
    written to; weights and buffers of a module; other methods of an object; and what a library does inside.

    Args:
        value: anything.
        inside: what it was found in; that is not told again.
    """
    if any(value is outer for outer in inside):
        return "…"  # a function that calls itself, or a list that holds itself
    tell = partial(describe, inside=(*inside, value))
    if isinstance(value, np.ndarray):
        value = torch.tensor(value) if value.dtype.kind in "biufc" else value.tolist()
    if isinstance(value, np.generic) or isinstance(value, Tensor) and value.ndim == 0:
        value = value.item()
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {fingerprint([value.to_dense().reshape(-1)])}"
    if isinstance(value, dict | SimpleNamespace):
        return f"{{{_listed([], value if isinstance(value, dict) else vars(value), tell)}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(tell, value)))}}}"
    if isinstance(value, list | tuple):
        return f"[{_listed(value, {}, tell)}]"
    if isinstance(value, partial):
        return f"{tell(value.func)}({_listed(value.args, value.keywords, tell)})"
    if isinstance(value, MethodType):
        return f"{tell(value.__self__)}.{tell(value.__func__)}"
    if isinstance(value, FunctionType) and _is_own(value.__globals__.get("__name__", "")):
        return _name(value) + _own_code(value, tell)  # not unwrapped: what wraps a function has numbers of its own
    if hasattr(value, "__wrapped__"):  # by a library: torch.no_grad, functools.lru_cache
        return tell(value.__wrapped__)
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return _name(value)
    return _plain(value) if isinstance(value, PLAIN) else _object(value, tell)


def describe_model(model: nn.Module) -> str:
    """The class of the model and its layers, as `print` shows them, in a line. Not told: weights."""
    return f"{_name(type(model))}: {_shown(model)}"


def _plain(value) -> str:
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return repr(int(value) if whole else value)


def _object(value, tell: Callable[[Any], str]) -> str:
    """What an object is and holds, all of it if its class is the reader's own; of a library's only what is plain."""
    kind, own = type(value), _is_own(type(value).__module__)
    held = {name: part for parent in reversed(kind.__mro__) if _is_own(parent.__module__)
            for name, part in vars(parent).items() if not hasattr(part, "__get__")}  # numbers, not methods
    slots = {name: getattr(value, name) for parent in kind.__mro__ for name in vars(parent).get("__slots__", ())
             if hasattr(value, name)}
    held |= slots | getattr(value, "__dict__", {})
    held = {name: part for name, part in held.items() if not name.startswith("_") and name != "training"
            and (own or isinstance(part, PLAIN | Tensor))}
    module = isinstance(value, nn.Module)
    call = getattr(kind, "forward" if module else "__call__", None)
    code = tell(call) if own and isinstance(call, FunctionType) else ""
    told = _listed([], _read(held), tell)
    return (_shown(value) if module or not own else _name(kind)) + (f"({told})" if told or own else "") + code


def _listed(values: Sequence, by_name: dict, tell: Callable[[Any], str]) -> str:
    return ", ".join([*map(tell, values), *(f"{name}={tell(by_name[name])}" for name in sorted(by_name, key=str))])


def _shown(value) -> str:
    return " ".join(re.sub(" at 0x[0-9a-fA-F]+", "", repr(value)).split())


def _name(value: type | FunctionType | BuiltinFunctionType) -> str:
    """Module and name; of the course's own the shortest module that exports it, which stays when a file becomes a folder."""
    parts = (value.__module__ or "builtins").split(".")
    if parts[0] == "vae_course":
        told = [inspect.unwrap(_found(".".join(parts[:n]), value.__qualname__)) for n in range(2, len(parts))]
        exporting = (n for n, found in enumerate(told, 2) if found is inspect.unwrap(value))
        parts = parts[1:next(exporting, None)]
    return ".".join([*parts, value.__qualname__]).removeprefix("training.")


def _found(module: str, qualname: str) -> Any:
    """What the name, such as VAE.kl, means in a module that has been imported; None if nothing."""
    return reduce(lambda holder, name: getattr(holder, name, None), qualname.split("."), sys.modules.get(module))


def _is_own(module: str) -> bool:
    """Whether a module is the reader's own: not the course's, not Python's, and not an installed library's."""
    top, file = module.partition(".")[0], getattr(sys.modules.get(module), "__file__", None) or ""
    return module == "__main__" or not (top == "vae_course" or top in sys.stdlib_module_names or "-packages" in file)


def _own_code(function: FunctionType, tell: Callable[[Any], str]) -> str:
    """What a function takes from outside, and a hash of its code, which depends on Python's version."""
    parameters = inspect.signature(function, follow_wrapped=False).parameters.items()
    defaults = {name: parameter.default for name, parameter in parameters if parameter.default is not parameter.empty}
    cells = {name: cell.cell_contents for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
             if cell != type(cell)()}  # a cell may still be empty
    outside = {name: function.__globals__[name] for name in _asked(function.__code__) if name in function.__globals__}
    version = ".".join(platform.python_version_tuple()[:2])
    told = _listed([], _read({**outside, **cells, **defaults}), tell)
    return f"({told}) [code {_hash(function.__code__)}, Python {version}]"


def _asked(code: CodeType) -> set[str]:
    """The global names that a function reads, and the functions inside it."""
    own = {instruction.argval for instruction in dis.get_instructions(code) if instruction.opname == "LOAD_GLOBAL"}
    return own.union(*(_asked(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _read(by_name: dict) -> dict:
    """Without lists, which are mostly written to, and without modules and devices, which are no part of the run."""
    return {name: value for name, value in by_name.items() if not isinstance(value, list | ModuleType | torch.device)}


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
    changed = ["{} was {}, is now {}".format(name, *_apart(_told(saved[name]), _told(value))) for name, value in now.items()
               if saved[name] != value]
    if changed:
        raise CheckpointError(f"{path} is of another run: {'; '.join(changed)}. Use the old settings, another file, or "
                              f"resume=False (the old file is kept).{_advice(now, saved, extend)}")
    return now


def _advice(now: dict, saved: dict, extend: Callable | None) -> str:
    """The way to add epochs, where that is what seems to be meant."""
    if extend is None and now["epochs"] > saved["epochs"]:
        return (" To add epochs to a finished run, state their schedule with extend, such as "
                "extend=lambda progress: 0.1 * schedules.cosine(progress).")
    if extend is None and saved["extensions"]:
        return f" To go on with a run that was extended, give the same extend=… again: {_told(saved['extensions'][-1:])}."
    if extend is not None and not saved["extensions"]:
        return f" To add epochs, epochs must be larger than the {saved['epochs']} of the run."
    return ""


def _told(value) -> str:
    if not isinstance(value, list):
        return str(value)
    return ", then ".join(f"{schedule} after epoch {epoch}" for epoch, schedule in value) or "none"


def _apart(*texts: str) -> list[str]:
    """Two texts, and where one is long only the parts of them that differ, with a few letters around."""
    if max(map(len, texts)) <= LONG:
        return list(texts)
    start = max(0, len(os.path.commonprefix(texts)) - LONG // 8)
    rests = [text[start:] for text in texts]
    same = len(os.path.commonprefix([rest[LONG // 8:][::-1] for rest in rests]))  # at the end
    parts = [rest[:max(0, len(rest) - max(0, same - LONG // 8))] for rest in rests]
    return [("…" if start else "") + (part if len(part) <= LONG else part[:LONG] + "…") for part in parts]
