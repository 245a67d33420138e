"""Typed lines: what is read and how it is kept, what is refused and in which words, and that nothing is executed."""

import time

import pytest
import sympy as sp

from vae_course.derivations import normal_density, printing, text

mu, x, z = sp.symbols("mu x z", real=True)
sigma, lam = sp.symbols("sigma lambda", positive=True)
n, k = sp.symbols("n k", integer=True, positive=True)
q, p_xz = sp.Function("q", positive=True), sp.Function("p_{x,z}", positive=True)
P, p_x = sp.IndexedBase("P", positive=True), sp.Symbol("p(x)", positive=True)
eps = sp.Symbol("varepsilon", real=True)
KNOWN = text.names_in(mu + x + z + sigma + lam + n + k + q(z) + p_xz(z) + p_x + eps, sp.Sum(P[k], (k, 1, n)))


def read(line: str) -> sp.Basic:
    return text.evaluated(text.parse(line, KNOWN))


# ---------------------------------------------------------------- what is read

@pytest.mark.parametrize("line, meant", [
    ("(mu**2 + sigma**2)/2 - 1/2 - log(sigma)", (mu ** 2 + sigma ** 2) / 2 - sp.Rational(1, 2) - sp.log(sigma)),
    ("-x**2", -x ** 2), ("x**-2", x ** -2), ("2**3**2", sp.Integer(512)), ("x - -z", x + z), ("x/z*2", 2 * x / z),
    ("x/z/2", x / (2 * z)), ("x - (z - mu)", x - z + mu), ("- x + 0.8*z", -x + sp.Rational(4, 5) * z),
    ("2e-3", sp.Rational(1, 500)),
    ("2*lambda", 2 * lam), ("μ + σ² − x·z", mu + sigma ** 2 - x * z), ("ε", eps), ("p(x)*q(z)", p_x * q(z)),
    ("p_{x,z}(z)/p_xz(x)", p_xz(z) / p_xz(x)),
    ("exp(-x) + ln(sigma) + sqrt(2*pi) + E", sp.exp(-x) + sp.log(sigma) + sp.sqrt(2 * sp.pi) + sp.E),
    ("N(x; mu, sigma**2)", normal_density(x, mu, sigma ** 2)), ("N(x, mu, sigma**2)", normal_density(x, mu, sigma ** 2)),
    ("Integral(q(z)*z, (z, -oo, oo))", sp.Integral(q(z) * z, (z, -sp.oo, sp.oo))),
    ("Integral(x*z, (x, 0, 1), (z, 0, 2))", sp.Integral(x * z, (x, 0, 1), (z, 0, 2))),
    ("Sum(P[k], (k, 1, n))", sp.Sum(P[k], (k, 1, n))), ("Product(k, (k, 1, n))", sp.Product(k, (k, 1, n))),
    ("Derivative(x**3, x, 2)", sp.Derivative(x ** 3, x, 2)),
    ("Derivative(x**3*z, (x, 2), z)", sp.Derivative(x ** 3 * z, x, 2, z)),
    ("Limit(sin(x)/x, x, 0)", sp.Limit(sp.sin(x) / x, x, 0)), ("Limit(1/x, x, 0, dir='-')", sp.Limit(1 / x, x, 0, "-")),
    ("Limit(x, x, 0, '+-')", sp.Limit(x, x, 0, "+-")),
    ("Subs(Derivative(x**2, x), x, 3)", sp.Subs(sp.Derivative(x ** 2, x), x, 3)),
    ("Max(x, 0) + Min(z, 1) + abs(x) + sign(z)", sp.Max(x, 0) + sp.Min(z, 1) + sp.Abs(x) + sp.sign(z)),
    ("Piecewise((x, x > 0), (0, True))", sp.Piecewise((x, x > 0), (0, True))), ("Rational(1, 3)*x", x / 3),
    ("Piecewise((1, 0 < x < 1), (0, True))", sp.Piecewise((1, (x > 0) & (x < 1)), (0, True))),
    ("Matrix([[x, 0], [0, z]])", sp.ImmutableMatrix([[x, 0], [0, z]])), ("factorial(4) + gamma(x)", 24 + sp.gamma(x)),
    ("erf(x) + erfc(x) + tanh(x) + Heaviside(x)", sp.erf(x) + sp.erfc(x) + sp.tanh(x) + sp.Heaviside(x)),
])
def test_what_a_text_means(line, meant):
    assert read(line) == meant


