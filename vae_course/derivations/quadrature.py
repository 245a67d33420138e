"""Integrals as numbers that two quadratures agree on, with every peak looked for first.

A range is cut where the integrand may break, and each piece runs from one end as x = end ± eʷ: so a pole at the end, a heavy
tail and a peak of any width are smooth bumps in w. What does not fall off towards an end of w diverges, or has no value.
"""

from math import isfinite, log

import mpmath as mp
import numpy as np
import sympy as sp

from vae_course.derivations.integrands import FURTHEST, Integrand, NoValue, integrand, narrow_places, pieces

STEP = 0.25          # of the grid in w on which peaks are looked for
SMALL = 80.0         # what is e⁻⁸⁰ of the largest value is left out
AGREE = 1e-9         # of ∫|f|, how closely two quadratures must agree
MOST_PANELS = 6000
RULES = {n: np.polynomial.legendre.leggauss(n) for n in (8, 10, 12, 16, 21)}


def integral(f: sp.Expr, v: sp.Symbol, low: sp.Expr, high: sp.Expr, careful: bool) -> tuple[mp.mpf, mp.mpf]:
    """(value, bound on its error) of ∫ f dv, for f without other symbols. careful: one quadrature at 30 digits as well.

    Raises:
        NoValue: if the integral diverges, is complex, or the quadratures do not agree.
    """
    if low == high:
        return mp.mpf(0), mp.mpf(0)
    if not (low.is_extended_real and high.is_extended_real):
        raise NoValue("complex")
    if (low > high) == sp.true:
        value, radius = integral(f, v, high, low, careful)
        return -value, radius
    u = sp.Dummy(v.name, real=True)
    f = sp.expand_log(f.xreplace({v: u}).rewrite((sp.sinh, sp.cosh), sp.exp))
    if f.has(sp.I):
        f, imaginary = f.as_real_imag()
        if imaginary != 0 and not _vanishes(imaginary, u, low, high):
            raise NoValue("complex")
    parts = [_over_piece(f, u, *piece, careful) for piece in pieces(f, u, low, high)]
    scale = sum(part[2] for part in parts)
    return sum(part[0] for part in parts), sum(part[1] for part in parts) + AGREE * scale


