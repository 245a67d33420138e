"""Limits for all values of the other symbols: SymPy's own takes symbols to be in general position, so it gets numbers only.

A limit is brought to s → 0 from above. There it is found by continuity, term by term, by the first terms of the Taylor
series of a quotient, or, for large t = 1/s, by the leading terms of sums of tᵏ·exp(c·t).
"""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.functions import KINKS, OPEN, SMOOTH, is_nonzero
from vae_course.derivations.scopes import require, tried

DEEPEST = 5  # terms of a Taylor series that are looked at


def limit(f: sp.Expr, x: sp.Symbol, to: sp.Expr, direction: str = "+") -> sp.Expr | None:
    """The limit of f as x tends to `to`; None if no rule shows it. A two-sided limit is the same on both sides."""
    if not f.has(x):
        return f
    if f.has(*OPEN) or any(e.has(x) for e in f.atoms(AppliedUndef, sp.Indexed)) or to.has(x):
        return None
    if to.is_infinite or direction in ("+", "-"):
        return _from_one_side(f, x, to, -1 if direction == "-" else 1)
    sides = [_from_one_side(f, x, to, side) for side in (1, -1)]
    return sides[0] if sides[0] is not None and sides[1] is not None and sp.simplify(sides[0] - sides[1]) == 0 else None


def _from_one_side(f: sp.Expr, x: sp.Symbol, to: sp.Expr, side: int) -> sp.Expr | None:
    s = sp.Symbol("_s", positive=True)
    if f.free_symbols == {x} and to.is_number and not f.has(sp.Piecewise):
        value = sp.limit(sp.simplify(f, doit=False), x, to, "+" if side > 0 else "-")
        return None if value.has(sp.AccumBounds, sp.nan, sp.zoo, sp.Limit) else value
    if to.is_infinite:
        t = sp.Symbol("_t", positive=True)
        return tried(_far, f.subs(x, t if to == sp.oo else -t), t) if to in (sp.oo, -sp.oo) else None
    return tried(_at_zero, f.subs(x, to + side * s), s)


# ---------------------------------------------------------------- at zero

def _without_constants(f: sp.Expr, v: sp.Symbol, limit: Callable[[sp.Expr, sp.Symbol], sp.Expr | None]) -> sp.Expr | None:
    """The limit with constant factors taken out; None where it is not shown."""
    if not f.has(v):
        return f
    constant, g = f.as_independent(v, as_Add=False)
    if constant != 1:
        return _times(constant, _without_constants(g, v, limit))
    return None if f.has(*KINKS) else limit(f, v)


