"""Which axis of an array holds what: recognised from its shape, or asked for in words where two readings are possible."""

from collections.abc import Callable
from math import isqrt

import numpy as np

CHANNELS = (1, 3, 4)                         # grey; red, green, blue; these with alpha
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)     # orders of axes that bring the last to the second place, and back
SHAPES = "(N, H, W), (N, C, H, W) or (N, H, W, C)"
LEAST_SIDE = 8                               # of flattened pictures that are recognised

Layout = tuple[str, Callable[[np.ndarray], np.ndarray]]      # its name, and what brings a block to (n, C, H, W)


def arrangement(shape: tuple[int, ...], is_float: bool, name: str, turned: Callable[[tuple], str]) -> Layout:
    """The layout of examples of this shape: what brings a block of them to (n, C, H, W), or leaves rows as they are.

    Args:
        shape: that of all the examples together, N first.
        is_float: whether they are floats, of which two axes are a table; whole numbers are asked about.
        name: what the reader can call `reshape` on: "images", or "np.asarray(images)" for a list.
        turned: an order of the axes → the call that brings the reader's array into it, for the messages.

    Raises:
        ValueError: if the shape has no meaning, or two; says what to call for each.
    """
    if 0 in shape:
        raise ValueError(f"images must hold pictures, got none: their shape is {shape}")
    if len(shape) == 2:
        return _rows(shape, is_float, name)
    if len(shape) == 3:
        return _grey(shape, name)
    if len(shape) == 4:
        return _channels(shape, name, turned)
    hint = (f"; films become pictures by {name}.reshape(-1, {_listed(shape[-3:])})" if len(shape) > 4 else
            "; pictures come first, labels second" if len(shape) == 1 else "")
    raise ValueError(f"images must have the shape {SHAPES}, or (N, D) for a table, got {shape}{hint}")


def as_a_picture(width: int) -> str:
    """The shape of the square picture with so many numbers, as reshape takes it: "28, 28"; "" where there is none."""
    for channels, before in ((1, ""), (3, "3, ")):
        side = isqrt(width // channels)
        if side >= LEAST_SIDE and channels * side * side == width:
            return f"{before}{side}, {side}"
    return ""


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _rows(shape: tuple[int, ...], is_float: bool, name: str) -> Layout:
    if is_float:
        return "(N, D)", np.asarray
    raise ValueError(f"images must have the shape {SHAPES}, got {shape} of whole numbers: for flattened pictures pass "
                     f"{name}.reshape(-1, {as_a_picture(shape[1]) or 'height, width'}), for a table {name} * 1.0; one "
                     f"picture is too few")


def _grey(shape: tuple[int, ...], name: str) -> Layout:
    n, height, width = shape
    if width in CHANNELS or n in CHANNELS[1:]:
        one = "(H, W, C)" if width in CHANNELS else "(C, H, W)"
        raise ValueError(f"images of the shape {shape} may be {n} grey pictures of {height}×{width}, or one picture {one}. "
                         f"For grey ones pass {name}[:, None]; one is too few, and several are np.stack([picture, …])")
    return "(N, H, W)", lambda block: block[:, None]


def _channels(shape: tuple[int, ...], name: str, turned: Callable[[tuple], str]) -> Layout:
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first and last and (shape[3] == 1) != (shape[1] == 1):     # no picture is one pixel wide or high
        first, last = shape[1] == 1, shape[3] == 1
    if first and last:
        way = (f"If channels come first, pass {turned(LAST)}; if they come last, pass {turned(FIRST)}"
               if shape[2] not in CHANNELS else
               "So small a picture can be either: build the sets yourself, from (N, C, H, W) uint8, by "
               "data.hold_out(data.ImageSet(torch.as_tensor(images), None), n)")
        raise ValueError(f"images of the shape {shape} may be (N, C, H, W) or (N, H, W, C). {way}")
    if first:
        return "(N, C, H, W)", np.asarray
    if last:
        return "(N, H, W, C)", lambda block: block.transpose(FIRST)
    few = min(shape[1], shape[3])
    if few > 16:
        hint = f"for sets of grey pictures pass {name}.reshape(-1, {_listed(shape[2:])})"
    else:
        some = ":1" if few == 2 else ":3"
        hint = f"to keep some of {few} channels pass {name}[{':, ' if shape[1] == few else '..., '}{some}]"
    raise ValueError(f"images must have 1 channel (grey), 3 (red, green, blue) or 4 (with alpha), on the second or the last "
                     f"axis, got {shape}; {hint}")
