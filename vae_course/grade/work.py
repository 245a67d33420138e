"""What the grader lets processes do: read the answers, call an answer, judge what it returned, run a notebook."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict

import torch
from IPython.core.interactiveshell import InteractiveShell

from vae_course import checks
from vae_course.checks.check import Check
from vae_course.checks.proofs import MissingLine, ProveIt, WrongLine
from vae_course.grade import integrity
from vae_course.grade.course import Cell, Chapter
from vae_course.grade.processes import Channel
from vae_course.grade.reading import read_answers
from vae_course.grade.transport import Recorder, Replay


class Shell(InteractiveShell):
    """Runs cells as a kernel does, for which exit() is the end."""

    def ask_exit(self) -> None:
        """What exit() and quit() call."""
        self.exit_now = True


def read(channel: Channel, cells: Sequence[Cell], chapters: Sequence[Chapter]) -> dict:
    """{exercise: its Answer as a dictionary}; a process of its own, since a text may be made to break a parser."""
    return {number: asdict(answer) for number, answer in read_answers(cells, chapters).items()}


def call(channel: Channel, check_name: str, imports: str, statements: Sequence[str], answer: str, threads: int) -> dict:
    """Run the statements and give the answer to its check.

    Returns:
        "error", if there is no answer in the end; else what its calls gave ("calls"), what the check says of it here
        ("passed", "message"), and what of the package has changed ("changes").
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    check, before = getattr(checks, check_name), integrity.fingerprint()
    namespace: dict = {"__name__": "__main__", "display": lambda *shown: None}
    exec(imports, namespace)
    failed = ""
    for source in statements:
        try:
            exec(compile(source, "<notebook>", "exec"), namespace)
        except Exception as error:
            failed = failed or f" ({type(error).__name__}: {error})"
    try:
        recorder = Recorder(eval(answer, namespace))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}{failed}"[:300]}
    verdict = check(recorder)
    return {"calls": recorder.calls, "passed": verdict.passed is True, "message": str(verdict.message),
            "changes": integrity.changed(before)[:3]}


def judge(channel: Channel, check_name: str, calls: list[list]) -> dict:
    """Give the check what an answer returned, in a process where no answer runs; {} if that does not show what it did."""
    check = getattr(checks, check_name)
    if not isinstance(check, Check | MissingLine | WrongLine | ProveIt):
        return {}
    if isinstance(check, ProveIt) and any(kind == "return" and code[0] == "unknown" for kind, code, *_ in calls):
        return {}
    verdict = check(Replay(calls, formulas_as_numbers=isinstance(check, Check)))
    return {"passed": verdict.passed, "message": verdict.message}


def run(channel: Channel, cells: Sequence[Cell], left_out: Sequence[int], threads: int) -> dict:
    """Run all code cells from top to bottom but those left out, as a reader does who goes on after an error.

    Says {"cell": number} before each, and {"cell": number, "error": name} where one raises what its tags do not announce.
    """
    torch.set_num_threads(threads)
    os.environ["IPYTHONDIR"] = os.path.join(os.getcwd(), "ipython")
    shell = Shell.instance()
    if shell.history_manager is not None:
        shell.history_manager.enabled = False
    for k, cell in enumerate(cells):
        if cell.kind != "code" or k in left_out:
            continue
        channel.say(cell=k)
        done = shell.run_cell(cell.source)
        error = done.error_before_exec or done.error_in_exec
        if error is not None and "raises-exception" not in cell.tags:
            channel.say(cell=k, error=type(error).__name__)
        if shell.exit_now:
            raise SystemExit("exit()")
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    return {}
