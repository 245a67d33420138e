"""Prove that one line is never above another, for all values that their symbols may take.

A bound is shown by showing that both sides are real and that their difference is never negative (see `signs`). Facts are put
in first, and |a|, max and min are taken apart by cases.
"""

from collections.abc import Iterator

import sympy as sp
from sympy.core.assumptions import assumptions
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import closed_form, same_range_together
from vae_course.derivations.conditions import collecting, known, need
from vae_course.derivations.consistency import contradiction, solved
from vae_course.derivations.domain import Inside, cases, put_inside, put_outside
from vae_course.derivations.facts import with_facts
from vae_course.derivations.proofs import Unproved, simplify
from vae_course.derivations.reality import is_shown_real
from vae_course.derivations.signs import DEEPEST, OPEN, VALUES, named, never_negative
from vae_course.derivations.tangents import under_one_integral

MOST_CASES = 64


def prove_nonnegative(d: sp.Expr, conditions: tuple = (), given: tuple = ()) -> str:
    """How d ≥ 0 was shown; what it needs is said with `need`. Raises Unproved with what was left over."""
    return prove_bound(sp.S.Zero, d, conditions, given)


def prove_bound(low: sp.Expr, high: sp.Expr, conditions: tuple = (), given: tuple = ()) -> str:
    """How low ≤ high was shown, and that both are real; what it needs is said with `need`. Raises Unproved otherwise."""
    low, high, facts, conditions = _with_solved_facts(low, high, list(given), list(conditions))
    low, high = named(sp.Tuple(low, high)) if not facts else (low, high)
    reasons = []
    for one, other, more in _branches(low, high, (), MOST_CASES):
        if more and contradiction((*conditions, *more)):
            continue
        reasons += [_in_one_case(where, one, other, facts) for where in cases((*conditions, *more))]
    return "; ".join(dict.fromkeys(reasons))


def _in_one_case(where: Inside, low: sp.Expr, high: sp.Expr, facts: list) -> str:
    free = low.free_symbols | high.free_symbols
    one, other, *put = (put_inside(where, e) for e in (low, high, *facts))
    if not (is_shown_real(one) and is_shown_real(other)):
        raise Unproved(put_outside(where, one if not is_shown_real(one) else other))
    left_over = other - one
    with known(where.known), collecting() as needed:
        for words, candidate in _candidates(other - one, put, free | other.free_symbols | one.free_symbols):
            if reason := never_negative(candidate, DEEPEST):
                reason = words + reason
                break
            left_over = candidate
        else:
            raise Unproved(put_outside(where, simplify(left_over)))
    for condition in needed:
        need(condition if isinstance(condition, str) else put_outside(where, condition))
    for dummy, meaning in where.back.items():
        reason = reason.replace(str(dummy), str(meaning))
    return reason


def _candidates(d: sp.Expr, facts: list, free: set) -> Iterator[tuple[str, sp.Expr]]:
    """What is never above d, given the facts: d itself in closed form, with the facts put in, with fewer logarithms."""
    closed = closed_form(d)
    yield "", closed
    yield from (("with the facts put in, ", form) for form in with_facts(closed, sp.S.Zero, facts, free))
    if closed.has(sp.Integral, sp.Sum):
        yield "", same_range_together(closed)
        words = "log u ≤ u − 1 under the integral or sum; of what is left, "
        for bound in map(closed_form, under_one_integral(closed, facts)):
            yield words, bound
            yield from ((words, form) for form in with_facts(bound, sp.S.Zero, facts, free))


# ---------------------------------------------------------------- facts and cases

def _with_solved_facts(low: sp.Expr, high: sp.Expr, facts: list, conditions: list) -> tuple[sp.Expr, sp.Expr, list, tuple]:
    """Facts that are linear in a symbol put in: q₃ becomes 1 − q₁ − q₂, which is positive if q₃ is."""
    entries = {e for f in facts for e in f.atoms(sp.Indexed) if not any(i.free_symbols for i in e.indices)}
    names = {e: sp.Dummy(str(e), **assumptions(e)) for e in sorted(entries, key=str)}
    low, high, *facts = (e.xreplace(names) for e in (low, high, *facts))
    bound = _bound_in(low, high, *facts)
    for k in range(len(facts)):
        fact = facts[k]
        if fact.has(*OPEN, AppliedUndef) or fact.free_symbols & bound or (found := solved(fact)) is None:
            continue
        symbol, value, said = found
        low, high = low.subs(symbol, value), high.subs(symbol, value)
        facts = [f.subs(symbol, value) if f is not fact else f for f in facts]
        conditions = [c.subs(symbol, value) for c in conditions] + said
    return low, high, [f for f in facts if isinstance(f, sp.Eq)], tuple(conditions)


def _bound_in(*exprs: sp.Basic) -> set[sp.Symbol]:
    parts = set().union(*(e.atoms(*OPEN) for e in exprs))
    return {v for part in parts for v in getattr(part, "bound_symbols", part.atoms(sp.Symbol))}


def _branches(low: sp.Expr, high: sp.Expr, conditions: tuple, most: int) -> Iterator[tuple[sp.Expr, sp.Expr, tuple]]:
    """The bound with each |a|, max and min replaced by what it is where a condition holds; these cover everything."""
    bound = _bound_in(low, high)
    kinks = [e for e in (low + high).atoms(sp.Abs, sp.Max, sp.Min)
             if not e.free_symbols & bound and all(map(is_shown_real, e.args)) and not e.has(*OPEN, *VALUES)]
    if not kinks or most < 2:
        yield low, high, conditions
        return
    kink = min(kinks, key=lambda e: (e.count_ops(), str(e)))
    options = _pieces(kink)
    for value, holds in options:
        if holds != sp.false:
            more = conditions if holds == sp.true else (*conditions, *sp.And.make_args(holds))
            yield from _branches(low.subs(kink, value), high.subs(kink, value), more, most // len(options))


def _pieces(kink: sp.Expr) -> list[tuple[sp.Expr, sp.Basic]]:
    if isinstance(kink, sp.Abs):
        a, = kink.args
        return [(a, sp.Ge(a, 0)), (-a, sp.Lt(a, 0))]
    order = sp.Ge if isinstance(kink, sp.Max) else sp.Le
    return [(a, sp.And(*(order(a, b) for b in kink.args if b != a))) for a in kink.args]
