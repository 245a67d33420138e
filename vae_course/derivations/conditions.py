"""What a proof needs beyond the assumptions of its symbols: shown and then silent, or said beside the mark.

A rule that holds for a ≠ 0 alone calls `need(Ne(a, 0))` before it is used; one that cannot be used raises NotApplicable.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import sympy as sp
from sympy.core.relational import Relational

INTERCHANGE = "the integral and the derivative may be exchanged"
TOGETHER = "what is given can hold together"
Condition: TypeAlias = sp.Basic | str  # a relation between expressions, or a sentence

_needed: ContextVar[tuple[list, ...]] = ContextVar("needed", default=())
_known: ContextVar[tuple] = ContextVar("known", default=())


class NotApplicable(Exception):
    """A rule needs what is known to be false."""


@contextmanager
def known(conditions: Iterable[sp.Basic]) -> Iterator[None]:
    """Inside the block these conditions need not be said."""
    token = _known.set((*_known.get(), *(part for c in conditions for part in parts_of(c))))
    try:
        yield
    finally:
        _known.reset(token)


@contextmanager
def collecting() -> Iterator[list[Condition]]:
    """The list of the conditions that the rules inside the block needed and nothing showed."""
    needed: list[Condition] = []
    token = _needed.set((*_needed.get(), needed))
    try:
        yield needed
    finally:
        _needed.reset(token)


def is_known(condition: sp.Basic) -> bool:
    """Whether the condition is true by the assumptions of its symbols, was given, or has been said already."""
    said = {*_known.get(), *(c for needed in _needed.get() for c in needed)}
    return all(part == sp.true or part in said for part in parts_of(tidy(condition)))


def need(condition: Condition) -> None:
    """Say that what follows holds under the condition only. Raises NotApplicable if it is false."""
    parts = [piece for part in parts_of(condition) for piece in ([part] if isinstance(part, str) else parts_of(tidy(part)))]
    lists = _needed.get()
    for part in parts:
        if part == sp.false:
            raise NotApplicable(f"{condition} is false")
        if part == sp.true or part in _known.get():
            continue
        if not lists:
            raise NotApplicable(f"{condition} is not shown, and nobody listens")
        if part not in lists[-1]:
            lists[-1].append(part)


def parts_of(condition: Condition) -> tuple:
    """The conditions of a conjunction."""
    return condition.args if isinstance(condition, sp.And) else (condition,)


def tidy(condition: sp.Basic) -> sp.Basic:
    """The condition as true, false, or in one form: a product ≠ 0 by its factors, a symbol alone on the left."""
    if not isinstance(condition, Relational) or isinstance(condition, sp.Eq):
        return condition
    difference = condition.lhs - condition.rhs
    if isinstance(condition, sp.Ne):
        return sp.And(*map(_nonzero, factors_of(difference)))
    if isinstance(condition, sp.Le | sp.Lt):
        difference = -difference
    strict = isinstance(condition, sp.Gt | sp.Lt)
    if difference.is_positive or not strict and difference.is_nonnegative:
        return sp.true
    if difference.is_negative or strict and difference.is_nonpositive:
        return sp.false
    symbol, rest = _alone(difference)
    if symbol is None:
        return sp.Gt(difference, 0) if strict else sp.Ge(difference, 0)
    kinds = (sp.Gt, sp.Lt) if strict else (sp.Ge, sp.Le)
    return kinds[0 if difference.coeff(symbol).is_positive else 1](symbol, rest)


def factors_of(expr: sp.Expr) -> list[sp.Expr]:
    """The factors of the numerator: expr = 0 where one of them is."""
    top = sp.fraction(sp.together(expr))[0]
    try:
        constant, factors = sp.factor_list(top)
    except Exception:  # not a polynomial in anything that SymPy knows
        return [f.base if f.is_Pow and f.exp.is_positive else f for f in sp.Mul.make_args(top)]
    return [sp.sympify(constant)] + [factor for factor, _ in factors]


def _nonzero(factor: sp.Expr) -> sp.Basic:
    if factor.is_zero is False:
        return sp.true
    if factor.is_zero or factor == 0:
        return sp.false
    if factor.has(sp.log) and factor.is_real:  # log a − log b ≠ 0 is a ≠ b
        power = sp.exp(sp.expand_log(factor))
        if not power.has(sp.log, sp.exp):
            return sp.And(*map(_nonzero, factors_of(power - 1)))
    symbol, rest = _alone(factor)
    return sp.Ne(factor, 0) if symbol is None else sp.Ne(symbol, rest)


def _alone(difference: sp.Expr) -> tuple[sp.Expr | None, sp.Expr]:
    """(s, rest) where difference = c·(s − rest) with a number c; (None, difference) if there is no such symbol."""
    for symbol in sorted(difference.free_symbols, key=str):
        slope = sp.expand(difference).coeff(symbol)
        rest = sp.expand(difference - slope * symbol)
        if slope.is_number and slope != 0 and not rest.has(symbol):
            return symbol, sp.expand(-rest / slope)
    return None, difference


SIGNS = {sp.Ne: "≠", sp.Gt: ">", sp.Lt: "<", sp.Ge: "≥", sp.Le: "≤"}


def in_words(assumed: Iterable[Condition], printed: Callable = lambda c: f"{c.lhs} {SIGNS[type(c)]} {c.rhs}") -> str:
    """What stands beside the mark: "for a ≠ 0", "if the integral and the derivative may be exchanged"."""
    relations = [printed(c) for c in assumed if not isinstance(c, str)]
    sentences = [f"if {c}" for c in assumed if isinstance(c, str)]
    return " and ".join([f"for {', '.join(relations)}"] * bool(relations) + sentences)
