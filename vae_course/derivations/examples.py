"""Concrete functions and numbers in place of unknown ones, such that every assumption and every fact holds."""

from collections.abc import Iterable, Iterator, Sequence

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations.closed_forms import closed_form
from vae_course.derivations.numbers import NoValue, certified
from vae_course.derivations.preparing import OPEN, prepared

SCALES = [sp.Rational(*q) for q in [(2, 1), (1, 2), (3, 1), (3, 2), (2, 3), (5, 4)]]
SHIFTS = [sp.Rational(*q) for q in [(0, 1), (3, 2), (-2, 3), (2, 1)]]
ASSUMPTIONS = (
    "complex", "extended_real", "real", "finite", "infinite", "rational", "irrational", "integer", "noninteger", "even",
    "odd", "prime", "composite", "zero", "nonzero", "positive", "negative", "nonnegative", "nonpositive", "imaginary",
    "extended_positive", "extended_negative", "extended_nonnegative", "extended_nonpositive", "extended_nonzero")


def obeys(symbol: sp.Basic, number: sp.Expr) -> bool:
    """Whether every assumption of the symbol is known to hold for the number."""
    wanted = {name: getattr(symbol, f"is_{name}", None) for name in ASSUMPTIONS}
    return all(getattr(number, f"is_{name}") == want for name, want in wanted.items() if want is not None)


def put_in(expr: sp.Basic, functions: dict) -> sp.Basic:
    """The expression with concrete functions in place of the unknown ones."""
    for f, example in functions.items():
        expr = expr.replace(f, example)
    return expr


def unknown_functions(exprs: Iterable[sp.Basic]) -> dict[UndefinedFunction, int]:
    """The functions that stand with more than plain numbers somewhere → how many arguments they have.

    At whole numbers and fractions values may be chosen one by one; f(log 2 + log 3) is f(log 6).
    """
    applied = sorted(set().union(*(e.atoms(AppliedUndef) for e in exprs)), key=str)
    return {atom.func: len(atom.args) for atom in applied if not all(arg.is_Rational for arg in atom.args)}


def keep_to_assumptions(values: Iterable[AppliedUndef], functions: dict, numbers: dict) -> bool:
    """Whether concrete functions have the assumptions of the unknown ones at numbers that are not real, too."""
    if not functions or all(v.is_real for v in numbers.values()):
        return True
    found = ((value, put_in(value, functions).xreplace(numbers)) for value in values)
    return all(number.free_symbols or obeys(value, number) for value, number in found)


def concrete_functions(arity: dict[UndefinedFunction, int], facts: tuple, k: int) -> dict[UndefinedFunction, sp.Lambda]:
    """The k-th choice of a concrete function for each unknown one; facts that define or normalise one are kept to."""
    defined = {f: (args, other) for fact in facts for f, args, other in _definition(fact) if f in arity}
    found: dict[UndefinedFunction, sp.Lambda] = {}
    for i, (f, n) in enumerate(arity.items()):
        if f not in defined:
            found[f] = _example(f, n, facts, i + k)
    for _ in defined:
        for f, (args, other) in defined.items():
            if f not in found and not other.atoms(AppliedUndef) - {a for a in other.atoms(AppliedUndef) if a.func in found}:
                found[f] = sp.Lambda(args, closed_form(put_in(other, found)))
    return {f: found[f] if f in found else _example(f, n, facts, k) for f, n in arity.items()}


def _definition(fact: sp.Equality) -> Iterator[tuple]:
    """(f, its arguments, what f is) if the fact says f(x, …) = something without f."""
    for one, other in ((fact.lhs, fact.rhs), (fact.rhs, fact.lhs)):
        if isinstance(one, AppliedUndef) and not other.has(one.func) and len(set(one.args)) == len(one.args) \
                and all(isinstance(arg, sp.Symbol) for arg in one.args):
            yield one.func, one.args, other
            return


def _example(f: UndefinedFunction, n: int, facts: tuple, k: int) -> sp.Lambda:
    """A function that has the assumptions of f; one that is never negative is a density in what the facts sum over."""
    xs = sp.symbols(f"x:{n}", cls=sp.Dummy, real=True)
    value = f(*xs)
    sigma, shift = (SCALES[(k + 2) % 6], SHIFTS[k % 4]) if k % 4 != 3 else (sp.S.One, sp.S.Zero)
    if value.is_integer or value.is_imaginary or value.is_zero:
        constants = [c for c in (2, 3, 1, 4, -1, -2, 0, sp.I, 2 * sp.I) if obeys(value, sp.sympify(c))]
        return sp.Lambda(xs, constants[k % len(constants)])
    if value.is_nonnegative or value.is_nonpositive:
        sums = [s for fact in facts for s in fact.atoms(sp.Integral, sp.Sum) if s.function.has(f)]
        is_one = any(s.function.func == f and 1 in fact.args for fact in facts for s in fact.args if s in sums)
        factor = (1 if value.is_nonnegative else -1) * (1 if is_one else SCALES[k % 6])
        return sp.Lambda(xs, factor * _density(f, xs, sums, sigma, shift))
    middle = shift + sum(x / 3 for x in xs[1:])
    wave = (xs[0] ** 2 + xs[0] - shift) * sp.exp(-(xs[0] - middle) ** 2 / (2 * sigma ** 2)) + shift
    return sp.Lambda(xs, wave if value.is_real or k % 3 < 2 else sp.I * wave)


