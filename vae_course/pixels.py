"""What may be a picture: arrays or tensors of several layouts, bytes or in [0, 1], brought into one; words for the rest."""

import numpy as np

DARK = 16   # bytes that never exceed it are seldom 0–255: masks of 0 and 1, or scikit-learn's digits, whose white is 16
SIDE = 8    # (a, b, 3) with a and b at least that is more likely one picture in colour than many grey ones


def as_array(values) -> np.ndarray:
    """NumPy of numbers in any form: an array, a tensor on any device, a list of these, or what is such when it is sliced."""
    if hasattr(values, "shape") and not hasattr(values, "__array__"):
        values = values[:]  # e.g. data.ImageFile
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()  # NumPy has no bfloat16
    if isinstance(values, (list, tuple)) and any(hasattr(part, "detach") for part in values):
        values = [as_array(part) for part in values]
    return np.asarray(values)


def as_pictures(images, name: str = "images") -> np.ndarray:
    """Pictures in one layout: grey (n, H, W), or in colour (n, H, W, 3).

    Args:
        images: (n, H, W), (n, 1, H, W), (n, H, W, 1), (n, 3, H, W) or (n, H, W, 3), NumPy, tensor or list, of bytes 0–255
            or of numbers in [0, 1].
        name: what the messages call them.

    Returns:
        The same numbers, not copied where that can be: bytes stay bytes.

    Raises:
        ValueError: if `images` has another shape, or one that can be read in two ways, or numbers that are neither. The
            message says what to do.
    """
    found = in_one_layout(images, name)
    check_range(found, name)
    return found


def in_one_layout(images, name: str = "images") -> np.ndarray:
    """As `as_pictures`, whatever their numbers are."""
    pixels = _numbers(images, name)
    found = _channels_last(pixels) if pixels.ndim in (3, 4) and pixels.size else None
    if found is None or _may_be_one(pixels.shape):
        raise ValueError(f"{name} must have shape (n, H, W), (n, 1, H, W), (n, 3, H, W) or (n, H, W, 3) with n ≥ 1, got "
                         f"{pixels.shape}. {_way_out_of_many(pixels.shape, name)}")
    return found


def one_picture(image, name: str = "image") -> np.ndarray:
    """One picture as NumPy in one layout: grey (H, W), or in colour (H, W, 3); bytes as parts of 255.

    Args:
        image: (H, W), (1, H, W), (H, W, 1), (3, H, W) or (H, W, 3), NumPy, tensor or list.
        name: what the messages call it.

    Raises:
        ValueError: if it has another shape, or one that can be read in two ways. That its numbers lie in [0, 1] is for
            `check_range`.
    """
    pixels = _numbers(image, name)
    if pixels.ndim == 3 and pixels.size:
        found = _channels_last(pixels[None])
        pixels = pixels if found is None else found[0]
    if pixels.size == 0 or not (pixels.ndim == 2 or pixels.ndim == 3 and pixels.shape[2] == 3 and found is not None):
        raise ValueError(f"{name} must have shape (H, W) or (H, W, 3), got {pixels.shape}. "
                         f"{_way_out_of_one(pixels.shape, name)}")
    return in_unit_interval(pixels)


def in_unit_interval(pixels: np.ndarray) -> np.ndarray:
    """Bytes as parts of 255; other numbers as they are."""
    return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels


def check_range(pixels: np.ndarray, name: str) -> None:
    """Raise ValueError unless `pixels` are bytes that use their range, or numbers in [0, 1]."""
    low, high = pixels.min(), pixels.max()
    if pixels.dtype == np.uint8:
        if 0 < high <= DARK:
            white = 1 if high == 1 else DARK
            raise ValueError(f"{name} must be bytes from 0 to 255 or lie in [0, 1], and got bytes of which none is above "
                             f"{high}. If white is {white}, give {name} / {white}; if they are so dark, {name} / 255.")
    elif not (low >= 0 and high <= 1):
        raise ValueError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}. "
                         f"{way_into_range(low, high, name)}")


