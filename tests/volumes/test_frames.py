"""How slices become a volume: every voxel must be where the standard says, whatever the order of the files.

PS3.3 C.7.6.2.1.1: the pixel of row r and column c lies at S + c * X * dc + r * Y * dr, in LPS+; NIfTI counts in RAS+.
"""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.core.errors import BadInput
from lepton.volumes import frames, nifti
from lepton.volumes.decode import decode
from lepton.volumes.volume import Volume, canonical

pydicom = pytest.importorskip("pydicom")

RANDOM = np.random.default_rng(1)
VALUES = RANDOM.integers(0, 1000, (4, 3, 5)).astype(np.int16)


def turned(*angles):
    """Directions of rows and columns after turns around x, y and z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        one, two = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[one, one] = turn[two, two] = np.cos(angle)
        turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix[:, 0], matrix[:, 1], matrix[:, 2]


def places_of(files):
    """Every stored value with its place in RAS+, by the standard's equation."""
    found = {}
    for file in files:
        data = pydicom.dcmread(io.BytesIO(file))
        origin = np.array(data.ImagePositionPatient, float)
        along, down = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
        dr, dc = (float(step) for step in data.PixelSpacing)
        for row, column in np.ndindex(data.Rows, data.Columns):
            place = origin + column * along * dc + row * down * dr
            found[tuple(np.round(place * (-1, -1, 1), 3) + 0.0)] = data.pixel_array[row, column]
    return found


def held(volume):
    """Every voxel of a volume with its place."""
    return {
        tuple(np.round((volume.affine @ (*index, 1))[:3], 3) + 0.0): volume.voxels[(*index, 0)]
        for index in np.ndindex(volume.voxels.shape[:3])
    }


def assert_same(one, two):
    assert len(one) == len(two)
    places, others = np.array(sorted(one)), np.array(sorted(two))
    assert np.abs(places - others).max() < 0.01
    assert [one[place] for place in sorted(one)] == [two[place] for place in sorted(two)]


ANGLES = {"axial": (0, 0, 0), "coronal": (np.pi / 2, 0, 0), "oblique": (0.31, -0.22, 0.13), "behind": (np.pi, 0, 0.4)}


@pytest.mark.parametrize("angles", ANGLES.values(), ids=ANGLES)
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]], ids=["rising", "falling", "mixed"])
def test_every_voxel_is_where_the_standard_says(slices, zipped, angles, order):
    along, down, normal = turned(*angles)
    files = slices(VALUES, directions=(*along, *down), step=normal * 2.5)
    volume = decode(zipped([files[at] for at in order]))
    assert volume.placed
    assert_same(held(volume), places_of(files))
    assert np.allclose(volume.spacing, (0.75, 0.5, 2.5), atol=1e-3)
    assert np.dot(volume.affine[:3, 2], frames.FLIP[:3, :3] @ np.cross(along, down)) > 0


def test_a_tilted_gantrys_shear_is_kept(slices, zipped):
    files = slices(VALUES, step=(0, 0.8, 2.5))
    volume = decode(zipped(files[::-1]))
    assert_same(held(volume), places_of(files))
    back = nifti.decode(nifti.encode(volume))
    assert np.allclose(back.affine, volume.affine, atol=1e-5)


def test_directions_that_differ_by_rounding_are_one_volume(slices, zipped):
    files = [slices(VALUES, directions=(0.995 + at * 1e-7, 0.0998749, 0, -0.0998749, 0.995, 0))[at] for at in range(4)]
    assert decode(zipped(files)).voxels.shape == (5, 3, 4, 1)


def test_slices_taken_several_times_are_time_points_in_the_order_of_their_numbers(slices, zipped):
    first, second = slices(VALUES), slices(VALUES + 1000)
    numbered = []
    for at, raw in enumerate([*second, *first]):
        data = pydicom.dcmread(io.BytesIO(raw))
        data.InstanceNumber = 100 - at
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, data)
        numbered.append(stream.getvalue())
    volume = decode(zipped(numbered))
    assert volume.voxels.shape == (5, 3, 4, 2)
    assert np.array_equal(volume.voxels[..., 0], VALUES.transpose(2, 1, 0))
    assert np.array_equal(volume.voxels[..., 1], VALUES.transpose(2, 1, 0) + 1000)


def test_slices_that_make_no_volume_are_refused(slices, zipped):
    files = slices(VALUES)
    with pytest.raises(BadInput, match="missing or lie unevenly"):
        decode(zipped([files[0], files[1], files[3]]))
    with pytest.raises(BadInput, match="missing or doubled"):
        decode(zipped([*files, files[1]]))
    with pytest.raises(BadInput, match="several directions"):
        decode(zipped([*files, *slices(VALUES[:1], directions=(0, 1, 0, 0, 0, -1), step=(0, 0, 0))]))
    with pytest.raises(BadInput, match="several sizes"):
        decode(zipped([*files, *slices(VALUES[:1, :2])]))
    bent = [*files[:2], *slices(VALUES[2:], origin=(-4, -20, 35))]
    with pytest.raises(BadInput, match="shifted against each other"):
        decode(zipped(bent))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    st.tuples(*[st.floats(0.2, 6)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.tuples(*[st.integers(1, 4)] * 3),
    st.floats(-0.4, 0.4),
)
def test_any_affine_outlives_writing_and_reading(angles, spacing, origin, shape, shear):
    affine = np.eye(4)
    affine[:3, :3] = np.stack(turned(*angles), axis=1) * spacing
    affine[:3, 2] += shear * affine[:3, 1]
    affine[:3, 3] = origin
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(*shape, 1)
    back = nifti.decode(nifti.encode(Volume(voxels, affine, (1.0, 5.0))))
    assert np.allclose(back.affine, affine, rtol=1e-5, atol=1e-4)
    assert back.window == (1.0, 5.0)
    assert np.array_equal(back.voxels, voxels)
    assert np.array_equal(nifti.decode(nifti.encode(back)).affine, back.affine)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(3)), st.tuples(*[st.sampled_from([-1, 1])] * 3), st.tuples(*[st.floats(-0.3, 0.3)] * 3))
def test_canonical_moves_no_voxel(order, signs, angles):
    affine = np.eye(4)
    affine[:3, :3] = (np.stack(turned(*angles), axis=1) @ np.eye(3)[list(order)]) * np.array(signs) * (1, 2, 3)
    affine[:3, 3] = (7, 8, 9)
    voxels = RANDOM.permutation(24).reshape(2, 3, 4, 1)
    upright = canonical(Volume(voxels, affine))
    assert upright.orientation == "LPS"
    assert_same(held(upright), held(Volume(voxels, affine)))
