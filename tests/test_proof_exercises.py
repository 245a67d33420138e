"""Exercises that are answered with mathematics: any right answer passes, and each kind of wrong one is told apart."""

import dataclasses
import inspect
import time

import pytest
import sympy as sp
from exercise_answers import chain

from vae_course import checks
from vae_course.checks.proofs import MissingLine, ProofCheck, ProveIt, WrongLine
from vae_course.derivations import Derivation, StepUndecided, normal_density
from vae_course.derivations.conditions import INTERCHANGE
from vae_course.derivations.exercises import Refused, judge_between, judge_chain, of_refusal
from vae_course.derivations.tasks import Posted, Task, positive, positive_functions, real, real_functions, same

ALL = {name: check for name in dir(checks) if isinstance(check := getattr(checks, name), ProofCheck)}
POSTED = [one for check in ALL.values() if isinstance(check, WrongLine) for one in check.posted]
TASKS = {name: check.task for name, check in ALL.items() if not isinstance(check, WrongLine)}

z, mu, m = sp.symbols("z mu m", real=True)
sigma, tau = sp.symbols("sigma tau", positive=True)
p_x = sp.Symbol("p(x)", positive=True)
q, likelihood, prior, posterior = (sp.Function(name, positive=True) for name in ("q", "p_{x|z}", "p_{z}", "p_{z|x}"))
f = sp.Function("f", real=True)


def over_z(g):
    return f"Integral({g}, (z, -oo, oo))" if isinstance(g, str) else sp.Integral(g, (z, -sp.oo, sp.oo))


MASS = sp.Eq(over_z(q(z)), 1)
RECON, KL = over_z("q(z)*log(likelihood(z))"), over_z("q(z)*log(q(z)/prior(z))")
ELBO, GAP = over_z("q(z)*log(likelihood(z)*prior(z)/q(z))"), over_z("q(z)*log(q(z)*p_x/(likelihood(z)*prior(z)))")
MEAN, GOAL = over_z("q(z)*log(p_x)"), f"{RECON} - {KL} + {GAP}"
ACCOUNT = ProveIt("prove_account(d) → the derivation d with at least three steps from log p(x) to recon − kl + gap.",
                  Task([("log(p_x)", ""), (MEAN, "the mean of a constant"), (f"{ELBO} + {GAP}", "multiply and divide"),
                        (GOAL, "the logarithm of a product")],
                       real("z") | positive("p_x=p(x)") | positive_functions("q likelihood=p_{x|z} prior=p_{z}"),
                       given=[(over_z("q(z)"), "1")]), 3, "{n} steps.")


def own(start, *lines, given=(MASS,), where=()):
    """The answer that makes a derivation of its own."""
    def answer(_):
        d = Derivation(start, given=given, where=where)
        for line in lines:
            d.step(line, because="a reason")
        return d
    return answer


# ---------------------------------------------------------------- prove it

gap_expr = over_z(q(z) * sp.log(q(z) * p_x / (likelihood(z) * prior(z))))
elbo_expr = over_z(q(z) * sp.log(likelihood(z) * prior(z) / q(z)))
recon_expr, kl_expr = over_z(q(z) * sp.log(likelihood(z))), over_z(q(z) * sp.log(q(z) / prior(z)))


def with_bounds(d):
    return d.bound(MEAN, because="equal, so at most").step(f"{ELBO} + {GAP}", because="a reason").step(GOAL, because="logs")


