"""The derivation as an object: what it accepts, what it refuses and how, its time limit, its pictures."""

import subprocess
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
import sympy as sp

from vae_course.derivations import Derivation, StepRefuted, StepUndecided, clock, normal_density

x, y = sp.symbols("x y", real=True)
z = sp.symbols("z", real=True)
s, t = sp.symbols("sigma tau", positive=True)
p = sp.symbols("p", positive=True)
n = sp.symbols("n", integer=True, positive=True)


def refusal(d: Derivation, expression, **kwargs) -> StepRefuted:
    with pytest.raises(StepRefuted) as caught:
        d.step(expression, because="a mistake", **kwargs)
    return caught.value


# ---------------------------------------------------------------- a chain

def test_a_chain_of_lines():
    d = Derivation((x + 1) ** 2, title="a square")
    assert d.step(x ** 2 + 2 * x + 1, because="multiply out") is d
    d.bound(2 * x + 1, because="x² ≥ 0", relation=">=")
    assert d.result == 2 * x + 1 and d.relation == ">=" and len(d.lines) == 3
    d.bound(2 * x + 2, because="0 ≤ 1", relation="<=")
    assert d.relation is None  # up and down: the chain says nothing about its ends


def test_a_refused_step_leaves_the_derivation_as_it_was():
    d = Derivation((x + y) ** 2)
    refusal(d, x ** 2 + y ** 2)
    with pytest.raises(StepUndecided):
        d.step(x ** 2 + 2 * x * y + y ** 2 + sp.log(y ** 2) - 2 * sp.log(y), because="true for y > 0 only")
    assert [line.expression for line in d.lines] == [(x + y) ** 2]
    d.step(x ** 2 + 2 * x * y + y ** 2, because="multiply out")


def test_the_counterexample_says_where_and_how_much():
    error = refusal(Derivation((x + y) ** 2), x ** 2 + y ** 2)
    assert set(error.counterexample) == {x, y}
    assert error.left_value == sp.Float(((x + y) ** 2).subs(error.counterexample), 8)
    assert error.right_value == sp.Float((x ** 2 + y ** 2).subs(error.counterexample), 8)
    for part in ("a mistake", "x =", "y =", str(error.left_value), str(error.right_value)):
        assert part in str(error)


def test_an_undecided_step_says_what_was_left():
    with pytest.raises(StepUndecided) as caught:
        Derivation(sp.log(x ** 2)).step(2 * sp.log(x), because="false for x < 0")
    assert caught.value.left_over is not None and "proves nothing" in str(caught.value) and "where=" in str(caught.value)


# ---------------------------------------------------------------- domains

@pytest.mark.parametrize(("left", "wrong"), [
    (sp.sqrt(x ** 2), x), (sp.Abs(x), x), (x ** 2, x * sp.Abs(x)), (sp.exp(sp.Abs(x)), sp.exp(x)), (x / x, x), (s ** 2, s),
    ((-1) ** n, -1), (sp.log(s * t), sp.log(s) * sp.log(t)), (sp.factorial(n), n), (sp.Integer(2), sp.Integer(3)),
    (sp.sqrt(s ** 2 + t ** 2), s + t), (1 / (s + t), 1 / s + 1 / t)])
def test_wrong_on_a_part_of_the_domain_is_refuted_there(left, wrong):
    error = refusal(Derivation(left), wrong)
    for symbol, value in error.counterexample.items():
        assert value > 0 or not symbol.is_positive
        assert value.is_integer or not symbol.is_integer


@pytest.mark.parametrize(("left", "right"), [
    (sp.sqrt(s ** 2), s), (sp.log(s ** 2), 2 * sp.log(s)), (sp.log(s / t), sp.log(s) - sp.log(t)),
    (sp.sqrt(x ** 2), sp.Abs(x)),
    (sp.log(p) + sp.log(1 - p), sp.log(p * (1 - p))), ((s * t) ** x, s ** x * t ** x),
    (sp.tanh(x / 2), 2 / (1 + sp.exp(-x)) - 1), (1 / (1 + sp.exp(-x)), sp.exp(x) / (1 + sp.exp(x))),
    (sp.log(1 + sp.exp(x)), x + sp.log(1 + sp.exp(-x)))])
