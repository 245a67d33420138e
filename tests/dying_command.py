"""Started by torchrun in tests/test_parallel.py: the command line of training, whose second process is killed in epoch 3."""

import os
import signal

from vae_course.training import __main__ as command_line
from vae_course.training import loop, parallel

train_epoch = loop.train_epoch


def train_or_die(epoch: int, *rest):
    """`train_epoch`; but a kill -9, from which no handler saves, where the second process is to begin the third epoch."""
    if epoch == 2 and parallel.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return train_epoch(epoch, *rest)


if __name__ == "__main__":
    loop.train_epoch = train_or_die
    command_line.main()
