"""What every record looks or sounds like, in one pass: what checks need that judge records without their meaning.

What is kept is small: some numbers a record, a grid of 192 bytes a picture, 192 bytes of spectrum a recording. Finer
grids are kept of a sample of the training pictures, which does not grow with the data.
"""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lepton.checks import _content, _picture_traits, _sound_traits, _text_traits
from lepton.core.progress import Progress, Silent
from lepton.core.types import Record

Look = _picture_traits.Look | _sound_traits.Look | _text_traits.Look

_SAMPLE = 4000
_FEWEST = 40  # of a class, where there are up to so many that this comes to _SAMPLE; of more, the largest count
_SILENT = Silent()
_NAMES: Mapping[type, Sequence[str]] = {
    _picture_traits.Look: _picture_traits.NAMES,
    _sound_traits.Look: _sound_traits.NAMES,
    _text_traits.Look: _text_traits.NAMES,
}


@dataclass
class Table:
    """The records of one kind: their places, numbers by name (N, names), and sketches."""

    names: Sequence[str]
    places: "array[int]" = field(default_factory=lambda: array("q"))
    rows: "array[float]" = field(default_factory=lambda: array("f"))
    sketches: list[np.ndarray] = field(default_factory=list)

    @property
    def numbers(self) -> np.ndarray:
        """All numbers, float32 (N, names)."""
        return np.frombuffer(self.rows, np.float32).reshape(-1, len(self.names))

    def column(self, name: str) -> np.ndarray:
        """One number of every record (N,)."""
        return self.numbers[:, self.names.index(name)]


@dataclass
class Traits:
    """Tables of pictures, sounds and texts; fine grids of a sample by place; camera and time by place."""

    pictures: Table = field(default_factory=lambda: Table(_picture_traits.NAMES))
    sounds: Table = field(default_factory=lambda: Table(_sound_traits.NAMES))
    texts: Table = field(default_factory=lambda: Table(_text_traits.NAMES))
    sample: frozenset[int] = frozenset()
    fine: dict[int, np.ndarray] = field(default_factory=dict)
    taken: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, place: int, look: Look) -> None:
        """Keep how the record at `place` looks."""
        table = self.texts
        if isinstance(look, _picture_traits.Look):
            table = self.pictures
            if look.fine is not None:
                self.fine[place] = look.fine
            if look.taken is not None:
                self.taken[place] = look.taken
        elif isinstance(look, _sound_traits.Look):
            table = self.sounds
        if not isinstance(look, _text_traits.Look):
            table.sketches.append(look.sketch)
        table.places.append(place)
        table.rows.extend(look.numbers)


def traits(records: Sequence[Record], *, progress: Progress = _SILENT) -> Traits:
    """How all records look; what cannot be read or decoded is in no table."""
    found = Traits(sample=frozenset(_sample(records)))
    fine = {records[place].id for place in found.sample}
    looks = _content.each(records, lambda one: _look(one, fine=one.id in fine), what="describing", progress=progress)
    for place, look in enumerate(looks):
        if look is not None:
            found.add(place, look)
    return found


def _sample(records: Sequence[Record]) -> list[int]:
    """Places of training records by which classes are compared: about as many of each, spread over their order."""
    classes: dict[str, array[int]] = defaultdict(lambda: array("q"))
    for place, record in enumerate(records):
        if isinstance(record.label, str) and record.split in (None, "train"):
            classes[record.label].append(place)
    large = sorted(classes.values(), key=len, reverse=True)[: _SAMPLE // _FEWEST]
    most = _SAMPLE // max(len(large), 1)
    return [own[at * len(own) // min(len(own), most)] for own in large for at in range(min(len(own), most))]


def _look(record: Record, *, fine: bool) -> Look | None:
    try:
        raw = record.read()
    except OSError:
        return None
    if isinstance(raw, str):
        return _text_traits.look(raw)
    return _sound_traits.look(raw) if _content.is_sound(raw) else _picture_traits.look(raw, fine=fine)
