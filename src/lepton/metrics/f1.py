"""F1 over entities (micro): an entity counts as found when its first and last character and its type all agree.

As in CoNLL-2003 (Tjong Kim Sang and De Meulder, 2003).
"""

from collections.abc import Sequence

import numpy as np

from lepton.core.types import Label
from lepton.metrics._answers import Answer, found_spans, spans

LOWER_IS_BETTER = False
PROPORTION = False


def table(truth: Sequence[Label], answers: Sequence[Answer], classes: Sequence[str]) -> np.ndarray:
    """Columns (found rightly, found wrongly, missed), numbers of entities: float64 (N, 3)."""
    pairs = ((spans(label), found_spans(answer)) for label, answer in zip(truth, answers, strict=True))
    counts = [(len(true & found), len(found - true), len(true - found)) for true, found in pairs]
    return np.array(counts, np.float64).reshape(-1, 3)


def score(table: np.ndarray) -> float:
    """2 right / (2 right + wrong + missed), 0 to 1; 1 where there is nothing to find and nothing was found."""
    right, wrong, missed = table.sum(0)
    total = 2 * right + wrong + missed
    return float(2 * right / total) if total else 1.0
