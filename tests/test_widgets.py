"""Explorers without a browser: a slider is moved by setting its value, a button is pressed by click()."""

import io
import re
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from vae_course.widgets import figure_sliders, latent_sliders, pictures
from vae_course.widgets.codes import PICTURE_BOX

LATENTS = 5


class Recorder:
    """A picture of 4×6 pixels whose left part shows z; keeps each z that it was asked for."""

    def __init__(self):
        self.asked: list[np.ndarray] = []

    def __call__(self, z: np.ndarray) -> np.ndarray:
        self.asked.append(z)
        image = np.zeros((4, 6))
        image[:, :LATENTS] = 1 / (1 + np.exp(-z))
        return image

    def z(self) -> list[float]:
        return self.asked[-1].tolist()


def explorer(dimensions=(1, 3), **options):
    picture = Recorder()
    return latent_sliders(picture, LATENTS, dimensions, **options), picture


def norm_in_label(box) -> float:
    return float(re.search(r"‖z‖ = ([\d.]+)", box.state.value)[1])


def test_it_begins_at_zero_with_a_slider_for_each_dimension():
    box, picture = explorer()
    assert [slider.description for slider in box.controls.values()] == ["z[1]", "z[3]"]
    assert [(s.value, s.min, s.max) for s in box.controls.values()] == [(0.0, -3.0, 3.0)] * 2
    assert picture.z() == [0.0] * LATENTS
    assert box.image.value == pictures.png(Recorder()(np.zeros(LATENTS)), PICTURE_BOX)
    assert box.state.value == "‖z‖ = 0.00; a draw from the prior has about 2.2"


def test_it_may_begin_at_a_code():
    code = [0.5, -1.24, 2.0, 7.0, -0.3]
    box, picture = explorer(start=code)
    assert [slider.value for slider in box.controls.values()] == [-1.2, 3.0]     # the nearest tenth, at most `reach`
    assert picture.z() == [0.5, -1.2, 2.0, 3.0, -0.3] and code[1] == -1.24
    box.controls["z[1]"].value = 0.4
    assert picture.z() == [0.5, 0.4, 2.0, 3.0, -0.3]
    box.buttons["back to z = 0"].click()
    assert picture.z() == [0.0] * LATENTS


def test_a_code_of_another_shape_is_no_start():
    with pytest.raises(ValueError, match=r"start must be one code of shape \(5,\), got \(2, 5\)"):
        explorer(start=np.zeros((2, LATENTS)))


def test_the_picture_is_a_png_of_the_right_size():
    box, _ = explorer()
    with Image.open(io.BytesIO(box.image.value)) as picture:
        assert picture.format == "PNG" and picture.size == (6 * 46, 4 * 46)  # about 224 × 224, as for 28 × 28 pixels


def test_a_slider_moves_its_own_dimension_and_moving_back_restores_every_byte():
    box, picture = explorer()
    start, label = box.image.value, box.state.value
    box.controls["z[3]"].value = 1.5
    assert picture.z() == [0, 0, 0, 1.5, 0]
    assert box.image.value != start and norm_in_label(box) == 1.5
    box.controls["z[1]"].value = -2.0
    assert picture.z() == [0, -2.0, 0, 1.5, 0]
    assert norm_in_label(box) == 2.5
    box.controls["z[1]"].value = 0.0
    box.controls["z[3]"].value = 0.0
    assert box.image.value == start and box.state.value == label


def test_sliders_stop_at_the_reach():
    box, picture = explorer(reach=2.0)
    box.controls["z[1]"].value = 10.0
    assert box.controls["z[1]"].value == 2.0 and picture.z()[1] == 2.0


def test_random_z_moves_all_dimensions_and_the_sliders_follow():
    box, picture = explorer()
    box.buttons["random z"].click()
    z = picture.z()
    assert all(z) and norm_in_label(box) == pytest.approx(np.linalg.norm(z), abs=0.005)
    # What the sliders show is what the picture has.
    assert [slider.value for slider in box.controls.values()] == pytest.approx([z[1], z[3]], abs=1e-12)
    expected = np.random.default_rng(0).standard_normal(LATENTS)
    assert np.abs(np.array(z) - expected).max() <= 0.05 + 1e-9  # the two with a slider are rounded to its step


def test_a_slider_after_random_z_keeps_the_other_dimensions():
    box, picture = explorer()
    box.buttons["random z"].click()
    before = picture.z()
    box.controls["z[1]"].value = 0.7 if before[1] != 0.7 else 0.8
    after = picture.z()
    assert after[1] != before[1]
    assert [after[d] for d in (0, 2, 3, 4)] == [before[d] for d in (0, 2, 3, 4)]


def test_a_button_draws_one_picture_only():
    box, picture = explorer()
    n = len(picture.asked)
    box.buttons["random z"].click()
    assert len(picture.asked) == n + 1


def test_back_to_zero_restores_every_byte():
    box, picture = explorer()
    start, label = box.image.value, box.state.value
    box.buttons["random z"].click()
    box.controls["z[3]"].value = 2.0
    box.buttons["back to z = 0"].click()
    assert picture.z() == [0.0] * LATENTS and [slider.value for slider in box.controls.values()] == [0.0, 0.0]
    assert (box.image.value, box.state.value) == (start, label)


def test_random_z_repeats_with_its_seed():
    draws = []
    for seed in (0, 0, 1):
        box, picture = explorer(seed=seed)
        box.buttons["random z"].click()
        first = picture.z()
        box.buttons["random z"].click()
        assert picture.z() != first
        draws.append(first)
    assert draws[0] == draws[1] != draws[2]


