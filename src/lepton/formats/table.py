"""Texts and their labels in the columns of a CSV, TSV, JSON-lines, JSON or Parquet file, or of one file a split."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from lepton.core.errors import UserError
from lepton.core.types import Reading, Record
from lepton.formats import _bio, _hf, _manifest, _media, _names, _rows, _table, _tabular
from lepton.formats._joined import joined

MODALITY = "text"


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with one or several, and not a list of media files."""
    if path.is_file():
        return _suits(path)
    return bool(_names.data_files(path, _suits)) and not _names_media(path)


def read(path: Path, *, text: str | None = None, label: str | None = None) -> Reading:
    """Read one record a row; ids are `train.csv#17`, rows counted from 0 without the header.

    `text` and `label` name the columns; left out, they are found by their usual names or by what they hold, and
    a note says which were taken. Lists of tokens and of BIO tags become texts with entities. A column `split` with
    known words gives the splits, and so do the files' names in a folder (`train.csv`, `test.csv`). All other columns
    become fields. A row without a text or a label is a bad record. Raises UserError for what is no table, or where
    the columns are not clear.
    """
    parts = {None: [path]} if path.is_file() else _parts(path)
    root = path.parent if path.is_file() else path
    readings: list[Reading] = []
    for split, files in parts.items():
        for file in files:
            table = _table.load(file, [name for name in (text, label) if name])
            name = file.relative_to(root).as_posix()
            if readings and label is not None and label not in table.columns:
                readings.append(Reading([], [], [f"{name}: left aside, for it has no column {label!r}"]))
                continue
            text, label, notes = _rows.roles(table, text, label)
            made = _rows.reading(table, name, text=text, label=label, split=split)
            readings.append(Reading(made.records, made.bad, [*(f"{name}: {note}" for note in notes), *made.notes]))
    return joined(readings)


def write(records: Iterable[Record], place: Path, *, kind: Literal["csv", "tsv", "jsonl", "parquet"] = "csv") -> None:
    """Write a file a split into the folder `place`: `train.csv`; without splits `data.csv`.

    Texts stand in the column `text` and classes in `label`; entities become lists of words and BIO tags, `tokens` and
    `ner_tags`, in kinds that can hold lists. Fields are further columns. Raises UserError for what is no text.
    """
    _tabular.write(records, place, kind)


def _suits(path: Path) -> bool:
    plain = _table.looks_like(path) and not _bio.looks_tagged(path) and not _names_media(path)
    return plain and not _hf.holds_media(path)


def _names_media(path: Path) -> bool:
    return any(_manifest.find(path, kind) for kind in (_media.IMAGE, _media.AUDIO, _media.VOLUME))


def _parts(folder: Path) -> dict[str | None, list[Path]]:
    files = _names.data_files(folder, _suits)
    if not files:
        raise UserError(
            f"{folder} holds no table", rule="Known suffixes: .csv .tsv .jsonl .json .parquet, also with .gz"
        )
    parts = _names.by_split(files)
    if not parts:
        raise _names.unclear(folder, files)
    return parts
