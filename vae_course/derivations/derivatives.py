"""Derivatives: of expressions without kinks at the place, and under integrals where exchanging the two is justified.

SymPy differentiates; here is decided whether it may. At a kink of |x|, max, steps and cases there is no derivative: away
from it the condition is required. An integral is closed first; if that leaves integrals, each is differentiated by Leibniz's
rule where its integrand and the derivative are dominated, and with unknown functions if the reader grants the exchange.
"""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.matrices.expressions.matexpr import MatrixElement

from vae_course.derivations import kinks
from vae_course.derivations.conditions import INTERCHANGE, NotApplicable
from vae_course.derivations.functions import (
    KINKS,
    OPEN,
    bound_variable,
    free_level,
    is_smooth,
    is_tame,
    power_and_exponent,
    quadratic,
    terms_of,
)
from vae_course.derivations.integrals import at_kinks
from vae_course.derivations.scopes import require, tried, within

ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.erf, sp.erfc)
ON_THE_LINE = (*ENTIRE, sp.log, sp.tanh, sp.coth, sp.atan, sp.asin, sp.acos, sp.acot, sp.asinh, sp.acosh, sp.atanh, sp.tan,
               sp.cot, sp.sec, sp.csc, sp.gamma, sp.loggamma, sp.digamma, sp.polygamma, sp.erfi, sp.LambertW)
VALUES = (sp.Indexed, AppliedUndef, MatrixElement)
FIXED = (sp.sign, sp.Heaviside)  # constant between their jumps
Close = Callable[[sp.Basic], sp.Basic]


def derivative(f: sp.Expr, x: sp.Basic, close: Close) -> sp.Expr:
    """df/dx. Raises NotApplicable where it is not shown that there is one."""
    if isinstance(f, sp.MatrixBase):
        return f.applyfunc(lambda entry: derivative(entry, x, close))
    if _may_hold_again(f, x):
        f = close(f)  # a sum to a number is written out
        if _may_hold_again(f, x):
            raise NotApplicable(f"{f} holds what may be {x} under another name")
    if not f.has(x):
        return sp.S.Zero
    if x.is_integer:
        raise NotApplicable("a derivative by a whole number")
    within_it = _outermost(f, (sp.Derivative, sp.Subs, sp.Integral))
    f = f.xreplace({part: close(part) for part in within_it if not isinstance(part, sp.Integral)})
    inner = [part for part in _outermost(f, (sp.Integral, sp.Sum, sp.Product, sp.Limit)) if part.has(x)]
    held = {part: sp.Function(f"_F{i}", real=_is_real(part) or None)(x) for i, part in enumerate(inner)}
    outside = f.xreplace(held)
    fixed = {e: sp.Dummy(real=True) for e in outside.atoms(*FIXED) if e.has(x)}
    _check(outside.xreplace(fixed), x)
    slope = outside.xreplace(fixed).diff(x)
    if any(e.exp.free_symbols for e in slope.atoms(sp.Pow) if e.base.has(x)):  # n·xⁿ/x has a pole, n·xⁿ⁻¹ has none
        slope = sp.Add(*(sp.powsimp(term, combine="exp") for term in sp.Add.make_args(slope)))
    _at_kinks(outside, slope.xreplace({dummy: e for e, dummy in fixed.items()}), x)
    slopes = {sp.Derivative(name, x): of_a_whole(part, x, close) for part, name in held.items()}
    back = {name: part for part, name in held.items()}
    return slope.xreplace(slopes).xreplace(back).xreplace({dummy: e for e, dummy in fixed.items()})


