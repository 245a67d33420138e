"""Where the symbols of a derivation live: their assumptions, and the conditions that the reader adds.

A condition becomes a shape: 0 < p < 1 is p = A/(A + B) with free positive A and B, whose signs SymPy can follow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

import sympy as sp
from sympy.core.assumptions import check_assumptions
from sympy.core.relational import Relational
from sympy.solvers.inequalities import solve_poly_inequality

from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.linear import infeasible
from vae_course.derivations.scopes import unconditionally

LONGEST_RANGE = 12  # values of an integer between two ends that are tried one by one
NUMBERS = [sp.sympify(text) for text in (
    "2 1 0 -1 3 1/2 3/2 -2/3 -2 4 2/3 5/4 1/3 -5/4 5 5/2 7/5 4/5 -3/2 -1/4 6 7 9 -3 -4 sqrt(2) -sqrt(3) pi I 2*I".split())]
FAR = [sp.sympify(text) for text in (
    "0 10 -10 1 -1 1/50 60 -60 -1/50 100 101 -99 1/10**6 10**6 1/3+sqrt(2) 1+2*I -1-I".split())]  # where rules break


@dataclass(frozen=True)
class Inside:
    """Expressions in free symbols that take exactly the allowed values.

    Attributes:
        shapes: symbol → its expression.
        back: free symbol → what it stands for, in the author's symbols.
        known: the conditions that no shape carries, with the shapes put in.
    """

    shapes: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)
    back: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)
    known: tuple[sp.Basic, ...] = ()


@dataclass(frozen=True)
class End:
    """An end of the range of a symbol: the symbol is above (or below) `at`, which itself is left out if strict."""

    at: sp.Expr
    strict: bool


def single_conditions(conditions: Iterable) -> list[sp.Basic]:
    """The conditions one by one: an And holds several."""
    return [part for c in conditions for part in (single_conditions(c.args) if isinstance(c, sp.And) else [sp.sympify(c)])
            if part != sp.true]


def inside(conditions: tuple) -> Inside:
    """For each symbol with a condition an expression in free symbols that takes exactly the allowed values, if there is one.

    0 < p < 1 gives p = A/(A + B), x ≥ 3 gives x = 3 + A with A ≥ 0, and positive p, q with p + q < 1 become A/(A + B + C)
    and B/(A + B + C). A condition with no such expression, or one that would lose an assumption of the symbol, stays known.
    """
    single = single_conditions(conditions)
    halves = _halves_of(single)
    chosen, shapes, back = list[Inside](), dict[sp.Symbol, sp.Expr](), dict[sp.Symbol, sp.Expr]()
    while (cell := next(_cells(halves), None)) is not None:
        chosen.append(cell)
        halves = _needed([half for half in halves if not half[0].free_symbols & set(cell.shapes)] + list(cell.known))
    for cell in reversed(chosen):  # the ends of a cell hold symbols of later ones
        put = {s: sp.factor(shape.subs(shapes)) for s, shape in cell.shapes.items()}
        if all(check_assumptions(shape, against=symbol) for symbol, shape in put.items()):
            shapes, back = shapes | put, back | cell.back
    for a in {s for c in single if isinstance(c, sp.Ne) for s in _not_zero(c)} - set(shapes):
        shapes[a] = sp.Dummy(f"A_{a.name}", **{**a.assumptions0, "zero": False})
        back[shapes[a]] = a
    return Inside(shapes, back, tuple(known for c in single if (known := _shown(c.subs(shapes))) != sp.true))


def cases(conditions: tuple) -> list[Inside]:
    """Insides that together take exactly the allowed values: an end of a closed range is one, and each of a few integers."""
    single = single_conditions(conditions)
    halves, splits = _halves_of(single), list[list[tuple]]()
    for symbol in _symbols(halves):
        first, last = _ends(symbol, halves) or (None, None)
        if first is None or last is None or not (first.at.is_Rational and last.at.is_Rational):
            continue
        low, high = first.at, last.at
        if symbol.is_integer and low < high <= low + LONGEST_RANGE:
            values = map(sp.Integer, range(int(low), int(high) + 1))
            splits.append([(sp.Ge(symbol, v), sp.Le(symbol, v)) for v in values if check_assumptions(v, against=symbol)])
        elif not symbol.is_integer and low < high and not (first.strict or last.strict):
            splits.append([(sp.Lt(symbol, high),), (sp.Ge(symbol, high), sp.Le(symbol, high))])
    return [inside((*single, *sum(split, ()))) for split in product(*splits)]


def put_inside(where: Inside, expr: sp.Basic) -> sp.Basic:
    """The expression with the shapes put in, and 1 − A/(A + B) written as B/(A + B), whose sign can be seen."""
    shapes = {symbol: shape for symbol, shape in where.shapes.items() if symbol in expr.free_symbols}
    if not shapes:
        return expr
    free = set().union(*(shape.free_symbols for shape in shapes.values()))
    expr = expr.replace(lambda e: isinstance(e, sp.Derivative), lambda e: _derivative_inside(where, e))
    return expr.subs(shapes).replace(lambda e: isinstance(e, sp.Add) and e.is_rational_function() and e.free_symbols & free,
                                     lambda e: sp.factor(sp.together(e)))


def _derivative_inside(where: Inside, part: sp.Derivative) -> sp.Expr:
    """d/dp f(p) with p = A/(A + B) as d/dA f(A/(A + B)) over dA/(A + B)/dA, which is not 0. SymPy would keep p."""
    inner = part.expr
    for v in part.variables:
        shape = where.shapes.get(v, v)
        others = set().union(*(other.free_symbols for s, other in where.shapes.items() if s != v))
        a = next((a for a in sorted(shape.free_symbols - others, key=str) if shape.diff(a) != 0), None)
        if a is None:
            return part
        slope = sp.Derivative(inner.subs(v, shape), a, evaluate=False)
        closed = unconditionally(closed_form, slope)
        inner = (slope if closed is None else closed) / sp.factor(shape.diff(a))
    return inner


def put_outside(where: Inside, expr: sp.Basic) -> sp.Basic:
    """The expression in the author's symbols again: A of p = A/(A + B) becomes p, and B becomes 1 − p."""
    return expr.subs(where.back) if where.back else expr


