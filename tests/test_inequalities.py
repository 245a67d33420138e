"""Bounds: natural forms are proved, and no false one is; each rule shows what it is for and not its neighbour."""

import pytest
import sympy as sp

from vae_course.derivations import signs
from vae_course.derivations.clock import TimeIsUp, time_limit
from vae_course.derivations.conditions import collecting
from vae_course.derivations.inequalities import prove_bound, prove_nonnegative
from vae_course.derivations.proofs import Unproved
from vae_course.derivations.reality import is_shown_real
from vae_course.derivations.tangents import tangent_bounds

x, y, z, u, v, m, mu, L1, L2, L3, w1, w2 = sp.symbols("x y z u v m mu L_1 L_2 L_3 w_1 w_2", real=True)
a, b, c, d, s, t, P, A, B = sp.symbols("a b c d sigma tau P A B", positive=True)
q1, q2, q3, q4, p1, p2, p3, p4 = sp.symbols("q_1 q_2 q_3 q_4 p_1 p_2 p_3 p_4", positive=True)
c0 = sp.Symbol("c_0", nonnegative=True)
n, k = sp.symbols("n k", integer=True)
N = sp.Symbol("N", integer=True, positive=True)
w, nz, ev = sp.Symbol("w"), sp.Symbol("o", real=True, nonzero=True), sp.Symbol("e", even=True)
q, p, r = (sp.Function(name, positive=True) for name in "qpr")
f, g, h0 = sp.Function("f", real=True), sp.Function("g"), sp.Function("h", nonnegative=True)
qi, pi = sp.IndexedBase("q", positive=True), sp.IndexedBase("p", positive=True)
log, exp, R, Ab, Max, Min, E, S, D = sp.log, sp.exp, sp.Rational, sp.Abs, sp.Max, sp.Min, sp.Eq, sp.Integral, sp.Derivative
lse = log(exp(L1) + exp(L2) + exp(L3))


def I(inner, variable=z):  # noqa: E743
    return sp.Integral(inner, (variable, -sp.oo, sp.oo))


def letters(term):
    return sp.Sum(term, (k, 1, N))


def H(weights):
    return -sum(weight * log(weight) for weight in weights)


