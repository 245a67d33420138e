"""One picture of Pillow's, of whatever kind, as uint8."""

import numpy as np
from PIL import Image, ImageOps

GREY_MODES = ("1", "L", "LA", "La")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")


def is_grey(image: Image.Image) -> bool:
    """Whether the picture has no colour by its mode, or by the palette that it draws on."""
    if image.mode == "P":
        palette = np.asarray(image.getpalette() or [0, 0, 0]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return is_deep(image) or image.mode in GREY_MODES


def is_deep(image: Image.Image) -> bool:
    """Whether the picture has grey values of more than 8 bits, or floats."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def has_alpha(image: Image.Image) -> bool:
    """Whether parts of the picture can be seen through."""
    return image.mode in ALPHA_MODES or "transparency" in image.info


def as_pixels(image: Image.Image, channels: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture as (C, H, W) uint8, upright as its EXIF says, on white where it has alpha, and of the size asked for.

    Args:
        image: as `PIL.Image.open` returns it, of any mode.
        channels: C, 1 for grey or 3 for colour.
        size: (H, W), which it is scaled to cover; what stands out is cut off, on both sides alike. None: as it is.

    Raises:
        OSError, ValueError: if the file is damaged, or its numbers have no known scale.
    """
    if size is not None:
        image.draft(None, (2 * max(size), 2 * max(size)))     # a large JPEG is decoded at a fraction of its size
    image = ImageOps.exif_transpose(image)
    if is_deep(image):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if has_alpha(image):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of 16 or 32 bits, or floats, (H, W), as uint8; what has no known scale raises ValueError."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(values).all() and low >= 0 and high <= 65535):
        raise ValueError(f"its values go from {low:g} to {high:g}, which is no scale of grey values")
    if values.dtype.kind == "f" and high <= 1:
        scale = 255.0
    elif values.dtype.kind == "f" and high <= 255:
        scale = 1.0
    else:
        scale = 1 / 257
    return np.rint(values * scale).astype(np.uint8)
