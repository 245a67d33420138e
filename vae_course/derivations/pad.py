"""The core of a proof pad: a line goes in as text, a verdict comes out as words and LaTeX. No widgets and no threads."""

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy as sp

from vae_course.derivations import printing, rendering, text
from vae_course.derivations.cells import cell_of
from vae_course.derivations.derivation import Derivation
from vae_course.derivations.lines import to_line
from vae_course.derivations.verdicts import RELATIONS, Line, Verdict

MARKS = {"refuted": "✗ refused:", "undecided": "? not decided:"}


@dataclass(frozen=True)
class Row:
    """One line for those who typeset it themselves: relation and formula as LaTeX, formula as text, mark and reason."""

    sign: str
    latex: str
    plain: str
    note: str = ""


@dataclass(frozen=True)
class PadAnswer:
    """What a pad says to its reader.

    Attributes:
        outcome: "proved", "conditional", "refuted" or "undecided", as a Verdict; "unread" for a text that is no line, or has
            no reason; "hint"; "undone"; "" before anything was asked.
        message: the answer in words.
        latex: the line with its verdict, or what a hint shows; "" if there is nothing to typeset.
        goal_reached: whether the chain as it stands now proves the goal.
        row: a line that was judged and not added, or None.
    """

    outcome: str
    message: str
    latex: str = ""
    goal_reached: bool = False
    row: Row | None = None