# name → (low, high, where, given): low ≤ high is true, and is proved
TRUE = {
    "Jensen natural": (q1 * log(a) + q2 * log(b) + (1 - q1 - q2) * log(c), log(q1 * a + q2 * b + (1 - q1 - q2) * c),
        (q1 + q2 < 1,)),
    "Jensen fact": (q1 * log(a) + q2 * log(b) + q3 * log(c), log(q1 * a + q2 * b + q3 * c), (), (E(q1 + q2 + q3, 1),)),
    "Jensen indexed": (qi[1] * log(a) + qi[2] * log(b) + qi[3] * log(c), log(qi[1] * a + qi[2] * b + qi[3] * c), (),
        (E(qi[1] + qi[2] + qi[3], 1),)), "Jensen numbers": (log(a) / 3 + 2 * log(b) / 3, log(a / 3 + 2 * b / 3)),
    "Jensen w in (0,1)": (w1 * log(a) + (1 - w1) * log(b), log(w1 * a + (1 - w1) * b), (w1 > 0, w1 < 1)),
    "Jensen w in [0,1]": (w1 * log(a) + (1 - w1) * log(b), log(w1 * a + (1 - w1) * b), (w1 >= 0, w1 <= 1)),
    "KL2 natural": (0, q1 * log(q1 / p1) + (1 - q1) * log((1 - q1) / (1 - p1)), (q1 < 1, p1 < 1)),
    "KL3 natural": (0, q1 * log(q1 / p1) + q2 * log(q2 / p2) + (1 - q1 - q2) * log((1 - q1 - q2) / (1 - p1 - p2)),
        (q1 + q2 < 1, p1 + p2 < 1)),
    "KL3 facts": (0, q1 * log(q1 / p1) + q2 * log(q2 / p2) + q3 * log(q3 / p3), (), (E(q1 + q2 + q3, 1),
        E(p1 + p2 + p3, 1))),
    "KL4 facts": (0, q1 * log(q1 / p1) + q2 * log(q2 / p2) + q3 * log(q3 / p3) + q4 * log(q4 / p4), (),
        (E(q1 + q2 + q3 + q4, 1), E(p1 + p2 + p3 + p4, 1))),
    "cross-entropy": (H([q1, q2, q3]), -q1 * log(p1) - q2 * log(p2) - q3 * log(p3), (), (E(q1 + q2 + q3, 1),
        E(p1 + p2 + p3, 1))), "log-sum": ((a + b) * log((a + b) / (c + d)), a * log(a / c) + b * log(b / d)),
    "log-sum 3": ((a + b + s) * log((a + b + s) / (c + d + t)), a * log(a / c) + b * log(b / d) + s * log(s / t)),
    "U<=lse 2": (w1 * L1 + (1 - w1) * L2 - w1 * log(w1) - (1 - w1) * log(1 - w1), log(exp(L1) + exp(L2)), (w1 > 0,
        w1 < 1)), "U<=lse 3": (q1 * L1 + q2 * L2 + q3 * L3 + H([q1, q2, q3]), lse, (), (E(q1 + q2 + q3, 1),)),
    "entropy<=log3": (H([q1, q2, q3]), log(3), (), (E(q1 + q2 + q3, 1),)),
    "entropy<=log2": (H([w1, 1 - w1]), log(2), (w1 > 0, w1 < 1)), "entropy>=0": (0, H([w1, 1 - w1]), (w1 > 0, w1 < 1)),
    "KL densities": (0, I(q(z) * log(q(z) / p(z))), (), (E(I(q(z)), 1), E(I(p(z)), 1))),
    "ELBO unknown": (I(q(z) * log(r(z) / q(z))), log(P), (), (E(I(q(z)), 1), E(I(r(z)), P))),
    "ELBO cond": (I(q(z) * log(p(z) * r(z) / q(z))), log(P), (), (E(I(q(z)), 1), E(I(p(z) * r(z)), P))),
    "cross entropy densities": (-I(q(z) * log(q(z))), -I(q(z) * log(p(z))), (), (E(I(q(z)), 1), E(I(p(z)), 1))),
    "AMGM2": (sp.sqrt(a * b), (a + b) / 2), "AMGM3": ((a * b * c) ** R(1, 3), (a + b + c) / 3),
    "CS2": ((x * u + y * v) ** 2, (x ** 2 + y ** 2) * (u ** 2 + v ** 2)),
    "CS3": ((x * u + y * v + z * m) ** 2, (x ** 2 + y ** 2 + z ** 2) * (u ** 2 + v ** 2 + m ** 2)),
    "CS2 root": (x * u + y * v, sp.sqrt(x ** 2 + y ** 2) * sp.sqrt(u ** 2 + v ** 2)),
    "triangle": (Ab(x + y), Ab(x) + Ab(y)), "triangle reverse": (Ab(x) - Ab(y), Ab(x - y)), "exp": (1 + x, exp(x)),
    "cosh": (1, sp.cosh(x)), "max": (x, Max(x, y)), "min": (Min(x, y), (x + y) / 2), "max avg": ((x + y) / 2, Max(x, y)),
    "softplus": (Max(x, 0), log(1 + exp(x))), "softplus up": (log(1 + exp(x)), Max(x, 0) + log(2)),
    "lse>=max": (Max(L1, L2), log(exp(L1) + exp(L2))), "lse>=max3": (Max(L1, L2, L3), lse),
    "lse<=max+log2": (log(exp(L1) + exp(L2)), Max(L1, L2) + log(2)),
    "L2>=L1": ((log(A) + log(B)) / 2, (log(A) + 2 * log((A + B) / 2) + log(B)) / 4),
    "L3>=L2": ((log(A) + 2 * log((A + B) / 2) + log(B)) / 4,
        (log(A) + 3 * log((2 * A + B) / 3) + 3 * log((A + 2 * B) / 3) + log(B)) / 8),
    "L2>=L1 3": ((log(A) + log(B) + log(c)) / 3,
        (log(A) + log(B) + log(c) + 2 * log((A + B) / 2) + 2 * log((A + c) / 2) + 2 * log((B + c) / 2)) / 9),
    "norm": (sp.sqrt(x ** 2 + y ** 2), Ab(x) + Ab(y)), "sq int": (0, sp.Integral(f(x) ** 2, (x, 0, 1))),
    "closed": (0, x * (1 - x), (x >= 0, x <= 1)), "integers": (3, n, (n > R(5, 2),)), "integers2": (n, n ** 2),
    "int pos": (0, n * (n - 1), (n > 0,)), "p^2<=p": (p1 ** 2, p1, (p1 <= 1,)), "sigmoid": (0, 1 / (1 + exp(-x))),
    "sigmoid1": (1 / (1 + exp(-x)), 1), "sigmoid var": (exp(x) / (1 + exp(x)) ** 2, R(1, 4)), "tanh": (sp.tanh(x), 1),
    "logc": (1 - 1 / a, log(a)), "xlogx": (-exp(-1), a * log(a)), "sin": (sp.sin(x), 1), "x<=x2 ": (x, x ** 2 + R(1, 4)),
    "beta": (A / (A + B), 1), "binom": (2, a / b + b / a), "lip": (log(1 + a), a),
    "mean of square": (((x + y) / 2) ** 2, (x ** 2 + y ** 2) / 2),
    "3sq": (x * y + y * z + z * x, x ** 2 + y ** 2 + z ** 2), "young": (x * y, x ** 2 / 2 + y ** 2 / 2),
    "mixture density": (0, w1 * exp(-x ** 2) + (1 - w1) * exp(-y ** 2), (w1 >= 0, w1 <= 1)), "given": (x, 2, (x < 1,)),
    "cond": (x, y, (x < y,)), "cond2": (x, z, (x < y, y < z)), "bern": (w1 * (1 - w1), R(1, 4)),
    "Integral of pos": (0, sp.Integral(x * (1 - x), (x, 0, 1))),
    "int open": (0, sp.Integral(exp(-f(x) ** 2) * (1 - x), (x, 0, 1))),
    "sum": (0, sp.Sum(qi[k] * (log(qi[k]) - 1) ** 2, (k, 1, N))), "mono": (1, sp.sqrt(1 + a)),
    "harm": (2 * a * b / (a + b), sp.sqrt(a * b)),
    "var": (0, q1 * x ** 2 + (1 - q1) * y ** 2 - (q1 * x + (1 - q1) * y) ** 2, (q1 < 1,)),
    "pinsker-ish": (log(1 + c0), c0), "jensen exp": (exp((x + y) / 2), (exp(x) + exp(y)) / 2),
    "jensen exp w": (exp(w1 * x + (1 - w1) * y), w1 * exp(x) + (1 - w1) * exp(y), (w1 > 0, w1 < 1)),
    "free bits": (x, Max(x, c0)),
    "KL beta": (b * (mu ** 2 + s ** 2 - 1 - 2 * log(s)) / 2, (mu ** 2 + s ** 2 - 1 - 2 * log(s)) / 2, (b <= 1,)),
    "logs order": (log(a), log(a + b)), "reparam": (0, I(q(z) * (z - m) ** 2)), "hyper": (sp.tanh(a), a),
    "sin<=x": (sp.sin(a), a), "prior": (log(q1), 0, (q1 < 1,)), "logsig": (-log(1 + exp(-x)), 0),
    "gauss": (exp(-x ** 2), 1), "huber": (2 * Ab(x) - 1, x ** 2),
    "n letters": (0, letters(qi[k] * log(qi[k] / pi[k])), (), (E(letters(qi[k]), 1), E(letters(pi[k]), 1))),
    "n letters, by letter": (letters(qi[k] * (1 - pi[k] / qi[k])), letters(qi[k] * log(qi[k] / pi[k]))),
    "entropy <= log n": (letters(-qi[k] * log(qi[k])), log(N), (), (E(letters(qi[k]), 1),)),
    "Jensen at each z": ((A * log(p(z)) + B * log(q(z))) / (A + B), log((A * p(z) + B * q(z)) / (A + B))),
    "triangle at each x": (Ab(f(x) + f(y)), Ab(f(x)) + Ab(f(y))),
}

