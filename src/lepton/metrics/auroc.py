"""AUROC: the chance that a positive record gets a higher score than a negative one, ties counting half.

With two classes the second is the positive one; with more it is the mean over classes, each against the rest
(Hand and Till, 2001, discuss both). It does not depend on any threshold.
"""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, scores, true

LOWER_IS_BETTER = False
PROPORTION = False


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """Columns (true class as an index, score of each class): float64 (N, 1 + C)."""
    return np.column_stack([true(truth, classes), scores(answers, classes)])


def score(table: np.ndarray) -> float:
    """The area, 0 to 1, over the classes that have both positive and negative records; NaN where none has."""
    truth, given = table[:, 0], table[:, 1:]
    positives = [1] if given.shape[1] == 2 else range(given.shape[1])
    areas = [_area(truth == index, given[:, index]) for index in positives]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else float("nan")


def _area(positive: np.ndarray, given: np.ndarray) -> float | None:
    """Mann and Whitney's statistic from ranks, the mean rank for ties, divided by the number of pairs."""
    count = int(positive.sum())
    pairs = count * (len(positive) - count)
    if not pairs:
        return None
    _, place, ties = np.unique(given, return_inverse=True, return_counts=True)
    last = np.cumsum(ties)
    ranks = (last - (ties - 1) / 2)[place]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / pairs)
