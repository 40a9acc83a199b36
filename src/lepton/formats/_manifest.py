"""Tables that list media files with their labels or transcripts, in or beside the folder of the files."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _columns, _names, _table
from lepton.formats._joined import joined
from lepton.formats._media import AUDIO, Kind, file_record, label_field, nothing_fits, walk
from lepton.formats._pattern import Pattern, compile_pattern
from lepton.formats._text import several

_LOOKED_AT = 200
_MOST_FOLDERS = 50


def find(path: Path, kind: Kind) -> list[Path]:
    """Tables at `path`, in it or one folder below that name files of `kind`; empty where there is none.

    Those that give names with their suffix come before those that leave it out.
    """
    items = [] if path.is_file() else _names.visible(path)
    here = [path] if path.is_file() else [item for item in items if item.is_file()]
    folders = [item for item in items if item.is_dir()][:_MOST_FOLDERS]
    below = [table for folder in folders for table in _tables(folder)]
    found = ([table for table in some if _names_files(table, kind, how)] for how in _HOWS for some in (here, below))
    return next(filter(None, found), [])


def read(path: Path, kind: Kind, naming: tuple[str | None, str | None]) -> Reading:
    """Records of the rows; `naming` is a pattern for the files' names and the label: a column, or a field of it.

    A file is looked for beside its table, then under the data set's folder, then by its name alone. One outside
    of that folder is a bad record, whatever stands there. Raises UserError when no table names files.
    """
    tables = find(path, kind)
    if not tables:
        raise UserError(f"{path} has no CSV or TSV file that names {kind.word}s", rule="A column must hold their names")
    parts = _names.by_split(tables)
    if not parts:
        raise _names.unclear(path, tables)
    root = path if path.is_dir() else path.parent
    place = Place(root, kind, {})
    readings = [_one(table, place, (split, *naming)) for split, files in parts.items() for table in files]
    aside = [table.name for table in tables if not any(table in files for files in parts.values())]
    notes = [f"not read, for their names carry no split: {', '.join(aside)}"] if aside else []
    return joined([*readings, Reading([], [], notes)])


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are looked for.

    `index` holds the places of a bare name, with its suffix and without, and is filled when first needed.
    """

    root: Path
    kind: Kind
    index: dict[str, list[Path]]

    def resolve(self, table: Path, name: str) -> Path | str:
        """The file that a row of `table` names, or the reason why there is none."""
        if os.path.isabs(name) or "\\" in name and ":" in name:
            return f"names {name[:80]!r}: files must be named relative to the data set's folder"
        candidates = [os.path.normpath(place / name) for place in dict.fromkeys((table.parent, self.root))]
        inside = [path for path in candidates if _within(path, self.root)]
        if not inside:
            return f"names {name[:80]!r}, which lies outside of the data set's folder"
        found = next((path for path in inside if os.path.exists(path)), None)
        return Path(found) if found else self._by_name(name)

    def _by_name(self, name: str) -> Path | str:
        if not self.index:
            for parts in walk(self.root, self.kind).files:
                for key in (parts[-1], os.path.splitext(parts[-1])[0]):
                    self.index.setdefault(key, []).append(self.root.joinpath(*parts))
        places = self.index.get(os.path.basename(name), [])
        if len(places) == 1:
            return places[0]
        return f"{name[:80]!r} stands in {len(places)} places" if places else f"there is no file {name[:80]!r}"


@dataclass(frozen=True, slots=True)
class _Roles:
    """What the columns of one table are; the label is a column or, when `by_field`, a field of the pattern."""

    file: str
    label: str
    by_field: bool
    split: str | None
    pattern: Pattern | None


def _one(table: Path, place: Place, how: tuple[str | None, str | None, str | None]) -> Reading:
    split, pattern, label = how
    opened = _table.load(table, [label] if label else [])
    rows = opened.sample()
    if not rows:
        raise UserError(f"{table} has a header and no rows", rule="A data file holds at least one record")
    roles = _roles((table, opened.columns, rows), place.kind, (pattern, label))
    identity = table.relative_to(place.root).as_posix()
    made = list(_records(opened, roles, (table, place, identity)))
    records = [item for item in made if isinstance(item, Record)]
    if roles.pattern and not records:
        raise nothing_fits(roles.pattern, str(rows[0].get(roles.file)))
    if split:
        records = [replace(item, split=split) for item in records]
    bad = [item for item in made if isinstance(item, BadRecord)]
    notes = [*opened.notes, f"{identity}: files from column {roles.file!r}, labels from {roles.label!r}"]
    return Reading(records, bad, [*notes, *_repeated(records)])


