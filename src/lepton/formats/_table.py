"""Tables as rows of cells, whatever file they stand in: CSV, TSV, JSON lines, a JSON list, Parquet.

Rows are read one after another, so that a file may be larger than memory; only a JSON list is parsed at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.formats import _arrow, _columns, _csv, _json, _stream, _text

Cells = Mapping[str, Any]
Row = tuple[int, Cells | str]
"""A row's number, from 0 without the header, and its cells by column, or the reason why it cannot be read."""

_SAMPLE = 2000


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in order, the rows, which each iteration reads anew, and remarks."""

    columns: Sequence[str]
    rows: Iterable[Row]
    notes: Sequence[str] = ()
    first: list[Cells] = field(default_factory=list)

    def sample(self) -> Sequence[Cells]:
        """The first rows that can be read; they are kept, for reading them may be dear."""
        if not self.first:
            self.first.extend(islice((cells for _, cells in self.rows if not isinstance(cells, str)), _SAMPLE))
        return self.first


def kind(path: Path) -> str:
    """`csv`, `tsv`, `jsonl`, `json`, `parquet` by the name's suffix (`.gz` passed over), or ""."""
    name = path.name.casefold().removesuffix(".gz")
    return _KINDS.get(name.rpartition(".")[2], "") if "." in name else ""


def load(path: Path, wanted: Sequence[str] = ()) -> Table:
    """Open a table. `wanted` are column names that the user said, which tell a header from a row.

    Raises UserError when the file is no table of its kind.
    """
    return _LOADERS[kind(path) or "csv"](path, wanted)


def looks_like(path: Path) -> bool:
    """Whether the beginning of the file is what its suffix says."""
    which = kind(path)
    if which == "parquet":
        return _magic(path) == b"PAR1"
    text = _text.head(path) if which else ""
    if which == "jsonl":
        return text.lstrip().startswith("{")
    if which == "json":
        return bool(re.match(r"\s*\[\s*\{", text))
    return bool(text.strip()) and _csv.separator(text, _preferred(which)) is not None


def beginning(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header (or column numbers) and first rows of a CSV or TSV file, without raising; empty for other files."""
    text = _text.head(path) if kind(path) in ("csv", "tsv") else ""
    mark = _csv.separator(text, _preferred(kind(path))) if text else None
    rows = _csv.first_rows(text, mark) if mark else []
    return _columns.header(rows, ()) if rows else ([], [])


def text_of(cell: Any) -> str | None:
    """A cell as text: numbers and truth values as JSON writes them (1.0 as 1), None for blank or nested ones."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else None if cell != cell else str(cell)
    if isinstance(cell, str):
        return cell if cell.strip() else None
    return None if cell is None or isinstance(cell, dict | list | tuple | bytes) else str(cell)


@dataclass(frozen=True, slots=True)
class Again:
    """What a function gives, called anew for each iteration."""

    make: Callable[[], Iterator[Row]]

    def __iter__(self) -> Iterator[Row]:
        return self.make()


def _csv_table(path: Path, wanted: Sequence[str]) -> Table:
    lines = _lines(path)
    head = _stream.beginning(lines)
    mark = _csv.separator(head, _preferred(kind(path)))
    if mark is None:
        raise UserError(
            f"{path} is no table",
            rule="Its rows must have one same number of columns, two at least",
            received=head[:60],
        )
    rows, more = _csv.rows(lines, mark)
    sample = list(islice(rows, _SAMPLE))
    columns, body = _columns.header(sample, wanted)
    below = len(sample) - len(body)
    notes = [*lines.notes, *(f"{path.name}: {note}" for note in more)]
    notes += [] if below else [f"{path.name}: has no header, so its columns are numbered from 0"]
    return Table(columns, Again(lambda: _cells(islice(rows, below, None), columns)), notes)


def _cells(rows: Iterable[list[str]], columns: Sequence[str]) -> Iterator[Row]:
    width = len(columns)
    for at, row in enumerate(rows):
        wide = len(row) > width
        yield at, f"has {len(row)} columns, not {width}" if wide else dict(zip(columns, row, strict=False))


def _jsonl_table(path: Path, _: Sequence[str]) -> Table:
    lines = _lines(path)

    def objects() -> Iterator[Row]:
        return _objects(_parsed(line) for line in lines if line.strip())

    table = _of_objects(path, Again(objects), ())
    _exhaust(lines)
    return Table(table.columns, table.rows, lines.notes)


def _json_table(path: Path, _: Sequence[str]) -> Table:
    text, notes = _text.load(path)
    items = _parsed(text)
    if not isinstance(items, list):
        raise UserError(
            f"{path} is no list of records", rule="A JSON data file is a list of objects", received=text[:60]
        )
    return _of_objects(path, list(_objects(items)), notes)


def _parsed(text: str) -> Any:
    """The JSON value of `text`, or a ValueError as a value."""
    try:
        return _json.loads(text)
    except (ValueError, RecursionError) as error:
        return ValueError(str(error) or "is nested too deeply")


def _objects(items: Iterable[Any]) -> Iterator[Row]:
    for at, item in enumerate(items):
        if isinstance(item, dict):
            yield at, item
        else:
            yield at, f"is not valid JSON: {item}" if isinstance(item, ValueError) else "is no JSON object"


def _of_objects(path: Path, rows: Iterable[Row], notes: Sequence[str]) -> Table:
    """The table of objects; its columns are the keys of the first ones."""
    table = Table((), rows, notes)
    sample = table.sample()
    if not sample:
        reason = next((str(found) for _, found in rows), "it is an empty list")
        raise UserError(f"{path} holds no JSON objects", rule="Every record is one object", received=reason)
    return Table(list(dict.fromkeys(key for cells in sample for key in cells)), rows, notes)


def _parquet_table(path: Path, _: Sequence[str]) -> Table:
    file = _arrow.Parquet(path)
    return Table(file.columns(), Again(lambda: enumerate(file.rows())))


def _lines(path: Path) -> _stream.Lines:
    if _stream.is_blank(path):
        raise UserError(f"{path} is empty", rule="A data file holds at least one record")
    return _stream.Lines(path)


def _exhaust(lines: Iterable[str]) -> None:
    """Read all lines, so that what there is to remark on is known."""
    for _ in lines:
        pass


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4)
    except OSError:
        return b""


def _preferred(which: str) -> str:
    return "\t" if which == "tsv" else ","


_KINDS = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "parquet": "parquet",
    "pq": "parquet",
}
_LOADERS: Mapping[str, Callable[[Path, Sequence[str]], Table]] = {
    "csv": _csv_table,
    "tsv": _csv_table,
    "jsonl": _jsonl_table,
    "json": _json_table,
    "parquet": _parquet_table,
}
