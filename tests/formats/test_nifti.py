"""NIfTI folders, and DICOM series written as NIfTI: every voxel stays where it was."""

import gzip
import io
import sys

import numpy as np
import pytest

from lepton.cli.__main__ import main
from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Record
from lepton.formats import dicom as dicom_format
from lepton.formats import nifti
from lepton.formats._read import read
from lepton.volumes.decode import decode

nibabel = pytest.importorskip("nibabel")

ARRAY = np.random.default_rng(0).integers(0, 1000, (2, 3, 4)).astype(np.int16)
OBLIQUE = np.array([[1.9, 0.2, 0.4, -50], [-0.3, 2.8, 0.5, 20], [-0.4, -0.5, 3.7, 7], [0, 0, 0, 1.0]])


def test_a_volume_is_a_record_packed_or_not(put, nii, tmp_path):
    put("a/1.nii", nii(ARRAY, OBLIQUE))
    put("b/2.nii.gz", gzip.compress(nii(ARRAY)))
    assert nifti.sniff(tmp_path)
    assert not dicom_format.sniff(tmp_path)
    records = read(str(tmp_path), base=tmp_path).records
    assert [(record.id, record.label) for record in records] == [("a/1.nii", "a"), ("b/2.nii.gz", "b")]
    assert records[1].fields["spacing"] == "2 3 4"
    assert np.array_equal(decode(records[1].read()).voxels[..., 0], ARRAY)


def test_a_pair_is_one_record(put, nii, tmp_path):
    pair = nibabel.Nifti1Pair(ARRAY, OBLIQUE)
    files = pair.make_file_map({"header": io.BytesIO(), "image": io.BytesIO()})
    pair.to_file_map(files)
    for name, end in (("header", "hdr"), ("image", "img")):
        put(f"x.{end}", files[name].fileobj.getvalue())
    put("lone.hdr", files["header"].fileobj.getvalue())
    reading = nifti.read(tmp_path)
    (record,) = reading.records
    assert record.id == "x.hdr"
    assert np.array_equal(decode(record.read()).voxels[..., 0], ARRAY)
    assert [(bad.id, "image is missing" in bad.reason) for bad in reading.bad] == [("lone.hdr", True)]


def test_subjects_of_bids_are_patients_and_no_classes(put, nii, tmp_path):
    for subject in ("sub-01", "sub-02"):
        put(f"{subject}/anat/{subject}_T1w.nii", nii(ARRAY))
    records = nifti.read(tmp_path).records
    assert [(record.label, record.fields["patient"]) for record in records] == [(None, "sub-01"), (None, "sub-02")]


def test_what_is_no_volume_is_set_aside_in_plain_words(put, nii, slices, tmp_path):
    raw = nii(ARRAY)
    put("good.nii", raw)
    put("cut.nii", raw[:-1])
    put("cut.nii.gz", gzip.compress(raw)[:-12])
    put("short.nii.gz", gzip.compress(raw[:-1]))
    put("text.nii", "no NIfTI")
    put("old.hdr", nibabel.AnalyzeHeader().binaryblock)
    put("brain.mgz", gzip.compress(b"\0\0\0\1"))
    put("slice.dcm", slices(ARRAY[:1])[0])
    reading = nifti.read(tmp_path)
    assert [record.id for record in reading.records] == ["good.nii"]
    reasons = {bad.id: bad.reason for bad in reading.bad}
    for name, reason in {
        "cut.nii": "cut off",
        "cut.nii.gz": "unpacked",
        "short.nii.gz": "cut off",
        "text.nii": "is no NIfTI file",
        "old.hdr": "left from right",
        "brain.mgz": "FreeSurfer",
        "slice.dcm": 'format = "dicom"',
    }.items():
        assert reason in reasons.pop(name)
    assert not reasons


def test_a_volume_keeps_spacing_orientation_and_window_through_write_and_read(put, nii, tmp_path):
    put("in/x.nii", nii(ARRAY, OBLIQUE, cal_min=3, cal_max=400))
    told = nifti.write(nifti.read(tmp_path / "in").records, tmp_path / "out")
    assert not told
    (record,) = nifti.read(tmp_path / "out").records
    before, after = decode((tmp_path / "in" / "x.nii").read_bytes()), decode(record.read())
    assert np.allclose(after.affine, before.affine, atol=1e-5)
    assert (after.orientation, after.window) == (before.orientation, (3, 400))
    assert np.array_equal(after.voxels, before.voxels)
    assert nibabel.load(record.raw).get_data_dtype() == np.int16


