"""The proof pad without a browser: its core, the cell that it gives, and what its form sends, sent by hand."""

import html
import io
import re
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest
import sympy as sp
from PIL import Image

from vae_course import widgets
from vae_course.derivations import Derivation
from vae_course.derivations.background import Background, Stopped
from vae_course.derivations.pad import Pad, Row
from vae_course.widgets.formulas import picture_of_rows
from vae_course.widgets.proofs import ProofForm

p, q = sp.symbols("p q", positive=True)
x = sp.symbols("x", real=True)
GOAL = "(x - 1)**2"
# True for every x > 0, and no rewriting shows it: the integral is π/4.
HARD = "p + Integral(1/((1 + x**2)*(1 + x**p)), (x, 0, oo)) - pi/4"


def pad(**options) -> Pad:
    return Pad("x**2 - 2*x + 1", GOAL, symbols=[x], **options)


# ---------------------------------------------------------------- the core

def test_a_proof_with_a_wrong_line_a_text_that_is_none_and_an_undo():
    proof = pad()
    start = proof.latex()
    wrong = proof.check("x**2 + 1", "the mixed term is small")
    assert wrong.outcome == "refuted" and re.search(r"x = .* ≠ ", wrong.message) and wrong.latex and wrong.row
    for text, because, words in (("x**2 - y", "a letter", "y"), ("", "why", "Type"), (GOAL, " ", "Say why"),
                                 ("x +", "typed too soon", "read"), ("x == 1", "an equation", "formula")):
        unread = proof.check(text, because)
        assert unread.outcome == "unread" and words in unread.message and not unread.goal_reached
    assert proof.latex() == start
    assert proof.check("x*(x - 1) - (x - 1)", "two terms each").outcome == "proved"
    assert proof.undo().outcome == "undone" and proof.latex() == start
    assert "no line of yours" in proof.undo().message and proof.latex() == start
    right = proof.check(GOAL, "a square")
    assert right.goal_reached and "The goal is reached." in right.message and not right.latex
    assert "reached" in proof.goal_latex() and proof.hint().goal_reached


@pytest.mark.parametrize("text", ["__import__('os').system('true')", "x.__class__", "(lambda: x)()", "[x for x in (1,)]",
                                  "exec('1')", "open('f')", "9**9**9**9", "x" * 10_000, "(" * 500 + "x", "x**(2**(2**100))"])
def test_nothing_that_is_typed_is_executed_or_fails(text):
    started = time.thread_time()
    assert pad().check(text, "try it").outcome == "unread"
    assert time.thread_time() - started < 2


@pytest.mark.parametrize("because, is_read", [
    ("costs $5 & 10% {x} \\frac <b>", True), ("$\\frac{1}{2}$ and $\\left(x\\right)$", True), ("$\\{x\\}$", True),
    ("$\\frac{1}{$", False), ("$}{$", False), ("$\\left(x$", False), ("$a & b$", False), ("$a \\\\ b$", False)])
def test_a_reason_cannot_spoil_the_lines_above_it(because, is_read):
    assert (pad().check(GOAL, because).outcome == "proved") == is_read


def test_what_the_line_before_is_not_known_to_be_is_said_beside_the_mark():
    proof = Pad("(x**2 - 1)/(x - 1)", "x + 1", symbols=[x])
    answer = proof.check("x + 1", "cancel")
    assert answer.outcome == "conditional" and "1" in answer.message and "under the conditions" in answer.message
    assert any("x" in row.note for row in proof.rows())


def test_what_is_said_of_decimals():
    proof = Pad("x*8/10", "0", symbols=[x])
    answer = proof.check("0.8*x", "a decimal")
    assert answer.outcome == "proved" and answer.message.count("0.8 is read as 4/5") == 1
    assert proof.as_cell().count("read as") == 0


def test_a_goal_below_is_not_reached_by_a_chain_that_goes_up():
    proof = Pad("x**2", "0", relation=">=", symbols=[x])
    up = proof.check("x**2 + 1", "one more", "<=")
    assert up.outcome == "proved" and not up.goal_reached and "undo" in up.message and "undo" in proof.hint().message
    proof.undo()
    assert proof.check("0", "a square", ">=").goal_reached


