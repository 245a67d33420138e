"""Linear inequalities that cannot hold together, by Fourier and Motzkin's elimination."""

from collections.abc import Iterator
from itertools import product

import sympy as sp

MOST_ROWS = 300  # inequalities kept while symbols are eliminated
Half = tuple[sp.Expr, bool]  # e > 0 (True) or e ≥ 0


def infeasible(halves: list[Half]) -> bool:
    """Whether no real (and, for integer symbols, whole) numbers satisfy all; powers and products count as further symbols.

    One symbol after the other is eliminated, until a false inequality between numbers is left over, or none.
    """
    rows = [_row(e, strict) for e, strict in halves if not e.has(sp.oo, -sp.oo, sp.nan, sp.zoo)]
    for monomial in set().union(*(row for row, _ in rows)) - {sp.S.One} if rows else ():
        rows += [_row(e, strict) for e, strict in _sign_of(monomial)]
    while len(rows) <= MOST_ROWS:
        if any(set(row) <= {1} and (row.get(1, 0) < 0 or strict and row.get(1, 0) <= 0) for row, strict in rows):
            return True
        symbols = set().union(*(row for row, _ in rows)) - {sp.S.One}
        if not symbols:
            return False
        symbol = min(symbols, key=lambda s: (sum(s in row for row, _ in rows), str(s)))
        rows = list(_without(symbol, rows))
    return False


def _row(e: sp.Expr, strict: bool) -> tuple[dict, bool]:
    """Coefficients of the monomials; between integers e > 0 is e ≥ 1, and a common factor leaves only its multiples."""
    row = {m: c for m, c in e.as_coefficients_dict().items() if c}
    others = [m for m in row if m != 1]
    if others and all(m.is_integer for m in others):
        factor = sp.gcd_list([row[m] for m in others])
        row = {m: c / factor for m, c in row.items()}
        constant = row.pop(sp.S.One, sp.S.Zero)
        constant = sp.ceiling(constant) - 1 if strict else sp.floor(constant)
        return row | ({sp.S.One: constant} if constant else {}), False
    return row, strict


def _sign_of(monomial: sp.Expr) -> list[Half]:
    if monomial.is_nonnegative:
        return [(monomial, monomial.is_positive is True)]
    return [(-monomial, monomial.is_negative is True)] if monomial.is_nonpositive else []


def _without(symbol: sp.Expr, rows: list) -> Iterator[tuple[dict, bool]]:
    """The rows without the symbol, and all sums of two in which it cancels."""
    yield from (pair for pair in rows if symbol not in pair[0])
    up = [pair for pair in rows if pair[0].get(symbol, 0) > 0]
    down = [pair for pair in rows if pair[0].get(symbol, 0) < 0]
    for (one, s1), (other, s2) in product(up, down):
        a, b = -other[symbol], one[symbol]
        row = {m: c for m in {*one, *other} if (c := a * one.get(m, 0) + b * other.get(m, 0)) and m != symbol}
        yield row, s1 or s2
