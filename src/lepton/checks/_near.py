"""Near-duplicates among the records of a data set, and the clusters that they make.

Nothing is compared with everything: equal contents count once, and each kind of content has its own way to find a few
candidates for each record (`_texts`, `_pictures`, `_sounds`). What is kept meanwhile is small: eighty bytes of hashes
for a text, a thumbnail for a picture, a few numbers for a recording.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lepton.checks import _content, _grids, _pictures, _sounds, _texts
from lepton.core.progress import Progress, Silent
from lepton.core.types import Record

_SILENT = Silent()


class Pair(NamedTuple):
    """Two records by their ids, how alike they are, in [0, 1], and whether their contents are equal."""

    first: str
    second: str
    likeness: float
    equal: bool = False


def pairs(
    records: Sequence[Record], digests: Mapping[str, str] | None = None, *, progress: Progress = _SILENT
) -> list[Pair]:
    """Near and equal records; enough pairs to tie every cluster together, not all there are in it.

    `digests` maps ids to content digests; those it lacks are made. What cannot be read or decoded is in no pair.
    """
    groups = _content.groups(records, digests)
    equal = [Pair(first.id, copy.id, 1.0, equal=True) for first, *copies in groups for copy in copies]
    repeated = {pair.second for pair in equal}
    firsts = [record for record in records if record.id not in repeated]
    texts = [record for record in firsts if isinstance(record.raw, str)]
    media = [record for record in firsts if not isinstance(record.raw, str)]
    near = [*_pairs(texts, _texts.pairs(texts, progress)), *_media_pairs(media, progress)]
    return [*equal, *near]


def tied(pairs: Iterable[Pair]) -> dict[str, int]:
    """Record id -> cluster, for the records that stand in a pair; pairs that share a record are one cluster."""
    parent: dict[str, str] = {}
    for pair in pairs:
        parent.setdefault(pair.first, pair.first)
        parent.setdefault(pair.second, pair.second)
        parent[_root(parent, pair.second)] = _root(parent, pair.first)
    numbers: dict[str, int] = {}
    return {name: numbers.setdefault(_root(parent, name), len(numbers)) for name in parent}


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = parent[parent[name]]
        name = parent[name]
    return name


def _pairs(records: Sequence[Record], places: Iterable[tuple[int, int, float]]) -> Iterator[Pair]:
    return (Pair(records[one].id, records[two].id, likeness) for one, two, likeness in places)


def _media_pairs(records: Sequence[Record], progress: Progress) -> list[Pair]:
    """Pictures and recordings are told apart as they are read."""
    pictures: list[Record] = []
    thumbnails: list[np.ndarray] = []
    sounds: list[Record] = []
    sketches: list[_sounds.Sketch] = []
    looks = _content.each(records, _look, what="looking at media", progress=progress)
    for record, look in zip(records, looks, strict=True):
        if isinstance(look, np.ndarray):
            pictures.append(record)
            thumbnails.append(look)
        elif look is not None:
            sounds.append(record)
            sketches.append(look)
    found = list(_pairs(sounds, _sounds.pairs(sounds, sketches, progress)))
    return [*_pairs(pictures, _pictures.pairs(pictures, np.array(thumbnails), progress)), *found]


def _look(record: Record) -> np.ndarray | _sounds.Sketch | None:
    """What a picture or a recording is found by."""
    try:
        raw = record.read()
    except OSError:
        return None
    if isinstance(raw, str):
        return None
    picture = _grids.thumbnail(raw)
    return _sounds.sketch(raw) if picture is None else picture
