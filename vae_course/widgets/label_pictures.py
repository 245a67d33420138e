"""Pictures of the label map: a plane tinted by class, discs with the classes of the labelled codes, and errors as bars.

A click draws them anew, so they are put together from pixels; Matplotlib takes eighty milliseconds for the same.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from vae_course.plots import CLASS_COLOURS
from vae_course.widgets.classes import Classes
from vae_course.widgets.pictures import cut, font_for

TINT = 0.3           # how much of a class's colour its part of the plane has; the rest is white
DISC, DOT = 15, 9    # pixels across a labelled code, with its class in it, and without where many would hide each other
MANY = 250
FINE = 4             # a disc is drawn so many times as large, and made smaller with smooth edges
BAR, LINE = 10, 18   # pixels: the height of a bar, and of the words above it
IN_THE_KEY = 20      # classes, of which as many as fit beside the map


def colour_of(label: int) -> tuple[int, ...]:
    """Red, green and blue, 0–255, of a class; classes that are ten apart share them."""
    return ImageColor.getrgb(CLASS_COLOURS[label % len(CLASS_COLOURS)])[:3]


def tint(ground: np.ndarray, classes: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """The picture `ground` (H, W, 3) with a part of it tinted by class, as bytes; what is dark in it stays dark.

    Args:
        ground: bytes.
        classes: (G, G) the class of each place, the first row at the top.
        box: left, top, width and height of that part, as shares of the picture's width and height.
    """
    found, column = np.unique(classes, return_inverse=True)
    palette = np.array([[1 - TINT * (1 - part / 255) for part in colour_of(int(label))] for label in found])
    height, width = ground.shape[:2]
    left, top, right, bottom = (round(share * size) for share, size in zip(
        (box[0], box[1], box[0] + box[2], box[1] + box[3]), (width, height, width, height)))
    rows, columns = ((np.arange(n) * len(classes)) // n for n in (bottom - top, right - left))
    tinted, places = ground.copy(), column.reshape(classes.shape)[np.ix_(rows, columns)]
    tinted[top:bottom, left:right] = ground[top:bottom, left:right] * palette[places] + 0.5
    return tinted


def discs(picture: np.ndarray, centres: Sequence[tuple[float, float]], labels: Sequence[int],
          mark: Callable[[int], str] = str) -> np.ndarray:
    """The picture (H, W, 3) with a disc in its class's colour at each centre (shares of width and height), as bytes.

    Where there is room, `mark(label)` is written in it.
    """
    canvas, across = Image.fromarray(picture), DOT if len(labels) > MANY else DISC
    for (x, y), label in zip(centres, labels):
        stamp = _disc(int(label), mark(int(label)), across)
        canvas.paste(stamp, (round(x * canvas.width - stamp.width / 2), round(y * canvas.height - stamp.height / 2)), stamp)
    return np.asarray(canvas)


@functools.lru_cache(maxsize=256)
def _disc(label: int, text: str, across: int) -> Image.Image:
    """A disc with a white edge, `across` pixels wide, and, where it is as wide as DISC, the text in it."""
    side, (red, green, blue) = FINE * across, colour_of(label)
    canvas = Image.new("RGBA", (side, side))
    pen = ImageDraw.Draw(canvas)
    pen.ellipse((0, 0, side - 1, side - 1), fill="white")
    pen.ellipse((FINE, FINE, side - 1 - FINE, side - 1 - FINE), fill=(red, green, blue))
    if across == DISC:
        ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 125 else "white"
        font = ImageFont.load_default(FINE * (12 if len(text) == 1 else 9 if len(text) == 2 else 6))
        pen.text((side / 2, side / 2), text, fill=ink, font=font, anchor="mm")
    return canvas.resize((across, across), Image.Resampling.BOX)


def key(classes: Classes, width: int) -> np.ndarray:
    """The discs of the classes with their names, in two columns, as bytes (height, width, 3)."""
    known, half = classes.found[:IN_THE_KEY], width // 2
    more = len(classes.found) - len(known)
    lines = -(-len(known) // 2)
    canvas = Image.new("RGB", (width, LINE * (lines + bool(more))), "white")
    pen = ImageDraw.Draw(canvas)
    for k, label in enumerate(known):
        left, top, disc = k // lines * half, k % lines * LINE, _disc(label, classes.mark(label), DISC)
        canvas.paste(disc, (left, top + 1), disc)
        name = cut(classes.short(label), half - DISC - 8)
        pen.text((left + DISC + 4, top + LINE / 2), name, fill=0, font=font_for(name), anchor="lm")
    if more:
        pen.text((0, lines * LINE + LINE / 2), f"and {more} more", fill=0, font=font_for(""), anchor="lm")
    return np.asarray(canvas)


def error_bars(errors: Mapping[str, tuple[float | None, float | None]], chosen: str, width: int) -> np.ndarray:
    """A bar for each classifier, its length the error on the test codes, as grey bytes (height, width).

    Args:
        errors: name → the error now, and before the last change; shares from 0 to 1, or None where there is none.
        chosen: the name whose bar is black.
        width: pixels for an error of 1.
    """
    each = LINE + BAR + 6
    canvas = Image.new("L", (width, LINE + each * len(errors)), 255)
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    pen.text((0, LINE / 2), "test error (the whole bar: 100 %)", fill=0, font=font, anchor="lm")
    for k, (name, (now, before)) in enumerate(errors.items()):
        top = LINE + k * each
        was = "" if before is None else f" (was {before:.1%})"
        words = f"{name}: " + ("no labels" if now is None else f"{now:.1%}") + was
        pen.text((0, top + LINE / 2), words.replace("%", " %"), fill=0, font=font, anchor="lm")
        pen.rectangle((0, top + LINE, width - 1, top + LINE + BAR - 1), outline=0, fill=255)
        end = round((now or 0) * (width - 1))
        pen.rectangle((0, top + LINE, end, top + LINE + BAR - 1), fill=0 if name == chosen else 150)
    return np.asarray(canvas)
