"""What a record holds, so that equal contents can be found however they are stored.

Equal means: equal text after NFC and strip, or equal decoded pixels or samples.
"""

import hashlib
import io
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageOps

from lepton.core.types import Record

# Not all that Pillow knows: some of its readers start other programs.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_LARGEST = 100_000_000
"""Pixels or samples above which contents are compared by their bytes, not decoded."""


def digest(record: Record) -> str:
    """The hex sha256 of what the record holds; of its bytes where they cannot be decoded, of its path where unread."""
    try:
        raw = record.read()
    except OSError:
        return _hash("missing", str(record.raw).encode())
    if isinstance(raw, str):
        return _hash("text", unicodedata.normalize("NFC", raw).strip().encode("utf-8", "surrogatepass"))
    return _image(raw) or _sound(raw) or _hash("bytes", raw)


def digests(records: Sequence[Record]) -> dict[str, str]:
    """Record id -> digest; one record is held in memory at a time."""
    return {record.id: digest(record) for record in records}


def groups(records: Sequence[Record], known: Mapping[str, str] | None) -> list[list[Record]]:
    """Records of equal content, two at least, in their order; `known` spares the digests that it has."""
    same: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found = known.get(record.id) if known is not None else None
        same[found or digest(record)].append(record)
    return [members for members in same.values() if len(members) > 1]


def open_image(raw: bytes) -> Image.Image | None:
    """The image upright and loaded, or None where it cannot be decoded or is over the limit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(raw), formats=_FORMATS)
            if image.width * image.height > _LARGEST:
                return None
            image.load()
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, OverflowError):
        return None
    except (MemoryError, Image.DecompressionBombError, NotImplementedError, ZeroDivisionError):
        return None


def _image(raw: bytes) -> str | None:
    """Grey, palette and RGB images of equal pixels are equal; 16-bit and alpha ones count as they are."""
    if raw[:4] in (b"RIFF", b"fLaC", b"OggS") and raw[8:12] != b"WEBP":
        return None
    image = open_image(raw)
    if image is None:
        return None
    deep = image.mode.startswith(("I", "F"))
    alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    plain = image if deep else image.convert("RGBA" if alpha else "RGB")
    return _hash(f"image {plain.mode} {plain.size}", plain.tobytes())


def _sound(raw: bytes) -> str | None:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as stream:
            if stream.frames * stream.channels > _LARGEST:
                return None
            samples = stream.read(dtype="float32", always_2d=True)
            return _hash(f"sound {stream.samplerate} {samples.shape}", np.ascontiguousarray(samples).tobytes())
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return None


def _hash(kind: str, data: bytes) -> str:
    made = hashlib.sha256(kind.encode())
    made.update(b"\0")
    made.update(data)
    return made.hexdigest()
