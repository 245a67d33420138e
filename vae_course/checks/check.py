"""What the check of an exercise is made of: a right function, cases, and named mistakes, each once, as data.

A check is called with the reader's function and answers with a Verdict, ✓ or ✗ with a hint. It never raises, and leaves
the global random numbers as they were. tests/test_checks.py feeds each check its own right function and its own mistakes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import torch

from vae_course.checks.values import NO_NUMBER, pairs_of, parts_of, same, same_mistake, short, to_tensor, wanted_and_got


@dataclass(frozen=True)
class Verdict:
    """What a check found; true if the answer passed."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return ("✓ " if self.passed else "✗ ") + self.message


@dataclass(frozen=True)
class But:
    """A mistake that gives the right value, but changed: `change` takes it, or its parts if it is a tuple."""

    change: Callable

    def after(self, right: Callable) -> Callable:
        """The function of an exercise's arguments that makes this mistake."""
        def mistake(*arguments):
            value = right(*arguments)
            return self.change(*value) if isinstance(value, tuple) else self.change(value)
        return mistake


@contextmanager
def own_settings() -> Iterator[None]:
    """Random numbers from one seed, gradients and single precision, whatever the notebook has set, and has again after."""
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        torch.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


class _Wrong(Exception):
    """Raised inside a check with the hint as its text."""


class _AnyCheck:
    """What `Check` and `Inspection` share: the call that never raises, and the help."""

    def __init__(self, says: str, right: Callable):
        self.__doc__, self.right = says, right

    def __repr__(self) -> str:
        return f"<check of {self.__doc__}>"

    def __call__(self, answer: Callable) -> Verdict:
        try:
            with own_settings():
                return Verdict(True, f"Right: {self._examine(answer)}")
        except NotImplementedError:
            return Verdict(False, "Not done yet: replace the line `raise NotImplementedError`.")
        except _Wrong as hint:
            return Verdict(False, str(hint))
        except Exception as error:
            return Verdict(False, f"Your function raised {type(error).__name__}: {error}")

    def _examine(self, answer: Callable) -> str:
        """The message of ✓ without "Right: "; raises _Wrong with the hint of a wrong answer."""
        raise NotImplementedError


