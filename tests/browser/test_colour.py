"""Explorers of pictures in colour, and of any size, in a real browser: the colour under the hand, and how large all is."""

import io
import re

import moves
import numpy as np
import pytest
from PIL import Image
from test_explorers_in_browser import names
from views import numbers, until

# Codes are colours: z[0] is red, z[1] green, z[2] how wide a blue spot is. Pictures of 48 × 32 pixels, or of other sizes.
SOURCE = '''
import numpy as np

from vae_course import widgets

def grid(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    return rows / (height - 1), columns / (width - 1)

def sigmoid(v):
    return 1 / (1 + np.exp(-np.asarray(v, dtype=float)))

def coloured(height, width):
    rows, columns = grid(height, width)
    def picture(z):
        red, green = sigmoid(z[:2])
        spot = np.exp(-((columns - 0.5)**2 + (rows - 0.5)**2) / (0.2 * np.exp(0.3 * np.sum(z[2:])))**2)
        return np.stack([np.full((height, width), red), green * (1 - rows), spot], axis=-1)
    return picture

def grey(height, width):
    picture = coloured(height, width)
    return lambda z: picture(z).mean(axis=2)

picture = coloured(48, 32)

def ask(z, y):
    image = picture(z)
    image[44:, 4 * y:4 * y + 4] = 1
    return image

def posterior(image):
    colour = np.clip(image.mean(axis=(0, 1)) if image.ndim == 3 else [image.mean(), 0.5, 0.5], 0.05, 0.95)
    return np.log(colour / (1 - colour)), np.array([0.2, 0.3, 0.9])

def halves(height, width, paper):  # two bright halves on black paper, or two dark ones on white
    def picture(z):
        ink = np.zeros((height, width))
        ink[1:-1, 1:width // 2], ink[1:-1, width // 2:-1] = sigmoid(z[:2])
        return np.abs(paper - ink)
    return picture

def posterior_of_halves(image):
    middle = image.shape[1] // 2
    ink = np.abs(image[0, 0] - np.array([image[1:-1, 1:middle].mean(), image[1:-1, middle:-1].mean(), 0.5]))
    return np.log(np.clip(ink, 0.05, 0.95) / (1 - np.clip(ink, 0.05, 0.95))), np.array([0.2, 0.3, 0.9])

codes = np.random.default_rng(0).standard_normal((60, 3))
images = (255 * np.stack([picture(z) for z in codes])).astype(np.uint8).transpose(0, 3, 1, 2)  # as data.from_arrays has them
classes = ("cat", "dog", "Hausschwein", "père Noël", "猫")
labels = np.arange(60) % 5
many = np.random.default_rng(1).standard_normal((300, 2))
'''

CALLS = {
    "latent-sliders": "widgets.latent_sliders(picture, 3, [0, 1, 2])",
    "pad": "widgets.latent_pad(picture, codes[:, :2], labels, classes=classes)",
    "axes": "widgets.axis_sliders(picture, codes, images, axes=3)",
    "interpolation": "widgets.interpolation(picture, codes, images, labels, classes=classes)",
    "posterior": "widgets.posterior_view(posterior, picture, images, labels, classes=classes)",
    "style-pad": "widgets.style_pad(ask, codes, labels, classes=classes[:4] + ('bird',))",
    "style-mix": "widgets.style_mix(ask, codes, images, labels, classes=classes)",
    "label-map": "widgets.label_map(many, np.stack([picture(z) for z in many]), np.arange(300) % 5, range(20), "
                 "many[::-1] / 2, np.arange(300) % 5, classes=classes)",
}
MODEL: dict = {}
exec(SOURCE, MODEL)


def open_and_run(notebook, *cells: str) -> list:
    """A notebook with the model and these cells, run; returns its explorers."""
    notebook.open([SOURCE, *cells], "colour")
    notebook.run_all()
    assert not notebook.broken_widgets()
    return notebook.explorers()


def pixels(png: bytes) -> np.ndarray:
    """The pixels of a picture, (H, W) or (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)))


def predicted(z, picture=MODEL["picture"]) -> np.ndarray:
    """The picture of the code z, made here, in bytes."""
    return np.round(255 * picture(np.asarray(z)))


def shows(png: bytes, z) -> bool:
    """Whether this is the picture of z, five times as large."""
    found = pixels(png)
    return found.shape == (240, 160, 3) and np.array_equal(found, predicted(z).repeat(5, 0).repeat(5, 1))


# ---------------------------------------------------------------- the colour follows the hand

def wait_for_the_place(explorer):
    """Wait until picture and words are those of the place where the pad's point is."""
    def holds(frame) -> bool:
        z = numbers(explorer.pad.says())
        return numbers(frame.words) == z and shows(frame.picture, z)
    return explorer.wait_for(holds, "picture and words of where the point is")


def test_the_colour_changes_under_the_pointer_as_predicted(notebook):
    [explorer] = open_and_run(notebook, CALLS["pad"])
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    assert shows(explorer.picture(), [0, 0])
    seen = []
    for across, down in ((0.9, 0.3), (0.3, 0.3), (0.3, 0.7)):
        explorer.pad.drag(explorer.pad.marker(), explorer.pad.point(across, down))
        frame = wait_for_the_place(explorer)
        seen.append(pixels(frame.picture)[0, 0])
    notebook.screenshot("colour-pad", explorer.element)
    (red, green, _), (less_red, same_green, _), (same_red, less_green, _) = np.array(seen, dtype=int)
    assert red > less_red + 100 and green > less_green + 50
    assert abs(int(green) - same_green) < 10 and abs(int(less_red) - same_red) < 10
    explorer.pad.press("Shift+ArrowRight", 2)
    assert pixels(wait_for_the_place(explorer).picture)[0, 0, 0] > less_red + 50