def _at_zero(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """The limit for s → 0 from above, which may be ∞ or −∞; None if it is not shown."""
    return _without_constants(f, s, _near_zero)


def _near_zero(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    if is_continuous_at(f, s, sp.S.Zero):
        return f.subs(s, 0)
    return next((value for rule in (_by_parts, _of_a_function, _by_taylor, _by_one_logarithm)
                 if (value := tried(rule, f, s)) is not None), None)


def _times(constant: sp.Expr, value: sp.Expr | None) -> sp.Expr | None:
    if value is None or value.is_finite is False and not (constant.is_positive or constant.is_negative):
        return None
    return constant * value


def is_continuous_at(f: sp.Expr, x: sp.Symbol, at: sp.Expr) -> bool:
    """Whether f is known to be continuous at the place for all values of the other symbols."""
    if not all(isinstance(e, SMOOTH) for e in f.atoms(sp.Function) if e.has(x)):
        return False
    if not all(s.is_real for s in f.free_symbols):
        return False
    powers = [e for e in f.atoms(sp.Pow) if e.has(x)]
    nonzero = [e.base for e in powers if not e.exp.has(x) and e.exp.is_integer and not e.exp.is_nonnegative]
    positive = [e.args[0] for e in f.atoms(sp.log) if e.has(x)] \
        + [e.base for e in powers if e.exp.has(x) or not e.exp.is_integer]
    return all(is_nonzero(e.subs(x, at)) for e in nonzero) and all(
        (there := e.subs(x, at)).is_positive or sp.factor(there).is_positive for e in positive)


def _by_parts(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """A sum or product whose parts have finite limits each."""
    if not isinstance(f, sp.Add | sp.Mul):
        return None
    values = [v for arg in f.args if (v := _at_zero(arg, s)) is not None]
    if len(values) < len(f.args):
        return None
    infinite = [v for v in values if v.is_infinite]
    if isinstance(f, sp.Mul) and infinite:
        signs = [sp.sign(v) for v in values]
        return None if any(v.is_nonzero is not True for v in signs) else sp.Mul(*signs) * sp.oo
    if len(set(infinite)) > 1 or any(v.is_finite is None or v.is_finite is False and v not in infinite for v in values):
        return None
    return infinite[0] if infinite else f.func(*values)


def _of_a_function(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """g(h) where g is continuous at the limit of h, or has a limit at ∞ that is known."""
    if isinstance(f, sp.Pow) and not f.exp.has(s):
        inner = _at_zero(f.base, s)
        if inner is None or not (inner.is_positive or f.exp.is_Integer and f.exp.is_positive):
            return None
        return inner ** f.exp if inner.is_finite or f.exp.is_positive or f.exp.is_negative else None
    if not isinstance(f, SMOOTH) or (inner := _at_zero(f.args[0], s)) is None:
        return None
    if isinstance(f, sp.log) and not inner.is_positive or isinstance(f, sp.sin | sp.cos) and inner.is_infinite:
        return None
    return f.func(inner)


def _by_taylor(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """A quotient whose numerator and denominator are smooth: the first terms of their Taylor series that are not zero."""
    top, bottom = sp.fraction(sp.together(f))
    if not (is_continuous_at(top, s, sp.S.Zero) and is_continuous_at(bottom, s, sp.S.Zero)):
        return None
    if not bottom.has(s):
        return top.subs(s, 0) / bottom
    first, order = _first_term(bottom, s)
    require(sp.Ne(first, 0))
    for k in range(order):
        above = _taylor(top, s, k)
        if above != 0:
            sign = sp.sign(above / first)
            return sign * sp.oo if sign in (1, -1) else None
    return sp.simplify(_taylor(top, s, order) / first)


def _taylor(f: sp.Expr, s: sp.Symbol, k: int) -> sp.Expr:
    return sp.simplify(sp.diff(f, s, k).subs(s, 0) / sp.factorial(k))


def _first_term(f: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, int]:
    return next((c, k) for k in range(DEEPEST) if (c := _taylor(f, s, k)) != 0)  # StopIteration: the rule does not apply


def _by_one_logarithm(f: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """Differences of logarithms as one, where each argument is positive for small s."""
    if not isinstance(f, sp.Add):
        return None
    logs, inside = sp.S.Zero, sp.S.One
    for term in f.args:
        number, g = term.as_coeff_Mul()
        if isinstance(g, sp.log) and number.is_Integer and _is_positive_near(g.args[0], s):
            logs, inside = logs + term, inside * g.args[0] ** number
    value = _at_zero(inside, s)
    rest = _at_zero(f - logs, s)
    return None if value is None or rest is None or not value.is_positive or value.is_infinite else sp.log(value) + rest


def _is_positive_near(g: sp.Expr, s: sp.Symbol) -> bool:
    if g.is_positive:
        return True
    parts = sp.fraction(sp.together(g))
    firsts = [_first_term(part, s)[0] for part in parts if is_continuous_at(part, s, sp.S.Zero)]
    return len(firsts) == 2 and bool((firsts[0] * firsts[1]).is_positive)


# ---------------------------------------------------------------- far out

def _far(f: sp.Expr, t: sp.Symbol) -> sp.Expr | None:
    """The limit for t → ∞: of sums of tᵏ·exp(c·t) by their leading terms, else with t = 1/s."""
    return _without_constants(f, t, _far_out)


def _far_out(f: sp.Expr, t: sp.Symbol) -> sp.Expr | None:
    value = tried(_by_leading_terms, f, t)
    if value is not None:
        return value
    if isinstance(f, sp.Add | sp.Mul):
        values = [_far(arg, t) for arg in f.args]
        if all(v is not None and v.is_finite for v in values):
            return f.func(*values)
    if isinstance(f, SMOOTH) and (inner := _far(f.args[0], t)) is not None:
        open_end = isinstance(f, sp.log) and not inner.is_positive or isinstance(f, sp.sin | sp.cos) and inner.is_infinite
        return None if open_end else f.func(inner)
    if isinstance(f, sp.Pow) and not f.exp.has(t) and (inner := _far(f.base, t)) is not None and inner.is_positive:
        return inner ** f.exp if inner.is_finite else None
    if any(e.has(t) and e.exp.is_polynomial(t) for e in f.atoms(sp.exp)):
        return None  # no Taylor series at 1/t = 0
    s = sp.Symbol("_s", positive=True)
    return tried(_at_zero, f.subs(t, 1 / s), s)


def _by_leading_terms(f: sp.Expr, t: sp.Symbol) -> sp.Expr | None:
    top, bottom = sp.fraction(sp.together(f))
    above, below = _monomials(top, t), _monomials(bottom, t)
    if above is None or below is None:
        return None
    rate, power, first = _leading(below)
    require(sp.Ne(first, 0))
    value = sp.S.Zero
    for (r, k), c in above.items():
        order = _order(r - rate, k - power)
        if order is None or order > 0 and not (c / first).is_nonzero:
            return None
        if order > 0:
            return sp.sign(c / first) * sp.oo if len(above) == 1 and (c / first).is_extended_real else None
        value += c / first if order == 0 else 0
    return value


def _monomials(f: sp.Expr, t: sp.Symbol) -> dict[tuple[sp.Expr, sp.Expr], sp.Expr] | None:
    """{(c, k): coefficient} of a sum of coefficient·tᵏ·exp(c·t); None if f is not that."""
    found: dict = {}
    for term in sp.Add.make_args(sp.expand(f, power_base=False, log=False)):
        constant, g = sp.powsimp(term, combine="exp").as_independent(t, as_Add=False)
        rate, power = sp.S.Zero, sp.S.Zero
        for factor in sp.Mul.make_args(g):
            base, p = factor.as_base_exp()
            if base == t and not p.has(t):
                power += p
            elif isinstance(factor, sp.exp) and sp.expand(factor.exp).is_polynomial(t) and sp.degree(factor.exp, t) == 1:
                slope, start = sp.Poly(factor.exp, t).all_coeffs()
                rate, constant = rate + slope, constant * sp.exp(start)
            elif g != 1:
                return None
        key = sp.expand(rate), power
        found[key] = sp.expand(found.get(key, 0) + constant)
    return {key: c for key, c in found.items() if sp.simplify(c) != 0}


def _order(rate: sp.Expr, power: sp.Expr) -> int | None:
    """The sign that tells which of two monomials is larger, or None: it must be known."""
    for part in map(sp.factor, (rate, power)):
        if part == 0:
            continue
        if part.is_nonnegative or part.is_nonpositive:
            require(sp.Ne(part, 0))
            return 1 if part.is_nonnegative else -1
        return 1 if part.is_positive else -1 if part.is_negative else None
    return 0


def _leading(monomials: dict) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    for (r, k), c in monomials.items():
        if all(_order(r - r2, k - k2) in (0, 1) for r2, k2 in monomials):
            return r, k, c
    raise ValueError("no leading term")