def test_true_inside_the_domain_is_proved(left, right):
    assert Derivation(left).step(right, because="true").result == right


def test_conditions_limit_the_counterexamples_and_help_the_proof():
    with pytest.raises(StepRefuted):
        Derivation(sp.Abs(p - 1)).step(1 - p, because="true below 1 only")
    assert Derivation(sp.Abs(p - 1), where=[p < 1]).step(1 - p, because="p < 1")
    error = refusal(Derivation(p, where=[p < 1]), p ** 2)
    assert 0 < error.counterexample[p] < 1
    assert 3 < refusal(Derivation(x, where=[x > 3]), 2 * x).counterexample[x]
    Derivation(x, where=[x > 3]).bound(3, because="x > 3", relation=">=")


def test_facts_are_used_and_kept_by_counterexamples():
    q = sp.IndexedBase("q", positive=True)
    fact = sp.Eq(q[1] + q[2] + q[3], 1)
    Derivation(q[1] * x + q[2] * x + q[3] * x, given=[fact]).step(x, because="they sum to one")
    error = refusal(Derivation(q[1] + q[2], given=[fact]), q[3])
    values = [error.counterexample[q[k]] for k in (1, 2, 3)]
    assert sum(values) == 1 and all(value > 0 for value in values)
    with pytest.raises(StepRefuted):
        Derivation(q[1] * x + q[2] * x + q[3] * x).step(x, because="nobody said that they sum to one")


@pytest.mark.parametrize("wrong", ["2 * total", "total / 2", "P ** 2", "1 / P", "P + 1"])
def test_an_integral_with_a_name_refutes_wrong_values(wrong):
    f, P = sp.Function("f", positive=True), sp.Symbol("P", positive=True)
    total = sp.Integral(f(x), (x, -sp.oo, sp.oo))
    derivation = Derivation(total, given=[sp.Eq(total, P)])
    error = refusal(derivation, eval(wrong, {"total": total, "P": P}))
    assert error.counterexample[P] > 0
    derivation.step(P, because="its name")


def test_what_is_held_unevaluated_is_shown_and_computed():
    f, P = sp.Function("f", positive=True), sp.Symbol("P", positive=True)
    held = Derivation(f(x) / sp.UnevaluatedExpr(f(x) / P))
    assert held.lines[0].shown != P
    held.step(P, because="f cancels")
    refusal(Derivation(f(x) / sp.UnevaluatedExpr(f(x) / P)), 1 / P)


@pytest.mark.parametrize("relation", ["<=", ">="])
def test_bounds_are_refuted_on_the_wrong_side(relation):
    with pytest.raises(StepRefuted) as caught:
        Derivation(sp.log(s)).bound(0, because="no", relation=relation)
    left, right = caught.value.left_value, caught.value.right_value
    assert left > right if relation == "<=" else left < right


@pytest.mark.parametrize(("left", "relation", "right"), [
    (1 / (x - 3) ** 2 + x, ">=", sp.Rational(-1000)),            # a pole: convex on both sides, unbounded below
    (x ** 4 - 2 * x ** 2, ">=", 0), (sp.sin(x), "<=", sp.Rational(9, 10)), (x ** 3, ">=", -10), (s - 1, ">=", 0),
    (y ** 2 / (y ** 2 + 1), ">=", sp.Rational(1, 2)),
    (sp.exp(-s), ">=", sp.Rational(1, 100)), (s + 1 / s, ">=", sp.Rational(5, 2)), (sp.Abs(x) - 1, ">=", 0)])
def test_a_bound_that_fails_somewhere_is_never_marked(left, relation, right):
    with pytest.raises((StepRefuted, StepUndecided)):
        Derivation(left).bound(right, because="not everywhere", relation=relation)


# ---------------------------------------------------------------- where algebra systems go wrong

a, b = sp.symbols("a b", real=True)
m = sp.symbols("m", integer=True)
c = sp.symbols("c", nonnegative=True)
k = sp.symbols("k", integer=True)


