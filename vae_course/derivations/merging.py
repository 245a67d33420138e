"""Integrals and sums over one range as one: only such as exist by themselves, for ∞ − ∞ is no number."""

import sympy as sp

from vae_course.derivations.convergence import converges
from vae_course.derivations.functions import bound_variable, terms_of
from vae_course.derivations.sums import series_converges


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
    return rest + sp.Add(*(_merged(func, integrands, limit) for (func, *limit), integrands in collected.items()))


def _merged(func, integrands: list[sp.Expr], limit: list) -> sp.Expr:
    """One integral of those that exist and of at most one other; the others as one only if nothing is left of them."""
    sure = [f for f in integrands if len(integrands) == 1 or _exists(func, f, *limit)]
    others = [f for f in integrands if f not in sure]
    if len(others) > 1:
        cancel = len(others) == 2 and sp.Add(*terms_of(sp.Add(*others))) == 0
        apart = sp.S.Zero if cancel else sp.Add(*(func(f, tuple(limit)) for f in others))
        return apart + (_merged(func, sure, limit) if sure else 0)
    f = sp.Add(*terms_of(sp.Add(*sure, *others)))
    return sp.S.Zero if f == 0 else func(f, tuple(limit))


def _exists(func, f: sp.Expr, v: sp.Symbol, low: sp.Expr, high: sp.Expr) -> bool:
    if func is sp.Integral:
        return bool(converges(f, v, low, high))
    return bool(low != -sp.oo and high != sp.oo or series_converges(f, v, low))
