"""fit(): one plain training loop. It knows nothing of VAEs: the model and its loss are passed in."""

import inspect
import math
import os
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from vae_course import parallel, runtime
from vae_course.checkpoints import History, Run
from vae_course.logs import VALIDATION_SEED, TensorBoardLog
from vae_course.schedules import one_cycle

VALIDATION_BATCH = 1000
GRAPH_WARM_UP = 3  # steps that run as usual before one is recorded as a CUDA graph


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient became NaN or infinite. The model is at its last finished epoch; `history` ends there."""

    history: History


# ---------------------------------------------------------------- the loop

def fit(
    model: nn.Module,
    loss_fn: Callable[..., dict[str, Tensor]],
    train: Tensor | Sequence[Tensor],
    *,
    epochs: int,
    prepare: Callable[[Tensor], Tensor],
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
    log_dir: str | os.PathLike | None = None,
    log_images: Callable[[nn.Module], Tensor] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` with Adam on data that lies as tensors on its device; returns the history.

    Args:
        model: any module; trained in place, on the device that its parameters are on.
        loss_fn: (model, prepare(x), *rest) → dict of scalar tensors, "loss" among them, e.g. `negative_elbo`. If it has an
            argument `progress`, it is given the share of the training that is done, a scalar tensor in [0, 1).
        train: x (N, …), or several tensors of equal length, such as (images, labels).
        epochs: passes over the data; each drops the remainder of N / batch_size, another one every time.
        prepare: applied to each batch of x, e.g. `data.stochastic` or `data.grey`.
        validation: as train; evaluated after each epoch, with the same noise every time.
        batch_size: examples per step, of all processes together where `parallel` has several.
        learning_rate: the peak of the schedule.
        schedule: progress in [0, 1) → factor on the learning rate: `one_cycle`, `cosine`, `constant`.
        max_grad_norm: longer gradients are scaled down to this norm.
        seed: of the order, the noise and the binarization. Same seed and same machine: same result.
        bf16: matrix products in bfloat16; None means where the machine does that fast.
        cuda_graph: on a GPU, record a step once and replay it; ignored elsewhere.
        checkpoint: file written after every epoch. The file of another run is kept as `*.previous`.
        resume: go on from `checkpoint` if it exists, on the CPU bit for bit as if training had not stopped.
        log_dir: folder for TensorBoard: the history and, with log_images, pictures.
        log_images: model → (n, C, H, W) pictures in [0, 1], called after each epoch.
        progress: show a bar, and a line at the end.

    Returns:
        History. After an interrupt (the stop button) it holds the finished epochs, and the model and the checkpoint are
        as they were at the end of the last of them.

    Raises:
        ValueError: for arguments that do not fit, or a checkpoint of another architecture or run.
        TrainingDiverged: if the loss or its gradient is NaN or infinite; says at which step.
    """
    train = as_tensors("train", train)
    device = next(model.parameters()).device
    check_arguments(model, train, validation, epochs, batch_size, learning_rate, max_grad_norm)
    settings = {"batch_size": batch_size, "learning_rate": float(learning_rate), "max_grad_norm": float(max_grad_norm),
                "schedule": getattr(schedule, "__name__", type(schedule).__name__), "seed": int(seed), "n": len(train[0])}
    n_steps = len(train[0]) // batch_size
    rates = learning_rate * schedule(torch.arange(epochs * n_steps) / (epochs * n_steps))
    read_every = 1 if device.type == "cpu" else n_steps  # a GPU would have to wait for each number that is read

    with runtime.seeded(seed, device), TensorBoardLog(log_dir, log_images) as log:
        step = TrainingStep(model, loss_fn, prepare, train, batch_size, rates.to(device), max_grad_norm, bf16)
        run = Run(model, step.optimizer, settings, checkpoint, resume)
        one_step = CudaGraph(step) if cuda_graph and device.type == "cuda" and parallel.size() == 1 else step
        bar = tqdm(total=epochs * n_steps, initial=len(run.history) * n_steps, unit="step",
                   mininterval=0.5, disable=not progress or parallel.rank() > 0)
        try:
            for epoch in range(len(run.history), epochs):
                started = time.perf_counter()
                model.train()
                step.begin_epoch(epoch, seed)
                for i in range(1, n_steps + 1):
                    one_step()
                    if i % read_every == 0:
                        bar.set_postfix(step.read_terms(i - read_every, i), refresh=False)
                        bar.update(read_every)
                row = {"epoch": epoch + 1, "seconds": time.perf_counter() - started, **step.epoch_means()}
                if validation is not None:
                    row |= evaluate(model, loss_fn, prepare, validation)
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


class PreparedLoss(nn.Module):
    """The terms of the loss of a batch, given how much of the training is done: progress (1,), x (B, …), …"""

    def __init__(self, model, loss_fn, prepare):
        super().__init__()
        self.model, self.loss_fn, self.prepare = model, loss_fn, prepare
        self.takes_progress = "progress" in inspect.signature(loss_fn).parameters

    def forward(self, progress: Tensor, x: Tensor, *rest: Tensor) -> dict[str, Tensor]:
        by_name = {"progress": progress.squeeze()} if self.takes_progress else {}
        return self.loss_fn(self.model, self.prepare(x), *rest, **by_name)


