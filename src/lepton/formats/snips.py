"""Intents and slots in SNIPS JSON: texts in pieces, of which some are slots."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record, Span
from lepton.formats import _bio, _json, _names
from lepton.formats._joined import joined
from lepton.formats._text import some

MODALITY = "text"

_RULE = 'It is {"Intent": [{"data": [{"text", "entity"}, ...]}, ...]}'
_BEGINNING = re.compile(r'\s*\{\s*"[^"]*"\s*:\s*\[\s*\{\s*"data"\s*:\s*\[\s*\{\s*"(text|entity)"')
_FULL = "_full."
_MOST_FILES = 5000


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some in it or in a folder for each intent."""
    return _suits(path) if path.is_file() else any(True for _ in _found(path))


def read(path: Path, *, label: Literal["intent", "slots"] | None = None) -> Reading:
    """Read one record an utterance; ids are `PlayMusic/train_PlayMusic_full.json#17`, counted from 0 in each file.

    `label` says what the label is: the `intent` (the default), or the `slots`, as entities of the text; the other
    one is a field, slots as JSON `[[start, end, slot], ...]`. Files' names give the splits; beside `train_X_full.json`
    its sample `train_X.json` is left aside. The layout of the snips-nlu library is read too. An utterance
    without pieces of text is a bad record. Raises UserError for what is no such file.
    """
    found, notes = ([path], []) if path.is_file() else _chosen(path)
    root = path.parent if path.is_file() else path
    readings = [_one(file, file.relative_to(root).as_posix(), label or "intent") for file in found]
    return joined([Reading([], [], notes), *(_with_split(*pair, found) for pair in zip(readings, found, strict=True))])


def write(records: Iterable[Record], place: Path) -> None:
    """Write a file a split into the folder `place`, with all intents: `train.json`; without splits `data.json`.

    Classes are intents and entities slots; the other one is taken from the field of that name, where there is one.
    Raises UserError for a record that is no text.
    """
    parts: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for record in records:
        intent, data = _utterance(record)
        parts.setdefault(record.split or "data", {}).setdefault(intent, []).append({"data": data})
    for name, intents in parts.items():
        files.write_text(place / f"{name}.json", _json.dumps(intents) + "\n")


def _suits(path: Path) -> bool:
    text = _json.head(path)
    return _BEGINNING.match(text) is not None or ('"intents"' in text and '"utterances"' in text)


def _found(folder: Path) -> Iterator[Path]:
    items = _names.visible(folder)
    below = [inner for item in items if item.is_dir() for inner in _names.visible(item)[:50]]
    return (item for item in [*items, *below][:_MOST_FILES] if item.is_file() and _suits(item))


def _chosen(folder: Path) -> tuple[list[Path], list[str]]:
    found = list(_found(folder))
    if not found:
        raise UserError(f"{folder} holds no SNIPS file", rule=_RULE)
    full = {item.with_name(item.name.replace(_FULL, ".")) for item in found if _FULL in item.name}
    kept = [item for item in found if item not in full]
    aside = [item.name for item in found if item in full]
    return kept, [f"left aside for the full files beside them: {some(aside, 8)}"] if aside else []


def _one(path: Path, name: str, label: str) -> Reading:
    document, notes = _json.load(path, "SNIPS file")
    made = list(_records(name, _utterances(path, document), label))
    records = [item for item in made if isinstance(item, Record)]
    return Reading(records, [item for item in made if isinstance(item, BadRecord)], notes)


def _with_split(reading: Reading, path: Path, found: Sequence[Path]) -> Reading:
    """The split of the file's name, where one file at least is for training."""
    split = _names.split_of(path.name)
    if split is None or all(_names.split_of(other.name) != "train" for other in found):
        return reading
    return Reading([replace(record, split=split) for record in reading.records], reading.bad, reading.notes)


def _utterances(path: Path, document: Any) -> list[tuple[str, Any]]:
    """Intent and pieces of every utterance."""
    intents = document.get("intents", document) if isinstance(document, dict) else None
    if not isinstance(intents, dict):
        raise UserError(f"{path} is no SNIPS file", rule=_RULE, received=type(document).__name__)
    lists = {name: item.get("utterances") if isinstance(item, dict) else item for name, item in intents.items()}
    if not lists or not all(isinstance(items, list) for items in lists.values()):
        raise UserError(f"{path} is no SNIPS file", rule=_RULE, received=some(list(lists)))
    return [
        (intent, item.get("data") if isinstance(item, dict) else None)
        for intent, items in lists.items()
        for item in items or ()
    ]


def _records(name: str, utterances: Iterable[tuple[str, Any]], label: str) -> Iterator[Record | BadRecord]:
    for at, (intent, pieces) in enumerate(utterances):
        identity = f"{name}#{at}"
        text, slots = _joined(pieces)
        if not text.strip():
            yield BadRecord(identity, "has no pieces of text")
        elif label == "slots":
            yield Record(identity, text, slots, None, {"intent": intent})
        else:
            yield Record(identity, text, intent, None, {"slots": _json.dumps(slots)} if slots else {})


def _joined(pieces: Any) -> tuple[str, tuple[Span, ...]]:
    """The text of the pieces, and the slots among them; no text where one of them is no piece."""
    text, slots = "", []
    for piece in pieces if isinstance(pieces, list) else ():
        part = piece.get("text") if isinstance(piece, dict) else None
        if not isinstance(part, str):
            return "", ()
        slot = piece.get("slot_name") or piece.get("entity")
        if slot and part:
            slots.append(Span(len(text), len(text) + len(part), str(slot)))
        text += part
    return text, tuple(slots)


def _utterance(record: Record) -> tuple[str, list[dict[str, str]]]:
    if isinstance(record.raw, str) and isinstance(record.label, str):
        slots = [Span(*slot) for slot in json.loads(record.fields.get("slots", "[]"))]
        return record.label, list(_pieces(record.raw, slots))
    text, spans = _bio.entities(record, "SNIPS")
    return record.fields.get("intent", "none"), list(_pieces(text, spans))


def _pieces(text: str, slots: Sequence[Span]) -> Iterator[dict[str, str]]:
    """The text cut at the slots; of slots that overlap only the first is told."""
    place = 0
    for slot in _bio.disjoint(slots):
        if slot.start > place:
            yield {"text": text[place : slot.start]}
        yield {"text": text[slot.start : slot.end], "entity": slot.label}
        place = slot.end
    if place < len(text):
        yield {"text": text[place:]}
