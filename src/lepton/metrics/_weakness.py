"""Slices in which a model is right less often than elsewhere, judged with their number in mind.

The records of a slice are held against all others by Fisher's exact test ("The Design of Experiments", 1935),
one-sided: the chance that as many of the wrong answers fall into it when they are dealt at random. Over all slices
Holm's correction holds the chance of any false alarm at 5 %; it counts those that could be significant at all
(Tarone, 1990), which a slice of three records never is. Shapes: N records.
"""

from collections.abc import Sequence
from math import exp, lgamma

import numpy as np

from lepton.metrics._damage import holm

_LEVEL = 0.05


def weak(right: np.ndarray, slices: Sequence[np.ndarray]) -> list[tuple[float, bool]]:
    """For each of `slices`, masks (N,), the chance of so many wrong answers and whether that is significant.

    `right`, bool (N,), tells which records were answered rightly. The chance is that of the slice alone.
    """
    wrong, total = int((~right).sum()), len(right)
    counts = [(int((~right[inside]).sum()), int(inside.sum())) for inside in slices]
    chances = [_chance(found, size, (wrong, total)) for found, size in counts]
    least = [_chance(min(size, wrong), size, (wrong, total)) for _, size in counts]
    able = [at for at, chance in enumerate(least) if chance <= _LEVEL]
    corrected = dict(zip(able, holm([chances[at] for at in able]), strict=True))
    return [(chance, corrected.get(at, 1.0) <= _LEVEL) for at, chance in enumerate(chances)]


def _chance(found: int, size: int, marked: tuple[int, int]) -> float:
    """The chance of at least `found` marked ones among `size` drawn without putting back."""
    wrong, total = marked
    low, high = max(found, size - (total - wrong), 0), min(size, wrong)
    whole = _ways(total, size)
    tail = sum(exp(_ways(wrong, k) + _ways(total - wrong, size - k) - whole) for k in range(low, high + 1))
    return min(1.0, tail)


def _ways(total: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return lgamma(total + 1) - lgamma(chosen + 1) - lgamma(total - chosen + 1)
