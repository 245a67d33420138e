"""Explorers that start from images: the way between two of them, and the posterior of one, chosen or drawn."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from vae_course import latent, plots
from vae_course.pixels import as_array
from vae_course.widgets import pictures
from vae_course.widgets.classes import check_labels
from vae_course.widgets.explorer import CannotExplore, Explorer, explained, minus_signs
from vae_course.widgets.figures import KeptFigure
from vae_course.widgets.given import (
    PROBES,
    Decode,
    Pictures,
    check_codes,
    check_one_code_each,
    check_pictures,
    check_pixels,
    check_same_size,
    drawn_by,
)

try:
    from vae_course.widgets.front_end import Sketch
except ImportError:  # anywidget is missing: images are chosen, not drawn
    Sketch = None  # type: ignore[assignment, misc]  # mypy has no class that may be None

BOX, SMALL_BOX = 28 * 4, 28 * 3   # pixels for each of six pictures in a row, and of seven
SAMPLES = 4          # draws from the posterior that are shown
CHARTS = [("µ", -4, 4, 0), ("σ", 0, 1.2, 1), ("KL in nats", 0, 6, 0)]  # title, low, high, the prior's value
WALK = np.linspace(-3, 3, 7)  # values of the one dimension that is walked along


@explained
def interpolation(picture: Decode, codes, images, labels=None, *, classes=None) -> Explorer:
    """From image A to image B in four ways: on the straight line (lerp) and on the arc (slerp), of codes and of pixels.

    Args:
        picture: z (Z,) → (H, W) or (H, W, 3) in [0, 1], e.g. `vae.picture`. Called in the kernel for each
            move; must not draw random numbers.
        codes: (n, Z) posterior means of the images.
        images: n images, as `pixels.as_pictures` takes them, or a `data.ImageFile`.
        labels: (n,) whole numbers, the classes for the line of words, or None.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`, or None.

    Returns:
        An Explorer; a Notice if there are no images, or codes and images do not fit, or the model is not trained.
    """
    codes, images, picture = check_codes(codes), check_pixels(images), drawn_by(picture)
    check_one_code_each(codes, images)
    check_same_size(images, check_pictures(picture, codes))
    one_of = _words_for(labels, images, classes)
    last = len(images) - 1
    controls = {"A": ipywidgets.IntSlider(0, 0, last, description="image A"),
                "B": ipywidgets.IntSlider(min(1, last), 0, last, description="image B"),
                "t": ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="t")}

    def frame() -> tuple[bytes, str]:
        a, b, t = (control.value for control in controls.values())
        x_a, x_b = (images[k].astype(float) for k in (a, b))
        straight, arc = latent.lerp(codes[a], codes[b], t), latent.slerp(codes[a], codes[b], t)
        pixels = latent.slerp(x_a.ravel(), x_b.ravel(), t).reshape(x_a.shape)
        row = {"A": x_a, "codes, lerp": picture(straight), "codes, slerp": picture(arc),
               "pixels, lerp": latent.lerp(x_a, x_b, t), "pixels, slerp": pixels, "B": x_b}
        of_classes = f" from {one_of(a)} to {one_of(b)}" if one_of else ""
        norms = [np.linalg.norm(z) for z in (codes[a], straight, arc, codes[b])]
        return plots.encode_png(pictures.row([*row.values()], [*row], BOX)), (
            f"t = {t:.2f}{of_classes}: ‖z‖ is {norms[0]:.2f} at A and {norms[3]:.2f} at B, "
            f"{norms[1]:.2f} on the line and {norms[2]:.2f} on the arc")

    explorer = Explorer("interpolation", frame, controls)
    for control in controls.values():
        control.layout.width = "700px"
    explorer.show()
    return explorer


def _words_for(labels, images: Pictures, names) -> Callable[[int], str] | None:
    """k → the class of image k in words, e.g. "a 7"; None without labels."""
    if labels is None:
        return None
    labels, classes = check_labels(labels, len(images), names, what="images", colour=len(images.shape) == 3)
    return lambda k: classes.one(labels[k])


@explained
def posterior_view(posterior: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], picture: Decode, images,
                   labels=None, *, classes=None) -> Explorer:
    """What the model makes of an image, chosen or drawn: q(z|x), its KL to N(0, I), its picture, what each dimension does.

    Args:
        posterior: image (H, W) or (H, W, 3) in [0, 1] → mu (Z,) and sigma (Z,), e.g. `vae.posterior`.
        picture: z (Z,) → (H, W) or (H, W, 3) in [0, 1], e.g. `vae.picture`.
        images: n to choose from, as `pixels.as_pictures` takes them, or a `data.ImageFile`.
        labels: (n,) whole numbers, the classes for the line of words, or None.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`, or None.

    Returns:
        An Explorer; a Notice if there are no images, or they do not fit the model, or it is not trained.
    """
    images, picture = check_pixels(images), drawn_by(picture)
    one_of = _words_for(labels, images, classes)
    try:
        codes = np.stack([_mu_sigma(posterior, images[k])[0] for k in images.some(PROBES)])
    except CannotExplore:
        raise
    except Exception as error:  # one of PyTorch's own, too: of a model of one's own
        raise CannotExplore(f"The encoder does not take these images ({error}). Use images like those it was trained on.") \
            from error
    if len(codes) > 1:
        check_same_size(images, check_pictures(picture, check_codes(codes)))
    return _PosteriorView(posterior, picture, images, one_of, _may_be_digits(images, labels, classes))


def _mu_sigma(posterior, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """mu (Z,) and sigma (Z,) of an image, as NumPy. Raises CannotExplore if the function does not give them."""
    given = posterior(x)
    if not isinstance(given, tuple) or len(given) != 2:
        raise CannotExplore(f"The posterior of an image must be the pair mu (Z,), sigma (Z,), and is "
                            f"{type(given).__name__}. Give vae.posterior.")
    mu, sigma = (as_array(part).astype(float) for part in given)
    if mu.ndim != 1 or mu.shape != sigma.shape:
        raise CannotExplore(f"The posterior of an image must be mu (Z,) and sigma (Z,), and they have shapes {mu.shape} and "
                            f"{sigma.shape}. Give vae.posterior, which takes one image.")
    return mu, sigma


def _may_be_digits(images: Pictures, labels, classes) -> bool:
    """Whether what is drawn is to be centred as MNIST's digits are: 28 × 28, grey, and no class that is something else."""
    if images.shape != (28, 28):
        return False
    return labels is None or check_labels(labels, len(images), classes)[1].kind == "digit"


