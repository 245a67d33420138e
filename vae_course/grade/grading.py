"""The marks of one submission: its answers one by one, then the whole notebook from top to bottom."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vae_course.grade import work
from vae_course.grade.course import Cell, Chapter, Exercise, NotANotebook, read_cells
from vae_course.grade.processes import Ending, apart

READING = 300           # seconds for what takes less than one
RIGHT, WRONG, BLANK = "1", "0", "–"
# Other marks: "deleted" (no cell defines or checks the answer), "no check" (the call of the check is gone), "error" (the
# cell is no Python, or there is no answer after it), "hung", "crashed" (the answer), "tampered" (it changed the package),
# "not reached" (right, but the notebook from top to bottom hangs or ends before it).


@dataclass(frozen=True)
class Limits:
    """How long and how broad the work may be: seconds of a whole notebook, seconds of an answer, threads of a process."""

    notebook: float = 600.0
    answer: float = 120.0
    threads: int = 1
    answers_only: bool = False


@dataclass
class Marks:
    """What is found of one submission.

    Attributes:
        path, student: the file, and whose it is.
        marks: number of the exercise → mark.
        printed: the numbers of the answers that are the printed solution, up to names.
        problems: what went wrong, in words.
        read: whether the file is a notebook of the course.
        seconds: that the grading took.
    """

    path: Path
    student: str
    marks: dict[str, str] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    read: bool = True
    seconds: float = 0.0

    @property
    def right(self) -> int:
        """How many exercises are right."""
        return list(self.marks.values()).count(RIGHT)


def grade(path: Path, student: str, course: Sequence[Chapter], limits: Limits) -> Marks:
    """Grade one notebook; whatever it does, this returns."""
    marks, start = Marks(path, student), time.monotonic()
    try:
        cells = read_cells(path)
    except NotANotebook as error:
        marks.read = False
        marks.problems.append(str(error))
    else:
        _grade_cells(marks, cells, course, limits)
    marks.seconds = time.monotonic() - start
    return marks


def _grade_cells(marks: Marks, cells: list[Cell], course: Sequence[Chapter], limits: Limits) -> None:
    found = apart(work.read, (cells, course), READING)
    if found.how != "done" or not found.result:
        marks.read = False
        marks.problems.append("no exercise of the course is in it" if found.how == "done" else
                              f"reading its cells {found.how} {found.words}".strip())
        return
    asked = {exercise.number: (chapter, exercise) for chapter in course for exercise in chapter.exercises}
    left_out = []
    for number, answer in found.result.items():
        mark = _mark_of_answer(marks, *asked[number], answer, limits)
        marks.marks[number] = mark
        if mark in (RIGHT, WRONG, BLANK) and answer["printed"]:
            marks.printed.append(number)
        if mark == RIGHT and answer["peeks"]:
            marks.problems.append(f"{number}: the answer uses the checks, which hold the right functions: look at it")
        if mark in ("hung", "crashed"):
            left_out.append(answer["cell"])
    if not limits.answers_only:
        run = apart(work.run, (cells, left_out, limits.threads), limits.notebook)
        _mark_run(marks, run, {number: answer["cell"] for number, answer in found.result.items()}, limits)


# ---------------------------------------------------------------- one answer

def _mark_of_answer(marks: Marks, chapter: Chapter, exercise: Exercise, answer: dict[str, Any], limits: Limits) -> str:
    if answer["state"] != "given":
        if answer["state"] == "error":
            marks.problems.append(f"{exercise.number}: cell {answer['cell'] + 1} is no Python")
        return BLANK if answer["state"] == "stub" else answer["state"]
    called = apart(work.call, (exercise.check, chapter.imports, answer["statements"], answer["answer"], limits.threads),
                   limits.answer)
    if called.how != "done" or "error" in called.result:
        words = f"stopped after {limits.answer:g} s" if called.how == "hung" else called.words or called.result["error"]
        marks.problems.append(f"{exercise.number}: {words}")
        return "error" if called.how == "done" else called.how
    judged = apart(work.judge, (exercise.check, called.result["calls"]), limits.answer)
    if judged.how != "done":    # what it returned is too large or too slow to be judged
        marks.problems.append(f"{exercise.number}: what it returns cannot be judged, {judged.words or judged.how}")
        return judged.how
    verdict = judged.result or called.result
    if verdict is called.result and verdict["changes"]:
        marks.problems.append(f"{exercise.number}: it changed {', '.join(map(str, verdict['changes']))}")
        return "tampered"
    if verdict["passed"] is True:
        return RIGHT
    return BLANK if str(verdict["message"]).startswith("Not done yet") else WRONG


# ---------------------------------------------------------------- the whole notebook

def _mark_run(marks: Marks, run: Ending, cell_of: dict[str, int], limits: Limits) -> None:
    """Note which cells raise, and take the marks of what comes after the cell that the notebook does not get past."""
    errors = {said["cell"]: str(said["error"]) for said in run.said if isinstance(said.get("cell"), int) and "error" in said}
    if errors:
        shown = [f"cell {cell + 1} {error}" for cell, error in sorted(errors.items())]
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        marks.problems.append(f"raised: {', '.join(shown[:5])}{more}")
    if run.how == "done":
        return
    last = max((said["cell"] for said in run.said if isinstance(said.get("cell"), int)), default=-1)
    why = f"after {limits.notebook:g} s" if run.how == "hung" else run.words
    marks.problems.append(f"the notebook {run.how} in cell {last + 1} ({why})")
    for number, cell in cell_of.items():
        if marks.marks[number] == RIGHT and cell >= last:
            marks.marks[number] = run.how if cell == last else "not reached"
