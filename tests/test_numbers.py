"""Numbers with a certificate: the interval holds the true value, or there is no value."""

import mpmath as mp
import pytest
import sympy as sp

from vae_course.derivations import normal_density
from vae_course.derivations.gaussians import written_out
from vae_course.derivations.numbers import NoValue, certified
from vae_course.derivations.preparing import prepared

x, t = sp.symbols("x t", real=True)
X = sp.Symbol("X", positive=True)
k = sp.Symbol("k", integer=True, nonnegative=True)
R, oo, exp = sp.Rational, sp.oo, sp.exp


def density(mean, variance):
    return written_out(normal_density(x, sp.sympify(mean), sp.sympify(variance)))


def line(f, low=-oo, high=oo):
    return sp.Integral(f, (x, low, high))


def assert_holds(expr, truth, digits=30, careful=False):
    found = certified(prepared(expr), digits, careful)
    exact = mp.re(mp.mpmathify(sp.N(truth, 60)._to_mpmath(250)))
    assert found.low <= exact <= found.high, (expr, truth, found)
    return found


# ---------------------------------------------------------------- closed formulas

@pytest.mark.parametrize("expr", [
    R(1, 3), sp.Integer(10) ** 60 + 1, sp.pi + sp.E, sp.sqrt(2), 2 ** sp.sqrt(3), R(2, 7) ** R(-5, 3), exp(-1000),
    sp.log(R(1, 10 ** 9)),
    sp.sin(100), sp.cos(R(1, 3)) / sp.tan(2), sp.tanh(3), sp.erf(R(1, 2)), sp.gamma(R(1, 3)), sp.factorial(30),
    sp.atan(5), sp.cosh(50),
    sp.LambertW(1), sp.EulerGamma, sp.Abs(-sp.sqrt(5)), sp.Max(sp.sqrt(2), R(7, 5)), sp.loggamma(R(9, 2)),
    sp.uppergamma(2, 3),
    exp(sp.I * sp.pi / 5) + exp(-sp.I * sp.pi / 5), sp.Abs(sp.sqrt(2) + sp.I)])
def test_the_interval_holds_the_value_and_is_narrow(expr):
    found = assert_holds(expr, expr)
    assert found.high - found.low <= abs(found.middle) * mp.mpf("1e-18")


def test_cancellation_widens_the_interval():
    almost = exp(sp.pi * sp.sqrt(163)) - 262537412640768744
    found = assert_holds(almost, almost)
    assert found.low < 0 < found.high  # 30 digits are too few
    assert assert_holds(almost, almost, digits=60).high < 0


@pytest.mark.parametrize(("expr", "kind"), [
    (sp.log(-2), "complex"), (sp.sqrt(-3), "complex"), (sp.I, "complex"), (R(-8) ** R(1, 3), "complex"),
    (sp.zoo, "undefined"), (sp.oo, "undefined"), (1 + sp.gamma(x).subs(x, -2), "undefined"),
    (line(1 / x, 0, 1), "diverges"), (line(1 / x, -1, 1), "diverges"), (line(exp(x ** 2)), "diverges"),
    (line(1 / (1 + sp.Abs(x))), "diverges"), (line(exp(x), 0, oo), "diverges"), (line(x ** -2, 0, 1), "diverges"),
    (sp.Sum(1 / (k + 1), (k, 0, oo)), "diverges"), (sp.Sum(2 ** k, (k, 0, oo)), "diverges"),
    (line(sp.sin(x) / x, 0, oo), "unknown"), (sp.Limit(1 / sp.log(t), t, oo), "unknown"),
    (sp.Limit(t / (t + 10 ** 40), t, oo), "unknown"), (sp.Limit(1 / t, t, 0), "undefined")])
def test_what_has_no_value(expr, kind):
    with pytest.raises(NoValue) as caught:
        certified(prepared(expr))
    assert caught.value.kind == kind


# ---------------------------------------------------------------- integrals

