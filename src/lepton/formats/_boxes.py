"""What formats of annotated pictures share: finding the picture that is named, and boxes from what is written."""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lepton.core.errors import BadInput
from lepton.core.pictures import size
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats._media import IMAGE, file_record, walk
from lepton.formats._text import several

Points = tuple[list[float], list[float]]
"""The x and the y of points."""

_FAR = 1e9
_DECIMALS = 6


@dataclass(slots=True)
class Pictures:
    """The pictures under `root`, found by the names that annotations give them; what was looked up is kept."""

    root: Path
    index: dict[str, list[Path]] = field(default_factory=dict)
    spelt: dict[Path, str] = field(default_factory=dict)

    def find(self, name: str, near: Sequence[Path] = ()) -> Path | str:
        """The picture of that name in one of the folders `near`, under the root, or alone of its name under it.

        Or the reason why there is none. A name that leads out of the root is refused, whatever stands there.
        """
        told = repr(name[:80])
        name = name.strip().replace("\\", "/")
        if not name or "\0" in name or len(name) > 1000:
            return f"names no picture: {told}"
        if os.path.isabs(name) or name[1:3] == ":/":
            return f"names {told}: pictures must be named relative to the data set's folder"
        paths = [os.path.normpath(os.path.join(self._spelt(folder), name)) for folder in (*near, self.root)]
        inside = [path for path in paths if self._holds(path)]
        found = next(filter(os.path.isfile, inside), None)
        if found is None and len(inside) < len(paths):
            return f"names {told}, which lies outside of the data set's folder"
        return Path(found) if found else self._alone(name)

    def by_stem(self, stem: str, folders: Iterable[Path]) -> Path | None:
        """The first picture of that name but for the suffix in one of the folders."""
        paths = (folder / f"{stem}{suffix}" for folder in folders for suffix in _SUFFIXES)
        return next(filter(os.path.isfile, paths), None)

    def record(self, path: Path, parts: Sequence[Box] | str, split: str | None = None) -> Record | BadRecord:
        """The picture as a record, named by its place under the root; bad for a reason, or where its file is."""
        identity = os.path.relpath(path, self.root).replace(os.sep, "/")
        if isinstance(parts, str):
            return BadRecord(identity, parts)
        return file_record(path, identity) or Record(identity, path, tuple(parts), split)

    def _holds(self, path: str) -> bool:
        """By the letters of the path, so that links which the user made inside the folder still serve."""
        return path.startswith(self._spelt(self.root).rstrip(os.sep) + os.sep)

    def _spelt(self, folder: Path) -> str:
        """The absolute path of a folder; kept, for there are few folders and many pictures."""
        if folder not in self.spelt:
            self.spelt[folder] = os.path.abspath(folder)
        return self.spelt[folder]

    def _alone(self, name: str) -> Path | str:
        if not self.index:
            for parts in walk(self.root, IMAGE).files:
                self.index.setdefault(parts[-1], []).append(self.root.joinpath(*parts))
        places = self.index.get(os.path.basename(name), [])
        if len(places) == 1:
            return places[0]
        told = repr(name[:80])
        return f"names {told}, which stands in {len(places)} places" if places else f"there is no picture {told}"


def root(path: Path) -> Path:
    """The folder that a data set is read from, so spelt that every place in it begins with it."""
    return Path(os.path.abspath(path))


_SUFFIXES = sorted({*IMAGE.suffixes, *(suffix.upper() for suffix in IMAGE.suffixes)})


def number(written: object) -> float | None:
    """A finite number from one, or from its text; None for everything else."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    try:
        found = float(written)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and abs(found) < _FAR else None


def numbers(written: Iterable[object]) -> list[float] | None:
    """All of them, or None where one is no number."""
    found = [number(item) for item in written]
    return [item for item in found if item is not None] if None not in found else None


def tidy(value: float) -> float:
    """Rounded to a millionth, so that shares and differences give back what they were made of; never -0."""
    return round(value, _DECIMALS) + 0.0


def rounded(edges: Iterable[float], label: str) -> Box:
    """The box with tidy edges."""
    x1, y1, x2, y2 = map(tidy, edges)
    return Box(x1, y1, x2, y2, label)


def extent(xs: Sequence[float], ys: Sequence[float], label: str) -> Box:
    """The box around points."""
    return rounded((min(xs), min(ys), max(xs), max(ys)), label)


def turned(xs: Sequence[float], ys: Sequence[float], degrees: float, *, corner: bool = False) -> Points:
    """The four corners of the box around points, turned clockwise around its centre or, `corner`, its upper left."""
    left, top, wide, high = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    x, y = (left, top) if corner else (left + wide / 2, top + high / 2)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    corners = [(left + wide * across - x, top + high * down - y) for across in (0, 1) for down in (0, 1)]
    return [x + a * cosine - b * sine for a, b in corners], [y + a * sine + b * cosine for a, b in corners]


def size_of(path: Path) -> tuple[int, int] | str:
    """Width and height of a picture, or the reason why it cannot be opened."""
    try:
        return size(path)
    except BadInput as error:
        return error.what
    except OSError as error:
        return error.strerror or str(error)


def reading(made: Iterable[Record | BadRecord], counted: Mapping[str, int], notes: Sequence[str] = ()) -> Reading:
    """The records with names of their own: the same picture met again is `name#2`. `counted` becomes notes."""
    seen: Counter[str] = Counter()
    records: list[Record] = []
    bad: list[BadRecord] = []
    for item in _named(made, seen):
        if isinstance(item, Record):
            records.append(item)
        else:
            bad.append(item)
    repeated = sum(count > 1 for count in seen.values())
    told = [f"{count:,} {what}" for what, count in counted.items() if count]
    told += [f"{several(repeated, 'picture')} named more than once"] if repeated else []
    return Reading(records, bad, [*notes, *told])


def _named(made: Iterable[Record | BadRecord], seen: Counter[str]) -> Iterator[Record | BadRecord]:
    for item in made:
        seen[item.id] += 1
        yield item if seen[item.id] == 1 else replace(item, id=f"{item.id}#{seen[item.id]}")
