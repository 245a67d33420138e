"""Several processes, one training: `torchrun` starts them, `torch.distributed` averages what they computed.

Each process holds the whole data set and a copy of the model, and computes its share of every batch. Without `start`,
or with one process, everything here does nothing.
"""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def start(device: torch.device) -> torch.device:
    """Join the processes that `torchrun` started; returns this one's device. Alone, where torchrun did not start it.

    Args:
        device: the kind that is wanted: on "cuda" each process takes the GPU of its local rank, and NCCL carries the
            sums; on "cpu" it is gloo.
    """
    if "RANK" not in os.environ:
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def stop() -> None:
    """Leave the group again."""
    if started():
        dist.destroy_process_group()


def started() -> bool:
    """Whether this process belongs to a group, be it of one."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if started() else 0


def size() -> int:
    """The number of processes."""
    return dist.get_world_size() if started() else 1


def size_here() -> int:
    """The number of processes on this machine, which share its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if size() > 1 else 1


def wait_for_all() -> None:
    """Return when every process has come here."""
    if size() > 1:
        dist.barrier()


def averaging_gradients(module: nn.Module) -> nn.Module:
    """The module, whose backward pass then averages the gradients over the processes; all start from rank 0's weights."""
    return DistributedDataParallel(module, broadcast_buffers=False) if size() > 1 else module


def mean(values: Tensor) -> Tensor:
    """The mean over the processes of a tensor on the CPU."""
    if size() == 1:
        return values
    total = values.cuda() if dist.get_backend() == "nccl" else values.clone()
    dist.all_reduce(total)
    return total.cpu() / size()


def seed_for_all(seed: int, epoch: int) -> None:
    """In a group: from here on every process draws the same numbers, such as the order of the examples."""
    if started():
        torch.manual_seed(_mixed(seed, epoch, 0))


def seed_for_this_one(seed: int, epoch: int) -> None:
    """In a group: from here on this process draws numbers of its own, such as the noise of its examples."""
    if started():
        torch.manual_seed(_mixed(seed, epoch, 1 + rank()))


def _mixed(seed: int, epoch: int, who: int) -> int:
    return ((seed * 2**20 + epoch) * 2**20 + who) % 2**63
