"""What the machine can do: the device, its fast number format, and random numbers that repeat."""

import math
import os
import platform
import random
import re
import time
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import torch

DEVICES = ("cuda", "mps", "cpu")  # in the order of preference
MEMINFO = Path("/proc/meminfo")
CONTAINER = [  # version 2 and 1 of Linux's control groups: the limit, what is used, and of that what cannot be let go
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.stat"), "anon"),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.stat"), "total_rss"),
]
_CHECKING_EVERYWHERE = ContextVar("checking_everywhere", default=False)


def available_devices() -> list[str]:
    """The names out of ("cuda", "mps", "cpu") that this machine and this build of torch can use."""
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name in DEVICES if usable[name]]


def pick_device(name: str | None = None) -> torch.device:
    """The device to train on: `name`, else the environment variable VAE_COURSE_DEVICE, else the fastest there is.

    Args:
        name: "cuda", "mps", "cpu", or one GPU of several, such as "cuda:1".

    Raises:
        ValueError: if the name is unknown, or the machine has no such device.
    """
    asked = name or os.environ.get("VAE_COURSE_DEVICE") or available_devices()[0]
    kind, colon, index = asked.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and index.isdigit())):
        raise ValueError(f"device must be one of {', '.join(DEVICES)} (or cuda:0, cuda:1, …), got {asked!r}")
    if kind not in available_devices():
        raise ValueError(f"device {asked!r} was asked for, but this machine offers only {available_devices()}")
    if index and int(index) >= torch.cuda.device_count():
        raise ValueError(f"device {asked!r} was asked for, but this machine has {torch.cuda.device_count()} GPU(s)")
    return torch.device(asked)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the processor multiplies bfloat16 matrices in hardware (elsewhere bf16 is slower than float32)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere and later
    if device.type == "cpu":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    return False


def free_memory(device: torch.device | str) -> int:
    """Bytes that are free on the device; in the computer's memory, those that are free without writing others to the disk.

    Where the system does not tell, half of the memory; where it tells nothing, 4 GiB.
    """
    device = torch.device(device)
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for what comes
        return torch.cuda.mem_get_info(device)[0] + kept
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return int(min(_of_the_machine(), _of_the_container()))


def _of_the_machine() -> int:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(MEMINFO), re.MULTILINE)
    if found:
        return 1024 * int(found[1])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and a system need not know the name
        return 4 * 2**30


def _of_the_container() -> float:
    """What the limit of a container leaves; its files in memory do not count, since they make room."""
    for limit, used, name in CONTAINER:
        found = re.search(rf"^{name} (\d+)$", _text(used), re.MULTILINE)
        if found and _text(limit).strip().isdigit():
            return max(0, int(_text(limit)) - int(found[1]))
    return math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def autocast(device: torch.device, enabled: bool):
    """A context in which matrix products run in bfloat16 if `enabled`, and in float32 otherwise."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if enabled else nullcontext()


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's random numbers, and let cuDNN use only algorithms that repeat."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def random_state(device: torch.device | str) -> dict[str, torch.Tensor]:
    """The state of torch's random numbers on the CPU and on `device`, to be given to `set_random_state`."""
    device = torch.device(device)
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, torch.Tensor], device: torch.device | str) -> None:
    """Put back what `random_state` returned; a state of another kind of device is passed over."""
    device = torch.device(device)
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


@contextmanager
def seeded(seed: int, device: torch.device | str):
    """Inside the block torch's random numbers start from `seed`; afterwards they go on as if nothing had been drawn."""
    device = torch.device(device)
    before = random_state(device)
    torch.random.default_generator.manual_seed(int(seed))  # torch.manual_seed would reseed a GPU that is not used too
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    try:
        yield
    finally:
        set_random_state(before, device)


def may_be_read(tensor: torch.Tensor) -> bool:
    """Whether a check may look at the values of this tensor: on a CPU always, on a GPU only inside `checking_values`.

    So values are checked where data enter (`training.fit`, `evaluation`), and shapes always.
    """
    return not torch.compiler.is_compiling() and (_CHECKING_EVERYWHERE.get() or not waits_when_read(tensor))


def waits_when_read(tensor: torch.Tensor) -> bool:
    """Whether reading a number makes everything wait until the device has computed it: so it is on a GPU."""
    return tensor.device.type != "cpu"


@contextmanager
def checking_values(everywhere: bool = True):
    """Inside the block `may_be_read` says yes on a GPU too, if `everywhere`: for the first batch of many."""
    before = _CHECKING_EVERYWHERE.set(everywhere)
    try:
        yield
    finally:
        _CHECKING_EVERYWHERE.reset(before)


def device_name(device: torch.device | str) -> str:
    """What the device is called, for a table: "NVIDIA H200", "Apple GPU", or the processor and its threads."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def describe_machine(device: torch.device) -> str:
    """Four short lines: Python, torch, the device, and the number format that training will use on it."""
    precision = "bfloat16 products" if bf16_is_fast(device) else "float32"
    return "\n".join([
        f"Python     {platform.python_version()} on {platform.system()}",
        f"torch      {torch.__version__}",
        f"device     {device} ({device_name(device)})",
        f"training   {precision}",
    ])


def time_stamp() -> str:
    """The local date and time, as a name for a folder."""
    return time.strftime("%Y-%m-%d_%H-%M-%S")
