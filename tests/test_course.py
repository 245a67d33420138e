"""course.py for every system: where things lie, when .venv is made anew, and tasks in folders with odd names."""

import ast
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

import course

ODD = "my course 课 'a' #1 $HOME" + ("" if os.name == "nt" else ' "b"')  # letters that mean something to a shell or to make
RESTING = """import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(8))
print("serving", flush=True)
time.sleep(600)
"""
TELLING = "import os, sys\nprint(sys.argv[1:], os.getcwd(), sys.prefix)\n"


# ---------------------------------------------------------------- where things lie, on each system

@pytest.mark.parametrize("venv, system, python", [
    (PurePosixPath("/home/王/my course/.venv"), "posix", "/home/王/my course/.venv/bin/python"),
    (PurePosixPath("/Users/ann/it's #1/.venv"), "posix", "/Users/ann/it's #1/.venv/bin/python"),
    (PureWindowsPath(r"C:\Users\Ann B\课\.venv"), "nt", r"C:\Users\Ann B\课\.venv\Scripts\python.exe"),
])
def test_where_python_lies(venv, system, python):
    assert str(course.python_of(venv, system)) == python


def test_programs_of_the_environment_come_first():
    linux = course.variables_of(PurePosixPath("/c/.venv"), {"PATH": "/usr/bin", "PYTHONHOME": "/x", "A": "1"}, "posix")
    assert linux["PATH"] == "/c/.venv/bin:/usr/bin" and linux["JUPYTER_PATH"] == "/c/.venv/share/jupyter"
    assert linux["A"] == "1" and "PYTHONHOME" not in linux
    windows = course.variables_of(PureWindowsPath(r"C:\c\.venv"), {"PATH": r"C:\py", "JUPYTER_PATH": r"D:\k"}, "nt")
    assert windows["PATH"] == r"C:\c\.venv\Scripts;C:\py" and windows["JUPYTER_PATH"] == r"C:\c\.venv\share\jupyter;D:\k"
    assert linux["JUPYTER_PREFER_ENV_PATH"] == windows["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_an_old_python_can_read_the_file():
    ast.parse(Path(course.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version, system, words", [
    ((3, 8), "posix", ["needs Python 3.11 or newer, and this is 3.8", "python3.12 course.py lab"]),
    ((3, 10), "nt", ["this is 3.10", "py -3.12 course.py lab"]),
    ((3, 11), "posix", []), ((3, 13), "nt", []),
    ((3, 14), "posix", ["tested with Python 3.11 to 3.13, and this is 3.14", "may work", "python3.13 course.py setup"]),
    ((3, 14), "nt", ["py -3.13 course.py setup"]),
])
def test_the_word_about_a_python(monkeypatch, version, system, words):
    monkeypatch.delenv("MAKELEVEL", raising=False)
    said = course.word_about(version, "lab", system)
    assert bool(said) == bool(words) and all(word in said for word in words)
    monkeypatch.setenv("MAKELEVEL", "1")
    assert not words or "make PYTHON=python3.1" in course.word_about(version, "lab", system)


def test_pyproject_names_the_same_pythons():
    text = (course.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    minors = range(course.OLDEST[1], course.NEWEST[1] + 1)
    assert text.count("Programming Language :: Python :: 3.") == len(minors)
    assert all(f"Python :: 3.{minor}" in text for minor in minors) and f">={course.dotted(course.OLDEST)}" in text


# ---------------------------------------------------------------- an environment that is made, kept and made anew

@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of what course.py reads, in a folder with an odd name; the tasks of this process work there."""
    folder = tmp_path / ODD
    (folder / "notebooks").mkdir(parents=True)
    for name in ("course.py", "Makefile", "requirements.txt", "requirements-colab.txt", "pyproject.toml"):
        shutil.copy(course.ROOT / name, folder / name)
    monkeypatch.setattr(course, "ROOT", folder)
    for name in ("VENV", "COLAB_VENV", "PYTHON", "COLAB_PYTHON", "MAKELEVEL", "MAKEFLAGS", "LAB_OPTIONS", "WORKERS", "RUNS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def environment(folder):
    """A finished environment in that folder, of this Python, in which nothing is installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    environment = course.of_the_course()
    environment.finish(course.VERSION)
    return environment


def install(environment, name: str, source: str) -> None:
    """Put a module into an environment, in the place of a package of that name."""
    library = next(environment.venv.glob("lib/python*/site-packages"), environment.venv / "Lib" / "site-packages")
    (library / f"{name}.py").write_text(source, encoding="utf-8")


def test_a_finished_environment_is_kept(environment, monkeypatch):
    monkeypatch.setattr(course, "run", lambda *_: pytest.fail("nothing is to be run"))
    os.utime(course.ROOT / "requirements.txt")      # a checkout changes times, and means nothing by it
    assert course.ready("lab").venv == environment.venv
    monkeypatch.setattr(course, "VERSION", (3, 12) if course.VERSION != (3, 12) else (3, 11))
    assert course.ready("lab").venv == environment.venv


def change_list(environment):
    with open(course.ROOT / "requirements.txt", "a") as stream:
        stream.write("one-more\n")


def break_python(environment):
    environment.python.unlink()


def copy_folder(environment):
    copy = course.ROOT.with_name("a copy")
    shutil.copytree(course.ROOT, copy, symlinks=True)
    course.ROOT = copy      # the fixture's monkeypatch puts it back


@pytest.mark.parametrize("change, why", [
    (change_list, "lists of packages have changed"),
    (copy_folder, "folder was moved or copied"),
    (break_python, "Python is gone"),
    (lambda environment: environment.stamp.unlink(), "installation was not finished"),
    (lambda environment: environment.stamp.write_text(""), "installation was not finished"),
    (lambda environment: shutil.rmtree(environment.venv), "is not there yet"),
])
def test_an_environment_that_does_not_fit_is_made_anew(environment, monkeypatch, capsys, change, why):
    commands = []
    change(environment)
    monkeypatch.setattr(course, "run", lambda command, *_: commands.append([str(word) for word in command]) or 0)
    course.of_the_course().venv.mkdir(exist_ok=True)    # as the faked venv would
    made = course.ready("lab")
    said = capsys.readouterr().out
    if "not there" not in why:
        assert why in said
    assert said.count("PyTorch is large") == 1
    assert [command[1:4] for command in commands] == [["-m", "venv", "--clear"], ["-m", "pip", "install"]]
    assert commands[0][-1] == str(made.venv) and commands[1][0] == str(made.python)
    assert commands[1][-2:] == ["-r", "requirements.txt"] and made.found() == made.wanted(course.VERSION)


@pytest.mark.parametrize("named", [True, False])
def test_another_python_is_used_when_it_is_asked_for(environment, monkeypatch, named):
    other = (3, 12) if course.VERSION != (3, 12) else (3, 11)
    monkeypatch.setattr(course, "VERSION", other)
    monkeypatch.setattr(course, "run", lambda command, *_: 0)
    if named:
        monkeypatch.setenv("PYTHON", "python3")
    course.ready("lab" if named else "setup")
    assert environment.found()["python"] == course.dotted(other)


def test_a_broken_installation_leaves_no_stamp(environment, monkeypatch, capsys):
    change_list(environment)
    monkeypatch.setattr(course, "run", lambda command, *_: 3 if "pip" in command else 0)
    with pytest.raises(SystemExit) as end:
        course.ready("lab")
    assert end.value.code == 3 and "the next try begins anew" in capsys.readouterr().out
    assert course.of_the_course().unfit(course.VERSION, False) == "its installation was not finished"


def test_too_new_a_python_is_said_before_pip_starts(folder, monkeypatch, capsys):
    said = {}
    monkeypatch.setattr(course, "VERSION", (3, 14))
    monkeypatch.setattr(course, "run", lambda command, *_: said.update({command[2]: capsys.readouterr().out}) or 0)
    (folder / ".venv").mkdir()
    course.ready("lab")
    assert "this is 3.14" in said["venv"] and "pip" in said


def test_a_folder_of_something_else_is_left_alone(folder, monkeypatch):
    theirs = folder.with_name("theirs")
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("years of work")
    monkeypatch.setenv("VENV", str(theirs))
    for task in (lambda: course.ready("lab"), course.clean):
        with pytest.raises(SystemExit, match="did not put there"):
            task()
    assert (theirs / "thesis.tex").exists()


def test_clean_removes_what_was_made_and_nothing_else(environment):
    (course.ROOT / "build" / "browser").mkdir(parents=True)
    course.clean()
    left = {path.name for path in course.ROOT.iterdir()}
    assert left == {"course.py", "Makefile", "requirements.txt", "requirements-colab.txt", "pyproject.toml", "notebooks"}


def test_a_package_of_colab_that_would_be_replaced_is_named(folder, monkeypatch):
    frozen = iter([{"numpy==2.1.3", "torch==2.11.0"}, {"numpy==2.3.0", "torch==2.11.0", "anywidget==0.9"}])
    monkeypatch.setattr(course, "run", lambda *_: 0)
    monkeypatch.setattr(course, "colab_python", lambda: "python3.13")
    monkeypatch.setattr(course.Environment, "freeze", lambda self: next(frozen))
    with pytest.raises(SystemExit, match=r"^numpy==2.1.3\nThe course replaced these packages of Colab's.$"):
        course.ready_colab()
    assert not course.of_colab().stamp.exists()


# ---------------------------------------------------------------- tasks, as they are started

def start(task: str, how: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a task in the copied folder by make or by Python alone, and keep what it says."""
    if how == "make" and not shutil.which("make"):
        pytest.skip("needs make")
    command = ["make", f"PYTHON='{sys.executable}'", task] if how == "make" else [sys.executable, "course.py", task]
    return subprocess.run(command, cwd=course.ROOT, env={**os.environ, **variables}, text=True, capture_output=True)


@pytest.mark.parametrize("how", ["make", "course.py"])
def test_tasks_in_a_folder_with_an_odd_name(environment, how):
    for module in ("jupyterlab", "pytest", "ruff", "mypy"):
        install(environment, module, TELLING)
    root, venv = str(course.ROOT), str(environment.venv)
    lab = start("lab", how, LAB_OPTIONS="--no-browser --port=1")
    assert f"00_start_here.ipynb', '--no-browser', '--port=1'] {root}/notebooks {venv}" in lab.stdout, lab
    test = start("test", how, WORKERS="3")
    assert "the unit tests, the derivations and every notebook in 3 processes: about" in test.stdout, test
    assert "['-n', '3', '--dist', 'loadfile'," in test.stdout
    lint = start("lint", how)
    assert f"['check', '.'] {root} {venv}" in lint.stdout and lint.returncode == 0, lint
    assert f"[] {root} {venv}" in lint.stdout, lint
    assert start("help", how).stdout.count(f"{'make' if how == 'make' else 'python course.py'} ") == len(course.TASKS)


def test_make_knows_every_task():
    makefile = (course.ROOT / "Makefile").read_text(encoding="utf-8")
    named = next(line for line in makefile.splitlines() if line.startswith("TASKS = "))
    assert sorted(named.split()[2:]) == sorted(course.TASKS)


def test_the_first_failure_ends_it_with_its_status(environment):
    install(environment, "ruff", "raise SystemExit(5)")
    install(environment, "pytest", TELLING)
    done = subprocess.run([sys.executable, "course.py", "lint", "test"], cwd=course.ROOT, text=True, capture_output=True)
    assert done.returncode == 5 and "Running" not in done.stdout and not done.stderr


def test_runs_of_the_browser_tests_are_counted(environment, monkeypatch, capsys):
    statuses = iter([0, 0, 1, 0])     # the look for chromium, then three runs
    monkeypatch.setattr(course, "run", lambda *_: next(statuses))
    monkeypatch.setenv("RUNS", "3")
    with pytest.raises(SystemExit):
        course.test_browser()
    assert "2 of 3 runs passed" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a test cannot press Ctrl-C on Windows")
@pytest.mark.parametrize("sent, to_all, status", [(signal.SIGINT, True, 7), (signal.SIGTERM, False, 8)])
def test_the_program_decides_how_it_ends(environment, sent, to_all, status):
    install(environment, "jupyterlab", RESTING)
    process = subprocess.Popen([sys.executable, "course.py", "lab"], cwd=course.ROOT, text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while process.stdout.readline().strip() != "serving":
        assert process.poll() is None
    os.killpg(process.pid, sent) if to_all else process.send_signal(sent)     # a terminal sends Ctrl-C to all
    _, errors = process.communicate()
    assert process.returncode == status and not errors


def test_an_old_python_hands_over_to_the_environment(environment, monkeypatch):
    """`make PYTHON=python3.12 setup` once, and then `make lab` with a python3 that is too old."""
    commands = []
    monkeypatch.setattr(course, "VERSION", (3, 8))
    monkeypatch.setattr(course, "run", lambda command, *_: commands.append(command) or 0)
    with pytest.raises(SystemExit) as end:
        course.main(["lab"])
    assert end.value.code == 0 and commands == [[environment.python, course.__file__, "lab"]]
    for named, task in (("python3.8", "lab"), ("", "setup")):
        monkeypatch.setenv("PYTHON", named) if named else monkeypatch.delenv("PYTHON")
        with pytest.raises(SystemExit, match="needs Python 3.11 or newer"):
            course.main([task])


def test_lanes_name_what_is_there():
    for about, minutes, arguments in course.LANES.values():
        assert about and minutes
        paths = [word.split("=")[-1] for word in arguments if word.startswith(("tests", "notebooks", "--ignore="))]
        assert all((course.ROOT / path).exists() for path in paths)