def test_an_equality_is_a_bound_too_and_a_bound_is_no_equality():
    assert pad(relation="<=").check(GOAL, "a square").goal_reached
    proof = Pad("x**2", "0", symbols=[x])
    assert not proof.check("0", "a square", ">=").goal_reached


def test_hints_come_from_the_prover_and_the_author():
    proof = pad(hints=["Look at x = 1.", "A square."])
    first, second, third = (proof.hint().message for _ in range(3))
    assert "in one step" in first and "Look at x = 1." in first and "A square." in second and "A square." in third
    proof = Pad("x**2 + 2", "x**2 + 1", relation=">=", symbols=[x])
    proof.check("x**2", "less", ">=")
    assert "cannot be reached any more" in proof.hint().message


def test_a_hint_says_what_is_left_where_the_prover_sees_no_step():
    found = Pad("p", HARD, symbols=[p], seconds=1).hint()
    assert "more than one step" in found.message and found.latex


def test_a_derivation_brings_its_lines_and_stays_as_it_is():
    d = Derivation("p*log(p/q)", "A term", where=[p < 1], symbols=[p, q]).step("p*log(p) - p*log(q)", "the log of a ratio")
    proof = Pad(d, "p*(log(p) - log(q))")
    assert [row.latex for row in proof.rows()[-2:]] == [Pad(d, "0").rows()[-2].latex, Pad(d, "0").rows()[-1].latex]
    assert proof.check("p*(log(p) - log(q))", "take p out").goal_reached and len(d.lines) == 2
    assert proof.undo().message != proof.undo().message
    with pytest.raises(TypeError, match="brings its own"):
        Pad(d, "0", symbols=[p])


@pytest.mark.parametrize("make", [lambda: pad(relation="<"), lambda: Pad("x", "y", symbols=[x]),
                                  lambda: Pad("x", "x", symbols=[x]), lambda: Pad(sp.Eq(x, 1), x)])
def test_what_is_no_proof_to_write_is_refused(make):
    with pytest.raises((TypeError, ValueError)):
        make()


