"""Whether an expression is a real number wherever it is defined: a bound between other numbers says nothing."""

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import is_ordered
from vae_course.derivations.domain import inside

# Functions whose value is real, or undefined, at real arguments.
REAL_AT_REALS = (
    sp.exp, sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc, sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.asinh, sp.atan, sp.acot,
    sp.erf, sp.erfc, sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.floor, sp.ceiling, sp.factorial, sp.binomial,
    sp.gamma, sp.digamma, sp.harmonic, sp.re, sp.im, sp.Add, sp.Mul, sp.UnevaluatedExpr)


def is_shown_real(expr: sp.Expr) -> bool:
    """Whether the value is real wherever there is one: 1/x is for real x, log x is not."""
    if expr.is_extended_real or expr in (sp.oo, -sp.oo):
        return True
    if isinstance(expr, sp.Pow):
        base, power = expr.args
        return is_shown_real(base) and bool(power.is_integer or is_shown_real(power) and is_not_negative(base))
    if isinstance(expr, sp.log):
        return is_not_negative(expr.args[0])
    if isinstance(expr, REAL_AT_REALS):
        return all(map(is_shown_real, expr.args))
    if isinstance(expr, sp.Integral | sp.Sum | sp.Product):
        ends = [end for limit in expr.limits for end in limit[1:]]
        whole = all(len(limit) == 3 for limit in expr.limits)
        return whole and all(map(is_shown_real, ends)) and is_shown_real(in_range(expr))
    if isinstance(expr, sp.Limit):
        f, x, to, _ = expr.args
        return is_shown_real(to) and is_shown_real(f.subs(x, sp.Dummy(real=True)))
    if isinstance(expr, sp.Derivative | sp.Subs):
        return _is_real_rate(expr)
    if isinstance(expr, sp.Piecewise):
        return all(is_shown_real(branch) for branch, _ in expr.args)
    return False


def is_not_negative(expr: sp.Expr) -> bool:
    """Whether the sign of the expression, or of its factors, is seen at once."""
    return bool(expr.is_extended_nonnegative or sp.factor(sp.together(expr)).is_extended_nonnegative)


def _is_real_rate(expr: sp.Derivative | sp.Subs) -> bool:
    if isinstance(expr, sp.Subs):
        names = {} if expr.expr.has(sp.Derivative) else {v: sp.Dummy(real=True) for v in expr.variables}
        return all(map(is_shown_real, expr.point)) and is_shown_real(expr.expr.subs(names))
    if any(not v.is_extended_real for v in expr.variables):
        return False
    return is_shown_real(expr.expr) or isinstance(expr.expr, AppliedUndef) and bool(expr.expr.is_extended_real)


def in_range(part: sp.Expr) -> sp.Expr:
    """The function under an integral or sum, its variables put between their limits (what happens at the ends of an integral
    does not count).
    """
    f = part.function
    put: dict[sp.Symbol, sp.Expr] = {}
    for v, low, high in reversed(part.limits):  # inner limits may hold outer variables
        low, high = low.subs(put), high.subs(put)
        u = sp.Dummy(v.name, real=True, integer=isinstance(part, sp.Sum | sp.Product) or None)
        both = (u >= low, u <= high) if u.is_integer else (u > low, u < high)
        ends = [end for end in both if not end.has(sp.oo, -sp.oo)]
        put[v] = inside(tuple(ends)).shapes.get(u, u) if is_ordered(low, high) else u
        if put[v] == u and u.is_integer and ends and is_ordered(low, high):  # a lower end alone, if both have no shape
            put[v] = inside(tuple(ends[:1])).shapes.get(u, u)
    return f.subs(put)
