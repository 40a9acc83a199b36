"""Volumes to voxels: decode, turn into one orientation, window, bring to one shape or to one spacing.

Shapes: D slices from foot to head, H rows from front to back, W columns from right to left (of the patient); a lone
slice keeps its rows and columns. Decoding is pydicom's and nibabel's; all else is numpy.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from lepton.core.errors import BadInput, UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import bytes_of, some, stacked
from lepton.volumes.decode import decode as decoded
from lepton.volumes.volume import MAX_VOXELS, Volume, canonical, grey, shown, window_of

MODALITY = "volume"
INPUTS = ("volume",)

_LOOKED_AT = 8  # training volumes that `fit` looks at
_LONGEST = 128  # side that a shape left open has at most


def fit(
    raws: Iterable[Raw],
    *,
    size: Annotated[tuple[int, int, int], Range(1, 1024)] | None = None,
    spacing: Annotated[tuple[float, float, float], Range(0.01, 100)] | None = None,
    window: tuple[float, float] | None = None,
    max_voxels: Annotated[int, Range(1)] = MAX_VOXELS,
) -> Fitted:
    """Fix the shape (slices, rows, columns) from up to 8 training volumes, evenly spread.

    `size` left open: the median of their shapes, at `spacing` where that is given, at most 128 a side. `spacing`:
    millimetres between slices, rows and columns that all are resampled to; the middle is cut out, or filled up with
    black, to `size`. Left open, each volume is stretched to `size`. `window`: the values that become 0 and 1; left
    open, the file's own, or where it has none from 0.5 % to 99.5 % of its values. Volumes that cannot be decoded are
    passed over; raises UserError when none can be, and for a window that has no width.
    """
    if window is not None and not window[0] < window[1]:
        raise UserError("The window has no width", rule="It goes from a lower to a higher value", received=window)
    shape = size or _size([_upright(raw, max_voxels) for raw in _sound(raws, max_voxels)], spacing)
    settings = {"size": list(shape), "spacing": spacing and list(spacing), "window": window and list(window)}
    return Fitted({**settings, "max_voxels": max_voxels})


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from a DICOM or NIfTI file, or a zip of a series, to {"volume": float32 (1, D, H, W)}, from 0 to 1.

    Colours become grey, and of several time points the first is taken. It raises BadInput for anything else, for broken
    files, and for more values than `max_voxels` before they are decoded.
    """
    size, spacing, window = settings["size"], settings["spacing"], settings["window"]
    limit = settings.get("max_voxels", MAX_VOXELS)

    def encode(raw: Raw) -> Arrays:
        volume = _upright(raw, limit)
        values = shown(grey(volume), tuple(window) if window else window_of(volume)).transpose(2, 1, 0)
        steps = [there / length for there, length in zip(values.shape, size, strict=True)]
        if spacing:
            steps = [step / there for step, there in zip(spacing, volume.spacing[::-1], strict=True)]
        return {"volume": _resampled(values, size, steps)[None]}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch: {"volume": float32 (B, 1, D, H, W)}."""
    return stacked(samples)


def decode(raw: Raw, *, max_voxels: int = MAX_VOXELS) -> np.ndarray:
    """What was measured, upright, unwindowed and at full size: float32 (D, H, W), colours as grey.

    Raises BadInput as the encoder does.
    """
    return np.ascontiguousarray(grey(_upright(raw, max_voxels)).transpose(2, 1, 0), np.float32)


def _upright(raw: Raw, max_voxels: int) -> Volume:
    return canonical(decoded(bytes_of(raw, "a volume"), max_voxels=max_voxels))


def _sound(raws: Iterable[Raw], max_voxels: int) -> list[Raw]:
    """The volumes looked at that can be decoded."""
    found = []
    for raw in some(raws, _LOOKED_AT):
        try:
            _upright(raw, max_voxels)
            found.append(raw)
        except BadInput as error:
            last = error
    if not found:
        raise UserError("None of the training volumes can be decoded", rule=last.message, remedy="Check data.source")
    return found


def _size(volumes: Sequence[Volume], spacing: Sequence[float] | None) -> list[int]:
    shapes = np.array([volume.voxels.shape[2::-1] for volume in volumes], float)
    if spacing:
        shapes *= np.array([volume.spacing[::-1] for volume in volumes]) / spacing
    return [int(length) for length in np.clip(np.rint(np.median(shapes, axis=0)), 1, _LONGEST)]


def _resampled(values: np.ndarray, size: Sequence[int], steps: Sequence[float]) -> np.ndarray:
    """Values float32 (D, H, W) at `size` places an axis, `steps` voxels apart, around the same middle."""
    for axis, (count, step) in enumerate(zip(size, steps, strict=True)):
        if (count, step) != (values.shape[axis], 1.0):
            weights = _weights(values.shape[axis], count, step)
            values = np.moveaxis(np.tensordot(weights, values, (1, axis)), 0, axis)
    return np.ascontiguousarray(values, np.float32)


def _weights(length: int, count: int, step: float) -> np.ndarray:
    """float32 (count, length): linear interpolation, over as many voxels as a step is wide; 0 beyond the volume."""
    places = (np.arange(count) - (count - 1) / 2) * step + (length - 1) / 2
    distance = np.abs(places[:, None] - np.arange(length)) / max(1.0, step)
    weights = np.maximum(0, 1 - distance)
    inside = (places >= -0.5) & (places <= length - 0.5)
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-12) * inside[:, None], np.float32)
