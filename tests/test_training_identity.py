"""What makes two runs the same: functions and data, told alike in another process, and otherwise when they are changed."""

import ast
import os
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from vae_course.objectives import negative_elbo
from vae_course.training import identity
from vae_course.training.identity import describe


def scaled(beta: float, unit=1.0):
    return lambda model, x: negative_elbo(model, x, beta=beta * unit)


class Scaled:
    def __init__(self, beta: float):
        self.beta = beta

    def __call__(self, model, x):
        return negative_elbo(model, x, beta=self.beta)


def loss_of_a_cell(text: str, **names):
    """What a notebook's cell makes, whose numbers are global."""
    names |= {"__name__": "__main__", "negative_elbo": negative_elbo}
    exec(text, names)
    return names["loss"]


LAMBDA = "loss = lambda model, x: negative_elbo(model, x, beta=beta)"
FUNCTIONS = {
    "the course's": lambda: negative_elbo,
    "of torch": lambda: torch.sigmoid,
    "a partial": lambda: partial(negative_elbo, beta=0.5),
    "a partial with another number": lambda: partial(negative_elbo, beta=2),
    "a partial of a partial": lambda: partial(partial(negative_elbo), beta=None),
    "a partial with a tensor": lambda: partial(negative_elbo, beta=torch.tensor(0.5)),
    "a partial with another tensor": lambda: partial(negative_elbo, beta=torch.tensor(0.25)),
    "a partial with an array": lambda: partial(negative_elbo, beta=np.array(0.125)),
    "a partial with a list": lambda: partial(negative_elbo, beta=[0.5, {"a": 1}]),
    "a closure": lambda: scaled(0.5),
    "a closure with another number": lambda: scaled(2.0),
    "a global number": lambda: loss_of_a_cell(LAMBDA, beta=0.5),
    "another global number": lambda: loss_of_a_cell(LAMBDA, beta=2.0),
    "a number in the code": lambda: loss_of_a_cell(LAMBDA.replace("=beta", "=0.5")),
    "another number in the code": lambda: loss_of_a_cell(LAMBDA.replace("=beta", "=2.0")),
    "a default": lambda: loss_of_a_cell(LAMBDA.replace("x:", "x, beta=0.5:")),
    "another default": lambda: loss_of_a_cell(LAMBDA.replace("x:", "x, beta=2.0:")),
    "a set in the code": lambda: loss_of_a_cell("loss = lambda model, x: x in {'recon', 'kl', 'elbo', 'loss'}"),
    "an object": lambda: Scaled(0.5),
    "an object with another number": lambda: Scaled(2.0),
    "its method": lambda: Scaled(0.5).__call__,
    "a module": lambda: nn.Dropout(0.5),
    "a module with another number": lambda: nn.Dropout(0.25),
}


def test_functions_are_told_apart_and_told_alike():
    told = {name: describe(make()) for name, make in FUNCTIONS.items()}
    assert told == {name: describe(make()) for name, make in FUNCTIONS.items()}, "made again, the same is told"
    assert len(set(told.values())) == len(told), sorted(told.values())
    assert not any(re.search("0x[0-9a-f]{6}", text) for text in told.values()), "an address is another each time"


def test_functions_are_told_alike_in_another_process():
    told = "from test_training_identity import *; print({name: describe(make()) for name, make in FUNCTIONS.items()})"
    environment = {**os.environ, "PYTHONHASHSEED": "5", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert ast.literal_eval(other.stdout) == {name: describe(make()) for name, make in FUNCTIONS.items()}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64, torch.float32, torch.bfloat16])
def test_the_fingerprint_sees_every_byte_and_the_order(monkeypatch, dtype):
    monkeypatch.setattr(identity, "PIECE", 100)  # several pieces
    values = torch.arange(60).view(20, 3).remainder(2 if dtype == torch.bool else 200).to(dtype)
    changed = values.clone()
    changed[-1, -1] = 0 if changed[-1, -1] else 1
    different = [values, changed, values.flip(0), values[:-1], values.view(10, 6), values.to(torch.float64)]
    assert len({identity.fingerprint([tensor]) for tensor in different}) == len(different)
    assert identity.fingerprint([values, changed]) != identity.fingerprint([changed, values])
    assert identity.fingerprint([values.T.contiguous().T]) == identity.fingerprint([values.clone()]), "strides are no matter"
    assert identity.fingerprint([values[:0]]) != identity.fingerprint([])
