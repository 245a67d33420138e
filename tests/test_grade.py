"""The grader on submissions to a made-up chapter: what each answer earns, and what it does to the others."""

import csv
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from vae_course import checks
from vae_course.checks.check import Check
from vae_course.checks.proofs import MissingLine, ProveIt, WrongLine
from vae_course.grade import __main__ as command_line
from vae_course.grade import course, processes, reading, table, transport
from vae_course.grade.grading import Limits, Marks, grade

sys.path.insert(0, str(Path(__file__).parent))
from exercise_answers import RIGHT  # noqa: E402  (tests/exercise_answers.py)

SET_UP = "import torch\n\nfrom vae_course import checks\n"
STUBS = {
    "class_posterior": "def class_posterior(x, prior, lam):\n    raise NotImplementedError",
    "log_odds": "def log_odds(d):\n    raise NotImplementedError",
    "forward": "def forward(encode, decode, x):\n    raise NotImplementedError",
}
PRINTED = {
    "class_posterior": """def class_posterior(x, prior, lam):
    joint = prior * torch.where(x == 1, lam, 1 - lam).prod(1)
    return joint / joint.sum()""",
    "log_odds": """def log_odds(d):
    d.step("log(rho_1*lambda_1*lambda_2/(rho_2*kappa_1*kappa_2))", because="p(x) cancels")
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="a product")""",
    "forward": """def forward(encode, decode, x):
    mu, logvar = encode(x)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    return decode(z), mu, logvar""",
}
OWN = {     # right, and not the printed solution
    "class_posterior": """def class_posterior(x, prior, lam):
    joint = torch.exp(torch.log(prior) + (x * lam.log() + (1 - x) * (1 - lam).log()).sum(1))
    return joint / joint.sum()""",
    "log_odds": """def log_odds(d):
    both = "(log(rho_1) + log(lambda_1) + log(lambda_2)) - (log(rho_2) + log(kappa_1) + log(kappa_2))"
    d.step(both, because="products")
    return d.step("log(rho_1/rho_2) + log(lambda_1/kappa_1) + log(lambda_2/kappa_2)", because="in pairs")""",
    "forward": """def forward(encode, decode, x):
    mean, log_variance = encode(x)
    noise = torch.randn(mean.shape)
    return decode(mean + noise * log_variance.exp().sqrt()), mean, log_variance""",
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


# ---------------------------------------------------------------- what submissions earn

WRONG_ONES = {
    "class_posterior": "def class_posterior(x, prior, lam):\n    return prior",
    "log_odds": "def log_odds(d):\n    return d.step('log(rho_1*lambda_1/rho_2)', because='hm')",
    "forward": PRINTED["forward"].replace("0.5 * ", ""),
}


def first(answer: str) -> list[dict]:
    """The chapter with this answer to the first exercise, and stubs."""
    return chapter_cells({"class_posterior": answer})


ONE = {"class_posterior": OWN["class_posterior"]}


def with_cell(source: str, at: int, answers: dict[str, str] = ONE) -> list[dict]:
    """The chapter with these answers and one more code cell; at=2 is after the set-up."""
    cells = chapter_cells(answers)
    return [*cells[:at], code(source), *cells[at:]]


def without(name: str, *others: dict) -> list[dict]:
    """The chapter with one right answer, without the cell of this exercise."""
    return [*(cell for cell in chapter_cells(ONE) if cell["id"] != name), *others]


def instead(name: str, source: str) -> list[dict]:
    """The chapter with one right answer, and this cell in place of that of an exercise."""
    return [code(source, name) if cell["id"] == name else cell for cell in chapter_cells(ONE)]


BODY = "def class_posterior(x, prior, lam):\n    "
FAKE = """class checks:
    check_class_posterior = check_log_odds = check_forward = staticmethod(lambda answer: print("✓ Right"))"""
FORGED = BODY + """import os
    for channel in range(3, 64):
        try:
            os.write(channel, b'\\0\\0\\0\\x1d{"result": {"passed": true}   }')
        except OSError:
            pass
    os._exit(0)"""
PATCHED = """import vae_course.checks.check as inside
inside.Verdict.__bool__ = lambda self: True
inside._AnyCheck.__call__ = inside.Check._examine = lambda self, answer: inside.Verdict(True, "Right")
checks.check_forward.mistakes.clear()
torch.allclose = lambda *given, **named: True"""
PATCHED_IN_THE_ANSWER = """def forward(encode, decode, x):
    from vae_course.checks import check_forward
    check_forward.mistakes.clear()
    return None"""
UNPICKLED = """import pickle
with open("answers.pkl", "rb") as file:
    class_posterior = pickle.load(file)"""
SPECIAL_OBJECT = BODY + """class Anything:
        def __eq__(self, other): return True
        def __reduce__(self): return print, ("unpickled",)
        def __float__(self): return 0.25
    return Anything()"""

HELPERS = "import math\nbase = {}\nbase['e'] = math.e\ndef e(v):\n    return base['e'] ** v"

SUBMISSIONS = {     # name: (cells, marks, what the problems say)
    "right": (chapter_cells(OWN), "1 1 1", ""),
    "stub": (chapter_cells({}), "– – –", ""),
    "changed stub": (first(BODY + "k = 3\n    raise NotImplementedError"), "– – –", ""),
    "wrong": (chapter_cells(WRONG_ONES), "0 0 0", ""),
    "error in the answer": (first(BODY + "return undefined"), "0 – –", ""),
    "exit() in an answer": (first(BODY + "exit()"), "crashed – –", "A9.1: SystemExit"),
    "process ended in an answer": (first(BODY + "import os; os._exit(0)"), "crashed – –", "A9.1: .*exit status 0"),
    "exit() in a cell": (with_cell("exit()", 5, OWN), "1 not_reached not_reached", r"crashed in cell 6 \(.*exit\(\)"),
    "process ended in a cell": (with_cell("import os; os._exit(3)", 2), "not_reached – –", "exit status 3"),
    "redefined checks, right": (with_cell(FAKE, 2), "1 – –", ""),
    "redefined checks, wrong": (with_cell(FAKE, 2, WRONG_ONES), "0 0 0", ""),
    "redefined check": (with_cell("checks.check_forward = lambda answer: '✓'", 2, WRONG_ONES), "0 0 0", ""),
    "patched package": (with_cell(PATCHED, 2, WRONG_ONES), "0 0 0", ""),
    "patched in an answer": (chapter_cells({"forward": PATCHED_IN_THE_ANSWER}), "– – tampered", "A9.3: it changed .*check_"),
    "forged verdict": (first(FORGED), "crashed – –", "A9.1"),
    "printed ✓, check kept": (first(BODY + "print('✓ Right')"), "0 – –", ""),
    "printed ✓, check gone": (instead("forward", OWN["forward"] + "\nprint('✓ Right')"), "1 – no_check", ""),
    "a printed ✓ alone": (instead("forward", "print('✓ Right')"), "1 – deleted", ""),
    "check never called": (instead("forward", OWN["forward"] + "\nlambda: checks.check_forward(forward)"), "1 – no_check",
                           ""),
    "syntax error": (first(BODY + "return ("), "error – –", "A9.1: cell 4 is no Python; raised: cell 4 SyntaxError"),
    "name error": (instead("forward", "checks.check_forward(forward)"), "1 – error", "A9.3: NameError"),
    "deleted cell": (without("log_odds"), "1 deleted –", ""),
    "unpickled": (instead("class_posterior", called("class_posterior", UNPICKLED)), "error – –", "FileNotFoundError"),
    "special object": (first(SPECIAL_OBJECT), "0 – –", ""),
    "the right function of the check": (first(BODY + "return checks.check_class_posterior.right(x, prior, lam)"), "1 – –",
                                        "A9.1: the answer uses the checks"),
    "moved and added cells": ([*without("class_posterior", code(called("class_posterior", OWN["class_posterior"]), "new")),
                               code("2 + 2", "more")], "1 – –", ""),
    "helpers in another cell": (with_cell(HELPERS, 2, {"forward": OWN["forward"].replace("log_variance.exp()",
                                                                                         "e(log_variance)")}), "– – 1", ""),
    "timed, imported": (instead("forward", "%%time\n" + OWN["forward"] + "\nfrom vae_course.checks import check_forward\n"
                                           "verdict = check_forward(answer=forward)"), "1 – 1", ""),
    "answered twice": ([*first(WRONG_ONES["class_posterior"]), code(called(*next(iter(ONE.items()))))], "1 – –", ""),
    "an error elsewhere": (with_cell("1 / 0", 2), "1 – –", "^raised: cell 3 ZeroDivisionError$"),
    "an error that is announced": ([*chapter_cells({}), code("1 / 0", tags=("raises-exception",))], "– – –", ""),
    "a cell that breaks parsers": (with_cell("(" * 50_000, 2), "1 – –", "cell 3"),
    "one exercise of the chapter": ([code(SET_UP), code(called("forward", OWN["forward"]))], "deleted deleted 1", ""),
}


@pytest.mark.parametrize("case", SUBMISSIONS)
def test_what_a_submission_earns(case, graded):
    cells, wanted, problems = SUBMISSIONS[case]
    marks = graded(cells)
    assert [mark.replace(" ", "_") for mark in in_order(marks)] == wanted.split(), marks
    assert bool(marks.problems) == bool(problems) and re.search(problems, "; ".join(marks.problems)), marks.problems
    assert marks.read and not marks.printed and marks.right == wanted.split().count("1")


def test_the_printed_solution_is_named_under_any_names(graded):
    renamed = PRINTED["forward"].replace("mu", "mean").replace("z", "code").replace("    return", "    # done\n    return")
    marks = graded(chapter_cells({"class_posterior": PRINTED["class_posterior"], "forward": renamed}))
    assert in_order(marks) == ["1", "–", "1"] and marks.printed == ["A9.1", "A9.3"]


def test_a_solution_that_is_run_below_the_stub_earns_what_it_is(graded):
    """A folded solution is text; who copies it into a cell has an answer, and the table says which."""
    assert in_order(graded([*chapter_cells({}), code(PRINTED["forward"])])) == ["–", "–", "–"]
    marks = graded([*chapter_cells({}), code(called("forward", PRINTED["forward"]))])
    assert in_order(marks) == ["–", "–", "1"] and marks.printed == ["A9.3"]


# ---------------------------------------------------------------- what does not end

@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(10**6)", "import signal\n    signal.pause()",
                                  "try:\n        while True: pass\n    except BaseException:\n        while True: pass"])
