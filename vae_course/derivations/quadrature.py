"""Integrals as numbers that two quadratures agree on, with every peak looked for first.

A range is cut where the integrand may break, and each piece runs from one end as x = end ± eʷ: so a pole at the end, a heavy
tail and a peak of any width are smooth bumps in w. What does not fall off towards an end of w diverges, or has no value.
"""

from dataclasses import dataclass
from math import isfinite, log

import mpmath as mp
import numpy as np
import sympy as sp

FURTHEST = 140.0     # w runs from −140 to 140: x from 1e−61 to 1e61 away from the end
STEP = 0.25          # of the grid in w on which peaks are looked for
SMALL = 80.0         # what is e⁻⁸⁰ of the largest value is left out
AGREE = 1e-9         # of ∫|f|, how closely two quadratures must agree
MOST_PANELS = 6000
MOST_SLOW = 1500     # points at which double precision overflows and the slow way is taken
RULES = {n: np.polynomial.legendre.leggauss(n) for n in (8, 10, 12, 16, 21)}


class NoValue(ArithmeticError):
    """There is no number that could be trusted; kind: "unknown", "complex", "undefined" or "diverges"."""

    def __init__(self, kind: str, why: str = ""):
        super().__init__(why or kind)
        self.kind, self.why = kind, why


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
        imaginary = sp.simplify(imaginary)
        if imaginary != 0 and not _vanishes(imaginary, u, low, high):
            raise NoValue("complex")
    parts = [_over_piece(f, u, *piece, careful) for piece in _pieces(f, u, low, high)]
    scale = sum(part[2] for part in parts)
    return sum(part[0] for part in parts), sum(part[1] for part in parts) + AGREE * scale


