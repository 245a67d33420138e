"""The hook of conftest.py: notebooks that nbval alone would pass must fail, and a good one must pass."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[1]
CONFTEST = (ROOT / "conftest.py").read_text(encoding="utf-8")

BAD_CELLS = {
    "misspelt_magic": new_code_cell("%matplotlibb inline"),
    "misspelt_cell_magic": new_code_cell("%%timeitt\n1 + 1"),
    "does_not_raise": new_code_cell("1 + 1", metadata={"tags": ["raises-exception"]}),
    "exit": new_code_cell("exit()"),
    "system_exit": new_code_cell("import sys\nsys.exit(0)"),
    "failing_command": new_code_cell("!false"),
    "failing_first_command": new_code_cell("!false\n!true"),
    "failing_pip": new_code_cell("%pip install --quiet --no-index there-is-no-such-package"),
    "warning": new_code_cell("import warnings\nwarnings.warn('look here')"),
    "error": new_code_cell("1 / 0"),
    "no_explorer": new_code_cell("from vae_course import widgets\nwidgets.latent_pad(abs, [])"),
    "failing_explorer": new_code_cell("from vae_course import widgets\n"
                                      "widgets.figure_sliders(lambda ax, t: 1 / 0, {'t': (0.0, 1.0, 0.5)})"),
}
GOOD_CELLS = {
    "good": new_code_cell("!true\nprint(1 + 1)"),
    "explorer": new_code_cell("from vae_course import widgets\n"
                              "widgets.figure_sliders(lambda ax, t: ax.plot([t, 1]) and 'a line', {'t': (0.0, 1.0, 0.5)})"),
    "does_raise": new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
}


def run(folder: Path, cells: dict, conftest: str) -> str:
    """What pytest prints for one notebook per cell, each after a cell `x = 1`, with this conftest.py in the folder."""
    for name, cell in cells.items():
        nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), cell]), folder / f"{name}.ipynb")
    (folder / "conftest.py").write_text(conftest, encoding="utf-8")
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "machine_speed.py", folder / "tests")
    (folder / "tests" / "real_mnist.py").write_text("def find_mnist():\n    return None\n")
    done = subprocess.run([sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-rA", "-q", "--color=no",
                           "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
                          capture_output=True, text=True, cwd=folder, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    """What pytest prints for the cells above, with this project's conftest.py."""
    return run(tmp_path_factory.mktemp("notebooks"), BAD_CELLS | GOOD_CELLS, CONFTEST)


@pytest.mark.parametrize("name", BAD_CELLS)
def test_a_cell_that_fails_in_silence_is_refused(report, name):
    assert f"FAILED {name}.ipynb::Cell 1" in report, report[-3000:]
    assert f"PASSED {name}.ipynb::Cell 0" in report


@pytest.mark.parametrize("name", GOOD_CELLS)
def test_a_good_cell_passes(report, name):
    assert f"PASSED {name}.ipynb::Cell 1" in report, report[-3000:]


def test_a_chapter_that_takes_too_long_is_refused(tmp_path):
    limit = "SECONDS_PER_NOTEBOOK = 90"
    assert limit in CONFTEST
    slow = {"slow": new_code_cell("import time\ntime.sleep(4)")}
    said = run(tmp_path, slow, CONFTEST.replace(limit, "SECONDS_PER_NOTEBOOK = 0.1"))
    assert "FAILED slow.ipynb::Cell 1" in said and "a chapter may take 0.1 s" in said, said[-3000:]
    assert "PASSED slow.ipynb::Cell 0" in said
