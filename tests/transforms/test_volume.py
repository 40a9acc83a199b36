import io
import zipfile

import numpy as np
import pytest

from lepton.core.errors import BadInput, UserError
from lepton.transforms import volume

nibabel = pytest.importorskip("nibabel")


def nii(array, affine=None):
    image = nibabel.Nifti1Image(np.asarray(array), np.diag([-1.0, -1, 1, 1]) if affine is None else affine)
    return image.to_bytes()


def encoded(raw, **given):
    fitted = volume.fit([raw], **given)
    return volume.encoder(fitted.settings, fitted.files)(raw)["volume"]


def test_slices_rows_and_columns_run_from_foot_front_and_right():
    """Whatever the order that the file has them in: here RAS, AIR and LPS of the same body."""
    body = np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(np.int16)  # from right, front, foot
    as_lps = nii(body)
    as_ras = nii(body[::-1, ::-1], np.eye(4))
    swapped = nii(body.transpose(1, 2, 0)[::-1], np.array([[0, 0, -1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    wanted = body.transpose(2, 1, 0)
    for raw in (as_lps, as_ras, swapped):
        assert np.array_equal(volume.decode(raw), wanted)
        found = encoded(raw, size=(6, 5, 4), window=(0, 100))
        assert found.dtype == np.float32
        assert np.allclose(found, wanted[None] / 100)


def test_the_shape_left_open_is_the_median():
    raws = [nii(np.zeros((4, 5, length), np.uint8)) for length in (6, 7, 300)]
    assert volume.fit(raws).settings["size"] == [7, 5, 4]
    assert volume.fit(raws[2:]).settings["size"] == [128, 5, 4]
    spaced = nii(np.zeros((4, 5, 6), np.uint8), np.diag([2.0, 3, 4, 1]))
    assert volume.fit([spaced], spacing=(2.0, 1.5, 1.0)).settings["size"] == [12, 10, 8]


def test_a_ramp_stays_a_ramp_at_another_spacing():
    """Linear interpolation gives a linear function back, at the places that the spacing says."""
    ramp = np.broadcast_to(np.arange(20, dtype=np.float32), (3, 3, 20)).copy()
    raw = nii(ramp, np.diag([1.0, 1, 2, 1]))
    found = encoded(raw, size=(9, 3, 3), spacing=(1.0, 1.0, 1.0), window=(0, 19))
    assert np.allclose(found[0, :, 1, 1] * 19, 9.5 + np.arange(-4, 5) * 0.5, atol=1e-4)


def test_beyond_the_volume_it_is_black():
    raw = nii(np.full((2, 2, 2), 7.0, np.float32))
    found = encoded(raw, size=(4, 2, 6), spacing=(1.0, 1.0, 1.0), window=(0, 7))
    assert np.array_equal(np.flatnonzero(found[0].any((1, 2))), [1, 2])
    assert np.array_equal(np.flatnonzero(found[0].any((0, 1))), [2, 3])
    assert found.max() == pytest.approx(1)


def test_shrinking_looks_at_every_voxel():
    checkered = np.indices((8, 8, 8)).sum(0) % 2
    found = encoded(nii(checkered.astype(np.uint8)), size=(2, 2, 2), window=(0, 1))
    assert np.allclose(found, 0.5, atol=0.08)


def test_the_files_own_window_serves_unless_another_is_given():
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.diag([-1.0, -1, 1, 1]))
    image.header["cal_min"], image.header["cal_max"] = 2, 4
    raw = image.to_bytes()
    assert sorted(encoded(raw).reshape(-1)) == [0, 0, 0, 0.5, 1, 1, 1, 1]
    assert sorted(encoded(raw, window=(0, 7)).reshape(-1)) == pytest.approx(np.arange(8) / 7)


def test_a_batch_and_a_window_of_no_width():
    samples = [{"volume": np.zeros((1, 2, 3, 4), np.float32)}] * 3
    assert volume.collate(samples)["volume"].shape == (3, 1, 2, 3, 4)
    with pytest.raises(UserError, match="no width"):
        volume.fit([nii(np.zeros((2, 2, 2), np.uint8))], window=(3, 3))


@pytest.mark.parametrize("raw", ["a text", b"", b"\x89PNG", b"\x1f\x8b", b"PK\x03\x04", nii(np.zeros((2, 2, 2)))[:360]])
def test_what_is_no_volume_is_a_bad_input(raw):
    fitted = volume.fit([nii(np.zeros((2, 2, 2), np.uint8))])
    with pytest.raises(BadInput):
        volume.encoder(fitted.settings, fitted.files)(raw)
    with pytest.raises(UserError):
        volume.fit([raw])


def test_too_many_voxels_are_refused():
    with pytest.raises(BadInput, match="too large"):
        volume.decode(nii(np.zeros((20, 20, 20), np.uint8)), max_voxels=1000)


def test_a_zip_of_other_things_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "no volume")
    with pytest.raises(BadInput, match="holds no volume"):
        volume.decode(stream.getvalue())
