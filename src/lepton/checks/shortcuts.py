"""Classes that one simple thing tells, such as a mark, a colour, a size, a hum: models learn it instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lepton.checks import _picture_traits, _shortcut_words, _sound_traits
from lepton.checks._finding import Finding, Suspect
from lepton.checks._telling import Told, View, Way, told
from lepton.checks._traits import Table, Traits
from lepton.core.types import Record

NEEDS = ("traits",)

_WHOLE = "numbers"
_ALL: Sequence[Way] = ("near", "low", "high")
_NAMED = 100
_BINS = 32


def find(records: Sequence[Record], *, traits: Traits) -> list[Finding]:
    """A finding for each class that a single property tells almost alone, with what shows it.

    Properties are the colours of a place of pictures, the level of a band of frequencies, and numbers of the whole
    record: size, brightness, length, file type. They are found on one half of a sample of the training records and
    tried on the other. What may be the class itself, such as brightness or length, is no more than an info. Texts are
    judged by their looks, not by their words. At most a hundred records are named.
    """
    found = []
    for kind in ("pictures", "sounds", "texts"):
        views, places = _views(traits, kind)
        if places:
            sample = _Sample(kind, views, [records[place] for place in places])
            found += [_finding(one, sample) for one in told(views, sample.labels)]
    return sorted(found, key=lambda finding: -finding.records[0].score)


@dataclass(frozen=True)
class _Sample:
    """The records by which classes are compared, and their properties."""

    kind: str
    views: Mapping[str, View]
    records: Sequence[Record]

    @property
    def labels(self) -> np.ndarray:
        """Their classes (N,)."""
        return np.array([str(record.label) for record in self.records])

    def values(self, one: Told) -> np.ndarray:
        """The values (D, N, K) of the view that tells a class."""
        return self.views[one.view].values


def _views(traits: Traits, kind: str) -> tuple[dict[str, View], list[int]]:
    """Properties of the records of a kind that are in the sample, and the records' places."""
    table: Table = getattr(traits, kind)
    rows = [row for row, place in enumerate(table.places) if place in traits.sample]
    places = [table.places[row] for row in rows]
    if not rows:
        return {}, []
    views: dict[str, View] = {}
    if kind == "pictures":
        fine = np.stack([traits.fine[place] for place in places]).reshape(len(places), -1, 9).astype(np.float32)
        cells = np.ascontiguousarray(fine.transpose(2, 0, 1))
        extremes = cells[3:].transpose(1, 0, 2).reshape(1, len(places), -1)
        views |= {"colour": View(cells[:3], ("near",)), "extreme": View(extremes, ("near",))}
    if kind == "sounds":
        levels = np.stack([table.sketches[row] for row in rows]).astype(np.float32)
        bands = {"band": levels[None, :, 0], "quiet": levels[None, :, 1]}
        bands |= {"share": _shares(bands["band"]), "quiet share": _shares(bands["quiet"])}
        views |= {name: View(values, _ALL) for name, values in bands.items()}
    views[_WHOLE] = View(_shortcut_words.numbers(kind, table.numbers[rows])[None], _ALL)
    return views, places


def _shares(levels: np.ndarray) -> np.ndarray:
    """Levels in dB below the loudest band."""
    return np.asarray(levels - levels.max(axis=2, keepdims=True))


def _finding(one: Told, sample: _Sample) -> Finding:
    own = sample.labels == one.label
    has = np.flatnonzero(one.rule.holds(sample.values(one)) & own)
    has = has[:: -(-len(has) // _NAMED)]
    score = max(0.0, min(1.0, one.rates.gain))
    message = (
        f"One simple thing tells {sample.kind} of {one.label!r} from the others: "
        f"{_shortcut_words.property_(sample.kind, one)}. "
        f"{_percent(one.rates.found)} of them have it, and {_percent(one.rates.alarms)} of the others."
    )
    remedy = (
        "If it will not be so in use, take it away (crop it, filter it, save all files alike) or collect the class in "
        "other ways too: a model may learn it instead of what matters."
    )
    looks = one.view == _WHOLE and _shortcut_words.of_looks(sample.kind, one.rule.column)
    suspects = [Suspect(sample.records[row].id, score, one.label) for row in has.tolist()]
    return Finding("shortcuts", "info" if looks else "warning", message, remedy, suspects, _evidence(one, sample, own))


def _evidence(one: Told, sample: _Sample, own: np.ndarray) -> dict[str, Any]:
    if one.view == _WHOLE:
        values = sample.values(one)[0, :, one.rule.column]
        what = _shortcut_words.name(sample.kind, one.rule.column)
        return {"kind": "histogram", "of": one.label, "what": what, **_histogram(values, own)}
    if sample.kind == "pictures":
        side = _picture_traits.FINE
        gains = one.gains.reshape(-1, side, side).max(axis=0)
        tenths = np.clip(np.floor(10 * gains), 0, 9).astype(int)
        return {"kind": "map", "of": one.label, "rows": ["".join(map(str, row)) for row in tenths]}
    levels = sample.values(one)[0]
    return {
        "kind": "spectrum",
        "of": one.label,
        "hertz": _rounded(_sound_traits.edges()),
        "own": _rounded(np.median(levels[own], axis=0)),
        "others": _rounded(np.median(levels[~own], axis=0)),
        "band": one.rule.column,
    }


def _histogram(values: np.ndarray, own: np.ndarray) -> dict[str, list[float]]:
    edges = np.histogram_bin_edges(values, min(_BINS, max(2, len(np.unique(values)))))
    shares = {
        name: np.histogram(values[rows], edges)[0] / rows.sum() for name, rows in (("own", own), ("others", ~own))
    }
    return {"edges": _rounded(edges, 4), **{name: _rounded(share, 4) for name, share in shares.items()}}


def _rounded(values: np.ndarray, digits: int = 1) -> list[float]:
    return [round(float(value), digits) for value in values]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
