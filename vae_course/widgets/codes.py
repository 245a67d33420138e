"""Explorers of the latent space: sliders for single dimensions, a pad for two, sliders for principal axes."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vae_course import latent, plots
from vae_course.widgets import pictures
from vae_course.widgets.explorer import (
    PROBES,
    CannotExplore,
    Explorer,
    as_array,
    check_codes,
    check_images,
    check_pictures,
    explained,
)

try:
    from vae_course.widgets.front_end import Pad
except ImportError:  # anywidget is missing: core sliders stand in for the pad
    Pad = None

PICTURE_SCALE = 8    # a 28×28 digit becomes 224 pixels wide
SCALE_OF_TWO = 6     # where two stand side by side
MAP_INCHES = 4.0
MAP_FRAME = [0.13, 0.02, 0.85, 0.85]  # left, top, width, height of the axes in the map
MANIFOLD_SIDE = 20   # decoded codes along a side of the map

Picture = Callable[[np.ndarray], np.ndarray]


@explained
def latent_sliders(picture: Picture, latent_dim: int, dimensions: Sequence[int], *, reach: float = 3.0,
                   seed: int = 0) -> Explorer:
    """Sliders for some dimensions of z, and the picture of that z beside them.

    Args:
        picture: z (latent_dim,) → (H, W) in [0, 1], e.g. `vae.picture`. Called in the kernel for each move; must not draw
            random numbers.
        latent_dim: Z.
        dimensions: which dimensions get a slider; all others are 0, or as "random z" drew them.
        reach: the sliders run from −reach to reach, in standard deviations of the prior.
        seed: of "random z".

    Returns:
        An Explorer; a Notice if the model is not trained or takes another number of dimensions.

    Raises:
        ValueError: if `dimensions` names a dimension twice, or one that z does not have.
    """
    dimensions = [int(d) for d in dimensions]
    if len(set(dimensions)) != len(dimensions) or not all(0 <= d < latent_dim for d in dimensions):
        raise ValueError(f"dimensions must be different numbers from 0 to {latent_dim - 1}, got {dimensions}")
    check_pictures(picture, np.random.default_rng(seed).standard_normal((PROBES, latent_dim)))
    z, rng = np.zeros(latent_dim), np.random.default_rng(seed)
    sliders = {f"z[{d}]": ipywidgets.FloatSlider(0, min=-reach, max=reach, step=0.1, description=f"z[{d}]",
                                                 readout_format=".1f") for d in dimensions}

    def frame() -> tuple[bytes, str]:
        for d, slider in zip(dimensions, sliders.values()):
            z[d] = slider.value
        return (plots.png_bytes(as_array(picture(z.copy())), PICTURE_SCALE),
                f"‖z‖ = {np.linalg.norm(z):.2f}; a draw from the prior has about {latent_dim ** 0.5:.1f}")

    def move_to(new_z: np.ndarray) -> None:
        z[:] = new_z
        explorer.set_controls({f"z[{d}]": _on_slider(z[d], reach) for d in dimensions})
        explorer.show()

    explorer = Explorer("latent-sliders", frame, sliders, {"random z": lambda: move_to(rng.standard_normal(latent_dim)),
                                                           "back to z = 0": lambda: move_to(np.zeros(latent_dim))})
    _beside_the_picture(explorer)
    explorer.show()
    return explorer


def _on_slider(value: float, reach: float) -> float:
    return float(np.clip(round(value, 1), -reach, reach))


def _beside_the_picture(explorer: Explorer) -> None:
    """Controls and buttons on the left, the picture on the right, the state below."""
    explorer.image.layout.align_self = "center"
    buttons = ipywidgets.HBox([*explorer.buttons.values()])
    explorer.children = (ipywidgets.HBox([ipywidgets.VBox([*explorer.controls.values(), buttons]), explorer.image]),
                         explorer.state)


# ---------------------------------------------------------------- two dimensions: the pad

@explained
def latent_pad(picture: Picture, codes, labels=None) -> Explorer:
    """A map of the codes with a point to drag; the picture of that point follows.

    Mouse, touch and arrow keys move the point (Shift: ten steps, Home: back to z = 0). Where the pad cannot be shown, two
    sliders stand in for it.

    Args:
        picture: z (2,) → (H, W) in [0, 1], e.g. `vae.picture`. Called in the kernel for each move; must not draw random
            numbers.
        codes: (n, 2) posterior means of a data set, for the map.
        labels: (n,) whole numbers from 0; the classes that colour the map, or None.

    Returns:
        An Explorer; a Notice if there are no codes, or they do not belong to the model, or it is not trained.
    """
    codes = check_codes(codes)
    if codes.shape[1] != 2:
        raise CannotExplore(f"The pad shows two latent dimensions, and these codes have {codes.shape[1]}. "
                            f"Use widgets.axis_sliders(picture, codes) for them.")
    if labels is not None and as_array(labels).shape != (len(codes),):
        raise CannotExplore(f"There are {len(codes)} codes and labels of shape {as_array(labels).shape}: give one for each.")
    check_pictures(picture, codes)
    return _LatentPad(picture, codes, None if labels is None else as_array(labels))


class _LatentPad(Explorer):
    """The explorer of `latent_pad`. `position` is z, moved by the pad, or by the two sliders that stand in for it."""

    def __init__(self, picture: Picture, codes: np.ndarray, labels: np.ndarray | None):
        self.reach = float(np.ceil(10 * max(3.0, np.quantile(np.abs(codes), 0.998))) / 10)
        self.picture, self.position = picture, [0.0, 0.0]
        self._maps = {"codes": _map_of_codes(codes, labels, self.reach)}
        sliders = {f"z[{d}]": ipywidgets.FloatSlider(0, min=-self.reach, max=self.reach, step=0.01, description=f"z[{d}]")
                   for d in (0, 1)}
        super().__init__("pad", self._picture_and_words, sliders, {"back to z = 0": lambda: self.move_to(0.0, 0.0)})
        self.ground = ipywidgets.ToggleButtons(options=["codes", "manifold"],
                                               tooltips=["map of the codes", "map of the decoded pictures"])
        self.ground.style.button_width = "auto"
        self.ground.observe(lambda _: self._try(self._show_map), "value")
        self._stand_in = ipywidgets.VBox([*sliders.values()])
        left = [self._stand_in, ipywidgets.HBox([self.ground, *self.buttons.values()])]
        if Pad is not None:
            left.insert(0, self._make_pad())
        self.image.layout.align_self = "center"
        self.children = (ipywidgets.HBox([ipywidgets.VBox(left), self.image]), self.state)
        self.show()

    def _make_pad(self) -> ipywidgets.Widget:
        """The pad, hidden until its front end says that it is there."""
        self.pad = Pad(map=self._maps["codes"], map_in_words="map of the codes", frame=MAP_FRAME, start=[0.0, 0.0],
                       bounds=[-self.reach, self.reach], position=self.position, layout={"display": "none"})
        self.pad.answer(lambda content, _: self.move_to(content["x"], content["y"]))
        self.pad.observe(self._replace_stand_in, "alive")
        return self.pad

    def _replace_stand_in(self, _) -> None:
        self.pad.layout.display, self._stand_in.layout.display = "", "none"

    def _moved(self, change) -> None:
        self.move_to(*(slider.value for slider in self.controls.values()))

    def move_to(self, x: float, y: float) -> None:
        """Put the point at z = (x, y), rounded to hundredths and cut to the map, and show its picture."""
        with self._lock:
            self.position = [float(np.clip(round(float(v), 2), -self.reach, self.reach)) for v in (x, y)]
            if self.pad is None or not self.pad.alive:  # hidden sliders need not follow
                self.set_controls(dict(zip(self.controls, self.position)))
            self.show()
            if self.pad is not None:
                self.pad.position = self.position

    def _picture_and_words(self) -> tuple[bytes, str]:
        z = self.position
        return (plots.png_bytes(as_array(self.picture(np.array(z))), PICTURE_SCALE),
                f"z = ({z[0]:.2f}, {z[1]:.2f})".replace("-", "−"))

    def _show_map(self) -> None:
        if "manifold" not in self._maps:
            self._maps["manifold"] = _map_of_pictures(self.picture, self.reach)
        if self.pad is not None:
            self.pad.map, self.pad.map_in_words = self._maps[self.ground.value], f"map of the {self.ground.value}"

    def still(self) -> bytes:
        """The map with the point on it, and the picture beside it."""
        return pictures.map_and_picture(self._maps[self.ground.value], self._point_in_map(), self.image.value)

    def _point_in_map(self) -> tuple[float, float]:
        left, top, width, height = MAP_FRAME
        across, up = ((value + self.reach) / (2 * self.reach) for value in self.position)
        return left + width * across, top + height * (1 - up)


def _map_of_codes(codes: np.ndarray, labels: np.ndarray | None, reach: float) -> bytes:
    return _map(reach, lambda ax: plots.draw_codes(codes, labels, ax))


def _map_of_pictures(picture: Picture, reach: float) -> bytes:
    steps = reach * (2 * np.arange(MANIFOLD_SIDE) + 1 - MANIFOLD_SIDE) / MANIFOLD_SIDE
    decoded = [as_array(picture(np.array([x, y]))) for y in steps[::-1] for x in steps]
    grid = plots.image_grid(np.clip(decoded, 0, 1), MANIFOLD_SIDE, gap=0)
    return _map(reach, lambda ax: ax.imshow(grid, cmap="gray", vmin=0, vmax=1, extent=(-reach, reach, -reach, reach)))


def _map(reach: float, draw: Callable) -> bytes:
    """A square picture with axes from −reach to reach, whose place in it is MAP_FRAME."""
    figure = Figure(figsize=(MAP_INCHES, MAP_INCHES), dpi=100)
    canvas = FigureCanvasAgg(figure)
    left, top, width, height = MAP_FRAME
    ax = figure.add_axes([left, 1 - top - height, width, height])
    draw(ax)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="z[0]")
    ax.set_ylabel("z[1]", labelpad=0)
    canvas.draw()
    return plots.encode_png(np.asarray(canvas.buffer_rgba())[:, :, :3])


# ---------------------------------------------------------------- many dimensions: principal axes

@explained
def axis_sliders(picture: Picture, codes, images=None, *, axes: int = 6, seed: int = 0) -> Explorer:
    """Sliders along the directions in which the codes spread most, in their standard deviations.

    "random z" draws z from the prior N(0, I); "nearest training image" shows the image that differs least from the picture,
    in squared pixel differences: is the picture a copy of it?

    Args:
        picture: z (Z,) → (H, W) in [0, 1], e.g. `vae.picture`. Called in the kernel for each move; must not draw random
            numbers.
        codes: (n, Z) posterior means of a data set; their principal axes get the sliders.
        images: (m, H, W) or (m, 1, H, W) training images, bytes or in [0, 1]; or None, without that button.
        axes: how many axes, at most Z.
        seed: of "random z".

    Returns:
        An Explorer; a Notice if there are no codes or images, or the codes do not belong to the model, or it is not trained.
    """
    codes = check_codes(codes)
    training = None if images is None else pictures.Nearest(check_images(images))
    check_pictures(picture, codes)
    mean, directions, std = latent.principal_axes(codes, min(axes, codes.shape[1]))
    used = std > 1e-3 * std[0]  # along the others all codes are the same
    return _AxisSliders(picture, mean, directions[used], std[used], training, seed)


class _AxisSliders(Explorer):
    """The explorer of `axis_sliders`: z = mean + Σ a_k std_k axis_k + what "random z" drew beside these axes."""

    REACH = 3.0

    def __init__(self, picture, mean, axes, std, training, seed: int):
        self.picture, self.mean, self.axes, self.std, self.training = picture, mean, axes, std, training
        self.rest, self.rng = np.zeros(len(mean)), np.random.default_rng(seed)
        self._found = None  # (z, its nearest training image, in words), until z moves
        sliders = {f"axis {k}": ipywidgets.FloatSlider(0, min=-self.REACH, max=self.REACH, step=0.1, readout_format=".1f",
                                                       description=f"axis {k}") for k in range(1, len(std) + 1)}
        buttons = {"random z": self.random_z, "reset": lambda: self.move_to(self.mean)}
        if training is not None:
            buttons["nearest training image"] = self.find_nearest
        super().__init__("axes", self._picture_and_words, sliders, buttons)
        _beside_the_picture(self)
        self.show()

    @property
    def z(self) -> np.ndarray:
        """The code (Z,) that is shown."""
        along = np.array([slider.value for slider in self.controls.values()])
        return self.mean + (along * self.std) @ self.axes + self.rest

    def move_to(self, z: np.ndarray) -> None:
        """Show z, with the sliders rounded to their steps and cut to their reach."""
        along = self.axes @ (z - self.mean)
        self.rest = z - self.mean - along @ self.axes
        self.set_controls({name: _on_slider(a, self.REACH) for name, a in zip(self.controls, along / self.std)})
        self.show()

    def random_z(self) -> None:
        """Draw z from the prior."""
        self.move_to(self.rng.standard_normal(len(self.mean)))

    def find_nearest(self) -> None:
        """Show the nearest training image beside the picture, until the next move."""
        z = self.z
        self._found = (z, *self.training.find(as_array(self.picture(z))))
        self._show()

    def _picture_and_words(self) -> tuple[bytes, str]:
        z = self.z
        shown = as_array(self.picture(z))
        if self._found is not None and np.array_equal(self._found[0], z):
            both = pictures.row([shown, self._found[1]], ["decoded", "nearest in training"], SCALE_OF_TWO)
            return plots.encode_png(both), self._found[2]
        words = f"‖z‖ = {np.linalg.norm(z):.2f}; a draw from the prior has about {len(z) ** 0.5:.1f}"
        room = [] if self.training is None else [np.ones(shown.shape)]  # for the nearest one
        return plots.encode_png(pictures.row([shown, *room], ["decoded", ""][:1 + len(room)], SCALE_OF_TWO)), words
