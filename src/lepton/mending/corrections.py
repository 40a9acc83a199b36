"""Corrections of labels in a SQLite file of their own: who, when and why. Rows are added and never changed.

A correction belongs to a content, by its digest: it finds the record again when that was renamed or moved, holds for
every copy of it, and lets go of a record whose content was changed.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lepton.core import labels
from lepton.core.errors import UserError
from lepton.core.types import Label

_VERSION = 1
_WAIT = 30.0  # seconds for another writer to finish
_TABLES = """
CREATE TABLE corrections (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    record TEXT NOT NULL,
    content TEXT NOT NULL,
    given TEXT NOT NULL,
    label TEXT NOT NULL
);
CREATE TABLE undone (
    number INTEGER PRIMARY KEY REFERENCES corrections (number),
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL
);
"""
_FOR_GOOD = """
CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, 'the history of corrections is never changed'); END;
"""
_ROWS = """
SELECT corrections.*, undone.at AS undone_at, undone.who AS undone_by, undone.why AS undone_why
FROM corrections LEFT JOIN undone USING (number) ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """One decision on the label of a content; `label` equal to `given` confirms it.

    `record` and `given` are as they were when it was made. `number`, `at` (UTC, ISO 8601) and `undone` are the file's.
    """

    record: str
    content: str
    given: Label
    label: Label
    who: str
    why: str = ""
    number: int = 0
    at: str = ""
    undone: str = ""


def add(path: Path, corrections: Sequence[Correction]) -> int:
    """Append `corrections` to the file at `path`, which is made where there is none, all or none; gives their number.

    Raises UserError where somebody is not named, and where the file is none of ours.
    """
    if not all(item.who.strip() for item in corrections):
        raise UserError("A correction has no author", rule="Who made it must be said", remedy="Say --by NAME")
    rows = [
        (_now(), item.who, item.why, item.record, item.content, _text(item.given), _text(item.label))
        for item in corrections
    ]
    with _opened(path, "rwc") as file, file:
        file.executemany(
            "INSERT INTO corrections (at, who, why, record, content, given, label) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
        )
    return len(rows)


def undo(path: Path, number: int, *, who: str, why: str = "") -> Correction:
    """Take the correction `number` back; it stays in the history with a note of that. Gives what was undone.

    Raises UserError where there is no such correction, or it was undone already.
    """
    known = {item.number: item for item in history(path)}
    if number not in known or known[number].undone:
        what = f"Correction {number} was undone already" if number in known else f"There is no correction {number}"
        raise UserError(what, remedy="lepton review DATA --history lists them")
    if not who.strip():
        raise UserError("Who undoes it must be said", remedy="Say --by NAME")
    with _opened(path, "rw") as file, file:
        file.execute("INSERT INTO undone VALUES (?, ?, ?, ?)", (number, _now(), who, why))
    return known[number]


def history(path: Path) -> list[Correction]:
    """Every correction ever made, the oldest first. Raises UserError where there is no such file."""
    if not path.is_file():
        raise UserError(
            f"There are no corrections at {path}", remedy="lepton review DATA --import FILE --by NAME makes some"
        )
    with _opened(path, "ro") as file:
        return [_correction(row) for row in file.execute(_ROWS)]


def standing(path: Path) -> dict[str, Correction]:
    """Content digest -> the latest correction of it that was not undone."""
    return {item.content: item for item in history(path) if not item.undone}


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """The file, checked to be one of ours; read-only it is left as it is to the last byte."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_WAIT)) as file:
            file.row_factory = sqlite3.Row
            _check(file, path)
            yield file
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{path} cannot be used for corrections", rule=str(error), remedy="Name another file with -c"
        ) from error


def _check(file: sqlite3.Connection, path: Path) -> None:
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if not version and not tables:
        _create(file)
    elif version != _VERSION:
        rule = f"Corrections are files of version {_VERSION}"
        received = f"version {version}" if version else "another program's database"
        raise UserError(f"{path} holds no corrections", rule=rule, received=received)


def _create(file: sqlite3.Connection) -> None:
    guards = [_FOR_GOOD.format(table=table, verb=verb) for table in ("corrections", "undone") for verb in _VERBS]
    file.executescript(f"BEGIN;{_TABLES}{''.join(guards)}PRAGMA user_version = {_VERSION};COMMIT;")


_VERBS = ("UPDATE", "DELETE")


def _correction(row: sqlite3.Row) -> Correction:
    given, label = _label(row["given"]), _label(row["label"])
    undone = f"{row['undone_at']} {row['undone_by']} {row['undone_why']}".strip() if row["undone_at"] else ""
    kept = {name: row[name] for name in ("record", "content", "who", "why", "number", "at")}
    return Correction(given=given, label=label, undone=undone, **kept)


def _text(label: Label) -> str:
    return json.dumps(label, ensure_ascii=False)


def _label(text: str) -> Label:
    return labels.from_json(json.loads(text))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
