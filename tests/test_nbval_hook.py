"""The hook of conftest.py: notebooks that nbval alone would pass must fail, and a good one must pass."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[1]
CONFTEST = (ROOT / "conftest.py").read_text(encoding="utf-8")
RULES = (ROOT / "tests" / "cell_rules.py").read_text(encoding="utf-8")

NO_PACKAGE = "%pip install --quiet --no-index there-is-no-such-package"
EXPLORER = "from vae_course import widgets\n"
FIGURE = EXPLORER + "widgets.figure_sliders(lambda ax, t: {}, {{'t': (0.0, 1.0, 0.5)}})"
RAISES = {"tags": ["raises-exception"]}

# Cells that leave the kernel as it was share one; a command that fails comes first, so that none before it can have told.
BAD_CELLS = {
    "failing_pip": new_code_cell(NO_PACKAGE),
    "failing_command": new_code_cell("!false"),
    "failing_first_command": new_code_cell("!false\n!true"),
    "misspelt_magic": new_code_cell("%matplotlibb inline"),
    "misspelt_cell_magic": new_code_cell("%%timeitt\n1 + 1"),
    "does_not_raise": new_code_cell("1 + 1", metadata=RAISES),
    "warning": new_code_cell("import warnings\nwarnings.warn('look here')"),
    "error": new_code_cell("1 / 0"),
    "no_explorer": new_code_cell(EXPLORER + "widgets.latent_pad(abs, [])"),
    "failing_explorer": new_code_cell(FIGURE.format("1 / 0")),
}
GOOD_CELLS = {
    "good": new_code_cell("!true\nprint(1 + 1)"),
    "explorer": new_code_cell(FIGURE.format("ax.plot([t, 1]) and 'a line'")),
    "does_raise": new_code_cell("1 / 0", metadata=RAISES),
}
CELLS_THAT_END_IT = {
    "exit": new_code_cell("exit()"),
    "system_exit": new_code_cell("import sys\nsys.exit(0)"),
}


def run(folder: Path, notebooks: dict[str, list], rules: str = RULES) -> str:
    """What pytest prints for the cells of each notebook, each after a cell `x = 1`, with these rules for cells.

    The machine's speed is given as that of the reference machine.
    """
    for name, cells in notebooks.items():
        with_others = [part for cell in cells for part in (new_code_cell("x = 1"), cell)]
        nbformat.write(new_notebook(cells=with_others), folder / f"{name}.ipynb")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "tests").mkdir()
    (folder / "tests" / "cell_rules.py").write_text(rules, encoding="utf-8")
    (folder / "tests" / "machine_speed.py").write_text("def slowness():\n    return 1.0\n")
    (folder / "tests" / "real_mnist.py").write_text("def find_mnist():\n    return None\n")
    done = subprocess.run([sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-rA", "-q", "--color=no",
                           "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
                          capture_output=True, text=True, cwd=folder, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """What pytest prints for the cells above, with this project's conftest.py."""
    notebooks = {"together": [*BAD_CELLS.values(), *GOOD_CELLS.values()]}
    alone = {name: [cell] for name, cell in CELLS_THAT_END_IT.items()}
    return run(tmp_path_factory.mktemp("notebooks"), notebooks | alone)


def place(name: str) -> tuple[str, int]:
    """The notebook of a cell, and its number there."""
    together = [*BAD_CELLS, *GOOD_CELLS]
    return ("together", 2 * together.index(name) + 1) if name in together else (name, 1)


@pytest.mark.parametrize("name", [*BAD_CELLS, *CELLS_THAT_END_IT])
def test_a_cell_that_fails_in_silence_is_refused(report, name):
    notebook, number = place(name)
    assert f"FAILED {notebook}.ipynb::Cell {number} " in report, report[-3000:]
    assert f"PASSED {notebook}.ipynb::Cell {number - 1}\n" in report


@pytest.mark.parametrize("name", GOOD_CELLS)
def test_a_good_cell_passes(report, name):
    notebook, number = place(name)
    assert f"PASSED {notebook}.ipynb::Cell {number}\n" in report, report[-3000:]


# By the clock each of these takes four seconds or more; what differs is for how long the kernel itself was at work.
OVER_THE_LIMIT = {"waits": "import time\ntime.sleep(4)", "works": "import time\nwhile time.process_time() < 5: pass"}
WITHIN = {"kept from work": "import time\nend = time.monotonic() + 4\nwhile time.process_time() < 2: pass\n"
                            "time.sleep(max(0, end - time.monotonic()))"}  # as if others had the processor


def test_a_chapter_that_takes_too_long_is_refused(tmp_path):
    limit = "SECONDS_PER_NOTEBOOK = 90"
    assert limit in RULES
    notebooks = {name: [new_code_cell(source)] for name, source in (OVER_THE_LIMIT | WITHIN).items()}
    said = run(tmp_path, notebooks, RULES.replace(limit, "SECONDS_PER_NOTEBOOK = 2"))
    for name in OVER_THE_LIMIT:
        assert f"FAILED {name}.ipynb::Cell 1 " in said and "a chapter may take 2 s" in said, said[-3000:]
        assert f"PASSED {name}.ipynb::Cell 0\n" in said
    for name in WITHIN:
        assert f"PASSED {name}.ipynb::Cell 1\n" in said, said[-3000:]
