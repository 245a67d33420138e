"""fit(): one plain training loop. It knows nothing of VAEs: the model and its loss are passed in."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_course import runtime
from vae_course.training import parallel
from vae_course.training.identity import describe, describe_model, fingerprint, settle
from vae_course.training.run import History, Run, checkpoint_to_resume
from vae_course.training.schedules import one_cycle
from vae_course.training.step import CudaGraph, PreparedLoss, TrainingDiverged, TrainingStep
from vae_course.training.tensorboard import VALIDATION_SEED, TensorBoardLog

VALIDATION_BATCH = 1000


def fit(
    model: nn.Module,
    loss_fn: Callable[..., dict[str, Tensor]],
    train: Tensor | Sequence[Tensor],
    *,
    epochs: int,
    prepare: Callable[[Tensor], Tensor],
    loss_takes_progress: bool = False,
    validation: Tensor | Sequence[Tensor] | None = None,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    schedule: Callable[[Tensor], Tensor] = one_cycle,
    max_grad_norm: float = 1.0,
    seed: int = 0,
    bf16: bool | None = None,
    cuda_graph: bool = True,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    extend: Callable[[Tensor], Tensor] | None = None,
    log_dir: str | os.PathLike | None = None,
    log_images: Callable[[nn.Module], Tensor] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` with Adam on data that lies as tensors on its device; returns the history.

    Args:
        model: any module; trained in place, on the device that its parameters are on.
        loss_fn: (model, prepare(x), *rest) → dict of scalar tensors, "loss" among them, e.g. `negative_elbo`.
        train: x (N, …), or several tensors of equal length, such as (images, labels). If the model has a method
            `note_training_data`, as CVAE, it is called once with them.
        epochs: passes over the data; each drops the remainder of N / batch_size, another one every time.
        prepare: applied to each batch of x, e.g. `data.stochastic` or `data.grey`.
        loss_takes_progress: call loss_fn with `progress=` too: the share of the training that is done, a scalar tensor in
            [0, 1), and 1 in validation. For a loss that changes on the way, such as `warm_up_negative_elbo`.
        validation: as train; evaluated after each epoch, with the same noise every time.
        batch_size: examples per step, of all processes together where `parallel` has several.
        learning_rate: the peak of the schedule.
        schedule: progress in [0, 1) → factor on the learning rate: `one_cycle`, `cosine`, `constant`.
        max_grad_norm: longer gradients are scaled down to this norm.
        seed: of the order, the noise and the binarization. Same seed and same machine: same result.
        bf16: matrix products in bfloat16; None means where the machine does that fast.
        cuda_graph: on a GPU, record a step once and replay it; ignored elsewhere.
        checkpoint: file written after every epoch. The file of another run is kept as `*.previous`.
        resume: go on from `checkpoint` if it exists, on the CPU bit for bit as if training had not stopped. Model, loss,
            prepare, data and all settings must be those of the file: see `identity.describe` for what is compared.
        extend: with `resume`, add epochs to a run that is finished, up to the new number of `epochs`. A schedule over the
            added steps alone: its factor is on the same learning_rate, whatever the first schedule ended at, so
            `lambda progress: 0.1 * schedules.cosine(progress)` goes on gently, and `schedules.one_cycle` starts a second
            cycle. For a loss that takes progress the training is done: it is given 1.
        log_dir: folder for TensorBoard: the history and, with log_images, pictures.
        log_images: model → (n, C, H, W) pictures in [0, 1], called after each epoch.
        progress: show a bar, and a line at the end.

    Returns:
        History. After an interrupt (the stop button) it holds the finished epochs, and the model and the checkpoint are
        as they were at the end of the last of them.

    Raises:
        ValueError: for arguments that do not fit; CheckpointError, one of its kind, for a checkpoint of another
            architecture or run, naming every difference, or one that cannot be written.
        TypeError: if loss_fn cannot be called with the data, or returns no dict of scalars.
        TrainingDiverged: if the loss or its gradient is NaN or infinite; says at which step.
    """
    train = as_tensors("train", train)
    device = next(model.parameters()).device
    check_arguments(model, train, validation, epochs, batch_size, learning_rate, max_grad_norm)
    loss = PreparedLoss(model, loss_fn, prepare, bool(loss_takes_progress))
    loss.check_call(train)
    bf16, n_steps = runtime.bf16_is_fast(device) if bf16 is None else bf16, len(train[0]) // batch_size
    found = checkpoint_to_resume(model, checkpoint, resume, extend)
    settings: dict[str, Any] = {}
    if checkpoint is not None:
        settings = {"model": describe_model(model), "loss": describe(loss_fn), "loss_takes_progress": loss.takes_progress,
                    "n": len(train[0]), "prepare": describe(prepare), "data": fingerprint(train), "batch_size": batch_size,
                    "epochs": epochs, "learning_rate": float(learning_rate), "schedule": describe(schedule),
                    "max_grad_norm": float(max_grad_norm), "seed": int(seed), "bf16": bool(bf16)}
    settings = settle(settings, found, extend, checkpoint)
    rates, shares = plan(epochs, n_steps, learning_rate, schedule, settings["extensions"], extend)
    with runtime.seeded(seed, device), TensorBoardLog(log_dir, log_images) as log:
        step = TrainingStep(loss, train, rates=rates.to(device), progress=shares.to(device), batch_size=batch_size,
                            max_grad_norm=max_grad_norm, bf16=bf16)
        run = Run(model, step.optimizer, settings, checkpoint, found)
        one_step = CudaGraph(step) if cuda_graph and device.type == "cuda" and parallel.size() == 1 else step
        bar = tqdm(total=epochs * n_steps, initial=len(run.history) * n_steps, unit="step",
                   mininterval=0.5, disable=not progress or parallel.rank() > 0)
        try:
            before_the_first_step(step, loss, validation)
            for epoch in range(len(run.history), epochs):
                row = train_epoch(epoch, seed, step, one_step, bar)
                if validation is not None:
                    row |= evaluate(model, loss_fn, prepare, validation, loss_takes_progress)
                run.finish_epoch(row)
                log.write(row, model)
        except (KeyboardInterrupt, TrainingDiverged) as stop:
            run.return_to_last_epoch()
            if isinstance(stop, TrainingDiverged):
                stop.history = run.history
                raise
            print(f"Stopped by you: the model is as it was after epoch {len(run.history)} of {epochs}.")
        finally:
            bar.close()
            model.eval()
    return run.history


