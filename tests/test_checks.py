"""Every check of an exercise, fed with its own data: its right function passes, each of its mistakes gets its own hint.

What cannot be made of a check's data stands in exercise_answers.py: right answers by a second route, and wrong answers
that no hint names. The chapters' own solutions run through their checks in test_notebooks.py.
"""

import importlib
import inspect
import re
import sys
from contextlib import contextmanager
from copy import deepcopy
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

import vae_course
from vae_course import checks
from vae_course.checks.check import But, Check, Inspection

sys.path.insert(0, str(Path(__file__).parent))
from exercise_answers import RIGHT, WRONG  # noqa: E402  (tests/exercise_answers.py)

ALL = {name: getattr(checks, name) for name in dir(checks) if name.startswith("check_")}
COMPARED = {name: check for name, check in ALL.items() if isinstance(check, Check)}
TUPLES = {name: check for name, check in COMPARED.items() if isinstance(check.right(*deepcopy(check.cases[0])), tuple)}
NUMBERS = {name: check for name, check in COMPARED.items() if name != "check_diagnose"}
MISTAKES = [pytest.param(check, hint, answer, id=f"{name}: {hint}")
            for name, check in ALL.items() for hint, answer in check.wrong_answers()]


def each(some: dict) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("check", some.values(), ids=some)


def says(hint: str, message: str) -> bool:
    """Whether the message is the hint, with anything where the hint shows what was seen."""
    return bool(re.fullmatch(re.sub(r"\\\{seen.*?\\\}", ".*", re.escape(hint)), message))


def changed(answer, change):
    """The answer with each of its numbers or tensors changed."""
    def changed_answer(*arguments):
        value = answer(*arguments)
        return tuple(map(change, value)) if isinstance(value, tuple) else change(value)
    return changed_answer


@contextmanager
def double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


# ---------------------------------------------------------------- what each check says of its own data

@each(ALL)
def test_the_right_function_passes(check):
    verdict = check(check.right)
    assert verdict.passed and repr(verdict).startswith("✓ Right: "), verdict


@pytest.mark.parametrize(("check", "hint", "answer"), MISTAKES)
def test_each_mistake_gets_its_own_hint(check, hint, answer):
    verdict = check(answer)
    assert not verdict.passed and says(hint, verdict.message), verdict
    assert repr(verdict).startswith("✗ ")


@each({name: check for name, check in ALL.items() if isinstance(check, Inspection)})
def test_random_numbers_do_not_matter(check, monkeypatch):
    seed_with = torch.manual_seed
    for seed in range(30):
        monkeypatch.setattr(torch, "manual_seed", lambda _, seed=seed: seed_with(seed))
        assert check(check.right).passed
        for hint, answer in check.wrong_answers() if seed < 5 else ():
            assert says(hint, check(answer).message), seed


@each(COMPARED)
def test_no_constant_passes(check):
    assert not check(lambda *arguments: check.right(*check.cases[0]))


@each(ALL)
def test_an_answer_may_write_to_its_arguments(check):
    """It is judged by what it returns, and spoils neither the later cases nor the next call."""
    def spoilt(thing):
        if isinstance(thing, torch.Tensor) and not thing.requires_grad:
            thing.fill_(7)
        elif isinstance(thing, torch.distributions.Normal):
            thing.loc.fill_(7)
        elif isinstance(thing, dict):
            for column in thing.values():
                column.clear()

    def spoiling(answer):
        def spoiling_answer(*arguments):
            value = changed(answer, lambda v: v.clone() if isinstance(v, torch.Tensor) else v)(*arguments)
            for argument in arguments:
                spoilt(argument)
            return value
        return spoiling_answer

    before = deepcopy(getattr(check, "cases", []))
    assert check(spoiling(check.right)), check(spoiling(check.right))
    for hint, answer in check.wrong_answers():
        assert says(hint, check(spoiling(answer)).message)
    assert str(before) == str(getattr(check, "cases", [])) and check(check.right)


@each(NUMBERS)
@pytest.mark.parametrize("kind", [
    lambda v: torch.as_tensor(v, dtype=torch.float32), lambda v: torch.as_tensor(v, dtype=torch.float64),
    lambda v: torch.as_tensor(v).numpy(), lambda v: torch.as_tensor(v).tolist()], ids=["single", "double", "numpy", "list"])
def test_any_kind_of_number_passes(check, kind):
    verdict = check(changed(check.right, kind))
    assert verdict or verdict.message == "Return one number: the mean over the batch, a tensor without axes.", verdict


