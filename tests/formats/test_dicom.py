"""DICOM folders: series, classes, patients, and what is no image."""

import gzip
import io
import shutil
import sys

import numpy as np
import pytest

from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Files
from lepton.formats import _pseudonyms
from lepton.formats import dicom as format_
from lepton.formats._read import read
from lepton.volumes.decode import decode

pydicom = pytest.importorskip("pydicom")

VALUES = np.random.default_rng(0).integers(0, 1000, (4, 3, 5)).astype(np.int16)


def by_id(reading):
    return {record.id: record for record in reading.records}


def test_a_series_is_one_record_at_its_first_slice(put, slices, tmp_path):
    for at, raw in enumerate(slices(VALUES, PatientID="7", Modality="CT", BodyPartExamined="CHEST")):
        put(f"scan/{9 - at}", raw)
    assert format_.sniff(tmp_path)
    (record,) = read(str(tmp_path), base=tmp_path).records
    assert record.id == "scan/9"
    assert record.label is None
    assert isinstance(record.raw, Files)
    wanted = {"modality": "CT", "body_part": "CHEST", "slices": "4", "spacing": "0.75 0.5 2.5"}
    assert wanted.items() <= record.fields.items()
    assert np.array_equal(decode(record.read()).voxels[..., 0], VALUES.transpose(2, 1, 0))


def test_without_series_each_file_is_a_record(put, slices, tmp_path):
    for at, raw in enumerate(slices(VALUES)):
        put(f"scan/{at}.dcm", raw)
    assert list(by_id(format_.read(tmp_path, series=False))) == [f"scan/{at}.dcm" for at in range(4)]


def test_several_directions_of_one_series_are_several_records(put, slices, tmp_path):
    """As scouts have them: the same SeriesInstanceUID for views from the front and from the side."""
    uid = pydicom.uid.generate_uid()
    for at, directions in enumerate([(1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1), (0, 1, 0, 0, 0, -1)]):
        put(f"{at}", slices(VALUES[:1], directions=directions, SeriesInstanceUID=uid)[0])
    assert len(format_.read(tmp_path).records) == 3


def test_a_series_with_a_slice_missing_is_set_aside_with_the_way_out(put, slices, tmp_path):
    for at, raw in enumerate(slices(VALUES)):
        if at != 1:
            put(f"{at}", raw)
    put("whole", slices(VALUES[:1])[0])
    reading = format_.read(tmp_path)
    assert list(by_id(reading)) == ["whole"]
    assert "2.5 to 5 mm apart" in reading.bad[0].reason
    assert "series = false" in reading.bad[0].reason
    assert len(format_.read(tmp_path, series=False).records) == 4


def test_a_doubled_slice_is_set_aside_and_equal_lone_images_are_not(put, slices, dicom, tmp_path):
    for at, raw in enumerate([*slices(VALUES), dicom(VALUES[0])]):
        put(f"{at}", raw)
    shutil.copy(tmp_path / "2", tmp_path / "2 copy")
    shutil.copy(tmp_path / "4", tmp_path / "4 copy")
    reading = format_.read(tmp_path)
    assert [(bad.id, bad.reason) for bad in reading.bad] == [("2 copy", "is a copy of 2")]
    assert list(by_id(reading)) == ["0", "4", "4 copy"]


def test_class_folders_give_labels_and_splits(put, dicom, tmp_path):
    for split in ("train", "test"):
        for label in ("sound", "ill"):
            for at in range(2):
                put(f"{split}/{label}/{at}.dcm", dicom(VALUES[0], PatientID=f"{split}{label}{at}"))
    records = by_id(format_.read(tmp_path))
    assert len(records) == 8
    assert (records["test/ill/0.dcm"].label, records["test/ill/0.dcm"].split) == ("ill", "test")


def test_folders_of_patients_are_no_classes(put, dicom, tmp_path):
    for patient in ("anna", "berta", "cleo"):
        for at in range(2):
            put(f"{patient}/{at}.dcm", dicom(VALUES[0], PatientID=patient.upper()))
    reading = format_.read(tmp_path)
    assert {record.label for record in reading.records} == {None}
    assert len({record.fields["patient"] for record in reading.records}) == 3
    assert any("hold one patient each" in note for note in reading.notes)


def test_a_table_gives_labels_and_fields(put, dicom, tmp_path):
    for at in range(3):
        put(f"images/{at}.dcm", dicom(VALUES[0]))
    rows = ["file,label,side,split", "images/0.dcm,ill,left,train", "images/1.dcm,sound,right,test", "9.dcm,ill,,train"]
    put("list.csv", "\n".join(rows))
    reading = read(str(tmp_path), base=tmp_path)
    assert [(record.id, record.label, record.split) for record in reading.records] == [
        ("list.csv#0", "ill", "train"),
        ("list.csv#1", "sound", "test"),
    ]
    assert reading.records[0].fields["side"] == "left"
    assert "there is no file" in reading.bad[0].reason


