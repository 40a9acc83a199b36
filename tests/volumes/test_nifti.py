"""NIfTI, held against nibabel, which defines it in Python."""

import gzip
import io

import numpy as np
import pytest

from lepton.core.errors import BadInput
from lepton.volumes import nifti
from lepton.volumes.decode import decode, unpacked
from lepton.volumes.volume import picture

nibabel = pytest.importorskip("nibabel")

RANDOM = np.random.default_rng(2)
OBLIQUE = np.array([[1.9, 0.2, 0.4, -50], [-0.3, 2.8, 0.5, 20], [-0.4, -0.5, 3.7, 7], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
@pytest.mark.parametrize("number", ["u1", "i1", "<i2", ">i2", "<u2", ">i4", "<f4", ">f8", "<i8"])
def test_voxels_and_affine_are_nibabels(nii, kind, number):
    array = RANDOM.integers(0, 100, (2, 3, 4)).astype(number)
    raw = nii(array, OBLIQUE, kind=kind)
    volume = decode(raw)
    image = getattr(nibabel, kind).from_bytes(raw)
    assert np.allclose(volume.voxels[..., 0], image.get_fdata())
    assert np.allclose(volume.affine, image.affine)
    assert volume.orientation == "".join(nibabel.aff2axcodes(image.affine))
    assert np.allclose(volume.spacing, nibabel.affines.voxel_sizes(image.affine))
    assert volume.voxels.dtype.isnative


def test_slope_window_and_time_are_read(nii):
    array = RANDOM.integers(0, 100, (2, 3, 4, 5)).astype(np.int16)
    raw = nii(
        array, scl_slope=0.5, scl_inter=-3, cal_min=1, cal_max=20, xyzt_units=18, pixdim=[1, 2, 3, 4, 2500, 1, 1, 1]
    )
    volume = decode(raw)
    assert np.allclose(volume.voxels, array * 0.5 - 3)
    assert (volume.window, volume.interval) == ((1, 20), 2.5)
    assert nifti.decode(nifti.encode(volume)).interval == pytest.approx(2.5)


def test_a_quaternion_serves_where_there_is_no_sform(nii):
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), None)
    square = np.diag([2.0, 2, 2, 1]) @ nibabel.affines.from_matvec(
        nibabel.eulerangles.euler2mat(0.1, 0.2, 0.3), [1, 2, 3]
    )
    image.set_qform(square, 1)
    image.set_sform(None, 0)
    volume = decode(image.to_bytes())
    assert volume.placed
    assert np.allclose(volume.affine, square, atol=1e-5)


def test_without_either_only_the_spacing_is_known(nii):
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), None)
    image.header.set_zooms((2, 3, 4))
    image.header["sform_code"] = image.header["qform_code"] = 0
    volume = decode(image.to_bytes())
    assert not volume.placed
    assert np.allclose(volume.spacing, (2, 3, 4))
    assert np.array_equal(nifti.decode(nifti.encode(volume)).affine, volume.affine)


def test_a_picture_without_a_place_is_not_turned_over(dicom):
    pytest.importorskip("pydicom")
    volume = decode(dicom(RANDOM.integers(0, 100, (3, 4)).astype(np.uint8), PixelSpacing=[0.2, 0.3]))
    back = nifti.decode(nifti.encode(volume))
    assert not volume.placed
    assert np.allclose(back.affine, volume.affine)
    assert np.array_equal(picture(back), picture(volume))


def test_colours_come_back(nii):
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    array = RANDOM.integers(0, 256, (2, 3, 4, 3)).astype(np.uint8)
    volume = decode(nii(array.view(kind)[..., 0]))
    assert volume.colour
    assert np.array_equal(volume.voxels, array)
    assert np.array_equal(nifti.decode(nifti.encode(volume)).voxels, array)


def test_a_written_file_is_nibabels_and_says_nothing_of_the_patient(nii):
    volume = decode(
        nii(RANDOM.normal(size=(2, 3, 4)).astype(np.float32), OBLIQUE, descrip=b"Jane Doe", aux_file=b"7654321")
    )
    image = nibabel.Nifti1Image.from_bytes(nifti.encode(volume))
    assert np.allclose(image.affine, OBLIQUE, atol=1e-5)
    assert np.array_equal(image.get_fdata().astype(np.float32), volume.voxels[..., 0])
    assert b"Doe" not in image.to_bytes()
    assert b"7654321" not in image.to_bytes()
    assert image.header.get_xyzt_units() == ("mm", "sec")