def test_the_tree_keeps_what_evaluation_would_change():
    for line in ("(x - 2*mu) - z*(z - mu)", "log(q(z)) - log(p_{x,z}(z))", "z*x*mu + x", "x - x", "x/x", "2*3 + 1/2",
    "mu*(x + z)",
                 "exp(log(sigma))", "x + (z - mu)", "-(x - z)", "N(x; mu, sigma**2)*q(z)", "Max(x, 0)", "x**(-1) + 1/x"):
        tree = text.parse(line, KNOWN)
        assert printing.to_text(tree) == line and text.parse(printing.to_text(tree), KNOWN) == tree


def test_a_variable_may_be_new_where_it_is_bound():
    area = text.parse("Integral(exp(-u**2), (u, 0, oo))", KNOWN)
    assert [v.is_real for v in area.variables] == [True]
    assert [v.is_integer for v in text.parse("Sum(P[j], (j, 1, n))", KNOWN).variables] == [True]
    assert text.parse("Integral(z, (z, 0, 1))", KNOWN).variables == [z]
    with pytest.raises(ValueError, match="“u” is not known"):
        text.parse("u*Integral(exp(-u**2), (u, 0, oo))", KNOWN)


def test_names_that_mean_two_things_are_the_derivation_s():
    gamma, big_e, big_n = sp.Symbol("gamma"), sp.Symbol("E"), sp.Function("N")
    known = text.names_in(gamma + big_e + big_n(x))
    assert text.parse("gamma", known) == gamma and text.evaluated(text.parse("gamma(x)", known)) == sp.gamma(x)
    assert text.parse("E", known) == big_e and text.parse("N(x)", known) == big_n(x)


def test_names_in_has_no_hidden_symbols():
    names = text.names_in(sp.Limit(sp.sin(x) / x, x, 0), sp.Sum(P[k], (k, 1, n)), sp.Dummy("hidden") + q(z))
    assert names == {"x": x, "k": k, "n": n, "P": P, "q": q, "z": z}


def test_decimals_are_said():
    assert text.decimals("0.8*x + 2 + 1e-3 + 0.8") == "0.8 is read as 4/5. 1e-3 is read as 1/1000."
    assert text.decimals("x/2") == ""


# ---------------------------------------------------------------- what is refused

@pytest.mark.parametrize("line, words, under", [
    ("2x", "between “2” and “x”; for a product write *", "x"), ("x(z + 1)", r"x is not a function; write x\*", "x"),
    ("(x+1)(z)", r"for a product write \*", "("), ("log x", r"for a function brackets: log\(x\)", "x"),
    ("x^2", r"write \*\* for a power", "^"), ("y = x", "write only the new line, without =", "="), ("x +",
    "ends too early", ""),
    ("log(x + (z - 1)", "never closed", "("), ("x + 1)", "was not opened", ")"), ("", "it is empty", ""), ("x, z",
    "“,” cannot", ","),
    ("sigm + 1", "“sigm” is not known here; did you mean sigma. This derivation knows .*mu.*x, z", "s"),
    ("foo(x)", "the function “foo” is not known", "f"), ("log", r"log needs brackets .*log\(…\)", "l"),
    ("q + 1", r"q\(…\)", "q"),
    ("P + 1", r"needs an index: P\[…\]", "P"), ("P(1)", r"write P\[…\]", "P"), ("log(x, 2)", "takes 1 argument, not 2", "l"),
    ("Integral(x)", r"write Integral\(f, \(x, a, b\)\), with both ends", "I"),
    ("N(x; mu)", r"write N\(z; mean, variance\)", "N"),
    ("N(x; mu, -1)", "must be positive", "-"), ("x > 0", "not a condition", "x"), ("|x|", r"write Abs\(x\)", "|"),
    ("\\mu", "without a backslash", "\\"), ("√x", r"write sqrt\(x\)", "√"), ("n!", r"write factorial\(n\)", "!"),
    ("Derivative(x)", "write Derivative", "D"), ("Derivative(x, 2)", "write Derivative", "D"), ("Matrix(x)",
    "write Matrix", "M"),
    ("Limit(x, x)", "write Limit", "L"), ("Piecewise(x)", "write Piecewise", "P"), ("Max(x)", "write Max", "M"),
    ("x + (1, 2)", "several", "("),
])
def test_what_cannot_be_read_is_shown_with_the_way_out(line, words, under):
    with pytest.raises(ValueError, match=words.replace("sigma.", r"sigma\?")) as caught:
        text.parse(line, KNOWN)
    message, *place = str(caught.value).split("\n")
    assert message.startswith("This line cannot be read: ")
    if under:
        shown, mark = place
        assert shown[mark.index("^")] == under
    assert not isinstance(caught.value.__context__, SyntaxError)