def test_a_slider_changes_its_own_colour(notebook):
    [explorer] = open_and_run(notebook, CALLS["latent-sliders"])
    assert shows(explorer.picture(), [0, 0, 0])
    for slider, steps, z in (("z[0]", 15, [1.5, 0, 0]), ("z[1]", -10, [1.5, -1, 0]), ("z[2]", 4, [1.5, -1, 0.4])):
        explorer.slider(slider).press(steps)
        explorer.wait_for(lambda frame, z=z: shows(frame.picture, z), f"the picture of {z}")
    notebook.screenshot("colour-latent-sliders", explorer.element)


@pytest.mark.parametrize("kind", CALLS)
def test_keyboard_and_pointer_in_colour(notebook, kind):
    [explorer] = open_and_run(notebook, CALLS[kind])
    assert explorer.kind == kind and pixels(explorer.picture()).ndim == 3
    notebook.screenshot(f"colour-explorer-{kind}", explorer.element)
    assert not explorer.canvas.count()
    moves.try_everything(explorer)


def test_menus_and_words_say_the_names_of_the_classes(notebook):
    [explorer] = open_and_run(notebook, CALLS["style-pad"])
    [menu] = explorer.menus()
    options = [text.replace("\xa0", " ") for text in menu.locator("option").all_inner_texts()]
    assert names(menu) == "class" and options == ["cat", "dog", "Hausschwein", "père Noël", "bird"]
    menu.select_option(index=3)
    explorer.wait_for(lambda frame: frame.words.startswith("class père Noël in the style"), "the name in the words")


# ---------------------------------------------------------------- how large

SIZES = [(8, 8), (28, 28), (48, 32), (96, 96), (17, 64), (256, 256), (600, 400)]


@pytest.mark.parametrize("kind", ["coloured", "grey"])
def test_pictures_of_every_size_are_of_sensible_size_on_the_page(notebook, kind):
    cells = [f"picture = {kind}{size}\nimages = np.stack([picture(z) for z in codes])\n"
             "display(widgets.latent_sliders(picture, 3, [0]), widgets.interpolation(picture, codes, images), "
             "widgets.posterior_view(posterior, picture, images))" for size in SIZES]
    explorers = open_and_run(notebook, *cells)
    assert len(explorers) == 3 * len(SIZES)
    for k, (height, width) in enumerate(SIZES):
        alone, row, view = explorers[3 * k:3 * k + 3]
        for explorer in (alone, row, view):
            explorer.element.scroll_into_view_if_needed()
            notebook.screenshot(f"size-{kind}-{height}-{width}-{explorer.kind}", explorer.element)
        (across, down), (of_all, high), (of_view, _) = map(on_the_page, (alone, row, view))
        assert 150 <= max(across, down) <= 280 and abs(across / down - width / height) < 0.05 * width / height
        assert 300 <= of_all <= 760 and high <= 180 and 640 <= of_view <= 760
        if (height, width) == (28, 28):
            assert (across, down, of_all) == (224, 224, 712)


def on_the_page(explorer) -> tuple[float, float]:
    """Width and height of an explorer's picture in pixels of the page, which are the picture's own."""
    box = explorer.element.locator("img.widget-image").bounding_box()
    assert (box["width"], box["height"]) == pytest.approx(pixels(explorer.picture()).shape[1::-1], abs=0.51)
    return box["width"], box["height"]


# ---------------------------------------------------------------- the canvas

@pytest.mark.parametrize("height, width, light", [(8, 8, False), (48, 32, False), (20, 90, True), (200, 200, False)])
def test_the_canvas_has_the_size_of_the_pictures(notebook, height, width, light):
    cell = (f"picture = halves({height}, {width}, {int(light)})\n"
            "asked = []\ndef listening(image):\n    asked.append(image)\n    return posterior_of_halves(image)\n"
            "widgets.posterior_view(listening, picture, np.stack([picture(z) for z in codes]), labels, classes=classes)")
    [explorer] = open_and_run(notebook, cell)
    until(notebook.page, explorer.canvas.is_visible, "the canvas")
    assert explorer.canvas.evaluate("canvas => [canvas.height, canvas.width]") == [height, width]
    box = explorer.canvas.bounding_box()
    assert max(box["width"], box["height"]) == pytest.approx(170, abs=1)  # with its edge
    assert (box["width"] - 2) / (box["height"] - 2) == pytest.approx(width / height, rel=0.03)
    assert explorer.canvas.evaluate("canvas => canvas.getContext('2d').getImageData(0, 0, 1, 1).data[0]") == 255 * light
    notebook.page.get_by_role("application", name=re.compile("^draw a picture: ")).wait_for()
    moves.draw_and_clear(explorer)
    explorer.canvas.focus()
    for key in ("Space", *["ArrowRight"] * 3, "Space"):
        notebook.page.keyboard.press(key)
    explorer.wait_for(lambda frame: "your drawing" in frame.words, "a drawing by keys")
    notebook.screenshot(f"canvas-{height}-{width}", explorer.element)
    in_the_middle = (f"ink = np.abs({int(light)} - asked[-1])\nrows, columns = np.nonzero(ink > 0.5)\n"
                     f"assert ink.shape == ({height}, {width}) and ink[0, 0] == 0 and ink.max() > 0.75\n"
                     f"assert abs(rows.mean() + 0.5 - {height / 2}) < {max(1, height / 10)}")
    assert notebook.run_unseen(in_the_middle) == "ok"