@each(NUMBERS)
def test_a_further_axis_is_called_by_its_name(check):
    verdict = check(changed(check.right, lambda v: torch.as_tensor(v)[..., None]))
    assert not verdict, verdict
    assert re.match(r"The shape should be .*, and is \((.*, )?1,?\)\.|Return one number", verdict.message), verdict


@each(TUPLES)
def test_one_thing_of_several_is_not_enough(check):
    verdict = check(lambda *arguments: check.right(*arguments)[0])
    assert not verdict and re.match(r"Return (2|two) things", verdict.message), verdict


ROWS = {name: check for name, check in TUPLES.items() if name != "check_bound_and_gradient"}     # things of one shape


@each(TUPLES)
def test_several_things_pass_in_a_list(check):
    assert check(lambda *arguments: list(check.right(*arguments)))


@each(ROWS)
@pytest.mark.parametrize("join", [torch.stack, np.stack], ids=["torch.stack", "np.stack"])
def test_several_things_pass_in_any_row(check, join):
    def answer(*arguments):
        return join([torch.as_tensor(part, dtype=torch.float64) for part in check.right(*arguments)])

    verdict = check(answer)
    assert verdict, verdict


@each(ALL)
@pytest.mark.parametrize("setting", [torch.no_grad, torch.inference_mode, double_precision], ids=lambda f: f.__name__)
def test_settings_of_the_notebook_do_not_matter(check, setting):
    with setting():
        before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        verdict = check(check.right)
        assert before == (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled())
    assert verdict, verdict


def test_checks_may_be_imported_under_double_precision(monkeypatch):
    monkeypatch.setattr(vae_course, "checks", checks)   # put back afterwards
    for name in [name for name in sys.modules if name.startswith("vae_course.checks")]:
        monkeypatch.delitem(sys.modules, name)
    with double_precision():
        anew = importlib.import_module("vae_course.checks")
        assert anew is not checks
        for name in ALL:
            again = getattr(anew, name)
            assert again(again.right), name
    assert str(ALL["check_best_means"].cases) == str(anew.check_best_means.cases)


def test_the_global_random_numbers_are_left_alone():
    before = torch.get_rng_state()
    for name, answer in [*((name, check.right) for name, check in ALL.items()), *RIGHT]:
        ALL[name](answer)
    assert torch.equal(before, torch.get_rng_state())


# ---------------------------------------------------------------- what is not an answer

@each(ALL)
def test_stubs_errors_and_forgotten_returns_are_told_apart(check):
    def stub(*arguments):
        raise NotImplementedError

    def broken(*arguments):
        return undefined_name  # noqa: F821

    verdict = check(stub)
    assert not verdict and "Not done yet" in verdict.message and "NotImplementedError" in verdict.message
    assert repr(check(broken)).startswith("✗ Your function raised NameError: name 'undefined_name'")
    nothing = check(lambda *arguments: None)
    assert not nothing and "raised" not in nothing.message


NAN = float("nan")
NO_ANSWERS = [NAN, 0.0, 1.0, 2.5, -1.0, True, (), (0.0, 0.0), (NAN, NAN), (0.0, 1.0, 2.0), torch.tensor(NAN),
              torch.full((3,), NAN), torch.zeros(3), torch.ones(3, 1), torch.zeros(2, 2), "text"]


@each(ALL)
def test_no_constant_no_nan_no_other_shape_passes(check):
    for value in NO_ANSWERS:
        assert not check(lambda *arguments, value=value: value), value


@each(ALL)
def test_what_is_no_number_is_not_called_an_error(check):
    for value in ("text", "", {"answer": 1.0}, [], ["text"], [torch.ones(2), torch.ones(3)], ("text", None), ("a", "b", "c"),
                  [{}, {}], len, object()):
        verdict = check(lambda *arguments, value=value: value)
        assert not verdict and "raised" not in verdict.message, (value, verdict)


@each(NUMBERS)
def test_a_list_of_the_right_rows_passes(check):
    verdict = check(changed(check.right, lambda v: list(v) if isinstance(v, torch.Tensor) and v.ndim else v))
    assert verdict, verdict


