"""How a step comes by its batch: from tensors on its device, or gathered beside it, while the step before trains.

A `Source` is a tensor, or anything that is asked for its examples as a tensor is: `data.ImageFile`, whose pictures lie on
the disk. The batches are the same wherever the examples lie, bit for bit.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor

from vae_course import runtime
from vae_course.training import parallel

GPU_SHARE, MEMORY_SHARE = 0.5, 0.25     # of what is free there: data that would take more are streamed
AHEAD = 2                               # batches that are gathered before they are asked for
PIECE = 2**26                           # bytes that are read from a file at once
CPU = torch.device("cpu")


class Source(Protocol):
    """Examples (N, …): a tensor, or what is asked as one is, and answers with tensors on the CPU."""

    @property
    def shape(self) -> Sequence[int]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> torch.device: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Tensor: ...      # by a slice, or by whole numbers (B,)

    def split(self, size: int, /) -> Iterable[Tensor]: ...


def bytes_of(source: Source) -> int:
    """What the examples take in memory."""
    return math.prod(source.shape) * source.dtype.itemsize


def pieces(source: Source, n_bytes: int) -> Iterable[Tensor]:
    """All examples in their order, in blocks of about that many bytes."""
    return source.split(max(1, n_bytes * len(source) // bytes_of(source))) if bytes_of(source) else ()


# ---------------------------------------------------------------- where the examples shall lie

def place(name: str, sources: Sequence[Source], device: torch.device) -> tuple[Source, ...]:
    """The sources on the device if they fit there; else in memory if they fit there; else where they are.

    A line says so, unless they are on the device already.
    """
    placed: tuple[Source, ...] | None = None
    before = {where: runtime.free_memory(where) for where in (device, CPU)} if _not_on(device, sources) else {}
    for where in before:
        share = MEMORY_SHARE / parallel.size_here() if where == CPU else GPU_SHARE
        if placed is None and sum(map(bytes_of, _not_on(where, sources))) <= share * before[where]:
            placed = tuple(read(source, where) for source in sources)
    if not before:
        return tuple(sources)
    if placed is None:
        placed = tuple(source.cpu() if isinstance(source, Tensor) else source for source in sources)
    if parallel.rank() == 0:
        print(_told(name, placed, sum(map(bytes_of, _not_on(device, sources))), device, before))
    return placed


def _not_on(device: torch.device, sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if not isinstance(source, Tensor) or source.device != device]


def _told(name: str, placed: Sequence[Source], n_bytes: int, device: torch.device, free: dict[torch.device, int]) -> str:
    names = {CPU: "memory", device: "memory" if device == CPU else str(device)}
    left = ", ".join(f"{names[where]} has {gigabytes(n)} free" for where, n in free.items())
    what = f"{name}: {len(placed[0]):,} examples, {gigabytes(n_bytes)}, "
    if not _not_on(device, placed):
        return f"{what}are copied into {names[device]} ({left})."
    where = "memory" if all(isinstance(source, Tensor) for source in placed) else "the disk"
    return (f"{what}stay {'in' if where == 'memory' else 'on'} {where}: each batch comes from there while the one before "
            f"trains ({left}).")


def gigabytes(n_bytes: int) -> str:
    """A size, such as "1.2 GB" or "47 MB"."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def read(source: Source, device: torch.device) -> Tensor:
    """All examples as one tensor on the device; a file is read in pieces."""
    if isinstance(source, Tensor):
        return source.to(device)
    whole, n = torch.empty(tuple(source.shape), dtype=source.dtype, device=device), 0
    for piece in pieces(source, PIECE):
        whole[n:n + len(piece)] = piece
        n += len(piece)
    return whole


# ---------------------------------------------------------------- the batches of an epoch

def feed(sources: Sequence[Source], device: torch.device) -> "Resident | Streamed":
    """What gives a step its batches, to be used in a with-statement: sources on the device are indexed there."""
    return Streamed(sources, device) if _not_on(device, sources) else Resident(sources)


class Resident:
    """Batches of tensors that lie on the device: chosen there, within the step."""

    def __init__(self, sources: Sequence[Source]):
        self.sources = sources

    def begin_epoch(self, batches: Tensor) -> None:
        """Nothing to prepare."""

    def advance(self) -> None:
        """Nothing to bring."""

    def batch(self, batches: Tensor, step: Tensor) -> list[Tensor]:
        """The batch of a step (1,), of which row `step` of `batches` (n_steps, B) holds the indices."""
        rows = batches[step].squeeze(0)
        return [source[rows] for source in self.sources]

    def __enter__(self) -> "Resident":
        return self

    def __exit__(self, *error) -> None:
        pass


