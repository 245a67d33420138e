"""The smallest value of a function of one variable: by convexity, by the sign of its slope, or at its lower end."""

from collections.abc import Callable, Iterator

import sympy as sp
from sympy.core.assumptions import check_assumptions

from vae_course.derivations.closed_forms import closed_form, is_smooth
from vae_course.derivations.conditions import collecting
from vae_course.derivations.reality import is_shown_real

SIGNS = ("positive", "negative", "nonnegative", "nonpositive")
Sign = Callable[[sp.Expr], bool]  # whether an expression is shown never to be negative


def smallest_values(d: sp.Expr, is_nonnegative: Sign) -> Iterator[tuple[sp.Expr, str]]:
    """(value, words): the smallest value of d, or a lower bound of it, over one of its symbols.

    A minimum x₀ over all x is shown by convexity (d″ ≥ 0), or by d′ = (x − x₀)·g with g ≥ 0; a function that only rises or
    only falls is lowest at one end. The symbol is taken to be any real number of its sign, as an integer's neighbours are.
    """
    for symbol in sorted(d.free_symbols, key=lambda s: (sp.diff(d, s, 2).count_ops(), str(s))):
        if symbol.is_zero is False and not (symbol.is_positive or symbol.is_negative):
            continue  # its values are no interval
        x = sp.Dummy(symbol.name, real=True, **{sign: True for sign in SIGNS if getattr(symbol, f"is_{sign}")})
        f = d.subs(symbol, x)
        if not symbol.is_real or not is_shown_real(f) or not is_smooth(f, x):
            continue
        slope = sp.factor(sp.together(sp.diff(f, x)))
        if slope == 0:
            continue
        end = _lowest_end(f, slope, x, is_nonnegative)
        if end is not None:
            yield end, f"it only rises or only falls in {symbol}"
        for x0 in _roots(slope, x):
            if _is_minimum(f, slope, x, x0, is_nonnegative):
                yield f.subs(x, x0), f"it is smallest at {symbol} = {x0}"


def _lowest_end(f: sp.Expr, slope: sp.Expr, x: sp.Symbol, is_nonnegative: Sign) -> sp.Expr | None:
    """For a function that only rises or only falls: its value, or limit, at the end where it is lowest."""
    if is_nonnegative(slope):
        closed, end = x.is_nonnegative, sp.S.Zero if x.is_nonnegative else -sp.oo
    elif is_nonnegative(-slope):
        closed, end = x.is_nonpositive, sp.S.Zero if x.is_nonpositive else sp.oo
    else:
        return None
    if closed and is_smooth(f.subs(x, wider := sp.Dummy(nonnegative=x.is_nonnegative, nonpositive=x.is_nonpositive)), wider):
        return f.subs(x, 0)
    return limit_of(f, x, end, "+" if x.is_nonnegative else "-")


def limit_of(f: sp.Expr, x: sp.Symbol, end: sp.Expr, side: str) -> sp.Expr | None:
    """The limit if it is finite and needs no condition, else None."""
    with collecting() as needed:
        value = closed_form(sp.Limit(f, x, end, side))
    bad = needed or value.has(sp.oo, -sp.oo, sp.zoo, sp.nan, sp.AccumBounds, sp.Limit, x)
    return None if bad else value


def _roots(slope: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """Solutions of slope = 0 that lie in the domain of x for all values of the other symbols."""
    try:
        found = sp.solve(slope, x)
    except NotImplementedError:
        return []
    found = [sp.factor(root) for root in found if isinstance(root, sp.Expr)]
    return [root for root in found if check_assumptions(root, against=x) and sp.simplify(slope.subs(x, root)) == 0]


def _is_minimum(f: sp.Expr, slope: sp.Expr, x: sp.Symbol, x0: sp.Expr, is_nonnegative: Sign) -> bool:
    curvature = sp.factor(sp.together(sp.diff(f, x, 2)))
    return is_nonnegative(curvature) or is_nonnegative(sp.factor(sp.cancel(slope / (x - x0))))
