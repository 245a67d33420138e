"""fit(): against a loop written by hand, interrupted at every moment, resumed, and misused."""

import copy
import io
import math
import os
import signal
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_vae import PIXELS, tiny_images, tiny_vae
from torch import Tensor, nn
from torch.testing import assert_close

from vae_course import checkpoints, data, runtime, training
from vae_course.checkpoints import CheckpointError, load_weights, save_weights
from vae_course.objectives import negative_elbo, warm_up_negative_elbo
from vae_course.training import History, TrainingDiverged, fit, loop
from vae_course.training import run as run_module
from vae_course.training.schedules import constant, cosine, one_cycle, warm_cosine
from vae_course.training.step import GRAPH_WARM_UP, CudaGraph, PreparedLoss, TrainingStep

N, N_VALIDATION, BATCH = 53, 19, 8
N_STEPS = N // BATCH  # 6 steps an epoch, and five examples are left out
IMAGES, VALIDATION = tiny_images(N), tiny_images(N_VALIDATION, seed=1)


def train(model: nn.Module, loss_fn=negative_elbo, images=IMAGES, **changes) -> History:
    """`fit` with the settings that most tests share."""
    settings = {"epochs": 3, "prepare": data.stochastic, "batch_size": BATCH, "learning_rate": 0.02, "schedule": constant,
                "bf16": False, "progress": False}
    return fit(model, loss_fn, images, **{**settings, **changes})


def weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def same(a, b) -> bool:
    """Bit for bit equal: dicts and lists of tensors, numbers and strings."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and a.dtype == b.dtype and a.equal(b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def without_seconds(history: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def on_disk(path: Path) -> dict:
    """The checkpoint, less what a clock wrote into it."""
    checkpoint = checkpoints.load_checkpoint(path)
    return {**checkpoint, "history": without_seconds(checkpoint["history"])}


def at_call(n: int, action, loss_fn=negative_elbo):
    """A loss function that does `action` when it is called for the nth time."""
    calls = 0

    def counting(model, x, *rest):
        nonlocal calls
        calls += 1
        terms = loss_fn(model, x, *rest)
        return action(terms) if calls == n else terms
    return counting


@pytest.fixture(autouse=True)
def stop_button():
    """A shell that starts a job in the background makes it deaf to interrupts; a notebook's kernel is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press_stop(terms):
    """What the stop button of a notebook does."""
    signal.raise_signal(signal.SIGINT)
    return terms


# ---------------------------------------------------------------- the same as a loop written by hand

def factor_by_hand(schedule, step: int, n_steps: int) -> float:
    """The learning rate's factor at a step, from the text that describes it and not from the package."""
    p = step / n_steps
    if schedule is constant:
        return 1.0
    if schedule is cosine:
        return (1 + math.cos(math.pi * p)) / 2
    if schedule is warm_cosine:
        return 0.2 + 16 * p if p < 0.05 else (1 + math.cos(math.pi * (p - 0.05) / 0.95)) / 2
    if p < 0.3:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * p / 0.3)) / 2
    return (1 + math.cos(math.pi * (p - 0.3) / 0.7)) / 2


