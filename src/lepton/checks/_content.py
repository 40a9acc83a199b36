"""What a record holds, so that equal contents can be found however they are stored.

Equal means: equal text after NFC and strip, or equal decoded pixels, voxels or samples.
"""

import hashlib
import io
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from lepton.checks import _volumes
from lepton.core import machine, pictures
from lepton.core.errors import BadInput
from lepton.core.progress import Progress, Silent
from lepton.core.types import Files, Record

Found = TypeVar("Found")

# Not all that Pillow knows: some of its readers start other programs.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_LARGEST = 100_000_000
"""Pixels or samples above which contents are compared by their bytes, not decoded."""

_TOGETHER = 256
_SILENT = Silent()


def digest(record: Record) -> str:
    """The hex sha256 of what the record holds; of its bytes where they cannot be decoded, of its path where unread."""
    try:
        raw = record.read()
    except OSError:
        return _hash("missing", str(record.raw).encode())
    if isinstance(raw, str):
        return _hash("text", unicodedata.normalize("NFC", raw).strip().encode("utf-8", "surrogatepass"))
    if _volumes.is_volume(raw):
        return _volumes.digest(raw) or _hash("bytes", raw)
    return _image(raw) or _sound(raw) or _hash("bytes", raw)


def digests(records: Sequence[Record], *, progress: Progress = _SILENT) -> dict[str, str]:
    """Record id -> digest; a few records at a time are held in memory."""
    made = each(records, digest, what="reading contents", progress=progress)
    return {record.id: found for record, found in zip(records, made, strict=True)}


def groups(records: Sequence[Record], known: Mapping[str, str] | None) -> list[list[Record]]:
    """Records of equal content, two at least, in their order; `known` spares the digests that it has."""
    names = [(known.get(record.id) if known else None) or digest(record) for record in records]
    seen: set[str] = set()
    repeated: set[str] = set()
    for name in names:
        (repeated if name in seen else seen).add(name)
    same: dict[str, list[Record]] = defaultdict(list)
    for record, name in zip(records, names, strict=True):
        if name in repeated:
            same[name].append(record)
    return list(same.values())


def each(
    records: Sequence[Record], work: Callable[[Record], Found], *, what: str, progress: Progress
) -> Iterator[Found]:
    """What `work` makes of each record, in order; on all cores for media, since decoders let others run."""
    media = any(not isinstance(record.raw, str) for record in records)
    with ThreadPoolExecutor(machine.cores() if media else 1) as pool, progress.bar(what, len(records)) as bar:
        for start in range(0, len(records), _TOGETHER):
            part = records[start : start + _TOGETHER]
            yield from pool.map(work, part) if media else map(work, part)
            bar.step(len(part))


def open_image(raw: bytes, *, about: int | None = None) -> Image.Image | None:
    """The image upright and loaded, or None where it cannot be decoded or is over the limit.

    With `about` a JPEG may be decoded to fewer pixels, at least so many a side, which is faster. Of a volume it is the
    middle slice.
    """
    if is_sound(raw):
        return None
    if _volumes.is_volume(raw):
        return _volumes.open_middle(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(raw), formats=_FORMATS)
            if image.width * image.height > _LARGEST:
                return None
            if about:
                image.draft(None, (about, about))
            image.load()
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, OverflowError):
        return None
    except (MemoryError, Image.DecompressionBombError, NotImplementedError, ZeroDivisionError):
        return None


def plain(image: Image.Image) -> Image.Image:
    """The image as it looks, in L or RGB: deep levels from the least to the most, what is clear on grey."""
    if image.mode.startswith(("I", "F")):
        levels = np.nan_to_num(np.asarray(image, np.float64))
        low, high = levels.min(), levels.max()
        return Image.fromarray(np.uint8(255 * (levels - low) / max(high - low, 1e-12)))
    if _clear(image):
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, (128, 128, 128, 255)), seen).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def is_sound(raw: bytes) -> bool:
    """Whether these are the bytes of a WAV, FLAC or OGG file, by how they begin."""
    return raw[:4] in (b"RIFF", b"fLaC", b"OggS") and raw[8:12] != b"WEBP"


def _clear(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _image(raw: bytes) -> str | None:
    """Grey, palette and RGB images of equal pixels are equal; 16-bit and alpha ones count as they are."""
    image = open_image(raw)
    if image is None:
        return None
    deep = image.mode.startswith(("I", "F"))
    pixels = image if deep else image.convert("RGBA" if _clear(image) else "RGB")
    return _hash(f"image {pixels.mode} {pixels.size}", pixels.tobytes())


def open_sound(raw: bytes, *, seconds: float | None = None) -> tuple[np.ndarray, int] | None:
    """The first `seconds` of a recording, float32 (samples, channels), and its rate in Hz; None as for an image."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(raw)) as stream:
            if stream.frames * stream.channels > _LARGEST:
                return None
            most = -1 if seconds is None else round(seconds * stream.samplerate)
            return stream.read(most, dtype="float32", always_2d=True), int(stream.samplerate)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return None


def _sound(raw: bytes) -> str | None:
    sound = open_sound(raw)
    if sound is None:
        return None
    samples, rate = sound
    return _hash(f"sound {rate} {samples.shape}", np.ascontiguousarray(samples).tobytes())


def _hash(kind: str, data: bytes) -> str:
    made = hashlib.sha256(kind.encode())
    made.update(b"\0")
    made.update(data)
    return made.hexdigest()


def size(record: Record) -> tuple[int, int] | None:
    """Width and height of a record's picture, as `pictures.size` reads them; None where it cannot be opened."""
    if isinstance(record.raw, str | Files):
        return None
    try:
        return pictures.size(record.raw)
    except (BadInput, OSError):
        return None
