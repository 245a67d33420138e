"""Random lines for the prover, true and false, of which we know the truth by another way than its own.

A family knows an expression in two forms: as a reader writes it (an integral, a sum, a logarithm), and in closed form, by
hand. A true line leads from one to the other, both rewritten. A false line leads to another closed form, and is used only if
interval arithmetic, which the prover has no part in, shows that the two differ at a point where the symbols may be.
"""

from collections.abc import Callable
from typing import NamedTuple

import mpmath
import sympy as sp
from hypothesis import assume
from hypothesis import strategies as st

from vae_course.derivations import Derivation, StepRefuted, StepUndecided
from vae_course.derivations import normal_density as N


class Claim(NamedTuple):
    """That `start` is equal to `after`, or at most, or at least; under conditions, and with facts that may be used."""
    start: sp.Basic
    after: sp.Basic
    relation: str = "=="
    where: tuple = ()
    given: tuple = ()


def outcome(claim: Claim, seconds: float = 8.0) -> str:
    """What the prover says: proved, conditional (proved with a condition in sight), refuted, undecided or refused."""
    try:
        d = Derivation(claim.start, where=claim.where, given=claim.given, seconds=seconds)
        if claim.relation == "==":
            d.step(claim.after, because="a line to try")
        else:
            d.bound(claim.after, because="a line to try", relation=claim.relation)
    except StepRefuted:
        return "refuted"
    except StepUndecided:
        return "undecided"
    except (TypeError, ValueError) as error:
        assert len(str(error).split()) > 3, f"a refusal says why: {error!r}"
        return "refused"
    return "conditional" if getattr(d.lines[-1], "assumed", ()) else "proved"


# ---------------------------------------------------------------- truth by another way

INTERVALS = {sp.exp: "exp", sp.log: "log", sp.sin: "sin", sp.cos: "cos"}


def enclosure(expr: sp.Expr, point: dict):
    """An interval that holds the value of a closed form at a rational point."""
    iv = mpmath.iv
    expr = point.get(expr, expr)
    if expr.is_Rational:
        return iv.mpf(int(expr.p)) / int(expr.q)
    if expr in (sp.pi, sp.E):
        return +iv.pi if expr == sp.pi else +iv.e
    if isinstance(expr, type(N(0, 0, 1))):
        return enclosure(expr.doit(), point)
    parts = [enclosure(part, point) for part in expr.args]
    if expr.is_Add:
        return sum(parts, iv.mpf(0))
    if expr.is_Mul:
        product = iv.mpf(1)
        for part in parts:
            product *= part
        return product
    if expr.is_Pow:
        return parts[0] ** int(expr.exp) if expr.exp.is_Integer else iv.exp(parts[1] * iv.log(parts[0]))
    return getattr(iv, INTERVALS[expr.func])(*parts)


def differ(one: sp.Expr, other: sp.Expr, relation: str, point: dict) -> bool:
    """Whether enclosures show that the relation fails at the point, where both sides have a value."""
    iv = mpmath.iv
    try:
        a, b = enclosure(one, point), enclosure(other, point)
    except (ValueError, ArithmeticError, KeyError, mpmath.libmp.ComplexResult):  # a pole, the logarithm of a negative number
        return False
    if not all(mpmath.isfinite(end) for end in (a.a, a.b, b.a, b.b)) or iv.prec < 200:
        return False
    return {"==": a.b < b.a or b.b < a.a, "<=": b.b < a.a, ">=": a.b < b.a}[relation] is True


mpmath.iv.prec = 300  # bits; only these tests use intervals

# ---------------------------------------------------------------- symbols, and where they may be

x, y, z, mu, m, a, b, t, eps = sp.symbols("x y z mu m a b t epsilon", real=True)
sigma, tau, A, B, C, X = sp.symbols("sigma tau A B C X", positive=True)
p, q = sp.symbols("p q", positive=True)                                             # below 1
n, k = sp.Symbol("n", integer=True, positive=True), sp.Symbol("k", integer=True, nonnegative=True)
K = sp.Symbol("K", positive=True)                                                   # the value of an unknown integral
f, g = sp.Function("f", positive=True), sp.Function("g", real=True)
h = sp.IndexedBase("h", real=True)
oo, R = sp.oo, sp.Rational

