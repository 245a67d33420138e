"""draw_*(idea, ax): pictures of ideas: what depends on what, what a network is made of. One Axes; nothing is shown."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import FancyArrowPatch, Polygon
from numpy.typing import ArrayLike

from vae_course.plots import COLOURS

RADIUS = 18             # of a variable's circle, in points, whatever the size of the figure
SEEN = "#C9C9C9"        # the grey of what is observed
NOTE = {"color": COLOURS["data"], "fontsize": 11}

Arrow = tuple[str, str] | tuple[str, str, str]  # from, to, and a label in mathtext


def draw_graph(nodes: Mapping[str, tuple[float, float]], ax, *, p: Sequence[Arrow], q: Sequence[Arrow] = (),
               seen: Collection[str] = (), sometimes: Collection[str] = (), notes: Mapping[str, str] | None = None) -> None:
    """Draw a graph of variables: a white circle is latent, a grey one is observed, a half grey one is observed sometimes.

    Args:
        nodes: name in mathtext, such as "z_1" → (column, row); rows are counted upwards.
        p: arrows of the model, solid and straight: ("z", "x"), or ("z", "x", "p(x|z)") with a label.
        q: arrows of the posterior, dashed and bent away from the middle of the graph.
        seen, sometimes: names of the variables that are observed in every example, and in some.
        notes: name → words beside its circle.

    Raises:
        ValueError: if a name is not among the nodes, or an arrow leads from a node to itself.
    """
    notes = notes or {}
    places = _lay_out(nodes, p, q, [*seen, *sometimes, *notes], ax, (0.5, 0.4), 0.28, ("black", COLOURS["posterior"]))
    rows = [y for _, y in places.values()]
    for name, (x, y) in places.items():
        half = name in sometimes
        ax.plot(x, y, "o", markersize=2 * RADIUS, fillstyle="left" if half else "full", markerfacecoloralt="white",
                markerfacecolor=SEEN if half or name in seen else "white", markeredgewidth=0, clip_on=False)
        ax.plot(x, y, "o", markersize=2 * RADIUS, fillstyle="none", color="black", markeredgewidth=1.3, clip_on=False)
        ax.text(x, y, f"${name}$", ha="center", va="center", fontsize=17, math_fontfamily="cm", zorder=3)
    for name, words in notes.items():
        x, y = places[name]
        # Below the lowest row, above the highest one, else on the right, where no arrow ends.
        dx, dy = (0, -1) if y == min(rows) else (0, 1) if y == max(rows) else (1, 0)
        ax.annotate(words, (x, y), (dx * 1.4 * RADIUS, dy * 1.3 * RADIUS), textcoords="offset points",
                    ha="left" if dx else "center", va="center" if dx else "top" if dy < 0 else "bottom",
                    annotation_clip=False, **NOTE)


def _lay_out(nodes: Mapping[str, tuple[float, float]], straight: Sequence[Arrow], bent: Sequence[Arrow],
             others: Sequence[str], ax, margin: tuple[float, float], bend: float, colours: tuple[str, str]) -> dict:
    """Set the limits, draw both kinds of arrows in their colours, and return name → place; others: names to be checked."""
    _check_names(nodes, straight, bent, others)
    places = {name: np.array(place, dtype=float) for name, place in nodes.items()}
    all_of_them = np.array(list(places.values()))
    (left, low), (right, high) = all_of_them.min(axis=0) - margin, all_of_them.max(axis=0) + margin
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    ax.set_axis_off()
    for arrows, curve, colour in ((straight, 0, colours[0]), (bent, bend, colours[1])):
        for arrow in arrows:
            _connect(places, arrow, all_of_them.mean(axis=0), ax, bend=curve, colour=colour)
    return places


def _check_names(nodes: Mapping, p: Sequence[Arrow], q: Sequence[Arrow], others: Sequence[str]) -> None:
    for start, end, *_ in [*p, *q]:
        if start == end:
            raise ValueError(f"an arrow leads from {start!r} to itself")
    for name in [*others, *(end for arrow in [*p, *q] for end in arrow[:2])]:
        if name not in nodes:
            raise ValueError(f"{name!r} is not one of the nodes: {', '.join(nodes)}")


def _connect(places: Mapping[str, np.ndarray], arrow: Arrow, middle: np.ndarray, ax, bend: float, colour: str) -> None:
    """An arrow from rim to rim, dashed if bent, its label on the side of the bend, or of the middle if it is straight."""
    start, end = (places[name] for name in arrow[:2])
    along = end - start
    normal = np.array([-along[1], along[0]]) / np.hypot(*along)     # to the left of the arrow
    away = normal @ ((start + end) / 2 - middle)
    through = abs(away) < 1e-9      # the middle: no outer side, so the right one, or the upper one, whatever its direction
    outward = normal * np.sign(normal @ (1, 1e-3) if through else away)
    turn = -bend * np.sign(normal @ outward)                        # Matplotlib's rad > 0 bends to the right
    ax.add_patch(FancyArrowPatch(
        tuple(start), tuple(end), arrowstyle="-|>", mutation_scale=16, shrinkA=RADIUS, shrinkB=RADIUS, color=colour,
        linewidth=1.6, connectionstyle=f"arc3,rad={turn}", linestyle=(0, (4, 2.5)) if bend else "-", clip_on=False,
        zorder=1))
    if len(arrow) == 3:
        side = outward if bend else -outward
        part = 0.5 if bend or through else 0.35     # between two arrows there is more room by the parents than by the child
        at = start + part * along + outward * bend / 2 * np.hypot(*along)
        ax.annotate(f"${arrow[2]}$".replace("|", r"\,|\,"), at, 8 * side, textcoords="offset points", color=colour,
                    fontsize=14, math_fontfamily="cm", ha=_align(side[0], "left", "right"),
                    va=_align(side[1], "bottom", "top"), annotation_clip=False)


def _align(towards: float, positive: str, negative: str) -> str:
    return positive if towards > 0.4 else negative if towards < -0.4 else "center"


class Box(NamedTuple):
    """A box of `draw_flow`: its words, a shape beneath them, and its form, one of `FORMS`."""
    words: str
    shape: str = ""
    form: str = "box"


class Form(NamedTuple):
    """How a box looks: the heights of its left and right sides, its line, and its filling."""
    before: float
    after: float
    line: str
    filling: tuple[str, float]  # a colour and how much of it


POSTERIOR, RECONSTRUCTION = COLOURS["posterior"], COLOURS["reconstruction"]
FORMS = {"box": Form(0.6, 0.6, "black", ("white", 1)), "given": Form(0.6, 0.6, "black", (SEEN, 1)),
         "narrows": Form(0.95, 0.6, POSTERIOR, (POSTERIOR, 0.15)),
         "widens": Form(0.6, 0.95, RECONSTRUCTION, (RECONSTRUCTION, 0.15))}
GAP = 2.2               # letters between two columns


def draw_flow(columns: Sequence[tuple | Sequence[tuple]], ax) -> None:
    """Draw an architecture from left to right, with arrows from every box of a column to every box of the next one.

    A box is plain; or "given", which is grey and no arrow ends there; or "narrows", as an encoder does; or "widens", as a
    decoder does. Words become as large as the Axes allow.

    Args:
        columns: of each its boxes from top to bottom, a list of `Box` or of tuples (words, shape, form); or one box alone.

    Raises:
        ValueError: if there is no column, an empty one, or a form that is not known.
    """
    stacks = [[Box(*box) for box in ([column] if isinstance(column, tuple) else column)] for column in columns]
    if not stacks or not all(stacks):
        raise ValueError("draw_flow needs at least one column, and a box in each")
    for box in (box for stack in stacks for box in stack):
        if box.form not in FORMS:
            raise ValueError(f"{box.words!r} has the form {box.form!r}, not one of {', '.join(FORMS)}")
    widths = [max(_letters(words) for box in stack for words in box[:2]) + 1.8 for stack in stacks]
    lefts = np.cumsum([0, *(width + GAP for width in widths)])
    heights = [(len(stack) - 1) / 2 - np.arange(len(stack)) for stack in stacks]
    rows = max(map(len, stacks))
    ax.set(xlim=(-0.3, lefts[-1] - GAP + 0.3), ylim=(-rows / 2, rows / 2))
    ax.set_axis_off()
    ax.figure.draw_without_rendering()                              # the layout gives the Axes their size
    room = 72 * ax.get_window_extent().size / ax.figure.dpi         # in points; a letter is about 0.6 of its size wide
    size = min(16.0, room[0] / (lefts[-1] - GAP + 0.6) / 0.58, room[1] / rows / 4)
    for k, stack in enumerate(stacks):
        for box, y in zip(stack, heights[k]):
            _draw_box(box, lefts[k], widths[k], y, size, ax)
            for start in heights[k - 1] if k and box.form != "given" else []:
                lean = np.clip(0.3 * (y - start), -0.13, 0.13)      # several arrows share a side
                ax.add_patch(FancyArrowPatch((lefts[k] - GAP, start + lean), (lefts[k], y - lean), arrowstyle="-|>",
                                             mutation_scale=12, shrinkA=1, shrinkB=1, linewidth=1.3, color="black"))


def _letters(words: str) -> int:
    """About how many letters wide the words are: a command of mathtext is one, its other signs are none."""
    return len(re.sub(r"[${}_^]|\\[^ ]|\\", "", re.sub(r"\\[a-zA-Z]+", "x", words)))


def _draw_box(box: Box, left: float, width: float, y: float, size: float, ax) -> None:
    """A box or a trapezoid at height y, with its words and its shape in it."""
    form, right, middle = FORMS[box.form], left + width, left + width / 2
    before, after = form.before / 2, form.after / 2
    ax.add_patch(Polygon([(left, y - before), (left, y + before), (right, y + after), (right, y - after)],
                         facecolor=to_rgba(*form.filling), edgecolor=form.line, linewidth=1.3, joinstyle="round"))
    formula = 1.2 if "$" in box.words else 1    # whose letters are small
    for words, height, lift, align, colour in [
            (box.words, formula * size, 0.15 if box.shape else -0.35, "baseline", "black"),
            (box.shape, 0.8 * size, -0.25, "top", COLOURS["data"])]:
        ax.annotate(words, (middle, y), (0, lift * size), textcoords="offset points", ha="center", va=align,
                    fontsize=height, math_fontfamily="cm", color=colour)


def draw_map(codes: ArrayLike, places: ArrayLike, images: ArrayLike, left, right, shown: int = 6) -> None:
    """Draw a map between two spaces: codes as points, their places as points, and arrows to the pictures of some.

    Those are shown whose places lie far apart; codes at the rim of the cloud are left out.

    Args:
        codes: (n, 2), the points of the left Axes.
        places: (n, 2), where the map takes them, on the right Axes, whose limits they set.
        images: (n, H, W), values in [0, 1], the pictures that stand at the places.
        shown: how many.

    Raises:
        ValueError: if the shapes do not fit, or shown is not from 1 to n.
    """
    codes, places, images = np.asarray(codes), np.asarray(places), np.asarray(images)
    n = len(codes)
    if codes.shape != (n, 2) or places.shape != (n, 2) or images.ndim != 3 or len(images) != n:
        raise ValueError(f"codes, places and images must have shapes (n, 2), (n, 2) and (n, H, W), got {codes.shape}, "
                         f"{places.shape} and {images.shape}")
    if not 1 <= shown <= n:
        raise ValueError(f"shown must be from 1 to {n}, got {shown}")
    left.plot(*codes.T, ".", color=COLOURS["prior"], markersize=3)
    right.plot(*places.T, ".", color=RECONSTRUCTION, markersize=3)
    margin = 0.08 * np.ptp(places, axis=0)
    (x0, y0), (x1, y1) = places.min(0) - margin, places.max(0) + margin
    right.set(xlim=(x0, x1), ylim=(y0, y1))
    inner = np.hypot(*codes.T) <= np.quantile(np.hypot(*codes.T), 0.9)
    chosen = [int(np.argmax(inner))]
    for _ in range(shown - 1):
        apart = np.linalg.norm(places[:, None] - places[chosen], axis=2).min(1)
        chosen.append(int(np.argmax(np.where(inner, apart, -1))))
    arrow = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=-0.15", "color": "black", "shrinkA": 3, "shrinkB": 11}
    for k in chosen:
        left.plot(*codes[k], "o", color="black", markersize=4)
        right.annotate("", places[k], codes[k], "data", left.transData, arrowprops=arrow, annotation_clip=False)
        image = OffsetImage(images[k], zoom=25 / max(images.shape[1:]), cmap="gray", clim=(0, 1))
        right.add_artist(AnnotationBbox(image, places[k], pad=0))


def draw_computation(nodes: Mapping[str, tuple[float, float]], ax, *, arrows: Sequence[Arrow], back: Sequence[Arrow] = (),
                     drawn: Collection[str] = (), notes: Mapping[str, str] | None = None) -> None:
    """Draw a computation and the way of its gradient: a circle is drawn at random, a square is computed.

    Args:
        nodes: name in mathtext → (column, row); rows are counted upwards.
        arrows: from what is needed to what is made of it, grey and straight.
        back: along which a gradient flows, black, dashed and bent away from the middle; with a label or without.
        drawn: names of what is drawn at random.
        notes: name → words beneath its node.

    Raises:
        ValueError: if a name is not among the nodes, or an arrow leads from a node to itself.
    """
    notes = notes or {}
    places = _lay_out(nodes, arrows, back, [*drawn, *notes], ax, (0.4, 0.5), 0.3, ("#999999", "black"))
    for name, (x, y) in places.items():
        ax.plot(x, y, "o" if name in drawn else "s", markersize=(2 if name in drawn else 1.75) * RADIUS, clip_on=False,
                markerfacecolor="white", markeredgecolor="black", markeredgewidth=1.3)
        ax.text(x, y, f"${name}$", ha="center", va="center", fontsize=17, math_fontfamily="cm", zorder=3)
    for name, words in notes.items():
        ax.annotate(words, tuple(places[name]), (0, -1.3 * RADIUS), textcoords="offset points", ha="center", va="top",
                    annotation_clip=False, **NOTE)