@pytest.mark.parametrize(("left", "wrong"), [
    (sp.Integral(sp.cos(m * x), (x, 0, 2 * sp.pi)), sp.Integer(0)),                      # not for m = 0
    (sp.Integral(1 / x ** 2, (x, a, b)), 1 / a - 1 / b),                                 # not across the pole
    (sp.Integral(1 / sp.cos(x) ** 2, (x, 0, s)), sp.tan(s)),
    (sp.Integral(sp.Abs(x), (x, 0, a + 5)), (a + 5) ** 2 / 2),                           # not where the limits are reversed
    (sp.Integral(1 / x, (x, 1, sp.oo)), sp.Integral(x, (x, 1, sp.oo))),                  # both diverge
    (sp.Sum(sp.exp(-k ** 2), (k, 0, sp.oo)), sp.Sum(sp.exp(-k ** 2) * sp.sign(k), (k, 0, sp.oo))),   # not at k = 0
    (sp.Limit(sp.sign(x), x, 0, "+-"), sp.Integer(1)), (sp.log(x ** 2), 2 * sp.log(x)),
    (sp.log(a * b), sp.log(a) + sp.log(b)), (sp.atan(sp.tan(x)), x), (sp.acos(sp.cos(x)), x)])
def test_false_on_a_part_of_the_domain_has_no_plain_mark(left, wrong):
    assert Derivation(left, seconds=2).judge(wrong).outcome != "proved"


@pytest.mark.parametrize(("left", "relation"), [
    (sp.Sum(sp.exp(-k ** 2), (k, -7, m)), ">="),                                         # reversed below −8
    (sp.Integral(sp.exp(-x ** 4), (x, s, 5)), ">="),                                     # reversed above 5
    (2 * c ** 3 - 3 * c ** 2 * a + a ** 3, ">="),                                        # the root a may lie outside c ≥ 0
    (sp.acot(x + 5) + sp.atan(x + 5) + x ** 2 / 1000, ">="),                             # a jump
    (1 / sp.sinh(x) + x ** 2 + 2, ">=")])
def test_a_bound_across_a_jump_or_a_pole_is_never_marked(left, relation):
    with pytest.raises((StepRefuted, StepUndecided)):
        Derivation(left, seconds=2).bound(0, because="generically", relation=relation)


def test_facts_do_not_divide_by_zero():
    verdict = Derivation(x * y, given=[sp.Eq(a * x, b)]).judge(b * y / a)
    assert verdict.outcome != "proved" and verdict.line.assumed in ((), (sp.Ne(a, 0),))


def test_conditions_may_be_closed_and_are_finite():
    unknown = sp.Symbol("t")
    assert Derivation(sp.sign(x), where=[x >= 0]).judge(1).outcome == "refuted"
    assert Derivation(sp.sign(x), where=[x > 0]).judge(1).outcome == "proved"
    assert Derivation(sp.Abs(x), where=[x >= 0]).judge(x).outcome == "proved"
    with pytest.raises((StepRefuted, StepUndecided)):
        Derivation(sp.exp(-unknown), where=[unknown > 0, unknown < sp.oo]).step(0, because="no")
    with pytest.raises(ValueError, match="over sigma from -1 to 1, but sigma is declared to be positive"):
        Derivation(sp.Integral(s, (s, -1, 1)))
    with pytest.raises(TypeError, match="must have limits"):
        Derivation(sp.Integral(sp.exp(-x ** 4), x))


def test_counterexamples_to_conditions_on_integers_are_integers():
    Derivation(m * (m - 1), where=[m > 0]).bound(0, because="m ≥ 1", relation=">=")
    assert refusal(Derivation(m, where=[m > 3]), m ** 2).counterexample[m] in range(4, 100)


# ---------------------------------------------------------------- kinds of lines

