"""Every check of an exercise: the right answer passes, the stub does not, and each classic mistake is called by its name.

The answers stand in exercise_answers/chapter_NN.py: RIGHT holds (name of the check, answer), WRONG (name, answer, a part
of the hint that this mistake must get).
"""

import importlib
import inspect
import sys
from pathlib import Path

import pytest
import torch

from vae_course import checks

sys.path.insert(0, str(Path(__file__).parent))
ANSWERS = [importlib.import_module(f"exercise_answers.{path.stem}")
           for path in sorted((Path(__file__).parent / "exercise_answers").glob("chapter_*.py"))]
ALL_CHECKS = {name: check for name, check in vars(checks).items() if name.startswith("check_")}
RIGHT = [entry for answers in ANSWERS for entry in answers.RIGHT]
WRONG = [entry for answers in ANSWERS for entry in answers.WRONG]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[name for name, _ in RIGHT])
def test_right_answers_pass(name, answer):
    verdict = ALL_CHECKS[name](answer)
    assert verdict.passed, verdict
    assert repr(verdict).startswith("✓ Right")


@pytest.mark.parametrize(("name", "answer", "hint"), WRONG, ids=[f"{name}: {hint}" for name, _, hint in WRONG])
def test_classic_mistakes_are_named(name, answer, hint):
    verdict = ALL_CHECKS[name](answer)
    assert not verdict.passed
    assert hint in verdict.message, verdict
    assert repr(verdict).startswith("✗ ")


def test_every_check_is_tested():
    assert {name for name, _ in RIGHT} == {name for name, _, _ in WRONG} == set(ALL_CHECKS)
    for name, check in ALL_CHECKS.items():
        assert "notebook" in inspect.getdoc(check), f"{name} must say where it is used"
        assert len([None for wrong, _, _ in WRONG if wrong == name]) >= 3, f"{name} has too few wrong answers"


# ---------------------------------------------------------------- what is not an answer

def stub(*arguments):
    raise NotImplementedError


def broken(*arguments):
    return undefined_name  # noqa: F821


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_stubs_fail_with_what_to_do(name):
    verdict = ALL_CHECKS[name](stub)
    assert not verdict and "Not done yet" in verdict.message and "NotImplementedError" in verdict.message


@pytest.mark.parametrize("name", ALL_CHECKS)
def test_errors_of_the_answer_are_shown_and_not_raised(name):
    verdict = ALL_CHECKS[name](broken)
    assert repr(verdict).startswith("✗ Your function raised NameError: name 'undefined_name'")


@pytest.mark.parametrize("name", sorted(ALL_CHECKS))
def test_a_forgotten_return_is_not_called_an_error(name):
    verdict = ALL_CHECKS[name](lambda *arguments: None)
    assert not verdict and "raised" not in verdict.message


NAN = float("nan")
NO_ANSWERS = [NAN, 0.0, 1.0, 2.5, -1.0, True, (), (0.0, 0.0), (NAN, NAN), (0.0, 1.0, 2.0), torch.tensor(NAN),
              torch.full((3,), NAN), torch.zeros(3), torch.ones(3, 1), torch.zeros(2, 2), "text"]


@pytest.mark.parametrize("name", sorted(ALL_CHECKS))
def test_no_constant_no_nan_no_other_shape_passes(name):
    for value in NO_ANSWERS:
        assert not ALL_CHECKS[name](lambda *arguments, value=value: value), value


@pytest.mark.parametrize("name", ["check_generate", "check_forward"])
def test_random_checks_do_not_depend_on_the_seed(name, monkeypatch):
    answers = dict(reversed(RIGHT))
    seed_with = torch.manual_seed
    for seed in range(30):
        monkeypatch.setattr(torch, "manual_seed", lambda _, seed=seed: seed_with(seed))
        assert ALL_CHECKS[name](answers[name]).passed


def test_checks_leave_the_global_random_numbers_alone():
    before = torch.get_rng_state()
    for name, answer in RIGHT:
        ALL_CHECKS[name](answer)
    assert torch.equal(before, torch.get_rng_state())


def test_an_answer_may_work_in_place():
    from vae_course.checks import check_conditional_elbo

    def in_place(recon, mu, logvar, prior_mean):
        return recon.sub_(mu.sub_(prior_mean).square_().add_(logvar.exp()).sub_(1).sub_(logvar).sum(1), alpha=0.5)

    assert check_conditional_elbo(in_place), check_conditional_elbo(in_place)