PROOFS = [
    chain(MEAN, f"{ELBO} + {GAP}", GOAL),
    chain(MEAN, over_z("q(z)*(log(likelihood(z)) - log(q(z)/prior(z)) + log(q(z)*p_x/(likelihood(z)*prior(z))))"), GOAL),
    chain(f"log(p_x)*{over_z('q(z)')}", MEAN, GOAL),
    chain(MEAN, over_z("q(z)*log(likelihood(z)*prior(z)/q(z)*(q(z)*p_x/(likelihood(z)*prior(z))))"), f"{GAP} + {ELBO}",
          GOAL),
    chain(f"{ELBO} + {GAP}", f"{ELBO} + {over_z('q(z)*log(q(z)/(likelihood(z)*prior(z)))')} + log(p_x)", GOAL),
    chain(MEAN, f"{GAP} + {ELBO}", f"{GAP} - {KL} + {RECON}"),                                     # other orders
    chain(MEAN, f"{ELBO} + {GAP}", f"{RECON} - {KL} + {GAP.replace('z', 'u').replace('priour', 'prior')}"),
    chain(over_z(q(z) * sp.log(p_x)), elbo_expr + gap_expr, recon_expr - kl_expr + gap_expr),         # as expressions
    own(sp.log(p_x), over_z(q(z) * sp.log(p_x)), elbo_expr + gap_expr, recon_expr - kl_expr + gap_expr),
    own(sp.log(p_x), over_z(sp.log(p_x) * q(z)), gap_expr + elbo_expr, gap_expr + recon_expr - kl_expr),
    chain(MEAN, f"{RECON} - {KL} + {over_z('q(z)*log(q(z)/(likelihood(z)*prior(z)))')} + {MEAN}", GOAL),
]


whole_p_x = sp.Symbol("p(x)", positive=True, integer=True)


def tampered(d):
    d.lines.append(d.judge(GOAL, "at once").line)
    d.lines[1:] = [dataclasses.replace(d.lines[1], shown=line, expression=line) for line in
                   (sp.Integer(5), sp.Integer(7), recon_expr - kl_expr + gap_expr)]
    return d


def a_fact_put_in(d):
    d.given = (*d.given, sp.Eq(over_z(prior(z)), 1))
    return d.step(over_z("prior(z)*log(p_x)"), because="a fact").step(f"{ELBO} + {GAP}", because="b").step(GOAL, because="c")


def of_real_functions(_):
    g = sp.Function("q", real=True)
    d = Derivation(sp.log(p_x), given=[sp.Eq(over_z(g(z)), 1)])
    return d.step(over_z(g(z) * sp.log(p_x)), because="a reason")


def no_proof(d):
    d.lines = [d.lines[0], "q"]
    return d


NOT_PROOFS = [
    (chain(GOAL), "At least 3 steps"),
    (chain(MEAN, GOAL), "At least 3 steps are asked for, and yours are 2"),
    (chain(MEAN, GOAL, f"{GAP} + {RECON} - {KL}"), "yours are 2"),                                     # the goal again
    (chain("log(p_x) + 0", MEAN, GOAL), "yours are 2"),                                                  # the start again
    (chain(MEAN, "log(p_x)", MEAN, GOAL), "yours are 2"),                                                # there and back
    (chain(MEAN, over_z("log(p_x)*q(z)"), over_z("2*q(z)*log(p_x)/2"), GOAL), "yours are 2"),
    (lambda d: d, "the last line is log(p(x))"),
    (chain(MEAN, f"{ELBO} + {GAP}", over_z("q(z)*log(p_x)") + " + 0"), "the last line is"),
    (own(gap_expr + elbo_expr, over_z(q(z) * sp.log(p_x)), sp.log(p_x), recon_expr - kl_expr + gap_expr), "starts at"),
    (own(recon_expr - kl_expr + gap_expr, elbo_expr + gap_expr, over_z(q(z) * sp.log(p_x)), sp.log(p_x)),
     "starts at the goal"),
    (own(sp.log(p_x), over_z(prior(z) * sp.log(p_x)), over_z(q(z) * sp.log(p_x)), recon_expr - kl_expr + gap_expr,
         given=[MASS, sp.Eq(over_z(prior(z)), 1)]), "which is not given here"),
    (a_fact_put_in, "which is not given here"),
    (own(sp.log(p_x), over_z(q(z) * sp.log(p_x)), elbo_expr + gap_expr, recon_expr - kl_expr + gap_expr, where=[p_x > 1]),
     "holds only where p(x) > 1"),
    (of_real_functions, "is declared otherwise"),
    (own(sp.log(whole_p_x), over_z(q(z) * sp.log(whole_p_x))),
     "Your p(x) is declared otherwise"),
    (with_bounds, "is a bound"),
    (tampered, "Step 1 does not hold"),
    (no_proof, "changed by hand"),
    (lambda d: None, "is the `return` missing"),
    (lambda d: GOAL, "Return the derivation with its steps, not a str"),
    (chain(MEAN, f"{RECON} - {KL}"), "does not hold: at"),
    (chain("log(p_y)"), "not known here"),
]