def test_matrices_entry_by_entry_and_their_shapes():
    line = sp.Matrix([[x + x, 0], [0, s]])
    Derivation(line).step(sp.diag(2 * x, s), because="add")
    assert refusal(Derivation(line), sp.diag(2 * x, s ** 2)).left_value.shape == (2, 2)
    assert "shape" in str(refusal(Derivation(line), sp.Matrix([1, 2])))
    with pytest.raises(TypeError, match="matrices"):
        Derivation(line).bound(line, because="no order")
    Derivation(sp.Determinant(sp.diag(s ** 2, t ** 2))).step(s ** 2 * t ** 2, because="a diagonal matrix")
    Derivation(sp.Trace(sp.diag(s ** 2, t ** 2))).step(s ** 2 + t ** 2, because="a diagonal matrix")
    Derivation(sp.Matrix([[s, x], [0, t]]).inv()).step(sp.Matrix([[1 / s, -x / (s * t)], [0, 1 / t]]), because="invert")


def test_sums_derivatives_and_limits_may_stay_unevaluated():
    Derivation(sp.Sum(k, (k, 1, n))).step(n * (n + 1) / 2, because="Gauss")
    refusal(Derivation(sp.Sum(k, (k, 1, n))), n ** 2 / 2)
    Derivation(sp.Derivative(x ** 3, x)).step(3 * x ** 2, because="differentiate")
    Derivation(sp.Limit(sp.sin(x) / x, x, 0)).step(1, because="a limit")
    Derivation(sp.Limit(-sp.log(s), s, 0)).step(sp.oo, because="an infinite one")
    second_moment = sp.Integral(normal_density(z, x, 1) * z ** 2, (z, -sp.oo, sp.oo))
    Derivation(sp.Derivative(second_moment, x)).step(2 * x, because="both")


def test_the_density_reads_as_on_paper_and_is_written_out_for_the_proof():
    density = normal_density(z, x, s ** 2)
    Derivation(density).step(sp.exp(-(z - x) ** 2 / (2 * s ** 2)) / sp.sqrt(2 * sp.pi * s ** 2), because="its formula")
    Derivation(sp.diff(sp.log(density), x)).step((z - x) / s ** 2, because="the score")
    assert sp.latex(density) == r"\mathcal{N}\left(z;\, x,\, \sigma^{2}\right)" and str(density) == "N(z; x, sigma**2)"
    for k in range(3):
        slope = sp.diff(normal_density(x, y, s), (x, y, s)[k])
        assert sp.simplify(slope.doit() - sp.diff(normal_density(x, y, s).doit(), (x, y, s)[k])) == 0
    with pytest.raises(ValueError, match="variance must be positive, got -1"):
        normal_density(z, 0, -1)


# ---------------------------------------------------------------- bad input

def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="the name “x” is not known here"):
        Derivation("x")
    with pytest.raises(TypeError, match="expression must be a SymPy expression.*right-hand side"):
        Derivation(x).step(sp.Eq(x, y), because="an equation")
    with pytest.raises(TypeError, match="expression must be a SymPy expression or a text, got True"):
        Derivation(x).step(x == x, because="a Python comparison")
    with pytest.raises(TypeError, match="expression must be a SymPy expression or a text, got None"):
        Derivation(x).step(None, because="nothing")
    for because in ("", "  ", None):
        with pytest.raises(ValueError, match="because must say the reason"):
            Derivation(x).step(x, because=because)
    with pytest.raises(ValueError, match='relation must be "<=" or ">=", got "<"'.replace('"<"', "'<'")):
        Derivation(x).bound(x, because="strict", relation="<")
    with pytest.raises(TypeError, match="where must hold inequalities"):
        Derivation(x, where=[x])
    with pytest.raises(TypeError, match="given must hold equalities"):
        Derivation(x, given=[x > 0])
    with pytest.raises(ValueError, match="seconds must be positive and at most 3600, got 0"):
        Derivation(x, seconds=0)


def test_two_symbols_of_one_name_are_called_out():
    with pytest.raises(ValueError, match="two different symbols are called x"):
        Derivation(x).step(sp.Symbol("x", positive=True), because="the same letter")


# ---------------------------------------------------------------- time

class Endless(sp.Function):
    """A function that SymPy multiplies out for ever."""

    def _eval_expand_mul(self, **hints):
        while True:
            sum(range(1000))


