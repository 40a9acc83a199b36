"""Records that can be read but are odd: blank, silent, clipped, tiny, misread, in another script, wrongly named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lepton.checks import _picture_traits, _sound_traits
from lepton.checks._finding import Finding, Suspect
from lepton.checks._traits import Table, Traits
from lepton.checks._words import label_text
from lepton.core.types import Record

NEEDS = ("traits",)

_RARE, _USUAL = 0.02, 0.95
"""The share under which a kind of file is rare, and that of the usual one from which this is odd."""

_GREY = [_picture_traits.MODES.index(mode) for mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B", "La")]
_SUFFIXES = {
    "pictures": {"JPEG": "jpg jpeg jpe jfif mpo", "PNG": "png apng", "BMP": "bmp dib", "GIF": "gif", "WEBP": "webp"}
    | {"TIFF": "tif tiff", "PPM": "ppm pgm pbm pnm pfm"},
    "sounds": {"WAV": "wav wave", "FLAC": "flac", "OGG": "ogg oga opus"},
}
_KINDS = {"pictures": _picture_traits.KINDS, "sounds": _sound_traits.KINDS}

Columns = Mapping[str, np.ndarray]
"""The numbers of records by name, each (N,)."""


@dataclass(frozen=True)
class _Oddity:
    """A way to be odd: how grave, in words, what to do, and how odd each record is, 0 for what is not."""

    severity: Literal["info", "warning"]
    words: str
    remedy: str
    score: Callable[[Columns], np.ndarray]


def find(records: Sequence[Record], *, traits: Traits) -> list[Finding]:
    """A finding for each way to be odd, with the records that are, the oddest first.

    What is odd by comparison (size, length, script, kind of file) is so only where nearly all others are alike.
    """
    found = []
    for thing, ways in _WAYS.items():
        table: Table = getattr(traits, f"{thing}s")
        if len(table.places):
            columns = dict(zip(table.names, table.numbers.T.astype(np.float64), strict=True))
            columns["named"] = _named(records, table, f"{thing}s")
            scores = ((way, way.score(columns)) for way in ways)
            members = [records[place] for place in table.places]
            found += [_finding(members, score, (thing, way)) for way, score in scores if score.any()]
    return found


def _finding(members: Sequence[Record], scores: np.ndarray, what: tuple[str, _Oddity]) -> Finding:
    thing, way = what
    order = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores)]
    named = [(members[row], min(1.0, float(scores[row]))) for row in order]
    suspects = [Suspect(record.id, score, label_text(record.label)) for record, score in named]
    noun = {"picture": "picture", "sound": "recording", "text": "text"}[thing]
    message = f"{len(named):,} {noun}{'s' * (len(named) != 1)} {way.words}."
    return Finding("odd_files", way.severity, message, way.remedy, suspects)


def _named(records: Sequence[Record], table: Table, kind: str) -> np.ndarray:
    """Whether each file's name says another kind of content than it has."""
    if kind not in _SUFFIXES:
        return np.zeros(len(table.places))
    said = {suffix: name for name, suffixes in _SUFFIXES[kind].items() for suffix in suffixes.split()}
    raws = [records[place].raw for place in table.places]
    names = [said.get(raw.suffix[1:].lower()) if isinstance(raw, Path) else None for raw in raws]
    is_ = [_KINDS[kind][int(at)] for at in table.column("kind")]
    return np.array([name is not None and name != own for name, own in zip(names, is_, strict=True)], float)


def _one(odd: np.ndarray) -> np.ndarray:
    return np.asarray(odd, float)


def _flag(name: str) -> Callable[[Columns], np.ndarray]:
    return lambda columns: _one(columns[name] > 0)


def _beyond(name: str, times: float, *, least: float = 0.0) -> Callable[[Columns], np.ndarray]:
    """Above so many times the median (below it for less than 1), and above (below) the bound `least`."""

    def score(columns: Columns) -> np.ndarray:
        values, usual = columns[name], float(np.median(columns[name]))
        odd = values > max(times * usual, least) if times > 1 else values < min(times * usual, least)
        return np.asarray(odd * (1 - np.minimum(values, usual) / np.maximum(np.maximum(values, usual), 1e-9)))

    return score