class Check(_AnyCheck):
    """Calls the answer with several arguments and compares each value with the right one.

    Args:
        says: the function that the exercise asks for, in a line, and the notebook; shown as the check's help.
        right: the right function: a number, a tensor, a text, or a tuple of them.
        cases: tuples of arguments. No constant may be right in all, and any two mistakes must differ in one.
        mistakes: hint → the function of the same arguments that this mistake gives, or `But` what becomes of the right
            value. In a tuple, `...` stands for a part that may be anything.
        done: the message of ✓, after "Right: ".
        otherwise: a hint for any other wrong value.
        also: other right functions; an answer must agree with one of them in all cases.
        form: value → what is wrong about the kind of thing that it is, or "".
        unlike: (arguments, value, right value) → what to say of a wrong value that no mistake gives.
        tolerance: of the comparison with the right value, relative and absolute.
    """

    def __init__(self, says: str, right: Callable, cases: Iterable[tuple], mistakes: Mapping[str, Callable | But], done: str,
                 *, otherwise: str = "", also: Sequence[Callable] = (), form: Callable[[object], str] | None = None,
                 unlike: Callable[..., str] | None = None, tolerance: float = 1e-4):
        super().__init__(says, right)
        self.cases, self.done, self.otherwise, self.tolerance = list(cases), done, otherwise, tolerance
        self.mistakes = {hint: mistake.after(right) if isinstance(mistake, But) else mistake
                         for hint, mistake in mistakes.items()}
        self.also, self.form, self.unlike = also, form, unlike

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        """(hint, answer) of each named mistake, as a reader might have written it: `...` is the right part."""
        def whole(mistake: Callable) -> Callable:
            def answer(*arguments):
                value = mistake(*arguments)
                parts = zip(value, self.right(*arguments)) if isinstance(value, tuple) else ()
                return tuple(right if part is ... else part for part, right in parts) or value
            return answer
        return [(hint, whole(mistake)) for hint, mistake in self.mistakes.items()]

    def _examine(self, answer: Callable) -> str:
        got = self._values(answer)
        for right in (self.right, *self.also):
            if all(map(self._right, got, self._values(right))):
                return self.done
        wanted = self._values(self.right)
        first = next(k for k in range(len(got)) if not self._right(got[k], wanted[k]))
        self._refuse_form(got[first], wanted[first])
        self._name_mistake(got, first)
        if isinstance(got[first], Exception):
            raise got[first]
        raise _Wrong(self._difference(self.cases[first], got[first], wanted[first]).rstrip())

    def _values(self, function: Callable) -> list:
        """What a function gives in each case, or the error that it raises; it may write to its arguments."""
        values = []
        for arguments in self.cases:
            try:
                values.append(function(*deepcopy(arguments)))
            except Exception as error:
                values.append(error)
        return values

    def _right(self, got, wanted) -> bool:
        return not isinstance(got, Exception) and not (self.form and self.form(got)) and same(got, wanted, self.tolerance)

    def _refuse_form(self, got, wanted) -> None:
        if isinstance(got, Exception):
            return
        if self.form and self.form(got):
            raise _Wrong(self.form(got))
        if isinstance(wanted, tuple) and not parts_of(got, len(wanted)):
            raise _Wrong(f"Return {len(wanted)} things, in this order: {self.otherwise or self.done}")

    def _name_mistake(self, got: list, first: int) -> None:
        """Raise the hint of the mistake that gives what the answer gives where it is first wrong.

        Several mistakes may agree there: then it is the one that agrees in most cases. What is no number, or an error,
        says little of its cause: there the mistake must agree in all cases. A mistake that is wrong where the answer is
        right was not made.
        """
        agreement = {}
        wanted = self._values(self.right)
        is_right = list(map(self._right, got, wanted))
        for hint, mistake in self.mistakes.items():
            values = self._values(mistake)
            agrees = [same_mistake(*pair) for pair in zip(got, values)]
            agrees_or_right = map(bool.__or__, agrees, map(self._right, values, wanted))
            if any(right and not fits for right, fits in zip(is_right, agrees_or_right)):
                continue
            if all(agrees) or same_mistake(got[first], values[first], only_numbers=True):
                agreement[hint] = sum(agrees)
        if agreement:
            raise _Wrong(max(agreement, key=agreement.__getitem__))

    def _difference(self, arguments: tuple, got, wanted) -> str:
        """What is wrong about a value that no mistake gives: it is missing, or its shape, or its size."""
        if got is None:
            return "Nothing was returned: is the `return` missing?"
        pairs = pairs_of(got, wanted)
        for g, w in pairs:
            if isinstance(w, str):
                continue
            try:
                number, w = to_tensor(g), to_tensor(w)
            except NO_NUMBER:
                return f"Return a number or a tensor, got {'None' if g is None else type(g).__name__}."
            if number.shape != w.shape:
                return f"The shape should be {tuple(w.shape)}, and is {tuple(number.shape)}. {self.otherwise}"
            if not number.isfinite().all():
                return f"The answer holds a number that is not finite. {self.otherwise}"
        if self.unlike:
            return self.unlike(arguments, got, wanted)
        return f"For the arguments {short(arguments)} {wanted_and_got(pairs, self.tolerance)}. {self.otherwise}"


class Inspection(_AnyCheck):
    """Looks at what the answer does, and for the signs of mistakes, one after the other.

    Args:
        says: as for `Check`.
        look: what there is to see of an answer; its attributes may stand in the hints, as {seen.name}.
        right: a right answer.
        mistakes: hint → (what is seen → whether this mistake shows, and one or more answers that make it). The first that
            shows is named, so that a sign may count on what the signs before it have refused.
        done: the message of ✓, after "Right: "; it too may show {seen.name}.
    """

    def __init__(self, says: str, look: Callable, right: Callable, mistakes: Mapping[str, Sequence[Callable]], done: str):
        super().__init__(says, right)
        self.look, self.mistakes, self.done = look, mistakes, done

    def wrong_answers(self) -> list[tuple[str, Callable]]:
        """(hint, answer) of each named mistake, as a reader might have written it."""
        return [(hint, answer) for hint, (_, *answers) in self.mistakes.items() for answer in answers]

    def _examine(self, answer: Callable) -> str:
        seen = self.look(answer)
        for hint, (shows, *_) in self.mistakes.items():
            if shows(seen):
                raise _Wrong(hint.format(seen=seen))
        return self.done.format(seen=seen)
