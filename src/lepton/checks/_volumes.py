"""Volumes as the checks see them: told apart by how their bytes begin, looked at in the middle slice."""

import hashlib

import numpy as np
from PIL import Image

from lepton.core.errors import UserError
from lepton.volumes import dicom, nifti
from lepton.volumes.decode import decode
from lepton.volumes.volume import picture

_PACKED = (b"\x1f\x8b", b"PK\x03\x04")


def is_volume(raw: bytes) -> bool:
    """Whether these may be the bytes of a DICOM or NIfTI file, a packed one, or the zip of a series."""
    return raw[:4].startswith(_PACKED) or dicom.is_dicom(raw[:256]) or nifti.is_nifti(raw[:540])


def open_middle(raw: bytes) -> Image.Image | None:
    """The middle slice in its window, or None where the volume cannot be decoded."""
    try:
        return Image.fromarray(picture(decode(raw)))
    except UserError:
        return None


def digest(raw: bytes) -> str | None:
    """The hex sha256 of all voxels, equal however they are coded; None where they cannot be decoded."""
    try:
        volume = decode(raw)
    except UserError:
        return None
    made = hashlib.sha256(f"volume {volume.voxels.shape}".encode())
    for at in range(volume.voxels.shape[2]):
        made.update(np.ascontiguousarray(volume.voxels[:, :, at], np.float32).tobytes())
    return made.hexdigest()
