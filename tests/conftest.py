"""What all tests share: no clock for hypothesis, and tiny DICOM and NIfTI files by the libraries that define them."""

import io
import zipfile

import hypothesis
import numpy as np
import pytest

# How long an example takes tells of the machine and who else is on it, not of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

AXIAL = (1, 0, 0, 0, 1, 0)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Pseudonyms' keys are drawn and kept in the temporary folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))


@pytest.fixture
def dicom():
    """Bytes of a DICOM file: dicom(stored values (R, C), (F, R, C) or with colours; elements by keyword)."""
    pydicom = pytest.importorskip("pydicom")

    def make(pixels, *, syntax="1.2.840.10008.1.2.1", bits=None, **elements):
        pixels = np.asarray(pixels)
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        data.SOPInstanceUID = pydicom.uid.generate_uid()
        colours = pixels.ndim > 2 and pixels.shape[-1] == 3
        frames = pixels.shape[0] if pixels.ndim - colours == 3 else None
        data.Rows, data.Columns = pixels.shape[-3:-1] if colours else pixels.shape[-2:]
        data.SamplesPerPixel = 3 if colours else 1
        data.PhotometricInterpretation = "RGB" if colours else "MONOCHROME2"
        if colours:
            data.PlanarConfiguration = 0
        if frames:
            data.NumberOfFrames = frames
        data.BitsAllocated = pixels.dtype.itemsize * 8
        data.BitsStored = bits or data.BitsAllocated
        data.HighBit = data.BitsStored - 1
        data.PixelRepresentation = int(pixels.dtype.kind == "i")
        big = syntax == "1.2.840.10008.1.2.2"
        stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
        data.PixelData = stored + b"\0" * (len(stored) % 2)
        data["PixelData"].VR = "OB" if data.BitsAllocated == 8 else "OW"
        for name, value in elements.items():
            setattr(data, name, value)
        stream = io.BytesIO()
        pydicom.dcmwrite(stream, data, enforce_file_format=True)
        return stream.getvalue()

    return make


@pytest.fixture
def slices(dicom):
    """Files of a series in the order of its slices: slices(values (K, R, C), directions=, step=, origin=, spacing=)."""
    pydicom = pytest.importorskip("pydicom")

    def make(values, *, directions=AXIAL, step=(0, 0, 2.5), origin=(-10, -20, 30), spacing=(0.5, 0.75), **elements):
        first = pydicom.uid.generate_uid()
        elements = {"SeriesInstanceUID": first, "StudyInstanceUID": first, "SliceThickness": 2.5, **elements}
        return [
            dicom(
                page,
                ImagePositionPatient=[float(f"{c:.8g}") for c in np.add(origin, at * np.asarray(step, float))],
                ImageOrientationPatient=[float(f"{c:.8g}") for c in directions],
                PixelSpacing=list(spacing),
                InstanceNumber=at + 1,
                **elements,
            )
            for at, page in enumerate(np.asarray(values))
        ]

    return make


@pytest.fixture
def zipped():
    """A zip of files, in their order."""

    def make(parts, names=None):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for at, part in enumerate(parts):
                archive.writestr(names[at] if names else f"{at}.dcm", part)
        return stream.getvalue()

    return make


@pytest.fixture
def nii():
    """Bytes of a NIfTI file: nii(array, affine, kind=, **header fields)."""
    nibabel = pytest.importorskip("nibabel")

    def make(array, affine=None, *, kind="Nifti1Image", **fields):
        placed = np.diag([2.0, 3.0, 4.0, 1.0]) if affine is None else affine
        image = getattr(nibabel, kind)(array, placed, dtype=array.dtype)
        for name, value in fields.items():
            image.header[name] = value
        return image.to_bytes()

    return make