# the same, and false somewhere, or not between real numbers
FALSE = {
    "complex": (0, x ** 2 + sp.I * x * u + 1), "undeclared square": (0, (x - w) ** 2),
    "undeclared f2": (0, S(g(x) ** 2, (x, 0, 1))), "imag parts": (sp.I * x, sp.I * x + 1), "undeclared": (w - 1, w),
    "log real": (log(x), x), "sqrt real": (sp.sqrt(x), x + 5), "log neg": (log(x), log(x) + 1),
    "pole": (-1000, 1 / (x - 3) ** 2 + x), "quartic": (0, x ** 4 - 2 * x ** 2), "sin": (sp.sin(x), R(9, 10)),
    "cubic": (-10, x ** 3), "s-1": (0, s - 1), "y": (R(1, 2), y ** 2 / (y ** 2 + 1)), "exp": (R(1, 100), exp(-s)),
    "s+1/s": (R(5, 2), s + 1 / s), "abs-1": (0, Ab(x) - 1), "nonzero pole": (-10, 1 / nz ** 2 + nz),
    "nonzero 1/x": (0, 1 / nz), "nz convex": (0, nz + 1 / nz), "closed end": (1, sp.sign(c0), (c0 < 1,)),
    "c0 log": (0, log(c0 + R(1, 2))), "c0 at 0": (R(1, 10), c0 ** 2), "1/2<=p": (R(1, 2), q1, (q1 < 1,)),
    "c0<1": (c0 ** 2, c0 - R(1, 100), (c0 <= 1,)), "p^2 >= p": (q1, q1 ** 2, (q1 < 1,)),
    "int": (R(7, 2), n, (n > R(5, 2),)), "int2": (1, n ** 2), "int3": (0, n * (n - 2)), "int4": (0, (n - 1) * (n - 3)),
    "int5": (0, n ** 3), "cos int": (0, sp.cos(sp.pi * n, evaluate=False), (n > 0,)), "(-1)^n": (0, (-1) ** n),
    "(-2)^N": (0, (-2) ** N), "jensen wrong": (log(q1 * a + (1 - q1) * b), q1 * log(a) + (1 - q1) * log(b), (q1 < 1,)),
    "jensen no weights": (q1 * log(a) + q2 * log(b), log(q1 * a + q2 * b)),
    "jensen sum>1": (q1 * log(a) + q2 * log(b) + (1 - q1 - q2) * log(c), log(q1 * a + q2 * b + (1 - q1 - q2) * c),
        (q1 < 1, q2 < 1)), "KL not normalised": (0, q1 * log(q1 / p1) + q2 * log(q2 / p2)),
    "KL one fact": (0, q1 * log(q1 / p1) + q2 * log(q2 / p2) + q3 * log(q3 / p3), (), (E(q1 + q2 + q3, 1),)),
    "KL dens one fact": (0, I(q(z) * log(q(z) / p(z))), (), (E(I(q(z)), 1),)),
    "KL dens wrong": (0, I(q(z) * log(q(z) / p(z))), (), (E(I(q(z)), 1), E(I(p(z)), 2))),
    "KL no facts": (0, I(q(z) * log(q(z) / p(z)))),
    "ELBO >=": (log(P), I(q(z) * log(r(z) / q(z))), (), (E(I(q(z)), 1), E(I(r(z)), P))),
    "ELBO no q": (I(q(z) * log(r(z) / q(z))), log(P), (), (E(I(r(z)), P),)),
    "ELBO wrong P": (I(q(z) * log(r(z) / q(z))), log(P) - 1, (), (E(I(q(z)), 1), E(I(r(z)), P))),
    "other range": (0, S(q(z) * log(q(z) / p(z)), (z, 0, 1)), (), (E(I(q(z)), 1), E(I(p(z)), 1))),
    "entropy dens": (0, -I(q(z) * log(q(z))), (), (E(I(q(z)), 1),)),
    "entropy<=log2 3": (H([q1, q2, q3]), log(2), (), (E(q1 + q2 + q3, 1),)),
    "logsum rev": (a * log(a / c) + b * log(b / d), (a + b) * log((a + b) / (c + d))),
    "AMGM rev": ((a + b) / 2, sp.sqrt(a * b)), "AMGM reals": (sp.sqrt(x * y), (x + y) / 2),
    "AMGM3 wrong": ((a * b * c) ** R(1, 3), (a + b + c) / 4),
    "CS rev": ((x ** 2 + y ** 2) * (u ** 2 + v ** 2), (x * u + y * v) ** 2), "triangle rev": (Ab(x) + Ab(y), Ab(x + y)),
    "n letters, one fact": (0, letters(qi[k] * log(qi[k] / pi[k])), (), (E(letters(qi[k]), 1),)),
    "entropy of n letters": (letters(-qi[k] * log(qi[k])), log(N) - R(1, 10), (), (E(letters(qi[k]), 1),)),
    "abs": (Ab(x + y), Ab(x) - Ab(y)), "max": (Max(x, y), x), "max2": (Max(x, y), (x + y) / 2),
    "softplus": (log(1 + exp(x)), Max(x, 0) + R(1, 2)), "softplus2": (log(1 + exp(x)), Max(x, 0)),
    "L1>=L2": ((log(A) + 2 * log((A + B) / 2) + log(B)) / 4, (log(A) + log(B)) / 2),
    "L2>=L3": ((log(A) + 3 * log((2 * A + B) / 3) + 3 * log((A + 2 * B) / 3) + log(B)) / 8,
        (log(A) + 2 * log((A + B) / 2) + log(B)) / 4),
    "means wrong": ((log(A) + 2 * log((A + B) / 2) + log(B)) / 4, (log(A) + log(B)) / 4 + log((A + B) / 2) / 2 - R(1,
        1000)), "reversed integral": (0, S(exp(-x ** 4), (x, s, 5))),
    "reversed sum": (0, sp.Sum(exp(-k ** 2), (k, -7, n))), "root outside": (0, 2 * c0 ** 3 - 3 * c0 ** 2 * x + x ** 3),
    "jump": (0, sp.acot(x + 5) + sp.atan(x + 5) + x ** 2 / 1000), "sinh pole": (0, 1 / sp.sinh(x) + x ** 2 + 2),
    "derivative of f": (0, D(f(x), x)), "int of a derivative": (0, S(-D(f(x), x), (x, 0, 1))), "f": (0, f(x)),
    "f2": (1, f(x) ** 2),
    "int f": (0, S(f(x), (x, 0, 1))), "int f2 weighted": (0, S(x * f(x) ** 2, (x, -1, 1))),
    "int x": (0, S(x, (x, -1, R(1, 2)))), "int outside": (0, S(f(x) ** 2 * (1 - x), (x, 0, 2))),
    "var neg": (0, I(q(z) * (z - m))), "E log": (log(P), I(q(z) * log(z ** 2)), (), (E(I(q(z)), 1),)),
    "cosh": (sp.cosh(x), 1), "exp tangent": (exp(1) * x + 1, exp(x)), "exp2": (1 + 2 * x, exp(x)),
    "jensen exp rev": ((exp(x) + exp(y)) / 2, exp((x + y) / 2)),
    "jensen exp w": (exp(w1 * x + (1 - w1) * y), w1 * exp(x) + (1 - w1) * exp(y)), "tanh": (sp.tanh(x), x),
    "sin<=": (sp.sin(x), x), "1-sin*x": (0, 1 - x * sp.sin(x)), "sin2": (0, 1 - 2 * sp.sin(x)),
    "sin sin": (0, 1 - sp.sin(x) - sp.cos(x)), "limit c": (R(1, 2), 1 - 1 / (c0 * s + 1)),
    "ct": (0, c0 * s - c0 * s ** 2), "cond": (y, x, (x < y,)), "cond2": (0, x * y, (x < y,)),
    "simplex": (q1, q2, (q1 + q2 < 1,)), "simplex2": (R(1, 2), 1 - q1 - q2, (q1 + q2 < 1,)),
    "x in [-1,1]": (0, x, (x >= -1, x <= 1)), "edge": (R(1, 100), 1 - x, (x <= 1,)),
    "at the edge": (0, log(w1) * -1 - R(1, 100), (w1 > 0, w1 <= 1)), "even": (1, ev ** 2),
    "factorial": (n, sp.factorial(n), (n >= 0,)), "binomial": (sp.binomial(N, 1), N - 1), "gamma": (1, sp.gamma(a)),
    "floor": (x, sp.floor(x)), "log2": (0, log(a ** 2 + b)), "sq": (0, a ** 2 - a), "neg quad": (0, -(x - 1) ** 2),
    "quad degenerate": (0, x ** 2 * y ** 2 + x * y + x), "quad a=0": (0, u ** 2 * x ** 2 + u * x + x),
    "a x^2 c<0": (-1, m ** 2 * x ** 2 - 2 * m * x - 1), "sqrt": (sp.sqrt(x ** 2 + y ** 2), x + y),
    "sqrt2": (sp.sqrt(a + b), sp.sqrt(a) + sp.sqrt(b) - R(1, 100)), "sqrt3": (sp.sqrt(a) + sp.sqrt(b), sp.sqrt(a + b)),
    "sqrt4": (a, sp.sqrt(a)), "squares": (-sp.sqrt(x ** 2 + 1), -x - 2), "norms": (sp.sqrt(x ** 2 + 1), Ab(x)),
    "fact": (x, y, (), (E(x + y, 1),)), "fact2": (q3, q1, (), (E(q1 + q2 + q3, 1),)),
    "fact q<=1/2": (q3, R(1, 2), (), (E(q1 + q2 + q3, 1),)),
    "point fact": (S(f(x), (x, 0, 1)), 3 - R(1, 10), (), (E(f(x), 3),)), "sum qi": (0, sp.Sum(log(qi[k]), (k, 1, N))),
    "sum sign": (1, sp.Sum(sp.Symbol("k", integer=True) ** 2 - 1, (k, 0, N))),
    "sum0": (R(1, 2), sp.Sum(k ** 2, (k, 0, n)), (n >= 0,)), "piecewise": (0, sp.Piecewise((x, x > 0), (-1, True))),
    "heaviside": (R(1, 2), sp.Heaviside(x)), "xlogx": (0, a * log(a)), "log(1+x)>=x": (a, log(1 + a)),
    "acosh": (0, sp.acosh(a)), "asin": (0, sp.asin(x) + 2), "x^x": (R(7, 10), a ** a), "x^y": (0, x ** y),
    "cube root": (0, x ** R(2, 3)), "x^n": (0, x ** n), "h0": (R(1, 10), h0(x)), "re": (0, sp.re(w)),
}