# ---------------------------------------------------------------- the missing line

SLOPE = over_z("f(z)*Derivative(N(z; mu, sigma**2), sigma)")
BY_LOG = over_z("N(z; mu, sigma**2)*f(z)*Derivative(log(N(z; mu, sigma**2)), sigma)")
density = normal_density(z, mu, sigma**2)
GOAL_LINE = over_z("N(z; mu, sigma**2)*f(z)*((z - mu)**2/sigma**3 - 1/sigma)")
MISSING = MissingLine(
    "missing_line() → the line between ∂F/∂σ and the mean of f times the score for σ, or a list of lines.",
    Task([(f"Derivative({over_z('N(z; mu, sigma**2)*f(z)')}, sigma)", ""), (SLOPE, "under the integral"), (GOAL_LINE, "N'")],
         real("z mu") | positive("sigma") | real_functions("f"), may_assume=[INTERCHANGE], mistakes={
        "That is the slope in μ; here σ moves.": over_z("f(z)*Derivative(N(z; mu, sigma**2), mu)")}), "{n} lines.")
BETWEEN = [
    SLOPE, BY_LOG, [SLOPE, BY_LOG], (SLOPE,),
    over_z("Derivative(N(z; mu, sigma**2)*f(z), sigma)"),
    over_z(f(z) * sp.Derivative(density, sigma)),
    over_z(sp.Derivative(f(z) * density, sigma)),
    [over_z(f(z) * density * sp.Derivative(sp.log(density), sigma))],
    over_z("N(u; mu, sigma**2)*f(u)*Derivative(log(N(u; mu, sigma**2)), sigma)").replace("(z,", "(u,"),
    over_z("f(z)*N(z; mu, sigma**2)*Derivative(-log(sigma) - (z - mu)**2/(2*sigma**2), sigma)"),
    over_z("N(z; mu, sigma**2)*f(z)*(z - mu)**2/sigma**3") + " - " + over_z("N(z; mu, sigma**2)*f(z)") + "/sigma",
    [over_z("Derivative(f(z)*N(z; mu, sigma**2), sigma)"), SLOPE, BY_LOG],
]
NOT_BETWEEN = [
    (GOAL_LINE, "is the goal again"),
    (over_z("f(z)*N(z; mu, sigma**2)*(z - mu)**2/sigma**3 - N(z; mu, sigma**2)*f(z)/sigma"), "is the goal again"),
    (over_z(density * f(z) * ((z - mu)**2 / sigma**3 - 1 / sigma)), "is the goal again"),
    (f"Derivative({over_z('f(z)*N(z; mu, sigma**2)')}, sigma)", "is the start again"),
    ([SLOPE, GOAL_LINE], "Line 2 of your 2 is the goal again"),
    (over_z("f(z)*Derivative(N(z; mu, sigma**2), mu)"), "That is the slope in μ"),
    (over_z("N(z; mu, sigma**2)*f(z)*(z - mu)/sigma**2"), "does not hold: at"),
    (over_z("-f(z)*Derivative(N(z; mu, sigma**2), sigma)"), "does not hold: at"),
    (over_z(f(z) * sp.Derivative(normal_density(z, sp.Symbol("mu", positive=True), sigma**2), sigma)),
     "Your mu is declared otherwise"),
    (over_z(sp.Function("f", positive=True)(z) * sp.Derivative(density, sigma)), "Your f is declared otherwise"),
    (over_z("g(z)*Derivative(N(z; mu, sigma**2), sigma)"), "is not known here"),
    (over_z("f(z)*N(z; mu, sigma**2)*((z - mu)**2/sigma**3 + 1/sigma)"), "does not hold: at"),
    (SLOPE + " =", "cannot"), ([], "Return the missing line"), (None, "is the `return` missing"), (3.0, "does not hold"),
    (sp.nan, "not defined"), ([SLOPE, None], "is the `return` missing"), ({SLOPE}, "should be a text or a SymPy expression"),
]


