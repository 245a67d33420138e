"""Explorers whose picture is a Matplotlib figure, kept from frame to frame."""

from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, NullFormatter, NullLocator, ScalarFormatter

from vae_course.plots import encode_png
from vae_course.widgets.explorer import Explorer


def figure_sliders(draw: Callable, controls: Mapping[str, Sequence], *, columns: int = 1,
                   figsize: tuple[float, float] = (7, 3)) -> Explorer:
    """Sliders and menus above a figure that is drawn anew for each move.

    Args:
        draw: draw(axes, **values) → str or None. Gets the Axes (a list of them if columns > 1), already cleared, and one
            value for each control; draws with the Axes' own methods, without pyplot; may return a line that says the state
            in words. Called in the kernel for each move, so it should be quick and must not use global random numbers.
        controls: the name of an argument → (low, high, start) or (low, high, start, step) for a slider, of whole numbers
            if all are whole; or a list of choices, all text, for a menu that starts at the first.
        columns: how many Axes stand side by side.
        figsize: width and height in inches.

    Returns:
        An Explorer.

    Raises:
        ValueError: if a control is neither of these.
    """
    inputs = {name: _control(name, spec) for name, spec in controls.items()}
    figure = KeptFigure(columns, figsize)
    axes = figure.axes if columns > 1 else figure.axes[0]

    def frame() -> tuple[bytes, str]:
        pixels, words = figure.frame(lambda: draw(axes, **{name: control.value for name, control in inputs.items()}))
        return encode_png(pixels), words or ""

    explorer = Explorer("figure", frame, inputs)
    explorer.show()
    return explorer


def _control(name: str, spec: Sequence) -> ipywidgets.Widget:
    if isinstance(spec, (list, tuple)) and spec and all(isinstance(choice, str) for choice in spec):
        return ipywidgets.Dropdown(options=list(spec), description=name)
    if not isinstance(spec, (list, tuple)) or len(spec) not in (3, 4) or not spec[0] <= spec[2] <= spec[1]:
        raise ValueError(f"control {name} must be (low, high, start), (low, high, start, step) or a list of texts, "
                         f"got {spec!r}")
    low, high, start, *rest = spec
    whole = all(isinstance(number, int) for number in spec)
    step = rest[0] if rest else 1 if whole else (high - low) / 60
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(value=start, min=low, max=high, step=step, description=name, continuous_update=True)


class KeptFigure:
    """A figure whose axes are drawn only when they change: ticks and labels take most of the time of a frame.

    Each frame the axes are emptied and drawn on again. If limits, ticks, labels and titles came out as in the frame before,
    their old picture is put back and only lines, areas, texts and legends are drawn over it. With clear() and draw() on the
    same axes a frame of a chapter's explorer takes 25 to 60 ms on a core where it takes 4 to 35 so: most of them would show
    fewer than 30 pictures a second.
    """

    def __init__(self, columns: int = 1, figsize: tuple[float, float] = (7, 3)):
        self.figure = Figure(figsize=figsize, dpi=90, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        self.axes = list(self.figure.subplots(1, columns, squeeze=False)[0])
        self._furniture: list | None = None
        self._background = None

    def frame(self, draw: Callable[[], str | None]) -> tuple[np.ndarray, str | None]:
        """Call draw(), which draws on `axes`; return the picture, (H, W, 3) bytes, and what draw() returned."""
        words = self._emptied(draw)
        if self._background is None:
            self.figure.draw_without_rendering()
            self.figure.set_layout_engine("none")  # the places found for the first picture serve for all
            words = self._emptied(draw)  # what is placed by pixels, as the labels of contours, is placed anew
        if set(self.figure.axes) != set(self.axes):  # draw() made axes of its own, e.g. twins: all is drawn
            self.canvas.draw()
            self._background = self._furniture = None
        else:
            self._draw_what_moved()
        return np.asarray(self.canvas.buffer_rgba())[:, :, :3], words

    def _emptied(self, draw: Callable[[], str | None]) -> str | None:
        for ax in set(self.figure.axes) - set(self.axes):
            ax.remove()
        for ax in self.axes:
            _empty(ax)
        return draw()

    def _draw_what_moved(self) -> None:
        moving = [artist for ax in self.axes for artist in _drawn(ax) if artist.get_visible()]
        furniture = [_furniture(ax) for ax in self.axes]
        if furniture != self._furniture:
            for artist in moving:
                artist.set_visible(False)
            self.canvas.draw()
            for artist in moving:
                artist.set_visible(True)
            self._background = self.canvas.copy_from_bbox(self.figure.bbox)
            self._furniture = furniture
        self.canvas.restore_region(self._background)
        for artist in sorted(moving, key=lambda artist: artist.get_zorder()):
            artist.axes.draw_artist(artist)


def _drawn(ax: Axes) -> list:
    """Everything in the Axes but the ticks, the titles and the ground."""
    side_titles = {ax._left_title, ax._right_title}  # type: ignore[attr-defined]  # Matplotlib has no public name for them
    fixed = {ax.xaxis, ax.yaxis, ax.title, ax.patch} | side_titles
    hidden = set() if ax.axison else set(ax.spines.values())
    return [artist for artist in ax.get_children() if artist not in fixed | hidden]


def _empty(ax: Axes) -> None:
    """As ax.clear(), which takes four milliseconds."""
    for artist in _drawn(ax):
        if artist not in ax.spines.values() and artist.axes is not None:  # contours have taken their labels with them
            artist.remove()
    for place in ("left", "center", "right"):
        ax.set_title("", loc=place)
    if (ax.get_xscale(), ax.get_yscale()) != ("linear", "linear"):
        ax.set(xscale="linear", yscale="linear")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(AutoLocator())
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="", ylabel="", aspect="auto")
    ax.set_axis_on()
    ax.set_prop_cycle(None)
    ax.relim()
    ax.set_xlim(0, 1, auto=True)
    ax.set_ylim(0, 1, auto=True)


def _furniture(ax: Axes) -> list:
    """What tells whether ticks, labels and titles are as they were."""
    titles = [ax.get_title(loc=place) for place in ("left", "center", "right")]
    ticks = [(axis.get_label_text(), axis.get_scale(), tuple(axis.get_view_interval()), tuple(axis.get_majorticklocs()),
              tuple(axis.get_major_formatter().format_ticks(list(axis.get_majorticklocs()))))
             for axis in (ax.xaxis, ax.yaxis)]
    return [ax.axison, ax.get_aspect(), ax.title.get_color(), *titles, *ticks]
