"""`lepton audit` on medical files: what is set aside, what cannot be decoded, what is doubled."""

import json

import numpy as np
import pytest

from lepton.cli.__main__ import main

pydicom = pytest.importorskip("pydicom")


@pytest.fixture
def scans(dicom, tmp_path):
    """A folder of three X-rays, a copy, one whose code is broken, and a text that calls itself DICOM."""
    random = np.random.default_rng(0)
    broken = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00 \xff\xd9"])
    images = [random.integers(0, 4000, (16, 16)).astype(np.uint16) for _ in range(3)]
    made = {f"{at}.dcm": dicom(image, Modality="CR") for at, image in enumerate(images)}
    made["copy.dcm"] = dicom(images[0], Modality="CR", syntax="1.2.840.10008.1.2.2")
    made["broken.dcm"] = dicom(images[0].astype(np.uint8), syntax="1.2.840.10008.1.2.4.50", PixelData=broken)
    made["text.dcm"] = b"no image"
    for name, raw in made.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def test_what_is_wrong_with_medical_files_is_told(scans, capsys):
    assert main(["audit", str(scans), "--no-models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records"] == 5
    assert [bad["id"] for bad in found["bad"]] == ["text.dcm"]
    named = {item["check"]: {record["id"] for record in item["records"]} for item in found["findings"]}
    assert named["unreadable"] == {"broken.dcm"}
    assert named["exact_duplicates"] & {"0.dcm", "copy.dcm"}


def test_reasons_are_printed_with_their_counts(scans, capsys):
    assert main(["audit", str(scans), "--no-models"]) == 0
    assert "set aside: 1, is no DICOM file, whatever its name says" in capsys.readouterr().out