def test_a_pattern_names_the_label(put, dicom, tmp_path):
    for name in ("ill_1.dcm", "sound_2.dcm"):
        put(name, dicom(VALUES[0]))
    records = read(str(tmp_path), base=tmp_path, pattern="{label}_{number}").records
    assert [(record.label, record.fields["number"]) for record in records] == [("ill", "1"), ("sound", "2")]


def test_patients_are_known_by_pseudonyms_alone(put, dicom, tmp_path):
    who = {"PatientName": "Doe^Jane", "PatientID": "1234567", "StudyInstanceUID": "1.2.3.4.5"}
    put("a.dcm", dicom(VALUES[0], **who))
    put("b.dcm", dicom(VALUES[1], **who))
    put("c.dcm", dicom(VALUES[2], **{**who, "PatientID": "1234568"}))
    put("cut.dcm", dicom(VALUES[2], **who)[:-20])
    reading = format_.read(tmp_path)
    one, two, other = (record.fields for record in reading.records)
    assert one["patient"] == two["patient"] != other["patient"]
    assert one["study"] == other["study"]
    told = f"{reading.bad} {reading.notes} {[(record.id, record.fields) for record in reading.records]}"
    assert not any(word in told for word in ("Doe", "123456", "1.2.3.4.5"))


def test_pseudonyms_hang_on_a_key_that_only_the_user_can_read(tmp_path, monkeypatch):
    first = _pseudonyms.pseudonym("patient", "7")
    key = tmp_path / ".state" / "lepton" / "pseudonyms.key"
    assert key.stat().st_mode & 0o777 == 0o600
    _pseudonyms._key.cache_clear()
    assert _pseudonyms.pseudonym("patient", "7") == first
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert _pseudonyms.pseudonym("patient", "7") != first


def test_where_the_key_cannot_be_kept_it_lasts_as_long_as_the_process(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert _pseudonyms.pseudonym("patient", "7") == _pseudonyms.pseudonym("patient", "7")


def test_laterality_is_that_of_the_image_or_the_body_part(put, dicom, tmp_path):
    put("a.dcm", dicom(VALUES[0], ImageLaterality="L", Laterality="R"))
    put("b.dcm", dicom(VALUES[1], Laterality="R"))
    put("c.dcm", dicom(VALUES[2]))
    assert [record.fields.get("laterality") for record in format_.read(tmp_path).records] == ["L", "R", None]


def test_what_is_no_image_is_set_aside_in_plain_words(put, dicom, slices, nii, tmp_path):
    data = pydicom.dcmread(io.BytesIO(dicom(VALUES[0], Modality="RTPLAN")))
    del data.Rows, data.Columns, data.PixelData
    plan = io.BytesIO()
    pydicom.dcmwrite(plan, data)
    put("good.dcm.gz", gzip.compress(dicom(VALUES[0])))
    put("plan", plan.getvalue())
    put("cut.dcm", dicom(VALUES[0])[:-2])
    put("header.dcm", dicom(VALUES[0])[:200])
    put("huge.dcm", dicom(VALUES[0], Rows=60_000, Columns=60_000))
    put("text.dcm", "no DICOM at all")
    put("empty.dcm", "")
    put("brain.nii", nii(VALUES))
    put("surface.gii", "<?xml ?>")
    put("README.md", "about")
    reading = format_.read(tmp_path)
    assert list(by_id(reading)) == ["good.dcm.gz"]
    reasons = {bad.id: bad.reason for bad in reading.bad}
    assert len(reasons) == 8
    for name, reason in {
        "plan": "plan for radiotherapy",
        "cut.dcm": "cut off",
        "header.dcm": "",
        "huge.dcm": "too large",
        "text.dcm": "is no DICOM file",
        "empty.dcm": "is empty",
        "brain.nii": 'format = "nifti"',
        "surface.gii": "no volume",
    }.items():
        assert reason in reasons[name]
    assert reading.notes == ["1 file not read, being no medical files: .md 1"]


def test_a_file_alone_is_read_and_what_is_none_is_refused(put, dicom, tmp_path):
    path = put("x.dcm", dicom(VALUES[0]))
    assert format_.sniff(path)
    assert [record.id for record in format_.read(path).records] == ["x.dcm"]
    other = put("other/x.txt", "text")
    with pytest.raises(UserError, match="holds no DICOM file"):
        format_.read(other)


def test_without_pydicom_the_install_line_is_given(put, dicom, tmp_path, monkeypatch):
    put("x.dcm", dicom(VALUES[0]))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtra, match=r'pip install "lepton-transfer\[medical\]"'):
        read(str(tmp_path), base=tmp_path)


def test_real_files_are_read_or_refused(real):
    reading = read(str(real("dicom")), base=real("dicom"))
    ids = [record.id for record in reading.records] + [bad.id for bad in reading.bad]
    assert len(ids) == len(set(ids))
    assert len(reading.records) >= 80
    assert all(bad.reason for bad in reading.bad)
