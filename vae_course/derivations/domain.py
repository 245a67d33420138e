"""Where the symbols of a derivation live: their assumptions, and the conditions that the reader adds."""

import sympy as sp

REALS = [sp.Rational(*q) for q in [(3, 2), (-2, 3), (2, 1), (-5, 4), (1, 3), (-3, 2), (7, 5), (-1, 4), (3, 1), (-2, 1)]]
POSITIVE = [sp.Rational(*q) for q in [(2, 1), (1, 2), (3, 1), (3, 2), (2, 3), (5, 4), (1, 3), (5, 2), (7, 5), (4, 5)]]
INTEGERS = [sp.Integer(n) for n in (2, 3, 1, 0, 4, 5, -1, 6, 7, -2)]
FAR = [sp.Rational(*q) for q in [(0, 1), (10, 1), (-10, 1), (1, 50), (60, 1), (-60, 1), (-1, 50)]]  # where rules break


def inside(conditions: tuple) -> dict[sp.Symbol, sp.Expr]:
    """For each symbol with a condition an expression in free positive symbols that takes exactly the allowed values.

    0 < p < 1 gives p = A/(A + B), x > 3 gives x = 3 + A. A condition between two expressions, none of which is a lone
    symbol, gives nothing here; it still limits the counterexamples.
    """
    bounds: dict[sp.Symbol, list] = {}
    for condition in conditions:
        for c in condition.args if isinstance(condition, sp.And) else (condition,):
            if isinstance(c, sp.Ne):
                continue
            small, large = c.lts, c.gts
            if small.is_infinite or large.is_infinite:
                continue
            if large.is_Symbol and not small.has(large) and not (small.is_Symbol and small not in bounds):
                bounds.setdefault(large, [None, None])[0] = small
            elif small.is_Symbol and not large.has(small):
                bounds.setdefault(small, [None, None])[1] = large
    shapes: dict[sp.Symbol, sp.Expr] = {}
    for symbol, (low, high) in bounds.items():
        whole = symbol.is_integer or None
        a, b = sp.Dummy(f"A_{symbol.name}", positive=True, integer=whole), sp.Dummy(f"B_{symbol.name}", positive=True)
        low = sp.S.Zero if low is None and symbol.is_nonnegative else low
        high = sp.S.Zero if high is None and symbol.is_nonpositive else high
        shape = high - a if low is None else low + a if high is None else (low * b + high * a) / (a + b)
        shapes[symbol] = sp.factor(shape.subs(shapes))
    return shapes


def put_inside(shapes: dict[sp.Symbol, sp.Expr], expr: sp.Basic) -> sp.Basic:
    """The expression with the shapes put in, and 1 − A/(A + B) written as B/(A + B), whose sign can be seen."""
    shapes = {symbol: shape for symbol, shape in shapes.items() if symbol in expr.free_symbols}
    if not shapes:
        return expr
    free = set().union(*(shape.free_symbols for shape in shapes.values()))
    return expr.subs(shapes).replace(lambda e: isinstance(e, sp.Add) and e.is_rational_function() and e.free_symbols & free,
                                     lambda e: sp.factor(sp.together(e)))


def simple_values(symbol: sp.Basic, far: bool) -> list[sp.Expr]:
    """A few simple numbers that the assumptions of the symbol allow; far: also 0, very large and very small ones."""
    pool = INTEGERS if symbol.is_integer else POSITIVE if symbol.is_nonnegative else REALS
    pool = [*pool, *(v for v in FAR if v >= 0 or not symbol.is_nonnegative)] if far and not symbol.is_integer else pool
    if symbol.is_nonpositive:
        pool = [-abs(v) for v in pool]
    fits = {"is_positive": lambda v: v > 0, "is_nonnegative": lambda v: v >= 0, "is_nonzero": lambda v: v != 0,
            "is_negative": lambda v: v < 0, "is_even": lambda v: v % 2 == 0, "is_odd": lambda v: v % 2 == 1}
    for name, fit in fits.items():
        pool = [v for v in pool if getattr(symbol, name) is not True or fit(v)]
    return pool


def put_outside(shapes: dict[sp.Symbol, sp.Expr], expr: sp.Basic) -> sp.Basic:
    return expr


def contradiction(conditions: tuple, given: tuple) -> str | None:
    return None
