"""The VAE of chapter 08, for the chapters that look into it: read where it is, trained alike where it is not."""

import re
from pathlib import Path

import pytest
import torch

from vae_course import checkpoints, data, models, trained, training

CHAPTER = Path(__file__).resolve().parents[1] / "notebooks" / "08_build_and_train.ipynb"


@pytest.fixture
def mnist():
    pixels = torch.randint(0, 256, (120, 1, 28, 28), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images = data.ImageSet(pixels, torch.zeros(120, dtype=torch.long))
    return data.ImageData("x", images, images)


@pytest.fixture
def noted(monkeypatch):
    """What `fit` is asked for, in place of a training."""
    calls = []
    monkeypatch.setattr(training, "fit", lambda model, loss, x, **settings: calls.append((x, settings)))
    return calls


def test_the_file_of_the_chapter_is_read(mnist, tmp_path, noted, capsys):
    model = models.reference_vae()
    checkpoints.save_weights(model, tmp_path / trained.WEIGHTS)
    again = trained.chapter_08_vae(mnist, folder=tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))
    assert not noted and not again.training and "the VAE that chapter 08 trained" in capsys.readouterr().out


def test_without_it_the_training_is_that_of_the_chapter(mnist, tmp_path, noted, capsys):
    state = torch.random.get_rng_state()
    trained.chapter_08_vae(mnist, folder=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), state)         # the chapter's own numbers stay as they are
    (images, settings), = noted
    assert torch.equal(images, data.hold_out(mnist.train, 20)[0].images) and "is not there" in capsys.readouterr().out
    source = CHAPTER.read_text(encoding="utf-8")
    assert re.search(r"n_epochs = 8 if len\(train\) > 10_000 else 80", source) and settings["epochs"] == 80
    fit = re.search(r"objectives\.negative_elbo, train\.images, epochs=n_epochs[^@]*?validation", source)
    assert f"batch_size={settings['batch_size']}" in fit[0] and settings["batch_size"] == 256
    assert "learning_rate=5e-3" in fit[0] and settings["learning_rate"] == 5e-3
    assert f'build/{trained.WEIGHTS}' in source and "data.hold_out(mnist.train, len(mnist.train) // 6)" in source
