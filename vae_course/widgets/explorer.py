"""What all explorers share: a picture that follows its controls, a line that says the state, and clear words for bad input.

A callback may run in a second thread while a cell is busy, so it uses neither pyplot nor global random numbers.
"""

import base64
import functools
import html
import io
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from IPython.display import display
from PIL import Image


class CannotExplore(ValueError):
    """What an explorer was given cannot be explored; the message says what to do."""


class Notice(ipywidgets.HTML):
    """Stands in an explorer's place and says what to do; displayed as plain HTML, which needs no kernel."""

    _ipython_display_ = None  # ipywidgets 7 would display the widget

    def __init__(self, message: str):
        super().__init__(f'<div role="alert" style="border-left: 4px solid #D55E00; padding: 0.4em 1em; line-height: 1.4">'
                         f'{html.escape(message)}</div>')
        self.message = message
        self.add_class("vae-notice")

    def __repr__(self) -> str:
        return f"Notice: {self.message}"

    def _repr_mimebundle_(self, **_):
        return {"text/html": self.value, "text/plain": repr(self)}


def explained(make: Callable) -> Callable:
    """Let a function that makes an explorer return a Notice where its input cannot be explored."""
    @functools.wraps(make)
    def make_or_explain(*args, **options):
        try:
            return make(*args, **options)
        except CannotExplore as problem:
            return Notice(str(problem))
    return make_or_explain


class Explorer(ipywidgets.VBox):
    """Controls, a picture that follows them, and a line that says the state in words.

    Args:
        kind: a name, for the CSS class vae-<kind>.
        frame: () → (PNG bytes, words) for the controls' present values. Called in the kernel for each move; must not draw
            global random numbers.
        controls: name → widget; each move of one shows a new frame.
        buttons: text → what a press does.

    Attributes: `controls`, `buttons`, `image`, `state` and `pad`, for tests and for those who compose explorers. Where the
    explorer cannot be shown, as in a notebook that is opened again, the still picture of the frame that was first displayed
    stands in its place.
    """

    def __init__(self, kind: str, frame: Callable[[], tuple[bytes, str]], controls: Mapping[str, ipywidgets.Widget],
                 buttons: Mapping[str, Callable[[], None]] | None = None):
        super().__init__()
        self.add_class("vae-explorer")
        self.add_class(f"vae-{kind}")
        self.add_class(_live(self))
        self._frame, self._lock = frame, threading.RLock()
        self.controls = dict(controls)
        self.pad: Any = None  # a front_end.Pad, where there is one
        self.image, self.state = ipywidgets.Image(format="png", layout={"align_self": "flex-start"}), ipywidgets.Label()
        self.buttons = {}
        for text, press in (buttons or {}).items():
            self.buttons[text] = ipywidgets.Button(description=text, layout={"width": "auto"})
            self.buttons[text].on_click(lambda _, press=press: self._try(press))
        for control in self.controls.values():
            control.observe(self._moved, "value")
        self.children = (*self.controls.values(), ipywidgets.HBox([*self.buttons.values()]), self.image, self.state)

    def show(self) -> None:
        """Make the picture and the words agree with the controls. An error is shown where the reader looks."""
        self._try(self._show)

    def _show(self) -> None:
        self.image.value, self.state.value = self._frame()

    def _try(self, act: Callable[[], None]) -> None:
        with self._lock:  # a second thread may move a slider while the first still draws
            try:
                act()
            except Exception as error:
                self.state.value = f"{type(error).__name__}: {error}"

    def _moved(self, change) -> None:
        """A control has a new value."""
        self.show()

    def set_controls(self, values: Mapping[str, float]) -> None:
        """Give several controls new values without a frame for each; `show` them afterwards."""
        for name, value in values.items():
            self.controls[name].unobserve(self._moved, "value")
            self.controls[name].value = value
            self.controls[name].observe(self._moved, "value")

    def still(self) -> bytes:
        """The picture, as PNG, for readers without a kernel; b"" if there is none."""
        return self.image.value

    def _repr_mimebundle_(self, **_):
        return {"application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0,
                                                             "model_id": self.model_id},
                "text/plain": f"Explorer: {self.state.value}"}

    def outputs(self) -> list[dict]:
        """What displaying it puts below a cell: the still picture, which hides while the explorer lives, and the explorer.

        Two outputs, because of one that has both JupyterLab would show only the explorer, or "Error displaying widget".
        """
        png = self.still()
        still = [{"text/html": _still_html(_small(png), self.state.value, _live(self))}] if png else []
        return [*still, self._repr_mimebundle_()]

    def _ipython_display_(self) -> None:
        _answer_beside_a_busy_cell(self)
        for bundle in self.outputs():
            display(bundle, raw=True)


def minus_signs(words: str) -> str:
    """The words with a minus before negative numbers, and hyphens in names as they are."""
    return re.sub(r"(?<!\w)-(?=\d)", "−", words)


def _live(widget: ipywidgets.Widget) -> str:
    """The class of an explorer's element on a page: it is there as long as the explorer is."""
    return f"live-{widget.model_id}"


def _still_html(png: bytes, words: str, live: str) -> str:
    """A picture for pages without an element of the class `live`; in JupyterLab it also takes the place of the error below.

    Where the style is taken out, as in a notebook that is not trusted, no explorer is shown, and the picture is.
    """
    hidden = (f":root:has(.{live}) .still-{live}",
              f".jp-OutputArea-child:has(.still-{live}) + .jp-OutputArea-child > .jp-OutputArea-output:not(:has(*))")
    return (f'<style>{", ".join(hidden)} {{ display: none }}</style>'
            f'<figure class="still-{live}" style="margin: 0"><img class="vae-still" '
            f'alt="still picture of an explorer: {html.escape(words)}" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
            f'<figcaption>A still picture: run this cell to explore.</figcaption></figure>')


def _small(png: bytes) -> bytes:
    """The picture in 200 colours, for a file that is kept: about a third of what is sent in haste."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(200, Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _answer_beside_a_busy_cell(widget: ipywidgets.Widget) -> None:
    """Let messages to the widget and its children run in the thread that JupyterLab chose for them, even in a long cell.

    ipykernel 7.4 sends them to the thread that last spoke to the page: the one that runs the cells, and is busy.
    """
    if getattr(widget, "comm", None) is not None:
        vars(widget.comm).pop("_reply_subshell_id", None)
    for child in getattr(widget, "children", ()):
        _answer_beside_a_busy_cell(child)
