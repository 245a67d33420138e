"""Drawings of ideas: how many circles, boxes and arrows there are, where arrows end, whether words fit, at two sizes."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon

from vae_course.drawings import RADIUS, SEEN, Box, draw_computation, draw_flow, draw_graph, draw_map
from vae_course.plots import COLOURS

PLACES = {"y": (0, 1), "z_2": (1.6, 1), "x": (0.7, 0), "w": (0.7, -1)}
MODEL = [("y", "x", "p(x|y,z_2)"), ("z_2", "x"), ("x", "w")]
POSTERIOR = [("x", "y", "q(y|x)"), ("x", "z_2"), ("y", "z_2"), ("w", "x")]


def axes(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


@pytest.fixture(params=[(8, 4), (4, 3)], ids=["notebook", "phone"])
def ax(request):
    return axes(*request.param)


def arrows(ax) -> list[FancyArrowPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def boxes(ax) -> list[Polygon]:
    return [patch for patch in ax.patches if isinstance(patch, Polygon)]


def pixels(arrow) -> np.ndarray:
    """The corners of an arrow's outline, head and all, in pixels; the width of the line adds up to 3 to its tip."""
    path = arrow.get_path()
    return arrow.get_transform().transform(path.vertices[path.codes != path.CLOSEPOLY])


def written(ax) -> set[str]:
    return {text.get_text() for text in ax.texts}


# ---------------------------------------------------------------- graphs

def test_circles_say_what_is_observed(ax):
    draw_graph(PLACES, ax, p=MODEL, seen=["x"], sometimes=["y"], notes={"z_2": "style", "w": "ink", "x": "a picture"})
    faces, rims = ax.lines[::2], ax.lines[1::2]
    look = [(to_hex(face.get_markerfacecolor()).upper(), face.get_fillstyle()) for face in faces]
    assert look == [(SEEN, "left"), ("#FFFFFF", "full"), (SEEN, "full"), ("#FFFFFF", "full")]
    assert [(rim.get_xdata()[0], rim.get_ydata()[0]) for rim in rims] == list(PLACES.values())
    assert {"$y$", "$z_2$", "$x$", "$w$", "style", "ink", "a picture", r"$p(x\,|\,y,z_2)$"} == written(ax)


def test_arrows_lead_from_rim_to_rim(ax):
    draw_graph(PLACES, ax, p=MODEL, q=POSTERIOR)
    ax.figure.canvas.draw()
    radius = RADIUS * ax.figure.dpi / 72
    assert len(arrows(ax)) == len(MODEL) + len(POSTERIOR)
    for arrow, (start, end, *_) in zip(arrows(ax), MODEL + POSTERIOR):
        for name in (start, end):
            distance = np.hypot(*(pixels(arrow) - ax.transData.transform(PLACES[name])).T).min()
            assert distance == pytest.approx(radius, abs=3), (start, end)


def test_the_posterior_is_dashed_and_bends_outward(ax):
    draw_graph(PLACES, ax, p=MODEL, q=POSTERIOR)
    ax.figure.canvas.draw()
    solid, dashed = arrows(ax)[:len(MODEL)], arrows(ax)[len(MODEL):]
    assert {(arrow.get_linestyle(), to_hex(arrow.get_edgecolor())) for arrow in solid} == {("-", "#000000")}
    assert {to_hex(arrow.get_edgecolor()).upper() for arrow in dashed} == {COLOURS["posterior"]}
    assert all(arrow.get_linestyle() != "-" for arrow in dashed)
    middle = np.mean(list(PLACES.values()), axis=0)
    for arrow, (start, end, *_) in zip(dashed[:3], POSTERIOR):
        straight = (np.array(PLACES[start]) + PLACES[end]) / 2
        bent = ax.transData.inverted().transform(pixels(arrow)).mean(axis=0)
        assert np.linalg.norm(bent - middle) > np.linalg.norm(straight - middle) + 0.02, (start, end)


@pytest.mark.parametrize("other, side", [((0, 2), (1, 0)), ((0, -3), (1, 0)), ((3, 0), (0, 1)), ((2, -1), (1, 2))])
def test_an_arrow_through_the_middle_bends_to_one_side_in_both_directions(other, side):
    ax = axes(5, 4)
    draw_graph({"x": (0, 0), "z": other}, ax, p=[], q=[("x", "z", "q(z|x)"), ("z", "x", "r(x|z)")])
    ax.figure.canvas.draw()
    for arrow in arrows(ax):
        bent = ax.transData.inverted().transform(pixels(arrow)).mean(axis=0)
        assert (bent - np.array(other) / 2) @ side > 0.02