def test_an_answer_that_hangs_is_left_out_of_the_run(graded, loop):
    marks = graded(first(BODY + loop), Limits(notebook=240, answer=2))
    assert in_order(marks) == ["hung", "–", "–"] and marks.problems == ["A9.1: stopped after 2 s"]


def test_a_notebook_that_hangs_counts_as_far_as_it_comes(graded):
    cells = with_cell("while True: pass", 2)
    marks = graded(cells, Limits(notebook=2, answer=240))
    assert in_order(marks) == ["not reached", "–", "–"] and re.match(r"the notebook hung in cell \d ", marks.problems[0])
    assert in_order(graded(cells, Limits(answer=240, answers_only=True))) == ["1", "–", "–"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="reads /proc")
def test_what_an_answer_started_ends_with_it(graded, tmp_path_factory):
    noted = tmp_path_factory.mktemp("notes") / "pid"
    graded(first(BODY + f"import subprocess\n    with open({str(noted)!r}, 'w') as file:\n        "
                 "file.write(str(subprocess.Popen(['sleep', '10000']).pid))"), Limits(answer=240, answers_only=True))
    status = Path(f"/proc/{noted.read_text()}/status")
    until = time.monotonic() + 60
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < until, "the process lives on"
        time.sleep(0.05)


def test_hanging_does_not_stop_the_others(tmp_path, chapters, capfd):
    loop = write(tmp_path / "a.ipynb", first(BODY + "while True: pass"))
    stub = write(tmp_path / "b.ipynb", chapter_cells({}))
    found, whole = command_line.grade_all([("a", loop), ("b", stub), ("c", tmp_path / "gone.ipynb")], chapters,
                                          Limits(answer=2, answers_only=True), jobs=2)
    marks = {one.student: one for one in found}
    assert whole and in_order(marks["a"])[0] == "hung" and in_order(marks["b"]) == ["–"] * 3 and not marks["c"].read
    assert "[3/3]" in capfd.readouterr().err