# ---------------------------------------------------------------- the wrong line

FIRST = 3, "log(tau/sigma) + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2"
SECOND = 2, "-(log(sigma**2) - sigma**2 - mu**2 + 1)/2"
MENDED = [
    (FIRST, SECOND), [list(FIRST), list(SECOND)],
    ((3, "-log(sigma**2/tau**2)/2 + ((mu - m)**2 + sigma**2)/(2*tau**2) - 1/2"), SECOND),
    ((3, "(((mu - m)**2 + sigma**2)/tau**2 - 1 - log(sigma**2/tau**2))/2"), SECOND),
    ((3, "log(tau) - log(sigma) + ((mu - m)**2 + sigma**2 - tau**2)/(2*tau**2)"), SECOND),
    ((3, sp.log(tau / sigma) + (sigma**2 + (mu - m)**2) / (2 * tau**2) - sp.Rational(1, 2)), SECOND),
    ((3, "log(2*pi*tau**2)/2 - log(2*pi*sigma**2)/2 + (sigma**2 + (mu - m)**2)/(2*tau**2) - 1/2"), SECOND),
    (FIRST, (2, "(mu**2 + sigma**2 - 1 - log(sigma**2))/2")), (FIRST, (2, "(mu**2 + sigma**2 - 1 - 2*log(sigma))/2")),
    (FIRST, (2, (mu**2 + sigma**2 - 1 - sp.log(sigma**2)) / 2)), (FIRST, (2, "mu**2/2 + (sigma**2 - 1)/2 - log(sigma)")),
]
NOT_MENDED = [
    ((2, FIRST[1]), SECOND, "Line 2 follows from line 1: the prover proves this step. The mistake comes after it."),
    ((4, FIRST[1]), SECOND, "Line 4 follows from line 3: the prover proves this step. The mistake was made before it."),
    ((1, FIRST[1]), SECOND, "The number is from 2 to 4"), ((9, FIRST[1]), SECOND, "The number is from 2 to 4"),
    (FIRST, (3, SECOND[1]), "Derivation 2. Line 3 follows from line 2"),
    ((3, checks.check_mended_lines.posted[0].lines[2]), SECOND, "This is the posted line again"),
    ((3, checks.check_mended_lines.posted[0].lines[1]), SECOND, "Your line is line 2 again"),
    ((3, checks.check_mended_lines.posted[0].lines[0]), SECOND, "Your line is line 1 again"),
    (FIRST, (2, "(-1)*(1 - mu**2 - sigma**2 + 2*log(sigma))/2"), "Your line is line 1 again"),
    (FIRST, (2, "-(log(sigma**2) - sigma - mu**2 + 1)/2"), "σ still stands for σ²"),
    (FIRST, (2, "-(2*log(sigma) - sigma**2 - mu**2 - 1)/2"), "does not hold: at"),
    (FIRST, (2, (mu**2 + sigma**2 - 1 - sp.log(sp.Symbol("sigma", real=True)**2)) / 2), "Your sigma is declared otherwise"),
    (FIRST, (2, "-(log(s**2) - s**2 - mu**2 + 1)/2"), "is not known here"),
    (FIRST, (True, SECOND[1]), "Return a pair"), (FIRST, SECOND[1], "Return a pair"), (FIRST, (2, None), "Return a pair"),
]


def verdict_in_time(check, answer):
    started = time.process_time()
    verdict = check(answer)
    assert time.process_time() - started < 20
    return verdict


@pytest.mark.parametrize("answer", PROOFS)
def test_any_proof_is_right(answer):
    assert ACCOUNT(answer), ACCOUNT(answer)


@pytest.mark.parametrize(("answer", "hint"), NOT_PROOFS, ids=[hint for _, hint in NOT_PROOFS])
def test_what_is_no_proof_of_this_is_refused(answer, hint):
    verdict = verdict_in_time(ACCOUNT, answer)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize("line", BETWEEN, ids=str)
def test_any_line_between_is_right(line):
    assert MISSING(lambda: line), MISSING(lambda: line)


