"""Records as a person sees or hears them: small pictures, playable sound, or the text, for the report."""

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageOps

from lepton.core import files, seeds
from lepton.core.types import Record
from lepton.stages._stage import Stage

_SIDE = 160
_LARGEST_SOUND = 300_000


def preview(stage: Stage, record: Record, modality: str) -> dict[str, Any]:
    """What the report shows of a record: id, label, `kind`, and `text` or `file` (relative to the artifact)."""
    known = {"id": record.id, "label": record.label}
    raw = record.read()
    if isinstance(raw, str):
        return {**known, "kind": "text", "text": raw[:600]}
    if modality == "audio":
        return {**known, "kind": "audio", **_sound(stage, record, raw)}
    name = f"previews/{files.sha256_text(record.id)[:16]}.png"
    files.write_bytes(stage.folder / name, _thumbnail(raw))
    return {**known, "kind": "image", "file": name}


def examples(stage: Stage, records: Sequence[Record], modality: str) -> list[dict[str, Any]]:
    """Previews of up to 4 training records of each class, at most 40 in all, drawn by the seed."""
    random = seeds.generator(stage.seed, "examples")
    order = [records[index] for index in random.permutation(len(records))]
    taken: dict[Any, int] = {}
    found: list[dict[str, Any]] = []
    for record in order:
        label = record.label if isinstance(record.label, str) else "text"
        if taken.get(label, 0) < 4 and len(found) < 40:
            taken[label] = taken.get(label, 0) + 1
            found.append(preview(stage, record, modality))
    return sorted(found, key=lambda item: str(item["label"]))


def _sound(stage: Stage, record: Record, raw: bytes) -> dict[str, Any]:
    if len(raw) > _LARGEST_SOUND:
        return {"text": f"{len(raw) / 1e6:.1f} MB of sound, too long to be kept here"}
    name = f"previews/{files.sha256_text(record.id)[:16]}.{'flac' if raw[:4] == b'fLaC' else 'wav'}"
    files.write_bytes(stage.folder / name, raw)
    return {"file": name}


def _thumbnail(raw: bytes) -> bytes:
    with Image.open(io.BytesIO(raw)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    upright.save(stream, "PNG", optimize=True)
    return stream.getvalue()
