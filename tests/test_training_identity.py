"""What makes two runs the same: functions and data, told alike in another process, and otherwise when they are changed."""

import ast
import functools
import os
import re
import subprocess
import sys
from enum import Enum
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal

from vae_course import models
from vae_course.objectives import negative_elbo
from vae_course.training import identity, schedules
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


def wrapped(beta: float):
    @functools.wraps(negative_elbo)
    def loss(model, x):
        return negative_elbo(model, x, beta=beta)
    return loss


class Weighted(nn.Module):
    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def forward(self, model, x):
        return negative_elbo(model, x, beta=self.beta)


class Slotted:
    __slots__ = ("beta",)

    def __init__(self, beta):
        self.beta = beta

    def __call__(self, model, x):
        return negative_elbo(model, x, beta=self.beta)


class Kind(Enum):
    ONE = "one"
    OTHER = "other"


CLASS = """
class Loss:
    beta = 0.5
    def __call__(self, model, x):
        return negative_elbo(model, x, beta=1.0 * self.beta)
loss = Loss()
"""
LAMBDA = "loss = lambda model, x: negative_elbo(model, x, beta=beta)"
INNER = "def loss(model, x):\n    def inner():\n        return negative_elbo(model, x, beta=beta)\n    return inner()"
CALLS = "loss = lambda model, x: base(model, x)"
FUNCTIONS = {
    "the course's": lambda: negative_elbo,
    "of torch": lambda: torch.sigmoid,
    "a method of torch": lambda: torch.Tensor.bool,
    "another method of torch": lambda: torch.Tensor.sign,
    "a partial": lambda: partial(negative_elbo, beta=0.5),
    "a partial with another number": lambda: partial(negative_elbo, beta=2),
    "a partial of a partial": lambda: partial(partial(negative_elbo), beta=None),
    "a partial with a tensor": lambda: partial(negative_elbo, beta=torch.tensor(0.75)),
    "a partial with another tensor": lambda: partial(negative_elbo, beta=torch.tensor([0.25, 0.5])),
    "a partial with an array": lambda: partial(negative_elbo, beta=np.array(0.125)),
    "a partial with words": lambda: partial(negative_elbo, beta=np.array(["a", "b"])),
    "a partial with a list": lambda: partial(negative_elbo, beta=[0.5, {"a": 1}]),
    "a partial with a set": lambda: partial(negative_elbo, beta={0.5, "a"}),
    "a partial with another set": lambda: partial(negative_elbo, beta={0.5, "b"}),
    "a partial with a range": lambda: partial(negative_elbo, beta=range(3)),
    "a partial with another range": lambda: partial(negative_elbo, beta=range(4)),
    "a partial with one of a list": lambda: partial(negative_elbo, beta=Kind.ONE),
    "a partial with another of a list": lambda: partial(negative_elbo, beta=Kind.OTHER),
    "a partial with a sparse tensor": lambda: partial(negative_elbo, beta=torch.eye(2).to_sparse()),
    "a partial with yes": lambda: partial(negative_elbo, beta=np.bool_(True)),
    "a partial with no": lambda: partial(negative_elbo, beta=np.bool_(False)),
    "a partial with a distribution": lambda: partial(negative_elbo, beta=Normal(0.0, 1.0)),
    "a partial with another distribution": lambda: partial(negative_elbo, beta=Normal(0.0, 2.0)),
    "a closure": lambda: scaled(0.5),
    "a closure with another number": lambda: scaled(2.0),
    "a closure with a tensor": lambda: scaled(torch.tensor([0.5, 2.0])),
    "a closure with another tensor": lambda: scaled(torch.tensor([0.5, 3.0])),
    "a closure with names": lambda: scaled(SimpleNamespace(beta={"start": 0.5})),
    "a closure with other names": lambda: scaled(SimpleNamespace(beta={"start": 2.0})),
    "a closure with a function": lambda: scaled(partial(negative_elbo, beta=0.5)),
    "a closure with another function": lambda: scaled(Scaled(0.5)),
    "a wrapper": lambda: wrapped(0.5),
    "a wrapper with another number": lambda: wrapped(2.0),
    "a wrapper by torch": lambda: torch.no_grad()(scaled(0.25)),
    "another wrapper by torch": lambda: torch.no_grad()(scaled(0.125)),
    "a global number": lambda: loss_of_a_cell(LAMBDA, beta=0.5),
    "another global number": lambda: loss_of_a_cell(LAMBDA, beta=2.0),
    "a global number of an inner function": lambda: loss_of_a_cell(INNER, beta=0.5),
    "another global number of an inner function": lambda: loss_of_a_cell(INNER, beta=2.0),
    "a global dict": lambda: loss_of_a_cell(LAMBDA, beta={"beta": 0.5}),
    "another global dict": lambda: loss_of_a_cell(LAMBDA, beta={"beta": 2.0}),
    "a global function": lambda: loss_of_a_cell(CALLS, base=scaled(0.5)),
    "another global function": lambda: loss_of_a_cell(CALLS, base=scaled(2.0)),
    "a number in the code": lambda: loss_of_a_cell(LAMBDA.replace("=beta", "=0.5")),
    "another number in the code": lambda: loss_of_a_cell(LAMBDA.replace("=beta", "=2.0")),
    "a default": lambda: loss_of_a_cell(LAMBDA.replace("x:", "x, beta=0.5:")),
    "another default": lambda: loss_of_a_cell(LAMBDA.replace("x:", "x, beta=2.0:")),
    "a set in the code": lambda: loss_of_a_cell("loss = lambda model, x: x in {'recon', 'kl', 'elbo', 'loss'}"),
    "an object": lambda: Scaled(0.5),
    "an object with another number": lambda: Scaled(2.0),
    "an object with a dict": lambda: Scaled({"beta": 0.5}),
    "an object with another dict": lambda: Scaled({"beta": 2.0}),
    "an object with slots": lambda: Slotted(0.5),
    "an object with another slot": lambda: Slotted(2.0),
    "a class with a number": lambda: loss_of_a_cell(CLASS),
    "a class with another number": lambda: loss_of_a_cell(CLASS.replace("0.5", "2.0")),
    "a class with another call": lambda: loss_of_a_cell(CLASS.replace("1.0 *", "3.0 *")),
    "its method": lambda: Scaled(0.5).__call__,
    "a module": lambda: nn.Dropout(0.5),
    "a module with another number": lambda: nn.Dropout(0.25),
    "a module of one's own": lambda: Weighted(0.5),
    "a module of one's own with another number": lambda: Weighted(2.0),
}