def loss_by_hand(model, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """loss, recon and kl, by torch's own functions and the formula of Kingma & Welling."""
    mu, logvar = model.encoder(x)
    z = mu + torch.exp(logvar / 2) * torch.randn(mu.shape)
    bce = nn.functional.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / len(x)
    kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum() / len(x)
    return bce + kl, -bce, kl


def train_by_hand(model, images: Tensor, epochs: int, learning_rate: float, schedule, max_norm: float, seed: int) -> dict:
    """Shuffle, binarize, clip and Adam (Kingma & Ba 2015, algorithm 1) step by step; returns what each step saw."""
    torch.manual_seed(seed)
    parameters = list(model.parameters())
    m, v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    n_steps, t = len(images) // BATCH, 0
    seen = {"norm": [], "recon": [], "kl": []}
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for i in range(n_steps):
            p = images[order[i * BATCH:(i + 1) * BATCH]] / 255
            loss, recon, kl = loss_by_hand(model, (torch.rand(p.shape) < p).float())
            gradients = torch.autograd.grad(loss, parameters)
            norm = math.sqrt(sum(float((g.double() ** 2).sum()) for g in gradients))
            rate = learning_rate * factor_by_hand(schedule, t, epochs * n_steps)
            t += 1
            with torch.no_grad():
                for k, g in enumerate(gradients):
                    g = g * min(1.0, max_norm / norm)
                    m[k] = 0.9 * m[k] + 0.1 * g
                    v[k] = 0.999 * v[k] + 0.001 * g ** 2
                    parameters[k] -= rate * (m[k] / (1 - 0.9 ** t)) / ((v[k] / (1 - 0.999 ** t)).sqrt() + 1e-8)
            for name, value in (("norm", norm), ("recon", recon.item()), ("kl", kl.item())):
                seen[name].append(value)
    return seen


@pytest.mark.parametrize("schedule", [constant, cosine, warm_cosine, one_cycle])
@pytest.mark.parametrize("seed", [0, 5])
def test_fit_does_what_the_loop_by_hand_does(schedule, seed):
    ours, by_hand = tiny_vae(), tiny_vae()
    history = train(ours, epochs=3, schedule=schedule, seed=seed)
    with torch.random.fork_rng():
        seen = train_by_hand(by_hand, IMAGES, 3, 0.02, schedule, max_norm=1.0, seed=seed)
    for name, value in by_hand.state_dict().items():
        assert_close(ours.state_dict()[name], value, rtol=1e-4, atol=2e-5)
    for epoch, row in enumerate(history):
        for name in ("recon", "kl"):
            mean = sum(seen[name][epoch * N_STEPS:(epoch + 1) * N_STEPS]) / N_STEPS
            assert row[f"train_{name}"] == pytest.approx(mean, rel=1e-4)


def test_gradients_are_clipped_at_norm_1_unless_told_otherwise():
    clipped, free, by_hand = tiny_vae(), tiny_vae(), tiny_vae()
    train(clipped)
    train(free, max_grad_norm=1e9)
    with torch.random.fork_rng():
        norms = train_by_hand(by_hand, IMAGES, 3, 0.02, constant, max_norm=math.inf, seed=0)["norm"]
    assert max(norms) > 1.5, "nothing to clip: this test would not see whether it is done"
    name = "decoder.2.weight"
    assert_close(free.state_dict()[name], by_hand.state_dict()[name], rtol=1e-4, atol=2e-5)
    assert (clipped.state_dict()[name] - free.state_dict()[name]).abs().max() > 1e-3


@pytest.mark.parametrize("max_norm", [1.0, 0.3])
def test_what_adam_receives_has_the_norm_it_is_clipped_to(tmp_path, max_norm):
    # After one step Adam's first moment is a tenth of the gradient that it was given.
    model = tiny_vae()
    x = data.grey(IMAGES)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gradients = torch.autograd.grad(loss_by_hand(model, x)[0], list(model.parameters()))
    norm = torch.stack([g.norm() for g in gradients]).norm()
    assert norm > max_norm
    train(model, epochs=1, batch_size=N, prepare=data.grey, max_grad_norm=max_norm, checkpoint=tmp_path / "c.pt")
    state = checkpoints.load_checkpoint(tmp_path / "c.pt")["optimizer"]
    received = torch.stack([moment["exp_avg"].norm() / 0.1 for moment in state.values()]).norm()
    assert received.item() == pytest.approx(max_norm, rel=1e-4)


def test_training_helps():
    model = tiny_vae()
    history = train(model, epochs=40, validation=VALIDATION)
    assert history[-1]["validation_elbo"] > history[0]["validation_elbo"] + 0.3


# ---------------------------------------------------------------- schedules

def test_constant_is_one():
    assert constant(torch.linspace(0, 0.99, 5)).tolist() == [1.0] * 5


def test_cosine_falls_from_one_to_zero():
    values = cosine(torch.tensor([0.0, 1 / 3, 0.5, 2 / 3, 1.0]))
    assert values.tolist() == pytest.approx([1, 0.75, 0.5, 0.25, 0], abs=1e-6)


def test_warm_cosine_rises_for_5_percent_and_falls_to_zero():
    values = warm_cosine(torch.tensor([0.0, 0.025, 0.05, 0.525, 1.0]))
    assert values.tolist() == pytest.approx([0.2, 0.6, 1, 0.5, 0], abs=1e-6)


def test_one_cycle_rises_for_30_percent_and_falls_to_zero():
    values = one_cycle(torch.tensor([0.0, 0.15, 0.3, 0.65, 1.0]))
    assert values.tolist() == pytest.approx([1 / 25, (1 / 25 + 1) / 2, 1, 0.5, 0], abs=1e-6)
    fine = one_cycle(torch.arange(1000) / 1000)
    assert (fine[:300].diff() > 0).all() and (fine[300:].diff() < 0).all()
    assert fine.diff().abs().max() < 0.01, "it must not jump"


# ---------------------------------------------------------------- random numbers

def test_same_seed_same_result_whatever_was_drawn_before():
    a, b = tiny_vae(), tiny_vae()
    torch.manual_seed(1)
    first = train(a, seed=4, validation=VALIDATION)
    torch.manual_seed(2)
    second = train(b, seed=4, validation=VALIDATION)
    assert same(weights(a), weights(b)) and without_seconds(first) == without_seconds(second)


def test_another_seed_another_result():
    a, b = tiny_vae(), tiny_vae()
    train(a, seed=4)
    train(b, seed=5)
    assert not same(weights(a), weights(b))


def test_random_numbers_outside_go_on_undisturbed(tmp_path):
    loss_fns = {"finished": negative_elbo, "stopped": at_call(9, press_stop)}
    for loss_fn in loss_fns.values():
        before = torch.get_rng_state()
        train(tiny_vae(), loss_fn, validation=VALIDATION)
        assert torch.get_rng_state().equal(before)
    with pytest.raises(TrainingDiverged):
        train(tiny_vae(), at_call(9, lambda terms: {**terms, "loss": terms["loss"] * math.nan}))
    assert torch.get_rng_state().equal(before)


def test_each_epoch_has_another_order_and_leaves_out_another_remainder():
    numbered = torch.arange(N, dtype=torch.uint8).view(N, 1, 1, 1).expand(N, *PIXELS)
    seen = []

    def spy(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return data.grey(images)

    train(tiny_vae(), images=numbered, prepare=spy, epochs=4)
    epochs = [sum(seen[i:i + N_STEPS], []) for i in range(0, len(seen), N_STEPS)]
    assert len(epochs) == 4 and {len(batch) for batch in seen} == {BATCH}
    for order in epochs:
        assert len(set(order)) == N_STEPS * BATCH, "an example came twice"
    assert len({tuple(order) for order in epochs}) == 4
    assert len({frozenset(order) for order in epochs}) == 4


# ---------------------------------------------------------------- history and validation

def noiseless(model, x: Tensor) -> dict[str, Tensor]:
    """The loss at z = mu: no random numbers, so that means can be compared."""
    mu, logvar = model.encode(x)
    recon = -nn.functional.binary_cross_entropy_with_logits(model.decode(mu), x, reduction="none").sum((1, 2, 3))
    kl = 0.5 * (mu ** 2 + logvar.exp() - 1 - logvar).sum(1)
    return {"recon": recon.mean(), "loss": (kl - recon).mean(), "kl": kl.mean(), "elbo": (recon - kl).mean()}


def test_the_history_has_a_row_per_epoch_and_the_terms_add_up():
    history = train(tiny_vae(), epochs=4, validation=VALIDATION)
    assert list(history[0]) == ["epoch", "seconds", "train_loss", "train_recon", "train_kl", "train_elbo",
                                "validation_loss", "validation_recon", "validation_kl", "validation_elbo"]
    assert history.column("epoch") == [1, 2, 3, 4]
    assert all(seconds > 0 for seconds in history.column("seconds"))
    for row in history:
        for split in ("train", "validation"):
            recon, kl, elbo, loss = (row[f"{split}_{name}"] for name in ("recon", "kl", "elbo", "loss"))
            assert elbo == pytest.approx(recon - kl, rel=1e-5) and loss == pytest.approx(-elbo, rel=1e-5)
            assert kl > 0 > recon


def test_without_validation_there_are_no_such_columns():
    history = train(tiny_vae())
    assert not any(name.startswith("validation") for name in history[0])
    with pytest.raises(KeyError, match=r"no column 'validation_elbo'; it has epoch, seconds, train_loss"):
        history.column("validation_elbo")


@pytest.mark.parametrize("batch_size", [1, 6, 48])
def test_nats_per_example_do_not_depend_on_the_batch_size(batch_size):
    model, images = tiny_vae(), tiny_images(48)
    x = data.grey(images)
    expected = {name: term.item() for name, term in noiseless(model, x).items()}
    by_hand = -nn.functional.binary_cross_entropy_with_logits(model.decode(model.encode(x)[0]), x, reduction="sum") / 48
    assert expected["recon"] == pytest.approx(by_hand.item(), rel=1e-5)
    history = train(model, noiseless, images, prepare=data.grey, batch_size=batch_size, learning_rate=1e-30,
                    validation=images, epochs=1)
    for name, value in expected.items():
        assert history[0][f"train_{name}"] == pytest.approx(value, rel=1e-5)
        assert history[0][f"validation_{name}"] == pytest.approx(value, rel=1e-5)


def test_the_validation_mean_counts_each_example_once(monkeypatch):
    monkeypatch.setattr(loop, "VALIDATION_BATCH", 8)  # 19 = 8 + 8 + 3
    model = tiny_vae()
    found = training.evaluate(model, noiseless, data.grey, VALIDATION)
    for name, term in noiseless(model, data.grey(VALIDATION)).items():
        assert found[f"validation_{name}"] == pytest.approx(term.item(), rel=1e-5)


def test_validation_meets_the_same_noise_each_epoch():
    history = train(tiny_vae(), epochs=3, learning_rate=1e-30, validation=VALIDATION)  # too small a rate to move weights
    assert len(set(history.column("validation_elbo"))) == 1
    assert len(set(history.column("train_elbo"))) == 3


def test_validation_does_not_change_training():
    a, b = tiny_vae(), tiny_vae()
    train(a)
    train(b, validation=VALIDATION)
    assert same(weights(a), weights(b))


def test_modes_are_train_for_steps_and_eval_for_the_rest():
    model, modes = tiny_vae(), []

    def spy(model, x):
        modes.append((model.training, torch.is_grad_enabled()))
        return negative_elbo(model, x)

    train(model, spy, epochs=2, validation=VALIDATION)
    assert modes == ([(True, True)] * N_STEPS + [(False, False)]) * 2
    assert not model.training


def test_several_tensors_are_passed_on_together():
    numbered = torch.arange(N, dtype=torch.uint8).view(N, 1, 1, 1).expand(N, *PIXELS)
    checked = []

    def loss_fn(model, x, labels, weight):
        assert labels.dtype == torch.int64 and weight.shape == (len(x), 2)
        assert (x[:, 0, 0, 0] * 255).round().long().equal(labels) and weight[:, 1].long().equal(labels)
        checked.append(len(x))
        return negative_elbo(model, x)

    tensors = (numbered, torch.arange(N), torch.arange(N).float().view(N, 1).expand(N, 2))
    train(tiny_vae(), loss_fn, tensors, prepare=data.grey, validation=[tensor[:9] for tensor in tensors], epochs=1)
    assert checked == [BATCH] * N_STEPS + [9]


def test_progress_shows_the_elbo_on_request(capsys):
    train(tiny_vae(), epochs=1)
    assert capsys.readouterr() == ("", "")
    train(tiny_vae(), epochs=1, progress=True)
    shown = capsys.readouterr().err
    assert "elbo=-" in shown and f"{N_STEPS}/{N_STEPS}" in shown


# ---------------------------------------------------------------- a loss that diverges

@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [1, 4, N_STEPS, N_STEPS + 1, 2 * N_STEPS + 3])
def test_a_diverged_loss_stops_at_once(tmp_path, value, step):
    model, path = tiny_vae(), tmp_path / "c.pt"
    later = []

    def diverge(terms):
        later.append("reached")
        return {**terms, "loss": terms["loss"] * 0 + value}

    loss_fn = at_call(step, diverge)
    with pytest.raises(TrainingDiverged) as caught:
        train(model, at_call(step + 1, lambda terms: pytest.fail("another step was made"), loss_fn), checkpoint=path)
    assert later == ["reached"]
    finished = (step - 1) // N_STEPS
    message = str(caught.value)
    assert f"the loss is {value} at step {step} (epoch {finished + 1})" in message and "learning rate" in message
    assert_at_epoch(finished, model, caught.value.history, path)


def assert_at_epoch(finished: int, model: nn.Module, history: History, path: Path, **settings) -> None:
    """Model, history and checkpoint are as after that many epochs."""
    assert [row["epoch"] for row in history] == list(range(1, finished + 1)) and isinstance(history, History)
    expected = tiny_vae()
    if finished:
        expected_history = train(expected, epochs=finished, **settings)
        assert without_seconds(history) == without_seconds(expected_history)
        assert same(on_disk(path)["model"], weights(expected))
        assert on_disk(path)["history"] == without_seconds(history)
    else:
        assert not path.exists()
    assert same(weights(model), weights(expected))
    assert not path.with_name(path.name + ".tmp").exists()


@pytest.mark.parametrize("batch_size", [BATCH, N])
def test_a_diverged_gradient_never_reaches_the_checkpoint(tmp_path, batch_size):
    # The root of zero is finite, its slope is not: the loss looks well until the weights are NaN, an epoch's end later.
    def rooted(terms):
        return {**terms, "loss": terms["loss"] + torch.sqrt(terms["kl"] * 0)}

    n_steps = N // batch_size
    model, path = tiny_vae(), tmp_path / "c.pt"
    with pytest.raises(TrainingDiverged, match=rf"gradient's norm is nan at step {2 * n_steps} \(epoch 2\)") as caught:
        train(model, at_call(2 * n_steps, rooted), batch_size=batch_size, checkpoint=path)
    assert_at_epoch(1, model, caught.value.history, path, batch_size=batch_size)


def test_training_can_go_on_after_it_diverged(tmp_path):
    path, whole, stopped = tmp_path / "c.pt", tiny_vae(), tiny_vae()
    train(whole)
    with pytest.raises(TrainingDiverged):
        train(stopped, at_call(2 * N_STEPS + 1, lambda terms: {**terms, "loss": terms["loss"] * math.nan}), checkpoint=path)
    train(stopped, checkpoint=path, resume=True)
    assert same(weights(whole), weights(stopped))


@pytest.mark.parametrize("bad", [1, 3, 5])
def test_losses_that_are_read_once_an_epoch_name_the_right_step_too(bad):
    # So it is on a GPU, where reading each loss would make the machine wait.
    model = tiny_vae()
    loss_fn = at_call(N_STEPS + bad, lambda terms: {**terms, "loss": terms["loss"] * math.nan})
    step = TrainingStep(PreparedLoss(model, loss_fn, data.grey), (IMAGES,), torch.full((99,), 0.1), batch_size=BATCH,
                        max_grad_norm=1.0, bf16=False)
    for epoch in range(2):
        step.begin_epoch(epoch)
        for _ in range(N_STEPS):
            step()
        if epoch == 0:
            shown = step.read_terms(0, N_STEPS)
            assert list(shown) == ["loss", "recon", "kl", "elbo"]
            assert float(shown["elbo"]) == pytest.approx(step.log[-1, 3].item(), abs=0.051)
    with pytest.raises(TrainingDiverged, match=rf"at step {N_STEPS + bad} \(epoch 2\)"):
        step.read_terms(0, N_STEPS)


# ---------------------------------------------------------------- the stop button

@pytest.mark.parametrize("call", sorted({1, *np.random.default_rng(0).integers(2, 4 * (N_STEPS + 1), 8).tolist()}))
def test_the_stop_button_at_a_random_moment(tmp_path, call, capsys):
    # Calls of the loss: six steps and one validation an epoch. A stop in validation loses that epoch.
    model, path = tiny_vae(), tmp_path / "c.pt"
    history = train(model, at_call(call, press_stop), epochs=4, checkpoint=path, validation=VALIDATION)
    finished = (call - 1) // (N_STEPS + 1)
    assert_at_epoch(finished, model, history, path, validation=VALIDATION)
    assert f"after epoch {finished} of 4" in capsys.readouterr().out


def test_the_stop_button_without_a_checkpoint():
    model = tiny_vae()
    history = train(model, at_call(N_STEPS + 4, press_stop))
    expected = tiny_vae()
    train(expected, epochs=1)
    assert len(history) == 1 and same(weights(model), weights(expected)) and not model.training


@contextmanager
def stop_at_line(n: int):
    """Raise KeyboardInterrupt before the nth line of run.py and checkpoints.py that a finish_epoch runs."""
    reached, within = 0, 0

    def on_line(frame, event, arg):
        nonlocal reached, within
        finish = frame.f_code.co_name == "finish_epoch"
        if event == "return" and finish:
            within -= 1
        if event == "line" and within:
            reached += 1
            if reached == n:
                sys.settrace(None)
                raise KeyboardInterrupt
        return on_line

    def on_call(frame, event, arg):
        nonlocal within
        if frame.f_code.co_filename not in (checkpoints.__file__, run_module.__file__):
            return None
        within += frame.f_code.co_name == "finish_epoch"
        return on_line

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield lambda: reached >= n
    finally:
        sys.settrace(before)


def test_the_stop_button_at_every_line_of_saving(tmp_path):
    # Two epochs, and the file of an earlier run, which must be kept whatever happens.
    short = {"images": tiny_images(2 * BATCH), "epochs": 2}
    earlier, expected = tiny_vae(seed=9), {0: weights(tiny_vae())}
    train(earlier, seed=9, checkpoint=tmp_path / "earlier.pt", **short)
    kept = (tmp_path / "earlier.pt").read_bytes()
    for epochs in (1, 2):
        model = tiny_vae()
        train(model, **{**short, "epochs": epochs})
        expected[epochs] = weights(model)
    finished, n, stopped = [], 0, True
    while stopped:
        n += 1
        model, path = tiny_vae(), tmp_path / f"{n}.pt"
        path.write_bytes(kept)
        with stop_at_line(n) as was_stopped:
            history = train(model, checkpoint=path, **short)
        stopped = was_stopped()
        finished.append(len(history))
        assert same(weights(model), expected[len(history)]), f"line {n}"
        previous = path.with_name(path.name + ".previous")
        assert (previous if len(history) else path).read_bytes() == kept, f"line {n}: the earlier run's file is lost"
        if len(history):
            assert same(on_disk(path)["model"], expected[len(history)]), f"line {n}"
            assert on_disk(path)["history"] == without_seconds(history), f"line {n}"
    assert set(finished) == {0, 1, 2} and n > 20


# ---------------------------------------------------------------- checkpoint and resume

def pictures(model) -> Tensor:
    return model.generate(3)  # draws from torch's global random numbers


@pytest.mark.parametrize("schedule", [one_cycle, constant])
@pytest.mark.parametrize("call", [2 * N_STEPS + 1, 3 * N_STEPS])
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one(tmp_path, schedule, call):
    whole, stopped, resumed = tiny_vae(), tiny_vae(), tiny_vae(seed=8)
    settings = {"epochs": 4, "schedule": schedule}
    history = train(whole, checkpoint=tmp_path / "whole.pt", **settings)
    train(stopped, at_call(call, press_stop), checkpoint=tmp_path / "stopped.pt", **settings)
    assert len(on_disk(tmp_path / "stopped.pt")["history"]) == 2
    torch.manual_seed(77)  # another process would be in another random state
    resumed_history = train(resumed, checkpoint=tmp_path / "stopped.pt", resume=True, **settings)
    assert same(weights(whole), weights(resumed))
    assert without_seconds(history) == without_seconds(resumed_history)
    whole_file, resumed_file = on_disk(tmp_path / "whole.pt"), on_disk(tmp_path / "stopped.pt")
    assert set(whole_file) == {"model", "optimizer", "random", "settings", "history"}
    for key in whole_file:  # among them both of Adam's moments, its step, and the random state
        assert same(whole_file[key], resumed_file[key]), key


def test_resuming_is_exact_with_validation_and_pictures_too(tmp_path):
    whole, stopped = tiny_vae(), tiny_vae()
    path, settings = tmp_path / "c.pt", {"epochs": 4, "validation": VALIDATION, "log_images": pictures}
    train(whole, log_dir=tmp_path / "a", **settings)
    train(stopped, at_call(2 * (N_STEPS + 1) + 3, press_stop), checkpoint=path, log_dir=tmp_path / "b", **settings)
    train(stopped, checkpoint=path, resume=True, log_dir=tmp_path / "b", **settings)
    assert same(weights(whole), weights(stopped))
    plain = tiny_vae()
    train(plain, epochs=4)
    assert same(weights(whole), weights(plain)), "pictures and validation must not change training"


def test_resuming_a_finished_run_trains_no_more(tmp_path):
    model, other, path = tiny_vae(), tiny_vae(seed=8), tmp_path / "c.pt"
    history = train(model, checkpoint=path)
    written = path.read_bytes()
    again = train(other, lambda *args: pytest.fail("a step was made"), checkpoint=path, resume=True)
    assert again == history and same(weights(model), weights(other))
    assert path.read_bytes() == written


def test_resume_without_a_file_starts_from_the_beginning(tmp_path):
    a, b = tiny_vae(), tiny_vae()
    train(a)
    train(b, checkpoint=tmp_path / "new folder" / "c.pt", resume=True)
    assert same(weights(a), weights(b)) and (tmp_path / "new folder" / "c.pt").exists()


def test_resume_needs_a_path():
    with pytest.raises(ValueError, match=r"resume=True needs the path of a checkpoint"):
        train(tiny_vae(), resume=True)


@pytest.mark.parametrize("change, words", [
    ({"batch_size": 9}, "batch_size was 8, is now 9"),
    ({"learning_rate": 0.5}, "learning_rate was 0.02, is now 0.5"),
    ({"schedule": cosine}, "schedule was constant, is now cosine"),
    ({"max_grad_norm": 2.0}, "max_grad_norm was 1.0, is now 2.0"),
    ({"seed": 3}, "seed was 0, is now 3"),
    ({"images": IMAGES[:40]}, "n was 53, is now 40"),
])
def test_the_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    path, model = tmp_path / "c.pt", tiny_vae(seed=8)
    train(tiny_vae(), checkpoint=path)
    written, before = path.read_bytes(), weights(model)
    with pytest.raises(CheckpointError, match=words) as caught:
        train(model, checkpoint=path, resume=True, **change)
    assert str(path) in str(caught.value) and "resume=False" in str(caught.value)
    assert path.read_bytes() == written and same(weights(model), before)


def test_the_checkpoint_of_another_architecture_is_refused(tmp_path):
    path, model = tmp_path / "c.pt", tiny_vae(hidden_dim=9)
    train(tiny_vae(), checkpoint=path)
    before = weights(model)
    with pytest.raises(CheckpointError, match=r"another architecture") as caught:
        train(model, checkpoint=path, resume=True)
    assert "encoder.features.1.weight: the model has (9, 15), the file has (7, 15)" in str(caught.value)
    assert same(weights(model), before)


def test_the_file_of_an_earlier_run_is_kept(tmp_path):
    path = tmp_path / "c.pt"
    train(tiny_vae(), checkpoint=path, seed=1)
    earlier = path.read_bytes()
    train(tiny_vae(), checkpoint=path, seed=2)
    assert (tmp_path / "c.pt.previous").read_bytes() == earlier
    assert on_disk(path)["settings"]["seed"] == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.pt", "c.pt.previous"]


def truncated(content: bytes) -> bytes:
    return content[:len(content) // 2]


@pytest.mark.parametrize("damage", [truncated, lambda content: b"", lambda content: b"not a checkpoint\n" * 99])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path, model = tmp_path / "c.pt", tiny_vae(seed=8)
    train(tiny_vae(), checkpoint=path)
    path.write_bytes(damage(path.read_bytes()))
    written, before = path.read_bytes(), weights(model)
    with pytest.raises(CheckpointError, match=r"c.pt cannot be read \(.+\): delete it, or start anew with resume=False"):
        train(model, checkpoint=path, resume=True)
    assert path.read_bytes() == written and same(weights(model), before)
    train(model, checkpoint=path)  # the reader does as told
    assert (tmp_path / "c.pt.previous").read_bytes() == written


def test_weights_are_not_taken_for_a_checkpoint(tmp_path):
    torch.save(tiny_vae().state_dict(), tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=r"is not a checkpoint of fit\(\); weights alone are read by load_weights"):
        train(tiny_vae(), checkpoint=tmp_path / "c.pt", resume=True)


class RunsCode:
    """A pickle that makes a folder when it is loaded carelessly."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_checkpoint_runs_no_code(tmp_path):
    torch.save({"settings": RunsCode(tmp_path / "made")}, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.load_checkpoint(tmp_path / "c.pt")
    assert not (tmp_path / "made").exists()


def test_a_failed_write_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    path, true_fsync, calls = tmp_path / "c.pt", os.fsync, []

    def full_disk(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return true_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        train(tiny_vae(), checkpoint=path)
    assert len(on_disk(path)["history"]) == 2
    resumed, whole = tiny_vae(seed=8), tiny_vae()
    train(resumed, checkpoint=path, resume=True)
    train(whole)
    assert same(weights(resumed), weights(whole))


def test_settings_may_be_numpy_numbers_and_a_partial_function(tmp_path):
    def warm(progress, start):
        return start + (1 - start) * progress

    whole, model, path = tiny_vae(), tiny_vae(), tmp_path / "c.pt"
    settings = {"learning_rate": np.float64(0.02), "seed": np.int64(3), "max_grad_norm": np.float32(1.0),
                "schedule": partial(warm, start=0.1)}
    train(whole, **settings)
    train(model, at_call(N_STEPS + 2, press_stop), checkpoint=path, **settings)
    assert len(train(model, checkpoint=path, resume=True, **settings)) == 3
    assert same(weights(whole), weights(model))


# ---------------------------------------------------------------- weights alone

def test_weights_survive_a_round_trip(tmp_path):
    model, other, path = tiny_vae(), tiny_vae(seed=8), tmp_path / "folder" / "w.safetensors"
    save_weights(model, path)
    load_weights(other, str(path))
    assert same(weights(model), weights(other))
    assert same(load_file(path), weights(model)), "any reader of safetensors gets the same"
    assert [file.name for file in path.parent.iterdir()] == ["w.safetensors"]


def test_tied_and_transposed_weights_survive_too(tmp_path):
    model, other = (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2))
    model[1].weight = model[0].weight
    model[0].bias = nn.Parameter(torch.arange(9.0).view(3, 3).T[1])  # not contiguous
    save_weights(model, tmp_path / "w")
    load_weights(other, tmp_path / "w")
    assert same(weights(model), weights(other))


def test_weights_of_another_architecture_name_what_differs(tmp_path):
    save_weights(tiny_vae(hidden_dim=9), tmp_path / "w")
    model = tiny_vae()
    before = weights(model)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, tmp_path / "w")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'w'} holds another architecture:",
        "  encoder.features.1.weight: the model has (7, 15), the file has (9, 15)",
        "  encoder.features.1.bias: the model has (7,), the file has (9,)",
        "  encoder.to_mu.weight: the model has (2, 7), the file has (2, 9)",
        "  encoder.to_logvar.weight: the model has (2, 7), the file has (2, 9)",
    ]
    assert same(weights(model), before)


def test_absent_weights_are_named_and_the_list_is_short(tmp_path):
    save_weights(nn.Linear(2, 3), tmp_path / "w")
    with pytest.raises(CheckpointError) as caught:
        load_weights(tiny_vae(), tmp_path / "w")
    lines = str(caught.value).splitlines()
    n = len(tiny_vae().state_dict()) + 2
    assert len(lines) == 7 and lines[-1] == f"  … and {n - 5} more"
    assert lines[1].endswith("the file has absent")


@pytest.mark.parametrize("damage", [truncated, lambda content: b"", lambda content: b"x" * 999])
def test_damaged_weights_are_refused(tmp_path, damage):
    path, model = tmp_path / "w.safetensors", tiny_vae(seed=8)
    save_weights(tiny_vae(), path)
    path.write_bytes(damage(path.read_bytes()))
    before = weights(model)
    with pytest.raises(CheckpointError, match=r"w.safetensors is not a whole safetensors file"):
        load_weights(model, path)
    assert same(weights(model), before)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none.safetensors does not exist: train the model and save it"):
        load_weights(tiny_vae(), tmp_path / "none.safetensors")


# ---------------------------------------------------------------- TensorBoard

def test_tensorboard_reads_the_history_and_the_pictures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    in_eval = []

    def two_pictures(model):
        in_eval.append(not model.training and not torch.is_grad_enabled())
        return torch.linspace(0, 1, 30).view(2, 1, 5, 3)

    history = train(tiny_vae(), epochs=3, validation=VALIDATION, log_dir=tmp_path / "a", log_images=two_pictures)
    train(tiny_vae(), epochs=1, log_images=two_pictures)  # without a folder nothing is drawn
    train(tiny_vae(), epochs=2, log_dir=tmp_path / "b", log_images=two_pictures)  # nor has validation left training mode
    assert in_eval == [True] * 5
    events = EventAccumulator(str(tmp_path / "a"), size_guidance={"images": 0})
    events.Reload()
    for name in history[0]:
        if name != "epoch":
            scalars = events.Scalars(name.replace("_", "/", 1))
            assert [scalar.step for scalar in scalars] == [1, 2, 3]
            assert [scalar.value for scalar in scalars] == pytest.approx(history.column(name), rel=1e-6)
    assert {"train/elbo", "train/recon", "train/kl", "validation/elbo"} <= set(events.Tags()["scalars"])
    shown = [image for tag in events.Tags()["images"] for image in events.Images(tag)]
    assert sorted(image.step for image in shown) in ([1, 2, 3], [1, 1, 2, 2, 3, 3])  # one picture of both, or two
    assert all(Image.open(io.BytesIO(image.encoded_image_string)).height % 5 == 0 for image in shown)


# ---------------------------------------------------------------- arguments

@pytest.mark.parametrize("change, words", [
    ({"epochs": 0}, "epochs must be a whole number ≥ 1, got 0"),
    ({"epochs": 2.5}, "epochs must be a whole number ≥ 1, got 2.5"),
    ({"batch_size": -3}, "batch_size must be a whole number ≥ 1, got -3"),
    ({"batch_size": N + 1}, "batch_size must be at most the number of training examples, 53, got 54"),
    ({"learning_rate": 0}, "learning_rate must be positive, got 0"),
    ({"learning_rate": math.nan}, "learning_rate must be positive, got nan"),
    ({"max_grad_norm": -1.0}, "max_grad_norm must be positive, got -1.0"),
    ({"images": (IMAGES, torch.arange(7))}, r"train must hold tensors of equal length, got \[53, 7\]"),
    ({"validation": (IMAGES, torch.arange(7))}, r"validation must hold tensors of equal length, got \[53, 7\]"),
    ({"images": IMAGES.to("meta")}, "train must be on the model's device, cpu, got meta"),
    ({"validation": VALIDATION.to("meta")}, "validation must be on the model's device, cpu, got meta"),
])
def test_an_argument_that_cannot_be_meant_is_named(change, words):
    model = tiny_vae()
    before = weights(model)
    with pytest.raises(ValueError, match=words):
        train(model, **change)
    assert same(weights(model), before)


@pytest.mark.parametrize("wrong", [IMAGES.numpy(), data.ImageSet(IMAGES, None), None, [], [IMAGES, [1, 2]], 5])
@pytest.mark.parametrize("name", ["train", "validation"])
def test_data_that_are_no_tensors_are_named(wrong, name):
    if name == "validation" and wrong is None:
        return  # no validation is asked for
    with pytest.raises(TypeError, match=rf"{name} must be a tensor or a sequence of tensors, got {type(wrong).__name__}"):
        train(tiny_vae(), **{"images" if name == "train" else name: wrong})


def test_a_model_that_is_elsewhere_than_the_data():
    with pytest.raises(ValueError, match="train must be on the model's device, meta, got cpu"):
        train(tiny_vae().to("meta"))


# ---------------------------------------------------------------- bfloat16

@pytest.mark.parametrize("bf16, fast, expected", [(True, False, True), (False, True, False), (None, True, True),
                                                  (None, False, False)])
def test_products_are_in_bfloat16_where_asked_or_fast(monkeypatch, bf16, fast, expected):
    monkeypatch.setattr(runtime, "bf16_is_fast", lambda device: fast)
    model, steps, products = tiny_vae(), [], []
    model.decoder[0].register_forward_hook(lambda module, inputs, output: products.append(output.dtype))

    def spy(model, x):
        terms = negative_elbo(model, x)
        steps.append({name: term.dtype for name, term in terms.items()})
        return terms

    train(model, spy, epochs=1, bf16=bf16, validation=VALIDATION)
    product = torch.bfloat16 if expected else torch.float32
    assert products == [product] * N_STEPS + [torch.float32], "validation is always in float32"
    assert all(set(dtypes.values()) == {torch.float32} for dtypes in steps)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_bfloat16_learns_as_float32_does():
    elbos = [train(tiny_vae(), epochs=20, bf16=bf16, validation=VALIDATION)[-1]["validation_elbo"] for bf16 in (True, False)]
    assert elbos[0] != elbos[1] and elbos[0] == pytest.approx(elbos[1], abs=0.2)


# ---------------------------------------------------------------- the CUDA graph, with a stand-in for the GPU

class FakeGpu:
    """torch.cuda's streams and graphs: what a step does while it is recorded is kept, and done when it is replayed."""

    def __init__(self, monkeypatch, fails: bool = False):
        self.fails, self.recording, self.events, self.current = fails, None, [], "default"
        monkeypatch.setattr(torch.cuda, "Stream", lambda device: FakeStream(self, "side"))
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: FakeStream(self, self.current))
        monkeypatch.setattr(torch.cuda, "stream", self.stream)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(self))
        monkeypatch.setattr(torch.cuda, "graph", self.graph)

    def launch(self, work) -> None:
        """Run some work now, or keep it where a graph is recorded."""
        if self.recording is not None:
            self.recording.append(work)
        else:
            self.events.append(f"run on {self.current}")
            work()

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream.name
        yield
        self.current = before

    @contextmanager
    def graph(self, graph, stream):
        self.events.append(f"record on {stream.name}")
        self.recording = graph.work
        try:
            yield
            if self.fails:
                raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        finally:
            self.recording = None