def plan(epochs: int, n_steps: int, learning_rate: float, schedule: Callable, extensions: list,
         extend: Callable | None) -> tuple[Tensor, Tensor]:
    """The learning rate of each step, and the share of the training that is done before it: (epochs · n_steps,) each.

    In epochs that were added, `extend` runs over the added steps alone; what a loss anneals has been done: the share is 1.
    """
    share = torch.arange(epochs * n_steps) / (epochs * n_steps)
    if not extensions:
        return learning_rate * factors("schedule", schedule, share), share
    past = extensions[-1][0] * n_steps
    added = epochs * n_steps - past
    rates = learning_rate * factors("extend", extend, torch.arange(added) / added)
    return torch.cat([torch.zeros(past), rates]), torch.ones(epochs * n_steps)


def factors(name: str, schedule: Any, share: Tensor) -> Tensor:
    """The schedule at each step's share of the training, (steps,) each; TypeError or ValueError name the argument."""
    what = f"{name} must be a function of progress, a tensor, such as schedules.cosine or lambda p: 0.1 * torch.ones_like(p)"
    if not callable(schedule):
        raise TypeError(f"{what}, got {schedule!r}")
    values = schedule(share)
    if not isinstance(values, Tensor):
        raise TypeError(f"{what}; it returned {type(values).__name__}, not a tensor")
    if values.shape != share.shape:
        raise ValueError(f"{what}; for progress {tuple(share.shape)} it returned {tuple(values.shape)}")
    if not values.isfinite().all():
        raise ValueError(f"{what}; it returned {values[~values.isfinite()][0].item()}, which is not finite")
    return values