# ---------------------------------------------------------------- what is no notebook

@pytest.mark.parametrize("content", [b"\x80\x04\x95pickle", b"", b"[]", b"{}", b'{"cells": 3}', b"[" * 100_000,
                                     '{"cells": []}'.encode("utf-16")])
def test_what_is_no_notebook(tmp_path, chapters, content):
    (tmp_path / "ana.ipynb").write_bytes(content)
    marks = grade(tmp_path / "ana.ipynb", "ana", chapters, QUICK)
    assert not marks.read and not marks.marks and "not a notebook" in marks.problems[0]


def test_a_notebook_of_something_else(graded):
    marks = graded([text("# My shopping"), code("print('milk')")])
    assert not marks.read and marks.problems == ["no exercise of the course is in it"]


@pytest.mark.parametrize("cell", [None, 3, {}, {"cell_type": "code"}, {"cell_type": "code", "source": 3, "metadata": []},
                                  {"cell_type": "code", "source": [1, None], "metadata": {"tags": 3}}])
def test_strange_cells_are_passed_over(tmp_path, cell):
    write(tmp_path / "ana.ipynb", [cell])
    assert all(isinstance(one.source, str) for one in course.read_cells(tmp_path / "ana.ipynb"))


# ---------------------------------------------------------------- the way between two processes

