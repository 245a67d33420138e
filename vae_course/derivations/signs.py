"""Show that an expression is never negative, for all values that its symbols may take.

The rules are the table RULES. To add one, write a function that says in words how it shows d ≥ 0, or gives None, and a line
for it in tests/test_inequalities.py, with one line that it must not show.
"""

from collections.abc import Callable
from functools import partial

import sympy as sp
from sympy.core.assumptions import check_assumptions
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import is_ordered, terms_of
from vae_course.derivations.domain import LONGEST_RANGE
from vae_course.derivations.minima import smallest_values
from vae_course.derivations.proofs import attempt, expand_factored_logs, simplify
from vae_course.derivations.reality import in_range, is_shown_real
from vae_course.derivations.tangents import tangent_bounds

DEEPEST = 7  # how many symbols are minimised over, one after the other
OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs)
VALUES = (AppliedUndef, sp.Indexed)
Rule = Callable[..., str | None]  # of the expression and of `depth`, by name


def never_negative(d: sp.Expr, depth: int) -> str | None:
    """How d ≥ 0 is shown for all values of its symbols, by the first of RULES that does; None if none does."""
    if d.xreplace({e: sp.S.Zero for e in d.atoms(*OPEN)}).has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        return None
    d = named(d)
    simplest = _simplest(d)
    for rule in RULES:
        for form in dict.fromkeys([simplest, d] if rule in QUICK else [simplest]):
            if reason := attempt(partial(rule, depth=depth), form):
                return reason
    return None


def named(d: sp.Expr) -> sp.Expr:
    """A symbol for each value of an unknown function, and for each derivative, that stands outside integrals and sums."""
    names: dict = {}

    def put(e: sp.Basic) -> sp.Basic:
        if isinstance(e, (*VALUES, sp.Derivative, sp.Subs)):
            return names.setdefault(e, sp.Dummy(str(e), real=is_shown_real(e) or None, positive=e.is_positive or None,
                                                nonnegative=e.is_nonnegative or None, negative=e.is_negative or None))
        inner = e.args and not isinstance(e, OPEN) and e.has(*VALUES, sp.Derivative, sp.Subs)
        return e.func(*map(put, e.args)) if inner else e

    return put(d)


def _simplest(d: sp.Expr) -> sp.Expr:
    forms = [sp.Add(*terms_of(d)), sp.expand_log(simplify(expand_factored_logs(d)))]
    if 0 in forms or any(form.is_nonnegative for form in forms):
        return next(form for form in forms if form.is_nonnegative)
    return min(forms, key=lambda form: form.count_ops())


def _by_sign(d: sp.Expr, depth: int) -> str | None:
    return "it is zero" if d == 0 else "its sign is known" if d.is_nonnegative else None


def _by_factors(d: sp.Expr, depth: int = 0) -> str | None:
    """A product of even powers and of factors with a known sign."""
    top, bottom = sp.fraction(sp.together(d))
    sign = 1
    for part in (top, bottom):
        constant, factors = sp.factor_list(part)
        sign *= sp.sign(constant)
        for factor, power in factors:
            if power % 2 == 0 and is_shown_real(factor) or factor.is_nonnegative or _by_square(factor, depth):
                continue
            if not (factor.is_nonpositive or _by_square(-factor, depth)):
                return None
            sign *= (-1) ** power
    return "a product of squares and positive factors" if sign >= 0 else None


def _by_parts(d: sp.Expr, depth: int) -> str | None:
    """A sum whose terms are each never negative."""
    parts = sp.Add.make_args(d)
    shown = (part.is_nonnegative or _by_factors(part) or _by_integrand(part, depth) for part in parts)
    return "a sum of parts that are never negative" if len(parts) > 1 and all(shown) else None


def _by_integrand(d: sp.Expr, depth: int) -> str | None:
    """One integral or sum whose integrand is never negative inside its limits."""
    constant, part = d.as_independent(sp.Integral, sp.Sum, as_Add=False)
    if not isinstance(part, sp.Integral | sp.Sum) or not constant.is_nonnegative or depth == 0:
        return None
    if not all(len(limit) == 3 and is_ordered(*limit[1:]) for limit in part.limits) or not is_shown_real(part):
        return None
    return "its integrand is never negative" if never_negative(in_range(part), depth - 1) else None


def _by_square(d: sp.Expr, depth: int) -> str | None:
    """A quadratic a·x² + b·x + c in a real symbol with a, c ≥ 0 and 4ac − b² ≥ 0."""
    for x in sorted(d.free_symbols, key=str):
        if x.is_real and d.is_polynomial(x) and sp.degree(d, x) == 2:
            a, b, c = sp.Poly(d, x).all_coeffs()
            if not is_shown_real(b):
                continue
            parts = (sp.factor(part) for part in (a, 4 * a * c - b ** 2, c))
            if all(part.is_nonnegative or depth > 0 and _by_factors(part, depth - 1) for part in parts):
                return f"a square in {x} and a rest that is never negative"
    return None


