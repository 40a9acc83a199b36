"""Tango's score interval for the difference of paired proportions.

Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design",
Statistics in Medicine 17 (1998). Counts are (b, c, n): pairs where only the first was right, where only the second
was, and all pairs; the difference is (b - c) / n.
"""

from math import sqrt

_STEPS = 60  # halvings of [-1, 1]: beyond the precision of a float

Counts = tuple[int, int, int]


def tango_bound(counts: Counts, z: float) -> float:
    """The upper bound of the difference: the largest one whose score statistic is at least -z; between -1 and 1."""
    b, c, n = counts
    low, high = (b - c) / n, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if statistic(counts, middle) >= -z else (low, middle)
    return high


def tango_interval(counts: Counts, z: float) -> tuple[float, float]:
    """Lower and upper bound of the difference."""
    b, c, n = counts
    return -tango_bound((c, b, n), z), tango_bound(counts, z)


def statistic(counts: Counts, difference: float) -> float:
    """How many standard errors the counts lie above `difference`; 0 where they agree with it fully."""
    b, c, n = counts
    gap = b - c - n * difference
    variance = n * (2 * nuisance(counts, difference) + difference * (1 - difference))
    if abs(gap) < 1e-12 * n:
        return 0.0
    return gap / sqrt(variance) if variance > 0 else float("inf") * gap


def nuisance(counts: Counts, difference: float) -> float:
    """The likeliest chance of "only the second was right", given that the difference is `difference`."""
    b, c, n = counts
    linear = -b - c + (2 * n - b + c) * difference
    constant = -c * difference * (1 - difference)
    return max(0.0, (sqrt(max(0.0, linear * linear - 8 * n * constant)) - linear) / (4 * n))
