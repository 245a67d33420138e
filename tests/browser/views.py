"""Explorers as a reader meets them in the browser: what they show, and sliders, menus, pad and canvas moved as by hand."""

import base64
import math
import re
import time
from collections.abc import Callable
from typing import NamedTuple

PICTURE = """async element => {
    const image = element.querySelector('img.widget-image');
    const proof = () => Array.from(element.querySelectorAll('.vae-proof'), part => part.innerText).join();
    while (!image && proof().includes('$')) await new Promise(done => setTimeout(done, 20));  // not typeset yet
    if (!image) return btoa(unescape(encodeURIComponent(proof())));
    for (;;) {  // the address of a picture that has just been replaced is empty
        const address = image.src;
        try {
            const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
            if (address === image.src) return btoa(Array.from(bytes, b => String.fromCharCode(b)).join(''));
        } catch (error) { if (address === image.src) throw error; }
    } }"""
RECORD = """element => {
    const image = element.querySelector('img.widget-image'), area = element.querySelector('.vae-pad-area');
    const listening = window.record;
    window.record = {image, pictures: [], loads: [], moves: []};
    if (listening?.image === image) return;
    const now = name => () => window.record[name].push(performance.now());
    new MutationObserver(now('pictures')).observe(image, {attributeFilter: ['src']});
    image.addEventListener('load', now('loads'));
    area.addEventListener('pointermove', now('moves'), true); }"""
QUIET = """() => { const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    if (!kernel.unanswered) {
        kernel.unanswered = new Set();
        kernel.anyMessage.connect((_, {msg, direction}) => {
            if (direction === 'send' && msg.header.msg_type === 'comm_msg') kernel.unanswered.add(msg.header.msg_id);
            if (msg.header.msg_type === 'status' && msg.content.execution_state === 'idle')
                kernel.unanswered.delete(msg.parent_header.msg_id); });
    }
    return kernel.unanswered.size === 0; }"""
PATIENCE = 120  # seconds to wait for what should hold; a busy machine may need many, and only a failure takes them all
STATE = ":scope > .widget-label"


def until(page, holds: Callable, what: str | Callable[[], str], seconds: float = PATIENCE, pause: int = 20):
    """Ask every `pause` milliseconds until `holds()` gives something true, and return that; the page lives on between."""
    started = time.monotonic()
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() - started > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what() if callable(what) else what}")
        page.wait_for_timeout(pause)


def settle(page) -> None:
    """Wait until the kernel has answered all that widgets sent it; twice, as a widget may send the rest only then."""
    quiet = 0
    while quiet < 2:
        until(page, lambda: page.evaluate(QUIET), "the kernel's answer to a widget")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        quiet = quiet + 1 if page.evaluate(QUIET) else 0


class Frame(NamedTuple):
    """What an explorer shows at one moment."""
    picture: bytes
    words: str


class Explorer:
    """One explorer on the page."""

    def __init__(self, page, element):
        self.page, self.element = page, element

    @property
    def kind(self) -> str:
        """latent-sliders, figure, pad, axes, interpolation, posterior, style-pad, style-mix, label-map or proof-pad."""
        classes = self.element.get_attribute("class").split()
        return next(name for name in classes if name.startswith("vae-") and name != "vae-explorer").removeprefix("vae-")

    def words(self) -> str:
        """The line that says the state."""
        return self.element.locator(STATE).inner_text()

    def picture(self) -> bytes:
        """The bytes of the picture, as the browser has them; of a proof, what is typeset."""
        return base64.b64decode(self.element.evaluate(PICTURE))

    def frame(self) -> Frame:
        """Picture and words of one moment: the kernel sends the picture first, so words read before it may be older."""
        words = self.words()
        while True:
            before, picture, words = words, self.picture(), self.words()
            if words == before:
                return Frame(picture, words)

    def wait_for(self, holds: Callable[[Frame], bool], what: str, seconds: float = PATIENCE) -> Frame:
        """Wait until holds(frame), and return that frame."""
        def there():
            frame = self.frame()
            return frame if holds(frame) else None
        return until(self.page, there, lambda: f"{what}; it says {self.words()!r}", seconds)

    def wait_for_return(self, first: Frame) -> None:
        """Wait until the explorer shows exactly this frame."""
        self.wait_for(lambda frame: frame == first, f"back at {first.words!r}")

    def sliders(self) -> list["Slider"]:
        """The sliders that a reader sees."""
        return [Slider(self.page, one) for one in self.element.locator(".widget-slider").all() if one.is_visible()]

    def slider(self, name: str) -> "Slider":
        """The slider of that name."""
        return next(slider for slider in self.sliders() if slider.name == name)

    def menus(self) -> list:
        """The menus, as elements <select>."""
        return [one for one in self.element.locator("select").all() if one.is_visible()]

    def press_button(self, text: str) -> None:
        """Press the button of that text."""
        settle(self.page)
        self.element.get_by_role("button", name=text, exact=True).click()

    @property
    def pad(self) -> "Pad":
        """The pad, whether or not it is visible."""
        return Pad(self.page, self.element.locator(".vae-pad-area"))

    def record(self) -> None:
        """From now on keep the times, in milliseconds of the page, of pointer moves on the pad and of new pictures."""
        self.element.evaluate(RECORD)

    def recorded(self) -> dict[str, list[float]]:
        """moves, pictures (a new address), loads (a picture that is there to be painted): their times since `record`."""
        return self.page.evaluate("() => ({...window.record, image: null})")

    @property
    def canvas(self):
        """The canvas to draw on."""
        return self.element.locator(".vae-sketch-area")


