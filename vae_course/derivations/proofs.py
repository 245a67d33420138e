"""Prove that an expression is zero, or never negative, for all values that its symbols may take.

Nothing here looks at numbers: a proof is a chain of exact rewritings. Logarithms are split only where SymPy knows the
factors to be positive, so a proof never holds "up to a complex branch".
"""

from collections.abc import Callable, Iterator

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import closed_form, terms_of
from vae_course.derivations.domain import inside, put_inside

Rewritings = dict[str, Callable[[sp.Expr], sp.Expr]]
DEEPEST = 7  # how many symbols are minimised over, one after the other


def simplify(expr: sp.Expr) -> sp.Expr:
    """SymPy's simplify, which leaves integrals alone: closed_form has seen to them."""
    return sp.simplify(expr, doit=False)


class Unproved(Exception):
    """No rule applied; the argument is what was left over."""


# ---------------------------------------------------------------- zero

def prove_equal(left: sp.Basic, right: sp.Basic, conditions: tuple = (), given: tuple = ()) -> str:
    """The name of the rewriting that turned left − right into zero. Raises Unproved with what was left over."""
    if isinstance(left, sp.MatrixBase):
        for one, other in zip(left, right):
            prove_equal(one, other, conditions, given)
        return "entry by entry"
    shapes = inside(conditions)
    left, right, *facts = (put_inside(shapes, e) for e in (left, right, *given))
    left_over = left - right
    for name, form in _rewritings(left, right, facts):
        if form == 0 or form.is_zero:
            return name
        if form.count_ops() < left_over.count_ops():
            left_over = form
    raise Unproved(left_over)


def _rewritings(left: sp.Expr, right: sp.Expr, facts: list) -> Iterator[tuple[str, sp.Expr]]:
    """Forms that are zero only if left = right. The cheap rewritings of every way of seeing the difference come first."""
    yield "the same expression", left - right
    ways = []
    for way in _ways(left, right, facts):
        ways.append(way)
        yield from _each(CHEAP, way)
    for way in ways:
        yield from _each(COSTLY, way)


