"""What models say of labels that they were not taught: the input of checks that need models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOTHING = "O"
"""The class of words that are part of no entity."""


@dataclass(frozen=True)
class Predictions:
    """Probabilities (N, C) of `classes` for N labelled things, each by models that did not learn from its label.

    A thing is a whole record, or a word of one: `records` has the id of its record and `places`, for words, its first
    and last character (exclusive). `given` are the labels as class numbers, int (N,); every class is given somewhere.
    """

    classes: Sequence[str]
    records: Sequence[str]
    given: np.ndarray
    probabilities: np.ndarray
    places: Sequence[tuple[int, int]] | None = None
