"""Typeset lines as a picture, for pages that have no MathJax."""

import re
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from vae_course import plots
from vae_course.derivations.pad import Row

SIZE, MARGIN, GAP = 14, 8, 10       # points of a letter; pixels
WIDTH, DPI = 800, 100               # pixels, and pixels of an inch
PARSER = MathTextParser("path")


def picture_of_rows(rows: Sequence[Row], title: str = "") -> bytes:
    """One row for each line: how it relates to the line before, the formula, the mark with the reason beside or under it. PNG."""
    figure = Figure(figsize=(WIDTH / DPI, 1), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    texts, y = [], float(MARGIN)

    def put(words: str, x: float, weight: str = "normal") -> tuple[float, float]:
        """Write at (x, y), y being the top; returns the right end and the height."""
        made = figure.text(0, 0, words, fontsize=SIZE, va="bottom", weight=weight)
        box = made.get_window_extent(renderer)
        texts.append((made, x, y, box.height))
        return x + box.width, box.height
    if title:
        y += put(_words(title), MARGIN, "bold")[1] + GAP
    for row in rows:
        put(f"${row.sign}$" if row.sign else "", MARGIN)
        right, height = put(_formula(row), MARGIN + 32)
        note = _words(row.note)
        wide = figure.text(0, 0, note, fontsize=SIZE)
        beside = right + 30 + wide.get_window_extent(renderer).width < WIDTH
        wide.remove()
        if note and not beside:
            y += height + 4
        height = max(height, put(note, right + 30 if beside else MARGIN + 64)[1]) if note else height
        y += height + GAP
    return _painted(figure, canvas, texts, y)


def _painted(figure: Figure, canvas: FigureCanvasAgg, texts: list, height: float) -> bytes:
    figure.set_size_inches(WIDTH / DPI, height / DPI)
    for made, x, top, own in texts:
        made.set_position((x / WIDTH, 1 - (top + own) / height))
    canvas.draw()
    return plots.encode_png(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _formula(row: Row) -> str:
    """For matplotlib: as mathematics, or as plain text where it does not know a sign."""
    latex = re.sub(r"\\(displaystyle|limits|,|;|!)\s*", " ", row.latex).replace(r"\tfrac", r"\frac").replace("\n", " ")
    return f"${latex}$" if _is_drawn(f"${latex}$") else row.plain.replace("$", "")


def _words(text: str) -> str:
    return text if _is_drawn(text) else text.replace("$", "")


def _is_drawn(text: str) -> bool:
    if text.count("$") % 2:
        return False
    try:
        PARSER.parse(text, DPI)
        return True
    except ValueError:
        return False
