"""The controls that ipywidgets does not have, as anywidgets: a pad to drag a point on, a canvas, and the form of a proof."""

from pathlib import Path

import anywidget
import traitlets

STATIC = Path(__file__).parent / "static"


def module(name: str) -> str:
    """The ES module of a control: its own file, after what the controls share."""
    return "".join((STATIC / file).read_text(encoding="utf-8") for file in ("newest.js", name))


class _Control(anywidget.AnyWidget):
    """A control that sends what it has to say as messages, each of which the kernel answers when its picture is there."""

    _css = (STATIC / "explorers.css").read_text(encoding="utf-8")
    alive = traitlets.Bool(False).tag(sync=True)                    # the front end has drawn it

    def answer(self, act) -> None:
        """Call act(content, buffers) for each message, and tell the front end when it is done, also when it failed."""
        def handle(_, content, buffers):
            try:
                act(content, buffers)
            finally:
                self.send({"seen": content["number"], "view": content["view"]})
        self.on_msg(handle)


class Pad(_Control):
    """A map with a point that mouse, touch or arrow keys move. Sends {"x", "y"}.

    Where a press means something, it also sends "pressed": the places [x, y] of clicks, and of presses by Enter or Space.
    """

    _esm = module("pad.js")
    map = traitlets.Bytes().tag(sync=True)                          # PNG, shown as a square
    map_in_words = traitlets.Unicode().tag(sync=True)
    frame = traitlets.List(traitlets.Float()).tag(sync=True)        # left, top, width, height of the axes in it
    bounds = traitlets.List(traitlets.Float()).tag(sync=True)       # low, high, the same for both axes
    quantity = traitlets.Unicode("z").tag(sync=True)                # what the position is called
    start = traitlets.List(traitlets.Float()).tag(sync=True)
    position = traitlets.List(traitlets.Float()).tag(sync=True)     # x, y
    side = traitlets.Int(400).tag(sync=True)                        # of the map, in pixels of the page
    press_does = traitlets.Unicode().tag(sync=True)                 # what a press does, in words; "" where it does nothing
    found = traitlets.List(traitlets.Float()).tag(sync=True)        # x, y of what a press would reach; it gets a ring
    said = traitlets.Unicode().tag(sync=True)                       # the state in words, for a screen reader


class Sketch(_Control):
    """A canvas to draw a grey picture on. Sends one byte of ink a pixel, row by row, as a buffer."""

    _esm = module("sketch.js")
    size = traitlets.List(traitlets.Int(), [28, 28]).tag(sync=True)  # height and width of the picture
    dark_on_light = traitlets.Bool(False).tag(sync=True)            # whether ink is black on white, and not white on black
    what = traitlets.Unicode("a digit").tag(sync=True)              # that is drawn, in words
    cleared = traitlets.Int(0).tag(sync=True)                       # raised to wipe it


class ProofForm(_Control):
    """The boxes and buttons of a proof pad. Sends {"do": what}, for "check" with "line", "because", "relation"."""

    _esm = module("proof.js")
    names = traitlets.Unicode().tag(sync=True)                      # what a line may name, in words
    cell = traitlets.Unicode().tag(sync=True)                       # the proof as Python
    said = traitlets.Unicode().tag(sync=True)                       # the last answer, for a screen reader
    answered = traitlets.Int(0).tag(sync=True)                      # raised with each answer
    accepted = traitlets.Int(0).tag(sync=True)                      # raised with each line that is added
