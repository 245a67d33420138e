"""What holds for every test: shapes of docstrings are checked, our own code's warnings are errors, the stop button is heard.

A conftest is imported before the test modules, which therefore import the checked functions (see shapes.py).
"""

import importlib.util
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# The Colab versions run the explorers' tests without jaxtyping; where it is missing, test_shapes.py fails.
if importlib.util.find_spec("jaxtyping"):
    import shapes

    shapes.install()


def pytest_configure(config):
    """A warning counts as ours if it is raised in a module of the package, of the tests, the benchmarks or the tools."""
    files = [path for folder in ("tests", "benchmarks", "tools") for path in (ROOT / folder).rglob("*.py")]
    ours = "|".join(sorted({"__main__", "vae_course", *(path.stem for path in files), "exercise_answers"}))
    config.addinivalue_line("filterwarnings", rf"error:::({ours})(\.|$)")


@pytest.fixture(autouse=True)
def stop_button():
    """A shell that starts a job in the background makes it deaf to interrupts; a notebook's kernel is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
