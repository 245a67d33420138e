"""Which codes are labelled, and what classifiers make of these labels: the label map without its widgets."""

from collections.abc import Mapping, Sequence

import numpy as np

from vae_course.widgets.classes import Classes
from vae_course.widgets.classifiers import Answer, Classifier
from vae_course.widgets.explorer import CannotExplore

GRID = 85            # places along a side of the plane that get a class
LISTED = 5           # classes whose names are all said


class Labelling:
    """Which codes are labelled, what the classifiers learn from them, and their errors; it knows no widgets.

    Attributes:
        labelled: (n,) True for the labelled codes.
        errors: name of a classifier → its share of wrong classes on the test codes, now and before the last change; None
            where there are no labels, or nothing was changed.
    """

    def __init__(self, codes: np.ndarray, labels: np.ndarray, labelled: np.ndarray, test_codes: np.ndarray,
                 test_labels: np.ndarray, classifiers: Mapping[str, Classifier], reach: float,
                 classes: Classes | None = None):
        self.classes = classes or Classes(labels)
        self.codes, self.labels, self.first, self.test_labels = codes, labels, labelled, test_labels
        steps = reach * (2 * np.arange(GRID) + 1 - GRID) / GRID
        grid = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)     # rows from the top
        self._parts = np.cumsum([len(grid), len(codes)])
        places = np.concatenate([grid, codes, test_codes])
        self._learn = {name: _checked(name, classifier, codes, labels, places) for name, classifier in classifiers.items()}
        self.errors: dict[str, tuple[float | None, float | None]] = {}
        self.restart()

    def restart(self) -> None:
        """Back to the first labels."""
        self._set(self.first.copy())
        self.errors = {name: (now, None) for name, (now, _) in self.errors.items()}  # nothing was changed yet

    def toggle(self, which: Sequence[int]) -> None:
        """Give each of these codes its label, or take it."""
        labelled = self.labelled.copy()
        for k in which:
            labelled[k] = not labelled[k]
        self._set(labelled)

    def clear(self) -> None:
        """Take all labels away."""
        self._set(np.zeros_like(self.labelled))

    def _set(self, labelled: np.ndarray) -> None:
        which = np.flatnonzero(labelled)
        answers = {name: np.asarray(learn(which, self.labels[which])) if len(which) else None
                   for name, learn in self._learn.items()}
        before, self.labelled, self._answers = self.errors, labelled, answers
        self.errors = {name: (self._error(answer), before.get(name, (None, None))[0]) for name, answer in answers.items()}

    def _error(self, answer: np.ndarray | None) -> float | None:
        return None if answer is None else float((answer[self._parts[1]:] != self.test_labels).mean())

    def plane(self, name: str) -> np.ndarray | None:
        """The class (GRID, GRID) that a classifier gives each place, the first row at the top; None without labels."""
        answer = self._answers[name]
        return None if answer is None else answer[:self._parts[0]].reshape(GRID, GRID)

    def guesses(self, name: str) -> np.ndarray | None:
        """The class (n,) that a classifier gives each code; None without labels."""
        answer = self._answers[name]
        return None if answer is None else answer[self._parts[0]:self._parts[1]]

    def worth_asking(self, name: str) -> int:
        """A code to begin with: guessed wrong, far from all labels, and not at the rim of the codes."""
        inward = ((self.codes - np.median(self.codes, axis=0)) ** 2).sum(axis=1)
        guesses = self.guesses(name)
        wrong = np.zeros(len(self.codes), dtype=bool) if guesses is None else guesses != self.labels
        wrong = np.flatnonzero(wrong & ~self.labelled & (inward <= np.median(inward)))
        if len(wrong) == 0:
            return int(inward.argmin())
        away = ((self.codes[wrong, None] - self.codes[None, self.labelled]) ** 2).sum(axis=-1).min(axis=1)
        return int(wrong[away.argmax()])

    def in_words(self) -> str:
        """How many labels there are, and of which classes."""
        classes, counts = np.unique(self.labels[self.labelled], return_counts=True)
        total = f"{counts.sum():,} label{'s' if counts.sum() != 1 else ''}"
        if len(classes) == 0:
            return "No picture has a label, so there is nothing to learn from"
        if len(classes) == 1:
            return f"{total}, of class {self.classes.name(classes[0])} alone"
        each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        if self.classes.named:
            which = ", ".join(map(self.classes.name, classes)) if len(classes) <= LISTED else ""
            return f"{total}, {each} of each of " + (f"the classes {which}" if which else f"{len(classes)} classes")
        return f"{total}, {each} of each of the classes {_listed(np.sort([int(self.classes.name(k)) for k in classes]))}"


def _listed(numbers: np.ndarray) -> str:
    """Rising whole numbers in words, those that follow each other as "0–6"."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _checked(name: str, classifier: Classifier, codes: np.ndarray, labels: np.ndarray, places: np.ndarray) -> Answer:
    """What the classifier makes of the codes and places, if it gives each place a class when one code is labelled."""
    try:
        learn = classifier(codes, places)
        answer = np.asarray(learn(np.array([0]), labels[:1]))
    except Exception as error:
        raise CannotExplore(f"The classifier {name!r} failed with {type(error).__name__}: {error}. Give functions such as "
                            f"those of widgets.CLASSIFIERS.") from error
    if answer.shape != (len(places),):
        raise CannotExplore(f"The classifier {name!r} must give one class for each of {len(places)} places, and gave an "
                            f"array of shape {answer.shape}.")
    return learn
