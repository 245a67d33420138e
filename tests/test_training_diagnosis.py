"""A training that goes wrong says what: the term, the example, and a likelihood's own warning."""

import math

import pytest
import torch
from tiny_vae import PIXELS, tiny_vae
from torch import nn
from training_runs import BATCH, IMAGES, N_STEPS, at_call, same, train, weights

from vae_course import data
from vae_course.models import GaussianLikelihood
from vae_course.objectives import negative_elbo
from vae_course.training import TrainingDiverged
from vae_course.training.diagnosis import HUGE
from vae_course.training.schedules import cosine


def diverged(model=None, loss_fn=negative_elbo, **settings) -> str:
    with pytest.raises(TrainingDiverged) as caught:
        train(model or tiny_vae(), loss_fn, **settings)
    return str(caught.value)


def runaway_logvar(value: float) -> nn.Module:
    """A model whose encoder says that log σ² is this large."""
    model = tiny_vae()
    nn.init.constant_(model.encoder.to_logvar.bias, value)
    return model


def test_a_kl_that_is_infinite_is_named_as_log_variance():
    said = diverged(runaway_logvar(90.0))
    assert "the loss is inf at step 1 (epoch 1)" in said and "kl is inf" in said
    assert "most likely log σ² overflowed: the encoder's logvar" in said
    for way_out in ("a smaller learning_rate", "logvar.clamp(-10, 10)", "warm_up_negative_elbo, loss_takes_progress=True"):
        assert way_out in said


def test_so_is_a_kl_whose_gradient_overflows_first():
    said = diverged(runaway_logvar(50.0))
    assert "the gradient's norm is inf" in said and "log σ² overflowed" in said
    assert float(said.partition("kl is ")[2].partition(",")[0]) > HUGE


def test_another_term_is_named_and_no_log_variance():
    def spoiled(terms):
        return {**terms, "recon": terms["recon"] * math.nan, "loss": terms["loss"] * math.nan}

    said = diverged(loss_fn=at_call(N_STEPS + 2, spoiled))
    assert f"the loss is nan at step {N_STEPS + 2} (epoch 2)" in said and "recon is nan" in said and "log σ²" not in said
    assert "kl is nan" not in said and "The usual causes" in said


def test_an_example_that_is_not_finite_is_named_by_its_number():
    images = data.grey(IMAGES)
    images[17, 0, 2, 1] = math.nan
    model = tiny_vae(likelihood=GaussianLikelihood())
    said = diverged(model, images=images, prepare=data.unchanged, batch_size=BATCH, epochs=9)
    assert "train[17] holds nan or inf: leave such examples out" in said and "of this batch" not in said
    assert "train[" in (said := diverged(model, images=images * math.inf, prepare=data.unchanged))
    assert f"and {BATCH - 1} more of this batch" in said


# ---------------------------------------------------------------- what a likelihood says of itself

class Warning(GaussianLikelihood):
    """Warns from its nth question on."""

    def __init__(self, n: int):
        super().__init__()
        self.n, self.asked = n, 0

    def warning(self) -> str | None:
        self.asked += 1
        return f"σ is too small, for the {self.asked}th time" if self.asked >= self.n else None


def test_a_warning_is_told_once_and_changes_nothing(capsys):
    warned, plain = tiny_vae(likelihood=Warning(3)), tiny_vae(likelihood=GaussianLikelihood())
    train(warned, epochs=6)
    assert capsys.readouterr().out == "After epoch 3: σ is too small, for the 3th time\n"
    train(plain, epochs=6)
    assert same(weights(warned), weights(plain)) and warned.likelihood.asked == 6


def test_an_error_adds_the_warning():
    loss_fn = at_call(N_STEPS + 2, lambda terms: {**terms, "loss": terms["loss"] * math.nan})
    assert diverged(tiny_vae(likelihood=Warning(2)), loss_fn).endswith("finished epoch. σ is too small, for the 2th time")


def nearly_constant() -> torch.Tensor:
    """64 pictures, of which one differs from the others in one pixel, by one: the decoder's bias reproduces them."""
    images = torch.full((64, *PIXELS), 100, dtype=torch.uint8)
    images[3, 0, 1, 2] += 1
    return images


SETTINGS = {"prepare": data.grey, "epochs": 150, "learning_rate": 0.05, "schedule": cosine}


def test_a_sigma_that_runs_to_zero_is_told_before_the_elbo_means_nothing(capsys):
    model = tiny_vae(likelihood=GaussianLikelihood(0.01, learn_sigma=True))
    history = train(model, images=nearly_constant(), **SETTINGS)
    said = capsys.readouterr().out
    assert said.startswith("After epoch ") and "σ" in said and said.count("After epoch") == 1
    for way_out in ("least_sigma", "dequantization", "DiscretizedLogisticLikelihood"):
        assert way_out in said
    when = int(said.split()[2].rstrip(":"))
    possible = 15 * math.log(2 * 255 / math.sqrt(2 * math.pi))    # nats of 15 pixels at σ = 1/510, all of them exact
    assert history[when - 2]["train_elbo"] < possible, "it came too late"
    assert len(history) == 150


def test_a_floor_ends_the_warning(capsys):
    model = tiny_vae(likelihood=GaussianLikelihood(0.01, learn_sigma=True, least_sigma=1 / 255))
    train(model, images=nearly_constant(), **SETTINGS)
    assert capsys.readouterr().out == "" and model.likelihood.sigma.item() >= 1 / 255


@pytest.mark.parametrize(("likelihood", "told"), [
    (GaussianLikelihood(learn_sigma=True), True), (GaussianLikelihood(), False), (None, False),
    (GaussianLikelihood(learn_sigma=True, least_sigma=0.01), False)])
def test_pictures_that_are_all_alike_are_told_at_once(capsys, likelihood, told):
    train(tiny_vae(likelihood=likelihood), images=nearly_constant()[10:], epochs=30, prepare=data.grey)
    said = capsys.readouterr().out
    assert said.startswith("Before the first epoch: the first 54 training examples are all alike") == told
    assert bool(said) == told and ("least_sigma=1/255" in said and "dequantization" in said) == told
    train(tiny_vae(likelihood=likelihood), epochs=2, prepare=data.grey)
    assert capsys.readouterr().out == ""
