"""What must be known of pictures before any model sees them: how large they are, and the classes in their masks.

Shapes: H height, W width. A value is an index, or a colour packed as 2^24 + red * 65536 + green * 256 + blue.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from lepton.core.errors import BadInput
from lepton.core.types import Mask, Value

IGNORED = -1
UNKNOWN = -2

MAX_PIXELS = 100_000_000

_COLOUR = 1 << 24
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "MPO")
_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError)
_BROKEN_TOO = (RuntimeError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError)


def size(raw: bytes | Path) -> tuple[int, int]:
    """Width and height of a picture as it is seen, turned by its EXIF orientation; only its head is read.

    Raises BadInput where it cannot be opened.
    """
    with _opened(raw) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in _LYING
        return (image.height, image.width) if turned else (image.width, image.height)


def values(path: Path) -> np.ndarray:
    """The values of a mask's pixels, int32 (H, W): indices where it has a palette or is grey or all its colours are.

    One bit a pixel gives 0 and 255. Raises BadInput where it cannot be read or is too large.
    """
    with _opened(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BadInput(f"it has {image.width} x {image.height} pixels", rule=f"At most {MAX_PIXELS:,} are read")
        if image.mode in ("P", "L", "I", "I;16", "I;16B"):
            return np.asarray(image).astype(np.int32)
        if image.mode in ("1", "LA", "PA"):
            return np.asarray(image.convert("L")).astype(np.int32)
        channels = np.asarray(image.convert("RGB")).astype(np.int32)
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    grey = np.array_equal(red, green) and np.array_equal(green, blue)
    return red if grey else _packed(red, green, blue)


def classes(mask: Mask) -> np.ndarray:
    """The place in `mask.classes` of each pixel's class, int16 (H, W); IGNORED, or UNKNOWN where its value is of none.

    In a JPEG, which blurs values, each pixel has the nearest that is known. Raises BadInput as `values` does.
    """
    found = values(Path(mask.path))
    coloured = any(isinstance(value, tuple) for value in (*(value for value, _ in mask.classes), *mask.ignored))
    if coloured and found.max(initial=0) < _COLOUR:
        found = _packed(found, found, found)  # all of this one's colours are grey
    known = np.array([pack(value) for value, _ in mask.classes] + [pack(value) for value in mask.ignored], np.int64)
    places = np.array([*range(len(mask.classes)), *[IGNORED] * len(mask.ignored)], np.int16)
    present, where = np.unique(found, return_inverse=True)
    told = places[_nearest(present, known)] if is_lossy(Path(mask.path)) else _exact(present, known, places)
    return told[where].reshape(found.shape)


def pack(value: Value) -> int:
    """A value as one number."""
    return value if isinstance(value, int) else _COLOUR + (value[0] << 16) + (value[1] << 8) + value[2]


def unpack(number: int) -> Value:
    """The index or colour that was packed."""
    return number if number < _COLOUR else (number >> 16 & 255, number >> 8 & 255, number & 255)


def is_lossy(path: Path) -> bool:
    """Whether the file is a JPEG by its name, so that its values are not quite what was drawn."""
    return path.suffix.casefold() in (".jpg", ".jpeg", ".jpe", ".jfif")


def _packed(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    packed: np.ndarray = _COLOUR + (red << 16) + (green << 8) + blue
    return packed


def _exact(present: np.ndarray, known: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The place of each value that is present; UNKNOWN where it is not among the known ones."""
    order = np.argsort(known, kind="stable")
    at = np.clip(np.searchsorted(known[order], present), 0, max(len(known) - 1, 0))
    if not len(known):
        return np.full(len(present), UNKNOWN, np.int16)
    return np.where(known[order][at] == present, places[order][at], UNKNOWN).astype(np.int16)


def _nearest(present: np.ndarray, known: np.ndarray) -> np.ndarray:
    """For each value that is present which of the known ones is nearest, channel by channel."""
    apart = [(present[:, None] >> shift & 255) - (known[None] >> shift & 255) for shift in (16, 8, 0)]
    nearest: np.ndarray = np.square(np.stack(apart)).sum(axis=0).argmin(axis=1)
    return nearest


@contextmanager
def _opened(raw: bytes | Path) -> Iterator[Image.Image]:
    """The picture with its pixels not yet read; whatever goes wrong in the block, too, is BadInput."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(raw if isinstance(raw, Path) else io.BytesIO(raw), formats=_FORMATS) as image:
                yield image
    except (*_BROKEN, *_BROKEN_TOO) as error:
        raise BadInput("it cannot be opened as a picture", rule=str(error)[:100]) from error