def _vanishes(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    value, radius = integral(f, u, low, high, False)
    return abs(value) <= radius


# ---------------------------------------------------------------- where the range is cut

def _pieces(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[tuple[sp.Expr, int, float]]:
    """(end, direction, length in w) of each piece: x = end ± eʷ."""
    cuts = sorted({c for c in _breaks(f, u) if (low < c) == sp.true and (c < high) == sp.true}, key=float)
    if not cuts and not (low.is_finite or high.is_finite):
        cuts = [next(iter(_gaussian_means(f, u)), sp.S.Zero)]
    ends, found = [low, *cuts, high], []
    for a, b in zip(ends, ends[1:]):
        if b == sp.oo:
            found.append((a, 1, FURTHEST))
        elif a == -sp.oo:
            found.append((b, -1, FURTHEST))
        else:
            half = float(sp.N(sp.log((b - a) / 2)))
            found += [(a, 1, half), (b, -1, half)]
    return found


def _breaks(f: sp.Expr, u: sp.Symbol) -> set[sp.Expr]:
    """Real numbers at which a denominator, a modulus, a case or the argument of a logarithm changes its sign."""
    inner = [e.base for e in f.atoms(sp.Pow) if not (e.exp.is_Integer and e.exp > 0)]
    inner += [arg for e in f.atoms(sp.Abs, sp.sign, sp.Heaviside, sp.log) for arg in e.args[:1]]
    inner += [a - b for e in f.atoms(sp.Max, sp.Min) for a in e.args for b in e.args if a != b]
    inner += [c.lhs - c.rhs for c in f.atoms(sp.core.relational.Relational)]
    found = set()
    for e in inner:
        for factor in sp.Mul.make_args(sp.factor(e)) if e.has(u) and e.is_polynomial(u) and e.is_finite is not False else ():
            poly = sp.Poly(factor, u)
            if 1 <= poly.degree() <= 2:
                found |= {root for root in sp.roots(poly) if root.is_real}
    return found


def _gaussian_means(f: sp.Expr, u: sp.Symbol) -> list[sp.Expr]:
    """The means of all Gaussian factors exp(−a u² + …), wherever they stand; the narrowest first."""
    found = []
    for e in f.atoms(sp.exp):
        if e.has(u) and e.exp.is_polynomial(u):
            coefficients = sp.Poly(e.exp, u).all_coeffs()
            if len(coefficients) == 3 and (coefficients[0] < 0) == sp.true:
                found.append((coefficients[0], -coefficients[1] / (2 * coefficients[0])))
    return [mean for _, mean in sorted(found, key=lambda pair: float(pair[0]))]


# ---------------------------------------------------------------- the integrand as a function of w

@dataclass
class Integrand:
    """g(w) = f(x) dx/dw with x = end ± eʷ, as a sum of c·exp(E(y))·R(y), so that nothing overflows."""

    terms: list[tuple[object, object, float, float]]     # E, R, log|c|, the sign of c
    exactly: object                                       # f at y = eʷ in many digits
    shift: float = 0.0                                    # g is divided by e^shift
    n_slow: int = 0

    def magnitudes(self, w: np.ndarray) -> np.ndarray:
        """log|g| of each term."""
        y = np.exp(w)
        with np.errstate(all="ignore"):
            rows = [_as_row(E(y), w) + logc + np.log(np.abs(_as_row(R(y), w))) + w for E, R, logc, _ in self.terms]
        return np.array(rows)

    def __call__(self, w: np.ndarray) -> np.ndarray:
        y, flat = np.exp(w), np.zeros_like(w)
        with np.errstate(all="ignore"):
            for E, R, logc, sign in self.terms:
                flat = flat + sign * _as_row(R(y), w) * np.exp(_as_row(E(y), w) + logc + w - self.shift)
        for i in zip(*np.nonzero(~np.isfinite(flat))):
            flat[i] = float(self.slowly(w[i], 20) * mp.exp(-self.shift))
        return flat

    def slowly(self, w: float, digits: int) -> mp.mpf:
        """g(w) by mpmath."""
        self.n_slow += 1
        if self.n_slow > MOST_SLOW and digits == 20:
            raise NoValue("unknown", "double precision is too small for the integrand")
        with mp.workdps(digits):
            y = mp.exp(mp.mpf(float(w)))
            try:
                value = self.exactly(y) * y
            except (ZeroDivisionError, ValueError) as error:
                raise NoValue("unknown", "the integrand has no value somewhere") from error
            if isinstance(value, mp.mpc):
                if abs(value.imag) > mp.mpf(10) ** (5 - digits) * abs(value):
                    raise NoValue("complex")
                value = value.real
            if not mp.isfinite(value):
                raise NoValue("unknown", "the integrand has no value somewhere")
            return mp.mpf(value)


def _as_row(values, w: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if np.iscomplexobj(values):
        values = np.where(values.imag == 0, values.real, np.nan)
    return np.broadcast_to(values.astype(float), w.shape)


def _integrand(f: sp.Expr, u: sp.Symbol, end: sp.Expr, direction: int) -> Integrand:
    y = sp.Dummy("y", positive=True)
    moved = f.xreplace({u: end + direction * y}).replace(lambda e: _polynomial_inside(e, y), lambda e: e.func(
        sp.expand(e.args[0]), *e.args[1:]))  # 1 − (1 − y)² is 2y − y²: no digits are lost near the end
    terms = []
    for term in sp.Add.make_args(moved):
        constant, exponent, rest = sp.S.One, sp.S.Zero, sp.S.One
        for factor in sp.Mul.make_args(sp.powsimp(term, combine="exp") if term.has(sp.exp) else term):
            base, p = factor.as_base_exp()
            if not factor.has(y):
                constant *= factor
            elif isinstance(factor, sp.exp):
                exponent += sp.expand(factor.exp) if factor.exp.is_polynomial(y) else factor.exp
            elif p.is_number and abs(p) > 4 and p.is_integer:  # y⁹⁹ would overflow
                exponent += p * sp.log(sp.Abs(base))
                rest *= sp.sign(base) ** (p % 2)
            else:
                rest *= factor
        with mp.workdps(40):
            c = sp.N(constant, 40)._to_mpmath(150)
            if isinstance(c, mp.mpc):
                raise NoValue("complex")
            if c == 0:
                continue
            split = float(mp.log(abs(c))), float(mp.sign(c))
        terms.append((_compiled(y, exponent), _compiled(y, rest), *split))
    return Integrand(terms, sp.lambdify(y, moved, "mpmath"))


def _polynomial_inside(e: sp.Expr, y: sp.Symbol) -> bool:
    return isinstance(e, sp.Pow | sp.log) and isinstance(e.args[0], sp.Add) and e.args[0].is_polynomial(y) \
        and not (isinstance(e, sp.Pow) and e.exp.is_Integer and e.exp > 0)


def _compiled(y: sp.Symbol, expr: sp.Expr):
    import math
    plain = {name: np.vectorize(getattr(math, own), otypes=[float])
             for name, own in (("erf", "erf"), ("erfc", "erfc"), ("gamma", "gamma"), ("loggamma", "lgamma"))}
    return sp.lambdify(y, expr, [plain, "numpy"])


# ---------------------------------------------------------------- one piece

def _over_piece(f: sp.Expr, u: sp.Symbol, end: sp.Expr, direction: int, top: float, careful: bool):
    """(value, error, ∫|f|) over x = end ± eʷ, w < top."""
    g = _integrand(f, u, end, direction)
    if not g.terms:
        return mp.mpf(0), mp.mpf(0), mp.mpf(0)
    known = [log(abs(d)) for m in _gaussian_means(f, u) if (d := float(sp.N(m - end, 30))) * direction > 0]
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
    edges = [np.linspace(first, last, max(2, int((last - first) / step) + 2))]
    edges += [w + s * STEP * ratio ** -np.arange(18.0) for w in peaks for s in (-1, 1)]
    edges = np.unique(np.clip(np.concatenate(edges), first, last))
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
            total += half * sum((float(c) * g.slowly(a + half * (1 + x), 30) for x, c in zip(nodes, weights)), mp.mpf(0)) * factor
    return float(total)