CARRIED = {name: check for name in dir(checks) if isinstance(check := getattr(checks, name, None),
                                                             Check | MissingLine | WrongLine | ProveIt)}


@pytest.mark.parametrize("name", CARRIED)
def test_what_is_carried_over_is_judged_as_the_answer_is(name):
    check = CARRIED[name]
    wrong = [answer for _, answer in check.wrong_answers()[:1]]
    answers = [check.right, *(answer for other, answer in RIGHT if other == name), *wrong]
    for answer in answers[:3]:
        recorder = transport.Recorder(answer)
        wanted = check(recorder)
        calls = json.loads(json.dumps(recorder.calls))
        if ["return", ["unknown"]] in calls:
            assert isinstance(check, ProveIt) or not wanted    # a derivation without a text is judged where it is
            continue
        got = check(transport.Replay(calls, isinstance(check, Check)))
        assert got.passed == wanted.passed and (got.message == wanted.message or not wanted)


def test_an_answer_that_is_called_too_seldom_does_not_pass():
    check = checks.check_class_posterior
    recorder = transport.Recorder(check.right)
    assert check(recorder) and check(transport.Replay(recorder.calls, True))
    assert not check(transport.Replay(recorder.calls[:1], True)) and not check(transport.Replay([], True))


# ---------------------------------------------------------------- reading

@pytest.mark.parametrize("statement, binds, uses", [
    ("def f(x):\n    y = g(x)\n    return y + z", {"f"}, {"g", "z"}),
    ("a, b = c", {"a", "b"}, {"c"}),
    ("t['k'] = v", {"t"}, {"t", "v"}),
    ("torch.exp = v", set(), {"torch", "v"}),
    ("for k in range(3): s += k", {"k", "s"}, {"range", "s"}),
    ("from math import *", {"*"}, set()),
    ("import a.b as c", {"c"}, set()),
    ("f = lambda x: [x + k for k in n]", {"f"}, {"n"}),
    ("class A(B):\n    def m(self): return h(self)", {"A"}, {"B", "h"}),
])
def test_names_of_a_statement(statement, binds, uses):
    import ast
    found = reading.names_of(ast.parse(statement).body[0])
    assert found[0] == binds and uses <= found[1] and not {"x", "y", "self"} & found[1]


def test_the_course_is_read_whole():
    found = [exercise for chapter in course.read_course() for exercise in chapter.exercises]
    assert {exercise.check for exercise in found} == {name for name in dir(checks) if name.startswith("check_")}
    assert len({exercise.number for exercise in found}) == len(found)
    assert all(exercise.solution and exercise.stub and exercise.cell for exercise in found)


# ---------------------------------------------------------------- the table

def marked(student: str, file: str, marks: dict[str, str], **more) -> Marks:
    return Marks(Path(file), student, marks, **more)


def test_a_row_for_each_student():
    rows = table.rows_of([
        marked("Ben", "02_b.ipynb", {"2.1": "0", "2.2": "–"}),
        marked("Ana", "03.ipynb", {"3.1": "1"}, problems=["raised: cell 3 ValueError"]),
        marked("Ana", "02.ipynb", {"2.1": "1", "2.2": "hung"}, printed=["2.1"], problems=["2.2: stopped after 9 s"]),
    ], ["1.1", "2.1", "2.2", "3.1", "10.1"])
    assert rows == [
        ["student", "files", "2.1", "2.2", "3.1", "right", "asked", "as printed", "problems"],
        ["Ana", "02.ipynb | 03.ipynb", "1", "hung", "1", "2", "3", "2.1",
         "02.ipynb: 2.2: stopped after 9 s; 03.ipynb: raised: cell 3 ValueError"],
        ["Ben", "02_b.ipynb", "0", "–", "", "0", "2", "", ""]]


