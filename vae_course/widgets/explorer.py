"""What all explorers share: a picture that follows its controls, a line that says the state, and clear words for bad input.

A callback may run in a second thread while a cell is busy, so it uses neither pyplot nor global random numbers.
"""

import base64
import functools
import html
import io
import threading
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display
from PIL import Image

PROBES = 32          # how many codes are decoded to see whether a model is trained
LEAST_CHANGE = 0.06  # mean standard deviation of a pixel over codes: about 0.15 for MNIST, below 0.05 before training


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


# ---------------------------------------------------------------- what an explorer is given

def as_array(values) -> np.ndarray:
    """NumPy of an array or of a tensor on any device."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)


def check_codes(codes) -> np.ndarray:
    """codes as (n, Z) with n ≥ 2.

    Raises:
        CannotExplore: if they are not.
    """
    codes = as_array(codes)
    if codes.ndim != 2 or len(codes) < 2:
        raise CannotExplore(f"An explorer needs the codes of several images, an array of shape (n, Z), and got one of shape "
                            f"{codes.shape}. Encode a data set first:  mu, logvar = vae.encode(test.images)")
    if not np.isfinite(codes).all():
        raise CannotExplore("Some codes are NaN or infinite: training diverged. Train again with a smaller learning_rate.")
    return codes


def check_pixels(images) -> np.ndarray:
    """images as (n, H, W) with n ≥ 1, of bytes 0–255 or of numbers in [0, 1], as `in_unit_interval` takes them.

    Raises:
        CannotExplore: if there are none, or they have another shape or lie outside [0, 1].
    """
    images = as_array(images)
    if len(images) == 0:
        raise CannotExplore("The data set is empty. Take the images of data.load_mnist(), e.g. its test.images.")
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3:
        raise CannotExplore(f"The images must have shape (n, H, W) or (n, 1, H, W), and got {images.shape}.")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):
        raise CannotExplore(f"The images must lie in [0, 1], and go from {images.min():g} to {images.max():g}. "
                            f"Take the images of data.load_mnist(), which are bytes, or divide yours by their maximum.")
    return images


def in_unit_interval(images: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], of bytes or of pixels that are so already."""
    return images / np.float32(255) if images.dtype == np.uint8 else images


def check_one_code_each(codes: np.ndarray, images: np.ndarray) -> None:
    """Raise CannotExplore unless there is one code for each image."""
    if len(codes) != len(images):
        raise CannotExplore(f"There are {len(codes)} codes and {len(images)} images: encode the same images that you give.")


def check_one_label_each(labels, codes: np.ndarray) -> np.ndarray:
    """labels as an array (n,), one for each code. Raises CannotExplore if they are not."""
    labels = as_array(labels)
    if labels.shape != (len(codes),):
        raise CannotExplore(f"There are {len(codes)} codes and labels of shape {labels.shape}: give one for each.")
    return labels


def check_pictures(picture: Callable[[np.ndarray], np.ndarray], codes: np.ndarray) -> None:
    """Decode some of the codes, to see that the decoder takes them and answers to them.

    Raises:
        CannotExplore: if it refuses them, or its pictures hardly change from code to code.
    """
    some = codes[np.linspace(0, len(codes) - 1, min(PROBES, len(codes))).astype(int)]
    try:
        decoded = np.stack([as_array(picture(code)) for code in some])
    except CannotExplore:
        raise  # it says already what to do
    except ValueError as error:
        raise CannotExplore(f"The decoder does not take these codes of {codes.shape[1]} numbers ({error}). "
                            f"Encode the images with the same model that decodes.") from error
    except Exception as error:
        raise CannotExplore(f"The decoder failed with {type(error).__name__}: {error}") from error
    if decoded.ndim != 3:
        raise CannotExplore(f"A picture must have shape (H, W), and got {decoded.shape[1:]}.")
    if not decoded.std(axis=0).mean() >= LEAST_CHANGE:
        raise CannotExplore("The decoder's pictures hardly change from code to code, so there is nothing to explore: "
                            "the model is not trained, or its latents have collapsed. Train it with training.fit(…), or "
                            "read trained weights with checkpoints.load_weights(…), and run this cell again.")
