"""Whether the package, and what it calls of PyTorch, is still what it was before an answer ran."""

import builtins
import sys
from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

from vae_course.checks.check import _AnyCheck

WATCHED = (builtins, torch, nn.functional)      # and all modules of the course


def fingerprint() -> dict[str, tuple]:
    """Dotted name → what tells one function, class or check from another that was put in its place."""
    modules = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "vae_course"]
    marks: dict[str, tuple] = {}
    for module in [*modules, *WATCHED]:
        if isinstance(module, ModuleType):
            _add(marks, module.__name__, vars(module), of_course=module not in WATCHED)
    _add(marks, "torch.Tensor", vars(torch.Tensor), of_course=False)
    return marks


def _add(marks: dict[str, tuple], owner: str, things: Any, of_course: bool) -> None:
    for name, thing in list(things.items()):
        if isinstance(thing, _AnyCheck):
            marks[f"{owner}.{name}"] = (id(thing), *(_parts(part) for part in vars(thing).values()))
        elif not of_course and str(getattr(thing, "__module__", "")).startswith("torch."):
            marks[f"{owner}.{name}"] = ()   # PyTorch wraps some of its own functions when it loads its compiler
        elif callable(thing) or isinstance(thing, property | staticmethod | classmethod):
            marks[f"{owner}.{name}"] = (id(thing), id(thing.__code__) if isinstance(thing, FunctionType) else 0)
        if of_course and isinstance(thing, type) and thing.__module__ == owner:
            _add(marks, f"{owner}.{name}", vars(thing), of_course=False)


def _parts(thing: Any) -> tuple:
    """A thing, and what it holds if it is a row or a table."""
    held = [*thing, *thing.values()] if isinstance(thing, dict) else thing if isinstance(thing, list | tuple) else ()
    return id(thing), *map(id, held)


def changed(before: dict[str, tuple]) -> list[str]:
    """The names of what is no longer what it was."""
    now = fingerprint()
    return [name for name, mark in before.items() if now.get(name) != mark]
