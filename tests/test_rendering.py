"""Pictures of derivations, verdicts and explanations: what stands in them, in which order, and how wide they are."""

import re

import pytest
import sympy as sp

from vae_course.derivations import Derivation, normal_density, printing, rendering, text
from vae_course.derivations.breaking import rows_of, sentence_rows
from vae_course.derivations.conditions import INTERCHANGE
from vae_course.derivations.verdicts import Line, Proof, Verdict
from vae_course.derivations.widths import width_of

a, x, z, mu = sp.symbols("a x z mu", real=True)
s, p = sp.symbols("sigma p", positive=True)
n, k = sp.symbols("n k", integer=True, positive=True)
q, r = sp.Function("q", positive=True), sp.Function("r", positive=True)
f = sp.Function("f", real=True)
KNOWN = text.names_in(a + x + z + mu + s + p + n + k + q(z) + r(z) + f(z))


def typed(line: str, relation: str | None = "==", because: str = "", **more) -> Line:
    tree = text.parse(line, KNOWN)
    return Line(relation, text.evaluated(tree), because, tree, **more)


def is_balanced(latex: str) -> bool:
    return (latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
            and latex.count(r"\left") == latex.count(r"\right") and latex.count(r"\begin") == latex.count(r"\end"))


# ---------------------------------------------------------------- formulas

@pytest.mark.parametrize("line, latex", [
    ("(x - mu*sigma) - sigma*(z - mu)", r"\left(x - \mu \sigma\right) - \sigma \left(z - \mu\right)"),
    ("x/2", r"\frac{x}{2}"),
    ("(mu**2 + sigma)/2 - 1/2", r"\frac{\mu^{2} + \sigma}{2} - \frac{1}{2}"), ("z*x*2", r"z x \cdot 2"),
    ("2*3", r"2 \cdot 3"),
    ("x/z*mu", r"\frac{x}{z} \mu"), ("x/z/mu", r"\frac{x}{z \mu}"), ("-(x + z)", r"- \left(x + z\right)"), ("1 - x",
    "1 - x"),
    ("x - (-z)", r"x - \left(- z\right)"), ("x*(-z)", r"x \left(- z\right)"), ("(-2)**2", r"\left(- 2\right)^{2}"),
    ("log(x)**2", r"\left(\log{\left(x \right)}\right)^{2}"), ("Max(x, 0)", r"\max\left(x, 0\right)"),
    ("Derivative(f(z)*z, z)", r"\frac{d}{d z} \left(f{\left(z \right)} z\right)"), ("log(x*z)", r"\log{\left(x z \right)}"),
    ("Derivative(x**2, x)", r"\frac{d}{d x} x^{2}"),
    ("Integral(z, (z, 0, 1))*x", r"\left(\int\limits_{0}^{1} z\, dz\right) x"),
    ("Integral(z, (z, 0, 1))/2", r"\frac{1}{2} \int\limits_{0}^{1} z\, dz"),
    ("Sum(k, (k, 1, n)) - 1", r"\sum_{k=1}^{n} k - 1"),
])
def test_a_typed_line_is_printed_as_it_is_typed(line, latex):
    assert printing.to_latex(text.parse(line, KNOWN)) == latex


def test_in_sympy_s_order_a_positive_term_comes_first():
    assert printing.to_latex(sp.log(q(z)) - sp.log(r(z))).startswith(r"\log{\left(q")
    assert printing.to_latex(z - x) == "z - x" and printing.to_latex(1 - x) == "1 - x"
    assert printing.to_latex(-x - 1) == "- x - 1"
    assert printing.to_text(sp.log(q(z)) - sp.log(r(z))) == "log(q(z)) - log(r(z))"
    half = sp.Integral(q(z), (z, 0, 1)) / 2
    assert printing.to_latex(half) == r"\frac{1}{2} \int\limits_{0}^{1} q{\left(z \right)}\, dz"


def test_what_python_holds_unevaluated_keeps_its_order():
    assert printing.to_latex(sp.Add(z, x, -mu, evaluate=False)) == r"z + x - \mu"
    assert printing.to_latex(sp.Mul(sp.Rational(1, 2), mu ** 2 + 1, evaluate=False)) == r"\frac{\mu^{2} + 1}{2}"