def test_functions_are_told_apart_and_told_alike():
    told = {name: describe(make()) for name, make in FUNCTIONS.items()}
    assert told == {name: describe(make()) for name, make in FUNCTIONS.items()}, "made again, the same is told"
    assert len(set(told.values())) == len(told), sorted(told.values())
    assert not any(re.search("0x[0-9a-f]{6}", text) for text in told.values()), "an address is another each time"


def holds_itself() -> list:
    held = [1.0]
    held.append(held)
    return held


def calls_itself():
    return loss_of_a_cell("def loss(model, x):\n    return loss(model, x)")


@pytest.mark.parametrize("one, other", [
    (1, 1.0), (0.5, torch.tensor(0.5)), (0.5, np.float32(0.5)), (2, np.int64(2)), (True, np.bool_(True)),
    (np.broadcast_to(np.arange(3.0), (2, 3)), torch.arange(3.0, dtype=torch.float64).expand(2, 3)),
    (holds_itself(), holds_itself()), (calls_itself(), calls_itself()),
])
@pytest.mark.filterwarnings("error")
def test_the_same_value_in_another_form_is_told_alike(one, other):
    assert describe(one) == describe(other)
    assert describe(partial(scaled, unit=one, beta=2)) == describe(partial(scaled, beta=2.0, unit=other))
    assert describe(scaled(one)) == describe(scaled(other))


def test_what_the_docstring_says_is_not_told():
    """Private attributes, lists that are written to, weights, devices and the mode."""
    counting, module = Scaled(0.5), Weighted(0.5)
    counting._calls, counting.seen, module.layer = 0, [], nn.Linear(2, 3)
    before = [describe(thing) for thing in (counting, module, scaled([]), scaled(torch.device("cpu")))]
    counting._calls += 1
    counting.seen.append(3)
    nn.init.zeros_(module.eval().layer.weight)
    assert before == [describe(thing) for thing in (counting, module, scaled([1]), scaled(torch.device("meta")))]


@pytest.mark.parametrize(("value", "told"), [
    (models.VAE, "models.VAE"), (models.VAE.kl, "models.VAE.kl"), (models.VAE.posterior, "models.VAE.posterior"),
    (models.mlp, "models.mlp"), (negative_elbo, "objectives.negative_elbo"), (schedules.cosine, "schedules.cosine"),
    (schedules.one_cycle, "schedules.one_cycle"), (nn.Linear, "torch.nn.modules.linear.Linear"), (len, "builtins.len"),
    (models.likelihoods.math.log, "math.log"), (identity.describe, "identity.describe"),
])
def test_a_name_stays_when_a_file_becomes_a_folder(value, told):
    """Told is the shortest module of the course that exports the very same thing: a checkpoint of before goes on."""
    assert describe(value) == told


def test_the_description_of_a_model_is_that_of_before_models_became_a_folder():
    assert identity.describe_model(models.VAE(models.GaussianEncoder(nn.Identity(), 3, 2), nn.Identity())) == (
        "models.VAE: VAE( (encoder): GaussianEncoder( (features): Identity() (to_mu): Linear(in_features=3, "
        "out_features=2, bias=True) (to_logvar): Linear(in_features=3, out_features=2, bias=True) ) (decoder): Identity() "
        "(likelihood): BernoulliLikelihood() )")


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