class Slider:
    """A core slider."""

    def __init__(self, page, element):
        self.page, self.element = page, element
        self.handle = element.locator(".noUi-handle")
        self.name = element.locator(".widget-label").inner_text()

    def value(self) -> float:
        """Where the handle stands, as a screen reader reads it."""
        return float(self.handle.get_attribute("aria-valuetext"))

    def readout(self) -> str:
        """The number beside the slider."""
        return self.element.locator(".widget-readout").inner_text().replace("−", "-")

    def range(self) -> tuple[float, float]:
        """The two ends."""
        low, high = (float(self.handle.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
        return low, high

    def inward(self) -> int:
        """1 if there is more room on the right, otherwise −1."""
        low, high = self.range()
        return 1 if self.value() <= (low + high) / 2 else -1

    def press(self, steps: int) -> None:
        """Arrow keys: right, or left where `steps` is negative; each when the one before has been answered.

        A core slider that gets keys faster than the kernel answers loses some of them (ipywidgets 8.1).
        """
        self.handle.focus()
        for _ in range(abs(steps)):
            settle(self.page)
            self.page.keyboard.press("ArrowRight" if steps > 0 else "ArrowLeft")
        settle(self.page)

    def centre(self) -> tuple[float, float]:
        """The handle's place on the screen."""
        self.element.scroll_into_view_if_needed()
        box = self.handle.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def width(self) -> float:
        """How far the handle can go, in pixels."""
        return self.element.locator(".noUi-base").bounding_box()["width"]

    def drag_to(self, x: float) -> None:
        """Take the handle by the pointer to the column x of the screen, and let go."""
        start, y = self.centre()
        settle(self.page)
        self.page.mouse.move(start, y)
        self.page.mouse.down()
        for part in (0.5, 1):
            self.page.mouse.move(start + part * (x - start), y)
            settle(self.page)
        self.page.mouse.up()
        settle(self.page)


class Pad:
    """The map on which a point is dragged."""

    def __init__(self, page, element):
        self.page, self.element = page, element

    def says(self) -> str:
        """The position as a screen reader reads it."""
        return self.element.get_attribute("aria-valuetext")

    def press(self, key: str, times: int = 1) -> None:
        """Press a key on the pad, e.g. Shift+ArrowUp."""
        self.element.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def point(self, across: float, down: float) -> tuple[float, float]:
        """The place on the screen of a part of the pad's width and height."""
        self.element.scroll_into_view_if_needed()
        box = self.element.bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def marker(self) -> tuple[float, float]:
        """The centre of the marker on the screen."""
        self.element.scroll_into_view_if_needed()
        box = self.element.locator(".vae-pad-marker").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        """Drag the pointer from one place on the screen to another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=steps)
        self.page.mouse.up()

    def drag_round(self, seconds: float, end: tuple[float, float]) -> None:
        """Drag the pointer on a spiral for some seconds, as fast as the browser takes it, and at last to `end`."""
        centre = self.point(0.55, 0.45)
        self.page.mouse.move(*centre)
        self.page.mouse.down()
        started, elapsed = time.monotonic(), 0.0
        while elapsed < seconds:
            radius, angle = 60 + 8 * elapsed, 4 * elapsed
            self.page.mouse.move(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
            elapsed = time.monotonic() - started
        self.page.mouse.move(*end)
        self.page.mouse.up()


def numbers(words: str) -> list[float]:
    """The numbers in a line of words."""
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", words.replace("−", "-"))]
