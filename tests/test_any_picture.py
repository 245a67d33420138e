"""Explorers of pictures in colour, of any size and layout, with named classes; and words for what is none of these."""

import base64
import html
import io
import itertools
import re

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from test_explorers import ANSWER, move, say

from vae_course.data import ImageFile
from vae_course.plots import draw_codes
from vae_course.widgets import (
    Explorer,
    Notice,
    axis_sliders,
    interpolation,
    label_map,
    latent_pad,
    latent_sliders,
    nearest_label,
    pictures,
    posterior_view,
    style_mix,
    style_pad,
)
from vae_course.widgets.classes import Classes
from vae_course.widgets.given import BLOCK, Pictures
from vae_course.widgets.pad import _keep_names_apart
from vae_course.widgets.pictures import Nearest
from vae_course.widgets.styles import _draw_styles

RNG = np.random.default_rng(7)
N, HEIGHT, WIDTH = 40, 12, 9
CODES = RNG.standard_normal((N, 4)) * [2, 1.5, 1, 0.5]
IMAGES = RNG.random((N, HEIGHT, WIDTH, 3)).astype(np.float32)
FASHION_MNIST = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
NAMES = ("cat", "dog", "Hausschwein", "père Noël")
LABELS = np.arange(N) % 4


def picture(z: np.ndarray) -> np.ndarray:
    """12 × 9 pixels, whose red, green and blue are the first three numbers of z, and less towards the right."""
    colour = 1 / (1 + np.exp([-1, 0, 1] - np.resize(z, 3)))
    return np.repeat((colour * np.linspace(1, 0.5, WIDTH)[:, None])[None], HEIGHT, axis=0)


def ask(z: np.ndarray, y: int) -> np.ndarray:
    image = picture(z)
    image[2 * y:2 * y + 2] = 1
    return image


def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    assert x.shape == (HEIGHT, WIDTH, 3) and x.max() <= 1
    return 4 * (x[0, :3].mean(axis=1) - 0.5).astype(float), np.array([0.5, 1.0, 0.1])


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def tile(image: np.ndarray, times: int) -> np.ndarray:
    return np.round(255 * image).repeat(times, 0).repeat(times, 1)


EXPLORERS = {
    "latent-sliders": lambda: latent_sliders(picture, 4, [0, 2]),
    "pad": lambda: latent_pad(picture, CODES[:, :2], LABELS, classes=NAMES),
    "axes": lambda: axis_sliders(picture, CODES, IMAGES, axes=3),
    "interpolation": lambda: interpolation(picture, CODES, IMAGES, LABELS, classes=NAMES),
    "posterior": lambda: posterior_view(posterior, picture, IMAGES, LABELS, classes=NAMES),
    "style-pad": lambda: style_pad(ask, CODES, LABELS, classes=NAMES),
    "style-mix": lambda: style_mix(ask, CODES, IMAGES, LABELS, classes=NAMES),
    "label-map": lambda: label_map(CODES[:, :2], IMAGES, LABELS, range(15), CODES[:, 1:3], LABELS, classes=NAMES),
}
every_explorer = pytest.mark.parametrize("make", EXPLORERS.values(), ids=EXPLORERS)


# ---------------------------------------------------------------- colour

@every_explorer
def test_controls_move_a_coloured_picture_and_back(make):
    box = make()
    start = box.image.value, box.state.value
    shown = pixels(box.image.value).astype(int)
    assert shown.ndim == 3 and np.ptp(shown, axis=2).max() > 20
    for control in box.controls.values():
        first = control.value
        move(control, up=not hasattr(control, "max") or control.value < control.max)
        assert box.image.value != start[0] and "Error" not in box.state.value
        control.value = first
        assert (box.image.value, box.state.value) == start
    for button in box.buttons.values():
        button.click()
        assert "Error" not in box.state.value


@every_explorer
def test_the_still_picture_is_coloured_and_has_the_words(make):
    box = make()
    still, _ = box.outputs()
    [png] = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', still["text/html"])
    whole, kept = pixels(box.still()).astype(int), np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))
    assert kept.shape == whole.shape and np.abs(kept - whole).mean() < 6 and np.ptp(kept.astype(int), axis=2).max() > 20
    assert html.escape(box.state.value) in re.search('alt="([^"]+)"', still["text/html"])[1]


