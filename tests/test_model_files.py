"""A model in a file: built again of the file alone; what is foreign or damaged is refused; a decoder for other programs.

The second route for an exported decoder is a program in NumPy that reads nothing but the file.
"""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import save_file
from tiny_vae import tiny_vae
from torch import nn
from torch.testing import assert_close

from vae_course import conditional, models
from vae_course.checkpoints import CheckpointError, load_weights, read_tensors, save_weights
from vae_course.conditional import ClassMeans
from vae_course.models import (
    BernoulliLikelihood,
    ContinuousBernoulliLikelihood,
    DiscretizedLogisticLikelihood,
    GaussianLikelihood,
    conv_vae,
    mlp_vae,
    reference_vae,
)
from vae_course.semi_supervised import SemiSupervisedVAE, code_model

Z, C, HIDDEN, SHAPE = 5, 3, 7, (3, 9, 15)
MODELS = {
    "reference": lambda: reference_vae(Z, HIDDEN),
    "mlp": lambda: mlp_vae(SHAPE, Z, HIDDEN, nn.Tanh, GaussianLikelihood(0.2, learn_sigma=True, least_sigma=0.01)),
    "mlp with a mean image": lambda: mlp_vae(SHAPE, Z, HIDDEN, nn.GELU, mean_image=torch.full(SHAPE, 0.3)),
    "mlp of rows": lambda: mlp_vae(6, Z, HIDDEN, partial(nn.LeakyReLU, 0.2), GaussianLikelihood(0.3)),
    "mlp of a NumPy shape": lambda: mlp_vae(np.array(SHAPE), np.int64(Z), HIDDEN, lambda: nn.ELU(alpha=0.5)),
    "conv": lambda: conv_vae(SHAPE, Z, 4, HIDDEN, likelihood=DiscretizedLogisticLikelihood(0.2)),
    "conv with a depth": lambda: conv_vae((1, 20, 9), Z, 4, HIDDEN, 2, nn.ReLU, ContinuousBernoulliLikelihood()),
    "with labels": lambda: conditional.mlp_cvae(SHAPE, C, Z, HIDDEN, nn.SiLU, prior=ClassMeans(C, Z), label_gain=3.0),
    "reference with labels": lambda: conditional.reference_cvae(C, Z, HIDDEN),
    "conv with labels": lambda: conditional.conv_cvae(SHAPE, C, Z, 4, HIDDEN, likelihood=GaussianLikelihood()),
    "class means": lambda: conditional.class_mean_vae(C, Z, HIDDEN, input_shape=SHAPE),
    "few labels": lambda: SemiSupervisedVAE(SHAPE, C, Z, HIDDEN, 11, DiscretizedLogisticLikelihood(levels=17)),
    "codes": lambda: code_model(4, C, HIDDEN, 11, Z),
}


