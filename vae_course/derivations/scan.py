"""Many points at once in double precision: where two closed formulas disagree most, which is only a place to look."""

from collections.abc import Iterator

import numpy as np
import sympy as sp

N_POINTS, N_BEST = 3000, 12


def suspects(left: sp.Expr, right: sp.Expr, relation: str, symbols: list, shapes: dict) -> Iterator[dict]:
    """Simple values of the symbols at which the relation seems to be wrong, the worst first.

    Args:
        symbols: those that take any values that their assumptions allow.
        shapes: symbol → expression in them, for the symbols with conditions.
    """
    plain = {s: sp.Dummy() for s in symbols}
    sides = [side.xreplace(shapes).xreplace(plain) for side in (left, right)]
    values, rng = sp.lambdify(list(plain.values()), sides, "numpy"), np.random.default_rng(0)
    at = np.array([_values(s, rng, N_POINTS) for s in symbols])
    for step in (0.3, 0.1, 0.03):  # look again around the worst
        best = at[:, np.argsort(-_wrong(values, at, relation))[:N_BEST]]
        moved = np.array([row if s.is_integer else row * np.exp(step * rng.standard_normal(row.shape))
                          for s, row in zip(symbols, np.repeat(best, 60, axis=1))])
        at = np.concatenate([best, moved], axis=1)
    wrong = _wrong(values, at, relation)
    for i in np.argsort(-wrong)[:4]:
        if wrong[i] > 1e-9:
            yield {s: sp.Integer(int(v)) if s.is_integer else sp.Rational(f"{v:.3g}") for s, v in zip(symbols, at[:, i])}


def _values(symbol: sp.Basic, rng: np.random.Generator, n: int) -> np.ndarray:
    if symbol.is_integer:
        numbers = np.round(rng.standard_t(1, n) * 3).clip(-60, 60)
    else:
        numbers = rng.choice([-1, 1], n) * 10 ** rng.uniform(-2.5, 2, n)
    return np.abs(numbers) if symbol.is_nonnegative else -np.abs(numbers) if symbol.is_nonpositive else numbers


def _wrong(values, at: np.ndarray, relation: str) -> np.ndarray:
    """By how much the relation is wrong, relative to the sides; 0 where that is not known."""
    with np.errstate(all="ignore"):
        one, other = (np.broadcast_to(np.asarray(side), at.shape[1:]) for side in values(*at))
        if np.iscomplexobj(one) or np.iscomplexobj(other):
            return np.zeros(at.shape[1])
        gap = (one - other) / (np.abs(one) + np.abs(other) + 1e-300)
    gap = np.where(np.isfinite(gap), gap, 0)
    return {"==": np.abs(gap), "<=": gap, ">=": -gap}[relation]
