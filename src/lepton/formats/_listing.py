"""Writing a table that lists media files, and the files beside it."""

import csv
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lepton.core.errors import UserError
from lepton.core.types import Record
from lepton.formats._media import Kind

_MAGIC = {
    **{b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"FORM": ".aiff", b"ID3": ".mp3", b"\xff\xfb": ".mp3"},
    **{b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif"},
}


def write(records: Iterable[Record], place: Path, kind: Kind) -> None:
    """Fill the folder `place` with `metadata.csv`, which lists file, label, split and fields, and with the files.

    Files are copied one at a time to `files/`, named after their records' ids. Raises UserError for a record whose
    label is no text, or that is no file of `kind`.
    """
    files = place / "files"
    files.mkdir()
    taken: set[str] = set()
    rows = [_row(record, _copied(record, (files, taken), kind)) for record in records]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with (place / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _row(record: Record, name: str) -> Mapping[str, str]:
    if not isinstance(record.label, str):
        rule = "A list of files holds classes or transcripts"
        raise UserError(
            f"Record {record.id} cannot be written to a list", rule=rule, received=type(record.label).__name__
        )
    row = {"file": f"files/{name}", "label": record.label}
    split = {"split": record.split} if record.split else {}
    return {
        **{key: text for key, text in record.fields.items() if key not in ("file", "label", "split")},
        **row,
        **split,
    }


def _copied(record: Record, where: tuple[Path, set[str]], kind: Kind) -> str:
    """The name of the copy of a record's file."""
    folder, taken = where
    raw = record.raw
    suffix = raw.suffix.casefold() if isinstance(raw, Path) else _suffix(raw)
    if suffix not in kind.suffixes:
        raise UserError(
            f"Record {record.id} is no file of a {kind.word}", rule=f"Known: {', '.join(sorted(kind.suffixes))}"
        )
    stem = os.path.splitext(record.id)[0] if kind.has(record.id) else record.id
    name = _free(re.sub(r"[^\w.-]+", "_", stem)[-80:], suffix, taken)
    if isinstance(raw, Path):
        shutil.copyfile(raw, folder / name)
    elif isinstance(raw, bytes):
        (folder / name).write_bytes(raw)
    return name


def _free(stem: str, suffix: str, taken: set[str]) -> str:
    """A name that no other copy has, whatever its case."""
    name, count = f"{stem}{suffix}", 1
    while name.casefold() in taken:
        count += 1
        name = f"{stem}-{count}{suffix}"
    taken.add(name.casefold())
    return name


def _suffix(raw: object) -> str:
    head = raw[:12] if isinstance(raw, bytes) else b""
    if head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")
