"""What is said of a line: how it was proved, under which conditions, or why it was not marked."""

from dataclasses import dataclass, field

import sympy as sp

# How a relation is written, and how that it does not hold.
RELATIONS: dict[str | None, str] = {"==": "=", "<=": "≤", ">=": "≥", None: ""}
DENIED: dict[str | None, str] = {"==": "≠", "<=": ">", ">=": "<", None: "≠"}


@dataclass(frozen=True)
class Proof:
    """How a line was proved: in words, and the forms on the way where they are short."""

    how: str
    forms: tuple[sp.Basic, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line of a derivation.

    Attributes:
        relation: "==", "<=", ">=" to the line before; None for the first line.
        expression: what was checked.
        because: the reason, in words; mathematics between dollars.
        shown: the line as its author wrote it; `expression` is this, evaluated.
        proof: how it was proved; None for the first line and for one that was not proved.
        assumed: the conditions under which it was proved, beyond the assumptions of the symbols and `where`: relations
            such as a ≠ 0, or sentences.
    """

    relation: str | None
    expression: sp.Basic
    because: str = ""
    shown: sp.Basic = None  # never in the end: `expression`, if it is left out
    proof: Proof | None = None
    assumed: tuple = ()

    def __post_init__(self):
        if self.shown is None:
            object.__setattr__(self, "shown", self.expression)


@dataclass(frozen=True)
class Verdict:
    """What the prover says of one line. It shows itself in a notebook.

    Attributes:
        outcome: "proved", "conditional" (proved under `line.assumed`), "refuted" or "undecided".
        line: the line that was judged.
        before: the line that it was compared with.
        message: the same in words.
        counterexample: symbol (or unknown function) → value, at which the claim fails; empty unless refuted.
        left_value, right_value: what the line before and this line give there.
        left_over: what remained of the difference of an undecided line, or None.
        hint: what to try.
    """

    outcome: str
    line: Line
    before: Line
    message: str
    counterexample: dict = field(default_factory=dict)
    left_value: sp.Basic | None = None
    right_value: sp.Basic | None = None
    left_over: sp.Basic | None = None
    hint: str = ""

    def __bool__(self) -> bool:
        return self.outcome in ("proved", "conditional")

    def __repr__(self) -> str:
        return self.message

    def _repr_latex_(self) -> str:
        from vae_course.derivations import rendering
        return rendering.verdict_to_latex(self)


class StepRefuted(ValueError):
    """The step is wrong.

    Attributes:
        verdict: all that was found.
        counterexample: symbol (or unknown function) → value, at which the claim fails.
        left_value, right_value: what the line before and the refused line give there.
    """

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.message)
        self.verdict, self.counterexample = verdict, verdict.counterexample
        self.left_value, self.right_value = verdict.left_value, verdict.right_value


class StepUndecided(ValueError):
    """The step was neither proved nor refuted.

    Attributes:
        verdict: all that was found.
        left_over: what remained of the difference, or None if time ran out.
    """

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.message)
        self.verdict, self.left_over = verdict, verdict.left_over