def test_every_tile_of_the_interpolation_is_its_picture():
    box = interpolation(picture, CODES, IMAGES)
    for control, value in (("A", 7), ("B", 12), ("t", 0.25)):
        box.controls[control].value = value
    shown, times = pixels(box.image.value), 10      # 112 / √(12 · 9) = 10.8, and 11 · 12 pixels would be too many
    assert shown.shape == (18 + 12 * times, 6 * (9 * times + 8) - 8, 3)
    tiles = [shown[18:, k * (9 * times + 8):][:, :9 * times] for k in range(6)]
    mixed = 0.75 * IMAGES[7].astype(float) + 0.25 * IMAGES[12]
    for k, image in ((0, IMAGES[7]), (1, picture(0.75 * CODES[7] + 0.25 * CODES[12])), (3, mixed), (5, IMAGES[12])):
        np.testing.assert_array_equal(tiles[k], tile(image, times))


def layouts(images: np.ndarray, folder) -> dict:
    as_bytes = np.round(255 * images).astype(np.uint8)
    first = np.moveaxis(as_bytes, -1, 1)
    np.save(folder / "pictures.npy", first)
    return {"bytes": as_bytes, "channels first": first, "tensor": torch.tensor(first),
            "file": ImageFile(folder / "pictures.npy"), "numbers": as_bytes / 255,
            "tensor of numbers": torch.tensor(first / 255)}


@pytest.mark.parametrize("layout", ["bytes", "channels first", "tensor", "file", "tensor of numbers"])
def test_every_layout_shows_the_same(layout, tmp_path):
    seen, expected = (all_with_images(layouts(IMAGES, tmp_path)[which]) for which in (layout, "numbers"))
    for (png, words), (other_png, other_words) in zip(seen, expected, strict=True):
        np.testing.assert_allclose(pixels(png).astype(int), pixels(other_png), atol=1)
        assert words == other_words


def all_with_images(images) -> list[tuple[bytes, str]]:
    """What the explorers of images show."""
    boxes = [interpolation(picture, CODES, images), style_mix(ask, CODES, images, LABELS),
             axis_sliders(picture, CODES, images), posterior_view(posterior, picture, images),
             label_map(CODES[:, :2], images, LABELS, range(9), CODES[:, 1:3], LABELS, classifiers={"one": nearest_label})]
    boxes[2].buttons["nearest training image"].click()
    return [(box.image.value, box.state.value) for box in boxes]


@pytest.mark.parametrize("layout", [
    lambda image: torch.tensor(image, requires_grad=True), lambda image: np.moveaxis(image, -1, 0),
    lambda image: torch.tensor(image).permute(2, 0, 1).float(), lambda image: image.tolist(),
    lambda image: np.round(255 * image).astype(np.uint8)], ids=["leaf", "channels first", "tensor", "list", "bytes"])
def test_the_picture_function_may_give_any_layout(layout):
    box, expected = (latent_sliders(draw, 4, [0, 2]) for draw in (lambda z: layout(picture(z)), picture))
    for one in (box, expected):
        one.controls["z[2]"].value = 1.5
    assert box.image.value == expected.image.value


# ---------------------------------------------------------------- sizes

