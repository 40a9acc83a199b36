"""How well one simple property alone tells a class from the rest.

A rule is found on one half of the records and tried on the other, both ways round, so that what fits by chance does
not count. Shapes: N records, K properties of one kind, D numbers of which each property consists.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np

ALARMS = 10.0
"""What a share of false alarms costs against the same share of the class that is found."""

LEAST = 0.5
"""The gain from which a class is told: honest classes come up to 0.35 by what they look like alone."""

PROVEN = 0.3
"""The difference of shares that must be proven."""

FEWEST = 20
"""Records of a class, and of the others, below which nothing can be said."""

_SHARES = (0.5, 0.7, 0.85, 0.95, 1.0)
_OTHERS = 1000  # that a rule is sought by
_LEVEL = 0.05
_ALIKE = 0.05  # of what is proven
_FEW = 0.2  # of the properties of a view

Way = Literal["near", "low", "high"]


class Rates(NamedTuple):
    """The share of the class that a rule finds, that of the others which it takes for it, and their proven difference.

    That is the difference with each share at its bound, corrected for all that was tried.
    """

    found: float
    alarms: float
    proven: float

    @property
    def gain(self) -> float:
        """The share that is found less `ALARMS` times the other."""
        return self.found - ALARMS * self.alarms


class View(NamedTuple):
    """Properties of one kind: values (D, N, K), and the ways in which they may tell a class."""

    values: np.ndarray
    ways: Sequence[Way]


@dataclass(frozen=True)
class Rule:
    """A property's value near what is usual for the class, or below or above a bound."""

    way: Way
    column: int
    centre: np.ndarray
    bound: float

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Whether it holds, bool (N,), for values (D, N, K)."""
        return _scores(values[:, :, self.column], self.way, self.centre) <= self.bound


@dataclass(frozen=True)
class Told:
    """A class that a property of the view tells: the rule, its rates, and the gain of each property (K,)."""

    label: str
    view: str
    rule: Rule
    rates: Rates
    gains: np.ndarray


def told(views: Mapping[str, View], labels: np.ndarray) -> Iterator[Told]:
    """The classes that one property tells, each by its best one; `labels` (N,) are the classes.

    Of views that are about as good the first one counts that has few such properties: a mark also changes how colourful
    a picture is, and a picture that is dark is so everywhere.
    """
    counts = zip(*np.unique(labels, return_counts=True), strict=True)
    classes = [name for name, count in counts if FEWEST <= count <= len(labels) - FEWEST]
    limit = NormalDist().inv_cdf(1 - _LEVEL / max(2 * len(classes) * len(views), 1))
    for label in classes:
        own = labels == label
        rates = {name: _crossed(view, own, limit) for name, view in views.items()}
        able = {name: found.proven for name, found in rates.items() if found.gain >= LEAST and found.proven >= PROVEN}
        if able:
            good = [name for name in views if able.get(name, -1.0) >= max(able.values()) - _ALIKE]
            fits = {name: fit(views[name], own) for name in good}
            few = [name for name in good if (fits[name][1] >= LEAST).mean() <= _FEW]
            best = (few or good[::-1])[0]
            rule, gains = fits[best]
            yield Told(str(label), best, rule, rates[best], gains)


def fit(view: View, own: np.ndarray) -> tuple[Rule, np.ndarray]:
    """The rule that tells the class of `own`, bool (N,), best, and what each property gains at its best (K,)."""
    others = np.flatnonzero(~own)
    others = others[:: -(-len(others) // _OTHERS)]
    mine, theirs = view.values[:, own], view.values[:, others]
    usual = np.median(mine, axis=1)
    found = [_best((mine, theirs), way, usual) for way in view.ways]
    rule, _ = max(found, key=lambda one: one[1].max())
    return rule, np.max([gains for _, gains in found], axis=0)


def _best(values: tuple[np.ndarray, np.ndarray], way: Way, usual: np.ndarray) -> tuple[Rule, np.ndarray]:
    """The best rule of one way and the gains (K,) of values (D, n, K) of the class and of the others."""
    mine, theirs = (_scores(part, way, usual) for part in values)
    mine = np.sort(mine, axis=0)
    bounds = mine[[int(np.ceil(share * len(mine))) - 1 for share in _SHARES]]
    gains = np.stack([(mine <= bound).mean(axis=0) - ALARMS * (theirs <= bound).mean(axis=0) for bound in bounds])
    level, column = np.unravel_index(int(gains.argmax()), gains.shape)
    rule = Rule(way, int(column), usual[:, column], float(bounds[level, column]))
    return rule, np.asarray(gains.max(axis=0))


def _scores(values: np.ndarray, way: Way, usual: np.ndarray) -> np.ndarray:
    """Lower for what is more like the class, of values (D, n, ...)."""
    if way == "near":
        return np.asarray(np.maximum.reduce([np.abs(row - middle) for row, middle in zip(values, usual, strict=True)]))
    return np.asarray(values[0] if way == "low" else -values[0])


def _crossed(view: View, own: np.ndarray, limit: float) -> Rates:
    """The rates of rules found on one half and tried on the other, both ways round."""
    half = np.zeros(len(own), bool)
    for rows in (np.flatnonzero(own), np.flatnonzero(~own)):
        half[np.random.default_rng(0).permutation(rows)[::2]] = True
    holds = np.zeros(len(own), bool)
    for part in (half, ~half):
        rule, _ = fit(View(view.values[:, part], view.ways), own[part])
        holds[~part] = rule.holds(view.values[:, ~part])
    low, _ = _bounds(holds[own], limit)
    _, high = _bounds(holds[~own], limit)
    return Rates(float(holds[own].mean()), float(holds[~own].mean()), low - high)


def _bounds(hits: np.ndarray, limit: float) -> tuple[float, float]:
    """Wilson's interval of a share (E. Wilson, "Probable inference", 1927)."""
    share, count = float(hits.mean()), len(hits)
    middle = (share + limit**2 / (2 * count)) / (1 + limit**2 / count)
    reach = limit * np.sqrt(share * (1 - share) / count + (limit / (2 * count)) ** 2) / (1 + limit**2 / count)
    return float(middle - reach), float(middle + reach)