@pytest.mark.parametrize("name", TRUE)
def test_a_true_bound_is_proved(name):
    low, high, where, given = (*TRUE[name], (), ())[:4]
    with collecting() as needed:
        assert prove_bound(sp.sympify(low), sp.sympify(high), where, given)
    assert not needed


@pytest.mark.parametrize("name", FALSE)
def test_a_false_bound_is_not_proved(name):
    low, high, where, given = (*FALSE[name], (), ())[:4]
    with collecting(), pytest.raises((Unproved, TimeIsUp)), time_limit(3):
        prove_bound(sp.sympify(low), sp.sympify(high), where, given)


# ---------------------------------------------------------------- rules

even_sum = sp.Sum((qi[k] - 1) ** 2, (k, 1, N))
EACH_RULE = [
    (signs._by_sign, a + x ** 2, a - x ** 2), (signs._by_factors, a * (x - y) ** 2 / (1 + b), a * (x - y) ** 3),
    (signs._by_parts, a + (x - y) ** 2, a - (x - y) ** 2), (signs._by_integrand, even_sum, sp.Sum(qi[k] - 1, (k, 1, N))),
    (lambda e, depth: signs._by_square(e, 3), x ** 2 + x * y + y ** 2, x ** 2 + 3 * x * y + y ** 2),
    (signs._by_roots, a + b - 2 * sp.sqrt(a * b), a + b - 3 * sp.sqrt(a * b)),
    (signs._by_squares_of_both, a + b - sp.sqrt(a ** 2 + b ** 2), a + b - 2 * sp.sqrt(a ** 2 + b ** 2)),
    (signs._by_range, 3 - 2 * sp.sin(x) - sp.cos(y), 2 - 2 * sp.sin(x) - sp.cos(y)),
    (signs._by_neighbours, n ** 2 - n, n ** 2 - 2 * n),
    (signs._by_tangents_of_exp, exp(x) + exp(-x) - 2, exp(x) + exp(-x) - 3),
    (signs._by_tangents, a - 1 - log(a), a - 1 - 2 * log(a)), (signs._by_minimum, sp.cosh(x) - 1, sp.cosh(x) - 1 - x)]


