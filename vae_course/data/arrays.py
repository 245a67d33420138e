"""from_arrays: pictures that are in memory already, as arrays of any common layout, type and scale."""

import os
from collections.abc import Callable, Mapping
from math import isqrt
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from vae_course.data.images import ImageData, ImageSet, Options, assembled, checked_options
from vae_course.data.pixels import BLOCK_BYTES, ON_WHITE, Values, as_pixels, blocks, has_alpha, is_grey
from vae_course.data.stored import DataError, ImageFile

SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C)"
WHAT = f"images must be an array of pictures, {SHAPES}, or a table (N, D) of floats"
CHANNELS = (1, 3, 4)        # grey; red, green, blue; these with alpha
LEAST_SIDE = 8              # of flattened pictures that are recognised

Mended = Callable[[str], str]       # a change of x, as "{x} / 255" → the call that makes it, for the messages


def from_arrays(images: Any, labels: Any = None, *, test_fraction: float = 1 / 6, seed: int = 0,
                device: torch.device | str = "cpu") -> ImageData:
    """Your own pictures, or the rows of a table, from NumPy, torch or a list: checked, split, stored as `fit` takes them.

    One line is printed that says what was understood. Pictures are stored as uint8 (N, C, H, W); floats are rounded to 256
    levels. What lies in a .npy file (an `ImageFile`, or an array of `numpy.load(path, mmap_mode="r")`) stays there, if it is
    uint8 (N, H, W), or (N, C, H, W) with C = 1 or 3, or a table in float32.

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
    options = checked_options(test_fraction, seed, device)
    file = images if isinstance(images, ImageFile) else _its_file(images)
    if file is not None:
        return _from_file(file, labels, options)
    array, mended = as_array(images)
    layout, arrange = arrangement(array.shape, array.dtype.kind == "f", mended)
    values = Values("images", mended, array.dtype)
    for part in blocks(len(array), array[:1].nbytes):
        values.take(array[part])
    if array.ndim == 2:
        values.check_table()
        square = as_a_picture(array.shape[1]) if values.low >= 0 and values.high <= 255 else ""
        if square:
            values.say(f"If the rows are flattened pictures, pass {mended('{x}.reshape(-1, ' + square + ')')}.")
        name, convert = "own table", lambda block: block.astype(np.float32)
    else:
        values.check_pictures()
        values.check_brightness()
        values.say(f"Taken as {layout}.")
        if isinstance(images, (list, tuple)) and any(isinstance(x, Image.Image) and has_alpha(x) for x in images):
            values.say(ON_WHITE)
        name, convert = "own pictures", lambda block: values.as_uint8(arrange(block))

    def take(index: Tensor) -> Tensor:
        """Some of the examples, made over in blocks."""
        numbers, out = index.numpy(), np.empty(0)
        for part in blocks(len(numbers), array[:1].nbytes):
            block = convert(array[numbers[part]])
            if part.start == 0:
                out = np.empty((len(numbers), *block.shape[1:]), block.dtype)
            out[part] = block
        return torch.from_numpy(out)

    return assembled(name, len(array), take, labels, options, values.said)


def as_array(images: Any) -> tuple[np.ndarray, Mended]:
    """Arrays, tensors, and lists of them or of Pillow's images, all of one size, as numbers (N, …), and how to mend them."""
    _refuse(images)
    array = _stacked(images) if isinstance(images, (list, tuple)) else as_numbers(images, "images")
    if array.dtype == object:
        array = _stacked(array.tolist())
    name = "images" if isinstance(images, Tensor) or type(images) in (np.ndarray, np.memmap) else "np.asarray(images)"
    library = "torch." if isinstance(images, Tensor) else "np."
    if array.dtype.kind not in "buif":
        hint = f": pass {library}abs({name})" if array.dtype.kind == "c" else ""
        raise TypeError(f"{WHAT}, got {array.dtype} {array.shape}{hint}")
    return array, lambda change: change.replace("np.", library).format(x=name)


def as_numbers(thing: Any, name: str) -> np.ndarray:
    """A tensor of any kind and on any device, or what NumPy understands, as a NumPy array; `name` is for the message."""
    if not isinstance(thing, Tensor):
        try:
            return np.asarray(thing)
        except ValueError:
            raise ValueError(f"{name} must have rows of one length, got {type(thing).__name__} of unequal ones") from None
    thing = thing.detach().to_dense() if thing.layout != torch.strided else thing.detach()
    known = not thing.is_floating_point() or thing.dtype in (torch.float16, torch.float32, torch.float64)
    return (thing if known else thing.float()).cpu().numpy()


