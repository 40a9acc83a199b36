"""Macro F1: the mean over classes of the harmonic mean of precision and recall, whatever their size."""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, chosen, true

LOWER_IS_BETTER = False
PROPORTION = False


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """Columns (true class, chosen class or -1 for none) as indices: float64 (N, 2)."""
    return np.stack([true(truth, classes), chosen(answers, classes)], 1).astype(np.float64)


def score(table: np.ndarray) -> float:
    """The mean F1, 0 to 1, over the classes that occur in the table, be it as truth or as answer."""
    truth, answer = table.astype(np.int64).T
    size = int(table.max()) + 1
    right = np.bincount(truth[truth == answer], minlength=size)
    seen = np.bincount(truth, minlength=size) + np.bincount(answer[answer >= 0], minlength=size)
    return float((2 * right[seen > 0] / seen[seen > 0]).mean())
