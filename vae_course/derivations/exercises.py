"""The judgement of answers to exercises on derivations: a proof, a missing line, a wrong line.

Nothing that an answer brings along is believed: each of its lines is judged again, from the task's own start and with the
task's own facts. What is wrong is raised as `Refused`, with a hint in words.
"""

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from vae_course.derivations import printing, text
from vae_course.derivations.conditions import in_words
from vae_course.derivations.derivation import Derivation
from vae_course.derivations.judging import value_in_words
from vae_course.derivations.tasks import Posted, Task, plain, same, written_alike
from vae_course.derivations.verdicts import DENIED, RELATIONS, Line, StepRefuted, StepUndecided, Verdict

QUICK = 0.5  # CPU seconds for each line that a hint is looked for with
_judged: dict[tuple, Verdict] = {}  # an answer that is checked again is not judged again


class Refused(Exception):
    """The answer is not right; the text is the hint."""


# ---------------------------------------------------------------- the three judgements

def judge_chain(task: Task, answer: Derivation | object, least: int) -> int:
    """The number of steps of a derivation from the start to the goal that change something. Raises Refused."""
    first, *rest = lines = _lines_of(answer)
    assert isinstance(answer, Derivation)  # `_lines_of` refuses others, and later lines without a relation
    _refuse_names(task, *(line.shown for line in lines), *answer.given, *answer.where)
    _refuse_facts(task, answer)
    d = task.derivation()
    if not same(first.shown, d.lines[0].shown):
        turned = same(first.shown, task.goal)
        raise Refused("Your derivation starts at the goal: go the other way, from the start to the goal." if turned else
                      f"Your derivation starts at {_short(first.shown)}, and should start at {_short(d.lines[0].shown)}.")
    for k, line in enumerate(rest, 1):
        assert line.relation is not None
        if line.relation not in ("==", task.relation):
            raise Refused(f"Step {k} is a bound ({RELATIONS[line.relation]}), and the goal is "
                          + ("an equality." if task.relation == "==" else "a bound the other way round."))
        follow(task, d, line.shown, line.relation, f"Step {k}", line.because)
    if not same(d.lines[-1].shown, task.goal):
        raise Refused(f"Each of your steps holds, but the last line is {_short(d.lines[-1].shown)}. The goal is "
                      f"{task.goal_in_words or _short(task.goal)}.")
    steps = len({plain(line.shown) for line in d.lines}) - 1
    if steps < least:
        raise Refused(f"At least {least} steps are asked for, and yours are {steps}: a line that says the same as "
                      "an earlier one, in another order or with other brackets, does not count. Take one thought a step.")
    return steps


def judge_between(task: Task, answer: object) -> int:
    """The number of lines that were written between the start and the goal. Raises Refused.

    A goal that is to be found is the last line, in any form without a derivative.
    """
    if isinstance(answer, Derivation):
        return judge_chain(task, answer, 2) - (not task.goal_in_words)
    lines = list(answer) if isinstance(answer, list | tuple) else [answer]
    d = task.derivation()
    for k, line in enumerate(lines, 1):
        which = "Your line" if len(lines) == 1 else f"Line {k} of your {len(lines)}"
        shown = _read(task, d, line, which)
        for end, name in ((d.lines[0].shown, "start"), (task.goal, "goal")):
            if same(shown, end) and not (task.goal_in_words and name == "goal"):
                raise Refused(f"{which} is the {name} again: write what lies between the two.")
        follow(task, d, shown, task.relation, which)
    if not lines:
        raise Refused("Return the missing line, or a list of lines.")
    if task.goal_in_words:
        _refuse_unfinished(task, d)
    follow(task, d, task.goal, task.relation, "The step from your line to the goal")
    return len(lines)


def _refuse_unfinished(task: Task, d: Derivation) -> None:
    """The goal is to be found: a derivative that is still to be taken is none, nor is one leap."""
    if d.lines[-1].shown.has(sp.Derivative, sp.Subs):
        raise Refused(f"What you wrote holds, but a derivative is left in the last line. The goal is {task.goal_in_words}.")
    if len({plain(line.shown) for line in d.lines}) < 3:
        raise Refused("Your line holds. At least 2 lines are asked for: take one thought a step.")


def judge_mended(posted: Posted, answer: object) -> None:
    """The wrong line's number, and what should stand there. Raises Refused."""
    number, mended = answer if isinstance(answer, list | tuple) and len(answer) == 2 else (None, None)
    if not isinstance(number, int) or isinstance(number, bool) or isinstance(mended, list | tuple) or mended is None:
        raise Refused("Return a pair, the number of the wrong line and the line that should stand there.")
    if not 2 <= number <= len(posted.lines):
        raise Refused(f"The number is from 2 to {len(posted.lines)}; line 1 is what the derivation is about.")
    if number != posted.wrong:
        raise Refused(f"Line {number} follows from line {number - 1}: the prover proves this step. "
                      + ("The mistake was made before it." if number > posted.wrong else "The mistake comes after it."))
    task, above = posted.task, posted.wrong - 1
    d = task.derivation(above - 1)
    shown = _read(task, d, mended, "Your line")
    for k, line in enumerate(posted.lines[:above], 1):
        if written_alike(shown, task.line(line)):
            raise Refused(f"Your line is line {k} again: write what should follow from line {above}.")
    follow(task, d, shown, "==", f"Your line, after line {above},")


