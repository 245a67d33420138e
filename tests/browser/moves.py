"""What every explorer must do in the browser: follow keyboard and pointer, say where it is, and come back exactly."""

import re

import pytest
from views import Explorer, Frame, Slider, numbers

PADS = {"pad", "style-pad", "label-map"}  # kinds with a pad


def try_everything(explorer: Explorer) -> None:
    """Move every control of the explorer by keyboard and by pointer, and back; the first frame returns each time."""
    start = explorer.frame()
    if explorer.kind == "proof-pad":
        wrong_line_and_clear(explorer)
    if explorer.kind in PADS and explorer.pad.element.is_visible():
        move_pad(explorer)
    for slider in explorer.sliders():
        by_keyboard(explorer, slider)
        by_pointer(explorer, slider)
    for menu in explorer.menus() if explorer.kind != "proof-pad" else []:
        choose_and_return(explorer, menu)
    if explorer.kind == "posterior" and explorer.canvas.count():
        draw_and_clear(explorer)
    assert explorer.frame() == start


# ---------------------------------------------------------------- what the words must say

def agrees(explorer: Explorer, slider: Slider, first: Frame, before: float, words: str) -> bool:
    """Whether the words belong to the position of this slider, all others being where they were at `first`, it `before`."""
    if explorer.kind == "latent-sliders":  # the words give ‖z‖, to two decimals
        was = numbers(first.words)[0]
        length = max(0, was ** 2 - before ** 2 + slider.value() ** 2) ** 0.5
        return numbers(words)[0] == pytest.approx(length, abs=0.0051 * (1 + was / max(length, 0.1)))
    if explorer.kind == "axes":  # they give ‖z‖ too, and an axis is none of its numbers
        return words != first.words
    if explorer.kind in PADS:
        at = {"z[0]": 0, "z[1]": 1, "axis 1": 0, "axis 2": 1}[slider.name]
        return place(words)[at] == pytest.approx(slider.value(), abs=0.0051)
    if explorer.kind in ("interpolation", "style-mix") and slider.name == "t":
        return words.startswith(f"t = {slider.value():.2f}")
    if explorer.kind == "posterior":
        return bool(re.search(rf"{slider.name} {slider.value():.0f}\b", words))
    return words != first.words  # the words are the chapter's own


def place(words: str) -> list[float]:
    """The position in words: the numbers in brackets."""
    found = re.search(r"\(.*?\)", words)
    return numbers(found[0]) if found else []


def names_choice(explorer: Explorer, menu, words: str) -> bool:
    """Whether the words of a style explorer say the class that its menu asks for; other explorers word it freely."""
    kind = menu.evaluate("menu => menu.labels[0].innerText")  # digit, or class
    asked = re.escape(f"{kind} {menu.locator('option:checked').inner_text()}".replace("\xa0", " "))
    told = {"style-pad": rf"^{asked} ", "style-mix": rf"drawn as {asked}$"}
    return bool(re.search(told.get(explorer.kind, ""), words))


def readout_agrees(slider: Slider) -> bool:
    """Whether the number beside the slider is where its handle stands, to the decimals that it shows."""
    shown = slider.readout().replace(",", "")
    decimals = len(shown.partition(".")[2])
    return abs(float(shown) - slider.value()) <= 0.51 * 10 ** -decimals


def wait_for_move(explorer: Explorer, slider: Slider, first: Frame, before: float) -> None:
    """The picture is another one and the words agree with the slider."""
    assert readout_agrees(slider), (slider.readout(), slider.value())
    explorer.wait_for(lambda frame: frame.picture != first.picture and agrees(explorer, slider, first, before, frame.words),
                      f"another picture, and words for {slider.name} = {slider.value():g}")


# ---------------------------------------------------------------- sliders and menus

def by_keyboard(explorer: Explorer, slider: Slider, steps: int = 3) -> None:
    """Arrow keys there and back."""
    first, before = explorer.frame(), slider.value()
    there = steps * slider.inward()
    slider.press(there)
    assert (slider.value() - before) * there > 0, f"the keyboard does not move {slider.name}"
    wait_for_move(explorer, slider, first, before)
    slider.press(-there)
    assert slider.value() == pytest.approx(before)
    explorer.wait_for_return(first)


