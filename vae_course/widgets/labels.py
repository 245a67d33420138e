"""The explorer of labels: a map of codes, a few of them labelled, and what a classifier makes of these few."""

import base64
import html
import io
from collections.abc import Mapping, Sequence

import ipywidgets
import numpy as np
from PIL import Image

from vae_course import plots
from vae_course.pixels import as_array
from vae_course.widgets import label_pictures, pictures
from vae_course.widgets.classes import check_labels
from vae_course.widgets.classifiers import CLASSIFIERS, Classifier
from vae_course.widgets.explorer import CannotExplore, Explorer, explained
from vae_course.widgets.given import Pictures, check_codes, check_one_code_each, check_pixels
from vae_course.widgets.labelling import Labelling
from vae_course.widgets.pad import MAP_FRAME, PadExplorer, Plane, reach_of

PANEL = 252          # pixels: the width of the picture beside the map
RING = 11            # pixels from its centre to the ring on the picture that a press would reach
MOST = 4_000         # codes of which a graph is made in some seconds
TOGGLE, NONE = "give or take its label", "take all labels away"
STYLE = """<style>.LIVE > .widget-label { display: block; height: auto; max-width: 780px; white-space: normal;
 line-height: 1.4; margin: 4px }</style>"""


@explained
def label_map(codes, images, labels, labelled, test_codes, test_labels, *,
              classifiers: Mapping[str, Classifier] = CLASSIFIERS, names: tuple[str, str] = ("z[0]", "z[1]"),
              classes=None) -> Explorer:
    """A map of codes of which some are labelled: click a picture to give or take its label, and see boundary and error move.

    The codes without a label are grey points, those with one are discs in the colour of their class. The plane is tinted by
    the classes that a classifier, which learnt from these labels, gives its places; a menu changes the classifier. A ring is
    on the picture nearest to the point; it is shown beside the map. Mouse, touch and arrow keys move the point, as in
    `latent_pad`; a click, or Enter or Space, gives this picture its true label, or takes it away.

    Args:
        codes: (n, 2) codes of pictures whose label can be asked for, at most 4,000.
        images: these n pictures, as `pixels.as_pictures` takes them, or a `data.ImageFile`.
        labels: (n,) their true classes, whole numbers: what is answered when a label is asked for.
        labelled: the codes that are labelled at first: different indices from 0 to n − 1, or (n,) True and False.
        test_codes: (m, 2) codes of other pictures, on which the error is measured.
        test_labels: (m,) their classes.
        classifiers: name → a function such as those in `widgets.classifiers`; the first is chosen at first.
        names: of the two axes.
        classes: the names of the labels 0, 1, …, as `ImageData.classes`, or None. With names, the discs have the numbers,
            and a key beside the map says what they mean.

    Returns:
        An Explorer; a Notice if something does not fit.
    """
    codes, images = _check_plane("codes", codes), check_pixels(images)
    check_one_code_each(codes, images)
    if len(codes) > MOST:
        raise CannotExplore(f"The map has room for {MOST:,} codes, and got {len(codes):,}. Give some of them, e.g. "
                            f"codes[:2000], with their images and labels.")
    labels, _ = check_labels(labels, len(codes), classes)
    test_codes = _check_plane("test_codes", test_codes)
    test_labels, _ = check_labels(test_labels, len(test_codes), classes, argument="test_labels")
    _, known = check_labels(np.concatenate([labels, test_labels]), len(labels) + len(test_labels), classes)
    if not classifiers:
        raise CannotExplore("classifiers has no entry. Leave it out, or give names with functions such as those of "
                            "widgets.CLASSIFIERS.")
    labelling = Labelling(codes, labels, _check_labelled(labelled, len(codes)), test_codes, test_labels, classifiers,
                          reach_of(codes), known)
    return _LabelMap(labelling, images, names)


