"""draw_*(data, ax): pictures of numbers that were computed elsewhere. NumPy arrays in, one Axes; nothing is shown."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vae_course.pixels import as_array, as_pictures, check_range, in_unit_interval, one_picture

# One colour per role in every chapter; the Okabe–Ito palette, which colour-blind readers can tell apart, and Tol's wine.
COLOURS = {
    "data": "#555555",
    "prior": "#0072B2",
    "posterior": "#D55E00",
    "reconstruction": "#009E73",
    "elbo": "#000000",
    "log p(x)": "#CC79A7",
    "second": "#E69F00",    # a second method beside the one that a chapter is about
    "third": "#56B4E9",
    "kl": "#882255",
}
# Ten classes: the palette "muted" of Tol (2021), https://sronpersonalpages.nl/~pault/, and grey.
CLASS_COLOURS = ["#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
                 "#CC9900", "#CC6677", "#882255", "#AA4499", "#777777"]


def image_grid(images: ArrayLike, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Put n pictures into one, row by row.

    Args:
        images: (n, H, W), (n, 1, H, W), (n, 3, H, W) or (n, H, W, 3), bytes or in [0, 1].
        columns: pictures in a row.
        gap: white pixels between two pictures.

    Returns:
        (rows·(H + gap) − gap, columns·(W + gap) − gap), or the same with a last axis of 3 for pictures in colour, in
        [0, 1]; places without a picture are white.

    Raises:
        ValueError: if `images` has another shape, or values outside [0, 1].
    """
    images = in_unit_interval(as_pictures(images))
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    n, height, width = images.shape[:3]
    rows = -(-n // columns)
    grid = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap, *images.shape[3:]))
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        grid[top:top + height, left:left + width] = image
    return grid


def png_bytes(image: ArrayLike, scale: int = 1) -> bytes:
    """A picture (H, W) or (H, W, 3), bytes or in [0, 1], as PNG, each pixel repeated `scale` times in both directions.

    Raises:
        ValueError: if `image` has another shape, or values outside [0, 1], or `scale` is no whole number above 0.
    """
    if scale != int(scale) or scale < 1:
        raise ValueError(f"scale must be a whole number of at least 1, got {scale}")
    picture = one_picture(image)
    check_range(picture, "image")
    return encode_png(to_bytes(picture).repeat(int(scale), 0).repeat(int(scale), 1))


def to_bytes(image: ArrayLike) -> np.ndarray:
    """Pixels in [0, 1] as bytes from 0 to 255; what lies outside is cut off."""
    return np.round(255 * np.clip(np.asarray(image, dtype=float), 0, 1)).astype(np.uint8)


