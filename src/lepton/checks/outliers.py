"""Records that are unlike all others: strange pictures or recordings, texts of other letters than the rest."""

from collections.abc import Sequence

import numpy as np

from lepton.checks import _strange_texts
from lepton.checks._finding import Finding, Suspect
from lepton.checks._traits import Table, Traits
from lepton.checks._words import label_text
from lepton.core.types import Record

NEEDS = ("traits",)

_FEWEST = 50
_REFERENCES = 2000  # that each record is compared with
_NEIGHBOUR = 4
_COMPONENTS = 24
_TOGETHER = 4096
_FAR = 6.0
"""Robust standard deviations of how unlike records are to the others, from which they are named."""

_MOST = 0.005
_MANY = 0.05
"""The share of records that far away from which they are no outliers but a kind of their own, such as a language."""

_LOGARITHMS = ("seconds", "width", "height")
_LEFT_OUT = ("bytes", "kind", "mode", "coarseness", "clipped")


def find(records: Sequence[Record], *, traits: Traits) -> list[Finding]:
    """A finding for each kind of content with the few records that are far from all others, the farthest first.

    Pictures and recordings are compared by coarse colours or spectra with a sample of the others, texts by how unusual
    their runs of three letters are. At most one in two hundred is named. A score of 0.5 is at the limit.
    """
    found = []
    for kind, noun in (("pictures", "picture"), ("sounds", "recording"), ("texts", "text")):
        table: Table = getattr(traits, kind)
        if len(table.places) >= _FEWEST:
            members = [records[place] for place in table.places]
            far = _strange_texts.unusual(members) if kind == "texts" else _distances(_features(table))
            found += _findings(members, _standard(far), noun)
    return found


def _findings(members: Sequence[Record], far: np.ndarray, noun: str) -> list[Finding]:
    order = np.argsort(-far, kind="stable")[: max(1, int(_MOST * len(members)))]
    named = [row for row in order.tolist() if far[row] > _FAR]
    if not named or float((far > _FAR).mean()) > _MANY:
        return []
    suspects = [
        Suspect(members[row].id, float(1 - _FAR / (2 * far[row])), label_text(members[row].label)) for row in named
    ]
    message = f"{len(named):,} {noun}{'s are' if len(named) != 1 else ' is'} unlike all the others."
    remedy = "Look whether they belong there: another source, language or kind of thing may have got in."
    return [Finding("outliers", "info", message, remedy, suspects)]


def _features(table: Table) -> np.ndarray:
    """What records are compared by (N, F): the sketch and the numbers, each part of about the same weight."""
    sketches = np.stack(table.sketches).reshape(len(table.sketches), -1).astype(np.float32)
    kept = [at for at, name in enumerate(table.names) if name not in _LEFT_OUT]
    logged = np.array([table.names[at] in _LOGARITHMS for at in kept])
    numbers = table.numbers[:, kept]
    numbers = np.where(logged, np.log(np.maximum(numbers, 1e-3)), numbers)
    spread = np.maximum(numbers.std(axis=0), 1e-6)
    scaled = np.clip((numbers - numbers.mean(axis=0)) / spread, -8, 8)
    weight = max(float(sketches.std(axis=0).mean()), 1e-6)
    sketches /= weight * sketches.shape[1] ** 0.5
    return np.concatenate([sketches, scaled / scaled.shape[1] ** 0.5], axis=1)


def _distances(features: np.ndarray) -> np.ndarray:
    """The logarithm of each row's distance to its fourth nearest among the references, in the main components."""
    chosen = np.linspace(0, len(features) - 1, min(len(features), _REFERENCES)).astype(int)
    middle = np.median(features[chosen], axis=0)
    _, _, axes = np.linalg.svd(features[chosen] - middle, full_matrices=False)
    vectors = features @ axes[:_COMPONENTS].T - middle @ axes[:_COMPONENTS].T
    others = vectors[chosen]
    squares = (others**2).sum(axis=1)
    found = []
    for start in range(0, len(vectors), _TOGETHER):
        part = vectors[start : start + _TOGETHER]
        apart = (part**2).sum(axis=1)[:, None] + squares - 2 * part @ others.T
        found.append(np.partition(apart, _NEIGHBOUR, axis=1)[:, _NEIGHBOUR].copy())  # a view would keep the whole
    return np.asarray(0.5 * np.log(np.maximum(np.concatenate(found), 1e-9)))


def _standard(values: np.ndarray) -> np.ndarray:
    """Values in robust standard deviations above the median."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return np.asarray((values - middle) / max(float(spread), 1e-3))