def _may_hold_again(f: sp.Expr, x: sp.Basic) -> bool:
    """Whether an entry or a function's value in f may be x without looking so: qₖ is q₁ at k = 1, f(y) is f(x) at y = x."""
    if not isinstance(x, VALUES):
        return False
    name, places = _name_and_places(x)
    wholes = f.atoms(*OPEN)
    bound = {v for whole in wholes for v in getattr(whole, "bound_symbols", whole.args[1:2])}
    if any(d.has(name) for d in wholes if isinstance(d, sp.Derivative | sp.Subs)):
        return True
    for e in f.atoms(type(x)) if isinstance(x, sp.Indexed | MatrixElement) else f.atoms(AppliedUndef):
        other, elsewhere = _name_and_places(e)
        gaps = [a - b for a, b in zip(places, elsewhere)]
        is_apart = any(gap.is_nonzero and not gap.free_symbols & bound for gap in gaps)
        if other == name and not is_apart and (e != x or x.atoms(sp.Symbol) & bound):
            return True
    return isinstance(x, MatrixElement) and f.xreplace({e: sp.S.Zero for e in f.atoms(MatrixElement)}).has(name)


def _name_and_places(e: sp.Basic) -> tuple[object, tuple]:
    """q and (k,) of qₖ, f and (x,) of f(x)."""
    return (e.func, e.args) if isinstance(e, AppliedUndef) else (e.args[0], e.args[1:])


def _outermost(f: sp.Basic, kinds: tuple) -> list[sp.Basic]:
    if isinstance(f, kinds):
        return [f]
    return list(dict.fromkeys(part for arg in f.args for part in _outermost(arg, kinds)))


def _is_real(part: sp.Expr) -> bool:
    return isinstance(part, sp.Integral | sp.Sum | sp.Product) and bool(part.function.is_extended_real) \
        and all(end.is_extended_real for limit in part.limits for end in limit[1:])


def _at_kinks(f: sp.Expr, slope: sp.Expr, x: sp.Basic) -> None:
    """Require that x is at no kink, except where both sides meet with the slope that was found, as those of x·|x| at 0."""
    for e in kinks.changing(f, x) | {r.lhs - r.rhs for r in f.atoms(sp.Eq, sp.Ne) if r.has(x)}:
        if not e.is_extended_real:
            raise NotApplicable(f"a kink of {e}, which may be complex")
        if not tried(_is_smooth_across, f, slope, x, e):
            jumps = any(step.has(x) for step in f.atoms(*FIXED, sp.Piecewise))
            require(sp.Ne(e, 0), jumps)


def require_no_jump(f: sp.Piecewise) -> bool | None:
    """For cases that hold derivatives (SymPy moves them inside): require the variables away from where the case changes."""
    variables = {v for d in f.atoms(sp.Derivative) for v in d.variables}
    for r in f.atoms(Relational):
        if r.has(*variables):
            require(sp.Ne(r.lhs - r.rhs, 0), True)
    return True


def _is_smooth_across(f: sp.Expr, slope: sp.Expr, x: sp.Basic, e: sp.Expr) -> bool | None:
    sides = kinks.pieces(f, x, -sp.oo, sp.oo)
    if sides is None or len(sides) != 2 or not x.is_real or f.has(sp.Eq, sp.Ne):
        return None
    place = sides[0][3]
    there, now = f.subs(x, place), slope.subs(x, place)
    for side, v, *_ in sides:
        v_free = side.subs(v, x)
        _check(v_free, x)
        if sp.simplify(v_free.subs(x, place) - there) != 0 or sp.simplify(v_free.diff(x).subs(x, place) - now) != 0:
            return None
    return True


