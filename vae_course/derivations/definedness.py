"""Where a line has a value: an equality claims that wherever one side is defined, both are."""

import sympy as sp
from sympy.core.relational import Relational

from vae_course.derivations.conditions import factors_of, known, need, parts_of, tidy
from vae_course.derivations.domain import inside, put_inside, put_outside
from vae_course.derivations.gaussians import NormalDensity
from vae_course.derivations.written import evaluated

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


def need_same_domain(before: sp.Basic, after: sp.Basic, where: tuple) -> None:
    """Say (`need`) under which conditions both lines are defined, where they do not have the same ones."""
    one, other = asked_by(before), asked_by(after)
    domain = inside(where)
    with known((*where, *domain.known)):
        for condition in sorted(one ^ other, key=str):
            for part in parts_of(tidy(put_inside(domain, condition))):
                if isinstance(part, Relational):  # and not true by the signs of the symbols
                    need(put_outside(domain, part))


def asked_by(line: sp.Basic) -> set[sp.Basic]:
    """The conditions on free symbols that the line needs to have a value, one for each factor of a denominator."""
    bound = _bound_in(line)
    found: set[sp.Basic] = set()
    for part in sp.preorder_traversal(line):
        for condition in _asked_by_part(part):
            if not condition.free_symbols & bound and condition.free_symbols:
                found.add(condition)
    return found


def _asked_by_part(part: sp.Basic) -> list[sp.Basic]:
    if isinstance(part, sp.Pow):
        base, exponent = evaluated(part.base), evaluated(part.exp)
        if exponent.is_nonnegative or base.is_zero is False or base.is_number:
            return []
        return [_not_zero(f) for f in factors_of(base) if f.free_symbols and f.is_zero is not False]
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
