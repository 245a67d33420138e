"""The explorer of labels without a browser: its two classifiers, the labels that come and go, and what is said of them."""

import io
import statistics
import time

import numpy as np
import pytest
import torch
from machine_speed import slowness
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from vae_course.plots import CLASS_COLOURS
from vae_course.widgets import CLASSIFIERS, Explorer, Notice, label_map, nearest_label, spread_labels
from vae_course.widgets.label_pictures import BAR, LINE, TINT, colour_of, discs, error_bars, tint
from vae_course.widgets.labelling import GRID, Labelling
from vae_course.widgets.pad import MAP_FRAME

RNG = np.random.default_rng(1)
CLICK, MOVE = 0.100, 0.033  # seconds of the kernel on the reference machine


def blobs(n: int, seed: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """n codes around `classes` places of the plane, which overlap a little, and their classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    centres = 1.5 * np.stack([np.cos(2 * np.pi * np.arange(classes) / classes),
                              np.sin(2 * np.pi * np.arange(classes) / classes)], axis=1)
    return centres[labels] + 0.5 * rng.standard_normal((n, 2)), labels


CODES, LABELS = blobs(300, 0)
IMAGES = RNG.integers(0, 256, (300, 7, 5), dtype=np.uint8)
TEST_CODES, TEST_LABELS = blobs(411, 1)
FIRST = [*range(12)]


def explorer(labelled=FIRST, **options) -> Explorer:
    box = label_map(CODES, IMAGES, LABELS, labelled, TEST_CODES, TEST_LABELS, **options)
    assert isinstance(box, Explorer), box
    return box


def error_of_nearest(labelled: list[int], codes=TEST_CODES, labels=TEST_LABELS) -> float:
    """In per cent, by another route."""
    return 100 * (1 - KNeighborsClassifier(1).fit(CODES[labelled], LABELS[labelled]).score(codes, labels))


def press(box: Explorer, *places, at=None) -> None:
    """What the front end sends after clicks at these places, the point being at the last of them."""
    x, y = at or places[-1]
    answers = []
    box.pad.send = lambda content, buffers=None: answers.append(content)
    box.pad._handle_custom_msg({"x": x, "y": y, "pressed": [[*map(float, place)] for place in places], "view": "v",
                                "number": 3}, [])
    assert answers == [{"seen": 3, "view": "v"}]


# ---------------------------------------------------------------- the classifiers

@pytest.mark.parametrize("m", [1, 2, 9, 300])
def test_the_nearest_label_is_one_nearest_neighbour(m):
    which, places = RNG.permutation(300)[:m], RNG.standard_normal((77, 2))
    found = nearest_label(CODES, places)(which, LABELS[which])
    assert np.array_equal(found, KNeighborsClassifier(1).fit(CODES[which], LABELS[which]).predict(places))


def spread_by_hand(codes, which, y, n_classes: int) -> np.ndarray:
    """F ← αSF + (1 − α)Y, many times, over the graph of ten neighbours; its scores (n, classes)."""
    distances = np.linalg.norm(codes[:, None] - codes[None], axis=-1)
    linked = np.zeros((len(codes), len(codes)))
    for i, row in enumerate(distances):
        for j in np.argsort(row)[1:11]:
            linked[i, j] = linked[j, i] = 1
    degree, known = linked.sum(axis=1), np.zeros((len(codes), n_classes))
    known[which, y] = 1
    scores = known.copy()
    for _ in range(4000):
        scores = 0.99 * linked @ (scores / np.sqrt(degree)[:, None]) / np.sqrt(degree)[:, None] + 0.01 * known
    return scores


def test_labels_spread_as_they_do_step_by_step():
    codes, labels = blobs(83, 5, classes=3)
    which = np.array([0, 1, 2, 3, 17])
    scores = spread_by_hand(codes, which, labels[which], 3)
    places = RNG.standard_normal((41, 2))
    near = np.argsort(np.linalg.norm(places[:, None] - codes[None], axis=-1), axis=1)[:, :5]
    expected = scores[near].sum(axis=1)
    clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-4 * expected.max()
    found = spread_labels(codes, places)(which, labels[which])
    assert clear.sum() > 35 and np.array_equal(found[clear], expected.argmax(axis=1)[clear])


def moons(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two arcs that reach into each other, one code in the middle of each arc first."""
    angles = np.pi * np.concatenate([[0.5, 0.5], RNG.random(n - 2)])
    upper = np.arange(n) % 2
    arcs = np.where(upper[:, None] == 1, np.stack([np.cos(angles), np.sin(angles)], axis=1),
                    np.stack([1 - np.cos(angles), 0.35 - np.sin(angles)], axis=1))
    return arcs + 0.05 * RNG.standard_normal((n, 2)), upper


def test_codes_without_a_label_move_the_boundary_of_one_classifier_only():
    codes, labels = moons(400)
    wrong = {name: (classifier(codes, codes)(np.array([0, 1]), labels[:2]) != labels).mean()
             for name, classifier in CLASSIFIERS.items()}
    assert wrong["labels that spread"] < 0.02 and wrong["nearest label"] > 0.1


def test_where_no_label_arrives_the_nearest_decides():
    islands = np.concatenate([0.1 * RNG.standard_normal((30, 2)) + (x, 0) for x in (-3.0, 0.5, 3.0)])
    found = spread_labels(islands, islands)(np.array([0, 60]), np.array([12, 7]))
    assert found.tolist() == [12] * 30 + [7] * 60


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS)
@pytest.mark.parametrize("n", [2, 3, 11, 300])
def test_few_codes_doubles_and_any_whole_number_as_a_class(classifier, n):
    codes = np.concatenate([CODES[:n], CODES[:n]])
    found = classifier(codes, codes + 1e-3)(np.array([0, n + 1]), np.array([-5, 1234]))
    assert found.shape == (2 * n,) and set(found) <= {-5, 1234}
    if classifier is nearest_label or n == 300:  # in a small graph every code is near every other
        assert found[0] == found[n] == -5 and found[1] == found[n + 1] == 1234
    assert set(classifier(codes, codes)(np.array([1]), np.array([3]))) == {3}


