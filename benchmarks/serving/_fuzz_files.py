"""Pictures and recordings: good ones of every format, and bombs, a few bytes that ask for hours or gigabytes."""

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_MEGABYTE = 2**20
_SOUNDS = (
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("WAV", "MS_ADPCM"), ("WAVEX", "PCM_24"),
    ("RF64", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", "PCM_16"),
    ("MP3", "MPEG_LAYER_III"),
)  # fmt: skip


@dataclass(frozen=True)
class Bomb:
    """A body that must be refused at once, and its Content-Encoding."""

    what: str
    app: str
    body: bytes
    coding: bytes = b""


def bombs() -> Iterator[Bomb]:
    """All of them."""
    yield from (Bomb(what, "image", body) for what, body in _large_pictures())
    yield from (Bomb(what, "image", body) for what, body in _endless_pictures())
    yield from (Bomb(what, "audio", body) for what, body in _lying_recordings())
    yield from (Bomb(what, "audio", body) for what, body in _endless_recordings())
    packed = gzip.compress(bytes(100 * _MEGABYTE))
    yield from (Bomb(f"100 MB of zeros, {coding.decode()}", "image", packed, coding) for coding in (b"gzip", b"br"))
    yield Bomb("17 MB of nothing", "text", b" " * (17 * _MEGABYTE))
    yield Bomb("white space of 1 MB", "text", b" " * _MEGABYTE)


def pictures() -> Iterator[bytes]:
    """Small good ones of every format and mode."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 12, 4), np.uint8)
    clear = Image.fromarray(noise)
    grey, coloured = clear.convert("L"), clear.convert("RGB")
    deep = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    yield from (_saved(picture, "PNG") for picture in (grey, coloured, clear, coloured.quantize(9), deep))
    yield from (_saved(coloured, "JPEG", progressive=progressive) for progressive in (False, True))
    yield from (_saved(coloured, kind) for kind in ("GIF", "BMP", "PPM", "WEBP"))
    yield from (_saved(coloured, "TIFF", compression=how) for how in (None, "tiff_lzw", "tiff_deflate", "jpeg"))
    yield _saved(coloured, "WEBP", lossless=True)


def recordings() -> Iterator[bytes]:
    """Short good ones of every format and coding."""
    sound = np.random.default_rng(0).normal(0, 0.1, 800)
    for kind, coding in _SOUNDS:
        stream = io.BytesIO()
        soundfile.write(stream, sound, 16_000 if kind in ("OGG", "MP3") else 8_000, format=kind, subtype=coding)
        yield stream.getvalue()


def _large_pictures() -> Iterator[tuple[str, bytes]]:
    """What says, rightly or not, that it has billions of pixels."""
    yield "PNG of 65,000 x 65,000, all there", _png((65_000, 65_000), zlib.compress(bytes(65_000 * 100)))
    yield "PNG of 2^31 x 2^31", _png((2**31 - 1, 2**31 - 1), b"")
    yield "PNG of a row of 10,000,000", _png((10_000_000, 1), b"")
    yield "GIF of 65,535 x 65,535", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;"
    head = struct.pack("<IHHIIiiHHIIIIII", 100, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6)
    yield "BMP of 2^31 x 2^31", b"BM" + head
    canvas = struct.pack("<I", 0x10)[:4] + struct.pack("<I", 2**24 - 1)[:3] * 2
    yield "WebP of 2^24 x 2^24", b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    yield "WebP of 16,383 x 16,383", _saved(Image.new("L", (16_383, 8)), "WEBP").replace(*_webp_heights())
    yield "TIFF of 2^31 x 2^31", _tiff(2**31 - 1)
    yield "TIFF of 60,000 x 60,000", _tiff(60_000)
    size = struct.pack(">HH", 16, 12)
    picture = _saved(Image.new("RGB", (12, 16)), "JPEG")
    yield "JPEG of 65,500 x 65,500", picture.replace(size, struct.pack(">HH", 65_500, 65_500), 1)
    yield "PNM of 99,999 x 99,999", b"P6 99999 99999 255\n" + bytes(1000)


def _endless_pictures() -> Iterator[tuple[str, bytes]]:
    """What is small, and would be searched or decoded for seconds."""
    yield "PNG of a million chunks", _png((8, 8), b"")[:33] + _chunk(b"tEXt", b"") * 1_000_000
    yield (
        "PNG with a text of 60 MB",
        _png((8, 8), b"", _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60 * _MEGABYTE)))),
    )
    yield (
        "PNG with a profile of 60 MB",
        _png((8, 8), b"", _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(60 * _MEGABYTE)))),
    )
    yield "JPEG of four million markers", b"\xff\xd8" + b"\xff\xe1\0\x02" * 4_000_000
    yield "JPEG of sixteen million fillers", b"\xff\xd8" + b"\xff" * (16 * _MEGABYTE - 10)
    picture = _saved(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = picture.rindex(b"\xff\xda")
    yield "JPEG of 2,000 scans", picture[:-2] + picture[last:-2] * 2000 + picture[-2:]
    yield "PNM with comments of 16 MB", b"P5 " + b"#\n" * (8 * _MEGABYTE - 50) + b"8 8 255\n" + bytes(64)
    yield "PNM of 4,000 x 4,000 in words", b"P3 4000 4000 255\n" + b"0 " * _MEGABYTE
    yield "PNM of 4,000 x 4,000 with a hundred greys", b"P5 4000 4000 100\n" + bytes(4 * _MEGABYTE)
    rows = struct.pack("<IHHIIiiHHIIIIII", 1100, 0, 0, 1078, 40, 8000, 8000, 1, 8, 1, 0, 0, 0, 256, 0)
    yield "BMP of two million runs", b"BM" + rows + bytes(1024) + b"\x01\0" * 2_000_000
    yield "GIF of five million blocks", b"GIF89a\x08\0\x08\0\0\0\0" + b"!\xfe\0" * 5_000_000
    yield (
        "TIFF whose directory is itself",
        b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + b"\x08\0\0\0",
    )


def _lying_recordings() -> Iterator[tuple[str, bytes]]:
    """Headers that tell of more than anybody has."""
    yield "WAV of 4 GB", _wav(size=2**32 - 1)
    yield "WAV of 4 GB that is short of one", _wav(size=2**32 - 2)
    yield "WAV of 3 GB", _wav(size=3 * 10**9)
    yield "WAV of 2^31 Hz", _wav(rate=2**31)
    yield "WAV of 2^32 Hz", _wav(rate=2**32 - 1)
    yield "WAV of no Hz", _wav(rate=0)
    yield "WAV of 65,535 channels", _wav(channels=65_535)
    yield "WAV of no channels", _wav(channels=0)
    yield "WAV of 65,535 bits", _wav(bits=65_535)
    yield "WAV of 10,000 seconds", _wav(bytes(10**6), size=10**6, rate=1000, bits=8)
    yield (
        "RF64 of 2^63 bytes",
        b"RF64" + _wav()[4:12] + b"ds64" + struct.pack("<IQQQI", 28, *[2**63 - 1] * 3, 0) + _wav()[12:],
    )
    yield "AIFF of 4 GB", _aiff(2**32 - 1, 2**32 - 1)
    yield "AIFF of 65,535 channels", _aiff(2**31, 80, channels=65_535)
    yield "FLAC of 2^36 samples", _flac(8000, 2**36 - 1)
    yield "FLAC of 655,350 Hz", _flac(655_350, 2**36 - 1)
    yield "FLAC of an unknown length", _flac(8000, 0)


def _endless_recordings() -> Iterator[tuple[str, bytes]]:
    """What a library would search for long, or for ever."""
    yield "8SVX that never ends", b"FORM\0\x10\0\0" + b"8SVX" + b"ANNO\0\0\0\0" * 100_000
    yield "8SVX behind tags", b"ID3\x03\0\0\0\0\0\0" * 3 + b"FORM\0\x10\0\0" + b"8SVX" + b"ANNO\0\0\0\0" * 100_000
    yield "a million tags", b"ID3\x03\0\0\0\0\0\0" * 1_000_000
    yield "WAV of a million chunks", b"RIFF\0\0\0\x01WAVE" + b"junk\0\0\0\0" * 1_000_000
    yield "AIFF of a million chunks", b"FORM\0\x80\0\0" + b"AIFF" + b"ANNO\0\0\0\0" * 1_000_000
    yield "OGG of a hundred thousand pages", (b"OggS" + bytes(23)) * 100_000
    yield "FLAC of a million blocks", _flac(8000, 2**36 - 1)[:-100] + b"\x01\0\0\0" * 1_000_000


def _png(size: tuple[int, int], data: bytes, *more: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    return _PNG + header + b"".join(more) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _webp_heights() -> tuple[bytes, bytes]:
    """How a lossy WebP says 8 rows, and 16,383, behind the width 16,383."""
    wide = struct.pack("<H", 16_383)
    return wide + struct.pack("<H", 8), wide + wide


def _tiff(side: int) -> bytes:
    tags = ((256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 2**31))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def _wav(
    data: bytes = bytes(80), *, size: int = 80, channels: int = 1, rate: int = 8000, bits: int = 16, tag: int = 1
) -> bytes:
    layout = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * 2 % 2**32, bits // 8, bits)
    body = b"fmt " + layout + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def _aiff(frames: int, size: int, *, channels: int = 1) -> bytes:
    rate = b"\x40\x0b\xfa\0\0\0\0\0\0\0"
    common = b"COMM" + struct.pack(">IHIH", 18, channels, frames, 16) + rate
    return b"FORM" + struct.pack(">I", size) + b"AIFF" + common + b"SSND" + struct.pack(">III", size, 0, 0) + bytes(80)


def _flac(rate: int, total: int) -> bytes:
    told = struct.pack(">HH", 4096, 4096) + bytes(6) + struct.pack(">Q", rate << 44 | 15 << 36 | total) + bytes(16)
    return b"fLaC\x80\0\0\x22" + told + bytes(100)


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
