"""Learning-rate schedules: progress through training, in [0, 1), to a factor on the learning rate, in [0, 1]."""

import math

import torch
from torch import Tensor


def constant(progress: Tensor) -> Tensor:
    """The same learning rate throughout."""
    return torch.ones_like(progress)


def cosine(progress: Tensor) -> Tensor:
    """From the full rate down to zero along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""
    return 0.5 * (1 + torch.cos(math.pi * progress))


def warm_cosine(progress: Tensor) -> Tensor:
    """`cosine` after a straight rise from 1/5 of the rate in the first 5 %: the soonest to a given ELBO, of those here."""
    return torch.where(progress < 0.05, 0.2 + 0.8 * progress / 0.05, cosine((progress - 0.05) / 0.95))


def one_cycle(progress: Tensor) -> Tensor:
    """Up from 1/25 of the rate in the first 30 %, then down to zero (Smith & Topin 2017, arXiv:1708.07120)."""
    up = 1 / 25 + (1 - 1 / 25) * cosine(1 - progress / 0.3)
    return torch.where(progress < 0.3, up, cosine((progress - 0.3) / 0.7))
