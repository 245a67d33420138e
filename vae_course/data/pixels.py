"""Values of all kinds, and Pillow's pictures of all modes, to uint8 0–255; what cannot be meant is asked about."""

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageOps

BLOCK_BYTES = 2 ** 25
OVERSHOOT = 1e-5      # of floats that were rounded on their way to [0, 1]
DARK = 16             # scikit-learn's digits hold 0–16: as they are, they would be trained on nearly black
WHITE = (DARK, 255, 1023, 4095, 16383, 65535)       # the last value of 8, 10, 12, 14 and 16 bits
ON_WHITE = "Alpha was composed on white."


class Values:
    """Looks at blocks of numbers, judges whether they can be pictures or a table, and turns pictures into uint8.

    In its messages `name` is the argument, and `mended` makes the call of a change of x, such as "{x} / 255".
    """

    def __init__(self, name: str, mended: Callable[[str], str], dtype: np.dtype):
        self.name, self.mended, self.dtype = name, mended, dtype
        self.low, self.high, self.n_bad = np.inf, -np.inf, 0
        self.said: list[str] = []       # sentences for the reader, each once

    def say(self, sentence: str) -> None:
        """Remember what the reader shall be told at the end."""
        if sentence not in self.said:
            self.said.append(sentence)

    def take(self, block: np.ndarray) -> None:
        """Look at one more block: its least and its largest value, and how many are not finite."""
        with np.errstate(all="ignore"):
            suspicious = self.dtype.kind == "f" and not np.isfinite(block.sum(dtype=np.float64))
        if suspicious:
            finite = np.isfinite(block)
            self.n_bad += int(block.size - finite.sum())
            block = block[finite]
        if block.size:
            self.low, self.high = min(self.low, block.min().item()), max(self.high, block.max().item())

    def check_table(self) -> None:
        """Raise ValueError unless float32 can hold all the numbers so far."""
        self._check_finite(0)
        if max(abs(self.low), abs(self.high)) > float(np.finfo(np.float32).max):
            raise ValueError(f"{self.name} must hold numbers that float32 can hold, got {self.low:g} to {self.high:g}: take "
                             f"logarithms, or scale the columns")

    def check_pictures(self) -> None:
        """Raise ValueError unless all the numbers so far can be pixels; says which they are, and what to call."""
        self._check_finite(1)
        low, high, slack = self.low, self.high, OVERSHOOT if self.dtype.kind == "f" else 0
        if low >= -slack and high <= (1 + slack if self.dtype.kind == "f" else 255):
            return
        if self.dtype.kind == "f" and low >= -0.1 and high <= 1.1:
            change = "{x}.clip(0, 1)"
        elif low >= 0:
            white = next((white for white in WHITE if high <= white), high) if high > DARK - 1 else high
            change = f"{{x}} / {white:.7g}"
        else:
            change = "({x} + 1) / 2" if low > -1.001 and high < 1.001 else f"({{x}} + {-low:.7g}) / {high - low:.7g}"
        normalized = "; what was normalized is pictures again by x * std + mean" if low < -0.1 else ""
        raise ValueError(f"{self.name} must hold whole numbers from 0 to 255, or floats in [0, 1], got {self.dtype} from "
                         f"{low:.7g} to {high:.7g}: pass {self.mended(change)}{normalized}")

    def check_brightness(self) -> None:
        """Raise ValueError where all pictures are nearly black: a question, since it can be meant."""
        if self.dtype.kind in "iu" and self.high <= DARK:
            counts, dark = self.mended(f"{{x}} / {max(self.high, 1)}"), self.mended("{x} / 255")
            raise ValueError(f"{self.name} hold whole numbers from 0 to {self.high}, of which 255 is white: are they counts "
                             f"(scikit-learn's digits) or masks? Then pass {counts}; if they are as dark as that, {dark}")
        if self.dtype.kind == "f" and 0 < self.high <= 1 / 255 + OVERSHOOT:
            raise ValueError(f"{self.name} hold floats that never exceed {self.high:.2g}, of which 1 is white: were they "
                             f"divided by 255 twice? Then pass {self.mended('{x} * 255')}")

    def as_uint8(self, block: np.ndarray) -> np.ndarray:
        """(n, C, H, W) numbers that were checked to (n, C, H, W) uint8, where C = 4 becomes 3, on white."""
        if block.dtype.kind == "f":
            scaled = block.clip(0, 1).astype(np.float32) * 255
            block = np.rint(scaled)
            if np.abs(scaled - block).max() > 0.1:
                self.say("Floats were rounded to 256 levels.")
        elif block.dtype == bool:
            self.say("True is white.")
            block = block * np.uint8(255)
        pixels = block.astype(np.uint8, copy=False)
        if pixels.shape[1] < 4:
            return pixels
        self.say(ON_WHITE)
        colour, alpha = pixels[:, :3].astype(np.uint16), pixels[:, 3:].astype(np.uint16)
        return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)

    def _check_finite(self, largest: int) -> None:
        if self.n_bad:
            raise ValueError(f"{self.name} must hold finite numbers, got {self.n_bad:,} NaN or infinite: leave out what has "
                             f"them, or pass {self.mended(f'np.nan_to_num({{x}}, posinf={largest}, neginf=0)')}")


def blocks(n: int, row_bytes: int) -> Iterator[slice]:
    """Slices of n examples, of some 32 MB each, so that nothing else of their size need be in memory."""
    rows = max(1, BLOCK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + rows, n)) for start in range(0, n, rows))


# ---------------------------------------------------------------- Pillow's pictures

def is_grey(image: Image.Image) -> bool:
    """Whether the picture has no colour by its mode, or by the palette that it draws on."""
    if image.mode == "P":
        palette = np.asarray(image.getpalette() or [0, 0, 0]).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return is_deep(image) or image.mode in ("1", "L", "LA", "La")


def is_deep(image: Image.Image) -> bool:
    """Whether the picture has grey values of more than 8 bits, or floats."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def has_alpha(image: Image.Image) -> bool:
    """Whether parts of the picture can be seen through."""
    return image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info


def as_pixels(image: Image.Image, channels: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture of any mode as (C, H, W) uint8, C = 1 or 3, upright as its EXIF says, on white where it has alpha.

    It is scaled to cover `size`, (H, W), and what stands out is cut off, on both sides alike. OSError or ValueError if the
    file is damaged, or its numbers have no known scale.
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
    white = 65535 if values.dtype.kind != "f" or high > 255 else 255 if high > 1 else 1
    return np.rint(values * (255 / white)).astype(np.uint8)
