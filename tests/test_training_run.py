"""A run of fit(): diverged, stopped at every moment, resumed, extended, and never mistaken for another."""

import math
import os
import re
import sys
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_vae import tiny_images, tiny_vae
from torch import Tensor, nn
from training_runs import (
    BATCH,
    IMAGES,
    N_STEPS,
    VALIDATION,
    N,
    at_call,
    at_pass,
    on_disk,
    press_stop,
    same,
    step_of,
    train,
    truncated,
    weights,
    without_seconds,
)

from vae_course import checkpoints, data
from vae_course.checkpoints import CheckpointError
from vae_course.models import ContinuousBernoulliLikelihood, GaussianLikelihood
from vae_course.objectives import negative_elbo
from vae_course.training import History, TrainingDiverged, identity
from vae_course.training import run as run_module
from vae_course.training.schedules import constant, cosine, one_cycle
from vae_course.training.step import TrainingStep


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


def spoil(model) -> None:
    """Make the next loss NaN."""
    with torch.no_grad():
        model.decoder[0].bias.fill_(math.nan)


def test_training_can_go_on_after_it_diverged(tmp_path):
    path, whole, stopped = tmp_path / "c.pt", tiny_vae(), tiny_vae()
    train(whole)
    with pytest.raises(TrainingDiverged):
        train(at_pass(stopped, 2 * N_STEPS + 1, lambda: spoil(stopped)), checkpoint=path)
    train(stopped, checkpoint=path, resume=True)
    assert same(weights(whole), weights(stopped))


@pytest.mark.parametrize("bad", [1, 3, 5])
def test_losses_that_are_read_once_an_epoch_name_the_right_step_too(bad):
    # So it is on a GPU, where reading each loss would make the machine wait.
    model = tiny_vae()
    loss_fn = at_call(N_STEPS + bad, lambda terms: {**terms, "loss": terms["loss"] * math.nan})
    step = step_of(model, loss_fn, data.grey)
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
    train(at_pass(stopped, call), checkpoint=tmp_path / "stopped.pt", **settings)
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
    train(at_pass(stopped, 2 * (N_STEPS + 1) + 3), checkpoint=path, log_dir=tmp_path / "b", **settings)
    train(stopped, checkpoint=path, resume=True, log_dir=tmp_path / "b", **settings)
    assert same(weights(whole), weights(stopped))
    plain = tiny_vae()
    train(plain, epochs=4)
    assert same(weights(whole), weights(plain)), "pictures and validation must not change training"


def test_resuming_a_finished_run_trains_no_more(tmp_path):
    model, other, path = tiny_vae(), tiny_vae(seed=8), tmp_path / "c.pt"
    history = train(model, checkpoint=path)
    written = path.read_bytes()
    again = train(at_pass(other, 1, lambda: pytest.fail("a step was made")), checkpoint=path, resume=True)
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
    ({"model": tiny_vae(activation=nn.SiLU)}, r"model was …[^;]*Tanh\(\).*, is now …[^;]*SiLU\(\)"),
    ({"model": tiny_vae(likelihood=ContinuousBernoulliLikelihood())},
     r"model was …[^;]{,50}: BernoulliLikelihood\(\).*, is now …[^;]{,50}: ContinuousBernoulliLikelihood\(\)"),
    ({"batch_size": 9}, "batch_size was 8, is now 9"),
    ({"learning_rate": 0.5}, "learning_rate was 0.02, is now 0.5"),
    ({"schedule": cosine}, "schedule was schedules.constant, is now schedules.cosine"),
    ({"max_grad_norm": 2.0}, "max_grad_norm was 1.0, is now 2.0"),
    ({"seed": 3}, "seed was 0, is now 3"),
    ({"images": IMAGES[:40]}, "n was 53, is now 40"),
    ({"images": IMAGES.flip(0)}, "data was [0-9a-f]{16}, is now [0-9a-f]{16}"),     # the same pictures in another order
    ({"images": VALIDATION.repeat(3, 1, 1, 1)[:N]}, "data was"),
    ({"images": (IMAGES, torch.arange(N)), "loss_fn": lambda model, x, y: None}, "data was"),
    ({"epochs": 2}, "epochs was 3, is now 2"),
    ({"bf16": True}, "bf16 was False, is now True"),
    ({"prepare": data.grey}, "prepare was data.stochastic, is now data.grey"),
    ({"loss_fn": partial(negative_elbo, beta=2.0)},
     r"loss was objectives.negative_elbo, is now objectives.negative_elbo\(beta=2\)"),
    ({"loss_fn": lambda model, x, progress: None, "loss_takes_progress": True},
     "loss_takes_progress was False, is now True"),
])
def test_the_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    path, model = tmp_path / "c.pt", change.get("model", tiny_vae(seed=8))
    train(tiny_vae(), checkpoint=path)
    written, before = path.read_bytes(), weights(model)
    with pytest.raises(CheckpointError, match=words) as caught:
        train(**{"model": model, "checkpoint": path, "resume": True, **change})
    assert str(path) in str(caught.value) and "resume=False" in str(caught.value)
    assert path.read_bytes() == written and same(weights(model), before)