def test_the_core_needs_no_threads_and_no_widgets():
    source = """
import sys, threading
def cannot(self): raise RuntimeError("can't start new thread")
threading.Thread.start = cannot
from vae_course.derivations.pad import Pad
pad = Pad("Integral(x, (x, 0, 1))", "1/2")
assert pad.check("1", "it is so").outcome == "refuted"
assert pad.check("1/2", "half a square").goal_reached
assert not {"ipywidgets", "anywidget", "IPython", "torch"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", source], check=True, timeout=120)


# ---------------------------------------------------------------- the proof as a cell

f, P = sp.Function("f", positive=True), sp.IndexedBase("P", positive=True)
i, n = sp.symbols("i n", integer=True, positive=True)
phi = sp.Symbol("q_{\\phi}", positive=True)
lam = sp.Symbol("lambda", positive=True)
DERIVATIONS = [
    lambda: Derivation("p*log(p/q)", "A term's “log”", where=[p < 1, q < sp.Rational(1, 2)], symbols=[p, q]),
    lambda: Derivation(sp.Integral(f(x) * 2, (x, -sp.oo, sp.oo)), given=[sp.Eq(sp.Integral(f(x), (x, -sp.oo, sp.oo)), 1)]),
    lambda: Derivation(2 * sp.Sum(P[i], (i, 1, n)), given=[sp.Eq(sp.Sum(P[i], (i, 1, n)), 1)]),
    lambda: Derivation(phi * lam / 2 + sp.sqrt(lam), where=[phi < sp.Rational(3, 4) * lam]),
    lambda: Derivation(sp.Matrix([[p, q], [0, 1]])),
]


@pytest.mark.parametrize("make", DERIVATIONS)
def test_the_cell_makes_the_same_derivation(make):
    d = make()
    if d.given and d.given[0].has(sp.Integral):
        d.step(2, 'the "fact"')
    names: dict = {}
    exec(Pad(d, d.result * 2).as_cell(), names)  # what a reader would run
    again = names["d"]
    assert [(line.relation, line.expression, line.because) for line in again.lines] \
        == [(line.relation, line.expression, line.because) for line in d.lines]
    assert (again.title, again.where, again.given) == (d.title, d.where, d.given)


def test_typed_lines_stay_in_the_cell_as_they_were_typed():
    proof = pad()
    proof.check("x*(x - 1)  -(x-1)", "it's so")
    proof.check("0", "squares", ">=")
    assert """d.step('x*(x - 1)  -(x-1)', because="it's so")""" in proof.as_cell()
    assert "d.bound('0', because='squares', relation='>=')" in proof.as_cell()
    exec(proof.as_cell(), names := {})
    assert len(names["d"].lines) == 3


# ---------------------------------------------------------------- work that can be stopped

def test_work_gives_its_value_or_its_error():
    for act, value, error in ((lambda: 3, 3, None), (lambda: 1 / 0, None, ZeroDivisionError)):
        work = Background(act)
        assert work.is_done(10) and work.value == value and (error is None or isinstance(work.error, error))


def test_work_that_swallows_exceptions_is_stopped():
    def stubborn():
        stop = time.monotonic() + 60
        while time.monotonic() < stop:
            try:
                sum(range(100))
            except Exception:
                continue
    work = Background(stubborn)
    assert not work.is_done(0.05) and work.stop() and isinstance(work.error, Stopped)
    work._thread.join(10)
    assert not work._thread.is_alive()


def test_without_threads_the_work_is_done_at_once(monkeypatch):
    def cannot(self):
        raise RuntimeError("can't start new thread")
    monkeypatch.setattr(threading.Thread, "start", cannot)
    work = Background(lambda: 3)
    assert work.is_done() and work.value == 3 and work.stop()


# ---------------------------------------------------------------- the explorer

def explorer(**options):
    return widgets.proof_pad("x**2 - 2*x + 1", GOAL, symbols=[x], **options)


def send(box, what: str, **more) -> None:
    box.form.send = lambda content, buffers=None: None
    box.form._handle_custom_msg({"do": what, **more, "view": "v", "number": 1}, [])


def for_ever(*args) -> None:
    """A judgement that only an exception from outside ends."""
    while True:
        time.sleep(0.001)


def check(box, line: str, because: str = "why", relation: str = "==") -> None:
    before = box.form.answered
    send(box, "check", line=line, because=because, relation=relation)
    until = time.monotonic() + 60
    while box.form.answered == before and time.monotonic() < until:
        send(box, "look")
    assert box.form.answered == before + 1


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def test_the_form_checks_undoes_hints_and_clears():
    box = explorer(hints=["A square."])
    start = box.proof.value, box.state.value, box.cell.value
    check(box, "x**2 + 1")
    assert box.state.value.startswith("Refused") and box.form.said == box.state.value and box.form.accepted == 0
    send(box, "clear")
    assert (box.proof.value, box.state.value, box.cell.value) == start
    check(box, GOAL, "a square")
    assert "The goal is reached" in box.state.value and box.form.accepted == 1 and "a square" in box.form.cell
    send(box, "undo")
    assert box.cell.value == start[2] and "taken back" in box.state.value
    before = box.form.answered
    send(box, "hint")
    while box.form.answered == before:
        send(box, "look")
    assert "A square." in box.state.value


def test_the_place_that_cannot_be_read_is_shown_in_even_letters():
    box = explorer()
    check(box, "x + y")
    assert "\n" not in box.state.value and "<pre>" in box.proof.value and "^" in box.proof.value


def test_a_step_is_stopped_and_the_next_one_is_checked(monkeypatch):
    box = widgets.proof_pad("p", "2*p", symbols=[p], seconds=600)
    with monkeypatch.context() as patch:
        patch.setattr(box.core, "judge", for_ever)
        send(box, "check", line=HARD, because="the integral", relation="==")
    for _ in range(3):
        send(box, "look")
    assert box.form.answered == 1, "it is still at work"
    send(box, "stop")
    assert box.state.value.startswith("Stopped") and box.form.answered == 2
    check(box, "p + 1")
    assert box.state.value.startswith("Refused")


def test_widgets_change_only_in_the_thread_of_the_message():
    box, threads = explorer(), set()
    box.state.observe(lambda _: threads.add(threading.get_ident()), "value")
    check(box, "x**2 + 1")
    check(box, GOAL)
    assert threads == {threading.get_ident()}


def test_what_is_typed_is_not_read_as_html():
    box = explorer()
    check(box, GOAL, "<img src=x onerror=alert(1)> & so")
    assert "<img" not in box.proof.value


def test_the_stand_in_does_the_same(monkeypatch):
    monkeypatch.setitem(widgets.proof_pad.__wrapped__.__globals__, "ProofForm", None)  # other tests load the module anew
    box = explorer()
    assert box.form is None and box.stand_in in box.children
    box.line.value, box.because.value = "x**2 + 1", "so"
    box.buttons["check"].click()
    assert box.state.value.startswith("Refused") and box.line.value == "x**2 + 1"
    box.line.value = GOAL
    box.buttons["check"].click()
    assert "The goal is reached" in box.state.value and box.line.value == "" and GOAL in box.cell.value
    box.buttons["undo"].click()
    assert "taken back" in box.state.value


def test_the_form_hides_the_stand_in_once_it_is_there():
    box = explorer()
    assert box.form.layout.display == "none" and box.stand_in.layout.display is None
    box.form.alive = True
    assert box.form.layout.display == "" and box.stand_in.layout.display == "none"
    assert isinstance(box.form, ProofForm)


def test_a_page_without_a_kernel_gets_a_picture_of_the_proof():
    box = explorer(title="A square")
    still, live = box.outputs()
    assert "vae-still" in still["text/html"] and html.escape(box.state.value) in still["text/html"]
    assert live["text/plain"] == f"Explorer: {box.state.value}"
    assert size(box.still())[0] == 800 and np.asarray(Image.open(io.BytesIO(box.still())).convert("L")).std() > 5
    before = size(box.still())[1]
    check(box, GOAL)
    assert size(box.still())[1] > before


def test_on_colab_formulas_are_pictures(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    box = explorer()
    assert "$" not in box.proof.value and "data:image/png" in box.proof.value and 'alt="' in box.proof.value


@pytest.mark.parametrize("latex, plain", [
    (sp.latex(sp.Sum(P[i], (i, 1, n))), ""), (sp.latex(sp.Integral(f(x), (x, -sp.oo, sp.oo))), ""),
    (sp.latex(sp.Piecewise((1, x > 0), (0, True))), "Piecewise((1, x > 0), (0, True))"),
    (sp.latex(sp.Matrix([[1, 2]])), "Matrix([[1, 2]])"), (r"\frac{1}{", "half a $ formula"),
    (" + ".join([sp.latex(sp.exp(x))] * 25), ""),
])
def test_every_formula_can_be_drawn(latex, plain):
    notes = ["", "✓ a reason with $\\mu$", "a $ alone", "$\\nonsense$", "a long reason " * 20]
    drawn = picture_of_rows([Row(r"\le", latex, plain, note) for note in notes], title="$50 & more_")
    assert size(drawn)[0] == 800 and np.asarray(Image.open(io.BytesIO(drawn)).convert("L"))[:, -3:].min() == 255


@pytest.mark.parametrize("make, words", [
    (lambda: widgets.proof_pad("x", "y", symbols=[x]), "y"), (lambda: widgets.proof_pad(x, x), "is the goal"),
    (lambda: widgets.proof_pad(x, 2, relation="<"), "relation"), (lambda: widgets.proof_pad(None, 2), "start"),
])
def test_bad_input_gives_a_message_in_the_explorers_place(make, words):
    notice = make()
    assert isinstance(notice, widgets.Notice) and words in notice.message and "no proof to write" in notice.message
