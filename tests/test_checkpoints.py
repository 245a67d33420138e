"""Files of weights: they survive a round trip, and what does not fit is named."""


import pytest
import torch
from safetensors.torch import load_file
from tiny_vae import tiny_vae
from torch import nn
from training_runs import (
    same,
    truncated,
    weights,
)

from vae_course.checkpoints import CheckpointError, load_weights, save_weights

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
