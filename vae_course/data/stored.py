"""Pictures that stay in a file, more of them than the memory holds, and how they come there."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from vae_course import runtime

DTYPES = {np.dtype("uint8"): torch.uint8, np.dtype("float32"): torch.float32}
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


class DataError(RuntimeError):
    """The data on the disk cannot be used; the message names the file and says what to do."""


class ImageFile:
    """The pictures of a .npy file, (N, …) uint8 or float32: read as they are asked for, and never all in memory.

    `images[3]` is one picture, `images[10:20]` and `images[index]` are several, each a new tensor on the CPU. The file is
    opened, read and closed for each call: nothing of it stays in memory, and a copy can be handed to another process.

    Args:
        path: the file, as `numpy.save` writes it.
        index: (M,) int64: the pictures that belong to this set, in this order; all if None. See `subset`.

    Raises:
        DataError: if the file is missing or damaged, or holds something else.
    """

    device = torch.device("cpu")
    _index: Tensor | None = None    # the rows of the file that belong to the set; all if None

    def __init__(self, path: str | os.PathLike, index: Any = None):
        self.path = Path(path).absolute()
        self.offset, rows, self.dtype = _header(self.path)
        self._n_rows, self._row = rows[0], torch.Size(rows[1:])
        if index is not None:
            self._index = self._which(index)

    @property
    def shape(self) -> torch.Size:
        """(N, …), as that of a tensor."""
        return torch.Size((len(self), *self._row))

    @property
    def ndim(self) -> int:
        """The number of axes, N's included."""
        return 1 + len(self._row)

    @property
    def nbytes(self) -> int:
        """The bytes that all the pictures of this set would take in memory."""
        return self.shape.numel() * self.dtype.itemsize

    def __len__(self) -> int:
        return self._n_rows if self._index is None else len(self._index)

    def __repr__(self) -> str:
        return f"ImageFile({str(self.path)!r}, shape {tuple(self.shape)}, {self.dtype})"

    def __getitem__(self, which: Any) -> Tensor:
        """One picture (…) for a number, else several (n, …): for a slice, a list, or a tensor of numbers or of bool."""
        if isinstance(which, slice) and which.step in (None, 1) and self._index is None:
            start, stop, _ = which.indices(self._n_rows)
            return self._read([(start, max(0, stop - start))])
        rows = self._which(which)
        read = self._read([(row, 1) for row in rows.reshape(-1).tolist()])
        return read if rows.ndim else read[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[k] for k in range(len(self)))

    def split(self, n: int) -> Iterator[Tensor]:
        """All pictures in their order, in blocks of n, of which the last may be shorter; one block in memory at a time."""
        return (self[start:start + n] for start in range(0, len(self), n))

    def subset(self, index: Any) -> "ImageFile":
        """Some of the pictures as another set of the same file, which is not copied: their numbers, or a bool for each."""
        chosen = self._which(index)
        if chosen.ndim != 1:
            raise IndexError(f"index must name several pictures, (M,), got {index!r}")
        copy = ImageFile.__new__(ImageFile)
        copy.__dict__.update(self.__dict__, _index=chosen)
        return copy

    def with_channel(self) -> "ImageFile":
        """The same pictures in the same file, with an axis of one channel behind that of the pictures."""
        copy = self.subset(slice(None))
        copy._row = torch.Size((1, *self._row))
        return copy

    def _which(self, index: Any) -> Tensor:
        """What was asked for, as numbers of the rows of the file."""
        n = len(self)
        if isinstance(index, slice):
            index = np.arange(n)[index].copy()  # torch takes no negative steps
        try:
            rows = torch.as_tensor(() if isinstance(index, tuple) else index).cpu()
        except (TypeError, ValueError, RuntimeError):
            rows = torch.empty(0)
        if rows.dtype == torch.bool and rows.shape == (n,):
            rows = rows.nonzero().squeeze(1)
        if isinstance(index, list) and not index:
            rows = rows.long()
        if rows.dtype not in WHOLE or rows.ndim > 1:
            got = type(index).__name__ if rows.dtype not in (*WHOLE, torch.bool) else f"{rows.dtype} {tuple(rows.shape)}"
            raise IndexError(f"an ImageFile takes a number, a slice, a list, or a tensor of numbers or of {n} bool, "
                             f"got {got}; images[:] is a tensor of all the pictures, which takes any index")
        rows = rows.long()
        outside = (rows < -n) | (rows >= n)
        if outside.any():
            raise IndexError(f"there are {n} pictures, 0 to {n - 1}, got {rows[outside][0].item()}")
        rows = torch.where(rows < 0, rows + n, rows)
        return rows if self._index is None else self._index[rows]

    def _read(self, runs: list[tuple[int, int]]) -> Tensor:
        """The rows of the file, each run a first row and how many; plain reads, since a mapped file that shrinks kills."""
        out = torch.empty((sum(n for _, n in runs), *self._row), dtype=self.dtype)
        size, position = self._row.numel() * self.dtype.itemsize, 0
        view = memoryview(out.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
        try:
            with open(self.path, "rb", buffering=0) as file:
                for row, n in runs:
                    file.seek(self.offset + row * size)
                    end = position + n * size
                    while position < end:
                        came = file.readinto(view[position:end])
                        if not came:
                            raise DataError(f"{self.path} has become shorter since it was opened: write it anew")
                        position += came
        except OSError as error:
            raise DataError(f"{self.path} cannot be read any more ({error.strerror or error})") from error
        return out


def _header(path: Path) -> tuple[int, tuple[int, ...], torch.dtype]:
    """Where the numbers begin in a .npy file, their shape and type; DataError where they cannot be used."""
    what = "an ImageFile needs a .npy file of pictures (N, C, H, W), uint8 0–255: np.save(path, images)"
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'is missing'}; {what}")
    try:
        array = np.load(path, mmap_mode="r")
    except Exception as error:  # damaged in one of many ways, empty, or no .npy file at all
        raise DataError(f"{path} cannot be read ({error}); {what}") from error
    if not isinstance(array, np.memmap):
        array.close()
        raise DataError(f"{path} is no .npy file but {type(array).__name__}; {what}")
    if array.ndim < 2 or array.dtype not in DTYPES or not array.flags.c_contiguous:
        order = "" if array.flags.c_contiguous else " in Fortran's order; np.save(path, np.ascontiguousarray(array))"
        raise DataError(f"{path} holds {array.dtype} {array.shape}{order}; {what}")
    return array.offset, array.shape, DTYPES[array.dtype]


