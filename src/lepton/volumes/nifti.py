"""NIfTI files, version 1 and 2, one file or a header and an image: to volumes and back.

R. W. Cox et al.: A (sort of) new image data format standard: NIfTI-1, 2004. The header is checked against the bytes at
hand before anything is allocated.
"""

import gzip
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton.core.errors import BadInput, MissingExtra
from lepton.volumes.volume import MAX_VOXELS, Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

HEADERS = {348: (344, (b"n+1\0", b"ni1\0")), 540: (4, (b"n+2\0", b"ni2\0"))}
"""Size of a header -> where its magic word stands, and which words there are: for one file, for a pair."""

_CIFTI = range(3000, 3100)  # codes of intent
_COLOURS = {128: 3, 2304: 4}
_SCANNER, _ALIGNED = 1, 2  # codes of what places mean
_MOST_1 = 32_767  # voxels along an axis that version 1 can say


def is_nifti(head: bytes) -> bool:
    """Whether a file that begins with these bytes (348 at least) is a NIfTI header."""
    return _magic(head) is not None


def is_pair(head: bytes) -> bool:
    """Whether the image of this header stands in another file."""
    return (_magic(head) or b"").startswith(b"ni")


def _magic(head: bytes) -> bytes | None:
    sizes = struct.unpack("<I", head[:4]) + struct.unpack(">I", head[:4]) if len(head) >= 348 else ()
    for size in sizes:
        at, words = HEADERS.get(size, (0, ()))
        if head[at : at + 4] in words:
            return head[at : at + 4]
    return None


def decode(data: bytes, image: bytes | None = None, *, max_voxels: int = MAX_VOXELS) -> Volume:
    """The volume of a NIfTI file, unpacked; `image` holds the voxels where `data` is the header of a pair.

    Scaled by its slope and intercept; the window is cal_min to cal_max. The affine is the sform, else the qform, else
    the voxels' sizes alone. Raises BadInput for what is no volume or does not hold what its header says.
    """
    header = _header(data)
    shape = _shape(header, max_voxels)
    body, start = data if image is None else image, _start(header, alone=image is None)
    kind = header.get_data_dtype()
    wanted = math.prod(shape) * kind.itemsize
    if len(body) - start < wanted:
        received = f"{max(0, len(body) - start):,} of {wanted:,} bytes"
        raise BadInput("The image is cut off", rule="It must hold all voxels of its header", received=received)
    voxels = np.frombuffer(body, kind, math.prod(shape), start).reshape(shape, order="F")
    return _volume(header, voxels)


def encode(volume: Volume) -> bytes:
    """The volume as one NIfTI file, not packed, without a word about the patient; the same bytes for the same volume.

    Raises MissingExtra without nibabel.
    """
    nibabel = library()
    voxels = _stored(volume)
    small = max(voxels.shape) <= _MOST_1
    header = nibabel.Nifti1Header() if small else nibabel.Nifti2Header()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_zooms((*volume.spacing, *((volume.interval,) if voxels.ndim == 4 else ())))
    header.set_xyzt_units("mm", "sec")
    # With the code 0, unknown, every reader would make up a direction of its own, and pictures would be turned over.
    code = _SCANNER if volume.placed else _ALIGNED
    header.set_sform(volume.affine, code)
    if _upright(volume.affine):
        header.set_qform(volume.affine, code)
    header["cal_min"], header["cal_max"] = volume.window or (0, 0)
    kind = nibabel.Nifti1Image if small else nibabel.Nifti2Image
    image = kind(voxels, None, header)
    packed: bytes = image.to_bytes()
    return packed


def packed(data: bytes) -> bytes:
    """The bytes of a .gz file, the same whenever it is made."""
    return gzip.compress(data, 6, mtime=0)


def header_fault(head: bytes, size: int, *, alone: bool, max_voxels: int = MAX_VOXELS) -> str | None:
    """What is wrong with a volume, as far as its header tells; None for nothing.

    `size` is that of the file, unpacked, or of the image's where the header does not stand `alone` in one with it.
    """
    try:
        header = _header(head)
        wanted = math.prod(_shape(header, max_voxels)) * header.get_data_dtype().itemsize
        wanted += _start(header, alone=alone)
        _affine(header)
    except BadInput as error:
        return error.message
    return f"is cut off: it has {size:,} bytes of {wanted:,}" if size < wanted else None


def spacing(head: bytes) -> tuple[float, ...]:
    """Millimetres between voxels, as a sound header says."""
    return tuple(float(step) for step in _header(head).get_zooms()[:3])


def library() -> Any:
    """The module nibabel. Raises MissingExtra, with the install line, where it is not installed."""
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtra("NIfTI volumes are read by nibabel, which is not installed", "medical") from error
    return nibabel


def _header(data: bytes) -> "Nifti1Header":
    nibabel = library()
    if not is_nifti(data):
        raise BadInput("It is no NIfTI file", rule="It must begin with the header of NIfTI-1 or -2")
    first = nibabel.Nifti1Header if 348 in struct.unpack("<I", data[:4]) + struct.unpack(">I", data[:4]) else None
    kind = first or nibabel.Nifti2Header
    size = 348 if first else 540
    if len(data) < size:
        raise BadInput("The header is cut off", rule=f"It has {size} bytes", received=len(data))
    header: Nifti1Header = kind(data[:size], check=False)
    return header


