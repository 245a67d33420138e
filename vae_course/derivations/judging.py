"""The judgement of one line: prove first, then look for numbers against it; no failed proof and no agreement is a mark."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import mpmath as mp
import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations.clock import TimeIsUp, time_limit
from vae_course.derivations.closed_forms import WHOLES, divergence
from vae_course.derivations.conditions import TOGETHER, Condition, NotApplicable, collecting, in_words, known
from vae_course.derivations.consistency import satisfiable
from vae_course.derivations.counterexamples import Difference, Search, search
from vae_course.derivations.definedness import need_same_domain
from vae_course.derivations.facts import define
from vae_course.derivations.gaussians import written_out
from vae_course.derivations.inequalities import prove_bound
from vae_course.derivations.lines import shape_of
from vae_course.derivations.printing import to_text
from vae_course.derivations.proofs import Unproved, prove_equal
from vae_course.derivations.verdicts import DENIED, Line, Proof, Verdict

BRIEFLY = 0.6  # seconds of a first look, before a search for a proof or for numbers takes its whole time
ONE_AT_A_TIME = threading.RLock()  # mpmath's precision belongs to the whole process; waiting is not counted


@dataclass
class Trial:
    """What became of the search for a proof."""

    proof: Proof | None = None
    assumed: tuple[Condition, ...] = ()
    left_over: sp.Basic | None = None
    why_not: str = ""
    diverges: str = ""
    out_of_time: bool = False


def judge(before: Line, line: Line, where: tuple, given: tuple, seconds: float) -> Verdict:
    """Whether `line` follows from `before`; half of the time is for the proof, half for the counterexample."""
    with ONE_AT_A_TIME:
        return _judge(before, line, where, given, seconds)


def _judge(before: Line, line: Line, where: tuple, given: tuple, seconds: float) -> Verdict:
    if shape_of(before.expression) != shape_of(line.expression):
        words = f"Refused: “{line.because}”. The line before has the shape {shape_of(before.expression)}, the new one " \
                f"{shape_of(line.expression)}."
        return Verdict("refuted", line, before, words, left_value=before.expression, right_value=line.expression)
    if line.relation != "==" and shape_of(before.expression) != ():
        raise TypeError("a bound is between numbers, and these lines are matrices")
    task = Task(before, line, where, given)
    trial = task.prove(min(BRIEFLY, seconds / 2), costly=False)
    few = 2 if before.expression.has(*WHOLES) or line.expression.has(*WHOLES) else 4
    met = task.look(min(BRIEFLY, seconds / 2), few, trial.assumed)  # a wrong line is often refuted before all proofs fail
    if not trial.proof and not met.found:
        trial = task.prove(seconds / 2, costly=True)
    if not trial.proof and not met.found:
        met = task.look(seconds / 2, None, ())
    return task.verdict(trial, met, seconds)


@dataclass(frozen=True)
class Task:
    """One line to be judged: the two ways to look at it, and what is said in the end."""

    before: Line
    line: Line
    where: tuple
    given: tuple

    def prove(self, seconds: float, costly: bool) -> Trial:
        """What became of a proof within the time."""
        work = partial(_try_to_prove, self.before, self.line, self.where, self.given, costly)
        return _limited(seconds, work, Trial(out_of_time=True))

    def look(self, seconds: float, n_points: int | None, assumed: tuple) -> Search:
        """What a search for numbers against the line met, where it was proved under `assumed` at places where that holds."""
        lines = self.before.expression, self.line.expression
        relations = tuple(c for c in assumed if isinstance(c, sp.Basic))

        def work() -> Search:
            free = set().union(*(e.free_symbols for e in (*lines, *self.where)))
            (left, right), facts = define(lines, self.given, free)
            left, right, *facts = map(written_out, (left, right, *facts))
            return search(left, right, str(self.line.relation), (*self.where, *relations), tuple(facts), n_points)
        return _limited(seconds, work, Search())

    def verdict(self, trial: Trial, met: Search, seconds: float) -> Verdict:
        """The outcome, with its words."""
        say, line, before = partial(Verdict, before=self.before), self.line, self.before.expression
        if trial.proof and met.found:
            return say("undecided", line, message=_conflict(line, met.found), hint="Write the step in smaller parts.")
        if trial.proof and (met.n_compared or not met.n_unknown or before.has(AppliedUndef, *WHOLES)):
            assumed = trial.assumed
            if (self.where or self.given) and not met.n_compared and not satisfiable(self.where, self.given):
                assumed += (TOGETHER,)
            marked = replace(line, proof=trial.proof, assumed=assumed)
            return say("conditional" if assumed else "proved", marked,
                       message=f"Proved{' ' * bool(assumed)}{in_words(assumed)}: “{line.because}”.")
        if met.found:
            return say("refuted", line, message=_refusal(line, met.found), counterexample=met.found.point,
                       left_value=met.found.left, right_value=met.found.right)
        if trial.diverges and line.relation == "==" and met.divergent:
            words = f"Refused: “{line.because}”. {trial.diverges}, so {met.divergent} has no value."
            return say("refuted", line, message=words)
        hint = _what_to_try(met)
        return say("undecided", line, message=_doubt(line, trial, met, hint, seconds), left_over=trial.left_over, hint=hint)


def _limited(seconds: float, work: Callable, otherwise):
    """What the work gives within the time, else `otherwise`; numbers keep their precision."""
    precision = mp.mp.prec
    try:
        with time_limit(seconds):
            return work()
    except (TimeIsUp, Exception):  # SymPy and mpmath end with errors of many kinds: nothing was found
        return otherwise
    finally:
        mp.mp.prec = precision  # work that was stopped may not have put it back


def _try_to_prove(before: Line, line: Line, where: tuple, given: tuple, costly: bool) -> Trial:
    left, right, *facts = map(written_out, (before.expression, line.expression, *given))
    trial = Trial()
    try:
        for expr in (left, right):
            if (words := divergence(expr)) is not None and sp.oo not in (left, right) and -sp.oo not in (left, right):
                return Trial(why_not=f"{words}: it has no value.", diverges=words)
        with known(where), collecting() as needed:
            need_same_domain(before, line, where)
            if line.relation == "==":
                trial.proof = prove_equal(left, right, where, tuple(facts), costly)
            else:
                low, high = (left, right) if line.relation == "<=" else (right, left)
                trial.proof = Proof(prove_bound(low, high, where, tuple(facts)))
        trial.proof = replace(trial.proof, forms=tuple(map(readable, trial.proof.forms)))
        trial.assumed = tuple(needed)
    except Unproved as error:
        trial.left_over = readable(error.args[0])
        wanted = "zero" if line.relation == "==" else "something never negative"
        trial.why_not = f"No rewriting turned the difference into {wanted}."
    except NotApplicable as error:
        trial.why_not = f"The step would need what is not shown: {error}."
    except Exception as error:  # SymPy gave up with an error of its own
        trial.why_not = f"SymPy ended with {type(error).__name__}: {error}."
    return trial


def readable(expr: sp.Basic) -> sp.Basic:
    """The expression with letters for the names that closed forms give to their variables."""
    ours = sorted((s for s in expr.atoms(sp.Symbol) if s.name.startswith("_u")), key=str)
    taken = {s.name for s in expr.atoms(sp.Symbol)}
    letters = (letter for letter in [*"utvwy", *(f"u_{k}" for k in range(99))] if letter not in taken)
    return expr.xreplace({s: sp.Symbol(next(letters), **s._assumptions_orig) for s in ours})


def _refusal(line: Line, found: Difference) -> str:
    where = ", ".join(value_in_words(s, v) for s, v in found.point.items())
    return (f"Refused: “{line.because}”. " + (f"At {where}" if where else "There are no symbols:")
            + f" the line before is {found.left} {DENIED[line.relation]} {found.right}, the value of the new line.")


def value_in_words(what: sp.Basic, value: sp.Basic) -> str:
    """mu = 2, or q(x) = exp(-x**2) for an unknown function."""
    if not isinstance(what, UndefinedFunction):
        return f"{what} = {to_text(value)}"
    letters = sp.symbols("x y z u v w", real=True)[:len(value.variables)]
    return f"{what}({', '.join(map(str, letters))}) = {to_text(value(*letters))}"


def _conflict(line: Line, found: Difference) -> str:
    return (f"Not decided: “{line.because}”. A rewriting proves this step, and numbers speak against it ("
            + _refusal(line, found).split("”. ", 1)[1] + ") One of the two is wrong, so nothing is marked.")


def _doubt(line: Line, trial: Trial, met: Search, hint: str, seconds: float) -> str:
    why_not = f"No proof was found within {seconds:g} s." if trial.out_of_time else trial.why_not
    message = f"Not decided: “{line.because}”. {why_not or 'Nothing was found at which both lines have a value.'}"
    if trial.left_over is not None:
        message += f" Left over: {to_text(trial.left_over)}."
    if met.undefined_at is not None:
        place = ", ".join(f"{s} = {v}" for s, v in met.undefined_at.items())
        message += f" At {place} one of the lines has no value and the other has one."
    return f"{message} Numbers agreed at {met.n_compared} points, which proves nothing. {hint}"


def _what_to_try(met: Search) -> str:
    if met.n_complex:
        return ("At other points a side was not a real number: say where the symbols lie, by their assumptions or by "
                "`where=[0 < p, p < 1]`. Try a smaller step.")
    return "Try a smaller step."
