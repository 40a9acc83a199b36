"""DICOM pixels and places, held against the definitions of the standard."""

import contextlib
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton.core.errors import BadInput
from lepton.volumes import dicom as headers
from lepton.volumes import pixels
from lepton.volumes.decode import decode, opened

pydicom = pytest.importorskip("pydicom")

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(-1000, 1000, (5, 7)).astype(np.int16)
BIG, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"


def shown(raw):
    """The voxels of a lone slice as (R, C) or (R, C, 3)."""
    volume = decode(raw)
    cut = volume.voxels[:, :, 0].swapaxes(0, 1)
    return cut if volume.colour else cut[..., 0]


@pytest.mark.parametrize("syntax", [BIG, IMPLICIT, DEFLATED, "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.uint8, np.int8, np.uint32])
def test_stored_values_are_what_was_written(dicom, syntax, kind):
    values = RANDOM.integers(0, 120, (5, 7)).astype(kind)
    values[0, 0] = np.iinfo(kind).min
    assert np.array_equal(shown(dicom(values, syntax=syntax)), values)


def test_slope_and_intercept_give_hounsfield_units_as_whole_numbers(dicom):
    found = shown(dicom(GREY.astype(np.uint16) & 0xFFF, bits=12, RescaleSlope=1, RescaleIntercept=-1024))
    assert found.dtype == np.int16
    assert np.array_equal(found, (GREY.astype(np.uint16) & 0xFFF).astype(int) - 1024)
    halves = shown(dicom(GREY, RescaleSlope=0.5, RescaleIntercept=0.25))
    assert np.allclose(halves, GREY * 0.5 + 0.25)


def test_the_window_is_the_standards_linear_one(dicom):
    """PS3.3 C.11.2.1.2.1: below c - 0.5 - (w - 1) / 2 all is black, above c - 0.5 + (w - 1) / 2 white."""
    raw = dicom(GREY, WindowCenter=[40, 500], WindowWidth=[400, 2000])
    assert decode(raw).window == (40 - 0.5 - 399 / 2, 40 - 0.5 + 399 / 2)
    exact = dicom(GREY, WindowCenter=40, WindowWidth=400, VOILUTFunction="LINEAR_EXACT")
    assert decode(exact).window == (-160, 240)
    assert decode(dicom(GREY)).window is None
    assert decode(dicom(GREY, WindowCenter=40, WindowWidth=0)).window is None


def test_a_voi_lut_gives_the_window_of_its_input(dicom):
    table = pydicom.Dataset()
    table.LUTDescriptor = [256, 100, 8]
    table.LUTData = bytes(range(256))
    table["LUTData"].VR = "OW"
    table["LUTDescriptor"].VR = "US"
    raw = dicom(GREY.astype(np.uint16), VOILUTSequence=[table])
    assert decode(raw).window == (100, 355)


def test_monochrome1_is_turned_so_that_bright_is_bright_and_the_window_with_it(dicom):
    stored = np.array([[0, 1], [4000, 4095]], np.uint16)
    raw = dicom(stored, bits=12, PhotometricInterpretation="MONOCHROME1", WindowCenter=1000.5, WindowWidth=101)
    assert shown(raw).tolist() == [[4095, 4094], [95, 0]]
    assert decode(raw).window == (4095 - 1050, 4095 - 950)


def test_signed_monochrome1_with_an_intercept(dicom):
    stored = np.array([[-2048, 0, 2047]], np.int16)
    raw = dicom(stored, bits=12, PhotometricInterpretation="MONOCHROME1", RescaleSlope=1, RescaleIntercept=100)
    assert shown(raw).tolist() == [[2147, 99, -1948]]


def test_colours_and_palettes_become_red_green_blue(dicom):
    colours = RANDOM.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    assert np.array_equal(shown(dicom(colours)), colours)
    planar = dicom(colours, PlanarConfiguration=1, PixelData=colours.transpose(2, 0, 1).tobytes())
    assert np.array_equal(shown(planar), colours)
    names = [f"{name}PaletteColorLookupTable" for name in ("Red", "Green", "Blue")]
    tables = {f"{name}Data": bytes([at, 9, at * 2, 9]) for at, name in enumerate(names)}
    described = {f"{name}Descriptor": [4, 0, 8] for name in names}
    raw = dicom(np.array([[0, 2]], np.uint8), PhotometricInterpretation="PALETTE COLOR", **tables, **described)
    assert shown(raw).tolist() == [[[0, 1, 2], [0, 2, 4]]]


def test_frames_without_places_follow_each_other(dicom):
    film = RANDOM.integers(0, 255, (3, 4, 5)).astype(np.uint8)
    volume = decode(dicom(film, SliceThickness=6, PixelSpacing=[0.3, 0.4]))
    assert not volume.placed
    assert np.array_equal(volume.voxels[..., 0], film.transpose(2, 1, 0))
    assert np.allclose(volume.spacing, (0.4, 0.3, 6))


def test_a_dose_is_scaled_and_placed_by_its_offsets(dicom):
    stored = RANDOM.integers(0, 60_000, (3, 4, 5)).astype(np.uint32)
    raw = dicom(
        stored,
        Modality="RTDOSE",
        DoseGridScaling=0.001,
        GridFrameOffsetVector=[0, -4, -8],
        FrameIncrementPointer=0x3004000C,
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[2, 2],
    )
    volume = decode(raw)
    assert np.allclose(volume.voxels[..., 0], stored[::-1].transpose(2, 1, 0) * 0.001, rtol=1e-6)
    assert np.allclose(volume.affine, [[-2, 0, 0, -1], [0, -2, 0, -2], [0, 0, 4, -5], [0, 0, 0, 1]])


def test_an_enhanced_file_has_places_and_scales_of_its_frames(dicom):
    stored = RANDOM.integers(0, 1000, (3, 4, 5)).astype(np.uint16)

    def group(height, slope):
        place, plane, value = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        plane.ImagePositionPatient = [0, 0, height]
        value.RescaleSlope, value.RescaleIntercept = slope, 0
        place.PlanePositionSequence, place.PixelValueTransformationSequence = [plane], [value]
        return place

    shared, turn, measures = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    turn.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [2, 1], 3
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [turn], [measures]
    raw = dicom(
        stored,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[group(6, 1), group(3, 2), group(0, 4)],
    )
    volume = decode(raw)
    assert np.allclose(volume.spacing, (1, 2, 3))
    assert np.array_equal(volume.voxels[..., 0], (stored * np.array([1, 2, 4])[:, None, None])[::-1].transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Rows": 60_000, "Columns": 60_000}, "is too large"),
        ({"NumberOfFrames": 100_000_000}, "is too large"),
        ({"Rows": 6}, "is cut off"),
        ({"NumberOfFrames": 3}, "is cut off"),
        ({"Rows": 0}, "has no pixels"),
        ({"SamplesPerPixel": 4}, "of a kind that is not read"),
        ({"BitsAllocated": 12}, "of a kind that is not read"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0], "ImagePositionPatient": [0, 0, 0]}, "make no sense"),
    ],
)
def test_what_the_pixels_cannot_be_is_refused_before_they_are_read(dicom, change, reason):
    with pytest.raises(BadInput, match=reason):
        decode(dicom(GREY, **change))


