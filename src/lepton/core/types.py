"""Words that all rooms share."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

Raw = bytes | str
"""What comes from outside: the bytes of an image or sound file, or a text."""

Arrays = Mapping[str, np.ndarray]
"""Named arrays: one sample without a batch axis, or a batch with it in front."""

Json = Mapping[str, Any]
"""Anything that JSON can say, as an object."""


class Span(NamedTuple):
    """An entity: characters `start` to `end` (exclusive) of the text are a `label`."""

    start: int
    end: int
    label: str


class Box(NamedTuple):
    """A thing in a picture: what lies between `x1` and `x2` and between `y1` and `y2` is a `label`.

    These are edges in pixels from the upper left corner: the box of a whole picture is (0, 0, width, height).
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: str


Value = int | tuple[int, int, int]
"""What stands in a pixel of a mask: an index, or a colour (red, green, blue)."""


class Mask(NamedTuple):
    """A class for each pixel of a picture: the image file at `path`, and what its values mean.

    Pixels of the values `ignored` are of no class and count nowhere. A path as text, so that every label is JSON.
    """

    path: str
    classes: tuple[tuple[Value, str], ...]
    ignored: tuple[Value, ...] = ()


Label = str | tuple[Span, ...] | tuple[Box, ...] | Mask | None
"""A class name, the entities of a text, the boxes or the mask of a picture, or None where nothing is known."""


@dataclass(frozen=True, slots=True)
class Files:
    """Several files that are one thing together, such as the slices of a volume, in their order."""

    paths: tuple[Path, ...]

    def read_bytes(self) -> bytes:
        """All of them in one uncompressed zip, the same bytes for the same files; names are `0/name`, `1/name` ..."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for at, path in enumerate(self.paths):
                archive.writestr(zipfile.ZipInfo(f"{at}/{path.name}"), path.read_bytes())
        return stream.getvalue()

    def __str__(self) -> str:
        return f"{self.paths[0]} and {len(self.paths) - 1} more"


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled thing of a dataset.

    `raw` is a text, encoded bytes, or the path of the file, or the files, that hold them. `split` is the given split
    (train, validation or test) or None. `fields` carries speaker, patient, track ... by name.
    """

    id: str
    raw: Raw | Path | Files
    label: Label
    split: str | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def read(self) -> Raw:
        """Give the raw input, from disk when `raw` is a path or several."""
        return self.raw.read_bytes() if isinstance(self.raw, Path | Files) else self.raw


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a format found: records in their order, those set aside, and remarks for the report.

    `unknown` are labels that the format has for what no class covers.
    """

    records: Sequence[Record]
    bad: Sequence[BadRecord] = ()
    notes: Sequence[str] = ()
    unknown: Sequence[str] = ()