def _check_plane(name: str, codes) -> np.ndarray:
    try:
        codes = check_codes(codes).astype(float)
    except CannotExplore as problem:
        raise CannotExplore(f"{name}: {problem}") from problem
    if codes.shape[1] != 2:
        raise CannotExplore(f"The map has two axes, and {name} have shape {codes.shape}. Give two columns, e.g. "
                            f"{name}[:, :2], or the codes of a model with two latents.")
    return codes


def _check_labelled(labelled, n: int) -> np.ndarray:
    """Which of n codes are labelled at first, as (n,) True and False."""
    labelled = as_array(labelled)
    if labelled.dtype == bool and labelled.shape == (n,):
        return labelled
    advice = f"Give different whole numbers from 0 to {n - 1}, e.g. range(100), or {n} times True or False."
    if labelled.size == 0:
        return np.zeros(n, dtype=bool)
    if labelled.ndim != 1 or labelled.dtype.kind not in "iu":
        raise CannotExplore(f"labelled says which codes are labelled at first, and got {labelled.dtype} of shape "
                            f"{labelled.shape}. {advice}")
    if len(set(labelled.tolist())) < len(labelled) or not (labelled.min() >= 0 and labelled.max() < n):
        raise CannotExplore(f"labelled goes from {labelled.min()} to {labelled.max()}, and of its {len(labelled)} numbers "
                            f"{len(set(labelled.tolist()))} are different. {advice}")
    return np.isin(np.arange(n), labelled)


