"""What a notebook's cell may not do in silence, and how long a notebook may take: the same rules whoever runs the cells."""

import re
import statistics
from collections.abc import Mapping, Sequence

import psutil
from machine_speed import slowness

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
    shell.watched = True
_watch(get_ipython())
del _watch
"""
SAME_KERNEL = "get_ipython().watched"  # an error in a kernel that was started after the first one ended


def silent_failure(outputs: Sequence[Mapping], should_raise: bool) -> str | None:
    """What is wrong with the outputs of a cell that ended without a word, or None.

    Args:
        outputs: of the cell, in the format of a notebook.
        should_raise: whether the cell is tagged raises-exception.
    """
    said = "".join(_text(out.get("text", "")) for out in outputs if out.get("name") == "stderr")
    if said:
        return f"the cell wrote to stderr (a misspelt magic, a warning):\n{said}"
    for words in (_text(out.get("data", {}).get("text/plain", "")) for out in outputs):
        if re.match(r"Notice: |Explorer: \w+(Error|Exception): ", words):
            return f"an explorer does not work:\n{words}"
    if should_raise and not any(out["output_type"] == "error" for out in outputs):
        return "the cell is tagged raises-exception and did not raise"
    return None


def _text(lines: str | Sequence[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


def printed(outputs: Sequence[Mapping]) -> str:
    """What the outputs of a cell say as text, to be compared where the cell is tagged nbval-check-output."""
    return "".join(_text(out.get("text", "") or out.get("data", {}).get("text/plain", "")) for out in outputs)


def seconds_of_kernels() -> float:
    """The processors' seconds that the kernels below this process have taken so far, and what they started."""
    taken = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if "ipykernel_launcher" in process.cmdline():
                taken += sum(process.cpu_times()[:4])  # its own, and those of its children that have ended
                taken += sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
        except psutil.Error:  # it has ended just now
            continue
    return taken


class Stopwatch:
    """Adds up a notebook's seconds, by the clock and at the speed of the machine for which the limit is meant.

    A machine may be several times slower in one hour than in another, and no chapter can help that. How much slower is
    measured in this process, and others may leave it more, or less, of the machine than the kernel: a cell that keeps the
    processors busy for fewer seconds than the clock says at that speed has taken only these.
    """

    def __init__(self):
        self.clock, self.fair, self.slowness, self.taken = 0.0, 0.0, slowness(), seconds_of_kernels()

    def add(self, elapsed: float) -> None:
        """Count some more seconds; the machine's speed is measured again after a long cell."""
        before = self.slowness
        if elapsed > WORTH_A_LOOK:
            self.slowness = slowness()
        taken = seconds_of_kernels()
        at_work, self.taken = taken - self.taken, taken
        self.clock += elapsed
        scaled = elapsed / statistics.mean([before, self.slowness])
        self.fair += min(scaled, at_work) if at_work > elapsed / 20 else scaled  # a cell that only waits takes its time

    @property
    def too_long(self) -> bool:
        """Whether the limit is passed, with its margin."""
        return self.fair > MARGIN * SECONDS_PER_NOTEBOOK

    def __str__(self) -> str:
        return (f"{self.clock:.0f} s by the clock, {self.fair:.0f} s at the speed of the reference machine, "
                f"where a chapter may take {SECONDS_PER_NOTEBOOK} s")
