"""DICOM headers: what a file says about its image, without its pixels.

DICOM PS3.3 (information objects) and PS3.5 (encoding). Whatever is odd about a file becomes a BadInput in plain words
that repeats nothing a patient could be known by.
"""

import io
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from lepton.core.errors import BadInput, MissingExtra
from lepton.volumes.volume import MAX_VOXELS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

_BROKEN = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Warning,
)

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PLAIN = b"1.2.840.10008.1.2.1"
_META = 1 << 16  # bytes in which the file meta information ends
_META_START = 144
_GROUP_LENGTH = b"\x02\x00\x00\x00UL\x04\x00"
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_INFLATED = 1 << 31  # bytes that a deflated file may have
_DENSEST = 1000  # values that a byte of compressed pixels may stand for ...
_SHORT, _LONG = 8, 12  # bytes of an element before its value: with implicit kinds of values and with explicit ones
_ITEM = 8  # bytes that a compressed frame takes at least
_FREE = 1 << 24  # ... in images of more values than this
_ADVICE = {
    "DICOMDIR": "is a DICOMDIR, a list of other files that holds no image",
    "RTPLAN": "is a plan for radiotherapy and holds no image",
    "RTSTRUCT": "is a set of contours for radiotherapy and holds no image",
    "SR": "is a structured report and holds no image",
    "PR": "says how another image is shown and holds none",
    "KO": "is a list of other images and holds none",
    "ECG": "is an electrocardiogram and holds no image",
}


