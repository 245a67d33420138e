"""Look for values of the symbols at which two lines differ. Numbers refute; they never prove."""

from collections.abc import Iterator
from dataclasses import dataclass

import mpmath as mp
import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.domain import POSITIVE, REALS, inside, simple_values

DIGITS = 18
BREAKS = (-12, -6, -3, -1, 0, 1, 3, 6, 12)  # where integrals over an infinite range are cut into pieces


@dataclass(frozen=True)
class Difference:
    """Values at which two lines differ: symbol or function → value, and what each side gives there."""

    point: dict
    left: sp.Basic
    right: sp.Basic


@dataclass
class Search:
    """What a search met: a difference or None, how many points could be computed, and whether a side was not real."""

    found: Difference | None = None
    n_compared: int = 0
    n_complex: int = 0
    n_unknown: int = 0


def search(left: sp.Basic, right: sp.Basic, relation: str, conditions: tuple = (), given: tuple = (),
           n_points: int = 16) -> Search:
    """Compare both sides at up to n_points points inside the assumptions of the symbols, the conditions and the facts."""
    result = Search()
    left, right, *facts = (closed_form(e) if e.has(sp.Sum) else e for e in (left, right, *given))
    slow = sp.Tuple(left, right).has(sp.Integral, sp.Limit)
    n_points = min(n_points, 3) if slow else n_points
    for point in points(left, right, conditions, tuple(facts), far=not slow):
        if result.n_compared >= n_points or result.n_complex + result.n_unknown >= 2 * n_points:
            break
        a, b = value(left, point), value(right, point)
        if a is None or b is None:
            result.n_unknown += 1
        elif not (_is_real(a) and _is_real(b)):
            result.n_complex += 1
        else:
            result.n_compared += 1
            if _violates(a, b, relation):
                result.found = Difference(point, _rounded(a), _rounded(b))
                return result
    return result