def by_pointer(explorer: Explorer, slider: Slider) -> None:
    """The handle dragged there, and back to the column of the screen where it was."""
    first, before = explorer.frame(), slider.value()
    (x, _), inward = slider.centre(), slider.inward()
    slider.drag_to(x + 0.2 * inward * slider.width())
    if slider.value() == before:  # fewer than three places
        slider.drag_to(x + 0.6 * inward * slider.width())
    assert slider.value() != before, f"the pointer does not move {slider.name}"
    wait_for_move(explorer, slider, first, before)
    slider.drag_to(x)
    low, high = slider.range()
    assert slider.value() == pytest.approx(before, abs=0.05 * (high - low)), f"the pointer does not bring {slider.name} back"
    for _ in range(20):  # where a pixel is several steps, arrow keys do the rest
        if slider.value() != pytest.approx(before):
            slider.press(1 if slider.value() < before else -1)
    assert slider.value() == pytest.approx(before)
    explorer.wait_for_return(first)


def choose_and_return(explorer: Explorer, menu) -> None:
    """The last entry and the first again by the keys that JupyterLab does not take for itself; then as if clicked."""
    first, n = explorer.frame(), menu.locator("option").count()
    assert menu.evaluate("menu => menu.selectedIndex") == 0
    for go, back in ((lambda: menu.press("End"), lambda: menu.press("Home")),
                     (lambda: menu.select_option(index=1), lambda: menu.select_option(index=0)),
                     (lambda: menu.select_option(index=n - 1), lambda: menu.select_option(index=0))):
        go()
        explorer.wait_for(lambda frame: frame.picture != first.picture and names_choice(explorer, menu, frame.words),
                          "another picture for another entry of the menu, and words that name it")
        back()
        explorer.wait_for_return(first)


# ---------------------------------------------------------------- pad and canvas

def move_pad(explorer: Explorer) -> None:
    """By arrow keys, with Shift, and Home; then by the pointer, and the button that goes back."""
    pad, first = explorer.pad, explorer.frame()
    assert place(pad.says()) == place(first.words)
    for key, right, up in (("ArrowRight", 1, 0), ("Shift+ArrowUp", 0, 10), ("ArrowLeft", -1, 0),
                           ("Shift+ArrowDown", 0, -10)):
        x, y = place(pad.says())
        pad.press(key)
        wait_for_pad(explorer, None, (x + 0.1 * right, y + 0.1 * up))
    explorer.wait_for_return(first)
    pad.press("ArrowRight", 3)
    wait_for_pad(explorer, first)
    pad.press("Home")
    explorer.wait_for_return(first)
    home = pad.marker()
    away = pad.point(0.8, 0.25)
    pad.drag(home, away)
    wait_for_pad(explorer, first)
    assert pad.marker() == pytest.approx(away, abs=2)
    pad.drag(away, home)
    explorer.wait_for(lambda frame: place(frame.words) == pytest.approx(place(first.words), abs=0.02), "back by pointer")
    explorer.press_button(explorer.element.get_by_role("button", name=re.compile("^back to")).inner_text())
    explorer.wait_for_return(first)


def wait_for_pad(explorer: Explorer, first: Frame | None, position: tuple[float, float] | None = None) -> None:
    """The picture is another one, and words, pad and `position` agree."""
    def holds(frame: Frame) -> bool:
        there = position is None or place(frame.words) == pytest.approx(position, abs=0.0051)
        together = place(frame.words) == place(explorer.pad.says())
        return there and together and (first is None or frame.picture != first.picture)
    explorer.wait_for(holds, f"pad, words and picture agree{f' at {position}' if position else ''}")


def draw_and_clear(explorer: Explorer) -> None:
    """A stroke by the pointer, one by the keyboard, and the button that wipes both off."""
    first, canvas = explorer.frame(), explorer.canvas
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    explorer.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.2 * box["height"])
    explorer.page.mouse.down()
    explorer.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    explorer.page.mouse.up()
    drawn = explorer.wait_for(lambda frame: frame.picture != first.picture and "your drawing" in frame.words, "the drawing")
    canvas.focus()
    for key in ("Space", *["ArrowLeft"] * 6, "Space"):
        explorer.page.keyboard.press(key)
    explorer.wait_for(lambda frame: frame.picture != drawn.picture and "your drawing" in frame.words, "the longer drawing")
    explorer.press_button("clear")
    explorer.wait_for_return(first)


# ---------------------------------------------------------------- proof pad

def wrong_line_and_clear(explorer: Explorer) -> None:
    """A line that no course proves, by keys: it is not added, and Escape clears it away."""
    first, keys = explorer.frame(), explorer.page.keyboard
    explorer.element.get_by_role("textbox", name=re.compile("^next line")).focus()
    keys.type("1234567/7654321")
    keys.press("Tab")
    keys.type("it is so")
    keys.press("Enter")
    explorer.wait_for(lambda frame: re.match("Refused|Not decided", frame.words), "a wrong line is not proved")
    explorer.element.locator(".vae-proof-form[aria-busy=false]").wait_for()  # before that, Escape stops a check
    keys.press("Escape")
    explorer.wait_for_return(first)
