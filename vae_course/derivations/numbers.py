"""Numbers with a certificate: an interval in which the value of a formula lies, and how that is known.

Closed formulas are computed in interval arithmetic; functions that it lacks, twice, with clearly different numbers of
digits. Integrals come from two quadratures that agree, infinite sums and limits from two ways that agree. What cannot be had
like that has no value.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, reduce
from operator import add, mul

import mpmath as mp
import sympy as sp
from mpmath import iv, libmp

from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.preparing import OPEN, SlopeAt, prepared
from vae_course.derivations.quadrature import NoValue, integral
from vae_course.derivations.series import LONGEST_SUM, infinite_sum

__all__ = ["Certified", "NoValue", "certified"]

TWO_PRECISIONS = "two computations with different numbers of digits"
QUADRATURES = "two quadratures that agree to 1e-9"
LIMITS, SUMS = "a limit and values near it that agree", "two ways to sum that agree"
DIFFERENCES = "slopes to both sides that agree"
JUMPS = (sp.Piecewise, sp.Heaviside, sp.sign, sp.Abs, sp.Max, sp.Min)
STEPS = (sp.Rational(1, 512), sp.Rational(1, 64), sp.Rational(1, 4096))  # of differences


@dataclass(frozen=True)
class Certified:
    """A real number between low and high; how: the ways in which it was found."""

    low: mp.mpf
    high: mp.mpf
    how: frozenset[str]

    @property
    def middle(self) -> mp.mpf:
        return (self.low + self.high) / 2


@dataclass
class Walk:
    """What is the same for all parts of one formula: the digits, and whether quadratures are checked slowly as well."""

    digits: int
    careful: bool
    how: set[str] = field(default_factory=set)


def certified(expr: sp.Expr, digits: int = 30, careful: bool = False) -> Certified:
    """The value of a formula without free symbols. `preparing.prepared` must have seen it.

    Raises:
        NoValue: if it is not a real number, is undefined, diverges, or is not known well enough.
    """
    walk, before = Walk(digits, careful), (iv.prec, mp.mp.prec)
    try:
        iv.dps = mp.mp.dps = digits
        if expr.has(sp.nan, sp.zoo):
            raise NoValue("undefined")
        ball = _real(expr, walk)
        if not (mp.isfinite(ball.a) and mp.isfinite(ball.b)):
            raise NoValue("unknown")
        return Certified(mp.mpf(ball.a), mp.mpf(ball.b), frozenset(walk.how))
    except (OverflowError, ValueError, TypeError, ZeroDivisionError, AttributeError, NotImplementedError) as error:
        raise NoValue("unknown", str(error)) from error
    finally:
        iv.prec, mp.mp.prec = before


def _real(expr: sp.Expr, walk: Walk):
    try:
        return _enclosure(expr, walk)
    except NoValue as error:
        if error.kind != "complex" or expr.has(*OPEN):
            raise
        return _by_two_precisions(expr, walk)  # a real number by way of complex ones


# ---------------------------------------------------------------- closed formulas

def _enclosure(expr: sp.Expr, walk: Walk):
    """An interval that holds the value; raises NoValue."""
    if expr.is_Rational:
        return iv.make_mpf(tuple(libmp.from_rational(expr.p, expr.q, iv.prec, end) for end in "fc"))
    if expr.is_Float:
        return iv.make_mpf((expr._mpf_, expr._mpf_))
    if expr is sp.pi or expr is sp.E:
        return +(iv.pi if expr is sp.pi else iv.e)
    if expr in (sp.oo, -sp.oo, sp.zoo, sp.nan):
        raise NoValue("undefined")
    if expr is sp.I:
        raise NoValue("complex")
    if isinstance(expr, sp.Add | sp.Mul):
        return reduce(add if isinstance(expr, sp.Add) else mul, [_enclosure(arg, walk) for arg in expr.args])
    for kind, rule in RULES.items():
        if isinstance(expr, kind):
            return rule(expr, walk)
    if isinstance(expr, sp.Function) and expr.args:
        return _by_ends(expr, walk)
    return _by_two_precisions(expr, walk)


def _power(expr: sp.Pow, walk: Walk):
    base, p = _enclosure(expr.base, walk), expr.exp
    if base.a == 0 == base.b:
        if not p.is_positive:
            raise NoValue("undefined")
        return iv.mpf(0)
    if p.is_Integer:
        if p < 0 and base.a <= 0 <= base.b:
            raise NoValue("unknown")
        return base ** int(p)
    return iv.exp(_enclosure(p, walk) * _log(base))


def _log(x):
    if x.a > 0:
        return iv.log(x)
    raise NoValue("complex" if x.b < 0 else "undefined" if x.b == 0 == x.a else "unknown")


def _max(expr: sp.Expr, walk: Walk):
    choose = max if isinstance(expr, sp.Max) else min
    balls = [_enclosure(arg, walk) for arg in expr.args]
    return iv.mpf([choose(ball.a for ball in balls), choose(ball.b for ball in balls)])


def _modulus(expr: sp.Abs, walk: Walk):
    if expr.args[0].is_extended_real is False or expr.args[0].has(sp.I):
        return _by_two_precisions(expr, walk)
    return abs(_enclosure(expr.args[0], walk))


def _by_ends(expr: sp.Function, walk: Walk):
    """A function that interval arithmetic lacks: its values at the ends of the argument say how far off the middle is."""
    if expr.has(sp.I):
        return _by_two_precisions(expr, walk)
    balls, f = [_enclosure(arg, walk) for arg in expr.args], _plain_function(expr.func, len(expr.args))
    with mp.workdps(2 * walk.digits):
        low, middle, high = (f(*[mp.mpf(end(ball)) for ball in balls])
                             for end in (lambda b: b.a, lambda b: (mp.mpf(b.a) + mp.mpf(b.b)) / 2, lambda b: b.b))
        if any(isinstance(value, mp.mpc) for value in (low, middle, high)):
            raise NoValue("complex")
        if not all(map(mp.isfinite, (low, middle, high))):
            raise NoValue("undefined" if all(ball.a == ball.b for ball in balls) else "unknown")
        radius = 4 * max(abs(low - middle), abs(high - middle)) + abs(middle) * mp.mpf(10) ** (5 - walk.digits)
        walk.how.add(TWO_PRECISIONS)
        return iv.mpf([middle - radius, middle + radius])


@cache
def _plain_function(func: type, n_args: int) -> Callable:
    xs = sp.symbols(f"x:{n_args}", cls=sp.Dummy)
    return sp.lambdify(xs, func(*xs, evaluate=False), "mpmath")


def _by_two_precisions(expr: sp.Expr, walk: Walk):
    """SymPy's number with 30 digits and with 60, if they agree and are real."""
    if expr.has(*OPEN):
        raise NoValue("unknown")
    values = [sp.N(expr, digits)._to_mpmath(300) for digits in (walk.digits, 2 * walk.digits)]
    small = mp.mpf(10) ** (10 - walk.digits)
    real, imaginary = [mp.re(v) for v in values], [mp.im(v) for v in values]
    if not all(mp.isfinite(v) for v in values):
        raise NoValue("undefined")
    if any(abs(part) > small * (small + abs(v)) for part, v in zip(imaginary, values)):
        raise NoValue("complex")
    radius = small * abs(real[1]) + small ** 3
    if abs(real[0] - real[1]) > radius:
        raise NoValue("unknown")
    walk.how.add(TWO_PRECISIONS)
    return iv.mpf([real[1] - radius, real[1] + radius])