def test_an_integral_without_symbols_is_printed_and_not_computed(monkeypatch):
    monkeypatch.setattr(sp.Integral, "evalf", lambda *args, **kwargs: pytest.fail("computed"))
    area = sp.Integral(normal_density(z, 0, 1), (z, -sp.oo, sp.oo))
    assert printing.to_latex(x * area + 1 - area).count(r"\int") == 2


def test_a_filled_in_line_shows_its_numbers():
    def filled(line: str, **values) -> str:
        point = {KNOWN[name]: sp.sympify(value) for name, value in values.items()}
        return printing.to_latex(rendering._filled(text.parse(line, KNOWN), point))

    assert filled("(x - mu)**2 + 2*x", x=-3, mu=2) == r"\left(\left(-3\right) - 2\right)^{2} + 2 \left(-3\right)"
    assert filled("2*x*z", x=3, z=4) == r"2 \cdot 3 \cdot 4" and filled("x**2", x=3) == "3^{2}"
    assert filled("x**2", x=sp.Rational(1, 2)) == r"\left(\frac{1}{2}\right)^{2}"
    assert filled("x**z", x=sp.Rational(4, 7)) == r"\left(\frac{4}{7}\right)^{z}"
    assert filled("Integral(z*x, (z, 0, 1)) + z", x=3, z=4) == r"\int\limits_{0}^{1} z \cdot 3\, dz + 4"


# ---------------------------------------------------------------- the block

def test_latex_has_every_line_reason_and_mark():
    d = Derivation(x + x, title="50 % & more", where=[p < 1]).step(2 * x, because="add $x$ twice, 100 %_of it")
    d.bound(2 * x + s ** 2, because="a square")
    latex = d._repr_latex_()
    assert latex.startswith(r"$\displaystyle \begin{array}{l}") and latex.endswith(r"\end{array}$") and latex.count("$") == 2
    assert latex.count(r"\checkmark") == 2 and r"\le" in latex and r"50 \% \& more" in latex
    assert r"\text{add }x\text{ twice, 100 \%\_of it}" in latex and r"\text{for }0 < p < 1" in latex and is_balanced(latex)
    assert repr(d).splitlines() == ["50 % & more", "for 0 < p < 1", "    2*x", "  = 2*x   ✓ add $x$ twice, 100 %_of it",
                                    "  ≤ sigma**2 + 2*x   ✓ a square"]


def test_facts_say_for_which_values_they_hold():
    facts = [sp.Eq(sp.Integral(q(z), (z, 0, 1)), 1), sp.Eq(sp.Integral(f(z) * mu, (z, 0, 1)), 0)]
    latex = rendering.to_latex("", facts, [sp.Ne(a, 0)], [Line(None, x + a)])
    assert latex.count(r"\text{ for all }\mu") == 1 and r"\text{given }" in latex and r"\text{for }a \neq 0" in latex
    assert "for all mu" in rendering.to_text("", facts, [], [Line(None, x)])


def test_conditions_stand_beside_the_mark():
    line = typed("(exp(a) - 1)/a", because="integrate", assumed=(sp.Ne(a, 0), INTERCHANGE))
    latex = rendering.to_latex("", [], [], [typed("x", None), line])
    assert r"\checkmark\ \text{for }a \neq 0\text{ and if the integral" in latex
    row = rendering.to_text("", [], [], [line])
    assert row.endswith(f"✓ for a ≠ 0 and if {INTERCHANGE}: integrate")


def test_long_sums_take_several_rows_and_lose_no_term():
    terms = [sp.Symbol(f"a_{k}") * sp.Symbol(f"b_{k}") ** 2 for k in range(30)]
    rows = rows_of(printing.to_latex(sp.Add(*terms)), rendering.PAGE)
    assert len(rows) > 1 and all(f"a_{{{k}}}" in " ".join(rows) for k in range(30))
    assert all(width_of(row) <= rendering.PAGE + 1 and is_balanced(row) for row in rows)


@pytest.mark.parametrize("inner", ["({})*N(z; mu, sigma**2)", "log({})", "({})**1*q(z)"])
def test_a_long_integral_is_broken_inside_its_brackets(inner):
    line = "Integral(" + inner.format(" + ".join(f"(x - {k})**2/(2*sigma**2)" for k in range(2, 12))) + ", (z, -oo, oo))"
    rows = rows_of(printing.to_latex(text.parse(line, KNOWN)), rendering.PAGE)
    assert len(rows) > 1 and all(is_balanced(row) for row in rows)
    assert all(width_of(row) <= rendering.PAGE + 1 for row in rows[:-1])