def simple_values(symbol: sp.Basic, far: bool) -> list[sp.Expr]:
    """Simple numbers that every assumption of the symbol allows; far: also very large and very small ones."""
    pool = [v for v in NUMBERS if v.is_real or symbol.is_real is False]
    pool += [v for v in FAR if v not in pool] if far else []
    rough = [v for v in pool if check_assumptions(v, against=symbol)]
    return sorted(rough, key=lambda v: not v.is_rational)  # numbers that are easy to read first


# ---------------------------------------------------------------- ends

def _halves(condition: sp.Basic) -> Iterator[tuple[sp.Expr, bool]]:
    """Pairs (e, strict) so that the condition says exactly e > 0, or e ≥ 0, for each; none where that cannot be said."""
    if not isinstance(condition, Relational) or isinstance(condition, sp.Ne | sp.Eq):
        return
    small, large = condition.lts, condition.gts
    strict = isinstance(condition, sp.StrictLessThan | sp.StrictGreaterThan)
    e = large - small
    if e.has(sp.oo, -sp.oo, sp.nan, sp.zoo):
        return
    if isinstance(small, sp.Abs) and small.args[0].is_real:
        yield from ((large - small.args[0], strict), (large + small.args[0], strict))
    elif len(e.free_symbols) == 1 and all(x.is_real and e.is_polynomial(x) and sp.degree(e, x) > 1 for x in e.free_symbols):
        x, = e.free_symbols
        pieces = solve_poly_inequality(sp.Poly(e, x), ">" if strict else ">=")
        if len(pieces) == 1 and isinstance(pieces[0], sp.Interval):
            piece = pieces[0]
            yield from ((x - piece.start, bool(piece.left_open)) for _ in range(piece.start.is_finite))
            yield from ((piece.end - x, bool(piece.right_open)) for _ in range(piece.end.is_finite))
    else:
        yield sp.expand(e), strict


def _halves_of(conditions: list) -> list[tuple[sp.Expr, bool]]:
    return _needed([half for c in conditions for half in _halves(c)])


def _needed(halves: list) -> list:
    """Without those that follow from others: x < 2 says nothing where x < 1, nor x + y > 0 where x > 0 and y > 0."""
    kept: list = []
    for e, strict in halves:
        slopes = [abs(c) for s in sorted(e.free_symbols, key=str) if (c := e.coeff(s)).is_Rational and c]
        new = (sp.expand(e / slopes[0]), strict) if slopes else (e, strict)
        if not any(_follows(new, old) for old in kept):
            kept = [old for old in kept if not _follows(old, new)] + [new]
    for e, strict in list(kept) if len(kept) > 2 and not infeasible(kept) else ():
        others = [half for half in kept if half != (e, strict)]
        kept = others if infeasible([*others, (-e, not strict)]) else kept
    return kept


def _follows(half: tuple, other: tuple) -> bool:
    gap = half[0] - other[0]
    return bool(gap.is_positive or gap.is_nonnegative and (other[1] or not half[1]))


def _shown(condition: sp.Basic) -> sp.Basic:
    """True where the signs of the shapes show an inequality."""
    if isinstance(condition, Relational) and not isinstance(condition, sp.Ne | sp.Eq):
        gap = sp.factor(sp.together(condition.gts - condition.lts))
        strict = isinstance(condition, sp.StrictLessThan | sp.StrictGreaterThan)
        return sp.true if gap.is_positive or gap.is_nonnegative and not strict else condition
    return condition


def _symbols(halves: list) -> list[sp.Symbol]:
    return sorted(set().union(*(e.free_symbols for e, _ in halves)), key=str) if halves else []