class _PosteriorView(Explorer):
    """The explorer of `posterior_view`. `x` is the image that is shown: the chosen one, or the one that was drawn last."""

    def __init__(self, posterior, picture: Decode, images: Pictures, one_of: Callable[[int], str] | None, digits: bool):
        self.posterior, self.picture, self.images, self.one_of, self.digits = posterior, picture, images, one_of, digits
        self.x, self._drawn = images[0], False
        n_latents = len(_mu_sigma(posterior, self.x)[0])
        self._eps = np.random.default_rng(0).standard_normal((SAMPLES, n_latents))
        controls = {"image": ipywidgets.IntSlider(0, 0, len(images) - 1, description="image"),
                    "dimension": ipywidgets.IntSlider(0, 0, n_latents - 1, description="dimension")}
        super().__init__("posterior", self._picture_and_words, controls)
        self._charts = KeptFigure(len(CHARTS), (7.6, 2.0))
        left = [ipywidgets.VBox([*controls.values()])]
        # Grey pictures alone: strokes of one colour are unlike any photograph, and all that an encoder of photographs could
        # say of them is that they are far from its data.
        if Sketch is not None and len(self.images.shape) == 2:
            left.append(self._make_sketch())
        self.children = (ipywidgets.HBox(left), self.image, self.state)
        self.show()

    def _make_sketch(self) -> ipywidgets.Widget:
        """The canvas and the button that wipes it, hidden until the front end says that it is there."""
        some = np.stack([self.images[k] for k in self.images.some(PROBES)])
        rim = np.concatenate([some[:, [0, -1]].ravel(), some[:, :, [0, -1]].ravel()])
        what = "a digit" if self.digits else "a picture"
        self.sketch = Sketch(size=list(self.images.shape), dark_on_light=bool(np.median(rim) > 0.75), what=what)
        self.buttons["clear"] = ipywidgets.Button(description="clear", layout={"width": "auto"})
        self.buttons["clear"].on_click(lambda _: self._try(self.clear))
        box = ipywidgets.HBox([self.sketch, ipywidgets.VBox([ipywidgets.Label(f"or draw {what} here"),
                                                              self.buttons["clear"]])], layout={"display": "none"})
        self.sketch.observe(lambda _: box.layout.set_trait("display", ""), "alive")
        self.sketch.answer(lambda _, buffers: self._try(
            lambda: self.draw(np.frombuffer(buffers[0], np.uint8).reshape(self.images.shape))))
        return box

    def _moved(self, change) -> None:
        self._try(self.choose if change["owner"] is self.controls["image"] else self._show)

    def choose(self) -> None:
        """Show the image that the slider names."""
        self.x, self._drawn = self.images[self.controls["image"].value], False
        self._show()

    def draw(self, ink: np.ndarray) -> None:
        """Show a drawing, (H, W) bytes of ink; digits of MNIST's size are centred as MNIST's are."""
        x = pictures.like_mnist(ink) if self.digits else ink / 255
        self.x, self._drawn = 1 - x if self.sketch.dark_on_light else x, True
        self._show()

    def clear(self) -> None:
        """Wipe the canvas, and go back to the chosen image."""
        self.sketch.cleared += 1
        self.choose()

    def _picture_and_words(self) -> tuple[bytes, str]:
        mu, sigma = _mu_sigma(self.posterior, self.x)
        kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma))
        d = self.controls["dimension"].value
        walk = np.repeat(mu[None], len(WALK), axis=0)
        walk[:, d] = WALK
        seen = {"image": self.x, "reconstruction": self.picture(mu),
                **{f"sample {k + 1}": self.picture(mu + sigma * eps) for k, eps in enumerate(self._eps)}}
        steps = {f"z[{d}] = {value:g}": self.picture(z) for value, z in zip(WALK, walk)}
        room = pictures.room_for(len(WALK), SMALL_BOX)
        column = min(room, pictures.widest((*seen, *steps)))
        rows = [pictures.row([*row.values()], [*row], SMALL_BOX, room, column) for row in (seen, steps)]
        what = "your drawing" if self._drawn else f"image {self.controls['image'].value}"
        what += f", {self.one_of(self.controls['image'].value)}" if self.one_of and not self._drawn else ""
        words = (f"{what}: KL {kl.sum():.1f} nats in {len(mu)} dimensions; in dimension {d} µ = {mu[d]:.2f}, "
                 f"σ = {sigma[d]:.2f}, KL {kl[d]:.2f}")
        charts, _ = self._charts.frame(lambda: _draw_bars(self._charts.axes, (mu, sigma, kl), d))
        return plots.encode_png(pictures.stack([*rows, charts])), minus_signs(words)


def _draw_bars(axes: Sequence, values: Sequence[np.ndarray], chosen: int) -> None:
    """In each of CHARTS a bar for each of n values, the chosen one black, and a line where the prior is."""
    for ax, numbers, (title, low, high, prior) in zip(axes, values, CHARTS):
        colours = ["black" if k == chosen else plots.COLOURS["posterior"] for k in range(len(numbers))]
        ax.axhline(prior, color=plots.COLOURS["prior"], linewidth=1, zorder=1)
        ax.vlines(range(len(numbers)), 0, numbers, colours, linewidth=95 / (len(numbers) + 1))  # quicker than bars
        ax.set(title=title, xlabel="dimension", xlim=(-1, len(numbers)), ylim=(low, high))
        ax.spines[["top", "right"]].set_visible(False)

