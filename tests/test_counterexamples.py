"""The search: no true line is refuted, wrong ones are, and each counterexample keeps to what was said of its symbols."""

import pytest
import sympy as sp

from vae_course.derivations import counterexamples, examples, normal_density
from vae_course.derivations.clock import time_limit
from vae_course.derivations.gaussians import written_out

x, y, z, mu, m, a, t, u = sp.symbols("x y z mu m a t u", real=True)
sigma, tau, X, s, P = sp.symbols("sigma tau X s P", positive=True)
p, c = sp.symbols("p c", nonnegative=True)
n, k = sp.symbols("n k", integer=True)
n1, k0 = sp.Symbol("n", integer=True, positive=True), sp.Symbol("k", integer=True, nonnegative=True)
w = sp.Symbol("w")
R, Int, oo, L, exp, log, pi, sqrt, Sum, Eq, N = (
    sp.Rational, sp.Integral, sp.oo, sp.Limit, sp.exp, sp.log, sp.pi, sp.sqrt, sp.Sum, sp.Eq, normal_density)
q, r, h = (sp.Function(name, positive=True) for name in "qrh")
f, below = sp.Function("f"), sp.Function("below", negative=True)
qi = sp.IndexedBase("q", positive=True)
F = Int(t ** 3 * exp(-t ** 2 * X), (X, 0, oo))


def line(integrand, v=x):
    return Int(integrand, (v, -oo, oo))


def kl(mean, variance):
    return (mean ** 2 + variance - 1 - log(variance)) / 2


def look(left, right, relation="==", conditions=(), given=()):
    given = tuple(Eq(written_out(fact.lhs), written_out(fact.rhs), evaluate=False) for fact in given)
    with time_limit(8):
        return counterexamples.search(*map(written_out, map(sp.sympify, (left, right))), relation, conditions, given)


