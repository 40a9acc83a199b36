"""Simple learners that answer for records which they did not learn from, a fold at a time.

Each takes a `Lesson` and gives scores (N, C), larger for likelier classes; `_pool` makes probabilities of them.
Shapes: N records, C classes, D features, L landmarks, K neighbours, P penalties.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lepton.core import seeds
from lepton.stages._pool import best, calibrated, loss

FOLDS = 5


@dataclass(frozen=True)
class Lesson:
    """What is learnt: labels `given` as class numbers (N,), how much each counts (N,), and who is asked when.

    Records of the same `group` (N,) stand in one `fold` (N,), so that copies do not vouch for each other.
    """

    given: np.ndarray
    classes: int
    fold: np.ndarray
    group: np.ndarray
    weights: np.ndarray
    seed: int

    def parts(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Which records are learnt from and which are asked about, fold by fold: two masks (N,)."""
        for number in range(FOLDS):
            asked = self.fold == number
            if asked.any():
                yield ~asked & (self.weights > _LEAST), asked


Learner = Callable[[Lesson], np.ndarray]
"""Scores (N, C) of all records, each by what was learnt from the other folds."""

_LEAST = 0.02  # a weight below which a record is left out
_COSTS = (0.1, 0.5)
_LANDMARKS = 2000
_PENALTIES = (0.02, 0.1, 0.5, 3.0, 20.0)
_NEAREST = (5, 10, 20, 50)
_REFERENCES = 20_000
_CELLS = 20_000_000  # similarities held at once


def dealt(given: np.ndarray, group: np.ndarray, seed: int) -> np.ndarray:
    """A fold for each record (N,): groups stay whole, and each class is spread evenly by its groups' first labels."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    order = np.lexsort((seeds.generator(seed, "folds").random(len(first)), given[first]))
    fold = np.zeros(len(first), np.int64)
    fold[order] = np.arange(len(first)) % FOLDS
    return fold[inverse]


@dataclass(frozen=True)
class Linear:
    """Support vector machines on sparse features (N, D), one class against the rest (Fan et al., 2008)."""

    features: Any

    def __call__(self, lesson: Lesson) -> np.ndarray:
        """Scores by the cost that predicts the first fold best."""
        cost = self._best_cost(lesson)
        return _by_fold(lesson, self.features, lambda: self._machine(cost, lesson))

    def _best_cost(self, lesson: Lesson) -> float:
        learnt, asked = next(lesson.parts())
        losses = []
        for cost in _COSTS:
            machine = _fitted(self._machine(cost, lesson), lesson, (self.features, learnt))
            scores = _scores(machine, self.features[asked], lesson.classes)
            losses.append(loss(calibrated(scores, lesson.given[asked]), lesson.given[asked]))
        return _COSTS[int(np.argmin(losses))]

    def _machine(self, cost: float, lesson: Lesson) -> Any:
        from sklearn.svm import LinearSVC

        return LinearSVC(C=cost, random_state=lesson.seed % 2**32)


@dataclass(frozen=True)
class Bayes:
    """Naive Bayes on sparse features (N, D) that are not negative: quick, and not led by single odd labels."""

    features: Any

    def __call__(self, lesson: Lesson) -> np.ndarray:
        """Log-probabilities."""
        from sklearn.naive_bayes import MultinomialNB

        return _by_fold(lesson, self.features, lambda: MultinomialNB(alpha=0.1))


def _by_fold(lesson: Lesson, features: Any, make: Callable[[], Any]) -> np.ndarray:
    found = np.zeros((len(lesson.given), lesson.classes), np.float32)
    for learnt, asked in lesson.parts():
        machine = _fitted(make(), lesson, (features, learnt))
        found[asked] = _scores(machine, features[asked], lesson.classes)
    return found


def _fitted(machine: Any, lesson: Lesson, what: tuple[Any, np.ndarray]) -> Any:
    features, learnt = what
    return machine.fit(features[learnt], lesson.given[learnt], sample_weight=lesson.weights[learnt])


def _scores(machine: Any, features: Any, classes: int) -> np.ndarray:
    """Scores (N, C), the lowest of all for classes that were not learnt."""
    decide = getattr(machine, "decision_function", None) or machine.predict_log_proba
    found = np.asarray(decide(features))
    found = np.stack([-found, found], axis=1) if found.ndim == 1 else found
    full = np.full((len(found), classes), found.min(), np.float32)
    full[:, machine.classes_] = found
    return full


class Kernel:
    """Ridge regression on Gaussian similarities to landmarks: Williams and Seeger, "Nystroem", 2001.

    All folds come from one pass over the data, since what is learnt from the others is the sum less the fold's part.
    """

    def __init__(self, rows: np.ndarray, seed: int) -> None:
        """Take `rows` (N, D) and draw the landmarks among them."""
        count = min(_LANDMARKS, len(rows))
        self.rows = rows
        self.landmarks = rows[np.sort(seeds.generator(seed, "landmarks").permutation(len(rows))[:count])]
        self.width = 3 * float(rows.var(axis=0).sum()) or 1.0
        values, vectors = np.linalg.eigh(self._similar(self.landmarks).astype(np.float64))
        self.whiten = (vectors / np.sqrt(np.maximum(values, 1e-5))).astype(np.float32)

    def __call__(self, lesson: Lesson) -> np.ndarray:
        """Scores about 1 for the label and 0 for the others, by the penalty that predicts all folds best."""
        sums = [self._sums(lesson, np.flatnonzero(lesson.fold == number)) for number in range(FOLDS)]
        found = np.zeros((len(_PENALTIES), len(lesson.given), lesson.classes), np.float32)
        for number in range(FOLDS):
            rest = [sums[other] for other in range(FOLDS) if other != number]
            weights = _solved(*(np.sum(each, axis=0) for each in zip(*rest, strict=True)))
            for part in _parts(np.flatnonzero(lesson.fold == number)):
                found[:, part] = self._mapped(part) @ weights
        return best(list(found), lesson.given)

    def _sums(self, lesson: Lesson, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The products of the chosen records' features with each other and with their labels, weighted."""
        size = len(self.landmarks) + 1
        inner, outer = np.zeros((size, size), np.float64), np.zeros((size, lesson.classes), np.float64)
        for part in _parts(chosen):
            mapped = self._mapped(part)
            weighted = mapped * lesson.weights[part, None].astype(np.float32)
            inner += weighted.T @ mapped
            outer += weighted.T @ np.eye(lesson.classes, dtype=np.float32)[lesson.given[part]]
        return inner, outer

    def _mapped(self, chosen: np.ndarray) -> np.ndarray:
        """Features (N, L + 1) whose products are the similarities; the last is 1."""
        features = self._similar(self.rows[chosen]) @ self.whiten
        return np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)

    def _similar(self, rows: np.ndarray) -> np.ndarray:
        squares = (rows**2).sum(axis=1)[:, None] + (self.landmarks**2).sum(axis=1)
        distances = np.maximum(squares - 2 * rows @ self.landmarks.T, 0)
        return np.exp(-distances / self.width)