@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize(("expr", "truth"), [
    (line(density(128, 1)), 1), (line(density(R(1, 2), R(1, 10 ** 6))), 1), (line(density(5000, 1)), 1),
    (line(density(3, 10 ** 12)), 1),
    (line(density(7, R(1, 10 ** 20))), 1), (line(x * density(100, 25)), 100), (line((x - 50) ** 2 * density(50, 9)), 9),
    (line(exp(sp.expand(-(x - 5000) ** 2 / 2))), sp.sqrt(2 * sp.pi)),
    (line(density(128, 4) * sp.log(density(128, 4) / density(0, 1))), (128 ** 2 + 3 - sp.log(4)) / 2),
    (line((density(-200, 1) + density(200, R(1, 100))) * x ** 2 / 2), (80001 + R(1, 100)) / 2),
    (line(density(0, 1) * (1 + exp(-10 ** 12 * (x - R(3, 10)) ** 2))), 1 + exp(-R(9, 200) / (1 + R(1, 2 * 10 ** 12)))
     / sp.sqrt(1 + 2 * 10 ** 12)),
    (line(x ** 99 * exp(-x), 0, oo), sp.factorial(99)), (line(10 ** 5 * exp(-10 ** 5 * x), 0, oo), 1),
    (line(1 / (1 + x ** 2)), sp.pi), (line(1 / (1 + 10 ** 12 * (x - R(3, 10)) ** 2)), sp.pi / 10 ** 6),
    (line(1 / x ** R(3, 2), 1, oo), 2), (line(1 / sp.sqrt(1 - x ** 2), -1, 1), sp.pi), (line(sp.log(x), 0, 1), -1),
    (line(x ** R(-1, 2) * (1 - x) ** R(-1, 3), 0, 1), sp.beta(R(1, 2), R(2, 3))),
    (line(exp(-x) / (1 + exp(-x)) ** 2), 1),
    (line(density(0, 1) * sp.cos(20 * x)), exp(-200)), (line(sp.Max(x, 0) * density(0, 1)), 1 / sp.sqrt(2 * sp.pi)),
    (line(exp(-x - exp(-x))), 1), (line(exp(x), 0, 60), exp(60) - 1), (line(x ** 3 - x, -2, 2), 0), (line(x, 3, 1), -4),
    (sp.Integral(x * t * exp(-x ** 2 - t ** 2 - x * t), (x, -oo, oo), (t, -oo, oo)), -2 * sp.pi / (3 * sp.sqrt(3))),
    (line(density(0, 1) * exp(sp.I * x)), exp(-R(1, 2)))])
def test_integrals_far_narrow_wide_singular(expr, truth, careful):
    found = assert_holds(expr, truth, careful=careful)
    assert not found.how or "two quadratures that agree to 1e-9" in found.how


def test_numbers_that_cancel_are_not_known_better_than_they_are():
    found = certified(prepared(line(exp(x), 0, 60) - exp(60)))
    assert found.low < -1 < found.high and found.high - found.low > 1e15


# ---------------------------------------------------------------- sums, limits, derivatives

@pytest.mark.parametrize(("expr", "truth"), [
    (sp.Sum(R(1, 3) ** k, (k, 0, oo)), R(3, 2)), (sp.Sum(2 ** k * exp(-2) / sp.factorial(k), (k, 0, oo)), 1),
    (sp.Sum(1 / (k + 1) ** 2, (k, 0, oo)), sp.pi ** 2 / 6), (sp.Sum((-1) ** k / (k + 1), (k, 0, oo)), sp.log(2)),
    (sp.Sum(k ** 2, (k, 1, 300)), 9045050),
    (sp.Sum(k * t, (k, 1, t), (t, 1, 3)), 1 + 6 + 18), (sp.Product(k, (k, 1, 10)), sp.factorial(10)),
    (sp.Limit(sp.sin(t) / t, t, 0), 1), (sp.Limit((1 + 1 / t) ** t, t, oo), sp.E), (sp.Limit(sp.log(t) / t, t, oo), 0),
    (sp.Subs(sp.Derivative(line(exp(-x ** 2 * t ** 2)), t), t, 2), -sp.sqrt(sp.pi) / 4)])
def test_sums_limits_and_derivatives(expr, truth):
    assert_holds(expr, truth)


def test_a_derivative_is_not_taken_under_an_integral_that_does_not_allow_it():
    ramp = sp.Integral(t ** 3 * exp(-t ** 2 * X),
    (X, 0, oo))  # t for every t, and at 0 the derivative under the integral is 0
    assert_holds(sp.Subs(sp.Derivative(ramp, t), t, 1), 1)
    with pytest.raises(NoValue):
        certified(prepared(sp.Subs(sp.Derivative(ramp, t), t, 0)))


def test_a_derivative_across_a_jump_is_that_of_the_values():
    below = line(sp.Heaviside(t - x) * density(0, 1))
    found = certified(prepared(sp.Derivative(below, t)).xreplace({t: sp.S.Zero}))
    assert found.low < 1 / mp.sqrt(2 * mp.pi) < found.high and found.high - found.low < 1e-2


def test_sums_whose_terms_rise_before_they_fall():
    for rate in (100, 500, 1000):
        assert_holds(sp.Sum(rate ** k * exp(-rate) / sp.factorial(k), (k, 0, oo)), 1)
    hidden = sp.Sum(2 ** -k + 10 ** (4 * k) * exp(-10 ** 4) / sp.factorial(k), (k, 0, oo))
    with pytest.raises(NoValue):
        certified(hidden)


def test_the_precision_is_put_back():
    before = mp.mp.prec, mp.iv.prec
    certified(sp.sqrt(2))
    assert (mp.mp.prec, mp.iv.prec) == before
