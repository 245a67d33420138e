"""Make a formula ready for numbers: nothing that a number is put in for may be a bound variable."""

import sympy as sp

from vae_course.derivations.closed_forms import closed_form


class SlopeAt(sp.Expr):
    """The derivative of args[0] by args[1], args[2] times, at args[3]; numbers can be put in for what is free there."""


OPEN = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Derivative, sp.Subs, SlopeAt)


def prepared(expr: sp.Basic) -> sp.Basic:
    """The formula with derivatives carried out, and with bound variables that no number can be put in for."""
    if expr.has(sp.Determinant, sp.Trace, sp.MatrixExpr):
        expr = closed_form(expr)
    bound = (sp.Integral, sp.Sum, sp.Product, sp.Limit)
    if expr.has(*bound):
        expr = expr.replace(lambda e: isinstance(e, bound), _with_own_variables)
    if expr.has(sp.Derivative, sp.Subs):
        expr = expr.replace(lambda e: isinstance(e, sp.Derivative | sp.Subs), _differentiated)
    return expr


def _differentiated(e: sp.Expr) -> sp.Expr:
    if not e.has(sp.Integral, sp.Sum, sp.Limit):
        return e.doit(integrals=False)
    if isinstance(e, sp.Subs):
        return e.expr.xreplace(dict(zip(e.variables, e.point)))
    f = e.expr
    for x, times in e.variable_count:  # a derivative at a point, where x may become a number
        own = sp.Dummy(x.name, **x.assumptions0)
        f = SlopeAt(f.xreplace({x: own}), own, times, x)
    return f


def _with_own_variables(e: sp.Expr) -> sp.Expr:
    args = list(e.args)
    if isinstance(e, sp.Limit):
        own = sp.Dummy(args[1].name, **args[1].assumptions0)
        return sp.Limit(args[0].xreplace({args[1]: own}), own, *args[2:])
    for k, limit in enumerate(e.limits, start=1):
        own = {limit[0]: sp.Dummy(limit[0].name, **limit[0].assumptions0)}
        args[:k] = [arg.xreplace(own) for arg in args[:k]]
        args[k] = sp.Tuple(own[limit[0]], *limit[1:])
    return e.func(*args)
