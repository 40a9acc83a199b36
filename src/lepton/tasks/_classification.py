"""What the classification tasks share: class names in order, and the softmax decode.

Shapes: B batch, C classes.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lepton.core.errors import UserError
from lepton.core.types import Arrays, Label, Raw
from lepton.tasks._abstain import likeness, outcome

METRICS = ("accuracy", "macro_f1", "calibration_error", "auroc")

Answer = Sequence[Mapping[str, Any]]
"""Every class as {"label", "score"}, the chosen one first."""

_SHOWN = 5
_FEW = 32
"""Classes up to which plain numbers are quicker than arrays: a call of numpy costs as much as ten exponentials."""
_DIGITS = re.compile(r"(\d+)")


def in_order(names: Iterable[str]) -> list[str]:
    """Different names, sorted, with numbers inside them by value: 9 before 10, "track 2" before "track 11"."""
    return sorted(set(names), key=lambda name: (_parts(name), name))


def classes(labels: Iterable[Label]) -> list[str]:
    """The class names that occur, in order; records without a label do not count. Raises UserError for fewer than 2."""
    found = in_order(str(label) for label in labels if label is not None)
    if len(found) < 2:
        rule, remedy = "Classification needs at least two", "Check data.label, or which column was taken for it"
        raise UserError("There are too few classes", rule=rule, received=", ".join(found) or "none", remedy=remedy)
    return found


def answer(run: Callable[[Arrays], Arrays], arrays: Arrays, settings: Mapping[str, Any]) -> list[Answer]:
    """For each sample every class with its probability, the chosen one first and the rest by probability.

    `run` gives "logits" (B, C). `settings["decode"]`: `temperature` (> 0, default 1) divides the logits; `threshold`
    (two classes only, default None) is an operating point: the second class, the positive one, is chosen when its
    probability is at least that, the first otherwise. Of equal probabilities the class that stands first wins.
    `abstain` (a table, default None) adds the outcome that no class fits: see `_abstain.outcome`.
    """
    names, decode = settings["classes"], settings.get("decode") or {}
    outputs, temperature = run(arrays), float(decode.get("temperature") or 1.0)
    logits = outputs["logits"]
    if len(names) <= _FEW:
        rows = [_softmax(row, temperature) for row in logits.tolist()]
    else:
        rows = softmax(logits, temperature=temperature).tolist()
    threshold = decode.get("threshold") if len(names) == 2 else None
    answers: list[Answer] = [[{"label": names[at], "score": row[at]} for at in _order(row, threshold)] for row in rows]
    abstain = decode.get("abstain")
    if not abstain:
        return answers
    alike = likeness(outputs, abstain["score"], temperature=temperature).tolist()
    return [outcome(own, like, abstain) for own, like in zip(answers, alike, strict=True)]


def _order(row: list[float], threshold: float | None) -> Sequence[int]:
    """The places of classes, the chosen one first; of equal chances the place that comes first stays before."""
    if threshold is None:
        return sorted(range(len(row)), key=row.__getitem__, reverse=True)
    return (1, 0) if row[1] >= threshold else (0, 1)


def brief(answer: Answer) -> Answer:
    """The first five classes."""
    return answer[:_SHOWN]


def finish(answer: Answer, raw: Raw) -> Answer:
    """Give the answer as it is: classes need nothing of the raw input."""
    return answer


def softmax(logits: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Probabilities along the last axis in double precision; each row's depend on that row alone."""
    # In place, and past numpy's wrappers of them: for few classes those take longer than the arithmetic.
    chances: np.ndarray = np.divide(logits, temperature, dtype=np.float64)
    chances -= np.maximum.reduce(chances, -1, keepdims=True)
    np.exp(chances, chances)
    chances /= np.add.reduce(chances, -1, keepdims=True)
    return chances


def _softmax(row: Sequence[float], temperature: float) -> list[float]:
    """What `softmax` gives for one row, but for rounding."""
    top = max(row)
    powers = [math.exp((value - top) / temperature) for value in row]
    total = sum(powers)
    return [power / total for power in powers]


def _parts(name: str) -> list[tuple[int, str]]:
    """The name cut into text and numbers; a number counts by its length without leading zeros, then by its digits."""
    pieces = _DIGITS.split(name)
    numbers = (piece.lstrip("0") if index % 2 else piece for index, piece in enumerate(pieces))
    return [(len(piece) if index % 2 else 0, piece) for index, piece in enumerate(numbers)]