def _vanishes(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    value, radius = integral(f, u, low, high, False)
    return abs(value) <= radius


# ---------------------------------------------------------------- one piece

def _over_piece(f: sp.Expr, u: sp.Symbol, end: sp.Expr, direction: int, top: float, careful: bool):
    """(value, error, ∫|f|) over x = end ± eʷ, w < top."""
    g = integrand(f, u, end, direction)
    if not g.terms:
        return mp.mpf(0), mp.mpf(0), mp.mpf(0)
    known = [log(d) for place, width in narrow_places(f, u)
             if (d := float(sp.N(place - end, 30)) * direction) > 0 and width < d / 2]
    grid = np.unique(np.concatenate([np.arange(-FURTHEST, top, STEP), [top], [w for w in known if w < top]]))
    heights = _heights(g, grid)
    g.shift = float(np.max(heights))
    if g.shift == -np.inf:
        return mp.mpf(0), mp.mpf(0), mp.mpf(0)
    peaks = [w for w in known if -FURTHEST < w < top] + _narrow_peaks(g, grid)
    if peaks:
        more = np.unique(np.concatenate([w + np.concatenate([[0], s * STEP * 2.0 ** -np.arange(40)])
                                         for w in peaks for s in (-1, 1)]))
        more = more[(more > -FURTHEST) & (more < top)]
        grid = np.concatenate([grid, more])
        heights = np.concatenate([heights, _heights(g, more)])
        order = np.argsort(grid, kind="stable")
        grid, heights = grid[order], heights[order]
        g.shift = float(np.max(heights))
    _check_ends(g, grid, heights, top)
    active = np.nonzero(heights > g.shift - SMALL)[0]
    first, last = grid[max(active[0] - 2, 0)], grid[min(active[-1] + 2, len(grid) - 1)]
    one, scale, panels = _adaptive(g, first, last, peaks, 4.0, STEP * 6, (8, 16))
    other, _, _ = _adaptive(g, first, last, peaks, 3.0, STEP * 5.1, (10, 21))
    values = [one, other]
    if careful:
        values.append(_slow_quadrature(g, panels, scale))
    gap = max(values) - min(values)
    if not (isfinite(gap) and gap <= AGREE * scale):
        raise NoValue("unknown", "the quadratures do not agree")
    factor = mp.exp(mp.mpf(g.shift))
    return one * factor, 3 * gap * factor, scale * factor


def _heights(g: Integrand, w: np.ndarray) -> np.ndarray:
    """log|g| on the grid; where double precision overflows a few points stand for their neighbours."""
    rows = g.magnitudes(w)
    heights = np.max(rows, axis=0)
    broken = np.nonzero(~np.isfinite(rows).all(axis=0) & ~(rows == -np.inf).all(axis=0) & ~np.isfinite(heights))[0]
    value = -np.inf
    for n, i in enumerate(broken):
        if n % 16 == 0 or value > -SMALL or len(broken) < 40:
            number = abs(g.slowly(w[i], 20))
            value = float(mp.log(number)) if number else -np.inf
        heights[i] = value
    return heights


def _narrow_peaks(g: Integrand, grid: np.ndarray) -> list[float]:
    """Maxima of the terms' logarithms between grid points, where a term rises or falls steeply: found by golden section."""
    found = []
    rows = g.magnitudes(grid)
    for k, row in enumerate(rows):
        inner = np.nonzero((row[1:-1] >= row[:-2]) & (row[1:-1] >= row[2:]) & np.isfinite(row[1:-1]))[0] + 1
        steep = [i for i in inner if max(row[i] - row[i - 1], row[i] - row[i + 1]) > 1]
        for i in steep[:6]:
            low, high = grid[i - 1], grid[i + 1]
            for _ in range(12):
                w = np.linspace(low, high, 15)
                best = int(np.nanargmax(g.magnitudes(w)[k]))
                low, high = w[max(best - 1, 0)], w[min(best + 1, 14)]
            found.append((low + high) / 2)
    return found


def _check_ends(g: Integrand, grid: np.ndarray, heights: np.ndarray, top: float) -> None:
    """Raise NoValue unless g falls off towards both ends of w."""
    ends = [(-FURTHEST, 1.0)] + ([(FURTHEST, -1.0)] if top == FURTHEST else [])
    for at, inwards in ends:
        if heights[0 if inwards > 0 else -1] < g.shift - SMALL / 2.5:
            continue
        near = at + inwards * np.linspace(0, 40, 41)
        with np.errstate(all="ignore"):
            values = _heights(g, near)
            rising = np.all(np.diff(values) <= 1e-7)  # from the end inwards it never grows
        signs = {float(mp.sign(g.slowly(w, 20))) for w in near[::8]}
        if rising and len(signs) == 1 and 0.0 not in signs:
            raise NoValue("diverges", "the integrand does not fall off fast enough")
        raise NoValue("unknown", "the integrand falls off too slowly")


def _adaptive(g: Integrand, first: float, last: float, peaks: list[float], ratio: float, step: float,
              rules: tuple[int, int]) -> tuple[float, float, tuple[np.ndarray, np.ndarray]]:
    """(∫g, ∫|g|, panels) by halving every panel on which two Gauss–Legendre rules differ."""
    marks = [np.linspace(first, last, max(2, int((last - first) / step) + 2))]
    marks += [w + s * STEP * ratio ** -np.arange(18.0) for w in peaks for s in (-1, 1)]
    edges = np.unique(np.clip(np.concatenate(marks), first, last))
    low, high = edges[:-1], edges[1:]
    total = size = 0.0
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(60):
        rough, fine = _on_panels(g, low, high, rules[0])[0], _on_panels(g, low, high, rules[1])
        scale = size + float(np.sum(fine[1]))
        with np.errstate(invalid="ignore"):     # ∞ − ∞ is not a number, and its sum is none
            bad = (np.abs(rough - fine[0]) > 1e-11 * scale) & (high - low > 1e-13 * np.maximum(1, np.abs(low)))
        total, size = total + float(np.sum(fine[0][~bad])), size + float(np.sum(fine[1][~bad]))
        kept.append((low[~bad], high[~bad]))
        if not bad.any():
            return total, size, (np.concatenate([p[0] for p in kept]), np.concatenate([p[1] for p in kept]))
        middle = (low[bad] + high[bad]) / 2
        low, high = np.concatenate([low[bad], middle]), np.concatenate([middle, high[bad]])
        if len(low) > MOST_PANELS:
            break
    raise NoValue("unknown", "the quadrature does not converge")


def _on_panels(g: Integrand, low: np.ndarray, high: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = RULES[n]
    half = (high - low) / 2
    values = g((low + half)[:, None] + half[:, None] * nodes[None, :])
    return half * (values @ weights), half * (np.abs(values) @ weights)


def _slow_quadrature(g: Integrand, panels: tuple[np.ndarray, np.ndarray], scale: float) -> float:
    """The same integral at 30 digits, by a third rule, on the panels that matter."""
    low, high = panels
    matter = _on_panels(g, low, high, 8)[1] > 1e-14 * scale
    nodes, weights = RULES[12]
    total = mp.mpf(0)
    with mp.workdps(30):
        factor = mp.exp(-mp.mpf(g.shift))
        for a, b in zip(low[matter], high[matter]):
            half = (b - a) / 2
            total += half * mp.fsum(float(c) * g.slowly(a + half * (1 + x), 30) for x, c in zip(nodes, weights))
        return float(total * factor)
