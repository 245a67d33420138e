"""Explorers of a conditional model, which draws the class that is asked for in the style of a code: a pad, a mix of two."""

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from vae_course import latent, plots
from vae_course.widgets import pictures
from vae_course.widgets.explorer import (
    CannotExplore,
    Explorer,
    as_array,
    check_codes,
    check_one_code_each,
    check_one_label_each,
    check_pictures,
    check_pixels,
    explained,
    in_unit_interval,
)
from vae_course.widgets.pad import LATENT_PLANE, PadExplorer, Plane

LARGE, MIDDLE, SMALL = 10, 6, 2   # pixels for each of a picture: the one asked for, where three stand, all classes
BESIDE_THE_MAP, BELOW_THREE = 5, 10  # classes in a row; more go on below

Ask = Callable[[np.ndarray, int], np.ndarray]

STYLE_PLANE = Plane("style", ("axis 1", "axis 2"), ", in standard deviations", "back to the mean")


@explained
def style_pad(picture: Ask, codes, labels) -> Explorer:
    """A map of the codes with a point to drag, and a menu of the digits: the digit asked for, in the style of that point.

    Below it stand all digits in this style. With two latent dimensions the map is latent space itself; with more it is the
    plane through the mean of the codes in which they spread most, in their standard deviations along its two axes. Mouse,
    touch and arrow keys move the point, as in `latent_pad`.

    Args:
        picture: z (Z,), y → (H, W) in [0, 1], e.g. `cvae.picture`. Called in the kernel for each move, once for each
            class; must not draw random numbers.
        codes: (n, Z) posterior means of a data set, Z ≥ 2.
        labels: (n,) its classes, whole numbers from 0; those that occur can be asked for.

    Returns:
        An Explorer; a Notice if there are no codes, or they or the labels do not belong to the model, or it is not trained,
        or `picture` takes no class.
    """
    codes = check_codes(codes)
    if codes.shape[1] < 2:
        raise CannotExplore("The pad needs codes of at least two dimensions, and these have one. "
                            "Use widgets.style_mix(picture, codes, images, labels) for them.")
    labels, classes = _check_classes(picture, codes, labels)
    points, code_at, plane = _widest_plane(codes)
    menu = _menu(classes)

    def frame(position: list[float]) -> tuple[bytes, str]:
        everyone = _in_one_style(picture, code_at(position), classes)
        x, y = position
        place = f"at z = ({x:.2f}, {y:.2f})" if plane is LATENT_PLANE else (
            f"in the style ({x:.2f}, {y:.2f}), in standard deviations along the codes' two widest axes")
        asked = pictures.row([everyone[menu.value]], [f"digit {menu.value}"], LARGE)
        return _above_all(asked, everyone, BESIDE_THE_MAP), f"digit {menu.value} {place}".replace("-", "−")

    explorer = PadExplorer("style-pad", frame, points, lambda ax: _draw_styles(points, labels, ax), plane, {"digit": menu})
    explorer.children[0].layout.flex_flow = "row wrap"  # the picture goes below the map where there is no room beside it
    return explorer


@explained
def style_mix(picture: Ask, codes, images, labels) -> Explorer:
    """The styles of two images mixed, on the straight line between their codes, and a menu of the digit drawn in this style.

    Args:
        picture: z (Z,), y → (H, W) in [0, 1], e.g. `cvae.picture`. Called in the kernel for each move, once for each
            class; must not draw random numbers.
        codes: (n, Z) posterior means of the images.
        images: (n, H, W) or (n, 1, H, W), bytes or in [0, 1].
        labels: (n,) their classes, whole numbers from 0; those that occur can be asked for.

    Returns:
        An Explorer; a Notice if there are no images, or codes, images and labels do not fit, or the model is not trained,
        or `picture` takes no class.
    """
    codes, images = check_codes(codes), check_pixels(images)
    check_one_code_each(codes, images)
    labels, classes = _check_classes(picture, codes, labels)
    drawn = as_array(picture(codes[0], classes[0]))
    if drawn.shape != images.shape[1:]:
        raise CannotExplore(f"The images have {images.shape[1:]} pixels and the decoder's pictures {drawn.shape}. "
                            f"Use images like those it was trained on.")
    last = len(images) - 1
    controls = {"A": ipywidgets.IntSlider(0, 0, last, description="image A"),
                "B": ipywidgets.IntSlider(1, 0, last, description="image B"),
                "t": ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="t"), "digit": _menu(classes)}

    def frame() -> tuple[bytes, str]:
        a, b, t, digit = (control.value for control in controls.values())
        everyone = _in_one_style(picture, latent.lerp(codes[a], codes[b], t), classes)
        ends = [in_unit_interval(images[k]) for k in (a, b)]
        three = pictures.row([ends[0], everyone[digit], ends[1]], ["A", f"mixed, as digit {digit}", "B"], MIDDLE)
        words = (f"t = {t:.2f} of the way from A, digit {labels[a]}, to B, digit {labels[b]}; "
                 f"the mixed style drawn as digit {digit}")
        return _above_all(three, everyone, BELOW_THREE), words

    explorer = Explorer("style-mix", frame, controls)
    for name in ("A", "B", "t"):
        controls[name].layout.width = "700px"
    explorer.show()
    return explorer