@pytest.mark.parametrize("change, words", [
    ({"p": [("z", "x")]}, "'z' is not one of the nodes: y, z_2, x, w"), ({"q": [("x", "u")]}, "'u' is not one"),
    ({"seen": ["X"]}, "'X' is not one"), ({"sometimes": ["v"]}, "'v' is not one"), ({"notes": {"n": "?"}}, "'n' is not one"),
    ({"p": [("x", "x")]}, "leads from 'x' to itself"),
])
def test_wrong_names_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        draw_graph(PLACES, axes(4, 3), **{"p": MODEL, **change})


# ---------------------------------------------------------------- architectures

LABEL = Box("y", "10", "given")
FLOW = [[("$x$", "784 pixels", "given"), LABEL], ("encoder", "400", "narrows"), [("z", "20"), LABEL],
        ("decoder", "300", "widens"), (r"$p(x\,|\,y, z)$", "784")]


def test_boxes_and_arrows_of_an_architecture(ax):
    draw_flow(FLOW, ax)
    assert [to_hex(box.get_edgecolor()).upper() for box in boxes(ax)] == [
        "#000000", "#000000", COLOURS["posterior"], "#000000", "#000000", COLOURS["reconstruction"], "#000000"]
    assert [k for k, box in enumerate(boxes(ax)) if to_hex(box.get_facecolor()).upper() == SEEN] == [0, 1, 4]
    sides = np.array([box.get_xy()[:4, 1] for box in boxes(ax)]) @ [[-1, 0], [1, 0], [0, 1], [0, -1]]
    assert np.sign(np.round(sides[:, 0] - sides[:, 1], 9)).tolist() == [0, 0, 1, 0, 0, -1, 0]
    assert len(arrows(ax)) == 2 + 1 + 2 + 1                                # none ends at the y that is given
    assert {"encoder", "400", "decoder", "300", "784 pixels"} < written(ax)


def test_arrows_lead_from_side_to_side(ax):
    draw_flow(FLOW, ax)
    ax.figure.canvas.draw()
    x, y, encoder, z, given, decoder, out = (ax.transData.transform(box.get_xy()) for box in boxes(ax))
    ends = [(x, encoder), (y, encoder), (encoder, z), (z, decoder), (given, decoder), (decoder, out)]
    for arrow, (start, end) in zip(arrows(ax), ends):
        path = pixels(arrow)
        for (low, high), at in ((start[[3, 2]], path[:, 0].argmin()), (end[[0, 1]], path[:, 0].argmax())):
            assert path[at, 0] == pytest.approx(low[0], abs=4)              # a right side, then a left one
            assert low[1] - 2 <= path[at, 1] <= high[1] + 2


def test_words_fit_into_their_boxes(ax):
    draw_flow(FLOW, ax)
    ax.figure.canvas.draw()
    for k, box in enumerate(boxes(ax)):
        extent = box.get_window_extent()
        for text in ax.texts[2 * k:2 * k + 2]:
            inner = text.get_window_extent()
            assert extent.x0 < inner.x0 and inner.x1 < extent.x1, text.get_text()
            assert extent.y0 < inner.y0 and inner.y1 < extent.y1, text.get_text()


@pytest.mark.parametrize("columns, words", [
    ([], "at least one column"), ([("x", "2"), []], "a box in each"),
    ([("x", "2", "round")], "'x' has the form 'round', not one of box, given, narrows, widens"),
])
def test_an_architecture_that_cannot_be_drawn(columns, words):
    with pytest.raises(ValueError, match=words):
        draw_flow(columns, axes(4, 2))


# ---------------------------------------------------------------- a map between two spaces

def a_map(n: int = 40):
    codes = np.random.default_rng(0).normal(size=(n, 2))
    return codes, codes[:, ::-1] * [3, -0.5], np.zeros((n, 5, 7))


