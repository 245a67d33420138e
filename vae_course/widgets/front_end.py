"""The two controls that ipywidgets does not have, as anywidgets: a pad to drag a point on, and a canvas to draw on."""

from pathlib import Path

import anywidget
import traitlets

STATIC = Path(__file__).parent / "static"


class Pad(anywidget.AnyWidget):
    """A map with a point that mouse, touch or arrow keys move. The front end raises `asked`, the kernel then `seen`."""

    _esm = (STATIC / "pad.js").read_text(encoding="utf-8")
    _css = (STATIC / "explorers.css").read_text(encoding="utf-8")
    map = traitlets.Bytes().tag(sync=True)                                # PNG, shown as a square
    map_in_words = traitlets.Unicode().tag(sync=True)
    frame = traitlets.List(traitlets.Float()).tag(sync=True)              # left, top, width, height of the axes in it
    bounds = traitlets.List(traitlets.Float()).tag(sync=True)             # low, high, the same for both axes
    start = traitlets.List(traitlets.Float()).tag(sync=True)
    position = traitlets.List(traitlets.Float()).tag(sync=True)           # x, y
    asked = traitlets.Int(0).tag(sync=True)
    seen = traitlets.Int(0).tag(sync=True)
    alive = traitlets.Bool(False).tag(sync=True)                          # the front end has drawn it


class Sketch(anywidget.AnyWidget):
    """A canvas of 28 × 28 pixels to draw a digit on, white on black. `asked` and `seen` as for the pad."""

    _esm = (STATIC / "sketch.js").read_text(encoding="utf-8")
    _css = (STATIC / "explorers.css").read_text(encoding="utf-8")
    ink = traitlets.Any(bytes(28 * 28)).tag(sync=True)                    # one byte a pixel; a memoryview from the front end
    cleared = traitlets.Int(0).tag(sync=True)
    asked = traitlets.Int(0).tag(sync=True)
    seen = traitlets.Int(0).tag(sync=True)
    alive = traitlets.Bool(False).tag(sync=True)
