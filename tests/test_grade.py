"""The grader on submissions to a made-up chapter: what each answer earns, and what it does to the others."""

import csv
import json
import os
import re
import sys
import time
from copy import deepcopy
from pathlib import Path

import pytest

from vae_course import checks
from vae_course.checks.check import Check
from vae_course.checks.proofs import MissingLine, ProveIt, WrongLine
from vae_course.grade import __main__ as command_line
from vae_course.grade import course, processes, reading, table, transport
from vae_course.grade.grading import Limits, Marks, grade

sys.path.insert(0, str(Path(__file__).parent))
from exercise_answers import RIGHT, WRONG  # noqa: E402  (tests/exercise_answers.py)

SET_UP = "import torch\n\nfrom torch import nn\n\nfrom vae_course import checks\n"
STUBS = {
    "class_posterior": "def class_posterior(x, prior, lam):\n    raise NotImplementedError",
    "log_odds": "def log_odds(d):\n    raise NotImplementedError",
    "training_step": "def training_step(model, optimizer, loss_fn, x, max_norm):\n    raise NotImplementedError",
}
PRINTED = {
    "class_posterior": """def class_posterior(x, prior, lam):
    joint = prior * torch.where(x == 1, lam, 1 - lam).prod(1)
    return joint / joint.sum()""",
    "log_odds": """def log_odds(d):
    d.step("log(rho_1*lambda_1*lambda_2/(rho_2*kappa_1*kappa_2))", because="p(x) cancels")
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="a product")""",
    "training_step": """def training_step(model, optimizer, loss_fn, x, max_norm):
    loss = loss_fn(model, x)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return loss.item(), norm.item()""",
}
OWN = {     # right, and not the printed solution
    "class_posterior": """def class_posterior(x, prior, lam):
    joint = torch.exp(torch.log(prior) + (x * lam.log() + (1 - x) * (1 - lam).log()).sum(1))
    return joint / joint.sum()""",
    "log_odds": """def log_odds(d):
    both = "(log(rho_1) + log(lambda_1) + log(lambda_2)) - (log(rho_2) + log(kappa_1) + log(kappa_2))"
    d.step(both, because="products")
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="in pairs")""",
    "training_step": PRINTED["training_step"].replace("loss = loss_fn(model, x)\n    optimizer.zero_grad()",
                                                      "optimizer.zero_grad()\n    loss = loss_fn(model, x)"),
}
NUMBERS = dict(zip(STUBS, ("A9.1", "A9.2", "A9.3")))
QUICK = Limits(notebook=240, answer=240)        # for what ends by itself, however slow the machine is


def called(name: str, answer: str) -> str:
    return f"{answer}\n\n\nchecks.check_{name}({name})"


def code(source: str, ident: str = "", tags: tuple = ()) -> dict:
    return {"cell_type": "code", "id": ident, "metadata": {"tags": list(tags)}, "source": source, "outputs": [],
            "execution_count": None}


def text(source: str) -> dict:
    return {"cell_type": "markdown", "id": "", "metadata": {}, "source": source}


def chapter_cells(answers: dict[str, str]) -> list[dict]:
    """The cells of the made-up chapter with these answers, and stubs elsewhere."""
    cells = [text("# A9 · Made up"), code(SET_UP, "set-up", ("set-up",))]
    for name, stub in STUBS.items():
        cells += [text(f"### Exercise {NUMBERS[name]} · compute: {name}"),
                  code(called(name, answers.get(name, stub)), name, ("exercise",)),
                  text(f"<details><summary>Solution</summary>\n\n```python\n{PRINTED[name]}\n```\n</details>")]
    return cells


def write(path: Path, cells: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def own_course(tmp_path_factory) -> Path:
    """A folder with the made-up chapter as the course has it."""
    folder = tmp_path_factory.mktemp("course")
    write(folder / "A9_made_up.ipynb", chapter_cells({}))
    return folder


@pytest.fixture(scope="module")
def chapters(own_course) -> list[course.Chapter]:
    processes.start_server()
    return course.read_course(own_course)


@pytest.fixture
def graded(tmp_path, chapters):
    """A function that grades a notebook of these cells; the file must stay as it was."""
    def grading(cells: list[dict], limits: Limits = QUICK) -> Marks:
        path = write(tmp_path / "ana.ipynb", cells)
        before = path.read_bytes(), sorted(os.listdir(tmp_path))
        marks = grade(path, "ana", chapters, limits)
        assert before == (path.read_bytes(), sorted(os.listdir(tmp_path)))
        return marks
    return grading


def in_order(marks: Marks) -> list[str]:
    return [marks.marks.get(number, "") for number in NUMBERS.values()]


# ---------------------------------------------------------------- answers

def test_right_answers_in_own_words(graded):
    marks = graded(chapter_cells(OWN))
    assert in_order(marks) == ["1", "1", "1"] and not marks.problems and not marks.printed and marks.right == 3


def test_the_course_as_it_is_earns_nothing(graded):
    marks = graded(chapter_cells({}))
    assert in_order(marks) == ["–", "–", "–"] and not marks.problems and not marks.printed
    assert not any(number in str(marks.problems) for number in NUMBERS.values())