class Streamed:
    """Batches that a thread of its own gathers on the CPU, ahead of the step, and that are then brought to the device."""

    def __init__(self, sources: Sequence[Source], device: torch.device):
        self.sources, self.device = sources, device
        self.thread = ThreadPoolExecutor(1, "batches")  # it starts with the first batch, and ends when the feed is left
        self.coming: deque[Future[list[Tensor]]] = deque()
        self.lane: Lane | None = None
        self.now: list[Tensor] = []

    def begin_epoch(self, batches: Tensor) -> None:
        """Start to gather the first batches of an epoch, whose indices are (n_steps, B)."""
        while self.coming:
            self.coming.pop().cancel()
        self.steps, self.batches = iter(range(len(batches))), batches.cpu()
        if self.device.type == "cuda" and self.lane is None:
            self.lane = Lane(self.sources, batches.shape[1], self.device)
        for _ in range(AHEAD):
            self._gather_next()

    def _gather_next(self) -> None:
        step = next(self.steps, None)
        if step is not None:
            self.coming.append(self.thread.submit(self._gather, step))

    def _gather(self, step: int) -> list[Tensor]:
        batch = [source[self.batches[step]] for source in self.sources]
        return self.lane.pin(batch, step) if self.lane else batch

    def advance(self) -> None:
        """Bring the next batch to the device; an error in the thread is raised here."""
        batch = self.coming.popleft().result()
        self.now = self.lane.bring(batch) if self.lane else [part.to(self.device) for part in batch]
        self._gather_next()

    def batch(self, batches: Tensor, step: Tensor) -> list[Tensor]:
        """The batch that `advance` brought; on an NVIDIA GPU always at the same place, so that a step can be replayed."""
        return self.now

    def __enter__(self) -> "Streamed":
        return self

    def __exit__(self, *error) -> None:
        self.thread.shutdown(cancel_futures=True)


class Lane:
    """The way of a batch to an NVIDIA GPU: pinned memory, then, on a stream of its own, a buffer, then where the step reads.

    The copy into the buffer runs beside the step before; only the short one on the GPU waits for that step to end. The
    thread calls `pin`, and CUDA never: so it may go on while a graph is recorded.
    """

    def __init__(self, sources: Sequence[Source], batch_size: int, device: torch.device):
        empty = [torch.empty((batch_size, *source.shape[1:]), dtype=source.dtype) for source in sources]
        # A batch is on its way from its pinned memory while AHEAD others may be filled.
        self.pinned = [[pinned_like(part) for part in empty] for _ in range(AHEAD + 1)]
        self.buffer, self.place = ([torch.empty_like(part, device=device) for part in empty] for _ in range(2))
        self.device, self.stream = device, torch.cuda.Stream(device)
        self.arrived, self.emptied = torch.cuda.Event(), torch.cuda.Event()     # the buffer's batch; since it was taken
        self.stream.wait_stream(torch.cuda.current_stream(device))

    def pin(self, batch: list[Tensor], step: int) -> list[Tensor]:
        """Copy a batch into pinned memory."""
        slot = self.pinned[step % len(self.pinned)]
        for to, part in zip(slot, batch):
            to.copy_(part)
        return slot

    def bring(self, batch: list[Tensor]) -> list[Tensor]:
        """Start both copies; returns the tensors in which the batch will be when the next step runs."""
        self.arrived.synchronize()      # the batch before has left its pinned memory, which is filled next
        with torch.cuda.stream(self.stream):
            self.stream.wait_event(self.emptied)
            for to, part in zip(self.buffer, batch):
                to.copy_(part, non_blocking=True)
            self.arrived.record(self.stream)
        main = torch.cuda.current_stream(self.device)
        main.wait_event(self.arrived)
        for to, part in zip(self.place, self.buffer):
            to.copy_(part)
        self.emptied.record(main)
        return self.place


def pinned_like(tensor: Tensor) -> Tensor:
    """Memory from which a GPU can copy while the CPU does other things."""
    return torch.empty_like(tensor, pin_memory=True)
