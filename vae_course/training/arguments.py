"""What `fit` is called with, looked at before anything is done: errors name the argument, what came, and the way out."""

import numbers
from collections.abc import Sequence
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.arguments import PICTURES, is_source, shape_of, told, way_out
from vae_course.training import parallel
from vae_course.training.feeding import Source

MANY = 8    # tensors that go together, such as images and labels, are no more than that


# ---------------------------------------------------------------- the data

def as_sources(name: str, given: Any) -> tuple[Source, ...]:
    """One source of examples or several of equal length, as a tuple; raises TypeError or ValueError naming the argument."""
    sources = (given,) if is_source(given) else tuple(given) if isinstance(given, list | tuple) else ()
    if not sources or not all(map(is_source, sources)):
        raise TypeError(f"{name} must be a tensor (N, …), or several of equal length, such as (images, labels), "
                        f"got {told(given)}{way_out(name, given)}")
    if any(len(source.shape) == 0 for source in sources):
        raise ValueError(f"{name} must have the examples on its first axis, got {told(given)} with a single number in it")
    if len(sources) > MANY:
        raise ValueError(f"{name} must be a tensor (N, …), or a few that go together, got {told(given)}: "
                         + PICTURES.format(name=name))
    if len({len(source) for source in sources}) > 1:
        raise ValueError(f"{name} must hold tensors of equal length, got {[len(source) for source in sources]}: one row of "
                         f"each for each example")
    if len(sources[0]) == 0:
        raise ValueError(f"{name} must hold at least one example, got {told(given)}")
    if any(isinstance(source, Tensor) and source.layout != torch.strided for source in sources):
        raise TypeError(f"{name} must be dense, got a sparse tensor: x.to_dense()")
    x, *rest = sources
    if len(x.shape) == 1 and not x.dtype.is_floating_point and any(len(other.shape) > 2 for other in rest):
        raise ValueError(f"{name} must begin with the pictures, as (images, labels), got {told(given)}: swap them")
    return sources


def check_data(model: Any, train: Any, validation: Any) -> tuple[torch.device, tuple[Source, ...], tuple[Source, ...]]:
    """The model's device, and the sources of both, () for no validation; raises TypeError or ValueError as `fit`."""
    device = check_model(model)
    if isinstance(train, list) and train and all(shape_of(part) == getattr(model, "input_shape", None) for part in train):
        raise ValueError(f"train must be a tensor (N, …), got {told(train)}: {PICTURES.format(name='train')}")
    train = as_sources("train", train)
    validation = () if validation is None else as_sources("validation", validation)
    for name, sources in (("train", train), ("validation", validation)):
        for source in sources:
            if source.device != device and source.device.type != "cpu":
                raise ValueError(f"{name} must be on the model's device, {device}, or on the CPU, got {source.device}: "
                                 f"model.to({str(source.device)!r}), or {name}.cpu()")
    if validation:
        check_alike(train, validation)
    return device, train, validation


def check_alike(train: Sequence[Source], validation: Sequence[Source]) -> None:
    """Raise ValueError unless the validation data look as the training data do: it is noticed before the first epoch."""
    if len(train) != len(validation):
        raise ValueError(f"validation must hold as many tensors as train, {len(train)}, got {len(validation)}: with labels "
                         f"in train, (validation.images, validation.labels)")
    (a, b), kinds = (train[0], validation[0]), ("train", "validation")
    if tuple(a.shape[1:]) != tuple(b.shape[1:]) or a.dtype != b.dtype:
        was = [f"{name} has examples of shape {tuple(x.shape[1:])} and type {x.dtype}" for name, x in zip(kinds, (a, b))]
        raise ValueError(f"validation must hold examples as train does, but {' and '.join(was)}: make both in the same way")


# ---------------------------------------------------------------- the model and the numbers

def check_model(model: Any) -> torch.device:
    """The device of the model's weights; raises TypeError or ValueError unless it is a module that can be trained."""
    if not isinstance(model, nn.Module):
        call = f": call it, {model.__name__}(…)" if isinstance(model, type | FunctionType) else ""
        raise TypeError(f"model must be a torch.nn.Module, such as models.reference_vae(), got {told(model)}{call}")
    weights = list(model.parameters())
    if not any(weight.requires_grad for weight in weights):
        raise ValueError(f"model must have weights to train, got {type(model).__name__} with "
                         + (f"{len(weights)} that are all frozen: model.requires_grad_()" if weights else "none"))
    if weights[0].device.type == "meta":
        raise ValueError("model must lie on a device that computes, got meta: model.to_empty(device='cpu') and new weights")
    return weights[0].device


def check_numbers(n: int, epochs, batch_size, learning_rate, max_grad_norm, seed) -> None:
    """Raise ValueError, naming the argument, for numbers that cannot be meant; n is the number of examples."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number ≥ 1, got {value!r}")
    if batch_size > n:
        raise ValueError(f"batch_size must be at most the number of training examples, {n}, got {batch_size}")
    if batch_size % parallel.size():
        raise ValueError(f"batch_size must be a multiple of the number of processes, {parallel.size()}, got {batch_size}")
    for name, value in (("learning_rate", learning_rate), ("max_grad_norm", max_grad_norm)):
        if not hasattr(value, "__float__") or not value > 0:
            raise ValueError(f"{name} must be positive, got {value!r}")
    if not isinstance(seed, numbers.Integral):
        raise ValueError(f"seed must be a whole number, got {seed!r}")
