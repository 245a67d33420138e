"""Explorers of a conditional model, which draws the class that is asked for in the style of a code: a pad, a mix of two."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from vae_course import latent, plots
from vae_course.widgets import pictures
from vae_course.widgets.classes import Classes, check_labels
from vae_course.widgets.explorer import CannotExplore, Explorer, explained, minus_signs
from vae_course.widgets.given import (
    check_codes,
    check_one_code_each,
    check_pictures,
    check_pixels,
    check_same_size,
    drawn_by,
)
from vae_course.widgets.pad import LATENT_PLANE, PadExplorer, Plane

LARGE, MIDDLE, SMALL = 280, 168, 56  # pixels for a picture: the one asked for, where three stand, all classes
BESIDE_THE_MAP, BELOW_THREE = 5, 10  # classes in a row; more go on below
BETWEEN, MOST_LINES = 6, 4           # names on the map: pixels between two, and lines

Ask = Callable[[np.ndarray, int], np.ndarray]

STYLE_PLANE = Plane("style", ("axis 1", "axis 2"), ", in standard deviations", "back to the mean")


@explained
def style_pad(picture: Ask, codes, labels, *, classes=None) -> Explorer:
    """A map of the codes with a point to drag, and a menu of the classes: the one asked for, in the style of that point.

    Below it stand all classes in this style. With two latent dimensions the map is latent space itself; with more it is the
    plane through the mean of the codes in which they spread most, in their standard deviations along its two axes. Mouse,
    touch and arrow keys move the point, as in `latent_pad`.

    Args:
        picture: z (Z,), y → (H, W) or (H, W, 3) in [0, 1], e.g. `cvae.picture`. Called in the kernel for each
            move, once for each class; must not draw random numbers.
        codes: (n, Z) posterior means of a data set, Z ≥ 2.
        labels: (n,) its classes, whole numbers from 0; those that occur can be asked for.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`; or None.

    Returns:
        An Explorer; a Notice if there are no codes, or they or the labels do not belong to the model, or it is not trained,
        or `picture` takes no class.
    """
    codes = check_codes(codes)
    if codes.shape[1] < 2:
        raise CannotExplore("The pad needs codes of at least two dimensions, and these have one. "
                            "Use widgets.style_mix(picture, codes, images, labels) for them.")
    picture = drawn_by(picture)
    labels, known, _ = _check_classes(picture, codes, labels, classes)
    points, code_at, plane = _widest_plane(codes)
    menu = _menu(known)

    def frame(position: list[float]) -> tuple[bytes, str]:
        everyone = _in_one_style(picture, code_at(position), known)
        x, y = position
        place = f"at z = ({x:.2f}, {y:.2f})" if plane is LATENT_PLANE else (
            f"in the style ({x:.2f}, {y:.2f}), in standard deviations along the codes' two widest axes")
        which = known.which(menu.value)
        asked = pictures.row([everyone[menu.value]], [f"{known.kind} {known.short(menu.value)}"], LARGE)
        return _above_all(asked, everyone, known, BESIDE_THE_MAP), minus_signs(f"{which} {place}")

    explorer = PadExplorer("style-pad", frame, points, lambda ax: _draw_styles(points, labels, ax, known.in_pictures), plane,
                           {known.kind: menu})
    explorer.children[0].layout.flex_flow = "row wrap"  # the picture goes below the map where there is no room beside it
    return explorer


@explained
def style_mix(picture: Ask, codes, images, labels, *, classes=None) -> Explorer:
    """The styles of two images mixed, on the straight line between their codes, and a menu of the class drawn in this style.

    Args:
        picture: z (Z,), y → (H, W) or (H, W, 3) in [0, 1], e.g. `cvae.picture`. Called in the kernel for each
            move, once for each class; must not draw random numbers.
        codes: (n, Z) posterior means of the images.
        images: n images, as `pixels.as_pictures` takes them, or a `data.ImageFile`.
        labels: (n,) their classes, whole numbers from 0; those that occur can be asked for.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`; or None.

    Returns:
        An Explorer; a Notice if there are no images, or codes, images and labels do not fit, or the model is not trained,
        or `picture` takes no class.
    """
    codes, images, picture = check_codes(codes), check_pixels(images), drawn_by(picture)
    check_one_code_each(codes, images)
    labels, known, shape = _check_classes(picture, codes, labels, classes)
    check_same_size(images, shape)
    last = len(images) - 1
    controls = {"A": ipywidgets.IntSlider(0, 0, last, description="image A"),
                "B": ipywidgets.IntSlider(1, 0, last, description="image B"),
                "t": ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="t"), known.kind: _menu(known)}

    def frame() -> tuple[bytes, str]:
        a, b, t, y = (control.value for control in controls.values())
        everyone = _in_one_style(picture, latent.lerp(codes[a], codes[b], t), known)
        three = pictures.row([images[a], everyone[y], images[b]], ["A", f"mixed, as {known.kind} {known.short(y)}", "B"],
                             MIDDLE)
        words = (f"t = {t:.2f} of the way from A, {known.which(labels[a])}, to B, {known.which(labels[b])}; "
                 f"the mixed style drawn as {known.which(y)}")
        return _above_all(three, everyone, known, BELOW_THREE), words

    explorer = Explorer("style-mix", frame, controls)
    for name in ("A", "B", "t"):
        controls[name].layout.width = "700px"
    explorer.show()
    return explorer


# ---------------------------------------------------------------- what both do

def _check_classes(picture: Ask, codes: np.ndarray, labels, names) -> tuple[np.ndarray, Classes, tuple[int, ...]]:
    """labels (n,), the classes in them, and the shape of pictures, if `picture` draws each of these classes from the codes.

    Raises:
        CannotExplore: if there is not one whole number for each code, or `picture` takes no class, or not these classes or
            codes, or if within a class its pictures hardly change from code to code. That they are the same for all classes
            is no mistake: so does a decoder that ignores the class.
    """
    labels, known = check_labels(labels, len(codes), names)

    def all_classes(z: np.ndarray) -> np.ndarray:
        try:
            return np.hstack([picture(z, y) for y in known.found])  # side by side: pixels vary only with z
        except TypeError as error:
            raise CannotExplore(f"The picture function does not take a code and a class ({error}). Give that of a "
                                f"conditional VAE, e.g. cvae.picture; a plain VAE cannot be asked for a class.") from error
        except CannotExplore:
            raise
        except ValueError as error:
            raise CannotExplore(f"The decoder does not take these codes of {len(z)} numbers with the classes {known.found} "
                                f"({error}). Encode the images with the same model that decodes, and give the labels that "
                                f"it was trained with.") from error

    check_pictures(all_classes, codes)
    shape = picture(codes[0], known.found[0]).shape
    return labels, Classes(labels, known.names, colour=len(shape) == 3), shape


def _menu(classes: Classes) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=[(classes.name(y), y) for y in classes.found], description=classes.kind,
                               layout={"width": "260px" if classes.named else "180px"})


def _in_one_style(picture: Ask, z: np.ndarray, classes: Classes) -> dict[int, np.ndarray]:
    """The picture of each class from the one code z."""
    return {y: picture(z, y) for y in classes.found}


def _above_all(asked: np.ndarray, everyone: dict[int, np.ndarray], classes: Classes, in_a_row: int) -> bytes:
    """What was asked for, in the middle, and all classes in rows below it, as PNG."""
    rows = pictures.rows([*everyone.values()], [classes.short(y) for y in everyone], SMALL, in_a_row)
    margin = max(0, rows[0].shape[1] - asked.shape[1]) // 2
    beside = ((0, 0), (margin, 0), (0, 0))[:asked.ndim]
    return plots.encode_png(pictures.stack([np.pad(asked, beside, constant_values=255), *rows]))


def _widest_plane(codes: np.ndarray) -> tuple[np.ndarray, Callable[[Sequence[float]], np.ndarray], Plane]:
    """The codes as points (n, 2) on the plane of the pad, the code at a point of it, and its words."""
    if codes.shape[1] == 2:
        return codes, np.array, LATENT_PLANE
    mean, axes, std = latent.principal_axes(codes, 2)
    std = np.maximum(std, 1e-3 * std[0])  # no division by zero where all codes lie on a line
    return (codes - mean) @ axes.T / std, lambda point: mean + (point * std) @ axes, STYLE_PLANE


def _draw_styles(points: np.ndarray, labels: np.ndarray, ax, names: Sequence[str] | None) -> None:
    """The points coloured by class, with the classes' names in a row above them, or in several where they are long.

    At the medians, where `draw_codes` puts them, they would cover each other: style is what the classes have in common.
    """
    plots.draw_codes(points, labels, ax, classes=names)
    for k, line in enumerate(_lines(list(ax.texts), ax.bbox.width)):
        free = (ax.bbox.width - sum(map(_width, line))) / len(line)
        left = free / 2
        for text in line:
            text.set(position=((left + _width(text) / 2) / ax.bbox.width, 0.96 - 0.055 * k), transform=ax.transAxes)
            left += _width(text) + free


def _lines(names: list, room: float) -> list[list]:
    """Texts in lines that are `room` pixels wide: in one if all of them are short; none if there are very many."""
    for name in names:
        name.set_fontsize(10)
    if max(map(_width, names)) * len(names) <= room:
        return [names]
    lines: list[list] = [[]]
    for name in names:
        name.set_fontsize(8)
        if sum(map(_width, [*lines[-1], name])) > room:
            lines.append([])
        lines[-1].append(name)
    if len(lines) <= MOST_LINES:
        return lines
    for name in names:  # of so many classes the colours repeat
        name.remove()
    return []


def _width(name) -> float:
    return name.get_window_extent().width + BETWEEN
