"""draw_*(data, ax): pictures of numbers that were computed elsewhere. NumPy arrays in, one Axes; nothing is shown."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

# One colour per role in every chapter; the Okabe–Ito palette, which colour-blind readers can tell apart.
COLOURS = {
    "data": "#555555",
    "prior": "#0072B2",
    "posterior": "#D55E00",
    "reconstruction": "#009E73",
    "elbo": "#000000",
    "log p(x)": "#CC79A7",
    "second": "#E69F00",    # a second method beside the one that a chapter is about
    "third": "#56B4E9",
    "kl": "#D55E00",        # as the posterior's, whose distance from the prior it is
}
# Ten classes: the palette "muted" of Tol (2021), https://sronpersonalpages.nl/~pault/, and grey.
CLASS_COLOURS = ["#332288", "#88CCEE", "#44AA99", "#117733", "#999933",
                 "#CC9900", "#CC6677", "#882255", "#AA4499", "#777777"]


def image_grid(images: ArrayLike, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Put n pictures into one, row by row.

    Args:
        images: (n, H, W) or (n, 1, H, W), values in [0, 1].
        columns: pictures in a row.
        gap: white pixels between two pictures.

    Returns:
        (rows·(H + gap) − gap, columns·(W + gap) − gap) in [0, 1]; places without a picture are white.

    Raises:
        ValueError: if `images` has another shape, or values outside [0, 1].
    """
    images = np.asarray(images, dtype=float)
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or len(images) == 0:
        raise ValueError(f"images must have shape (n, H, W) or (n, 1, H, W) with n ≥ 1, got {images.shape}")
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"images must lie in [0, 1], got values from {images.min():g} to {images.max():g}")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    n, height, width = images.shape
    rows = -(-n // columns)
    grid = np.ones((rows * (height + gap) - gap, columns * (width + gap) - gap))
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + gap), (k % columns) * (width + gap)
        grid[top:top + height, left:left + width] = image
    return grid


def png_bytes(image: ArrayLike, scale: int = 1) -> bytes:
    """A grey picture (H, W) in [0, 1] as PNG, each pixel repeated `scale` times in both directions."""
    pixels = grey_bytes(image)
    if pixels.ndim != 2:
        raise ValueError(f"image must have shape (H, W), got {pixels.shape}")
    return encode_png(pixels.repeat(scale, 0).repeat(scale, 1))


def grey_bytes(image: ArrayLike) -> np.ndarray:
    """Pixels in [0, 1] as bytes from 0 to 255; what lies outside is cut off."""
    return np.round(255 * np.clip(np.asarray(image, dtype=float), 0, 1)).astype(np.uint8)


def encode_png(pixels: np.ndarray) -> bytes:
    """Bytes (H, W) or (H, W, 3) as PNG, compressed little, since an explorer makes many a second."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def save_png(image: ArrayLike, path: str | os.PathLike, scale: int = 1) -> Path:
    """Write a grey picture (H, W) in [0, 1] to a file; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(image, scale))
    return path


def draw_images(images: ArrayLike, ax, columns: int = 8, title: str = "") -> None:
    """Draw n pictures in a grid on one Axes. images: (n, H, W) or (n, 1, H, W), values in [0, 1]."""
    ax.imshow(image_grid(images, columns), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    if title:
        ax.set_title(title, fontsize=10)


def draw_image_rows(rows: Mapping[str, ArrayLike], ax) -> None:
    """Draw rows of pictures below each other, each with its name on the left. rows: name → (n, H, W) in [0, 1]."""
    arrays = [np.asarray(images).reshape(-1, *np.shape(images)[-2:]) for images in rows.values()]
    if len({array.shape for array in arrays}) != 1:
        raise ValueError(f"rows must all have the same shape, got {[array.shape for array in arrays]}")
    n, height, _ = arrays[0].shape
    grid = image_grid(np.concatenate(arrays), columns=n)
    ax.imshow(grid, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_yticks([k * (height + 2) + height / 2 for k in range(len(arrays))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_codes(codes: ArrayLike, labels: ArrayLike | None, ax, names: Sequence[str] = ("z[0]", "z[1]")) -> None:
    """Draw codes (n, 2) as points, coloured by class, with the number of each class at its median. labels: (n,) or None."""
    codes = np.asarray(codes)
    if labels is None:
        ax.scatter(*codes.T, s=2, color=COLOURS["posterior"], linewidths=0, alpha=0.5)
    else:
        labels = np.asarray(labels)
        colours = np.array(CLASS_COLOURS)[labels % len(CLASS_COLOURS)]
        ax.scatter(*codes.T, s=2, c=colours, linewidths=0, alpha=0.6)
        for label in np.unique(labels):
            ax.text(*np.median(codes[labels == label], axis=0), str(label), ha="center", va="center", fontsize=11,
                    weight="bold", color=CLASS_COLOURS[label % len(CLASS_COLOURS)],
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "boxstyle": "round,pad=0.15"})
    ax.set(xlabel=names[0], ylabel=names[1], aspect="equal")
    ax.spines[["top", "right"]].set_visible(False)


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