mass, both = Eq(line(q(z), z), 1), Eq(line(h(x, z), x), 1)
TRUE = {
    "far": (line(N(x, 128, 1)), 1), "narrow": (line(N(x, R(1, 2), R(1, 10 ** 6))), 1),
    "50 mu": (line(N(x, 50 * mu, sigma ** 2)), 1),
    "very far": (line(N(x, 5000, 1)), 1), "wide": (line(N(x, 0, 10 ** 12)), 1),
    "far mean": (line(x * N(x, 100, 25)), 100),
    "a far mixture": (line((N(x, -200, 1) + N(x, 200, 1)) / 2), 1),
    "a narrow mixture": (line((N(x, -200, R(1, 10 ** 4)) + N(x, 200, 1)) / 2 * x), 0),
    "a far KL": (line(N(x, 128, 4) * log(N(x, 128, 4) / N(x, 0, 1))), kl(128, 4)),
    "a narrow KL": (line(N(x, m, R(1, 10 ** 6)) * log(N(x, m, R(1, 10 ** 6)) / N(x, 0, 1))), kl(m, R(1, 10 ** 6))),
    "mu > 100": (line(N(x, mu, 1)), 1, "==", (mu > 100,)), "20!": (Int(x ** 20 * exp(-x), (x, 0, oo)), sp.factorial(20)),
    "99!": (Int(x ** 99 * exp(-x), (x, 0, oo)), sp.factorial(99)),
    "a high rate": (Int(10 ** 5 * exp(-10 ** 5 * x), (x, 0, oo)), 1),
    "cancellation": (Int(exp(x), (x, 0, 60)) - exp(60), -1),
    "cancellation of squares": (sp.cosh(100 * x) ** 2 - sp.sinh(100 * x) ** 2, 1),
    "a late limit": (L(t / (t + 10 ** 40), t, oo), 1), "a slow limit": (L(1 / log(t), t, oo), 0),
    "log t/t": (L(log(t) / t, t, oo), 0),
    "e": (L((1 + 1 / t) ** t, t, oo), sp.E), "a symbol in a limit": (L(s * t / (t + s), t, oo), s),
    "sin x/x": (L(sp.sin(x) / x, x, 0), 1),
    "no exchange": (sp.Subs(sp.Derivative(F, t), t, 0), 1),
    "an exchange": (sp.Derivative(line(N(z, mu, 1) * z ** 2, z), mu), 2 * mu),
    "a moving end": (sp.Derivative(Int(N(z, 0, 1), (z, -oo, t)), t), N(t, 0, 1)),
    "gamma": (Int(X ** (s - 1) * exp(-X), (X, 0, oo)), sp.gamma(s)), "gumbel": (line(exp(-x - exp(-x))), 1),
    "beta": (Int(X ** (s - 1) * (1 - X) ** (tau - 1), (X, 0, 1)), sp.beta(s, tau)), "log": (Int(log(X), (X, 0, 1)), -1),
    "logistic": (line(exp(-x) / (1 + exp(-x)) ** 2), 1), "cauchy": (line(s / (s ** 2 + x ** 2)), pi),
    "student": (line((1 + x ** 2 / 3) ** -2), sqrt(3) * pi / 2), "pareto": (Int(s / X ** (s + 1), (X, 1, oo)), 1),
    "arcsine": (Int(1 / sqrt(1 - x ** 2), (x, -1, 1)), pi), "oscillation": (line(N(x, 0, 1) * sp.cos(30 * x)), exp(-450)),
    "characteristic": (line(N(x, mu, sigma ** 2) * exp(sp.I * t * x)), exp(sp.I * t * mu - t ** 2 * sigma ** 2 / 2)),
    "relu": (line(sp.Max(x, 0) * N(x, 0, 1)), 1 / sqrt(2 * pi)),
    "|x|": (line(sp.Abs(x) * N(x, 0, sigma ** 2)), sigma * sqrt(2 / pi)),
    "entropy": (-line(N(x, mu, sigma ** 2) * log(N(x, mu, sigma ** 2))), log(2 * pi * sp.E * sigma ** 2) / 2),
    "geometric": (Sum(R(1, 3) ** k0, (k0, 0, oo)), R(3, 2)),
    "poisson": (Sum(s ** k0 * exp(-s) / sp.factorial(k0), (k0, 0, oo)), 1),
    "basel": (Sum(1 / k ** 2, (k, 1, oo)), pi ** 2 / 6),
    "alternating": (Sum((-1) ** k0 / (k0 + 1), (k0, 0, oo)), log(2)),
    "binomial": (Sum(sp.binomial(n1, k0) * P ** k0 * (1 - P) ** (n1 - k0), (k0, 0, n1)), 1),
    "gauss": (Sum(k, (k, 1, n1)), n1 * (n1 + 1) / 2),
    "a whole number in a fact": (n1, 1, ">=", (), (Eq(P + s, n1),)),
    "a fact solved": (s, n1 - P, "==", (), (Eq(P + s, n1),)),
    "two facts": (x - y, 1, "==", (), (Eq(x + y, 3), Eq(x, 2))),
    "three parts": (qi[1] + qi[2], 1 - qi[3], "==", (), (Eq(qi[1] + qi[2] + qi[3], 1),)),
    "mass": (line(q(z) * 3, z), 3, "==", (), (mass,)),
    "evidence": (line(q(z) / P, z), 1, "==", (), (Eq(line(q(z), z), P),)),
    "conditional": (line(line(h(x, z) * q(z), x), z), 1, "==", (), (both, mass)),
    "at a point": (f(2) ** 2 + f(x), f(x) + 9, "==", (), (Eq(f(2), 3),)),
    "moments": (line((z - m) ** 2 * q(z), z), line(z ** 2 * q(z), z) - m ** 2, "==", (),
    (mass, Eq(line(z * q(z), z), m))),
    "a marginal": (line(h(x, z), z), r(x), "==", (), (Eq(r(x), line(h(x, z), z)),)),
    "tiny": (exp(-1000 - x ** 2), exp(-1000) * exp(-x ** 2)),
    "kl >= 0": (line(N(x, m, sigma ** 2) * log(N(x, m, sigma ** 2) / N(x, 0, 1))), 0, ">="),
    "jensen": (line(N(x, m, 1) * log(1 + x ** 2)), log(2 + m ** 2), "<="),
    "erf": (Int(exp(-X ** 2), (X, 0, s)), sqrt(pi) * sp.erf(s) / 2),
    "an entry of a sum": (Sum(qi[k], (k, 1, n1)), qi[1], ">="), "the last entry": (Sum(qi[k], (k, 1, n1)), qi[n1], ">="),
    "a first entry taken out": (Sum(qi[k], (k, 1, n1)) - qi[1], Sum(qi[k], (k, 2, n1))),
    "an entry with a condition": (Sum(qi[k], (k, 1, n1)), R(1, 5), ">=", (qi[1] > R(1, 5),)),
    "one argument in two forms": (f(log(2) + log(3)), f(log(6))),
    "a real value at a complex place": (sp.re(sp.Function("v", real=True)(w), evaluate=False),
                                        sp.Function("v", real=True)(w)),
    "sign of a positive": (sp.sign(P), 1), "max + min": (sp.Max(x, y) + sp.Min(x, y), x + y),
    "real modulus": (sp.Abs(x) ** 2, x ** 2)}