def _ends(symbol: sp.Symbol, halves: list) -> tuple[End | None, End | None] | None:
    """The lower and the upper end of the symbol, where there is one; None if the halves do not say that."""
    if not symbol.is_Symbol or symbol.is_extended_real and symbol.is_finite is None:
        return None
    lows = [End(sp.S.Zero, symbol.is_positive is True)] if symbol.is_nonnegative else []
    highs = [End(sp.S.Zero, symbol.is_negative is True)] if symbol.is_nonpositive else []
    for e, strict in halves:
        if not e.has(symbol):
            continue
        slope = e.diff(symbol)
        if slope.has(symbol) or not (slope.is_positive or slope.is_negative):
            return None
        end = End(sp.expand((slope * symbol - e) / slope), strict)
        (lows if slope.is_positive else highs).append(end)
    low = _strictest([_whole(end, symbol, 1) for end in lows] if symbol.is_integer else lows, 1)
    high = _strictest([_whole(end, symbol, -1) for end in highs] if symbol.is_integer else highs, -1)
    return None if low is False or high is False else (low, high)


def _whole(end: End, symbol: sp.Symbol, up: int) -> End | None:
    """The nearest integer (even, odd) that the symbol may reach; None if the end may lie between two."""
    at = end.at
    if at.is_number and at.is_real:
        at = sp.floor(at) if up < 0 else sp.ceiling(at)
    if not at.is_integer:
        return None
    if end.strict and at == end.at:
        at += up
    if at.is_Integer and (symbol.is_even and at % 2 or symbol.is_odd and not at % 2):
        at += up
    return End(at, False)


def _strictest(ends: Sequence[End | None], up: int) -> End | Literal[False] | None:
    """The highest lower end (up = 1) or the lowest upper end (up = −1); False if it is not known which that is."""
    if not ends:
        return None
    known = [end for end in ends if end is not None]
    for one in known if len(known) == len(ends) else ():
        if all((gap := up * (one.at - other.at)).is_positive or gap.is_nonnegative and (one.strict or not other.strict)
               for other in known):
            return one
    return False


# ---------------------------------------------------------------- cells: symbols whose ranges get a shape together

def _cells(halves: list) -> Iterator[Inside]:
    """Ways to give symbols shapes; `known` then holds what must be true of the others, as pairs like the halves."""
    ranges = {s: ends for s in _symbols(halves) if (ends := _ends(s, halves)) is not None}
    for symbol, (low, high) in ranges.items():
        if low and high and low.at == high.at and not low.strict and not high.strict:
            yield Inside({symbol: low.at})
    for symbol, (low, high) in ranges.items():
        if low and high is None:
            yield _one_sided(symbol, low, 1)
        elif high and low is None:
            yield _one_sided(symbol, high, -1)
    for e, strict in halves:
        cell = _simplex(e, strict, ranges, halves)
        if cell is not None:
            yield cell


def _one_sided(symbol: sp.Symbol, end: End, up: int) -> Inside:
    step = 2 if symbol.is_even or symbol.is_odd else 1
    free = sp.Dummy(f"A_{symbol.name}", integer=symbol.is_integer or None, nonnegative=True, positive=end.strict or None,
                    rational=symbol.is_rational)
    return Inside({symbol: end.at + up * step * free}, {free: up * (symbol - end.at) / step})


def _simplex(e: sp.Expr, strict: bool, ranges: dict, halves: list) -> Inside | None:
    """Symbols with lower ends whose weighted sum is below something: sᵢ = lowᵢ + top/cᵢ · Aᵢ/(ΣA + B)."""
    group = {s: -e.coeff(s) for s in e.free_symbols & set(ranges)
             if ranges[s][0] and e.coeff(s).is_negative and not s.is_integer and e.diff(s) == e.coeff(s)}
    group = {s: c for s, c in group.items() if all(h == (e, strict) or not _above(h[0], s) for h in halves)}
    top = sp.expand(e + sum(c * (s - ranges[s][0].at) for s, c in group.items()))
    lows = {s: ranges[s][0] for s in group}
    if not group or top.free_symbols & set(group) or not (strict or any(low.strict for low in lows.values())):
        return None
    if any(low.at.free_symbols & set(group) for low in lows.values()) or top.is_nonpositive:
        return None
    free = {s: sp.Dummy(f"A_{s.name}", nonnegative=True, positive=lows[s].strict or None) for s in sorted(group, key=str)}
    rest = sp.Dummy("B_" + "_".join(s.name for s in free), nonnegative=True, positive=strict or None)
    total = sum(free.values()) + rest
    shapes = {s: lows[s].at + top / group[s] * free[s] / total for s in free}
    back = {free[s]: group[s] * (s - lows[s].at) for s in free} | {rest: e}
    return Inside(shapes, back, () if top.is_positive else ((top, True),))


def _above(e: sp.Expr, symbol: sp.Symbol) -> bool:
    """Whether e ≥ 0 says anything else than a lower end of the symbol."""
    return e.has(symbol) and not e.diff(symbol).is_positive


def _not_zero(condition: sp.Ne) -> set[sp.Symbol]:
    """The symbols that the condition says not to be zero."""
    factors = sp.Mul.make_args(sp.factor(condition.lhs - condition.rhs))
    return {part for f in factors for part in [f.as_base_exp()[0]] if part.is_Symbol and part.is_zero is None}
