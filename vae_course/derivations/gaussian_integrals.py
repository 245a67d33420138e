"""Closed forms of Gaussian integrals: over the line, between any ends, times powers, waves and unknown functions."""

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.functions import OPEN, cancelled, free_level, power_and_exponent, quadratic, terms_of

WHOLE_LINE = (-sp.oo, sp.oo)


def gaussian(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵏ exp(−a u² + b u + c) h(u) du over ℝ by completing the square, with E ε^(2j) = (2j−1)!!.

    Without h the value is closed. With one that has no rule, such as an unknown function, the result is an integral against
    exp(−t²/2), so that two integrals which differ by the change of variables u = m + s·t come out as the same one.
    """
    if (low, high) != WHOLE_LINE or not g.has(sp.exp):
        return None
    if g.has(sp.sin, sp.cos) and not g.has(AppliedUndef, *OPEN):
        return _gaussian_waves(g, u)
    power, exponent, other = power_and_exponent(g, u)
    shape = quadratic(exponent, u)
    if shape is None:
        return None
    a, b, c = shape
    mean, variance = cancelled(b / (2 * a)), sp.factor(1 / (2 * a))
    scale = sp.exp(cancelled(b ** 2 / (4 * a) + c)) * sp.sqrt(variance)
    if not other.has(u):
        moments = sum(sp.binomial(power, 2 * j) * mean ** (power - 2 * j) * sp.factorial2(2 * j - 1) * variance ** j
                      for j in range(power // 2 + 1))
        return scale * sp.sqrt(2 * sp.pi) * moments * other
    if not mean.is_real:
        return None
    t = sp.Symbol(f"_u{free_level(g)}", real=True)
    at = mean + sp.sqrt(variance) * t
    return scale * sp.Integral(sp.expand(at ** power) * other.subs(u, at) * sp.exp(-t ** 2 / 2), (t, *WHOLE_LINE))


def _gaussian_waves(g: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    parts = terms_of(g.rewrite((sp.sin, sp.cos), sp.exp))
    values = [(c, gaussian(h, u, *WHOLE_LINE)) for c, h in (p.as_independent(u, as_Add=False) for p in parts)]
    return None if any(v is None or v.has(sp.Integral) for _, v in values) else sp.simplify(sum(c * v for c, v in values))


def part_of_a_gaussian(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵏ exp(−a u² + b u + c) du between any ends, with u = m + s·t and ∫tʲ φ = −tʲ⁻¹ φ + (j−1)∫tʲ⁻² φ for the bell φ."""
    power, exponent, other = power_and_exponent(g, u)
    shape = quadratic(exponent, u)
    if shape is None or other.has(u):
        return None
    a, b, c = shape
    mean, s = cancelled(b / (2 * a)), sp.sqrt(sp.factor(1 / (2 * a)))
    if not mean.is_real:
        return None
    t = sp.Dummy(real=True)
    polynomial = sp.Poly((mean + s * t) ** power, t)
    ends = [_moments_up_to((end - mean) / s if end.is_finite is not False else end, power) for end in (low, high)]
    value = sum(coefficient * (ends[1][j] - ends[0][j]) for (j,), coefficient in polynomial.terms())
    return other * s * sp.exp(cancelled(b ** 2 / (4 * a) + c)) * value


def _moments_up_to(t: sp.Expr, power: int) -> list[sp.Expr]:
    """Antiderivatives of tʲ exp(−t²/2) at t, for j = 0, …, power; that of j = 0 is 0 at t = 0."""
    if t.is_infinite:
        bell, found = sp.S.Zero, [sp.sqrt(sp.pi / 2) * sp.sign(t), sp.S.Zero]
        t = sp.S.Zero
    else:
        bell = sp.exp(-sp.expand(t ** 2) / 2)
        found = [sp.sqrt(sp.pi / 2) * sp.erf(t / sp.sqrt(2)), -bell]
    for j in range(2, power + 1):
        found.append(-t ** (j - 1) * bell + (j - 1) * found[j - 2])
    return found