@each(NUMBERS)
def test_a_hint_shows_a_number_that_differs(check):
    def off(value):
        value = torch.as_tensor(value, dtype=torch.float64).clone()
        value.view(-1)[-1] += 1e-3 * (1 + value.view(-1)[-1].abs())
        return value

    def answer(*arguments):
        value = check.right(*arguments)
        return (*value[:-1], off(value[-1])) if isinstance(value, tuple) else off(value)

    message = check(answer).message
    assert " at 0x" not in message and "<lambda>" not in message
    found = re.search(r"should be (.*?)(?: at the index .*)?, and is (.*?)\.(?: |$)", message)
    assert not found or found[1] != found[2], message


# ---------------------------------------------------------------- other answers

@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[name for name, _ in RIGHT])
def test_a_second_route_to_the_right_answer_passes(name, answer):
    verdict = ALL[name](answer)
    assert verdict.passed, verdict


@pytest.mark.parametrize(("name", "answer", "hint"), WRONG, ids=[f"{name}: {hint}" for name, _, hint in WRONG])
def test_other_wrong_answers_are_refused(name, answer, hint):
    verdict = ALL[name](answer)
    assert not verdict.passed and hint in verdict.message, verdict


# ---------------------------------------------------------------- how a check is found, and how it names a mistake

def test_each_check_says_where_it_is_used_and_knows_mistakes():
    assert len(ALL) >= 55
    for name, check in ALL.items():
        assert re.search(r"\(notebook (\d\d|A\d)", inspect.getdoc(check)) and inspect.getdoc(check) in repr(check), name
        assert len(check.wrong_answers()) + [other for other, *_ in WRONG].count(name) >= 3, f"{name}: too few wrong answers"


def test_a_check_is_found_by_its_name_alone():
    from vae_course.checks import check_loss
    assert checks.check_loss is check_loss is ALL["check_loss"]
    with pytest.raises(AttributeError, match="check_los.*check_loss"):
        checks.check_los  # noqa: B018
    with pytest.raises(ImportError):
        from vae_course.checks import check_nothing  # noqa: F401


@pytest.mark.parametrize(("check", "hint", "answer"), [p for p in MISTAKES if isinstance(p.values[0], Check)])
def test_a_mistake_is_not_named_where_the_answer_disproves_it(check, hint, answer):
    """An answer that makes the mistake in the first case where it matters, and is right in the others."""
    made = [not check._right(*pair) for pair in zip(check._values(answer), check._values(check.right))]
    calls = count()
    verdict = check(lambda *arguments: (answer if next(calls) == made.index(True) else check.right)(*arguments))
    assert not verdict and (verdict.message == hint) <= (sum(made) == 1), verdict


@pytest.mark.parametrize(("right", "answer", "message"), [
    (lambda f, x: 1000.0, lambda f, x: 1000.3, "For the arguments (sin, 1) the answer should be 1000, and is 1000.3."),
    (lambda f, x: torch.zeros(3, 4), lambda f, x: torch.eye(3, 4),
     "For the arguments (sin, 1) the answer should be 0 at the index [0, 0], and is 1."),
    (lambda f, x: (x, torch.arange(8.0)), lambda f, x: (x, torch.arange(8.0).clamp(max=5)),
     "For the arguments (sin, 1) value 2 of the answer should be 6 at the index [6], and is 5."),
], ids=["more digits", "index", "tuple"])
def test_what_should_be_differs_from_what_is(right, answer, message):
    verdict = Check("f (notebook 00).", right, [(torch.sin, 1.0)], {}, "f.")(answer)
    assert verdict.message == message


LIKE_MISTAKES = {"zero": lambda x: 0.0, "one less": But(lambda x: x - 1), "upside down": lambda x: 1 / (x - 1)}


@pytest.mark.parametrize(("answer", "message"), [
    (lambda x: 0.0, "zero"),
    (lambda x: x - 1, "one less"),                                 # as 0, in the first case
    (lambda x: 0.0 if x == 1 else 7.0, "zero"),                    # as two in the first case, as none in the second
    (lambda x: 1 / (x - 1), "upside down"),                        # an error in the first case
    (lambda x: x if x != 1 else float("nan"), "The answer holds a number that is not finite."),  # of unknown cause
    (lambda x: 2 * x, "For the arguments 1 the answer should be 1, and is 2."),
], ids=["one mistake", "two that agree at first", "most cases", "an error", "NaN", "none"])
def test_the_mistake_that_agrees_in_most_cases_is_named(answer, message):
    check = Check("f(x) → x (notebook 00).", lambda x: x, [(1.0,), (2.0,)], LIKE_MISTAKES, "x.")
    verdict = check(answer)
    assert not verdict and verdict.message == message