def way_into_range(low: float, high: float, name: str) -> str:
    """What to do with pictures whose numbers go from `low` to `high`."""
    if not np.isfinite([low, high]).all():
        return "Some are NaN or infinite: look for where they come from."
    if -1.01 <= low < -0.2 and high <= 1.01:
        return f"If −1 is black, give ({name} + 1) / 2."
    if low < 0 or high < 2:
        return f"Cut off what lies outside by {name}.clip(0, 1)."
    white = next((white for white in (DARK, 255, 65535) if high <= white), f"{name}.max()")
    return f"If white is {white}, give {name} / {white}."


# ---------------------------------------------------------------- shapes

def _numbers(images, name: str) -> np.ndarray:
    """As NumPy. Raises ValueError if these are no numbers, or do not fill a rectangle."""
    inside = next((part for part in ("images", "train") if hasattr(images, part)), None)
    if inside:
        raise ValueError(f"{name} must be an array of numbers, got {type(images).__name__}. Give the pictures themselves, "
                         f"its {'train.images' if inside == 'train' else inside}.")
    try:
        pixels = as_array(images)
    except ValueError as error:
        raise ValueError(f"{name} must all have one size, and got several. data.from_folder(folder, size) brings pictures "
                         f"to one size.") from error
    if pixels.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be an array of numbers, got {type(images).__name__}. Give the pictures themselves; "
                         f"data.from_dataset(dataset) and data.from_folder(folder, size) make arrays of others.")
    return pixels


def _channels_last(pixels: np.ndarray) -> np.ndarray | None:
    """(n, H, W) or (n, H, W, 3), the same numbers; None if the axis of the colours cannot be found, or could be two."""
    if pixels.ndim == 3:
        return pixels
    first, last = pixels.shape[1], pixels.shape[3]
    if first == 1:
        return pixels[:, 0]
    if first == 3:
        return None if last in (1, 3) else np.moveaxis(pixels, 1, -1)
    return pixels if last == 3 else pixels[..., 0] if last == 1 else None


def _may_be_one(shape: tuple[int, ...]) -> bool:
    """Whether what could be many grey pictures, three pixels wide, is more likely one picture in colour."""
    return len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= SIDE


def _way_out_of_many(shape: tuple[int, ...], name: str) -> str:
    if 0 in shape:
        return "There is no picture in it."
    if len(shape) == 2:
        return f"If it is one picture, give {name}[None]; if each row is one, {name}.reshape(-1, H, W) with their size."
    if len(shape) == 3:
        return f"If it is one picture in colour, give {name}[None]; if it is {shape[0]} grey ones, {name}[:, None]."
    if len(shape) == 4:
        return _way_out_of_channels(shape[1:], name, "1")
    return f"Flatten its first axes: {name}.reshape(-1, *{name}.shape[-3:])." if len(shape) > 4 else "Give several numbers."


def _way_out_of_one(shape: tuple[int, ...], name: str) -> str:
    if len(shape) == 4:
        return f"Of several pictures plots.image_grid({name}) makes one."
    if len(shape) == 3 and 0 not in shape:
        return _way_out_of_channels(shape, name, "0")
    return f"A picture that was flattened gets its size back by {name}.reshape(H, W)." if len(shape) == 1 else ""


def _way_out_of_channels(shape: tuple[int, ...], name: str, axis: str) -> str:
    """What to do with three axes of a picture of which none, or more than one, can hold the colours."""
    if shape[0] == 3 and shape[2] in (1, 3):
        return (f"If axis {axis} holds the colours, give np.moveaxis({name}, {axis}, -1); if the last one does, "
                f"np.moveaxis({name}, -1, {axis}).")
    if 4 in (shape[0], shape[2]):
        three = f"{name}[..., :3]" if shape[2] == 4 else f"{name}[{':, ' * int(axis)}:3]"
        return f"The fourth channel is opacity: leave it out by {three}, or let data.from_arrays compose it on white."
    if shape[0] == 2 or shape[2] == 2:
        return "A picture has 1 or 3 channels, and here there seem to be 2: choose one of them."
    return f"No axis has 1 or 3 channels. If all are grey, give {name}.reshape(-1, H, W) with their size."
