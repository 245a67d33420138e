"""fit(): against a loop written by hand, its history, its schedules, and its arguments misused."""

import io
import math

import pytest
import torch
from PIL import Image
from tiny_vae import PIXELS, tiny_images, tiny_vae
from torch import Tensor, nn
from torch.testing import assert_close
from training_runs import (
    BATCH,
    IMAGES,
    N_STEPS,
    VALIDATION,
    N,
    at_call,
    press_stop,
    same,
    train,
    weights,
    without_seconds,
)

from vae_course import checkpoints, data, training
from vae_course.objectives import negative_elbo
from vae_course.training import TrainingDiverged, loop
from vae_course.training.schedules import constant, cosine, one_cycle, warm_cosine

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
    ({"seed": "0"}, "seed must be a whole number, got '0'"),
    ({"learning_rate": "0.1"}, "learning_rate must be positive, got '0.1'"),
    ({"images": IMAGES.to("meta")}, r"train must be on the model's device, cpu, or on the CPU, got meta: model\.to"),
    ({"validation": VALIDATION.to("meta")}, "validation must be on the model's device, cpu, or on the CPU, got meta"),
])
def test_an_argument_that_cannot_be_meant_is_named(change, words):
    model = tiny_vae()
    before = weights(model)
    with pytest.raises(ValueError, match=words):
        train(model, **change)
    assert same(weights(model), before)


@pytest.mark.parametrize(("schedule", "error", "words"), [
    (0.1, TypeError, "must be a function of progress, a tensor, .*, got 0.1"),
    (lambda progress: 0.1, TypeError, "it returned float, not a tensor"),
    (lambda progress: progress[:-1], ValueError, r"for progress \(\d+,\) it returned \(\d+,\)"),
    (lambda progress: torch.tensor(1.0), ValueError, r"it returned \(\)"),
    (lambda progress: 1 / progress, ValueError, "it returned inf, which is not finite"),
])
def test_a_schedule_that_gives_no_factors_is_named(tmp_path, schedule, error, words):
    model, settings = tiny_vae(), {"checkpoint": tmp_path / "c.pt", "resume": True}
    with pytest.raises(error, match=f"schedule .*{words}"):
        train(model, schedule=schedule, **settings)
    train(model, epochs=1, **settings)
    before = weights(model)
    with pytest.raises(error, match=f"extend .*{words}"):
        train(model, epochs=2, extend=schedule, **settings)
    assert same(weights(model), before)
