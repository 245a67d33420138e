"""Trains, is killed, resumes, and is killed again. Run by test_checkpoint_kill.py: python kill_worker.py FOLDER SEED.

A process that imports torch needs seconds to start, so this one imports it once and forks a child for each kill. It trains
nothing itself: the children inherit a torch that has started no threads.
"""

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import torch
from tiny_vae import tiny_images, tiny_vae

from vae_course import checkpoints, data, training
from vae_course.objectives import negative_elbo

KILLS = 50
EPOCHS = 800
SHARE = 1 / 8           # of the epochs that are left, to be done before the last kill: also a faster machine has some left
EARLY = 5               # one kill in so many comes while the child still loads the checkpoint
BATCH, N = 8, 17        # two steps an epoch: most of the time is spent writing
STEPS = N // BATCH


def train(path: Path, at_each_step) -> None:
    """Go on from the checkpoint to the last epoch."""
    def loss_fn(model, x):
        at_each_step()
        return negative_elbo(model, x)

    training.fit(tiny_vae(), loss_fn, tiny_images(N), epochs=EPOCHS, prepare=data.stochastic, batch_size=BATCH,
                 learning_rate=1e-2, seed=3, checkpoint=path, resume=True, progress=False)


def fork_training(path: Path) -> tuple[int, int]:
    """Start `train` in a child; returns its process number, and a pipe to which it writes a byte at each step."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        return child, read_end
    status = 1
    try:
        train(path, lambda: os.write(write_end, b"."))
        status = 0
    finally:
        os._exit(status)


def train_to_the_end(path: Path) -> float:
    """Seconds that an uninterrupted child took."""
    started = time.perf_counter()
    child, steps = fork_training(path)
    status = os.waitpid(child, 0)[1]
    os.close(steps)
    if status != 0:
        sys.exit(f"a child that nobody killed ended with the status {status}")
    return time.perf_counter() - started


def mark(path: Path) -> tuple | None:
    """Tells one temporary file from another: an earlier kill may have left one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def kill_often(path: Path, moments: random.Random, to_start: float, per_epoch: float) -> dict:
    """Start, kill and look, again and again; returns what was seen after each kill.

    Kills come after a random number of steps, and then a random part of an epoch later: both however slow the machine is.
    """
    temporary = path.with_name(path.name + ".tmp")
    seen = {"exits": [], "in_write": [], "epochs": []}
    for kill in range(KILLS):
        left = EPOCHS - (seen["epochs"][-1] if kill else 0)
        before = mark(temporary)
        child, steps = fork_training(path)
        if kill % EARLY == 0:
            select.select([steps], [], [], moments.uniform(0, to_start))  # or at its first step, if that comes first
        else:
            os.read(steps, 1)  # waits for the first step
            started, n = time.perf_counter(), moments.randrange(int(2 * SHARE * left / (KILLS - kill) * STEPS) + 1)
            for _ in range(n):
                os.read(steps, 1)
            if n >= STEPS:
                per_epoch = (time.perf_counter() - started) / n * STEPS  # as fast as the machine is just now
            time.sleep(moments.uniform(0, per_epoch))
        os.close(steps)
        os.kill(child, signal.SIGKILL)
        seen["exits"].append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        seen["in_write"].append(mark(temporary) not in (None, before))  # begun by this child, and not renamed
        # Before the first epoch is done there is no checkpoint. From then on it must load, each time.
        seen["epochs"].append(len(checkpoints.load_checkpoint(path)["history"]) if path.exists() else 0)
    return seen


def main() -> None:
    """Print one JSON line: what was seen, and whether both runs ended with the same numbers."""
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    torch.optim.Adam(tiny_vae().parameters())  # imports what torch loads late, so that each child need not
    whole, killed = folder / "whole.pt", folder / "killed.pt"
    per_epoch = train_to_the_end(whole) / EPOCHS
    to_start = train_to_the_end(whole)  # nothing is left to train
    seen = kill_often(killed, random.Random(seed), to_start, per_epoch)
    train_to_the_end(killed)
    a, b = (checkpoints.load_checkpoint(path) for path in (whole, killed))
    for row in [*a["history"], *b["history"]]:
        del row["seconds"]
    seen["differs"] = [key for key in a if not same(a[key], b[key])]
    print(json.dumps(seen))


def same(a, b) -> bool:
    """Bit for bit equal."""
    if isinstance(a, torch.Tensor):
        return a.equal(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return a == b


if __name__ == "__main__":
    main()
