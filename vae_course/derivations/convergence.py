"""Whether an integral exists: shown to converge, shown to diverge, or unknown (None)."""

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.functions import (
    OPEN,
    bound_variable,
    free_level,
    is_ordered,
    is_smooth,
    is_tame,
    power_and_exponent,
    terms_of,
    with_whole_exponentials,
)


def converges(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool | None:
    """Whether ∫ f du exists for all values of the symbols (True), for none (False), or it is not known (None).

    Integrals of unknown functions are taken to exist: a line that holds them speaks about such functions.
    """
    if any(e.has(u) for e in f.atoms(AppliedUndef, sp.Indexed)):
        return True
    if low.is_finite and high.is_finite and _is_smooth_on_closed(f, u, low, high):
        return True
    if f.has(*OPEN) or not is_ordered(low, high):
        return None
    inner = bound_variable(low, high, free_level(f))
    f = f.subs(u, inner)
    if not is_smooth(f, inner, kinks=True):
        return _false_at_a_pole(f, inner, low, high)
    ends = [_at_end(term, inner, low, 1) for term in sp.Add.make_args(f)], \
        [_at_end(term, inner, high, -1) for term in sp.Add.make_args(f)]
    if all(found is True for found in (*ends[0], *ends[1])):
        return True
    return False if any(_one_part_fails(found) for found in ends) else None


def _one_part_fails(found: list) -> bool:
    """Exactly one term fails and all others hold: then the sum fails."""
    return found.count(False) == 1 and found.count(True) == len(found) - 1


def _is_smooth_on_closed(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    """Whether f is bounded from end to end, in whichever order these are."""
    signs = {sign: all(getattr(end, f"is_{sign}") for end in (low, high)) or None
             for sign in ("positive", "nonnegative", "negative")}
    closed = sp.Symbol("_c", real=True, **signs)
    return is_smooth(f.subs(u, closed), closed, kinks=True)


def _at_end(g: sp.Expr, u: sp.Symbol, end: sp.Expr, side: int) -> bool | None:
    if end.is_infinite:
        return _far_out(g, u, side)
    s = sp.Symbol("_s", positive=True)
    return _near(sp.expand_log(g.subs(u, end + side * s)), s)


def _far_out(g: sp.Expr, u: sp.Symbol, side: int) -> bool | None:
    """Whether the end at ∞ (side −1) or −∞ (side 1) is harmless."""
    power, exponent, other = power_and_exponent(sp.powsimp(g, combine="exp"), u)
    v = sp.Symbol("_s", positive=True)
    exponent, other = (e.subs(u, -side * v) for e in (exponent, other))
    if exponent.is_polynomial(v) and exponent.has(v):
        slope = sp.LC(exponent, v)
        if slope.is_negative and is_tame(other, v):
            return True
        return False if slope.is_positive and _degree(other, v) is not None else None
    degree = _degree(other, v) if not exponent.has(v) else None
    if degree is None:
        return None
    degree += power
    return True if (degree + 1).is_negative else False if (degree + 1).is_nonnegative else None


def _degree(g: sp.Expr, v: sp.Symbol) -> sp.Expr | None:
    """The d with g ~ c·vᵈ, c ≠ 0, for large v; None if g is not known to be like that."""
    if not g.has(v):
        return sp.S.Zero if g.is_zero is False else None
    if g == v:
        return sp.S.One
    if isinstance(g, sp.Mul):
        parts = [_degree(arg, v) for arg in g.args]
        return None if None in parts else sp.Add(*parts)
    if isinstance(g, sp.Pow) and not g.exp.has(v):
        inner = _degree(g.base, v)
        return None if inner is None else inner * g.exp
    if g.is_polynomial(v) and sp.LC(g, v).is_zero is False:
        return sp.Integer(sp.degree(g, v))
    return sp.S.Zero if isinstance(g, sp.atan | sp.tanh) and _degree(g.args[0], v) == 1 else None


def _near(g: sp.Expr, s: sp.Symbol) -> bool | None:
    """Whether ∫ g ds from s = 0 on exists, near 0."""
    closed = sp.Symbol("_s", nonnegative=True)
    order, rest = sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(g):
        base, p = factor.as_base_exp()
        if isinstance(factor, sp.log) and factor.args[0] == s:
            continue  # weaker than any power, unless the power is −1
        if not p.has(s) and (zero := _order_of_zero(base, s)) is not None:
            order += zero * p
        else:
            rest *= factor
    if not is_smooth(rest.subs(s, closed), closed, kinks=True):
        return None
    if (order + 1).is_positive:
        return True
    return False if (order + 1).is_nonpositive and rest.subs(s, 0).is_zero is False else None


def _order_of_zero(base: sp.Expr, s: sp.Symbol) -> sp.Integer | None:
    """1 or 2 if the base is smooth and vanishes so at s = 0; None if it does not vanish or that is not known."""
    if not base.has(s) or base.has(sp.log) or base.subs(s, 0) != 0:
        return None
    for k in (1, 2):
        slope = sp.simplify(sp.diff(base, s, k).subs(s, 0))
        if slope != 0:
            return sp.Integer(k) if slope.is_zero is False and slope.is_finite else None
    return None


def _false_at_a_pole(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool | None:
    """False if a quotient of polynomials with numbers has a pole inside the range."""
    if f.free_symbols != {u} or not f.is_rational_function(u):
        return None
    _, bottom = sp.fraction(sp.cancel(sp.together(f)))
    return False if any(low <= root <= high for root in sp.Poly(bottom, u).real_roots()) else None


def divergence(expr: sp.Basic) -> str | None:
    """A sentence about an integral inside `expr` that diverges; None if none is known to."""
    for part in sorted(expr.atoms(sp.Integral), key=str):
        if any(len(limit) != 3 for limit in part.limits) or len(part.limits) != 1:
            continue
        (v, low, high), = part.limits
        u = bound_variable(low, high, free_level(part))
        f = part.function.subs(v, u)
        where = _place(f, u, low, high)
        if where is not None:
            return f"the integral of {part.function} over {v} from {low} to {high} diverges at {where}"
    return None


def _place(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> str | None:
    if not is_ordered(low, high) or f.has(*OPEN) or f.has(AppliedUndef):
        return None
    for g in (sp.Add(*terms_of(f)), with_whole_exponentials(sp.factor, f)):
        if converges(g, u, low, high) is False:
            ends = [(end, [_at_end(t, u, end, side) for t in sp.Add.make_args(g)]) for end, side in ((low, 1), (high, -1))]
            return next((str(end).replace("oo", "∞") for end, found in ends
                         if is_smooth(g, u, kinks=True) and _one_part_fails(found)), "a pole inside the range")
    return None
