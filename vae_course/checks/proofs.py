"""Exercises that are answered with mathematics: prove it, the missing line, the wrong line. The prover judges."""

from collections.abc import Callable, Sequence

from vae_course.checks.check import _AnyCheck, _Wrong
from vae_course.derivations import Derivation, StepRefuted, StepUndecided
from vae_course.derivations.exercises import Refused, judge_between, judge_chain, judge_mended, of_refusal
from vae_course.derivations.tasks import Posted, Task, posted_to_latex, task_to_latex


class ProofCheck(_AnyCheck):
    """What the three kinds share: the prover's refusals become hints, and a cell shows what is asked."""

    def __init__(self, says: str, right: Callable, done: str):
        super().__init__(says, right)
        self.done = done

    def _examine(self, answer: Callable) -> str:
        try:
            return self.done.format(n=self._judge(answer))
        except Refused as hint:
            raise _Wrong(str(hint)) from None

    def _judge(self, answer: Callable) -> int | None:
        """A number for the message of ✓; raises Refused."""
        raise NotImplementedError

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        """(hint, answer) of each named mistake, as a reader might have written it; {seen} is what the prover says."""
        raise NotImplementedError


class ProveIt(ProofCheck):
    """Asks for a proof: a function of a derivation that stands at the start, which returns it at the goal.

    Args:
        says: the function that the exercise asks for, in a line, and the notebook.
        task: start, goal, facts, and one right way.
        least: how many steps are asked for at least.
        done: the message of ✓, after "Right: "; {n} is the number of steps.
    """

    def __init__(self, says: str, task: Task, least: int, done: str):
        super().__init__(says, _along(task.lines[1:], task.relation), done)
        self.task, self.least = task, least

    def _judge(self, answer: Callable) -> int:
        try:
            return judge_chain(self.task, answer(self.task.derivation()), self.least)
        except (StepRefuted, StepUndecided) as refusal:
            raise of_refusal(self.task, refusal) from None

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        return [(f"{hint} {{seen}}", _along([(line, "a slip")])) for hint, line in self.task.mistakes.items()]

    def _repr_latex_(self) -> str:
        return task_to_latex(self.task)


def _along(steps: Sequence[tuple[str, str]], relation: str = "==") -> Callable[[Derivation], Derivation]:
    """The answer that takes these steps; where one is no equality, it is the bound that the task asks for."""
    def answer(d: Derivation) -> Derivation:
        for line, reason in steps:
            if relation == "==" or d.judge(line, because=reason):
                d.step(line, because=reason)
            else:
                d.bound(line, because=reason, relation=relation)
        return d
    return answer


class MissingLine(ProofCheck):
    """Asks for the line between a start and a goal: a function without arguments that returns it, or a list of lines.

    Args:
        says, task, done: as for `ProveIt`; {n} is the number of lines. If the task has its goal in words alone, the goal is
            the last of the lines that are asked for.
    """

    def __init__(self, says: str, task: Task, done: str):
        lines = [line for line, _ in task.lines[1:-1]]
        super().__init__(says, lambda: [*lines, task.lines[-1][0]] if task.goal_in_words else lines, done)
        self.task = task

    def _judge(self, answer: Callable) -> int:
        try:
            return judge_between(self.task, answer())
        except (StepRefuted, StepUndecided) as refusal:
            raise of_refusal(self.task, refusal) from None

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        before = self.right()[:-1] if self.task.goal_in_words else []
        return [(f"{hint} {{seen}}", lambda line=line: [*before, line]) for hint, line in self.task.mistakes.items()]

    def _repr_latex_(self) -> str:
        return task_to_latex(self.task)


class WrongLine(ProofCheck):
    """Shows derivations without marks, and asks for (number, mended line) of the wrong line in each.

    Args:
        says, done: as for `ProveIt`.
        posted: the derivations.
    """

    def __init__(self, says: str, posted: Sequence[Posted], done: str):
        super().__init__(says, lambda: [(one.wrong, one.mended) for one in posted], done)
        self.posted = posted

    def _judge(self, answer: Callable) -> None:
        pairs = answer()
        if pairs is None:
            raise Refused("Nothing was returned: is the `return` missing?")
        if not isinstance(pairs, list | tuple) or len(pairs) != len(self.posted):
            raise Refused(f"Return {len(self.posted)} pairs, one for each derivation: (number, \"the line that should stand "
                          "there\").")
        for k, (posted, pair) in enumerate(zip(self.posted, pairs, strict=True), 1):
            try:
                judge_mended(posted, pair)
            except Refused as hint:
                raise Refused(f"Derivation {k}. {hint}") from None

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        found = []
        for k, one in enumerate(self.posted):
            for hint, line in one.mistakes.items():
                pairs = self.right()
                pairs[k] = (one.wrong, line)
                found.append((f"Derivation {k + 1}. {hint} {{seen}}", lambda pairs=pairs: pairs))
        return found

    def _repr_latex_(self) -> str:
        return posted_to_latex(self.posted)