# ---------------------------------------------------------------- writing

def bar(total: int) -> tqdm:
    """A bar that comes after a second and is gone at the end; nothing where nobody sees it: in a pipe or a log."""
    in_a_notebook = any(parent.__name__ == "tqdm_notebook" for parent in tqdm.__mro__)     # as tqdm.auto chose
    return tqdm(total=total, unit="picture", leave=False, delay=1, mininterval=0.5,
                disable=not (in_a_notebook or sys.stderr.isatty()))


def stored(blocks: Iterable[np.ndarray], n: int, path: Path | None) -> Tensor | ImageFile:
    """Blocks (k, …) of n examples or fewer, one after another: a tensor (m, …), or what was written to the .npy file `path`.

    DataError if the file cannot be written, or there is no room.
    """
    if path is not None:
        return _written(blocks, n, path)
    out, filled = np.empty(0), 0
    for block in blocks:
        if filled == 0:
            _check_room(2 * n * block[:1].nbytes, runtime.free_memory("cpu"), "memory",     # twice: all, and its two parts
                        "pass file=\"build/pictures.npy\", which keeps them on the disk")
            out = np.empty((n, *block.shape[1:]), block.dtype)
        out[filled:filled + len(block)] = block
        filled += len(block)
    return torch.from_numpy(out[:filled])


def file_name(file: Any) -> Path | None:
    """The path that `file` gives, None for None; ValueError if it is no name of a .npy file."""
    if file is None:
        return None
    path = Path(file).expanduser() if isinstance(file, (str, os.PathLike)) else Path()
    if path.suffix != ".npy" or path.is_dir():
        raise ValueError(f"file must be the path of a .npy file to be written, or None, got {file!r}: pass "
                         f"file=\"build/pictures.npy\"")
    return path


def made_before(path: Path | None, made_from: dict) -> dict | None:
    """What `note` wrote about the file, if it was made from the same; None where there is no file; DataError else."""
    if path is None or not path.exists():
        return None
    try:
        content = json.loads(_notes(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("made_from") != made_from:
        raise DataError(f"file names {path}, which is there already and holds something else: name another file, or delete "
                        f"this one and run again; data.from_arrays(data.ImageFile({str(path)!r})) takes what it holds")
    return content


def note(path: Path | None, content: dict) -> None:
    """Write beside the file what it was made from."""
    if path is not None:
        _notes(path).write_text(json.dumps(content), encoding="utf-8")


def _notes(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _written(blocks: Iterable[np.ndarray], n: int, path: Path) -> ImageFile:
    """The file, which is whole or not there."""
    half, filled = path.with_name(f"{path.name}.{os.getpid()}.part"), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(half, "wb") as file:
            for block in blocks:
                if filled == 0:
                    _check_room(n * block[:1].nbytes, shutil.disk_usage(path.parent).free, f"the disk of {path}",
                                "name a file on another disk")
                    _write_header(file, n, block)
                file.write(np.ascontiguousarray(block).data)
                filled += len(block)
            file.seek(0)
            _write_header(file, filled, block)
        os.replace(half, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}): name a file in a folder of your own, on a "
                        f"disk with room") from error
    finally:
        with contextlib.suppress(OSError):
            half.unlink()
    return ImageFile(path)


def _write_header(file: IO[bytes], n: int, block: np.ndarray) -> None:
    """The head of a .npy file, which NumPy makes equally long for every number of rows."""
    np.lib.format.write_array_header_1_0(file, {"descr": np.lib.format.dtype_to_descr(block.dtype), "fortran_order": False,
                                                "shape": (n, *block.shape[1:])})


def _check_room(needed: int, free: int, where: str, way: str) -> None:
    """Before hours are spent on it."""
    if needed > free:
        raise DataError(f"the pictures would take {needed / 1e9:.1f} GB of {where}, and {free / 1e9:.1f} GB are free: "
                        f"{way}, or choose a smaller size")