def _each(rewritings: Rewritings, way: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    for name, rewrite in rewritings.items():
        form = attempt(rewrite, way)
        if form is not None:
            yield name, form


def _ways(left: sp.Expr, right: sp.Expr, facts: list) -> Iterator[sp.Expr]:
    """The difference as it stands; with integrals and sums in closed form; of logarithms; under one integral; with facts."""
    open_difference, one, other = left - right, left, right
    if _is_open(open_difference):
        one, other = closed_form(left), closed_form(right)
    yield one - other
    if one.is_positive and other.is_positive:  # ratios of exponentials become sums
        yield sp.expand_log(sp.log(sp.powsimp(one))) - sp.expand_log(sp.log(sp.powsimp(other)))
    for difference in (open_difference, one - other):
        if len(difference.atoms(sp.Integral, sp.Sum)) > 1:
            yield closed_form(same_range_together(difference))
    yield from _with_facts(one - other, facts)


def _is_open(expr: sp.Basic) -> bool:
    """Whether something is left to be carried out."""
    return expr.has(sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs, sp.Determinant, sp.Trace,
                    sp.MatrixExpr)


def attempt(rewrite: Callable[[sp.Expr], sp.Expr], expr: sp.Expr) -> sp.Expr | None:
    """rewrite(expr), or None where SymPy gives up with an error of its own: then another rule has its turn."""
    try:
        return rewrite(expr)
    except Exception:
        return None


def _expand_factored_logs(d: sp.Expr) -> sp.Expr:
    """log(a² − b²) as log(a − b) + log(a + b), log(1/(1 + a)) as −log(1 + a)."""
    factored = d.replace(lambda e: isinstance(e, sp.log), lambda e: sp.log(sp.factor(sp.together(e.args[0]))))
    return sp.expand_log(factored)


def _with_plain_exponents(d: sp.Expr) -> sp.Expr:
    """All exponentials of a product in one, whose exponent is expanded."""
    d = sp.powsimp(sp.expand(d, power_exp=False, power_base=False), combine="exp")
    return sp.expand(d.replace(lambda e: isinstance(e, sp.exp), lambda e: sp.exp(sp.expand(sp.cancel(sp.together(e.exp))))),
                     power_exp=False, power_base=False)


CHEAP: Rewritings = {
    "algebra": sp.expand,
    "logarithms": lambda d: sp.Add(*terms_of(d)),
    "a common denominator": lambda d: sp.cancel(sp.together(sp.Add(*terms_of(d)))) if not d.has(AppliedUndef) else d,
    "exponents": _with_plain_exponents,
}
COSTLY: Rewritings = {
    "logarithms of factors": lambda d: simplify(sp.expand(_expand_factored_logs(d))),
    "simplification": lambda d: simplify(d),
    "simplification of the logarithms": lambda d: simplify(sp.expand_log(sp.expand(d))),
    "exponentials": lambda d: simplify(sp.expand(d.rewrite(sp.exp), power_base=True)),
    "logarithms of factored exponentials": lambda d: simplify(_expand_factored_logs(d.rewrite(sp.exp))),
    "a common root": lambda d: sp.radsimp(simplify(sp.powdenest(sp.expand(d)))),
}


def same_range_together(d: sp.Expr) -> sp.Expr:
    """c₁∫f + c₂∫g over one range as one integral, which is zero if its integrand is; sums likewise."""
    collected: dict = {}
    rest = sp.S.Zero
    for term in terms_of(d):
        parts = [f for f in sp.Mul.make_args(term) if isinstance(f, sp.Integral | sp.Sum)]
        if len(parts) == 1 and len(parts[0].limits) == 1 and len(parts[0].limits[0]) == 3:
            part, = parts
            v, low, high = part.limits[0]
            u = sp.Symbol("_v", real=True, positive=True if low.is_nonnegative else None)
            collected.setdefault((part.func, u, low, high), []).append((term / part) * part.function.subs(v, u))
        else:
            rest += term
    for (func, *limit), integrands in collected.items():
        f = sp.Add(*terms_of(sp.Add(*integrands)))
        several = len(integrands) > 1
        is_zero = f == 0 or several and any(form == 0 for r in (CHEAP, COSTLY) for _, form in _each(r, f))
        rest += 0 if is_zero else func(f, tuple(limit))
    return rest


def _with_facts(d: sp.Expr, facts: list) -> Iterator[sp.Expr]:
    """Put known facts in: lhs → rhs as a whole, and a linear fact solved for each of its symbols."""
    if not facts:
        return
    closed = [(closed_form(fact.lhs), closed_form(fact.rhs)) for fact in facts]
    form = sp.expand(sp.Add(*terms_of(d)))
    for lhs, rhs in closed:
        form = form.subs(lhs, rhs)
    yield closed_form(form)
    solved = form
    for lhs, rhs in closed:
        for symbol in sorted(lhs.free_symbols | lhs.atoms(sp.Indexed), key=str):
            if lhs.is_polynomial(symbol) and sp.degree(lhs - rhs, symbol) == 1 and not lhs.has(sp.Integral):
                solution = sp.solve(lhs - rhs, symbol)[0]
                yield form.subs(symbol, solution)
                solved = solved.subs(symbol, solution)
                break
    yield solved


# ---------------------------------------------------------------- never negative

def prove_nonnegative(d: sp.Expr, conditions: tuple = (), given: tuple = ()) -> str:
    """How d ≥ 0 was shown. Raises Unproved with what was left over."""
    shapes = inside(conditions)
    d, *facts = (put_inside(shapes, e) for e in (d, *given))
    closed = closed_form(d)
    candidates = [closed, *_with_facts(closed, facts)]
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
    return _by_factors(d) or _by_parts(d, depth) or _by_integrand(d, depth) or _by_square(d) or _by_minimum(d, depth)


def _simplest(d: sp.Expr) -> sp.Expr:
    forms = [sp.Add(*terms_of(d)), sp.expand_log(simplify(_expand_factored_logs(d)))]
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


def _by_parts(d: sp.Expr, depth: int) -> str | None:
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
    if depth == 0 or d.has(sp.Abs, sp.sign, sp.Piecewise, sp.Max, sp.Min, sp.Heaviside):
        return None
    for x in sorted(d.free_symbols, key=lambda s: (sp.diff(d, s, 2).count_ops(), str(s))):
        if not x.is_real or not _is_smooth(d, x):
            continue
        slope = sp.factor(sp.together(sp.diff(d, x)))
        if slope == 0:
            continue
        for x0 in _roots(slope, x):
            if not _is_minimum(d, slope, x, x0):
                continue
            if _never_negative(d.subs(x, x0), depth - 1):
                return f"smallest at {x} = {x0}, where it is not negative"
    return None


def _is_smooth(d: sp.Expr, x: sp.Symbol) -> bool:
    """Whether d has no pole, and no end of its domain, where x may be: convexity would say nothing across it."""
    inner = [e.args[0] for e in d.atoms(sp.log) if e.has(x)]
    inner += [e.base for e in d.atoms(sp.Pow) if e.base.has(x) and not (e.exp.is_integer and e.exp.is_nonnegative)]
    return all(sp.factor(part).is_positive or sp.factor(part).is_negative for part in inner)


def _roots(slope: sp.Expr, x: sp.Symbol) -> list[sp.Expr]:
    """Solutions of slope = 0 that lie in the domain of x for all values of the other symbols."""
    try:
        found = sp.solve(slope, x)
    except NotImplementedError:
        return []
    found = [sp.factor(root) for root in found if isinstance(root, sp.Expr)]
    return [root for root in found if root.is_real and (not x.is_positive or root.is_positive)
            and (not x.is_negative or root.is_negative)]


def _is_minimum(d: sp.Expr, slope: sp.Expr, x: sp.Symbol, x0: sp.Expr) -> bool:
    curvature = sp.factor(sp.together(sp.diff(d, x, 2)))
    if curvature.is_nonnegative or _by_factors(curvature):
        return True
    quotient = sp.factor(sp.cancel(slope / (x - x0)))
    return bool(quotient.is_nonnegative or _by_factors(quotient))