FALSE = {
    "far mean": (line(x * N(x, 100, 25)), 99), "far mass": (line(N(x, 128, 1)), 2),
    "far variance": (line((x - 50) ** 2 * N(x, 50, 9)), 3),
    "kl": (line(N(x, mu, sigma ** 2) * log(N(x, mu, sigma ** 2) / N(x, 0, 1))),
    (mu ** 2 + sigma ** 2 - 1 - log(sigma)) / 2),
    "sign at 0": (sp.sign(p), 1, "==", (p < 1,)), "an integer's edge": (n, R(7, 2), ">=", (n > R(5, 2),)),
    "a closed end": (x ** 2, x, ">=", (x >= 0, x <= 1)),
    "cos(pi n)": (sp.cos(sp.pi * n, evaluate=False), 0, "==", (n > R(5, 2),)),
    "an undeclared square": (Int(f(x) ** 2, (x, 0, 1)), 0, ">="),
    "an undeclared modulus": (sp.Abs(w) ** 2, w ** 2), "a root": (sqrt(x ** 2), x),
    "99!": (Int(x ** 99 * exp(-x), (x, 0, oo)), sp.factorial(98)),
    "a high rate": (Int(10 ** 5 * exp(-10 ** 5 * x), (x, 0, oo)), R(1, 10)),
    "a small part": (Int(exp(x), (x, 0, 60)), exp(60) - 10 ** 19),
    "a limit": (L(t / (t + 10 ** 4), t, oo), 0), "a limit at c = 0": (L(c * t / (c * t + 1), t, oo), 1),
    "(1 + 1/t)^t": (L((1 + 1 / t) ** t, t, oo), 1),
    "gamma": (Int(X ** (s - 1) * exp(-X), (X, 0, oo)), sp.gamma(s + 1)), "cauchy": (line(1 / (1 + x ** 2)), 3),
    "pareto": (Int(s / X ** (s + 1), (X, 1, oo)), s),
    "oscillation": (line(N(x, 0, 1) * sp.cos(t * x)), exp(-t ** 2)), "relu": (line(sp.Max(x, 0) * N(x, 0, 1)), R(1, 2)),
    "geometric": (Sum(R(1, 3) ** k0, (k0, 0, oo)), R(4, 3)),
    "poisson": (Sum(k0 ** 2 * s ** k0 * exp(-s) / sp.factorial(k0), (k0, 0, oo)), s),
    "basel": (Sum(1 / k ** 2, (k, 1, oo)), R(16449, 10000)), "gauss": (Sum(k, (k, 1, n1)), n1 ** 2 / 2),
    "mirrored": (sp.binomial(n + 10, k), sp.binomial(n + 10, n + 10 - k)),
    "a fact": (n1, 2, ">=", (), (Eq(P + s, n1),)), "a mean": (line(q(z) * z, z), 0, "==", (), (mass,)),
    "a square": (line(q(z) ** 2, z), 1, "==", (), (mass,)),
    "evidence": (line(q(z), z), P ** 2, "==", (), (Eq(line(q(z), z), P),)),
    "conditional": (line(h(x, z) * q(z), x), 1, "==", (), (both, mass)),
    "jensen": (log(qi[1] * x ** 2 + qi[2] * y ** 2 + 1), qi[1] * log(x ** 2 + 1) + qi[2] * log(y ** 2 + 1),
    "<=", (), (Eq(qi[1] + qi[2], 1),)),
    "at a point": (f(2), 4, "==", (), (Eq(f(2), 3),)), "a point for all": (f(x), 3, "==", (), (Eq(f(2), 3),)),
    "a negative function": (below(x), 0, ">="),
    "entropy": (-line(N(x, 0, sigma ** 2) * log(N(x, 0, sigma ** 2))), 0, ">="),
    "a circle": (x + y, 1, "==", (), (Eq(x ** 2 + y ** 2, 1),)),
    "a marginal": (r(x), h(x, z), "==", (), (Eq(r(x), line(h(x, z), z)),)),
    "a jump": (sp.Derivative(line(sp.Heaviside(t - z) * N(z, 0, 1), z), t), 0),
    "a sum of many": (Sum(qi[k], (k, 1, n1)), 2, "==", (), (Eq(Sum(qi[k], (k, 1, n1)), 1),)),
    "an entry of a sum": (Sum(qi[k], (k, 1, n1)), qi[1], "<="), "two entries": (qi[k], qi[1]),
    "an entry with a condition": (Sum(qi[k], (k, 1, n1)), qi[1] / 3, "<=", (qi[1] < R(1, 5),)),
    "values at two places": (f(pi), f(3)),
    "reversed ends": (Int(sp.Abs(x), (x, 0, a + 5)), (a + 5) ** 2 / 2),
    "cos(0)": (Int(sp.cos(n * x), (x, 0, 2 * pi)), 0),
    "nested": (line(line(N(x, z, 1) * N(z, 0, 1) * x * z, x), z), 2),
    "tiny": (exp(-1000) * (1 + x ** 2), exp(-1000) * (1 + x ** 4)),
    "jensen for all": (log(line(q(z) * h(z, x), z)), line(q(z) * log(h(z, x)), z), "==", (), (mass,)),
    "a prime": (sp.Symbol("pr", prime=True) % 2, 1),
    "a matrix": (sp.Matrix([[x, 1], [0, y]]), sp.Matrix([[x, 1], [0, 2 * y]])),
    "a determinant": (sp.Determinant(sp.Matrix([[x, y], [y, x]])), x ** 2 + y ** 2)}


