"""Machine-checked algebra: a derivation that accepts a step only if it is proved, and answers a wrong one with numbers."""

import time
from collections.abc import Iterable

import mpmath as mp
import sympy as sp
from sympy.core.function import UndefinedFunction

from vae_course.derivations import rendering
from vae_course.derivations.clock import TimeIsUp, time_limit
from vae_course.derivations.counterexamples import Search, search
from vae_course.derivations.gaussians import normal_density, written_out
from vae_course.derivations.inequalities import prove_nonnegative
from vae_course.derivations.proofs import Unproved, prove_equal

__all__ = ["Derivation", "StepRefuted", "StepUndecided", "normal_density"]


class StepRefuted(ValueError):
    """The step is wrong.

    Attributes:
        counterexample: symbol (or unknown function) → value, at which the claim fails.
        left_value, right_value: what the line before and the refused line give there.
    """

    def __init__(self, message: str, counterexample: dict, left_value, right_value):
        super().__init__(message)
        self.counterexample, self.left_value, self.right_value = counterexample, left_value, right_value


class StepUndecided(ValueError):
    """The step was neither proved nor refuted.

    Attributes:
        left_over: what remained of the difference, or None if time ran out.
    """

    def __init__(self, message: str, left_over: sp.Basic | None = None):
        super().__init__(message)
        self.left_over = left_over


class Derivation:
    """A chain of lines; each new one is proved from the one before, or refused.

    Args:
        start: the first line: a SymPy expression or matrix; integrals, sums, derivatives and limits may stay unevaluated.
        title: a few words above the lines.
        where: conditions on symbols that their assumptions cannot say, such as `0 < p, p < 1` (as a list).
        given: facts that may be used, each a SymPy Eq, such as ∫q(z) dz = 1. They are shown above the lines.
        seconds: the most time that a step may compute; what else the machine does is not counted.

    Declare symbols with what is true of them, `sp.symbols("sigma", positive=True)`, `sp.symbols("mu", real=True)`: a proof
    may use it, and a counterexample keeps to it.

    Raises:
        TypeError, ValueError: if an argument is not of that kind.
    """

    def __init__(self, start: sp.Basic, title: str = "", *, where: Iterable = (), given: Iterable = (),
                 seconds: float = 8.0):
        self.lines: list[tuple[str | None, sp.Basic, str]] = [(None, _line("start", start), "")]
        self.title, self.given, self.seconds = str(title), tuple(given), seconds
        self.where = tuple(condition for condition in where if condition is not True and condition != sp.true)
        for condition in self.where:
            parts = condition.args if isinstance(condition, sp.And) else (condition,)
            if not all(isinstance(part, sp.StrictLessThan | sp.StrictGreaterThan) for part in parts):
                raise TypeError(f"where must hold strict inequalities between SymPy expressions, got {condition!r}")
        for fact in self.given:
            if not isinstance(fact, sp.Eq):
                raise TypeError(f"given must hold equalities sp.Eq(left, right), got {fact!r}")
        if not 0 < seconds <= 3600:
            raise ValueError(f"seconds must be positive and at most 3600, got {seconds}")

    @property
    def result(self) -> sp.Basic:
        """The last line."""
        return self.lines[-1][1]

    @property
    def relation(self) -> str | None:
        """How the first line relates to the last: "==", "<=", ">="; None if the chain has both kinds of bounds."""
        kinds = {relation for relation, _, _ in self.lines if relation not in (None, "==")}
        return "==" if not kinds else kinds.pop() if len(kinds) == 1 else None

    def step(self, expression: sp.Basic, because: str) -> "Derivation":
        """Add a line that is equal to the one before.

        Args:
            expression: the next line.
            because: the reason, in words; mathematics between dollars.

        Returns:
            The derivation itself.

        Raises:
            StepRefuted: the lines differ; it carries values that show it.
            StepUndecided: no proof and no counterexample was found, or the time ran out.
            TypeError, ValueError: if an argument is not of that kind.
        """
        return self._add("==", expression, because)

    def bound(self, expression: sp.Basic, because: str, relation: str = "<=") -> "Derivation":
        """Add a line that the one before is at most ("<=") or at least (">="); otherwise as `step`.

        The difference must be shown to be never negative: its sign is known, it is a square, a sum of such parts, an
        integral of such a function, or its minimum is found.
        """
        if relation not in ("<=", ">="):
            raise ValueError(f'relation must be "<=" or ">=", got {relation!r}')
        return self._add(relation, expression, because)

    def _add(self, relation: str, expression: sp.Basic, because: str) -> "Derivation":
        expression = _line("expression", expression)
        if not isinstance(because, str) or not because.strip():
            raise ValueError(f"because must say the reason in words, got {because!r}")
        before = self.result
        if _shape(before) != _shape(expression):
            raise StepRefuted(f"Refused: “{because}”. The line before has the shape {_shape(before)}, the new one "
                              f"{_shape(expression)}.", {}, before, expression)
        if relation != "==" and _shape(before) != ():
            raise TypeError("a bound is between numbers, and these lines are matrices")
        _check_names(before, expression, *self.where, *self.given)
        self._check(relation, before, expression, because)
        self.lines.append((relation, expression, because))
        return self

    def _check(self, relation: str, before: sp.Basic, after: sp.Basic, because: str) -> None:
        """Refute, then prove. Both get half of the time; neither alone is a mark."""
        met, left_over, started, precision = Search(), None, time.thread_time(), mp.mp.prec
        left, right, where, given = written_out(before), written_out(after), self.where, tuple(map(written_out, self.given))
        try:
            with time_limit(self.seconds / 2):
                met = search(left, right, relation, where, given)
        except (TimeIsUp, Exception):
            pass  # without numbers the proof alone decides
        mp.mp.prec = precision  # a search that was stopped may not have put it back
        if met.found:
            raise _refuted(met.found, relation, because)
        try:
            with time_limit(max(self.seconds - (time.thread_time() - started), self.seconds / 2)):
                if relation == "==":
                    prove_equal(left, right, where, given)
                else:
                    prove_nonnegative(right - left if relation == "<=" else left - right, where, given)
                return
        except TimeIsUp:
            tried = f"No proof was found within {self.seconds:g} s."
        except Unproved as error:
            left_over = error.args[0]
            tried = f"No rewriting turned the difference into {'zero' if relation == '==' else 'something never negative'}."
        except Exception as error:  # SymPy gave up with an error of its own
            tried = f"SymPy ended with {type(error).__name__}: {error}."
        raise _undecided(tried, left_over, met, because)

    def _repr_latex_(self) -> str:
        return rendering.to_latex(self.title, [sp.latex(fact) for fact in (*self.given, *self.where)], self.lines)

    def __repr__(self) -> str:
        return rendering.to_text(self.title, [str(fact) for fact in (*self.given, *self.where)], self.lines)