# ---------------------------------------------------------------- labels come and go

def labelling(labelled=FIRST) -> Labelling:
    return Labelling(CODES, LABELS, np.isin(np.arange(300), labelled), TEST_CODES, TEST_LABELS, CLASSIFIERS, reach=4.0)


def test_a_label_that_is_given_is_learnt_from_and_taken_again():
    one = labelling()
    now, before = one.errors["nearest label"]
    assert (100 * now, before) == (pytest.approx(error_of_nearest(FIRST)), None)
    one.toggle([200])
    assert one.errors["nearest label"] == (pytest.approx(error_of_nearest([*FIRST, 200]) / 100), now)
    one.toggle([3])
    assert 100 * one.errors["nearest label"][0] == pytest.approx(error_of_nearest([*FIRST[:3], *FIRST[4:], 200]))
    one.toggle([3, 200])
    assert one.errors["nearest label"][0] == now and one.labelled.sum() == 12
    one.restart()
    assert one.errors["nearest label"] == (now, None)


def test_the_plane_the_codes_and_the_test_codes_are_told_apart():
    one = labelling([*range(300)])
    assert np.array_equal(one.guesses("nearest label"), LABELS)  # each is nearest to itself
    plane = one.plane("nearest label")
    assert plane.shape == (GRID, GRID)
    for x, y in ((-3.1, 0.2), (0.4, 2.9), (1.0, -2.2)):
        row, column = int((4 - y) / 8 * GRID), int((x + 4) / 8 * GRID)  # from the top, from the left
        middle = 8 * (column + 0.5) / GRID - 4, 4 - 8 * (row + 0.5) / GRID
        assert plane[row, column] == LABELS[np.linalg.norm(CODES - middle, axis=1).argmin()]


def test_it_begins_where_a_label_would_help():
    one = labelling()
    k = one.worth_asking("nearest label")
    assert not one.labelled[k] and one.guesses("nearest label")[k] != LABELS[k]
    one.clear()
    assert one.worth_asking("nearest label") == np.linalg.norm(CODES - np.median(CODES, axis=0), axis=1).argmin()


