"""Facts that a derivation is given: put in where they stand for what they say, and nowhere else."""

from collections.abc import Iterator

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import closed_form, terms_of

BINDERS = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs)


def with_facts(left: sp.Expr, right: sp.Expr, facts: list, free: set) -> Iterator[sp.Expr]:
    """The difference with the facts put in: each left side as a whole, then linear facts solved for what they hold.

    `free` are the symbols that are free in the lines: a fact about one of them speaks of that one number; on an integral or
    sum, a symbol that is free nowhere else means all its values.
    """
    if not facts:
        return
    closed = [(closed_form(fact.lhs), closed_form(fact.rhs)) for fact in facts]
    form = closed_form(_inside_out(left - right, closed, free))
    form = sp.expand(sp.Add(*terms_of(form)))
    for lhs, rhs in closed:
        form = put(form, lhs, rhs, free)
    yield closed_form(form)
    solved = form
    for lhs, rhs in closed:
        for symbol, solution in solutions(lhs - rhs):
            yield put(form, symbol, solution, free)
            solved = put(solved, symbol, solution, free)
            break
    yield solved


def solutions(difference: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """(s, value) for each symbol or value of an unknown function that difference = 0 gives: it is linear in s alone."""
    if difference.has(sp.Integral):
        return
    for symbol in sorted(difference.free_symbols | difference.atoms(sp.Indexed, AppliedUndef), key=str):
        expanded = sp.expand(difference)
        slope = expanded.coeff(symbol)
        rest = sp.expand(expanded - slope * symbol)
        if slope.is_nonzero and not slope.has(symbol) and not rest.has(symbol):
            yield symbol, -rest / slope


def put(expr: sp.Basic, old: sp.Expr, new: sp.Expr, free: set) -> sp.Basic:
    """`new` for `old`, except under an integral, sum or derivative over a symbol that the fact takes as one number.

    A symbol of the fact that is free in no line stands for every value if `old` is an integral or a sum.
    """
    general = old.free_symbols - free if isinstance(old, sp.Integral | sp.Sum) else set()
    if expr == old:
        return new
    if isinstance(expr, BINDERS) and _bound(expr) & old.free_symbols - general:
        return expr
    if general and isinstance(expr, type(old)) and (match := _match(expr, old, general)) is not None:
        return new.subs(match)
    if not expr.args or not expr.has(*(old.atoms(type(old)) or {old})) and not general:
        return expr
    return expr.func(*(put(arg, old, new, free) for arg in expr.args))


def _match(expr: sp.Expr, old: sp.Expr, general: set) -> dict | None:
    """Values of the general symbols at which `old` is `expr`."""
    candidates = sorted(expr.free_symbols, key=str)
    matches: list[dict] = [{}]
    for symbol in sorted(general, key=str):
        matches = [{**match, symbol: candidate} for match in matches for candidate in candidates]
    return next((match for match in matches[:64] if old.subs(match, simultaneous=True) == expr), None)


def _bound(expr: sp.Basic) -> set[sp.Basic]:
    if isinstance(expr, sp.Derivative):
        return set(expr.variables)
    return {expr.args[1]} if isinstance(expr, sp.Limit) else set(getattr(expr, "bound_symbols", ()))


def _inside_out(expr: sp.Expr, closed: list, free: set) -> sp.Expr:
    """Put the facts into inner integrals before the outer ones are closed: ∫∫ r(x, z) dx dz with ∫ r(x, z) dx = 1."""
    def one_limit(whole: sp.Expr) -> sp.Expr:
        inner = whole.function
        for limit in whole.limits:
            inner = closed_form(whole.func(inner, limit))
            for lhs, rhs in closed:
                inner = put(inner, lhs, rhs, free)
        return inner
    nested = any(len(e.limits) > 1 or e.function.has(sp.Integral, sp.Sum) for e in expr.atoms(sp.Integral, sp.Sum))
    return expr.replace(lambda e: isinstance(e, sp.Integral | sp.Sum), one_limit) if nested else expr
