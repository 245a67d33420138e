"""Pictures: exact pixels of small grids, and what lands on an Axes. Figures are made without pyplot and never shown."""

import io
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from vae_course import plots
from vae_course.data import ImageData, ImageSet
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

RNG = np.random.default_rng(0)


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
    (np.zeros((4, 5, 2, 2)), r"images must have shape .*\(4, 5, 2, 2\)"),
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


# ---------------------------------------------------------------- colour, layouts, bytes

COLOURED = RNG.random((5, 4, 6, 3))         # n, H, W, 3
GREY = RNG.random((5, 4, 6))


def as_bytes(images: np.ndarray) -> np.ndarray:
    return np.round(255 * images).astype(np.uint8)


def layouts(images: np.ndarray) -> dict:
    """The same pictures as all that a reader may have: (n, H, W, 3) or (n, H, W) in [0, 1]."""
    first = np.moveaxis(images, -1, 1) if images.ndim == 4 else images[:, None]
    leaf = torch.tensor(first, requires_grad=True)
    return {"as they are": images, "channels first": first, "channels last": np.moveaxis(first, 1, -1), "tensor": leaf,
            "list": list(images), "list of tensors": list(leaf), "bytes": as_bytes(images),
            "tensor of bytes": torch.tensor(as_bytes(first)), "half": leaf.half(), "bfloat16": leaf.bfloat16(),
            "whole numbers": (images > 0.5).astype(int), "true and false": images > 0.5}


@pytest.mark.parametrize("layout", layouts(GREY))
@pytest.mark.parametrize("images", [GREY, COLOURED], ids=["grey", "colour"])
def test_every_layout_is_one_grid(images, layout):
    grid = image_grid(layouts(images)[layout], columns=2, gap=1)
    expected = np.ones((3 * 5 - 1, 2 * 7 - 1, *images.shape[3:]))
    for k, image in enumerate(images > 0.5 if layout in ("whole numbers", "true and false") else images):
        expected[5 * (k // 2):5 * (k // 2) + 4, 7 * (k % 2):7 * (k % 2) + 6] = image
    np.testing.assert_allclose(grid, expected, atol={"half": 1e-3, "bfloat16": 4e-3}.get(layout, 0.5 / 255 + 1e-6))


@pytest.mark.parametrize("shape", [(4, 6), (1, 4, 6), (4, 6, 1), (4, 6, 3), (3, 4, 6), (1, 1), (3, 6), (4, 3)])
def test_one_picture_becomes_a_png_and_a_file(shape, tmp_path):
    image = RNG.random(shape)
    last = image[0] if shape[0] == 1 and len(shape) == 3 else image[..., 0] if shape[-1:] == (1,) and len(shape) == 3 else (
        np.moveaxis(image, 0, -1) if shape == (3, 4, 6) else image)
    for given in (image, torch.tensor(image), as_bytes(image), torch.tensor(as_bytes(image))):
        png = png_bytes(given, scale=2)
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.mode == ("RGB" if last.ndim == 3 else "L")
            assert np.array_equal(np.asarray(picture), as_bytes(last).repeat(2, 0).repeat(2, 1))
        assert save_png(given, tmp_path / "picture.png", 2).read_bytes() == png


def test_all_colours_survive_a_round_trip():
    pixels = RNG.integers(0, 256, (16, 33, 3), np.uint8)
    for given in (pixels, pixels / 255, (pixels / 255).astype(np.float32)):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(given)))), pixels)


def test_colour_on_an_axes(ax):
    draw_images(COLOURED, ax, columns=3)
    assert np.array_equal(ax.images[0].get_array(), image_grid(COLOURED, 3)) and ax.images[0].get_array().ndim == 3
    draw_image_rows({"x": as_bytes(COLOURED), "means": np.moveaxis(COLOURED, -1, 1)}, ax)
    rows = np.asarray(ax.images[1].get_array())
    assert rows.shape == (2 * 6 - 2, 5 * 8 - 2, 3) and np.abs(rows[:4] - rows[6:]).max() < 0.5 / 255 + 1e-6