def points(left: sp.Basic, right: sp.Basic, conditions: tuple, given: tuple, far: bool) -> Iterator[dict]:
    """Different simple values for all free symbols and unknown functions; only such that meet conditions and facts."""
    shapes = inside(conditions).shapes
    unknowns, functions = _unknowns(sp.Tuple(left, right, *given, *shapes.values()))
    unknowns = [s for s in unknowns if s not in shapes]
    helpers = set().union(*(shape.free_symbols for shape in shapes.values())) if shapes else set()
    for k in range(40):
        point: dict = {}
        for i, symbol in enumerate(unknowns):
            pool = simple_values(symbol, far)
            point[symbol] = pool[(k * (2 * i + 1) + 3 * i + k // len(pool)) % len(pool)]
        for symbol, shape in shapes.items():
            point[symbol] = shape.subs(point)
        point = {s: v for s, v in point.items() if s not in helpers or s in left.free_symbols | right.free_symbols}
        if not all(_obeys(symbol, point[symbol]) for symbol in shapes):
            continue
        point |= {f: _example(f, i + k) for i, f in enumerate(functions)}
        for fact in given:
            point = _scale_function(fact, _solve_for_last(fact, point))
        if (all(c.subs(numbers_of(point)) == sp.true for c in conditions)
                and all(_agrees(fact, point) for fact in given)):
            yield point


def _obeys(symbol: sp.Symbol, number: sp.Expr) -> bool:
    """Whether the assumptions of the symbol allow the number."""
    asked = ("is_integer", "is_positive", "is_negative", "is_nonnegative", "is_nonpositive", "is_nonzero", "is_even",
             "is_odd")
    return all(getattr(number, name) for name in asked if getattr(symbol, name))


def _unknowns(together: sp.Tuple) -> tuple[list[sp.Basic], list[UndefinedFunction]]:
    """Free symbols, indexed symbols and function values such as p(2), which get numbers; and functions of a variable."""
    indexed = sorted(together.atoms(sp.Indexed), key=str)
    labels = {part for atom in indexed for part in atom.free_symbols if part != atom}
    symbols = sorted((s for s in together.free_symbols - labels if isinstance(s, sp.Symbol)), key=str)
    applied = together.atoms(AppliedUndef)
    functions = {atom.func for atom in applied if not all(arg.is_number for arg in atom.args)}
    at_numbers = sorted((atom for atom in applied if atom.func not in functions), key=str)
    return [*symbols, *indexed, *at_numbers], sorted(functions, key=str)


def _example(f: UndefinedFunction, k: int) -> sp.Lambda:
    """A concrete function in place of an unknown one: a normalised density in its first argument if it is positive."""
    n = f.nargs.args[0] if f.nargs.args and f.nargs.is_FiniteSet else 1
    xs = [sp.Dummy(f"x{i}", real=True) for i in range(int(n))]
    sigma, shift = POSITIVE[(k + 3) % 5], REALS[k % 4]
    middle = shift + sum(x / 3 for x in xs[1:])
    bump = sp.exp(-(xs[0] - middle) ** 2 / (2 * sigma ** 2))
    positive = f(*xs).is_positive or f(*xs).is_nonnegative
    density, wave = bump / sp.sqrt(2 * sp.pi) / sigma, (xs[0] ** 2 + xs[0] - shift) * bump + shift
    return sp.Lambda(tuple(xs), density if positive else wave)


def _solve_for_last(fact: sp.Equality, point: dict) -> dict:
    """Change the last number of the point so that a linear fact, such as p₁ + p₂ = 1, holds."""
    for symbol in reversed([s for s in numbers_of(point) if fact.has(s)]):
        others = {s: v for s, v in numbers_of(point).items() if s != symbol}
        if symbol.is_positive:  # make room for it: the other positive numbers shrink until they leave something
            others = {s: v / 8 if fact.has(s) and s.is_positive else v for s, v in others.items()}
        difference = (fact.lhs - fact.rhs).subs(others)
        if not difference.has(sp.Integral) and difference.is_polynomial(symbol) and sp.degree(difference, symbol) == 1:
            solution = sp.solve(difference, symbol)[0]
            if solution > 0 or not symbol.is_positive:
                return point | others | {symbol: solution}
    return point


def _scale_function(fact: sp.Equality, point: dict) -> dict:
    """Multiply the unknown function of a fact such as ∫f(z) dz = P by a number so that the fact holds."""
    functions = [f for f in point if isinstance(f, UndefinedFunction) and fact.has(f)]
    for total, symbol in ((fact.lhs, fact.rhs), (fact.rhs, fact.lhs)):
        if len(functions) == 1 and symbol in numbers_of(point) and isinstance(total, sp.Integral):
            now, example = value(total, point), point[functions[0]]
            if now and _is_real(now):
                now = sp.nsimplify(sp.Float(mp.re(now), DIGITS), rational=True, tolerance=1e-12)
                factor = point[symbol] / now
                return point | {functions[0]: sp.Lambda(example.variables, factor * example.expr)}
    return point


def _agrees(fact: sp.Equality, point: dict) -> bool:
    a, b = value(fact.lhs, point), value(fact.rhs, point)
    return a is not None and b is not None and not _violates(a, b, "==")


def numbers_of(point: dict) -> dict:
    """The part of the point that gives numbers, without the functions."""
    return {s: v for s, v in point.items() if not isinstance(s, UndefinedFunction)}


# ---------------------------------------------------------------- numbers

def value(expr: sp.Basic, point: dict):
    """The number, or matrix of numbers, that `expr` has at the point, integrals by quadrature; None if it has none."""
    if isinstance(expr, sp.MatrixBase):
        entries = [value(entry, point) for entry in expr]
        rows = [entries[i:i + expr.cols] for i in range(0, len(entries), expr.cols)]
        return None if any(e is None for e in entries) else mp.matrix(rows)
    for f, example in point.items():
        if isinstance(f, UndefinedFunction):
            expr = expr.replace(f, example)
    with mp.workdps(DIGITS):
        try:
            number = mp.mpmathify(_number(expr.subs(numbers_of(point))))
        except Exception:  # of many kinds, SymPy's and mpmath's: the point has no number
            return None
    return number if mp.isfinite(number) else None


def _number(expr: sp.Expr):
    if expr.has(sp.Derivative, sp.Subs):
        expr = expr.replace(lambda e: isinstance(e, sp.Derivative | sp.Subs), lambda e: e.doit(integrals=False))
    if not expr.has(sp.Integral, sp.Sum, sp.Limit, sp.Derivative, sp.Determinant, sp.Trace, sp.MatrixExpr):
        return sp.N(expr, DIGITS)._to_mpmath(mp.mp.prec)
    if isinstance(expr, sp.Integral) and len(expr.limits) == 1 and len(expr.limits[0]) == 3:
        return _quadrature(expr)
    if isinstance(expr, sp.Limit):
        return _limit(*expr.args)
    if isinstance(expr, sp.Integral | sp.Sum | sp.Determinant | sp.Trace | sp.MatrixExpr | sp.Derivative):
        closed = closed_form(expr)
        if closed == expr:
            raise NotImplementedError(f"no number for {expr}")
        return _number(closed)
    parts = [sp.Float(part.real, DIGITS) + sp.I * sp.Float(part.imag, DIGITS) if isinstance(part, mp.mpc)
             else sp.Float(part, DIGITS) for part in (_number(arg) for arg in expr.args)]
    return sp.N(expr.func(*parts), DIGITS)._to_mpmath(mp.mp.prec)


def _quadrature(integral: sp.Integral):
    v, low, high = integral.limits[0]
    f = integral.function
    if f.has(sp.Integral, sp.Sum, sp.Derivative):
        f = closed_form(f)
    if f.has(sp.Integral, sp.Sum):
        raise NotImplementedError("an integral inside an integral without a closed form")
    ends = [mp.mpf(sp.N(e, DIGITS)) if e.is_finite else mp.inf * (1 if e == sp.oo else -1) for e in (low, high)]
    inside = [b for b in BREAKS if ends[0] < b < ends[1]] if not all(map(mp.isfinite, ends)) else []
    number, error = mp.quad(sp.lambdify(v, f, "mpmath"), [ends[0], *inside, ends[1]], error=True,
                            method="gauss-legendre", maxdegree=5)
    if error > 1e-9 * (1 + abs(number)):
        raise ArithmeticError("the quadrature did not converge")
    return number


def _limit(f: sp.Expr, x: sp.Symbol, to: sp.Expr, direction: sp.Symbol):
    """The value very near the limit, if it has settled there."""
    if f.has(sp.Integral, sp.Sum, sp.Derivative):
        f = closed_form(f)
    at, sign = sp.lambdify(x, f, "mpmath"), -1 if str(direction) == "-" else 1
    with mp.workdps(80):
        if to.is_infinite:
            near = [sp.sign(to) * mp.mpf(10) ** k for k in (14, 20)]
        else:
            near = [sp.N(to, 80) + sign * mp.mpf(10) ** -k for k in (14, 20)]
        first, second = (at(mp.mpmathify(x0)) for x0 in near)
        if not abs(first - second) < 1e-10 * (1 + abs(second)):
            raise ArithmeticError("the limit was not reached")
        return second


def _is_real(number) -> bool:
    entries = number if isinstance(number, mp.matrix) else [number]
    return all(abs(mp.im(e)) <= 1e-12 * (1 + abs(e)) for e in entries)


def _violates(a, b, relation: str) -> bool:
    """Whether a relation b is wrong by more than rounding and quadrature can explain."""
    if isinstance(a, mp.matrix) != isinstance(b, mp.matrix):
        return True
    if isinstance(a, mp.matrix):
        return (a.rows, a.cols) != (b.rows, b.cols) or any(_violates(x, y, relation) for x, y in zip(a, b))
    gap, tolerance = mp.re(a) - mp.re(b), 1e-8 * (1 + abs(a) + abs(b))
    return {"==": abs(gap), "<=": gap, ">=": -gap}[relation] > tolerance


def _rounded(number) -> sp.Basic:
    if isinstance(number, mp.matrix):
        return sp.Matrix(number.rows, number.cols, [_rounded(e) for e in number])
    return sp.Float(mp.re(number), 8)
