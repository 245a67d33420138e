"""Closed forms of derivatives, finite and geometric sums, and integrals; what has none stays in one canonical shape.

Every rule is exact for all values that the symbols may take; a rule whose condition cannot be shown is not used.
"""

import sympy as sp
from sympy.core.function import AppliedUndef

LONGEST_SUM = 60  # terms of a sum that are written out


def closed_form(expr: sp.Basic) -> sp.Basic:
    """Replace, from the inside out, every derivative, sum, integral, limit and matrix operation that has a closed form."""
    expr = expr.doit(integrals=False, deep=False) if isinstance(expr, sp.MatrixBase | sp.MatrixExpr) else expr
    kinds = (sp.Derivative, sp.Subs, sp.Sum, sp.Product, sp.Integral, sp.Limit, sp.Determinant, sp.Trace)
    if not expr.has(*kinds, sp.MatrixExpr):
        return expr
    # First differentiate under integrals: a substitution in them would hide what depends on the variable.
    expr = expr.xreplace({d: d.doit(integrals=False) for d in expr.atoms(sp.Derivative) if d.expr.has(sp.Integral)})
    return expr.replace(lambda part: isinstance(part, (*kinds, sp.MatrixExpr)), _close)


def _close(part: sp.Basic) -> sp.Basic:
    if isinstance(part, sp.Integral):
        return _over_all_limits(part, _integral)
    if isinstance(part, sp.Sum):
        return _over_all_limits(part, _sum)
    if isinstance(part, sp.Limit):
        return sp.limit(sp.simplify(part.args[0], doit=False), *part.args[1:])
    return part.doit(integrals=False)


def _over_all_limits(part: sp.Integral | sp.Sum, rule) -> sp.Expr:
    inner = part.function
    for limit in part.limits:
        if len(limit) != 3:
            return part
        inner = rule(inner, *limit)
    return inner


def bound_variable(low: sp.Expr, high: sp.Expr, level: int, integer: bool = False) -> sp.Symbol:
    """The canonical name of an integration or summation variable, with the assumptions that its range gives."""
    above = low.is_nonnegative and is_ordered(low, high)
    return sp.Symbol(f"_u{level}", real=True, integer=integer or None, positive=True if above and not integer else None,
                     nonnegative=True if above else None)


def is_ordered(low: sp.Expr, high: sp.Expr) -> bool:
    """Whether low ≤ high is known for all values of the symbols."""
    if low == -sp.oo or high == sp.oo:
        return low != sp.oo and high != -sp.oo and low.is_extended_real and high.is_extended_real
    return bool((high - low).is_nonnegative)


# Functions without jumps and poles; others, and quotients whose denominator may vanish, are left alone.
SMOOTH = (sp.exp, sp.log, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf, sp.erfc)


def is_smooth(f: sp.Expr, x: sp.Symbol) -> bool:
    """Whether f has no jump, no pole and no end of its domain wherever the assumptions let x and the other symbols be."""
    if not all(isinstance(e, SMOOTH) for e in f.atoms(sp.Function) if e.has(x)) or f.has(sp.Piecewise):
        return False
    inner = [e.args[0] for e in f.atoms(sp.log) if e.has(x)]
    inner += [e.base for e in f.atoms(sp.Pow) if e.base.has(x) and not (e.exp.is_integer and e.exp.is_nonnegative)]
    inner = [part if part.is_positive or part.is_negative else sp.factor(part) for part in inner]
    return all(part.is_positive or part.is_negative for part in inner)


def _level(expr: sp.Expr) -> int:
    """A number that no canonical variable inside `expr` has yet."""
    used = {s.name for s in expr.atoms(sp.Symbol)}
    return next(k for k in range(100) if f"_u{k}" not in used)