def test_another_fixed_sigma_is_another_run_and_a_learned_one_is_not(tmp_path):
    for learned, words in ((False, r"sigma=0\.5.*, is now .*sigma=0\.1"), (True, None)):
        path, model = tmp_path / f"{learned}.pt", tiny_vae(likelihood=GaussianLikelihood(0.5, learn_sigma=learned))
        train(model, checkpoint=path)
        assert len(train(model, checkpoint=path, resume=True)) == 3, "also after training the model is told alike"
        other = tiny_vae(likelihood=GaussianLikelihood(0.1, learn_sigma=learned))
        with pytest.raises(CheckpointError, match=words) if words else nullcontext():
            train(other, checkpoint=path, resume=True)


def test_only_what_differs_of_long_descriptions_is_shown():
    many = "layer, " * 100
    shown = identity._apart(f"{many}x=1 {many}", f"{many}x=234 {many}")
    assert [len(text) for text in shown] == [len("…") + 30 + len("x=") + 1 + 30 - 2, len("…") + 30 + len("x=") + 3 + 30 - 2]
    assert "x=1 layer" in shown[0] and "x=234 layer" in shown[1]
    assert identity._apart("x=1", "x=2") == ["x=1", "x=2"], "what is short is shown whole"
    assert max(map(len, identity._apart("a" * 999, "b" * 999))) < 300


def test_every_difference_is_named_at_once(tmp_path):
    path = tmp_path / "c.pt"
    train(tiny_vae(), partial(negative_elbo, beta=0.5), checkpoint=path)
    with pytest.raises(CheckpointError) as caught:
        train(tiny_vae(), partial(negative_elbo, beta=2.0), prepare=data.grey, images=IMAGES[:40], epochs=4, seed=1,
              batch_size=9, learning_rate=0.5, schedule=cosine, max_grad_norm=2.0, bf16=True, checkpoint=path, resume=True)
    changed = re.findall(r"(\w+) was ", str(caught.value))
    assert changed == ["loss", "n", "prepare", "data", "batch_size", "epochs", "learning_rate", "schedule", "max_grad_norm",
                       "seed", "bf16"]


def test_a_checkpoint_that_does_not_say_what_was_trained_is_refused_and_kept(tmp_path):
    path, model = tmp_path / "c.pt", tiny_vae(seed=8)
    train(tiny_vae(), checkpoint=path)
    old = checkpoints.load_checkpoint(path)
    for name in ("loss", "loss_takes_progress", "prepare", "data", "epochs", "bf16", "extensions"):
        del old["settings"][name]
    checkpoints.save_checkpoint(old, path)
    written, before = path.read_bytes(), weights(model)
    with pytest.raises(CheckpointError, match="earlier version of the course, which did not save loss, los") as caught:
        train(model, checkpoint=path, resume=True)
    assert path.read_bytes() == written and same(weights(model), before)
    way_out = re.search(r"model.load_state_dict\(.*?\)\['model'\]\)", str(caught.value)).group(0)
    exec(way_out, {"model": model, "checkpoints": checkpoints})
    assert same(weights(model), old["model"])


