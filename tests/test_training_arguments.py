"""fit() called with what it cannot take: the error names the argument, what came, and the call that mends it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from training_runs import same, weights

from vae_course import conditional, data, models, runtime
from vae_course.objectives import elbo_terms, negative_elbo
from vae_course.training import evaluate, fit

N, SHAPE = 40, (1, 6, 5)
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (N, *SHAPE), dtype=torch.uint8, generator=GENERATOR)
LABELS = torch.arange(N) % 3
SET = data.ImageSet(IMAGES, LABELS)
ARRAYS = [picture.numpy() for picture in IMAGES[:, 0]]
PICTURES = [Image.fromarray(array) for array in ARRAYS]


def vae(likelihood: nn.Module | None = None, shape=SHAPE) -> models.VAE:
    return models.mlp_vae(shape, 2, 7, likelihood=likelihood)


def cvae() -> conditional.CVAE:
    return conditional.mlp_cvae(SHAPE, 3, 2, 7)


class Plain(nn.Module):
    """A model of the reader's own, which checks nothing."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(30, 30)

    def forward(self, x):
        return self.layer(x.flatten(1))


def squares(model, x) -> dict:
    return {"loss": (model(x) - x.flatten(1)).pow(2).mean()}


def train(images=IMAGES, model=None, loss_fn=negative_elbo, **changes):
    settings = {"epochs": 1, "prepare": data.grey, "batch_size": 8, "progress": False, "bf16": False, **changes}
    return fit(vae() if model is None else model, loss_fn, images, **settings)


class Once(IterableDataset):
    def __iter__(self):
        return iter(IMAGES)


class Table:
    """What pandas' tables have."""

    def to_numpy(self):
        return IMAGES.flatten(1).numpy() / 255


# ---------------------------------------------------------------- data of another kind