def test_a_file_cut_anywhere_is_refused(dicom):
    raw = dicom(GREY, PatientName="Doe^Jane", PatientID="1234567")
    for end in (*range(0, len(raw) - 1, 7), len(raw) - 1):
        with pytest.raises(BadInput) as caught:
            decode(raw[:end])
        assert "Doe" not in caught.value.message
        assert "1234567" not in caught.value.message


@pytest.mark.parametrize("seed", range(40))
def test_broken_bytes_are_read_or_refused(dicom, seed):
    random = np.random.default_rng(seed)
    raw = bytearray(dicom(GREY, RescaleSlope=2, RescaleIntercept=1, WindowCenter=1, WindowWidth=2))
    for at in random.integers(128, len(raw), 12):
        raw[at] = random.integers(256)
    with contextlib.suppress(BadInput):
        assert decode(bytes(raw), max_voxels=100_000).voxels.size <= 100_000


def test_an_element_that_claims_gigabytes_allocates_none(dicom, tmp_path):
    raw = dicom(GREY, ImageComments="x" * 40)
    at = raw.index(b"\x20\x00\x00\x40LT")
    path = tmp_path / "x.dcm"
    path.write_bytes(raw[: at + 4] + b"UT\0\0" + b"\xf0\xff\xff\xff" + raw[at + 8 :])
    tracemalloc.start()
    stream, size = opened(path)
    with stream, contextlib.suppress(BadInput):
        headers.header(stream, size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_deflated_bomb_is_refused(dicom, monkeypatch):
    monkeypatch.setattr("lepton.volumes.dicom._INFLATED", 1 << 20)
    raw = dicom(GREY, syntax=DEFLATED)
    start = 144 + struct.unpack("<I", raw[140:144])[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = raw[:start] + packer.compress(bytes(1 << 22)) + packer.flush()
    with pytest.raises(BadInput, match="cannot be unpacked"):
        decode(bomb)


def test_what_holds_no_image_says_what_it_is(dicom):
    raw = dicom(GREY, Modality="SR")
    data = pydicom.dcmread(io.BytesIO(raw))
    for name in ("Rows", "Columns", "PixelData"):
        delattr(data, name)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, data)
    with pytest.raises(BadInput, match="structured report"):
        decode(stream.getvalue())


@pytest.mark.parametrize(
    ("code", "size"),
    [
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x05\x00\x07\x01", (7, 5)),
        (b"\xff\xd8\xff\xf7\x00\x0b\x08\x01\x00\x02\x00\x01\x00\x00", (512, 256)),
        (b"\xff\x4f\xff\x51\x00\x29\x00\x00" + struct.pack(">4I", 107, 55, 7, 5), (100, 50)),
        (b"\x01\x00\x00\x00 run lengths", None),
    ],
)
def test_coded_frames_say_their_size(code, size):
    assert pixels.coded_size(code) == size


def test_a_coded_frame_of_another_size_is_refused(dicom):
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(stream, "JPEG")
    frame = stream.getvalue() + b"\0" * (len(stream.getvalue()) % 2)
    values = np.zeros((8, 8), np.uint8)
    coded = {"PixelData": pydicom.encaps.encapsulate([frame])}
    jpeg = "1.2.840.10008.1.2.4.50"
    assert shown(dicom(values, syntax=jpeg, **coded)).shape == (8, 8)
    with pytest.raises(BadInput, match="of another size"):
        decode(dicom(values, syntax=jpeg, Rows=9, **coded))
    with pytest.raises(BadInput, match="cut off|broken"):
        decode(dicom(values, syntax=jpeg, NumberOfFrames=2, **coded))
    with pytest.raises(BadInput, match="larger than it can be"):
        decode(dicom(values, syntax=jpeg, Rows=10_000, Columns=10_000, **coded))
    with pytest.raises(BadInput, match="cut off"):
        decode(dicom(values, syntax=jpeg, NumberOfFrames=200_000, **coded))


def test_a_modality_lut_is_looked_up(dicom):
    table = pydicom.Dataset()
    table.LUTDescriptor = [4, 10, 16]
    table.ModalityLUTType = "HU"
    table.LUTData = np.array([5, 50, 500, 5000], "<u2").tobytes()
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "OW"
    raw = dicom(np.array([[10, 11, 12, 13, 99]], np.uint16), ModalityLUTSequence=[table])
    assert shown(raw).tolist() == [[5, 50, 500, 5000, 5000]]


def test_real_numbers_are_read(dicom):
    values = RANDOM.normal(size=(3, 4)).astype(np.float32)
    data = pydicom.dcmread(io.BytesIO(dicom(values.view(np.uint32))))
    del data.PixelData, data.PixelRepresentation
    data.FloatPixelData = values.tobytes()
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, data)
    assert np.array_equal(shown(stream.getvalue()), values)