SHARES = [R(*v) for v in [(1, 3), (1, 10), (3, 7), (1, 4), (2, 5)]]
COUNTS = [sp.Integer(v) for v in (2, 1, 3, 5)]
POSITIVES = [R(*v) for v in [(1, 2), (3, 1), (1, 1), (7, 4), (5, 3), (1, 5), (4, 1)]]
REALS = [R(*v) for v in [(2, 1), (-2, 3), (0, 1), (3, 2), (-7, 4), (1, 5), (-4, 1), (5, 3), (1, 1)]]
N_POINTS = 12


def unknowns(*exprs: sp.Basic) -> list:
    """The symbols and indexed numbers whose values a closed form needs."""
    found = set().union(*(e.atoms(sp.Indexed) | e.free_symbols - {h, h.label} for e in exprs))
    return sorted(found, key=str)


def rationals(*values) -> st.SearchStrategy:
    return st.sampled_from([R(v) for v in values])


REAL = st.one_of(st.sampled_from([mu, m, 3 * mu, mu + 2, a * m, -mu / 2]),
                 rationals(0, 1, -1, "1/3", "-5/2", 3, 128, -40, 1000, "-1/100"))
VARIANCE = st.one_of(st.sampled_from([sigma ** 2, tau, 4 * sigma ** 2, sigma ** 2 / 9, 1 / tau, sigma ** 2 + tau ** 2]),
                     rationals(1, 4, "1/4", "9/25", 100, "1/10000", "1/1000000", 10 ** 6))
OTHER_VARIANCE = st.one_of(st.sampled_from([A, B ** 2, 2 * A, 1 / B]), rationals(1, "1/4", 9, "1/400", 2500))
OTHER_REAL = st.one_of(st.sampled_from([b, 2 * b, b - 1]), rationals(0, 1, "-3/2", 2, 75))
FACTOR = st.one_of(st.sampled_from([a, A, 2 * B]), rationals(1, 2, "-1/3", 5))
POSITIVE = st.one_of(st.sampled_from([A, 2 * A, A + B, A / B, A ** 2]), rationals(1, 2, "1/3", 10, 1000, "1/50"))
OTHER_POSITIVE = st.one_of(st.sampled_from([B, 3 * B, C, B * C]), rationals("1/2", 3, "7/5", 40))
SHARE = st.one_of(st.sampled_from([p, 1 - p, A / (A + B), A / (1 + A)]), rationals("1/2", "1/3", "9/10", "1/1000"))
OTHER_SHARE = st.one_of(st.sampled_from([q, 1 - q, C / (C + 1)]), rationals("1/2", "2/7", "99/100"))
SMALL_COUNT = st.sampled_from([sp.Integer(v) for v in (0, 1, 2, 3, 4)])


def over_line(integrand: sp.Expr, variable: sp.Symbol = x) -> sp.Integral:
    return sp.Integral(integrand, (variable, -oo, oo))


# ---------------------------------------------------------------- families of equalities

class Family(NamedTuple):
    """Parameters by name, and what they make: (as it is written, in closed form). Wrong parameters make wrong lines."""
    parameters: dict[str, st.SearchStrategy]
    make: Callable[..., tuple[sp.Expr, sp.Expr]]
    given: tuple = ()


def kl_of(m1, v1, m2, v2):
    """Closed form of KL(N(m1, v1) ‖ N(m2, v2))."""
    return ((m1 - m2) ** 2 + v1) / (2 * v2) - R(1, 2) - sp.log(v1 / v2) / 2


