"""Texts and their labels in the columns of a CSV, TSV, JSON-lines, JSON or Parquet file, or of one file a split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _bio, _columns, _manifest, _media, _names, _table
from lepton.formats._joined import joined
from lepton.formats._text import several

MODALITY = "text"


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with one or several, and not a list of media files."""
    if path.is_file():
        return _suits(path)
    return bool(_names.data_files(path, _suits)) and not _names_media(path)


def read(path: Path, *, text: str | None = None, label: str | None = None) -> Reading:
    """Read one record a row; ids are `train.csv#17`, rows counted from 0 without the header.

    `text` and `label` name the columns; left out, they are found by their usual names or by what they hold, and
    a note says which were taken. A column `split` with known words gives the splits, and so do the files' names
    in a folder (`train.csv`, `test.csv`). All other columns become fields. A row without a text or a
    label is a bad record. Raises UserError for what is no table, or where the columns are not clear.
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
            (text, label), notes = _roles(table, text, label)
            readings.append(_one(table, (name, split, notes), (text, label)))
    return joined(readings)


def _suits(path: Path) -> bool:
    return _table.looks_like(path) and not _bio.looks_tagged(path) and not _names_media(path)


def _names_media(path: Path) -> bool:
    return any(_manifest.find(path, kind) for kind in (_media.IMAGE, _media.AUDIO))


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


def _one(table: _table.Table, file: tuple[str, str | None, list[str]], columns: tuple[str, str]) -> Reading:
    name, given, notes = file
    splits, more = _splits(table)
    made = list(_records(table, name, columns))
    good = (item for item in made if isinstance(item, Record))
    records = [replace(item, split=given or splits.get(item.id.rpartition("#")[2])) for item in good]
    bad = [BadRecord(f"{name}#{at}", reason) for at, reason in table.bad]
    bad += [item for item in made if isinstance(item, BadRecord)]
    return Reading(records, bad, [*table.notes, *(f"{name}: {note}" for note in [*notes, *more])])


def _roles(table: _table.Table, text: str | None, label: str | None) -> tuple[tuple[str, str], list[str]]:
    """The columns of text and label, and a remark where they were not named."""
    rows = [row for _, row in table.rows]
    if not rows:
        raise UserError("The table has a header and no rows", rule="A data file holds at least one record")
    label_name = _columns.pick(table.columns, label, "data.label") if label else None
    free = [column for column in table.columns if column != label_name]
    text_name = _columns.pick(table.columns, text, "data.text") if text else _columns.text_column(free, rows)
    split = _columns.by_name(table.columns, _columns.SPLITS)
    label_name = label_name or _columns.label_column(table.columns, rows, [text_name, *([split] if split else [])])
    notes = [] if text and label else [f"texts from column {text_name!r}, labels from {label_name!r}"]
    return (text_name, label_name), notes


def _splits(table: _table.Table) -> tuple[dict[str, str], list[str]]:
    """Row number -> split, from a column of that name, and a remark."""
    column = _columns.by_name(table.columns, _columns.SPLITS)
    if column is None:
        return {}, []
    words = {str(at): _names.split_word(_table.text_of(row.get(column)) or "") for at, row in table.rows}
    known = {at: word for at, word in words.items() if word}
    unknown = len(words) - len(known)
    if not known:
        return {}, [f"column {column!r} holds no names of splits, so it is an ordinary field"]
    notes = [f"splits from column {column!r}"]
    return known, notes + ([f"{several(unknown, 'row')} without a known split there"] if unknown else [])


def _records(table: _table.Table, name: str, columns: tuple[str, str]) -> Iterator[Record | BadRecord]:
    text_name, label_name = columns
    others = [column for column in table.columns if column not in columns]
    for at, row in table.rows:
        identity = f"{name}#{at}"
        text, label = _table.text_of(row.get(text_name)), _table.text_of(row.get(label_name))
        reason = _missing(row, (text_name, text), (label_name, label))
        yield (
            BadRecord(identity, reason)
            if text is None or label is None
            else Record(identity, text, label, None, _fields(row, others))
        )


def _missing(row: Mapping[str, Any], *cells: tuple[str, str | None]) -> str:
    for column, found in cells:
        if found is None:
            cell = row.get(column)
            nested = isinstance(cell, dict | list | bytes)
            return f"{column!r} holds {type(cell).__name__}, not one value" if nested else f"{column!r} is empty"
    return ""


def _fields(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    cells = ((column, _table.text_of(row.get(column))) for column in columns)
    return {column: cell for column, cell in cells if cell is not None}