@pytest.mark.parametrize("labelled, words", [
    ([], "No picture has a label, so there is nothing to learn from"),
    ([5], f"1 label, of class {LABELS[5]} alone"),
    (np.flatnonzero(LABELS == 2)[:7], "7 labels, of class 2 alone"),
    (np.concatenate([np.flatnonzero(LABELS == y)[:5] for y in range(4)]), "20 labels, 5 of each of the classes 0–3"),
    (np.concatenate([np.flatnonzero(LABELS == y)[:5 + y] for y in (0, 1, 3)]),
     "19 labels, 5 to 8 of each of the classes 0, 1, 3"),
])
def test_how_many_labels_in_words(labelled, words):
    assert labelling(labelled).in_words() == words


# ---------------------------------------------------------------- the explorer

def test_a_click_gives_the_label_and_another_takes_it():
    box = explorer()
    start, maps = box.state.value, [box.pad.map]
    k = box.nearest(box.position)
    assert f"the nearest picture, number {k}, has no label yet; the guess is " in start
    press(box, box.position)
    assert f"number {k}, has the label {LABELS[k]}. 13 labels" in box.state.value
    assert box.state.value.endswith(
        f"nearest label: {error_of_nearest(FIRST):.1f} % → {error_of_nearest([*FIRST, k]):.1f} %.")
    maps.append(box.pad.map)
    press(box, box.position)
    assert box.state.value.endswith(f"{error_of_nearest([*FIRST, k]):.1f} % → {error_of_nearest(FIRST):.1f} %.")
    assert box.pad.map == maps[0] != maps[1]
    box.buttons["back to the first labels"].click()
    assert box.state.value == start


def test_every_click_counts_also_where_several_come_at_once():
    box = explorer()
    press(box, CODES[100], CODES[50], CODES[100], CODES[70], at=(0.5, -0.25))
    assert np.flatnonzero(box.labelling.labelled).tolist() == [*FIRST, 50, 70]
    assert box.pad.position == [0.5, -0.25] and box.state.value.startswith("z = (0.50, −0.25): the nearest picture")
    assert box.pad.found == CODES[box.nearest([0.5, -0.25])].tolist() and box.pad.said == box.state.value


def test_a_move_gives_no_label():
    box = explorer()
    for pressed in ({}, {"pressed": []}):
        box.pad._handle_custom_msg({"x": 0.1, "y": 0.2, "view": "v", "number": 1, **pressed}, [])
    assert box.labelling.labelled.sum() == 12 and box.pad.position == [0.1, 0.2]


def test_the_buttons():
    box = explorer()
    start = box.image.value, box.state.value, box.pad.map
    box.buttons["take all labels away"].click()
    assert "No picture has a label" in box.state.value and box.state.value.endswith("% → none.")
    assert "guess" not in box.state.value and box.image.value != start[0]
    box.buttons["give or take its label"].click()
    k = box.nearest(box.position)
    assert f"1 label, of class {LABELS[k]} alone" in box.state.value
    assert box.state.value.endswith(f"Test error, nearest label: {error_of_nearest([k]):.1f} %.")
    box.move_to(1.0, 1.0)
    box.buttons["back to the first labels"].click()
    assert (box.image.value, box.state.value, box.pad.map) == start
    assert "back to the hundred" in explorer(range(100)).buttons


def test_the_menu_changes_the_classifier_and_keeps_the_labels():
    box = explorer()
    press(box, CODES[40])
    before, ground = box.state.value, box.pad.map
    box.menu.value = "labels that spread"
    assert "Test error, labels that spread: " in box.state.value and " → " in box.state.value and box.pad.map != ground
    assert "13 labels" in box.state.value
    box.menu.value = "nearest label"
    assert (box.state.value, box.pad.map) == (before, ground)


def test_a_classifier_of_ones_own():
    box = explorer(classifiers={"always 2": lambda codes, places: lambda which, y: np.full(len(places), 2)})
    assert box.state.value.endswith(f"always 2: {100 * (TEST_LABELS != 2).mean():.1f} %.")


def test_a_classifier_that_fails_later_says_so_and_changes_nothing():
    def fragile(codes, places):
        return lambda which, y: nearest_label(codes, places)(which, y) if len(which) < 14 else 1 / 0
    box = explorer(classifiers={"fragile": fragile})
    press(box, CODES[40])
    press(box, CODES[41])
    assert box.state.value == "ZeroDivisionError: division by zero" and box.labelling.labelled.sum() == 13
    press(box, CODES[40])
    assert "12 labels" in box.state.value