TWO_NORMALS = {"m1": REAL, "v1": VARIANCE, "m2": OTHER_REAL, "v2": OTHER_VARIANCE}
ONE_NORMAL = {"m1": REAL, "v1": VARIANCE}
GAUSSIANS = {
    "mass": Family({**ONE_NORMAL, "c": FACTOR}, lambda m1, v1, c: (over_line(c * N(x, m1, v1)), c)),
    "written out": Family({**ONE_NORMAL}, lambda m1, v1: (
        over_line(sp.exp(-x ** 2 / (2 * v1) + m1 * x / v1)), sp.exp(m1 ** 2 / (2 * v1)) * sp.sqrt(2 * sp.pi * v1))),
    "mean": Family({**ONE_NORMAL, "c": FACTOR, "d": OTHER_REAL}, lambda m1, v1, c, d: (
        over_line((c * x + d) * N(x, m1, v1)), c * m1 + d)),
    "spread": Family({**ONE_NORMAL, "d": OTHER_REAL}, lambda m1, v1, d: (
        over_line((x - d) ** 2 * N(x, m1, v1)), (m1 - d) ** 2 + v1)),
    "third moment": Family({**ONE_NORMAL}, lambda m1, v1: (over_line(x ** 3 * N(x, m1, v1)), m1 ** 3 + 3 * m1 * v1)),
    "fourth moment": Family({**ONE_NORMAL}, lambda m1, v1: (over_line((x - m1) ** 4 * N(x, m1, v1)), 3 * v1 ** 2)),
    "moment generating": Family({**ONE_NORMAL, "d": OTHER_REAL}, lambda m1, v1, d: (
        over_line(sp.exp(d * x) * N(x, m1, v1)), sp.exp(d * m1 + d ** 2 * v1 / 2))),
    "KL": Family(TWO_NORMALS, lambda m1, v1, m2, v2: (
        over_line(N(x, m1, v1) * sp.log(N(x, m1, v1) / N(x, m2, v2))), kl_of(m1, v1, m2, v2))),
    "KL as a difference": Family(TWO_NORMALS, lambda m1, v1, m2, v2: (
        over_line(N(x, m1, v1) * sp.log(N(x, m1, v1))) - over_line(N(x, m1, v1) * sp.log(N(x, m2, v2))),
        kl_of(m1, v1, m2, v2))),
    "entropy": Family(ONE_NORMAL, lambda m1, v1: (
        -over_line(N(x, m1, v1) * sp.log(N(x, m1, v1))), (1 + sp.log(2 * sp.pi * v1)) / 2)),
    "reconstruction": Family({**TWO_NORMALS, "c": FACTOR}, lambda m1, v1, m2, v2, c: (
        over_line(N(x, m1, v1) * sp.log(N(m2, c * x, v2))),
        -sp.log(2 * sp.pi * v2) / 2 - ((m2 - c * m1) ** 2 + c ** 2 * v1) / (2 * v2))),
    "marginal": Family({**TWO_NORMALS, "c": FACTOR}, lambda m1, v1, m2, v2, c: (
        over_line(N(y, c * x + m2, v2) * N(x, m1, v1)), N(y, c * m1 + m2, c ** 2 * v1 + v2))),
    "product": Family(TWO_NORMALS, lambda m1, v1, m2, v2: (
        N(x, m1, v1) * N(x, m2, v2), N(m1, m2, v1 + v2) * N(x, (m1 * v2 + m2 * v1) / (v1 + v2), v1 * v2 / (v1 + v2)))),
    "posterior": Family({"v2": OTHER_VARIANCE, "v1": VARIANCE, "c": FACTOR}, lambda v2, v1, c: (
        N(y, c * x, v2) * N(x, 0, v1) / N(y, 0, c ** 2 * v1 + v2),
        N(x, c * v1 * y / (c ** 2 * v1 + v2), v1 * v2 / (c ** 2 * v1 + v2)))),
    "log-density": Family(ONE_NORMAL, lambda m1, v1: (
        sp.log(N(x, m1, v1)), -sp.log(2 * sp.pi * v1) / 2 - (x - m1) ** 2 / (2 * v1))),
    "log-ratio": Family(TWO_NORMALS, lambda m1, v1, m2, v2: (
        sp.log(N(x, m1, v1) / N(x, m2, v2)), sp.log(v2 / v1) / 2 - (x - m1) ** 2 / (2 * v1) + (x - m2) ** 2 / (2 * v2))),
    "positive part": Family({"v1": VARIANCE}, lambda v1: (over_line(sp.Max(x, 0) * N(x, 0, v1)), sp.sqrt(v1 / (2 * sp.pi)))),
}
SUMS = {
    "exponential moments": Family({"r": POSITIVE, "j": SMALL_COUNT}, lambda r, j: (
        sp.Integral(X ** j * r * sp.exp(-r * X), (X, 0, oo)), sp.factorial(j) / r ** j)),
    "exponential to an end": Family({"r": POSITIVE, "c": OTHER_POSITIVE}, lambda r, c: (
        sp.Integral(r * sp.exp(-r * X), (X, 0, c)), 1 - sp.exp(-r * c))),
    "KL of exponentials": Family({"r": POSITIVE, "c": OTHER_POSITIVE}, lambda r, c: (
        sp.Integral(r * sp.exp(-r * X) * sp.log(r * sp.exp(-r * X) / (c * sp.exp(-c * X))), (X, 0, oo)),
        sp.log(r / c) + c / r - 1)),
    "polynomial": Family({"c": FACTOR, "d": OTHER_REAL, "e": REAL}, lambda c, d, e: (
        sp.Integral(c * x ** 2 + d * x, (x, 0, e)), c * e ** 3 / 3 + d * e ** 2 / 2)),
    "two letters": Family({"w": SHARE, "d": OTHER_REAL, "e": REAL}, lambda w, d, e: (
        sp.Sum(w ** k * (1 - w) ** (1 - k) * (d * k + e), (k, 0, 1)), d * w + e)),
    "KL of two letters": Family({"w": SHARE, "u": OTHER_SHARE}, lambda w, u: (
        w * sp.log(w / u) + (1 - w) * sp.log((1 - w) / (1 - u)),
        w * sp.log(w) + (1 - w) * sp.log(1 - w) - w * sp.log(u) - (1 - w) * sp.log(1 - u))),
    "KL to the uniform": Family({"c": POSITIVE, "d": OTHER_POSITIVE}, lambda c, d: (
        c / (c + d) * sp.log(2 * c / (c + d)) + d / (c + d) * sp.log(2 * d / (c + d)),
        sp.log(2) - sp.log(c + d) + (c * sp.log(c) + d * sp.log(d)) / (c + d))),
    "mean of three letters": Family({"c": POSITIVE, "d": OTHER_POSITIVE, "e": REAL}, lambda c, d, e: (
        c / (c + d + 1) * e + d / (c + d + 1) * (e + 1) + e / (c + d + 1), e + d / (c + d + 1))),
    "geometric": Family({"w": SHARE}, lambda w: (sp.Sum((1 - w) * w ** k, (k, 0, oo)), sp.Integer(1))),
    "mean of a geometric": Family({"w": SHARE}, lambda w: (sp.Sum(k * (1 - w) * w ** k, (k, 0, oo)), w / (1 - w))),
    "geometric with an end": Family({"w": SHARE}, lambda w: (sp.Sum(w ** k, (k, 0, n - 1)), (1 - w ** n) / (1 - w))),
    "counting": Family({"c": FACTOR, "d": OTHER_REAL}, lambda c, d: (
        sp.Sum(c * k + d, (k, 1, n)), c * n * (n + 1) / 2 + d * n)),
    "telescoping": Family({"c": FACTOR}, lambda c: (sp.Sum(c * (h[k] - h[k - 1]), (k, 1, n)), c * h[n] - c * h[0])),
}
ALGEBRA = {
    "logarithms": Family({"c": POSITIVE, "d": OTHER_POSITIVE, "j": SMALL_COUNT}, lambda c, d, j: (
        sp.log(c ** j * sp.sqrt(d) / tau ** 2), j * sp.log(c) + sp.log(d) / 2 - 2 * sp.log(tau))),
    "logarithm of an exponential": Family({"e": REAL, "d": OTHER_POSITIVE}, lambda e, d: (
        sp.log(d * sp.exp(e * x - x ** 2)), sp.log(d) + e * x - x ** 2)),
    "exponential of a logarithm": Family({"e": REAL, "d": OTHER_POSITIVE}, lambda e, d: (
        sp.exp(2 * sp.log(d) - e * x), d ** 2 * sp.exp(-e * x))),
    "softplus": Family({"e": REAL}, lambda e: (sp.log(1 + sp.exp(e * x)), e * x + sp.log(1 + sp.exp(-e * x)))),
    "logistic": Family({"e": REAL, "c": POSITIVE}, lambda e, c: (
        c / (c + sp.exp(-e * x)), c * sp.exp(e * x) / (1 + c * sp.exp(e * x)))),
    "a square multiplied out": Family({"c": FACTOR, "d": OTHER_REAL, "e": REAL}, lambda c, d, e: (
        c * (x - e) ** 2 + d, c * x ** 2 - 2 * c * e * x + c * e ** 2 + d)),
    "a square completed": Family({"c": POSITIVE, "d": OTHER_REAL, "e": REAL}, lambda c, d, e: (
        c * x ** 2 + d * x + e, c * (x + d / (2 * c)) ** 2 + e - d ** 2 / (4 * c))),
    "two squares as one": Family({"c": POSITIVE, "d": OTHER_POSITIVE, "e": REAL}, lambda c, d, e: (
        (x - e) ** 2 / c + (x - b) ** 2 / d,
        (c + d) / (c * d) * (x - (d * e + c * b) / (c + d)) ** 2 + (e - b) ** 2 / (c + d))),
    "a limit of a ratio": Family({"c": FACTOR, "d": OTHER_POSITIVE, "e": REAL}, lambda c, d, e: (
        sp.Limit((c * t ** 2 + e * t + 1) / (d * t ** 2 + 3), t, oo), c / d)),
    "a slope at zero": Family({"e": REAL, "c": FACTOR}, lambda e, c: (sp.Limit(c * (sp.exp(e * t) - 1) / t, t, 0), c * e)),
    "Euler's limit": Family({"c": OTHER_REAL}, lambda c: (sp.Limit((1 + c / n) ** n, n, oo), sp.exp(c))),
    "a density's slope": Family(ONE_NORMAL, lambda m1, v1: (sp.Derivative(sp.log(N(x, m1, v1)), x), (m1 - x) / v1)),
    "the KL's slope": Family({"m2": OTHER_REAL, "v2": OTHER_VARIANCE}, lambda m2, v2: (
        sp.Derivative(kl_of(mu, sigma ** 2, m2, v2), sigma), sigma / v2 - 1 / sigma)),
    "a product's slope": Family({"c": FACTOR, "e": REAL}, lambda c, e: (
        sp.Derivative(c * x ** 3 * sp.exp(e * x), x), c * (3 * x ** 2 + e * x ** 3) * sp.exp(e * x))),
    "a slope of a mean": Family({"v1": VARIANCE, "c": FACTOR}, lambda v1, c: (
        sp.Derivative(over_line(N(x, mu, v1) * (c * x ** 2 + x)), mu), 2 * c * mu + 1)),
    "a second slope": Family({"c": POSITIVE, "e": REAL}, lambda c, e: (
        sp.Derivative(c * sp.log(1 + x ** 2) + e * x ** 2, x, 2), 2 * c * (1 - x ** 2) / (1 + x ** 2) ** 2 + 2 * e)),
}
ONE = sp.Eq(over_line(f(x)), 1)
UNKNOWN = {
    "a mean": Family({"c": FACTOR, "d": REAL}, lambda c, d: (over_line(f(z) * (c * z + d), z), c * K + d),
                     (ONE, sp.Eq(over_line(x * f(x)), K))),
    "a constant": Family({"c": OTHER_POSITIVE}, lambda c: (over_line(f(z) * sp.log(c), z), sp.log(c)), (ONE,)),
    "a split": Family({"c": OTHER_POSITIVE}, lambda c: (over_line(f(z) * sp.log(c * f(z)), z), sp.log(c) + K),
                      (ONE, sp.Eq(over_line(f(x) * sp.log(f(x))), K))),
    "a square": Family({"d": OTHER_REAL, "c": FACTOR}, lambda d, c: (
        over_line(f(z) * c * (z - d) ** 2, z), c * ((mu - d) ** 2 + K)),
                       (ONE, sp.Eq(over_line(x * f(x)), mu), sp.Eq(over_line(x ** 2 * f(x)), mu ** 2 + K))),
}
EQUALITIES = {**GAUSSIANS, **SUMS, **ALGEBRA, **UNKNOWN}



