"""Closed forms of derivatives, sums, integrals and limits; what has none stays in one canonical shape.

Every rule is exact for all values that the symbols may take; where it is not, it needs a condition that is said (see
conditions.py). Bound variables are renamed from the outside in, so that each has only the assumptions that its range gives.
"""

from collections.abc import Callable
from functools import partial

import sympy as sp

from vae_course.derivations import derivatives, integrals, limits, sums
from vae_course.derivations.convergence import divergence
from vae_course.derivations.functions import bound_variable, free_level, is_ordered, is_smooth, terms_of
from vae_course.derivations.merging import same_range_together
from vae_course.derivations.scopes import tried, within

__all__ = ["WHOLES", "bound_variable", "closed_form", "divergence", "is_open", "is_ordered", "is_smooth",
           "same_range_together", "terms_of"]


def closed_form(expr: sp.Basic) -> sp.Basic:
    """Replace every derivative, sum, product, integral, limit and matrix operation that has a closed form."""
    if isinstance(expr, sp.MatrixBase | sp.MatrixExpr):
        expr = expr.doit(integrals=False, deep=False)
    return _renamed(_close(expr)) if is_open(expr) else expr


def _close(expr: sp.Basic) -> sp.Basic:
    if not is_open(expr):
        return expr
    if isinstance(expr, sp.MatrixBase):
        return expr.applyfunc(_close)
    if isinstance(expr, sp.MatrixExpr | sp.Determinant | sp.Trace):
        return expr.doit(integrals=False)
    if isinstance(expr, sp.Piecewise) and expr.has(sp.Derivative) and not tried(derivatives.require_no_jump, expr):
        return expr
    closer = CLOSERS.get(expr.func)
    if closer is not None:
        return closer(expr)
    return expr.func(*(_close(arg) for arg in expr.args))


def _outer_limit(part: sp.Integral | sp.Sum | sp.Product) -> tuple | None:
    """(what stands inside, variable, low, high) of the outermost limit; None if it has no ends."""
    *inner, last = part.limits
    if len(last) != 3:
        return None
    v, low, high = last
    return part.func(part.function, *inner) if inner else part.function, v, _close(low), _close(high)


def _close_integral(part: sp.Integral) -> sp.Expr:
    outer = _outer_limit(part)
    if outer is None:
        return part
    f, v, low, high = outer
    u = bound_variable(low, high, free_level(part))
    with within(u, "integral"):
        f = _close(f.subs(v, u))
    return integrals.integral(f, u, low, high)


def _close_sum(part: sp.Sum) -> sp.Expr:
    return _close_terms(part, sp.Add, sums.summation)


def _close_product(part: sp.Product) -> sp.Expr:
    def rule(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
        value = tried(sums.product, f, k, low, high)
        return sp.Product(f, (k, low, high)) if value is None else value
    return _close_terms(part, sp.Mul, rule)


def _close_terms(part: sp.Sum | sp.Product, together: type, rule: Callable[..., sp.Expr]) -> sp.Expr:
    """A few terms written out and put together, else what the rule makes of (term, variable, low, high)."""
    outer = _outer_limit(part)
    if outer is None:
        return part
    f, v, low, high = outer
    n = sums.length(low, high)
    if n is not None:
        return together(*(_close(f.subs(v, low + i)) for i in range(n)))
    k = bound_variable(low, high, free_level(part), integer=True)
    with within(k, "sum"):
        f = _close(f.subs(v, k))
    return rule(f, k, low, high)


def _close_limit(part: sp.Limit) -> sp.Expr:
    f, x, to, direction = part.args
    with within(x, "limit"):
        f = _close(f)
        value = tried(limits.limit, f, x, to, str(direction))
    return sp.Limit(f, x, to, str(direction)) if value is None else value


def _close_slope(rule: Callable, part: sp.Derivative | sp.Subs) -> sp.Expr:
    value = tried(rule, part, _close)
    if value is None:
        return part
    return _close(value) if value.has(sp.Integral, sp.Sum, sp.Limit, sp.Product) else value


CLOSERS: dict[type, Callable] = {
    sp.Integral: _close_integral, sp.Sum: _close_sum, sp.Product: _close_product, sp.Limit: _close_limit,
    sp.Derivative: partial(_close_slope, derivatives.of), sp.Subs: partial(_close_slope, derivatives.at_a_point)}
WHOLES = tuple(CLOSERS)  # what stands for a number that is still to be found


def is_open(expr: sp.Basic) -> bool:
    """Whether something is left to be carried out."""
    return expr.has(*WHOLES, sp.MatrixExpr, sp.Determinant, sp.Trace)


def _renamed(expr: sp.Basic) -> sp.Basic:
    """The same with bound variables named by how many integrals and sums stand inside, so that equal parts look equal."""
    if not expr.has(sp.Integral, sp.Sum, sp.Product):
        return expr
    if not isinstance(expr, sp.Integral | sp.Sum | sp.Product):
        return expr.applyfunc(_renamed) if isinstance(expr, sp.MatrixBase) else expr.func(*map(_renamed, expr.args))
    if len(expr.limits) != 1 or len(expr.limits[0]) != 3:
        return expr
    v, low, high = expr.limits[0]
    own = sp.Dummy(**v.assumptions0)
    f = _renamed(expr.function.subs(v, own))
    used = [int(s.name[2:]) for s in f.atoms(sp.Symbol) if s.name.startswith("_u") and s.name[2:].isdigit()]
    u = bound_variable(low, high, max(used, default=-1) + 1, integer=not isinstance(expr, sp.Integral))
    return expr.func(f.subs(own, u), (u, _renamed(low), _renamed(high)))
