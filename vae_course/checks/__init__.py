"""Checks of the exercises, shared by notebooks and tests: one module for each chapter, one object for each exercise.

An exercise's check is found by its name: whatever is called check_… in a chapter_NN module is `checks.check_…`.
"""

import difflib
import importlib
import pkgutil

from vae_course.checks.check import Check, Inspection, Verdict, own_settings

__all__ = ["Check", "Inspection", "Verdict"]  # and what __getattr__ finds

with own_settings():    # the cases are the same numbers, whatever the notebook has set before
    _FOUND: dict[str, Check | Inspection] = {
        name: check for module in sorted(module.name for module in pkgutil.iter_modules(__path__))
        if module.startswith("chapter_")
        for name, check in vars(importlib.import_module(f"{__name__}.{module}")).items() if name.startswith("check_")}


def __getattr__(name: str) -> Check | Inspection:
    if name in _FOUND:
        return _FOUND[name]
    near = difflib.get_close_matches(name, _FOUND)
    hint = f"; is it {' or '.join(near)}?" if near else ": the checks are called check_…, see dir(checks)"
    raise AttributeError(f"vae_course.checks has no {name!r}{hint}", name=name, obj=None)


def __dir__() -> list[str]:
    return [*__all__, *_FOUND]
