"""A map with a point to drag: the explorer of two latent dimensions, and what others build on."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import ipywidgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vae_course import plots
from vae_course.widgets import pictures
from vae_course.widgets.classes import check_labels
from vae_course.widgets.codes import PICTURE_BOX
from vae_course.widgets.explorer import CannotExplore, Explorer, explained
from vae_course.widgets.given import Decode, check_codes, check_pictures, drawn_by

try:
    from vae_course.widgets.front_end import Pad
except ImportError:  # anywidget is missing: core sliders stand in for the pad
    Pad = None  # type: ignore[assignment, misc]  # mypy has no class that may be None

MAP_FRAME = [0.13, 0.02, 0.85, 0.85]  # left, top, width, height of the axes in the map
MANIFOLD_SIDE = 20   # decoded codes along a side of the map, half as many where pictures are larger than LARGE pixels
LARGE = 32


@explained
def latent_pad(picture: Decode, codes, labels=None, *, classes=None) -> Explorer:
    """A map of the codes with a point to drag; the picture of that point follows.

    Mouse, touch and arrow keys move the point (Shift: ten steps, Home: back to z = 0). Where the pad cannot be shown, two
    sliders stand in for it.

    Args:
        picture: z (2,) → (H, W) or (H, W, 3) in [0, 1], e.g. `vae.picture`. Called in the kernel for each
            move; must not draw random numbers.
        codes: (n, 2) posterior means of a data set, for the map.
        labels: (n,) whole numbers from 0; the classes that colour the map, or None.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`, for the map; or None.

    Returns:
        An Explorer; a Notice if there are no codes, or they do not belong to the model, or it is not trained.
    """
    codes = check_codes(codes)
    if codes.shape[1] != 2:
        raise CannotExplore(f"The pad shows two latent dimensions, and these codes have {codes.shape[1]}. "
                            f"Use widgets.axis_sliders(picture, codes) for them.")
    names = None
    if labels is not None:
        labels, found = check_labels(labels, len(codes), classes)
        names = found.in_pictures
    picture = drawn_by(picture)
    check_pictures(picture, codes)
    return _LatentPad(picture, lambda ax: plots.draw_codes(codes, labels, ax, classes=names), codes)


class Plane(NamedTuple):
    """The words for the plane of a map."""
    quantity: str              # what a position is called
    axes: tuple[str, str]      # names of the two sliders that stand in for the pad
    unit: str                  # follows these names on the map
    back: str                  # the button that goes back to (0, 0)


LATENT_PLANE = Plane("z", ("z[0]", "z[1]"), "", "back to z = 0")


def reach_of(points: np.ndarray) -> float:
    """How far a map goes from 0 on each side, to have room for nearly all points (n, 2), in tenths."""
    return float(np.ceil(10 * max(3.0, np.quantile(np.abs(points), 0.998))) / 10)


class PadExplorer(Explorer):
    """A point on a map, `position`, moved by the pad, or by the two sliders that stand in for it; its picture follows.

    Args:
        kind: as Explorer.
        frame: position [x, y] → (PNG bytes, words).
        points: (n, 2) what the map must have room for.
        draw: draws the map on an Axes.
        plane: the words for it.
        menus: further controls, by name; they stand below the map.
        tools: further widgets there.
        start: where the point is at first.
        buttons: as Explorer, before the one that goes back.

    A subclass in which a press means something says what in `press_does`, and overrides `_told`.
    """

    inches = 4.0        # the side of the map, at 100 pixels an inch
    press_does = ""     # what a click, Enter or Space does, in words

    def __init__(self, kind: str, frame: Callable[[list[float]], tuple[bytes, str]], points: np.ndarray, draw: Callable,
                 plane: Plane = LATENT_PLANE, menus: Mapping[str, ipywidgets.Widget] | None = None,
                 tools: Sequence[ipywidgets.Widget] = (), start: Sequence[float] = (0.0, 0.0),
                 buttons: Mapping[str, Callable[[], None]] | None = None):
        self.reach, self.plane = reach_of(points), plane
        self.start = self.position = self._on_the_map(start)
        self._sliders = {name: self._slider(name, value) for name, value in zip(plane.axes, self.start)}
        self.map = self.drawn(draw)
        super().__init__(kind, lambda: frame(self.position), {**self._sliders, **(menus or {})},
                         {**(buttons or {}), plane.back: self.back})
        self._stand_in = ipywidgets.VBox([*self._sliders.values()])
        left = [self._stand_in, ipywidgets.HBox([*(menus or {}).values(), *tools, *self.buttons.values()])]
        if Pad is not None:
            left.insert(0, self._make_pad())
        self.image.layout.align_self = "center"
        self.children = (ipywidgets.HBox([ipywidgets.VBox(left), self.image]), self.state)
        self.show()

    def _slider(self, name: str, value: float) -> ipywidgets.FloatSlider:
        return ipywidgets.FloatSlider(value, min=-self.reach, max=self.reach, step=0.01, description=name)

    def _make_pad(self) -> ipywidgets.Widget:
        """The pad, hidden until its front end says that it is there."""
        self.pad = Pad(map=self.map, map_in_words="map of the codes", frame=MAP_FRAME, start=self.start,
                       quantity=self.plane.quantity, bounds=[-self.reach, self.reach], position=self.position,
                       side=round(100 * self.inches), press_does=self.press_does, layout={"display": "none"})
        self.pad.answer(lambda content, _: self._told(content))
        self.pad.observe(self._replace_stand_in, "alive")
        return self.pad

    def _replace_stand_in(self, _) -> None:
        self.pad.layout.display, self._stand_in.layout.display = "", "none"

    def _moved(self, change) -> None:
        if change["owner"] in self._sliders.values():
            self.move_to(*(slider.value for slider in self._sliders.values()))
        else:
            self.show()

    def _told(self, content: dict) -> None:
        """What the pad sends: where its point is, and, where a press means something, where it was pressed before."""
        self.move_to(content["x"], content["y"])

    def _on_the_map(self, place: Sequence[float]) -> list[float]:
        return [float(np.clip(round(float(v), 2), -self.reach, self.reach)) for v in place]

    def back(self) -> None:
        """Put the point where it was at first."""
        self.move_to(*self.start)

    def move_to(self, x: float, y: float) -> None:
        """Put the point at (x, y), rounded to hundredths and cut to the map, and show its picture."""
        with self._lock:
            self.position = self._on_the_map([x, y])
            if self.pad is None or not self.pad.alive:  # hidden sliders need not follow
                self.set_controls(dict(zip(self._sliders, self.position)))
            self.show()
            if self.pad is not None:
                self.pad.position = self.position

    def show_map(self, png: bytes, words: str) -> None:
        """Put another map under the point."""
        self.map = png
        if self.pad is not None:
            self.pad.map, self.pad.map_in_words = png, words

    def still(self) -> bytes:
        """The map with the point on it, and the picture beside it."""
        if not self.image.value:
            return b""
        return pictures.map_and_picture(self.map, self.on_the_picture(self.position), self.image.value)

    def on_the_picture(self, place: Sequence[float]) -> tuple[float, float]:
        """A place of the plane as parts of the map's width and height, from its left and its top."""
        left, top, width, height = MAP_FRAME
        across, up = ((value + self.reach) / (2 * self.reach) for value in place)
        return left + width * across, top + height * (1 - up)

    def drawn(self, draw: Callable) -> bytes:
        """draw(ax) as a square picture with axes from −reach to reach, whose place in it is MAP_FRAME."""
        figure = Figure(figsize=(self.inches, self.inches), dpi=100)
        canvas = FigureCanvasAgg(figure)
        left, top, width, height = MAP_FRAME
        ax = figure.add_axes((left, 1 - top - height, width, height))
        draw(ax)
        across, up = (name + self.plane.unit for name in self.plane.axes)
        ax.set(xlim=(-self.reach, self.reach), ylim=(-self.reach, self.reach), xlabel=across)
        ax.set_ylabel(up, labelpad=0)
        _keep_names_apart(ax)
        canvas.draw()
        return plots.encode_png(np.asarray(canvas.buffer_rgba())[:, :, :3])


def _keep_names_apart(ax) -> None:
    """Move names of classes that cover each other upwards, and into the map; single numbers stay where they are."""
    names, placed = [text for text in ax.texts if text.get_transform() == ax.transData], []  # type: ignore[var-annotated]
    if all(len(name.get_text()) <= 2 for name in names):
        return
    for name in sorted(names, key=lambda name: name.get_position()[1]):
        box = name.get_window_extent().padded(2)
        across = max(ax.bbox.x0 - box.x0, 0) + min(ax.bbox.x1 - box.x1, 0)
        box = box.translated(across, max(ax.bbox.y0 - box.y0, 0) + min(ax.bbox.y1 - box.y1, 0))
        while any(box.overlaps(other) for other in placed) and box.y1 < ax.bbox.y1:
            box = box.translated(0, 1)
        placed.append(box)
        name.set_position(ax.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)))


class _LatentPad(PadExplorer):
    """The explorer of `latent_pad`: `position` is z, and the map shows the codes or, decoded, the manifold."""

    def __init__(self, picture: Decode, draw_codes: Callable, codes: np.ndarray):
        self.picture = picture
        self.ground = ipywidgets.ToggleButtons(options=["codes", "manifold"],
                                               tooltips=["map of the codes", "map of the decoded pictures"])
        self.ground.style.button_width = "auto"
        super().__init__("pad", self._picture_and_words, codes, draw_codes, tools=[self.ground])
        self._maps = {"codes": self.map}
        self.ground.observe(lambda _: self._try(self._show_ground), "value")

    def _picture_and_words(self, z: list[float]) -> tuple[bytes, str]:
        return (pictures.png(self.picture(np.array(z)), PICTURE_BOX),
                f"z = ({z[0]:.2f}, {z[1]:.2f})".replace("-", "−"))

    def _show_ground(self) -> None:
        if "manifold" not in self._maps:
            self._maps["manifold"] = self.drawn(self._draw_manifold)
        self.show_map(self._maps[self.ground.value], f"map of the {self.ground.value}")

    def _draw_manifold(self, ax) -> None:
        side = MANIFOLD_SIDE if max(self.picture(np.zeros(2)).shape[:2]) <= LARGE else MANIFOLD_SIDE // 2
        steps = self.reach * (2 * np.arange(side) + 1 - side) / side
        decoded = [pictures.tile(self.picture(np.array([x, y])), LARGE) for y in steps[::-1] for x in steps]
        grid = plots.image_grid(np.clip(decoded, 0, 1), side, gap=0)
        ax.imshow(grid, cmap="gray", vmin=0, vmax=1, extent=(-self.reach, self.reach, -self.reach, self.reach))