def test_a_chapter_that_is_handed_in_twice_has_two_rows():
    rows = table.rows_of([marked("Ana", f"{k}.ipynb", {"2.1": str(k)}) for k in range(2)], ["2.1"])
    assert [row[:3] for row in rows[1:]] == [["Ana", "0.ipynb", "0"], ["Ana", "1.ipynb", "1"]]
    assert all("twice" in row[-1] for row in rows[1:])


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@cmd", "Zoë M", "李 明", "a,b", 'a"', "\udcff", "a\x1b[3m", "a\nb"])
def test_any_name_is_safe_in_a_spreadsheet_and_a_terminal(name, tmp_path):
    rows = table.rows_of([marked(name, "x.ipynb", {"2.1": "1"})], ["2.1"])
    table.write_csv(rows, tmp_path / "marks.csv")
    raw = (tmp_path / "marks.csv").read_bytes()
    assert raw.startswith("\ufeff".encode()) and os.listdir(tmp_path) == ["marks.csv"]
    _, row = csv.reader(raw.decode("utf-8-sig").splitlines())
    assert row[2] == "1" and not row[0].startswith(("=", "+", "-", "@")) and "\x1b" not in raw.decode()
    assert len(row) == len(rows[0]) and table.shown(rows).count("\n") == 1


# ---------------------------------------------------------------- the command line

def test_the_command_line(tmp_path, own_course, capfd):
    folder = tmp_path / "handed in"
    write(folder / "Zoë Müller" / "A9_made_up.ipynb", chapter_cells(OWN))
    write(folder / "A9_made_up_=ben.ipynb", chapter_cells(WRONG_ONES))
    write(folder / ".ipynb_checkpoints" / "old.ipynb", chapter_cells(OWN))
    (folder / "李.ipynb").write_bytes(b"\x80\x04pickle")
    arguments = [str(folder), "--csv", str(tmp_path / "marks.csv"), "--notebooks", str(own_course), "--jobs", "2",
                 "--seconds", "500", "--answer-seconds", "500"]
    assert command_line.main(arguments) == 1
    rows = list(csv.reader((tmp_path / "marks.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0] == ["student", "files", *NUMBERS.values(), "right", "asked", "as printed", "problems"]
    assert [row[0] for row in rows[1:]] == ["'=ben", "Zoë Müller", "李"]
    assert [row[2:7] for row in rows[1:]] == [[*"00003"], [*"11133"], ["", "", "", "0", "0"]]
    shown = capfd.readouterr()
    assert "Zoë Müller" in shown.out and "not a notebook" in shown.out and "[3/3]" in shown.err
    assert command_line.main([str(folder / "Zoë Müller"), *arguments[1:], "--answers-only"]) == 0


@pytest.mark.parametrize("changes, words", [
    ({"folder": "nowhere"}, "no file or folder 'nowhere'"),
    ({"folder": "."}, r"no notebook \(.ipynb\) in the folder"),
    ({"--csv": "marks.txt"}, "--csv must name a file that ends in .csv, got marks.txt"),
    ({"--csv": "nowhere/marks.csv"}, "make it first"),
    ({"--seconds": "0"}, "--seconds must be a positive number of seconds, got 0"),
    ({"--answer-seconds": "nan"}, "--answer-seconds must be"),
    ({"--jobs": "0"}, "--jobs must be at least 1, got 0"),
    ({"--notebooks": "."}, "with --notebooks"),
])
def test_what_the_command_line_refuses(tmp_path, monkeypatch, changes, words):
    monkeypatch.chdir(tmp_path)
    options = {"--csv": "marks.csv"} | {name: value for name, value in changes.items() if name != "folder"}
    with pytest.raises(SystemExit, match=words):
        command_line.main([changes.get("folder", "."), *(word for pair in options.items() for word in pair)])
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("file, student", [
    ("02_kl.ipynb", "class"), ("02_kl_ana.ipynb", "ana"), ("Ana B - 02_kl.ipynb", "Ana B"), ("ana.ipynb", "ana"),
    ("ben/02_kl.ipynb", "ben"), ("ben/deep/er.ipynb", "ben"), ("Jose\u0301.ipynb", "Jos\u00e9"), ("02_kl (1).ipynb", "(1)"),
])
def test_whose_a_file_is(tmp_path, file, student):
    assert command_line.student_of(tmp_path / "class" / file, tmp_path / "class", ["01_images", "02_kl"]) == student
