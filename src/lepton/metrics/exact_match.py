"""Exact match: the share of records whose whole answer is right: the class, or every entity and none besides."""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, found_spans, spans

LOWER_IS_BETTER = False
PROPORTION = True


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """1 where a record is right, 0 where it is wrong: float64 (N, 1)."""
    pairs = zip(truth, answers, strict=True)
    return np.array([float(_equal(label, answer)) for label, answer in pairs]).reshape(-1, 1)


def score(table: np.ndarray) -> float:
    """The mean, 0 to 1."""
    return float(table[:, 0].mean())


def _equal(label: Label, answer: Answer) -> bool:
    if isinstance(label, str):
        return bool(answer[0]["label"] == label)
    return spans(label) == found_spans(answer)
