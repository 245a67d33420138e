"""Prove that two lines are equal for all values that their symbols may take.

Nothing here looks at numbers: a proof is a chain of exact rewritings. Logarithms are split only where SymPy knows the
factors to be positive, so a proof never holds "up to a complex branch".
"""

from collections.abc import Callable, Iterator

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations.closed_forms import bound_variable, closed_form, terms_of
from vae_course.derivations.domain import inside, put_inside

Rewritings = dict[str, Callable[[sp.Expr], sp.Expr]]


def simplify(expr: sp.Expr) -> sp.Expr:
    """SymPy's simplify, which leaves integrals alone: closed_form has seen to them."""
    return sp.simplify(expr, doit=False)


class Unproved(Exception):
    """No rule applied; the argument is what was left over."""


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
    if left == right:
        yield "the same expression", sp.S.Zero
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
        one, other = attempt(closed_form, left), attempt(closed_form, right)
        if one is None or other is None:
            return
    if one.is_infinite or other.is_infinite:
        if one == other and (left == one or right == other):  # a limit is ∞: said with ∞ on one side only
            yield sp.S.Zero
        return
    yield one - other
    if one.is_positive and other.is_positive:  # ratios of exponentials become sums
        yield sp.expand_log(sp.log(sp.powsimp(one))) - sp.expand_log(sp.log(sp.powsimp(other)))
    for difference in (open_difference, one - other):
        if len(difference.atoms(sp.Integral, sp.Sum)) > 1:
            together = attempt(lambda e: closed_form(same_range_together(e)), difference)
            yield difference if together is None else together
    yield from with_facts(one - other, facts)


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


def expand_factored_logs(d: sp.Expr) -> sp.Expr:
    """log(a² − b²) as log(a − b) + log(a + b), log(1/(1 + a)) as −log(1 + a)."""
    factored = d.replace(lambda e: isinstance(e, sp.log), lambda e: sp.log(sp.factor(sp.together(e.args[0]))))
    return sp.expand_log(factored)


def _with_plain_exponents(d: sp.Expr) -> sp.Expr:
    """All exponentials of a product in one, whose exponent is expanded."""
    d = sp.powsimp(sp.expand(d, power_exp=False, power_base=False), combine="exp")
    return sp.expand(d.replace(lambda e: isinstance(e, sp.exp), lambda e: sp.exp(sp.expand(sp.cancel(sp.together(e.exp))))),
                     power_exp=False, power_base=False)


CASES = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside, sp.Piecewise)
CHEAP: Rewritings = {
    "algebra": sp.expand,
    "logarithms": lambda d: sp.Add(*terms_of(d)),
    "a common denominator": lambda d: sp.cancel(sp.together(sp.Add(*terms_of(d)))) if not d.has(AppliedUndef) else d,
    "exponents": _with_plain_exponents,
}
COSTLY: Rewritings = {
    "logarithms of factors": lambda d: simplify(sp.expand(expand_factored_logs(d))),
    "simplification": lambda d: simplify(d),
    "simplification of the logarithms": lambda d: simplify(sp.expand_log(sp.expand(d))),
    "exponentials": lambda d: simplify(sp.expand(d.rewrite(sp.exp), power_base=True)),
    "logarithms of factored exponentials": lambda d: simplify(expand_factored_logs(d.rewrite(sp.exp))),
    "cases": lambda d: simplify(sp.piecewise_fold(d.rewrite(sp.Piecewise))) if d.has(*CASES) else d,
    "error functions": lambda d: simplify(d.rewrite(sp.erf)) if d.has(sp.erfc) else d,
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
            u = bound_variable(low, high, 99, integer=isinstance(part, sp.Sum))
            collected.setdefault((part.func, u, low, high), []).append((term / part) * part.function.subs(v, u))
        else:
            rest += term
    for (func, *limit), integrands in collected.items():
        f = sp.Add(*terms_of(sp.Add(*integrands)))
        several = len(integrands) > 1
        is_zero = f == 0 or several and any(form == 0 for r in (CHEAP, COSTLY) for _, form in _each(r, f))
        rest += 0 if is_zero else func(f, tuple(limit))
    return rest


def with_facts(d: sp.Expr, facts: list) -> Iterator[sp.Expr]:
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
        for symbol in sorted(lhs.free_symbols | lhs.atoms(sp.Indexed, AppliedUndef), key=str):
            if lhs.is_polynomial(symbol) and sp.degree(lhs - rhs, symbol) == 1 and not lhs.has(sp.Integral) \
                    and sp.expand(lhs - rhs).coeff(symbol).is_nonzero:
                solution = sp.solve(lhs - rhs, symbol)[0]
                yield form.subs(symbol, solution)
                solved = solved.subs(symbol, solution)
                break
    yield solved