@pytest.mark.parametrize(("line", "hint"), NOT_BETWEEN, ids=[hint for _, hint in NOT_BETWEEN])
def test_a_line_that_is_not_between_is_refused(line, hint):
    verdict = verdict_in_time(MISSING, lambda: line)
    assert not verdict and hint in verdict.message, verdict


# ---------------------------------------------------------------- missing lines, the goal among them

INSIDE = over_z("f(z)*Derivative(N(z; mu, exp(logvar)), logvar)")
WRITTEN_OUT = over_z("N(z; mu, exp(logvar))*f(z)*((z - mu)**2/exp(logvar) - 1)/2")
IN_TWO = (f"({over_z('N(z; mu, exp(logvar))*f(z)*(z - mu)**2')}*exp(-logvar)"
          f" - {over_z('N(z; mu, exp(logvar))*f(z)')})/2")
OF_NOISE = "Integral(N(u; 0, 1)*f(mu + exp(logvar/2)*u)*(u**2 - 1)/2, (u, -oo, oo))"
FOUND = checks.check_missing_lines


@pytest.mark.parametrize("last", [WRITTEN_OUT, IN_TWO, OF_NOISE, FOUND.task.lines[-1][0]])
def test_a_goal_in_words_may_be_reached_in_any_form(last):
    assert judge_between(FOUND.task, [INSIDE, last]) == 2


def test_a_derivation_may_be_the_answer_where_the_goal_is_in_words():
    assert judge_between(FOUND.task, along(FOUND.task)) == 2
    d = FOUND.task.derivation().step(INSIDE, because="under the integral")
    verdict = FOUND(lambda: d)
    assert not verdict and verdict.message.endswith("The goal is the mean of f times the score."), verdict


def test_a_goal_in_words_is_not_shown():
    shown = FOUND._repr_latex_()
    assert "Goal: the mean of f times the score" in shown and r"\text{start}" in shown and r"\text{goal}" not in shown


@pytest.mark.parametrize(("lines", "hint"), [
    ([INSIDE], "a derivative is left in the last line. The goal is the mean of f times the score."),
    ([WRITTEN_OUT], "At least 2 lines are asked for"), ([WRITTEN_OUT, WRITTEN_OUT], "At least 2 lines are asked for"),
    ([INSIDE, FOUND.task.lines[0][0]], "Line 2 of your 2 is the start again"),
    ([INSIDE, WRITTEN_OUT.replace("1)/2", "2)/2")], "Line 2 of your 2 does not hold: at"), ([], "Return the missing line"),
])
def test_what_does_not_reach_a_goal_in_words_is_refused(lines, hint):
    verdict = verdict_in_time(FOUND, lambda: lines)
    assert not verdict and hint in verdict.message, verdict


@pytest.mark.parametrize("pairs", MENDED, ids=str)
def test_any_mended_line_is_right(pairs):
    assert checks.check_mended_lines(lambda: pairs), checks.check_mended_lines(lambda: pairs)


@pytest.mark.parametrize(("first", "second", "hint"), NOT_MENDED, ids=[hint for *_, hint in NOT_MENDED])
def test_a_line_that_is_not_mended_is_refused(first, second, hint):
    verdict = verdict_in_time(checks.check_mended_lines, lambda: (first, second))
    assert not verdict and hint in verdict.message, verdict


# ---------------------------------------------------------------- the tasks themselves

@pytest.mark.parametrize("name", TASKS)
def test_the_right_way_of_a_task_is_proved_step_by_step(name):
    task = TASKS[name]
    least = getattr(ALL[name], "least", len(task.lines) - 1)
    assert least <= judge_chain(task, along(task), least) <= len(task.lines) - 1
    assert all(reason for _, reason in task.lines[1:])


def along(task: Task) -> Derivation:
    """The task's own lines; where one is no equality, it is the bound that the task asks for."""
    d = task.derivation()
    for line, reason in task.lines[1:]:
        if task.relation == "==" or d.judge(line, because=reason):
            d.step(line, because=reason)
        else:
            d.bound(line, because=reason, relation=task.relation)
    return d


