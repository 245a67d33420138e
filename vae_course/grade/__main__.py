"""Grade submitted notebooks: a row for each student, a column for each exercise.

    python -m vae_course.grade submissions --csv marks.csv
    python -m vae_course.grade ana.ipynb ben.ipynb --csv marks.csv --answers-only

A submission is a program: grade in a container or on a throw-away account, without a network. In a folder of submissions
a student is a sub-folder's name, or what the file's name has beside the chapter's: 13_hundred_labels_ana.ipynb is ana's.

Marks: 1 right, 0 wrong, – left blank, and in words: deleted (the cell is gone), no check (the call of the check is gone),
error (no Python, or no answer after its cell), hung, crashed, tampered (the answer changed the package), not reached
(right, but the notebook, run from top to bottom, hangs or ends before it). "As printed" lists the answers that are the
course's own solution, up to names. Problems count a notebook's cells from 1,
text too. The exit status is 0, or 1 if a file could not be read as a notebook of the course.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from unicodedata import normalize

from vae_course.grade import course, processes, table
from vae_course.grade.grading import Limits, Marks, grade


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, grade, write the table; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        check_options(options)
        chapters = course.read_course(options.notebooks)
        submissions = find(options.submissions, [chapter.stem for chapter in chapters])
    except ValueError as error:
        sys.exit(str(error))
    limits = Limits(options.seconds, options.answer_seconds, max(1, (os.cpu_count() or 1) // options.jobs),
                    options.answers_only)
    found, whole = grade_all(submissions, chapters, limits, options.jobs)
    rows = table.rows_of(found, [exercise.number for chapter in chapters for exercise in chapter.exercises])
    table.write_csv(rows, options.csv)
    print(table.shown(rows))
    if not whole:
        print(f"Stopped: {len(found)} of {len(submissions)} submissions are in {options.csv}", file=sys.stderr)
        return 130
    return 0 if all(marks.read for marks in found) else 1


def grade_all(submissions: Sequence[tuple[str, Path]], chapters: Sequence[course.Chapter], limits: Limits,
              jobs: int) -> tuple[list[Marks], bool]:
    """Grade (student, file) of each, some at a time, with a line for each; the second is False if the user stopped it."""
    processes.start_server()
    processes.stopping.clear()
    found: list[Marks] = []
    with ThreadPoolExecutor(jobs) as pool:
        work = [pool.submit(grade, path, student, chapters, limits) for student, path in submissions]
        try:
            for done in as_completed(work):
                marks = done.result()
                found.append(marks)
                line = (f"[{len(found)}/{len(work)}] {marks.student}, {marks.path.name}: "
                        f"{marks.right} of {len(marks.marks)} right, {marks.seconds:.0f} s")
                print(table.clean(line), file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            for again in (signal.SIGINT, signal.SIGTERM):   # the processes end within a second, and the table is written
                signal.signal(again, signal.SIG_IGN)
            processes.stopping.set()
            pool.shutdown(cancel_futures=True)
            return found, False
    return found, True


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m vae_course.grade", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("submissions", type=Path, nargs="+", metavar="FOLDER_OR_NOTEBOOK")
    p.add_argument("--csv", type=Path, required=True, metavar="FILE", help="the table, for a spreadsheet")
    p.add_argument("--seconds", type=float, default=600.0, help="of a whole notebook, then it hangs (%(default)g)")
    p.add_argument("--answer-seconds", type=float, default=120.0, help="of one answer in its check (%(default)g)")
    p.add_argument("--answers-only", action="store_true", help="do not run the whole notebooks: far quicker, and an answer "
                                                               "counts wherever the notebook hangs")
    p.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2), help="notebooks at a time (%(default)s)")
    p.add_argument("--notebooks", type=Path, default=course.NOTEBOOKS, metavar="FOLDER", help="the course's own notebooks")
    return p


def check_options(options: argparse.Namespace) -> None:
    """ValueError, with the way out, before anything is run."""
    for name in ("seconds", "answer_seconds"):
        seconds, option = getattr(options, name), name.replace("_", "-")
        if not 0 < seconds < float("inf"):
            raise ValueError(f"--{option} must be a positive number of seconds, got {seconds:g}")
    if options.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {options.jobs}")
    if options.csv.suffix.lower() != ".csv" or options.csv.is_dir():
        raise ValueError(f"--csv must name a file that ends in .csv, got {options.csv}")
    if not os.access(options.csv.parent, os.W_OK):
        raise ValueError(f"--csv {options.csv} cannot be written, since {options.csv.parent} is no folder in which you may "
                         "write: make it first, or name another")


# ---------------------------------------------------------------- which files, and whose

def find(given: Sequence[Path], stems: Sequence[str]) -> list[tuple[str, Path]]:
    """(student, file) of all notebooks that are named or lie in the folders that are; ValueError where there is none."""
    found: dict[Path, str] = {}
    for path in given:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*.ipynb")) if file.is_file()
                      and not any(part.startswith(".") for part in file.relative_to(path).parts)]
            if not inside:
                raise ValueError(f"there is no notebook (.ipynb) in the folder {path}")
            for file in inside:
                found.setdefault(file.resolve(), student_of(file, path, stems))
        elif path.is_file():
            found.setdefault(path.resolve(), student_of(path, path.parent, stems))
        else:
            raise ValueError(f"there is no file or folder {str(path)!r} in {Path.cwd()}")
    return [(student, path) for path, student in found.items()]


def student_of(file: Path, folder: Path, stems: Sequence[str]) -> str:
    """The name of the sub-folder; else that of the file without the chapter's; else that of the folder."""
    inside = file.relative_to(folder).parts
    if len(inside) > 1:
        return normalize("NFC", inside[0])
    name = normalize("NFC", file.stem)      # one name, whatever system wrote it
    for stem in stems:
        if stem in name:
            return name.replace(stem, "").strip(" _-.") or folder.resolve().name
    return name


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)   # told to end: as Ctrl-C, so that no process is left
    sys.exit(main())
