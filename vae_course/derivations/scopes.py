"""Conditions of rules that work inside integrals, sums, limits and derivatives at a point: what is left of them outside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import sympy as sp

from vae_course.derivations.conditions import NotApplicable, collecting, need, parts_of, tidy

_scopes: ContextVar[tuple[tuple[sp.Basic, str, sp.Basic | None], ...]] = ContextVar("scopes", default=())


@contextmanager
def within(variable: sp.Basic, kind: str, at: sp.Basic | None = None) -> Iterator[None]:
    """Inside the block `variable` is bound: by an "integral", a "sum", a "limit", or "at" a point."""
    token = _scopes.set((*_scopes.get(), (variable, kind, at)))
    try:
        yield
    finally:
        _scopes.reset(token)


def require(condition: sp.Basic | str, everywhere: bool = False) -> None:
    """`need`, for a condition that may hold bound variables. Raises NotApplicable if it cannot be said outside.

    With `everywhere`, one place under an integral matters: the derivative of a jump has its whole mass there.
    """
    if isinstance(condition, str):
        return need(condition)
    for part in parts_of(tidy(condition)):
        for variable, kind, at in reversed(_scopes.get()):
            if not part.has(variable):
                continue
            if kind == "at":
                part = tidy(part.subs(variable, at))
            elif kind == "sum" or kind == "integral" and everywhere or not _fails_at_few(part, variable):
                raise NotApplicable(f"{part} is about a bound variable")
            else:  # a set of no length under an integral, or none near the place of a limit
                part = sp.true
        need(part)
    return None


def _fails_at_few(part: sp.Basic, variable: sp.Basic) -> bool:
    """Whether a ≠ fails for finitely many values of the variable, whatever the other symbols are."""
    if not isinstance(part, sp.Ne):
        return False
    difference = part.lhs - part.rhs
    return difference.is_polynomial(variable) and any(c.is_zero is False for c in sp.Poly(difference, variable).all_coeffs())


def _carried_out(rule: Callable, args: tuple) -> tuple:
    """(rule(*args), the conditions that it needed); (None, []) where it does not apply."""
    with collecting() as needed:
        try:
            return rule(*args), needed
        except Exception:  # NotApplicable, or SymPy gave up with an error of its own
            return None, []


def unconditionally(rule: Callable, *args):
    """rule(*args), or None where it does not apply, or needs a condition."""
    value, needed = _carried_out(rule, args)
    return None if needed else value


def tried(rule: Callable, *args):
    """rule(*args), or None where it does not apply; its conditions are kept only if it did."""
    value, needed = _carried_out(rule, args)
    if value is None:
        return None
    try:
        for condition in needed:
            need(condition)
    except NotApplicable:
        return None
    return value
