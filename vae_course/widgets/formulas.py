"""Typeset lines as a picture, for pages that have no MathJax."""

import re
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from vae_course import plots
from vae_course.derivations.pad import Row

SIZE, SMALLEST = 14, 4                # points of a letter
WIDTH, MARGIN, INDENT, GAP = 800, 8, 30, 10   # pixels
LETTERS = 66                          # of a note in one line
DPI = 100
PARSER = MathTextParser("path")


def picture_of_rows(rows: Sequence[Row], title: str = "") -> bytes:
    """One row for each line: how it relates to the line before, the formula, and the note beside it or under it. PNG."""
    sheet = _Sheet()
    if title:
        sheet.add([(_words(title), MARGIN, "bold")])
    for row in rows:
        sign = (_mathematics(row.sign), MARGIN, "normal") if row.sign else ("", MARGIN, "normal")
        formula, notes = _formula(row), [_words(line) for line in textwrap.wrap(row.note, LETTERS)] or [""]
        end = MARGIN + INDENT + sheet.width(formula)
        beside = len(notes) == 1 and end + INDENT + sheet.width(notes[0]) < WIDTH
        sheet.add([sign, (formula, MARGIN + INDENT, "normal"), *([(notes[0], end + INDENT, "normal")] if beside else [])])
        for note in [] if beside else notes:
            sheet.add([(note, MARGIN + 2 * INDENT, "normal")])
    return sheet.painted()


class _Sheet:
    """A page that grows downwards: rows of texts, each at its place from the left, on a common middle line."""

    def __init__(self):
        self.figure = Figure(figsize=(WIDTH / DPI, 1), dpi=DPI)
        self.canvas = FigureCanvasAgg(self.figure)
        self.placed: list[tuple] = []
        self.height = float(MARGIN)

    def width(self, words: str, size: float = SIZE) -> float:
        """Of the words in one line."""
        made = self.figure.text(0, 0, words, fontsize=size)
        width = made.get_window_extent(self.canvas.get_renderer()).width
        made.remove()
        return width

    def add(self, pieces: Sequence[tuple[str, float, str]]) -> None:
        """One row of (words, left, weight); what is too wide gets smaller."""
        made = []
        for words, left, weight in pieces:
            fits = (size for size in range(SIZE, SMALLEST, -1) if left + self.width(words, size) < WIDTH - MARGIN)
            size = next(fits, SMALLEST)
            made.append((self.figure.text(0, 0, words, fontsize=size, va="center", weight=weight), left))
        tall = max(text.get_window_extent(self.canvas.get_renderer()).height for text, _ in made)
        self.placed += [(text, left, self.height + tall / 2) for text, left in made]
        self.height += tall + GAP

    def painted(self) -> bytes:
        """The page as PNG."""
        self.figure.set_size_inches(WIDTH / DPI, self.height / DPI)
        for text, left, middle in self.placed:
            text.set_position((left / WIDTH, 1 - middle / self.height))
        self.canvas.draw()
        return plots.encode_png(np.asarray(self.canvas.buffer_rgba())[:, :, :3])


def _formula(row: Row) -> str:
    """As mathematics, or as plain text where matplotlib does not know a sign."""
    drawn = _mathematics(row.latex)
    return drawn if _is_drawn(drawn) else row.plain.replace("$", "")


def _mathematics(latex: str) -> str:
    """In matplotlib's dialect of LaTeX."""
    latex = re.sub(r"\\(displaystyle|limits)(?![a-z])", " ", latex).replace("\n", " ")
    latex = re.sub(r"(?<=[\w)}]) ?\\(log|exp|sin|cos|min|max)(?![a-z])", r"\\,\\\1", latex)
    return "$" + re.sub(r"\\(le|ge|ne)(?![a-z])", r"\\\1q", latex) + "$"


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
