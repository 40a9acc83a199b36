"""Volumes in the checks: equal however they are coded, alike by their middle slice."""

import gzip

import numpy as np
import pytest

from lepton.checks import _content, _near, _volumes
from lepton.core.types import Record

pytest.importorskip("pydicom")
pytest.importorskip("nibabel")

RANDOM = np.random.default_rng(0)


def bumps(seed):
    """A smooth body (I, J, K) of its own."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(0, 1, length) for length in (48, 48, 5)], indexing="ij")
    found = sum(
        np.exp(-sum((axis - place) ** 2 for axis, place in zip(axes, centre, strict=True)) / 0.02)
        for centre in random.uniform(0.1, 0.9, (12, 3))
    )
    return np.rint(found * 500).astype(np.int16)


def test_equal_voxels_are_equal_however_they_are_coded(dicom, nii):
    values = RANDOM.integers(0, 1000, (5, 7)).astype(np.int16)
    codings = [
        dicom(values),
        dicom(values, syntax="1.2.840.10008.1.2.2"),
        gzip.compress(dicom(values, PatientName="X")),
        nii(values.T[:, :, None]),
    ]
    names = {_content.digest(Record(str(at), raw, None)) for at, raw in enumerate(codings)}
    assert len(names) == 1
    other = values.copy()
    other[0, 0] += 1
    assert _content.digest(Record("other", dicom(other), None)) not in names


def test_a_volume_that_differs_outside_of_its_middle_is_not_equal(nii):
    one = bumps(0)
    two = one.copy()
    two[0, 0, 0] += 1
    assert _content.digest(Record("1", nii(one), None)) != _content.digest(Record("2", nii(two), None))


def test_near_volumes_are_found_by_their_middle_slice(nii):
    noise = np.random.default_rng(1).integers(0, 3, (48, 48, 5))
    records = [Record(str(seed), nii(bumps(seed)), None) for seed in range(6)]
    records.append(Record("again", nii((bumps(3) + noise).astype(np.int16)), None))
    assert [{pair.first, pair.second} for pair in _near.pairs(records)] == [{"3", "again"}]


@pytest.mark.parametrize("raw", [b"\x1f\x8b", b"PK\x03\x04 no zip", bytes(128) + b"DICM"])
def test_what_cannot_be_decoded_counts_by_its_bytes(raw):
    assert _volumes.is_volume(raw)
    assert _volumes.open_middle(raw) is None
    assert _volumes.digest(raw) is None
    assert _content.digest(Record("x", raw, None)) == _content.digest(Record("y", raw, None))
