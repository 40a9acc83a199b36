import json

import pytest

from lepton.core.errors import UserError
from lepton.core.types import Box
from lepton.formats import _read, coco


def document(images=("a.png",), annotations=(), categories=((1, "cat"), (7, "dog"))):
    return json.dumps(
        {
            "images": [{"id": at, "file_name": name, "width": 4, "height": 3} for at, name in enumerate(images)],
            "annotations": [{"id": at, **item} for at, item in enumerate(annotations)],
            "categories": [{"id": number, "name": name} for number, name in categories],
        }
    )


def one(image=0, category=1, bbox=(1, 1, 2, 1), **more):
    return {"image_id": image, "category_id": category, "bbox": bbox, **more}


def test_splits_are_files_and_pictures_stand_in_their_folders(put, png, tmp_path):
    for split in ("train2017", "val2017"):
        put(f"{split}/a.png", png())
        put(f"annotations/instances_{split}.json", document(annotations=[one(category=7)]))
        put(f"annotations/person_keypoints_{split}.json", document())
    reading = _read.read(str(tmp_path), base=tmp_path)
    assert [(record.id, record.split, record.label) for record in reading.records] == [
        ("train2017/a.png", "train", (Box(1, 1, 3, 2, "dog"),)),
        ("val2017/a.png", "validation", (Box(1, 1, 3, 2, "dog"),)),
    ]


def test_folders_of_splits_with_a_file_each(put, png, tmp_path):
    for split in ("train", "valid", "test"):
        put(f"{split}/a.png", png())
        put(f"{split}/_annotations.coco.json", document())
    records = coco.read(tmp_path).records
    assert [(record.id, record.split) for record in records] == [
        ("test/a.png", "test"),
        ("train/a.png", "train"),
        ("valid/a.png", "validation"),
    ]
    assert [record.label for record in records] == [()] * 3


def test_a_file_alone(put, png, tmp_path):
    put("images/a.png", png())
    path = put("annotations/boxes.json", document())
    [record] = _read.read(str(path), base=tmp_path).records
    assert (record.id, record.split) == ("images/a.png", None)


def test_what_is_left_out_is_counted(put, png, tmp_path):
    put("a.png", png())
    outline = {"segmentation": [[1, 1, 2, 2, 3, 1]]}
    put("a.json", document(annotations=[one(iscrowd=1), one(image=9), one(**outline)]))
    reading = coco.read(tmp_path)
    assert len(reading.records[0].label) == 1
    assert sorted(reading.notes) == [
        "1 annotations of pictures that are not listed left out",
        "1 crowd regions left out, since they are no boxes of one thing",
        "1 outlines left aside: the boxes around them were read",
    ]


@pytest.mark.parametrize(
    ("images", "annotations", "reason"),
    [
        (["../secret.png"], [], "outside of the data set's folder"),
        (["/etc/hosts.png"], [], "relative to the data set's folder"),
        (["C:\\a.png"], [], "relative to the data set's folder"),
        (["gone.png"], [], "there is no picture"),
        ([""], [], "names no picture"),
        (["a\0.png"], [], "names no picture"),
        (["a.png"], [one(bbox=[1, 2, 3])], "no box of four numbers"),
        (["a.png"], [one(bbox="none")], "no box of four numbers"),
        (["a.png"], [one(bbox=[1, 2, float("nan"), 1])], "no box of four numbers"),
        (["a.png"], [one(bbox=[1, 2, True, 1])], "no box of four numbers"),
        (["a.png"], [one(bbox=[1, 2, 10**400, 1])], "no box of four numbers"),
        (["a.png"], [one(category=3)], "category that is not listed"),
    ],
)
def test_what_is_wrong_is_set_aside(put, png, tmp_path, images, annotations, reason):
    put("secret.png", png())
    put("set/a.png", png())
    put("set/b.png", png())
    put("set/a.json", document([*images, "b.png"], annotations))
    reading = coco.read(tmp_path / "set")
    assert [record.id for record in reading.records] == ["b.png"]
    [bad] = reading.bad
    assert reason in bad.reason


@pytest.mark.parametrize(
    "text",
    [
        '{"images": [{"file_name": "a"}]',
        '{"images": {"a": 1}, "annotations": [{"bbox": 1}], "categories": []}',
        "[]",
        '{"images": ' + "[" * 100_000,
    ],
)
def test_what_is_no_such_file_is_refused(put, tmp_path, text):
    with pytest.raises(UserError):
        coco.read(put("a.json", text))


def test_entries_that_are_no_objects_or_have_odd_numbers_are_passed_over(put, png, tmp_path):
    put("a.png", png())
    found = json.loads(document(annotations=[one()]))
    found["images"].append("b.png")
    found["annotations"] += [None, {"image_id": [1]}]
    found["categories"].append(3)
    path = put("a.json", json.dumps(found))
    assert [record.label for record in coco.read(path).records] == [(Box(1, 1, 3, 2, "cat"),)]


def test_a_picture_named_twice_has_two_names(put, png, tmp_path):
    put("a.png", png())
    reading = coco.read(put("a.json", document(["a.png", "a.png"])))
    assert [record.id for record in reading.records] == ["a.png", "a.png#2"]
    assert reading.notes == ["1 picture named more than once"]


def test_several_files_of_one_split_are_not_chosen_from(put, tmp_path):
    put("a.json", document())
    put("b.json", document())
    with pytest.raises(UserError, match="several files"):
        coco.read(tmp_path)
