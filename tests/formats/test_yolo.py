import pytest

from lepton.core.errors import UserError
from lepton.core.types import Box
from lepton.formats import _read, yolo

YAML = "train: images/train\nval: images/val\nnames:\n  0: cat\n  1: no\n"


@pytest.fixture
def made(put, png):
    """A data set with a picture of 40 x 20 in each of two splits; the first has these lines."""

    def make(lines="1 0.5 0.5 0.25 0.5\n", yaml=YAML):
        for split in ("train", "val"):
            put(f"set/images/{split}/a.png", png(size=(40, 20)))
        put("set/labels/train/a.txt", lines)
        put("set/data.yaml", yaml)

    return make


def test_boxes_are_in_pixels_and_names_are_texts(made, tmp_path):
    made()
    reading = _read.read(str(tmp_path / "set"), base=tmp_path)
    assert [(record.id, record.split, record.label) for record in reading.records] == [
        ("images/train/a.png", "train", (Box(15, 5, 25, 15, "no"),)),
        ("images/val/a.png", "validation", ()),
    ]
    assert reading.notes == ["1 pictures without a file of labels are read as holding nothing"]


def test_an_outline_becomes_the_box_around_it(made, tmp_path):
    made("0 0.1 0.2 0.5 0.2 0.3 0.6\n")
    reading = yolo.read(tmp_path / "set")
    assert reading.records[0].label == (Box(4, 4, 20, 12, "cat"),)
    assert "1 outlines left aside: the boxes around them were read" in reading.notes


@pytest.mark.parametrize(
    "yaml",
    [
        "train: ../images/train\nval: ../images/val\nnames: [cat, dog]\n",
        "path: /elsewhere/data\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n",
        "train: /somewhere/set/images/train\nval: ./images/val\nnames: [cat, dog]\n",
    ],
)
def test_folders_as_other_machines_name_them(made, tmp_path, yaml):
    made(yaml=yaml)
    assert [record.split for record in yolo.read(tmp_path / "set").records] == ["train", "validation"]


def test_lists_of_pictures(made, put, tmp_path):
    made(yaml="train: train.txt\nnames: [cat, dog]\n")
    put("set/train.txt", "./images/train/a.png\n../../secret.png\n")
    [record] = yolo.read(tmp_path / "set").records
    assert (record.id, record.split) == ("images/train/a.png", "train")


def test_classes_beside_labels_without_a_yaml(put, png, tmp_path):
    put("classes.txt", "cat\ndog\n")
    put("images/a.png", png(size=(10, 10)))
    put("labels/a.txt", "1 0.5 0.5 1 1\n")
    [record] = _read.read(str(tmp_path), base=tmp_path).records
    assert record.label == (Box(0, 0, 10, 10, "dog"),)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("2 0.5 0.5 1 1", "which has no name"),
        ("0.5 0.5 0.5 1 1", "which has no name"),
        ("cat 0.5 0.5 1 1", "no class with four numbers"),
        ("0 0.5 0.5 1", "no class with four numbers"),
        ("0 0.5 0.5 1 1 0.9", "no class with four numbers"),
        ("0 0.5 0.5 inf 1", "no class with four numbers"),
        ("0", "no class with four numbers"),
    ],
)
def test_a_wrong_line_sets_its_picture_aside(made, tmp_path, lines, reason):
    made(lines)
    reading = yolo.read(tmp_path / "set")
    [bad] = reading.bad
    assert bad.id == "images/train/a.png"
    assert reason in bad.reason


def test_a_picture_that_is_none_is_set_aside(made, put, tmp_path):
    made()
    put("set/images/train/a.png", "no picture")
    [bad] = yolo.read(tmp_path / "set").bad
    assert "cannot be opened" in bad.reason


@pytest.mark.parametrize(
    "yaml",
    [
        "train: ../../other\nnames: [cat]\n",
        "train: gone\nnames: [cat]\n",
        "train: images/train\nnames: {first: cat}\n",
        "train: images/train\nnames: [[cat]]\n",
    ],
)
def test_what_leads_nowhere_or_names_wrongly_is_refused(made, put, png, tmp_path, yaml):
    put("other/b.png", png())
    made(yaml=yaml)
    with pytest.raises(UserError):
        yolo.read(tmp_path / "set")


def test_aliases_that_grow_are_not_followed(made, tmp_path):
    grown = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    made(yaml=f"a0: &a0 [x]\n{grown}train: images/train\nnames: [*a11]\n")
    with pytest.raises(UserError, match="names its classes wrongly"):
        yolo.read(tmp_path / "set")


def test_a_lone_folder_that_names_no_split_is_none(put, png, tmp_path):
    put("images/a.png", png())
    put("data.yaml", "train: images\nnames: [cat]\n")
    assert [record.split for record in yolo.read(tmp_path).records] == [None]