def _check(f: sp.Expr, x: sp.Basic) -> None:
    """Raise NotApplicable if f is not known to be differentiable wherever it is defined."""
    aside = AppliedUndef, sp.Abs, sp.Max, sp.Min, sp.Piecewise
    functions = [e for e in f.atoms(sp.Function) if e.has(x) and not isinstance(e, aside)]
    powers = [e for e in f.atoms(sp.Pow) if e.has(x) and (e.exp.has(x) or not e.exp.is_integer)]
    for e in functions:
        if not isinstance(e, ENTIRE) and not hasattr(e, "formula"):
            known = isinstance(e, ON_THE_LINE) and all(map(_is_on_the_line, e.args))
            if not (known and (x.is_extended_real or all(arg.is_positive for arg in e.args))):
                raise NotApplicable(f"it is not known where {e.func} has a derivative")
    for e in powers:
        if not (_is_on_the_line(e.base) and x.is_extended_real or e.base.is_positive):
            raise NotApplicable(f"{e} may cross a branch cut")
        bends = not (e.exp - 1).is_nonnegative and not _is_linear(e.base, x)
        if (not e.base.has(x) if e.exp.has(x) else bends):
            require(sp.Ne(e.base, 0))  # √((x + 1)²) has a kink there
    for e in f.atoms(sp.Pow):
        if e.base.has(x) and not e.exp.has(x) and e.exp.free_symbols and not e.exp.is_positive:
            require(sp.Ne(e.base, 0))  # n·xⁿ⁻¹ has no value at x = 0 where n = 0
    for e in f.atoms(sp.asin, sp.acos):
        require(sp.Ne(1 - e.args[0] ** 2, 0))


def _is_linear(f: sp.Expr, x: sp.Basic) -> bool:
    return f.is_polynomial(x) and sp.degree(f, x) == 1


def _is_on_the_line(arg: sp.Expr) -> bool:
    """Whether an expression is real wherever it is defined."""
    return bool(arg.is_extended_real) or all(part.is_extended_real for part in sp.fraction(sp.together(arg)))


# ---------------------------------------------------------------- integrals, sums and limits that depend on x

def of_a_whole(part: sp.Expr, x: sp.Basic, close: Close) -> sp.Expr:
    """The derivative of an integral, sum or limit."""
    if isinstance(part, sp.Integral) and part.has(AppliedUndef):
        return _under_unknown(part, x, close)
    ends = [end for limit in part.limits for end in limit[1:]] if isinstance(part, sp.Sum) else []
    if isinstance(part, sp.Sum) and not any(end.has(x) or end.is_finite is False for end in ends):
        v, *_ = part.limits[0]
        with within(v, "sum"):
            return sp.Sum(derivative(part.function, x, close), *part.limits)
    closed = close(part)
    if not closed.has(sp.Integral, sp.Sum, sp.Product, sp.Limit):
        return derivative(closed, x, close)
    if not isinstance(part, sp.Integral) or closed.has(sp.Sum, sp.Product, sp.Limit):
        raise NotApplicable(f"no derivative of {part} is known")
    opened = [inner for inner in _outermost(closed, (sp.Integral,)) if inner.has(x)]
    held = {inner: sp.Function(f"_I{i}", real=_is_real(inner) or None)(x) for i, inner in enumerate(opened)}
    slope = derivative(closed.xreplace(held), x, close)
    slopes = {sp.Derivative(name, x): _leibniz(inner, x, close) for inner, name in held.items()}
    return slope.xreplace(slopes).xreplace({name: inner for inner, name in held.items()})


def _under_unknown(part: sp.Integral, x: sp.Basic, close: Close) -> sp.Expr:
    """With an unknown function inside the exchange has to be granted; jumps in x are cut out first."""
    f, (v, low, high) = part.function, part.limits[-1]
    if len(part.limits) > 1:
        f = sp.Integral(f, *part.limits[:-1])
    if any(e.has(x) and e.has(v) for e in f.atoms(*KINKS)):
        u = bound_variable(low, high, free_level(part))
        cut = at_kinks(f.subs(v, u), u, low, high)
        if cut is None:
            raise NotApplicable("a jump under an integral")
        return derivative(cut, x, close)
    require(INTERCHANGE)
    with within(v, "integral"):
        return _by_leibniz(derivative(f, x, close), f, (v, low, high), x)


def _by_leibniz(slope: sp.Expr, f: sp.Expr, limit: tuple, x: sp.Basic) -> sp.Expr:
    v, low, high = limit
    moving = [(sign, end) for sign, end in ((1, high), (-1, low)) if end.has(x)]
    return sp.Integral(slope, limit) + sum(sign * f.subs(v, end) * end.diff(x) for sign, end in moving)