def _lines_of(answer: object) -> tuple[Line, ...]:
    if answer is None:
        raise Refused("Nothing was returned: is the `return` missing?")
    if not isinstance(answer, Derivation):
        raise Refused(f"Return the derivation with its steps, not a {type(answer).__name__}.")
    lines = tuple(answer.lines)
    for k, line in enumerate(lines):
        if not isinstance(line, Line) or (k > 0) != (line.relation in ("==", "<=", ">=")):
            raise Refused("The lines of your derivation were changed by hand: add lines with `step`.")
    return lines


def _refuse_names(task: Task, *exprs: sp.Basic) -> None:
    """A symbol or function of the task's keeps what the task says of it."""
    known = {str(thing): thing for thing in task.names.values()}
    for expr in exprs:
        things = {*expr.atoms(sp.Symbol), *(applied.func for applied in expr.atoms(AppliedUndef))}
        for thing in sorted(things, key=str):
            if known.get(str(thing), thing) != thing:
                raise Refused(f"Your {thing} is declared otherwise than here, where it is {_kind(known[str(thing)])}. "
                              "A proof for other values is not a proof for these. Use the exercise's own.")


def _kind(thing) -> str:
    sign = "positive" if thing.is_positive or getattr(thing, "_kwargs", {}).get("positive") else "real"
    return f"a {sign} function" if isinstance(thing, UndefinedFunction) else f"any {sign} number"


def _refuse_facts(task: Task, answer: Derivation) -> None:
    facts = {_fact(fact) for fact in task.derivation().given}
    for fact in answer.given:
        if _fact(fact) not in facts:
            raise Refused(f"Your derivation uses the fact {_short(fact.lhs)} = {_short(fact.rhs)}, which is not given here.")
    for condition in answer.where:
        raise Refused(f"Your derivation holds only where {condition}; the claim is for all values. Leave `where` out.")


def _fact(fact: sp.Eq) -> frozenset:
    return frozenset((plain(fact.lhs), plain(fact.rhs)))


def _read(task: Task, d: Derivation, line: object, which: str) -> sp.Basic:
    """The tree of a line that was typed or built."""
    if isinstance(line, str):
        try:
            return text.parse(line, d.known)
        except ValueError as error:
            raise Refused(f"{which}: {error}") from None
    if isinstance(line, bool) or not isinstance(line, int | float | sp.Basic | sp.MatrixBase):
        raise Refused("Nothing was returned: is the `return` missing?" if line is None else
                      f"{which} should be a text or a SymPy expression, not a {type(line).__name__}.")
    shown = sp.sympify(line)
    _refuse_names(task, shown)
    return shown


# ---------------------------------------------------------------- what the prover says of one line

def follow(task: Task, d: Derivation, shown: sp.Basic, relation: str, which: str, because: str = "") -> None:
    """Add the line to the derivation, or raise Refused with the reason."""
    key = (d.lines[-1].shown, shown, relation, d.given)
    try:
        verdict = _judged[key] = _judged[key] if key in _judged else d.judge(shown, because or which, relation)
    except (TypeError, ValueError) as error:
        raise Refused(f"{which}: {error}") from None
    if verdict.outcome == "conditional" and not set(verdict.line.assumed) <= set(task.may_assume):
        raise Refused(f"{which} is proved only {in_words(verdict.line.assumed)}, and the claim is for all values.")
    if not verdict:
        raise Refused(_hint(task, verdict, which))
    d.lines.append(verdict.line)


def of_refusal(task: Task, refusal: StepRefuted | StepUndecided) -> Refused:
    """The hint for a step that was refused while the answer was made."""
    return Refused(_hint(task, refusal.verdict, f"The step “{refusal.verdict.line.because}”"))


def _hint(task: Task, verdict: Verdict, which: str) -> str:
    """The name of the mistake, if it is a known one, and what the prover says."""
    known = (hint for hint, line in task.mistakes.items() if same(task.line(line), verdict.line.shown))
    return " ".join([*known, f"{which} {_words_on(task, verdict)}"])


def _words_on(task: Task, verdict: Verdict) -> str:
    """Why a line was not accepted, as the end of a sentence."""
    relation = verdict.line.relation or "=="
    if verdict.outcome == "refuted" and verdict.counterexample:
        at = ", ".join(value_in_words(name, value) for name, value in verdict.counterexample.items())
        left, right = _two_numbers(verdict.left_value, verdict.right_value)
        return f"does not hold: at {at} the line before it is {left} {DENIED[relation]} {right}."
    if verdict.outcome == "refuted":
        return f"does not hold: {verdict.message}"
    idea = _next_idea(task, verdict)
    return f"is true, but too large a step: try first “{idea}”." if idea else \
        f"is neither proved nor refuted. {verdict.message.partition('”. ')[2]}"


def _next_idea(task: Task, verdict: Verdict) -> str:
    """The reason of the right way's next step, if the undecided line is shown to be true; else an empty text."""
    if task.relation != "==" or verdict.line.relation != "==":
        return ""
    way = [task.derivation(k) for k in range(len(task.lines))]
    reached = max((k for k, d in enumerate(way) if same(d.lines[0].shown, verdict.before.shown)), default=0)
    for d in way:
        d.seconds = QUICK
        if d.judge(verdict.line.shown):
            return task.lines[min(reached + 1, len(task.lines) - 1)][1]
    return ""


def _short(line: sp.Basic) -> str:
    return printing.to_text(line)


def _two_numbers(left, right) -> tuple[str, str]:
    """Both with as many digits as show that they differ."""
    try:
        for digits in (5, 9, 15):
            shown = f"{float(left):.{digits}g}", f"{float(right):.{digits}g}"
            if shown[0] != shown[1]:
                break
        return shown
    except (TypeError, ValueError):
        return str(left), str(right)
