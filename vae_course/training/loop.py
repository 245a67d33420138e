"""fit(): one plain training loop. It knows nothing of VAEs: the model and its loss are passed in."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_course import runtime
from vae_course.training import arguments, feeding, parallel
from vae_course.training.arguments import as_sources
from vae_course.training.diagnosis import TrainingDiverged, warning_of, warning_of_examples
from vae_course.training.feeding import Source
from vae_course.training.identity import describe, describe_model, fingerprint, settle
from vae_course.training.run import History, Run, checkpoint_to_resume
from vae_course.training.schedules import one_cycle
from vae_course.training.step import CudaGraph, PreparedLoss, TrainingStep
from vae_course.training.tensorboard import VALIDATION_SEED, TensorBoardLog

VALIDATION_BATCH = 1000


def fit(
    model: nn.Module,
    loss_fn: Callable[..., dict[str, Tensor]],
    train: Source | Sequence[Source],
    *,
    epochs: int,
    prepare: Callable[[Tensor], Tensor],
    loss_takes_progress: bool = False,
    validation: Source | Sequence[Source] | None = None,
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
    """Train `model` with Adam; returns the history.

    Args:
        model: any module; trained in place, on the device that its parameters are on.
        loss_fn: (model, prepare(x), *rest) → dict of scalar tensors, "loss" among them, e.g. `negative_elbo`.
        train: x (N, …), or several of equal length, such as (images, labels): tensors, or a `data.ImageFile` on the disk.
            What is not on the model's device is brought there if it fits, else batch by batch, the next one while one
            trains: a printed line says which, the numbers are the same. If the model has a method `note_training_data`,
            as CVAE, it is called once with them.
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
        ValueError: for arguments that do not fit, with the call that mends it; CheckpointError, one of its kind, for a
            checkpoint of another architecture or run, naming every difference, or one that cannot be written.
        TypeError: if loss_fn cannot be called with the data, or returns no dict of scalars; or for data of another kind.
        TrainingDiverged: if the loss or its gradient is NaN or infinite; says at which step, which term, and what people do.
    """
    device, train, validation = arguments.check_data(model, train, validation)
    arguments.check_numbers(len(train[0]), epochs, batch_size, learning_rate, max_grad_norm, seed)
    loss = PreparedLoss(model, loss_fn, prepare, bool(loss_takes_progress))
    loss.check_call(train)
    bf16, n_steps = runtime.bf16_is_fast(device) if bf16 is None else bf16, len(train[0]) // batch_size
    found = checkpoint_to_resume(model, checkpoint, resume, extend)
    settings: dict[str, Any] = {} if checkpoint is None else {
        "model": describe_model(model), "loss": describe(loss_fn), "loss_takes_progress": loss.takes_progress,
        "n": len(train[0]), "prepare": describe(prepare), "data": fingerprint(train), "batch_size": batch_size,
        "epochs": epochs, "learning_rate": float(learning_rate), "schedule": describe(schedule),
        "max_grad_norm": float(max_grad_norm), "seed": int(seed), "bf16": bool(bf16)}
    settings = settle(settings, found, extend, checkpoint)
    rates, shares = plan(epochs, n_steps, learning_rate, schedule, settings["extensions"], extend)
    train, validation = feeding.place("train", train, device), feeding.place("validation", validation, device)
    with runtime.seeded(seed, device), TensorBoardLog(log_dir, log_images) as log, feeding.feed(train, device) as feed:
        step = TrainingStep(loss, feed, rates=rates.to(device), progress=shares.to(device), batch_size=batch_size,
                            max_grad_norm=max_grad_norm, bf16=bf16)
        run = Run(model, step.optimizer, settings, checkpoint, found)
        one_step = CudaGraph(step) if cuda_graph and device.type == "cuda" and parallel.size() == 1 else step
        bar = tqdm(total=epochs * n_steps, initial=len(run.history) * n_steps, unit="step",
                   mininterval=0.5, disable=not progress or parallel.rank() > 0)
        try:
            run.tell_once(before_the_first_step(step, loss, validation))
            for epoch in range(len(run.history), epochs):
                row = train_epoch(epoch, seed, step, one_step, bar)
                if validation:
                    row |= evaluate(model, loss_fn, prepare, validation, loss_takes_progress)
                run.finish_epoch(row)
                log.write(row, model)
                run.tell_once(warning_of(model))
        except (KeyboardInterrupt, TrainingDiverged) as stop:
            run.return_to_last_epoch()
            if isinstance(stop, TrainingDiverged):
                stop.tell(run.history, warning_of(model))
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


def before_the_first_step(step: TrainingStep, loss: PreparedLoss, validation) -> str | None:
    """Check values where the steps will not, because reading them waits; tell the model its data; returns a warning."""
    if runtime.waits_when_read(step.rate):
        step.check_values()
        if validation:
            first = [source[:VALIDATION_BATCH] for source in validation]
            with runtime.checking_values():
                evaluate(loss.model, loss.loss_fn, loss.prepare, first, loss.takes_progress)
    if hasattr(step.model, "note_training_data"):
        step.model.note_training_data(*step.feed.sources)  # type: ignore[operator]
    return warning_of_examples(loss.model, step.feed.sources[0][:VALIDATION_BATCH])


def train_epoch(epoch: int, seed: int, step: TrainingStep, one_step: Callable[[], None], bar: tqdm) -> dict:
    """All steps of an epoch; returns its row of the history. A loss that diverged is noticed, on a GPU, at the end."""
    started = time.perf_counter()
    step.model.train()
    step.begin_epoch(epoch, seed)
    read_every = step.n_steps if runtime.waits_when_read(step.rate) else 1
    for i in range(1, step.n_steps + 1):
        step.feed.advance()
        one_step()
        if i % read_every == 0:
            bar.set_postfix(step.read_terms(i - read_every, i), refresh=False)
            bar.update(read_every)
    return {"epoch": epoch + 1, "seconds": time.perf_counter() - started, **step.epoch_means()}


@torch.no_grad()
def evaluate(model: nn.Module, loss_fn: Callable[..., dict[str, Tensor]], prepare: Callable[[Tensor], Tensor],
             data: Source | Sequence[Source], loss_takes_progress: bool = False) -> dict[str, float]:
    """The mean of each of the loss's terms over all examples, as "validation_…"; draws the same noise every time."""
    sources = as_sources("data", data)
    model.eval()
    loss = PreparedLoss(model, loss_fn, prepare, loss_takes_progress, name="the validation data")
    device = next((weight.device for weight in model.parameters()), sources[0].device)
    end = torch.ones(1, device=device)
    totals: dict[str, Tensor] = {}
    with runtime.seeded(VALIDATION_SEED, device):
        for block in zip(*(source.split(VALIDATION_BATCH) for source in sources)):
            for name, value in loss(end, *(part.to(device) for part in block)).items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value * len(block[0])
    return {f"validation_{name}": (total / len(sources[0])).item() for name, total in totals.items()}