def terms_of(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    """Expand logarithms (only where the factors are known to be positive) and products; exponentials stay whole."""
    return sp.Add.make_args(_multiply_out(sp.expand_log(_multiply_out(sp.expand_log(expr)))))


def _multiply_out(expr: sp.Expr) -> sp.Expr:
    """sp.expand, with exponentials as symbols meanwhile: it would carry exp(−a) into a denominator as exp(a)."""
    names = {e: sp.Dummy(positive=e.is_positive) for e in expr.atoms(sp.exp)}
    expanded = sp.expand(expr.xreplace(names), power_exp=False, power_base=False)
    return expanded.xreplace({name: e for e, name in names.items()})


# ---------------------------------------------------------------- integrals

def _integral(f: sp.Expr, v: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    u = bound_variable(low, high, _level(f))
    f = f.subs(v, u)
    total, rest, diverges = sp.S.Zero, sp.S.Zero, False
    for term in terms_of(f.rewrite((sp.cosh, sp.sinh), sp.exp) if f.has(sp.cosh, sp.sinh) else f):
        constant, g = term.as_independent(u, as_Add=False)
        value = _integral_of_term(g, u, low, high)
        if value is None:
            rest += constant * _open_integral(_tidy(g), u, low, high)
        else:
            diverges = diverges or not value.has(sp.Integral) and value.has(sp.oo, sp.zoo, sp.nan)
            total += constant * value
    if diverges:  # the parts diverge, the whole may not
        if not (is_ordered(low, high) and is_smooth(f, u)):
            return sp.Integral(f, (u, low, high))
        whole = sp.integrate(f, (u, low, high))
        return whole if not whole.has(sp.Integral, sp.nan) else sp.Integral(f, (u, low, high))
    return total + rest


def _open_integral(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Integral:
    """The integral under the first free canonical name, so that equal integrals look equal wherever they stand."""
    first = bound_variable(low, high, _level(g.subs(u, sp.Dummy())))
    return sp.Integral(g.subs(u, first), (first, low, high))


def _tidy(g: sp.Expr) -> sp.Expr:
    return sp.powsimp(g) if not g.has(AppliedUndef) else g


def _integral_of_term(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    whole_line = low == -sp.oo and high == sp.oo
    if g == 1:
        return None if whole_line else high - low
    if whole_line and g.has(sp.Abs):  # both halves of the line on one
        half = bound_variable(sp.S.Zero, sp.oo, _level(g))
        return _integral(g.subs(u, half) + g.subs(u, -half), half, sp.S.Zero, sp.oo)
    if whole_line and g.has(sp.exp):
        value = gaussian_integral(g, u)
        if value is not None or g.has(AppliedUndef):
            return value
    if g.has(AppliedUndef) or (whole_line and not g.has(sp.exp) and not g.is_rational_function(u)):
        return None
    value = _exponential_integral(g, u, low, high)
    if value is not None:
        return value
    if not g.is_polynomial(u) and not (is_ordered(low, high) and is_smooth(g, u)):
        return None
    return _generic_branch(sp.integrate(g, (u, low, high)))


def _exponential_integral(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """∫ uᵏ r^(a u + b) du with known positive r, for a rate a·log r that is not zero; None if g is not that."""
    found = _power_and_rate(g, u)
    if found is None or found[1].is_zero or low == -sp.oo or (high == sp.oo and not found[1].is_negative):
        return None
    power, rate, constant = found
    c = sp.Dummy("c", nonzero=True, real=True)
    antiderivative = sp.integrate(u ** power * sp.exp(c * u), u).subs(c, rate)
    at_high = sp.S.Zero if high == sp.oo else antiderivative.subs(u, high)
    return constant * (at_high - antiderivative.subs(u, low))


def _power_and_rate(g: sp.Expr, u: sp.Symbol) -> tuple[int, sp.Expr, sp.Expr] | None:
    """(k, c, a) if g = a·uᵏ·exp(c·u), where bases of powers are known to be positive; None otherwise."""
    power, rate, constant = 0, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(g):
        base, p = factor.as_base_exp()
        if base == u and p.is_Integer and p > 0:
            power += int(p)
        elif not base.has(u) and base.is_positive and p.is_polynomial(u) and sp.degree(p, u) == 1:
            slope, start = sp.Poly(p, u).all_coeffs()
            rate, constant = rate + slope * sp.log(base), constant * base ** start
        else:
            return None
    return power, sp.expand(rate), constant


def _generic_branch(value: sp.Expr) -> sp.Expr | None:
    """The value without special cases: Piecewise((a, Ne(c, 0)), …) is a, except where c = 0. None if there is no value."""
    if value.has(sp.Integral, sp.Sum):
        return None
    value = sp.piecewise_fold(value)
    if not isinstance(value, sp.Piecewise):
        return None if value.has(sp.Piecewise) else value
    for branch, condition in value.args:
        parts = condition.args if isinstance(condition, sp.And) else (condition,)
        special = set().union(*(part.free_symbols for part in parts))  # an integer may well be where a real hardly ever is
        if all(isinstance(part, sp.Ne) or part == sp.true for part in parts) and not any(s.is_integer for s in special):
            return branch
        if not all(isinstance(part, sp.Eq) for part in parts):
            return None
    return None


def gaussian_integral(g: sp.Expr, u: sp.Symbol) -> sp.Expr | None:
    """∫ uᵏ exp(−a u² + b u + c) f(u) du over ℝ by completing the square, with E ε^(2j) = (2j−1)!!; None if g is not that.

    Without f the value is closed. With an unknown function f the result is an integral against exp(−t²/2), so that two
    integrals which differ by the change of variables u = m + s·t come out as the same one.
    """
    if g.has(sp.sin, sp.cos):
        parts = terms_of(g.rewrite((sp.sin, sp.cos), sp.exp))
        values = [(c, gaussian_integral(h, u)) for c, h in (p.as_independent(u, as_Add=False) for p in parts)]
        return None if any(v is None for _, v in values) else sp.simplify(sum(c * v for c, v in values))
    power, exponent, other = 0, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(g):
        base, p = factor.as_base_exp()
        if isinstance(factor, sp.exp):
            exponent += factor.exp
        elif base == u and p.is_Integer and p > 0:
            power += int(p)
        else:
            other *= factor
    exponent = sp.expand(exponent)
    if not exponent.is_polynomial(u) or sp.degree(exponent, u) != 2:
        return None
    c2, b, c = sp.Poly(exponent, u).all_coeffs()
    a = sp.factor(-c2)
    if not (a.is_positive or sp.together(a).is_positive):
        return None
    mean, variance = sp.cancel(b / (2 * a)), sp.cancel(1 / (2 * a))
    scale = sp.exp(sp.expand(sp.cancel(b ** 2 / (4 * a) + c))) * sp.sqrt(variance)
    if other != 1:
        t = sp.Symbol(f"_u{_level(g)}", real=True)
        at = mean + sp.sqrt(variance) * t
        return scale * sp.Integral(sp.expand(at ** power) * other.subs(u, at) * sp.exp(-t ** 2 / 2), (t, -sp.oo, sp.oo))
    moments = sum(sp.binomial(power, 2 * j) * mean ** (power - 2 * j) * sp.factorial2(2 * j - 1) * variance ** j
                  for j in range(power // 2 + 1))
    return scale * sp.sqrt(2 * sp.pi) * moments


# ---------------------------------------------------------------- sums

def _sum(f: sp.Expr, k: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    if (high - low).is_Integer:
        if not -1 <= high - low <= LONGEST_SUM:
            return sp.Sum(f, (k, low, high))
        return sp.Add(*(f.subs(k, low + i) for i in range(int(high - low) + 1)))
    u = bound_variable(low, high, _level(f), integer=True)
    total = sp.S.Zero
    for term in terms_of(f.subs(k, u)):
        constant, g = term.as_independent(u, as_Add=False)
        value = None
        if high == sp.oo and low.is_Integer:
            value = _geometric(g, u, low)
        if value is None and not g.has(AppliedUndef, sp.Indexed) and is_smooth(_without_counts(g), u):
            value = _generic_branch(sp.summation(g, (u, low, high)))
        if value is None:
            first = bound_variable(low, high, _level(g.subs(u, sp.Dummy())), integer=True)
            value = sp.Sum(g.subs(u, first), (first, low, high))
        total += constant * value
    return total


def _without_counts(g: sp.Expr) -> sp.Expr:
    """The summand with its factorials and binomial coefficients, which have no poles at whole numbers, set to 1."""
    return g.replace(sp.factorial, lambda n: sp.S.One).replace(sp.binomial, lambda n, k: sp.S.One)


def _geometric(g: sp.Expr, k: sp.Symbol, low: sp.Expr) -> sp.Expr | None:
    """Σ kᵐ rᵏ from k = low to ∞ where 0 < r < 1 is known; None if g is not that."""
    found = _power_and_rate(g, k)
    if found is None:
        return None
    power, log_ratio, constant = found
    ratio = sp.exp(log_ratio)
    if not (log_ratio.is_negative or (1 - ratio).is_positive):
        return None
    r = sp.Dummy("r")
    total = 1 / (1 - r)
    for _ in range(power):
        total = r * sp.diff(total, r)
    first = sum(sp.Integer(j) ** power * r ** j for j in range(int(low))) if low >= 0 else None
    return None if first is None else constant * sp.simplify(total - first).subs(r, ratio)


def divergence(expr: sp.Basic) -> str | None:
    return None


def same_range_together(d: sp.Expr) -> sp.Expr:
    """c₁∫f + c₂∫g over one range as one integral, which is zero if its integrand is; sums likewise."""
    collected: dict = {}
    rest = sp.S.Zero
    for term in terms_of(d):
        parts = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.Integral | sp.Sum)]
        if len(parts) == 1 and len(parts[0].limits) == 1 and len(parts[0].limits[0]) == 3:
            part, = parts
            v, low, high = part.limits[0]
            u = bound_variable(low, high, 99, integer=isinstance(part, sp.Sum))
            collected.setdefault((part.func, u, low, high), []).append((term / part) * part.function.subs(v, u))
        else:
            rest += term
    for (func, *limit), integrands in collected.items():
        f = sp.Add(*terms_of(sp.Add(*integrands)))
        rest += func(f, tuple(limit))
    return rest