# ---------------------------------------------------------------- what both do

def _check_classes(picture: Ask, codes: np.ndarray, labels) -> tuple[np.ndarray, list[int]]:
    """labels (n,), and the classes in them, if `picture` draws each of these classes from the codes.

    Raises:
        CannotExplore: if there is not one whole number for each code, or `picture` takes no class, or not these classes or
            codes, or if within a class its pictures hardly change from code to code. That they are the same for all classes
            is no mistake: so does a decoder that ignores the class.
    """
    labels = check_one_label_each(labels, codes)
    if labels.dtype.kind not in "iu":
        raise CannotExplore(f"The labels must be whole numbers, the classes, and these are {labels.dtype}. "
                            f"Take the labels of the data set, e.g. test.labels.")
    classes = np.unique(labels).tolist()

    def all_classes(z: np.ndarray) -> np.ndarray:
        try:
            return np.hstack([as_array(picture(z, y)) for y in classes])  # side by side: pixels vary only with z
        except TypeError as error:
            raise CannotExplore(f"The picture function does not take a code and a class ({error}). Give that of a "
                                f"conditional VAE, e.g. cvae.picture; a plain VAE cannot be asked for a class.") from error
        except ValueError as error:
            raise CannotExplore(f"The decoder does not take these codes of {len(z)} numbers with the classes {classes} "
                                f"({error}). Encode the images with the same model that decodes, and give the labels that "
                                f"it was trained with.") from error

    check_pictures(all_classes, codes)
    return labels, classes


def _menu(classes: Sequence[int]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(options=[(str(y), y) for y in classes], description="digit", layout={"width": "180px"})


def _in_one_style(picture: Ask, z: np.ndarray, classes: Sequence[int]) -> dict[int, np.ndarray]:
    """The picture of each class from the one code z."""
    return {y: as_array(picture(z, y)) for y in classes}


def _above_all(asked: np.ndarray, everyone: dict[int, np.ndarray], in_a_row: int) -> bytes:
    """What was asked for, in the middle, and all classes in rows below it, as PNG."""
    names = list(everyone)
    rows = [pictures.row([everyone[y] for y in part], [str(y) for y in part], SMALL)
            for part in (names[k:k + in_a_row] for k in range(0, len(names), in_a_row))]
    margin = max(0, rows[0].shape[1] - asked.shape[1]) // 2
    return plots.encode_png(pictures.stack([np.pad(asked, ((0, 0), (margin, 0)), constant_values=255), *rows]))


def _widest_plane(codes: np.ndarray) -> tuple[np.ndarray, Callable[[Sequence[float]], np.ndarray], Plane]:
    """The codes as points (n, 2) on the plane of the pad, the code at a point of it, and its words."""
    if codes.shape[1] == 2:
        return codes, np.array, LATENT_PLANE
    mean, axes, std = latent.principal_axes(codes, 2)
    std = np.maximum(std, 1e-3 * std[0])  # no division by zero where all codes lie on a line
    return (codes - mean) @ axes.T / std, lambda point: mean + (point * std) @ axes, STYLE_PLANE


def _draw_styles(points: np.ndarray, labels: np.ndarray, ax) -> None:
    """The points coloured by class, with the classes' numbers in a row above them.

    At the medians, where `draw_codes` puts them, they would cover each other: style is what the classes have in common.
    """
    plots.draw_codes(points, labels, ax)
    for k, number in enumerate(ax.texts):
        number.set(position=((k + 0.5) / len(ax.texts), 0.96), transform=ax.transAxes, fontsize=10)