class FakeStream:
    """Has a name, and can wait for another one."""

    def __init__(self, gpu: FakeGpu, name: str):
        self.gpu, self.name = gpu, name

    def wait_stream(self, other: "FakeStream") -> None:
        self.gpu.events.append(f"{self.name} waits for {other.name}")


class FakeGraph:
    """Keeps work, and does it again at each replay."""

    def __init__(self, gpu: FakeGpu):
        self.gpu, self.work = gpu, []

    def replay(self) -> None:
        self.gpu.events.append("replay")
        for work in self.work:
            work()


class FakeStep:
    """A step whose work goes through the fake GPU; its rate says on which device it is, as that of a TrainingStep."""

    def __init__(self, gpu: FakeGpu, work):
        self.gpu, self.work, self.rate = gpu, work, torch.zeros(())

    def __call__(self) -> None:
        self.gpu.launch(self.work)


def test_a_step_is_warmed_up_recorded_once_and_replayed(monkeypatch):
    gpu, done = FakeGpu(monkeypatch), []
    one_step = CudaGraph(FakeStep(gpu, lambda: done.append("step")))
    for n in range(1, 8):
        one_step()
        assert len(done) == n, "each call is one step, the one that records too"
    warm_up = ["side waits for default", "run on side", "default waits for side"]
    assert gpu.events == warm_up * GRAPH_WARM_UP + ["record on side"] + ["replay"] * (7 - GRAPH_WARM_UP)


