"""Files of weights and checkpoints: whole or not there, and read with a word about what does not fit."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor, nn


class CheckpointError(ValueError):
    """A file of weights or a checkpoint is missing, damaged, or of another model or run; the message says which."""


def write_whole(path: Path, write) -> None:
    """Call write(file) on a temporary file beside `path`, flush it to the disk, and only then rename it to `path`."""
    temporary = _temporary(path)
    with open(temporary, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def check_writable(path: Path) -> None:
    """Raise CheckpointError, with the reason, if `write_whole` could not write there; leaves no file behind."""
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder: name a file in it, such as {path / 'model.safetensors'}")
    try:
        temporary = _temporary(path)
        open(temporary, "wb").close()
        temporary.unlink()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror or error}): name a file in a folder of your "
                              f"own that has room") from error


def _temporary(path: Path) -> Path:
    """The name of the file beside `path` that is written first, in a folder that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(path.name + ".tmp")


def save_weights(model: nn.Module, path: str | os.PathLike) -> None:
    """Write the model's weights as a safetensors file, whole or not at all."""
    write_tensors(model.state_dict(), Path(path))


def write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        CheckpointError: if the file cannot be written.
    """
    # Cloned, since safetensors refuses tensors that share memory, as tied weights do.
    alone = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    check_writable(path)
    write_whole(path, lambda file: file.write(tensors_to_bytes(alone, metadata)))


def load_weights(model: nn.Module, path: str | os.PathLike) -> None:
    """Read into `model`, on whatever device it is, the weights that `save_weights` or `models.save` wrote.

    Raises:
        CheckpointError: if the file is missing or damaged, or holds another architecture; says what differs.
    """
    weights, _ = read_tensors(path := Path(path), "train the model and save it with save_weights(model, path) first")
    check_same_architecture(model.state_dict(), weights, path)
    model.load_state_dict(weights)


def read_tensors(path: Path, way_out: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, on the CPU, and its metadata.

    Raises:
        CheckpointError: if the file is missing, with the way out of this, or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}: {way_out}")
    try:
        tensors = tensors_from_bytes(content := path.read_bytes())
    except Exception as error:  # safetensors raises several kinds for damaged files
        raise CheckpointError(f"{path} is not a whole safetensors file ({error})") from error
    header = json.loads(content[8:8 + int.from_bytes(content[:8], "little")])   # its length comes first
    return tensors, header.get("__metadata__", {})


def check_same_architecture(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Raise CheckpointError, naming up to five differing parameters, unless names and shapes agree."""
    differences = []
    for name in [*expected, *(name for name in found if name not in expected)]:
        want, have = (tuple(state[name].shape) if name in state else "absent" for state in (expected, found))
        if want != have:
            differences.append(f"{name}: the model has {want}, the file has {have}")
    if differences:
        more = f"\n  … and {len(differences) - 5} more" if len(differences) > 5 else ""
        raise CheckpointError(f"{path} holds another architecture:\n  " + "\n  ".join(differences[:5]) + more)


def save_checkpoint(checkpoint: dict, path: Path) -> None:
    """Write a dict of tensors, numbers and strings, whole or not at all."""
    write_whole(path, lambda file: torch.save(checkpoint, file))


def load_checkpoint(path: Path) -> dict:
    """Read what `save_checkpoint` wrote; no code in the file is run (weights_only).

    Raises:
        CheckpointError: if the file is damaged or is no checkpoint of `fit`.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and value errors all mean the same here
        reason = (str(error) or repr(error)).splitlines()[0].partition(". ")[0]
        raise CheckpointError(f"{path} cannot be read ({reason}): delete it, "
                              f"or start anew with resume=False") from error
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("settings"), dict):
        raise CheckpointError(f"{path} is not a checkpoint of fit(); weights alone are read by load_weights(model, path)")
    if absent := [name for name in ("model", "optimizer", "random", "history") if name not in checkpoint]:
        raise CheckpointError(f"{path} is no whole checkpoint, it lacks {', '.join(absent)}: delete it, "
                              f"or start anew with resume=False")
    return checkpoint


def keep_previous(path: Path) -> None:
    """Rename the file of an earlier run to `*.previous`, so that a new run does not destroy it."""
    if path.exists():
        os.replace(path, path.with_name(path.name + ".previous"))
