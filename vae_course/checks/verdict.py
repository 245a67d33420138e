"""What every check of an exercise is made of: a Verdict, ✓ or ✗ with a hint. A check never raises."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Verdict:
    """What a check found; true if the answer passed."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return ("✓ " if self.passed else "✗ ") + self.message


class Wrong(Exception):
    """Raised inside a check with the hint as its text."""


def verdict(check: Callable[[], str]) -> Verdict:
    """Run a check; a NotImplementedError of the stub, any other error and a wrong answer each become a ✗."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Verdict(True, check())
    except NotImplementedError:
        return Verdict(False, "Not done yet: replace the line `raise NotImplementedError`.")
    except Wrong as hint:
        return Verdict(False, str(hint))
    except Exception as error:
        return Verdict(False, f"Your function raised {type(error).__name__}: {error}")


def close(a, b, tolerance: float = 1e-4) -> bool:
    """Whether two numbers or tensors have one shape and agree to the tolerance; NaN agrees with nothing."""
    if a is None:  # a forgotten `return`
        return False
    a, b = (torch.as_tensor(value, dtype=torch.float64).detach() for value in (a, b))
    return a.shape == b.shape and torch.allclose(a, b, rtol=tolerance, atol=tolerance)


def name_mistake(answer, mistakes: dict[str, object], otherwise: str) -> None:
    """Raise the hint of the classic mistake that gives exactly this answer, or `otherwise`."""
    for hint, value in mistakes.items():
        if close(answer, value):
            raise Wrong(hint)
    raise Wrong(otherwise)


def compare(answer: Callable, right: Callable, cases: Sequence[tuple], mistakes: Mapping[str, Callable], done: str, *,
            otherwise: str = "", tolerance: float = 1e-4) -> Verdict:
    """Call the answer with several arguments and compare each value with the right one.

    Args:
        answer: what the reader wrote.
        right: the right function of the same arguments; a number, a tensor, or a tuple of them.
        cases: tuples of arguments, at least two with different right values, so that no constant passes.
        mistakes: hint → the function of the same arguments that this mistake would give.
        done: the message of ✓, after "Right: ".
        otherwise: a hint for any other wrong value.
    """
    def check() -> str:
        for arguments in cases:
            own = [value.clone() if isinstance(value, torch.Tensor) else value
                   for value in arguments]  # it may write to them
            got, wanted = answer(*own), right(*arguments)
            if isinstance(wanted, tuple) and (not isinstance(got, (tuple, list)) or len(got) != len(wanted)):
                raise Wrong(f"Return {len(wanted)} things, in this order: {otherwise or done}")
            if not _same(got, wanted, tolerance):
                _refuse(got, wanted, arguments, {hint: wrong(*arguments) for hint, wrong in mistakes.items()}, otherwise)
        return f"Right: {done}"
    return verdict(check)


def _same(got, wanted, tolerance: float) -> bool:
    if isinstance(wanted, tuple):
        return isinstance(got, (tuple, list)) and all(close(g, w, tolerance) for g, w in zip(got, wanted))
    return close(got, wanted, tolerance)


def _refuse(got, wanted, arguments: tuple, mistakes: Mapping[str, object], otherwise: str) -> None:
    """Raise Wrong with the hint of the mistake that gives this value, or with what is wrong about its shape or size."""
    for hint, value in mistakes.items():
        if _same(got, value, 1e-4):
            raise Wrong(hint)
    if got is None:
        raise Wrong("Nothing was returned: is the `return` missing?")
    for g, w in zip(*((got, wanted) if isinstance(wanted, tuple) else ([got], [wanted]))):
        g, w = torch.as_tensor(g).detach(), torch.as_tensor(w)
        if g.shape != w.shape:
            raise Wrong(f"The shape should be {tuple(w.shape)}, and is {tuple(g.shape)}. {otherwise}".rstrip())
        if not g.isfinite().all():
            raise Wrong(f"The answer holds a number that is not finite. {otherwise}".rstrip())
    raise Wrong(f"For the arguments {_short(arguments)} the answer should be {_short(wanted)}, and is {_short(got)}. "
                f"{otherwise}".rstrip())


def _short(value) -> str:
    """A value for a hint: four digits, and long tensors by their shape."""
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(map(_short, value)) + ")" if len(value) != 1 else _short(value[0])
    if isinstance(value, torch.Tensor):
        if value.numel() > 6:
            return f"a tensor of shape {tuple(value.shape)}"
        return str([float(f"{v:.4g}") for v in value.flatten().tolist()])
    return f"{value:.4g}" if isinstance(value, float) else str(value)