def test_arrows_of_a_map_lead_from_codes_to_their_pictures():
    figure = Figure(figsize=(7, 3), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    codes, places, images = a_map()
    draw_map(codes, places, images, left, right, shown=5)
    figure.canvas.draw()
    assert np.array_equal(left.lines[0].get_xydata(), codes) and np.array_equal(right.lines[0].get_xydata(), places)
    marked = [tuple(line.get_xydata()[0]) for line in left.lines[1:]]
    assert len(marked) == len(set(marked)) == len(right.texts) == len(right.artists) == 5
    for (x, y), arrow, picture in zip(marked, right.texts, right.artists):
        k = np.flatnonzero((codes == (x, y)).all(1)).item()
        assert np.array_equal(arrow.xy, places[k]) and np.array_equal(arrow.xyann, codes[k])
        assert arrow.anncoords == left.transData and tuple(picture.xy) == tuple(places[k])
        box = picture.get_window_extent()
        assert box.width / box.height == pytest.approx(7 / 5, abs=0.2)
    low, high = np.array([right.get_xlim(), right.get_ylim()]).T
    assert (low < places.min(0)).all() and (places.max(0) < high).all()


def test_a_map_shows_pictures_that_lie_apart_and_not_of_the_rarest_codes():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    codes, places, images = a_map(200)
    draw_map(codes, places, images, left, right)
    marked = np.array([line.get_xydata()[0] for line in left.lines[1:]])
    assert np.hypot(*marked.T).max() <= np.quantile(np.hypot(*codes.T), 0.9)
    at = np.array([picture.xy for picture in right.artists])
    gaps = np.linalg.norm(at[:, None] - at, axis=2)[np.triu_indices(6, 1)]
    of_all = np.linalg.norm(places[:, None] - places, axis=2)
    assert gaps.min() > np.quantile(of_all[of_all > 0], 0.2)


@pytest.mark.parametrize("change, words", [
    ({"codes": np.zeros((40, 3))}, r"got \(40, 3\)"), ({"places": np.zeros((39, 2))}, r"\(39, 2\)"),
    ({"images": np.zeros((40, 1, 5, 7))}, r"\(40, 1, 5, 7\)"),
    ({"shown": 0}, "from 1 to 40, got 0"), ({"shown": 41}, "got 41"),
])
def test_a_map_that_cannot_be_drawn(change, words):
    codes, places, images = a_map()
    with pytest.raises(ValueError, match=words):
        draw_map(**{"codes": codes, "places": places, "images": images, **change}, left=axes(4, 3), right=axes(4, 3))


# ---------------------------------------------------------------- computations

INSIDE = {"m": (0, 1.2), "s": (0, 0), "z": (1.6, 0.6), "f": (2.8, 0.6), "e": (1.6, -0.7)}
FORWARD = [("m", "z"), ("s", "z"), ("e", "z"), ("z", "f")]
BACK = [("f", "z", "f'(z)"), ("z", "m", "1")]


def test_what_is_drawn_at_random_is_a_circle(ax):
    draw_computation(INSIDE, ax, arrows=FORWARD, drawn=["e"], notes={"f": "distance"})
    assert [line.get_marker() for line in ax.lines] == ["s", "s", "s", "s", "o"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines] == list(INSIDE.values())
    assert written(ax) == {"$m$", "$s$", "$z$", "$f$", "$e$", "distance"}


def test_a_gradient_flows_along_dashed_arrows(ax):
    draw_computation(INSIDE, ax, arrows=FORWARD, back=BACK)
    ax.figure.canvas.draw()
    forward, back = arrows(ax)[:len(FORWARD)], arrows(ax)[len(FORWARD):]
    assert len(back) == len(BACK) and {"$f'(z)$", "$1$"} <= written(ax)
    assert all(arrow.get_linestyle() == "-" for arrow in forward) and all(arrow.get_linestyle() != "-" for arrow in back)
    assert {to_hex(arrow.get_edgecolor()) for arrow in back} == {"#000000"}
    for arrow, (start, end, *_) in zip(arrows(ax), FORWARD + BACK):
        for name in (start, end):
            distance = np.hypot(*(pixels(arrow) - ax.transData.transform(INSIDE[name])).T).min()
            assert distance == pytest.approx(RADIUS * ax.figure.dpi / 72, abs=3), (start, end)


def test_a_computation_of_unknown_names_is_refused(ax):
    with pytest.raises(ValueError, match="'y' is not one of the nodes"):
        draw_computation(INSIDE, ax, arrows=FORWARD, drawn=["y"])
    with pytest.raises(ValueError, match="from 'z' to itself"):
        draw_computation(INSIDE, ax, arrows=FORWARD, back=[("z", "z")])
