"""Numbers with a certificate: an interval in which the value of a formula lies, and how that is known.

Closed formulas are computed in interval arithmetic; functions that it lacks, twice, with clearly different numbers of
digits. Integrals come from two quadratures that agree, infinite sums and limits from two ways that agree. What cannot be had
like that has no value.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, reduce
from operator import add, mul

import mpmath as mp
import sympy as sp
from mpmath import iv, libmp

from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.quadrature import NoValue, integral

__all__ = ["Certified", "NoValue", "certified", "prepared"]

INTERVALS, TWO_PRECISIONS = "intervals that exclude each other", "two computations with different numbers of digits"
QUADRATURES = "two quadratures that agree to 1e-9"
LIMITS, SUMS = "a limit and values near it that agree", "two ways to sum that agree"
LONGEST_SUM = 400     # terms that are added one by one
FAR = (10 ** 6, 10 ** 9 + 1)  # terms that show how fast a slow sum falls off


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
    """The value of a formula without free symbols. See `prepared` for what must be done to it first.

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


# ---------------------------------------------------------------- before numbers are put in

def prepared(expr: sp.Basic) -> sp.Basic:
    """The formula with derivatives carried out, and with bound variables that no number can be put in for."""
    if expr.has(sp.Determinant, sp.Trace, sp.MatrixExpr):
        expr = closed_form(expr)
    bound = (sp.Integral, sp.Sum, sp.Product, sp.Limit)
    if expr.has(*bound):
        expr = expr.replace(lambda e: isinstance(e, bound), _with_own_variables)
    if expr.has(sp.Derivative, sp.Subs):
        expr = expr.replace(lambda e: isinstance(e, sp.Derivative | sp.Subs), _differentiated)
    return expr


class SlopeAt(sp.Expr):
    """The derivative of args[0] by args[1], args[2] times, at args[3]; numbers can be put in for what is free in the last."""


OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs, SlopeAt)


def _differentiated(e: sp.Expr) -> sp.Expr:
    if not e.has(sp.Integral, sp.Sum, sp.Limit):
        return e.doit(integrals=False)
    if isinstance(e, sp.Subs):
        return e.expr.xreplace(dict(zip(e.variables, e.point)))
    f = e.expr
    for x, times in e.variable_count:  # a derivative at a point, where x may become a number
        own = sp.Dummy(x.name, **x.assumptions0)
        f = SlopeAt(f.xreplace({x: own}), own, times, x)
    return f


def _with_own_variables(e: sp.Expr) -> sp.Expr:
    args = list(e.args)
    if isinstance(e, sp.Limit):
        own = sp.Dummy(args[1].name, **args[1].assumptions0)
        return sp.Limit(args[0].xreplace({args[1]: own}), own, *args[2:])
    for k, limit in enumerate(e.limits, start=1):
        own = {limit[0]: sp.Dummy(limit[0].name, **limit[0].assumptions0)}
        args[:k] = [arg.xreplace(own) for arg in args[:k]]
        args[k] = sp.Tuple(own[limit[0]], *limit[1:])
    return e.func(*args)


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
    """A function that interval arithmetic lacks, at the middle of its argument; its values at the ends say how far off it is."""
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
    value, radius = integral(f, *limit, walk.careful)
    walk.how.add(QUADRATURES)
    return iv.mpf([value - radius, value + radius])


def _sum(expr: sp.Sum | sp.Product, walk: Walk):
    f, (limit, *outer) = expr.function, expr.limits
    if outer:
        return _sum(expr.func(expr.func(f, limit), *outer), walk)
    k, low, high = limit
    if low.is_Integer and high.is_Integer and -1 <= high - low < LONGEST_SUM:
        start = iv.mpf(0 if isinstance(expr, sp.Sum) else 1)
        terms = (_enclosure(f.xreplace({k: low + i}), walk) for i in range(int(high - low) + 1))
        return reduce(add if isinstance(expr, sp.Sum) else mul, terms, start)
    if high == sp.oo and low.is_Integer and isinstance(expr, sp.Sum) and not f.has(*OPEN):
        return _infinite_sum(f, k, int(low), walk)
    closed = closed_form(expr)
    if closed.has(*OPEN):
        raise NoValue("unknown")
    return _enclosure(closed, walk)


def _infinite_sum(f: sp.Expr, k: sp.Symbol, low: int, walk: Walk):
    """Terms until they fall by a steady factor, and the rest bounded by a geometric series; or two ways by mpmath."""
    term = sp.lambdify(k, f, "mpmath")
    with mp.workdps(walk.digits):
        terms = [term(mp.mpf(low + i)) for i in range(LONGEST_SUM)]
        if any(isinstance(t, mp.mpc) for t in terms):
            raise NoValue("complex")
        ratios = [abs(b / a) for a, b in zip(terms[-60:], terms[-59:]) if a]
        worst = max(ratios, default=mp.mpf(0))
        if min(ratios, default=mp.mpf(0)) >= 1:
            raise NoValue("diverges", "the terms do not fall off")
        if worst < 0.98:
            total, rest = mp.fsum(terms), 2 * abs(terms[-1]) * worst / (1 - worst)
            radius = rest + mp.mpf(10) ** (8 - walk.digits) * mp.fsum(map(abs, terms))
        else:
            far = [term(mp.mpf(n)) for n in FAR]
            if not abs(far[1] / far[0]) < (mp.mpf(FAR[0]) / FAR[1]) ** 1.05:
                slow = far[0] * far[1] > 0 and abs(far[1] / far[0]) >= (mp.mpf(FAR[0]) / FAR[1]) ** 1.0001
                raise NoValue("diverges" if slow else "unknown", "the terms do not fall off fast enough")
            total, other = (mp.nsum(lambda i: term(mp.mpf(i)), [low, mp.inf], method=way) for way in ("levin", "euler-maclaurin"))
            radius = abs(total - other) * 10 + abs(total) * mp.mpf("1e-10")
            if not radius < 1e-8 * abs(total):
                raise NoValue("unknown", "two ways to sum do not agree")
        walk.how.add(SUMS)
        return iv.mpf([total - radius, total + radius])


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
    """A derivative of integrals at a point: under the integral, if differences on both sides come near the same."""
    f, x, times, at = expr.args
    for _ in range(int(times)):
        slope = prepared(f.diff(x))
        value = _enclosure(slope.xreplace({x: at}), walk)
        h = sp.Rational(1, 1024)
        for side in (h, -h):
            values = [_enclosure(f.xreplace({x: at + i * side}), walk) for i in range(3)]
            near = (-3 * values[0] + 4 * values[1] - values[2]) / (2 * iv.mpf(float(side)))
            if abs(near - value).b > 1e-3 * (1 + abs(value).b):
                raise NoValue("unknown", "the derivative is not that under the integral")
        f = slope
    return value


RULES: dict[type, Callable] = {
    sp.exp: lambda e, walk: iv.exp(_enclosure(e.args[0], walk)), sp.log: lambda e, walk: _log(_enclosure(e.args[0], walk)),
    sp.sin: lambda e, walk: iv.sin(_enclosure(e.args[0], walk)), sp.cos: lambda e, walk: iv.cos(_enclosure(e.args[0], walk)),
    sp.Pow: _power, sp.Max: _max, sp.Min: _max, sp.Abs: _modulus, sp.Integral: _integral, sp.Sum: _sum, sp.Product: _sum,
    sp.Limit: _limit, SlopeAt: _slope_at}