class TrainingStep:
    """One step: choose a batch, loss, gradients, clip, Adam. Its state stays on the device, so nothing waits for it."""

    def __init__(self, model, loss_fn, prepare, train, batch_size, rates, max_grad_norm, bf16):
        self.model, self.train = model, train
        self.loss = parallel.averaging_gradients(PreparedLoss(model, loss_fn, prepare))
        self.rates, self.max_grad_norm = rates, max_grad_norm
        device = rates.device
        self.bf16 = runtime.bf16_is_fast(device) if bf16 is None else bf16
        self.n_steps = len(train[0]) // batch_size
        self.order = torch.zeros(self.n_steps, batch_size, dtype=torch.long, device=device)     # of this epoch
        self.batches = self.order[:, parallel.rank()::parallel.size()]                          # this process's share
        self.step = torch.zeros(1, dtype=torch.long, device=device)         # steps since training began
        self.epoch_step = torch.zeros(1, dtype=torch.long, device=device)   # steps since the epoch began
        self.rate = torch.zeros((), device=device)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=self.rate, fused=True, capturable=device.type == "cuda")
        self.names, self.log = None, None                           # of the loss's terms; (n_steps, n_terms + 1)

    def __call__(self) -> None:
        batch = self.batches[self.epoch_step].squeeze(0)                            # (B,) indices
        x, *rest = (tensor[batch] for tensor in self.train)
        with runtime.autocast(x.device, self.bf16):
            terms = self.loss(self.step / len(self.rates), x, *rest)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm)
        self.rate.copy_(self.rates[self.step].squeeze())
        self.optimizer.step()
        self._record(terms, norm)

    def _record(self, terms: dict[str, Tensor], norm: Tensor) -> None:
        if self.log is None:
            self.names = ["loss", *(name for name in terms if name != "loss")]
            self.log = torch.zeros(self.n_steps, len(self.names) + 1, device=self.rate.device)
        values = torch.stack([*(terms[name].detach().float() for name in self.names), norm.float()])
        self.log[self.epoch_step] = values
        self.step += 1
        self.epoch_step += 1

    def begin_epoch(self, epoch: int, seed: int = 0) -> None:
        """Draw the epoch's batches, in random order and without the remainder, and start counting its steps."""
        parallel.seed_for_all(seed, epoch)
        order = torch.randperm(len(self.train[0]), device=self.order.device)
        self.order.copy_(order[:self.order.numel()].view_as(self.order))
        parallel.seed_for_this_one(seed, epoch)
        self.step.fill_(epoch * self.n_steps)
        self.epoch_step.zero_()

    def read_terms(self, first: int, last: int) -> dict[str, str]:
        """The loss's terms at step last − 1 of the epoch, as text; raises TrainingDiverged if one diverged."""
        values = self.log[first:last].tolist()
        for i, (loss, *_, norm) in enumerate(values, start=int(self.step) - len(values) + 1):
            what, value = ("gradient's norm", norm) if math.isfinite(loss) else ("loss", loss)
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f"the {what} is {value} at step {i} (epoch {(i - 1) // self.n_steps + 1}). The usual causes: a learning "
                    f"rate that is too high; pixels that are not in [0, 1]; a log or a division of zero in the loss; "
                    f"a variance that is free to shrink to zero. The model is as it was after the last finished epoch.")
        return {name: f"{value:.1f}" for name, value in zip(self.names, values[-1])}

    def epoch_means(self) -> dict[str, float]:
        """The mean of each of the loss's terms over the epoch's steps, as "train_…"."""
        return dict(zip((f"train_{name}" for name in self.names), parallel.mean(self.log.cpu().double().mean(0)).tolist()))


class CudaGraph:
    """Runs a TrainingStep a few times as usual, then records it once and only replays it: one launch for the whole step."""

    def __init__(self, step: TrainingStep):
        self.step, self.calls, self.device = step, 0, step.rate.device
        self.stream = torch.cuda.Stream(self.device)
        self.replay: Callable[[], None] = step

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == GRAPH_WARM_UP + 1:
            self.replay = self._record()
        if self.calls > GRAPH_WARM_UP:
            self.replay()
            return
        # Recording must not follow work on the default stream.
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            self.step()
        torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def _record(self) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):  # records, does not run
                self.step()
        except RuntimeError as error:  # e.g. a loss that reads a number
            print(f"This step cannot be recorded as a CUDA graph ({str(error).splitlines()[0]}); training without one.")
            return self.step
        return graph.replay


@torch.no_grad()
def evaluate(model: nn.Module, loss_fn: Callable[..., dict[str, Tensor]], prepare: Callable[[Tensor], Tensor],
             data: Tensor | Sequence[Tensor]) -> dict[str, float]:
    """The mean of each of the loss's terms over all examples, as "validation_…"; draws the same noise every time."""
    tensors = as_tensors("data", data)
    model.eval()
    loss, end = PreparedLoss(model, loss_fn, prepare), torch.ones(1, device=tensors[0].device)
    totals: dict[str, Tensor] = {}
    with runtime.seeded(VALIDATION_SEED, tensors[0].device):
        for x, *rest in zip(*(tensor.split(VALIDATION_BATCH) for tensor in tensors)):
            for name, value in loss(end, x, *rest).items():
                totals[name] = totals.get(name, 0) + value * len(x)
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
