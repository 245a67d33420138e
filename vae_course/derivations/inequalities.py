"""Prove that an expression is never negative, for all values that its symbols may take."""

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import closed_form, is_ordered, is_smooth, same_range_together, terms_of
from vae_course.derivations.domain import inside, put_inside
from vae_course.derivations.facts import with_facts
from vae_course.derivations.proofs import Unproved, attempt, expand_factored_logs, simplify

DEEPEST = 7  # how many symbols are minimised over, one after the other


def prove_nonnegative(d: sp.Expr, conditions: tuple = (), given: tuple = ()) -> str:
    """How d ≥ 0 was shown. Raises Unproved with what was left over."""
    shapes = inside(conditions)
    d, *facts = (put_inside(shapes, e) for e in (d, *given))
    closed = closed_form(d)
    candidates = [closed, *with_facts(closed, sp.S.Zero, facts, d.free_symbols)]
    if closed.has(sp.Integral, sp.Sum):
        candidates.append(same_range_together(closed))
    for candidate in candidates:
        reason = _never_negative(candidate, DEEPEST)
        if reason:
            return reason
    raise Unproved(simplify(candidates[-1]))


def _never_negative(d: sp.Expr, depth: int) -> str | None:
    d = _simplest(d)
    if d.is_nonnegative:
        return "its sign is known"
    if d.free_symbols & d.atoms(sp.Integral):
        return None
    rules = (_by_factors, _by_parts, lambda e: _by_integrand(e, depth), _by_square, lambda e: _by_minimum(e, depth))
    return next((reason for rule in rules if (reason := attempt(rule, d))), None)


def _simplest(d: sp.Expr) -> sp.Expr:
    forms = [sp.Add(*terms_of(d)), sp.expand_log(simplify(expand_factored_logs(d)))]
    if 0 in forms or any(form.is_nonnegative for form in forms):
        return next(form for form in forms if form.is_nonnegative)
    return min(forms, key=lambda form: form.count_ops())


def _by_factors(d: sp.Expr) -> str | None:
    """A product of even powers and of factors with a known sign."""
    top, bottom = sp.fraction(sp.together(d))
    sign = 1
    for part in (top, bottom):
        constant, factors = sp.factor_list(part)
        sign *= sp.sign(constant)
        for factor, power in factors:
            if power % 2 == 0 and factor.is_real or factor.is_nonnegative:
                continue
            if not factor.is_nonpositive:
                return None
            sign *= (-1) ** power
    return "a product of squares and positive factors" if sign >= 0 else None


def _by_parts(d: sp.Expr) -> str | None:
    """A sum whose terms are each never negative."""
    parts = sp.Add.make_args(d)
    if len(parts) > 1 and all(part.is_nonnegative or _by_factors(part) for part in parts):
        return "a sum of parts that are never negative"
    return None


def _by_integrand(d: sp.Expr, depth: int) -> str | None:
    """One integral or sum whose integrand is never negative; values of unknown positive functions count as symbols."""
    constant, part = d.as_independent(sp.Integral, sp.Sum, as_Add=False)
    if not isinstance(part, sp.Integral | sp.Sum) or not constant.is_nonnegative or len(part.limits) != 1:
        return None
    if len(part.limits[0]) != 3 or not is_ordered(*part.limits[0][1:]):
        return None
    f = part.function
    for k, atom in enumerate(sorted(f.atoms(AppliedUndef), key=str)):
        f = f.subs(atom, sp.Symbol(f"_f{k}", positive=atom.is_positive, real=True))
    if f.has(sp.Integral, sp.Sum) or depth == 0 or not _never_negative(f, depth - 1):
        return None
    return "its integrand is never negative"


def _by_square(d: sp.Expr) -> str | None:
    """A quadratic a·x² + b·x + c in a real symbol with a > 0 and 4ac − b² ≥ 0."""
    for x in sorted(d.free_symbols, key=str):
        if d.is_polynomial(x) and sp.degree(d, x) == 2:
            a, b, c = sp.Poly(d, x).all_coeffs()
            discriminant = sp.factor(4 * a * c - b ** 2)
            if x.is_real and sp.factor(a).is_positive and (discriminant.is_nonnegative or _by_factors(discriminant)):
                return f"a square in {x} and a rest that is never negative"
    return None


def _by_minimum(d: sp.Expr, depth: int) -> str | None:
    """The only minimum over one symbol is found, and the value there is never negative (by the same rules).

    That x₀ is the minimum over all x is shown by convexity (d″ ≥ 0), or by d′ = (x − x₀)·g with g ≥ 0.
    """
    if depth == 0:
        return None
    for x in sorted(d.free_symbols, key=lambda s: (sp.diff(d, s, 2).count_ops(), str(s))):
        if not x.is_real or not is_smooth(d, x):
            continue
        slope = sp.factor(sp.together(sp.diff(d, x)))
        if slope == 0:
            continue
        end = _lowest_end(d, slope, x)
        if end is not None and _never_negative(end, depth - 1):
            return f"it only rises or only falls in {x}, and is not negative at the lower end"
        for x0 in _roots(slope, x):
            if not _is_minimum(d, slope, x, x0):
                continue
            if _never_negative(d.subs(x, x0), depth - 1):
                return f"smallest at {x} = {x0}, where it is not negative"
    return None


def _lowest_end(d: sp.Expr, slope: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """For a monotone d on ℝ or x > 0: its limit at the end where it is lowest; None if it is not that, or has no limit."""
    if slope.is_nonnegative or _by_factors(slope):
        end = d.subs(x, 0) if x.is_nonnegative else attempt(lambda e: sp.limit(e, x, -sp.oo), d)
    elif (-slope).is_nonnegative or _by_factors(-slope):
        end = d.subs(x, 0) if x.is_nonpositive else attempt(lambda e: sp.limit(e, x, sp.oo), d)
    else:
        return None
    return None if end is None or end.has(sp.oo, -sp.oo, sp.zoo, sp.nan, sp.AccumBounds, sp.Limit) else end


def _roots(slope: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """Solutions of slope = 0 that lie in the domain of x for all values of the other symbols."""
    try:
        found = sp.solve(slope, x)
    except NotImplementedError:
        return []
    found = [sp.factor(root) for root in found if isinstance(root, sp.Expr)]
    signs = ("is_real", "is_positive", "is_negative", "is_nonnegative", "is_nonpositive")
    return [root for root in found if all(getattr(root, sign) for sign in signs if getattr(x, sign))]


def _is_minimum(d: sp.Expr, slope: sp.Expr, x: sp.Symbol, x0: sp.Expr) -> bool:
    curvature = sp.factor(sp.together(sp.diff(d, x, 2)))
    if curvature.is_nonnegative or _by_factors(curvature):
        return True
    quotient = sp.factor(sp.cancel(slope / (x - x0)))
    return bool(quotient.is_nonnegative or _by_factors(quotient))