def test_tensors_masks_and_names_are_taken():
    mask = np.isin(np.arange(300), FIRST)
    box = label_map(torch.tensor(CODES), torch.tensor(IMAGES)[:, None], torch.tensor(LABELS), torch.tensor(mask),
                    torch.tensor(TEST_CODES), torch.tensor(TEST_LABELS), names=("axis 1", "axis 2"))
    assert box.labelling.labelled.sum() == 12 and box.state.value.startswith("place = (")
    box.controls["axis 2"].value = 0.5
    assert ", 0.50)" in box.state.value


def test_labels_beyond_nine_one_class_and_very_many_labels():
    many = label_map(CODES, IMAGES, LABELS + 98, range(300), TEST_CODES, TEST_LABELS + 98)
    assert "300 labels" in many.state.value and "classes 98–101" in many.state.value
    one = label_map(CODES, IMAGES, 0 * LABELS, FIRST, TEST_CODES, 0 * TEST_LABELS)
    assert one.state.value.endswith("12 labels, of class 0 alone. Test error, nearest label: 0.0 %.")
    assert explorer([]).state.value.endswith("has no label yet. No picture has a label, so there is nothing to learn from.")


def test_the_stand_in_shows_the_map_until_the_front_end_is_there():
    box = explorer()
    first = box._map_beside_sliders.value
    box.controls["z[0]"].value += 0.5
    assert 'class="vae-map"' in first and box._map_beside_sliders.value != first
    box.pad.alive = True
    assert box._map_beside_sliders.value == "" and (box.pad.layout.display, box._stand_in.layout.display) == ("", "none")
    press(box, CODES[40])
    assert box._map_beside_sliders.value == ""


# ---------------------------------------------------------------- the pictures

def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_part_of_the_ground_is_tinted_and_the_rest_is_not():
    ground = np.full((40, 60, 3), 255, np.uint8)
    ground[20, 30] = 0
    classes = np.array([[11, 3], [3, 7]])
    tinted = tint(ground, classes, (0.5, 0.25, 0.5, 0.5))
    assert (tinted[:10] == 255).all() and (tinted[:, :30] == 255).all() and (tinted[20, 30] == 0).all()
    for row, column, label in ((11, 31, 11), (11, 59, 3), (29, 31, 3), (29, 59, 7)):
        expected = [255 * (1 - TINT) + TINT * part for part in colour_of(label)]
        np.testing.assert_allclose(tinted[row, column], expected, atol=1)


def test_discs_have_the_colours_of_their_classes_and_lie_where_their_codes_are():
    canvas = discs(np.full((100, 200, 3), 250, np.uint8), [(0.25, 0.3), (0.9, 0.8)], [4, 16])
    assert colour_of(16) == colour_of(6) and "#{:02X}{:02X}{:02X}".format(*colour_of(6)) == CLASS_COLOURS[6]
    assert tuple(canvas[30, 50 - 5]) == colour_of(4) and tuple(canvas[80, 180 - 5]) == colour_of(6)
    changed = np.argwhere((canvas != 250).any(axis=-1))
    assert all(min(np.hypot(30 - y, 50 - x), np.hypot(80 - y, 180 - x)) < 9.5 for y, x in changed)
    many = discs(np.full((100, 200, 3), 250, np.uint8), 251 * [(0.5, 0.5)], 251 * [0])
    assert tuple(many[50, 100]) == colour_of(0), "a class would be written here"
    assert np.ptp(np.argwhere((many != 250).any(axis=-1)), axis=0).max() < 9


def test_the_map_shows_its_labels_where_the_codes_are():
    box = explorer([7])
    before, place = pixels(box.pad.map), CODES[150]
    press(box, place)
    changed = (pixels(box.pad.map).astype(int) - before)
    x, y = (np.array(box.on_the_picture(place)) * before.shape[0]).round().astype(int)
    assert tuple(pixels(box.pad.map)[y, x - 5]) == colour_of(LABELS[150]) and changed.any()
    left, top, width, height = (round(500 * share) for share in MAP_FRAME)
    changed[top:top + height, left:left + width] = 0
    assert not changed.any(), "the axes' numbers stay"