@pytest.mark.parametrize(("rule", "shown", "not_shown"), EACH_RULE, ids=lambda part: getattr(part, "__name__", "-"))
def test_each_rule(rule, shown, not_shown):
    assert rule(shown, 7) and not rule(not_shown, 7)


def test_the_table_has_no_rule_without_a_test():
    assert len(EACH_RULE) == len(signs.RULES)


def test_words_name_the_authors_symbols():
    words = prove_nonnegative(p1 ** 2 - p1 + R(1, 4) + (x - p1) ** 4 * (1 - p1), (p1 < 1,))
    assert "_A" not in words and "_B" not in words
    assert "log u ≤ u − 1" in prove_nonnegative(a - 1 - log(a))


def test_what_is_left_is_said_in_the_authors_symbols():
    with pytest.raises(Unproved) as caught:
        prove_nonnegative(p1 - p1 ** 2 * x, (p1 < 1,))
    assert caught.value.args[0].free_symbols == {p1, x}


def test_tangents_have_weights_that_are_not_negative():
    assert not list(tangent_bounds(x * log(a) + a)) and not list(tangent_bounds(log(a) * log(b) + a))
    assert list(tangent_bounds(a - 1 - log(a)))


@pytest.mark.parametrize(("expr", "real"), [
    (x / (x - 1), True), (log(x), False), (log(x ** 2), True), (sp.sqrt(x), False), (sp.sqrt(x ** 2 + 1), True),
    (w, False), (f(x), True),
    (g(x), False), (D(f(x), x), True), (S(f(x) ** 2, (x, 0, 1)), True), (S(g(x), (x, 0, 1)), False), (S(log(1 - x),
    (x, 0, 1)), True),
    (S(log(1 - x), (x, 0, 2)), False), (S(sp.atan(x + w), (x, -1, 1)), False), (x ** y, False), (a ** y, True),
    (sp.I * x, False),
    (sp.Sum(qi[k] * log(qi[k]), (k, 1, N)), True), (sp.Limit(sp.sin(x) / x, x, 0), True), (sp.asin(x), False),
    (x ** n, True)])
def test_what_is_shown_to_be_real(expr, real):
    assert is_shown_real(expr) is real
