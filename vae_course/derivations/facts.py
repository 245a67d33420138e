"""Facts that a derivation is given: put in where they stand for what they say, and nowhere else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations.closed_forms import WHOLES, closed_form, terms_of


@dataclass(frozen=True)
class Fact:
    """One fact with both sides in closed form, and the symbols that stand in it for all their values."""

    left: sp.Expr
    right: sp.Expr
    general: frozenset = frozenset()


def read_fact(fact: sp.Eq, free: set) -> Fact:
    """The fact as it may be used, where the symbols `free` are free in the lines.

    A fact about one of those speaks of that one number. Another symbol means all its values in an integral or a sum, such as
    z in ∫r(x, z) dx = 1, and where both sides depend on it, as in h(z) = p(z) l(z). In f(x) = 3 it stays one number.
    """
    if isinstance(fact.rhs, sp.Integral | sp.Sum) and not isinstance(fact.lhs, sp.Integral | sp.Sum):
        fact = fact.reversed
    other = (fact.lhs.free_symbols | fact.rhs.free_symbols) - free
    if not isinstance(fact.lhs, sp.Integral | sp.Sum):
        other &= fact.lhs.free_symbols & fact.rhs.free_symbols
    return Fact(closed_form(fact.lhs), closed_form(fact.rhs), frozenset(other))


def with_facts(left: sp.Expr, right: sp.Expr, given: list, free: set) -> Iterator[sp.Expr]:
    """The difference with the facts put in: each left side as a whole, then linear facts solved for what they hold."""
    if not given:
        return
    facts = [read_fact(fact, free) for fact in given]
    form = _with_all(closed_form(_inside_out(left - right, facts)), facts)
    yield form
    solved = form
    for fact in facts:
        ways = list(islice(solutions(fact), 6))
        for way in ways:
            yield _with_all(put(form, way), facts)
        solved = put(solved, ways[0]) if ways else solved
    yield _with_all(solved, facts)


def _with_all(form: sp.Expr, facts: list[Fact]) -> sp.Expr:
    """Carried out, and the left side of each fact replaced as a whole."""
    form = sp.expand(sp.Add(*terms_of(closed_form(form))))
    for fact in facts:
        form = put(form, fact)
    return closed_form(form)


def define(exprs: Sequence[sp.Basic], given: Sequence[sp.Eq], free: set) -> tuple[list[sp.Basic], list[sp.Eq]]:
    """The expressions and the other facts without each function that a fact defines, as h in h(z) = p(z) l(z)."""
    exprs, facts, waiting = list(exprs), [], list(given)
    while waiting:
        fact = waiting.pop(0)
        if (meant := _definition(fact, free)) is None:
            facts.append(fact)
        else:
            exprs, facts, waiting = ([e.replace(*meant) for e in some] for some in (exprs, facts, waiting))
    return exprs, facts


def _definition(fact: sp.Basic, free: set) -> tuple[UndefinedFunction, sp.Lambda] | None:
    """(h, what it is) if the fact can be solved for h(z) at all z."""
    for way in solutions(read_fact(fact, free)) if isinstance(fact, sp.Eq) else ():
        if way.general and isinstance(way.left, AppliedUndef) and set(way.left.args) == way.general \
                and not way.right.has(way.left.func):
            return way.left.func, sp.Lambda(way.left.args, way.right)
    return None


def solutions(fact: Fact) -> Iterator[Fact]:
    """The fact solved for each symbol or value of an unknown function in which it is linear."""
    difference = sp.expand(fact.left - fact.right)
    if difference.has(sp.Integral):
        return
    for symbol in sorted(difference.free_symbols | difference.atoms(sp.Indexed, AppliedUndef), key=str):
        slope = difference.coeff(symbol)
        rest = sp.expand(difference - slope * symbol)
        if slope.is_nonzero and not slope.has(symbol) and not rest.has(symbol) and symbol not in fact.general:
            yield Fact(symbol, -rest / slope, fact.general & symbol.free_symbols)


def put(expr: sp.Basic, fact: Fact) -> sp.Basic:
    """The right side for the left one, but not under an integral, sum or derivative over what the fact takes as a number."""
    if expr == fact.left:
        return fact.right
    if isinstance(expr, WHOLES) and _bound(expr) & (fact.left.free_symbols | fact.right.free_symbols) - fact.general:
        return expr
    if fact.general and isinstance(expr, type(fact.left)) and (match := _match(expr, fact)) is not None:
        return fact.right.subs(match, simultaneous=True)
    return expr.func(*(put(arg, fact) for arg in expr.args)) if expr.args else expr


def _match(expr: sp.Expr, fact: Fact) -> dict | None:
    """Values of the general symbols at which the left side is `expr`."""
    candidates = sorted(expr.free_symbols, key=str)
    matches: list[dict] = [{}]
    for symbol in sorted(fact.general, key=str):
        matches = [{**match, symbol: candidate} for match in matches for candidate in candidates]
    return next((match for match in matches[:64] if fact.left.subs(match, simultaneous=True) == expr), None)


def _bound(expr: sp.Basic) -> set[sp.Basic]:
    if isinstance(expr, sp.Derivative):
        return set(expr.variables)
    return {expr.args[1]} if isinstance(expr, sp.Limit) else set(getattr(expr, "bound_symbols", ()))


def _inside_out(expr: sp.Expr, facts: list[Fact]) -> sp.Expr:
    """Put the facts into inner integrals before the outer ones are closed: ∫∫ r(x, z) dx dz with ∫ r(x, z) dx = 1."""
    def one_limit(whole: sp.Expr) -> sp.Expr:
        inner = whole.function
        for limit in whole.limits:
            inner = closed_form(whole.func(inner, limit))
            for fact in facts:
                inner = put(inner, fact)
        return inner
    nested = any(len(e.limits) > 1 or e.function.has(sp.Integral, sp.Sum) for e in expr.atoms(sp.Integral, sp.Sum))
    return expr.replace(lambda e: isinstance(e, sp.Integral | sp.Sum), one_limit) if nested else expr
