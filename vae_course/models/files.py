"""Models in files. `save` writes weights and architecture, and `load` builds the model again of the file alone.

A file is a safetensors file, so no code of it is ever run. Its metadata holds, each as text:

    format, version     "vae_course model", or "vae_course decoder" of `export_decoder`; "1"
    architecture        JSON, {"builder": "mlp_vae", "arguments": {"input_shape": [1, 28, 28], …}}
    decoder             JSON, of `export_decoder` alone: see there
"""

import copy
import json
import os
from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vae_course import runtime
from vae_course.checkpoints import CheckpointError, check_same_architecture, read_tensors, write_tensors

MODEL, DECODER, VERSION = "vae_course model", "vae_course decoder", "1"
# Where a name in a file is looked up, and nowhere else. The two other modules stand above this one: found when asked for.
BUILDERS = {"mlp_vae": "models", "conv_vae": "models", "mlp_cvae": "conditional", "conv_cvae": "conditional",
            "class_mean_vae": "conditional", "SemiSupervisedVAE": "semi_supervised"}
PARTS = {"BernoulliLikelihood": "models", "ContinuousBernoulliLikelihood": "models", "GaussianLikelihood": "models",
         "DiscretizedLogisticLikelihood": "models", "ClassMeans": "conditional",
         "MixturePrior": "models"}
IN_THE_MODEL = ("likelihood", "prior")      # arguments that are told as the model has them when it is saved
IN_THE_WEIGHTS = ("mean_image",)
BY_HAND = "checkpoints.save_weights(model, path) writes the weights alone"

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])


# ---------------------------------------------------------------- what a builder leaves behind

def remembers(builder: Builder) -> Builder:
    """The builder, whose models have an attribute `architecture`: a plain dict of its name and its arguments."""
    @wraps(builder)
    def build(*args, **kwargs):
        model: Any = builder(*args, **kwargs)
        call = signature(builder).bind(*args, **kwargs)
        call.apply_defaults()
        model.architecture = architecture(builder.__name__, call.arguments)
        return model
    return build  # type: ignore[return-value]


