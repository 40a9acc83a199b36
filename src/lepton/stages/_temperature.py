"""The temperature that makes an app's scores honest again: fitted on answers to records with known labels.

Guo et al., "On Calibration of Modern Neural Networks" (2017). Shapes: N records, C classes.
"""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics import _answers, calibration_error
from lepton.metrics._damage import Answers
from lepton.tasks._classification import softmax

LOWEST, HIGHEST = 0.05, 20.0
"""Between these a temperature is looked for."""

_ROUNDS, _POINTS = 8, 9  # each round looks four times closer
_FOLDS = 5


def fit(scores: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood of the true classes, int (N,), given scores (N, C).

    To the sum over records stands added log(temperature)^2, as much as about one record says. Without it a small set
    of nothing but right answers would ask for endless certainty. Records of unknown classes (index C) are left out.
    """
    known = truth < scores.shape[1]
    logs, true = _logs(scores[known]), truth[known]
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(_ROUNDS):
        tried = np.linspace(low, high, _POINTS)
        best = int(np.argmin([_loss(logs, true, float(np.exp(each))) + each**2 for each in tried]))
        low, high = tried[max(best - 1, 0)], tried[min(best + 1, _POINTS - 1)]
    return float(np.exp((low + high) / 2))


def scaled(scores: np.ndarray, temperature: float) -> np.ndarray:
    """The scores (N, C) that the softmax decode gives with that temperature, from those it gives without."""
    return softmax(_logs(scores), temperature=temperature)


def calibration(truth: Sequence[Label], answers: Answers, classes: Sequence[str]) -> dict[str, float]:
    """Expected calibration error of the reference ("before"), of the compressed model ("after") and "refitted".

    `temperature` is the compressed model's, fitted on all records; "refitted" is measured on records that had no part
    in the fitting: a fifth of them at a time is scaled by the temperature of the others.
    """
    tables = [calibration_error.table(truth, own, classes) for own in answers]
    before, after = map(calibration_error.score, tables)
    scores, true = _answers.scores(answers[1], classes), _answers.true(truth, classes)
    chosen = _crossed(scores, true)[np.arange(len(true)), _answers.chosen(answers[1], classes)]
    refitted = calibration_error.score(np.column_stack([chosen, tables[1][:, 1]]))
    return {"before": before, "after": after, "refitted": refitted, "temperature": fit(scores, true)}


def _crossed(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Each record's scores, scaled by the temperature of the other folds."""
    fold = np.arange(len(truth)) % _FOLDS
    out = np.zeros_like(scores)
    for index in np.unique(fold):
        own = fold == index
        out[own] = scaled(scores[own], fit(scores[~own], truth[~own]))
    return out


def _logs(scores: np.ndarray) -> np.ndarray:
    """Logarithms of scores; one that is 0 counts as the smallest number there is."""
    return np.asarray(np.log(np.maximum(scores, np.finfo(np.float64).tiny)))


def _loss(logs: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    """The negative log-likelihood, summed over records."""
    over = logs / temperature
    top = over.max(1)
    whole = np.log(np.exp(over - top[:, None]).sum(1)) + top
    return float((whole - over[np.arange(len(truth)), truth]).sum())
