"""Figures behind a score, for the report: per class, confusion, reliability, ROC and operating points.

Shapes: N records, C classes. Truth and answers are class indices as `_answers.true` and `_answers.chosen` give them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core.errors import UserError
from lepton.metrics.calibration_error import BINS, bin_of


def confusion(truth: np.ndarray, answer: np.ndarray, count: int) -> np.ndarray:
    """How often each true class (row) got each answer (column): int64 (C, C), C = `count`.

    Records of a class that the model does not know (index C) are left out.
    """
    known = truth < count
    cells = np.bincount(truth[known] * count + answer[known], minlength=count * count)
    return cells.reshape(count, count).astype(np.int64)


def per_class(truth: np.ndarray, answer: np.ndarray, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, f1 (0 to 1) and support (records) of each class, in the order of `classes`.

    Precision is 0 where a class was never answered, recall where it never occurs.
    """
    size = len(classes) + 1
    right = np.bincount(truth[truth == answer], minlength=size)
    occurs, answered = np.bincount(truth, minlength=size), np.bincount(answer, minlength=size)
    rows = zip(classes, right.tolist(), answered.tolist(), occurs.tolist(), strict=False)
    return [_row(name, hits, (given, support)) for name, hits, given, support in rows]


def _row(name: str, right: int, counts: tuple[int, int]) -> dict[str, Any]:
    answered, support = counts
    f1 = 2 * right / (answered + support) if answered + support else 0.0
    precision, recall = right / answered if answered else 0.0, right / support if support else 0.0
    return {"class": name, "precision": precision, "recall": recall, "f1": f1, "support": support}


def reliability(table: np.ndarray) -> list[dict[str, Any]]:
    """The reliability curve from the table of `calibration_error`: each bin that is not empty, lowest first.

    A bin has its ends, the number of records, their mean score and the share that was right.
    """
    bins = bin_of(table[:, 0])
    return [
        {
            "low": index / BINS,
            "high": (index + 1) / BINS,
            "count": int((bins == index).sum()),
            "score": float(table[bins == index, 0].mean()),
            "right": float(table[bins == index, 1].mean()),
        }
        for index in np.unique(bins).tolist()
    ]


def roc(positive: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """The ROC curve: "threshold" (falling, the first is infinite), "sensitivity" and "specificity" at each.

    `positive` bool (N,), `given` the positive class' scores (N,). A record is called positive when its score is at
    least the threshold; thresholds stand half-way between scores, so that rounding changes no decision. Raises
    UserError when either class is missing.
    """
    total = int(positive.sum())
    if not 0 < total < len(positive):
        raise UserError("A ROC curve needs both classes", received=f"{total} positive of {len(positive)} records")
    thresholds = _between(np.unique(given))[::-1]
    order = np.sort(given[positive]), np.sort(given[~positive])
    reached = [len(each) - np.searchsorted(each, thresholds) for each in order]
    sensitivity, alarms = reached[0] / total, reached[1] / (len(positive) - total)
    return {
        "threshold": np.concatenate([[np.inf], thresholds]),
        "sensitivity": np.concatenate([[0.0], sensitivity]),
        "specificity": 1 - np.concatenate([[0.0], alarms]),
    }


def _between(values: np.ndarray) -> np.ndarray:
    """For each of the rising values the middle between it and the one below; the lowest stays."""
    middles = (values[1:] + values[:-1]) / 2
    return np.concatenate([values[:1], np.where(middles > values[:-1], middles, values[1:])])


def at_specificity(curve: Mapping[str, np.ndarray], specificity: float) -> dict[str, float]:
    """The operating point of the highest sensitivity among those with at least that specificity (0 to 1)."""
    allowed = np.flatnonzero(curve["specificity"] >= specificity - 1e-12)
    best = allowed[np.argmax(curve["sensitivity"][allowed])]
    return _point(curve, int(best))


def at_cost(curve: Mapping[str, np.ndarray], prevalence: float, costs: tuple[float, float]) -> dict[str, float]:
    """The operating point of the least expected cost; of equal ones the first, which raises fewer alarms.

    `prevalence` is the share of positive records to expect, `costs` those of a miss and of a false alarm.
    """
    miss, alarm = costs
    misses = prevalence * (1 - curve["sensitivity"])
    alarms = (1 - prevalence) * (1 - curve["specificity"])
    return _point(curve, int(np.argmin(miss * misses + alarm * alarms)))


def _point(curve: Mapping[str, np.ndarray], index: int) -> dict[str, float]:
    """A point of the curve; "never" (an infinite threshold) is said as 2, above every score and legal in JSON."""
    point = {name: float(values[index]) for name, values in curve.items()}
    return {**point, "threshold": min(2.0, point["threshold"])}
