"""How slow this machine is just now, for tests that limit seconds."""

import statistics
import time

import torch
from torch import nn

from vae_course import runtime

REFERENCE_STEP = 0.0042  # seconds of one step below on two quiet CPU cores, where an epoch of `fit` at batch 128 takes 1.7 s
WARM_UP, STEPS = 5, 20


def slowness() -> float:
    """How many times as long as on the reference machine a training step takes now; at least 1.

    The step is a plain one of the network 784–400–20–400–784 at batch 128, not `fit`, so that a slower `fit` is seen.
    """
    with runtime.seeded(0, "cpu"):  # the tests' random numbers stay as they are
        return max(1.0, statistics.median(_seconds_of_steps()[WARM_UP:]) / REFERENCE_STEP)


def _seconds_of_steps() -> list[float]:
    """Seconds of each of the first steps of a training, the warm-up among them."""
    device = torch.device("cpu")
    network = nn.Sequential(nn.Linear(784, 400), nn.ReLU(), nn.Linear(400, 20), nn.Linear(20, 400), nn.ReLU(),
                            nn.Linear(400, 784))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    images, seconds = torch.rand(128, 784), []
    for _ in range(WARM_UP + STEPS):
        started = time.perf_counter()
        with runtime.autocast(device, runtime.bf16_is_fast(device)):
            recon = network(torch.bernoulli(images))
        loss = nn.functional.binary_cross_entropy_with_logits(recon.float(), images, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return seconds