def test_a_step_that_cannot_be_recorded_runs_as_usual(monkeypatch, capsys):
    gpu, done = FakeGpu(monkeypatch, fails=True), []
    one_step = CudaGraph(FakeStep(gpu, lambda: done.append("step")))
    for n in range(1, 8):
        one_step()
        assert len(done) == n
    printed = capsys.readouterr().out
    assert printed.count("cannot be recorded as a CUDA graph (operation not permitted when stream is capturing)") == 1
    assert "more lines" not in printed
    assert gpu.events.count("record on side") == 1 and "replay" not in gpu.events
    assert gpu.events.count("run on default") == 7 - GRAPH_WARM_UP


@pytest.mark.parametrize("fails", [False, True])
def test_training_through_the_graph_gives_the_same_weights(monkeypatch, fails):
    gpu, results = FakeGpu(monkeypatch, fails), []
    for use_graph in (True, False):
        model, rates = tiny_vae(), torch.full((99,), 0.02)
        step = TrainingStep(PreparedLoss(model, negative_elbo, data.stochastic), (IMAGES,), rates, batch_size=BATCH,
                            max_grad_norm=1.0, bf16=False)
        one_step = CudaGraph(FakeStep(gpu, step)) if use_graph else step
        with runtime.seeded(0, torch.device("cpu")):
            for epoch in range(2):
                step.begin_epoch(epoch)
                for _ in range(N_STEPS):
                    one_step()
        results.append((weights(model), step.epoch_means()))
    assert same(*results)


