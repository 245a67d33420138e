"""A run of `fit`: its history, and what must survive a stop, in memory and in a checkpoint on the disk."""

import copy
import os
from collections.abc import Callable
from pathlib import Path

from torch import nn
from tqdm.auto import tqdm

from vae_course import runtime
from vae_course.checkpoints import (
    check_same_architecture,
    check_writable,
    keep_previous,
    load_checkpoint,
    save_checkpoint,
)
from vae_course.training import parallel


class History(list):
    """One dict per finished epoch: "epoch", "seconds", "train_elbo", "validation_elbo", … in nats per example."""

    def column(self, name: str) -> list[float]:
        """One value per epoch, for a plot.

        Raises:
            KeyError: if nothing of that name was recorded; the message lists the names there are.
        """
        if self and name not in self[0]:
            raise KeyError(f"history has no column {name!r}; it has {', '.join(self[0])}")
        return [row[name] for row in self]


def checkpoint_to_resume(model: nn.Module, path: str | os.PathLike | None, resume: bool,
                         extend: Callable | None) -> dict | None:
    """The checkpoint to go on from, or None for a run from the beginning.

    Raises:
        CheckpointError: if the file is damaged, no checkpoint, or of a model of other shapes.
        ValueError: if there is no path or that of a folder, or nothing to extend.
    """
    if path is not None and Path(path).is_dir():
        raise ValueError(f"checkpoint must name a file, such as {Path(path) / 'checkpoint.pt'}, and {path} is a folder")
    if resume and path is None:
        raise ValueError("resume=True needs the path of a checkpoint, got checkpoint=None")
    if resume and path is not None and Path(path).exists():
        found = load_checkpoint(Path(path))
        check_same_architecture(model.state_dict(), found["model"], Path(path))
        return found
    if extend is not None:
        raise ValueError("extend adds epochs to a finished run: it needs resume=True and the checkpoint of that run, got "
                         f"resume={resume} and checkpoint={path}" + (", which does not exist" if resume else ""))
    return None


class Run:
    """What must survive a stop: model, optimizer, random state and history of the last finished epoch."""

    def __init__(self, model, optimizer, settings: dict, path: str | os.PathLike | None, resumed: dict | None):
        self.model, self.optimizer, self.settings = model, optimizer, settings
        self.device = next(model.parameters()).device
        self.path = None if path is None else Path(path)
        self.history, self.epochs_on_disk, self.previous_kept, self.warned = History(), 0, False, False
        finished = resumed is not None and len(resumed["history"]) >= settings["epochs"]
        if self.path is not None and parallel.rank() == 0 and not finished:
            check_writable(self.path)
        if resumed is not None:
            self._resume(resumed)
        self.last = self._snapshot(self.history)

    def _snapshot(self, history: list[dict]) -> dict:
        return {"model": copy.deepcopy(self.model.state_dict()), "settings": self.settings, "history": list(history),
                "optimizer": copy.deepcopy(self.optimizer.state_dict()["state"]),
                "random": runtime.random_state(self.device)}

    def _restore(self, snapshot: dict) -> None:
        self.model.load_state_dict(snapshot["model"])
        own_groups = self.optimizer.state_dict()["param_groups"]
        rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.load_state_dict({"state": snapshot["optimizer"], "param_groups": own_groups})
        self.optimizer.param_groups[0]["lr"] = rate  # load_state_dict replaced the tensor that the step writes to
        self.history = History(snapshot["history"])

    def _resume(self, checkpoint: dict) -> None:
        self._restore(checkpoint)
        runtime.set_random_state(checkpoint["random"], self.device)
        self.epochs_on_disk, self.previous_kept = len(self.history), True

    def finish_epoch(self, row: dict) -> None:
        """Add the epoch to the history, remember everything in memory, and write the checkpoint."""
        self.last = self._snapshot([*self.history, row])
        self.history = History(self.last["history"])
        self._write()

    def tell_once(self, warning: str | None) -> None:
        """Print the first warning of a training, and after which epoch it came."""
        if warning and not self.warned and parallel.rank() == 0:
            when = f"After epoch {len(self.history)}" if self.history else "Before the first epoch"
            tqdm.write(f"{when}: {warning}")  # print would run into the bar
        self.warned = self.warned or bool(warning)

    def return_to_last_epoch(self) -> None:
        """Put model and history back to the last finished epoch, and make sure that the checkpoint is the same."""
        self._restore(self.last)
        self._write()

    def _write(self) -> None:
        if self.path is None or parallel.rank() > 0 or self.epochs_on_disk == len(self.last["history"]):
            return
        if not self.previous_kept:  # only once: an interrupted write is repeated, and must not move this run's file away
            keep_previous(self.path)
            self.previous_kept = True
        save_checkpoint(self.last, self.path)
        self.epochs_on_disk = len(self.last["history"])
