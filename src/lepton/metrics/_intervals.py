"""Intervals of a score, and bounds on the drop between two models that answered the same records.

Shapes: N records (rows of a metric's table). Levels are shares such as 0.95.

What is exact is used where the metric is a proportion: Wilson's score interval (1927) and Tango's for paired
proportions (1998). For other metrics rows are resampled (Efron, 1979). A bootstrap cannot see what the sample does
not show: where nothing changed it has no width at all. So a correction stands at its ends, z^2 / (n + z^2) with n the
number of records (of groups, where records come in groups): what the score interval of a proportion leaves open after
n records without any change, about 2.7 / n one-sided at 95 %, the "rule of three". Beside the bootstrap's own width of
order 1 / sqrt(n) it soon vanishes. It presumes scores in [0, 1].
"""

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from statistics import NormalDist
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from lepton.core import seeds
from lepton.core.errors import UserError
from lepton.metrics._tango import tango_bound

RESAMPLES = 1000
_JACKKNIFED = 200  # blocks left out in turn, at most, to estimate the acceleration


class Metric(Protocol):
    """What is used of a metric's module."""

    LOWER_IS_BETTER: bool
    PROPORTION: bool

    def score(self, table: np.ndarray) -> float:
        """The score of a table."""


class Interval(NamedTuple):
    """A score between its bounds, and how these were found."""

    value: float
    low: float
    high: float
    method: str


class Drop(NamedTuple):
    """How much worse the candidate is: the estimate (positive is worse), its one-sided bound, and the method."""

    value: float
    bound: float
    method: str