def test_packed_files_and_pairs_are_read(nii, zipped):
    array = RANDOM.integers(0, 100, (2, 3, 4)).astype(np.int16)
    raw = nii(array)
    for packed in (
        gzip.compress(raw),
        gzip.compress(raw[:200]) + gzip.compress(raw[200:]),
        gzip.compress(raw) + bytes(9),
    ):
        assert np.array_equal(decode(packed).voxels[..., 0], array)
    pair = nibabel.Nifti1Pair(array, OBLIQUE)
    files = pair.make_file_map({"header": io.BytesIO(), "image": io.BytesIO()})
    pair.to_file_map(files)
    header, image = (files[name].fileobj.getvalue() for name in ("header", "image"))
    for parts in ((header, image), (image, header), (header, gzip.compress(image))):
        volume = decode(zipped(parts, ["0/x.hdr", "1/x.img"]))
        assert np.array_equal(volume.voxels[..., 0], array)
        assert np.allclose(volume.affine, OBLIQUE)
    with pytest.raises(BadInput, match="header of a NIfTI pair"):
        decode(header)


def test_pieces_of_every_length_are_unpacked_whole(monkeypatch):
    monkeypatch.setattr("lepton.volumes.decode._PIECE", 64)
    for length in range(1, 400):
        assert unpacked(gzip.compress(bytes(length)), 1000) == bytes(length)


def test_packing_gives_the_same_bytes_again():
    assert nifti.packed(b"volume") == nifti.packed(b"volume")
    assert gzip.decompress(nifti.packed(b"volume")) == b"volume"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dim": [3, 30_000, 30_000, 30_000, 1, 1, 1, 1]}, "too large"),
        ({"dim": [3, 300, 300, 300, 1, 1, 1, 1]}, "cut off"),
        ({"dim": [3, 2, -3, 4, 1, 1, 1, 1]}, "no sensible shape"),
        ({"dim": [9, 2, 3, 4, 1, 1, 1, 1]}, "no sensible shape"),
        ({"dim": [6, 2, 3, 2, 1, 1, 2, 1]}, "too many dimensions"),
        ({"datatype": 32}, "kind that is not read"),
        ({"datatype": 1999}, "no known kind of number"),
        ({"vox_offset": -8}, "sensible place"),
        ({"vox_offset": np.nan}, "sensible place"),
        ({"srow_x": [0, 0, 0, 0]}, "maps the voxels on no volume"),
        ({"srow_y": [np.nan, 0, 0, 0]}, "maps the voxels on no volume"),
        ({"intent_code": 3006}, "CIFTI"),
    ],
)
def test_what_a_header_cannot_be_is_refused(nii, fields, reason):
    raw = nii(np.zeros((2, 3, 4), np.int16))
    header = nibabel.Nifti1Header(raw[:348], check=False)
    for name, value in fields.items():
        header[name] = value
    with pytest.raises(BadInput, match=reason):
        decode(header.binaryblock + raw[348:])


def test_a_file_cut_anywhere_is_refused(nii):
    raw = nii(np.zeros((2, 3, 4), np.int16))
    packed = gzip.compress(raw)
    for cut in (*(raw[:end] for end in range(0, len(raw), 11)), *(packed[:end] for end in range(len(packed)))):
        with pytest.raises(BadInput):
            decode(cut)


@pytest.mark.parametrize("seed", range(40))
def test_broken_headers_are_read_or_refused(nii, seed):
    random = np.random.default_rng(seed)
    raw = bytearray(nii(np.zeros((2, 3, 4), np.int16)))
    for at in random.integers(4, 344, 8):
        raw[at] = random.integers(256)
    try:
        volume = decode(bytes(raw), max_voxels=10_000)
    except BadInput:
        return
    assert volume.voxels.size <= 10_000
    assert np.isfinite(volume.affine).all()


def test_a_packed_bomb_is_refused():
    bomb = gzip.compress(bytes(1 << 27))
    with pytest.raises(BadInput, match="too large unpacked"):
        decode(bomb, max_voxels=1000)
