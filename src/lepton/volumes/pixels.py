"""Pixels of a DICOM file: decoded, rescaled to what they measure, bright where they are to be seen bright.

DICOM PS3.3 C.7.6.3 (image pixels), C.11.1 (modality LUT), C.11.2 (window).
Axes: F frames, R rows, C columns, S samples.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton.core.errors import BadInput
from lepton.volumes import dicom
from lepton.volumes.dicom import Extent
from lepton.volumes.frames import group

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PREFERRED = ("pillow",)  # it refuses bombs itself

_SAME = (1.0, 0.0)
_FRAME_HEADERS = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7)
_NO_LENGTH = (0x01, *range(0xD0, 0xDA))


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Frames (F, R, C, S) of what was measured, bright as they are to be seen; `window` as in a Volume."""

    values: np.ndarray
    colour: bool
    window: tuple[float, float] | None


def pixels(data: "Dataset", found: Extent) -> Pixels:
    """The pixels of a data set whose extent is `found`.

    Raises BadInput for what cannot be decoded, before anything is allocated where sizes do not fit.
    """
    with dicom.quietly("The pixel data cannot be read"):
        held = next((len(data[name].value or b"") for name in _NAMES if name in data), 0)
    dicom.check_length(data, found, held)
    stored = _decoded(data, found)
    interpretation = dicom.text(data, "PhotometricInterpretation")
    if interpretation == "PALETTE COLOR":
        return Pixels(_eight_bits(_coloured(data, stored), data), True, None)
    if found.samples == 3:
        return Pixels(_eight_bits(stored, data), True, None)
    inverted = interpretation == "MONOCHROME1"
    values, ends = _measured(data, stored, inverted=inverted)
    window = _window(data)
    if inverted:
        values = _by_frame(values, values.dtype, lambda frame, _: sum(ends) - frame)
        window = (sum(ends) - window[1], sum(ends) - window[0]) if window else None
    return Pixels(values[..., None], False, window)


_NAMES = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def _decoded(data: "Dataset", found: Extent) -> np.ndarray:
    """Stored values (F, R, C) or (F, R, C, 3), red, green and blue."""
    from pydicom.pixels import get_decoder

    syntax = dicom.syntax(data)
    if dicom.compressed(data):
        _check_codes(data, found)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise BadInput("The pixels are coded in a way that is not read", received=syntax.name) from error
    data.file_meta.TransferSyntaxUID = syntax
    array = _by_any(data, decoder, syntax)
    shape = (found.frames, found.rows, found.columns, *((3,) if found.samples == 3 else ()))
    if array.size != found.values:
        raise BadInput("The pixels cannot be decoded", rule=f"Shape {shape}", received=array.shape)
    native: np.ndarray = array.astype(array.dtype.newbyteorder("="), copy=False).reshape(shape)
    return native


def _by_any(data: "Dataset", decoder: Any, syntax: Any) -> np.ndarray:
    """The pixels by the first decoder that can."""
    there = list(decoder.available_plugins) if syntax.is_encapsulated else [""]
    if not there:
        remedy = 'Install one with: pip install "lepton-transfer[medical]"'
        raise BadInput(f"No decoder for {syntax.name} is installed", remedy=remedy)
    for plugin in sorted(there, key=lambda name: name not in _PREFERRED):
        try:
            with dicom.quietly(f"The pixels cannot be decoded ({syntax.name})"):
                array: np.ndarray = decoder.as_array(data, decoding_plugin=plugin)[0]
                return array
        except BadInput as error:
            last = error
    raise BadInput(last.what, rule="They must be whole, and coded in a way that the decoders know")


def _check_codes(data: "Dataset", found: Extent) -> None:
    """Raise BadInput where a coded frame says another size than the data set: a decoder would believe it."""
    from pydicom.encaps import generate_frames

    with dicom.quietly("The compressed pixel data is broken or cut off"):
        frames = list(generate_frames(data.PixelData, number_of_frames=found.frames))
    if len(frames) < found.frames:
        raise BadInput("The pixel data is cut off", rule=f"{found.frames} frames", received=len(frames))
    for frame in frames:
        size = coded_size(frame)
        if size not in (None, (found.columns, found.rows)):
            rule = f"The data set says {found.columns} x {found.rows}"
            raise BadInput("A coded frame is of another size than the image", rule=rule, received=f"{size}")


