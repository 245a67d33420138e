"""A chain of lines, each judged before it is marked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from vae_course.derivations import rendering, text
from vae_course.derivations.consistency import contradiction
from vae_course.derivations.judging import judge
from vae_course.derivations.lines import check_names, read_as, to_line
from vae_course.derivations.verdicts import Line, StepRefuted, StepUndecided, Verdict

INEQUALITIES = (sp.StrictLessThan, sp.StrictGreaterThan, sp.LessThan, sp.GreaterThan, sp.Ne)


@dataclass(frozen=True)
class Explanation:
    """How one step was proved, for a reader who asks."""

    number: int
    before: Line
    line: Line

    def __repr__(self) -> str:
        return rendering.explanation_to_text(self.number, self.before, self.line)

    def _repr_latex_(self) -> str:
        return rendering.explanation_to_latex(self.number, self.before, self.line)


class Derivation:
    """A chain of lines; each new one is proved from the one before, or refused.

    Args:
        start: the first line: a SymPy expression or matrix, or the same as text; integrals, sums, derivatives and limits
            may stay unevaluated.
        title: a few words above the lines.
        where: conditions on symbols that their assumptions cannot say, as a list: `[0 < p, p < 1, sp.Ne(a, 0)]`.
        given: facts that may be used, each a SymPy Eq, such as ∫q(z) dz = 1. They are shown above the lines. In a fact on an
            integral or a sum a symbol that is free in no line means all its values, as z in ∫r(x, z) dx = 1.
        symbols: symbols and functions that a text may name besides those that stand in the arguments above; or name → symbol
            or function, where a text shall use another name than is printed.
        seconds: the most time that a step may compute; what else the machine does is not counted.

    Declare symbols with what is true of them, `sp.symbols("sigma", positive=True)`, `sp.symbols("mu", real=True)`: a proof
    may use it, and a counterexample keeps to it.

    Raises:
        TypeError, ValueError: if an argument is not of that kind, or if nothing can satisfy `where` and `given` together.
    """

    def __init__(self, start: sp.Basic | str, title: str = "", *, where: Iterable = (), given: Iterable = (),
                 symbols: Iterable | Mapping[str, object] = (), seconds: float = 8.0):
        self.title, self.seconds = str(title), seconds
        self.given = tuple(sp.sympify(fact) for fact in given if fact not in (True, sp.true))
        self.where = tuple(condition for condition in where if condition is not True and condition != sp.true)
        _refuse_conditions(self.where, self.given, seconds)
        self.known = dict(symbols) if isinstance(symbols, Mapping) else text.names_in(*symbols)
        self.known |= text.names_in(*self.where, *self.given)
        shown, checked = to_line("start", start, self.known)
        self.known |= text.names_in(shown)
        self.lines = [Line(None, checked, read_as(start), shown)]
        check_names(checked, *self.where, *self.given)
        if (words := contradiction(self.where, self.given)) is not None:
            raise ValueError(f"nothing satisfies where and given together: {words}")

    @property
    def result(self) -> sp.Basic:
        """The last line."""
        return self.lines[-1].expression

    @property
    def relation(self) -> str | None:
        """How the first line relates to the last: "==", "<=", ">="; None if the chain has both kinds of bounds."""
        kinds = {line.relation for line in self.lines if line.relation not in (None, "==")}
        return "==" if not kinds else kinds.pop() if len(kinds) == 1 else None

    def step(self, expression: sp.Basic | str, because: str) -> "Derivation":
        """Add a line that is equal to the one before.

        Args:
            expression: the next line. A text, "(mu**2 + sigma**2)/2 - log(sigma)", is printed as it is typed; it may name
                the symbols and functions of the derivation, and nothing in it is executed.
            because: the reason, in words; mathematics between dollars.

        Returns:
            The derivation itself.

        Raises:
            StepRefuted: the lines differ; it carries values that show it.
            StepUndecided: no proof and no counterexample was found, or the time ran out.
            TypeError, ValueError: if an argument is not of that kind.
        """
        return self._add("==", expression, because)

    def bound(self, expression: sp.Basic | str, because: str, relation: str = "<=") -> "Derivation":
        """Add a line that the one before is at most ("<=") or at least (">="); otherwise as `step`.

        Both lines must be shown to be real, and the difference never to be negative: its sign is known, it is a square, a
        sum of such parts, an integral of such a function, its minimum is found, or it follows from log u ≤ u − 1.
        """
        if relation not in ("<=", ">="):
            raise ValueError(f'relation must be "<=" or ">=", got {relation!r}')
        return self._add(relation, expression, because)

    def judge(self, expression: sp.Basic | str, because: str = "", relation: str = "==") -> Verdict:
        """What the prover says of a next line, without adding it: proved, conditional, refuted or undecided.

        Raises:
            TypeError, ValueError: if an argument is not of that kind.
        """
        if relation not in ("==", "<=", ">="):
            raise ValueError(f'relation must be "==", "<=" or ">=", got {relation!r}')
        shown, checked = to_line("expression", expression, self.known)
        check_names(self.result, checked, *self.where, *self.given)
        because = f"{because} ({floats.rstrip('.')})" if (floats := read_as(expression)) else because
        return judge(self.lines[-1], Line(relation, checked, because, shown), self.where, self.given, self.seconds)

    def explain(self, k: int) -> Explanation:
        """How step k was proved: k = 1 is the first line after the start."""
        if not isinstance(k, int) or not 1 <= k < len(self.lines):
            raise ValueError(f"k must be the number of a step, 1 to {len(self.lines) - 1}, got {k!r}")
        return Explanation(k, self.lines[k - 1], self.lines[k])

    def _add(self, relation: str, expression: sp.Basic | str, because: str) -> "Derivation":
        if not isinstance(because, str) or not because.strip():
            raise ValueError(f"because must say the reason in words, got {because!r}")
        verdict = self.judge(expression, because, relation)
        if not verdict:
            raise (StepRefuted if verdict.outcome == "refuted" else StepUndecided)(verdict)
        self.lines.append(verdict.line)
        return self

    def _repr_latex_(self) -> str:
        return rendering.to_latex(self.title, self.given, self.where, self.lines)

    def __repr__(self) -> str:
        return rendering.to_text(self.title, self.given, self.where, self.lines)


def _refuse_conditions(where: tuple, given: tuple, seconds: float) -> None:
    for condition in where:
        parts = condition.args if isinstance(condition, sp.And) else (condition,)
        if not all(isinstance(part, INEQUALITIES) for part in parts):
            raise TypeError("where must hold inequalities between SymPy expressions, such as 0 < p or sp.Ne(a, 0), got "
                            f"{condition!r}")
    for fact in given:
        if not isinstance(fact, sp.Eq | sp.logic.boolalg.BooleanFalse):
            raise TypeError(f"given must hold equalities sp.Eq(left, right), got {fact!r}")
    if not 0 < seconds <= 3600:
        raise ValueError(f"seconds must be positive and at most 3600, got {seconds}")
