"""Each rule for closed forms: the right form, and no form, or a condition in sight, where it would not hold."""

import pytest
import sympy as sp

from vae_course.derivations import normal_density as N
from vae_course.derivations.closed_forms import closed_form, divergence, same_range_together
from vae_course.derivations.conditions import INTERCHANGE, collecting
from vae_course.derivations.functions import cancelled, is_smooth
from vae_course.derivations.gaussians import written_out

R, Int, oo, Sum, Limit, D, Subs = sp.Rational, sp.Integral, sp.oo, sp.Sum, sp.Limit, sp.Derivative, sp.Subs
x, z, mu, a, b, t, theta = sp.symbols("x z mu a b t theta", real=True)
s, A, B, X = sp.symbols("sigma A B X", positive=True)
c = sp.Symbol("c", nonnegative=True)
k, n = sp.symbols("k n", integer=True)
count = sp.Symbol("T", integer=True, positive=True)
w = sp.Symbol("w")
f = sp.Function("f", real=True)
P = sp.IndexedBase("P", positive=True)
exp, log, sqrt, pi, erf = sp.exp, sp.log, sp.sqrt, sp.pi, sp.erf


def line(g, v=x):
    return Int(g, (v, -oo, oo))


def closed(expr):
    """The closed form and the conditions that it needs."""
    with collecting() as needed:
        value = closed_form(written_out(expr))
    return value, needed


def is_open(value) -> bool:
    return value.has(Int, Sum, Limit, D, Subs)


moving = Int(t ** 3 * exp(-t ** 2 * X), (X, 0, oo))
step = sp.Piecewise((1, z < theta), (0, True))

