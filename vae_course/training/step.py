"""One step of `fit`: a batch, its loss, its gradients, Adam. On a GPU it is recorded once and replayed."""

import inspect
import math
import re
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.arguments import check_examples, told
from vae_course.training import parallel
from vae_course.training.diagnosis import TrainingDiverged, what_diverged
from vae_course.training.feeding import Resident, Source, Streamed

GRAPH_WARM_UP = 3  # steps that run as usual before one is recorded as a CUDA graph


class PreparedLoss(nn.Module):
    """The terms of the loss of a batch, given how much of the training is done: progress (1,), x (B, …), …

    Args:
        model, loss_fn, prepare: as `fit`.
        takes_progress: whether loss_fn is called with `progress`, a scalar tensor, too.
        name: of the data, for the error that the first batch raises if it does not fit the model.
    """

    def __init__(self, model: nn.Module, loss_fn: Callable, prepare: Callable, takes_progress: bool = False,
                 name: str = "train"):
        super().__init__()
        self.model, self.loss_fn, self.prepare, self.takes_progress = model, loss_fn, prepare, takes_progress
        self.name, self.has_run = name, False

    def check_call(self, tensors: Sequence[Source]) -> None:
        """Raise TypeError if the loss cannot be called with a batch of these, and say what it can be given."""
        if not callable(self.prepare):
            raise TypeError("prepare must be a function of a batch, such as data.grey or data.stochastic, without "
                            f"parentheses, got {told(self.prepare)}")
        if not callable(self.loss_fn):
            raise TypeError("loss_fn must be a function (model, x, …) → dict of scalar tensors, such as negative_elbo: "
                            f"fit calls it, got {type(self.loss_fn).__name__}")
        by_name = {"progress": None} if self.takes_progress else {}
        try:
            signature = inspect.signature(self.loss_fn)
        except ValueError:
            return  # a callable that does not tell its arguments
        try:
            signature.bind(self.model, *tensors, **by_name)
        except TypeError as error:
            called = ", ".join(["model", "x", *["…"] * (len(tensors) > 1), *["progress=…"] * self.takes_progress])
            raise TypeError(f"loss_fn is called as loss_fn({called}), which does not fit its arguments: {error}. "
                            "With loss_takes_progress=True, fit gives it `progress`, the share that is done") from None
        if not self.takes_progress and "progress" in signature.parameters and not _binds_progress(self.loss_fn):
            raise TypeError("loss_fn has an argument `progress`, which fit would leave at its default: say "
                            "loss_takes_progress=True, or bind it with functools.partial(loss_fn, progress=…)")

    def forward(self, progress: Tensor, x: Tensor, *rest: Tensor) -> dict[str, Tensor]:
        by_name = {"progress": progress.squeeze()} if self.takes_progress else {}
        x = self.prepare(x)
        try:
            terms = self.loss_fn(self.model, x, *rest, **by_name)
        except (TypeError, ValueError, RuntimeError) as error:
            if not self.has_run:
                self._explain(x, error)
            raise
        if not self.has_run:
            self._check_scale(x)
        self.has_run = True
        return terms

    def _explain(self, x: Tensor, error: Exception) -> None:
        """Raise what is wrong with x, what `prepare` returned, if that is what the loss stumbled over in the first batch.

        It is if the model says so itself, or if torch speaks of types and x is not of the type of the weights: models that
        check nothing end in "mat1 and mat2 must have the same dtype".
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"prepare must return a tensor (B, …), as data.grey does, got {type(x).__name__}") from None
        shape = getattr(self.model, "input_shape", None)
        try:
            check_examples(x, shape if isinstance(shape, tuple) else x.shape[1:], next(self.model.parameters()).dtype)
        except (TypeError, ValueError) as wrong:
            torchs = isinstance(error, RuntimeError) and "type" in str(error)
            if torchs or str(wrong).startswith(str(error)):
                raise type(wrong)(f"{self.name} does not fit the model: after prepare, {wrong}") from None
        if isinstance(error, RuntimeError) and re.search("shape|size", str(error)):
            raise ValueError(f"{self.name} does not fit the model or loss_fn: after prepare, x is {told(x)}, and torch says "
                             f"{str(error).splitlines()[0]}") from error

    def _check_scale(self, x: Tensor) -> None:
        """Raise ValueError for pixels from 0 to 255 as floats: a Gaussian likelihood takes numbers on any scale."""
        shape = getattr(self.model, "input_shape", None)
        if isinstance(shape, tuple) and len(shape) == 3 and x.is_floating_point() and runtime.may_be_read(x):
            low, high = x.min().item(), x.max().item()
            if 0 <= low and 2 < high <= 255 and bool((x == x.round()).all()):
                raise ValueError(f"{self.name} holds floats from {low:g} to {high:g} after prepare, and pictures are floats "
                                 "in [0, 1]: divide by 255; or take uint8 pictures, as data.from_arrays makes them, and "
                                 "prepare=data.grey")


def _binds_progress(loss_fn: Callable) -> bool:
    return isinstance(loss_fn, partial) and ("progress" in loss_fn.keywords or _binds_progress(loss_fn.func))


def check_terms(terms: dict[str, Tensor]) -> None:
    """Raise TypeError unless a loss returned a dict of scalar tensors with "loss" among them. Reads no value."""
    what = 'loss_fn must return a dict of scalar tensors with "loss" among them, as negative_elbo does'
    if not isinstance(terms, dict):
        raise TypeError(f"{what}, got {type(terms).__name__}")
    if "loss" not in terms:
        raise TypeError(f"{what}, got {', '.join(map(repr, terms)) or 'nothing'}")
    for name, term in terms.items():
        if not isinstance(term, Tensor) or term.ndim:
            kind = f"a tensor of shape {tuple(term.shape)}" if isinstance(term, Tensor) else type(term).__name__
            raise TypeError(f"{what}, got {name!r}: {kind}")


class TrainingStep:
    """One step: choose a batch, loss, gradients, clip, Adam. Its state stays on the device, so nothing waits for it.

    Args:
        loss: of the model that is trained.
        feed: the training data, (N, …) each.
        rates, progress: (steps,) the learning rate of each step of the whole training, and the share that is done before
            it; on the device.
        batch_size, max_grad_norm, bf16: as `fit`.
    """

    def __init__(self, loss: PreparedLoss, feed: Resident | Streamed, *, rates: Tensor, progress: Tensor, batch_size: int,
                 max_grad_norm: float, bf16: bool):
        self.model, self.feed, self.loss_alone = loss.model, feed, loss
        self.loss = parallel.averaging_gradients(loss)
        self.rates, self.progress, self.max_grad_norm, self.bf16 = rates, progress, max_grad_norm, bf16
        device = rates.device
        self.n_steps = len(feed.sources[0]) // batch_size
        self.order = torch.zeros(self.n_steps, batch_size, dtype=torch.long, device=device)     # of this epoch
        self.batches = self.order[:, parallel.rank()::parallel.size()]                          # this process's share
        self.steps_done = torch.zeros(1, dtype=torch.long, device=device)   # steps since training began
        self.epoch_step = torch.zeros(1, dtype=torch.long, device=device)   # steps since the epoch began
        self.rate = torch.zeros((), device=device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.rate, fused=True,
                                          capturable=device.type == "cuda")
        self.names: list[str] = []                                  # of the loss's terms, once there are some
        self.log = torch.zeros(self.n_steps, 0, device=device)      # (n_steps, n_terms + 1)

    def __call__(self) -> None:
        x, *rest = self.feed.batch(self.batches, self.epoch_step)                   # (B, …) each
        with runtime.autocast(x.device, self.bf16):
            terms = self.loss(self.progress[self.steps_done], x, *rest)
        if not self.names:
            check_terms(terms)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm)
        self.rate.copy_(self.rates[self.steps_done].squeeze())
        self.optimizer.step()
        self._record(terms, norm)

    def _record(self, terms: dict[str, Tensor], norm: Tensor) -> None:
        if not self.names:
            self.names = ["loss", *(name for name in terms if name != "loss")]
            self.log = torch.zeros(self.n_steps, len(self.names) + 1, device=self.rate.device)
        values = torch.stack([*(terms[name].detach().float() for name in self.names), norm.float()])
        self.log[self.epoch_step] = values
        self.steps_done += 1
        self.epoch_step += 1

    def check_values(self) -> None:
        """Compute the loss of a first batch with its values checked, and leave everything as it was.

        The steps themselves check no values on a GPU, where each reading would make them wait.
        """
        device, buffers = self.rate.device, {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self.model.train()
        with runtime.seeded(0, device), runtime.checking_values(), runtime.autocast(device, self.bf16):
            first = (source[:self.batches.shape[1]].to(device) for source in self.feed.sources)
            check_terms(self.loss_alone(self.progress[:1], *first))
        for name, buffer in self.model.named_buffers():
            buffer.copy_(buffers[name])

    def begin_epoch(self, epoch: int, seed: int = 0) -> None:
        """Draw the epoch's batches, in random order and without the remainder, and start counting its steps."""
        parallel.seed_for_all(seed, epoch)
        order = torch.randperm(len(self.feed.sources[0]), device=self.order.device)
        self.order.copy_(order[:self.order.numel()].view_as(self.order))
        parallel.seed_for_this_one(seed, epoch)
        self.steps_done.fill_(epoch * self.n_steps)
        self.epoch_step.zero_()
        self.feed.begin_epoch(self.batches)

    def read_terms(self, first: int, last: int) -> dict[str, str]:
        """The loss's terms at step last − 1 of the epoch, as text; raises TrainingDiverged if one diverged."""
        values = self.log[first:last].tolist()
        for i, row in enumerate(values, start=int(self.steps_done) - len(values) + 1):
            if not (math.isfinite(row[0]) and math.isfinite(row[-1])):
                epoch, k = divmod(i - 1, self.n_steps)
                raise TrainingDiverged(what_diverged(dict(zip([*self.names, "gradient's norm"], row)), i, epoch + 1,
                                                     self.feed.sources[0], self.batches[k]))
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
