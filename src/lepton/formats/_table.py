"""Tables as rows of cells, whatever file they stand in: CSV, TSV, JSON lines, a JSON list, Parquet."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core.errors import MissingExtra, UserError
from lepton.formats import _columns, _csv, _text

Row = tuple[int, Mapping[str, Any]]
"""A row's number, from 0 without the header, and its cells by column."""


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in order, the rows that could be read, the numbers of the others with a reason, and remarks."""

    columns: Sequence[str]
    rows: Sequence[Row]
    bad: Sequence[tuple[int, str]] = ()
    notes: Sequence[str] = ()


def kind(path: Path) -> str:
    """`csv`, `tsv`, `jsonl`, `json`, `parquet` by the name's suffix (`.gz` passed over), or ""."""
    name = path.name.casefold().removesuffix(".gz")
    return _KINDS.get(name.rpartition(".")[2], "") if "." in name else ""


def load(path: Path, wanted: Sequence[str] = ()) -> Table:
    """Read a table. `wanted` are column names that the user said, which tell a header from a row.

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


def _csv_table(path: Path, wanted: Sequence[str]) -> Table:
    text, notes = _text.load(path)
    mark = _csv.separator(text[: _text.HEAD], _preferred(kind(path)))
    if mark is None:
        raise UserError(
            f"{path} is no table",
            rule="Its rows must have one same number of columns, two at least",
            received=text[:60],
        )
    rows, more = _csv.rows(text, mark)
    columns, body = _columns.header(rows, wanted)
    notes += [f"{path.name}: {note}" for note in more]
    notes += [f"{path.name}: has no header, so its columns are numbered from 0"] if len(body) == len(rows) else []
    width = len(columns)
    good = [(at, dict(zip(columns, row, strict=False))) for at, row in enumerate(body) if len(row) <= width]
    bad = [(at, f"has {len(row)} columns, not {width}") for at, row in enumerate(body) if len(row) > width]
    return Table(columns, good, bad, notes)


def _jsonl_table(path: Path, _: Sequence[str]) -> Table:
    text, notes = _text.load(path)
    lines = [line for line in _text.lines(text) if line.strip()]
    return _objects(path, map(_parsed, lines), notes)


def _json_table(path: Path, _: Sequence[str]) -> Table:
    text, notes = _text.load(path)
    items = _parsed(text)
    if not isinstance(items, list):
        raise UserError(
            f"{path} is no list of records", rule="A JSON data file is a list of objects", received=text[:60]
        )
    return _objects(path, items, notes)


def _parsed(text: str) -> Any:
    """The JSON value of `text`, or a ValueError as a value."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return ValueError(str(error) or "is nested too deeply")


def _objects(path: Path, items: Iterable[Any], notes: Sequence[str]) -> Table:
    rows: list[Row] = []
    bad: list[tuple[int, str]] = []
    for at, item in enumerate(items):
        if isinstance(item, dict):
            rows.append((at, item))
        else:
            bad.append((at, f"is not valid JSON: {item}" if isinstance(item, ValueError) else "is no JSON object"))
    if not rows:
        reason = bad[0][1] if bad else "it is an empty list"
        raise UserError(f"{path} holds no JSON objects", rule="Every record is one object", received=reason)
    return Table(list(dict.fromkeys(key for _, row in rows for key in row)), rows, bad, notes)


def _parquet_table(path: Path, _: Sequence[str]) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra(f"{path} is a Parquet file, which pyarrow reads", "parquet") from error
    try:
        # Not from the path: that would read `key=value` folder names as columns.
        with path.open("rb") as stream:
            table = pyarrow.parquet.ParquetFile(stream).read()
        rows = table.to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:150]
        raise UserError(f"{path} is no whole Parquet file", rule=reason, remedy="Fetch it again") from error
    named = _class_names(table.schema.metadata or {})
    rows = [{key: _named(named, key, cell) for key, cell in row.items()} for row in rows]
    return Table(table.column_names, list(enumerate(rows)), (), [])


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Class names by column, as the `datasets` library leaves them in a Parquet file's schema."""
    noted = _parsed(metadata.get(b"huggingface", b"{}").decode("utf-8", "replace"))
    info = noted.get("info") if isinstance(noted, dict) else None
    features = info.get("features") if isinstance(info, dict) else None
    pairs = features.items() if isinstance(features, dict) else ()
    return {key: kind["names"] for key, kind in pairs if isinstance(kind, dict) and isinstance(kind.get("names"), list)}


def _named(named: Mapping[str, list[str]], key: str, cell: Any) -> Any:
    names = named.get(key, [])
    return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell


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
