"""from_arrays: pictures that are in memory already, as arrays of any common layout, type and scale."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_course import runtime
from vae_course.data.given import as_array, whole_file
from vae_course.data.images import ImageData
from vae_course.data.labels import understand
from vae_course.data.layouts import arrangement, as_a_picture
from vae_course.data.pixels import BLOCK_BYTES, Pixels, Range, blocks
from vae_course.data.splitting import assembled, check_split, split
from vae_course.data.stored import ImageFile


def from_arrays(images: Any, labels: Any = None, *, test_fraction: float = 1 / 6, seed: int = 0,
                device: torch.device | str = "cpu") -> ImageData:
    """Your own pictures, or the rows of a table, from NumPy, torch or a list: checked, split, stored as `fit` takes them.

    One line is printed that says what was understood. Pictures are stored as uint8 (N, C, H, W); floats are rounded to 256
    levels. What lies in a .npy file (an `ImageFile`, or an array of `numpy.load(path, mmap_mode="r")`) stays there, if it is
    uint8 (N, H, W), or (N, C, H, W) with C = 1 or 3, already.

    Args:
        images: grey pictures, N × H × W, or with C channels, N × C × H × W or N × H × W × C; C is 1, 3, or 4, of which alpha
            is composed on white. Whole numbers 0–255, floats in [0, 1], or bool. Floats N × D are a table, which is kept as
            it is, in float32.
        labels: N numbers or strings, or None. They become 0 … C−1, and `ImageData.classes` keeps what they were.
        test_fraction: the share that is for the test, of each class where there are labels.
        seed: of the random split.
        device: where the tensors shall live.

    Returns:
        ImageData with train and test, disjoint, in a random order that repeats with the seed.

    Raises:
        TypeError, ValueError: for what cannot be understood, or in two ways; says what came, and the call that mends it.
    """
    check_split(test_fraction, seed)
    device = runtime.pick_device(None if device is None else str(device))
    if isinstance(images, ImageFile):
        return _from_file(images, labels, test_fraction, seed, device)
    given = as_array(images)
    layout, arrange = arrangement(given.array.shape, given.array.dtype.kind == "f", given.name, given.turned)
    file = whole_file(given.array)
    if file is not None:
        return _from_file(file, labels, test_fraction, seed, device)
    understood = understand(labels, len(given.array))
    parts = split(len(given.array), understood, test_fraction, seed)
    values = Range(given.array.dtype)
    for part in blocks(len(given.array), given.array[:1].nbytes):
        values.take(given.array[part])
    if given.array.ndim == 2:
        said = _check_table(given.array.shape, values, given.name, given.mended)
        halves = [_converted(given.array, index, lambda block: block.astype(np.float32)) for index in parts]
        return assembled("own table", halves, understood, parts, device, said)
    pixels = Pixels("images", given.mended)
    pixels.check(values)
    halves = [_converted(given.array, index, lambda block: pixels(arrange(block))) for index in parts]
    pixels.check_brightness()
    return assembled("own pictures", halves, understood, parts, device, [f"Taken as {layout}.", *pixels.said])


def _from_file(file: ImageFile, labels: Any, test_fraction: float, seed: int, device: torch.device) -> ImageData:
    """As from_arrays, for what stays in its file."""
    if file.ndim == 3:
        file = file.with_channel()
    table = file.ndim == 2 and file.dtype == torch.float32
    if not table and not (file.ndim == 4 and file.dtype == torch.uint8 and file.shape[1] in (1, 3)):
        raise ValueError(f"images in a file must be uint8 (N, H, W), or (N, C, H, W) with C = 1 or 3, or float32 (N, D), "
                         f"got {file.dtype} {tuple(file.shape)}: pass images[:], which reads them into memory")
    understood = understand(labels, len(file))
    parts = split(len(file), understood, test_fraction, seed)
    pixels, values = Pixels("images", lambda change: change.format(x="images[:]")), Range(np.dtype("f4" if table else "u1"))
    for block in file.split(max(1, BLOCK_BYTES * len(file) // file.nbytes)):
        values.take(block.numpy())
    if table:
        _check_table(tuple(file.shape), values, "images[:]", pixels.mended)
    else:
        pixels.largest = int(values.high)
        pixels.check_brightness()
    halves = [file.subset(index) for index in parts]
    return assembled(file.path.stem, halves, understood, parts, device, [f"They stay in {file.path.name}."])


def _check_table(shape: tuple[int, ...], values: Range, name: str, mended: Callable[[str], str]) -> list[str]:
    """What there is to say of a table; ValueError for one that float32 cannot hold."""
    Pixels(f"images, a table {shape},", mended).check_finite(values, largest=0)
    if max(abs(values.low), abs(values.high)) > float(np.finfo(np.float32).max):
        raise ValueError(f"images, a table {shape}, must hold numbers that float32 can hold, got {values.low:g} to "
                         f"{values.high:g}: take logarithms, or scale the columns")
    picture = as_a_picture(shape[1]) if values.low >= 0 and values.high <= 255 else ""
    said = [f"If the rows are flattened pictures, pass {name}.reshape(-1, {picture})."] if picture else []
    return said + (["If it is one picture, it is too few."] if shape[0] == shape[1] else [])


def _converted(array: np.ndarray, index: Tensor, make: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """Some of the examples, made over in blocks: (n,) int64 to (n, …)."""
    numbers, out = index.numpy(), np.empty(0)
    for part in blocks(len(numbers), array[:1].nbytes):
        block = make(array[numbers[part]])
        if part.start == 0:
            out = np.empty((len(numbers), *block.shape[1:]), block.dtype)
        out[part] = block
    return torch.from_numpy(out)
