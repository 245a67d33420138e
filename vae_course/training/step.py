"""One step of `fit`: a batch, its loss, its gradients, Adam. On a GPU it is recorded once and replayed."""

import inspect
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.training import parallel
from vae_course.training.run import History

GRAPH_WARM_UP = 3  # steps that run as usual before one is recorded as a CUDA graph


class TrainingDiverged(FloatingPointError):
    """The loss or its gradient became NaN or infinite. The model is at its last finished epoch; `history` ends there."""

    history: History


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

    def __init__(self, loss: PreparedLoss, train: Sequence[Tensor], rates: Tensor, *, batch_size: int,
                 max_grad_norm: float, bf16: bool | None):
        self.model, self.train = loss.model, train
        self.loss = parallel.averaging_gradients(loss)
        self.rates, self.max_grad_norm = rates, max_grad_norm
        device = rates.device
        self.bf16 = runtime.bf16_is_fast(device) if bf16 is None else bf16
        self.n_steps = len(train[0]) // batch_size
        self.order = torch.zeros(self.n_steps, batch_size, dtype=torch.long, device=device)     # of this epoch
        self.batches = self.order[:, parallel.rank()::parallel.size()]                          # this process's share
        self.steps_done = torch.zeros(1, dtype=torch.long, device=device)   # steps since training began
        self.epoch_step = torch.zeros(1, dtype=torch.long, device=device)   # steps since the epoch began
        self.rate = torch.zeros((), device=device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=self.rate, fused=True,
                                          capturable=device.type == "cuda")
        self.names, self.log = None, None                           # of the loss's terms; (n_steps, n_terms + 1)

    def __call__(self) -> None:
        batch = self.batches[self.epoch_step].squeeze(0)                            # (B,) indices
        x, *rest = (tensor[batch] for tensor in self.train)
        with runtime.autocast(x.device, self.bf16):
            terms = self.loss(self.steps_done / len(self.rates), x, *rest)
        self.optimizer.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.max_grad_norm)
        self.rate.copy_(self.rates[self.steps_done].squeeze())
        self.optimizer.step()
        self._record(terms, norm)

    def _record(self, terms: dict[str, Tensor], norm: Tensor) -> None:
        if self.log is None:
            self.names = ["loss", *(name for name in terms if name != "loss")]
            self.log = torch.zeros(self.n_steps, len(self.names) + 1, device=self.rate.device)
        values = torch.stack([*(terms[name].detach().float() for name in self.names), norm.float()])
        self.log[self.epoch_step] = values
        self.steps_done += 1
        self.epoch_step += 1

    def begin_epoch(self, epoch: int, seed: int = 0) -> None:
        """Draw the epoch's batches, in random order and without the remainder, and start counting its steps."""
        parallel.seed_for_all(seed, epoch)
        order = torch.randperm(len(self.train[0]), device=self.order.device)
        self.order.copy_(order[:self.order.numel()].view_as(self.order))
        parallel.seed_for_this_one(seed, epoch)
        self.steps_done.fill_(epoch * self.n_steps)
        self.epoch_step.zero_()

    def read_terms(self, first: int, last: int) -> dict[str, str]:
        """The loss's terms at step last − 1 of the epoch, as text; raises TrainingDiverged if one diverged."""
        values = self.log[first:last].tolist()
        for i, (loss, *_, norm) in enumerate(values, start=int(self.steps_done) - len(values) + 1):
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
