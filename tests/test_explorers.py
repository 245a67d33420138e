"""The explorers of the latent space without a browser: what the front end sends is set by hand."""

import base64
import html
import importlib
import io
import re
import sys
import threading

import ipywidgets
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from vae_course import conditional, models
from vae_course.plots import COLOURS
from vae_course.widgets import (
    Explorer,
    Notice,
    axis_sliders,
    figure_sliders,
    interpolation,
    label_map,
    latent_pad,
    latent_sliders,
    posterior_view,
    style_mix,
    style_pad,
)
from vae_course.widgets.figures import KeptFigure
from vae_course.widgets.images import CHARTS, _draw_bars
from vae_course.widgets.pictures import Nearest, like_mnist, stack

RNG = np.random.default_rng(0)
IMAGES = RNG.random((40, 28, 28)).astype(np.float32)
LABELS = np.arange(40) % 10


def picture(z: np.ndarray) -> np.ndarray:
    """28 × 28 pixels, of which column k shows z[k]."""
    image = np.zeros((28, 28))
    image[:, :] = 1 / (1 + np.exp(-np.resize(z, 28)))
    return image


def ask(z: np.ndarray, y: int) -> np.ndarray:
    """That picture, with two rows of ones at a height that tells the class."""
    image = picture(z)
    image[2 * y:2 * y + 2] = 1
    return image


