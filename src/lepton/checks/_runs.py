"""Pictures that were taken one after the other: by the time and camera that their files tell, or by what they show."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from lepton.checks._traits import Traits
from lepton.core.types import Record

_SECONDS = 3.0  # between pictures of a burst
_FEWEST = 20
_LINKED = 0.2
"""The share of neighbours by name that must be alike ..."""

_TIMES = 3.0
"""... and how often the share of others that are."""

_ALIKE = 0.5
"""The share of how far pictures of a label are apart for the most part, under which two are alike."""

_PAIRS = 4000


def bursts(records: Sequence[Record], taken: Mapping[int, tuple[str, str]]) -> dict[str, str]:
    """Record id -> burst, of pictures taken by one camera within three seconds of another."""
    by_camera: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for place, (camera, time) in taken.items():
        at = _time(time)
        if at:
            by_camera[camera].append((at, place))
    found: dict[str, str] = {}
    for camera, shots in by_camera.items():
        shots.sort()
        gaps = [(later[0] - earlier[0]).total_seconds() for earlier, later in zip(shots, shots[1:], strict=False)]
        found |= _chained([records[place].id for _, place in shots], [gap <= _SECONDS for gap in gaps], camera)
    return found


def sequences(records: Sequence[Record], traits: Traits) -> dict[str, str]:
    """Record id -> sequence, of files whose neighbours by name look alike far more often than others of their label."""
    rows = [row for row, place in enumerate(traits.pictures.places) if isinstance(records[place].raw, Path)]
    rows.sort(key=lambda row: _natural(records[traits.pictures.places[row]].id))
    if len(rows) < _FEWEST:
        return {}
    looks = np.stack([traits.pictures.sketches[row] for row in rows]).reshape(len(rows), -1).astype(np.float32)
    members = [records[traits.pictures.places[row]] for row in rows]
    apart = np.abs(np.diff(looks, axis=0)).mean(axis=1)
    others = _apart(looks, [str(record.label) for record in members])
    limit = _ALIKE * float(np.median(others))
    linked = apart < limit
    if linked.mean() < max(_LINKED, _TIMES * float((others < limit).mean())):
        return {}
    return _chained([record.id for record in members], linked.tolist(), "sequence")


def _apart(looks: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """How far random pairs of pictures of one label are apart."""
    random = np.random.default_rng(0)
    own: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        own[label].append(row)
    firsts = random.integers(0, len(looks), _PAIRS)
    seconds = np.array([own[labels[row]][int(random.integers(len(own[labels[row]])))] for row in firsts])
    kept = firsts != seconds
    return np.asarray(np.abs(looks[firsts[kept]] - looks[seconds[kept]]).mean(axis=1))


def _chained(names: Sequence[str], linked: Sequence[bool], kind: str) -> dict[str, str]:
    """Names in a row that are linked, each with its chain."""
    found: dict[str, str] = {}
    for at, link in enumerate(linked):
        if link:
            chain = found.setdefault(names[at], f"{kind} from {names[at]}")
            found[names[at + 1]] = chain
    return found


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """The file's name without its folders, with numbers as such."""
    parts = re.findall(r"\d+|\D+", name.rpartition("/")[2])
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