# ---------------------------------------------------------------- integrals, sums, limits, derivatives

def _integral(expr: sp.Integral, walk: Walk):
    f, (limit, *outer) = expr.function, expr.limits
    if len(limit) != 3:
        raise NoValue("unknown")
    if outer or f.has(*OPEN):
        inner = closed_form(f if f.has(*OPEN) else sp.Integral(f, limit))
        if inner.has(*OPEN):
            raise NoValue("unknown", "an integral inside an integral without a closed form")
        return _integral(sp.Integral(inner, *(expr.limits if f.has(*OPEN) else outer)), walk)
    v, low, high = limit
    value, radius = integral(f, v, low, high, walk.careful)
    walk.how.add(QUADRATURES)
    return iv.mpf([value - radius, value + radius])


def _sum(expr: sp.Sum | sp.Product, walk: Walk):
    f, (*inner, (k, low, high)) = expr.function, expr.limits
    f = expr.func(f, *inner) if inner else f
    if low.is_Integer and high.is_Integer and -1 <= high - low < LONGEST_SUM:
        start = iv.mpf(0 if isinstance(expr, sp.Sum) else 1)
        terms = (_enclosure(f.xreplace({k: low + i}), walk) for i in range(int(high - low) + 1))
        return reduce(add if isinstance(expr, sp.Sum) else mul, terms, start)
    if high == sp.oo and low.is_Integer and isinstance(expr, sp.Sum) and not f.has(*OPEN):
        value, radius = infinite_sum(f, k, int(low), walk.digits)
        walk.how.add(SUMS)
        return iv.mpf([value - radius, value + radius])
    closed = closed_form(expr)
    if closed.has(*OPEN):
        raise NoValue("unknown")
    return _enclosure(closed, walk)


