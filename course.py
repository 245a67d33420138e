"""Set the course up and run it, on Linux, macOS and Windows; needs nothing but Python.

`python course.py lab` does what `make lab` does; `python course.py` alone lists the other tasks. The packages go into a
folder of their own, .venv, which is made once, and anew when it no longer fits: when the lists of packages have changed,
when the folder was moved or copied, or when the installation was broken off.
"""
# Python 3.6 must be able to read this file, so that it can say that it is too old: no newer syntax here.

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

ROOT, VERSION = Path(__file__).resolve().parent, tuple(sys.version_info[:2])
OLDEST, NEWEST, COLAB = (3, 11), (3, 13), (3, 13)  # the Pythons that the course is tested with, and Colab's

# What each run of pytest is, about how many minutes it takes on two quiet CPU cores, and its arguments. WORKERS processes
# of one thread each share the tests: whole files of them, long ones first, or one browser test after another.
FILES = ["--dist", "loadfile", "--no-loadscope-reorder"]
LANES = {
    "quick": ("the unit tests, the derivations and every notebook", 30,
              [*FILES, "--ignore=tests/browser", "-m", "not slow"]),
    "whole": ("all tests but the browser's, and every notebook", 40, [*FILES, "--ignore=tests/browser"]),
    "tests": ("all tests but the browser's, which run the notebooks", 30, [*FILES, "tests", "--ignore=tests/browser"]),
    "browser": ("every notebook and every explorer in a browser", 20,
                ["--dist", "load", "--maxschedchunk", "1", "tests/browser"]),
    "colab": ("every notebook and the explorers' tests with the package versions of a Colab session", 13,
              [*FILES, "notebooks", "tests/test_widgets.py", "tests/test_explorers.py", "tests/test_latent.py"]),
}
REPORTS = ROOT / "build" / "tests"  # what each lane's tests took
PROGRAMS = {  # task: what it does, and what Python is given to do it, once or several times
    "lint": ("check the style of the code and the types of the package", ["-m", "ruff", "check", "."], ["-m", "mypy"]),
    "notebooks": ("execute every notebook and store its outputs", ["tools/notebooks.py", "execute"]),
    "stamp": ("write the repository's address into badges and set-up cells", ["tools/notebooks.py", "stamp"]),
    "benchmark": ("time the trainer against the textbook script (needs the full MNIST)", ["benchmarks/train_speed.py"]),
}


# ---------------------------------------------------------------- what the reader is told and may set

def say(text: str) -> None:
    """Print a line now, before the next program prints, whatever letters the terminal knows."""
    encoding = sys.stdout.encoding or "ascii"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)


def setting(name: str, otherwise: str) -> str:
    """The environment variable of that name, which `make NAME=value` sets too; without it, or empty, the other."""
    return os.environ.get(name) or otherwise


def dotted(version) -> str:
    """(3, 11) as "3.11"."""
    return "{}.{}".format(*version)


def how_to(task: str, version: tuple, system: str = os.name) -> str:
    """The command that runs a task with that version of Python, by make if that is how this one was started."""
    if "MAKELEVEL" in os.environ:
        return f"make PYTHON=python{dotted(version)} {task}"
    return f"{'py -' if system == 'nt' else 'python'}{dotted(version)} course.py {task}"


def word_about(version: tuple, task: str, system: str = os.name) -> str:
    """What to say of a Python that the course is not tested with; "" of one that it is."""
    if version < OLDEST:
        return (f"The course needs Python {dotted(OLDEST)} or newer, and this is {dotted(version)}: "
                f"try  {how_to(task, (3, 12), system)}")
    if version > NEWEST:
        return (f"The course is tested with Python {dotted(OLDEST)} to {dotted(NEWEST)}, and this is {dotted(version)}: "
                f"it may work, and if it does not, try  {how_to('setup', NEWEST, system)}")
    return ""


# ---------------------------------------------------------------- running programs

def run(command: list, variables=None, folder: Path = ROOT) -> int:
    """Run a program to its end, without a shell, with these environment variables or our own; returns its exit status.

    Ctrl-C reaches the program by itself, and it decides what that means (JupyterLab asks); a request to end is handed on.
    """
    process = None

    def hand_on(number, frame):
        if process is not None and number != signal.SIGINT:
            process.terminate()

    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, hand_on) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        process = subprocess.Popen([str(word) for word in command], env=variables, cwd=str(folder))
        status = process.wait()
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error}")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def must(status: int, otherwise: str = "") -> None:
    """End here if a program failed, with its exit status and a word."""
    if status:
        if otherwise and status != 130:  # Ctrl-C needs no explanation
            say(otherwise)
        sys.exit(status)