# name → (expression, closed form, conditions)
FORMS = {
    # integrals
    "constant": (Int(1, (x, a, b)), b - a, []),
    "polynomial": (Int(x ** 2, (x, a, b)), (b ** 3 - a ** 3) / 3, []),
    "power": (Int(X ** c, (X, 0, 1)), 1 / (c + 1), []),
    "1/x between positive ends": (Int(1 / x, (x, A, B)), log(B) - log(A), []),
    "power at −1": (Int(X ** a, (X, 1, 2)), (2 ** (a + 1) - 1) / (a + 1), [sp.Ne(a, -1)]),
    "a Gaussian and a power": (line(x ** 2 * N(x, mu, s ** 2)), mu ** 2 + s ** 2, []),
    "a Gaussian and a wave": (line(N(x, 0, 1) * sp.cos(a * x)), exp(-a ** 2 / 2), []),
    "half a Gaussian": (Int(N(x, mu, 1), (x, 0, oo)), (1 + erf(mu / sqrt(2))) / 2, []),
    "a Gaussian between any ends": (Int(N(x, 0, 1), (x, a, b)), (erf(b / sqrt(2)) - erf(a / sqrt(2))) / 2, []),
    "Gaussians with roots": (Int(N(z, sqrt(A) * x, 1) * N(x, sqrt(B) * a, 1), (x, -oo, oo)),
                             N(z, sqrt(A * B) * a, 1 + A), []),
    "exponential": (Int(x * exp(-A * x), (x, 0, oo)), 1 / A ** 2, []),
    "exponential at rate 0": (Int(exp(a * x), (x, 0, 1)), (exp(a) - 1) / a, [sp.Ne(a, 0)]),
    "gamma": (Int(X ** A * exp(-B * X), (X, 0, oo)), sp.gamma(A + 1) / B ** (A + 1), []),
    "beta": (Int(X ** A * (1 - X) ** B, (X, 0, 1)), sp.gamma(A + 1) * sp.gamma(B + 1) / sp.gamma(A + B + 2), []),
    "Gumbel": (line(exp(-x - A * exp(-x) - B * exp(-x))), 1 / (A + B), []),
    "logistic": (line(exp(-x) / (1 + exp(-x)) ** 2), 1, []),
    "logistic with a scale": (line(exp(-(x - mu) / s) / (s * (1 + exp(-(x - mu) / s)) ** 2)), 1, []),
    "logistic up to a place": (Int(exp(-x) / (1 + exp(-x)) ** 2, (x, -oo, a)), 1 / (1 + exp(-a)), []),
    "antiderivative": (Int(1 / (1 + x ** 2), (x, 0, oo)), pi / 2, []),
    "ends in any order": (Int(sp.sin(x), (x, a, b)), sp.cos(a) - sp.cos(b), []),
    "a whole frequency": (Int(sp.cos(2 * pi * n * x), (x, 0, 1)), 0, [sp.Ne(n, 0)]),
    "∞ − ∞ inside one integral": (Int(1 / X - 1 / (X + 1), (X, 1, oo)), log(2), []),
    "the factor heals the rate": (moving, t, []),
    # kinks
    "E max(x, 0)": (line(sp.Max(x, 0) * N(x, 0, 1)), 1 / sqrt(2 * pi), []),
    "E |x|": (line(sp.Abs(x) * N(x, 0, s ** 2)), s * sqrt(2 / pi), []),
    "E sign": (line(sp.sign(x - a) * N(x, 0, 1)), -erf(a / sqrt(2)), []),
    "Laplace": (line(exp(-sp.Abs(x - mu) / s)), 2 * s, []),
    "two kinks": (line(sp.Abs(x ** 2 - 1) * N(x, 0, 1)), 2 * sqrt(2) * exp(-R(1, 2)) / sqrt(pi), []),
    # sums
    "Gauss": (Sum(k, (k, 1, n)), n * (n + 1) / 2, [n >= 0]),
    "Gauss, at least one term": (Sum(k, (k, 1, count)), count * (count + 1) / 2, []),
    "geometric": (Sum(X ** k, (k, 0, count - 1)), (1 - X ** count) / (1 - X), [sp.Ne(X, 1)]),
    "geometric series": (Sum((A / (A + B)) ** k, (k, 0, oo)), (A + B) / B, []),
    "binomial": (Sum(sp.binomial(count, k) * k * A ** k * B ** (count - k), (k, 0, count)),
                 count * A * (A + B) ** (count - 1), []),
    "powers beside a geometric sum": (Sum(k * a ** k, (k, 0, 2 * count)), a * (1 - (2 * count + 1) * a ** (2 * count)
                                      + 2 * count * a ** (2 * count + 1)) / (1 - a) ** 2, [sp.Ne(a, 1)]),
    "a base that may be 0": (Sum(sp.binomial(count, k) * a ** (count - k), (k, 0, count)), (1 + a) ** count, [sp.Ne(a, 0)]),
    "exponential series": (Sum(k * a ** k / sp.factorial(k), (k, 0, oo)), a * exp(a), []),
    "rational series": (Sum(1 / k ** 2, (k, 1, oo)), pi ** 2 / 6, []),
    "telescoping": (Sum(f(k) - f(k - 1), (k, 1, count)), f(count) - f(0), []),
    "telescoping logarithms": (Sum(log(P[k] / P[k - 1]), (k, 1, count)), log(P[count] / P[0]), []),
    "telescoping, any end": (Sum(f(k) - f(k - 1), (k, 1, n)), f(n) - f(0), [n >= 0]),
    # limits
    "Taylor": (Limit((exp(a * X) - 1) / X, X, 0), a, []),
    "leading terms": (Limit(c * X / (c * X + 1), X, oo), 1, [sp.Ne(c, 0)]),
    "leading terms of a difference": (Limit((a - b) * X / ((a - b) * X + 1), X, oo), 1, [sp.Ne(a, b)]),
    "a falling exponential": (Limit(exp(-A * X) * X ** 2, X, oo), 0, []),
    "one logarithm": (Limit(log(X) - log(1 - exp(-A * X)), X, 0), -log(A), []),
    "both sides": (Limit(sp.sin(x) / x, x, 0, "+-"), 1, []),
    # derivatives
    "no kink at the place": (D(sp.Abs(x), x), sp.sign(x), [sp.Ne(x, 0)]),
    "logarithms of what is real where it is defined": (D(log(A / (1 - x)), x), 1 / (1 - x), []),
    "a kink differentiated under an integral": (Int(D(sp.Abs(x), x), (x, -1, 2)), 1, []),
    "a root": (D(sqrt(x), x), 1 / (2 * sqrt(x)), []),
    "a root of a square in disguise": (D(sqrt(x ** 2 + 2 * x + 1), x), (x + 1) / sqrt(x ** 2 + 2 * x + 1), [sp.Ne(x, -1)]),
    "a power has no pole": (D(x ** count, x), count * x ** (count - 1), []),
    "a power that may be 0": (D(x ** n, x), n * x ** (n - 1), [sp.Ne(x, 0)]),
    "from the inside out": (D(D(x ** 3, x) / (1 + A * x ** 2), x), 6 * x / (1 + A * x ** 2) ** 2, []),
    "both sides meet": (D(x * sp.Abs(x), x), 2 * sp.Abs(x), []),
    "one side is squared": (D(sp.Max(x - a, 0) ** 2, x), 2 * sp.Max(x - a, 0), []),
    "a jump under an integral": (D(line(step * N(z, 0, 1), z), theta), N(theta, 0, 1), []),
    "a kink under an integral": (D(line(sp.Max(x + theta, 0) * N(x, 0, 1)), theta), (1 + erf(theta / sqrt(2))) / 2, []),
    "second derivative": (D(line(sp.Max(x + theta, 0) * N(x, 0, 1)), (theta, 2)), N(theta, 0, 1), []),
    "at a point": (Subs(D(moving, t), t, 0), 1, []),
    "a moving end": (D(Int(exp(-x ** 4), (x, 0, theta)), theta), exp(-theta ** 4), []),
    "an unknown function up to a moving end": (D(Int(f(x), (x, 0, theta)), theta), f(theta), [INTERCHANGE]),
    "a smooth integrand over a compact range": (
        D(Int(sp.sin(theta * x ** 2), (x, 0, 1)), theta), Int(x ** 2 * sp.cos(theta * x ** 2), (x, 0, 1)), []),
}

