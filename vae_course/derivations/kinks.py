"""Where |x|, max, steps and cases change: ranges of integrals cut there, and what is left of them in between."""

from functools import cmp_to_key

import sympy as sp
from sympy.core.relational import Relational

from vae_course.derivations.functions import KINKS, bound_variable, free_level, is_nonzero, is_ordered

Piece = tuple[sp.Expr, sp.Symbol, sp.Expr, sp.Expr]


class Unordered(Exception):
    """Two places where something changes, of which it is not known which comes first."""


def pieces(g: sp.Expr, u: sp.Symbol, low: sp.Expr, high: sp.Expr) -> list[Piece] | None:
    """(g, variable, from, to) for parts of the range without kinks inside; None if they are not found."""
    shapes = {e: roots_of(e, u) for e in changing(g, u)}
    roots = {e: shape for e, shape in shapes.items() if shape is not None}
    if not is_ordered(low, high) or len(roots) < len(shapes):
        return None
    try:
        places = _in_order({root for _, places in roots.values() for root, _ in places}, low, high)
    except Unordered:
        return None
    ends = [low, *places, high]
    found = []
    for left, right in zip(ends, ends[1:]):
        v = bound_variable(left, right, free_level(g))
        signs = {e: sign for e, shape in roots.items() if (sign := _sign(shape, left, right)) is not None}
        if len(signs) < len(roots):
            return None
        found.append((_without_kinks(g, u, signs).subs(u, v), v, left, right))
    return found


def changing(g: sp.Expr, u: sp.Symbol) -> set[sp.Expr]:
    """Expressions at whose zeros a kink of g lies."""
    found: set = set()
    for e in g.atoms(*KINKS):
        if not e.has(u):
            continue
        if isinstance(e, sp.Max | sp.Min):
            found |= {a - b for i, a in enumerate(e.args) for b in e.args[:i]}
        elif isinstance(e, sp.Piecewise):
            relations = set().union(*(condition.atoms(Relational) for _, condition in e.args))
            found |= {r.lhs - r.rhs for r in relations if not isinstance(r, sp.Eq | sp.Ne)}
        else:
            found.add(e.args[0])
    return {e for e in found if e.has(u)}


def roots_of(e: sp.Expr, u: sp.Symbol) -> tuple[int, list[tuple[sp.Expr, int]]] | None:
    """(sign, [(root, m), …]) with e = sign·(something positive)·∏(u − root)ᵐ; None if e is not known to be that."""
    if not e.is_extended_real or not e.is_polynomial(u):
        return None
    sign, roots = 1, []
    for factor, m in [(sp.factor_list(e)[0], 1), *sp.factor_list(e)[1]]:
        if factor.has(u) and sp.degree(factor, u) == 1:
            slope, start = sp.Poly(factor, u).all_coeffs()
            roots.append((sp.expand(sp.cancel(-start / slope)), m))
            factor = slope
        if not is_nonzero(sp.sympify(factor)):
            return None
        sign *= -1 if m % 2 and not (factor.is_positive or sp.factor(factor).is_positive) else 1
    return sign, roots


def _in_order(places: set[sp.Expr], low: sp.Expr, high: sp.Expr) -> list[sp.Expr]:
    """The places strictly inside the range, from left to right."""
    inside = []
    for place in places:
        if is_ordered(place, low) or is_ordered(high, place):
            continue
        if not (is_ordered(low, place) and is_ordered(place, high)):
            raise Unordered
        inside.append(place)

    def compare(a: sp.Expr, b: sp.Expr) -> int:
        if not (is_ordered(a, b) or is_ordered(b, a)):
            raise Unordered
        return 0 if a == b else -1 if is_ordered(a, b) else 1
    return sorted(inside, key=cmp_to_key(compare))


def _sign(shape: tuple[int, list], left: sp.Expr, right: sp.Expr) -> int | None:
    """The sign of an expression between two neighbouring places."""
    sign, roots = shape
    for root, m in roots:
        if is_ordered(right, root):
            sign *= (-1) ** m
        elif not is_ordered(root, left):
            return None
    return sign


def _without_kinks(g: sp.Expr, u: sp.Symbol, signs: dict[sp.Expr, int]) -> sp.Expr:
    """g where each expression has the given sign."""
    def largest(args: tuple, way: int) -> sp.Expr:
        best = args[0]
        for other in args[1:]:
            difference = other - best
            sign = signs.get(difference) or -signs.get(-difference, 0) or int(sp.sign(difference))
            best = other if sign == way else best
        return best

    def relation(r: Relational) -> sp.Basic:
        if not (r.lhs - r.rhs).has(u):
            return r
        if isinstance(r, sp.Eq | sp.Ne):
            return sp.S(isinstance(r, sp.Ne))
        return sp.S((signs[r.lhs - r.rhs] > 0) == isinstance(r, sp.Gt | sp.Ge))

    def of_cases(condition: sp.Basic) -> sp.Basic:
        return condition.replace(lambda r: isinstance(r, Relational), relation)

    rules = {sp.Abs: lambda e: signs[e.args[0]] * e.args[0], sp.sign: lambda e: sp.Integer(signs[e.args[0]]),
             sp.Heaviside: lambda e: sp.Integer(signs[e.args[0]] > 0), sp.Max: lambda e: largest(e.args, 1),
             sp.Min: lambda e: largest(e.args, -1),
             sp.Piecewise: lambda e: sp.Piecewise(*((branch, of_cases(condition)) for branch, condition in e.args))}
    innermost = sorted((e for e in g.atoms(*KINKS) if e.has(u) and not any(a.has(*KINKS) for a in e.args)), key=str)
    while innermost:
        g = g.xreplace({e: rules[e.func](e) for e in innermost})
        innermost = sorted((e for e in g.atoms(*KINKS) if e.has(u) and not any(a.has(*KINKS) for a in e.args)), key=str)
    return g
