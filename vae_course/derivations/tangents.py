"""Lower bounds from log u ≤ u − 1: Jensen's inequality, Gibbs' inequality and their kin in one rule."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import sympy as sp
from sympy.core.assumptions import assumptions
from sympy.core.function import AppliedUndef
from sympy.solvers.simplex import InfeasibleLPError, lpmin

from vae_course.derivations.closed_forms import same_range_together, terms_of
from vae_course.derivations.proofs import expand_factored_logs

MOST_LOGS = 24


@dataclass
class Weighted:
    """A positive weight w with what it multiplies: w·(Σ cⱼ log aⱼ + rest)."""

    logs: dict[sp.Expr, sp.Rational] = field(default_factory=dict)
    rest: sp.Expr = sp.S.Zero


def tangent_bounds(d: sp.Expr) -> Iterator[sp.Expr]:
    """Expressions without logarithms that, where they are never negative, show that d never is.

    d times its positive denominator is Σ w·(−log r) + rest with positive weights w, hence at least Σ w·(1 − r) + rest.
    """
    found = _by_weights(d)
    if found is None:
        return
    parts, rest = found
    for strategy in (_one_ratio, _one_ratio_with_the_rest, _means):
        bounds = [strategy(part) for part in parts.values()]
        if None not in bounds:
            yield rest + sum(weight * bound for weight, bound in zip(parts, bounds))


def _by_weights(d: sp.Expr) -> tuple[dict[sp.Expr, Weighted], sp.Expr] | None:
    """The logarithms of d by their weights, and what has none; None if a logarithm has a factor of unknown sign."""
    d = expand_factored_logs(d)
    logs = sorted(d.atoms(sp.log), key=str)
    if not logs or len(logs) > MOST_LOGS or not all(e.args[0].is_positive for e in logs):
        return None
    names = {e: sp.Dummy(f"log{k}", real=True) for k, e in enumerate(logs)}
    top, bottom = sp.fraction(sp.together(d.xreplace(names)))
    if sp.factor(bottom).is_negative:
        top, bottom = -top, -bottom
    if not sp.factor(bottom).is_positive or bottom.has(*names.values()):
        return None
    parts: dict[sp.Expr, Weighted] = {}
    plain: list[tuple[sp.Expr, sp.Expr]] = []
    for term in sp.Add.make_args(sp.expand(top)):
        number, weight, other = _split(term, set(names.values()))
        if not other.has(*names.values()):
            plain.append((weight, number * other))
            continue
        log = next((e for e, name in names.items() if name == other), None)
        if log is None or not number.is_Rational:
            return None
        part = parts.setdefault(weight, Weighted())
        part.logs[log.args[0]] = part.logs.get(log.args[0], 0) + number
    rest = sp.S.Zero
    for weight, other in plain:
        if weight in parts:
            parts[weight].rest += other
        else:
            rest += weight * other
    return parts, rest


def _split(term: sp.Expr, names: set) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """(number, what is never negative, the rest) with the product `term`."""
    number, weight, other = sp.S.One, sp.S.One, sp.S.One
    for factor in sp.Mul.make_args(term):
        if factor.is_Rational:
            number *= factor
        elif factor.is_nonnegative and factor not in names:
            weight *= factor
        else:
            other *= factor
    return number, weight, other


def _one_ratio(part: Weighted) -> sp.Expr:
    """g·(1 − r) + rest, where Σ cⱼ log aⱼ = −g·log r."""
    scale = abs(sp.gcd_list(list(part.logs.values())))
    return scale * (1 - _ratio(part, scale)) + part.rest


def _one_ratio_with_the_rest(part: Weighted) -> sp.Expr | None:
    """g·(1 − r), where Σ cⱼ log aⱼ + rest = −g·log r."""
    scale = abs(sp.gcd_list(list(part.logs.values())))
    return scale * (1 - _ratio(part, scale) * sp.exp(-part.rest / scale)) if part.rest != 0 else None


def _ratio(part: Weighted, scale: sp.Rational) -> sp.Expr:
    return sp.Mul(*(a ** (-c / scale) for a, c in part.logs.items()))


def _means(part: Weighted) -> sp.Expr | None:
    """Jensen: Σ cᵢ log Sᵢ ≥ the negative terms, if each Sᵢ is a mean of their arguments and the means use them up.

    Which means those are is a linear programme in rational numbers.
    """
    logs: dict[sp.Expr, sp.Rational] = {}
    numbers = sp.S.Zero
    for a, c in part.logs.items():
        mass = sum(a.as_coefficients_dict().values())  # forms a/3 + 2b/3 are compared, whose numbers sum to one
        if not mass > 0:
            return _one_ratio(part)
        logs[sp.expand(a / mass)] = logs.get(sp.expand(a / mass), 0) + c
        numbers += c * sp.log(mass)
    logs.pop(sp.S.One, None)
    up, down = {a: c for a, c in logs.items() if c > 0}, {a: -c for a, c in logs.items() if c < 0}
    if not up or not down or sum(up.values()) != sum(down.values()) or len(up) * len(down) > 40:
        return _one_ratio(part)
    plan = {(s, a): sp.Dummy() for s in up for a in down}
    equations = [sum(plan[s, a] for s in up) - c for a, c in down.items()]
    for s, c in up.items():
        mean = sp.expand(sum(plan[s, a] * a for a in down) - c * s)
        equations += sp.Poly(mean, *sorted(mean.free_symbols - set(plan.values()), key=str)).coeffs()
    return numbers + part.rest if _has_solution(equations, list(plan.values())) else None


def _has_solution(equations: list[sp.Expr], unknowns: list[sp.Symbol]) -> bool:
    """Whether numbers that are not negative solve the linear equations; a solution is found, and checked."""
    for solution in sp.linsolve(equations, *unknowns):
        free = sorted(set().union(*(e.free_symbols for e in solution)), key=unknowns.index)
        try:
            values = lpmin(sum(free), [e >= 0 for e in solution if e.free_symbols])[1] if free else {}
        except InfeasibleLPError:
            return False
        return all(e.subs(values).is_nonnegative for e in solution)
    return False


def under_one_integral(d: sp.Expr, facts: list) -> Iterator[sp.Expr]:
    """The same bounds for an integral or sum of such expressions; what stands outside is carried in by a fact ∫w = 1."""
    together = same_range_together(d)
    wholes = [e for e in together.atoms(sp.Integral, sp.Sum) if len(e.limits) == 1]
    if len(wholes) != 1:
        return
    whole, = wholes
    whole_name = sp.Dummy()
    named = sp.expand(together.xreplace({whole: whole_name}))
    scale = named.coeff(whole_name)
    rest = sp.expand(named - scale * whole_name)
    if not scale.is_positive or rest.has(whole_name):
        return
    (v, low, high), inner = whole.limits[0], scale * whole.function
    names = {f: sp.Dummy(str(f), **assumptions(f)) for f in inner.atoms(AppliedUndef, sp.Indexed)}
    weights = [w for fact in facts for w in _weights_of(fact, whole)] if rest != 0 else []
    for outside, carried in [(sp.S.Zero, rest * w) for w in weights] + [(rest, sp.S.Zero)]:
        f = sp.Add(*terms_of(inner + carried))
        if f.has(sp.Derivative, sp.Integral, sp.Sum, sp.Subs):
            return
        f = f.subs(names)
        for bound in tangent_bounds(f):
            back = sp.expand(sp.powsimp(sp.expand(bound))).subs({name: f for f, name in names.items()})
            yield whole.func(back, (v, low, high)) + outside


def _weights_of(fact: sp.Eq, whole: sp.Expr) -> Iterator[sp.Expr]:
    """w where the fact says ∫w = 1 over the same range."""
    for side, value in (fact.args, fact.args[::-1]):
        if isinstance(side, type(whole)) and value == 1 and len(side.limits) == 1:
            (v, *ends), (u, *wanted) = side.limits[0], whole.limits[0]
            if ends == wanted:
                yield side.function.subs(v, u)
