"""What a function of one variable is like: its terms, whether it is smooth, how fast it grows, where it has kinks."""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

# Functions without jumps and poles; others, and quotients whose denominator may vanish, are left alone.
SMOOTH = (sp.exp, sp.log, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf, sp.erfc)
KINKS = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside, sp.Piecewise)
OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs)


def bound_variable(low: sp.Expr, high: sp.Expr, level: int, integer: bool = False) -> sp.Symbol:
    """The canonical name of an integration or summation variable, with the assumptions that its range gives."""
    between = is_ordered(low, high) or not integer and high.is_nonnegative  # an integral may run backwards
    from_zero, positive = low.is_nonnegative and between, low.is_positive and between
    negative = not integer and high.is_nonpositive and is_ordered(low, high)
    return sp.Symbol(f"_u{level}", real=True, integer=integer or None, positive=(positive if integer else from_zero) or None,
                     nonnegative=from_zero or None, negative=negative or None)


def free_level(expr: sp.Basic) -> int:
    """A number that no canonical variable inside `expr` has yet."""
    used = {s.name for s in expr.atoms(sp.Symbol)}
    return next(k for k in range(100) if f"_u{k}" not in used)


def is_ordered(low: sp.Expr, high: sp.Expr) -> bool:
    """Whether low ≤ high is known for all values of the symbols."""
    if low == -sp.oo or high == sp.oo:
        return bool(low != sp.oo and high != -sp.oo and low.is_extended_real and high.is_extended_real)
    return bool((high - low).is_nonnegative)


def is_smooth(f: sp.Expr, x: sp.Symbol, kinks: bool = False) -> bool:
    """Whether f has no jump, no pole and no end of its domain wherever the assumptions let x and the other symbols be.

    Symbols must be real: atan(x + w) has poles where w is complex. With `kinks`, |x| and steps are let through.
    """
    allowed = (*SMOOTH, *KINKS) if kinks else SMOOTH
    if not f.has(x):
        return True
    if not all(isinstance(e, allowed) for e in f.atoms(sp.Function) if e.has(x)) or f.has(*OPEN):
        return False
    if not kinks and f.has(*KINKS) or not all(s.is_extended_real for s in f.free_symbols):
        return False
    return all(is_nonzero(part) for part in _divisors(f, x))