def made(name: str) -> nn.Module:
    """The model, all of its weights changed as by a training, so that none is as a builder leaves it."""
    torch.manual_seed(0)
    model = MODELS[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    if name == "reference with labels":
        model.note_training_data(torch.zeros(2), torch.tensor([0, 2]))
    return model


def labels_of(model) -> tuple[torch.Tensor, ...]:
    return (torch.tensor([2, 0, 1, 1]),) if hasattr(model, "condition") else ()


@pytest.mark.parametrize("name", MODELS)
def test_a_file_alone_is_enough(tmp_path, name):
    model, path = made(name), tmp_path / "folder" / "m.safetensors"
    models.save(model, str(path))
    before = torch.get_rng_state()
    again = models.load(str(path))
    assert torch.equal(before, torch.get_rng_state()), "reading a file draws no random numbers"
    assert type(again) is type(model) and repr(again) == repr(model) and again.input_shape == model.input_shape
    z, y = torch.randn(4, Z), labels_of(model)
    recon = model.decode(z, *y)
    assert torch.equal(recon, again.decode(z, *y))
    x = model.likelihood.sample(recon).clamp(0, 1)
    assert all(map(torch.equal, model.encode(x, *y), again.encode(x, *y)))
    assert torch.equal(model.likelihood.log_prob(x, recon), again.likelihood.log_prob(x, recon))
    if y:
        assert torch.equal(model.log_prior(z, *y), again.log_prior(z, *y))
        assert torch.equal(model.condition.seen, again.condition.seen)
    learned = [(name, p.requires_grad) for name, p in model.named_parameters()]
    assert learned == [(name, p.requires_grad) for name, p in again.named_parameters()]
    models.save(again, tmp_path / "twice.safetensors")
    assert read_tensors(tmp_path / "twice.safetensors", "")[1] == read_tensors(path, "")[1], "and it can be written again"
    assert [file.name for file in path.parent.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("name", MODELS)
def test_the_file_is_one_of_weights_too(tmp_path, name):
    model, other = made(name), MODELS[name]()
    models.save(model, tmp_path / "m.safetensors")
    load_weights(other, tmp_path / "m.safetensors")
    assert all(map(torch.equal, model.state_dict().values(), other.state_dict().values()))


def test_architecture_is_plain_and_says_what_was_asked_for():
    model = mlp_vae(SHAPE, Z, activation=partial(nn.LeakyReLU, 0.2), likelihood=GaussianLikelihood())
    assert model.architecture == {"builder": "mlp_vae", "arguments": {
        "input_shape": [3, 9, 15], "latent_dim": Z, "hidden_dim": 400,
        "activation": {"name": "LeakyReLU", "arguments": {"negative_slope": 0.2}}}}
    assert json.loads(json.dumps(model.architecture)) == model.architecture
    assert reference_vae().architecture == mlp_vae((1, 28, 28)).architecture


def test_a_likelihood_that_was_exchanged_is_the_one_that_is_written(tmp_path):
    model = mlp_vae(SHAPE, Z, HIDDEN)
    model.likelihood = GaussianLikelihood(0.3)
    models.save(model, tmp_path / "m")
    assert repr(models.load(tmp_path / "m").likelihood) == "GaussianLikelihood(sigma=0.3)"


# ---------------------------------------------------------------- what cannot be written

class OwnActivation(nn.Module):
    def forward(self, x):
        return torch.sin(x)


class OwnLikelihood(BernoulliLikelihood):
    pass


class GELU(nn.Module):
    """A reader's own, with a name that torch has too."""

    def forward(self, x):
        return x


def changed(change):
    def build():
        model = mlp_vae(SHAPE, Z, HIDDEN)
        change(model)
        return model
    return build


@pytest.mark.parametrize(("build", "words"), [
    (tiny_vae, "this VAE was not made by mlp_vae, conv_vae, .*: checkpoints.save_weights.* weights alone"),
    (lambda: nn.Linear(2, 3), "this Linear was not made by"),
    (lambda: mlp_vae(6, activation=OwnActivation), r"activation OwnActivation\(\) is not one of torch.nn"),
    (lambda: mlp_vae(6, activation=GELU), r"activation GELU\(\) is not one of torch.nn"),
    (lambda: mlp_vae(6, likelihood=OwnLikelihood()), "likelihood OwnLikelihood is none of BernoulliLikelihood"),
    (lambda: conditional.reference_cvae(C, Z, prior=models.GaussianEncoder(nn.Identity(), C, Z)),
     "prior GaussianEncoder is none of"),
    (changed(lambda m: setattr(m, "decoder", nn.Linear(Z, 6))), "holds another architecture|changed after"),
    (changed(lambda m: m.decoder[0].__setitem__(1, nn.Tanh())), "changed after mlp_vae had made it"),
    (changed(lambda m: m.double()), "float64, not torch.float32"),
    (changed(lambda m: setattr(m, "likelihood", OwnLikelihood())), "likelihood OwnLikelihood"),
])
@pytest.mark.parametrize("write", [models.save, models.export_decoder])
def test_what_load_could_not_build_is_refused_when_it_is_written(tmp_path, write, build, words):
    model = build()     # no error when it is built: it may be trained, and its weights saved
    with pytest.raises(CheckpointError, match=words):
        write(model, tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
    save_weights(model, tmp_path / "w.safetensors")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"is a folder: name a file in it, such as .*model.safetensors"):
        models.save(made("mlp"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        models.save(made("mlp"), tmp_path / "file" / "m.safetensors")


# ---------------------------------------------------------------- what is not read

def tampered(path, change, weights=None):
    """The file again, after change(architecture, metadata)."""
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    told = json.loads(metadata["architecture"])
    instead = change(told, metadata)
    metadata["architecture"] = json.dumps(told if instead is None else instead)
    save_file({**tensors, **(weights or {})}, path, {k: v for k, v in metadata.items() if v is not None})


def arguments(**new):
    return lambda told, metadata: told["arguments"].update(new)


@pytest.mark.parametrize(("change", "words"), [
    (lambda told, metadata: told.update(builder="os.system"), "builder 'os.system' is none of mlp_vae"),
    (lambda told, metadata: told.update(builder="reference_vae"), "builder 'reference_vae' is none of"),
    (lambda told, metadata: told.update(builder=["mlp_vae"]), "cannot be built"),
    (lambda told, metadata: told.pop("builder"), "cannot be built"),
    (lambda told, metadata: told.pop("arguments"), "cannot be built"),
    (lambda told, metadata: [], "cannot be built"), (lambda told, metadata: 3, "cannot be built"),
    (lambda told, metadata: metadata.update(version="2"), "has version 2 of the format, and this course reads version 1"),
    (lambda told, metadata: metadata.update(version=None), "has version None"),
    (lambda told, metadata: metadata.update(format="other"), r"does not say how its model is built.*load_weights\(model"),
    (lambda told, metadata: metadata.update(format=None), "does not say how its model is built"),
    (arguments(hidden_dim=8), "holds another architecture:\n.*the model has"),
    (arguments(hidden_dim=10 ** 12), "holds another architecture|cannot be built"),
    (arguments(latent_dim=10 ** 30), "holds another architecture|cannot be built"),
    (arguments(input_shape=[3, 9, 16]), "holds another architecture"),
    (arguments(input_shape=[3, 10 ** 9, 10 ** 9]), "holds another architecture|cannot be built"),
    (arguments(input_shape="3, 9, 15"), "input_shape must be"), (arguments(input_shape={"a": 1}), "input_shape must be"),
    (arguments(latent_dim="5"), "latent_dim must be a whole number"), (arguments(latent_dim=5.0), "latent_dim must be"),
    (arguments(latent_dim=None), "latent_dim must be"), (arguments(surprise=1), "unexpected keyword argument 'surprise'"),
    (arguments(mean_image=[0.5]), "mean_image is no argument that a file may give"),
    (arguments(activation={"name": "Linear", "arguments": {}}), "activation 'Linear' is none of torch's"),
    (arguments(activation={"name": "__import__", "arguments": {}}), "activation '__import__' is none of torch's"),
    (arguments(activation={"name": "ReLU", "arguments": {"x": 1}}), "cannot be built"),
    (arguments(activation="ReLU"), "cannot be built"),
    (arguments(likelihood={"name": "ClassMeans", "arguments": {"num_classes": 3, "latent_dim": 5}}), "likelihood must have"),
    (arguments(likelihood={"name": "eval", "arguments": {}}), "likelihood 'eval' is none of"),
    (arguments(likelihood={"name": "GaussianLikelihood", "arguments": {"sigma": -1}}), "sigma must be positive"),
    (arguments(likelihood=7), "cannot be built"),
])
def test_what_is_unknown_or_tampered_with_is_refused(tmp_path, change, words):
    path = tmp_path / "m.safetensors"
    models.save(made("mlp"), path)
    tampered(path, change)
    with pytest.raises(CheckpointError, match=words) as caught:
        models.load(path)
    assert str(path) in str(caught.value)


def test_an_architecture_that_is_no_json_is_refused(tmp_path):
    for text in ("{", "[" * 100_000, ""):
        metadata = {"format": "vae_course model", "version": "1", "architecture": text}
        save_file({"a": torch.zeros(2)}, tmp_path / "m", metadata)
        with pytest.raises(CheckpointError, match="does not hold a readable architecture"):
            models.load(tmp_path / "m")


@pytest.mark.parametrize(("weights", "words"), [
    ({"extra": torch.zeros(2)}, "extra: the model has absent, the file has"),
    ({"encoder.to_mu.bias": torch.zeros(6)}, r"encoder.to_mu.bias: the model has \(5,\), the file has \(6,\)"),
    ({"encoder.to_mu.bias": torch.zeros(5, dtype=torch.int64)}, "encoder.to_mu.bias is torch.int64, not torch.float32"),
])
def test_weights_that_do_not_fit_are_refused(tmp_path, weights, words):
    models.save(made("mlp"), tmp_path / "m")
    tampered(tmp_path / "m", lambda told, metadata: None, weights)
    with pytest.raises(CheckpointError, match=words):
        models.load(tmp_path / "m")


@pytest.mark.parametrize("damage", [lambda b: b[:len(b) // 2], lambda b: b"", lambda b: b"x" * 999, lambda b: b[:7]])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "m"
    models.save(made("mlp"), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        models.load(path)


def test_missing_files_and_files_of_another_kind_say_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match=r"none does not exist: save it with models.save\(model, path\) first"):
        models.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="is a folder"):
        models.load(tmp_path)
    save_weights(made("mlp"), tmp_path / "w")
    with pytest.raises(CheckpointError, match=r"holds 11 tensors alone.*checkpoints.load_weights\(model, path\)"):
        models.load(tmp_path / "w")
    models.export_decoder(made("mlp"), tmp_path / "d")
    with pytest.raises(CheckpointError, match=r"holds a decoder alone.*models.save\(model, path\)"):
        models.load(tmp_path / "d")
    torch.save(made("mlp").state_dict(), tmp_path / "pickle")
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        models.load(tmp_path / "pickle")


# ---------------------------------------------------------------- a decoder for other programs

def sigmoid(v):
    return 1 / (1 + np.exp(-v))


ACTIVATIONS = {"ReLU": lambda v: np.maximum(v, 0), "SiLU": lambda v: v * sigmoid(v), "Tanh": np.tanh,
               "LeakyReLU": lambda v, negative_slope=0.01: np.where(v > 0, v, negative_slope * v),
               "ELU": lambda v, alpha=1.0: np.where(v > 0, v, alpha * np.expm1(v)),
               "GELU": lambda v: v * 0.5 * (1 + np.vectorize(math.erf)(v / 2 ** 0.5))}


def transposed_convolution(v, weight, bias, stride, padding, output_padding):
    """Each pixel of v (in, H, W) stamps its weight (in, out, k, k), and the rim is cut off."""
    (height, width), k = v.shape[1:], weight.shape[2:]
    canvas = np.zeros((weight.shape[1], *((n - 1) * s + size + o for n, s, size, o in
                                          zip((height, width), stride, k, output_padding))))
    for i in range(height):
        for j in range(width):
            canvas[:, i * stride[0]:i * stride[0] + k[0], j * stride[1]:j * stride[1] + k[1]] += np.einsum(
                "c,cokl->okl", v[:, i, j], weight)
    cut = canvas[:, padding[0]:canvas.shape[1] - padding[0], padding[1]:canvas.shape[2] - padding[1]]
    return cut + bias[:, None, None]


def run(path, z, label=None):
    """What the decoder in a file makes of a code: NumPy, the file, and its documentation alone."""
    with safe_open(path, "np") as file:
        decoder = json.loads(file.metadata()["decoder"])
    tensors, v = load_file(path), z.astype(np.float64)
    for k, layer in enumerate(decoder["layers"]):
        kind = layer.pop("type")
        weight, bias = tensors.get(f"{k}.weight"), tensors.get(f"{k}.bias")
        if kind == "Label":
            v = np.concatenate([v, layer["gain"] * np.eye(decoder["num_classes"])[label]])
        elif kind == "Linear":
            assert weight.shape == (layer["out"], layer["in"])
            v = weight @ v + bias
        elif kind == "ConvTranspose2d":
            assert weight.shape == (layer["in"], layer["out"], *layer["kernel"])
            v = transposed_convolution(v, weight, bias, layer["stride"], layer["padding"], layer["output_padding"])
        elif kind == "Reshape":
            v = v.reshape(layer["shape"])
        elif kind == "PixelBias":
            v = v + bias
        else:
            v = ACTIVATIONS[kind](v, **layer)
    assert list(v.shape) == decoder["output_shape"] and len(z) == decoder["latent_dim"]
    return v, decoder, tensors


@pytest.mark.parametrize("name", MODELS)
def test_another_program_builds_the_decoder_of_the_file(tmp_path, name):
    model, path, z = made(name), tmp_path / "d.safetensors", torch.randn(Z, generator=torch.Generator().manual_seed(1))
    models.export_decoder(model, path)
    for y in ([None] if not labels_of(model) else range(C)):
        found, decoder, tensors = run(path, z.numpy(), y)
        expected = model.decode(z[None], *([] if y is None else [torch.tensor([y])]))[0].detach()
        assert_close(torch.from_numpy(found).float(), expected, rtol=1e-4, atol=1e-5)
    assert decoder["num_classes"] == (C if labels_of(model) else None)
    assert decoder["likelihood"]["name"] == type(model.likelihood).__name__
    assert not any(key.startswith("encoder") or key.startswith("classifier") for key in tensors)
    if name in ("with labels", "class means"):
        assert decoder["prior"]["name"] == "ClassMeans"
        np.testing.assert_array_equal(tensors["prior.means"], model.prior.means.detach())
    else:
        assert decoder["prior"] is None
    if isinstance(model.likelihood, GaussianLikelihood):
        assert tensors["likelihood.logvar"] == model.likelihood.logvar.detach().numpy()
    with safe_open(path, "np") as file:
        assert json.loads(file.metadata()["architecture"])["builder"] == model.architecture["builder"]
