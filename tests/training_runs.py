"""What the tests of training share: a tiny data set, `fit` with common settings, and a stop at a chosen moment."""

import copy
import signal
from pathlib import Path

import torch
from tiny_vae import tiny_images
from torch import Tensor, nn

from vae_course import checkpoints, data
from vae_course.objectives import negative_elbo
from vae_course.training import History, fit
from vae_course.training.feeding import Resident
from vae_course.training.schedules import constant
from vae_course.training.step import PreparedLoss, TrainingStep

N, N_VALIDATION, BATCH = 53, 19, 8
N_STEPS = N // BATCH  # 6 steps an epoch, and five examples are left out
IMAGES, VALIDATION = tiny_images(N), tiny_images(N_VALIDATION, seed=1)


def train(model: nn.Module, loss_fn=negative_elbo, images=IMAGES, **changes) -> History:
    """`fit` with the settings that most tests share."""
    settings = {"epochs": 3, "prepare": data.stochastic, "batch_size": BATCH, "learning_rate": 0.02, "schedule": constant,
                "bf16": False, "progress": False}
    return fit(model, loss_fn, images, **{**settings, **changes})


def step_of(model: nn.Module, loss_fn=negative_elbo, prepare=data.stochastic, takes_progress: bool = False,
            n_steps: int = 99) -> TrainingStep:
    """A step as `fit` makes it, at the rate 0.02."""
    return TrainingStep(PreparedLoss(model, loss_fn, prepare, takes_progress), Resident((IMAGES,)), batch_size=BATCH,
                        rates=torch.full((n_steps,), 0.02), progress=torch.arange(n_steps) / n_steps, max_grad_norm=1.0,
                        bf16=False)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def same(a, b) -> bool:
    """Bit for bit equal: dicts and lists of tensors, numbers and strings."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and a.equal(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def without_seconds(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def on_disk(path: Path) -> dict:
    """The checkpoint, less what a clock wrote into it."""
    checkpoint = checkpoints.load_checkpoint(path)
    return {**checkpoint, "history": without_seconds(checkpoint["history"])}


def at_call(n: int, action, loss_fn=negative_elbo):
    """A loss function that does `action` when it is called for the nth time."""
    calls = 0

    def counting(model, x, *rest):
        nonlocal calls
        calls += 1
        terms = loss_fn(model, x, *rest)
        return action(terms) if calls == n else terms
    return counting


def press_stop(terms=None):
    """What the stop button of a notebook does."""
    signal.raise_signal(signal.SIGINT)
    return terms


def at_pass(model: nn.Module, n: int, action=press_stop) -> nn.Module:
    """The model, which does `action` when its encoder is used for the nth time; its loss stays what it was."""
    passes = 0

    def count(module, inputs, output):
        nonlocal passes
        passes += 1
        if passes == n:
            action()
    model.encoder.register_forward_hook(count)
    return model


def truncated(content: bytes) -> bytes:
    return content[:len(content) // 2]
