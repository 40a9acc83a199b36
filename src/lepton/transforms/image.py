"""Image files to pixels: decode, turn upright, flatten, bring to one size. Scaling of values is left to the graph.

Shapes: C channels, H height, W width. Pillow decodes and resizes; its resizing filters look at every pixel they
shrink, so fine patterns do not turn into false ones.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from lepton.core.errors import BadInput, UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import bytes_of, some, stacked

MODALITY = "image"
INPUTS = ("image",)

MAX_PIXELS = 64_000_000
"""Pixels an image may have unless the settings say otherwise; the header is checked before anything is decoded."""

MAX_SIDE = 65_535
"""Longest side in pixels, the most that JPEG can say: a thin endless strip would need gigabytes when it is resized."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "MPO")
_KEPT = 64  # images up to this side keep their size
_LARGE = 96  # the side that larger images are brought to
_LOOKED_AT = 256  # training images that `fit` looks at
_GREY = 8  # spread between channels, of 255, that JPEG leaves in a grey picture
_WHITE = 255
_LONG = 65_536  # bytes of a file from which on its parts are counted
_READS = 10_000  # reads of a file, and one more each 1,000 bytes: of millions of tiny parts each costs Pillow some time
_SCANS = 64  # of a progressive JPEG: each costs as much as all pixels, and takes a few bytes
_STRIP = 1_000_000  # pixels that are flattened at a time, so that memory stays small
_IN_PYTHON = ("ppm", "ppm_plain", "bmp_rle")  # codings that Pillow decodes in Python, half a second a million pixels
_IN_PYTHON_PIXELS = 1_000_000

# What Pillow's decoders raise for broken files; there is no common ancestor but Exception. Warning stands for programs
# that turn Pillow's warnings (a damaged EXIF block, a very large picture) into errors.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)
_SCAN = b"\xff\xda"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def fit(
    raws: Iterable[Raw],
    *,
    size: Annotated[int, Range(4, 1024)] | None = None,
    channels: Literal[1, 3] | None = None,
    resize: Literal["stretch", "pad", "crop"] = "stretch",
    max_pixels: Annotated[int, Range(1)] = MAX_PIXELS,
) -> Fitted:
    """Fix side and channels from up to 256 training images, evenly spread.

    `size` left open: the median of the shorter sides when that is at most 64 (28 stays 28), 96 for larger images.
    `channels` left open: 1 when every image looked at is grey. `resize`: "stretch" brings both sides to `size`,
    "pad" keeps the proportions and fills up with black, "crop" keeps them and cuts the centre out.
    Images that cannot be decoded are passed over; raises UserError when none can be.
    """
    looks = _looks(some(raws, _LOOKED_AT), max_pixels) if size is None or channels is None else []
    side = size or _side([short for short, _ in looks])
    depth = channels or (1 if all(grey for _, grey in looks) else 3)
    return Fitted({"size": side, "channels": depth, "resize": resize, "max_pixels": max_pixels})


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from the bytes of an image file to {"image": uint8 (C, H, W)}, values 0 to 255.

    It takes JPEG, PNG, WebP, GIF and TIFF (first frame), BMP and PNM; turns by the EXIF orientation; lays what is
    transparent on white; 16-bit grey is divided by 257. It raises BadInput for anything else, for broken files, and
    for more pixels than `max_pixels` before they are decoded.
    """
    side, mode = settings["size"], "L" if settings["channels"] == 1 else "RGB"
    limit, resize = settings.get("max_pixels", MAX_PIXELS), _RESIZES[settings["resize"]]

    def encode(raw: Raw) -> Arrays:
        image = _upright(bytes_of(raw, "an image"), limit, (side, mode))
        sized = image if image.size == (side, side) else resize(image, side)
        pixels = np.asarray(sized)
        return {"image": pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch: {"image": uint8 (B, C, H, W)}."""
    return stacked(samples)


