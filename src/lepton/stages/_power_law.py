"""A power law through a learning curve, and what it says of more labels.

error(n) = scale (n / N)^-power + floor, N being the largest number of records so far. Cortes, Jackel, Solla, Vapnik,
Denker, "Learning curves: asymptotic values and rate of convergence" (1993); that it holds over many orders of
magnitude, but for the smallest sets, Hestness et al., "Deep Learning Scaling is Predictable, Empirically" (2017).

How uncertain it is comes from a bootstrap over two things: the validation records, drawn anew for all points at once,
since all answered the same ones (Efron, 1979); and how far the points lie from the law, these residuals getting random
signs, widened for the three numbers that were fitted (the wild bootstrap, Wu 1986). It does not know whether the curve
bends where nobody looked. What N validation records cannot show at all, z^2 / (N + z^2), is added to the upper end.
Shapes: M sizes, R resamples, P powers that are tried, N records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from lepton.core import seeds

POINTS = 4
"""Sizes that are needed for a law of three numbers."""

_RESAMPLES = 1000
_Z2 = NormalDist().inv_cdf(0.975) ** 2
_POWERS = np.geomspace(0.02, 3, 300)
_NARROW = 0.02


class Law(NamedTuple):
    """A law, or one for each of R resamples; `size` is N."""

    scale: Any
    power: Any
    floor: Any
    size: float

    def error(self, records: float) -> Any:
        """The error after that many records."""
        return self.scale * (records / self.size) ** -self.power + self.floor

    def gain(self, times: float) -> Any:
        """By how much the error falls from the largest set to one that is so many times larger."""
        return self.scale * (1 - times**-self.power)


class Told(NamedTuple):
    """A figure that a law tells, with a 95 % interval."""

    value: float
    low: float
    high: float


def fit(sizes: Sequence[float], errors: Any, weights: Any = None) -> Law:
    """The law nearest to `errors` (M,) or (R, M), each distance relative to the error (to 1 / root of `weights`).

    Scale and floor are not negative; of the powers a fine grid is tried. Sizes ascend.
    """
    seen = np.atleast_2d(np.asarray(errors, np.float64))
    weight = _relative(seen[0]) if weights is None else weights
    relative = np.asarray(sizes, np.float64) / sizes[-1]
    power, scale, floor = _nearest(relative, seen, (weight, _POWERS))
    if np.ndim(errors) > 1:
        return Law(scale, power, floor, float(sizes[-1]))
    power, scale, floor = _nearest(relative, seen, (weight, power * np.linspace(0.98, 1.02, 401)))
    return Law(float(scale[0]), float(power[0]), float(floor[0]), float(sizes[-1]))


def _relative(errors: np.ndarray) -> np.ndarray:
    return np.asarray(1 / np.maximum(errors, 1e-3) ** 2)


def _nearest(
    relative: np.ndarray, seen: np.ndarray, how: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The power, scale and floor of the least weighted squares for each row of `seen` (R, M)."""
    weight, powers = how
    x = relative[None, :] ** -powers[:, None]  # (P, M)
    total, sx, sxx = weight.sum(), x @ weight, x**2 @ weight
    se, sxe, see = seen @ weight, (seen * weight) @ x.T, seen**2 @ weight  # (R,), (R, P), (R,)
    scale = (total * sxe - sx * se[:, None]) / (total * sxx - sx**2)
    floor = (se[:, None] - scale * sx) / total
    scale, floor = np.where(floor < 0, sxe / sxx, scale), np.maximum(floor, 0)
    floor, scale = np.where(scale < 0, se[:, None] / total, floor), np.maximum(scale, 0)
    left = see[:, None] + scale**2 * sxx + floor**2 * total
    left += 2 * (scale * floor * sx - scale * sxe - floor * se[:, None])
    best = left.argmin(1)
    rows = np.arange(len(seen))
    return powers[best], scale[rows, best], floor[rows, best]


@dataclass(frozen=True)
class Learned:
    """The law through a learning curve, the laws of all resamples, and what no number of records could show."""

    law: Law
    drawn: Law
    unseen: float

    def gain(self, times: float = 2.0) -> Told:
        """By how much the error falls, in shares, with so many times the labels of the largest set."""
        value, found = float(self.law.gain(times)), self.drawn.gain(times)
        low, high = _ends(value, found)
        return Told(value, low, min(1.0, high + self.unseen))

    def error(self, records: float) -> Told:
        """The error, between 0 and 1, after that many records."""
        value, found = float(self.law.error(records)), self.drawn.error(records)
        low, high = _ends(value, found)
        return Told(value, max(0.0, low - self.unseen), min(1.0, high + self.unseen))


def worth_telling(gain: Told) -> bool:
    """Whether the interval of a gain is narrow: 2 points, or twice the gain itself."""
    return gain.high - gain.low <= max(_NARROW, 2 * gain.value)


def learned(sizes: Sequence[float], tables: Sequence[np.ndarray], metric: ModuleType, *, seed: int) -> Learned:
    """The law through the scores of `tables`, one a size, in ascending order.

    The tables are the metric's, of the same validation records (N, ...). Scores lie between 0 and 1.
    """
    errors = _errors(metric, [metric.score(table) for table in tables])
    law = fit(sizes, errors)
    drawn = fit(sizes, _drawn(law, (sizes, errors), (tables, metric), seed=seed), _relative(errors))
    return Learned(law, drawn, _Z2 / (len(tables[0]) + _Z2))


def _ends(value: float, found: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(found, (0.025, 0.975))
    return min(float(low), value), max(float(high), value)


def _errors(metric: ModuleType, scores: Any) -> np.ndarray:
    return np.asarray(scores if metric.LOWER_IS_BETTER else 1 - np.asarray(scores), np.float64)


def _drawn(
    law: Law,
    points: tuple[Sequence[float], np.ndarray],
    answered: tuple[Sequence[np.ndarray], ModuleType],
    *,
    seed: int,
) -> np.ndarray:
    """Errors (R, M) as they might have been: the law's, moved by records and by residuals."""
    (sizes, errors), (tables, metric) = points, answered
    random = seeds.generator(seed, "learning curve")
    count = len(tables[0])
    rows = [random.integers(0, count, count) for _ in range(_RESAMPLES)]
    scores = np.array([[metric.score(table[chosen]) for table in tables] for chosen in rows])
    on_law = np.array([law.error(size) for size in sizes])
    wide = np.sqrt(len(sizes) / max(1, len(sizes) - 3))
    signs = random.choice([-1.0, 1.0], (_RESAMPLES, len(sizes)))
    return np.asarray(on_law + _errors(metric, scores) - errors + wide * signs * (errors - on_law))