class Pad:
    """A proof that a reader writes line by line, from a start to a goal.

    Args:
        start: the first line, or a Derivation whose lines are there already; then it brings the arguments from title to
            seconds.
        goal: the line to be reached, an expression or a text.
        relation: what is to be shown of start and goal: "==", "<=" (start ≤ goal) or ">=".
        hints: what an author suggests, in the order in which it is told.
        title, where, given, symbols, seconds: as in Derivation.

    Raises:
        TypeError, ValueError: if an argument is not of that kind, or the start is the goal.
    """

    def __init__(self, start: sp.Basic | str | Derivation, goal: sp.Basic | str, *, relation: str = "==",
                 hints: Sequence[str] = (), title: str = "", where: Iterable = (), given: Iterable = (),
                 symbols: Iterable = (), seconds: float = 8.0):
        if relation not in ("==", "<=", ">="):
            raise ValueError(f'relation must be "==", "<=" or ">=", got {relation!r}')
        if isinstance(start, Derivation):
            if title or where or given or symbols:
                raise TypeError("start is a Derivation: it brings its own title, where, given and symbols")
            self.derivation = copy.copy(start)
            self.derivation.lines, self.derivation.known = list(start.lines), dict(start.known)
        else:
            self.derivation = Derivation(start, title, where=where, given=given, symbols=symbols, seconds=seconds)
        shown, checked = to_line("goal", goal, self.derivation.known)
        self.derivation.known |= text.names_in(shown)
        self.relation, self.hints = relation, list(hints)
        self.goal = Line(relation, checked, shown=shown)
        self.n_told, self.n_given = 0, len(self.derivation.lines)
        self._typed: dict[int, tuple[str, str]] = {}  # number of a line → line and reason as they were typed
        if self.goal_reached:
            raise ValueError("the last line that is there already is the goal: nothing is left to prove")

    @property
    def goal_reached(self) -> bool:
        """Whether the last line is the goal, up to the order and the expansion of its terms, and the chain leads there."""
        last = self.derivation.result
        if self.derivation.relation not in ("==", self.relation):
            return False
        return last == self.goal.expression or not self._is_rearranged(0) and self._is_rearranged(-1)

    def _is_rearranged(self, k: int) -> bool:
        """Whether line k and the goal have the same terms when expanded; for such a start the goal's form is the point."""
        difference = self.derivation.lines[k].expression - self.goal.expression
        return isinstance(difference, sp.Expr) and sp.expand(difference) == 0

    # ------------------------------------------------------------ a line

    def check(self, line: str, because: str, relation: str = "==") -> PadAnswer:
        """Judge a next line, and add it to the chain if it is proved."""
        return self.take(self.judge(line, because, relation), line, because)

    def judge(self, line: str, because: str, relation: str = "==") -> Verdict | PadAnswer:
        """What the prover says of a next line, without adding it; an answer in words if the text cannot be read."""
        if not line.strip() or not because.strip():
            return PadAnswer("unread", "Say why, in words." if line.strip() else "Type the next line.")
        if because.count("$") % 2 == 0 and not all(map(_is_closed, because.split("$")[1::2])):
            return PadAnswer("unread", "The mathematics between dollars in the reason is not complete.")
        try:
            return self.derivation.judge(line.strip(), because.strip(), relation)
        except Exception as error:  # whatever is typed, the reader gets words
            named = "" if isinstance(error, ValueError | TypeError) else f"{type(error).__name__}: "
            return PadAnswer("unread", f"{named}{error}")

    def take(self, judged: Verdict | PadAnswer, line: str, because: str) -> PadAnswer:
        """Add a line that was judged, if it is proved, and say what came of it."""
        if isinstance(judged, PadAnswer):
            return judged
        message = judged.message
        if judged:
            self._typed[len(self.derivation.lines)] = line.strip(), because.strip()
            self.derivation.lines.append(judged.line)
            message = " ".join(filter(None, (message, self._where_it_leads())))
        latex, row = ("", None) if judged else (judged._repr_latex_(), _row(judged.line, MARKS[judged.outcome]))
        return PadAnswer(judged.outcome, message, latex, self.goal_reached, row)

    def _where_it_leads(self) -> str:
        if self.goal_reached:
            conditions = any(line.assumed for line in self.derivation.lines)
            return "The goal is reached, under the conditions beside the marks." if conditions else "The goal is reached."
        if self.derivation.relation not in ("==", self.relation):
            wanted = RELATIONS[self.relation]
            return f"True, but a chain with this relation does not show that start {wanted} goal: undo."
        return ""

    def undo(self) -> PadAnswer:
        """Take back the reader's last line."""
        if len(self.derivation.lines) == self.n_given:
            return PadAnswer("undone", "There is no line of yours to take back.")
        self._typed.pop(len(self.derivation.lines) - 1, None)
        self.derivation.lines.pop()
        return PadAnswer("undone", "The last line is taken back.")

    # ------------------------------------------------------------ help

    def hint(self) -> PadAnswer:
        """What the prover finds between the last line and the goal, and the author's next hint."""
        if self.goal_reached:
            return PadAnswer("hint", "The goal is reached.", goal_reached=True)
        if self.derivation.relation not in ("==", self.relation):
            return PadAnswer("hint", self._where_it_leads())
        found = self.derivation.judge(self.goal.shown, "the goal", self.relation)
        if found.outcome == "refuted":
            words = f"From your last line the goal cannot be reached any more. {found.message}"
            return PadAnswer("hint", words, found._repr_latex_())
        said = "The prover can go from the last line to the goal in one step." if found else ""
        own = self.hints[min(self.n_told, len(self.hints) - 1)] if self.hints else ""
        self.n_told += 1
        if said or own:
            return PadAnswer("hint", " ".join(filter(None, (said, own))))
        return PadAnswer("hint", f"The goal is more than one step away. {found.hint}", found._repr_latex_())

    # ------------------------------------------------------------ what is there

    @property
    def names(self) -> list[str]:
        """The symbols and functions that a line may name, beside SymPy's."""
        return sorted(self.derivation.known)

    def latex(self) -> str:
        """The lines so far, typeset."""
        return self.derivation._repr_latex_()

    def goal_latex(self) -> str:
        """What is to be shown, typeset."""
        row, mark = self.goal_row(), r"\quad \checkmark\ \text{reached}" if self.goal_reached else ""
        return rf"$\displaystyle \text{{goal: }}\; {row.sign}\; {row.latex} {mark}$"

    def rows(self) -> list[Row]:
        """The facts, the conditions and the lines so far."""
        d = self.derivation
        known = [Row("", printing.to_latex(fact), printing.to_text(fact), "(given)") for fact in (*d.given, *d.where)]
        return known + [_row(line, "✓" if line.relation else "") for line in d.lines]

    def goal_row(self) -> Row:
        """What is to be shown."""
        return _row(self.goal, "the goal is reached" if self.goal_reached else "the goal")

    def as_cell(self) -> str:
        """The chain as Python, for a cell of the reader's own."""
        return cell_of(self.derivation, self._typed)


def _is_closed(latex: str) -> bool:
    """Whether a piece of LaTeX can stand inside a larger one: braces and brackets are in pairs, and it opens no table."""
    depth = 0
    for part in re.findall(r"\\\\|\\[a-z]+|\\.|[{}&]", latex):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if depth < 0 or part in ("&", "\\\\", r"\begin", r"\end"):
            return False
    return depth == 0 and len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))


def _row(line: Line, mark: str) -> Row:
    sign = rendering.LATEX[RELATIONS[line.relation]]
    return Row(sign, printing.to_latex(line.shown), printing.to_text(line.shown), f"{mark} {rendering.reason(line)}".strip())
