"""Explorers: ipywidgets around plain functions. A callback may run in a second thread while a cell is busy, so it uses
neither pyplot nor global random numbers."""

import io
import threading
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np

from vae_course.plots import png_bytes

PICTURE_SCALE = 8  # a 28×28 digit becomes 224 pixels wide


def latent_sliders(picture: Callable[[np.ndarray], np.ndarray], latent_dim: int, dimensions: Sequence[int], *,
                   reach: float = 3.0, seed: int = 0) -> ipywidgets.VBox:
    """Sliders for some dimensions of z, and the picture of that z beside them.

    Args:
        picture: z (latent_dim,) → (H, W) in [0, 1]. Called in the kernel for each move; must not draw random numbers.
        latent_dim: Z.
        dimensions: which dimensions get a slider; all others are 0, or as "random z" drew them.
        reach: the sliders run from −reach to reach, in standard deviations of the prior.
        seed: of "random z".

    Returns:
        A widget; with the children `sliders`, `buttons`, `image` and `state` as attributes, for tests.

    Raises:
        ValueError: if `dimensions` names a dimension twice, or one that z does not have.
    """
    dimensions = [int(d) for d in dimensions]
    if len(set(dimensions)) != len(dimensions) or not all(0 <= d < latent_dim for d in dimensions):
        raise ValueError(f"dimensions must be different numbers from 0 to {latent_dim - 1}, got {dimensions}")
    z, rng = np.zeros(latent_dim), np.random.default_rng(seed)
    sliders = [ipywidgets.FloatSlider(0, min=-reach, max=reach, step=0.1, description=f"z[{d}]", readout_format=".1f")
               for d in dimensions]
    image = ipywidgets.Image(format="png", width=28 * PICTURE_SCALE, height=28 * PICTURE_SCALE)
    state = ipywidgets.Label()
    random_z, reset = ipywidgets.Button(description="random z"), ipywidgets.Button(description="back to z = 0")

    def show(_=None) -> None:
        for d, slider in zip(dimensions, sliders):
            z[d] = slider.value
        try:
            image.value = png_bytes(picture(z.copy()), PICTURE_SCALE)
            state.value = f"‖z‖ = {np.linalg.norm(z):.2f}; a draw from the prior has about {latent_dim ** 0.5:.1f}"
        except Exception as error:  # shown where the reader looks, not lost in a log
            state.value = f"{type(error).__name__}: {error}"

    def move_to(new_z: np.ndarray) -> None:
        z[:] = new_z
        for d, slider in zip(dimensions, sliders):
            slider.unobserve(show, "value")
            slider.value = float(np.clip(round(z[d], 1), -reach, reach))
            slider.observe(show, "value")
        show()

    random_z.on_click(lambda _: move_to(rng.standard_normal(latent_dim)))
    reset.on_click(lambda _: move_to(np.zeros(latent_dim)))
    for slider in sliders:
        slider.observe(show, "value")
    show()
    box = ipywidgets.VBox([ipywidgets.HBox([ipywidgets.VBox([*sliders, ipywidgets.HBox([random_z, reset])]), image]), state])
    box.sliders, box.buttons, box.image, box.state = sliders, (random_z, reset), image, state
    return box


def figure_sliders(draw: Callable, controls: Mapping[str, Sequence], *, columns: int = 1,
                   figsize: tuple[float, float] = (7, 3)) -> ipywidgets.VBox:
    """Sliders and menus above a figure that is drawn anew for each move.

    Args:
        draw: draw(axes, **values) → str or None. Gets the Axes (a list of them if columns > 1), already cleared, and one
            value for each control; draws with the Axes' own methods, without pyplot; may return a line that says the state
            in words. Called in the kernel for each move, so it should be quick and must not use global random numbers.
        controls: the name of an argument → (low, high, start) or (low, high, start, step) for a slider, of whole numbers
            if all are whole; or a list of choices, all text, for a menu that starts at the first.
        columns: how many Axes stand side by side.
        figsize: width and height in inches.

    Returns:
        A widget; with the children `controls` (name → widget), `image` and `state` as attributes, for tests.

    Raises:
        ValueError: if a control is neither of these.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    inputs = {name: _control(name, spec) for name, spec in controls.items()}
    figure = Figure(figsize=figsize, dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    image, state, lock = ipywidgets.Image(format="png"), ipywidgets.Label(), threading.Lock()

    def show(_=None) -> None:
        with lock:  # a second thread may move a slider while the first still draws
            try:
                for ax in axes:
                    ax.clear()
                words = draw(axes if columns > 1 else axes[0], **{name: control.value for name, control in inputs.items()})
                buffer = io.BytesIO()
                figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 1})
                figure.set_layout_engine("none")  # the places found for the first picture serve for all: half the time
                image.value, state.value = buffer.getvalue(), words or ""
            except Exception as error:  # shown where the reader looks, not lost in a log
                state.value = f"{type(error).__name__}: {error}"

    for control in inputs.values():
        control.observe(show, "value")
    show()
    box = ipywidgets.VBox([*inputs.values(), image, state])
    box.controls, box.image, box.state = inputs, image, state
    return box


def _control(name: str, spec: Sequence) -> ipywidgets.Widget:
    if isinstance(spec, (list, tuple)) and spec and all(isinstance(choice, str) for choice in spec):
        return ipywidgets.Dropdown(options=list(spec), description=name)
    if not isinstance(spec, (list, tuple)) or len(spec) not in (3, 4) or not spec[0] <= spec[2] <= spec[1]:
        raise ValueError(f"control {name} must be (low, high, start), (low, high, start, step) or a list of texts, "
                         f"got {spec!r}")
    low, high, start, *step = spec
    whole = all(isinstance(number, int) for number in spec)
    step = step[0] if step else 1 if whole else (high - low) / 60
    kind = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
    return kind(value=start, min=low, max=high, step=step, description=name, continuous_update=True)
