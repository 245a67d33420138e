"""Rules for integrals without Gaussians: powers, exponentials, gamma and beta functions, checked antiderivatives."""

import sympy as sp
from sympy.integrals.manualintegrate import manualintegrate

from vae_course.derivations.conditions import need
from vae_course.derivations.functions import is_ordered, is_smooth, power_and_exponent, power_and_rate
from vae_course.derivations.limits import limit


def constant(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """The length of the range, if that is finite."""
    return high - low if not g.has(u) and not (low.is_infinite or high.is_infinite) else None


def power(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵖ du: a whole p ≥ 0 between any ends, another p over a range of positive numbers."""
    base, p = g.as_base_exp()
    if base != u or p.has(u):
        return None
    if p.is_integer and p.is_nonnegative and low.is_infinite is not True and high.is_infinite is not True:
        return (high ** (p + 1) - low ** (p + 1)) / (p + 1)
    if not (low.is_nonnegative and (is_ordered(low, high) or high.is_positive) and p.is_real):
        return None
    if not (low == 0 and (p + 1).is_positive or low.is_positive) or high == sp.oo and not (p + 1).is_negative:
        return None
    if p == -1:
        return sp.log(high) - sp.log(low)
    need(sp.Ne(p + 1, 0))
    return ((0 if high == sp.oo else high ** (p + 1)) - (0 if low == 0 else low ** (p + 1))) / (p + 1)


def exponential(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵏ r^(a u + b) du with known positive r; the rate a·log r must not be zero, and must have a sign up to infinity."""
    found = power_and_rate(g, u)
    if found is None or found[1].is_zero or (low, high) == (-sp.oo, sp.oo):
        return None
    k, rate, factor = found
    if low == -sp.oo:
        return (-1) ** k * factor * _exponential(k, -rate, -high, sp.oo)
    return factor * _exponential(k, rate, low, high)


def _exponential(k: int, rate: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    if high == sp.oo and not (rate.is_nonpositive or sp.factor(rate).is_nonpositive):
        return None
    need(sp.Ne(sp.simplify(sp.exp(rate)), 1) if rate.has(sp.log) else sp.Ne(rate, 0))

    def at(v: sp.Expr) -> sp.Expr:
        polynomial = sum((-1) ** j * sp.ff(k, j) * v ** (k - j) / rate ** (j + 1) for j in range(k + 1))
        return sp.exp(sp.expand(rate * v)) * polynomial
    return (0 if high == sp.oo else at(high)) - at(low)


def gamma(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵖ exp(−c u^q) du from 0 to ∞ is Γ((p + 1)/q)/(q c^((p + 1)/q)), for c, q and p + 1 known to be positive."""
    if (low, high) != (0, sp.oo):
        return None
    _, exponent, _ = power_and_exponent(g, u)
    rest = g / sp.exp(exponent)
    p = sp.S.Zero if rest == 1 else sp.simplify(sp.powsimp(sp.powdenest(rest)).as_base_exp()[1])
    start, rest = exponent.as_independent(u, as_Add=True)
    c, tail = (-rest).as_independent(u, as_Add=False)
    base, q = tail.as_base_exp()
    if base != u or p.has(u) or q.has(u) or sp.simplify(g - u ** p * sp.exp(exponent)) != 0:
        return None
    if not (c.is_positive and q.is_positive and (p + 1).is_positive):
        return None
    return sp.exp(start) * sp.gamma((p + 1) / q) / (q * c ** ((p + 1) / q))


def beta(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵖ (1 − u)^q du from 0 to 1, for p, q > −1, by gamma functions."""
    if (low, high) != (0, 1):
        return None
    p, q, other = sp.S.Zero, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(g):
        base, e = factor.as_base_exp()
        if base == u and not e.has(u):
            p += e
        elif base == 1 - u and not e.has(u):
            q += e
        else:
            other *= factor
    if other.has(u) or not ((p + 1).is_positive and (q + 1).is_positive):
        return None
    return other * sp.gamma(p + 1) * sp.gamma(q + 1) / sp.gamma(p + q + 2)


def double_exponential(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ exp(p u − c exp(q u)) du by w = exp(q u), for c > 0: over ℝ, or to any end where p = q. Gumbel's density is one."""
    k, exponent, other = power_and_exponent(sp.powsimp(g, combine="exp"), u)
    rates, p, c, start = set(), sp.S.Zero, sp.S.Zero, sp.S.Zero
    for term in sp.Add.make_args(exponent):
        factor, h = sp.powsimp(term, combine="exp").as_independent(u, as_Add=False)
        if isinstance(h, sp.exp) and h.exp.is_polynomial(u) and sp.degree(h.exp, u) == 1:
            q, shift = sp.Poly(h.exp, u).all_coeffs()
            rates.add(q)
            c -= factor * sp.exp(shift)
        elif h == u:
            p += factor
        elif h == 1:
            start += factor
        else:
            return None
    if k or len(rates) != 1 or other.has(u) or not c.is_positive:
        return None
    q, = rates
    if not (q.is_positive or q.is_negative):
        return None
    scale = other * sp.exp(start)
    if (low, high) == (-sp.oo, sp.oo):
        return scale * sp.gamma(p / q) * c ** (-p / q) / sp.Abs(q) if (p / q).is_positive else None
    if sp.simplify(p - q) != 0:
        return None
    far = {sp.oo * sp.sign(q): sp.S.Zero, -sp.oo * sp.sign(q): sp.S.One}
    at_low, at_high = (far[end] if end in far else sp.exp(-c * sp.exp(q * end)) for end in (low, high))
    return scale * (at_low - at_high) / (c * q)


def rational_in_exponential(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """A quotient of polynomials in exp(c u + d), such as the logistic density, by w = exp(c u + d), for c of known sign."""
    exps = sorted((e for e in g.atoms(sp.exp) if e.has(u)), key=str)
    if not exps or not all(e.exp.is_polynomial(u) and sp.degree(e.exp, u) == 1 for e in exps):
        return None
    c, d = sp.Poly(exps[0].exp, u).all_coeffs()
    if not (c.is_positive or c.is_negative):
        return None
    w, names = sp.Dummy("w", positive=True), {}
    for e in exps:
        slope, start = sp.Poly(e.exp, u).all_coeffs()
        m = sp.cancel(slope / c)
        if not m.is_Integer:
            return None
        names[e] = w ** m * sp.exp(sp.expand(start - m * d))
    h = sp.factor(sp.cancel(sp.together(g.xreplace(names) / w)))
    if h.has(u) or not h.is_rational_function(w):
        return None
    far = {sp.oo * sp.sign(c): sp.oo, -sp.oo * sp.sign(c): sp.S.Zero}
    ends = [far[end] if end in far else sp.exp(c * end + d) for end in (low, high)]
    value = antiderivative(h, w, *ends) if c.is_positive else antiderivative(h, w, *ends[::-1])
    return None if value is None else value / (c if c.is_positive else -c)


def antiderivative(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """F(high) − F(low) for an antiderivative that SymPy proposes, if F′ = g is shown and F is smooth between the ends."""
    if not is_smooth(g, u) or not (is_ordered(low, high) or low.is_real and high.is_real):
        return None  # where the order of the ends is not known, u is any real number
    proposed = manualintegrate(g, u)  # by the rules of a textbook: the others may look for hours
    if proposed.has(sp.Integral, sp.Piecewise) and not (proposed := _generic(proposed)):
        return None
    if not is_smooth(proposed, u) or sp.simplify(sp.diff(proposed, u) - g) != 0:
        return None
    for part in proposed.atoms(sp.Pow):
        if part.exp.is_negative and not part.has(u) and not part.base.is_positive:
            need(sp.Ne(part.base, 0))
    at_low, at_high = limit(proposed, u, low, "+"), limit(proposed, u, high, "-")
    if at_low is None or at_high is None or at_low.is_finite is False or at_high.is_finite is False:
        return None
    return at_high - at_low


def _generic(proposed: sp.Expr) -> sp.Expr | None:
    """The branch for parameters in general position; its own denominators are looked at afterwards."""
    folded = sp.piecewise_fold(proposed)
    if proposed.has(sp.Integral) or not isinstance(folded, sp.Piecewise):
        return None
    branch, condition = folded.args[0]
    parts = condition.args if isinstance(condition, sp.And) else (condition,)
    if not all(isinstance(part, sp.Ne) for part in parts):
        return None
    for part in parts:
        need(part)
    return branch