@pytest.mark.parametrize("posted", POSTED, ids=[one.lines[-1] for one in POSTED])
def test_every_posted_line_but_the_wrong_one_follows_from_the_line_above(posted):
    whole = Task([(line, "") for line in posted.lines], posted.names)
    outcomes = [whole.derivation(k).judge(line, "posted").outcome for k, line in enumerate(posted.lines[1:])]
    assert outcomes == ["refuted" if number == posted.wrong else "proved" for number in range(2, len(posted.lines) + 1)]


@pytest.mark.parametrize("check", ALL.values(), ids=ALL)
def test_what_is_asked_is_shown(check):
    shown = check._repr_latex_()
    lines = [one.lines for one in check.posted] if isinstance(check, WrongLine) else [["start", "goal"]]
    assert shown.startswith("$") and shown.endswith("$") and r"\checkmark" not in shown
    assert shown.count(r"\\") >= sum(map(len, lines)) - 1


def test_each_kind_is_there():
    assert {type(check) for check in ALL.values()} == {ProveIt, MissingLine, WrongLine}
    assert all("notebook" in inspect.getdoc(check) for check in ALL.values())


# ---------------------------------------------------------------- the judgement, on small tasks

RATIO = [("(x**2 - 1)/(x + 1)", ""), ("x - 1", "cancel")]
POSITIVE, ANY = Task(RATIO, positive("x")), Task(RATIO, real("x"))
LOGS = Task([("log(x**2*y)", ""), ("log(x**2) + log(y)", "a product"), ("2*log(x) + log(y)", "a square")], positive("x y"))


def hint_of(task: Task, line) -> str:
    with pytest.raises(Refused) as refused:
        judge_chain(task, line, 1)
    return str(refused.value)


def test_a_step_that_holds_only_for_some_values_is_no_proof_unless_that_is_meant():
    assert judge_chain(POSITIVE, POSITIVE.derivation().step("x - 1", because="cancel"), 1) == 1
    conditional = ANY.derivation().step("x - 1", because="cancel")
    assert conditional.lines[-1].assumed
    assert "proved only for x ≠ -1" in hint_of(ANY, conditional)
    meant = dataclasses.replace(ANY, may_assume=conditional.lines[-1].assumed)
    assert judge_chain(meant, conditional, 1) == 1


@pytest.mark.parametrize(("line", "hint"), [
    ("2*log(x) + log(y)", "The step “at once” is true, but too large a step: try first “a product”."),
    ("log(x) + log(y)", "The step “at once” is neither proved nor refuted. No rewriting helps."),
])
def test_a_true_step_that_is_too_large_gets_the_next_idea(line, hint):
    d = LOGS.derivation()
    undecided = dataclasses.replace(d.judge(line, "at once"), outcome="undecided", counterexample={},
                                    message="Not decided: “at once”. No rewriting helps.")
    assert str(of_refusal(LOGS, StepUndecided(undecided))) == hint


def test_a_bound_may_be_asked_for():
    task = Task([("x**2 + y**2", ""), ("2*x*y", "a square is never negative")], real("x y"), relation=">=")
    assert judge_chain(task, task.derivation().bound("2*x*y", because="a square", relation=">="), 1) == 1
    assert "the other way round" in hint_of(task, Derivation(task.derivation().result).bound(
        task.derivation().result + 1, because="more"))


@pytest.mark.parametrize(("one", "other", "alike"), [
    ("(a + b)*c", "c*b + a*c", True), ("a - b", "-b + a", True), ("log(a*b)", "log(a) + log(b)", False),
    ("Integral(a*x, (x, 0, 1))", "Integral(u*a, (u, 0, 1))", True),
    ("Integral(a + x, (x, 0, 1))", "a + Integral(x, (x, 0, 1))", False),
    ("exp(a + b)", "exp(a)*exp(b)", False), ("g(a)", "g(b)", False), ("a", "a + b - b", True), ("a", "b", False),
])
def test_lines_that_say_the_same(one, other, alike):
    task = Task([(one, ""), (other, "")], positive("a b c") | real("x u") | real_functions("g"))
    assert same(task.line(one), task.line(other)) is alike


def test_a_posted_derivation_knows_its_right_part():
    posted = Posted(["a", "a + 0", "2*a"], 3, "a*1", positive("a"))
    assert [line for line, _ in posted.task.lines] == ["a", "a + 0", "a*1"]
