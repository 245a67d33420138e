"""Where symbols live: shapes take exactly the allowed values, and contradictions are told."""

from itertools import islice, product

import pytest
import sympy as sp
from sympy.core.assumptions import assumptions, check_assumptions

from vae_course.derivations.consistency import contradiction, satisfiable
from vae_course.derivations.domain import cases, inside, put_inside, put_outside, simple_values, single_conditions

x, y, a, b, w1, w2 = sp.symbols("x y a b w_1 w_2", real=True)
p, q, P = sp.symbols("p q P", positive=True)
c = sp.Symbol("c", nonnegative=True)
n, k = sp.symbols("n k", integer=True)
even, odd, prime = sp.Symbol("e", even=True), sp.Symbol("o", odd=True), sp.Symbol("r", prime=True)
t = sp.Symbol("t")
off = sp.Symbol("v", real=True, nonzero=True)
half = sp.Rational(1, 2)

SHAPED = [
    (p < 1,), (c < 1,), (x >= 3,), (x > 3,), (x <= 3,), (n > 5 * half,), (n >= 5 * half,), (n < 5 * half,),
    (n >= 2,), (even > 3,),
    (odd > 3,), (odd <= -2,), (t > 0,), (t > 0, t < sp.oo), (off > 1,), (w1 > 0, w2 > 0, w1 + w2 < 1), (p + q < 1,),
    (p + q <= 1,),
    (c + p <= 1,), (a < b,), (0 < a, a < b), (0 < a, a < b, b < 1), (k >= 1, k <= n), (sp.Abs(x) < 1,), (x ** 2 < 4,),
    (sp.Ne(a, 0),), (sp.Ne(a * b, 0),), (sp.And(0 < x, x < 1),), (p < a,), (p < q,), (2 * p < 1,), (1 - p > 0,),
    (p > 1, p < 2),
    (a < x, x < b), (p + 2 * q < 3,), (x < 1, x < 2, x > 0), (x >= 2, x <= 2), (x + y < 1, x - y < 1)]
UNSHAPED = [(prime > 3,), (off > -1,), (sp.Symbol("u", extended_real=True) > 1,), (x > 1, x < 0),
            (n > 0, n < 5), (x >= 0, x <= 1)]


def allowed(conditions: tuple, symbols: list, most: int = 400):
    """Points of simple numbers that meet all conditions."""
    for values in islice(product(*(simple_values(s, far=len(symbols) == 1) for s in symbols)), most):
        point = dict(zip(symbols, values))
        if all(v.is_real for v in values) and all(c.subs(point) == sp.true for c in single_conditions(conditions)):
            yield point


def symbols_of(conditions: tuple) -> list:
    return sorted(set().union(*(condition.free_symbols for condition in conditions)), key=str)


def takes(where, point: dict) -> bool:
    """Whether some values of the free symbols give the point."""
    free = {f: value.subs(point) for f, value in where.back.items()}
    fits = all(check_assumptions(value, against=f) for f, value in free.items())
    return fits and all(sp.simplify(shape.subs(free).subs(point) - point[s]) == 0 for s, shape in where.shapes.items())


@pytest.mark.parametrize("conditions", SHAPED, ids=str)
def test_a_shape_takes_exactly_the_allowed_values(conditions):
    where = inside(conditions)
    assert where.shapes and all(condition.has(sp.Abs) for condition in where.known)
    free = sorted(where.back, key=str)
    for values in islice(product(*(simple_values(f, far=True) for f in free)), 300):
        point = {s: shape.subs(dict(zip(free, values))) for s, shape in where.shapes.items()}
        assert all(condition.subs(point) == sp.true for condition in single_conditions(conditions))
        assert all(check_assumptions(value, against=s) for s, value in point.items())
    met = list(allowed(conditions, symbols_of(conditions)))
    assert met and all(takes(where, point) for point in met)


@pytest.mark.parametrize("conditions", UNSHAPED, ids=str)
def test_what_a_shape_cannot_carry_stays_known(conditions):
    where = inside(conditions)
    assert not where.shapes and where.known == conditions


