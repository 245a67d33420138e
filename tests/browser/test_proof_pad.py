"""The proof pad in a real browser: a whole proof by keys alone, a step that is stopped, and one beside a busy cell."""

import re

from views import until

FIRST = """import sympy as sp
from vae_course import widgets
from vae_course.derivations import Derivation
p, q = sp.symbols("p q", positive=True)
"""
PAD = FIRST + """d = Derivation("p*log(p/q) + (1 - p)*log((1 - p)/(1 - q))", "The KL of two coins", where=[p < 1, q < 1])
d.bound("p*(p/q - 1) + (1 - p)*((1 - p)/(1 - q) - 1)", "the tangent, twice")
widgets.proof_pad(d, "(p - q)**2/(q*(1 - q))", relation="<=", seconds=4, hints=["Collect what is not a square."])
"""
# True for every p, and no rewriting shows it: the integral is π/4.
UNDECIDED = "p**2/q + (1 - p)**2/(1 - q) - 1 + Integral(1/((1 + x**2)*(1 + x**p)), (x, 0, oo)) - pi/4"
# True, and hundreds of thousands of terms must be multiplied out to see it: at work for minutes on any machine.
SLOW = "p**2/q + (1 - p)**2/(1 - q) - 1 + ((p + 1)**2 + q + exp(p))**30 - (p**2 + 2*p + 1 + q + exp(p))**30"
CLIPBOARD = "() => navigator.clipboard.readText()"
FOCUS = "() => document.activeElement.ariaLabel ?? document.activeElement.textContent"


class Form:
    """The form of the only proof pad on the page, moved by keys alone."""

    def __init__(self, notebook):
        self.page = notebook.page
        [self.explorer] = notebook.explorers()
        self.area = self.explorer.element.locator(".vae-proof-form")
        self.area.wait_for()
        self.line = self.area.get_by_role("textbox", name=re.compile("^next line"))

    def tab_to(self, name: str) -> None:
        """By Tab, or by Shift+Tab where it lies before."""
        for key in [*["Tab"] * 9, *["Shift+Tab"] * 18]:
            if self.page.evaluate(FOCUS).startswith(name):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{name!r} is not reached by Tab")

    def check(self, line: str, because: str, relation: str = "=") -> None:
        """Type a line and a reason from the line's box on, and press Enter."""
        assert self.page.evaluate(FOCUS).startswith("next line")
        self.page.keyboard.press("Shift+Tab")
        self.page.keyboard.type(relation)
        for text in (line, because):
            self.page.keyboard.press("Tab")
            self.page.keyboard.press("Control+a")
            self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def wait(self, words: str) -> str:
        """Wait until the words are seen and said; returns the whole sentence."""
        frame = self.explorer.wait_for(lambda frame: words in frame.words, words)
        said = self.area.get_by_role("status")
        until(self.page, lambda: words in said.inner_text(), lambda: f"{words!r} is said; {said.inner_text()!r} is")
        return frame.words

    def cell(self) -> str:
        return self.area.get_by_role("textbox", name="the proof as Python", include_hidden=True).input_value()


def open_pad(notebook, *cells: str) -> Form:
    notebook.open([*cells], "proof")
    notebook.run_all()
    assert not notebook.broken_widgets()
    form = Form(notebook)
    form.line.focus()
    return form


def test_a_whole_proof_by_keys(notebook):
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    form = open_pad(notebook, PAD)
    until(notebook.page, lambda: form.explorer.element.locator("mjx-container").count() >= 2, "typeset lines")
    notebook.screenshot("proof-start", form.explorer.element)
    first = form.cell()

    form.check("p - q", "it is so")
    assert re.search(r"At .*[pq] = .* ≠ ", form.wait("Refused"))
    notebook.screenshot("proof-refused", form.explorer.element)
    form.check(UNDECIDED, "the integral is $\\pi/4$")
    form.wait("Not decided")
    notebook.screenshot("proof-undecided", form.explorer.element)
    form.check("p**2/r - 1", "another letter")
    assert "“r”" in form.wait("cannot be read")
    notebook.screenshot("proof-unread", form.explorer.element)
    assert form.cell() == first

    form.check("p**2/q + (1 - p)**2/(1 - q) - 1", "the weights sum to 1")
    form.wait("Proved")
    assert form.line.input_value() == "" and notebook.page.evaluate(FOCUS).startswith("next line")
    form.tab_to("Undo")
    notebook.page.keyboard.press("Enter")
    form.wait("taken back")
    assert form.cell() == first
    form.tab_to("Hint")
    notebook.page.keyboard.press("Space")
    assert "in one step" in form.wait("Collect")

    form.tab_to("next line")
    form.check("(p - q)**2/(q*(1 - q))", "a common denominator")
    form.wait("The goal is reached")
    notebook.screenshot("proof-reached", form.explorer.element)
    form.tab_to("Copy")
    notebook.page.keyboard.press("Enter")
    until(notebook.page, lambda: notebook.page.evaluate(CLIPBOARD) == form.cell(), "the proof on the clipboard")
    assert form.cell().endswith("d.step('(p - q)**2/(q*(1 - q))', because='a common denominator')\nd")
    check = f"{form.cell()}\nassert len(d.lines) == 3 and d.relation == '<='"
    assert notebook.run_unseen(check) == "ok"


