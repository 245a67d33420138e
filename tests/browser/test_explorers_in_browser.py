"""Every explorer in a real browser, around a model that the test knows: what it must do, and what may go wrong."""

import re

import moves
import numpy as np
import pytest
import spot
from views import Explorer, numbers, until

from vae_course.plots import png_bytes
from vae_course.widgets.codes import PICTURE_SCALE

PAD, SLIDERS = spot.CALLS["pad"], spot.CALLS["latent-sliders"]
EXTENSION = re.compile(r"/extensions/anywidget/.*\.js")  # the front end of anywidget, as JupyterLab loads it


def open_and_run(notebook, *cells: str, first: str = "") -> list:
    """A notebook with the model and these cells, run; returns its explorers."""
    notebook.open([first + spot.SOURCE, *cells], "explorers")
    notebook.run_all()
    assert not notebook.broken_widgets()
    return notebook.explorers()


def png(z) -> bytes:
    """The picture of the code z, made here."""
    return png_bytes(spot.model()["picture"](np.array(z)), PICTURE_SCALE)


# ---------------------------------------------------------------- each explorer alone

@pytest.mark.parametrize("kind", spot.CALLS)
def test_keyboard_and_pointer(notebook, kind):
    [explorer] = open_and_run(notebook, spot.CALLS[kind])
    assert explorer.kind == kind
    notebook.screenshot(f"explorer-{kind}", explorer.element)
    moves.try_everything(explorer)


def test_the_picture_is_that_of_the_sliders(notebook):
    [explorer] = open_and_run(notebook, SLIDERS)
    assert explorer.picture() == png([0, 0, 0])
    explorer.slider("z[2]").press(7)
    explorer.wait_for(lambda frame: frame.picture == png([0, 0, 0.7]), "the picture of z[2] = 0.7")
    explorer.slider("z[0]").press(-12)
    explorer.wait_for(lambda frame: frame.picture == png([-1.2, 0, 0.7]), "the picture of z[0] = −1.2, z[2] = 0.7")
    assert numbers(explorer.words())[0] == pytest.approx(np.hypot(1.2, 0.7), abs=0.005)


@pytest.mark.parametrize("kind, back", [("latent-sliders", "back to z = 0"), ("axes", "reset")])
def test_random_z_and_back(notebook, kind, back):
    [explorer] = open_and_run(notebook, spot.CALLS[kind])
    first = explorer.frame()
    explorer.press_button("random z")
    explorer.wait_for(lambda frame: frame.picture != first.picture and frame.words != first.words, "another z")
    assert any(slider.value() for slider in explorer.sliders()) and all(map(moves.readout_agrees, explorer.sliders()))
    explorer.press_button(back)
    explorer.wait_for_return(first)


def test_nearest_training_image(notebook):
    [explorer] = open_and_run(notebook, spot.CALLS["axes"])
    first = explorer.frame()
    model = spot.model()
    decoded = model["picture"](model["codes"].mean(axis=0))
    nearest = np.square(model["images"] - decoded).sum(axis=(1, 2)).argmin()
    explorer.press_button("nearest training image")
    found = explorer.wait_for(lambda frame: "nearest" in frame.words and frame.picture != first.picture, "the nearest image")
    assert f"number {nearest}," in found.words
    explorer.slider("axis 1").press(1)
    explorer.wait_for(lambda frame: "nearest" not in frame.words, "the answer goes with the next move")
    explorer.press_button("reset")
    explorer.wait_for(lambda frame: frame in (first, found), "the picture of the start")


def test_map_of_manifold_and_back(notebook):
    [explorer] = open_and_run(notebook, PAD)
    image = explorer.element.locator(".vae-pad-area img")
    assert image.get_attribute("alt") == "map of the codes"
    first = image.screenshot()
    explorer.press_button("manifold")
    until(notebook.page, lambda: image.get_attribute("alt") == "map of the manifold", "the map of the manifold")
    until(notebook.page, lambda: image.screenshot() != first, "another map")
    notebook.screenshot("explorer-pad-manifold", explorer.element)
    moves.move_pad(explorer)
    explorer.press_button("codes")
    until(notebook.page, lambda: image.get_attribute("alt") == "map of the codes", "the map of the codes")


