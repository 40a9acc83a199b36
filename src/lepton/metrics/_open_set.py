"""How well answers tell samples of known classes from others, by how much each looks like what the classes cover.

Shapes: K known records, U unknown ones.
"""

from math import floor
from typing import Any

import numpy as np

from lepton.core.errors import UserError
from lepton.metrics import _intervals, auroc

_TAIL = 20


def threshold(known: np.ndarray, keep: float) -> float:
    """The likeness from which a share of at least `keep` of new known samples are kept, by those of K that were seen.

    Abstained is below it. Split conformal prediction (Vovk et al., 2005; Lei et al., 2018): the k-th smallest of K
    with k = floor((1 - keep) (K + 1)), so that the chance that a new sample of the same kind lies below it is at most
    1 - keep, whatever the distribution. It stands half-way to the next smaller, so that rounding changes no decision.
    Raises UserError where K is too small for that.
    """
    place = floor((1 - keep) * (len(known) + 1) + 1e-9)
    if place < 1:
        raise UserError(
            f"{len(known)} known validation records are too few to keep {keep:.4g} of the known",
            rule=f"At least {floor(1 / max(1 - keep, 1e-9))} are needed" if keep < 1 else "Keep less than 1",
            remedy="Hold out more for validation, or lower evaluate.abstain.keep",
        )
    rising = np.sort(known)
    return float(rising[place - 1] + rising[max(place - 2, 0)]) / 2


def tail(known: np.ndarray, threshold: float) -> list[float]:
    """The likenesses of known samples below the threshold, rising; of more than 20 as many, evenly spread."""
    below = np.sort(known[known < threshold])
    places = np.linspace(0, len(below) - 1, min(_TAIL, len(below))).round().astype(int)
    return [float(value) for value in below[places]]


def area(known: np.ndarray, unknown: np.ndarray) -> float:
    """AUROC: the chance that a known record looks more known than an unknown one, ties counting half."""
    return auroc.score(_table(known, unknown))


def figures(known: np.ndarray, unknown: np.ndarray, threshold: float, *, seed: int) -> dict[str, Any]:
    """What abstaining below the threshold does, each figure {"value", "low", "high"} with a 95 % interval.

    `kept` is the share of known records, `rejected` that of unknown ones, and `auroc` holds for every threshold. One is
    None where its records are missing.
    """
    both = len(known) and len(unknown)
    whole = _intervals.interval(auroc, _table(known, unknown), seed=seed) if both else None
    return {
        "known": len(known),
        "unknown": len(unknown),
        "auroc": {"value": whole.value, "low": whole.low, "high": whole.high} if whole else None,
        "kept": _share(known >= threshold),
        "rejected": _share(unknown < threshold),
    }


def _table(known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The table of `auroc` for two classes, the second being what is known."""
    both = np.concatenate([known, unknown])
    return np.column_stack([np.arange(len(both)) < len(known), -both, both])


def _share(hits: np.ndarray) -> dict[str, float] | None:
    if not len(hits):
        return None
    low, high = _intervals.wilson(float(hits.sum()), len(hits))
    return {"value": float(hits.mean()), "low": low, "high": high}