# ---------------------------------------------------------------- epochs that are added

def rates_of(history_of, monkeypatch) -> list[float]:
    """The learning rates of the steps that are made meanwhile."""
    rates, step = [], TrainingStep.__call__

    def spy(self):
        step(self)
        rates.append(self.rate.item())
    monkeypatch.setattr(TrainingStep, "__call__", spy)
    history_of()
    monkeypatch.setattr(TrainingStep, "__call__", step)
    return rates


def half_cosine(progress):
    return 0.5 * cosine(progress)


def test_added_epochs_follow_the_schedule_that_is_stated(tmp_path, monkeypatch):
    path, model = tmp_path / "c.pt", tiny_vae()
    first = rates_of(lambda: train(model, epochs=2, schedule=one_cycle, checkpoint=path), monkeypatch)
    before = weights(model)
    settings = {"schedule": one_cycle, "checkpoint": path, "resume": True}
    added = rates_of(lambda: train(model, epochs=5, extend=half_cosine, **settings), monkeypatch)
    expected = [0.02 * 0.5 * (1 + math.cos(math.pi * i / (3 * N_STEPS))) / 2 for i in range(3 * N_STEPS)]
    assert len(first) == 2 * N_STEPS and added == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert not same(before, weights(model))
    assert [row["epoch"] for row in on_disk(path)["history"]] == [1, 2, 3, 4, 5]
    again = rates_of(lambda: train(model, epochs=6, extend=constant, **settings), monkeypatch)   # and once more
    assert again == pytest.approx([0.02] * N_STEPS)
    assert [epoch for epoch, _ in on_disk(path)["settings"]["extensions"]] == [2, 5]


def test_added_epochs_that_are_interrupted_go_on_bit_for_bit(tmp_path):
    results = []
    for stop in (10**6, N_STEPS + 2):
        path, settings = tmp_path / f"{stop}.pt", {"schedule": one_cycle, "checkpoint": tmp_path / f"{stop}.pt"}
        train(tiny_vae(), epochs=2, **settings)
        train(at_pass(tiny_vae(), stop), epochs=5, extend=half_cosine, resume=True, **settings)
        model = tiny_vae(seed=8)
        history = train(model, epochs=5, extend=half_cosine, resume=True, **settings)
        results.append((weights(model), without_seconds(history), on_disk(path)))
    assert same(*results) and len(results[0][1]) == 5


def test_a_loss_that_takes_progress_has_annealed_when_epochs_are_added(tmp_path):
    seen, settings = [], {"loss_takes_progress": True, "checkpoint": tmp_path / "c.pt"}

    def loss(model, x, progress):
        seen.append(progress.item())
        return negative_elbo(model, x)

    train(tiny_vae(), loss, epochs=1, **settings)
    seen.clear()
    train(tiny_vae(), loss, epochs=2, resume=True, extend=constant, **settings)
    assert seen == [1.0] * N_STEPS