def _solved(inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """The weights of ridge regression for each penalty (P, L + 1, C)."""
    eye = np.eye(len(inner))
    return np.stack([np.linalg.solve(inner + penalty * eye, outer) for penalty in _PENALTIES]).astype(np.float32)


def _parts(chosen: np.ndarray, size: int = 2000) -> Iterator[np.ndarray]:
    return (chosen[start : start + size] for start in range(0, len(chosen), size))


class Neighbours:
    """Votes of the nearest records by cosine, weighted by its square; of one group none votes for another of it."""

    def __init__(self, features: Any, group: np.ndarray, seed: int) -> None:
        """Find the neighbours of `features` (N, D), sparse or dense, rows of length 1, among at most 20,000."""
        order = seeds.generator(seed, "references").permutation(features.shape[0])
        self.known = np.sort(order[:_REFERENCES])
        size = max(1, _CELLS // len(self.known))
        blocks = [self._nearest(features, group, part) for part in _parts(np.arange(features.shape[0]), size)]
        self.places = np.concatenate([block[0] for block in blocks])
        self.votes = np.concatenate([block[1] for block in blocks])

    def __call__(self, lesson: Lesson) -> np.ndarray:
        """Log-shares of the votes, by the number of neighbours that predicts best."""
        ballots = self.votes * lesson.weights[self.places].astype(np.float32)
        totals = np.zeros((len(lesson.given), lesson.classes), np.float32)
        found, rows = [], np.arange(len(totals))
        for place in range(self.places.shape[1]):
            np.add.at(totals, (rows, lesson.given[self.places[:, place]]), ballots[:, place])
            if place + 1 in _NEAREST:
                found.append(np.log(totals + 0.3 / lesson.classes + 1e-3))
        return best(found or [np.log(totals + 1e-3)], lesson.given)

    def _nearest(self, features: Any, group: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The neighbours (n, K) of some records and their votes; whoever is of the same group has none."""
        product = features[part] @ features[self.known].T
        similar = np.asarray(product.todense()) if hasattr(product, "todense") else product
        similar[group[part][:, None] == group[self.known]] = 0
        count = min(_NEAREST[-1], similar.shape[1])
        chosen = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(similar, chosen, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places = self.known[np.take_along_axis(chosen, order, axis=1)]
        return places, np.maximum(np.take_along_axis(values, order, axis=1), 0) ** 2
