"""Pictures that come block by block, put into memory or into a file that is whole or not there."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_course import runtime
from vae_course.data.stored import DataError, ImageFile


def bar(total: int, unit: str) -> tqdm:
    """A bar that comes after a second and is gone at the end; nothing where nobody sees it: in a pipe or a log."""
    in_a_notebook = any(parent.__name__ == "tqdm_notebook" for parent in tqdm.__mro__)     # as tqdm.auto chose
    return tqdm(total=total, unit=unit, leave=False, delay=1, mininterval=0.5,
                disable=not (in_a_notebook or sys.stderr.isatty()))


def stored(parts: Iterable[np.ndarray], n: int, path: Path | None) -> Tensor | ImageFile:
    """Blocks (k, …) one after another: a tensor, or, where `path` names a .npy file, what was written there.

    Args:
        parts: arrays of one type, equal but for their first axis.
        n: the most examples that can come.
        path: the file, which is replaced; None for the memory.

    Raises:
        DataError: if the file cannot be written, or the memory has no room.
    """
    if path is not None:
        return _written(parts, n, path)
    out, filled = np.empty(0), 0
    for block in parts:
        if filled == 0:
            _check_memory(n * block[:1].nbytes)
            out = np.empty((n, *block.shape[1:]), block.dtype)
        out[filled:filled + len(block)] = block
        filled += len(block)
    return torch.from_numpy(out[:filled])


def file_name(file: Any) -> Path | None:
    """The path that `file` gives, None for None; TypeError or ValueError if it is no name of a .npy file."""
    if file is None:
        return None
    if not isinstance(file, (str, os.PathLike)):
        raise TypeError(f"file must be the path of a .npy file to be written, as \"build/pictures.npy\", or None, got "
                        f"{type(file).__name__}")
    path = Path(file).expanduser()
    if path.suffix != ".npy" or path.is_dir():
        raise ValueError(f"file must be the path of a .npy file to be written, got {str(file)!r}: pass "
                         f"file={str(path / 'pictures.npy' if path.is_dir() else path.with_suffix('.npy'))!r}")
    return path


def made_before(path: Path, made_from: dict) -> dict | None:
    """What `note` wrote about the file, if it was made from the same; None where there is no file; DataError else."""
    if not path.exists():
        return None
    try:
        content = json.loads(_notes(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("made_from") != made_from:
        raise DataError(f"file names {path}, which is there already and holds something else: name another file, or delete "
                        f"this one and run again; data.from_arrays(data.ImageFile({str(path)!r})) takes what it holds")
    return content


def note(path: Path, content: dict) -> None:
    """Write beside the file what it was made from."""
    _notes(path).write_text(json.dumps(content), encoding="utf-8")


def _notes(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _written(parts: Iterable[np.ndarray], n: int, path: Path) -> ImageFile:
    half, filled = path.with_name(f"{path.name}.{os.getpid()}.part"), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(half, "wb") as file:
            for block in parts:
                if filled == 0:
                    head = _write_header(file, n, block)
                    _check_room(path, n * block[:1].nbytes)
                file.write(np.ascontiguousarray(block).data)
                filled += len(block)
            file.seek(0)
            if _write_header(file, filled, block) != head:
                raise DataError(f"{path} got a head of another length than at the start")
        os.replace(half, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}): name a file in a folder of your own, on a "
                        f"disk with room") from error
    finally:
        with contextlib.suppress(OSError):
            half.unlink()
    return ImageFile(path)


def _write_header(file, n: int, block: np.ndarray) -> int:
    """The head of a .npy file, which NumPy makes equally long for every number of rows; returns where it ends."""
    np.lib.format.write_array_header_1_0(file, {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False,
                                                "shape": (n, *block.shape[1:])})
    return file.tell()


def _check_memory(n_bytes: int) -> None:
    """Before hours are spent on it; twice the size, since the two sets are copied out of all."""
    free = runtime.free_memory("cpu")
    if 2 * n_bytes > free:
        raise DataError(f"the pictures would take {2 * n_bytes / 1e9:.1f} GB of memory; {free / 1e9:.1f} GB are free: "
                        f"pass file=\"build/pictures.npy\", which keeps them on the disk, or choose a smaller size")


def _check_room(path: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if n_bytes > free:
        raise DataError(f"{path} would take {n_bytes / 1e9:.1f} GB, and its disk has {free / 1e9:.1f} GB left: name a file "
                        f"on another disk, or choose a smaller size")