@pytest.mark.parametrize("name", TRUE)
def test_no_true_line_is_refuted(name):
    assert look(*TRUE[name]).found is None


@pytest.mark.parametrize("name", FALSE)
def test_wrong_lines_are_refuted_with_a_certificate(name):
    found = look(*FALSE[name]).found
    assert found is not None and found.certificate and found.left != found.right
    for symbol, value in found.point.items():
        assert not isinstance(symbol, sp.Symbol) or examples.obeys(symbol, value)


@pytest.mark.parametrize(("left", "right", "at"), [
    ((x ** 2 - 1) / (x - 1), x + 1, {x: 1}), (sp.factorial(k0), k0 * sp.factorial(k0 - 1), {k0: 0}),
    (Int(exp(a * x), (x, 0, 1)), (exp(a) - 1) / a, {a: 0})])
def test_a_side_without_a_value_is_told(left, right, at):
    met = look(left, right)
    assert met.found is None and met.undefined_at == at


def test_a_divergent_integral_has_no_value():
    met = look(Int(1 / X, (X, 1, oo)), 5)
    assert met.found is None and met.divergent == "the line before"
    assert look(1, line(exp(x ** 2))).divergent == "the new line"


def test_values_that_are_shown_are_true_and_different():
    found = look(Int(exp(X), (X, 0, 1)), 2).found
    assert str(found.left) == "1.7182818" and found.right == sp.Float(2, 8)
    close = look(pi, R(314159265358979, 10 ** 14)).found
    assert close.left != close.right
    jump = look(sp.Derivative(line(sp.Heaviside(t - z) * N(z, 0, 1), z), t), 0).found
    assert abs(jump.left - sp.N(N(jump.point[t], 0, 1).doit())) < 10 ** -len(str(jump.left)[3:])  # to the digits shown