@pytest.mark.parametrize(("change", "words"), [
    ({"epochs": 5}, "epochs was 3, is now 5.*To add epochs to a finished run, state their schedule with extend"),
    ({"epochs": 5, "extend": constant, "seed": 1}, r"is of another run: seed was 0, is now 1\. "),
    ({"epochs": 3, "extend": constant}, "extensions was none, is now schedules.constant after epoch 3"),
    ({"epochs": 3, "extend": constant}, r"To add epochs, epochs must be larger than the 3 of the run\."),
    ({"epochs": 5, "extend": constant, "resume": False}, "extend adds epochs to a finished run: it needs resume=True"),
    ({"epochs": 5, "extend": constant, "checkpoint": "none.pt"}, "none.pt, which does not exist"),
])
def test_an_extension_that_cannot_be_meant_is_named(tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    train(tiny_vae(), checkpoint="c.pt")
    written = Path("c.pt").read_bytes()
    with pytest.raises(ValueError, match=words):
        train(tiny_vae(), **{"checkpoint": "c.pt", "resume": True, **change})
    assert Path("c.pt").read_bytes() == written and os.listdir() == ["c.pt"]


def test_only_a_finished_run_is_extended_and_an_extended_one_stays_so(tmp_path):
    path, settings = tmp_path / "c.pt", {"checkpoint": tmp_path / "c.pt", "resume": True}
    train(at_pass(tiny_vae(), N_STEPS + 2), epochs=2, **settings)
    with pytest.raises(CheckpointError, match="stopped after epoch 1 of 2: finish that run first, with epochs=2"):
        train(tiny_vae(), epochs=4, extend=constant, **settings)
    train(tiny_vae(), epochs=2, **settings)
    train(at_pass(tiny_vae(), N_STEPS + 2), epochs=4, extend=constant, **settings)
    for extend, now in ((None, "none"), (cosine, "schedules.cosine after epoch 2")):
        with pytest.raises(CheckpointError, match=f"extensions was schedules.constant after epoch 2, is now {now}"):
            train(tiny_vae(), epochs=4, extend=extend, **settings)
    assert len(on_disk(path)["history"]) == 3
    train(tiny_vae(), epochs=4, extend=constant, **settings)
    with pytest.raises(CheckpointError, match=r"give the same extend=… again: schedules.constant after epoch 2\."):
        train(tiny_vae(), epochs=4, **settings)


# ---------------------------------------------------------------- files that are no such checkpoint

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


@pytest.mark.parametrize("name", ["model", "optimizer", "random", "history", "settings"])
def test_a_checkpoint_that_lacks_a_part_is_refused(tmp_path, name):
    path = tmp_path / "c.pt"
    train(tiny_vae(), checkpoint=path)
    checkpoint = checkpoints.load_checkpoint(path)
    del checkpoint[name]
    checkpoints.save_checkpoint(checkpoint, path)
    with pytest.raises(CheckpointError, match="no(t a| whole) checkpoint") as caught:
        train(tiny_vae(), checkpoint=path, resume=True)
    assert name == "settings" or f"it lacks {name}: delete it" in str(caught.value)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_is_not_taken_for_a_checkpoint(tmp_path, resume):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "precious").write_text("x")
    with pytest.raises(ValueError, match=r"checkpoint must name a file, such as .*checkpoint\.pt, and .*runs is a folder"):
        train(tiny_vae(), checkpoint=tmp_path / "runs", resume=resume)
    assert (tmp_path / "runs" / "precious").read_text() == "x" and os.listdir(tmp_path) == ["runs"]


def test_a_path_that_cannot_be_written_is_named_before_the_first_step(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    never = at_call(1, lambda terms: pytest.fail("a step was made"))
    with pytest.raises(CheckpointError, match=r"c\.pt cannot be written \((File exists|Not a directory)\)"):
        train(tiny_vae(), never, checkpoint=tmp_path / "file" / "c.pt")
    monkeypatch.setattr(checkpoints.os, "replace", lambda *paths: pytest.fail("something was written"))
    with pytest.raises(ValueError, match="epochs"):
        train(tiny_vae(), checkpoint=tmp_path / "c.pt", epochs=0)
    history = train(tiny_vae(), at_call(1, press_stop), checkpoint=tmp_path / "new" / "c.pt")
    assert len(history) == 0 and os.listdir(tmp_path / "new") == [], "what was tried leaves no file behind"


def test_a_finished_run_is_read_from_where_nothing_can_be_written(tmp_path, monkeypatch):
    train(tiny_vae(), checkpoint=tmp_path / "c.pt")
    monkeypatch.setattr(run_module, "check_writable", lambda path: pytest.fail("it was tried to write"))
    assert len(train(tiny_vae(), checkpoint=tmp_path / "c.pt", resume=True)) == 3


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
    train(at_pass(model, N_STEPS + 2), checkpoint=path, **settings)
    assert len(train(model, checkpoint=path, resume=True, **settings)) == 3
    assert same(weights(whole), weights(model))