def axes_of(thing: Any) -> int:
    """The number of axes of a picture or a label, whatever holds it: 0 for a number or a name."""
    if isinstance(thing, Image.Image):
        return 2
    if isinstance(thing, (list, tuple)):
        return 1 + (axes_of(thing[0]) if thing else 0)
    return getattr(thing, "ndim", 0)


def _refuse(images: Any) -> None:
    """Raise TypeError for what is no array, but something else that a reader has pictures in."""
    no_array = not hasattr(images, "__array__") and not isinstance(images, (list, tuple))
    for holds, way in (
        (isinstance(images, (str, os.PathLike)), "data.from_folder(folder, size) reads files, data.ImageFile(path) a .npy"),
        (isinstance(images, DataLoader), "pass data.from_dataset(images.dataset)"),
        (isinstance(images, (ImageData, ImageSet)), "which it returns: of a set pass images.images, images.labels"),
        (isinstance(images, Mapping), "pass images[key], with the key of the pictures"),
        (np.ma.is_masked(images), "some values are masked; pass images.filled(0)"),
        (hasattr(images, "toarray"), "pass images.toarray()"),
        (no_array and hasattr(images, "__getitem__"), "pass data.from_dataset(images)"),
        (no_array, "pass list(images), or np.stack([picture, …])"),
    ):
        if holds:
            raise TypeError(f"{WHAT}, got {type(images).__name__}: {way}")


def _stacked(pictures: list | tuple) -> np.ndarray:
    """A list of pictures, or of lists of numbers, as one array."""
    if not pictures:
        raise ValueError("images must hold pictures, got an empty list")
    first, kind = pictures[0], type(pictures[0]).__name__
    if isinstance(first, (str, os.PathLike)):
        raise TypeError(f"{WHAT}, got a list of {kind}: data.from_folder(folder, size) reads files; or pass "
                        f"[PIL.Image.open(name) for name in images], if all have one size")
    if isinstance(first, Mapping):
        raise TypeError(f"{WHAT}, got a list of {kind}: pass [row[{next(iter(first), 'image')!r}] for row in images]")
    if len(pictures) == 2 and axes_of(first) > 1 and axes_of(pictures[1]) == 1:
        raise TypeError(f"{WHAT}, got pictures and labels in one: pass data.from_arrays(*images)")
    if isinstance(first, (list, tuple)) and len(first) == 2 and axes_of(first[0]) >= 2 and axes_of(first[1]) <= 1:
        raise TypeError(f"{WHAT}, got a list of pairs: pass data.from_dataset(images)")
    images = [picture for picture in pictures if isinstance(picture, Image.Image)]
    channels = 1 if all(map(is_grey, images)) else 3
    arrays = [as_pixels(x, channels) if isinstance(x, Image.Image) else as_numbers(x, f"images[{k}]")
              for k, x in enumerate(pictures)]
    sizes = list(dict.fromkeys(array.shape for array in arrays))
    if len(sizes) > 1:
        raise ValueError(f"images must be pictures of one size, got {sizes[0]} and {sizes[1]}: pass "
                         f"[PIL.Image.fromarray(x).resize((64, 64)) for x in images] if they are uint8, or read files by "
                         f"data.from_folder(folder, size)")
    array = np.stack(arrays)
    return array[:, None] if array.ndim == 3 else array     # each of them is one grey picture, however many there are


# ---------------------------------------------------------------- which axis holds what