@pytest.mark.parametrize(("conditions", "n_cases"), [
    ((x >= 0, x <= 1), 2), ((n > 0, n < 5), 4), ((n >= 0, n <= 2), 3), ((even > 0, even < 7), 3), ((sp.Abs(x) <= 1,), 2),
    ((c <= 1,), 2), ((x >= 0, x <= 1, n > 0, n < 3), 4), ((p < 1,), 1), ((n > 0, n < 100), 1)])
def test_cases_cover_closed_ranges_and_a_few_integers(conditions, n_cases):
    every = cases(conditions)
    assert len(every) == n_cases
    assert all(any(takes(where, point) for where in every) for point in allowed(conditions, symbols_of(conditions)))


def test_special_values_are_kept():
    for conditions, symbol, end in [((c < 1,), c, 0), ((n > 5 * half,), n, 3), ((x >= 2,), x, 2)]:
        where = inside(conditions)
        at_end = {f: 1 if f.is_positive else 0 for f in where.back}
        assert where.shapes[symbol].subs(at_end) == end
    assert inside((even > 3,)).shapes[even].is_even and inside((odd > 3,)).shapes[odd].is_odd
    assert inside((sp.Ne(t, 0),)).shapes[t].is_zero is False and inside((sp.Ne(t, 0),)).shapes[t].is_real is None


def test_inside_and_outside():
    where = inside((w1 > 0, w2 > 0, w1 + w2 < 1))
    put = put_inside(where, sp.log(1 - w1 - w2) + w1 / w2)
    assert not put.has(w1, w2) and put.args and all(part.args[0].is_positive for part in put.atoms(sp.log))
    assert sp.simplify(put_outside(where, put) - (sp.log(1 - w1 - w2) + w1 / w2)) == 0
    assert put_inside(where, x) == x == put_outside(inside(()), x)


KINDS = """real positive negative nonnegative nonpositive nonzero zero integer noninteger even odd prime composite rational
irrational algebraic transcendental imaginary complex finite extended_real extended_positive hermitian""".split()


@pytest.mark.parametrize("kind", KINDS)
def test_values_meet_every_assumption(kind):
    for far in (False, True):
        symbol = sp.Symbol("s", **{kind: True})
        values = simple_values(symbol, far)
        assert values and len(set(values)) == len(values)
        assert all(getattr(v, f"is_{name}") is truth for v in values for name, truth in assumptions(symbol).items())


def test_values_reach_where_rules_break():
    assert {0, 1, -1} <= set(simple_values(x, far=False)) and {0, 1} <= set(simple_values(c, far=False))
    assert min(simple_values(p, far=True)) <= sp.Rational(1, 10 ** 6) and max(simple_values(p, far=True)) >= 10 ** 6
    assert any(not v.is_real for v in simple_values(t, far=True)) and 0 not in simple_values(p, far=True)
    assert 1 in simple_values(weights[1], False) and 0 not in simple_values(g(2), True)


# ---------------------------------------------------------------- can they hold together

z, u, m = sp.symbols("z u m", real=True)
g, h = (sp.Function(name, positive=True) for name in "gh")
f = sp.Function("f", real=True)
weights, entries = sp.IndexedBase("q", positive=True), sp.IndexedBase("c", real=True)


def total(inner, variable=z):
    return sp.Integral(inner, (variable, -sp.oo, sp.oo))


def eq(left, right):
    return sp.Eq(left, right, evaluate=False)


