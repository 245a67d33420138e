"""Pictures of explorers: rows of images with their names, the map with its point, and the nearest training image."""

import functools
import io
import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from vae_course.pixels import in_unit_interval
from vae_course.plots import encode_png, shortened, to_bytes
from vae_course.widgets.given import Pictures

CAPTION = 18       # pixels above each image
GAP = 8            # pixels between two
ROOM = 760         # pixels for a row; a page is about that wide
TYPICAL_OF = 50    # training images whose own nearest neighbours say what is near


# ---------------------------------------------------------------- how large

def room_for(n: int, box: int) -> int:
    """Pixels that the longer side of an image may have if n stand in a row: about `box`, and not more than fit."""
    return min((ROOM + GAP) // n - GAP, box * 5 // 4)


def shown(image: np.ndarray, box: int, most: int | None = None) -> np.ndarray:
    """An image in [0, 1] as large as it is shown, in bytes.

    Each pixel is repeated, so that the image covers about as much as a square of `box` pixels, but no side is longer than
    `most`: 28 × 28 pixels, or 8 × 8, become 224 × 224 in a box of 224, and 96 × 96 become 192 × 192. What is too large for
    that as it is becomes smaller.

    Args:
        image: (H, W) or (H, W, 3).
        box: pixels.
        most: pixels; a quarter more than `box` if it is None.
    """
    pixels, most = to_bytes(image), most or box * 5 // 4
    height, width = pixels.shape[:2]
    scale = box / math.sqrt(height * width)
    times = min(round(scale), most // max(height, width))
    if times >= 1:
        return pixels.repeat(times, 0).repeat(times, 1)
    scale = min(scale, most / max(height, width))
    size = [max(1, round(scale * side)) for side in (width, height)]
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def tile(image: np.ndarray, side: int) -> np.ndarray:
    """An image in [0, 1] as a square of at most `side` pixels, made smaller where it is larger, with white where it ends."""
    height, width = image.shape[:2]
    if height == width <= side:
        return image
    square = min(side, max(height, width))
    small = in_unit_interval(shown(image, square, square))
    canvas = np.ones((square, square, *image.shape[2:]))
    top, left = (square - small.shape[0]) // 2, (square - small.shape[1]) // 2
    canvas[top:top + small.shape[0], left:left + small.shape[1]] = small
    return canvas


def png(image: np.ndarray, box: int) -> bytes:
    """An image in [0, 1] alone, as large as it is shown, as PNG."""
    return encode_png(shown(image, box))


# ---------------------------------------------------------------- rows with names

def row(images: Sequence[np.ndarray], names: Sequence[str], box: int, most: int | None = None,
        column: int = 0) -> np.ndarray:
    """Images of one size side by side, as `shown`, each under its name, as bytes (h, w) or (h, w, 3).

    Args:
        images: (H, W) or (H, W, 3) in [0, 1].
        names: one for each; what is too long for its column is cut.
        box, most: as in `shown`; there is room for all of them if `most` is None.
        column: pixels that each has at least.
    """
    most = most or room_for(len(images), box)
    tiles = [shown(image, box, most) for image in images]
    height, width = tiles[0].shape[:2]
    column = max(width, column, min(most, widest(tuple(names))))
    canvas = _captions(tuple(names), height, column)
    canvas = canvas.copy() if tiles[0].ndim == 2 else canvas[:, :, None].repeat(3, 2)
    for k, tile in enumerate(tiles):
        left = k * (column + GAP) + (column - width) // 2
        canvas[CAPTION:, left:left + width] = tile
    return canvas


def rows(images: Sequence[np.ndarray], names: Sequence[str], box: int, in_a_row: int) -> list[np.ndarray]:
    """The same in rows, in columns of one width."""
    most = room_for(in_a_row, box)
    column = min(most, widest(tuple(names)))
    return [row(images[k:k + in_a_row], names[k:k + in_a_row], box, most, column)
            for k in range(0, len(images), in_a_row)]


@functools.lru_cache(maxsize=32)
def _captions(names: tuple[str, ...], height: int, width: int) -> np.ndarray:
    """White, with the names in their places: writing takes longer than all the rest of a frame."""
    canvas = Image.new("L", (len(names) * (width + GAP) - GAP, height + CAPTION), 255)
    pen = ImageDraw.Draw(canvas)
    for k, name in enumerate(names):
        name = cut(name, width + GAP // 2)
        pen.text((k * (width + GAP) + width / 2, CAPTION / 2), name, fill=0, font=font_for(name), anchor="mm")
    return np.asarray(canvas)


@functools.lru_cache(maxsize=32)
def widest(names: tuple[str, ...]) -> int:
    """Pixels that the longest of these names takes as a caption."""
    return max(math.ceil(font_for(name).getlength(name)) for name in names)


def cut(name: str, width: int) -> str:
    """A name, or as much of it as fits into so many pixels."""
    fitting = (text for letters in range(len(name), 0, -1)
               if font_for(name).getlength(text := shortened(name, letters)) <= width)
    return next(fitting, "")


@functools.lru_cache(maxsize=64)
def font_for(text: str, size: int = 12) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font; where it lacks letters Matplotlib's, which has Latin, Greek, Cyrillic and Arabic ones."""
    if text.replace("…", "").isascii():
        return ImageFont.load_default(size)
    return ImageFont.truetype(_other_letters(), size - 1)


def _other_letters() -> str:
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@functools.cache
def _their_codes() -> set[int]:
    return set(FT2Font(_other_letters()).get_charmap())


def can_be_written(text: str) -> bool:
    """Whether the fonts of pictures have all its letters."""
    return set(map(ord, text)) <= _their_codes()


def stack(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of bytes below each other, on white: all (H, W), or, where one is (H, W, 3), all in colour."""
    if any(picture.ndim == 3 for picture in rows):
        rows = [picture if picture.ndim == 3 else picture[:, :, None].repeat(3, 2) for picture in rows]
    height, width = sum(len(picture) + GAP for picture in rows) - GAP, max(picture.shape[1] for picture in rows)
    canvas, top = np.full((height, width, *rows[0].shape[2:]), 255, np.uint8), 0
    for picture in rows:
        canvas[top:top + len(picture), :picture.shape[1]] = picture
        top += len(picture) + GAP
    return canvas


def map_and_picture(map_png: bytes, point: tuple[float, float], picture_png: bytes, radius: int = 7) -> bytes:
    """The map with a ring at `point` (parts of its width and height), and the picture beside it, as PNG."""
    ground, picture = (Image.open(io.BytesIO(png)).convert("RGB") for png in (map_png, picture_png))
    canvas = Image.new("RGB", (ground.width + 2 * GAP + picture.width, max(ground.height, picture.height)), "white")
    canvas.paste(_ringed(ground, point, radius), (0, 0))
    canvas.paste(picture, (ground.width + 2 * GAP, (canvas.height - picture.height) // 2))
    return encode_png(np.asarray(canvas))


def ringed(map_png: bytes, point: tuple[float, float], radius: int) -> bytes:
    """The map with a ring at `point` (parts of its width and height), as PNG."""
    return encode_png(np.asarray(_ringed(Image.open(io.BytesIO(map_png)).convert("RGB"), point, radius)))


def _ringed(ground: Image.Image, point: tuple[float, float], radius: int) -> Image.Image:
    """The same, on the picture itself: white around black."""
    x, y = point[0] * ground.width, point[1] * ground.height
    pen = ImageDraw.Draw(ground)
    for r, colour in ((radius + 2, "white"), (radius, "black")):
        pen.ellipse((x - r, y - r, x + r, y + r), outline=colour, width=2)
    return ground


class Nearest:
    """Looks for the image that differs least from a picture, block by block: the images may be more than memory holds.

    Args:
        images: as `given.Pictures` takes them.
    """

    def __init__(self, images):
        self.images = images if isinstance(images, Pictures) else Pictures(images)

    def _distances(self, pictures: np.ndarray) -> np.ndarray:
        """(k, H·W) or (k, 3·H·W) in [0, 1] → (k, n) Euclidean distances."""
        parts = []
        for block, white in self.images.blocks():
            scaled = white * pictures.astype(np.float32)
            squares = np.einsum("np,np->n", block, block) - 2 * scaled @ block.T + (scaled**2).sum(axis=1, keepdims=True)
            parts.append(np.sqrt(np.maximum(squares, 0)) / white)
        return np.concatenate(parts, axis=1)

    @functools.cached_property
    def typical(self) -> float:
        """Median distance of a training image to its nearest other one."""
        some = self.images.some(TYPICAL_OF)
        distances = self._distances(np.stack([self.images[k].ravel() for k in some]))
        distances[np.arange(len(some)), some] = np.inf
        return float(np.median(distances.min(axis=1)))

    def find(self, picture: np.ndarray) -> tuple[np.ndarray, str]:
        """The nearest image in [0, 1], of the shape of the picture, and in words which it is and how far."""
        if picture.shape != self.images.shape:
            raise ValueError(f"images must have the shape of the pictures, {picture.shape}, got {self.images.shape}")
        nearest = int(self._distances(picture.reshape(1, -1)).argmin())
        found = self.images[nearest]
        words = (f"nearest of {len(self.images):,} images: number {nearest}, "
                 f"at distance {np.linalg.norm(found - picture):.1f}")
        if len(self.images) > 1:
            words += f"; the images themselves are typically {self.typical:.1f} from their nearest other one"
        return found, words


def like_mnist(ink: np.ndarray) -> np.ndarray:
    """A drawing (28, 28) of bytes as MNIST's digits were made: fitted into 20 × 20, centre of mass in the middle; in [0, 1].

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", the description of its format.
    """
    side = len(ink)
    rows, columns = np.nonzero(ink.any(axis=1))[0], np.nonzero(ink.any(axis=0))[0]
    if len(rows) == 0:
        return np.zeros(ink.shape)
    box = Image.fromarray(ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1])
    scale = 20 / max(box.size)
    box = box.resize([max(1, round(scale * length)) for length in box.size], Image.Resampling.LANCZOS)
    digit = np.asarray(box, dtype=float) / 255
    centre = [(np.arange(n) + 0.5) @ digit.sum(axis=1 - axis) / digit.sum() for axis, n in enumerate(digit.shape)]
    top, left = (int(np.clip(round(side / 2 - c), 0, side - n)) for c, n in zip(centre, digit.shape))
    picture = np.zeros(ink.shape)
    picture[top:top + digit.shape[0], left:left + digit.shape[1]] = digit
    return picture
