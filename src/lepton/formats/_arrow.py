"""Rows of Arrow and Parquet files, a batch in memory at a time, with the class names that `datasets` leaves in them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from lepton.core.errors import MissingExtra, UserError

BATCH = 1024


@dataclass(frozen=True, slots=True)
class Parquet:
    """A Parquet file."""

    path: Path

    def columns(self) -> list[str]:
        """The names of its columns."""
        with _whole(self.path, "Parquet"), self.path.open("rb") as stream:
            return list(_pyarrow(self.path).parquet.ParquetFile(stream).schema_arrow.names)

    def features(self) -> Mapping[str, Any]:
        """The kinds of its columns, where the `datasets` library noted them."""
        with _whole(self.path, "Parquet"), self.path.open("rb") as stream:
            return features(_pyarrow(self.path).parquet.ParquetFile(stream).schema_arrow.metadata)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its rows, classes by their names; of a row group only a batch is turned into cells at a time."""
        # Not from the path: that would read `key=value` folder names as columns.
        with _whole(self.path, "Parquet"), self.path.open("rb") as stream:
            file = _pyarrow(self.path).parquet.ParquetFile(stream)
            named = _class_names(file.schema_arrow.metadata)
            for batch in file.iter_batches(BATCH):
                yield from _named_rows(batch, named)


@dataclass(frozen=True, slots=True)
class Arrow:
    """Arrow files of one data set, one after another, each a stream or a file of record batches."""

    paths: Sequence[Path]

    def columns(self) -> list[str]:
        """The names of their columns."""
        with _whole(self.paths[0], "Arrow"), _batches(self.paths[0]) as reader:
            return list(reader.schema.names)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Their rows, classes by their names."""
        for path in self.paths:
            with _whole(path, "Arrow"), _batches(path) as reader:
                named = _class_names(reader.schema.metadata)
                for batch in _in_turn(reader):
                    for start in range(0, batch.num_rows, BATCH):
                        yield from _named_rows(batch.slice(start, BATCH), named)


@contextmanager
def _whole(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow says about a broken file into a UserError."""
    arrow = _pyarrow(path)
    try:
        yield
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:150]
        raise UserError(f"{path} is no whole {kind} file", rule=reason, remedy="Fetch it again") from error


@contextmanager
def _batches(path: Path) -> Iterator[Any]:
    """A reader of record batches, mapped and not read into memory."""
    arrow = _pyarrow(path)
    with arrow.memory_map(str(path)) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        yield arrow.ipc.open_file(source) if is_file else arrow.ipc.open_stream(source)


def _in_turn(reader: Any) -> Iterator[Any]:
    if hasattr(reader, "num_record_batches"):
        yield from (reader.get_batch(at) for at in range(reader.num_record_batches))
    else:
        yield from reader


def _named_rows(batch: Any, named: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    for row in batch.to_pylist():
        yield {key: _named(cell, named[key]) if key in named else cell for key, cell in row.items()}


def _named(cell: Any, names: Sequence[str]) -> Any:
    if isinstance(cell, list):
        return [_named(item, names) for item in cell]
    return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell


def _class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Class names by column, as the `datasets` library leaves them in a schema."""
    found = {key: _names(kind) for key, kind in features(metadata).items()}
    return {key: names for key, names in found.items() if names}


def features(metadata: Mapping[bytes, bytes] | None) -> Mapping[str, Any]:
    """What the `datasets` library says in a schema about the columns; nothing where it says nothing."""
    try:
        found = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _names(kind: Any) -> list[str]:
    """The class names of a feature, or of the items of a list of it."""
    inner = kind[0] if isinstance(kind, list) and kind else kind
    if not isinstance(inner, dict):
        return []
    within = inner.get("feature")
    names = inner.get("names") or (within.get("names") if isinstance(within, dict) else None)
    return [str(name) for name in names] if isinstance(names, list) else []


def _pyarrow(path: Path) -> Any:
    try:
        pyarrow = import_module("pyarrow")
        for part in ("ipc", "parquet"):
            import_module(f"pyarrow.{part}")
    except ImportError as error:
        raise MissingExtra(f"{path} is an Arrow or Parquet file, which pyarrow reads", "parquet") from error
    return pyarrow