KINDS = {
    "an array": (IMAGES.numpy(), r"got ndarray \(40, 1, 6, 5\) uint8: data.from_arrays\(NAME\).train.images; or, .*numpy"),
    "an array of doubles": (IMAGES.numpy() / 255, r"got ndarray \(40, 1, 6, 5\) float64: data.from_arrays\(NAME\)"),
    "a dataset": (TensorDataset(IMAGES, LABELS), r"got TensorDataset: data.from_dataset\(NAME\).train.images"),
    "a loader": (DataLoader(TensorDataset(IMAGES)), r"got DataLoader: .*data.from_dataset\(loader.dataset\).*batch_size"),
    "a dataset to be read once": (Once(), r"got Once: .*data.from_arrays\(list\(NAME\)\)"),
    "a generator": ((x for x in IMAGES), r"got generator: .*data.from_arrays\(list\(NAME\)\)"),
    "pairs": ([(x, 1) for x in IMAGES], r"got a list of 40: tuple of Tensor, int, .*: data.from_dataset\(NAME\)"),
    "pairs of pictures": ([(x, "a") for x in PICTURES], r"data.from_dataset\(NAME\).train.images takes \(pict"),
    "pictures": (PICTURES, r"got a list of 40: .*: data.from_arrays\(NAME\).train.images takes a list of pictures"),
    "arrays": (ARRAYS, r"got a list of 40: ndarray \(6, 5\) uint8, .*: data.from_arrays\(NAME\).train.images takes"),
    "one picture": (PICTURES[0], r"got Image: data.from_arrays\(\[NAME\]\)"),
    "a table": (Table(), r"got Table: data.from_arrays\(NAME.to_numpy\(\)\).train.images"),
    "a set": (SET, r"got ImageSet: give NAME.images, or, .*\(NAME.images, NAME.labels\)"),
    "all of a data set": (data.ImageData("x", SET, SET), "got ImageData: .*data.train.images"),
    "a path": ("pictures", r"got 'pictures': data.from_folder\(path, size=64\).train.images"),
    "a Path": (Path("pictures"), r"got PosixPath: data.from_folder\(path"),
    "a dict": ({"images": IMAGES}, r"got dict: give its tensors, such as \(NAME\['images'\], NAME\['labels'\]\)"),
    "words as labels": ((IMAGES, ["a"] * N), r"2: Tensor \(40, 1, 6, 5\) uint8, list of str: .*from_arrays\(images, l"),
    "a list of labels": ((IMAGES, LABELS.tolist()), r"list of int: data.from_arrays\(images, labels\) .*data.train.labels"),
    "an array of labels": ((IMAGES, LABELS.numpy()), r"ndarray \(40,\) int64: data.from_arrays\(images, labels\)"),
    "lists of both": ((PICTURES, LABELS.tolist()), r"data.from_arrays\(images, labels\)"),
    "an empty list": ([], "got a list of 0$"),
    "a number": (5, "got int$"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["train", "validation"])
def test_data_of_another_kind_are_named_with_the_way_out(kind, name):
    wrong, words = KINDS[kind]
    model = vae()
    before = weights(model)
    with pytest.raises(TypeError, match=f"^{name} must be a tensor .*{words.replace('NAME', name)}") as caught:
        train(model=model, **{"images" if name == "train" else name: wrong})
    assert same(weights(model), before) and caught.value.__cause__ is None
    if name == "validation":
        with pytest.raises(TypeError, match=f"^data must be a tensor .*{words.replace('NAME', 'data')}"):
            evaluate(model, negative_elbo, data.grey, wrong)


@pytest.mark.parametrize("kind", ["an array", "an array of doubles", "a dataset", "pairs", "pairs of pictures", "pictures",
                                  "arrays", "a set"])
def test_the_way_out_of_train_leads_there(kind):
    wrong, _ = KINDS[kind]
    with pytest.raises(TypeError) as caught:
        train(wrong)
    call = re.search(r"data\.from_\w+\([^;]*?\)\.train\.images|train\.images", str(caught.value))[0]
    images = eval(call, {"data": data, "train": wrong})
    train(images, batch_size=4)


def test_data_that_are_missing():
    with pytest.raises(TypeError, match="train must be a tensor .*, got NoneType$"):
        train(None)


@pytest.mark.parametrize(("wrong", "words"), [
    (IMAGES[:0], r"must hold at least one example, got Tensor \(0, 1, 6, 5\) uint8"),
    (torch.tensor(3.0), "must have the examples on its first axis, got Tensor"),
    (list(IMAGES), r"must be a tensor \(N, …\).*, got a list of 40: Tensor .*takes a list of pictures"),
    ((LABELS, IMAGES), r"must begin with the pictures, as \(images, labels\), got .*int64, .*: swap them"),
    ((IMAGES, LABELS[:7]), r"must hold tensors of equal length, got \[40, 7\]"),
])
@pytest.mark.parametrize("name", ["train", "validation"])
def test_tensors_that_cannot_be_meant_are_named(wrong, words, name):
    with pytest.raises(ValueError, match=f"^{name} {words}"):
        train(model=cvae(), **{"images" if name == "train" else name: wrong})


def test_a_short_list_of_pictures_is_not_taken_for_as_many_data_sets():
    with pytest.raises(ValueError, match=r"train must be a tensor \(N, …\), got a list of 3: .*takes a list of pictures"):
        train(list(IMAGES[:3]))


def test_sparse_data_are_named():
    with pytest.raises(TypeError, match=r"train must be dense, got a sparse tensor: x.to_dense\(\)"):
        train((IMAGES / 255).to_sparse(), prepare=data.unchanged)


# ---------------------------------------------------------------- data that do not fit the model

@pytest.mark.parametrize(("wrong", "prepare", "error", "words"), [
    (IMAGES.permute(0, 2, 3, 1), data.grey, ValueError, r"got \(8, 6, 5, 1\): x.permute\(0, 3, 1, 2\)$"),
    (IMAGES[:, 0], data.grey, ValueError, r"got \(8, 6, 5\): x.unsqueeze\(1\)$"),
    (IMAGES.flatten(1), data.grey, ValueError, r"got \(8, 30\): x.reshape\(-1, 1, 6, 5\)$"),
    (IMAGES.expand(N, 3, 6, 5), data.grey, ValueError, r"models.mlp_vae\(\(3, 6, 5\)\)$"),
    (IMAGES.double() / 255, lambda x: x, TypeError, r"got torch.float64: x.float\(\)$"),
    (IMAGES, lambda x: x, TypeError, r"got torch.uint8; .*data.grey\(x\)$"),
    (IMAGES, lambda x: data.grey(x).half(), TypeError, r"got torch.float16: x.float\(\)$"),
])
def test_examples_that_do_not_fit_are_named_with_the_way_out(wrong, prepare, error, words):
    model = vae()
    before = weights(model)
    with pytest.raises(error, match=f"^train does not fit the model: after prepare, x must .*{words}") as caught:
        train(wrong, model, prepare=prepare)
    assert same(weights(model), before) and caught.value.__suppress_context__
    with pytest.raises(error, match=f"^the validation data does not fit the model: after prepare, x must .*{words}"):
        evaluate(model, negative_elbo, prepare, wrong[:8])


@pytest.mark.parametrize(("wrong", "prepare", "error", "words"), [
    (IMAGES / 255, data.grey, TypeError, r"images must be .*got torch.float32: .*data\.unchanged"),
    (IMAGES.float(), data.grey, TypeError, "images must be .*got torch.float32"),
    (IMAGES.long(), data.grey, TypeError, "images must be .*got torch.int64"),
    (IMAGES > 9, data.stochastic, TypeError, "images must be .*got torch.bool"),
    (IMAGES, data.unchanged, TypeError, r"x must be .*got torch.uint8.*data\.grey"),
    (IMAGES.double() / 255, data.unchanged, TypeError, r"x must be .*got torch.float64.*x\.float\(\)"),
    (IMAGES.float(), data.unchanged, ValueError, r"x must lie in \[0, 1\], got values from 0 to 255; .*divide by 255"),
    (IMAGES * torch.nan, data.unchanged, ValueError, r"x must lie in \[0, 1\], got nan: x.isnan\(\) says where"),
    (IMAGES, lambda x: None, TypeError, "prepare must return a tensor .*, got NoneType"),
    (IMAGES, lambda x: x.numpy(), TypeError, "prepare must return a tensor .*, got ndarray"),
])
def test_what_prepare_or_the_likelihood_cannot_take_is_named(wrong, prepare, error, words):
    with pytest.raises(error, match=words):
        train(wrong, prepare=prepare)


def test_floats_from_0_to_255_are_named_where_the_likelihood_takes_any():
    gaussian = models.GaussianLikelihood
    with pytest.raises(ValueError, match=r"train holds floats from 0 to 255 after prepare, .*divide by 255"):
        train(IMAGES.float(), vae(gaussian()), prepare=data.unchanged)
    for images in (IMAGES * 0.03, IMAGES // 20 - 5.0, IMAGES // 100):       # other scales may be meant
        train(images.float(), vae(gaussian(5.0)), prepare=data.unchanged)
    train((IMAGES // 20).float().flatten(1), vae(gaussian(5.0), (30,)), prepare=data.unchanged)     # so may a table


@pytest.mark.parametrize(("prepare", "error", "words"), [
    (lambda x: x, TypeError, r"x must be a floating-point tensor, got torch.uint8; .*data.grey\(x\)$"),
    (lambda x: x.double(), TypeError, r"x must be torch.float32, .*got torch.float64: x.float\(\)$"),
    (lambda x: x.float()[:, :, 1:], ValueError, r"x is Tensor \(8, 1, 5, 5\) float32, and torch says mat1 and mat2 shapes"),
])
def test_a_model_that_checks_nothing_does_not_end_in_torchs_words(prepare, error, words):
    with pytest.raises(error, match=f"^train does not fit the model.*: after prepare, {words}"):
        train(model=Plain(), loss_fn=squares, prepare=prepare)


def test_a_loss_may_take_what_the_model_does_not():
    train(loss_fn=lambda model, x: negative_elbo(model, data.grey(x)), prepare=lambda x: x)
    with pytest.raises(ZeroDivisionError):
        train(loss_fn=lambda model, x: 1 / 0, prepare=lambda x: x)
    with pytest.raises(ValueError, match="^my own$"):
        def own(model, x):
            raise ValueError("my own")
        train(loss_fn=own, prepare=lambda x: x)


@pytest.mark.parametrize(("images", "words"), [
    ((IMAGES, LABELS.float()), "labels must be a tensor of whole numbers .*got torch.float32"),
    ((IMAGES, nn.functional.one_hot(LABELS)), r"labels must have shape \(B,\).*got \(40, 3\)"),
    ((IMAGES, LABELS + 1), r"labels must lie from 0 to 2 .*got values from 1 to 3"),
    (IMAGES, r"a conditional model needs its condition, such as labels .*fit\(model, loss_fn, \(images, labels\)"),
])
def test_labels_that_do_not_fit_are_named(images, words):
    with pytest.raises((TypeError, ValueError), match=words):
        train(images, cvae())


def test_labels_for_a_model_that_takes_none():
    with pytest.raises(TypeError, match="VAE takes no labels, .*leave them out, .*train.images"):
        train((IMAGES, LABELS))


@pytest.mark.parametrize(("validation", "words"), [
    (IMAGES, r"must hold as many tensors as train, 2, got 1: .*\(validation.images, validation.labels\)"),
    ((IMAGES[:, 0], LABELS), r"train has examples of shape \(1, 6, 5\) and type torch.uint8 and validation .* \(6, 5\)"),
    ((IMAGES / 255, LABELS), "validation has examples of shape .* torch.float32: make both in the same way"),
])
def test_validation_data_unlike_the_training_data_are_refused_before_the_first_epoch(validation, words):
    with pytest.raises(ValueError, match=f"^validation {words}|{words}"):
        train((IMAGES, LABELS), cvae(), validation=validation)


# ---------------------------------------------------------------- the model, the functions

@pytest.mark.parametrize(("model", "error", "words"), [
    (models.VAE, TypeError, r"model must be a torch.nn.Module, .*got the class VAE: call it, VAE\(…\)"),
    (models.reference_vae, TypeError, r"got the function reference_vae: call it, reference_vae\(…\)"),
    ("vae", TypeError, "got 'vae'$"),
    (IMAGES, TypeError, r"got Tensor \(40, 1, 6, 5\) uint8$"),
    (nn.Flatten(), ValueError, "model must have weights to train, got Flatten with none"),
    (vae().requires_grad_(False), ValueError, r"got VAE with 10 that are all frozen: model.requires_grad_\(\)"),
    (vae().to("meta"), ValueError, "model must lie on a device that computes, got meta"),
    (vae().double(), TypeError, r"x must be torch.float64, as the model's weights are, got torch.float32: model.float\(\)"),
])
def test_what_is_no_model_to_train_is_named(model, error, words):
    with pytest.raises(error, match=words):
        train(model=model)


def test_model_and_loss_in_the_other_order():
    with pytest.raises(TypeError, match="model must be a torch.nn.Module, .*got the function negative_elbo"):
        train(model=negative_elbo, loss_fn=vae())


@pytest.mark.parametrize(("prepare", "words"), [
    (None, "got NoneType"), ("grey", "got 'grey'"), (data.grey(IMAGES), r"got Tensor \(40, 1, 6, 5\) float32"),
])
def test_a_prepare_that_is_no_function_is_named(prepare, words):
    with pytest.raises(TypeError, match=f"prepare must be a function of a batch, .*without parentheses, {words}"):
        train(prepare=prepare)


def test_log_images_that_is_no_function_is_named():
    with pytest.raises(TypeError, match="log_images must be a function model → .*, got Tensor"):
        train(log_images=IMAGES)


@pytest.mark.parametrize(("x", "error", "words"), [
    (IMAGES, TypeError, r"got torch.uint8; .*data.grey\(x\)"),
    (IMAGES.numpy(), TypeError, "got ndarray; torch.as_tensor"),
    (IMAGES.double() / 255, TypeError, r"be torch.float32, .*got torch.float64: x.float\(\)"),
    (SET, TypeError, r"data.grey\(x.images\)"),
    (IMAGES.permute(0, 2, 3, 1) / 255, ValueError, r"x.permute\(0, 3, 1, 2\)"),
    (IMAGES.float(), ValueError, "divide by 255"),
])
def test_an_elbo_of_what_is_no_batch_is_named(x, error, words):
    with pytest.raises(error, match=f"^x must .*{words}"):
        elbo_terms(vae(), x)


def test_on_a_gpu_the_scale_is_read_before_the_first_step_alone(monkeypatch):
    monkeypatch.setattr(runtime, "waits_when_read", lambda tensor: True)
    with pytest.raises(ValueError, match="train holds floats from 0 to 25"):
        train(IMAGES.float(), vae(models.GaussianLikelihood()), prepare=data.unchanged)


def test_numpys_labels_need_a_call_and_the_call_is_right():
    made = data.from_arrays(IMAGES.numpy(), np.array(["b", "a", "c"])[LABELS.numpy()])
    train((made.train.images, made.train.labels), cvae())