def encode_png(pixels: np.ndarray) -> bytes:
    """Bytes (H, W) or (H, W, 3) as PNG, compressed little, since an explorer makes many a second."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def save_png(image: ArrayLike, path: str | os.PathLike, scale: int = 1) -> Path:
    """Write a picture (H, W) or (H, W, 3), as `png_bytes` takes it, to a file; returns its path."""
    path = Path(path)
    png = png_bytes(image, scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)
    return path


def draw_images(images: ArrayLike, ax, columns: int = 8, title: str = "") -> None:
    """Draw n pictures in a grid on one Axes. images: as `image_grid` takes them."""
    ax.imshow(image_grid(images, columns), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=10)


def draw_image_rows(rows: Mapping[str, ArrayLike], ax) -> None:
    """Draw rows of pictures below each other, each with its name on the left.

    Args:
        rows: name → n pictures, as `image_grid` takes them; all of one size, and all grey or all in colour.
        ax: the Axes.

    Raises:
        ValueError: if rows differ in number, size or colour, or one holds no pictures.
    """
    if not rows:
        raise ValueError(f"rows must hold at least one row, got {rows}")
    arrays = [in_unit_interval(as_pictures(images, f"rows[{name!r}]")) for name, images in rows.items()]
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) != 1:
        mixed = len({len(shape) for shape in shapes}) > 1
        raise ValueError(f"rows must all have the same shape, got {shapes}" + mixed * (
            ". Grey pictures (n, H, W) stand beside coloured ones as np.stack([images] * 3, axis=-1)."))
    n, height = shapes[0][:2]
    grid = image_grid(np.concatenate(arrays), columns=n)
    ax.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_yticks([k * (height + 2) + height / 2 for k in range(len(arrays))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_codes(codes: ArrayLike, labels: ArrayLike | None, ax, names: Sequence[str] = ("z[0]", "z[1]"),
               classes: Sequence[str] | None = None) -> None:
    """Draw codes (n, 2) as points, coloured by class, with each class's number, or its name, at its median.

    Args:
        codes: (n, 2), the points.
        labels: (n,) whole numbers, the classes; or None.
        ax: the Axes.
        names: of the two axes.
        classes: the names of the labels 0, 1, …; or None, and their numbers are written. Long ones are cut with "…".

    Raises:
        ValueError: if codes or labels have another shape, or labels are no whole numbers, or have no name in `classes`.
    """
    codes = as_array(codes)
    if codes.ndim != 2 or codes.shape[1] != 2:
        raise ValueError(f"codes must have shape (n, 2), got {codes.shape}. Give two columns, e.g. codes[:, :2]")
    if labels is None:
        ax.scatter(*codes.T, s=2, color=COLOURS["posterior"], linewidths=0, alpha=0.5)
    else:
        labels = as_array(labels)
        if labels.shape != codes.shape[:1] or labels.dtype.kind not in "iu":
            raise ValueError(f"labels must be {len(codes)} whole numbers, one for each code, got {labels.dtype} of shape "
                             f"{labels.shape}. data.from_arrays(images, labels) numbers labels of other kinds")
        colours = np.array(CLASS_COLOURS)[labels % len(CLASS_COLOURS)]
        ax.scatter(*codes.T, s=2, c=colours, linewidths=0, alpha=0.6)
        for label in np.unique(labels).tolist():
            _write_class(label, shortened(class_name(label, classes)), np.median(codes[labels == label], axis=0), ax)
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)


def _write_class(label: int, name: str, place: np.ndarray, ax) -> None:
    ax.text(*place, name, ha="center", va="center", fontsize=11 if len(name) <= 2 else 9, weight="bold",
            color=CLASS_COLOURS[label % len(CLASS_COLOURS)],
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "boxstyle": "round,pad=0.15"})


def class_name(label: int, classes: Sequence[str] | None) -> str:
    """The name of a label in `classes`, or its number. Raises ValueError if `classes` has no name for it."""
    if classes is None:
        return str(label)
    if not 0 <= label < len(classes):
        raise ValueError(f"classes must name the labels 0, 1, …, and has {len(classes)} names, got the label {label}. Give "
                         f"as many names as there are classes, or leave classes out")
    return str(classes[label])


def shortened(name: str, most: int = 14) -> str:
    """A name in at most that many letters, "…" for those before its last three: names of classes may differ there alone."""
    end = name[-3:] if most >= 8 else ""
    return name if len(name) <= most else name[:max(0, most - 1 - len(end))].rstrip() + "…" + end


def draw_curves(curves: Mapping[str, Sequence[float]], ax, *, x: Sequence[float] | None = None, xlabel: str = "epoch",
                ylabel: str = "nats per image", colours: Mapping[str, str] | None = None) -> None:
    """Draw one line per entry, its name at its right end. curves: name → one value per x (1, 2, … if x is None).

    A name that starts with "validation" is drawn dashed.
    """
    colours = colours or {}
    ends = []
    for name, values in curves.items():
        xs = range(1, len(values) + 1) if x is None else x
        line, = ax.plot(xs, values, color=colours.get(name), linestyle="--" if name.startswith("validation") else "-")
        ends.append((values[-1], name, line.get_color(), xs[-1]))
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
    _label_ends(ends, ax)


def _label_ends(ends: list[tuple[float, str, str, float]], ax) -> None:
    """Write each name at the end of its line, moved up where it would cover the one below."""
    low, high = ax.get_ylim()
    spacing, last = 0.07 * (high - low), -np.inf
    for value, name, colour, x_end in sorted(ends):
        last = max(value, last + spacing)
        ax.annotate(name, (x_end, last), xytext=(5, 0), textcoords="offset points", va="center", color=colour, fontsize=9,
                    annotation_clip=False)
