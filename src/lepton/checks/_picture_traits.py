"""What a picture looks like, in a few numbers, a small grid of colours and, where asked for, a finer one.

Shapes: S = 8 cells a side of the small grid, F = 32 of the fine one, each of P = 4 pixels a side.
"""

import io
import warnings
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lepton.checks import _content

_FILE = ("width", "height", "bytes", "kind", "mode", "coarseness")
_LEVELS = ("brightness", "contrast", "colour", "border", "evenness", "detail")
NAMES = (*_FILE, *_LEVELS)
"""The numbers.

Pixels; bytes of the file; places in KINDS and MODES; the mean of a JPEG's first quantisation table, 0 for others; the
rest are in levels from 0 to 255.
"""

KINDS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
MODES = (
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "LA",
    "CMYK",
    "YCbCr",
    "I",
    "F",
    "I;16",
    "I;16B",
    "PA",
    "La",
    "RGBa",
    "HSV",
    "LAB",
)
EXTREMES = ("darkest", "lightest", "greenest", "reddest", "yellowest", "bluest")
"""Of what colours a cell has an extreme: how a small mark shows in it, whatever is around."""

SIDE = 8
FINE = 32

_PIXELS = 4
_CAMERA, _TIME, _MORE, _TAKEN = 0x0110, 0x0132, 0x8769, 0x9003  # tags of Exif 2.3


class Header(NamedTuple):
    """What a picture's file says before it is decoded; `taken` is camera and time where it tells both."""

    width: int
    height: int
    kind: str
    mode: str
    coarseness: float
    taken: tuple[str, str] | None


class Look(NamedTuple):
    """The numbers, the small grid (S, S, 3) uint8, the fine one (F, F, 9) uint8 or None, and camera and time.

    The nine are the means of red, green and blue in a cell, then its EXTREMES.
    """

    numbers: tuple[float, ...]
    sketch: np.ndarray
    fine: np.ndarray | None
    taken: tuple[str, str] | None


def look(raw: bytes, *, fine: bool) -> Look | None:
    """How a picture looks, or None for what is none."""
    seen = header(raw)
    image = _content.open_image(raw, about=FINE * _PIXELS) if seen else None
    if seen is None or image is None:
        return None
    plain = _content.plain(image).convert("RGB")
    means = _resized(plain, FINE)
    kind, mode = KINDS.index(seen.kind), _place(seen.mode)
    told = (seen.width, seen.height, len(raw), kind, mode, seen.coarseness, *_levels(means))
    return Look(told, _resized(plain, SIDE), _fine(plain, means) if fine else None, seen.taken)


def header(raw: bytes) -> Header | None:
    """What the file says of itself, or None for what is no picture; nothing is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(raw), formats=KINDS)
            return Header(image.width, image.height, _kind(image), image.mode, _coarse(image), _taken(image))
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, OverflowError):
        return None
    except (MemoryError, Image.DecompressionBombError, NotImplementedError, ZeroDivisionError):
        return None


def _kind(image: Image.Image) -> str:
    """The format, several pictures in a JPEG counted as one."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def _coarse(image: Image.Image) -> float:
    tables = getattr(image, "quantization", None)
    return float(np.mean(tables[0])) if tables and tables.get(0) else 0.0


def _taken(image: Image.Image) -> tuple[str, str] | None:
    exif = image.getexif()
    if not exif:
        return None
    camera, time = exif.get(_CAMERA), _own(exif).get(_TAKEN) or exif.get(_TIME)
    return (str(camera).strip("\0 "), str(time).strip("\0 ")) if camera and time else None


def _own(exif: Image.Exif) -> dict[int, Any]:
    return dict(exif.get_ifd(_MORE))


def _place(mode: str) -> int:
    return MODES.index(mode) if mode in MODES else len(MODES)


def _resized(image: Image.Image, side: int) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def _levels(means: np.ndarray) -> tuple[float, ...]:
    """Brightness, contrast, colour, the border's brightness and how uneven it is, and detail, of means (F, F, 3)."""
    grey = means.astype(np.float32) @ np.full(3, 1 / 3, np.float32)
    ring = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    detail = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    channels = means[:, :, 0], means[:, :, 1], means[:, :, 2]
    colour = (np.maximum.reduce(channels) - np.minimum.reduce(channels)).mean()
    return tuple(map(float, (grey.mean(), grey.std(), colour, ring.mean(), ring.std(), detail)))


def _fine(image: Image.Image, means: np.ndarray) -> np.ndarray:
    pixels = _resized(image, FINE * _PIXELS).astype(np.int16)
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    scales = (red + 2 * green + blue) // 4, 128 + (red - green) // 2, 128 + (2 * blue - red - green) // 4
    extremes = [_pooled(scale, of) for scale in scales for of in (np.minimum, np.maximum)]
    return np.concatenate([means, np.stack(extremes, axis=2).astype(np.uint8)], axis=2)


def _pooled(pixels: np.ndarray, of: np.ufunc) -> np.ndarray:
    """The least or largest of P by P pixels, by halves, which is far faster than over two axes at once."""
    while len(pixels) > FINE:
        pixels = of(pixels[::2], pixels[1::2])
        pixels = of(pixels[:, ::2], pixels[:, 1::2])
    return pixels
