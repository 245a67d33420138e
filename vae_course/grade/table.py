"""The marks of all submissions as one table: a file for a spreadsheet, and lines for a terminal."""

import csv
import io
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from vae_course.grade.grading import Marks

FORMULA = ("=", "+", "-", "@", "\t", "\r")      # a spreadsheet would compute a cell that begins so


def rows_of(found: Sequence[Marks], numbers: Sequence[str]) -> list[list[str]]:
    """The header, then a row for each student; a second notebook of a chapter by the same student begins another row.

    Args:
        found: the submissions.
        numbers: the exercises of the course in their order; those that occur become columns.
    """
    used = [number for number in numbers if any(number in one.marks for one in found)]
    rows = [["student", "files", *used, "right", "asked", "as printed", "problems"]]
    groups = _rows(found)
    for row in groups:
        marks = {number: mark for one in row for number, mark in one.marks.items()}
        again = len([other for other in groups if other[0].student == row[0].student]) > 1
        problems = [f"{one.path.name}: {problem}" if len(row) > 1 else problem for one in row for problem in one.problems]
        rows.append([row[0].student, " | ".join(one.path.name for one in row), *(marks.get(number, "") for number in used),
                     str(sum(one.right for one in row)), str(len(marks)), " ".join(n for one in row for n in one.printed),
                     "; ".join([*problems, *["a chapter was handed in twice: see this student's other row"] * again])])
    return [[clean(cell) for cell in row] for row in rows]


def _rows(found: Sequence[Marks]) -> list[list[Marks]]:
    """The submissions of each row, by the students' names: no two of a row have an exercise in common."""
    rows: list[list[Marks]] = []
    for one in sorted(found, key=lambda marks: (marks.student.casefold(), marks.student, marks.path.as_posix())):
        for row in rows:
            if row[0].student == one.student and not any(other.marks.keys() & one.marks.keys() for other in row):
                row.append(one)
                break
        else:
            rows.append([one])
    return rows


def clean(cell: str) -> str:
    """Without what a terminal would obey."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in cell)


def write_csv(rows: Sequence[Sequence[str]], path: Path) -> None:
    """Write the table as a spreadsheet reads it: UTF-8 with its mark, and no cell that would be computed."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row] for row in rows)
    whole = path.with_name(f"{path.name}.part")
    whole.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    os.replace(whole, path)


def shown(rows: Sequence[Sequence[str]]) -> str:
    """The table for a terminal; problems stand below it."""
    left = [k for k, name in enumerate(rows[0]) if name not in ("files", "problems")]
    widths = {k: max(_width(row[k]) for row in rows) for k in left}
    lines = ["  ".join(row[k] + " " * (widths[k] - _width(row[k])) for k in left).rstrip() for row in rows]
    problems = [f"{row[0]} ({row[1]}): {row[-1]}" for row in rows[1:] if row[-1]]
    return "\n".join([*lines, *([""] if problems else []), *problems])


def _width(text: str) -> int:
    """Columns of a terminal."""
    return sum(0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)