def test_a_draw_beyond_the_reach_is_shown_at_the_reach():
    box, picture = explorer(dimensions=range(LATENTS), reach=0.2)
    box.buttons["random z"].click()
    assert max(np.abs(picture.z())) == pytest.approx(0.2)
    assert picture.z() == [slider.value for slider in box.controls.values()]


def test_the_picture_function_cannot_change_the_state():
    def picture(z):
        image = np.full((2, 3), min(1, abs(z[0]) / 3))
        z[:] = 99.0
        return image

    box = latent_sliders(picture, LATENTS, [0])
    box.controls["z[0]"].value = 1.0
    assert norm_in_label(box) == 1.0


def test_an_error_is_shown_where_the_reader_looks_and_passes_when_it_is_over():
    def picture(z):
        if broken:
            raise RuntimeError("the decoder is gone")
        return Recorder()(z)

    broken = False
    box = latent_sliders(picture, LATENTS, [0])
    start = box.image.value
    broken = True
    box.controls["z[0]"].value = 2.0
    assert box.state.value == "RuntimeError: the decoder is gone"
    assert box.image.value == start
    broken = False
    box.controls["z[0]"].value = 0.5
    assert norm_in_label(box) == 0.5


@pytest.mark.parametrize("dimensions", [[0, 5], [-1], [1, 1]])
def test_bad_dimensions_are_refused(dimensions):
    with pytest.raises(ValueError, match="dimensions must be different numbers from 0 to 4"):
        explorer(dimensions)


def test_callbacks_touch_no_global_random_state():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()
    box, _ = explorer()
    box.controls["z[1]"].value = 1.0
    for button in box.buttons.values():
        button.click()
    assert torch.equal(torch_before, torch.get_rng_state())
    assert all(np.array_equal(a, b) for a, b in zip(numpy_before, np.random.get_state()))


def test_callbacks_work_in_another_thread():
    # Where they run while a cell is busy, in JupyterLab.
    box, picture = explorer()
    thread = threading.Thread(target=lambda: setattr(box.controls["z[1]"], "value", 1.2))
    thread.start()
    thread.join()
    assert picture.z()[1] == 1.2 and norm_in_label(box) == 1.2


def test_two_explorers_do_not_share_their_state():
    (one, _), (two, picture) = explorer(), explorer()
    one.controls["z[1]"].value = 2.0
    assert picture.z() == [0.0] * LATENTS and norm_in_label(two) == 0.0


# ---------------------------------------------------------------- a figure with sliders

def draw(ax, height, n, colour):
    """A bar of the given height; complains about too many."""
    if n > 8:
        raise ValueError("too many bars")
    ax.bar(range(n), [height] * n, color=colour)
    ax.set_ylim(0, 2)
    return f"{n} bars of {height:.1f}"


CONTROLS = {"height": (0.0, 2.0, 1.0), "n": (1, 9, 2), "colour": ["black", "white"]}


def pixels(box) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(box.image.value)).convert("L"), dtype=float)


def test_figure_follows_every_control_and_comes_back():
    box = figure_sliders(draw, CONTROLS)
    start = box.image.value
    assert box.state.value == "2 bars of 1.0"
    for name, value, words in (("height", 1.8, "2 bars of 1.8"), ("n", 5, "5 bars of 1.0"), ("colour", "white", None)):
        before = box.controls[name].value
        box.controls[name].value = value
        assert box.image.value != start and (words is None or box.state.value == words)
        box.controls[name].value = before
        assert box.image.value == start


def test_what_is_drawn_is_seen():
    box = figure_sliders(draw, CONTROLS)
    low = (pixels(box) < 128).mean()
    box.controls["height"].value = 2.0
    assert (pixels(box) < 128).mean() > 1.3 * low


def test_several_axes_come_as_a_list():
    def both(axes, height):
        assert len(axes) == 2
        axes[1].plot([0, height])
        return "drawn"

    assert figure_sliders(both, {"height": (0.0, 2.0, 1.0)}, columns=2).state.value == "drawn"


def test_errors_of_the_drawing_are_shown_and_pass():
    box = figure_sliders(draw, CONTROLS)
    box.controls["n"].value = 9
    assert box.state.value == "ValueError: too many bars"
    box.controls["n"].value = 3
    assert box.state.value == "3 bars of 1.0"


def test_whole_numbers_give_whole_steps():
    box = figure_sliders(draw, {"height": (0.0, 2.0, 1.0, 0.5), "n": (1, 9, 2), "colour": ["black"]})
    assert box.controls["height"].step == 0.5 and box.controls["n"].step == 1
    assert isinstance(box.controls["n"].value, int)


@pytest.mark.parametrize("spec", [(0, 1), (0.0, 1.0, 2.0), "text", [], (1.0, 0.0, 0.5), 3])
def test_bad_controls_are_named(spec):
    with pytest.raises(ValueError, match="control height must be"):
        figure_sliders(draw, {"height": spec})


def test_figures_draw_in_another_thread_and_without_pyplot():
    import matplotlib.pyplot as plt

    open_figures = plt.get_fignums()
    boxes = [figure_sliders(draw, CONTROLS) for _ in range(2)]
    threads = [threading.Thread(target=lambda box=box: setattr(box.controls["n"], "value", 6)) for box in boxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(box.state.value == "6 bars of 1.0" for box in boxes) and boxes[0].image.value == boxes[1].image.value
    assert plt.get_fignums() == open_figures
