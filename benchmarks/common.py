"""What the benchmarks share: options, the line about the machine, the line for machines, and processes of their own."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

import torch

from vae_course import data, runtime

N_IMAGES = 60_000


# ---------------------------------------------------------------- options

def parser(doc: str, trains: bool = True) -> argparse.ArgumentParser:
    """Options for a script with that docstring; if it trains, its device, its data, and a child's work (see `run_child`)."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if trains:
        options.add_argument("--device", default=str(runtime.pick_device()))
        options.add_argument("--folder", default=os.environ.get(data.DATA_FOLDER_VARIABLE), help="that holds MNIST/raw")
        options.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    return options


def full_mnist(device: torch.device | str, folder: str | None) -> data.ImageData:
    """All of MNIST on the device; ends the program where only a part can be had."""
    mnist = data.load_mnist(device, folder)
    if len(mnist.train) != N_IMAGES:
        sys.exit("This benchmark needs the full MNIST: see the line above.")
    return mnist


# ---------------------------------------------------------------- what is printed

def load() -> float:
    """The machine's load in the last minute, to be asked before it is busy with a benchmark."""
    return os.getloadavg()[0]


def machine(device: torch.device | str, load_before: float, threads: str = "", versions: str = "") -> str:
    """Device, versions, date and load in a line; `threads` follow the device, other packages' `versions` follow torch's."""
    return (f"{runtime.device_name(torch.device(device))}{threads}; Python {platform.python_version()}, "
            f"torch {torch.__version__}{versions}; {time.strftime('%Y-%m-%d')}; load before: {load_before:.2f}")


def print_values(*groups: tuple[dict[str, float], str]) -> None:
    """The last line, for machines: name=value; each group has a format of its own, such as ".2f"."""
    print("\n" + " ".join(f"{name}={value:{form}}" for values, form in groups for name, value in values.items()))


# ---------------------------------------------------------------- processes of their own

class ChildFailed(SystemExit):
    """A child ended without an answer: ends the program with its command and its errors, unless it is caught."""

    def __init__(self, command: list[str], done: subprocess.CompletedProcess):
        super().__init__(f"{' '.join(command)} failed:\n{done.stderr}")
        lines = done.stderr.splitlines() or [f"it ended with {done.returncode}"]
        self.reason = next((line for line in reversed(lines) if "Error" in line), lines[-1])


def run_child(script: str, work: dict, args: argparse.Namespace, processes: int = 1,
              environment: dict[str, str] | None = None) -> tuple[dict, list[str]]:
    """Run a script with this work in a fresh process, or in several that share it.

    Args:
        script: the path of a script, which finds the work in the option `child` and calls `answer`.
        work: what it shall do, as JSON can say it.
        args: the device and the folder.
        processes: more than one are started as `torchrun` does.
        environment: variables to add.

    Returns:
        The answer, and the lines that were printed.
    """
    several = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    folder = ["--folder", args.folder] if args.folder else []
    command = [sys.executable, *several, script, "--child", json.dumps(work), "--device", args.device, *folder]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}))
    if done.returncode != 0:
        raise ChildFailed(command, done)
    printed = done.stdout.splitlines()
    return json.loads([line for line in printed if line.startswith("{")][-1]), printed


def answer(result: dict) -> None:
    """What a child says to `run_child`."""
    print(json.dumps(result), flush=True)
