"""Explorers of the latent space: sliders for single dimensions, and for principal axes."""

from collections.abc import Sequence

import ipywidgets
import numpy as np

from vae_course import latent, plots
from vae_course.widgets import pictures
from vae_course.widgets.explorer import Explorer, explained
from vae_course.widgets.given import PROBES, Decode, check_codes, check_pictures, check_pixels, check_same_size, drawn_by

PICTURE_SCALE = 8               # of a 28×28 digit, which becomes 224 pixels wide
PICTURE_BOX = 28 * PICTURE_SCALE
BOX_OF_TWO = 28 * 6             # where two stand side by side
MOST_OF_TWO = pictures.room_for(2, BOX_OF_TWO)


@explained
def latent_sliders(picture: Decode, latent_dim: int, dimensions: Sequence[int], *, reach: float = 3.0,
                   seed: int = 0, start: Sequence[float] | None = None) -> Explorer:
    """Sliders for some dimensions of z, and the picture of that z beside them.

    Args:
        picture: z (latent_dim,) → (H, W) or (H, W, 3) in [0, 1], e.g. `vae.picture`. Called in the kernel for each
            move; must not draw random numbers.
        latent_dim: Z.
        dimensions: which dimensions get a slider; all others are as in `start`, or as "random z" drew them.
        reach: the sliders run from −reach to reach, in standard deviations of the prior.
        seed: of "random z".
        start: z (latent_dim,) at first, such as the code of a picture; 0 if None. Sliders stand at the nearest tenth.

    Returns:
        An Explorer; a Notice if the model is not trained or takes another number of dimensions.

    Raises:
        ValueError: if `dimensions` names a dimension twice, or one that z does not have; if `start` has another shape.
    """
    dimensions = [int(d) for d in dimensions]
    if len(set(dimensions)) != len(dimensions) or not all(0 <= d < latent_dim for d in dimensions):
        raise ValueError(f"dimensions must be different numbers from 0 to {latent_dim - 1}, got {dimensions}")
    picture = drawn_by(picture)
    check_pictures(picture, np.random.default_rng(seed).standard_normal((PROBES, latent_dim)))
    z, rng = np.zeros(latent_dim) if start is None else np.array(start, dtype=float), np.random.default_rng(seed)
    if z.shape != (latent_dim,):
        raise ValueError(f"start must be one code of shape ({latent_dim},), got {z.shape}")
    sliders = {f"z[{d}]": ipywidgets.FloatSlider(_on_slider(z[d], reach), min=-reach, max=reach, step=0.1,
                                                 description=f"z[{d}]", readout_format=".1f") for d in dimensions}

    def frame() -> tuple[bytes, str]:
        for d, slider in zip(dimensions, sliders.values()):
            z[d] = slider.value
        return (pictures.png(picture(z.copy()), PICTURE_BOX),
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


# ---------------------------------------------------------------- many dimensions: principal axes

@explained
def axis_sliders(picture: Decode, codes, images=None, *, axes: int = 6, seed: int = 0) -> Explorer:
    """Sliders along the directions in which the codes spread most, in their standard deviations.

    "random z" draws z from the prior N(0, I); "nearest training image" shows the image that differs least from the picture,
    in squared pixel differences: is the picture a copy of it?

    Args:
        picture: z (Z,) → (H, W) or (H, W, 3) in [0, 1], e.g. `vae.picture`. Called in the kernel for each
            move; must not draw random numbers.
        codes: (n, Z) posterior means of a data set; their principal axes get the sliders.
        images: m training images, as `pixels.as_pictures` takes them, or a `data.ImageFile`; or None, without that
            button.
        axes: how many axes, at most Z.
        seed: of "random z".

    Returns:
        An Explorer; a Notice if there are no codes or images, or the codes do not belong to the model, or it is not trained.
    """
    codes = check_codes(codes)
    training, picture = None if images is None else check_pixels(images), drawn_by(picture)
    shape = check_pictures(picture, codes)
    if training is not None:
        check_same_size(training, shape)
    mean, directions, std = latent.principal_axes(codes, min(axes, codes.shape[1]))
    used = std > 1e-3 * std[0]  # along the others all codes are the same
    return _AxisSliders(picture, mean, directions[used], std[used], training and pictures.Nearest(training), seed)


class _AxisSliders(Explorer):
    """The explorer of `axis_sliders`: z = mean + Σ a_k std_k axis_k + what "random z" drew beside these axes."""

    REACH = 3.0

    def __init__(self, picture, mean, axes, std, training, seed: int):
        self.picture, self.mean, self.axes, self.std, self.training = picture, mean, axes, std, training
        self.rest, self.rng = np.zeros(len(mean)), np.random.default_rng(seed)
        self._found: tuple | None = None  # (z, its nearest training image, in words), until z moves
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
        self._found = (z, *self.training.find(self.picture(z)))
        self._show()

    def _picture_and_words(self) -> tuple[bytes, str]:
        z = self.z
        shown = self.picture(z)
        if self._found is not None and np.array_equal(self._found[0], z):
            both = pictures.row([shown, self._found[1]], ["decoded", "nearest in training"], BOX_OF_TWO, MOST_OF_TWO)
            return plots.encode_png(both), self._found[2]
        words = f"‖z‖ = {np.linalg.norm(z):.2f}; a draw from the prior has about {len(z) ** 0.5:.1f}"
        room = [] if self.training is None else [np.ones(shown.shape)]  # for the nearest one
        both = pictures.row([shown, *room], ["decoded", ""][:1 + len(room)], BOX_OF_TWO, MOST_OF_TWO)
        return plots.encode_png(both), words
