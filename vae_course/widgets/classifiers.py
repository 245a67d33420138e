"""Two classifiers of codes that learn from a few labels: one uses the labelled codes alone, one also all the others.

Each is a function of codes (n, Z) and places (k, Z), which are known before any label is. It returns a function of `which`,
(m,) indices of the labelled codes, and y, (m,) their classes, which returns the classes (k,) of the places. So what the
unlabelled codes have to say is worked out once, and a new label costs milliseconds.
"""

from collections.abc import Callable

import numpy as np

Answer = Callable[[np.ndarray, np.ndarray], np.ndarray]
Classifier = Callable[[np.ndarray, np.ndarray], Answer]

NEIGHBOURS = 10     # of a code in the graph that labels spread over
PASSED_ON = 0.99    # the share of what a code receives that it passes on
AT_A_PLACE = 5      # codes that tell the class of a place
BLOCK = 2_000_000   # distances at a time


def nearest_label(codes: np.ndarray, places: np.ndarray) -> Answer:
    """Each place gets the class of the labelled code that is nearest to it. The unlabelled codes are not used."""
    codes, places = _single(codes), _single(places)
    return lambda which, y: np.asarray(y)[_nearest(places, codes[which], 1)[:, 0]]


def spread_labels(codes: np.ndarray, places: np.ndarray) -> Answer:
    """Labels spread from code to code over the graph of nearest neighbours: far where codes are dense, hardly across gaps.

    A code passes 0.99 of what it receives on to its neighbours; the class of which most arrives wins. A place gets the class
    of which most arrives at the five codes nearest to it. Where nothing arrives, the nearest label decides. As more than one
    label has a say at a place, this is also smoother than the nearest label, with unlabelled codes or without.

    Source: Zhou et al., "Learning with local and global consistency" (2004): F = (I − αS)⁻¹ Y with α = 0.99.
    """
    received = _received(codes)  # (n, n): how much of a label at code j arrives at code i
    here, instead = _nearest(places, codes, min(AT_A_PLACE, len(codes))), nearest_label(codes, codes)

    def classes_of_places(which: np.ndarray, y: np.ndarray) -> np.ndarray:
        classes, column = np.unique(y, return_inverse=True)
        one_hot = np.eye(len(classes), dtype=np.float32)
        arrived = received[:, which] @ one_hot[column]                      # (n, classes)
        arrived += 1e-6 * one_hot[instead(which, column)]                   # decides where nothing arrives
        return classes[sum(arrived[codes_here] for codes_here in here.T).argmax(axis=1)]

    return classes_of_places


CLASSIFIERS: dict[str, Classifier] = {"nearest label": nearest_label, "labels that spread": spread_labels}


def _received(codes: np.ndarray) -> np.ndarray:
    """(I − αS)⁻¹ for S = D^(−1/2) W D^(−1/2), where W says which of the codes (n, Z) are neighbours, either of the other."""
    n = len(codes)
    k = min(NEIGHBOURS, n - 1)
    neighbours = _nearest(codes, codes, k + 1)                              # a code, or its double, is its own nearest
    linked = np.zeros((n, n), dtype=np.float32)
    linked[np.arange(n)[:, None], neighbours] = 1
    np.fill_diagonal(linked, 0)
    linked = np.maximum(linked, linked.T)
    weight = 1 / np.sqrt(linked.sum(axis=1))
    return np.linalg.inv(np.eye(n, dtype=np.float32) - PASSED_ON * weight[:, None] * linked * weight)


def _nearest(places: np.ndarray, codes: np.ndarray, k: int) -> np.ndarray:
    """The indices (places, k) of the k codes that are nearest to each place, in no order."""
    places, codes = _single(places), _single(codes)
    squares, rows, found = np.einsum("nz,nz->n", codes, codes), max(1, BLOCK // len(codes)), []
    for start in range(0, len(places), rows):
        distances = squares - 2 * places[start:start + rows] @ codes.T      # without |place|², the same for all codes
        found.append(distances.argmin(axis=1)[:, None] if k == 1 else np.argpartition(distances, k - 1, axis=1)[:, :k])
    return np.concatenate(found)


def _single(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(numbers, dtype=np.float32)