def test_reasons_are_wrapped_by_words_and_never_above():
    words = "a long reason with $\\int q\\,dz = 1$ and σ² in it, which goes on and on until it fills the page, and more"
    latex = rendering.to_latex("", [], [], [typed("x", None), typed(" + ".join(["x*z"] * 9), because=words)])
    formula, reason = latex.index("x z + x z"), latex.index("a long reason")
    assert formula < reason and latex.count(r"\checkmark") >= 1
    assert all(width_of(row) <= 20 for row in sentence_rows(words, 16))
    assert "".join(re.findall(r"\\text\{([^}]*)\}", " ".join(sentence_rows(words, 16)))).count("reason") == 1


def test_words_mean_themselves():
    assert sentence_rows("50 % of {x}_1 & \\alpha #") == [r"\text{50 \% of \{x\}\_1 \&  alpha \#}"]
    assert sentence_rows("5 $ more") == [r"\text{5 \$ more}"]
    assert sentence_rows("$x^2$, σ²") == [r"x^2\text{, }{\sigma}{{}^2}"]


# ---------------------------------------------------------------- verdicts

BEFORE = typed("(x - mu)**2", None)


def test_the_four_outcomes_have_their_marks():
    for outcome, sign in rendering.SIGNS.items():
        mark, assumed = rendering.MARKS[sign], (sp.Ne(a, 0),) * (outcome == "conditional")
        point = {x: sp.Integer(2), mu: sp.Integer(1)} if outcome == "refuted" else {}
        verdict = Verdict(outcome, typed("x**2 - mu**2", because="a $step$", assumed=assumed), BEFORE, "words", point,
                          sp.Integer(1), sp.Integer(3), left_over=2 * x * mu, hint="Try a smaller step.")
        latex = verdict._repr_latex_()
        assert mark in latex and is_balanced(latex) and "a }step" in latex
        assert (r"a \neq 0" in latex) == (outcome == "conditional")
        assert ("Try a smaller step." in latex and r"2 \mu x" in latex) == (outcome == "undecided")
        assert rendering.verdict_to_text(verdict).splitlines()[-1] == "    words"


@pytest.mark.parametrize("relation, denied", [("==", r"\ne"), ("<=", ">"), (">=", "<")])
def test_a_counterexample_is_put_into_both_lines(relation, denied):
    line = typed("x**2 - mu**2", relation, "wrong")
    point = {x: sp.Integer(2), mu: sp.Rational(-1, 2)}
    verdict = Verdict("refuted", line, BEFORE, "words", point, sp.Rational(25, 4), sp.Float(3.75))
    latex = verdict._repr_latex_()
    assert r"\mu = - \frac{1}{2}" in latex and r"\left(2 - \left(- \frac{1}{2}\right)\right)^{2}" in latex
    assert r"= \frac{25}{4}" in latex and r"\approx 3.75" in latex and denied in latex


def test_numbers_are_shown_with_the_digits_that_tell_them_apart():
    pair = rendering._apart(sp.Float("0.123456789012", 20), sp.Float("0.123456789013", 20))
    assert pair[0] != pair[1] and rendering._apart(sp.Float(1.81), sp.Float(2.1)) == ("1.81", "2.1")


def test_a_function_as_counterexample_and_two_shapes():
    wrong = Verdict("refuted", typed("Integral(q(z)**2, (z, 0, 1))"), typed("Integral(q(z), (z, 0, 1))", None), "words",
                    {q(z).func: sp.Lambda(z, 1 + z ** 2)}, sp.Float(1.333), sp.Float(1.867))
    assert r"q{\left(z \right)} = z^{2} + 1" in wrong._repr_latex_()
    one, two = sp.ImmutableMatrix([1, 2]), sp.ImmutableMatrix([[1, 2]])
    shapes = Verdict("refuted", Line("==", one), Line(None, two), "The shapes differ.", {}, two, one)
    assert "The shapes differ." in shapes._repr_latex_()


def test_an_explanation_has_words_and_forms():
    line = typed("x**2 - 2*x*mu + mu**2", because="expand", proof=Proof("the square was expanded", (x ** 2,)))
    assert r"\text{How it was proved: the square was expanded.}" in rendering.explanation_to_latex(2, BEFORE, line)
    assert rendering.explanation_to_text(2, BEFORE, line).startswith("Step 2: the square was expanded.")
