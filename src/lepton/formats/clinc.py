"""Intents in CLINC JSON: one object whose keys are splits, each a list of pairs of text and intent."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _json, _names
from lepton.formats._text import some

MODALITY = "text"

_RULE = 'It is {"train": [[text, intent], ...], "val": [...], "test": [...], "oos_train": [...], ...}'
_KEYS = {"train": "train", "validation": "val", "test": "test"}
_OUT = "oos"
_BEGINNING = re.compile(r'\s*\{\s*"(\w+)"\s*:\s*\[\s*(\[\s*"|\])')


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some."""
    return _suits(path) if path.is_file() else bool(_names.data_files(path, _suits))


def read(path: Path) -> Reading:
    """Read one record a pair; ids are `data_full.json#oos_val/17`, counted from 0 in each list.

    The keys give the splits, those that begin with `oos_` too; what stands there is out of scope: its labels, usually
    `oos`, stand for what no class covers. Of several files in a folder `data_full.json` is read. A pair without text
    or intent is a bad record. Raises UserError for what is no such file.
    """
    file, notes = (path, []) if path.is_file() else _chosen(path)
    document, more = _json.load(file, "CLINC file")
    parts = _parts(document)
    if not parts:
        raise UserError(f"{file} is no CLINC file", rule=_RULE, received=type(document).__name__)
    name = file.name if path.is_file() else file.relative_to(path).as_posix()
    made = [item for key, pairs in parts.items() for item in _records(f"{name}#{key}", pairs, _split(key))]
    records = [item for item in made if isinstance(item, Record)]
    bad = [item for item in made if isinstance(item, BadRecord)]
    if not records:
        raise UserError(f"{file} holds no pair of text and intent", rule=_RULE)
    return Reading(records, bad, [*notes, *more], _unknown(records))


def write(records: Iterable[Record], place: Path) -> None:
    """Write one file `data.json` into the folder `place`; the intent `oos` goes to the lists of its own.

    Records without a split stand in `train`. Raises UserError for a record that is no text with a class.
    """
    parts: dict[str, list[list[str]]] = {}
    for record in records:
        if not isinstance(record.raw, str) or not isinstance(record.label, str):
            rule = "CLINC files hold texts whose labels are classes"
            raise UserError(f"Record {record.id} cannot be written as CLINC", rule=rule)
        key = _KEYS[record.split or "train"]
        key = f"{_OUT}_{key}" if record.label == _OUT else key
        parts.setdefault(key, []).append([record.raw, record.label])
    order = [*_KEYS.values(), *(f"{_OUT}_{key}" for key in _KEYS.values())]
    files.write_text(place / "data.json", _json.dumps({key: parts[key] for key in order if key in parts}) + "\n")


def _unknown(records: Sequence[Record]) -> list[str]:
    """The labels that stand in lists of what is out of scope, and in no other."""
    outside, inside = (
        {str(record.label) for record in records if (f"#{_OUT}_" in record.id) == out} for out in (True, False)
    )
    return sorted(outside - inside)


def _suits(path: Path) -> bool:
    match = _BEGINNING.match(_json.head(path))
    return match is not None and _split(match[1]) is not None


def _split(key: str) -> str | None:
    return _names.split_word(key.removeprefix(f"{_OUT}_"))


def _chosen(folder: Path) -> tuple[Path, list[str]]:
    found = _names.data_files(folder, _suits)
    if not found:
        raise UserError(f"{folder} holds no CLINC file", rule=_RULE)
    full = [file for file in found if file.name == "data_full.json"] or found
    if len(full) > 1:
        raise _names.unclear(folder, found)
    others = [file.name for file in found if file != full[0]]
    return full[0], [f"{full[0].name} was read, and not {some(others)}"] if others else []


def _parts(document: Any) -> dict[str, list[Any]]:
    if not isinstance(document, dict):
        return {}
    return {key: pairs for key, pairs in document.items() if _split(key) and isinstance(pairs, list)}


def _records(name: str, pairs: list[Any], split: str | None) -> Iterator[Record | BadRecord]:
    for at, pair in enumerate(pairs):
        identity = f"{name}/{at}"
        whole = (
            isinstance(pair, list) and len(pair) == 2 and all(isinstance(item, str) and item.strip() for item in pair)
        )
        yield (
            Record(identity, pair[0], pair[1], split) if whole else BadRecord(identity, "is no pair of text and intent")
        )