def _density(f: UndefinedFunction, xs: tuple, sums: list, sigma: sp.Expr, shift: sp.Expr) -> sp.Expr:
    """Positive everywhere, and one in sum over each variable that a fact sums over; in the first, if none does."""
    together = [[(args.index(v), low, high, isinstance(s, sp.Sum)) for v, low, high in s.limits if v in args]
                for s in sums for args in [next(iter(a.args for a in s.function.atoms(AppliedUndef) if a.func == f))]]
    together = [places for places in together if places] or [[(0, -sp.oo, sp.oo, False)]]
    joint = max(together, key=len)
    alone = {place[0] for places in together for place in places}
    slope = sp.Rational(1, 3) if len(joint) == len(alone) else sp.S.One  # N(x − y; …) is a density in x and in y
    density, before = sp.S.One, [x for i, x in enumerate(xs) if i not in {place[0] for place in joint}]
    for i, low, high, counted in joint:
        x, rate = xs[i], sp.Rational(1, 2) if counted else 1 / sigma
        if counted:
            last = 0 if high == sp.oo else rate ** (high + 1)
            density *= rate ** x * (1 - rate) / (rate ** low - last)
        elif low == -sp.oo and high == sp.oo:
            density *= sp.exp(-(x - shift - slope * sum(before)) ** 2 / (2 * sigma ** 2)) / sp.sqrt(2 * sp.pi) / sigma
        elif low.is_finite:
            last = 0 if high == sp.oo else sp.exp(-rate * high)
            density *= rate * sp.exp(-rate * x) / (sp.exp(-rate * low) - last)
        before.append(x)
    return density


# ---------------------------------------------------------------- numbers that satisfy the facts

def through_points(facts: Sequence[sp.Equality], functions: dict, numbers: dict) -> dict:
    """The concrete functions bent so that facts such as f(2) = 3 hold."""
    for f, example in functions.items():
        x, targets = example.variables[0], {}
        for fact in facts:
            for one, other in ((fact.lhs, fact.rhs), (fact.rhs, fact.lhs)):
                if isinstance(one, AppliedUndef) and one.func == f and len(one.args) == 1 and one.args[0].is_number:
                    targets[one.args[0]] = put_in(other, functions).xreplace(numbers)
        if targets:
            positive = f(x).is_positive
            gaps = [(a, t / example(a) if positive else t - example(a)) for a, t in targets.items()]
            bend = sp.interpolate([(a, sp.log(g) if positive else g) for a, g in gaps], x) if len(gaps) > 1 else None
            if positive:
                expr = example.expr * (gaps[0][1] if bend is None else sp.exp(bend))
            else:
                expr = example.expr + (gaps[0][1] if bend is None else bend)
            functions = functions | {f: sp.Lambda(x, expr)}
    return functions


def satisfying(equations: list[sp.Expr], numbers: dict) -> Iterator[dict]:
    """Numbers near the given ones for which all equations are zero, if the assumptions allow such."""
    names = list(numbers)
    for shrink in (1, sp.Rational(1, 8)):  # positive parts of a whole shrink until they leave something
        start = {s: v * shrink if s.is_positive and not s.is_integer and any(e.has(s) for e in equations) else v
                 for s, v in numbers.items()}
        for turn in range(min(3, len(names))):
            solved = _solved(equations, start, names[len(names) - turn:] + names[:len(names) - turn])
            if solved is not None and all(obeys(s, solved[s]) for s in names):
                yield solved
                break
        else:
            continue
        return


def _solved(equations: list[sp.Expr], numbers: dict, names: list) -> dict | None:
    pivots: dict = {}
    for equation in equations:
        d = equation.xreplace(pivots)
        if _is_zero(d.xreplace(numbers)):
            continue
        for s in reversed([s for s in names if s not in pivots and d.has(s)]):
            value = _root(d, s, {t: v for t, v in numbers.items() if t != s})
            if value is not None:
                pivots = {t: e.xreplace({s: value}) for t, e in pivots.items()} | {s: value}
                break
        else:
            return None
    return numbers | {s: sp.sympify(e).xreplace(numbers) for s, e in pivots.items()}


def _is_zero(d: sp.Expr) -> bool:
    if d.is_zero is not None and not d.has(*OPEN):
        return d.is_zero
    try:
        found = certified(prepared(d))
    except NoValue:
        return False
    return found.low <= 0 <= found.high and found.high - found.low < 1e-6


def _root(d: sp.Expr, s: sp.Basic, others: dict) -> sp.Expr | None:
    """s such that d = 0, in the other symbols if d is linear in s, else for these numbers; None if none is found."""
    own = sp.Dummy(real=True)
    d = d.xreplace({s: own})
    slope = d.diff(own)
    if not slope.has(own):
        return sp.expand(own - d / slope) if slope.xreplace(others).is_nonzero else None
    d = d.xreplace(others)
    if d.is_polynomial(own):
        roots = [r for r in sp.roots(sp.Poly(d, own)) if obeys(s, r)]
        return roots[-1] if roots else None
    solutions = sp.solveset(d, own, sp.S.Reals)
    return next((r for r in solutions if obeys(s, r)), None) if isinstance(solutions, sp.FiniteSet) else None
