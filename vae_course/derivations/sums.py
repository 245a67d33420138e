"""Closed forms of sums and products: one rule for each kind of term, in the table RULES.

A rule gets (g, k, low, high), where g is one term without constant factors, and returns Σ g or None. A finite sum with
symbolic ends is taken to be empty at high = low − 1 and has no meaning below; rules need high ≥ low − 1.
"""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.conditions import need
from vae_course.derivations.functions import (
    OPEN,
    bound_variable,
    factors_in,
    free_level,
    power_and_exponent,
    power_and_rate,
    terms_of,
)
from vae_course.derivations.scopes import require, tried

LONGEST_SUM = 60  # terms of a sum that are written out


def length(low: sp.Expr, high: sp.Expr) -> int | None:
    """How many terms there are, if that is a number that can be written out; None otherwise."""
    n = high - low + 1
    return int(n) if n.is_Integer and 0 <= n <= LONGEST_SUM else None


def summation(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """Σ f in closed form, term by term where that is allowed; terms without one stay sums."""
    if (high - low).is_Integer and high - low < -1 or (high - low).is_finite and (high - low).is_integer is False:
        return sp.Sum(f, (k, low, high))
    found = tried(telescoping, f, k, low, high) if high.is_finite is not False else None
    if found is not None:
        return found
    total = sp.S.Zero
    for term in _groups(f, k, low, high):
        constant, g = term.as_independent(k, as_Add=False)
        value = None
        if not g.has(*OPEN) and not any(e.has(k) for e in g.atoms(AppliedUndef, sp.Indexed)):
            rules = SERIES if high == sp.oo else RULES
            value = next((v for rule in rules if (v := tried(_with_length, rule, g, k, low, high)) is not None), None)
        total += constant * (_open_sum(g, k, low, high) if value is None else value)
    return total


def _with_length(rule: Callable, g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    value = rule(g, k, low, high)
    if value is None or value.has(sp.nan, sp.zoo, sp.oo, sp.Sum):
        return None
    if high != sp.oo:
        require(high - low >= -1)
    return value


def _open_sum(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Sum:
    v = bound_variable(low, high, free_level(g.subs(k, sp.Dummy())), integer=True)
    return sp.Sum(g.subs(k, v), (v, low, high))


def _groups(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[sp.Expr]:
    """Terms that may be summed one by one: finite sums always, series if all of them converge, except that one may not."""
    terms = terms_of(f)
    if high != sp.oo and low != -sp.oo or len(terms) == 1:
        return list(terms)
    apart: list[sp.Expr] = []
    together: list[sp.Expr] = []
    for term in terms:
        (apart if series_converges(term, k, low) else together).append(term)
    return apart + together if len(together) <= 1 else [*apart, sp.Add(*together)]


def series_converges(g: sp.Expr, k: sp.Symbol, low: sp.Expr) -> bool | None:
    """Whether Σ g from low to ∞ exists: True, False or None. Sums of unknown functions are taken to exist."""
    if any(e.has(k) for e in g.atoms(AppliedUndef, sp.Indexed)):
        return True
    if low == -sp.oo or g.has(*OPEN):
        return None
    if (found := power_and_rate(g, k)) is not None and found[1] != 0:
        rate = found[1]
        falls = rate.is_negative or sp.together(1 - sp.exp(rate)).is_positive
        return True if falls else False if rate.is_nonnegative else None
    _, exponent, other = power_and_exponent(g, k)
    if exponent.is_polynomial(k) and exponent.has(k) and sp.LC(exponent, k).is_negative and other.is_polynomial(k):
        return True
    ratio = sp.combsimp(sp.simplify(g.subs(k, k + 1) / g))
    if not ratio.is_rational_function(k):
        return None
    top, bottom = (sp.Poly(part, k) for part in sp.fraction(sp.cancel(ratio)))
    if top.degree() != bottom.degree():
        return top.degree() < bottom.degree() or None
    limit = sp.cancel(top.LC() / bottom.LC())
    if (1 - sp.Abs(limit)).is_positive:
        return True
    if limit == 1 and g.is_rational_function(k):
        upper, lower = (sp.Poly(part, k).degree() for part in sp.fraction(sp.cancel(g)))
        return bool(upper - lower < -1)
    return None


# ---------------------------------------------------------------- finite sums

def telescoping(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Σ (F(k) − F(k − 1)) = F(high) − F(low − 1), whatever F is; other terms stay a sum."""
    terms, total = list(terms_of(f)), sp.S.Zero
    for term in list(terms):
        later = term.subs(k, k + 1)
        partner = next((t for t in terms if term in terms and t.has(k) and t != term and sp.expand(later + t) == 0), None)
        if partner is not None:  # partner(k) = −term(k + 1): the sum of both is term(low) − term(high + 1)
            terms.remove(term)
            terms.remove(partner)
            total += term.subs(k, low) - term.subs(k, high + 1)
    if len(terms) == len(terms_of(f)):
        return None
    require(high - low >= -1)
    return total + (summation(sp.Add(*terms), k, low, high) if terms else 0)


def polynomial(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Powers of k, by Bernoulli polynomials; SymPy carries that out."""
    return sp.factor(sp.summation(g, (k, low, high))) if g.is_polynomial(k) else None


def geometric(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Σ kᵐ rᵏ = (r d/dr)ᵐ (r^low − r^(high + 1))/(1 − r), for a ratio that is not 1."""
    found = _ratio(g, k)
    if found is None:
        return None
    power, ratio, factor = found
    need(sp.Ne(ratio, 1))
    r = sp.Dummy("r")
    return factor * _with_powers(r ** low / (1 - r) - r ** (high + 1) / (1 - r), r, power).subs(r, ratio)


def binomial(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Σ C(n, k) kᵐ rᵏ from 0 to n is (r d/dr)ᵐ (1 + r)ⁿ."""
    counts = sp.binomial(high, k)
    found = _ratio(g / counts, k) if low == 0 and g.has(counts) else None
    if found is None:
        return None
    power, ratio, factor = found
    need(high >= 0)
    r = sp.Dummy("r")
    return factor * _with_powers((1 + r) ** high, r, power).subs(r, ratio)


def _with_powers(total: sp.Expr, r: sp.Symbol, power: int) -> sp.Expr:
    """(r d/dr)ᵐ of a power series: its terms get the factor kᵐ."""
    for _ in range(power):
        slope = sp.Add.make_args(sp.diff(total, r))
        total = sp.Add(*(sp.powsimp(r * term, combine="exp") for term in slope))  # term by term: no pole comes in
    return total


def _ratio(g: sp.Expr, k: sp.Symbol) -> tuple[int, sp.Expr, sp.Expr] | None:
    """(m, r, c) with g = c·kᵐ·rᵏ for all whole k in the range; None if g is not that."""
    found = factors_in(g, k)
    if found is None:
        return None
    power, factor, others = found
    ratio = sp.S.One
    for base, slope, start in others:
        if not base.is_positive:
            if not (slope.is_integer and start.is_integer):
                return None
            if not (slope.is_nonnegative and start.is_nonnegative):
                need(sp.Ne(base, 0))
        ratio, factor = ratio * base ** slope, factor * base ** start
    return power, sp.powsimp(ratio), factor


# ---------------------------------------------------------------- series

def geometric_series(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Σ kᵐ rᵏ from k = low to ∞ where −1 < r < 1 is known."""
    found = _ratio(g, k)
    if found is None or not low.is_Integer or low < 0:
        return None
    power, ratio, factor = found
    log_ratio = sp.expand_log(sp.log(ratio)) if ratio.is_positive else None
    inside = all(sp.together(side).is_positive for side in (1 - ratio, 1 + ratio))
    if not (inside or log_ratio is not None and sp.expand(log_ratio).is_negative):
        return None
    r = sp.Dummy("r")
    total = _with_powers(1 / (1 - r), r, power)
    first = sum(sp.Integer(j) ** power * r ** j for j in range(int(low)))
    return factor * sp.simplify(total - first).subs(r, ratio)


def exponential_series(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Σ kᵐ xᵏ/k! from k = low to ∞ is (x d/dx)ᵐ eˣ without its first terms."""
    if not low.is_Integer or low < 0:
        return None
    found = _ratio(g * sp.factorial(k), k)
    if found is None:
        return None
    power, ratio, factor = found
    x = sp.Dummy("x")
    total = _with_powers(sp.exp(x), x, power)
    first = sum(sp.Integer(j) ** power * x ** j / sp.factorial(j) for j in range(int(low)))
    return factor * (total - first).subs(x, ratio)


def rational_series(g: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """A quotient of polynomials with numbers whose series is shown to converge; SymPy finds the value."""
    if g.free_symbols != {k} or not g.is_rational_function(k) or not low.is_Integer or not series_converges(g, k, low):
        return None
    bottom = sp.Poly(sp.fraction(sp.cancel(g))[1], k)
    if any(root.is_integer and root >= low for root in bottom.real_roots()):
        return None
    return sp.summation(g, (k, low, high))


RULES = (polynomial, geometric, binomial)
SERIES = (geometric_series, exponential_series, rational_series)


def product(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∏ f with symbolic ends: a constant, k itself, or exp of something that has a sum."""
    require(high - low >= -1)
    if not f.has(k):
        return f ** (high - low + 1)
    if f == k and low == 1:
        return sp.factorial(high)
    if isinstance(f, sp.exp):
        inner = summation(f.exp, k, low, high)
        return None if inner.has(sp.Sum) else sp.exp(inner)
    return None

