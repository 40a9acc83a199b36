import io

import numpy as np
import pytest
from PIL import Image

from lepton.core import pictures
from lepton.core.errors import UserError
from lepton.core.types import Mask
from lepton.formats import _read, image_folders, image_masks

INDEX = np.array([[0, 1], [2, 2]], np.uint8)
BITS = np.array([[0, 255], [255, 0]], np.uint8)
COLOURS = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 0, 255], [255, 0, 0]]], np.uint8)


def encoded(pixels, kind="PNG", mode=None, **options):
    stream = io.BytesIO()
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    (image.convert(mode) if mode else image).save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def pair(put):
    """A picture with its mask, by their names."""

    def make(picture, mask, pixels=INDEX, **options):
        put(picture, encoded(np.zeros((2, 2, 3))))
        put(mask, encoded(pixels, **options))

    return make


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("images/a.png", "masks/a.png"),
        ("train/images/a.png", "train/masks/a.png"),
        ("images/train/a.png", "annotations/train/a.png"),
        ("train/a.png", "trainannot/a.png"),
        ("train/a.png", "train_masks/a_mask.png"),
        ("a.png", "a_mask.png"),
        ("a.jpg.png", "a.jpg_gt.png"),
        ("Image_01L.png", "Image_01L_1stHO.png"),
        ("a_sat.png", "a_mask.png"),
        ("training/images/21_training.png", "training/1st_manual/21_manual1.png"),
        ("JPEGImages/a.png", "SegmentationClass/a.png"),
        ("leftImg8bit/train/x/a_leftImg8bit.png", "gtFine/train/x/a_gtFine_labelIds.png"),
        ("task1_input/a.png", "task1_GroundTruth/a_segmentation.png"),
        ("one/a.png", "two/labels/a.png"),
    ],
)
def test_pictures_and_masks_find_each_other(pair, tmp_path, picture, mask):
    pair(f"set/{picture}", f"set/{mask}")
    reading = _read.read(str(tmp_path / "set"), base=tmp_path)
    [record] = reading.records
    assert (record.id, record.label.path) == (picture, str(tmp_path / "set" / mask))
    assert reading.bad == []


@pytest.mark.parametrize("names", [("mask", "no_mask"), ("with_mask", "without_mask"), ("labels", "boxes")])
def test_classes_that_are_called_masks_are_classes(put, tmp_path, names, png):
    for name in names:
        for number in range(3):
            put(f"set/{name}/{name}{number}.png", png())
    assert not image_masks.sniff(tmp_path / "set")
    assert image_folders.sniff(tmp_path / "set")


def test_for_classification_folders_stay_classes(pair, tmp_path):
    pair("set/images/a.png", "set/masks/a.png")
    records = _read.read(str(tmp_path / "set"), base=tmp_path, modality="image").records
    assert [record.label for record in records] == ["images", "masks"]
    [record] = _read.read(str(tmp_path / "set"), base=tmp_path, modality="image", labels="masks").records
    assert isinstance(record.label, Mask)


