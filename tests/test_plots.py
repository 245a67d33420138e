"""Pictures: exact pixels of small grids, and what lands on an Axes. Figures are made without pyplot and never shown."""

import io
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from vae_course.plots import (
    CLASS_COLOURS,
    COLOURS,
    draw_codes,
    draw_curves,
    draw_image_rows,
    draw_images,
    encode_png,
    image_grid,
    png_bytes,
    save_png,
)


@pytest.fixture
def ax():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def read_png(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG" and picture.mode == "L"
        return np.array(picture)


def numbered_images(n: int) -> np.ndarray:
    """(n, 2, 3): picture k has the grey value k/n, but for its top left pixel, which is k/n + 1/(2n)."""
    images = np.zeros((n, 2, 3)) + np.arange(n)[:, None, None] / n
    images[:, 0, 0] += 0.5 / n
    return images


# ---------------------------------------------------------------- image_grid

def test_grid_of_three_in_two_columns_pixel_by_pixel():
    images = [[[0.1, 0.2]], [[0.3, 0.4]], [[0.5, 0.6]]]                     # three pictures of 1×2
    assert image_grid(images, columns=2, gap=1).tolist() == [
        [0.1, 0.2, 1.0, 0.3, 0.4],
        [1.0, 1.0, 1.0, 1.0, 1.0],
        [0.5, 0.6, 1.0, 1.0, 1.0],
    ]


@pytest.mark.parametrize(("n", "columns", "gap", "shape"), [
    (5, 3, 2, (6, 13)), (6, 3, 0, (4, 9)), (1, 1, 2, (2, 3)), (2, 4, 1, (2, 15)),
])
def test_grid_keeps_the_order_of_its_pictures(n, columns, gap, shape):
    images = numbered_images(n)
    grid = image_grid(images, columns, gap)
    assert grid.shape == shape
    for k in range(n):
        top, left = (k // columns) * (2 + gap), (k % columns) * (3 + gap)
        assert np.array_equal(grid[top:top + 2, left:left + 3], images[k])
    assert (grid == 1).sum() == grid.size - images.size  # all else is white


def test_grid_takes_a_channel_axis_and_leaves_its_input_alone():
    images = numbered_images(4)
    before = images.copy()
    assert np.array_equal(image_grid(images[:, None]), image_grid(images))
    assert np.array_equal(images, before)


@pytest.mark.parametrize(("images", "message"), [
    (np.zeros((2, 3)), r"images must have shape .*\(2, 3\)"),
    (np.zeros((4, 3, 2, 2)), r"images must have shape .*\(4, 3, 2, 2\)"),
    (np.zeros((0, 2, 3)), "images must have shape"),
    (np.full((2, 2, 3), 255), r"images must lie in \[0, 1\], got values from 255 to 255"),
    (np.full((2, 2, 3), -0.1), r"images must lie in \[0, 1\]"),
    (np.full((2, 2, 3), np.nan), r"images must lie in \[0, 1\]"),
])
def test_grid_errors_name_the_argument(images, message):
    with pytest.raises(ValueError, match=message):
        image_grid(images)


# ---------------------------------------------------------------- PNG files

def test_png_holds_the_pixels():
    image = np.array([[0.0, 0.5, 1.0], [0.2, 0.8, 1 / 255]])
    assert read_png(png_bytes(image)).tolist() == [[0, 128, 255], [51, 204, 1]]


def test_png_is_scaled_by_repeating_pixels():
    image = np.array([[0.0, 1.0], [0.4, 0.6], [1.0, 0.0]])
    assert np.array_equal(read_png(png_bytes(image, scale=3)), np.kron(read_png(png_bytes(image)), np.ones((3, 3))))


def test_every_grey_value_survives_a_round_trip():
    values = np.arange(256).reshape(8, 32)
    assert np.array_equal(read_png(png_bytes(values / 255)), values)


def test_save_png_makes_its_folder_and_returns_the_path(tmp_path):
    image = image_grid(numbered_images(3))
    path = save_png(image, tmp_path / "new" / "samples.png", scale=2)
    assert path == tmp_path / "new" / "samples.png"
    assert path.read_bytes() == png_bytes(image, scale=2)


def test_a_colour_picture_is_refused():
    with pytest.raises(ValueError, match=r"image must have shape \(H, W\), got \(3, 4, 3\)"):
        png_bytes(np.zeros((3, 4, 3)))


# ---------------------------------------------------------------- on an Axes

def test_draw_images_puts_the_grid_on_the_axes(ax):
    images = numbered_images(5)
    draw_images(images, ax, columns=3, title="Decoder means")
    picture, = ax.images
    assert np.array_equal(picture.get_array(), image_grid(images, columns=3))
    assert picture.get_clim() == (0, 1)  # the same grey in every figure, whatever the pictures hold
    assert picture.get_interpolation() == "nearest"
    assert ax.get_title() == "Decoder means" and not ax.axison


def test_black_is_zero_and_white_is_one(ax):
    draw_images([[[0.0, 1.0]]], ax)
    rgba = ax.images[0].to_rgba(ax.images[0].get_array())
    assert rgba[0, :2, :3].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_draw_image_rows_names_each_row_at_its_height(ax):
    x, means = numbered_images(4), 1 - numbered_images(4)
    draw_image_rows({"x": x, "decoder means": means[:, None]}, ax)
    assert np.array_equal(ax.images[0].get_array(), image_grid(np.concatenate([x, means]), columns=4))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["x", "decoder means"]
    for k, y in enumerate(ax.get_yticks()):
        assert 4 * k <= y < 4 * k + 2  # a row is 2 pixels high, and 2 more lie between the rows


def test_rows_of_different_length_are_refused(ax):
    with pytest.raises(ValueError, match=r"rows must all have the same shape, got \[\(4, 2, 3\), \(3, 2, 3\)\]"):
        draw_image_rows({"x": numbered_images(4), "means": numbered_images(3)}, ax)


def test_draw_curves_draws_each_line_and_labels_its_end(ax):
    curves = {"train": [-150.0, -120.0, -110.0], "validation": [-160.0, -125.0, -118.0]}
    draw_curves(curves, ax, colours={"train": COLOURS["elbo"]})
    for line, (name, values) in zip(ax.lines, curves.items()):
        assert list(line.get_xdata()) == [1, 2, 3] and list(line.get_ydata()) == values
        assert line.get_linestyle() == ("--" if name == "validation" else "-")
    assert to_hex(ax.lines[0].get_color()) == COLOURS["elbo"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats per image")
    labels = {text.get_text(): text for text in ax.texts}
    assert set(labels) == set(curves)
    for line, name in zip(ax.lines, curves):
        assert labels[name].xy[0] == 3 and labels[name].get_color() == line.get_color()


def test_draw_curves_takes_its_own_x_and_axis_labels(ax):
    draw_curves({"bound": [-1.0, -0.5]}, ax, x=[1, 50], xlabel="samples K", ylabel="nats")
    assert list(ax.lines[0].get_xdata()) == [1, 50]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("samples K", "nats")
    assert ax.texts[0].xy == (50, -0.5)


def test_names_of_lines_that_end_together_do_not_cover_each_other(ax):
    draw_curves({"a": [0.0, 1.0], "b": [0.5, 1.0], "c": [0.2, 1.001]}, ax)
    heights = sorted(text.xy[1] for text in ax.texts)
    low, high = ax.get_ylim()
    assert min(np.diff(heights)) >= 0.0699 * (high - low)


def test_every_figure_can_be_rendered(ax):
    draw_curves({"elbo": [1.0, 2.0], "validation kl": [2.0, 2.0]}, ax)
    ax.figure.canvas.draw()
    assert np.asarray(ax.figure.canvas.buffer_rgba())[..., :3].min() < 200  # something is there


def test_colours_can_be_told_apart():
    assert {"data", "prior", "posterior", "reconstruction"} <= set(COLOURS)
    roles = set(COLOURS) - {"kl"}   # drawn as the posterior, whose distance from the prior it is
    assert len({COLOURS[role] for role in roles}) == len(roles) >= 8


def test_plots_import_neither_pyplot_nor_torch():
    code = "import sys, vae_course.plots; print({'matplotlib.pyplot', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


# ---------------------------------------------------------------- codes, and bytes for explorers

@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)], ids=["grey", "colour"])
def test_every_pixel_is_kept(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


def test_codes_are_drawn_with_the_number_of_each_class_at_its_median(ax):
    codes, labels = np.array([[0, 0], [2, 1], [4, 8], [5, 5]]), np.array([3, 3, 3, 7])
    draw_codes(codes, labels, ax)
    assert {text.get_text(): text.get_position() for text in ax.texts} == {"3": (2, 1), "7": (5, 5)}
    assert ax.collections[0].get_offsets().tolist() == codes.tolist()
    assert len(np.unique(ax.collections[0].get_facecolors(), axis=0)) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z[0]", "z[1]")


def test_codes_without_labels_have_one_colour(ax):
    draw_codes(np.zeros((5, 2)), None, ax)
    assert not ax.texts and len(ax.collections[0].get_facecolors()) == 1


def test_ten_class_colours_differ():
    assert len(set(CLASS_COLOURS)) == 10