def test_on_a_cpu_no_graph_is_asked_for(monkeypatch):
    monkeypatch.setattr(loop, "CudaGraph", lambda step: pytest.fail("a graph was made"))
    train(tiny_vae(), epochs=1, cuda_graph=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("reads_a_number", [False, True])
def test_on_a_gpu_the_graph_trains_as_well_as_without(reads_a_number, capsys):
    def loss_fn(model, x):
        terms = negative_elbo(model, x)
        if reads_a_number:
            terms["loss"].item()  # cannot be recorded: the plain fallback
        return terms

    elbos = []
    for cuda_graph in (True, False):
        model = tiny_vae().cuda()
        history = train(model, loss_fn, IMAGES.cuda(), epochs=20, cuda_graph=cuda_graph, validation=VALIDATION.cuda())
        elbos.append(history[-1]["validation_elbo"])
    assert elbos[0] == pytest.approx(elbos[1], abs=0.3)
    assert ("cannot be recorded" in capsys.readouterr().out) == reads_a_number


# ---------------------------------------------------------------- a loss that asks how far the training is

def test_progress_is_given_to_a_loss_that_asks_for_it():
    seen = []

    def loss(model, x, *, progress):
        seen.append(progress.item())
        return negative_elbo(model, x)

    history = train(tiny_vae(), loss, epochs=3, validation=VALIDATION)
    steps = [value for value in seen if value < 1]
    np.testing.assert_allclose(steps, np.arange(3 * N_STEPS) / (3 * N_STEPS), rtol=1e-6)
    assert seen.count(1.0) == 3, "validation sees the loss of the end"
    assert same(without_seconds(history), without_seconds(train(tiny_vae(), epochs=3, validation=VALIDATION)))


def test_progress_goes_on_after_a_resume(tmp_path):
    seen = []

    def loss(model, x, progress=None):
        seen.append(progress.item())
        return negative_elbo(model, x)

    train(tiny_vae(), at_call_with_progress(N_STEPS + 2, loss), epochs=3, checkpoint=tmp_path / "run.pt")
    seen.clear()
    train(tiny_vae(), loss, epochs=3, checkpoint=tmp_path / "run.pt", resume=True)
    assert len(seen) == 2 * N_STEPS and seen[0] == pytest.approx(1 / 3)


def at_call_with_progress(n: int, loss_fn):
    calls = 0

    def counting(model, x, progress):
        nonlocal calls
        calls += 1
        if calls == n:
            raise KeyboardInterrupt
        return loss_fn(model, x, progress)

    return counting


def test_progress_may_be_an_argument_of_a_partial():
    history = train(tiny_vae(), partial(warm_up_negative_elbo, warm_up=0.5), epochs=4)
    first, last = history[0], history[-1]
    assert first["train_loss"] < -first["train_recon"] + 0.5 * first["train_kl"], "beta is small at first"
    assert last["train_loss"] == pytest.approx(-last["train_elbo"], rel=1e-5), "and 1 at the end"
