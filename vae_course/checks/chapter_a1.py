"""Checks of the exercises of notebook A1: unequal shares of a batch, TensorBoard's smoothing, going on after a stop."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from vae_course.checks.check import Check, Inspection
from vae_course.checks.proofs import ProveIt
from vae_course.checks.values import as_number, parts_of
from vae_course.derivations.tasks import Task, positive, real, real_functions
from vae_course.models import reference_vae
from vae_course.objectives import negative_elbo
from vae_course.training import History, fit

# ---------------------------------------------------------------- unequal shares

_SHARES = [f"n_{k}/(n_1 + n_2)*Derivative(S_{k}(theta)/n_{k}, theta)" for k in (1, 2)]
_WHOLE = "Derivative((S_1(theta) + S_2(theta))/(n_1 + n_2), theta)"
check_unequal_shares = ProveIt(
    "unequal_shares(d) → the derivation d with at least two steps to the gradient of the whole batch (notebook A1).",
    Task([(" + ".join(_SHARES), ""),
          ("Derivative(S_1(theta), theta)/(n_1 + n_2) + Derivative(S_2(theta), theta)/(n_1 + n_2)",
           "a constant factor leaves the derivative, and n cancels"),
          (_WHOLE, "differentiation is linear")],
         real("theta") | positive("n_1 n_2") | real_functions("S_1 S_2"), mistakes={
        "That is the plain mean of the two gradients: it is the whole batch's only if the shares are equal.":
            "(Derivative(S_1(theta)/n_1, theta) + Derivative(S_2(theta)/n_2, theta))/2",
        "The sum of both losses is divided by the number of both: n_1 + n_2.":
            "Derivative(S_1(theta)/n_1 + S_2(theta)/n_2, theta)",
        "The n in the weight and the n of the mean cancel: each share is left with 1/(n_1 + n_2).":
            "Derivative(S_1(theta), theta) + Derivative(S_2(theta), theta)",
    }), 2, "{n} steps, each proved, for all losses and all shares: weigh each gradient with its number of pictures.")


# ---------------------------------------------------------------- TensorBoard's smoothing

def _smoothed(values: Sequence[float], weight: float, first: float | None = 0.0, swapped: bool = False,
              divide: Callable = lambda weight, n: 1 - weight ** n, back: bool = False) -> Tensor:
    """The running mean, or that with something wrong."""
    keep = 1 - weight if swapped else weight
    mean, found = values[0] if first is None else first, []
    for n, value in enumerate(values, 1):
        mean = keep * mean + (1 - keep) * value
        found.append(mean / divide(keep, n))
        mean = found[-1] if back else mean
    return torch.tensor(found, dtype=torch.float64)


check_smoothed = Check(
    "smoothed(values, weight) → the curve (n,) that TensorBoard draws, with smoothing 0 ≤ weight < 1 (notebook A1).",
    _smoothed, [([4.0, 2.0, 6.0, 1.0], 0.6), ([1.0, -3.0, 0.5], 0.9), ([2.0, 5.0, 7.0], 0.0)], {
    "The correction is missing: divide by 1 − weight ** n, or the curve starts near 0.":
        lambda values, weight: _smoothed(values, weight, divide=lambda w, n: 1.0),
    "Starting at the first value also ends the pull to 0, but gives the first value too much weight: start at 0 and divide.":
        lambda values, weight: _smoothed(values, weight, first=None, divide=lambda w, n: 1.0),
    "The weights have changed places: weight is how much of the running mean is kept.":
        lambda values, weight: _smoothed(values, weight, swapped=True),
    "Divide by 1 − weight ** n with n counted from 1, which is 1 − weight for the first value.":
        lambda values, weight: _smoothed(values, weight, divide=lambda w, n: 1 - w ** (n + 1)),
    "Divide by 1 − weight ** n: of n values there are n weights, which add up to that.":
        lambda values, weight: _smoothed(values, weight, divide=lambda w, n: 1 - w),
    "Divide what is shown, not what is kept: the running mean goes on undivided.":
        lambda values, weight: _smoothed(values, weight, back=True),
    "That is the mean of all values so far: later values should count more.":
        lambda values, weight: torch.tensor(values).double().cumsum(0) / torch.arange(1, len(values) + 1),
}, "a mean of all values so far, whose weights fall by the factor `weight` at every step back, and add up to 1.",
    otherwise="mean = weight·mean + (1 − weight)·value, shown divided by 1 − weight ** n.")


# ---------------------------------------------------------------- going on after a stop

_EPOCHS, _STEPS = 4, 3     # of a run here, and steps of an epoch
_g = torch.Generator().manual_seed(41)
_pictures = (255 * (torch.rand(32 * _STEPS, 1, 28, 28, generator=_g) < torch.rand(1, 28, 28, generator=_g))).to(torch.uint8)


def _binary(images: Tensor) -> Tensor:
    return (torch.rand_like(images, dtype=torch.float32) < images / 255).float()


def _new_model() -> nn.Module:
    g, model = torch.Generator().manual_seed(4), reference_vae(2, hidden_dim=8)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=g))
    return model


def _run(model: Any, stop_after: int | None = None, epochs: int = _EPOCHS, checkpoint=None,
         resume: bool = False) -> History:
    """`fit`, whose stop button is pressed in the epoch after `stop_after`, if that is a number."""
    calls = count(1)

    def press_stop(encoder, images):
        if next(calls) > _STEPS * (stop_after or 0) + 1:
            raise KeyboardInterrupt
    handle = model.encoder.register_forward_pre_hook(press_stop) if stop_after is not None else None
    try:
        return fit(model, negative_elbo, _pictures, epochs=epochs, prepare=_binary, batch_size=32, progress=False,
                   bf16=False, cuda_graph=False, checkpoint=checkpoint, resume=resume)
    finally:
        if handle is not None:
            handle.remove()


def _apart(a: nn.Module, b: nn.Module) -> float:
    return max((p - q).abs().max().item() for p, q in zip(a.parameters(), b.parameters()))


def _went_on(answer: Callable) -> SimpleNamespace:
    """What is returned, and what was done for it."""
    calls: list[SimpleNamespace] = []

    def run(model, stop_after=None, epochs=_EPOCHS, checkpoint=None, resume=False):
        before, had_file = [p.detach().clone() for p in model.parameters()], checkpoint and Path(checkpoint).exists()
        history = _run(model, stop_after, epochs, checkpoint, resume)
        calls.append(SimpleNamespace(before=before, stopped=stop_after is not None, done=len(history),
                                     resumed=bool(resume and had_file), kept=checkpoint is not None))
        return history

    with TemporaryDirectory() as folder:
        value = parts_of(answer(run, _new_model, folder), 3)
    numbers = [as_number(part) for part in value or 3 * (None,)]
    half = [call for call in calls if call.stopped and call.done == 2]
    return SimpleNamespace(
        three=bool(value), predicted=numbers[0], resumed=numbers[1], fresh=numbers[2], stopped=bool(half),
        kept=any(call.kept for call in half), went_on=any(call.resumed for call in calls),
        straight=any(call.done == _EPOCHS and not call.resumed for call in calls),
        from_weights=any(call.done == 2 and not call.stopped and not call.resumed and not _is_new(call.before)
                         for call in calls))


def _is_new(weights: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights, _new_model().parameters()))


def _answer(predict: Callable = lambda *measured: 0.01, stop: int | None = 2, keep: bool = True, resume: bool = True,
            copies: bool = True, more: int = 2, give: Callable = lambda *numbers: numbers, whole: int = _EPOCHS) -> Callable:
    """A right answer, or one with something wrong."""
    def going_on(run, new_model, folder):
        file = f"{folder}/stopped.pt"
        straight, stopped, resumed, fresh = (new_model() for _ in range(4))
        run(straight, epochs=whole)
        run(stopped, stop_after=stop, checkpoint=file if keep else None)
        if copies:
            fresh.load_state_dict(stopped.state_dict())
        run(resumed, checkpoint=file if keep else None, resume=resume and keep)
        run(fresh, epochs=more)
        measured = _apart(straight, resumed), _apart(straight, fresh)
        return give(predict(*measured), *measured)
    return going_on


_measured: list[tuple[float, float]] = []


def _right_numbers() -> tuple[float, float]:
    """What the two ways differ by here, trained once."""
    if not _measured:
        with TemporaryDirectory() as folder:
            _measured.append(_answer()(_run, _new_model, folder)[1:])
    return _measured[0]


def _wrong(number: float, k: int) -> bool:
    wanted = _right_numbers()[k]
    return not abs(number - wanted) <= 1e-3 * wanted + 1e-7


check_going_on = Inspection(
    "going_on(run, new_model, folder) → your prediction, and the largest difference of any weight from a straight run:\n"
    "resumed from a checkpoint, and continued from weights alone (notebook A1).",
    _went_on, _answer(), {
    "Return three numbers: your prediction, the difference after resuming, the difference after going on from weights.":
        (lambda seen: not seen.three, _answer(give=lambda *numbers: numbers[1:])),
    "Predict first: how large is the largest difference of any weight, if only the weights are kept? A number above 0.":
        (lambda seen: not seen.predicted > 0, _answer(predict=lambda *_: None), _answer(predict=lambda *_: -1.0)),
    "What you predicted is what you measured, digit by digit: write the prediction down before you train.":
        (lambda seen: seen.predicted == seen.fresh, _answer(predict=lambda resumed, fresh: fresh)),
    "No run was stopped after its second epoch: run(model, stop_after=2, checkpoint=…).":
        (lambda seen: not seen.stopped, _answer(stop=None, copies=False), _answer(stop=1)),
    "The stopped run wrote no checkpoint: give it a file in `folder`, checkpoint=….":
        (lambda seen: not seen.kept, _answer(keep=False)),
    "No run went on from the checkpoint: give a new model the same file and resume=True.":
        (lambda seen: not seen.went_on, _answer(resume=False)),
    "There is no straight run of all four epochs to compare with.": (lambda seen: not seen.straight, _answer(whole=2)),
    "No run went on from the weights alone: load the stopped model's state_dict into a new model, and train two epochs.":
        (lambda seen: not seen.from_weights, _answer(copies=False), _answer(more=4)),
    "The two differences have changed places: the resumed run's comes first.":
        (lambda seen: not _wrong(seen.fresh, 0), _answer(give=lambda guess, resumed, fresh: (guess, fresh, resumed))),
    "The differences are not those of your runs: take the largest |difference| of any weight.":
        (lambda seen: _wrong(seen.resumed, 0) or _wrong(seen.fresh, 1),
         _answer(give=lambda guess, resumed, fresh: (guess, resumed, fresh / 2))),
}, "resumed: {seen.resumed:.1g}. From the weights alone: {seen.fresh:.1g}; you predicted {seen.predicted:.1g}.")
