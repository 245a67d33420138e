"""Notebooks as tests: the real data where they are, and an end to what nbval passes over in silence.

nbval runs each cell and looks for an error message. It sees none where a magic is misspelt, where a cell tagged
`raises-exception` does not raise, where a cell ends the kernel, and where a `!` or `%pip` command fails.
"""

import os
import sys
import time
from pathlib import Path

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).parent
LONG = ("test_chapter_derivations.py", "test_identities.py", "test_prover_cases.py", "test_prover_properties.py",
        "test_derivations.py")     # minutes of one core
PATIENCE = 600      # seconds to wait for a kernel's answer; a busy machine may need many
sys.path.insert(0, str(ROOT / "tests"))

import cell_rules  # noqa: E402  (tests/cell_rules.py)

_get_message = RunningKernel.get_message
_watches: dict[str, cell_rules.Stopwatch] = {}  # notebook → its seconds
_spent: dict[str, str] = {}                     # notebook → what is to be said of them


def _get_and_keep_message(kernel, stream, timeout=None):
    message = _get_message(kernel, stream, timeout=timeout)
    if stream == "shell":
        kernel.last_reply = message["content"]
    return message


RunningKernel.get_message = _get_and_keep_message


def pytest_configure(config):
    """Let the notebooks find real data: $VAE_COURSE_DATA, or a folder shared/data beside the checkout."""
    import real_mnist

    folder = real_mnist.find_mnist()
    if folder is not None:
        os.environ["VAE_COURSE_DATA"] = str(folder)


def pytest_collection_modifyitems(items):
    """Long files first: of two processes that share the tests, none is left with one at the end."""
    items.sort(key=lambda item: (not isinstance(item, IPyNbCell), item.get_closest_marker("slow") is None,
                                 item.path.name not in LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Around each cell: watch its commands, and fail it for what nbval would pass over."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    kernel, notebook = item.parent.kernel, item.parent.path.name
    if not getattr(kernel, "watched", False):
        message = kernel.execute_cell_input(cell_rules.WATCH_COMMANDS, allow_stdin=False)
        kernel.await_reply(message, timeout=PATIENCE)
        kernel.await_idle(message, timeout=PATIENCE)
        kernel.watched = True
    if notebook not in _watches:
        _watches[notebook] = cell_rules.Stopwatch()
    started = time.perf_counter()
    result = yield
    elapsed = time.perf_counter() - started
    refuse_silent_failures(item)
    count_seconds(item, _watches[notebook], elapsed)
    return result


def count_seconds(item, watch: cell_rules.Stopwatch, elapsed: float) -> None:
    """Add up a notebook's seconds, and fail the cell with which they pass the limit."""
    before = watch.too_long
    watch.add(elapsed)
    item.user_properties.append(("notebook", (item.parent.path.name, str(watch))))
    if watch.too_long and not before:
        pytest.fail(f"{item.parent.path.name} has run for {watch}")


def refuse_silent_failures(item) -> None:
    """Fail a cell that ran without an error message but did not do what it says."""
    outputs = item.test_outputs or []
    wrong = cell_rules.silent_failure(outputs, item.options["check_exception"])
    if wrong:
        pytest.fail(wrong)
    reply = item.parent.kernel.last_reply
    if any(payload.get("source") == "ask_exit" for payload in reply.get("payload", [])):
        pytest.fail("the cell asks the kernel to exit: no cell after it would run")
    if reply.get("status") != "ok" and not any(out.output_type == "error" for out in outputs):
        pytest.fail(f"the cell ended with status {reply.get('status')!r} and no error message")
    if not item.parent.kernel.is_alive():
        pytest.fail("the kernel is gone after this cell")


def pytest_runtest_logreport(report):
    """Keep what a cell says of its notebook: with several workers, the process that sums up has not run it."""
    for name, value in report.user_properties:
        if name == "notebook":
            notebook, said = value
            _spent[notebook] = said


def pytest_terminal_summary(terminalreporter):
    """Say how long each notebook took."""
    for notebook, said in sorted(_spent.items()):
        terminalreporter.write_line(f"{notebook}: {said}")