@pytest.mark.parametrize(
    ("pixels", "options", "classes"),
    [
        (INDEX, {}, ((0, "0"), (1, "1"), (2, "2"))),
        (INDEX, {"mode": "P"}, ((0, "0"), (1, "1"), (2, "2"))),
        (BITS, {"mode": "1"}, ((0, "background"), (255, "foreground"))),
        (BITS // 255, {}, ((0, "background"), (1, "foreground"))),
        (np.stack([BITS] * 3, -1), {}, ((0, "background"), (255, "foreground"))),
        (COLOURS, {}, (((0, 0, 0), "#000000"), ((0, 0, 255), "#0000ff"), ((255, 0, 0), "#ff0000"))),
    ],
)
def test_what_values_mean_without_names(pair, tmp_path, pixels, options, classes):
    pair("images/a.png", "masks/a.png", pixels, **options)
    [record] = image_masks.read(tmp_path).records
    assert (record.label.classes, record.label.ignored) == (classes, ())


def test_255_beside_small_indices_counts_nowhere(pair, tmp_path):
    pair("images/a.png", "masks/a.png", [[0, 1], [2, 255]])
    reading = image_masks.read(tmp_path)
    assert reading.records[0].label.ignored == (255,)
    assert "255 count nowhere" in reading.notes[0]


@pytest.mark.parametrize(
    ("name", "text", "classes", "ignored"),
    [
        ("classes.txt", "sky\nroad\nvoid\n", ((0, "sky"), (1, "road")), (2,)),
        ("codes.txt", "0 sky\n1 a long road\n2: void\n", ((0, "sky"), (1, "a long road")), (2,)),
        (
            "class_dict.csv",
            "name,r,g,b\nsky,0,0,0\nred car,255,0,0\n",
            (((0, 0, 0), "sky"), ((255, 0, 0), "red car")),
            (),
        ),
        ("label_colors.txt", "0 0 0\tsky\n255 0 0\t\tcar\n", (((0, 0, 0), "sky"), ((255, 0, 0), "car")), ()),
        ("labelmap.txt", "# label:color\nsky:0,0,0::\ncar:255,0,0::\n", (((0, 0, 0), "sky"), ((255, 0, 0), "car")), ()),
    ],
)
def test_names_from_files(pair, put, tmp_path, name, text, classes, ignored):
    pair("images/a.png", "masks/a.png")
    put(name, text)
    [record] = image_masks.read(tmp_path).records
    assert (record.label.classes, record.label.ignored) == (classes, ignored)


def test_names_and_the_ignored_from_settings(pair, tmp_path):
    pair("images/a.png", "masks/a.png")
    [record] = image_masks.read(tmp_path, classes=["sky", "road"], ignore=2).records
    assert record.label == Mask(str(tmp_path / "masks" / "a.png"), ((0, "sky"), (1, "road")), (2,))
    assert pictures.classes(record.label).tolist() == [[0, 1], [pictures.IGNORED] * 2]


def test_two_names_are_those_of_two_values(pair, tmp_path):
    pair("images/a.png", "masks/a.png", BITS)
    [record] = image_masks.read(tmp_path, classes=["eye", "vessel"]).records
    assert record.label.classes == ((0, "eye"), (255, "vessel"))


def test_blurred_black_and_white_are_told_apart(pair, tmp_path):
    pixels = np.zeros((32, 32), np.uint8)
    pixels[8:24, 8:24] = 255
    pair("images/a.png", "masks/a.jpg", pixels, kind="JPEG", quality=80)
    [record] = image_masks.read(tmp_path).records
    assert np.array_equal(pictures.classes(record.label), pixels // 255)


def test_blurred_indices_are_refused(pair, tmp_path):
    pair("images/a.png", "masks/a.jpg", np.arange(256).reshape(16, 16), kind="JPEG")
    with pytest.raises(UserError, match="JPEG blurs"):
        image_masks.read(tmp_path)


def test_two_annotators(pair, put, tmp_path):
    for name in ("Image_01L", "Image_01R", "Image_02L"):
        pair(f"{name}.png", f"{name}_1stHO.png", BITS)
        put(f"{name}_2ndHO.png", encoded(BITS))
    first = image_masks.read(tmp_path, pattern="Image_{child:2}{eye}").records
    assert [record.fields["child"] for record in first] == ["01", "01", "02"]
    assert first[0].fields["mask_2ndHO"] == "Image_01L_2ndHO.png"
    assert first[0].label.path.endswith("Image_01L_1stHO.png")
    second = image_masks.read(tmp_path, label="2ndHO").records
    assert second[0].label.path.endswith("Image_01L_2ndHO.png")
    with pytest.raises(UserError, match="1stHO"):
        image_masks.read(tmp_path, label="3rdHO")


def test_what_has_no_mask_or_no_picture_is_told(pair, put, tmp_path):
    pair("images/a.png", "masks/a.png")
    put("images/b.png", encoded(INDEX))
    put("masks/c.png", encoded(INDEX))
    put("images/d.png", encoded(INDEX))
    put("masks/d.png", b"")
    reading = image_masks.read(tmp_path)
    assert [record.id for record in reading.records] == ["images/a.png"]
    assert [(bad.id, bad.reason) for bad in reading.bad] == [
        ("images/b.png", "has no mask"),
        ("images/d.png", "is empty (0 bytes)"),
    ]
    assert reading.notes[-1] == "1 masks without a picture, such as masks/c.png"


def test_no_mask_that_can_be_read_is_refused(put, tmp_path):
    put("images/a.png", encoded(INDEX))
    put("masks/a.png", b"no picture")
    with pytest.raises(UserError, match="None of the masks can be read"):
        image_masks.read(tmp_path)


@pytest.mark.parametrize("pixels", [INDEX, BITS, COLOURS])
def test_written_and_read_again(pair, tmp_path, pixels):
    for split in ("train", "val"):
        pair(f"set/{split}/images/a.png", f"set/{split}/masks/a.png", pixels)
    before = image_masks.read(tmp_path / "set").records
    image_masks.write(before, tmp_path / "new")
    after = image_masks.read(tmp_path / "new").records
    assert [record.split for record in after] == ["train", "validation"]
    assert after[0].label.classes == before[0].label.classes
    assert np.array_equal(pictures.classes(after[0].label), pictures.classes(before[0].label))
    assert after[0].read() == before[0].read()


def test_masks_that_mean_different_things_are_not_written_together(pair, tmp_path):
    pair("a/images/a.png", "a/masks/a.png", INDEX)
    pair("b/images/a.png", "b/masks/a.png", BITS)
    records = [*image_masks.read(tmp_path / "a").records, *image_masks.read(tmp_path / "b").records]
    with pytest.raises(UserError, match="other classes"):
        image_masks.write(records, tmp_path / "new")


def test_street_scenes(real):
    records = _read.read(str(real("camvid")), base=real("camvid")).records
    splits = [record.split for record in records]
    assert [splits.count(split) for split in ("train", "validation", "test")] == [120, 30, 60]
    assert records[0].label.classes == tuple((value, str(value)) for value in range(12))


def test_vessels_by_two_people(real):
    pattern = "Image_{child:2}{eye}"
    records = _read.read(str(real("chase-retina")), base=real("chase-retina"), pattern=pattern).records
    assert len(records) == 28
    assert len({record.fields["child"] for record in records}) == 14
    assert all("mask_2ndHO" in record.fields for record in records)
