"""The label map in a real browser: labels given and taken by pointer, keys, touch and buttons; a drag gives none."""

import re

import moves
import numpy as np
import pytest
import spot
from test_explorers_in_browser import EXTENSION, open_and_run
from views import numbers, until

CALL = spot.CALLS["label-map"]
BACK = "back to the first labels"


def how_many(words: str) -> int:
    """The number of labels in the words of the explorer."""
    found = re.search(r"(\d+) labels?, ", words)
    return int(found[1]) if found else 0


def wait_for_labels(explorer, n: int, *words: str):
    """Wait until there are n labels, and all these words are said."""
    return explorer.wait_for(lambda frame: how_many(frame.words) == n and all(word in frame.words for word in words),
                             f"{n} labels, and {words}")


def an_unlabelled_place(explorer) -> tuple[float, float]:
    """Where on the screen a code without a label is, which is neither at the point nor near another."""
    many = spot.model()["many"]
    away = np.linalg.norm(many[:, None] - many[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    inside = (np.abs(many).max(axis=1) < 2.5) & (np.linalg.norm(many - moves.place(explorer.words()), axis=1) > 1)
    k = 20 + np.where(inside, away.min(axis=1), 0)[20:].argmax()
    reach = float(explorer.pad.element.get_attribute("aria-valuemax"))
    across, up = (many[k] + reach) / (2 * reach)
    return explorer.pad.point(0.13 + 0.85 * across, 0.02 + 0.85 * (1 - up))


def shown_map(explorer) -> str:
    """The picture of the map, as the browser has it."""
    return explorer.pad.element.locator("img").evaluate("""async image => { for (;;) {
        const address = image.src;  // it is another one when the map has changed
        try { const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
            if (address === image.src) return Array.from(bytes).join(); }
        catch (error) { if (address === image.src) throw error; } } }""")


def test_a_click_gives_a_label_a_key_takes_it_and_the_button_brings_all_back(notebook):
    [explorer] = open_and_run(notebook, CALL)
    first, page = explorer.frame(), notebook.page
    until(page, explorer.pad.element.is_visible, "the pad")
    ground = shown_map(explorer)
    assert how_many(first.words) == 20 and "no label yet; the guess is" in first.words and " → " not in first.words
    page.mouse.click(*an_unlabelled_place(explorer))
    given = wait_for_labels(explorer, 21, "has the label", " → ")
    notebook.screenshot("explorer-label-map-clicked", explorer.element)
    until(page, lambda: shown_map(explorer) != ground, "another boundary")
    assert given.picture != first.picture
    ring = explorer.element.locator(".vae-pad-ring")
    until(page, lambda: (ring.bounding_box()["x"] + 11, ring.bounding_box()["y"] + 11) == pytest.approx(
        explorer.pad.marker(), abs=3), "the ring where it was clicked")
    page.keyboard.press("Enter")  # the pad has the focus
    taken = wait_for_labels(explorer, 20, "no label yet", " → ")
    assert numbers(given.words.rpartition(":")[2]) == numbers(taken.words.rpartition(":")[2])[::-1]
    explorer.press_button(BACK)
    explorer.wait_for_return(first)


def test_a_click_on_the_ring_means_its_picture_also_where_another_is_nearer_to_the_pointer(notebook):
    [explorer] = open_and_run(notebook, CALL)
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    explorer.pad.element.scroll_into_view_if_needed()
    before, ring = moves.place(explorer.pad.says()), explorer.element.locator(".vae-pad-ring").bounding_box()
    notebook.page.mouse.click(ring["x"] + 3, ring["y"] + 11)
    told = wait_for_labels(explorer, 21, "has the label").words
    assert moves.place(told) == moves.place(explorer.pad.says()) == before
    notebook.page.mouse.click(ring["x"] + 19, ring["y"] + 11)
    wait_for_labels(explorer, 20, "no label yet")


def test_keys_alone(notebook):
    [explorer] = open_and_run(notebook, CALL)
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    area = notebook.page.get_by_role("slider", name=re.compile("Enter or Space gives the picture in the ring its label"))
    area.wait_for()
    first, said = explorer.frame(), explorer.element.get_by_role("status")
    explorer.pad.press("Space")
    until(notebook.page, lambda: said.inner_text() == explorer.words() and how_many(said.inner_text()) == 21, "said aloud")
    explorer.pad.press("Shift+ArrowRight")
    explorer.pad.press("Enter")
    wait_for_labels(explorer, 22)
    explorer.pad.press("Home")
    explorer.pad.press(" ")
    wait_for_labels(explorer, 21, "no label yet")
    assert area.evaluate("area => document.activeElement === area"), "JupyterLab took a key"
    explorer.press_button(BACK)
    explorer.wait_for_return(first)


def test_a_drag_gives_no_label_and_quick_clicks_all_count(notebook):
    [explorer] = open_and_run(notebook, CALL)
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    first, pad = explorer.frame(), explorer.pad
    pad.drag(pad.marker(), pad.point(0.7, 0.3))
    explorer.wait_for(lambda frame: frame.picture != first.picture and moves.place(frame.words) == moves.place(pad.says()),
                      "the picture of another place")
    assert how_many(explorer.words()) == 20
    for across, down in ((0.4, 0.4), (0.6, 0.6), (0.5, 0.7)):  # without waiting for the kernel
        notebook.page.mouse.click(*pad.point(across, down))
    many, labelled = spot.model()["many"], set(range(20))
    reach = float(pad.element.get_attribute("aria-valuemax"))
    for across, down in ((0.4, 0.4), (0.6, 0.6), (0.5, 0.7)):
        place = reach * (2 * (across - 0.13) / 0.85 - 1), reach * (1 - 2 * (down - 0.02) / 0.85)
        labelled ^= {int(np.linalg.norm(many - place, axis=1).argmin())}
    wait_for_labels(explorer, len(labelled))


def test_touch(notebook):
    [explorer] = open_and_run(notebook, CALL)
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    client = notebook.page.context.new_cdp_session(notebook.page)

    def touch(kind: str, *places) -> None:
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in places]})

    place, away = an_unlabelled_place(explorer), explorer.pad.point(0.7, 0.3)
    touch("touchStart", place)
    touch("touchMove", (place[0] + 8, place[1] - 6))  # a finger trembles
    touch("touchEnd")
    given = wait_for_labels(explorer, 21, "has the label")
    touch("touchStart", place)
    touch("touchMove", away)
    touch("touchEnd")
    explorer.wait_for(lambda frame: frame.picture != given.picture and moves.place(frame.words) == moves.place(
        explorer.pad.says()), "the picture of another place")
    assert how_many(explorer.words()) == 21 and explorer.pad.marker() == pytest.approx(away, abs=2)