@dataclass(frozen=True, slots=True)
class Extent:
    """The shape of an image: frames, rows, columns, samples a pixel, and bits a sample."""

    frames: int
    rows: int
    columns: int
    samples: int
    bits: int

    @property
    def values(self) -> int:
        """How many numbers the pixels are."""
        return self.frames * self.rows * self.columns * self.samples

    @property
    def size(self) -> int:
        """Bytes of the pixels uncompressed."""
        return -(-self.values * self.bits // 8)


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with these bytes (132 at least) is DICOM, with the usual preamble or without any."""
    if head[128:132] == b"DICM":
        return True
    group, element = struct.unpack("<HH", head[:4].ljust(4, b"\0"))
    little = group in (2, 8) and element < 0x100
    big = group in (0x0200, 0x0800) and head[4:6].isalpha() and head[4:6].isupper()
    length = struct.unpack("<I", head[4:8].ljust(4, b"\xff"))[0]
    return bool(big or little and (head[4:6].isupper() or length < 1024) and len(head) > 8)


def header(stream: IO[bytes], size: int) -> "tuple[FileDataset, int]":
    """The data set before its pixels, and how many bytes of pixels are there: 0 where it has none.

    `stream` has `size` bytes and stands at its beginning. Raises BadInput for what is no DICOM, MissingExtra without
    pydicom.
    """
    pydicom = library()
    start = stream.read(256)
    stream.seek(0)
    if not is_dicom(start.ljust(132, b"\0")):
        raise BadInput("It is no DICOM file", rule="It must begin with a DICOM preamble or data set")
    if start[128:132] == b"DICM":
        stream, size = _inflated(stream, size)
    with quietly("The header cannot be read"):
        data = pydicom.dcmread(stream, force=True, stop_before_pixels=True)
        left = size - stream.tell() - (_SHORT if data.original_encoding[0] else _LONG)
    return data, max(0, left) if _at_pixels(stream) else 0


def read(data: bytes) -> "FileDataset":
    """A whole file with its pixels, still coded; what its header says was checked before."""
    stream, _ = _inflated(io.BytesIO(data), len(data))
    with quietly("The file cannot be read"):
        return library().dcmread(stream, force=True)


def extent(data: "Dataset", *, max_voxels: int = MAX_VOXELS) -> Extent:
    """The image's shape. Raises BadInput where there is no image, or no sensible one, or one that is too large."""
    _need_image(data)
    names = ("Rows", "Columns", "BitsAllocated")
    rows, columns, bits = (whole(data, name) for name in names)
    frames, samples = (whole(data, name, 1) for name in ("NumberOfFrames", "SamplesPerPixel"))
    found = Extent(max(frames, 1), rows, columns, samples, bits)
    if not min(found.rows, found.columns) > 0:
        raise BadInput("The image has no pixels", received=f"{found.columns} x {found.rows}")
    if found.samples not in (1, 3) or found.bits not in (1, 8, 16, 32, 64):
        received = f"{found.samples} samples of {found.bits} bits"
        rule = "1 or 3 samples of 8, 16 or 32 bits"
        raise BadInput("The pixels are of a kind that is not read", rule=rule, received=received)
    if found.values > max_voxels:
        received = f"{found.frames} frames of {found.columns} x {found.rows}"
        raise BadInput("The image is too large", rule=f"It may have {max_voxels:,} values", received=received)
    return found


def check_length(data: "Dataset", found: Extent, held: int) -> None:
    """Raise BadInput where `held` bytes cannot be the pixels of so large an image, before any are allocated."""
    if not held:
        raise BadInput("The image has no pixel data")
    wanted = found.size * 2 // 3 if text(data, "PhotometricInterpretation") == "YBR_FULL_422" else found.size
    if compressed(data):
        wanted = found.frames * _ITEM
        if found.values > max(_FREE, held * _DENSEST):
            rule = f"A byte of compressed pixels stands for {_DENSEST:,} values at most"
            received = f"{found.values:,} values in {held:,} bytes"
            raise BadInput("The image says that it is larger than it can be", rule=rule, received=received)
    if held < wanted:
        rule = f"It must have {wanted:,} bytes"
        raise BadInput("The pixel data is cut off", rule=rule, received=f"{held:,} bytes")


def compressed(data: "Dataset") -> bool:
    """Whether the pixels stand in a coding of their own (JPEG, RLE ...)."""
    return bool(syntax(data).is_encapsulated)


def syntax(data: "Dataset") -> Any:
    """The transfer syntax; where the file does not say it, the one that it was read in."""
    from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    with quietly("The coding of the pixels is not told"):
        given = getattr(data, "file_meta", {}).get("TransferSyntaxUID")
        if not given:
            implicit, little = data.original_encoding
            return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        known = UID(given)
    if not known.is_transfer_syntax:
        raise BadInput("The pixels are coded in a way that is not read", rule="A transfer syntax of DICOM")
    return known


def whole(data: "Dataset", name: str, default: int | None = None) -> int:
    """A whole number of the data set. Raises BadInput where it is none, or is missing and has no default."""
    numbers = several(data, name, 1)
    if numbers is None and default is None:
        raise BadInput(f"{name} is missing", rule="The image must say its shape")
    number = numbers[0] if numbers else float(default or 0)
    if number != int(number):
        raise BadInput(f"{name} is no whole number", received=number)
    return int(number)


def several(data: "Dataset", name: str, count: int) -> list[float] | None:
    """The first `count` finite numbers of an element; None where it is missing or empty or has fewer.

    Raises BadInput for what is no number.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = data.get(name)
            items = [value] if isinstance(value, str | float | int) else list(value or ())
            numbers = [float(item) for item in items[:count] if item not in ("", None)]
    except broken() as error:
        raise BadInput(f"{name} is no number") from error
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def number(data: "Dataset") -> float:
    """The file's number in its series, which tells the order of time points; 0 where it has none."""
    try:
        return (several(data, "InstanceNumber", 1) or [0.0])[0]
    except BadInput:
        return 0.0


def text(data: "Dataset", name: str) -> str:
    """A short text of the data set, stripped; empty where it is missing or cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = data.get(name)
            return "" if value is None else str(value).strip()[:200]
    except broken():
        return ""


def sequence(data: "Dataset", name: str) -> "list[Dataset]":
    """The items of a sequence; none where it is missing or is no sequence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [item for item in data.get(name) or [] if hasattr(item, "original_encoding")]
    except broken():
        return []


@contextmanager
def quietly(what: str) -> Iterator[None]:
    """Nothing is warned of, and what fails is a BadInput that says `what` and the kind of failure alone."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except broken() as error:
        raise BadInput(what, rule=f"It must be a whole and sound file ({type(error).__name__})") from error


@cache
def broken() -> tuple[type[Exception], ...]:
    """What pydicom and the decoders behind it raise for broken files; it has no common ancestor but Exception."""
    try:
        errors = library().errors
    except MissingExtra:
        return _BROKEN
    return (*_BROKEN, errors.BytesLengthException, errors.InvalidDicomError)


def library() -> Any:
    """The module pydicom. Raises MissingExtra, with the install line, where it is not installed."""
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtra("DICOM files are read by pydicom, which is not installed", "medical") from error
    return pydicom


def _need_image(data: "Dataset") -> None:
    """Raise BadInput, with what the file is, where it has no rows and columns."""
    if "Rows" in data and "Columns" in data:
        return
    kind = "DICOMDIR" if "DirectoryRecordSequence" in data or "FileSetID" in data else text(data, "Modality")
    raise BadInput(f"The file {_ADVICE.get(kind, 'holds no image')}")


def _at_pixels(stream: IO[bytes]) -> bool:
    """Whether an element with pixels begins here, in either byte order."""
    tag = stream.read(4).ljust(4, b"\0")
    return any(
        (group << 16 | element) in _PIXELS for group, element in (struct.unpack(f"{end}HH", tag) for end in "<>")
    )


def _inflated(stream: IO[bytes], size: int) -> tuple[IO[bytes], int]:
    """The stream and its size; of a deflated file its unpacked data set under the name of the plain transfer syntax.

    pydicom itself would unpack without a bound.
    """
    head = stream.read(_META)
    stream.seek(0)
    start = _META_START + struct.unpack("<I", head[140:144].ljust(4, b"\0"))[0]
    if _DEFLATED not in (head[:start] if head[132:140] == _GROUP_LENGTH else head):
        return stream, size
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    with quietly("The deflated data set cannot be unpacked"):
        stream.seek(start)
        data = unpacker.decompress(stream.read(), _INFLATED)
        if not unpacker.eof:
            raise ValueError("more than the bound, or cut off")
    made = head[:start].replace(_DEFLATED, _PLAIN.ljust(len(_DEFLATED), b"\0")) + data
    return io.BytesIO(made), len(made)
