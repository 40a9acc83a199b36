"""Writing records as the rows of a table."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Record
from lepton.formats import _bio

Cells = Mapping[str, Any]

_ROWS = 10_000


def write(records: Iterable[Record], place: Path, kind: str) -> None:
    """Write a file of `kind` a split into the folder `place`: `train.csv`; without splits `data.csv`.

    Texts stand in the column `text` and classes in `label`; entities become lists of words and BIO tags, `tokens` and
    `ner_tags`, which CSV cannot hold. Fields are further columns. Raises UserError for a record that is no text.
    """
    parts: dict[str, list[Cells]] = {}
    for record in records:
        parts.setdefault(record.split or "data", []).append(_cells(record, kind))
    for name, rows in parts.items():
        _WRITERS[kind](place / f"{name}.{kind}", rows)


def _cells(record: Record, kind: str) -> Cells:
    """A row; a field of the name of another column gets a mark behind its name."""
    own = _plain(record) if isinstance(record.label, str) else _tagged(record, kind)
    return {**own, **{f"{key}_" if key in own else key: text for key, text in record.fields.items()}}


def _plain(record: Record) -> dict[str, Any]:
    if not isinstance(record.raw, str):
        raise UserError(f"Record {record.id} cannot be written to a table", rule="Tables hold texts")
    return {"text": record.raw, "label": record.label}


def _tagged(record: Record, kind: str) -> dict[str, Any]:
    text, spans = _bio.entities(record, "Table")
    if kind in ("csv", "tsv"):
        rule = "A cell of CSV holds no list of tags"
        remedy = '--format \'{ name = "table", kind = "jsonl" }\', or conll'
        raise UserError(f"Record {record.id} has entities", rule=rule, remedy=remedy)
    pairs = list(_bio.tokens(text, spans))
    return {"tokens": [token for token, _ in pairs], "ner_tags": [tag for _, tag in pairs]}


def _columns(rows: Sequence[Cells]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _csv(path: Path, rows: Sequence[Cells]) -> None:
    mark = "\t" if path.suffix == ".tsv" else ","
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, _columns(rows), restval="", delimiter=mark)
        writer.writeheader()
        writer.writerows(rows)


def _jsonl(path: Path, rows: Sequence[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _parquet(path: Path, rows: Sequence[Cells]) -> None:
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingExtra("Parquet files are written with pyarrow", "parquet") from error
    words = arrow.list_(arrow.string())
    lists = ("tokens", "ner_tags") if rows and "tokens" in rows[0] else ()
    schema = arrow.schema([(name, words if name in lists else arrow.string()) for name in _columns(rows)])
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, len(rows), _ROWS):
            writer.write_table(arrow.Table.from_pylist(list(rows[start : start + _ROWS]), schema=schema))


_WRITERS = {"csv": _csv, "tsv": _csv, "jsonl": _jsonl, "parquet": _parquet}
