"""Pictures and sound of a run as data URIs, so that the report is one file."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".wav": "audio/wav", ".flac": "audio/flac"}
_SPLIT = "entity_group"


class Media:
    """Turns previews into what the page shows; beyond `limit` bytes in all, files are named and no longer shown."""

    def __init__(self, limit: int = 12_000_000) -> None:
        self._left = limit

    def shown(self, preview: Mapping[str, Any], place: Path | None) -> dict[str, Any]:
        """The preview with `uri` where its file lies under `place`, with `pieces` where it is a text with entities."""
        found = {**preview, "label": plain(preview.get("label")), "uri": self._uri(preview.get("file"), place)}
        if preview.get("kind") == "text" and not isinstance(preview.get("label"), str | None):
            found["pieces"] = pieces(str(preview.get("text", "")), spans(preview["label"]))
        if preview.get("file") and found["uri"] is None:
            found["text"] = found.get("text") or "left out, to keep this file small"
        return found

    def _uri(self, name: str | None, place: Path | None) -> str | None:
        if name is None or place is None:
            return None
        path = (place / name).resolve()
        # The ledger may come from elsewhere: only previews inside the run are shown.
        inside = path.is_relative_to(place.resolve()) and path.is_file() and path.suffix in _TYPES
        if not inside or path.stat().st_size > self._left:
            return None
        data = path.read_bytes()
        self._left -= len(data)
        return f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(data).decode()}"


def plain(label: Any) -> str:
    """A label as text; entities as how many there are."""
    if label is None:
        return "no label"
    if isinstance(label, str):
        return label
    return f"{len(label)} {'entity' if len(label) == 1 else 'entities'}"


def spans(found: Sequence[Any]) -> list[tuple[int, int, str]]:
    """Entities as (start, end, label), whether they were given or answered."""
    rows = [(item["start"], item["end"], item.get(_SPLIT, "")) if isinstance(item, Mapping) else item for item in found]
    return sorted((int(start), int(end), str(label)) for start, end, label in rows)


def pieces(text: str, entities: Sequence[tuple[int, int, str]]) -> list[tuple[str, str | None]]:
    """The text cut into (piece, label or None); what overlaps an earlier entity or lies outside is left out."""
    found: list[tuple[str, str | None]] = []
    at = 0
    for start, end, label in entities:
        if start < at or end > len(text) or start >= end:
            continue
        found += [(text[at:start], None), (text[start:end], label)]
        at = end
    return [piece for piece in [*found, (text[at:], None)] if piece[0]]
