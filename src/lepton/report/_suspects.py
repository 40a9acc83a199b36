"""Records as a person sees or hears them, made small and put into the page itself."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lepton.checks import _content
from lepton.core import pictures
from lepton.core.types import Box, Label, Mask, Record
from lepton.report import _media

_SIDE = 160
_SMALL = 64  # pixels a side up to which a picture is kept as it is
_INK = (0, 200, 255)  # of boxes
_LETTERS = 600
_LARGEST_SOUND = 200_000
_SECONDS = 4.0  # that are kept of a larger recording
_SOUNDS = {b"RIFF": "audio/wav", b"fLaC": "audio/flac", b"OggS": "audio/ogg"}

Card = dict[str, Any]

Medium = tuple[str, bytes, tuple[int, int]]
"""The type, the bytes, and for pictures width and height."""


class Shown:
    """Turns records into what the page shows; beyond `limit` bytes in all, media are named and no longer shown."""

    def __init__(self, records: Mapping[str, Record], limit: int = 8_000_000) -> None:
        self._records = records
        self._left = limit
        self._made: dict[str, Card] = {}

    def card(self, name: str) -> Card:
        """The record called `name`: id, label, split and kind, with `uri`, `text` or `pieces` to show."""
        if name not in self._made:
            record = self._records.get(name)
            self._made[name] = {"id": name, **(self._card(record) if record else {"text": "not among the records"})}
        return self._made[name]

    def _card(self, record: Record) -> Card:
        known = {"label": _label(record.label), "split": record.split}
        try:
            raw = record.read()
        except OSError as error:
            return {**known, "text": error.strerror or "cannot be opened"}
        if isinstance(raw, str):
            return {**known, "kind": "text", **_text(raw, record)}
        return {**known, **self._medium(raw, record.label)}

    def _medium(self, raw: bytes, label: Label) -> Card:
        found = _sound(raw) if _content.is_sound(raw) else _picture(raw, label)
        if found is None:
            return {"text": f"{len(raw):,} bytes that cannot be decoded"}
        kind, data, shape = found
        if len(data) > self._left:
            return {"text": "left out, to keep this file small"}
        self._left -= len(data)
        uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
        return {"kind": kind.partition("/")[0], "uri": uri, "shape": shape}


def _label(label: Label) -> str | None:
    """A label in few words: the class, or how many entities, boxes or classes it has."""
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, Mask):
        return f"a mask of {len(label.classes)} classes"
    if label and isinstance(label[0], Box):
        return f"{len(label)} {'box' if len(label) == 1 else 'boxes'}"
    return _media.plain(label)


def _text(text: str, record: Record) -> Card:
    part = text[:_LETTERS]
    shown = part + "\N{HORIZONTAL ELLIPSIS}" * (len(part) < len(text))
    if not record.label or isinstance(record.label, str):
        return {"text": shown.strip() or "nothing that can be seen"}
    spans = [span for span in _media.spans(record.label) if span[1] <= len(part)]
    return {"pieces": _media.pieces(shown, spans)}


def _picture(raw: bytes, label: Label) -> Medium | None:
    """A thumbnail, which is exact where the picture is small, with the boxes of its label."""
    image = _content.open_image(raw, about=2 * _SIDE)
    if image is None:
        return None
    plain = _content.plain(image)
    small = max(plain.size) <= _SMALL
    plain.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    if isinstance(label, tuple) and label and isinstance(label[0], Box):
        plain = _boxed(plain, pictures.size(raw), [part for part in label if isinstance(part, Box)])
    stream = io.BytesIO()
    if small:
        plain.save(stream, "PNG", optimize=True)
        return "image/png", stream.getvalue(), plain.size
    plain.save(stream, "JPEG", quality=82)
    return "image/jpeg", stream.getvalue(), plain.size


def _boxed(image: Image.Image, size: tuple[int, int], boxes: Sequence[Box]) -> Image.Image:
    """The thumbnail of a picture of that size with its boxes drawn; one without area is a point."""
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    scale = drawn.width / size[0], drawn.height / size[1]
    for box in boxes:
        ends = sorted((box.x1, box.x2)), sorted((box.y1, box.y2))
        corners = [(ends[0][at] * scale[0], ends[1][at] * scale[1]) for at in (0, 1)]
        pen.rectangle(corners, outline=_INK)
    return drawn


def _sound(raw: bytes) -> Medium | None:
    """A recording, or its beginning where it is large."""
    if len(raw) <= _LARGEST_SOUND:
        return _SOUNDS[raw[:4]], raw, (0, 0)
    import soundfile

    sound = _content.open_sound(raw, seconds=_SECONDS)
    if sound is None:
        return None
    samples, rate = sound
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(samples.mean(axis=1), -1, 1), rate, format="WAV", subtype="PCM_16")
    return "audio/wav", stream.getvalue(), (0, 0)
