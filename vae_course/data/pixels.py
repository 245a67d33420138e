"""Values of all kinds to uint8 0–255; what cannot be meant is asked about, with the call that mends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

BLOCK_BYTES = 2 ** 25
DARK = 16             # scikit-learn's digits hold 0–16: as they are, they would be trained on nearly black
OVERSHOOT = 1e-5      # of floats that were rounded on their way to [0, 1]


@dataclass
class Pixels:
    """Turns blocks of pictures into uint8, and remembers what there is to say about it.

    Args:
        name: the argument that the pictures came with, for the messages.
        mended: a change of x, such as "{x} / 255" → the call that makes it.
    """

    name: str
    mended: Callable[[str], str]
    largest: int = 0                                        # of all the whole numbers so far
    said: dict[str, None] = field(default_factory=dict)     # sentences, each once

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """(n, C, H, W) numbers to (n, C, H, W) uint8, where C = 4 becomes 3, on white."""
        is_float = block.dtype.kind == "f"
        pixels = self._from_floats(block) if is_float else self._from_whole(block)
        if pixels.shape[1] == 4:
            self.say_on_white()
            pixels = on_white(pixels)
        self.largest = max(self.largest, 255 if is_float else int(pixels.max()))   # floats have no other scale
        return pixels

    def say_on_white(self) -> None:
        """Keep in mind that something was seen through."""
        self.said["Alpha was composed on white."] = None

    def check(self, values: "Range") -> None:
        """Raise ValueError where these values are no pictures; says which they are, and what to call."""
        low, high, kind = values.low, values.high, values.dtype.kind
        self.check_finite(values)
        if kind == "f":
            self._check_floats(low, high)
        elif low < 0 or high > 255:
            change = f"{{x}} / {_full_scale(high)}" if low >= 0 else _stretched(low, high)
            raise ValueError(f"{self.name} must hold whole numbers from 0 to 255, or floats in [0, 1], got {values.dtype} "
                             f"from {low} to {high}: pass {self.mended(change)}")

    def check_finite(self, values: "Range", largest: int = 1) -> None:
        """Raise ValueError where numbers are NaN or infinite; `largest` is what the reader may put for infinity."""
        if values.n_bad:
            raise ValueError(f"{self.name} must hold finite numbers, got {values.n_bad:,} NaN or infinite: leave out what "
                             f"has them, or pass {self.mended(f'np.nan_to_num({{x}}, posinf={largest}, neginf=0)')}")

    def check_brightness(self) -> None:
        """Raise ValueError where no pixel of any picture exceeds 16 of 255: a question, since it can be meant."""
        if self.largest > DARK:
            return
        meant = f"pass {self.mended('{x} / 255')}"
        if self.largest == 0:
            raise ValueError(f"{self.name} must hold pictures, but all their values are 0: was something lost on the way? "
                             f"If they are meant to be black, {meant}")
        question = (f"are they masks? Then pass {self.mended('{x} * 255')}" if self.largest == 1 else
                    f"are they counts, as scikit-learn's digits? Then pass {self.mended(f'{{x}} / {self.largest}')}; "
                    f"if they are meant to be as dark as that, {meant}")
        raise ValueError(f"{self.name} hold whole numbers from 0 to {self.largest}, of which 255 is white: {question}")

    def _check_floats(self, low: float, high: float) -> None:
        if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
            if 0 < high <= 1 / 255 + OVERSHOOT:
                raise ValueError(f"{self.name} hold floats that never exceed {high:.2g}, of which 1 is white: were they "
                                 f"divided by 255 twice? Then pass {self.mended('{x} * 255')}")
            return
        if low >= -0.1 and high <= 1.1:
            change = "{x}.clip(0, 1)"
        elif low >= 0:
            change = f"{{x}} / {_full_scale(high)}"
        elif low >= -1.001 and high <= 1.001:
            change = "({x} + 1) / 2"
        else:
            change = _stretched(low, high)
        normalized = "; what was normalized is pictures again by x * std + mean" if low < -0.1 else ""
        raise ValueError(f"{self.name} must hold floats in [0, 1], or whole numbers from 0 to 255, got floats from "
                         f"{low:.4g} to {high:.4g}: pass {self.mended(change)}{normalized}")

    def _from_floats(self, block: np.ndarray) -> np.ndarray:
        scaled = block.clip(0, 1).astype(np.float32) * 255
        pixels = np.rint(scaled)
        if np.abs(scaled - pixels).max() > 0.1:
            self.said["Floats were rounded to 256 levels."] = None
        return pixels.astype(np.uint8)

    def _from_whole(self, block: np.ndarray) -> np.ndarray:
        if block.dtype == bool:
            self.said["True is white."] = None
            return block * np.uint8(255)
        return block.astype(np.uint8, copy=False)


@dataclass
class Range:
    """The least and the largest value of blocks of an array, and how many are not finite."""

    dtype: np.dtype
    low: float = np.inf
    high: float = -np.inf
    n_bad: int = 0

    def take(self, block: np.ndarray) -> "Range":
        """Look at one more block."""
        with np.errstate(all="ignore"):
            suspicious = block.dtype.kind == "f" and not np.isfinite(block.sum(dtype=np.float64))
        if suspicious:
            finite = np.isfinite(block)
            self.n_bad += int(block.size - finite.sum())
            block = block[finite]
        if block.size:
            self.low, self.high = min(self.low, block.min().item()), max(self.high, block.max().item())
        return self


def blocks(n: int, row_bytes: int) -> Iterator[slice]:
    """Slices of n examples, of some 32 MB each, so that nothing else of their size need be in memory."""
    rows = max(1, BLOCK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + rows, n)) for start in range(0, n, rows))


def on_white(pixels: np.ndarray) -> np.ndarray:
    """(n, 4, H, W) uint8, red, green, blue and alpha, to (n, 3, H, W) uint8: each colour over white, by its alpha."""
    colour, alpha = pixels[:, :3].astype(np.uint16), pixels[:, 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _stretched(low: float, high: float) -> str:
    """What maps these ends, of which the first is below zero, to 0 and 1."""
    return f"({{x}} + {-low:.7g}) / {high - low:.7g}"


def _full_scale(high: float) -> str:
    """What white is in numbers that reach up to `high`: 16 in scikit-learn's digits, 255, or all bits of 10, 12, 14, 16."""
    scales = (DARK, 255, 1023, 4095, 16383, 65535) if high > DARK - 1 else ()
    return next((str(scale) for scale in scales if high <= scale), f"{high:g}")