def test_bars_are_as_long_as_the_errors():
    bars = error_bars({"one": (0.25, None), "two": (None, 0.5)}, "one", 201)
    row = bars[LINE + LINE + BAR // 2]
    assert (row[:51] == 0).all() and (row[52:200] == 255).all() and bars.shape[1] == 201
    assert (error_bars({"one": (0.25, None)}, "other", 201)[LINE + LINE + BAR // 2][:50] == 150).all()


def test_the_still_picture_has_map_ring_and_picture():
    box = explorer()
    still, ground = pixels(box.still()), pixels(box.map)
    assert still.shape[1] > ground.shape[1] + 252 and len(still) == len(ground)
    x, y = np.array(box.on_the_picture(CODES[box.nearest(box.position)])) * ground.shape[0]
    rows, columns = np.nonzero((still[:, :500] != ground).any(axis=-1))
    assert (rows.min() + rows.max()) / 2 == pytest.approx(y, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(x, abs=1)


# ---------------------------------------------------------------- time

def test_a_click_and_a_move_take_the_kernel_no_longer_than_they_may():
    codes, labels = blobs(2000, 7, classes=10)
    images = RNG.integers(0, 256, (2000, 28, 28), dtype=np.uint8)
    box = label_map(codes, images, labels, range(100), *blobs(5000, 8, classes=10))
    box.pad.alive = True

    def seconds(pressed: bool) -> float:
        taken = []
        for place in RNG.standard_normal((9, 2)):
            started = time.process_time()
            press(box, *([place] if pressed else []), at=place.tolist())
            taken.append(time.process_time() - started)
        return statistics.median(taken)

    times = slowness()
    click, move = seconds(True), seconds(False)
    print(f"a click {1000 * click:.1f} ms, a move {1000 * move:.1f} ms, the machine {times:.1f} times as slow")
    assert click <= CLICK * times and move <= MOVE * times


# ---------------------------------------------------------------- bad input

def bad(**changed) -> Explorer:
    given = {"codes": CODES, "images": IMAGES, "labels": LABELS, "labelled": FIRST, "test_codes": TEST_CODES,
             "test_labels": TEST_LABELS}
    return label_map(**{**given, **changed})


@pytest.mark.parametrize("changed, words", [
    ({"codes": np.zeros((300, 20))}, "codes have shape (300, 20). Give two columns, e.g. codes[:, :2]"),
    ({"test_codes": np.zeros((411, 3))}, "test_codes have shape (411, 3)"),
    ({"codes": CODES[:0]}, "codes: An explorer needs the codes of several images"),
    ({"test_codes": TEST_CODES[:0], "test_labels": TEST_LABELS[:0]}, "test_codes: An explorer needs the codes"),
    ({"codes": np.full((300, 2), np.nan)}, "training diverged"),
    ({"codes": np.zeros((4001, 2)), "images": np.zeros((4001, 2, 2))}, "room for 4,000 codes, and got 4,001"),
    ({"images": IMAGES[:7]}, "300 codes and 7 images"),
    ({"images": IMAGES[:0]}, "The data set is empty"),
    ({"images": 3.0 * IMAGES}, "must lie in [0, 1]"),
    ({"labels": LABELS[:7]}, "300 codes and labels of shape (7,)"),
    ({"labels": LABELS / 2}, "labels must be whole numbers"),
    ({"test_labels": TEST_LABELS[:7]}, "test_labels: There are 411 codes and labels of shape (7,)"),
    ({"test_labels": TEST_LABELS.astype(float)}, "test_labels must be whole numbers"),
    ({"labelled": [0, 300]}, "labelled goes from 0 to 300"),
    ({"labelled": [0, 300]}, "from 0 to 299"),
    ({"labelled": [-1, 4]}, "labelled goes from -1 to 4"),
    ({"labelled": [4, 4, 5]}, "of its 3 numbers 2 are different"),
    ({"labelled": [0.5]}, "float64 of shape (1,)"),
    ({"labelled": np.ones(7, bool)}, "bool of shape (7,)"),
    ({"labelled": np.zeros((3, 3), int)}, "int64 of shape (3, 3)"),
    ({"classifiers": {}}, "classifiers has no entry"),
    ({"classifiers": {"mine": lambda codes, places: lambda which, y: y}}, "'mine' must give one class for each of "),
    ({"classifiers": {"mine": lambda codes: None}}, "'mine' failed with TypeError"),
])
def test_bad_input_says_what_is_wrong_and_what_to_do(changed, words):
    notice = bad(**changed)
    assert isinstance(notice, Notice) and words in notice.message