def _roles(
    table: tuple[Path, Sequence[str], Sequence[_table.Cells]], kind: Kind, naming: tuple[str | None, str | None]
) -> _Roles:
    path, columns, rows = table
    pattern, label = naming
    compiled = compile_pattern(pattern) if pattern else None
    named = (how(path, (columns, rows), kind) for how in _HOWS)
    file = next((column for column in named if column is not None), columns[0])
    split = _columns.by_name(columns, _columns.SPLITS)
    in_pattern = compiled is not None and (label in compiled.fields if label else "label" in compiled.fields)
    if in_pattern:
        return _Roles(file, str(label_field(compiled, label)), True, split, compiled)
    free = [column for column in columns if column not in (file, split)]
    column = _columns.pick(columns, label, "data.label") if label else None
    if kind is AUDIO:
        column = column or _columns.by_name(free, _columns.LABELS) or _columns.transcript_column(free, rows)
    return _Roles(file, column or _columns.label_column(free, rows, []), False, split, compiled)


def _records(table: _table.Table, roles: _Roles, where: tuple[Path, Place, str]) -> Iterator[Record | BadRecord]:
    path, place, name = where
    for at, row in table.rows:
        identity = f"{name}#{at}"
        if isinstance(row, str):
            yield BadRecord(identity, row)
            continue
        file = _table.text_of(row.get(roles.file))
        found = place.resolve(path, file.strip()) if file else "names no file"
        if isinstance(found, str):
            yield BadRecord(identity, found)
        else:
            yield file_record(found, identity) or _record(identity, found, (row, roles))


def _record(identity: str, path: Path, given: tuple[Mapping[str, Any], _Roles]) -> Record | BadRecord:
    row, roles = given
    matched = roles.pattern.match(path.as_posix()) if roles.pattern else {}
    if matched is None:
        return BadRecord(identity, f"{path.name} does not fit the pattern")
    cells = {key: text for key, cell in row.items() if (text := _table.text_of(cell)) is not None}
    label = matched.get(roles.label) if roles.by_field else cells.get(roles.label)
    if label is None:
        return BadRecord(identity, "has no label")
    split = _names.split_word(cells.get(roles.split, "")) if roles.split else None
    return Record(identity, path, label, split, {**cells, **matched})


_Beginning = tuple[Sequence[str], Sequence[_table.Cells]]


def _by_suffix(_: Path, beginning: _Beginning, kind: Kind) -> str | None:
    """The column of which half of the first rows have a suffix of `kind`."""
    columns, rows = beginning
    cells = {column: [str(row.get(column) or "").strip() for row in rows[:200]] for column in columns}
    counts = {column: sum(map(kind.has, found)) for column, found in cells.items()}
    most = max(columns, key=lambda column: counts[column], default=None)
    return most if rows and most is not None and counts[most] >= max(1, len(rows[:200]) / 2) else None


def _by_stem(table: Path, beginning: _Beginning, kind: Kind) -> str | None:
    """The first column whose cells are the names of files of `kind` without their suffix."""
    columns, rows = beginning
    cells = {column: [str(row.get(column) or "").strip() for row in rows[:5]] for column in columns}
    return next((column for column in columns if _are_stems(table, cells[column], kind)), None)


_HOWS = (_by_suffix, _by_stem)


def _are_stems(table: Path, names: Sequence[str], kind: Kind) -> bool:
    """Whether files of these names but for their suffix stand beside the table or in one folder below."""
    if not names or len(set(names)) < len(names) or not all(re.fullmatch(r"[\w.-]{1,80}", name) for name in names):
        return False
    folders = [table.parent, *(item for item in _names.visible(table.parent) if item.is_dir())][:30]
    return any(all(_stands(folder, name, kind) for name in names) for folder in folders)


def _stands(folder: Path, name: str, kind: Kind) -> bool:
    return any(os.path.exists(folder / f"{name}{suffix}") for suffix in kind.suffixes)


def _repeated(records: Sequence[Record]) -> list[str]:
    counts = Counter(str(record.raw) for record in records)
    repeated = sum(count > 1 for count in counts.values())
    return [f"{several(repeated, 'file')} named more than once"] if repeated else []


def _tables(folder: Path) -> list[Path]:
    return [
        item for item in _names.visible(folder)[:_LOOKED_AT] if _table.kind(item) in ("csv", "tsv") and item.is_file()
    ]


def _names_files(path: Path, kind: Kind, how: Callable[[Path, _Beginning, Kind], str | None]) -> bool:
    columns, rows = _table.beginning(path)
    return how(path, (columns, [dict(zip(columns, row, strict=False)) for row in rows]), kind) is not None


def _within(path: str, root: Path) -> bool:
    """By the letters of the path, so that links which the user made inside the folder still serve."""
    return Path(path).is_relative_to(os.path.normpath(root))