# What has no closed form, or none for all values of the symbols: it stays.
STAYS = {
    "an undeclared symbol in atan": Int(sp.atan(x + w), (x, -1, 1)),
    "across a pole": Int(1 / x ** 2, (x, a, b)),
    "a pole inside": Int(1 / x, (x, -1, 1)),
    "a rate of unknown sign": Int(exp(a * x), (x, 0, oo)),
    "an unknown slope at the kink": line(sp.Abs(a * x + 1) * N(x, 0, 1)),
    "an exponent that may be below −1": Int(X ** a, (X, 0, 1)),
    "a power beside a double exponential": line(x * exp(-x - exp(-x))),
    "two divergent integrals": Int(1 / X, (X, 1, oo)) - Int(1 / (X + 1), (X, 1, oo)),
    "a harmonic series": Sum(1 / k, (k, 1, oo)),
    "a ratio of unknown size": Sum(a ** k, (k, 0, oo)),
    "two limits": Limit(sp.sign(x), x, 0, "+-"),
    "a limit with an unknown sign": Limit(1 / (1 + exp(-a / X)), X, 0),
    "the slope of |x| at 0": Subs(D(sp.Abs(x), x), x, 0),
    "a jump differentiated under an integral": Int(D(sp.sign(x), x), (x, -1, 1)),
    "a step differentiated under an integral": line(D(sp.Heaviside(x - A), x)),
    "a step by its place": line(D(sp.Heaviside(theta - x), theta) * N(x, 0, 1)),
    "cases differentiated under an integral": Int(D(sp.Piecewise((1, x > R(1, 3)), (0, True)), x), (x, 0, 1)),
    "a floor": D(sp.floor(x), x),
    "across a branch cut": D(log(w), w),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_form_and_its_conditions(name):
    expr, right, conditions = FORMS[name]
    value, needed = closed(expr)
    assert needed == conditions
    difference = value - closed_form(written_out(sp.sympify(right)))
    if difference.has(sp.Abs, sp.Max):  # which SymPy does not simplify: three places, one of them the kink
        assert all(difference.subs({x: place, a: 1}) == 0 for place in (-2, 0, 1, 3))
        return
    assert sp.simplify(sp.expand_log(sp.expand_func(difference)), doit=False) == 0


@pytest.mark.parametrize("name", STAYS)
def test_what_has_no_form_for_all_values_stays(name):
    value, needed = closed(STAYS[name])
    assert is_open(value) and not needed


def test_without_a_listener_no_conditional_form_is_used():
    assert closed_form(Int(exp(a * x), (x, 0, 1))).has(Int)


def test_the_variable_has_the_assumptions_of_its_range_alone():
    p = sp.Symbol("p", positive=True)
    assert closed(Int(p ** 3, (p, -1, 1)))[0] == 0
    assert closed(line(sp.Abs(2 * x) * exp(-x ** 2)))[0] == 2


def test_conditions_on_bound_variables():
    inner = Int(exp(a * x), (x, 0, 1))
    assert not closed(line(inner * N(a, 0, 1), a))[1]                 # a = 0 has no length
    assert closed(Limit(inner, a, 0))[0] == 1                         # nor is it near a limit at 0
    assert closed(Sum(Int(exp(k * x), (x, 0, 1)), (k, 0, 2)))[0] == exp(1) - 1 + 1 + (exp(2) - 1) / 2
    assert closed(Sum(Int(exp(k * x), (x, 0, 1)), (k, 0, n)))[0].has(Int)  # k = 0 is a term


def test_unknown_functions_need_the_exchange():
    value, needed = closed(D(line(f(x) * N(x, mu, s ** 2)), mu))
    assert needed == [INTERCHANGE] and not value.has(D)


@pytest.mark.parametrize(("expr", "place"), [
    (Int(1 / x, (x, 1, oo)), "∞"), (Int(1 / X, (X, 0, 1)), "0"), (Int(x, (x, 1, oo)), "∞"), (Int(exp(x), (x, 0, oo)), "∞"),
    (1 + Int(1 / x, (x, -1, 1)), "inside"), (Int(X ** (-A - 1), (X, 0, 1)), "0")])
def test_divergence_is_said(expr, place):
    assert place in divergence(expr)


@pytest.mark.parametrize("expr", [line(N(x, mu, s ** 2)), Int(1 / x ** 2, (x, 1, oo)), Int(f(x), (x, 0, oo)),
                                  Int(X ** a, (X, 0, 1)), Int(1 / sqrt(X), (X, 0, 1)), Int(log(X), (X, 0, 1)),
                                  line(sp.Abs(x) * exp(-x ** 2))])
def test_what_may_exist_is_not_called_divergent(expr):
    assert divergence(expr) is None


def test_only_what_exists_is_merged():
    apart = Int(1 / X, (X, 1, oo)) - Int(1 / (X + 1), (X, 1, oo))
    assert len(same_range_together(apart).atoms(Int)) == 2
    together = line(f(x) * N(x, 0, 1)) - line(x * N(x, 0, 1))
    assert len(same_range_together(written_out(together)).atoms(Int)) == 1


def test_smooth_means_real():
    assert is_smooth(sp.atan(x + a), x) and not is_smooth(sp.atan(x + w), x) and not is_smooth(1 / x, x)


def test_roots_are_cancelled():
    assert sp.simplify(cancelled(sqrt(A) * (A + B) / (sqrt(A + B) * sqrt(A))) - sqrt(A + B)) == 0


@pytest.mark.parametrize(("expr", "by"), [
    (Sum(P[k] ** 2, (k, 1, count)), P[1]), (P[k], P[n]), (Sum(P[k] ** 2, (k, 1, count)), P[k]), (f(x) * f(z), f(z)),
    (Int(f(t), (t, 0, 1)), f(x)), (D(f(x), x), f(x)), (Sum(P[k], (k, 1, 3)), P[n]), (sp.Max(P[1], P[k]), P[1])])
def test_no_derivative_by_an_entry_that_may_stand_there_under_another_name(expr, by):
    slope = D(expr, by)
    assert closed(slope)[0].has(D)


@pytest.mark.parametrize(("expr", "by", "slope"), [
    (P[1] ** 2 + P[2], P[1], 2 * P[1]), (P[k + 1] + P[k] ** 2, P[k], 2 * P[k]), (f(x) * f(x + 1), f(x), f(x + 1)),
    (Sum(P[k] ** 2, (k, 1, 4)), P[2], 2 * P[2]), (f(x) ** 2, f(x), 2 * f(x)), (f(1) * f(2), f(1), f(2)),
    (log(Sum(exp(P[k]), (k, 1, 2))), P[1], exp(P[1]) / (exp(P[1]) + exp(P[2])))])
def test_derivatives_by_an_entry_that_no_other_one_can_be(expr, by, slope):
    assert closed(D(expr, by)) == (slope, [])
