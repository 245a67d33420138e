"""Where a line has a value: an equality claims that wherever one side is defined, both are."""

from collections.abc import Callable

import sympy as sp
from sympy.core.function import AppliedUndef

from vae_course.derivations import sums
from vae_course.derivations.closed_forms import WHOLES, closed_form
from vae_course.derivations.conditions import NotApplicable, factors_of, known, need, parts_of, tidy
from vae_course.derivations.convergence import converges
from vae_course.derivations.domain import inside, put_inside, put_outside
from vae_course.derivations.functions import bound_variable
from vae_course.derivations.gaussians import NormalDensity, written_out
from vae_course.derivations.scopes import unconditionally
from vae_course.derivations.verdicts import Line
from vae_course.derivations.written import evaluated

EVERY = "every"

# Functions that have no value at some real numbers, and the condition under which they have one.
POLES = {
    sp.log: lambda a: sp.Ne(a, 0),
    sp.gamma: lambda a: sp.Gt(a, 0),
    sp.loggamma: lambda a: sp.Gt(a, 0),
    sp.digamma: lambda a: sp.Gt(a, 0),
    sp.factorial: lambda a: sp.Ge(a, 0),
    sp.tan: lambda a: sp.Ne(sp.cos(a), 0),
    sp.sec: lambda a: sp.Ne(sp.cos(a), 0),
    sp.cot: lambda a: sp.Ne(sp.sin(a), 0),
    sp.csc: lambda a: sp.Ne(sp.sin(a), 0),
    sp.coth: lambda a: sp.Ne(a, 0),
    sp.csch: lambda a: sp.Ne(a, 0),
    sp.acoth: lambda a: sp.Ne(a ** 2, 1),
    sp.atanh: lambda a: sp.Ne(a ** 2, 1),
}


def need_same_domain(before: Line, line: Line, where: tuple) -> None:
    """Say (`need`) under which conditions both lines are defined, where they do not have the same ones."""
    for one in (before, line):
        lost = {evaluated(part) for part in one.shown.atoms(*WHOLES)} - one.expression.atoms(*WHOLES)
        for part in sorted(lost, key=str):  # it cancels when the line is evaluated, as in 0·∫1/x dx
            if isinstance(part, WHOLES) and not exists(part):
                raise NotApplicable(f"that {part} has a value")
    domain = inside(where)
    with known((*where, *domain.known)):
        for condition in sorted(asked_by(before.shown) ^ asked_by(line.shown), key=str):
            if any(s.name.startswith(EVERY) for s in condition.free_symbols):
                raise NotApplicable(f"{condition}")
            condition = condition.args[0] if isinstance(condition, sp.Or) else condition
            for part in parts_of(tidy(put_inside(domain, condition))):
                if part != sp.true:  # by the signs of the symbols
                    need(put_outside(domain, part))


def exists(whole: sp.Expr) -> bool:
    """Whether an integral, sum, limit or derivative is shown to have a value; those of unknown functions are taken to."""
    if whole.has(AppliedUndef, sp.Indexed):
        return True
    return bool(unconditionally(_has_value, written_out(whole)))


def _has_value(whole: sp.Expr) -> bool:
    closed = closed_form(whole)
    left = closed.atoms(*WHOLES)
    converging = all(isinstance(part, sp.Integral) and len(part.limits) == 1 and converges(part.function, *part.limits[0])
                     for part in left)
    rest = closed.xreplace(dict.fromkeys(left, sp.S.One))
    return converging and not rest.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.AccumBounds)


def exist_with(expr: sp.Basic, put: Callable[[sp.Basic], sp.Basic]) -> bool:
    """Whether what vanishes from the expression when values are put in, as in 0·∫, has a value there."""
    return all(exists(put(whole)) for whole in expr.atoms(*WHOLES) if not put(expr).has(put(whole)))


def asked_by(line: sp.Basic) -> set[sp.Basic]:
    """The conditions on free symbols that the line needs to have a value, one for each factor of a denominator."""
    bound = _bound_in(line)
    found = {c for part in sp.preorder_traversal(line) for c in _asked_by_part(part) if not c.free_symbols & bound}
    for whole in line.atoms(sp.Sum, sp.Product):
        asked = {c for part in sp.preorder_traversal(whole.function) for c in _asked_by_part(part)}
        for limit in whole.limits:
            asked = {other for c in asked for other in _for_all(c, *limit)}
        found |= {c for c in asked if not c.free_symbols & bound}
    return found


def _for_all(condition: sp.Basic, v: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[sp.Basic]:
    """What must hold so that every term from low to high meets the condition: nothing, if that is shown."""
    if v not in condition.free_symbols:
        return [condition]
    low, high = evaluated(low), evaluated(high)
    n = sums.length(low, high)
    if n is not None:
        each = (condition.subs(v, low + j) for j in range(n))
        return [c for c in each if c != sp.true]
    if tidy(condition.subs(v, bound_variable(low, high, 0, integer=True))) == sp.true:
        return []
    f = condition.lhs if isinstance(condition, sp.Ne) else sp.S.Zero
    if f.is_polynomial(v) and sp.degree(f, v) == 1:
        root = sp.solve(f, v)[0]
        if root.is_integer is False or (root - low).is_negative or (root - high).is_positive:
            return []
    return [condition.xreplace({v: sp.Symbol(f"{EVERY} {v} from {low} to {high}", integer=True)})]


def _asked_by_part(part: sp.Basic) -> list[sp.Basic]:
    if isinstance(part, sp.Pow):
        base, exponent = evaluated(part.base), evaluated(part.exp)
        if base.has(*WHOLES) and (closed := unconditionally(closed_form, written_out(base))) is not None:
            base = closed
        if exponent.is_nonnegative or base.is_zero is False:
            return []
        if base == 0:
            return [sp.Ge(exponent, 0)]
        factors = [_not_zero(f) for f in factors_of(base) if f.free_symbols and f.is_zero is not False]
        return factors if exponent.is_negative else [sp.Or(f, sp.Ge(exponent, 0), evaluate=False) for f in factors]
    if isinstance(part, sp.Piecewise) and part.args[-1].cond != True:  # noqa: E712
        return [part.args[-1].cond if len(part.args) == 1 else sp.Or(*(piece.cond for piece in part.args))]
    if isinstance(part, NormalDensity):
        return [_not_zero(f) for f in factors_of(evaluated(part.args[2])) if f.free_symbols]
    if isinstance(part, sp.MatPow) and part.exp.is_negative:
        return [_not_zero(sp.det(part.base.as_explicit()))]
    rule = POLES.get(part.func)
    if rule is None:
        return []
    condition = rule(evaluated(part.args[0]))
    if isinstance(condition, sp.Ne):
        return [_not_zero(f) for f in factors_of(condition.lhs - condition.rhs) if f.free_symbols]
    return [condition] if condition not in (sp.true, sp.false) else []


def _not_zero(factor: sp.Expr) -> sp.Ne:
    """factor ≠ 0 in one form: a sign does not matter."""
    factor = sp.expand(factor)
    return sp.Ne(-factor if factor.could_extract_minus_sign() else factor, 0, evaluate=False)


def _bound_in(line: sp.Basic) -> set[sp.Basic]:
    """The variables of integrals, sums and limits: whether those exist is another question."""
    wholes = line.atoms(sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Subs)
    return {s for whole in wholes for s in getattr(whole, "bound_symbols", None) or
            ([whole.args[1]] if isinstance(whole, sp.Limit) else [])}