def _limit(expr: sp.Limit, walk: Walk):
    """SymPy's limit at exact numbers, if values near it approach it."""
    f, x, to, direction = expr.args
    f = closed_form(f) if f.has(*OPEN) else f
    if f.has(*OPEN):
        raise NoValue("unknown")
    found = sp.limit(f, x, to, str(direction))
    if found.has(sp.Limit, sp.AccumBounds):
        raise NoValue("unknown")
    if found.is_infinite or found is sp.nan:
        raise NoValue("undefined", "the limit is not finite")
    ball, at = _enclosure(found, walk), sp.lambdify(x, f, "mpmath")
    with mp.workdps(200):
        claimed = (mp.mpf(ball.a) + mp.mpf(ball.b)) / 2
        sign = (1 if to == sp.oo else -1) if to.is_infinite else -1 if str(direction) == "-" else 1
        start = 0 if to.is_infinite else sp.N(to, 200)._to_mpmath(700)
        near = [start + sign * mp.mpf(10) ** (k if to.is_infinite else -k) for k in (10, 20, 40, 60)]
        gaps = [abs(at(x0) - claimed) for x0 in near]
    if not all(mp.isfinite(gap) and gap < 1e-3 * (1 + abs(claimed)) for gap in gaps[-2:]) or gaps[-1] > gaps[0] + 1e-50:
        raise NoValue("unknown", "values near the limit do not approach it")
    walk.how.add(LIMITS)
    return ball


def _slope_at(expr: SlopeAt, walk: Walk):
    """A derivative of integrals: under the integral, if differences come near it; across jumps, the differences alone."""
    f, x, times, at = expr.args
    value = None
    for k in range(int(times)):
        slope = value = None
        with suppress(NoValue, ValueError):
            slope = prepared(f.diff(x))
            value = _enclosure(slope.xreplace({x: at}), walk)
        near = _by_differences(f, x, at, walk, STEPS[:1])
        if value is not None and near.a <= value.b and value.a <= near.b:
            f = slope
            continue
        if not f.has(*JUMPS) or k + 1 < times:
            raise NoValue("unknown", "the derivative is not that under the integral")
        walk.how.add(DIFFERENCES)
        return _by_differences(f, x, at, walk, STEPS)
    return value


def _by_differences(f: sp.Expr, x: sp.Symbol, at: sp.Expr, walk: Walk, steps: tuple):
    """An interval around the slopes to both sides, for each step, if they agree."""
    middle, slopes = _middle(f.xreplace({x: at}), walk), []
    for h in steps:
        for side in (h, -h):
            near, far = (_middle(f.xreplace({x: at + i * side}), walk) for i in (1, 2))
            slopes.append((4 * near - 3 * middle - far) / float(2 * side))
    low, high = min(slopes), max(slopes)
    if not high - low < 1e-3 * (1 + abs(high)):
        raise NoValue("unknown", "the slopes to both sides do not agree")
    return iv.mpf([low - 3 * (high - low) - 1e-4, high + 3 * (high - low) + 1e-4])


def _middle(expr: sp.Expr, walk: Walk) -> mp.mpf:
    ball = _enclosure(expr, walk)
    return (mp.mpf(ball.a) + mp.mpf(ball.b)) / 2


RULES: dict[type, Callable] = {
    sp.exp: lambda e, walk: iv.exp(_enclosure(e.args[0], walk)), sp.log: lambda e, walk: _log(_enclosure(e.args[0], walk)),
    sp.sin: lambda e, walk: iv.sin(_enclosure(e.args[0], walk)), sp.cos: lambda e, walk: iv.cos(_enclosure(e.args[0], walk)),
    sp.Pow: _power, sp.Max: _max, sp.Min: _max, sp.Abs: _modulus, sp.Integral: _integral, sp.Sum: _sum, sp.Product: _sum,
    sp.Limit: _limit, SlopeAt: _slope_at}