class _LabelMap(PadExplorer):
    """The explorer of `label_map`: `labelling` is what it shows, `nearest` the picture in the ring."""

    inches, press_does = 5.0, "gives the picture in the ring its label, or takes it away"

    def __init__(self, labelling: Labelling, images: Pictures, names: tuple[str, str]):
        self.labelling, self.images = labelling, images
        self.menu = ipywidgets.Dropdown(options=[*labelling.errors], description="classifier", layout={"width": "250px"})
        self._map_beside_sliders = ipywidgets.HTML()
        self._bars = self._draw_bars()
        plane = Plane("z" if names == ("z[0]", "z[1]") else "place", names, "", _back_to(labelling.first.sum()))
        super().__init__("label-map", self._picture_and_words, labelling.codes, self._draw_codes, plane,
                         {"classifier": self.menu}, start=labelling.codes[labelling.worth_asking(self.menu.value)],
                         buttons={TOGGLE: lambda: self.toggle([self.nearest(self.position)]), NONE: self.clear})
        self._ground = np.asarray(Image.open(io.BytesIO(self.map)).convert("RGB"))
        self._stand_in.children = (self._map_beside_sliders, *self._stand_in.children)
        self._lay_out()
        self._labels_changed()

    def _lay_out(self) -> None:
        """The picture and the controls below each other beside the map, or, where there is no room, both below the map."""
        left = [self._stand_in] if self.pad is None else [self.pad, self._stand_in]
        self.image.layout.align_self, self.image.layout.margin = "flex-start", "0 8px"
        controls = ipywidgets.VBox([self.menu, *self.buttons.values()], layout={"width": f"{PANEL + 10}px"})
        right = ipywidgets.HBox([self.image, controls], layout={"flex": f"1 1 {PANEL + 20}px", "flex_flow": "row wrap",
                                                                "align_content": "flex-start"})
        style = ipywidgets.HTML(STYLE.replace("LIVE", f"live-{self.model_id}"), layout={"display": "none"})
        both = ipywidgets.HBox([ipywidgets.VBox(left), right], layout={"flex_flow": "row wrap"})
        self.children = (both, self.state, style)

    # ------------------------------------------------------------ what a press does

    def nearest(self, place: Sequence[float]) -> int:
        """The index of the code that is nearest to a place."""
        return int(((self.labelling.codes - place) ** 2).sum(axis=1).argmin())

    def toggle(self, which: Sequence[int]) -> None:
        """Give each of these pictures its label, or take it away."""
        self.labelling.toggle(which)
        self._labels_changed()

    def clear(self) -> None:
        """Take all labels away."""
        self.labelling.clear()
        self._labels_changed()

    def back(self) -> None:
        """The first labels, and the point where it was at first."""
        self.labelling.restart()
        self._labels_changed()
        super().back()

    def _told(self, content: dict) -> None:
        if not content.get("pressed"):
            return super()._told(content)
        with self._lock:
            self.position = self.pad.position = self._on_the_map([content["x"], content["y"]])
            self._try(lambda: self.toggle([self.nearest(place) for place in content["pressed"]]))

    def _moved(self, change) -> None:
        if change["owner"] is self.menu:
            self._try(self._labels_changed)
        else:
            super()._moved(change)

    # ------------------------------------------------------------ what is seen

    def _labels_changed(self) -> None:
        """Show the map and the errors of the present labels and of the chosen classifier."""
        labelling, picture = self.labelling, self._ground
        plane = labelling.plane(self.menu.value)
        if plane is not None:
            picture = label_pictures.tint(picture, plane, MAP_FRAME)
        centres = [self.on_the_picture(code) for code in labelling.codes[labelling.labelled]]
        picture = label_pictures.discs(picture, centres, labelling.labels[labelling.labelled], labelling.classes.mark)
        self._bars = self._draw_bars()
        self.show_map(plots.encode_png(picture), f"map of the codes: {labelling.in_words()}")
        self._show()

    def _draw_codes(self, ax) -> None:
        ax.scatter(*self.labelling.codes.T, s=5, color=plots.COLOURS["data"], linewidths=0, alpha=0.5)
        ax.spines[["top", "right"]].set_visible(False)

    def _draw_bars(self) -> np.ndarray:
        bars = label_pictures.error_bars(self.labelling.errors, self.menu.value, PANEL)
        classes = self.labelling.classes
        return pictures.stack([bars, label_pictures.key(classes, PANEL)]) if classes.named and classes.written else bars

    def _picture_and_words(self, position: list[float]) -> tuple[bytes, str]:
        k, (x, y), labelling = self.nearest(position), position, self.labelling
        guesses = labelling.guesses(self.menu.value)
        classes = labelling.classes
        if labelling.labelled[k]:
            caption, told = (f"label: {classes.short(labelling.labels[k])}",
                             f"has the label {classes.name(labelling.labels[k])}")
        elif guesses is None:
            caption, told = "no label yet", "has no label yet"
        else:
            caption, told = (f"no label yet; guess: {classes.short(guesses[k])}",
                             f"has no label yet; the guess is {classes.name(guesses[k])}")
        large = pictures.row([self.images[k]], [caption], PANEL, PANEL)
        place = f"{self.plane.quantity} = ({x:.2f}, {y:.2f})".replace("-", "−")
        return plots.encode_png(pictures.stack([large, self._bars])), (
            f"{place}: the nearest picture, number {k}, {told}. {labelling.in_words()}.{self._error_in_words()}")

    def _error_in_words(self) -> str:
        now, before = self.labelling.errors[self.menu.value]
        steps = " → ".join(f"{error:.1%}".replace("%", " %") for error in (before, now) if error is not None)
        return f" Test error, {self.menu.value}: {steps}{' → none' if now is None else ''}." if steps else ""

    def _show(self) -> None:
        super()._show()
        found = self.labelling.codes[self.nearest(self.position)].tolist()
        if self.pad is not None:
            self.pad.found, self.pad.said = found, self.state.value
        if self.pad is None or not self.pad.alive:
            png = pictures.ringed(self.map, self.on_the_picture(found), RING)
            self._map_beside_sliders.value = (f'<img class="vae-map" alt="{html.escape(self.state.value)}" '
                                              f'src="data:image/png;base64,{base64.b64encode(png).decode()}">')

    def _replace_stand_in(self, change) -> None:
        super()._replace_stand_in(change)
        self._map_beside_sliders.value = ""

    def still(self) -> bytes:
        """The map with a ring on the nearest picture, and beside it this picture and the errors."""
        found = self.labelling.codes[self.nearest(self.position)]
        return pictures.map_and_picture(self.map, self.on_the_picture(found), self.image.value, RING)


def _back_to(n: int) -> str:
    return "back to the hundred" if n == 100 else "back to the first labels"