CONTRADICTIONS = [
    ((), (eq(x, 1), eq(x, 2))), ((), (eq(total(g(z)), 1), eq(total(g(z)), 2))), ((), (eq(total(g(z)), 1),
    eq(total(g(u), u), 2))),
    ((), (eq(total(g(z)), 1), eq(total(2 * g(z)), 3))), ((p < 1, p > 2), ()), ((), (eq(x ** 2, -1),)), ((),
    (eq(p + q, 0),)),
    ((n > 0, n < 1), ()), ((), (eq(x, 1), eq(x ** 2, 2))), ((), (eq(x ** 2, 2), eq(x ** 3, 3))), ((sp.Ne(a, 0),),
    (eq(a, 0),)),
    ((x <= 0, x >= 0, sp.Ne(x, 0)), ()), ((x ** 2 > 4, sp.Abs(x) < 1), ()), ((), (eq(x ** 2 + y ** 2, 1), eq(x ** 2, 2))),
    ((x ** 2 > 2,), (eq(x ** 2 + y ** 2, 1),)), ((a < b, b < a), ()), ((p + q < 1, p > half, q > half), ()),
    ((), (eq(p + q, 1), eq(p, 2))), ((), (eq(2 * n, 1),)), ((), (eq(2 * n + 4 * k, 3),)), ((), (eq(t, 1), eq(t, 2))),
    ((), (eq(g(1), -1),)), ((), (eq(total(g(z)), -1),)), ((n > half, n < 3 * half / 2), ()), ((x > 1,),
    (eq(sp.exp(x), 1),)),
    ((), (eq(weights[1] + weights[2], 1), eq(weights[1], 2))), ((), (eq(x + y, 1), eq(x - y, 1), eq(y, 3))),
    ((), (eq(prime, 4),)), ((), (eq(sp.log(p), 1), eq(sp.log(p), 2))), ((x > 3,), (eq(x ** 2, 4),)), ((sp.false,), ())]
CONSISTENT = [
    ((), ()), ((p < 1,), ()), ((p < 1,), (eq(total(g(z)), 1),)), ((), (eq(total(g(z)), 1), eq(total(h(z)), 1))),
    ((), (eq(total(g(z)), 1), eq(total(z * g(z)), m))), ((), (eq(total(g(z)), 1), eq(total(z ** 2 * g(z)), P))),
    ((), (eq(p + q + P, 1),)), ((), (eq(weights[1] + weights[2] + weights[3], 1),)), ((), (eq(x ** 2, y),)), ((),
    (eq(a * x, b),)),
    ((n > 0, n < 5), ()), ((x >= 0, x <= 1), ()), ((sp.Ne(a, 0),), ()), ((sp.Ne(x, 1),), ()), ((), (eq(p + q, n),)),
    ((), (eq(total(g(z)), P),)), ((), (eq(f(x), x ** 2),)), ((x ** 2 > 4,), ()), ((a < b,), ()),
    ((x + y < 1, x - y < 1), ()),
    ((), (eq(sp.Sum(weights[k], (k, 1, 5)), 1),)), ((), (eq(sp.Sum(entries[k], (k, 1, even)), even * m),)),
    ((), (eq(x ** 2, 2),)), ((), (eq(P * h(z), g(z)),)), ((), (eq(total(sp.Function("r", positive=True)(x, z)), h(x)),))]


@pytest.mark.parametrize(("conditions", "given"), CONTRADICTIONS, ids=str)
def test_contradictions_are_told(conditions, given):
    words = contradiction((*conditions, P > 7, sp.Ne(m, 5)), given)  # two more, which play no part
    assert words and "cannot hold" in words and "7" not in words and "5" not in words
    assert not satisfiable(conditions, given)


@pytest.mark.parametrize(("conditions", "given"), CONSISTENT, ids=str)
def test_what_can_hold_is_never_called_a_contradiction(conditions, given):
    assert contradiction(conditions, given) is None and satisfiable(conditions, given)


def test_words_name_what_plays_a_part():
    assert contradiction((p < 1, a < b), (eq(p, 2), eq(x, y))) == "p < 1 and p = 2 cannot hold together"
    assert contradiction((), (eq(p + q, 0),)) == "p + q = 0 cannot hold"


def test_what_is_not_shown_is_neither():
    moments = (eq(total(g(z)), 1), eq(total(z * g(z)), 2), eq(total(z ** 2 * g(z)), 1))  # a variance of −3
    for given in (moments, (eq(sp.cos(x), 2),)):
        assert contradiction((), given) is None and not satisfiable((), given)