def test_a_frame_never_has_new_words_beside_an_old_picture():
    class Answering(Explorer):  # the kernel's answer comes when something has been read `after` times
        def __init__(self, after: int):
            self.reads, self.after = 0, after

        def read(self, old, new):
            self.reads += 1
            return old if self.reads <= self.after else new

        def words(self):
            return self.read("old", "new")

        def picture(self):
            return self.read(b"old", b"new")

    for after in range(6):
        picture, words = Answering(after).frame()
        assert (picture, words) != (b"old", "new")


# ---------------------------------------------------------------- several at once, and again

def test_restart_and_run_all_twice(notebook):
    cells = list(spot.CALLS.values())
    first = [explorer.frame() for explorer in open_and_run(notebook, *cells)]
    for _ in range(2):
        notebook.restart_and_run_all()
        explorers = notebook.explorers()
        assert [explorer.frame() for explorer in explorers] == first and not notebook.broken_widgets()
        for explorer in explorers:
            if explorer.kind in moves.PADS:
                moves.move_pad(explorer)
            elif explorer.kind == "proof-pad":
                moves.wrong_line_and_clear(explorer)
            else:
                moves.by_keyboard(explorer, explorer.sliders()[0])


def test_two_at_once_do_not_disturb_each_other(notebook):
    explorers = open_and_run(notebook, PAD, PAD, SLIDERS, SLIDERS)
    first = [explorer.frame() for explorer in explorers]
    explorers[0].pad.press("ArrowRight", 4)
    explorers[2].slider("z[0]").press(5)
    explorers[0].wait_for(lambda frame: numbers(frame.words) == [0.4, 0] and frame.picture == png([0.4, 0]), "pad at 0.4")
    explorers[2].wait_for(lambda frame: frame.picture == png([0.5, 0, 0]), "slider at 0.5")
    assert [explorers[k].frame() for k in (1, 3)] == [first[1], first[3]]
    explorers[1].pad.press("Shift+ArrowDown")
    explorers[3].slider("z[0]").press(-5)
    explorers[1].wait_for(lambda frame: frame.picture == png([0, -1]), "the other pad at −1")
    explorers[3].wait_for(lambda frame: frame.picture == png([-0.5, 0, 0]), "the other slider at −0.5")
    assert explorers[0].frame().picture == png([0.4, 0]) and explorers[2].frame().picture == png([0.5, 0, 0])


def test_slider_and_pad_follow_while_a_cell_is_busy(notebook):
    busy = ('import torch\nfrom pathlib import Path\nlayer = torch.nn.Linear(40, 30)\n'
            'optimizer = torch.optim.Adam(layer.parameters())\nprint("began", flush=True)\nstop = time.time() + 300\n'
            'while time.time() < stop and not Path("enough").exists():\n    optimizer.zero_grad()\n'
            '    layer(torch.randn(20, 40)).square().mean().backward()\n    optimizer.step()\nprint("ended")')
    enough = notebook.root / "enough"
    enough.unlink(missing_ok=True)
    notebook.open([spot.SOURCE, SLIDERS, PAD, busy], "busy")
    notebook.start()
    said = notebook.page.locator(".jp-OutputArea-output")
    said.filter(has_text=re.compile("^began")).wait_for()
    until(notebook.page, lambda: len(notebook.explorers()) == 2, "two explorers")
    sliders, pad = notebook.explorers()
    sliders.slider("z[0]").handle.press("ArrowRight")  # without waiting until the kernel answers
    sliders.wait_for(lambda frame: frame.picture == png([0.1, 0, 0]), "the slider's picture")
    until(notebook.page, pad.pad.element.is_visible, "the pad")
    pad.pad.press("Shift+ArrowUp")
    pad.wait_for(lambda frame: frame.picture == png([0, 1]), "the pad's picture")
    assert "ended" not in "".join(said.all_inner_texts()), "the pictures came only after the cell"
    enough.touch()
    notebook.finish()
    assert "ended" in "".join(said.all_inner_texts())


# ---------------------------------------------------------------- what may go wrong

def test_an_error_is_shown_in_the_explorer_and_passes(notebook):
    fails = ("def fails(z):\n    if z[0] > 0.55:\n        raise RuntimeError('no decoder here')\n    return picture(z)\n"
             "probe = picture\nbox = widgets.latent_sliders(lambda z: probe(z), 3, [0])\nprobe = fails\nbox")
    [explorer] = open_and_run(notebook, fails)
    first = explorer.frame()
    explorer.slider("z[0]").press(6)
    explorer.wait_for(lambda frame: frame.words == "RuntimeError: no decoder here", "the error in words")
    explorer.slider("z[0]").press(-6)
    explorer.wait_for_return(first)


