"""Pictures of explorers: rows of images with their names, the map with its point, and the nearest training image."""

import functools
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vae_course.plots import encode_png, grey_bytes
from vae_course.widgets.explorer import in_unit_interval

CAPTION = 18       # pixels above each image
GAP = 8            # pixels between two
TYPICAL_OF = 50    # training images whose own nearest neighbours say what is near


def row(images: Sequence[np.ndarray], names: Sequence[str], scale: int) -> np.ndarray:
    """Images (H, W) in [0, 1] side by side, `scale` pixels for each of theirs, each under its name; as grey bytes."""
    height, width = (scale * size for size in np.shape(images[0]))
    canvas = _captions(tuple(names), height, width).copy()
    for k, image in enumerate(images):
        left = k * (width + GAP)
        canvas[CAPTION:, left:left + width] = grey_bytes(image).repeat(scale, 0).repeat(scale, 1)
    return canvas


@functools.lru_cache(maxsize=32)
def _captions(names: tuple[str, ...], height: int, width: int) -> np.ndarray:
    """White, with the names in their places: writing takes longer than all the rest of a frame."""
    canvas = Image.new("L", (len(names) * (width + GAP) - GAP, height + CAPTION), 255)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for k, name in enumerate(names):
        pen.text((k * (width + GAP) + width / 2, CAPTION / 2), name, fill=0, font=font, anchor="mm")
    return np.asarray(canvas)


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
    """Looks for the image that differs least from a picture. images: (n, H, W) bytes or in [0, 1]."""

    def __init__(self, images: np.ndarray):
        self.images = images

    @functools.cached_property
    def _pixels(self) -> np.ndarray:
        """(n, H·W) in [0, 1]; made when it is first needed."""
        return in_unit_interval(self.images).reshape(len(self.images), -1).astype(np.float32)

    @functools.cached_property
    def _squares(self) -> np.ndarray:
        return np.einsum("np,np->n", self._pixels, self._pixels)

    def _distances(self, pictures: np.ndarray) -> np.ndarray:
        """(k, H·W) → (k, n) Euclidean distances."""
        squares = self._squares - 2 * pictures @ self._pixels.T + (pictures**2).sum(axis=1, keepdims=True)
        return np.sqrt(np.maximum(squares, 0))

    @functools.cached_property
    def typical(self) -> float:
        """Median distance of a training image to its nearest other one."""
        some = np.linspace(0, len(self.images) - 1, min(TYPICAL_OF, len(self.images))).astype(int)
        distances = self._distances(self._pixels[some])
        distances[np.arange(len(some)), some] = np.inf
        return float(np.median(distances.min(axis=1)))

    def find(self, picture: np.ndarray) -> tuple[np.ndarray, str]:
        """The nearest image (H, W) in [0, 1], and in words which it is and how far."""
        if picture.shape != self.images.shape[1:]:
            raise ValueError(f"images must have the shape of the pictures, {picture.shape}, got {self.images.shape[1:]}")
        distances = self._distances(picture.reshape(1, -1).astype(np.float32))[0]
        nearest = int(distances.argmin())
        words = f"nearest of {len(self.images):,} images: number {nearest}, at distance {distances[nearest]:.1f}"
        if len(self.images) > 1:
            words += f"; the images themselves are typically {self.typical:.1f} from their nearest other one"
        return in_unit_interval(self.images[nearest]), words


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