def architecture(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A plain dict, which JSON can write, of a builder's name and arguments."""
    told = {key: plain(value) for key, value in arguments.items() if key not in IN_THE_MODEL + IN_THE_WEIGHTS}
    return {"builder": name, "arguments": told}


def plain(value: Any) -> Any:
    """An argument as JSON can write it; an activation as the layer that it makes."""
    if callable(value):
        return told_layer(value())
    if isinstance(value, np.generic):
        return value.item()
    return [plain(part) for part in value] if isinstance(value, tuple | list | np.ndarray) else value


def told_layer(layer: nn.Module) -> dict[str, Any]:
    """Name and arguments of one of torch's activations; {"unknown": …} of anything else."""
    kind = type(layer)
    if getattr(nn.modules.activation, kind.__name__, None) is not kind:
        return {"unknown": repr(layer)}
    parameters = signature(kind).parameters.values()
    given = {p.name: getattr(layer, p.name) for p in parameters if getattr(layer, p.name, p.default) != p.default}
    return {"name": kind.__name__, "arguments": given}


# ---------------------------------------------------------------- files

def save(model: nn.Module, path: str | os.PathLike) -> None:
    """Write a model of `mlp_vae`, `conv_vae` or a conditional or semi-supervised builder to a file that `load` reads.

    Raises:
        CheckpointError: if `load` could not build the same model of the file: it was put together or changed by hand, or its
            activation, likelihood or prior is not one of the course's or torch's; or if the file cannot be written.
    """
    told, weights = architecture_of(model), model.state_dict()
    write_tensors(weights, Path(path), {"format": MODEL, "version": VERSION, "architecture": json.dumps(told)})


def load(path: str | os.PathLike) -> nn.Module:
    """The model that `save` wrote, on the CPU, ready to use or to train on.

    Raises:
        CheckpointError: if the file is missing or damaged; is of another format or version; names a builder or a part that
            the course does not know, or arguments that this does not take; or holds weights that do not fit.
    """
    weights, metadata = read_tensors(path := Path(path), "save it with models.save(model, path) first")
    if metadata.get("format") == DECODER:
        raise CheckpointError(f"{path} holds a decoder alone, which models.export_decoder wrote: a whole model is written "
                              f"by models.save(model, path)")
    if metadata.get("format") != MODEL:
        raise CheckpointError(f"{path} does not say how its model is built, it holds {len(weights)} tensors alone: build "
                              f"the model, and read them with checkpoints.load_weights(model, path)")
    if metadata.get("version") != VERSION:
        raise CheckpointError(f"{path} has version {metadata.get('version')} of the format, and this course reads version "
                              f"{VERSION}: a newer course may read it")
    try:
        told = json.loads(metadata["architecture"])
    except (KeyError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} does not hold a readable architecture: {error!r}") from None
    return rebuilt(told, weights, path)


def rebuilt(told: Any, weights: dict[str, Tensor], path: Path) -> nn.Module:
    """The model of this architecture and these weights; raises CheckpointError, as `load`."""
    try:
        with torch.device("meta"):
            expected = built(told).state_dict()     # without memory: the numbers in a file may be anything
        check_same_architecture(expected, weights, path)
        if wrong := [name for name in expected if expected[name].dtype != weights[name].dtype]:
            raise CheckpointError(f"{path}: {wrong[0]} is {weights[wrong[0]].dtype}, not {expected[wrong[0]].dtype}")
        with runtime.seeded(0, "cpu"):              # so that the caller's random numbers are left alone
            model = built(told)
    except CheckpointError:
        raise
    except Exception as error:      # whatever a builder makes of arguments that it was never meant to be given
        raise CheckpointError(f"{path} names what cannot be built ({type(error).__name__}: {error})") from None
    model.load_state_dict(weights)
    return model


def built(told: dict[str, Any]) -> nn.Module:
    """A model of this architecture, with weights as a builder begins with them; anything may be raised."""
    builder = known(told["builder"], BUILDERS, "builder")
    arguments = {name: made(name, value) for name, value in told["arguments"].items()}
    if set(arguments) & set(IN_THE_WEIGHTS):
        raise ValueError(f"{', '.join(IN_THE_WEIGHTS)} is no argument that a file may give")
    return builder(**arguments)


def made(name: str, value: Any) -> Any:
    """The argument of this name that a file tells: an activation, a part of the model, or the value itself."""
    if name == "activation":
        kind = getattr(nn.modules.activation, value["name"]) if value["name"] in nn.modules.activation.__all__ else None
        if kind is None:
            raise ValueError(f"activation {value['name']!r} is none of torch's")
        return partial(kind, **value["arguments"])
    if name in IN_THE_MODEL and value is not None:
        return known(value["name"], PARTS, name)(**value["arguments"])
    return value


def known(name: str, table: dict[str, str], what: str) -> Callable[..., nn.Module]:
    """A builder or a part by its name, if the table has it."""
    if name not in table:
        raise ValueError(f"{what} {name!r} is none of {', '.join(table)}")
    return getattr(import_module(f"vae_course.{table[name]}"), name)


# ---------------------------------------------------------------- what a model is, told

def architecture_of(model: nn.Module) -> dict[str, Any]:
    """The architecture of a model, with likelihood and prior as they are now.

    Raises:
        CheckpointError: if no builder made it, or a builder would not make the same again.
    """
    told: Any = copy.deepcopy(getattr(model, "architecture", None))
    if not isinstance(told, dict):
        raise CheckpointError(f"this {type(model).__name__} was not made by {', '.join(BUILDERS)}, so a file cannot say how "
                              f"it is built: {BY_HAND}")
    takes = signature(known(told["builder"], BUILDERS, "builder")).parameters
    told["arguments"] |= {name: told_part(getattr(model, name), name) for name in IN_THE_MODEL if name in takes}
    activation = told["arguments"].get("activation", {})
    if "unknown" in activation:
        raise CheckpointError(f"activation {activation['unknown']} is not one of torch.nn, and a file cannot hold its "
                              f"code: take one of those, or {BY_HAND}")
    again = rebuilt(told, model.state_dict(), Path("the model"))
    if repr(again) != repr(model) or [*map(type, again.modules())] != [*map(type, model.modules())]:
        raise CheckpointError(f"the model was changed after {told['builder']} had made it, so a file cannot say how it is "
                              f"built: {BY_HAND}")
    return told


def told_part(part: Any, argument: str) -> dict[str, Any] | None:
    """Name and arguments of a likelihood or a prior."""
    if part is None:
        return None
    name = type(part).__name__
    if name not in PARTS or known(name, PARTS, argument) is not type(part):
        raise CheckpointError(f"{argument} {name} is none of {', '.join(PARTS)}, and a file cannot hold its code: {BY_HAND}")
    return {"name": name, "arguments": part.arguments()}


# ---------------------------------------------------------------- a decoder for other programs

def export_decoder(model: nn.Module, path: str | os.PathLike) -> None:
    """Write the decoder alone, for a program that has neither Python nor this course, such as a page.

    The metadata's `decoder` is JSON: {"latent_dim", "num_classes" (null where there are none), "output_shape",
    "layers": […], "likelihood": {"name", "arguments"}, "prior": null for N(0, I), or {"name": "ClassMeans", …}}.
    Layer k is a dict with its "type", and its tensors are "k.weight" and "k.bias":

        {"type": "Label", "gain": g}                    appends g · (one-hot label) to its input
        {"type": "Linear", "in", "out"}                 weight (out, in), bias (out,)
        {"type": "ConvTranspose2d", "in", "out", "kernel", "stride", "padding", "output_padding"}
        {"type": "Reshape", "shape": […]}               of one example, row by row
        {"type": "PixelBias"}                           adds bias, which has the shape of the example
        {"type": "ReLU"}, {"type": "LeakyReLU", "negative_slope": …}, …    torch.nn's activation of that name

    What comes out is what `likelihood.mean` takes: its sigmoid is the picture of a Bernoulli likelihood, and it is the
    picture itself, held to [0, 1], of a Gaussian or discretized logistic one. Tensors "likelihood.…", "prior.…" are theirs.

    Raises:
        CheckpointError: as `save`.
    """
    told = architecture_of(model)
    entries = layers_of(model.plain_decoder())  # type: ignore[operator]
    labels, prior = getattr(model, "condition", None), getattr(model, "prior", None)
    decoder = {"latent_dim": model.latent_dim, "num_classes": getattr(labels, "num_classes", None),
               "output_shape": model.input_shape, "layers": [settings for settings, _ in entries],
               "likelihood": told["arguments"]["likelihood"], "prior": told_part(prior, "prior")}
    tensors = {f"{k}.{name}": tensor for k, (_, held) in enumerate(entries) for name, tensor in held.items()}
    tensors |= {name: tensor for name, tensor in model.state_dict().items() if name.startswith(("likelihood.", "prior."))}
    write_tensors(tensors, Path(path), {"format": DECODER, "version": VERSION, "architecture": json.dumps(told),
                                        "decoder": json.dumps(decoder, default=plain)})


def layers_of(module: Any) -> list[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Settings and tensors of each layer, in order; a module of the course tells its own by `layers`."""
    if hasattr(module, "layers"):
        return module.layers(layers_of)
    if isinstance(module, nn.Sequential):
        return [entry for part in module for entry in layers_of(part)]
    return [({"type": type(module).__name__, **settings_of(module)}, module.state_dict())]


def settings_of(layer: Any) -> dict[str, Any]:
    """What beside its weights makes a layer, as `export_decoder` tells it."""
    if isinstance(layer, nn.Linear):
        return {"in": layer.in_features, "out": layer.out_features}
    if isinstance(layer, nn.ConvTranspose2d):
        return {"in": layer.in_channels, "out": layer.out_channels, "kernel": layer.kernel_size, "stride": layer.stride,
                "padding": layer.padding, "output_padding": layer.output_padding}
    if isinstance(layer, nn.Unflatten):
        return {"type": "Reshape", "shape": list(layer.unflattened_size)}
    if type(layer).__name__ == "PixelBias":
        return {}
    return told_layer(layer)["arguments"]       # `architecture_of` has seen to it that it is one of torch's