def test_buttons_and_menu(notebook):
    [explorer] = open_and_run(notebook, CALL)
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    first, ground = explorer.frame(), shown_map(explorer)
    [menu] = explorer.menus()
    menu.select_option("labels that spread")
    explorer.wait_for(lambda frame: "Test error, labels that spread: " in frame.words, "the other classifier")
    until(notebook.page, lambda: shown_map(explorer) != ground, "another boundary")
    notebook.screenshot("explorer-label-map-spread", explorer.element)
    explorer.press_button("take all labels away")
    explorer.wait_for(lambda frame: "No picture has a label" in frame.words and frame.words.endswith("→ none."), "no label")
    explorer.press_button("give or take its label")
    wait_for_labels(explorer, 1, "alone")
    explorer.press_button(BACK)
    menu.select_option("nearest label")
    explorer.wait_for_return(first)
    until(notebook.page, lambda: shown_map(explorer) == ground, "the map of the start")


def stand_in_works(explorer) -> None:
    """Two sliders and the buttons do what the pad does, and a map stands above them."""
    assert not (explorer.pad.element.count() and explorer.pad.element.is_visible())
    assert [slider.name for slider in explorer.sliders()] == ["z[0]", "z[1]"]
    image, first = explorer.element.locator("img.vae-map"), explorer.frame()
    assert image.is_visible() and image.bounding_box()["width"] == 500
    start = image.get_attribute("src")
    explorer.slider("z[0]").drag_to(explorer.slider("z[0]").centre()[0] + 60)
    explorer.wait_for(lambda frame: frame.picture != first.picture, "another picture")
    until(explorer.page, lambda: image.get_attribute("src") != start, "the ring moves")
    labels = how_many(explorer.words())
    explorer.press_button("give or take its label")
    explorer.wait_for(lambda frame: how_many(frame.words) in (labels - 1, labels + 1) and " → " in frame.words, "a label")
    until(explorer.page, lambda: image.get_attribute("alt") == explorer.words(), "the map says the same")
    explorer.press_button(BACK)
    explorer.wait_for_return(first)
    until(explorer.page, lambda: image.get_attribute("src") == start, "the map of the start")


def test_without_anywidget(notebook):
    [explorer] = open_and_run(notebook, CALL, first="import sys\nsys.modules['anywidget'] = None\n")
    notebook.screenshot("explorer-label-map-stand-in", explorer.element)
    stand_in_works(explorer)


def test_where_the_front_end_does_not_answer(notebook):
    notebook.page.route(EXTENSION, lambda route: route.abort())
    notebook.allowed.append("")  # JupyterLab says in many ways that a front end is missing
    [explorer] = open_and_run(notebook, CALL)
    stand_in_works(explorer)


def test_a_click_is_answered_while_a_cell_is_busy(notebook):
    busy = ('from pathlib import Path\nprint("began", flush=True)\nstop = time.time() + 300\n'
            'while time.time() < stop and not Path("enough").exists():\n    np.linalg.inv(np.eye(30))\nprint("ended")')
    enough = notebook.root / "enough"
    enough.unlink(missing_ok=True)
    notebook.open([spot.SOURCE, CALL, busy], "busy-labels")
    notebook.start()
    said = notebook.page.locator(".jp-OutputArea-output")
    said.filter(has_text=re.compile("^began")).wait_for()
    until(notebook.page, lambda: len(notebook.explorers()) == 1, "the explorer")
    [explorer] = notebook.explorers()
    until(notebook.page, explorer.pad.element.is_visible, "the pad")
    notebook.page.mouse.click(*an_unlabelled_place(explorer))
    wait_for_labels(explorer, 21, "has the label")
    assert "ended" not in "".join(said.all_inner_texts()), "the label came only after the cell"
    enough.touch()
    notebook.finish()
