"""The numbers and pictures of a training run, written for TensorBoard."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vae_course import runtime

VALIDATION_SEED = 1


class TensorBoardLog:
    """Writes each epoch's row, and pictures, for TensorBoard; does nothing without a folder."""

    def __init__(self, folder: str | os.PathLike | None, log_images: Callable[[nn.Module], Tensor] | None):
        if log_images is not None and not callable(log_images):
            raise TypeError(f"log_images must be a function model → (n, C, H, W) pictures, got {type(log_images).__name__}")
        self.folder, self.log_images = folder, log_images
        self.writer: Any = None     # a SummaryWriter, in a run that has a folder

    def __enter__(self) -> "TensorBoardLog":
        if self.folder is not None:
            from torch.utils.tensorboard import SummaryWriter  # slow to import: only when it is used
            self.writer = SummaryWriter(self.folder)
        return self

    def write(self, row: dict, model: nn.Module) -> None:
        """One epoch's numbers as scalars, named train/elbo and so on, and the pictures."""
        if self.writer is None:
            return
        for name, value in row.items():
            self.writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
        if self.log_images is not None:
            model.eval()
            with torch.no_grad(), runtime.seeded(VALIDATION_SEED, next(model.parameters()).device):  # the same z each time
                self.writer.add_images("samples", self.log_images(model), row["epoch"])

    def __exit__(self, *error) -> None:
        if self.writer is not None:
            self.writer.close()