def arrangement(shape: tuple[int, ...], is_float: bool, mended: Mended) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    """The layout of examples of this shape, N first: its name, and what brings a block of them to (n, C, H, W), or leaves
    the rows of a table. ValueError if the shape has no meaning, or two; says what to call for each.
    """
    if 0 in shape:
        raise ValueError(f"images must hold pictures, got none: their shape is {shape}")
    if len(shape) == 2 and is_float:
        return "(N, D)", np.asarray
    if len(shape) == 2:
        square = as_a_picture(shape[1]) or "height, width"
        raise ValueError(f"images must have the shape {SHAPES}, got {shape} of whole numbers: for flattened pictures pass "
                         f"{mended('{x}.reshape(-1, ' + square + ')')}, for a table {mended('{x} * 1.0')}")
    if len(shape) == 3:
        if shape[2] in CHANNELS or shape[0] in CHANNELS[1:]:
            raise ValueError(f"images of the shape {shape} may be {shape[0]} grey pictures of {shape[1]}×{shape[2]}, or one "
                             f"picture in colour. For grey ones pass {mended('{x}[:, None]')}; one is too few, and several "
                             f"are np.stack([picture, …])")
        return "(N, H, W)", lambda block: block[:, None]
    if len(shape) != 4:
        frames = ", ".join(map(str, shape[-3:]))
        hint = (f"films become pictures by {mended('{x}.reshape(-1, ' + frames + ')')}" if len(shape) > 4 else
                "pictures come first, labels second")
        raise ValueError(f"images must have the shape {SHAPES}, or (N, D) for a table, got {shape}; {hint}")
    return _with_channels(shape, mended)


def _with_channels(shape: tuple[int, ...], mended: Mended) -> tuple[str, Callable[[np.ndarray], np.ndarray]]:
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first and last and (shape[3] == 1) != (shape[1] == 1):     # no picture is one pixel wide or high
        first, last = shape[1] == 1, shape[3] == 1
    if first and last:
        raise ValueError(f"images of the shape {shape} may be (N, C, H, W) or (N, H, W, C). If channels come first, pass "
                         f"{mended('np.moveaxis({x}, 1, 3)')}; if they come last, pass {mended('np.moveaxis({x}, 3, 1)')}")
    if first:
        return "(N, C, H, W)", np.asarray
    if last:
        return "(N, H, W, C)", lambda block: np.moveaxis(block, 3, 1)
    few = min(shape[1], shape[3])
    some = f"{':, ' if shape[1] == few else '..., '}:{1 if few == 2 else 3}"
    raise ValueError(f"images must have 1 channel (grey), 3 (red, green, blue) or 4 (with alpha), on the second or last "
                     f"axis, got {shape}: to keep some of {few} channels pass {mended('{x}[' + some + ']')}; for sets of "
                     f"grey pictures {mended(f'{{x}}.reshape(-1, {shape[2]}, {shape[3]})')}")


def as_a_picture(width: int) -> str:
    """The shape of the square picture with so many numbers, as reshape takes it: "1, 28, 28"; "" where there is none."""
    for channels in (1, 3):
        side = isqrt(width // channels)
        if side >= LEAST_SIDE and channels * side * side == width:
            return f"{channels}, {side}, {side}"
    return ""


# ---------------------------------------------------------------- what is in a file

def _its_file(array: Any) -> ImageFile | None:
    """The .npy file of which `array` is the memory map, if it is all of it and its pictures can stay there as they are."""
    if not isinstance(array, np.memmap) or array.mode == "c" or not array.flags.c_contiguous or array.filename is None:
        return None
    try:
        file = ImageFile(array.filename)
    except DataError:
        return None     # it holds other types, or plain bytes: what is mapped is read into memory
    return file if (file.offset, tuple(file.shape)) == (array.offset, array.shape) and _can_stay(file) else None


def _can_stay(file: ImageFile) -> bool:
    if file.dtype == torch.float32:
        return file.ndim == 2
    return file.ndim == 3 or file.ndim == 4 and file.shape[1] in (1, 3)


def _from_file(file: ImageFile, labels: Any, options: Options) -> ImageData:
    """As from_arrays, for what stays in its file."""
    if not _can_stay(file):
        raise ValueError(f"images in a file must be uint8 (N, H, W), or (N, C, H, W) with C = 1 or 3, or float32 (N, D), "
                         f"got {file.dtype} {tuple(file.shape)}: pass images[:], which reads them into memory")
    file = file.with_channel() if file.ndim == 3 else file
    values = Values("images", lambda change: change.format(x="images[:]"), np.dtype("u1" if file.ndim == 4 else "f4"))
    for block in file.split(max(1, BLOCK_BYTES * len(file) // file.nbytes)):
        values.take(block.numpy())
    if file.ndim == 2:
        values.check_table()
    else:
        values.check_brightness()
    return assembled(file.path.stem, len(file), file.subset, labels, options, [f"They stay in {file.path.name}."])