@pytest.mark.parametrize("height, width, box, most, size", [  # the size in pixels of the page
    (28, 28, 224, None, (224, 224)), (8, 8, 224, None, (224, 224)), (96, 96, 224, None, (192, 192)),
    (64, 64, 224, None, (256, 256)), (48, 32, 224, None, (240, 160)), (256, 256, 224, None, (256, 256)),
    (512, 512, 224, None, (224, 224)), (600, 400, 224, None, (274, 183)), (1, 1, 224, None, (224, 224)),
    (1, 784, 224, None, (1, 280)), (28, 28, 84, 101, (84, 84)), (96, 96, 84, 101, (96, 96)), (128, 128, 84, 101, (84, 84)),
    (8, 8, 56, 68, (56, 56)), (32, 32, 56, 68, (64, 64)), (40, 40, 56, 68, (40, 40)), (96, 96, 56, 68, (56, 56)),
])
def test_the_size_on_the_page_follows_from_the_pictures(height, width, box, most, size):
    for shape in ((height, width), (height, width, 3)):
        image = RNG.random(shape)
        shown = pictures.shown(image, box, most)
        assert shown.shape == (*size, *shape[2:]) and shown.dtype == np.uint8
        if size[0] % height == 0 and size[1] % width == 0:
            np.testing.assert_array_equal(shown, tile(image, size[0] // height))
        else:
            np.testing.assert_allclose(shown.mean(), 255 * image.mean(), atol=3)


def test_a_smaller_picture_is_made_of_means():
    image = RNG.random((600, 600, 3))
    shown = pictures.shown(image, 200)
    means = image.reshape(200, 3, 200, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shown, 255 * means, atol=1.5)


@pytest.mark.parametrize("shape", [(8, 8), (17, 64, 3), (96, 96, 3), (300, 200), (256, 256, 3)])
def test_rows_fit_on_a_page(shape):
    image = RNG.random(shape)
    for n, box in ((6, 112), (7, 84), (10, 56), (3, 168)):
        row = pictures.row([image] * n, [f"number {k}" for k in range(n)], box)
        assert row.shape[1] <= 760


def test_names_are_cut_and_stand_above_the_middle_of_their_pictures():
    black = np.zeros((20, 4))
    row = pictures.row([black, black], ["short", "a name that is much too long for so thin a picture"], 56)
    assert row.shape[1] == 2 * 70 + 8, "a column is as wide as its name, but not wider than a picture may be"
    dark = np.flatnonzero((row[18:] == 0).all(axis=0))
    assert np.diff(dark).max() > 20 and abs(dark[:len(dark) // 2].mean() + 0.5 - 35) <= 1
    assert (row[:18, 70:78] > 200).mean() > 0.8
    assert pictures.cut("automobile", 40) == "auto…" and pictures.cut("class of kind 12", 70) == "class of… 12"
    assert pictures.cut("cat", 40) == "cat" and pictures.cut("cat", 1) == ""


def test_the_manifold_keeps_the_shape_of_pictures():
    box = latent_pad(picture, CODES[:, :2])
    box.ground.value = "manifold"
    assert "Error" not in box.state.value and box.pad.map_in_words == "map of the manifold"
    image = RNG.random((100, 50, 3))
    square = pictures.tile(image, 32)
    assert square.shape == (32, 32, 3) and (square[:, :8] == 1).all() and (square[:, 24:] == 1).all()
    np.testing.assert_allclose(square[:, 8:24].mean(), image.mean(), atol=0.01)
    small = RNG.random((6, 4))
    np.testing.assert_allclose(pictures.tile(small, 32)[:, 1:5], small, atol=0.5 / 255 + 1e-6)
    assert pictures.tile(picture(CODES[0])[:9], 32) is not None
    same = RNG.random((28, 28))
    assert pictures.tile(same, 32) is same


# ---------------------------------------------------------------- nearest training picture

@pytest.mark.parametrize("layout", ["bytes", "file", "numbers"])
def test_nearest_in_colour_and_in_blocks_is_brute_force(layout, tmp_path, monkeypatch):
    images = layouts(IMAGES, tmp_path)
    monkeypatch.setattr("vae_course.widgets.given.BLOCK", 7 * HEIGHT * WIDTH * 3 + 1)
    nearest, exact = Nearest(images[layout]), images["numbers"]
    blocks = [len(block) for block, _ in nearest.images.blocks()]
    assert blocks == [7, 7, 7, 7, 7, 5]
    for wanted in (exact[33], RNG.random((HEIGHT, WIDTH, 3))):
        found, words = nearest.find(wanted)
        distances = np.sqrt(((exact - wanted) ** 2).sum(axis=(1, 2, 3)))
        assert f"number {distances.argmin()}, at distance {distances.min():.1f};" in words
        np.testing.assert_allclose(found, exact[distances.argmin()], atol=1e-6)
    own = [np.sort(np.sqrt(((exact - image) ** 2).sum(axis=(1, 2, 3))))[1] for image in exact]
    assert nearest.typical == pytest.approx(np.median(own), abs=1e-3)


def test_a_block_is_64_megabytes(tmp_path):
    images = Pictures(np.broadcast_to(np.uint8(9), (5000, 3, 64, 64)) + np.zeros((5000, 1, 1, 1), np.uint8) + np.uint8(20))
    sizes = [block.nbytes for block, white in images.blocks() if white == 255]
    assert max(sizes) <= 4 * BLOCK == 1 << 26 and sum(sizes) == 4 * 5000 * 3 * 64 * 64


def test_dark_pictures_of_a_file_are_no_question(tmp_path):
    dark = np.full((30, 1, 8, 8), 200, np.uint8)
    dark[7] = 3
    np.save(tmp_path / "dark.npy", dark)
    assert Pictures(ImageFile(tmp_path / "dark.npy"))[7].max() == np.float32(3 / 255)


# ---------------------------------------------------------------- names

@pytest.mark.parametrize("labels, names, colour, kind, written", [
    ([0, 3, 9], None, False, "digit", ["0", "3", "9"]), ([0, 3, 9], None, True, "class", ["0", "3", "9"]),
    ([0, 12], None, False, "class", ["0", "12"]), ([0, 1], "01", True, "digit", ["0", "1"]),
    ([0, 1], ("7", "9"), False, "digit", ["7", "9"]), ([0, 1], ("1998", "2026"), False, "class", ["1998", "2026"]),
    ([1, 2], NAMES, False, "class", ["dog", "Hausschwein"]), ([0, 2], ("ж", "b", "c"), True, "class", ["ж", "c"]),
    ([0, 1], ("猫", "dog"), True, "class", ["0", "1"]), ([0, 1], ("1", "dog"), False, "class", ["1", "dog"]),
])
def test_a_class_is_a_digit_only_where_it_is_one(labels, names, colour, kind, written):
    classes = Classes(np.array(labels), names and tuple(names), colour)
    assert classes.kind == kind and [classes.short(label) for label in labels] == written


def test_menus_words_and_captions_say_the_names():
    box = style_pad(ask, CODES, LABELS, classes=NAMES)
    assert box.controls["class"].options == tuple((name, k) for k, name in enumerate(NAMES))
    assert box.controls["class"].description == "class"
    box.controls["class"].value = 3
    box.move_to(-0.5, 0.25)
    assert box.state.value == ("class père Noël in the style (−0.50, 0.25), in standard deviations along the codes' two "
                               "widest axes")
    box = style_mix(ask, CODES, IMAGES, LABELS, classes=["T-shirt/top", *NAMES[1:]])
    box.controls["B"].value = 3
    assert box.state.value == ("t = 0.50 of the way from A, class T-shirt/top, to B, class père Noël; "
                               "the mixed style drawn as class T-shirt/top")
    assert interpolation(picture, CODES, IMAGES, LABELS, classes=NAMES).state.value.startswith("t = 0.50 from cat to dog: ")
    view = posterior_view(posterior, picture, IMAGES, LABELS, classes=["T-shirt/top", *NAMES[1:]])
    assert view.state.value.startswith("image 0, T-shirt/top: KL ")
    view.controls["image"].value = 2
    assert view.state.value.startswith("image 2, Hausschwein: KL ")
    assert posterior_view(posterior, picture, IMAGES, LABELS).state.value.startswith("image 0, a 0: ")
    far_east = style_pad(ask, CODES, LABELS, classes=("猫", "犬", "鳥", "魚"))
    assert far_east.controls["class"].options[1] == ("1: 犬", 1) and far_east.state.value.startswith("class 0: 猫 in")


def test_the_label_map_says_names_and_has_a_key():
    def make(classes):
        return label_map(CODES[:, :2], IMAGES, LABELS, range(15), CODES[:, 1:3], LABELS, classes=classes)
    named, plain, numbers = make(NAMES), make(None), make(("5", "6", "7", "8"))
    assert "3 to 4 of each of the classes cat, dog, Hausschwein, père Noël." in named.state.value
    assert "of each of the classes 0–3." in plain.state.value and "of each of the classes 5–8." in numbers.state.value
    k = named.nearest(named.position)
    named.toggle([k])
    assert f"has the label {NAMES[LABELS[k]]}. 16 labels" in named.state.value
    assert pixels(named.image.value).shape[0] > pixels(plain.image.value).shape[0] + 30, "the key"
    assert pixels(plain.image.value).shape == pixels(numbers.image.value).shape and plain.map != numbers.map
    many = label_map(CODES[:, :2], IMAGES, np.arange(N), range(15), CODES[:, 1:3], np.arange(N),
                     classes=[f"kind {k}" for k in range(N)])
    assert "15 labels, 1 of each of 15 classes." in many.state.value


def names_on_a_map(draw) -> tuple:
    """The boxes of the texts that draw(ax) writes on a map from −3 to 3, and the map's own."""
    figure = Figure(figsize=(4, 4), dpi=100)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0.13, 0.13, 0.85, 0.85))
    draw(ax)
    ax.set(xlim=(-3, 3), ylim=(-3, 3))
    _keep_names_apart(ax)
    figure.canvas.draw()
    return [text.get_window_extent() for text in ax.texts], ax.bbox


CROWD = np.concatenate([0.1 * RNG.standard_normal((90, 2)), [[3.0, 2.9]] * 10])
OF_THE_CROWD = np.append(np.arange(90) % 9, [9] * 10)


@pytest.mark.parametrize("names", [FASHION_MNIST, [f"long name of class {k}" for k in range(10)]])
@pytest.mark.parametrize("draw", [lambda ax, names: draw_codes(CROWD, OF_THE_CROWD, ax, classes=names),
                                  lambda ax, names: _draw_styles(CROWD, OF_THE_CROWD, ax, names)], ids=["codes", "styles"])
def test_names_on_the_map_are_kept_apart_and_within_it(draw, names):
    boxes, room = names_on_a_map(lambda ax: draw(ax, names))
    assert len(boxes) == 10 and not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1 + 1 for box in boxes)


def test_numbers_on_the_map_stay_at_their_medians_and_a_hundred_names_are_left_out():
    boxes, _ = names_on_a_map(lambda ax: draw_codes(CROWD, OF_THE_CROWD, ax))
    assert any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    boxes, _ = names_on_a_map(lambda ax: _draw_styles(CROWD, np.arange(100), ax, [f"name {k}" for k in range(100)]))
    assert not boxes


# ---------------------------------------------------------------- the canvas

def grey(z: np.ndarray) -> np.ndarray:
    return picture(z).mean(axis=2)


def grey_posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return 4 * (x[5, 3:5] - 0.5), np.ones(2)


@pytest.mark.parametrize("light", [False, True])
def test_a_drawing_on_a_canvas_of_the_pictures_size(light):
    images = RNG.random((N, HEIGHT, WIDTH))
    images[:, [0, -1]], images[:, :, [0, -1]] = float(light), float(light)
    box = posterior_view(grey_posterior, grey, images, LABELS, classes=NAMES)
    assert box.sketch.size == [HEIGHT, WIDTH] and box.sketch.dark_on_light == light and box.sketch.what == "a picture"
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    ink[3:9, 5] = 255
    assert say(box.sketch, {}, [memoryview(ink.tobytes())]) == ANSWER
    np.testing.assert_allclose(box.x, (255 - ink if light else ink) / 255)
    assert box.state.value.startswith("your drawing: KL ")


def test_a_drawing_is_centred_only_where_pictures_are_digits():
    images, ink = RNG.random((N, 28, 28)), np.zeros((28, 28), np.uint8)
    ink[2:6, 20:25] = 255
    for names, labels, centred in ((None, LABELS, True), (tuple("0123"), LABELS, True), (None, None, True),
                                   (NAMES, LABELS, False), (None, LABELS + 10, False)):
        box = posterior_view(grey_posterior, lambda z: np.resize(grey(z), (28, 28)), images, labels, classes=names)
        assert isinstance(box, Explorer), box
        box.draw(ink)
        assert (np.abs(box.x - ink / 255).max() > 0.5) == centred and box.sketch.what == (
            "a digit" if centred else "a picture")


def test_pictures_in_colour_have_no_canvas():
    assert not hasattr(EXPLORERS["posterior"](), "sketch")


# ---------------------------------------------------------------- what is none of these

def bad(make, images=IMAGES, labels=LABELS, classes=NAMES, draw=picture, codes=CODES):
    calls = {"interpolation": lambda: interpolation(draw, codes, images, labels, classes=classes),
             "posterior": lambda: posterior_view(lambda x: (np.resize(x, 4).astype(float), np.ones(4)), draw, images, labels,
                                                 classes=classes),
             "style-mix": lambda: style_mix(lambda z, y: draw(z), codes, images, labels, classes=classes),
             "style-pad": lambda: style_pad(lambda z, y: draw(z), codes, labels, classes=classes),
             "pad": lambda: latent_pad(draw, codes[:, :2], labels, classes=classes),
             "axes": lambda: axis_sliders(draw, codes, images),
             "label-map": lambda: label_map(codes[:, :2], images, labels, range(9), codes[:, 1:3], labels, classes=classes)}
    return calls[make]()


WITH_IMAGES = ("interpolation", "posterior", "style-mix", "axes", "label-map")
WITH_LABELS = ("interpolation", "posterior", "style-mix", "style-pad", "pad", "label-map")
DRAWING = ("interpolation", "posterior", "style-mix", "style-pad", "pad", "axes")
BAD = [
    (WITH_IMAGES, {"images": 255 * IMAGES}, "The images must lie in [0, 1], got values from"),
    (WITH_IMAGES, {"images": 255 * IMAGES}, "If white is 255, give images / 255."),
    (WITH_IMAGES, {"images": 2 * IMAGES - 1}, "If −1 is black, give (images + 1) / 2."),
    (WITH_IMAGES, {"images": np.round(16 * IMAGES).astype(np.uint8)}, "bytes of which none is above 16. If white is 16"),
    (WITH_IMAGES, {"images": IMAGES.reshape(N, -1)}, "if each row is one, images.reshape(-1, H, W)"),
    (WITH_IMAGES, {"images": IMAGES[..., [0, 1, 2, 2]]}, "opacity: leave it out by images[..., :3]"),
    (WITH_IMAGES, {"images": IMAGES[:, :3]}, "If axis 1 holds the colours"),
    (WITH_IMAGES, {"images": np.zeros((0, 3, 4, 4))}, "The data set is empty"),
    (WITH_IMAGES, {"images": [np.zeros((4, 5)), np.zeros((5, 5))] * (N // 2)}, "must all have one size"),
    (WITH_IMAGES, {"images": np.array(["a.png"] * N)}, "got ndarray. Give the pictures themselves"),
    (("interpolation", "posterior", "style-mix", "axes"), {"images": IMAGES.mean(axis=3)},
     f"have ({HEIGHT}, {WIDTH}) pixels and the decoder's pictures ({HEIGHT}, {WIDTH}, 3)"),
    (WITH_LABELS, {"labels": np.array(NAMES)[LABELS]}, "data.from_arrays(images, labels) numbers them and keeps"),
    (WITH_LABELS, {"labels": [NAMES[k] for k in LABELS]}, "such as 'cat'"),
    (WITH_LABELS, {"labels": LABELS + 0.5}, "labels must be whole numbers, the classes, and they are float64"),
    (WITH_LABELS, {"labels": np.eye(4)[LABELS]}, "give one for each. One number each, of rows that mark it with a 1: "
                                                 "labels.argmax(1)"),
    (WITH_LABELS, {"labels": LABELS[:7]}, "labels of shape (7,): give one for each"),
    (WITH_LABELS, {"classes": NAMES[:3]}, "classes has 3 names, for the labels 0 to 2, and labels go from 0 to 3"),
    (WITH_LABELS, {"labels": LABELS - 1}, "labels go from -1 to 2"),
    (WITH_LABELS, {"classes": "cats"}, "classes must be a list of names, and got str: 'cats'. Give what data.from_arrays"),
    (WITH_LABELS, {"classes": {0: "cat"}}, "classes must be a list of names, and got dict"),
    (WITH_LABELS, {"classes": 4}, "classes must be a list of names, and got int: 4"),
    (WITH_LABELS, {"classes": ["cat", "cat", "dog", "bird"]}, "The names in classes must differ"),
    (DRAWING, {"draw": lambda z: 255 * picture(z)}, "must lie in [0, 1], and go from"),
    (DRAWING, {"draw": lambda z: 255 * picture(z)}, "If white is 255, give picture(z) / 255."),
    (DRAWING, {"draw": lambda z: 2 * picture(z) - 1}, "If −1 is black, give (picture(z) + 1) / 2."),
    (DRAWING, {"draw": lambda z: picture(z) * np.nan}, "Some are NaN or infinite"),
    (DRAWING, {"draw": lambda z: picture(z)[:, :, [0, 1, 2, 2]]}, "picture(z) must have shape (H, W) or (H, W, 3), got"),
    (DRAWING, {"draw": lambda z: picture(z)[None]}, "Of several pictures plots.image_grid(picture(z)) makes one"),
    (DRAWING, {"draw": lambda z: picture(z).ravel()}, "gets its size back by picture(z).reshape(H, W)"),
    (DRAWING, {"draw": lambda z: None}, "picture(z) must be an array of numbers, got NoneType"),
    (("interpolation", "axes", "pad"), {"draw": lambda z: picture(z)[:8 + int(z[0] > 0)]}, "must have one size"),
]


@pytest.mark.parametrize("make, given, words", [(make, given, words) for kinds, given, words in BAD for make in kinds])
def test_what_does_not_fit_gets_words(make, given, words):
    notice = bad(make, **given)
    assert isinstance(notice, Notice) and words in notice.message, notice


@pytest.mark.parametrize("posterior, words", [
    (lambda x: np.zeros(4), "must be the pair mu (Z,), sigma (Z,), and is ndarray. Give vae.posterior."),
    (lambda x: (np.zeros((1, 4)), np.ones((1, 4))), "they have shapes (1, 4) and (1, 4)"),
    (lambda x: torch.nn.Linear(7, 2)(torch.tensor(x).reshape(1, -1)), "The encoder does not take these images (mat1"),
])
def test_an_encoder_that_gives_something_else_is_explained(posterior, words):
    notice = posterior_view(posterior, picture, IMAGES)
    assert isinstance(notice, Notice) and words in notice.message


# ---------------------------------------------------------------- trained or not

def spot(z: np.ndarray) -> np.ndarray:
    """A small spot, at a place of its own for each code, in a picture that is the same elsewhere."""
    image = np.full((40, 40), 0.9)
    row, column = (16 + 4 * np.tanh(z[:2])).astype(int)
    image[row:row + 5, column:column + 5] = 0.1
    return image


def faint(z: np.ndarray) -> np.ndarray:
    """A slope that changes little."""
    return 0.5 + 0.1 * np.tanh(z[0]) * np.linspace(-1, 1, 30)[:, None] * np.ones((1, 20))


@pytest.mark.parametrize("draw", [spot, faint])
def test_small_and_faint_changes_can_be_explored(draw):
    assert isinstance(latent_sliders(draw, 2, [0, 1]), Explorer)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", [(3, 16, 20), (1, 40, 24)])
def test_untrained_decoders_of_any_size_are_not(seed, shape):
    torch.manual_seed(seed)
    channels, height, width = shape
    dense = torch.nn.Sequential(torch.nn.Linear(5, 300), torch.nn.ReLU(), torch.nn.Linear(300, int(np.prod(shape))),
                                torch.nn.Unflatten(1, shape), torch.nn.Sigmoid())
    convolutions = torch.nn.Sequential(torch.nn.Linear(5, 32 * height * width // 16), torch.nn.SiLU(),
                                       torch.nn.Unflatten(1, (32, height // 4, width // 4)),
                                       torch.nn.ConvTranspose2d(32, 16, 4, 2, 1), torch.nn.SiLU(),
                                       torch.nn.ConvTranspose2d(16, channels, 4, 2, 1), torch.nn.Sigmoid())
    for decoder in (dense, convolutions):
        notice = latent_sliders(lambda z, decode=decoder: decode(torch.tensor(z[None]).float())[0], 5, [0])
        assert isinstance(notice, Notice) and "not trained" in notice.message
