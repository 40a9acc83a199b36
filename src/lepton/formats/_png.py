"""Pixels that come as numbers become PNG bytes, losslessly, so that every image enters by one door.

Shapes: H height, W width, C channels (1, 3 or 4).
"""

import struct
import zlib

import numpy as np

_COLOUR = {1: 0, 3: 2, 4: 6}


def encode(pixels: np.ndarray) -> bytes:
    """PNG of uint8 pixels (H, W) or (H, W, C); grey, RGB or RGBA by C."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def drawable(shape: tuple[int, ...]) -> bool:
    """Whether images of `shape` (N, H, W) or (N, H, W, C) can be encoded."""
    return len(shape) == 3 and min(shape[1:]) > 0 or len(shape) == 4 and min(shape[1:]) > 0 and shape[3] in _COLOUR


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