def changed_variable(mean: sp.Expr, deviation: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
    """∫N(z; m, s²) g(z) dz, the same as ∫N(ε; 0, 1) g(m + sε) dε, and its value for g(z) = z + z²."""
    return (over_line(N(z, mean, deviation ** 2) * g(z), z), over_line(N(eps, 0, 1) * g(mean + deviation * eps), eps),
            mean + mean ** 2 + deviation ** 2)


# Inequalities: the lower side and the upper one
BOUNDS = {
    "log u ≤ u − 1": Family({"c": POSITIVE}, lambda c: (sp.log(c), c - 1)),
    "2uv ≤ u² + v²": Family({"c": FACTOR, "e": REAL}, lambda c, e: (2 * c * e, c ** 2 + e ** 2)),
    "0 ≤ KL": Family(TWO_NORMALS, lambda m1, v1, m2, v2: (sp.S.Zero, kl_of(m1, v1, m2, v2))),
    "0 ≤ KL of two letters": Family({"c": POSITIVE, "d": OTHER_POSITIVE, "w": SHARE}, lambda c, d, w: (
        sp.S.Zero, w * sp.log(w * (c + d) / c) + (1 - w) * sp.log((1 - w) * (c + d) / d))),
    "Jensen": Family({"w": SHARE, "c": POSITIVE, "d": OTHER_POSITIVE}, lambda w, c, d: (
        w * sp.log(c) + (1 - w) * sp.log(d), sp.log(w * c + (1 - w) * d))),
    "1 + u ≤ exp u": Family({"e": REAL}, lambda e: (1 + e, sp.exp(e))),
    "entropy of two letters": Family({"w": SHARE}, lambda w: (-w * sp.log(w) - (1 - w) * sp.log(1 - w), sp.log(2))),
    "the means of two": Family({"c": POSITIVE, "d": OTHER_POSITIVE}, lambda c, d: (sp.sqrt(c * d), (c + d) / 2)),
    "a variance": Family({"w": SHARE, "e": REAL, "d": OTHER_REAL}, lambda w, e, d: (
        (w * e + (1 - w) * d) ** 2, w * e ** 2 + (1 - w) * d ** 2)),
    "the KL of exponentials": Family({"c": POSITIVE, "d": OTHER_POSITIVE}, lambda c, d: (1 - d / c, sp.log(c / d))),
}

# ---------------------------------------------------------------- true rewritings, and changes

def by_pieces(expr: sp.Expr) -> sp.Expr:
    """An integral or a sum of terms as terms of integrals or sums: all of ours converge absolutely, term by term."""
    def split(part):
        return sp.Add(*(part.func(term, *part.limits) for term in sp.Add.make_args(sp.expand(part.function))))
    return expr.replace(lambda part: isinstance(part, sp.Integral | sp.Sum), split)


def moved(expr: sp.Expr) -> sp.Expr:
    """Integrals over ℝ by x = 2u − 3, which leaves the range as it is."""
    def move(part):
        (v, low, high), = part.limits
        return sp.Integral(2 * part.function.subs(v, 2 * v - 3), (v, low, high)) if low == -oo and high == oo else part
    return expr.replace(sp.Integral, lambda *args: move(sp.Integral(*args)))


REWRITINGS = {
    "as it is": lambda e: e,
    "multiplied out": lambda e: sp.expand(e, deep=False),
    "one fraction": sp.together,
    "factored": lambda e: sp.factor(e) if e.is_rational_function() else e,
    "logarithms expanded": sp.expand_log,
    "logarithms combined": sp.logcombine,
    "densities written out": lambda e: e.replace(type(N(0, 0, 1)), lambda *args: N(*args).doit()),
    "a factor in and out": lambda e: sp.expand(e * (1 + C), deep=False) / (1 + C),
    "powers combined": sp.powsimp,
}
OPEN_REWRITINGS = {"as it is": lambda e: e, "by pieces": by_pieces, "moved": moved,
                   "densities written out": REWRITINGS["densities written out"]}


def changes(node: sp.Basic, symbols: list) -> list[sp.Basic]:
    """Small wrong forms of a part: another sign, factor, exponent; a term dropped; a symbol swapped; another number."""
    if node.is_Add:
        return [node - arg for arg in node.args] + [node - 2 * arg for arg in node.args] + [node + arg for arg in node.args]
    if node.is_Number:
        return [node + 1, -node, node / 2, 2 * node]
    if node.is_Symbol:
        return [s for s in symbols if s != node and s.assumptions0 == node.assumptions0] + [2 * node]
    if node.is_Pow:
        return [node.base, node.base ** (node.exp + 1), node.base ** (-node.exp), node.base ** (2 * node.exp)]
    if isinstance(node, sp.log):
        return [node / 2, 2 * node, -node, sp.log(2 * node.args[0])]
    return [2 * node, -node, node / 2]


@st.composite
def changed(draw, expr: sp.Expr) -> sp.Expr:
    """The closed form with one part of it changed, or replaced by a value that readers like to guess."""
    nodes = [part for part in sp.preorder_traversal(expr) if isinstance(part, sp.Expr) and part not in (h, h.label)
             and (part.is_Rational or not part.is_number or part == expr)]
    node = draw(st.sampled_from(nodes + [None]))
    if node is None:
        return draw(st.sampled_from([sp.S.Zero, sp.S.One, 2 * expr, expr + 1, -expr, expr / 2, expr ** 2]))
    new = draw(st.sampled_from(changes(node, sorted(expr.free_symbols - {h, h.label}, key=str)) or [2 * node]))
    return expr.xreplace({node: sp.sympify(new)})


# ---------------------------------------------------------------- lines

def where_of(*exprs: sp.Basic) -> tuple:
    """The conditions on the shares that appear."""
    free = set().union(*(e.free_symbols for e in exprs))
    return tuple(s < 1 for s in (p, q) if s in free)


def a_point(symbols: list, number: int) -> dict:
    """The symbols at rational values where they may be; another point for each number."""
    def values(s):
        return SHARES if s in (p, q) else COUNTS if s.is_integer else POSITIVES if s.is_positive else REALS
    return {s: values(s)[number * (place + 1) % len(values(s))] for place, s in enumerate(symbols)}


def confirmed(one: sp.Expr, other: sp.Expr, relation: str = "==") -> bool:
    """Whether the relation between two closed forms is shown to fail at some point."""
    if sp.Tuple(one, other).has(sp.zoo, sp.nan, oo, -oo):
        return False
    symbols = unknowns(one, other)
    return any(differ(one, other, relation, a_point(symbols, number)) for number in range(N_POINTS if symbols else 1))


def drawn(draw, family: Family) -> dict:
    return {name: draw(values) for name, values in family.parameters.items()}


@st.composite
def true_equalities(draw) -> tuple[str, Claim]:
    """A family's two forms, both rewritten, in either order, sometimes with a factor and a term on both sides."""
    name = draw(st.sampled_from(sorted(EQUALITIES)))
    family = EQUALITIES[name]
    start, after = family.make(**drawn(draw, family))
    start = draw(st.sampled_from(sorted(OPEN_REWRITINGS.items())))[1](start)
    after = draw(st.sampled_from(sorted(REWRITINGS.items())))[1](after)
    factor, term = draw(st.sampled_from([(1, 0), (1, 0), (2, sp.log(tau)), (-1, b), (A, 0), (R(1, 2), a ** 2)]))
    start, after = factor * start + term, factor * after + term
    if draw(st.booleans()):
        start, after = after, start
    return name, Claim(start, after, "==", where_of(start, after), family.given)


@st.composite
def false_equalities(draw) -> tuple[str, Claim]:
    """A family's form, and a wrong one: a changed closed form, or the form of other parameters; confirmed by enclosures."""
    name = draw(st.sampled_from(sorted(EQUALITIES)))
    family = EQUALITIES[name]
    right = drawn(draw, family)
    start, value = family.make(**right)
    if draw(st.integers(0, 2)):
        after = wrong = draw(changed(value))
    else:
        one = draw(st.sampled_from(sorted(family.parameters)))
        after, wrong = make_or_reject(family, {**right, one: draw(changed(right[one]))})
        after = draw(st.sampled_from([after, wrong]))
    assume(confirmed(value, wrong))
    if draw(st.booleans()):
        start, after = after, start
    return name, Claim(start, after, "==", where_of(start, after), family.given)


def make_or_reject(family: Family, parameters: dict) -> tuple[sp.Expr, sp.Expr]:
    """The family's forms; a parameter that is out of its range (a negative variance, a share above 1) is not tried."""
    for name, value in parameters.items():
        within = {"v": value.is_positive, "r": value.is_positive, "w": (1 - value).is_positive, "u": (1 - value).is_positive,
                  "j": value.is_integer and value.is_nonnegative}
        assume(within.get(name[0], True))
    return family.make(**parameters)


@st.composite
def changes_of_variable(draw, true: bool) -> tuple[str, Claim]:
    """z = m + sε under the integral with an unknown function, or with a wrong mean or deviation."""
    mean, deviation = draw(REAL), draw(POSITIVE)
    start, after, value = changed_variable(mean, deviation)
    if not true:
        part = draw(st.sampled_from(["mean", "deviation"]))
        other = {"mean": mean, "deviation": deviation, part: draw(changed({"mean": mean, "deviation": deviation}[part]))}
        assume(other["deviation"].is_positive)
        _, after, wrong = changed_variable(**other)
        assume(confirmed(value, wrong))
    return "a change of variable", Claim(start, after)


@st.composite
def true_bounds(draw) -> tuple[str, Claim]:
    """The lower side and the upper one, sometimes with something between them, in either order."""
    name = draw(st.sampled_from(sorted(BOUNDS)))
    low, high = BOUNDS[name].make(**drawn(draw, BOUNDS[name]))
    term, slack = draw(st.sampled_from([(0, 0), (0, 0), (b, 0), (0, R(1, 3)), (sp.log(tau), a ** 2)]))
    low, high = low + term, high + term + slack
    start, after, relation = draw(st.sampled_from([(low, high, "<="), (high, low, ">=")]))
    return name, Claim(start, after, relation, where_of(start, after))


@st.composite
def false_bounds(draw) -> tuple[str, Claim]:
    """The two sides the wrong way round, or one of them moved or changed."""
    name = draw(st.sampled_from(sorted(BOUNDS)))
    low, high = BOUNDS[name].make(**drawn(draw, BOUNDS[name]))
    low, high = draw(st.sampled_from([(high, low), (low + R(1, 2), high), (low, high - 1), (low, draw(changed(high)))]))
    assume(confirmed(low, high, "<="))
    start, after, relation = draw(st.sampled_from([(low, high, "<="), (high, low, ">=")]))
    return name, Claim(start, after, relation, where_of(start, after))


@st.composite
def lines(draw, true: bool) -> tuple[str, Claim]:
    """(family, claim): mostly equalities, some bounds, a few with an unknown function."""
    equality, bound = (true_equalities(), true_bounds()) if true else (false_equalities(), false_bounds())
    return draw({7: changes_of_variable(true), 8: bound, 9: bound, 10: bound}.get(draw(st.integers(0, 19)), equality))