@pytest.mark.parametrize("assumptions", [
    {"prime": True}, {"imaginary": True}, {"integer": False, "real": True}, {"even": True}, {"odd": True, "positive": True},
    {"negative": True}, {"nonnegative": True, "integer": True}, {"irrational": True}])
def test_points_keep_to_every_assumption(assumptions):
    symbol = sp.Symbol("v", **assumptions)
    found = list(counterexamples.points(symbol, symbol + 1, (), ()))
    assert len(found) >= 2 and all(examples.obeys(symbol, point[symbol]) for point in found)


@pytest.mark.parametrize("assumptions", ["positive", "negative", "nonnegative", "real", "integer"])
def test_concrete_functions_keep_to_their_assumptions(assumptions):
    g = sp.Function("g", **{assumptions: True})
    for choice in range(6):
        example = examples.concrete_functions({g: 2}, (), choice)[g]
        for point in ((0, 0), (R(1, 2), -3), (10, 2)):
            assert getattr(example(*point), f"is_{assumptions}")


def test_facts_hold_at_every_point():
    facts = (Eq(qi[1] + qi[2] + qi[3], 1), Eq(qi[1], 2 * qi[2]))
    found = list(counterexamples.points(qi[1], qi[3], (), facts))
    assert found and all(fact.subs(point) == sp.true for point in found for fact in facts)


def test_the_counterexample_is_put_into_the_formula():
    shown = counterexamples.filled_in(x / y + line(N(z, x, 1), z), {x: sp.Integer(2), y: sp.Integer(3)})
    assert sp.Mul(2, sp.Pow(3, -1, evaluate=False), evaluate=False) in shown.args
    assert shown.has(N(z, 2, 1)) and not shown.free_symbols & {x, y}
    assert str(counterexamples.filled_in(f(x), {x: sp.Integer(2), f: sp.Lambda(t, t ** 2)})) == "2**2"


@pytest.mark.parametrize(("left", "relation", "right", "conditions"), [
    (x ** 4 - 2 * x ** 2 + R(99, 100), ">=", 0, ()), (sp.sin(x), "<=", R(99, 100), ()),
    (x ** 2 - R(7, 5) * x, ">=", R(-48, 100), ()),
    (s * tau - s ** 2 / 4 - tau ** 2, "<=", -R(1, 10 ** 6), ()), (log(s), "<=", s - R(101, 100), ()),
    (p * (1 - p), "<=", R(249, 1000), (p < 1,)), (-p * log(p) - (1 - p) * log(1 - p), "<=", R(69, 100), (p > 0, p < 1))])
def test_bounds_that_fail_in_a_small_place_are_refuted_there(left, relation, right, conditions):
    assert look(left, right, relation, conditions).found


def test_an_entry_and_the_function_that_stands_for_it_have_one_value():
    at = look(Sum(qi[k], (k, 1, n1)), qi[1], "<=", (qi[1] < R(1, 5),)).found
    (name, example), = ((s, e) for s, e in at.point.items() if isinstance(e, sp.Lambda))
    assert str(name) == "q" and set(at.point) == {name, n1}
    assert example(1) < R(1, 5) and abs(at.right - sp.N(example(1))) < 1e-6
