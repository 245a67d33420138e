"""Notebooks as tests: the real data where they are, and an end to what nbval passes over in silence.

nbval runs each cell and looks for an error message. It sees none where a magic is misspelt, where a cell tagged
`raises-exception` does not raise, where a cell ends the kernel, and where a `!` or `%pip` command fails.
"""

import os
import re
import sys
import time
from pathlib import Path

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).parent
SECONDS_PER_NOTEBOOK = 90   # what a chapter may take on two CPU cores
SLOW_MACHINE = 2            # a busy machine may need this many times as long before a test fails

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
_seconds: dict[str, float] = {}


def _get_and_keep_message(kernel, stream, timeout=None):
    message = _get_message(kernel, stream, timeout=timeout)
    if stream == "shell":
        kernel.last_reply = message["content"]
    return message


RunningKernel.get_message = _get_and_keep_message


def pytest_configure(config):
    """Let the notebooks find real data: $VAE_COURSE_DATA, or a folder shared/data beside the checkout."""
    sys.path.insert(0, str(ROOT / "tests"))
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
    started = time.perf_counter()
    result = yield
    refuse_silent_failures(item)
    notebook, limit = item.parent.path.name, SLOW_MACHINE * SECONDS_PER_NOTEBOOK
    before = _seconds.get(notebook, 0)
    _seconds[notebook] = before + time.perf_counter() - started
    if before <= limit < _seconds[notebook]:
        pytest.fail(f"{notebook} has run for {_seconds[notebook]:.0f} s; a chapter may take {SECONDS_PER_NOTEBOOK} s")
    return result


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


def pytest_terminal_summary(terminalreporter):
    """Say how long each notebook took."""
    for notebook, seconds in sorted(_seconds.items()):
        terminalreporter.write_line(f"{notebook}: {seconds:.0f} s of the {SECONDS_PER_NOTEBOOK} s that a chapter may take")
