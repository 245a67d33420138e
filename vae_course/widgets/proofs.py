"""The proof pad: a proof that the reader writes line by line, each line answered by the prover."""

import base64
import html
import sys
from collections.abc import Callable, Iterable, Sequence

import ipywidgets

from vae_course.derivations.background import Background
from vae_course.derivations.pad import Pad, PadAnswer
from vae_course.widgets.explorer import CannotExplore, Explorer, explained
from vae_course.widgets.formulas import picture_of_rows

try:
    from vae_course.widgets.front_end import ProofForm
except ImportError:  # anywidget is missing: core widgets stand in for the form
    ProofForm = None  # type: ignore[assignment, misc]  # mypy has no class that may be None

AT_ONCE = 0.3  # seconds that a look waits for the answer, so that a quick step is answered without another look
NOTHING = PadAnswer("", "Type the next line and a reason.")
COLOURS = {"proved": "#009E73", "conditional": "#009E73", "refuted": "#D55E00", "undecided": "#E69F00", "unread": "#E69F00",
           "hint": "#0072B2"}
STYLE = """<style>.vae-proof-pad > .widget-label { display: block; height: auto; max-width: 780px;
 white-space: pre-wrap; line-height: 1.4; margin: 4px 0; padding-left: 8px; border-left: 4px solid COLOUR }
.vae-proof { margin: 8px 0; max-width: 800px; overflow-x: auto; overflow-y: hidden; line-height: 1.4 }
.vae-proof mjx-container { margin: 0.3em 0 !important; text-align: left !important }
.vae-proof pre { margin: 0; line-height: 1.2 }</style>"""


@explained
def proof_pad(start, goal, *, relation: str = "==", hints: Sequence[str] = (), title: str = "", where: Iterable = (),
              given: Iterable = (), symbols: Iterable = (), seconds: float = 8.0) -> Explorer:
    """A proof to be written: type a line and a reason, and see it typeset with its ✓, its condition or its counterexample.

    Enter checks, Escape stops a check; hint, undo and "copy as a cell" are buttons. A check ends by itself after `seconds`
    of the processor's time.

    Args:
        start: the first line, an expression or a text, or a Derivation: its lines are there already, and it brings the title
            and all that follows it here.
        goal: the line to be reached.
        relation: what is to be shown of start and goal: "==", "<=" (start ≤ goal) or ">=".
        hints: what the button "Hint" tells one after the other, beside what the prover finds.
        title, where, given, symbols, seconds: as in `derivations.Derivation`.

    Returns:
        An Explorer; a Notice if start, goal or an option cannot be used.
    """
    try:
        core = Pad(start, goal, relation=relation, hints=hints, title=title, where=where, given=given, symbols=symbols,
                   seconds=seconds)
    except (TypeError, ValueError) as problem:
        raise CannotExplore(f"There is no proof to write here: {problem}") from problem
    return ProofPad(core)


