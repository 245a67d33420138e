"""Exercises on derivations as data: a way from a start to a goal, or a derivation with a wrong line, all as text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy.core.function import UndefinedFunction
from sympy.core.parameters import distribute

from vae_course.derivations import rendering, text
from vae_course.derivations.derivation import Derivation
from vae_course.derivations.gaussians import written_out

SIGNS = {"==": "=", "<=": r"\le", ">=": r"\ge"}


def real(words: str) -> dict[str, sp.Symbol]:
    """Typed name → real symbol. "mu p_x=p(x)": the second is typed p_x and printed p(x)."""
    return {typed: sp.Symbol(printed, real=True) for typed, printed in _pairs(words)}


def positive(words: str) -> dict[str, sp.Symbol]:
    """Typed name → positive symbol, as `real`."""
    return {typed: sp.Symbol(printed, positive=True) for typed, printed in _pairs(words)}


def real_functions(words: str) -> dict[str, UndefinedFunction]:
    """Typed name → unknown function with real values, as `real`."""
    return {typed: sp.Function(printed, real=True) for typed, printed in _pairs(words)}


def positive_functions(words: str) -> dict[str, UndefinedFunction]:
    """Typed name → unknown function with positive values, such as a density, as `real`."""
    return {typed: sp.Function(printed, positive=True) for typed, printed in _pairs(words)}


def _pairs(words: str) -> list[tuple[str, str]]:
    return [(word.split("=")[0], word.split("=")[-1]) for word in words.split()]


@dataclass(frozen=True)
class Task:
    """A way from one line to another.

    Attributes:
        lines: (text, reason) of one right way: the start, what lies between, the goal.
        names: typed name → symbol or function; see `real`, `positive`, …
        given: (left, right) of the facts that may be used, as text.
        relation: of the start to the goal.
        may_assume: conditions under which a step may be proved, because they are meant.
        mistakes: hint → the wrong line that it is about, as text.
        goal_in_words: says what the last line is, where it is to be found and so is not shown.
    """

    lines: Sequence[tuple[str, str]]
    names: dict[str, object]
    given: Sequence[tuple[str, str]] = ()
    relation: str = "=="
    may_assume: Sequence = ()
    mistakes: Mapping[str, str] = field(default_factory=dict)
    goal_in_words: str = ""

    def derivation(self, k: int = 0) -> Derivation:
        """A new derivation that stands at line k of the right way and knows the task's names and facts."""
        facts = [sp.Eq(*(text.evaluated(self.line(side)) for side in fact), evaluate=False) for fact in self.given]
        d = Derivation(self.line(self.lines[k][0]), given=facts)
        d.known.update(self.names)
        return d

    def line(self, typed: str) -> sp.Basic:
        """The tree of a text."""
        return text.parse(typed, self.names)

    @property
    def goal(self) -> sp.Basic:
        """The last line, as it was written."""
        return self.line(self.lines[-1][0])


@dataclass(frozen=True)
class Posted:
    """A derivation with one wrong line, which is to be found and mended.

    Attributes:
        lines: as text. Each but the wrong one follows from the line above it.
        wrong: the number of the wrong line, counted from 1.
        mended: a line that may stand there.
        names, mistakes: as for `Task`; the mistakes are about the mended line.
    """

    lines: Sequence[str]
    wrong: int
    mended: str
    names: dict[str, object]
    mistakes: Mapping[str, str] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        """The way as far as it is right, to the mended line."""
        right = [(line, "") for line in self.lines[:self.wrong - 1]]
        return Task([*right, (self.mended, "")], self.names, mistakes=self.mistakes)


# ---------------------------------------------------------------- two lines that say the same

def same(one: sp.Basic, other: sp.Basic) -> bool:
    """Whether two lines differ at most in the order of terms, in brackets multiplied out, in names of bound variables."""
    return plain(one) == plain(other)


def plain(line: sp.Basic) -> sp.Basic:
    """The line multiplied out, its bound variables numbered; no integral, logarithm or power is split."""
    if isinstance(line, sp.MatrixBase):
        return line.applyfunc(plain).as_immutable()
    written = written_out(text.evaluated(line))
    expanded = sp.expand(written, log=False, power_base=False, power_exp=False, basic=False)
    return expanded if expanded.is_Symbol else expanded.as_dummy()  # of a lone symbol SymPy makes a new one each time


def written_alike(one: sp.Basic, other: sp.Basic) -> bool:
    """Whether two lines are one, but for the order of terms; brackets count. What was not typed has lost its brackets."""
    with distribute(False):
        if text.evaluated(one) == text.evaluated(other):
            return True
    return text.evaluated(one) == one == text.evaluated(other)


# ---------------------------------------------------------------- how a task is shown

def task_to_latex(task: Task) -> str:
    """Facts, start and goal, one below the other; a goal that is to be found stands in words above the start."""
    start, goal = task.line(task.lines[0][0]), task.goal
    if task.goal_in_words:
        return rendering.unmarked_to_latex([(f"Goal: {task.goal_in_words}", task.derivation().given,
                                             [(r"\text{start}", start)])])
    return rendering.unmarked_to_latex([("", task.derivation().given, [
        (r"\text{start}", start), (rf"\text{{goal}} \quad {SIGNS[task.relation]}", goal)])])


def posted_to_latex(derivations: Sequence[Posted]) -> str:
    """The derivations without marks, their lines numbered."""
    return rendering.unmarked_to_latex([(f"Derivation {k}", (), [
        (rf"({number}) \quad {'=' if number > 1 else ''}", one.task.line(line)) for number, line in enumerate(one.lines, 1)])
        for k, one in enumerate(derivations, 1)])