def test_a_slow_step_is_stopped(notebook):
    form = open_pad(notebook, PAD.replace("seconds=4", "seconds=600"))
    form.check(SLOW, "multiply out")
    until(notebook.page, lambda: "working" in form.area.inner_text(), "it shows that it works")
    notebook.screenshot("proof-working", form.explorer.element)
    notebook.page.keyboard.press("Escape")
    form.wait("Stopped")
    assert form.line.input_value() == SLOW
    form.check("p - q", "it is so")
    form.wait("Refused")


def test_a_line_is_checked_while_a_cell_is_busy(notebook):
    busy = ('import time\nfrom pathlib import Path\nprint("began", flush=True)\nstop = time.time() + 300\n'
            'while time.time() < stop and not Path("enough").exists():\n    sum(range(1000))\nprint("ended")')
    enough = notebook.root / "enough"
    enough.unlink(missing_ok=True)
    notebook.open([PAD, busy], "busy")
    notebook.start()
    said = notebook.page.locator(".jp-OutputArea-output")
    said.filter(has_text=re.compile("^began")).wait_for()
    until(notebook.page, lambda: len(notebook.explorers()) == 1, "the pad")
    form = Form(notebook)
    form.line.focus()
    form.check("p - q", "it is so")
    form.wait("Refused")
    assert "ended" not in "".join(said.all_inner_texts()), "the answer came only after the cell"
    enough.touch()
    notebook.finish()


def test_core_widgets_stand_in_where_anywidget_is_missing(notebook):
    notebook.open(["import sys\nsys.modules['anywidget'] = None\n" + PAD], "stand-in")
    notebook.run_all()
    [explorer] = notebook.explorers()
    line, because = explorer.element.locator("input[type=text]").all()
    for relation, text, words in (("=", "p - q", "Refused"), ("=", "(p - q)**2/(q*(1 - q))", "The goal is reached")):
        explorer.element.locator("select").select_option(label=relation)
        line.fill(text)
        because.fill("it is so")
        explorer.press_button("check")
        explorer.wait_for(lambda frame, words=words: words in frame.words, words)
    notebook.screenshot("proof-stand-in", explorer.element)


def test_a_picture_stands_in_for_formulas_on_colab(notebook):
    notebook.open(["import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\n" + PAD], "colab")
    notebook.run_all()
    [explorer] = notebook.explorers()
    assert not explorer.element.locator("mjx-container").count()
    picture = explorer.element.locator(".vae-proof img")
    assert picture.evaluate("image => image.naturalWidth") == 800 and "log" in picture.get_attribute("alt")
    notebook.screenshot("proof-colab", explorer.element)


def test_it_fits_a_narrow_page_and_a_wide_formula_scrolls(notebook):
    notebook.page.set_viewport_size({"width": 800, "height": 900})
    start = " + ".join(f"{k}*exp(p)**{k}*log({k} + p)" for k in range(1, 12))
    wide = f'{FIRST}widgets.proof_pad("{start}", "log(p)", symbols=[p])'
    form = open_pad(notebook, wide)
    until(notebook.page, lambda: form.explorer.element.locator("mjx-container").count() >= 2, "typeset lines")
    notebook.screenshot("proof-narrow", form.explorer.element)
    page = form.explorer.element.evaluate("e => [e.scrollWidth, e.clientWidth, e.getBoundingClientRect().right]")
    assert page[0] <= page[1] + 1 and page[2] <= 800