RGB = np.full((9, 10, 3), 0.5)
NOT_PICTURES = {  # what came → what the message says, and the way out that it names, which is run
    "one grey picture": (GREY[0], "If it is one picture, give images[None]", "images[None]"),
    "flattened": (GREY.reshape(5, 24), "if each row is one, images.reshape(-1, H, W)", "images.reshape(-1, 4, 6)"),
    "one in colour": (RGB, "If it is one picture in colour, give images[None]", "images[None]"),
    "thin ones": (RGB, "if it is 9 grey ones, images[:, None]", "images[:, None]"),
    "one with opacity": (np.ones((9, 10, 4)), "If it is one picture in colour", None),
    "colours first or last": (COLOURED[:, :3, :, :], "If axis 1 holds the colours, give np.moveaxis(images, 1, -1)",
                              "np.moveaxis(images, 1, -1)"),
    "colours last or first": (COLOURED[:, :3, :, :], "if the last one does, np.moveaxis(images, -1, 1)",
                              "np.moveaxis(images, -1, 1)"),
    "grey last or colour first": (COLOURED[:, :3, :, :1], "np.moveaxis(images, -1, 1)", "np.moveaxis(images, -1, 1)"),
    "opacity last": (RNG.random((5, 6, 7, 4)), "The fourth channel is opacity: leave it out by images[..., :3]",
                     "images[..., :3]"),
    "opacity first": (RNG.random((5, 4, 6, 7)), "leave it out by images[:, :3]", "images[:, :3]"),
    "two channels": (RNG.random((5, 6, 7, 2)), "there seem to be 2", None),
    "rows of grey ones": (RNG.random((5, 6, 7, 8)), "give images.reshape(-1, H, W)", "images.reshape(-1, 7, 8)"),
    "rows of rows": (RNG.random((2, 5, 3, 4, 6)), "Flatten its first axes: images.reshape(-1, *images.shape[-3:])",
                     "images.reshape(-1, *images.shape[-3:])"),
    "none": (np.zeros((0, 3, 4, 6)), "There is no picture in it.", None),
    "a number": (0.5, "Give several numbers.", None),
    "several sizes": ([np.zeros((4, 6)), np.zeros((4, 7))], "must all have one size, and got several.", None),
    "several heights": ([np.zeros((3, 4, 6)), np.zeros((3, 5, 6))], "data.from_folder(folder, size) brings pictures", None),
    "a set": (ImageSet(torch.tensor(GREY), None), "got ImageSet. Give the pictures themselves, its images.",
              "images.images"),
    "a data set": (ImageData("mine", ImageSet(torch.tensor(GREY), None), ImageSet(torch.tensor(GREY[:3]), None)),
                   "got ImageData. Give the pictures themselves, its train.images.", "images.train.images"),
    "paths": (["a.png", "b.png"], "got list. Give the pictures themselves; data.from_dataset(dataset) and "
              "data.from_folder(folder, size) make arrays", None),
    "None": (None, "must be an array of numbers, got NoneType", None),
    "0 to 255": (255 * GREY, "If white is 255, give images / 255.", "images / 255"),
    "whole numbers to 255": (as_bytes(GREY).astype(int), "If white is 255, give images / 255.", "images / 255"),
    "sixteen bits": (np.array([[[0, 60000], [17, 300]]], np.uint16), "If white is 65535, give images / 65535.",
                     "images / 65535"),
    "0 to 16": (np.round(16 * GREY), "If white is 16, give images / 16.", "images / 16"),
    "bytes to 16": (np.round(16 * GREY).astype(np.uint8), "none is above 16. If white is 16, give images / 16;",
                    "images / 16"),
    "dark bytes": (np.round(9 * GREY).astype(np.uint8), "if they are so dark, images / 255", "images / 255"),
    "bytes to 1": ((GREY > 0.5).astype(np.uint8), "none is above 1. If white is 1, give images / 1", "images / 1"),
    "−1 to 1": (2 * GREY - 1, "If −1 is black, give (images + 1) / 2.", "(images + 1) / 2"),
    "a little outside": (1.1 * GREY - 0.05, "Cut off what lies outside by images.clip(0, 1).", "images.clip(0, 1)"),
    "a little above": (np.maximum(GREY, 1.2), "Cut off what lies outside by images.clip(0, 1).", "images.clip(0, 1)"),
    "very large": (1e6 * GREY, "If white is images.max(), give images / images.max()", "images / images.max()"),
    "NaN": (np.where(GREY > 0.9, np.nan, GREY), "Some are NaN or infinite", None),
}


@pytest.mark.parametrize("images, words, way_out", NOT_PICTURES.values(), ids=NOT_PICTURES)
def test_what_is_no_picture_gets_words_and_a_way_out_that_works(images, words, way_out):
    with pytest.raises(ValueError, match="^images must ") as problem:
        image_grid(images)
    assert words in str(problem.value)
    assert way_out is None or image_grid(eval(way_out, {"images": images, "np": np})).max() > 0