def answer(command: list, variables=None) -> str:
    """What a program prints, or "" if it cannot be run or fails."""
    try:
        done = subprocess.run([str(word) for word in command], env=variables, cwd=str(ROOT), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


# ---------------------------------------------------------------- an environment of its own

def programs_of(venv: Path, system: str = os.name) -> Path:
    """The folder of an environment's programs."""
    return venv / ("Scripts" if system == "nt" else "bin")


def python_of(venv: Path, system: str = os.name) -> Path:
    """An environment's Python."""
    return programs_of(venv, system) / ("python.exe" if system == "nt" else "python")


def variables_of(venv: Path, outside: dict, system: str = os.name) -> dict:
    """The variables of a program that runs in an environment, as after activating it.

    What is installed there comes first: programs, and Jupyter's kernel, of which a reader's home may hold another "python3".
    """
    kept = {name: value for name, value in outside.items() if name != "PYTHONHOME"}
    for name, path in {"PATH": programs_of(venv, system), "JUPYTER_PATH": venv / "share" / "jupyter"}.items():
        kept[name] = (";" if system == "nt" else ":").join([str(path), *filter(None, [kept.get(name)])])
    return {**kept, "VIRTUAL_ENV": str(venv), "JUPYTER_PREFER_ENV_PATH": "1", "PYTHONUTF8": "1"}


class Environment:
    """A folder of packages, with a stamp that says for which lists, which place and which Python it was made.

    Args:
        venv: the folder.
        lists: the files at the top of the course that say what is installed.
    """

    def __init__(self, venv: Path, *lists: str):
        self.venv, self.lists, self.stamp = venv, lists, venv / ".ready"
        self.python, self.variables = python_of(venv), variables_of(venv, dict(os.environ))

    def wanted(self, version: tuple) -> dict:
        """What the stamp says if the environment is complete and fits."""
        contents = b"\0".join((ROOT / name).read_bytes().replace(b"\r\n", b"\n") for name in self.lists)
        return {"lists": hashlib.sha256(contents).hexdigest(), "course": str(ROOT), "venv": str(self.venv),
                "python": dotted(version)}

    def found(self) -> dict:
        """What the stamp says; {} without a readable one."""
        try:
            found = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def unfit(self, version: tuple, exactly: bool) -> str:
        """Why the environment must be made anew, or "". exactly: it must have this very version of Python."""
        found, wanted = self.found(), self.wanted(version)
        if not found:
            return "its installation was not finished" if self.venv.exists() else "it is not there yet"
        if found.get("lists") != wanted["lists"]:
            return "the lists of packages have changed"
        if (found.get("course"), found.get("venv")) != (wanted["course"], wanted["venv"]):
            return "the folder was moved or copied"
        if exactly and found.get("python") != wanted["python"]:
            return f"it has Python {found.get('python')}"
        return "" if answer([self.python, "-c", "print(1)"]) else "its Python is gone"

    def check_ours(self) -> None:
        """End with a word rather than empty a folder that holds something else: VENV may name any."""
        named_so = self.venv.parent == ROOT and self.venv.name.startswith(".venv")
        if not named_so and self.venv.exists() and any(self.venv.iterdir()) and self.found().get("course") != str(ROOT):
            sys.exit(f"{self.venv} holds what this course did not put there: delete it, or let VENV name another folder")

    def make(self, python: str) -> None:
        """Make the environment with that Python, empty and without a stamp."""
        self.check_ours()
        if os.pathsep in str(self.venv):
            sys.exit(f"Python makes no environment where the path has a {os.pathsep} ({self.venv}): move the course, or let "
                     f"VENV name a folder elsewhere")
        if self.stamp.exists():
            self.stamp.unlink()
        must(run([python, "-m", "venv", "--clear", self.venv]),
             f"{self.venv} could not be made (see above); if a program still runs in it, end that first.")

    def pip(self, *arguments: str) -> None:
        """Run pip install in the environment."""
        quietly = ["--quiet", "--disable-pip-version-check"]
        must(run([self.python, "-m", "pip", "install", *quietly, *arguments], self.variables),
             f"The packages could not be installed into {self.venv} (see above); the next try begins anew.")

    def freeze(self) -> set:
        """name==version of each package in the environment."""
        listed = answer([self.python, "-m", "pip", "freeze", "--exclude-editable"], self.variables)
        if not listed:
            sys.exit(f"pip freeze failed in {self.venv}")
        return set(listed.splitlines())

    def finish(self, version: tuple) -> None:
        """Write the stamp: from now on the environment is used as it is."""
        self.stamp.write_text(json.dumps(self.wanted(version), indent=1), encoding="utf-8")


def of_the_course() -> Environment:
    """The environment in which the course is read, tested and changed."""
    return Environment(ROOT / setting("VENV", ".venv"), "requirements.txt", "pyproject.toml")


def of_colab() -> Environment:
    """The environment with the package versions of a Colab session."""
    return Environment(ROOT / setting("COLAB_VENV", ".venv-colab"), "requirements-colab.txt", "pyproject.toml")


def ready(task: str) -> Environment:
    """The course's environment, made first where it is missing or no longer fits.

    It keeps the Python that it was made with until `setup` is run by another, or PYTHON names another.
    """
    environment = of_the_course()
    why = environment.unfit(VERSION, exactly=task == "setup" or "PYTHON" in os.environ)
    if not why:
        return environment
    if find_spec("ensurepip") is None:
        sys.exit("Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv")
    say(f"Setting up {environment.venv.name} with Python {dotted(VERSION)}, because {why}; PyTorch is large, so "
        f"this takes a few minutes.")
    if word_about(VERSION, task):
        say(word_about(VERSION, task))
    environment.make(getattr(sys, "_base_executable", None) or sys.executable)
    environment.pip("-r", "requirements.txt")
    environment.finish(VERSION)
    return environment


def colab_python() -> str:
    """The Python that COLAB_PYTHON names, or python3.13; "" if it has another version than Colab's or is missing."""
    named = setting("COLAB_PYTHON", f"python{dotted(COLAB)}")
    return named if answer([named, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == dotted(COLAB) else ""


def ready_colab() -> Environment:
    """The environment with Colab's versions; what the course installs there must leave every package as it was."""
    environment, python, lists = of_colab(), colab_python(), "requirements-colab.txt"
    if not python:
        sys.exit(f"Colab has Python {dotted(COLAB)}: let the environment variable COLAB_PYTHON name one, or "
                 f"make COLAB_PYTHON=/path/to/python{dotted(COLAB)} test-colab")
    if not environment.unfit(COLAB, exactly=True):
        return environment
    say(f"Setting up {environment.venv.name} with the package versions of a Colab session.")
    environment.make(python)
    environment.pip("-r", lists)
    before = environment.freeze()
    environment.pip("-e", ".", "-c", lists)
    environment.pip("nbval", "nbformat", "pytest-xdist", "-c", lists)
    replaced = sorted(before - environment.freeze())
    if replaced:
        sys.exit("\n".join([*replaced, "The course replaced these packages of Colab's."]))
    environment.finish(COLAB)
    return environment


# ---------------------------------------------------------------- the tasks

def lab() -> None:
    """set up .venv and open the course in JupyterLab"""
    environment, root = ready("lab"), hasattr(os, "geteuid") and os.geteuid() == 0
    # Jupyter refuses to run as root unless told to; in a container there is often no other user.
    options = shlex.split(os.environ.get("LAB_OPTIONS", "--allow-root" if root else ""), posix=os.name != "nt")
    say("Opening notebooks/00_start_here.ipynb in JupyterLab; stop it with Ctrl-C.")
    command = [environment.python, "-m", "jupyterlab", "--LabApp.default_url=/lab/tree/00_start_here.ipynb", *options]
    must(run(command, environment.variables, ROOT / "notebooks"))


def lane(name: str, environment: Environment) -> int:
    """Say what a run of pytest is and how long it takes, run it, and return its exit status."""
    about, minutes, arguments = LANES[name]
    workers = setting("WORKERS", "2")
    say(f"Running {about} in {workers} processes: about {minutes} minutes on two quiet CPU cores.")
    command = [environment.python, "-m", "pytest", "-n", workers, *arguments, f"--junitxml={REPORTS / name}.xml"]
    return run(command, {**environment.variables, "OMP_NUM_THREADS": "1"})


def say_the_slowest(lanes: list, n: int = 20) -> None:
    """The n tests that took longest, of these lanes."""
    took = [(float(test.get("time")), f"{test.get('classname')}::{test.get('name')}", name)
            for name in lanes for test in ElementTree.parse(str(REPORTS / (name + ".xml"))).iter("testcase")]
    say(f"The {n} slowest tests:")
    for seconds, test, name in sorted(took, reverse=True)[:n]:
        say(f"{seconds:8.1f} s  {name:<8} {test}")


def test() -> None:
    """set up .venv, run the tests and every notebook"""
    must(lane("quick", ready("test")))


def test_all() -> None:
    """the same, and what is slow: the browser tests, and Colab's versions where there is a Python 3.13"""
    environment = ready("test-all")
    lanes = ["tests", "browser"] if has_browser(environment) else ["whole"]
    if lanes == ["whole"]:
        say("The browser tests are left out: they need chromium (apt-get install chromium, or CHROMIUM names one).")
    for name in lanes:
        must(lane(name, environment))
    if colab_python() or "COLAB_PYTHON" in os.environ:
        must(lane("colab", ready_colab()))
        lanes.append("colab")
    else:
        say(f"Colab's versions are left out: they need a Python {dotted(COLAB)} (COLAB_PYTHON names one).")
    say_the_slowest(lanes)


def has_browser(environment: Environment) -> bool:
    """Whether the browser tests can run; without a browser they would be skipped, and pass."""
    look = "import sys; sys.path.append('..'); import lab, playwright; sys.exit(not lab.find_chromium())"
    return run([environment.python, "-c", look], environment.variables, ROOT / "tests" / "browser") == 0


def test_browser() -> None:
    """run the browser tests RUNS times and count the runs that passed (needs chromium)"""
    runs = setting("RUNS", "1")
    if not runs.isdigit() or int(runs) == 0:
        sys.exit(f"RUNS is how many times the browser tests run, 1 or more, not {runs!r}")
    environment = ready("test-browser")
    if not has_browser(environment):
        sys.exit("The browser tests need chromium: apt-get install chromium, or set CHROMIUM to the path of one")
    passed = 0
    for number in range(1, int(runs) + 1):
        say(f"Run {number} of {runs}")
        passed += lane("browser", environment) == 0
    say(f"{passed} of {runs} runs passed")
    must(passed != int(runs))


def test_colab() -> None:
    """run every notebook with the package versions of a Colab session (needs Python 3.13)"""
    must(lane("colab", ready_colab()))


def clean() -> None:
    """remove .venv, .venv-colab and build folders; MNIST is downloaded again after that"""
    made = [of_the_course(), of_colab()]
    for environment in made:
        environment.check_ours()
    for path in [*(environment.venv for environment in made), ROOT / "build", ROOT / "notebooks" / "build"]:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            shutil.rmtree(str(path))


def program(task: str) -> None:
    """Run one of the course's own programs, or those that are installed."""
    environment = ready(task)
    for given in PROGRAMS[task][1:]:
        must(run([environment.python, *given], environment.variables))


def usage() -> None:
    """say what there is"""
    start = "make" if "MAKELEVEL" in os.environ else "python course.py"
    for task, (about, _) in TASKS.items():
        say(f"{start} {task:<13} {about}")


TASKS = {
    "lab": (lab.__doc__, lab),
    "setup": ("set up .venv alone, with this very Python", partial(ready, "setup")),
    "test": (test.__doc__, test),
    "test-all": (test_all.__doc__, test_all),
    "test-browser": (test_browser.__doc__, test_browser),
    "test-colab": (test_colab.__doc__, test_colab),
    **{task: (about, partial(program, task)) for task, (about, *_) in PROGRAMS.items()},
    "clean": (clean.__doc__, clean),
    "help": (usage.__doc__, usage),
}


def main(tasks: list) -> None:
    """Run tasks one after another; the first that fails is the last."""
    tasks = ["help" if task in ("-h", "--help") else task for task in tasks] or ["help"]
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        usage()
        sys.exit(f"There is no task {', '.join(unknown)}.")
    if VERSION < OLDEST and tasks != ["help"]:
        environment = of_the_course()
        if "PYTHON" in os.environ or "setup" in tasks or environment.unfit(VERSION, exactly=False):
            sys.exit(word_about(VERSION, " ".join(tasks)))
        sys.exit(run([environment.python, __file__, *tasks]))  # a newer Python has set it up, and goes on
    for task in tasks:
        TASKS[task][1]()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