def _leibniz(part: sp.Integral, x: sp.Basic, close: Close) -> sp.Expr:
    f, (u, low, high) = part.function, part.limits[0]
    if len(part.limits) > 1 or f.has(*OPEN) or any(e.has(x) for e in f.atoms(*KINKS)):
        raise NotApplicable("an integral inside an integral")
    with within(u, "integral"):
        slope = derivative(f, x, close)
    ends = low, high
    if not (x.is_real and is_smooth(f, x) and is_smooth(slope, x)):
        raise NotApplicable("the integrand is not known to be smooth")
    if any(end.is_infinite for end in ends):
        if not (_is_dominated(f, u, ends) and _is_dominated(slope, u, ends)):
            raise NotApplicable("the derivative is not known to be dominated")
    elif not (_is_smooth_at_ends(f, u, ends) and _is_smooth_at_ends(slope, u, ends)):
        raise NotApplicable("the integrand is not known to be smooth up to the ends")
    return _by_leibniz(slope, f, (u, low, high), x)


def _is_smooth_at_ends(f: sp.Expr, u: sp.Symbol, ends: tuple) -> bool:
    signs = {sign: all(getattr(end, f"is_{sign}") for end in ends) or None for sign in ("positive", "nonnegative")}
    closed = sp.Symbol("_c", real=True, **signs)
    return is_smooth(f.subs(u, closed), closed)


def _is_dominated(f: sp.Expr, u: sp.Symbol, ends: tuple) -> bool:
    """Whether each term is at most a polynomial times a Gaussian, or times an exponential that falls, for all parameters."""
    finite = [end for end in ends if not end.is_infinite]
    closed = sp.Symbol("_c", real=True, nonnegative=True if finite and ends[0].is_nonnegative else None)
    if not is_smooth(f.subs(u, closed), closed):
        return False
    for term in terms_of(f):
        _, exponent, other = power_and_exponent(sp.powsimp(term, combine="exp"), u)
        falls = quadratic(exponent, u) is not None or (
            ends[0].is_nonnegative and exponent.is_polynomial(u) and exponent.has(u) and sp.LC(exponent, u).is_negative)
        if not falls or not is_tame(other, u):
            return False
    return True


def at_a_point(part: sp.Subs, close: Close) -> sp.Expr | None:
    """Subs(f, x, p): what f is at the point; the conditions under which f was closed must hold there."""
    variables, points = part.variables, part.point
    if part.expr.has(AppliedUndef) and isinstance(part.expr, sp.Derivative) and isinstance(part.expr.expr, AppliedUndef):
        return None
    if len(variables) != 1 or not _may_be(variables[0], points[0]):
        return None
    x, p = variables[0], points[0]
    if p.has(x):
        own = sp.Dummy(x.name, **x._assumptions_orig)
        return at_a_point(sp.Subs(part.expr.xreplace({x: own}), own, p), close)
    with within(x, "at", p):
        f = close(part.expr)
    if any(d.has(x) for d in f.atoms(sp.Derivative, sp.Subs)):
        return None
    value = f.subs(x, p)
    return None if value.has(sp.nan, sp.zoo, sp.oo) else value


def _may_be(x: sp.Basic, p: sp.Expr) -> bool:
    asked = ("real", "integer", "positive", "negative", "nonnegative", "nonpositive", "nonzero", "extended_real")
    return all(getattr(p, f"is_{name}") for name in asked if getattr(x, f"is_{name}"))


def of(part: sp.Derivative, close: Close) -> sp.Expr | None:
    """A derivative of any order; None if it has to stay."""
    f = part.expr
    if isinstance(f, AppliedUndef) and all(arg.is_Symbol for arg in f.args):
        return None
    for x, order in part.variable_count:
        if not order.is_Integer or order > 12:
            return None
        for _ in range(int(order)):
            f = tried(derivative, f, x, close)
            if f is None:
                return None
    return f