def _shape(header: "Nifti1Header", max_voxels: int) -> tuple[int, ...]:
    """I, J, K, C, checked with the kind of number and the affine."""
    if int(header["intent_code"]) in _CIFTI:
        raise BadInput("It is a CIFTI file, which holds values on a surface and no volume")
    count = int(header["dim"][0])
    dims = [int(length) for length in header["dim"][1 : count + 1]]
    if not 1 <= count <= 7 or min(dims) < 1:
        raise BadInput("The header has no sensible shape", received=list(map(int, header["dim"])))
    _known_kind(header)
    while len(dims) > 4 and dims[-1] == 1:
        dims.pop()
    if len(dims) == 5 and dims[3] == 1:
        del dims[3]  # vectors stand in the fifth dimension
    if len(dims) > 4:
        raise BadInput("The volume has too many dimensions", rule="Three, and time or channels", received=tuple(dims))
    shape = (*dims, 1, 1, 1)[:4]
    if math.prod(shape) > max_voxels:
        raise BadInput("The volume is too large", rule=f"It may have {max_voxels:,} values", received=shape)
    return shape


def _start(header: "Nifti1Header", *, alone: bool) -> int:
    """Where the voxels begin: behind the header, where both stand in one file."""
    start = float(header["vox_offset"])
    if not (start.is_integer() and start >= (len(header.binaryblock) if alone else 0)):
        raise BadInput("The voxels begin at no sensible place", received=start)
    return int(start)


def _known_kind(header: "Nifti1Header") -> None:
    from nibabel.spatialimages import HeaderDataError

    try:
        kind = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise BadInput("The header names no known kind of number", received=int(header["datatype"])) from error
    if kind.kind not in "iuf" and int(header["datatype"]) not in _COLOURS or kind.itemsize > 8:
        raise BadInput(
            "The voxels are of a kind that is not read", rule="Whole or real numbers, or colours", received=kind
        )


def _volume(header: "Nifti1Header", voxels: np.ndarray) -> Volume:
    colour = voxels.dtype.names is not None
    if voxels.dtype.names:
        voxels = np.stack([voxels[..., 0][name] for name in voxels.dtype.names[:3]], axis=-1)
    affine, placed = _affine(header)
    low, high = float(header["cal_min"]), float(header["cal_max"])
    return Volume(
        voxels if colour else _scaled(header, voxels),
        affine,
        (low, high) if np.isfinite([low, high]).all() and high > low else None,
        colour,
        placed,
        _interval(header) if voxels.shape[3] > 1 and not colour else 0.0,
    )


def _affine(header: "Nifti1Header") -> tuple[np.ndarray, bool]:
    """The best affine that is one, and whether it tells where in the patient the voxels are."""
    placed = bool(header["sform_code"] > 0 or header["qform_code"] > 0)
    try:
        affine = np.asarray(header.get_best_affine(), np.float64)
    except (ValueError, ArithmeticError) as error:
        raise BadInput("The header's quaternion is none") from error
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise BadInput("The header's affine maps the voxels on no volume", received=affine[:3].tolist())
    return affine * _metres(header), placed


def _metres(header: "Nifti1Header") -> np.ndarray:
    """Factors (4, 1) that turn the header's unit of length into millimetres."""
    factor = {1: 1000.0, 3: 0.001}.get(int(header["xyzt_units"]) & 7, 1.0)
    return np.array([[factor], [factor], [factor], [1.0]])


def _interval(header: "Nifti1Header") -> float:
    step = float(header["pixdim"][4]) * {16: 1e-3, 24: 1e-6}.get(int(header["xyzt_units"]) & 56, 1.0)
    return step if np.isfinite(step) and step > 0 else 0.0


def _scaled(header: "Nifti1Header", voxels: np.ndarray) -> np.ndarray:
    """Whole numbers stay whole where nothing scales them."""
    slope, intercept = (float(header[name]) for name in ("scl_slope", "scl_inter"))
    native = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
    if not np.isfinite([slope, intercept]).all() or slope == 0 or (slope, intercept) == (1.0, 0.0):
        return native if native.dtype != np.float64 else native.astype(np.float32)
    exact = native.astype(np.float32 if native.itemsize <= 2 else np.float64)
    np.multiply(exact, slope, out=exact)
    np.add(exact, intercept, out=exact)
    return exact.astype(np.float32, copy=False)


def _stored(volume: Volume) -> np.ndarray:
    """The voxels as NIfTI has them: (I, J, K) of numbers or colours, or (I, J, K, C)."""
    voxels = volume.voxels
    if volume.colour:
        kind = np.dtype([(name, "u1") for name in "RGB"])
        return np.ascontiguousarray(voxels.astype(np.uint8)).view(kind)[..., 0]
    plain = voxels.astype(np.float32) if voxels.dtype.kind not in "iuf" else voxels
    return plain[..., 0] if plain.shape[3] == 1 else plain


def _upright(affine: np.ndarray) -> bool:
    """Whether the axes stand square on each other: only then can a quaternion say the affine."""
    steps = affine[:3, :3] / np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return bool(np.abs(steps.T @ steps - np.eye(3)).max() < 1e-4)