@pytest.mark.parametrize("reversed_", [False, True])
def test_a_dicom_series_becomes_a_nifti_volume_where_it_was(put, slices, tmp_path, reversed_):
    """The place of every voxel by the standard's equation, LPS+, against what nibabel reads, RAS+."""
    turn = nibabel.eulerangles.euler2mat(0.2, -0.3, 0.4)
    directions, normal = (*turn[:, 0], *turn[:, 1]), turn[:, 2]
    values = ARRAY.transpose(2, 1, 0)
    files = slices(values, directions=directions, step=normal * 3, RescaleSlope=1, RescaleIntercept=-1024)
    for at, raw in enumerate(files[::-1] if reversed_ else files):
        put(f"in/{at}.dcm", raw)
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--format", "nifti"]) == 0
    image = nibabel.load(next((tmp_path / "out").glob("*.nii.gz")))
    for k, j, i in np.ndindex(values.shape):
        lps = np.array([-10, -20, 30]) + i * 0.75 * turn[:, 0] + j * 0.5 * turn[:, 1] + k * 3 * normal
        voxel = np.linalg.solve(image.affine, [-lps[0], -lps[1], lps[2], 1])[:3]
        nearest = np.rint(voxel).astype(int)
        assert np.abs(voxel - nearest).max() < 1e-3
        assert image.get_fdata()[tuple(nearest)] == values[k, j, i] - 1024.0


def test_labels_splits_and_fields_are_carried_in_a_table(put, dicom, tmp_path, capsys):
    for at, label in enumerate(("ill", "sound") * 2):
        put(f"in/{'train' if at < 2 else 'test'}/{label}/{at}.dcm", dicom(ARRAY[0] + at, PatientID=str(at % 3)))
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--format", "nifti"]) == 0
    assert "not carried" not in capsys.readouterr().out
    before = dicom_format.read(tmp_path / "in").records
    after = read(str(tmp_path / "out"), base=tmp_path).records
    assert len(after) == 4
    told = [[(r.label, r.split, r.fields["patient"]) for r in records] for records in (before, after)]
    assert told[0] == told[1]


def test_what_cannot_be_decoded_is_told_and_nothing_at_all_is_refused(put, nii, tmp_path):
    good = Record("a/b.nii", put("b.nii", nii(ARRAY)), None)
    same = Record("a_b", put("b2.nii", nii(ARRAY)), None)
    bad = [Record("x", b"no volume", None), Record("text", "words", None), Record("gone", tmp_path / "gone", None)]
    told = nifti.write([good, same, *bad], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_b-1.nii.gz", "a_b.nii.gz"]
    assert "3 records could not be decoded" in told[0]
    with pytest.raises(UserError, match="No record could be written"):
        nifti.write(bad, tmp_path / "none")


def test_names_never_leave_the_folder(put, nii, tmp_path):
    path = put("b.nii", nii(ARRAY))
    nifti.write([Record(name, path, None) for name in ("../../evil.nii", "/etc/x", "..", "")], tmp_path / "out")
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == [
        "etc_x.nii.gz",
        "evil.nii.gz",
        "volume-1.nii.gz",
        "volume.nii.gz",
    ]


def test_without_nibabel_the_install_line_is_given(put, nii, tmp_path, monkeypatch):
    put("x.nii", nii(ARRAY))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingExtra, match=r'pip install "lepton-transfer\[medical\]"'):
        read(str(tmp_path), base=tmp_path)


def test_real_files_are_read_or_refused(real):
    reading = read(str(real("nifti")), base=real("nifti"))
    assert len(reading.records) == 7
    for record in reading.records:
        volume = decode(record.read())
        image = nibabel.load(record.raw)
        assert np.allclose(volume.affine, image.affine)
        wanted = image.get_fdata().reshape(volume.voxels.shape)
        assert np.allclose(volume.voxels, wanted, rtol=1e-5, equal_nan=True)