def decode(raw: Raw, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The pixels of an image file at full size, upright: uint8 (H, W) where it is grey, (H, W, 3) otherwise.

    Raises BadInput as the encoder does.
    """
    return np.asarray(_upright(bytes_of(raw, "an image"), max_pixels, None))


def _upright(data: bytes, limit: int, target: tuple[int, str] | None) -> Image.Image:
    """The picture in mode L or RGB; with a `target` (side, mode) it may come smaller, but not below twice that side."""
    try:
        image = Image.open(_stream(data), formats=_FORMATS)
    except _BROKEN as error:
        raise _unreadable(data, error) from error
    _check_size(image.size, limit)
    _check_coding(image, data)
    try:
        if target:
            image.draft(target[1], (2 * target[0], 2 * target[0]))
        flat = _flat(image)
        turn = _TURNS.get(_orientation(image))
        upright = flat if turn is None else flat.transpose(turn)
        return _in_mode(upright, target[1]) if target else upright
    except _BROKEN as error:
        raise _unreadable(data, error) from error


def _check_size(size: tuple[int, int], limit: int) -> None:
    width, height = size
    rule = f"It may have {limit:,} pixels, and {MAX_SIDE:,} on a side"
    if not width or not height:
        raise BadInput("The image has no pixels", received=f"{width} x {height}")
    if width * height > limit or max(size) > MAX_SIDE:
        raise BadInput("The image is too large", rule=rule, received=f"{width} x {height}", remedy="Shrink it first")


def _check_coding(image: Image.Image, data: bytes) -> None:
    """Refuse few bytes that would take many seconds."""
    coding = image.tile[0][0] if isinstance(image, ImageFile) and image.tile else ""
    if coding in _IN_PYTHON and image.width * image.height > _IN_PYTHON_PIXELS:
        rule = f"Coded as it is, it may have {_IN_PYTHON_PIXELS:,} pixels"
        received = f"{image.width} x {image.height}"
        raise BadInput("The image is too large", rule=rule, received=received, remedy="Save it as PNG")
    if image.format in ("JPEG", "MPO") and data.count(_SCAN) > _SCANS:
        raise BadInput("The image has too many scans", rule=f"A JPEG may have {_SCANS}", received=data.count(_SCAN))


def _stream(data: bytes) -> io.BytesIO:
    return io.BytesIO(data) if len(data) < _LONG else _Counted(data)


class _Counted(io.BytesIO):
    """Bytes that can be read so many times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = _READS + len(data) // 1000

    def read(self, size: int | None = -1) -> bytes:
        """Read as BytesIO does. Raises BadInput after too many times."""
        self._left -= 1
        if self._left < 0:
            raise BadInput("The image has too many parts", remedy="Save it again")
        return super().read(size)


def _unreadable(data: bytes, error: BaseException) -> BadInput:
    rule = "It must be a whole JPEG, PNG, WebP, GIF, BMP, TIFF or PNM file"
    received = f"{len(data)} bytes that begin with {data[:12]!r} ({type(error).__name__})"
    return BadInput("The image cannot be decoded", rule=rule, received=received)


def _flat(image: Image.Image) -> Image.Image:
    """The first frame as L or RGB, transparent parts on white."""
    if image.mode.startswith("I"):
        return _by_strips(image, "L", _eight_bits)
    if image.mode == "F":
        raise ValueError("floating point pixels have no agreed white")
    if image.has_transparency_data:
        return _by_strips(image, "L" if image.mode in ("LA", "L", "1") else "RGB", _on_white)
    image.load()
    return _in_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image itself where it is in that mode: Pillow would copy it, which takes longer than decoding a small one."""
    return image if image.mode == mode else image.convert(mode)


def _by_strips(image: Image.Image, mode: str, change: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """A large picture in another mode, changed some rows at a time; what `change` gives may have yet another mode."""
    width, height = image.size
    if width * height <= _STRIP:
        return change(image).convert(mode)
    found = Image.new(mode, image.size)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        found.paste(change(strip).convert(mode), (0, top))
    return found


def _on_white(image: Image.Image) -> Image.Image:
    coloured = image.convert("RGBA")
    paper = Image.new("RGBA", coloured.size, (_WHITE, _WHITE, _WHITE, _WHITE))
    return Image.alpha_composite(paper, coloured)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8 bits; the range of the type counts, not that of the picture, so equal grey stays equal."""
    values = np.asarray(image).astype(np.int64).clip(0, 65_535)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or its block is damaged, since the pixels are sound."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except _BROKEN:
        return 1


def _stretch(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.BILINEAR)


def _pad(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    paper = Image.new(image.mode, (side, side))
    paper.paste(image.resize((width, height), Image.Resampling.BILINEAR), ((side - width) // 2, (side - height) // 2))
    return paper


def _crop(image: Image.Image, side: int) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    return image.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + short, top + short))


_RESIZES = {"stretch": _stretch, "pad": _pad, "crop": _crop}


def _looks(raws: Sequence[Raw], limit: int) -> list[tuple[int, bool]]:
    """The shorter side of each image that can be decoded, and whether it is grey."""
    found = []
    for raw in raws:
        try:
            found.append(_look(bytes_of(raw, "an image"), limit))
        except BadInput as error:
            last = error
    if not found:
        raise UserError("None of the training images can be decoded", rule=last.message, remedy="Check data.source")
    return found


def _look(data: bytes, limit: int) -> tuple[int, bool]:
    small = _upright(data, limit, (_KEPT, "RGB"))
    with Image.open(io.BytesIO(data), formats=_FORMATS) as header:
        short = min(header.size)
    small.thumbnail((_KEPT, _KEPT))
    return short, bool(np.ptp(np.asarray(small), axis=2).max() <= _GREY)


def _side(sides: Sequence[int]) -> int:
    median = sorted(sides)[len(sides) // 2]
    return max(4, median) if median <= _KEPT else min(_LARGE, median // 8 * 8)
