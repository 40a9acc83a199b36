"""How likely a given label is wrong, by confident learning and Bayes' rule.

Models that learnt from noisy labels tell how likely each *label* is to be given. Three steps lead to the probability
that a given one is wrong:

1. The noise, the chance of each label for each true class, is counted where models are surest of a class. (Northcutt,
   Jiang and Chuang, "Confident Learning", JAIR 2021, count above the mean confidence, which takes a weak model's
   own mistakes for noise; the surest records are the anchors of Patrini et al., "Making Deep Neural Networks
   Robust to Label Noise", CVPR 2017.)
2. The predictions are freed from that noise by the iteration of Richardson (1972) and Lucy (1974), which looks for the
   probabilities of true classes that, with the noise put on them, become what the models say.
3. Bayes' rule with the noise as the likelihood gives the true class of each record in the light of its label.

So a doubtful record of a class that is often mislabelled is more suspect than an equally doubtful one elsewhere,
and a record that is merely hard, with little said for any one other class, is less. What is said of it in the end is
pooled with the plain doubt of the models (one minus the probability of the label, cleanlab's "self-confidence"), which
knows no noise and so makes nothing of what was counted wrongly. `benchmarks/data/label_noise.py` has the order beside
cleanlab's. Shapes: N records, C classes.
"""

from dataclasses import dataclass

import numpy as np

_SUREST = 0.2
"""The share of a class's records that count as anchors, those that models are surest of."""

_FAITH = 80.0
"""How many records' worth of prior belief stands beside what is counted for a class."""

_STEPS = 4
"""Few: the iteration sharpens what models say, and what is drawn out of weak ones by more steps is their own noise."""

_PLAIN = 1 / 3
"""What the plain doubt counts for beside Bayes' rule, in log-odds."""

_FARTHEST = 60.0
_HALVINGS = 60
_BLOCK = 4096
_LEAST = 1e-12
_CALM = 0.005  # the least noise that is believed in


@dataclass(frozen=True)
class Doubts:
    """What is thought of N labels.

    `wrong`: the probability that each is wrong (N,), whose sum is `expected`, about how many are. `likeliest`: the best
    other class (N,). `suspicion`: the same order in [0, 1], not held to that sum: too high where models are weak.
    """

    wrong: np.ndarray
    suspicion: np.ndarray
    likeliest: np.ndarray
    expected: float


def doubts(given: np.ndarray, probabilities: np.ndarray) -> Doubts:
    """Judge `given` labels, int (N,), by out-of-sample `probabilities` (N, C); every class must be given somewhere.

    How many are wrong is told too high by the noise as counted, which holds the mistakes of models as well, and too
    low by noise that is the same for all classes. Their geometric mean is believed.
    """
    counts = _counted(given, probabilities)
    shares = np.bincount(given, minlength=len(counts)) / len(given)
    rows = np.arange(len(given))
    true = _true(given, probabilities, _noise(counts, given, np.tile(shares, (len(counts), 1))))
    even = _true(given, probabilities, _noise(counts, given, _even(counts, shares)))
    odds = -(1 - _PLAIN) * _log_odds(true[rows, given]) - _PLAIN * _log_odds(probabilities[rows, given])
    expected = float(np.sqrt((1 - true[rows, given]).sum() * (1 - even[rows, given]).sum()))
    true[rows, given] = -1
    return Doubts(_levelled(odds, expected), _chance(odds), true.argmax(axis=1), expected)


def _levelled(odds: np.ndarray, total: float) -> np.ndarray:
    """Probabilities in the order of log-odds (N,) whose sum is `total`: all odds are lowered alike, by bisection."""
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(odds - middle).sum() > total else (low, middle)
    return _chance(odds - low)


def _chance(odds: np.ndarray) -> np.ndarray:
    chances: np.ndarray = 1 / (1 + np.exp(-odds))
    return chances


def _log_odds(chances: np.ndarray) -> np.ndarray:
    kept = np.clip(chances.astype(np.float64), _LEAST, 1 - _LEAST)
    odds: np.ndarray = np.log(kept) - np.log1p(-kept)
    return odds


def _counted(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """How often each label (column) is given to the anchors of each class (row): (C, C)."""
    sizes = np.bincount(given, minlength=probabilities.shape[1])
    counts = np.zeros((len(sizes), len(sizes)))
    for label, size in enumerate(sizes):
        anchors = np.argsort(-probabilities[:, label], kind="stable")[: max(3, round(_SUREST * size))]
        counts[label] = np.bincount(given[anchors], minlength=len(sizes))
    return counts


def _even(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The prior that labels are wrong as often as in all classes together, and then drawn by their `shares` (C,)."""
    level = max(_CALM, 1 - float(np.trace(counts) / counts.sum()))
    others = np.tile(shares, (len(shares), 1)) * (1 - np.eye(len(shares)))
    even: np.ndarray = (1 - level) * np.eye(len(shares)) + level * others / others.sum(axis=1, keepdims=True)
    return even


def _noise(counts: np.ndarray, given: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The chance (C, C) of each label (column) for each true class (row), from what was counted and a prior (C, C).

    Where the records that a class is seen in mostly bear another label, the models do not know the class, since
    labels that are wrong more often than right could not be learnt from at all: nothing is made of what was counted.
    """
    sizes = np.bincount(given, minlength=len(counts))[:, None]
    seen = counts / counts.sum(axis=1, keepdims=True)
    known = counts.argmax(axis=1) == np.arange(len(counts))
    seen = np.where(known[:, None], seen, _even(counts, sizes[:, 0] / len(given)))
    noise: np.ndarray = (sizes * seen + _FAITH * prior) / (sizes + _FAITH)
    return noise


def _true(given: np.ndarray, probabilities: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The probabilities (N, C) of the true classes, the given labels considered."""
    found = np.zeros(probabilities.shape)
    for start in range(0, len(given), _BLOCK):
        part = slice(start, start + _BLOCK)
        joint = _freed(probabilities[part].astype(np.float64), noise) * noise[:, given[part]].T
        found[part] = joint / np.maximum(joint.sum(axis=1, keepdims=True), _LEAST)
    return found


def _freed(probabilities: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The probabilities (N, C) of true classes behind those of labels."""
    true = probabilities
    for _ in range(_STEPS):
        true = true * ((probabilities / np.maximum(true @ noise, _LEAST)) @ noise.T)
        true = true / np.maximum(true.sum(axis=1, keepdims=True), _LEAST)
    return true
