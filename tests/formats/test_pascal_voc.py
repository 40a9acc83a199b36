import pytest

from lepton.core.errors import UserError
from lepton.core.types import Box
from lepton.formats import _read, pascal_voc

OBJECT = "<object><name>{}</name><difficult>{}</difficult><bndbox>{}</bndbox></object>"


def frame(*edges):
    names = ("xmin", "ymin", "xmax", "ymax")
    return "".join(f"<{name}>{edge}</{name}>" for name, edge in zip(names, edges, strict=True))


def annotation(name, *objects, before=""):
    return f"{before}<annotation><filename>{name}</filename>{''.join(objects)}</annotation>"


@pytest.fixture
def voc(put, png):
    """A data set of a picture in each split, with one box each."""

    def make(**lists):
        for name in ("a", "b", "c"):
            put(f"set/JPEGImages/{name}.png", png(size=(40, 30)))
            put(f"set/Annotations/{name}.xml", annotation(f"{name}.png", OBJECT.format("cat", 0, frame(1, 2, 30, 20))))
        for name, stems in lists.items():
            put(f"set/ImageSets/Main/{name}.txt", "".join(f"{stem}\n" for stem in stems))

    return make


def test_boxes_and_splits(voc, tmp_path):
    voc(train="a", val="b", trainval="ab", test="c")
    reading = _read.read(str(tmp_path / "set"), base=tmp_path)
    assert [(record.id, record.split) for record in reading.records] == [
        ("JPEGImages/a.png", "train"),
        ("JPEGImages/b.png", "validation"),
        ("JPEGImages/c.png", "test"),
    ]
    assert {record.label for record in reading.records} == {(Box(1, 2, 30, 20, "cat"),)}
    assert (reading.bad, reading.notes) == ([], [])


def test_trainval_is_train_where_there_is_no_other(voc, tmp_path):
    voc(trainval="ab", test="c")
    splits = [record.split for record in pascal_voc.read(tmp_path / "set").records]
    assert splits == ["train", "train", "test"]


def test_a_picture_in_no_list_is_told(voc, tmp_path):
    voc(train="ab")
    reading = pascal_voc.read(tmp_path / "set")
    assert reading.records[2].split is None
    assert reading.notes == ["1 picture in no list of train"]


def test_annotations_beside_pictures_and_in_other_folders(put, png, tmp_path):
    put("x/images/a.png", png())
    put("x/annotations/a.xml", annotation("of another name.jpg"))
    put("y/b.png", png())
    put("y/b.xml", annotation("b.png"))
    assert [record.id for record in pascal_voc.read(tmp_path / "x").records] == ["images/a.png"]
    assert [record.id for record in pascal_voc.read(tmp_path / "y").records] == ["b.png"]


def test_difficult_ones_are_counted(put, png, tmp_path):
    put("a.png", png())
    put("a.xml", annotation("a.png", OBJECT.format("cat", 1, frame(0, 0, 1, 1))))
    assert pascal_voc.read(tmp_path).notes == ["1 boxes marked as difficult were read like the others"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<annotation><filename>a.png</filename>", "it is no XML"),
        (annotation("a.png", OBJECT.format("", 0, frame(0, 0, 1, 1))), "an object without a name"),
        (annotation("a.png", OBJECT.format("cat", 0, frame(0, 0, 1, "wide"))), "without four numbers"),
        (annotation("a.png", OBJECT.format("cat", 0, frame(0, 0, 1, "nan"))), "without four numbers"),
        (annotation("a.png", "<object><name>cat</name></object>"), "without four numbers"),
        (annotation("../../secret.png"), "outside of the data set's folder"),
        (annotation("/etc/passwd"), "relative to the data set's folder"),
        (annotation("c.png"), "there is no picture"),
        (annotation("a.png", before='<!DOCTYPE a [<!ENTITY b "c">]>'), "it has a document type"),
    ],
)
def test_what_is_wrong_is_set_aside(put, png, tmp_path, text, reason):
    put("secret.png", png())
    put("set/deep/b.png", png())
    put("set/deep/b.xml", annotation("b.png"))
    if "a.png" in text:
        put("set/deep/a.png", png())
    put("set/deep/e.xml", text)
    reading = pascal_voc.read(tmp_path / "set")
    assert [record.id for record in reading.records] == ["deep/b.png"]
    [bad] = reading.bad
    assert reason in bad.reason


def test_entities_are_not_expanded(put, png, tmp_path):
    laughs = "".join(f'<!ENTITY l{n} "&l{n - 1};&l{n - 1};&l{n - 1};&l{n - 1};">' for n in range(1, 40))
    put("a.png", png())
    put("a.xml", annotation("&l39;", before=f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>'))
    put("b.xml", annotation("file", before='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'))
    reading = pascal_voc.read(tmp_path)
    assert [bad.reason.split(".")[0] for bad in reading.bad] == ["it has a document type"] * 2


def test_a_name_that_xml_cannot_say_is_refused(tmp_path, png, boxed):
    with pytest.raises(UserError, match="control characters"):
        pascal_voc.write([boxed("a", (Box(0, 0, 1, 1, "c\x01at"),))], tmp_path)


def test_blood_cells(real):
    reading = _read.read(str(real("bccd")), base=real("bccd"))
    boxes = [box for record in reading.records for box in record.label]
    splits = [record.split for record in reading.records]
    assert (len(reading.records), len(boxes)) == (364, 4888)
    assert [splits.count(split) for split in ("train", "validation", "test")] == [205, 87, 72]
    assert {box.label for box in boxes} == {"RBC", "WBC", "Platelets"}