def _divisors(f: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """What must not vanish for f to be smooth: arguments of logarithms, denominators, bases of powers."""
    powers = [e for e in f.atoms(sp.Pow) if e.has(x)]
    return [e.args[0] for e in f.atoms(sp.log) if e.has(x)] \
        + [e.base for e in powers if e.exp.has(x) or not (e.exp.is_integer and e.exp.is_nonnegative)]


def is_nonzero(part: sp.Expr) -> bool:
    """Whether a real expression is known to be positive, or known to be negative."""
    return bool(part.is_positive or part.is_negative or (whole := sp.factor(part)).is_positive or whole.is_negative
                or _is_positive_sum(whole))


def _is_positive_sum(part: sp.Expr) -> bool:
    """exp(x) + exp(−x), multiplied out or not: SymPy does not see the sign of some quotients that it factored."""
    top, bottom = sp.fraction(sp.together(part))
    return bool(sp.expand(top).is_positive and bottom.is_positive)


def terms_of(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    """Expand logarithms (only where the factors are known to be positive) and products; exponentials stay whole."""
    return sp.Add.make_args(_multiply_out(sp.expand_log(_multiply_out(sp.expand_log(expr)))))


def _multiply_out(expr: sp.Expr) -> sp.Expr:
    """sp.expand, with exponentials whole: it would carry exp(−a) into a denominator as exp(a)."""
    return with_whole_exponentials(lambda e: sp.expand(e, power_exp=False, power_base=False), expr)


def with_whole_exponentials(rewrite: Callable[[sp.Expr], sp.Expr], expr: sp.Expr) -> sp.Expr:
    """rewrite(expr), with exponentials as symbols meanwhile: SymPy takes exp(30000 x) for a polynomial of that degree."""
    names = {e: sp.Dummy(positive=e.is_positive) for e in expr.atoms(sp.exp)}
    return rewrite(expr.xreplace(names)).xreplace({name: e for e, name in names.items()})


# ---------------------------------------------------------------- growth

def is_tame(f: sp.Expr, x: sp.Symbol) -> bool:
    """Whether |f| is known to be at most a polynomial in |x|, far from zero, for all values of the other symbols."""
    if not f.has(x) or f == x:
        return True
    if isinstance(f, AppliedUndef):
        return True  # integrals of unknown functions are taken to exist
    if isinstance(f, sp.Add | sp.Mul | sp.Abs | sp.Max | sp.Min):
        return all(is_tame(arg, x) for arg in f.args)
    if isinstance(f, sp.sign | sp.Heaviside | sp.sin | sp.cos | sp.tanh | sp.atan | sp.erf | sp.erfc):
        return bool(f.args[0].is_extended_real)
    if isinstance(f, sp.Piecewise):
        return all(is_tame(branch, x) for branch, _ in f.args)
    if isinstance(f, sp.log):
        return bool(f.args[0].is_positive) and _is_between_exponentials(f.args[0], x)
    if isinstance(f, sp.exp):
        return bool(f.args[0].is_nonpositive)
    if isinstance(f, sp.Pow) and not f.exp.has(x):
        return bool(f.exp.is_nonnegative) and is_tame(f.base, x) or bool(f.exp.is_negative) and _is_off_zero(f.base, x)
    return False


def _is_off_zero(f: sp.Expr, x: sp.Symbol) -> bool:
    """Whether f is at least a positive constant: a sum of parts that are never negative, one of them a positive constant."""
    constant, rest = f.as_independent(x, as_Add=True)
    return bool(constant.is_positive and all(part.is_nonnegative for part in sp.Add.make_args(rest)))


def _is_between_exponentials(f: sp.Expr, x: sp.Symbol) -> bool:
    """Whether exp(−polynomial) ≤ f ≤ exp(polynomial) far from zero, where f is known to be positive."""
    if isinstance(f, sp.Add | sp.Mul):
        return all(arg.is_positive and _is_between_exponentials(arg, x) or isinstance(f, sp.Add) and arg.is_nonnegative
                   and is_tame(arg, x) and f.is_positive for arg in f.args)
    if isinstance(f, sp.Pow):
        return not f.exp.has(x) and _is_between_exponentials(f.base, x)
    return not f.has(x) or f == x or isinstance(f, sp.exp) and f.args[0].is_polynomial(x)


# ---------------------------------------------------------------- exponentials and powers

def factors_in(g: sp.Expr, u: sp.Symbol) -> tuple[int, sp.Expr, list[tuple[sp.Expr, sp.Expr, sp.Expr]]] | None:
    """(k, a, [(r, m, n), …]) if g = a·uᵏ·∏ r^(m·u + n), where no r holds u; None otherwise."""
    power, constant, others = 0, sp.S.One, []
    for factor in sp.Mul.make_args(g):
        base, p = factor.as_base_exp()
        if base == u and p.is_Integer and p > 0:
            power += int(p)
        elif not factor.has(u):
            constant *= factor
        elif not base.has(u) and p.is_polynomial(u) and sp.degree(p, u) == 1:
            others.append((base, *sp.Poly(p, u).all_coeffs()))
        else:
            return None
    return power, constant, others


def power_and_rate(g: sp.Expr, u: sp.Symbol) -> tuple[int, sp.Expr, sp.Expr] | None:
    """(k, c, a) if g = a·uᵏ·exp(c·u), where bases of powers are known to be positive; None otherwise."""
    found = factors_in(g, u)
    if found is None or not all(base.is_positive for base, _, _ in found[2]):
        return None
    power, constant, others = found
    rate = sp.Add(*(slope * sp.log(base) for base, slope, _ in others))
    return power, sp.expand(rate), constant * sp.Mul(*(base ** start for base, _, start in others))


def power_and_exponent(g: sp.Expr, u: sp.Symbol) -> tuple[int, sp.Expr, sp.Expr]:
    """(k, E, h) with g = uᵏ·exp(E)·h."""
    power, exponent, other = 0, sp.S.Zero, sp.S.One
    for factor in sp.Mul.make_args(g):
        base, p = factor.as_base_exp()
        if isinstance(factor, sp.exp):
            exponent += factor.exp
        elif base == u and p.is_Integer and p > 0:
            power += int(p)
        else:
            other *= factor
    return power, sp.expand(exponent), other


def quadratic(exponent: sp.Expr, u: sp.Symbol) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """(a, b, c) if the exponent is −a·u² + b·u + c with a known to be positive; None otherwise."""
    if not exponent.is_polynomial(u) or sp.degree(exponent, u) != 2:
        return None
    c2, b, c = sp.Poly(exponent, u).all_coeffs()
    a = sp.factor(-c2)
    return (a, b, c) if a.is_positive or sp.together(a).is_positive else None


def cancelled(expr: sp.Expr) -> sp.Expr:
    """sp.cancel, with square roots as symbols meanwhile whose squares are put in: it would multiply roots out."""
    roots = {p.base: sp.Dummy() for p in expr.atoms(sp.Pow) if p.exp.is_Rational and p.exp.q == 2}
    if not roots or any(p.exp.is_Rational and p.exp.q == 2 for base in roots for p in base.atoms(sp.Pow)):
        return sp.cancel(expr)
    plain = expr.replace(lambda e: isinstance(e, sp.Pow) and e.base in roots and e.exp.is_Rational and e.exp.q == 2,
                         lambda e: e.base ** (e.exp - sp.Rational(1, 2)) * roots[e.base])

    def reduced(e: sp.Expr) -> sp.Expr:
        for base, r in roots.items():
            e = sum((c * base ** (k // 2) * r ** (k % 2) for (k,), c in sp.Poly(e, r).terms()), sp.S.Zero) if e.has(r) else e
        return sp.expand(e)
    top, bottom = map(reduced, sp.fraction(sp.together(plain)))
    for r in roots.values():
        if bottom.has(r):
            other = bottom.subs(r, -r)
            top, bottom = reduced(top * other), reduced(bottom * other)
    return sp.cancel(top / bottom).xreplace({r: sp.sqrt(base) for base, r in roots.items()})
