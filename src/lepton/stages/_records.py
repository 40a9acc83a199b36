"""Records between stages: JSON lines, with the bytes of built-in and array sources in one file beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lepton.core import files, labels
from lepton.core.types import Files, Record


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Write records to `path`; raw bytes go to `raw.bin` beside it, paths and texts stay what they are."""
    lines, pieces, offset = [], [], 0
    for record in records:
        raw: dict[str, Any] = {"text": record.raw} if isinstance(record.raw, str) else {"path": str(record.raw)}
        if isinstance(record.raw, Files):
            raw = {"paths": list(map(str, record.raw.paths))}
        if isinstance(record.raw, bytes):
            raw = {"kept": [offset, offset + len(record.raw)]}
            pieces.append(record.raw)
            offset += len(record.raw)
        known = {"label": record.label, "split": record.split, "fields": dict(record.fields)}
        lines.append(json.dumps({"id": record.id, **raw, **known}, ensure_ascii=False))
    files.write_text(path, "\n".join(lines) + "\n")
    if pieces:
        files.write_bytes(path.parent / "raw.bin", b"".join(pieces))


def read_records(path: Path, split: str | None = None) -> list[Record]:
    """The records that `write_records` wrote, all or those of one split, in their order."""
    blob = path.parent / "raw.bin"
    kept = blob.read_bytes() if blob.exists() else b""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
    return [_record(row, kept) for row in rows if split in (None, row["split"])]


def _record(row: dict[str, Any], kept: bytes) -> Record:
    raw: str | bytes | Path | Files = row.get("text", b"")
    if "kept" in row:
        raw = kept[slice(*row["kept"])]
    elif "path" in row:
        raw = Path(row["path"])
    elif "paths" in row:
        raw = Files(tuple(map(Path, row["paths"])))
    return Record(row["id"], raw, labels.from_json(row["label"]), row["split"], row["fields"])
