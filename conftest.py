"""Notebooks as tests: the real data where they are, and an end to what nbval passes over in silence.

nbval runs each cell and looks for an error message. It sees none where a magic is misspelt, where a cell tagged
`raises-exception` does not raise, where a cell ends the kernel, and where a `!` or `%pip` command fails.
"""

import os
import re
import statistics
import sys
import time
from pathlib import Path

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tests"))

from machine_speed import slowness  # noqa: E402  (tests/machine_speed.py)

SECONDS_PER_NOTEBOOK = 90   # what a chapter may take on two quiet CPU cores
MARGIN = 1.5                # of the limit: seconds on a shared machine are known no better
WORTH_A_LOOK = 2            # seconds of a cell after which the machine's speed is measured again

# Run in the kernel before the first cell: a shell command that fails becomes an error of its cell.
WATCH_COMMANDS = """
def _watch(shell):
    run = shell.system
    def system(command):
        run(command)
        if shell.user_ns.get("_exit_code", 0) != 0:
            raise RuntimeError(f"the command {command!r} failed with exit status {shell.user_ns['_exit_code']}")
    shell.system = system
_watch(get_ipython())
del _watch
"""

_get_message = RunningKernel.get_message
_spent: dict[str, tuple[float, float]] = {}     # notebook → seconds by the clock, and at the reference machine's speed
_latest: dict[str, float] = {}                  # "slowness": as it was last measured


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Around each cell: watch its commands, and fail it for what nbval would pass over."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    kernel = item.parent.kernel
    if not getattr(kernel, "watched", False):
        message = kernel.execute_cell_input(WATCH_COMMANDS, allow_stdin=False)
        kernel.await_reply(message, timeout=60)
        kernel.await_idle(message, timeout=60)
        kernel.watched = True
    if not _latest:
        _latest["slowness"] = slowness()
    started = time.perf_counter()
    result = yield
    elapsed = time.perf_counter() - started
    refuse_silent_failures(item)
    count_seconds(item, elapsed)
    return result


def count_seconds(item, elapsed: float) -> None:
    """Add up a notebook's seconds, and fail the cell with which they pass the limit.

    A machine may be several times slower in one hour than in another, and no chapter can help that. So the limit is for
    the seconds at the speed of the machine for which it is meant.
    """
    before = _latest["slowness"]
    if elapsed > WORTH_A_LOOK:
        _latest["slowness"] = slowness()
    notebook, limit = item.parent.path.name, MARGIN * SECONDS_PER_NOTEBOOK
    clock, fair = _spent.get(notebook, (0.0, 0.0))
    _spent[notebook] = clock + elapsed, fair + elapsed / statistics.mean([before, _latest["slowness"]])
    item.user_properties.append(("notebook", (notebook, *_spent[notebook])))
    if fair <= limit < _spent[notebook][1]:
        pytest.fail(f"{notebook} has run for {_spent[notebook][1]:.0f} s (at the speed of the reference machine; "
                    f"{_spent[notebook][0]:.0f} s by the clock); a chapter may take {SECONDS_PER_NOTEBOOK} s")


def refuse_silent_failures(item) -> None:
    """Fail a cell that ran without an error message but did not do what it says."""
    outputs = item.test_outputs or []
    said = "".join(out.get("text", "") for out in outputs if out.get("name") == "stderr")
    if said:
        pytest.fail(f"the cell wrote to stderr (a misspelt magic, a warning):\n{said}")
    for words in (out.get("data", {}).get("text/plain", "") for out in outputs):
        if re.match(r"Notice: |Explorer: \w+(Error|Exception): ", words):
            pytest.fail(f"an explorer does not work:\n{words}")
    raised = any(out.output_type == "error" for out in outputs)
    if item.options["check_exception"] and not raised:
        pytest.fail("the cell is tagged raises-exception and did not raise")
    reply = item.parent.kernel.last_reply
    if any(payload.get("source") == "ask_exit" for payload in reply.get("payload", [])):
        pytest.fail("the cell asks the kernel to exit: no cell after it would run")
    if reply.get("status") != "ok" and not raised:
        pytest.fail(f"the cell ended with status {reply.get('status')!r} and no error message")
    if not item.parent.kernel.is_alive():
        pytest.fail("the kernel is gone after this cell")


def pytest_runtest_logreport(report):
    """Keep what a cell says of its notebook: with several workers, the process that sums up has not run it."""
    for name, value in report.user_properties:
        if name == "notebook":
            notebook, clock, fair = value
            _spent[notebook] = clock, fair


def pytest_terminal_summary(terminalreporter):
    """Say how long each notebook took."""
    for notebook, (clock, fair) in sorted(_spent.items()):
        terminalreporter.write_line(f"{notebook}: {clock:.0f} s by the clock, {fair:.0f} s at the speed of the reference "
                                    f"machine, where a chapter may take {SECONDS_PER_NOTEBOOK} s")
