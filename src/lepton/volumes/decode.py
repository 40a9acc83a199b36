"""Bytes to a volume: a NIfTI file, a DICOM file, or a zip of the slices of a series; each may be packed with gzip."""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from lepton.core.errors import BadInput
from lepton.volumes import dicom, frames, nifti
from lepton.volumes.dicom import Extent
from lepton.volumes.pixels import Pixels, pixels
from lepton.volumes.volume import MAX_VOXELS, Volume

Part = Callable[[], bytes]
"""A file of several, read when it is called."""

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_AS_GZIP = zlib.MAX_WBITS | 16
_PIECE = 1 << 24  # bytes that are unpacked at a time
_BYTES = 8  # a value's most
_BESIDE = 1 << 26  # bytes of headers, in a file or all files of a zip
_FILES = 20_000


def decode(raw: bytes, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """The volume that the bytes of a file hold.

    A zip holds the files of a DICOM series, in any order, or the header and the image of a NIfTI pair. Raises BadInput
    for anything else, for what is broken or cut off, and for more than `max_voxels` values before they are decoded;
    MissingExtra where the libraries are not installed.
    """
    data = unpacked(raw, max_voxels * _BYTES + _BESIDE)
    if data[:4] == _ZIP:
        return _together(_members(data, max_voxels * _BYTES + _BESIDE), max_voxels)
    if dicom.is_dicom(data):
        return _series([lambda: data], max_voxels)
    if not nifti.is_nifti(data):
        raise BadInput("The volume cannot be decoded", rule="It must be a DICOM or NIfTI file, or a zip of a series")
    if nifti.is_pair(data):
        raise BadInput("It is the header of a NIfTI pair", remedy="Send it in a zip together with its .img")
    return nifti.decode(data, max_voxels=max_voxels)


def unpacked(data: bytes, limit: int) -> bytes:
    """`data`, unpacked where it is gzip. Raises BadInput for what is broken, cut off, or longer than `limit` bytes."""
    if data[:2] != _GZIP:
        return data
    pieces, size, rest = [b""], 0, data
    unpacker = zlib.decompressobj(_AS_GZIP)
    with dicom.quietly("The file cannot be unpacked"):
        while rest or len(pieces[-1]) == _PIECE:
            pieces.append(unpacker.decompress(rest, _PIECE))
            size += len(pieces[-1])
            if size > limit:
                raise BadInput("The file is too large unpacked", rule=f"It may have {limit:,} bytes")
            rest = unpacker.unconsumed_tail
            if unpacker.eof and unpacker.unused_data.startswith(_GZIP):  # some tools pack a file in several parts
                rest, unpacker = unpacker.unused_data, zlib.decompressobj(_AS_GZIP)
    if not unpacker.eof:
        raise BadInput("The file is cut off", rule="It must be a whole gzip file")
    return b"".join(pieces)


def head(path: Path, count: int = 352) -> bytes:
    """The first bytes of a file, unpacked where it is gzip; none where it cannot be read or unpacked."""
    try:
        with path.open("rb") as stream:
            start = stream.read(count * 8)
            if start[:2] == _GZIP:
                start = zlib.decompressobj(_AS_GZIP).decompress(start, count)
    except (OSError, zlib.error):
        return b""
    return start[:count]


def opened(path: Path) -> tuple[IO[bytes], int]:
    """A file's bytes, unpacked where it is gzip, and how many there are."""
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if packed:
        data = unpacked(path.read_bytes(), MAX_VOXELS)
        return io.BytesIO(data), len(data)
    size = os.path.getsize(path)
    return _Bounded(path.open("rb", buffering=0), size), size


def size(path: Path) -> int:
    """How many bytes a file has, unpacked where it is gzip; it is unpacked in pieces, which are not kept."""
    with path.open("rb") as stream:
        if stream.read(2) != _GZIP:
            return os.path.getsize(path)
    count, limit = 0, MAX_VOXELS * _BYTES + _BESIDE
    with gzip.open(path) as stream, dicom.quietly("The file cannot be unpacked"):
        while piece := stream.read(_PIECE):
            count += len(piece)
            if count > limit:
                raise BadInput("The file is too large unpacked", rule=f"It may have {limit:,} bytes")
    return count


class _Bounded(io.BufferedReader):
    """A file that allocates no more for a read than it holds, whatever length a broken element says."""

    def __init__(self, raw: IO[bytes], size: int) -> None:
        super().__init__(raw)  # type: ignore[arg-type]
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        """Read as BufferedReader does."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _members(data: bytes, limit: int) -> list[Part]:
    """The files of a zip, each read and unpacked when it is asked for."""
    with dicom.quietly("The zip cannot be read"):
        archive = zipfile.ZipFile(io.BytesIO(data))
    items = [item for item in archive.infolist() if not item.is_dir()]
    if not 0 < len(items) <= _FILES or sum(item.file_size for item in items) > limit:
        raise BadInput("The zip is too large or empty", rule=f"{_FILES:,} files, {limit:,} bytes")
    return [partial(_member, archive, item, limit) for item in items]


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo, limit: int) -> bytes:
    with dicom.quietly("The zip cannot be read"):
        return unpacked(archive.read(item), limit)


def _together(parts: Sequence[Part], max_voxels: int) -> Volume:
    first = parts[0]()
    if dicom.is_dicom(first):
        return _series(parts, max_voxels)
    if len(parts) == 2:
        both = (first, parts[1]())
        header, image = both if nifti.is_nifti(first) else both[::-1]
        return nifti.decode(header, image, max_voxels=max_voxels)
    rule = "A zip holds the DICOM files of one series, or the .hdr and .img of one NIfTI volume"
    raise BadInput("The zip holds no volume", rule=rule, received=f"{len(parts)} files")


@dataclass(frozen=True, slots=True)
class _Slice:
    """A DICOM file of a series, seen up to its pixels."""

    read: Part
    extent: Extent
    planes: Sequence[frames.Plane]
    number: float

    @classmethod
    def of(cls, read: Part, max_voxels: int) -> "_Slice":
        data = read()
        file, held = dicom.header(io.BytesIO(data), len(data))
        found = dicom.extent(file, max_voxels=max_voxels)
        dicom.check_length(file, found, held)
        return cls(read, found, frames.planes(file, found.frames), dicom.number(file))


def _series(parts: Sequence[Part], max_voxels: int) -> Volume:
    """One volume of all frames of DICOM files, whose pixels are read one file at a time."""
    slices = sorted((_Slice.of(part, max_voxels) for part in parts), key=lambda one: one.number)
    if sum(one.extent.values for one in slices) > max_voxels:
        received = f"{len(parts)} files"
        raise BadInput("The series is too large", rule=f"It may have {max_voxels:,} values", received=received)
    if len({(one.extent.rows, one.extent.columns, one.extent.samples) for one in slices}) > 1:
        raise BadInput("The files of the zip are images of several sizes")
    built = _stacked([plane for one in slices for plane in one.planes], lone=len(slices) == 1)
    return _filled(slices, built)


def _stacked(planes: Sequence[frames.Plane], *, lone: bool) -> frames.Stack:
    """Frames of one file that make no volume (a film, views) follow each other as they come."""
    try:
        return frames.stack(planes)
    except BadInput:
        if not lone:
            raise
        return frames.stack([frames.Plane(None, p.along, p.down, p.steps, p.thickness) for p in planes])


def _filled(slices: Sequence[_Slice], built: frames.Stack) -> Volume:
    """The pixels at their places, in the smallest type for all of them."""
    places, times = built.order.shape
    ranks = np.argsort(built.order.reshape(-1))
    first = made = _pixels(slices[0])
    values = np.empty((len(ranks), *first.values.shape[1:]), first.values.dtype)
    at = 0
    for one in slices:
        made = first if one is slices[0] else _pixels(one)
        if made.colour != first.colour or made.colour and times > 1:
            raise BadInput("The files of the zip are partly in colour, or several in colour at a place")
        values = values.astype(np.result_type(values, made.values), copy=False)
        values[ranks[at : at + len(made.values)]] = made.values
        at += len(made.values)
    # (K, T, R, C, S) to (C, R, K, T or S), of which one has one entry.
    ordered = values.reshape(places, times, *values.shape[1:]).transpose(3, 2, 0, 1, 4)
    voxels = ordered[:, :, :, 0] if first.colour else ordered[..., 0]
    plain = voxels.astype(np.float32) if voxels.dtype == np.float64 else voxels
    return Volume(plain, built.affine, first.window, first.colour, built.placed)


def _pixels(one: _Slice) -> Pixels:
    return pixels(dicom.read(one.read()), one.extent)
