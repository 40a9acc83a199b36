"""Accuracy: the share of records whose chosen label is the true one."""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, chosen, true

LOWER_IS_BETTER = False
PROPORTION = True


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """1 where a record is right, 0 where it is wrong: float64 (N, 1)."""
    return np.asarray(true(truth, classes) == chosen(answers, classes), np.float64)[:, None]


def score(table: np.ndarray) -> float:
    """The mean, 0 to 1."""
    return float(table[:, 0].mean())