@pytest.mark.parametrize("line", [
    "__import__('os').system('true')", "x.__class__", "x.evalf()", "lambda: x", "(lambda: x)()", "[x for x in z]",
    "f'{x}'", "'x'", '"x"',
    "(x := 3)", "'+'", "dir='-'", "*x", "**x", "x if x else z", "x and z", "not x", "x @ z", "x // z", "x % z",
    "x << 2", "~x", "eval(x)",
    "exec(x)", "open(x)",
    "getattr(x, z)", "print(x)", "S(x)", "sympify(x)", "Symbol(x)", "Function(x)", "Lambda(x, x)", "Eq(x, z)",
    "solve(x)", "x['a']", "x[0]",
    "x; import os", "0x10", "1_000", "1j", "1.2.3", "...", "\x00", "@", "#", "`x`", "_", "__name__", "{x}", "x\\\n",
    "True", "x\x0c$",
])
def test_nothing_but_formulas_is_read(line):
    with pytest.raises(ValueError, match="cannot be read"):
        text.parse(line, KNOWN)


@pytest.mark.parametrize("line, words", [
    ("9**9**9", "thousands of digits"), ("10**10**10", "thousands of digits"), ("(9**99)**99", "thousands of digits"),
    ("factorial(10**9)", "thousands of digits"), ("gamma(10**9)", "thousands of digits"), ("binomial(10**9, 10**5)",
    "thousands of digits"),
    ("exp(exp(exp(100)))", "thousands of digits"), ("2**(10**9)*x", "thousands of digits"), ("x**10000",
    "a power above 1,000"),
    ("(x + z)**(9**9)", "a power above 1,000"), ("1e999999", "too many digits"), ("1" * 3_999, "too many digits"),
    ("Sum(1/k, (k, 1, 10**9))", "more than 1,000,000 terms"), ("Product(k, (k, 1, 10**5))", "more than 1,000 terms"),
    ("(" * 10_000 + "x" + ")" * 10_000, "20,001 characters"), ("(" * 1_000 + "x" + ")" * 1_000, "inside one another"),
    ("-" * 3_000 + "x", "inside one another"), ("x**" * 1_000 + "x", "inside one another"), ("log(" * 900 + "x",
    "inside one another"),
    ("x" * 5_000, "5,000 characters"), ("[" * 3_000, "inside one another"),
])
def test_what_would_take_for_ever_is_refused_at_once(line, words):
    text.parse("x + 1", KNOWN)
    started = time.thread_time()
    with pytest.raises(ValueError, match=words):
        text.parse(line, KNOWN)
    assert time.thread_time() - started < 0.05


def test_large_but_sensible_numbers_are_read():
    for line in ("exp(-1000)", "exp(-(x - 128)**2/(2*10**-6))", "factorial(99)", "2**1000", "x**1000",
    "Sum(k, (k, 1, 1000000))",
                 "N(x; 5000, 10**12)", " + ".join(["x*z"] * 300), "x**(1/1000000)"):
        text.parse(line, KNOWN)