def _line(name: str, expression) -> sp.Basic:
    if isinstance(expression, bool | str) or expression is None:
        raise TypeError(f"{name} must be a SymPy expression, got {expression!r}")
    expression = sp.sympify(expression)
    if isinstance(expression, sp.MatrixExpr):
        expression = expression.as_explicit()
    if isinstance(expression, sp.MatrixBase):
        return expression.as_immutable()
    for part in expression.atoms(sp.Integral, sp.Sum, sp.Product) if isinstance(expression, sp.Basic) else ():
        if not all(len(limit) == 3 for limit in part.limits):
            raise TypeError(f"{name} must have limits on every integral and sum, got {part}")
        for limit in part.limits:
            v, low = limit[:2]
            if v.is_nonnegative and low.is_negative:
                raise ValueError(f"{name} has a sum or integral over {v} from {low}, but {v} is declared not to be negative")
    if not isinstance(expression, sp.Expr):
        hint = "; pass its right-hand side" if isinstance(expression, sp.core.relational.Relational) else ""
        raise TypeError(f"{name} must be a SymPy expression, got {expression!r}{hint}")
    return expression


def _shape(line: sp.Basic) -> tuple[int, ...]:
    return line.shape if isinstance(line, sp.MatrixBase) else ()


def _check_names(*exprs: sp.Basic) -> None:
    """Raise ValueError if two different symbols have one name: SymPy takes x and a real x for two unknowns."""
    symbols = sorted(set().union(*(e.atoms(sp.Symbol) for e in exprs)), key=str)
    for one, other in zip(symbols, symbols[1:]):
        if one.name == other.name and not isinstance(one, sp.Dummy) and not isinstance(other, sp.Dummy):
            raise ValueError(f"two different symbols are called {one.name}, with the assumptions {one.assumptions0} and "
                             f"{other.assumptions0}; declare each symbol once")


def _refuted(found, relation: str, because: str) -> StepRefuted:
    where = ", ".join(f"{s} = {v}" if not isinstance(s, UndefinedFunction) else f"{s}: {v}" for s, v in found.point.items())
    sign = {"==": "≠", "<=": ">", ">=": "<"}[relation]
    message = (f"Refused: “{because}”. " + (f"At {where}" if where else "There are no symbols:")
               + f" the line before is {found.left} {sign} {found.right}, the value of the new line.")
    return StepRefuted(message, found.point, found.left, found.right)


def _undecided(tried: str, left_over, met: Search, because: str) -> StepUndecided:
    message = f"Not decided: “{because}”. {tried}"
    if left_over is not None:
        message += f" Left over: {left_over}."
    message += f" Numbers agreed at {met.n_compared} points, which proves nothing."
    if met.n_complex:
        message += (" At other points a side was not a real number: say where the symbols lie, by their assumptions or by "
                    "`where=[0 < p, p < 1]`.")
    return StepUndecided(message + " Try a smaller step.", left_over)