@pytest.fixture(params=["of the thread", "of the process"])
def each_clock(request, monkeypatch):
    """The clock of Linux, and the one of systems that have none for a single thread."""
    if request.param == "of the process":
        monkeypatch.delattr(time, "pthread_getcpuclockid", raising=False)


@pytest.mark.parametrize("where", ["main thread", "another thread"])
def test_a_step_ends_in_time_and_says_so(where, each_clock):
    d, caught = Derivation(Endless(x), seconds=1), []

    def attempt():
        started = time.thread_time()
        try:
            d.step(x, because="too hard")
        except Exception as error:
            caught.extend([error, time.thread_time() - started])

    thread = threading.Thread(target=attempt if where == "another thread" else lambda: None)
    thread.start()
    thread.join()
    if where == "main thread":
        attempt()
    assert 0.8 < caught[1] < 5
    assert isinstance(caught[0], StepUndecided) and "within 1 s" in str(caught[0]) and len(d.lines) == 1


def work(seconds: float) -> None:
    """Computes for so long by this thread's own clock."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_what_sympy_had_half_worked_out_is_not_kept():
    class Interrupted(sp.Expr):
        """SymPy is stopped while it asks whether this is positive, the first time."""
        stops = True

        def _eval_is_positive(self):
            if Interrupted.stops:
                Interrupted.stops = False
                raise clock.TimeIsUp
            return True

    number, symbol = Interrupted(), sp.Symbol("u", positive=True, integer=True)
    with pytest.raises(clock.TimeIsUp), clock.time_limit(60):
        assert (number * symbol).is_positive
    assert number.is_positive and (number * symbol).is_positive
    assert symbol.is_positive and symbol.is_integer and symbol.is_even is None


def test_waiting_for_a_busy_machine_does_not_count(each_clock):
    with clock.time_limit(0.2):
        time.sleep(0.5)
    with pytest.raises(clock.TimeIsUp):
        with clock.time_limit(0.2):
            work(10)


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="this system has no clock of one thread for another")
def test_the_work_of_other_threads_does_not_count():
    other = threading.Thread(target=work, args=[1.0])
    other.start()
    with clock.time_limit(0.5):
        other.join()
        work(0.1)


def test_the_clock_stops_a_loop_that_swallows_exceptions(each_clock):
    started = time.thread_time()
    with pytest.raises(clock.TimeIsUp):
        with clock.time_limit(0.2):
            while True:
                try:
                    sum(range(1000))
                except Exception:
                    pass
    assert time.thread_time() - started < 5
    with clock.time_limit(0.05):
        pass
    time.sleep(0.3)  # nothing arrives after the block has ended


@pytest.mark.parametrize("watch", ["cProfile.Profile().enable()", "sys.settrace(lambda *event: lambda *event: None)"])
def test_debuggers_and_profilers_work_after_a_step_that_ran_out_of_time(watch):
    code = """
import cProfile, sys, time
from vae_course.derivations.clock import TimeIsUp, time_limit

def work():
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass

for seconds in (5, 0.05, 1e-4, 0.05, 5):
    try:
        with time_limit(seconds):
            work()
    except TimeIsUp:
        pass
WATCH
for seconds in (5, 0.05, 5):
    try:
        with time_limit(seconds):
            work()
    except TimeIsUp:
        print("stopped")
"""
    done = subprocess.run([sys.executable, "-c", code.replace("WATCH", watch)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "stopped\n", done


class BusyWhenDropped:
    def __del__(self):
        work(0.001)


def test_a_limit_that_is_lost_in_a_destructor_is_raised_again_and_not_printed(capfd, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", partial(clock._without_a_word, others=sys.__unraisablehook__))
    monkeypatch.setattr(clock, "AGAIN", 0.02)
    for _ in range(20):
        with pytest.raises(clock.TimeIsUp), clock.time_limit(0.02):
            while True:
                BusyWhenDropped()
                work(0.001)
    assert "TimeIsUp" not in capfd.readouterr().err


def test_other_errors_in_a_destructor_are_still_printed(capfd):
    clock._without_a_word(SimpleNamespace(exc_type=ZeroDivisionError), others=lambda lost: print("said", lost.exc_type))
    assert "ZeroDivisionError" in capfd.readouterr().out
