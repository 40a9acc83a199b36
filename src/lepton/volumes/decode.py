"""Bytes to a volume: a NIfTI file, a DICOM file, or a zip of the slices of a series; each may be packed with gzip."""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from lepton.core.errors import BadInput
from lepton.volumes import dicom, frames, nifti
from lepton.volumes.pixels import Pixels, pixels
from lepton.volumes.volume import MAX_VOXELS, Volume

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
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
        return _series([data], max_voxels)
    if not nifti.is_nifti(data):
        raise BadInput("The volume cannot be decoded", rule="It must be a DICOM or NIfTI file, or a zip of a series")
    if nifti.is_pair(data):
        raise BadInput("It is the header of a NIfTI pair", remedy="Send it in a zip together with its .img")
    return nifti.decode(data, max_voxels=max_voxels)


def unpacked(data: bytes, limit: int) -> bytes:
    """`data`, unpacked where it is gzip. Raises BadInput for what is broken, cut off, or longer than `limit` bytes."""
    if data[:2] != _GZIP:
        return data
    pieces, size = [], 0
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    with dicom.quietly("The file cannot be unpacked"):
        rest = data
        while rest and not unpacker.eof:
            pieces.append(unpacker.decompress(rest, 1 << 24))
            size += len(pieces[-1])
            rest = unpacker.unconsumed_tail
            if size > limit:
                raise BadInput("The file is too large unpacked", rule=f"It may have {limit:,} bytes")
    if not unpacker.eof:
        raise BadInput("The file is cut off", rule="It must be a whole gzip file")
    return b"".join(pieces)


def head(path: Path, count: int = 352) -> bytes:
    """The first bytes of a file, unpacked where it is gzip; none where it cannot be read or unpacked."""
    try:
        with path.open("rb") as stream:
            start = stream.read(count * 8)
            if start[:2] == _GZIP:
                start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(start, count)
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
        while piece := stream.read(1 << 22):
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


def _members(data: bytes, limit: int) -> list[tuple[str, bytes]]:
    with dicom.quietly("The zip cannot be read"):
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
        except zipfile.BadZipFile as error:
            raise ValueError from error
        items = [item for item in archive.infolist() if not item.is_dir()]
        if not 0 < len(items) <= _FILES or sum(item.file_size for item in items) > limit:
            raise BadInput("The zip is too large or empty", rule=f"{_FILES:,} files, {limit:,} bytes")
        try:
            return [(item.filename, unpacked(archive.read(item), limit)) for item in items]
        except zipfile.BadZipFile as error:
            raise ValueError from error


def _together(members: Sequence[tuple[str, bytes]], max_voxels: int) -> Volume:
    parts = [data for _, data in members]
    if all(map(dicom.is_dicom, parts)):
        return _series(parts, max_voxels)
    headers = [data for data in parts if nifti.is_nifti(data)]
    if len(parts) == 2 and len(headers) == 1:
        image = parts[1 - parts.index(headers[0])]
        return nifti.decode(headers[0], image, max_voxels=max_voxels)
    rule = "A zip holds the DICOM files of one series, or the .hdr and .img of one NIfTI volume"
    raise BadInput("The zip holds no volume", rule=rule, received=f"{len(parts)} files")


def _series(parts: Sequence[bytes], max_voxels: int) -> Volume:
    """One volume of all frames of DICOM files."""
    read = sorted((dicom.read(data, max_voxels=max_voxels) for data in parts), key=lambda pair: dicom.number(pair[0]))
    files, extents = [file for file, _ in read], [found for _, found in read]
    if sum(found.values for found in extents) > max_voxels:
        raise BadInput(
            "The series is too large", rule=f"It may have {max_voxels:,} values", received=f"{len(parts)} files"
        )
    if len({(found.rows, found.columns, found.samples) for found in extents}) > 1:
        raise BadInput("The files of the zip are images of several sizes")
    placed = [plane for file, found in zip(files, extents, strict=True) for plane in frames.planes(file, found.frames)]
    built = _stacked(placed, lone=len(files) == 1)
    return _volume([pixels(file, found) for file, found in zip(files, extents, strict=True)], built)


def _stacked(planes: Sequence[frames.Plane], *, lone: bool) -> frames.Stack:
    """Frames of one file that make no volume (a film, views) follow each other as they come."""
    try:
        return frames.stack(planes)
    except BadInput:
        if not lone:
            raise
        return frames.stack([frames.Plane(None, p.along, p.down, p.steps, p.thickness) for p in planes])


def _volume(parts: Sequence[Pixels], built: frames.Stack) -> Volume:
    first = parts[0]
    if any(part.colour != first.colour for part in parts):
        raise BadInput("The files of the zip are partly in colour")
    values = np.concatenate([part.values for part in parts]) if len(parts) > 1 else first.values
    places, times = built.order.shape
    ordered = values[built.order.reshape(-1)].reshape(places, times, *values.shape[1:])
    if first.colour and times > 1:
        raise BadInput("Slices are doubled", rule="A volume in colour has one frame at a place")
    # (K, T, R, C, S) to (C, R, K, T or S): one of the last two has one entry.
    voxels = ordered.transpose(3, 2, 0, 1, 4).reshape(values.shape[2], values.shape[1], places, -1)
    plain = voxels.astype(np.float32) if voxels.dtype == np.float64 else voxels
    return Volume(plain, built.affine, first.window, first.colour, built.placed)
