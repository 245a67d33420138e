"""Integrands as functions of w, where x = end ± eʷ, and what is known of them: where they break and where they peak."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np
import sympy as sp

FURTHEST = 140.0     # w runs from −140 to 140: x from 1e−61 to 1e61 away from the end
MOST_SLOW = 1500     # points at which double precision overflows and the slow way is taken


class NoValue(ArithmeticError):
    """There is no number that could be trusted; kind: "unknown", "complex", "undefined" or "diverges"."""

    def __init__(self, kind: str, why: str = ""):
        super().__init__(why or kind)
        self.kind, self.why = kind, why


# ---------------------------------------------------------------- where the range is cut

def pieces(f: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[tuple[sp.Expr, int, float]]:
    """(end, direction, length in w) of each piece: x = end ± eʷ."""
    cuts = sorted({c for c in _breaks(f, u) if (low < c) == sp.true and (c < high) == sp.true}, key=float)
    if not cuts and not (low.is_finite or high.is_finite):
        cuts = [next((place for place, _ in narrow_places(f, u)), sp.S.Zero)]
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


def narrow_places(f: sp.Expr, u: sp.Symbol) -> list[tuple[sp.Expr, float]]:
    """(place, width) of Gaussian factors, of steps in exponentials and the like, and of poles beside the real line."""
    found = []
    for e in f.atoms(sp.exp, sp.tanh, sp.erf, sp.erfc, sp.atan, sp.Pow):
        inner = e.base if isinstance(e, sp.Pow) else e.args[0]
        if not inner.has(u) or not inner.is_polynomial(u) or isinstance(e, sp.Pow) and e.exp.is_nonnegative:
            continue
        c = sp.Poly(inner, u).all_coeffs()
        if not all(part.is_real and part.is_number for part in c):
            continue
        if len(c) == 2:
            found.append((-c[1] / c[0], abs(1 / c[0])))
        elif len(c) == 3 and isinstance(e, sp.exp):
            found.append((-c[1] / (2 * c[0]), 1 / sp.sqrt(2 * abs(c[0]))))
        elif len(c) == 3 and (gap := 4 * c[0] * c[2] - c[1] ** 2) > 0:
            found.append((-c[1] / (2 * c[0]), sp.sqrt(gap) / abs(2 * c[0])))
    return sorted(((place, float(width)) for place, width in found), key=lambda pair: pair[1])


# ---------------------------------------------------------------- the integrand as a function of w

@dataclass
class Integrand:
    """g(w) = f(x) dx/dw with x = end ± eʷ, as a sum of c·exp(E(y))·R(y), so that nothing overflows."""

    terms: list[tuple[Callable, Callable, float, float]]  # E, R, log|c|, the sign of c
    exactly: Callable                                     # f at y = eʷ in many digits
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


def integrand(f: sp.Expr, u: sp.Symbol, end: sp.Expr, direction: int) -> Integrand:
    """The integrand on one piece: x = end ± eʷ put in, term by term."""
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


def _compiled(y: sp.Symbol, expr: sp.Expr) -> Callable:
    plain = {name: np.vectorize(getattr(math, own), otypes=[float])
             for name, own in (("erf", "erf"), ("erfc", "erfc"), ("gamma", "gamma"), ("loggamma", "lgamma"))}
    return sp.lambdify(y, expr, [plain, "numpy"])