def _rare(values: np.ndarray) -> np.ndarray:
    """1 for rare values where one value is the usual."""
    names, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    if counts.max() < _USUAL * len(values):
        return np.zeros(len(values))
    return np.asarray((counts < _RARE * len(values))[at], float)


def _drawn_out(columns: Columns) -> np.ndarray:
    """Pictures more than three times as long as wide, or wide as long, where that is not usual."""
    ratio = np.maximum(columns["width"], 1) / np.maximum(columns["height"], 1)
    drawn = np.maximum(ratio, 1 / ratio)
    limit = max(3.0, 2 * float(np.percentile(drawn, 95)))
    return np.asarray((drawn > limit) * (1 - 1 / drawn))


def _small(columns: Columns) -> np.ndarray:
    return _beyond("side", 1 / 6, least=np.inf)({"side": np.minimum(columns["width"], columns["height"])})


def _large(columns: Columns) -> np.ndarray:
    return _beyond("side", 6)({"side": np.maximum(columns["width"], columns["height"])})


def _odd_colours(columns: Columns) -> np.ndarray:
    return _rare(np.isin(columns["mode"], _GREY))


def _clipped(columns: Columns) -> np.ndarray:
    share = columns["clipped"]
    return np.asarray(((share > 0.02) | ((share > 0.005) & (columns["peak"] > 0.9))) * np.minimum(1, 20 * share))


def _odd_script(columns: Columns) -> np.ndarray:
    """Texts of another script than nearly all; those without any letter are of none."""
    lettered = columns["script"] > 0
    found = np.zeros(len(lettered))
    if lettered.any():
        found[lettered] = _rare(columns["script"][lettered])
    return found


_FIX = "Look at them, and take out what is no example of anything."
_WAYS: Mapping[str, Sequence[_Oddity]] = {
    "picture": (
        _Oddity("warning", "of one colour only", _FIX, lambda one: _one((one["contrast"] < 1) & (one["detail"] < 1))),
        _Oddity("info", "far smaller than the others", "Fetch them in full size, or take them out.", _small),
        _Oddity("info", "far larger than the others", "Look whether they show the same kind of thing.", _large),
        _Oddity(
            "info", "far longer or wider than the others", "Cut them, or they are squeezed out of shape.", _drawn_out
        ),
        _Oddity(
            "info", "in colour among grey ones, or grey among coloured ones", "Bring all to one form.", _odd_colours
        ),
        _Oddity(
            "info", "whose names say another kind of file", "Rename them; other tools may refuse them.", _flag("named")
        ),
    ),
    "sound": (
        _Oddity("warning", "in which nothing is heard", _FIX, lambda one: _one(one["loudness"] < -65)),
        _Oddity("warning", "cut off at the loudest (clipped)", "Record them again with less gain.", _clipped),
        _Oddity("info", "far shorter than the others", _FIX, _beyond("seconds", 1 / 8, least=np.inf)),
        _Oddity("info", "far longer than the others", "Cut them into pieces like the others.", _beyond("seconds", 8)),
        _Oddity("info", "at another sample rate than the others", "Find out whence.", lambda one: _rare(one["rate"])),
        _Oddity("info", "with more or fewer channels", "Bring all to one form.", lambda one: _rare(one["channels"])),
        _Oddity(
            "info", "whose names say another kind of file", "Rename them; other tools may refuse them.", _flag("named")
        ),
    ),
    "text": (
        _Oddity("warning", "without a character that can be seen", _FIX, lambda one: _one(one["words"] == 0)),
        _Oddity(
            "warning",
            "that were decoded wrongly, with signs such as Ã© or \ufffd",
            "Read the source with the encoding that it was written in.",
            _flag("misread"),
        ),
        _Oddity("info", "with control characters", "Take those out where the data is made.", _flag("control")),
        _Oddity(
            "info",
            "far longer than the others",
            "Look whether several were joined.",
            _beyond("letters", 20, least=1000),
        ),
        _Oddity("warning", "in another script than the others", "Decide whether they belong there.", _odd_script),
    ),
}