def test_lossless_codings_give_the_same_values(dicom):
    values = RANDOM.integers(0, 60_000, (16, 24)).astype(np.uint16)
    data = pydicom.dcmread(io.BytesIO(dicom(values)))
    data.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    runs = io.BytesIO()
    pydicom.dcmwrite(runs, data)
    assert np.array_equal(shown(runs.getvalue()), values)
    code = io.BytesIO()
    Image.fromarray(values).save(code, "JPEG2000", no_jp2=True)
    frame = pydicom.encaps.encapsulate([code.getvalue() + b"\0" * (len(code.getvalue()) % 2)])
    assert np.array_equal(shown(dicom(values, syntax="1.2.840.10008.1.2.4.90", PixelData=frame)), values)


CODINGS = ("RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded")
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"


@pytest.mark.skipif(not SHARED.exists(), reason=f"real data are not at {SHARED}")
@pytest.mark.parametrize(
    "coding", ["RLE", "bigendian", "expb", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded"]
)
def test_real_codings_of_one_image_are_equal(coding):
    plain = decode((SHARED / "MR_small.dcm").read_bytes())
    coded = decode((SHARED / f"MR_small_{coding}.dcm").read_bytes())
    assert np.array_equal(coded.voxels, plain.voxels)
    assert np.allclose(coded.affine, plain.affine)
    assert coded.window == plain.window == (-200, 1399)


@pytest.mark.skipif(not SHARED.exists(), reason=f"real data are not at {SHARED}")
def test_lossless_jpeg_is_read_as_most_archives_have_it():
    coded = shown((SHARED / "SC_rgb_jpeg_gdcm.dcm").read_bytes())
    runs = shown((SHARED / "SC_rgb_rle.dcm").read_bytes())
    assert np.array_equal(coded, runs)
