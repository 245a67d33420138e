"""Closed forms of integrals: one rule for each kind of integrand, in the table RULES; what has none stays in one shape.

A rule gets (g, u, low, high), where g is one term without constant factors and u has only the assumptions that its range
gives. It returns ∫ g du for all values that the symbols may take, or None; what it cannot show it needs.
"""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations import integral_rules, kinks
from vae_course.derivations.conditions import NotApplicable, collecting
from vae_course.derivations.convergence import converges
from vae_course.derivations.functions import KINKS, OPEN, bound_variable, free_level, is_ordered, terms_of
from vae_course.derivations.gaussian_integrals import gaussian, part_of_a_gaussian
from vae_course.derivations.scopes import require

Rule = Callable[[sp.Expr, sp.Symbol, sp.Expr, sp.Expr], sp.Expr | None]


def integral(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """∫ f du in closed form, term by term where that is allowed; terms without one stay integrals."""
    if f == 0 or low == high and low.is_finite:
        return sp.S.Zero
    if is_ordered(high, low):
        v = bound_variable(high, low, free_level(f))
        return -integral(f.subs(u, v), v, high, low)
    if not (low.is_extended_real and high.is_extended_real) and not f.is_polynomial(u) or f.has(sp.DiracDelta):
        return sp.Integral(f, (u, low, high))
    constant, f = f.as_independent(u, as_Add=False)  # it is not multiplied out: each term would get a value of its own
    f = f.rewrite((sp.cosh, sp.sinh), sp.exp) if f.has(sp.cosh, sp.sinh) else f
    terms = [constant * term for term in _groups(f, u, low, high)]
    parts = [(term, integral_of_term(term, u, low, high)) for term in terms]
    return sp.Add(*(open_integral(term, u, low, high) if value is None else value for term, value in parts))


def _groups(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[sp.Expr]:
    """Terms to integrate one by one: all exist, except that one may not. Others stay together: ∞ − ∞ is no number."""
    collected: dict[sp.Expr, sp.Expr] = {}
    for term in terms_of(f):
        constant, g = term.as_independent(u, as_Add=False)
        collected[g] = collected.get(g, sp.S.Zero) + constant
    terms = [constant * g for g, constant in collected.items()]
    if len(terms) == 1:
        return terms
    apart: list[sp.Expr] = []
    together: list[sp.Expr] = []
    for term in terms:
        (apart if converges(term, u, low, high) else together).append(term)
    return apart + together if len(together) <= 1 else [*apart, sp.Add(*together)]


def integral_of_term(term: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """The value of the first rule that has one and whose conditions can be said; None if there is no such rule."""
    constant, g = term.as_independent(u, as_Add=False)
    is_open = g.has(*OPEN) or any(e.has(u) for e in g.atoms(AppliedUndef, sp.Indexed))
    for rule in FOR_UNKNOWN if is_open else RULES:
        with collecting() as needed:
            try:
                value = rule(g, u, low, high)
            except Exception:  # NotApplicable, or SymPy gave up with an error of its own
                continue
        if value is None or value.has(sp.nan, sp.zoo) or not value.has(sp.Integral) and value.has(sp.oo):
            continue
        try:
            for condition in needed:
                if not _agrees_without(condition, constant * value, term, u, low, high):
                    require(condition)
        except NotApplicable:
            continue
        return constant * value
    return None


def _agrees_without(condition, value: sp.Expr, term: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    """Whether a value that was found for s ≠ c also holds at s = c: the integral there has the same closed form."""
    if not isinstance(condition, sp.Ne):
        return False
    difference = condition.lhs - condition.rhs
    for s in sorted(difference.free_symbols - {u}, key=str):
        slope = sp.diff(difference, s)
        if not slope.is_number or slope == 0:
            continue
        at = sp.expand(s - difference / slope)
        there, f, ends = value.subs(s, at), term.subs(s, at), [end.subs(s, at) for end in (low, high)]
        if sp.Tuple(there, f, *ends).has(sp.nan, sp.zoo) or there.has(sp.oo, sp.Integral):
            return False
        with collecting() as needed:
            now = integral(f, u, *ends)
        return not needed and not now.has(sp.Integral) and sp.simplify(now - there) == 0
    return False


def open_integral(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """The integral in the shape in which equal ones look equal; a half-line goes to the right."""
    if low == -sp.oo and high != sp.oo:
        low, high, f = -high, sp.oo, f.subs(u, -u)
    constant, g = f.as_independent(u, as_Add=False)
    g = sp.powsimp(g) if not g.has(AppliedUndef) else g
    v = bound_variable(low, high, free_level(g))
    return constant * sp.Integral(g.subs(u, v), (v, low, high))


def at_kinks(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """|x|, max, steps and cases: the range is cut where they change."""
    if not any(e.has(u) for e in g.atoms(*KINKS)) or any(part.has(*KINKS) for part in g.atoms(*OPEN)):
        return None  # a derivative of a jump is no jump, and the place of one may be a variable that is bound inside
    pieces = kinks.pieces(g, u, low, high)
    return None if pieces is None else sp.Add(*(integral(*piece) for piece in pieces))


FOR_UNKNOWN: tuple[Rule, ...] = (at_kinks, gaussian)
RULES: tuple[Rule, ...] = (
    at_kinks, integral_rules.constant, integral_rules.power, gaussian, part_of_a_gaussian, integral_rules.exponential,
    integral_rules.gamma, integral_rules.beta, integral_rules.double_exponential, integral_rules.rational_in_exponential,
    integral_rules.antiderivative)
