"""Expected calibration error: how far the score of the chosen label is from the share of right answers.

Guo et al., "On Calibration of Modern Neural Networks" (2017): 15 bins of equal width.
"""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, chosen, forced, true

LOWER_IS_BETTER = True
PROPORTION = False
BINS = 15


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """Columns (score of the chosen label, 1 where it is right): float64 (N, 2); as it is without abstaining."""
    known = set(classes)
    named = [forced(answer, known) for answer in answers]
    right = true(truth, classes) == chosen(named, classes)
    return np.column_stack([[float(answer[0]["score"]) for answer in named], right])


def score(table: np.ndarray) -> float:
    """The mean over records of |mean score - share right| of the bin they are in, 0 to 1."""
    bins = bin_of(table[:, 0])
    given = np.bincount(bins, table[:, 0], minlength=BINS)
    right = np.bincount(bins, table[:, 1], minlength=BINS)
    return float(np.abs(given - right).sum() / len(table))


def bin_of(given: np.ndarray) -> np.ndarray:
    """The bin, 0 to 14, of each score in [0, 1]; a bin holds its upper end and not its lower one."""
    return np.asarray(np.clip(np.ceil(given * BINS) - 1, 0, BINS - 1), np.int64)
