"""Scores of one learner or several as probabilities that suit the labels. Shapes: N records, C classes."""

from collections.abc import Sequence

import numpy as np


def loss(probabilities: np.ndarray, given: np.ndarray) -> float:
    """The mean negative log-likelihood of labels."""
    return -float(np.log(np.maximum(probabilities[np.arange(len(given)), given], 1e-12)).mean())


def calibrated(scores: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Scores as probabilities (N, C), at the temperature that suits the labels best (Guo et al., 2017)."""
    return pooled([scores], given)


def pooled(found: Sequence[np.ndarray], given: np.ndarray) -> np.ndarray:
    """Scores of several learners as one set of probabilities (N, C): a softmax of their weighted sum.

    The weights are those that suit the labels best; none is negative. It is the logarithmic opinion pool (Heskes,
    1998), and a handful of weights cannot learn single labels by heart.
    """
    from scipy.optimize import minimize

    scores = np.stack([each - each.mean(axis=1, keepdims=True) for each in found]).astype(np.float64)
    scores /= np.maximum(scores.std(axis=(1, 2)), 1e-9)[:, None, None]
    rows = np.arange(len(given))

    def slope(weights: np.ndarray) -> tuple[float, np.ndarray]:
        chances = softmax(np.tensordot(weights, scores, 1))
        pull = chances.copy()
        pull[rows, given] -= 1
        return loss(chances, given), np.tensordot(scores, pull, 2) / len(given)

    start = np.full(len(found), 1 / len(found))
    done = minimize(slope, start, jac=True, method="L-BFGS-B", bounds=[(0, 100)] * len(found))
    return softmax(np.tensordot(done.x, scores, 1))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) in proportion to the exponentials of scores."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return chances


def best(found: Sequence[np.ndarray], given: np.ndarray) -> np.ndarray:
    """Of several scores (N, C) those that predict the labels best once they are calibrated."""
    losses = [loss(calibrated(scores, given), given) for scores in found]
    return found[int(np.argmin(losses))]
