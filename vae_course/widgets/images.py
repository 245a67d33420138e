"""Explorers that start from images: the way between two of them, and the posterior of one, chosen or drawn."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from vae_course import latent, plots
from vae_course.widgets import pictures
from vae_course.widgets.codes import Decode
from vae_course.widgets.explorer import (
    PROBES,
    CannotExplore,
    Explorer,
    as_array,
    check_codes,
    check_one_code_each,
    check_pictures,
    check_pixels,
    explained,
    in_unit_interval,
)
from vae_course.widgets.figures import KeptFigure

try:
    from vae_course.widgets.front_end import Sketch
except ImportError:  # anywidget is missing: images are chosen, not drawn
    Sketch = None  # type: ignore[assignment, misc]  # mypy has no class that may be None

SCALE = 4            # a 28×28 digit becomes 112 pixels wide
SAMPLES = 4          # draws from the posterior that are shown
CHARTS = [("µ", -4, 4, 0), ("σ", 0, 1.2, 1), ("KL in nats", 0, 6, 0)]  # title, low, high, the prior's value
WALK = np.linspace(-3, 3, 7)  # values of the one dimension that is walked along


@explained
def interpolation(picture: Decode, codes, images, labels=None) -> Explorer:
    """From image A to image B in four ways: on the straight line (lerp) and on the arc (slerp), of codes and of pixels.

    Args:
        picture: z (Z,) → (H, W) in [0, 1], e.g. `vae.picture`. Called in the kernel for each move; must not draw random
            numbers.
        codes: (n, Z) posterior means of the images.
        images: (n, H, W) or (n, 1, H, W), bytes or in [0, 1].
        labels: (n,) classes for the line of words, or None.

    Returns:
        An Explorer; a Notice if there are no images, or codes and images do not fit, or the model is not trained.
    """
    codes, images = check_codes(codes), check_pixels(images)
    check_one_code_each(codes, images)
    check_pictures(picture, codes)
    labels = None if labels is None else as_array(labels)
    last = len(images) - 1
    controls = {"A": ipywidgets.IntSlider(0, 0, last, description="image A"),
                "B": ipywidgets.IntSlider(min(1, last), 0, last, description="image B"),
                "t": ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="t")}

    def frame() -> tuple[bytes, str]:
        a, b, t = (control.value for control in controls.values())
        x_a, x_b = (in_unit_interval(images[k]).astype(float) for k in (a, b))
        straight, arc = latent.lerp(codes[a], codes[b], t), latent.slerp(codes[a], codes[b], t)
        pixels = latent.slerp(x_a.ravel(), x_b.ravel(), t).reshape(x_a.shape)
        row = {"A": x_a, "codes, lerp": as_array(picture(straight)), "codes, slerp": as_array(picture(arc)),
               "pixels, lerp": latent.lerp(x_a, x_b, t), "pixels, slerp": pixels, "B": x_b}
        classes = "" if labels is None else f" from a {labels[a]} to a {labels[b]}"
        norms = [np.linalg.norm(z) for z in (codes[a], straight, arc, codes[b])]
        return plots.encode_png(pictures.row([*row.values()], [*row], SCALE)), (
            f"t = {t:.2f}{classes}: ‖z‖ is {norms[0]:.2f} at A and {norms[3]:.2f} at B, "
            f"{norms[1]:.2f} on the line and {norms[2]:.2f} on the arc")

    explorer = Explorer("interpolation", frame, controls)
    for control in controls.values():
        control.layout.width = "700px"
    explorer.show()
    return explorer


@explained
def posterior_view(posterior: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], picture: Decode, images,
                   labels=None) -> Explorer:
    """What the model makes of an image, chosen or drawn: q(z|x), its KL to N(0, I), its picture, what each dimension does.

    Args:
        posterior: image (H, W) in [0, 1] → mu (Z,) and sigma (Z,), e.g. `vae.posterior`.
        picture: z (Z,) → (H, W) in [0, 1], e.g. `vae.picture`.
        images: (n, H, W) or (n, 1, H, W) to choose from, bytes or in [0, 1].
        labels: (n,) classes for the line of words, or None.

    Returns:
        An Explorer; a Notice if there are no images, or they do not fit the model, or it is not trained.
    """
    images = check_pixels(images)
    some = in_unit_interval(images[np.linspace(0, len(images) - 1, min(PROBES, len(images))).astype(int)])
    try:
        codes = np.stack([posterior(x)[0] for x in some])
    except ValueError as error:
        raise CannotExplore(f"The encoder does not take these images ({error}). Use images like those it was trained on.") \
            from error
    if len(codes) > 1:
        check_pictures(picture, check_codes(codes))
    return _PosteriorView(posterior, picture, images, None if labels is None else as_array(labels))


class _PosteriorView(Explorer):
    """The explorer of `posterior_view`. `x` is the image that is shown: the chosen one, or the one that was drawn last."""

    def __init__(self, posterior, picture: Decode, images: np.ndarray, labels: np.ndarray | None):
        self.posterior, self.picture, self.images, self.labels = posterior, picture, images, labels
        self.x, self._drawn = in_unit_interval(images[0]), False
        n_latents = len(posterior(self.x)[0])
        self._eps = np.random.default_rng(0).standard_normal((SAMPLES, n_latents))
        controls = {"image": ipywidgets.IntSlider(0, 0, len(images) - 1, description="image"),
                    "dimension": ipywidgets.IntSlider(0, 0, n_latents - 1, description="dimension")}
        super().__init__("posterior", self._picture_and_words, controls)
        self._charts = KeptFigure(len(CHARTS), (7.6, 2.0))
        left = [ipywidgets.VBox([*controls.values()])]
        if Sketch is not None and self.images.shape[1:] == (28, 28):
            left.append(self._make_sketch())
        self.children = (ipywidgets.HBox(left), self.image, self.state)
        self.show()

    def _make_sketch(self) -> ipywidgets.Widget:
        """The canvas and the button that wipes it, hidden until the front end says that it is there."""
        self.sketch = Sketch()
        self.buttons["clear"] = ipywidgets.Button(description="clear", layout={"width": "auto"})
        self.buttons["clear"].on_click(lambda _: self._try(self.clear))
        box = ipywidgets.HBox([self.sketch, ipywidgets.VBox([ipywidgets.Label("or draw a digit here"),
                                                              self.buttons["clear"]])], layout={"display": "none"})
        self.sketch.observe(lambda _: box.layout.set_trait("display", ""), "alive")
        self.sketch.answer(lambda _, buffers: self._try(
            lambda: self.draw(np.frombuffer(buffers[0], np.uint8).reshape(28, 28))))
        return box

    def _moved(self, change) -> None:
        self._try(self.choose if change["owner"] is self.controls["image"] else self._show)

    def choose(self) -> None:
        """Show the image that the slider names."""
        self.x, self._drawn = in_unit_interval(self.images[self.controls["image"].value]), False
        self._show()

    def draw(self, ink: np.ndarray) -> None:
        """Show a drawing, (28, 28) bytes white on black, centred as MNIST's digits are."""
        self.x, self._drawn = pictures.like_mnist(ink), True
        self._show()

    def clear(self) -> None:
        """Wipe the canvas, and go back to the chosen image."""
        self.sketch.cleared += 1
        self.choose()

    def _picture_and_words(self) -> tuple[bytes, str]:
        mu, sigma = (np.asarray(value, dtype=float) for value in self.posterior(self.x))
        kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma))
        d = self.controls["dimension"].value
        walk = np.repeat(mu[None], len(WALK), axis=0)
        walk[:, d] = WALK
        seen = {"image": self.x, "reconstruction": self.picture(mu),
                **{f"sample {k + 1}": self.picture(mu + sigma * eps) for k, eps in enumerate(self._eps)}}
        steps = {f"z[{d}] = {value:g}": self.picture(z) for value, z in zip(WALK, walk)}
        rows = [pictures.row([*map(as_array, row.values())], [*row], 3) for row in (seen, steps)]
        what = "your drawing" if self._drawn else f"image {self.controls['image'].value}"
        what += "" if self._drawn or self.labels is None else f", a {self.labels[self.controls['image'].value]}"
        words = (f"{what}: KL {kl.sum():.1f} nats in {len(mu)} dimensions; in dimension {d} µ = {mu[d]:.2f}, "
                 f"σ = {sigma[d]:.2f}, KL {kl[d]:.2f}")
        charts, _ = self._charts.frame(lambda: _draw_bars(self._charts.axes, (mu, sigma, kl), d))
        return plots.encode_png(pictures.stack([*rows, charts])), words.replace("-", "−")


def _draw_bars(axes: Sequence, values: Sequence[np.ndarray], chosen: int) -> None:
    """In each of CHARTS a bar for each of n values, the chosen one black, and a line where the prior is."""
    for ax, numbers, (title, low, high, prior) in zip(axes, values, CHARTS):
        colours = ["black" if k == chosen else plots.COLOURS["posterior"] for k in range(len(numbers))]
        ax.axhline(prior, color=plots.COLOURS["prior"], linewidth=1, zorder=1)
        ax.vlines(range(len(numbers)), 0, numbers, colours, linewidth=95 / (len(numbers) + 1))  # quicker than bars
        ax.set(title=title, xlabel="dimension", xlim=(-1, len(numbers)), ylim=(low, high))
        ax.spines[["top", "right"]].set_visible(False)