def posterior(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three latents: twice the deviation of the first pixels from ½, and fixed widths."""
    return 4 * (x[0, :3] - 0.5).astype(float), np.array([0.5, 1.0, 0.1])


def codes(latents: int) -> np.ndarray:
    return RNG.standard_normal((40, latents)) * np.linspace(2, 0.5, latents)


def crowd() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """So many codes, with small images and labels, that each step of a slider comes to another one."""
    return np.concatenate([codes(2) for _ in range(20)]), RNG.random((800, 7, 5)), np.arange(800) % 10


EXPLORERS = {
    "pad": lambda: latent_pad(picture, codes(2), LABELS),
    "axes": lambda: axis_sliders(picture, codes(5), IMAGES, axes=3),
    "interpolation": lambda: interpolation(picture, codes(5), IMAGES, LABELS),
    "posterior": lambda: posterior_view(posterior, picture, IMAGES, LABELS),
    "latent-sliders": lambda: latent_sliders(picture, 5, [0, 3]),
    "style-pad": lambda: style_pad(ask, codes(5), LABELS),
    "style-pad of two": lambda: style_pad(ask, codes(2), LABELS),
    "style-mix": lambda: style_mix(ask, codes(5), IMAGES, LABELS),
    "label-map": lambda: label_map(*crowd(), range(15), codes(2), LABELS),
}
every_explorer = pytest.mark.parametrize("make", EXPLORERS.values(), ids=EXPLORERS)


def move(control, up: bool = True) -> None:
    if isinstance(control, ipywidgets.Dropdown):
        control.index = int(up)
        return
    steps = 1 if isinstance(control.value, int) else 30 * control.step
    control.value += steps if up else -steps


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


@every_explorer
def test_each_control_moves_the_picture_and_the_words_and_moving_back_restores_them(make):
    box = make()
    start = box.image.value, box.state.value
    for control in box.controls.values():
        first = control.value
        move(control, up=isinstance(control, ipywidgets.Dropdown) or control.value < control.max)
        assert box.image.value != start[0] and box.state.value not in ("", start[1])
        control.value = first
        assert (box.image.value, box.state.value) == start


@every_explorer
def test_a_page_without_a_kernel_gets_a_still_picture_and_words(make):
    box = make()
    still, live = box.outputs()
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == box.model_id
    assert live["text/plain"] == f"Explorer: {box.state.value}" and len(live) == 2, "the picture is stored once"
    [png] = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', still["text/html"])
    assert size(base64.b64decode(png))[0] > 100
    assert html.escape(box.state.value) in re.search('alt="([^"]+)"', still["text/html"])[1]
    assert f"live-{box.model_id}" in box._dom_classes and f":has(.live-{box.model_id})" in still["text/html"]


@pytest.fixture
def shell():
    """An IPython of its own, in which `show` runs a cell and gives the outputs that it displays, in order."""
    shell = InteractiveShell.instance()
    shell.user_ns.update(EXPLORERS=EXPLORERS, np=np, latent_pad=latent_pad, picture=picture, figure_sliders=figure_sliders)

    def show(cell: str) -> list[dict]:
        with capture_output() as captured:
            shell.run_cell(cell, store_history=False).raise_error()
        return [output.data for output in captured.outputs]
    yield show
    InteractiveShell.clear_instance()


def test_displayed_or_as_a_cells_value_an_explorer_gives_its_two_outputs_once(shell):
    value = shell('box = EXPLORERS["axes"](); box')
    displayed = shell("display(box)")
    for outputs in (value, displayed):
        assert [sorted(data)[-1] for data in outputs] == ["text/html", "text/plain"]
        assert "vae-still" in outputs[0]["text/html"] and outputs[1]["text/plain"].startswith("Explorer: ")
    both = shell('display(box, EXPLORERS["pad"]())')
    assert ["text/html" in data for data in both] == [True, False, True, False]
    assert len({re.search(r"still-(live-\w+)", data["text/html"])[1] for data in both[::2]}) == 2


def test_a_notice_is_displayed_without_a_widget(shell):
    [data] = shell("display(latent_pad(picture, np.zeros((0, 2))))")
    assert set(data) == {"text/html", "text/plain"} and 'role="alert"' in data["text/html"]


def test_an_explorer_whose_first_frame_fails_is_displayed_with_its_error(shell):
    [data] = shell("figure_sliders(lambda ax, height: 1 / 0, {'height': (0.0, 1.0, 0.5)})")
    assert data["text/plain"] == "Explorer: ZeroDivisionError: division by zero"


@every_explorer
def test_two_explorers_do_not_disturb_each_other(make):
    one, two = make(), make()
    before = two.image.value
    move(next(iter(one.controls.values())))
    assert two.image.value == before


@every_explorer
def test_callbacks_draw_no_global_random_numbers_and_work_in_another_thread(make):
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    box = make()
    before = box.image.value
    thread = threading.Thread(target=lambda: move(next(iter(box.controls.values()))))
    thread.start()
    thread.join()
    for button in box.buttons.values():
        button.click()
    assert torch.equal(states[0], torch.get_rng_state()) and np.array_equal(states[1], np.random.get_state()[1])
    assert box.image.value and before


@every_explorer
def test_an_error_in_a_callback_is_shown_and_passes(make, monkeypatch):
    box = make()
    good = box._frame
    box._frame = lambda: 1 / 0
    move(next(iter(box.controls.values())))
    assert box.state.value == "ZeroDivisionError: division by zero"
    box._frame = good
    move(next(iter(box.controls.values())), up=False)
    assert "Error" not in box.state.value


# ---------------------------------------------------------------- the pad

def say(control, content: dict, buffers=()) -> list[dict]:
    """What the front end does: it sends a message. Returns the answers."""
    answers = []
    control.send = lambda content, buffers=None: answers.append(content)
    control._handle_custom_msg({**content, "view": "v", "number": 7}, list(buffers))
    return answers


ANSWER = [{"seen": 7, "view": "v"}]


def test_the_pad_asks_and_is_answered():
    asked = []
    box = latent_pad(lambda z: (asked.append(z), picture(z))[1], codes(2))
    before = len(asked)
    assert say(box.pad, {"x": 1.25, "y": -0.5}) == ANSWER
    assert asked[before].tolist() == [1.25, -0.5] and len(asked) == before + 1
    assert box.state.value == "z = (1.25, −0.50)" and box.pad.position == [1.25, -0.5]


def test_the_pad_is_answered_also_when_the_decoder_fails():
    box = latent_pad(picture, codes(2))
    box.picture = lambda z: 1 / 0
    assert say(box.pad, {"x": 1.0, "y": 1.0}) == ANSWER
    assert box.state.value.startswith("ZeroDivisionError")


def test_sliders_stand_in_until_the_front_end_is_there():
    box = latent_pad(picture, codes(2))
    assert (box.pad.layout.display, box._stand_in.layout.display) == ("none", None)
    box.controls["z[0]"].value = 1.5
    assert box.state.value == "z = (1.50, 0.00)"
    box.pad.alive = True
    assert (box.pad.layout.display, box._stand_in.layout.display) == ("", "none")
    assert box.pad.position == [1.5, 0.0]


def test_back_to_zero_moves_the_pad_too():
    box = latent_pad(picture, codes(2))
    say(box.pad, {"x": 1.0, "y": 2.0})
    box.buttons["back to z = 0"].click()
    assert box.pad.position == [0.0, 0.0] and box.state.value == "z = (0.00, 0.00)"


def test_the_map_shows_codes_or_decoded_pictures():
    box = latent_pad(picture, codes(2), LABELS)
    first = box.pad.map
    box.ground.value = "manifold"
    assert box.pad.map != first and box.pad.map_in_words == "map of the manifold" and size(box.pad.map) == size(first)
    box.ground.value = "codes"
    assert box.pad.map == first


def test_the_map_has_room_for_nearly_all_codes_and_for_three_standard_deviations():
    assert latent_pad(picture, codes(2)).reach >= 3
    assert latent_pad(picture, 4 * codes(2)).reach > 10


@pytest.fixture
def without_anywidget(monkeypatch):
    """The package as it is imported where anywidget is missing."""
    names = [name for name in sys.modules if name.startswith("vae_course.widgets")]
    kept = {name: sys.modules.pop(name) for name in names}
    monkeypatch.setitem(sys.modules, "anywidget", None)
    yield importlib.import_module("vae_course.widgets")
    for name in [name for name in sys.modules if name.startswith("vae_course.widgets")]:
        del sys.modules[name]
    sys.modules.update(kept)


def test_without_anywidget_core_controls_do_the_work(without_anywidget):
    pad = without_anywidget.latent_pad(picture, codes(2))
    start = pad.image.value
    pad.controls["z[1]"].value = -1
    assert pad.pad is None and pad.image.value != start and pad.state.value == "z = (0.00, −1.00)"
    pad.buttons["back to z = 0"].click()
    assert pad.image.value == start
    pad.ground.value = "manifold"
    styles = without_anywidget.style_pad(ask, codes(4), LABELS)
    start = styles.image.value
    styles.controls["axis 1"].value, styles.controls["digit"].value = 0.5, 3
    assert styles.pad is None and styles.image.value != start
    assert styles.state.value.startswith("digit 3 in the style (0.50, 0.00)")
    styles.buttons["back to the mean"].click()
    assert styles.controls["axis 1"].value == 0 and styles.state.value.startswith("digit 3 in the style (0.00, 0.00)")
    labels = without_anywidget.label_map(*crowd(), range(15), codes(2), LABELS)
    start = labels.image.value, labels._map_beside_sliders.value
    labels.controls["z[0]"].value += 0.5
    labels.buttons["give or take its label"].click()
    assert labels.pad is None and "vae-map" in start[1] and labels._map_beside_sliders.value != start[1]
    assert "has the label" in labels.state.value and " → " in labels.state.value
    labels.buttons["back to the first labels"].click()
    assert (labels.image.value, labels._map_beside_sliders.value) == start
    view = without_anywidget.posterior_view(posterior, picture, IMAGES)
    view.controls["image"].value = 3
    assert view.state.value.startswith("image 3")


# ---------------------------------------------------------------- principal axes, nearest image

def test_axes_are_in_standard_deviations_of_the_codes():
    many = codes(4) + [1, 2, 3, 4]
    asked = []
    box = axis_sliders(lambda z: (asked.append(z), picture(z))[1], many, axes=2)
    np.testing.assert_allclose(asked[-1], many.mean(axis=0))
    box.controls["axis 1"].value = 2.0
    widest = np.linalg.svd(many - many.mean(axis=0))[2][0]
    np.testing.assert_allclose(np.abs((asked[-1] - many.mean(axis=0)) @ widest), 2 * ((many @ widest).std(ddof=1)))


def test_random_z_is_a_draw_from_the_prior_up_to_the_sliders_steps():
    many = codes(6)
    box = axis_sliders(picture, many, axes=6, seed=3)
    box.buttons["random z"].click()
    z = np.random.default_rng(3).standard_normal(6)
    along = box.axes @ (z - box.mean) / box.std
    shown = box.axes @ (box.z - box.mean) / box.std
    inside = np.abs(along) < 3
    np.testing.assert_allclose(shown[inside], along[inside], atol=0.051)
    box.buttons["reset"].click()
    np.testing.assert_allclose(box.z, many.mean(axis=0), atol=1e-12)


def test_what_the_axes_leave_out_is_kept():
    box = axis_sliders(picture, codes(6), axes=2, seed=3)
    box.buttons["random z"].click()
    z = np.random.default_rng(3).standard_normal(6)
    np.testing.assert_allclose(box.z - (box.axes @ box.z) @ box.axes, z - (box.axes @ z) @ box.axes, atol=1e-9)


def test_a_dimension_that_no_code_uses_gets_no_slider():
    many = codes(3)
    many[:, 1] = 0
    assert list(axis_sliders(picture, many).controls) == ["axis 1", "axis 2"]


def test_the_nearest_image_is_found_and_forgotten_at_the_next_move():
    box = axis_sliders(picture, codes(5), np.stack([IMAGES[0], picture(np.zeros(5)), IMAGES[1]]))
    box.buttons["reset"].click()
    before = box.image.value
    box.buttons["nearest training image"].click()
    assert "nearest of 3 images: number 1" in box.state.value and box.image.value != before
    box.controls["axis 1"].value = 0.5
    assert "nearest" not in box.state.value
    box.controls["axis 1"].value = 0.0
    assert box.image.value != before and "nearest" in box.state.value  # the same z has the same nearest image


def test_nearest_agrees_with_brute_force_and_takes_bytes():
    images = (255 * IMAGES).astype(np.uint8)
    wanted = RNG.random((28, 28))
    found, words = Nearest(images).find(wanted)
    distances = np.sqrt(((images / 255 - wanted) ** 2).sum(axis=(1, 2)))
    assert f"number {distances.argmin()}, at distance {distances.min():.1f}" in words
    np.testing.assert_allclose(found, images[distances.argmin()] / 255, atol=1e-6)
    own = [np.sort(np.sqrt(((images / 255 - image / 255) ** 2).sum(axis=(1, 2))))[1] for image in images]
    assert Nearest(images).typical == pytest.approx(np.median(own), abs=0.01)


# ---------------------------------------------------------------- interpolation and the posterior

def test_the_ends_of_the_interpolation_are_the_images():
    box = interpolation(picture, codes(5), IMAGES, LABELS)
    assert box.state.value.startswith("t = 0.50 from a 0 to a 1")
    for control, value in (("A", 7), ("B", 12), ("t", 1.0)):
        box.controls[control].value = value
    pixels = np.asarray(Image.open(io.BytesIO(box.image.value)))
    tiles = [pixels[18:, k * 120:k * 120 + 112][::4, ::4] for k in range(6)]
    np.testing.assert_array_equal(tiles[3], tiles[5])
    np.testing.assert_array_equal(tiles[4], tiles[5])
    np.testing.assert_array_equal(tiles[0], np.round(255 * IMAGES[7]))


def test_the_posterior_view_says_what_the_posterior_is():
    box = posterior_view(posterior, picture, IMAGES, LABELS)
    box.controls["image"].value, box.controls["dimension"].value = 4, 2
    mu, sigma = posterior(IMAGES[4])
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(torch.tensor(mu), torch.tensor(sigma)),
                                           torch.distributions.Normal(0.0, 1.0))
    expected = (f"image 4, a 4: KL {kl.sum():.1f} nats in 3 dimensions; in dimension 2 µ = {mu[2]:.2f}, σ = 0.10, "
                f"KL {kl[2]:.2f}")
    assert box.state.value == expected.replace("-", "−")


def test_a_drawing_is_shown_and_wiped():
    box = posterior_view(posterior, picture, IMAGES)
    start = box.image.value
    ink = np.zeros((28, 28), np.uint8)
    ink[3:9, 10:12] = 255
    assert say(box.sketch, {}, [memoryview(ink.tobytes())]) == ANSWER
    assert box.state.value.startswith("your drawing") and box.image.value != start
    np.testing.assert_allclose(box.x, like_mnist(ink))
    box.buttons["clear"].click()
    assert box.image.value == start and box.sketch.cleared == 1


def test_a_drawing_is_centred_and_scaled_as_mnist_is():
    ink = np.zeros((28, 28), np.uint8)
    ink[0:6, 0:3] = 255
    digit = like_mnist(ink)
    rows, columns = np.nonzero(digit > 0.5)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (20, 10)
    centre = [(np.arange(28) + 0.5) @ digit.sum(axis=axis) / digit.sum() for axis in (0, 1)]
    np.testing.assert_allclose(centre, [14, 14], atol=0.51)
    assert not like_mnist(np.zeros((28, 28), np.uint8)).any()


def test_bars_are_where_the_axes_say():
    charts = KeptFigure(len(CHARTS), (7.6, 2.0))
    for chosen in (0, 1):
        values = np.array([2.0, -9.0, 0.0]), np.array([0.9, 0.3, 5.0]), np.array([1.0, 0.0, 3.0])
        pixels, _ = charts.frame(lambda: _draw_bars(charts.axes, values, chosen))  # noqa: B023

    def at(x, y, chart=0):
        column, row = charts.axes[chart].transData.transform((x, y))
        return "#" + bytes(pixels[len(pixels) - 1 - round(row), round(column)]).hex().upper()

    bar, white = COLOURS["posterior"], "#FFFFFF"
    assert at(0, 1) == at(0.2, 1) == bar and at(0, 3) == at(0, -1) == at(0.5, 1) == white
    assert at(1, -3.5) == "#000000" and at(1, 1) == white
    assert at(0, 0.8, 1) == bar and at(0, 0.95, 1) == white and at(1, 0.2, 1) == "#000000" and at(1, 0.4, 1) == white
    assert at(2, 2.7, 2) == bar and at(2, 3.3, 2) == white and at(1, 0.5, 2) == white


def test_grey_pictures_stand_above_coloured_ones():
    grey, coloured = RNG.integers(0, 256, (5, 7), np.uint8), RNG.integers(0, 256, (4, 3, 3), np.uint8)
    both = stack([grey, coloured])
    assert both.shape == (5 + 8 + 4, 7, 3) and (both[5:13] == 255).all() and (both[13:, 3:] == 255).all()
    assert (both[:5] == grey[:, :, None]).all() and (both[13:, :3] == coloured).all()


# ---------------------------------------------------------------- styles of a conditional model

def tiles(png: bytes, top: int, left: int, n: int, scale: int, side: int = 28) -> list[np.ndarray]:
    """n pictures side by side, with a gap of 8 pixels, that were made `scale` times as large; bytes."""
    pixels, width = np.asarray(Image.open(io.BytesIO(png)))[top:top + scale * side:scale], scale * side
    return [pixels[:, start:start + width:scale] for start in range(left, left + n * (width + 8), width + 8)]


def as_bytes(image: np.ndarray) -> np.ndarray:
    return np.round(255 * image)


def test_style_pad_asks_for_each_class_once_at_the_code_of_the_point():
    asked = []
    box = style_pad(lambda z, y: (asked.append((z.tolist(), y)), ask(z, y))[1], codes(2), LABELS)
    asked.clear()
    assert say(box.pad, {"x": 1.25, "y": -0.5}) == ANSWER
    assert asked == [([1.25, -0.5], y) for y in range(10)] and type(asked[0][1]) is int
    assert box.state.value == "digit 0 at z = (1.25, −0.50)" and box.pad.quantity == "z"


def test_style_pad_of_many_dimensions_lies_in_the_plane_of_the_widest_axes():
    many, asked = codes(5) + np.arange(5), []
    box = style_pad(lambda z, y: (asked.append(z), ask(z, y))[1], many, LABELS)
    np.testing.assert_allclose(asked[-1], many.mean(axis=0))
    box.move_to(1.5, -2.0)
    _, singular, directions = np.linalg.svd(many - many.mean(axis=0))
    along = directions[:2] @ (asked[-1] - many.mean(axis=0)) / (singular[:2] / np.sqrt(len(many) - 1))
    np.testing.assert_allclose(np.abs(along), [1.5, 2.0])  # the sign of an axis is a convention
    np.testing.assert_allclose(directions[2:] @ (asked[-1] - many.mean(axis=0)), 0, atol=1e-12)
    assert box.state.value.startswith("digit 0 in the style (1.50, −2.00), in standard deviations")
    assert box.pad.quantity == "style"


def test_style_pad_shows_the_digit_asked_for_and_below_it_all_in_the_same_style():
    box = style_pad(ask, codes(2), LABELS)
    box.controls["digit"].value = 7
    box.move_to(0.4, -1.1)
    z, width, small = np.array([0.4, -1.1]), 5 * (2 * 28 + 8) - 8, 18 + 2 * 28 + 8
    [large] = tiles(box.image.value, 18, (width - 280) // 2, 1, 10)
    np.testing.assert_array_equal(large, as_bytes(ask(z, 7)))
    rows = [tiles(box.image.value, 18 + 280 + 8 + 18 + k * small, 0, 5, 2) for k in range(2)]
    for y, tile in enumerate(rows[0] + rows[1]):
        np.testing.assert_array_equal(tile, as_bytes(ask(z, y)))


def test_the_menu_has_the_classes_that_occur_and_keeps_its_choice():
    box = style_pad(ask, codes(2), torch.tensor(LABELS % 3 * 4 + 1))
    assert box.controls["digit"].options == (("1", 1), ("5", 5), ("9", 9))
    box.controls["digit"].value = 5
    say(box.pad, {"x": 0.5, "y": 0.0})
    assert box.state.value == "digit 5 at z = (0.50, 0.00)" and box.pad.position == [0.5, 0.0]
    box.buttons["back to z = 0"].click()
    assert box.state.value == "digit 5 at z = (0.00, 0.00)"


def test_every_five_classes_have_a_row_beside_the_map():
    box = style_pad(ask, codes(2), np.arange(40) % 13)
    assert size(box.image.value) == (5 * (2 * 28 + 8) - 8, 18 + 280 + 3 * (8 + 18 + 2 * 28))


def test_style_mix_draws_the_mixed_code_between_its_two_images():
    many = codes(5)
    box = style_mix(ask, many, (255 * IMAGES).astype(np.uint8)[:, None], LABELS)
    for control, value in (("A", 7), ("B", 12), ("t", 0.25), ("digit", 4)):
        box.controls[control].value = value
    assert box.state.value == ("t = 0.25 of the way from A, digit 7, to B, digit 2; the mixed style drawn as digit 4")
    z, width = 0.75 * many[7] + 0.25 * many[12], 10 * (2 * 28 + 8) - 8
    a, mixed, b = tiles(box.image.value, 18, (width - (3 * (6 * 28 + 8) - 8)) // 2, 3, 6)
    np.testing.assert_array_equal(a, (255 * IMAGES[7]).astype(np.uint8))
    np.testing.assert_array_equal(mixed, as_bytes(ask(z, 4)))
    np.testing.assert_array_equal(b, (255 * IMAGES[12]).astype(np.uint8))
    for y, tile in enumerate(tiles(box.image.value, 18 + 6 * 28 + 8 + 18, 0, 10, 2)):
        np.testing.assert_array_equal(tile, as_bytes(ask(z, y)))


def test_a_decoder_that_ignores_the_class_can_be_looked_at():
    box = style_pad(lambda z, y: picture(z), codes(2), LABELS)
    row = tiles(box.image.value, 18 + 280 + 8 + 18, 0, 5, 2)
    assert isinstance(box, Explorer) and all(np.array_equal(tile, row[0]) for tile in row)


def test_codes_on_a_line_still_have_a_plane():
    line = np.outer(np.linspace(-2, 2, 40), np.ones(4))
    box = style_pad(ask, line, LABELS)
    box.move_to(1.0, 1.0)
    assert "Error" not in box.state.value and box.state.value.startswith("digit 0 in the style (1.00, 1.00)")


@pytest.mark.parametrize("name", ["style-pad", "style-mix"])
def test_a_move_makes_no_new_figure(name, monkeypatch):
    box = EXPLORERS[name]()
    monkeypatch.setattr("vae_course.widgets.pad.Figure", None)
    for control in box.controls.values():
        move(control)
    assert "Error" not in box.state.value


def test_a_conditional_model_fits():
    torch.manual_seed(0)
    cvae = conditional.reference_cvae(latent_dim=3)
    for layer in cvae.decoder.net[0]:
        if isinstance(layer, torch.nn.Linear):
            layer.weight.data *= 4  # so that its pictures vary without training
    box = style_pad(cvae.picture, 2 * codes(3), LABELS)
    start = box.image.value
    box.controls["digit"].value = 6
    assert isinstance(box, Explorer) and box.image.value != start and "Error" not in box.state.value


# ---------------------------------------------------------------- bad input: words in the explorer's place

UNTRAINED = models.reference_vae(latent_dim=2)
TRAINED_FOR_THREE = lambda z: picture(z) if len(z) == 3 else models.reference_vae(3).picture(z)  # noqa: E731
BAD = {
    "an untrained model": (lambda: latent_pad(UNTRAINED.picture, codes(2) / 4), "not trained"),
    "an untrained model with its own codes": (
        lambda: axis_sliders(UNTRAINED.picture, UNTRAINED.encode(torch.tensor(IMAGES)[:, None])[0]), "training.fit"),
    "an untrained model on sliders": (lambda: latent_sliders(UNTRAINED.picture, 2, [0]), "load_weights"),
    "an untrained encoder": (lambda: posterior_view(UNTRAINED.posterior, UNTRAINED.picture, IMAGES), "not trained"),
    "codes of another model": (lambda: axis_sliders(TRAINED_FOR_THREE, codes(4)), "the same model that decodes"),
    "a pad for three": (lambda: latent_pad(picture, codes(3)), "widgets.axis_sliders"),
    "no codes": (lambda: latent_pad(picture, np.zeros((0, 2))), "Encode a data set first"),
    "no images": (lambda: interpolation(picture, codes(2), IMAGES[:0]), "data.load_mnist()"),
    "no images to choose": (lambda: posterior_view(posterior, picture, torch.zeros(0, 1, 28, 28)), "The data set is empty"),
    "no training images": (lambda: axis_sliders(picture, codes(3), IMAGES[:0]), "The data set is empty"),
    "codes of other images": (lambda: interpolation(picture, codes(2), IMAGES[:7]), "40 codes and 7 images"),
    "pictures in 0–255": (lambda: posterior_view(posterior, picture, 255 * IMAGES), "lie in [0, 1]"),
    "images of another size": (lambda: posterior_view(UNTRAINED.posterior, picture, np.zeros((3, 30, 30))), "does not take"),
    "labels for others": (lambda: latent_pad(picture, codes(2), LABELS[:5]), "give one for each"),
    "diverged codes": (lambda: latent_pad(picture, np.full((5, 2), np.nan)), "learning_rate"),
    "an untrained conditional model": (
        lambda: style_pad(conditional.reference_cvae().picture, codes(20), LABELS), "not trained"),
    "styles without effect": (lambda: style_mix(lambda z, y: ask(0 * z, y), codes(5), IMAGES, LABELS), "have collapsed"),
    "a model that cannot be asked": (lambda: style_pad(UNTRAINED.picture, codes(2), LABELS), "a plain VAE cannot be asked"),
    "a function without a class": (lambda: style_mix(picture, codes(5), IMAGES, LABELS), "e.g. cvae.picture"),
    "styles of another model": (
        lambda: style_pad(conditional.reference_cvae(latent_dim=3).picture, codes(4), LABELS), "codes of 4 numbers"),
    "classes of another model": (
        lambda: style_pad(conditional.reference_cvae(num_classes=4, latent_dim=4).picture, codes(4), LABELS),
        "the labels that it was trained with"),
    "no codes of styles": (lambda: style_pad(ask, np.zeros((0, 20)), LABELS[:0]), "Encode a data set first"),
    "a plane of one": (lambda: style_pad(ask, codes(1), LABELS), "widgets.style_mix"),
    "no images to mix": (lambda: style_mix(ask, codes(5), IMAGES[:0], LABELS), "The data set is empty"),
    "styles of other images": (lambda: style_mix(ask, codes(5), IMAGES[:7], LABELS), "40 codes and 7 images"),
    "images of another size to mix": (lambda: style_mix(ask, codes(5), IMAGES[:, 1:], LABELS), "(27, 28) pixels"),
    "classes for others": (lambda: style_pad(ask, codes(2), LABELS[:5]), "give one for each"),
    "one-hot classes": (lambda: style_mix(ask, codes(5), IMAGES, np.eye(10)[LABELS]), "give one for each"),
    "classes that are no whole numbers": (lambda: style_pad(ask, codes(2), LABELS / 2), "whole numbers"),
    "a decoder that fails": (lambda: latent_pad(lambda z: 1 / 0, codes(2)), "ZeroDivisionError"),
}


@pytest.mark.parametrize("make, words", BAD.values(), ids=BAD)
def test_bad_input_gives_a_message_in_the_explorers_place(make, words):
    notice = make()
    assert isinstance(notice, Notice) and not isinstance(notice, Explorer)
    assert words in notice.message
    bundle = notice._repr_mimebundle_()
    assert 'role="alert"' in bundle["text/html"] and words in bundle["text/plain"]
    assert set(bundle) == {"text/html", "text/plain"}, "words that need a kernel to be seen"


# ---------------------------------------------------------------- a kept figure is the figure drawn anew

def lines(axes, height, n):
    axes[0].plot(range(n), [height * k for k in range(n)], label="line")
    axes[0].set(xlim=(0, 5), ylim=(0, 10), xlabel="x", title=f"n = {n}" if n > 3 else "")
    axes[0].legend()
    axes[1].contour(np.outer(range(4), range(5)) * height, levels=[1, 3])


def bars(axes, height, n):
    axes[0].bar(range(n), height)
    axes[0].set_xticks(range(n), [f"bar {k}" for k in range(n)])
    if n > 4:
        axes[1].set(xscale="log", ylabel="only then")
    axes[1].fill_between(range(1, 1 + n), height)


def images(axes, height, n):
    axes[0].imshow(np.full((n, n), height), vmin=0, vmax=3)
    if n > 3:
        axes[0].set_axis_off()
    axes[1].text(0.5, 0.5, f"{height:.2f}")


@pytest.mark.parametrize("draw", [lines, bars, images])
def test_a_kept_figure_is_the_figure_drawn_anew(draw):
    kept = KeptFigure(2, (6, 3))
    kept.frame(lambda: draw(kept.axes, 1.0, 3))
    for height, n in ((1.5, 3), (0.5, 3), (0.5, 5), (2.0, 4), (1.0, 3)):
        kept.frame(lambda: draw(kept.axes, height, n))  # noqa: B023
        found = np.array(kept.canvas.buffer_rgba()).astype(int)
        for ax in kept.axes:
            ax.clear()
        draw(kept.axes, height, n)
        kept.canvas.draw()
        expected = np.array(kept.canvas.buffer_rgba()).astype(int)
        assert (np.abs(found - expected).max(axis=-1) > 40).mean() < 1e-3, (height, n)


def test_axes_that_the_drawing_adds_are_drawn_and_go_again():
    def twins(ax, height):
        ax.plot([0, height])
        if height > 1:
            ax.twinx().plot([height, 0], color="black", linewidth=5)

    kept = KeptFigure(1, (4, 3))
    plain, both, again = (kept.frame(lambda height=height: twins(kept.axes[0], height))[0].copy()
                          for height in (1.0, 2.0, 1.0))
    assert (both != plain).any() and (again == plain).all() and len(kept.figure.axes) == 1