def wilson(right: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion: `right` out of `count` > 0, two-sided."""
    z = _z((1 + level) / 2)
    share = right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # The ends are exact at the borders, which rounding would miss by a hair.
    return (0.0 if right == 0 else max(0.0, middle - half)), (1.0 if right == count else min(1.0, middle + half))


def interval(
    metric: Metric | ModuleType,
    table: np.ndarray,
    *,
    seed: int,
    groups: Sequence[object] | None = None,
    level: float = 0.95,
) -> Interval:
    """The score of `table` with a two-sided interval.

    Wilson's for proportions; else the bootstrap's BCa interval (Efron, 1987), widened by the correction above when
    every resample has the same score. `groups` gives each record's group (speaker, patient): groups are then resampled
    whole, for proportions too, and with few of them the interval is too narrow rather than too wide. Resamples in which
    the score has no value (a class is missing) do not count. Raises UserError for an empty table.
    """
    value = _score(metric, table)
    if metric.PROPORTION and groups is None:
        return Interval(value, *wilson(float(table[:, 0].sum()), len(table), level), "Wilson score")
    draws = _Draws(len(table), groups)
    found = draws.scores(lambda rows: metric.score(table[rows]), seed)
    if not len(found):
        return Interval(value, 0.0, 1.0, "unknown: the score has no value in any resample")
    low, high = _bca(value, found, (draws.left_out(lambda rows: metric.score(table[rows])), level))
    spare = _unseen(draws.units, (1 + level) / 2) if low == high else 0.0
    return Interval(value, max(0.0, low - spare), min(1.0, high + spare), f"BCa bootstrap over {draws.of}")


def drop_bound(
    metric: Metric | ModuleType,
    reference: np.ndarray,
    candidate: np.ndarray,
    *,
    seed: int,
    groups: Sequence[object] | None = None,
    level: float = 0.95,
) -> Drop:
    """How much worse `candidate` is than `reference` on the same records, with a one-sided upper bound at `level`.

    For proportions Tango's score bound; for other metrics, and where records come in groups, the percentile of a
    paired bootstrap plus the correction above, so that the bound always lies above the value. Raises UserError when
    the tables are empty or differ in length.
    """
    value = _difference(metric, reference, candidate)
    if metric.PROPORTION and groups is None:
        lost, won = _discordant(metric, reference, candidate)
        return Drop(value, tango_bound((lost, won, len(reference)), _z(level)), "Tango paired score")
    draws = _Draws(len(reference), groups)
    found = draws.scores(lambda rows: _difference(metric, reference[rows], candidate[rows]), seed)
    top = max(float(np.quantile(found, level)), value) if len(found) else 1.0
    method = f"paired bootstrap over {draws.of}, plus z^2 / (n + z^2)"
    return Drop(value, min(1.0, top + _unseen(draws.units, level)), method)


def paired_interval(
    metric: Metric | ModuleType,
    reference: np.ndarray,
    candidate: np.ndarray,
    *,
    seed: int,
    groups: Sequence[object] | None = None,
    level: float = 0.95,
) -> Interval:
    """The score of `candidate` minus that of `reference` on the same records, with a two-sided interval.

    Methods as in `drop_bound`. The difference is in the metric's own direction: of an error rate, negative is better.
    """
    sign = 1.0 if metric.LOWER_IS_BETTER else -1.0
    value = sign * _difference(metric, reference, candidate)
    one_sided = (1 + level) / 2
    worse = drop_bound(metric, reference, candidate, seed=seed, groups=groups, level=one_sided)
    better = drop_bound(metric, candidate, reference, seed=seed, groups=groups, level=one_sided)
    ends = sorted((sign * worse.bound, -sign * better.bound))
    return Interval(value, ends[0], ends[1], worse.method)


def paired_error(metric: Metric | ModuleType, reference: np.ndarray, candidate: np.ndarray, *, seed: int) -> float:
    """The standard error of the difference of two scores on the same records, as it is where there is no difference.

    For proportions McNemar's (1947), the root of how many records only one of them had right, over their number; for
    other metrics the spread of a paired bootstrap plus the correction above, for one standard error 1 / (n + 1).
    """
    if metric.PROPORTION:
        return sqrt(sum(_discordant(metric, reference, candidate))) / len(reference)
    draws = _Draws(len(reference), None)
    found = draws.scores(lambda rows: _difference(metric, reference[rows], candidate[rows]), seed)
    return (float(found.std()) if len(found) else 1.0) + 1 / (len(reference) + 1)


def provable_drop(count: int, level: float = 0.95) -> float:
    """The smallest drop that `count` records can prove: the bound when no answer changed, z^2 / (n + z^2)."""
    return _unseen(count, level)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(level)


def _unseen(count: int, level: float) -> float:
    z = _z(level)
    return z * z / (count + z * z)


def _score(metric: Metric | ModuleType, table: np.ndarray) -> float:
    if not len(table):
        raise UserError("There is no record to score", rule="A score needs at least one")
    return float(metric.score(table))


def _difference(metric: Metric | ModuleType, reference: np.ndarray, candidate: np.ndarray) -> float:
    """How much worse the candidate is, whichever way the metric points."""
    if len(reference) != len(candidate):
        received = f"{len(reference)} and {len(candidate)} records"
        raise UserError("The two models did not answer the same records", rule="Rows are pairs", received=received)
    drop = _score(metric, reference) - _score(metric, candidate)
    return -drop if metric.LOWER_IS_BETTER else drop


def _discordant(metric: Metric | ModuleType, reference: np.ndarray, candidate: np.ndarray) -> tuple[int, int]:
    """Records that only the reference had right, and those that only the candidate had."""
    first, second = (table[:, 0] > 0.5 for table in (reference, candidate))
    lost, won = int((first & ~second).sum()), int((second & ~first).sum())
    return (won, lost) if metric.LOWER_IS_BETTER else (lost, won)


class _Draws:
    """Resamples of rows, or of whole groups of rows."""

    def __init__(self, count: int, groups: Sequence[object] | None) -> None:
        self.count = count
        self.members = None if groups is None else _members(groups)
        self.units = count if self.members is None else len(self.members)
        self.of = "records" if groups is None else "groups"

    def scores(self, score: Callable[[np.ndarray], float], seed: int) -> np.ndarray:
        """The scores of all resamples, those without a value left out."""
        random = seeds.generator(seed, "bootstrap")
        drawn = (self._rows(random.integers(0, self.units, self.units)) for _ in range(RESAMPLES))
        return _finite(score(rows) for rows in drawn)

    def left_out(self, score: Callable[[np.ndarray], float]) -> np.ndarray:
        """The scores with one block of units left out in turn."""
        units = np.arange(self.units)
        blocks = np.array_split(units, min(self.units, _JACKKNIFED)) if self.units > 1 else []
        return _finite(score(self._rows(np.delete(units, block))) for block in blocks)

    def _rows(self, units: np.ndarray) -> np.ndarray:
        return units if self.members is None else np.concatenate([self.members[unit] for unit in units])


def _members(groups: Sequence[object]) -> list[np.ndarray]:
    """The rows of each group, groups in the order they come."""
    rows: dict[Any, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(own) for own in rows.values()]


def _finite(values: Iterator[float]) -> np.ndarray:
    found = np.fromiter(values, np.float64)
    return found[np.isfinite(found)]


def _bca(value: float, found: np.ndarray, how: tuple[np.ndarray, float]) -> tuple[float, float]:
    """Percentiles of `found`, moved for bias and for a spread that changes with the score."""
    left_out, level = how
    below = (np.sum(found < value) + 0.5 * np.sum(found == value)) / len(found)
    bias = _z(float(np.clip(below, 1 / (2 * len(found)), 1 - 1 / (2 * len(found)))))
    pull = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float((pull**2).sum())
    acceleration = float((pull**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    ends = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        moved = bias + _z(share)
        ends.append(NormalDist().cdf(bias + moved / max(1e-9, 1 - acceleration * moved)))
    low, high = np.quantile(found, ends)
    return float(low), float(high)