def before_the_first_step(step: TrainingStep, loss: PreparedLoss, validation) -> None:
    """Check values where the steps will not, because reading them waits; and tell the model what it is trained on."""
    if runtime.waits_when_read(step.train[0]):
        step.check_values()
        if validation is not None:
            first = [tensor[:VALIDATION_BATCH] for tensor in as_tensors("validation", validation)]
            with runtime.checking_values():
                evaluate(loss.model, loss.loss_fn, loss.prepare, first, loss.takes_progress)
    if hasattr(step.model, "note_training_data"):
        step.model.note_training_data(*step.train)  # type: ignore[operator]


def train_epoch(epoch: int, seed: int, step: TrainingStep, one_step: Callable[[], None], bar: tqdm) -> dict:
    """All steps of an epoch; returns its row of the history. A loss that diverged is noticed, on a GPU, at the end."""
    started = time.perf_counter()
    step.model.train()
    step.begin_epoch(epoch, seed)
    read_every = step.n_steps if runtime.waits_when_read(step.rate) else 1
    for i in range(1, step.n_steps + 1):
        one_step()
        if i % read_every == 0:
            bar.set_postfix(step.read_terms(i - read_every, i), refresh=False)
            bar.update(read_every)
    return {"epoch": epoch + 1, "seconds": time.perf_counter() - started, **step.epoch_means()}


@torch.no_grad()
def evaluate(model: nn.Module, loss_fn: Callable[..., dict[str, Tensor]], prepare: Callable[[Tensor], Tensor],
             data: Tensor | Sequence[Tensor], loss_takes_progress: bool = False) -> dict[str, float]:
    """The mean of each of the loss's terms over all examples, as "validation_…"; draws the same noise every time."""
    tensors = as_tensors("data", data)
    model.eval()
    loss = PreparedLoss(model, loss_fn, prepare, loss_takes_progress)
    end = torch.ones(1, device=tensors[0].device)
    totals: dict[str, Tensor] = {}
    with runtime.seeded(VALIDATION_SEED, tensors[0].device):
        for x, *rest in zip(*(tensor.split(VALIDATION_BATCH) for tensor in tensors)):
            for name, value in loss(end, x, *rest).items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value * len(x)
    return {f"validation_{name}": (total / len(tensors[0])).item() for name, total in totals.items()}


# ---------------------------------------------------------------- arguments

def as_tensors(name: str, data: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """One tensor or several of equal length, as a tuple; raises TypeError or ValueError naming the argument."""
    tensors = (data,) if isinstance(data, Tensor) else tuple(data) if isinstance(data, Sequence) else ()
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise TypeError(f"{name} must be a tensor or a sequence of tensors, got {type(data).__name__}")
    if len({len(tensor) for tensor in tensors}) > 1:
        raise ValueError(f"{name} must hold tensors of equal length, got {[len(tensor) for tensor in tensors]}")
    return tensors


def check_arguments(model, train, validation, epochs, batch_size, learning_rate, max_grad_norm) -> None:
    """Raise ValueError, naming the argument, for numbers that cannot be meant and data on another device."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number ≥ 1, got {value!r}")
    if batch_size > len(train[0]):
        raise ValueError(f"batch_size must be at most the number of training examples, {len(train[0])}, got {batch_size}")
    if batch_size % parallel.size():
        raise ValueError(f"batch_size must be a multiple of the number of processes, {parallel.size()}, got {batch_size}")
    for name, value in (("learning_rate", learning_rate), ("max_grad_norm", max_grad_norm)):
        if not value > 0:
            raise ValueError(f"{name} must be positive, got {value!r}")
    device = next(model.parameters()).device
    given = {"train": train, "validation": () if validation is None else as_tensors("validation", validation)}
    for name, tensors in given.items():
        for tensor in tensors:
            if tensor.device != device:
                raise ValueError(f"{name} must be on the model's device, {device}, got {tensor.device}")