def test_style_pad_keeps_the_digit_and_says_what_it_moves(notebook):
    [explorer] = open_and_run(notebook, "widgets.style_pad(ask, codes[:, :2], labels)")
    area = notebook.page.get_by_role("slider", name=re.compile("^latent pad: arrow keys move z,"))
    area.wait_for()
    [menu] = explorer.menus()
    menu.focus()
    notebook.page.keyboard.press("End")
    explorer.wait_for(lambda frame: frame.words == "digit 9 at z = (0.00, 0.00)", "the last digit")
    area.focus()
    notebook.page.keyboard.press("Shift+ArrowUp")
    explorer.wait_for(lambda frame: frame.words == "digit 9 at z = (0.00, 1.00)", "the same digit at another place")
    assert explorer.pad.says() == "z = (0.00, 1.00)" and names(menu) == "digit"


def names(control) -> str:
    """What a screen reader calls a form's control."""
    return control.evaluate("control => control.labels[0]?.innerText ?? control.getAttribute('aria-label')")


def test_style_pad_without_anywidget(notebook):
    [explorer] = open_and_run(notebook, spot.CALLS["style-pad"], first="import sys\nsys.modules['anywidget'] = None\n")
    assert not explorer.pad.element.count() and [slider.name for slider in explorer.sliders()] == ["axis 1", "axis 2"]
    notebook.screenshot("explorer-style-pad-stand-in", explorer.element)
    moves.try_everything(explorer)


def stand_ins_work(explorer) -> None:
    """Two sliders move the point where there is no pad."""
    assert not (explorer.pad.element.count() and explorer.pad.element.is_visible())
    assert [slider.name for slider in explorer.sliders()] == ["z[0]", "z[1]"]
    moves.try_everything(explorer)
    explorer.slider("z[1]").press(4)
    explorer.wait_for(lambda frame: frame.picture == png([0, 0.04]), "the picture of z[1] = 0.04")


def test_without_anywidget_sliders_stand_in(notebook):
    pad, view = open_and_run(notebook, PAD, spot.CALLS["posterior"], first="import sys\nsys.modules['anywidget'] = None\n")
    stand_ins_work(pad)
    assert not view.canvas.count()
    moves.try_everything(view)


def test_sliders_stand_in_where_the_front_end_does_not_answer(notebook):
    blocked = []
    notebook.page.route(EXTENSION, lambda route: (blocked.append(route.request.url), route.abort()))
    notebook.allowed.append("")  # JupyterLab says in many ways that a front end is missing
    pad, view = open_and_run(notebook, PAD, spot.CALLS["posterior"])
    assert blocked, "the front end of anywidget was not blocked"
    notebook.screenshot("explorer-pad-stand-in", pad.element)
    stand_ins_work(pad)
    assert not (view.canvas.count() and view.canvas.is_visible())
    moves.try_everything(view)


@pytest.mark.parametrize("call, advice", [
    ("widgets.latent_pad(lambda z: np.full((28, 28), 0.5), codes[:, :2])", "Train it"),
    ("widgets.latent_sliders(lambda z: np.full((28, 28), 0.5), 3, [0])", "Train it"),
    ("widgets.axis_sliders(lambda z: picture(z.reshape(2)), codes)", "same model"),
    ("widgets.latent_pad(picture, codes)", "axis_sliders"),
    ("widgets.interpolation(picture, codes[:0], images[:0])", "Encode a data set"),
    ("widgets.interpolation(picture, codes, images[:7])", "same images"),
    ("widgets.posterior_view(posterior, picture, images[:0])", "load_mnist"),
    ("widgets.style_pad(picture, codes, labels)", "conditional VAE"),
    ("widgets.style_mix(ask, codes, images, labels[:7])", "one for each"),
], ids=["pad-untrained", "sliders-untrained", "axes-size", "pad-size", "interpolation-empty", "interpolation-fewer",
        "posterior-empty", "style-pad-plain", "style-mix-labels"])
def test_bad_input_gets_words_that_say_what_to_do(notebook, call, advice):
    assert open_and_run(notebook, call) == []
    notice = notebook.page.locator('.jp-OutputArea-output [role="alert"]')
    notice.wait_for()
    assert notice.is_visible() and advice in notice.inner_text()