def _by_roots(d: sp.Expr, depth: int) -> str | None:
    """A polynomial in roots of positive symbols, such as a + b − 2√(ab), or in exponentials."""
    d = sp.expand(d.rewrite(sp.exp), power_exp=True)
    new: dict[sp.Expr, int] = {}
    powers: dict[sp.Expr, tuple[sp.Expr, sp.Rational]] = {}
    for power in d.atoms(sp.Pow, sp.exp):
        symbol, exponent = (power.base, power.exp) if power.is_Pow and not power.base.is_number else (sp.S.Exp1, power.exp)
        number, symbol = exponent.as_coeff_Mul() if symbol == sp.E else (exponent, symbol)
        name = sp.exp(symbol) if power == sp.exp(number * symbol) else symbol
        if number.is_Rational and (name.is_Symbol and name.is_nonnegative or isinstance(name, sp.exp) and name.is_positive):
            powers[power] = name, number
            new[name] = sp.ilcm(new.get(name, 1), number.q)
    free = {name: sp.Dummy(nonnegative=True, positive=name.is_positive) for name in new}
    put = {power: free[name] ** (number * new[name]) for power, (name, number) in powers.items()}
    put |= {name: free[name] ** q for name, q in new.items()}
    return "a polynomial in roots and exponentials that is never negative" if new and _by_factors(d.subs(put), 2) else None


def _by_range(d: sp.Expr, depth: int) -> str | None:
    """Linear in a function between −1 and 1, and not negative where that is −1 or 1."""
    for e in sorted(d.atoms(sp.sin, sp.cos, sp.tanh, sp.erf), key=str):
        f = sp.expand(d).subs(e, x := sp.Dummy(real=True))
        if e.is_real and not sp.expand(f).diff(x).has(x) and f.has(x):
            ends = [f.subs(x, end) for end in (-1, 1)]
            if depth > 0 and all(_by_sign(end, 0) or _by_range(end, depth - 1) or _simply(end) for end in ends):
                return f"{e} lies between −1 and 1"
    return None


def _by_tangents_of_exp(d: sp.Expr, depth: int) -> str | None:
    """exp(u) ≥ exp(v)·(1 + u − v) for each exponential that is added, at one v for all."""
    found = sorted(d.atoms(sp.exp), key=str)
    names = {e: sp.Dummy(positive=True) for e in found}
    f = sp.expand(sp.expand(d, power_exp=False).xreplace(names))
    slopes = {e: sp.factor(f.diff(name)) for e, name in names.items()}
    if not found or not all(e.exp.is_real for e in found) or any(slope.has(*names.values()) for slope in slopes.values()):
        return None
    for v in dict.fromkeys([sp.S.Zero, *(e.exp for e in found)]):
        put = {names[e]: sp.exp(v) * (1 + e.exp - v) if slopes[e].is_nonnegative else e for e in found}
        if _simply(sp.factor(sp.expand(f.xreplace(put)))):
            return f"exp u ≥ exp v (1 + u − v) at v = {v}"
    return None


def _by_neighbours(d: sp.Expr, depth: int) -> str | None:
    """A polynomial in an integer: between its real roots at each integer, beyond them by its signs."""
    for n in sorted((s for s in d.free_symbols if s.is_integer and not (s.is_even or s.is_odd or s.is_prime)), key=str):
        roots = [r for factor, _ in sp.factor_list(sp.fraction(sp.together(d))[0])[1] if factor.free_symbols == {n}
                 for r in sp.Poly(factor, n).real_roots()]
        low, high = (int(sp.floor(min(roots))), int(sp.ceiling(max(roots)))) if roots else (0, 99)
        if high - low > LONGEST_RANGE or depth == 0:
            continue
        far, above, below = sp.Dummy(integer=True, nonnegative=True), sp.Dummy(integer=True, positive=True), n.is_nonnegative
        at = [sp.Integer(v) for v in range(low, high + 1)] + [low - far] * (not below or low > 0) + [high + above]
        if all(_simply(d.subs(n, v)) for v in at if check_assumptions(v, against=n) is not False):
            return f"so it is at each integer {n}"
    return None


def _by_squares_of_both(d: sp.Expr, depth: int) -> str | None:
    """P − N with P ≥ 0 and P² ≥ N²."""
    parts = sp.Add.make_args(sp.expand(d))
    up = sp.Add(*(part for part in parts if part.is_nonnegative))
    down = up - d
    if depth == 0 or up == 0 or not d.atoms(sp.Pow, sp.Abs) or not is_shown_real(down):
        return None
    if not any(e.exp.is_Rational and e.exp.q > 1 for e in d.atoms(sp.Pow)):
        return None
    return "it is so for the squares of both sides" if _simply(sp.expand(up ** 2 - down ** 2)) else None


def _by_tangents(d: sp.Expr, depth: int) -> str | None:
    """log u ≤ u − 1 for each logarithm, with its weight."""
    shown = any(bound == 0 or attempt(_simply, bound) for bound in tangent_bounds(d))
    return "log u ≤ u − 1, and what is left is never negative" if shown else None


def _simply(d: sp.Expr) -> str | None:
    """The rules that take little time."""
    d = sp.factor(sp.together(d))
    return (_by_sign(d, 0) or _by_factors(d, 3) or _by_parts(sp.expand(d), 0) or _by_square(d, 3)
            or _by_range(d, 2))


def _by_minimum(d: sp.Expr, depth: int) -> str | None:
    """Its smallest value over one symbol is never negative, by the same rules."""
    if depth == 0:
        return None
    for value, words in smallest_values(d, lambda e: bool(e.is_nonnegative or attempt(_simply, e))):
        if never_negative(value, depth - 1):
            return f"{words}, and not negative there"
    return None


QUICK: tuple[Rule, ...] = (_by_sign, _by_factors, _by_parts, _by_integrand)  # these see more forms than the simplest
RULES: tuple[Rule, ...] = (*QUICK, lambda d, depth: _by_square(d, 3), _by_roots, _by_squares_of_both, _by_range,
                           _by_neighbours, _by_tangents_of_exp, _by_tangents, _by_minimum)
