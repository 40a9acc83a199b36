"""Pictures written into a new data set: copied byte by byte, each under a name of its own."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lepton.core import labels
from lepton.core.errors import UserError
from lepton.core.types import Box, Files, Record
from lepton.formats import _boxes

_MARKS = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"RIFF": ".webp", b"II*\0": ".tif"}


@dataclass(slots=True)
class Copies:
    """Copies of pictures; `taken` are the names that are in use, in small letters, a set for each folder."""

    taken: dict[Path, set[str]] = field(default_factory=dict)

    def add(self, record: Record, folder: Path) -> Path:
        """Copy the picture of `record` into `folder` under its own name, or with a number where that is taken.

        No two names there differ in nothing but suffix or case. Raises UserError for what is no picture or is gone.
        """
        if isinstance(record.raw, str | Files):
            raise UserError(f"Record {record.id} cannot be written here", rule="It must be one picture")
        path = record.raw if isinstance(record.raw, Path) else None
        name = path.name if path else _clean(record.id) + _suffix(record.raw)
        folder.mkdir(parents=True, exist_ok=True)
        place = folder / self._free(name, folder)
        try:
            shutil.copyfile(path, place) if path else place.write_bytes(record.read())  # type: ignore[arg-type]
        except OSError as error:
            raise UserError(
                f"The picture of {record.id} cannot be copied", rule=error.strerror or str(error)
            ) from error
        return place

    def mask(self, mask: Path, place: Path) -> None:
        """Copy a mask to `place`, which is named like its picture, with the suffix that it has."""
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(mask, place.with_name(place.name + mask.suffix))
        except OSError as error:
            raise UserError(f"The mask {mask} cannot be copied", rule=error.strerror or str(error)) from error

    def _free(self, name: str, folder: Path) -> str:
        stem, suffix = os.path.splitext(name)
        taken = self.taken.setdefault(folder, set())
        number = 1
        while (found := stem if number == 1 else f"{stem}_{number}").casefold() in taken:
            number += 1
        taken.add(found.casefold())
        return found + suffix


def boxes_of(record: Record, what: str) -> Sequence[Box]:
    """The boxes of a record. Raises UserError, saying that `what` holds nothing else, where its label is none."""
    found = labels.boxes(record.label)
    if record.label is None or len(found) != len(record.label):
        raise UserError(f"Record {record.id} cannot be written as {what}", rule="Its label must be boxes of a picture")
    return found


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a copied picture. Raises UserError where it cannot be opened."""
    found = _boxes.size_of(picture)
    if isinstance(found, str):
        raise UserError(f"The picture {picture.name} has no size", rule=found, remedy="Take it out of the source")
    return found


def plain(value: float) -> int | float:
    """A whole number as such, for files that are read by people."""
    return int(value) if float(value).is_integer() else float(value)


def _clean(identity: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in identity)


def _suffix(raw: bytes | str | Path | Files) -> str:
    head = raw[:4] if isinstance(raw, bytes) else b""
    return next((suffix for mark, suffix in _MARKS.items() if head.startswith(mark)), ".img")