def coded_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG, JPEG-LS or JPEG 2000 code says of itself; None for other codes."""
    if frame[:4] == b"\xff\x4f\xff\x51" and len(frame) >= 24:
        right, bottom, left, top = struct.unpack(">4I", frame[8:24])
        return right - left, bottom - top
    return _jpeg_size(frame) if frame[:2] == b"\xff\xd8" else None


def _jpeg_size(code: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(code) and code[at] == 0xFF:
        mark = code[at + 1]
        if mark in _FRAME_HEADERS:
            height, width = struct.unpack(">HH", code[at + 5 : at + 9])
            return width, height
        if mark == 0xFF:
            at += 1
        else:
            at += 2 if mark in _NO_LENGTH else 2 + struct.unpack(">H", code[at + 2 : at + 4])[0]
    raise BadInput("A coded frame has no header")


def _coloured(data: "Dataset", stored: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    with dicom.quietly("The palette cannot be read"):
        coloured: np.ndarray = apply_color_lut(stored, data)
    return coloured[..., :3]


def _eight_bits(colours: np.ndarray, data: "Dataset") -> np.ndarray:
    """Deep colours by their upper eight bits."""
    if colours.dtype.itemsize == 1:
        return colours.astype(np.uint8, copy=False)
    palette = colours.dtype.itemsize == 2 and "RedPaletteColorLookupTableData" in data
    bits = 16 if palette else dicom.whole(data, "BitsStored", colours.dtype.itemsize * 8)
    return np.asarray(colours >> max(0, bits - 8)).astype(np.uint8)


def _measured(data: "Dataset", stored: np.ndarray, *, inverted: bool) -> tuple[np.ndarray, tuple[float, float]]:
    """What the stored values mean (Hounsfield units, dose ...), and the least and the most that they could be.

    Where they will be `inverted` the type holds all that could be, else what is there.
    """
    if dicom.sequence(data, "ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        with dicom.quietly("The modality LUT cannot be applied"):
            looked_up: np.ndarray = apply_modality_lut(stored, data)
        return looked_up, (float(looked_up.min()), float(looked_up.max()))
    scales = [_scale(data, frame) for frame in range(len(stored))]
    ends = _ends(_range(data, stored), scales)
    if all(scale == _SAME for scale in scales):
        return stored.astype(np.float32) if stored.dtype == np.float64 else stored, ends
    there = ends if inverted else _ends((float(stored.min()), float(stored.max())), scales)
    kind = _kind(stored.dtype, scales, there)
    return _by_frame(stored, kind, lambda frame, at: frame * scales[at][0] + scales[at][1]), ends


def _ends(ends: tuple[float, float], scales: Sequence[tuple[float, float]]) -> tuple[float, float]:
    reached = [end * slope + intercept for slope, intercept in scales for end in ends]
    return min(reached), max(reached)


def _kind(stored: np.dtype, scales: Sequence[tuple[float, float]], ends: tuple[float, float]) -> np.dtype:
    """Whole numbers stay whole where slopes and intercepts are: the smallest type for both ends, else float32."""
    exact = stored.kind in "iu" and all(float(number).is_integer() for scale in scales for number in scale)
    fitting = (kind for kind in (np.int16, np.int32) if np.iinfo(kind).min <= ends[0] and ends[1] <= np.iinfo(kind).max)
    return np.dtype(next(fitting, np.float32) if exact else np.float32)


def _by_frame(frames: np.ndarray, kind: np.dtype, change: Callable[[np.ndarray, int], np.ndarray]) -> np.ndarray:
    """Each frame changed, one at a time so that memory stays small; values that `kind` cannot hold become its ends."""
    made = np.empty(frames.shape, kind)
    for at, frame in enumerate(frames):
        changed = change(frame.astype(np.float64), at)
        made[at] = changed if kind.kind == "f" else changed.clip(np.iinfo(kind).min, np.iinfo(kind).max)
    return made


def _scale(data: "Dataset", frame: int) -> tuple[float, float]:
    """Slope and intercept; of a dose its scaling."""
    if dicom.text(data, "Modality") == "RTDOSE":
        scaling = dicom.several(data, "DoseGridScaling", 1)
        return (scaling[0], 0.0) if scaling else _SAME
    where = group(data, frame, "PixelValueTransformationSequence")
    slope, intercept = dicom.several(where, "RescaleSlope", 1), dicom.several(where, "RescaleIntercept", 1)
    return (slope[0] if slope and slope[0] else 1.0), (intercept[0] if intercept else 0.0)


def _range(data: "Dataset", stored: np.ndarray) -> tuple[float, float]:
    """The least and the most that can be stored."""
    if stored.dtype.kind == "f":
        return float(np.nanmin(stored)), float(np.nanmax(stored))
    bits = min(dicom.whole(data, "BitsStored", stored.dtype.itemsize * 8), stored.dtype.itemsize * 8)
    signed = stored.dtype.kind == "i"
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)


def _window(data: "Dataset") -> tuple[float, float] | None:
    """The values shown as black and white by the first window, or the ends of the first VOI LUT's input."""
    where = group(data, 0, "FrameVOILUTSequence")
    centre, width = dicom.several(where, "WindowCenter", 1), dicom.several(where, "WindowWidth", 1)
    if centre and width and width[0] > 0:
        if dicom.text(where, "VOILUTFunction") == "LINEAR_EXACT":
            return centre[0] - width[0] / 2, centre[0] + width[0] / 2
        half = max(width[0] - 1, 1e-3) / 2
        return centre[0] - 0.5 - half, centre[0] - 0.5 + half
    tables = dicom.sequence(data, "VOILUTSequence")
    described = dicom.several(tables[0], "LUTDescriptor", 2) if tables else None
    if described is None:
        return None
    count, first = described[0] or 65_536.0, described[1]
    return first, first + count - 1