@pytest.mark.parametrize("image, words, way_out", [
    (COLOURED, "Of several pictures plots.image_grid(image) makes one", "plots.image_grid(image)"),
    (RNG.random((5, 4, 6)), "No axis has 1 or 3 channels", None),
    (RNG.random((3, 4, 3)), "If axis 0 holds the colours, give np.moveaxis(image, 0, -1)", "np.moveaxis(image, 0, -1)"),
    (RNG.random((3, 4, 3)), "np.moveaxis(image, -1, 0)", "np.moveaxis(image, -1, 0)"),
    (RNG.random((4, 5, 6)), "opacity: leave it out by image[:3]", "image[:3]"),
    (RNG.random((5, 6, 4)), "opacity: leave it out by image[..., :3]", "image[..., :3]"),
    (RNG.random(24), "image.reshape(H, W)", "image.reshape(4, 6)"),
    (255 * GREY[0], "image must lie in [0, 1], got values from", "image / 255"),
    (np.full((2, 3), np.nan), "Some are NaN", None),
    ("picture.png", "image must be an array of numbers, got str", None),
])
def test_what_is_no_single_picture_gets_words_and_writes_no_file(image, words, way_out, tmp_path):
    with pytest.raises(ValueError, match="^image must ") as problem:
        save_png(image, tmp_path / "new" / "picture.png")
    assert words in str(problem.value) and not (tmp_path / "new").exists()
    assert way_out is None or png_bytes(eval(way_out, {"image": image, "np": np, "plots": plots}))


@pytest.mark.parametrize("scale", [0, -1, 1.5])
def test_a_scale_is_a_whole_number(scale):
    with pytest.raises(ValueError, match=f"scale must be a whole number of at least 1, got {scale}"):
        png_bytes(GREY[0], scale)


def test_rows_grey_and_coloured_are_explained(ax):
    images = GREY
    with pytest.raises(ValueError, match="rows must all have the same shape") as problem:
        draw_image_rows({"x": GREY, "means": COLOURED}, ax)
    way_out = re.search(r"as (np\.stack.*)\.", str(problem.value))[1]
    draw_image_rows({"x": eval(way_out, {"np": np, "images": images}), "means": COLOURED}, ax)
    np.testing.assert_array_equal(ax.images[0].get_array()[:4, :6], GREY[0][:, :, None].repeat(3, 2))
    with pytest.raises(ValueError, match=r"rows\['x'\] must lie in \[0, 1\].*give rows\['x'\] / 255"):
        draw_image_rows({"x": 255 * GREY}, ax)
    with pytest.raises(ValueError, match=r"rows must hold at least one row, got \{\}"):
        draw_image_rows({}, ax)


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


def test_codes_are_drawn_with_the_names_of_their_classes(ax):
    codes, labels = np.array([[0, 0], [2, 1], [4, 8], [5, 5]]), torch.tensor([2, 2, 2, 0])
    draw_codes(torch.tensor(codes), labels, ax, classes=("Ankle boot", "coat", "a very long name of a class"))
    assert {text.get_text(): text.get_position() for text in ax.texts} == {"a very lon…ass": (2, 1), "Ankle boot": (5, 5)}


@pytest.mark.parametrize("codes, labels, classes, words", [
    (np.zeros((4, 3)), None, None, r"codes must have shape \(n, 2\), got \(4, 3\). Give two columns, e.g. codes\[:, :2\]"),
    (np.zeros((4, 2)), np.zeros(3, int), None, r"labels must be 4 whole numbers.* got int64 of shape \(3,\)"),
    (np.zeros((4, 2)), np.array(list("abca")), None, r"data.from_arrays\(images, labels\) numbers labels"),
    (np.zeros((4, 2)), np.arange(4), ("a", "b"), "has 2 names, got the label 2. Give as many names as there are classes"),
])
def test_codes_labels_and_names_that_do_not_fit(codes, labels, classes, words, ax):
    with pytest.raises(ValueError, match=words):
        draw_codes(codes, labels, ax, classes=classes)


def test_codes_without_labels_have_one_colour(ax):
    draw_codes(np.zeros((5, 2)), None, ax)
    assert not ax.texts and len(ax.collections[0].get_facecolors()) == 1


def test_ten_class_colours_differ():
    assert len(set(CLASS_COLOURS)) == 10