class ProofPad(Explorer):
    """The explorer of `proof_pad`.

    Attributes:
        core: the proof.
        answer: what the reader was told last.
        form: the boxes and buttons; None where anywidget is missing. `stand_in` holds core widgets that do the same.
    """

    def __init__(self, core: Pad):
        self.core, self.answer = core, NOTHING
        self._work: Background | None = None
        self._asked = "", ""  # the line that is judged, and its reason
        super().__init__("proof-pad", lambda: (self.still(), self._words()[0]), {},
                         {"check": self._check_here, "hint": lambda: self._tell(self.core.hint()), "undo": self._undo})
        self.proof = ipywidgets.HTML() if _is_colab() else ipywidgets.HTMLMath()  # Colab typesets no formula in a widget
        self.form = ProofForm(names=_names(core), layout={"display": "none"}) if ProofForm is not None else None
        self.stand_in = self._make_stand_in()
        self.children = (self.proof, self.state, self.stand_in)
        if self.form is not None:
            self.form.answer(lambda content, _: self._try(lambda: self._told(content)))
            self.form.observe(lambda _: self._replace_stand_in(), "alive")
            self.children = (self.proof, self.state, self.form, self.stand_in)
        self.show()

    # ------------------------------------------------------------ what is seen

    def _show(self) -> None:
        said, place = self._words()
        style = STYLE.replace("COLOUR", COLOURS.get(self.answer.outcome, "transparent")).replace(
            ".vae-proof-pad", f".live-{self.model_id}")
        typeset = [part for part in (self.core.latex(), self.core.goal_latex(), self.answer.latex) if part]
        parts = [_as_picture(self.still(), repr(self.core.derivation))] if _is_colab() else \
            [html.escape(part, quote=False) for part in typeset]
        parts += [f"<pre>{html.escape(place)}</pre>"] if place else []
        self.proof.value = style + "".join(f'<div class="vae-proof">{part}</div>' for part in parts)
        self.state.value = said
        self.cell.value = self.core.as_cell()
        if self.form is not None:
            self.form.cell, self.form.said = self.cell.value, said
            self.form.answered += 1

    def _words(self) -> tuple[str, str]:
        """The answer in words, and the text with a mark under the place that cannot be read, or ""."""
        said, _, place = self.answer.message.partition("\n")
        return said, place

    def still(self) -> bytes:
        """The proof so far and its goal, as PNG."""
        return picture_of_rows([*self.core.rows(), *([self.answer.row] if self.answer.row else []), self.core.goal_row()],
                               self.core.derivation.title)

    def _try(self, act: Callable[[], None]) -> None:
        super()._try(act)
        if self.form is not None and self.form.said != self.state.value:  # an error, in words: the form waits no longer
            self.form.said = self.state.value
            self.form.answered += 1

    def _tell(self, answer: PadAnswer) -> None:
        self.answer = answer
        self._show()

    # ------------------------------------------------------------ the form: a check runs in a thread of its own

    def _told(self, content: dict) -> None:
        """What the form sends. Only this thread, which Jupyter chose for the message, changes widgets."""
        match content.get("do"):
            case "check" if self._work is None:
                self._asked = line, because = str(content["line"]), str(content["because"])
                relation = str(content["relation"])
                self._work = Background(lambda: self.core.judge(line, because, relation))
                self._look(AT_ONCE)
            case "hint" if self._work is None:
                self._work = Background(self.core.hint)
                self._look(AT_ONCE)
            case "undo" if self._work is None:
                self._undo()
            case "clear" if self._work is None:
                self._tell(NOTHING)
            case "stop":
                self._stop()
            case _:
                self._look()

    def _look(self, seconds: float = 0.0) -> None:
        """Show the answer, if it is there."""
        work = self._work
        if work is None or not work.is_done(seconds):
            return
        self._work = None
        failed = PadAnswer("unread", f"{type(work.error).__name__}: {work.error}")
        self._accept(self.core.take(work.value if work.error is None else failed, *self._asked))

    def _accept(self, answer: PadAnswer) -> None:
        self._tell(answer)
        if self.form is not None and answer.outcome in ("proved", "conditional"):
            self.form.accepted += 1

    def _stop(self) -> None:
        work, self._work = self._work, None
        if work is not None:
            work.stop()
            self._tell(PadAnswer("stopped", "Stopped: nothing was judged."))

    def _undo(self) -> None:
        self._tell(self.core.undo())

    # ------------------------------------------------------------ core widgets, where the form cannot be shown

    def _make_stand_in(self) -> ipywidgets.Widget:
        wide = {"width": "500px"}
        self.relation = ipywidgets.Dropdown(options=[("=", "=="), ("≤", "<="), ("≥", ">=")], layout={"width": "70px"})
        self.line = ipywidgets.Text(description="next line", continuous_update=False, layout=wide)
        self.because = ipywidgets.Text(description="because", continuous_update=False, layout=wide)
        self.cell = ipywidgets.Textarea(description="as a cell", disabled=True, layout={"width": "700px", "height": "90px"})
        return ipywidgets.VBox([ipywidgets.HBox([self.relation, self.line]), self.because,
                                ipywidgets.HBox([*self.buttons.values()]), ipywidgets.Label(_names(self.core)), self.cell])

    def _check_here(self) -> None:
        """Judge the line of the stand-in, in this thread; it ends by itself when its time is up."""
        self._accept(self.core.check(self.line.value, self.because.value, self.relation.value))
        if self.answer.outcome in ("proved", "conditional"):
            self.line.value = self.because.value = ""

    def _replace_stand_in(self) -> None:
        if self.form is not None:
            self.form.layout.display, self.stand_in.layout.display = "", "none"


def _names(core: Pad) -> str:
    own = f"{', '.join(core.names)}, and " if core.names else ""
    return f"A line may name {own}log, exp, sqrt, Sum(f, (k, 1, n)), Integral(f, (x, a, b)), …; a power is a**2."


def _is_colab() -> bool:
    return "google.colab" in sys.modules


def _as_picture(png: bytes, words: str) -> str:
    """The same picture that stands on pages without a kernel."""
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(words)}" style="max-width: 100%" src="data:image/png;base64,{data}">'
