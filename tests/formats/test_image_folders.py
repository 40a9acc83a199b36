import os

import pytest

from lepton.core.errors import UserError
from lepton.formats import image_folders


def places(reading):
    return [(record.id, record.label, record.split) for record in reading.records]


def test_class_folders(put, tmp_path, png):
    for name in ("dog/b.PNG", "dog/a.jpg", "cat/c.png"):
        put(name, png())
    assert image_folders.sniff(tmp_path)
    assert places(image_folders.read(tmp_path)) == [
        ("cat/c.png", "cat", None),
        ("dog/a.jpg", "dog", None),
        ("dog/b.PNG", "dog", None),
    ]


def test_images_are_not_read(put, tmp_path):
    put("a/x.png", "no image at all")
    put("b/x.png", "nor this")
    assert all(record.raw.is_file() for record in image_folders.read(tmp_path).records)


@pytest.mark.parametrize(
    "words", [("train", "validation", "test"), ("Train", "Val", "TEST"), ("training", "dev", "testing")]
)
def test_split_folders_in_any_spelling(put, tmp_path, words):
    for word in words:
        for name in ("cat", "dog"):
            put(f"{word}/{name}/1.png", "x")
    reading = image_folders.read(tmp_path)
    by_id = {record.id: (record.label, record.split) for record in reading.records}
    assert by_id[f"{words[1]}/dog/1.png"] == ("dog", "validation")
    assert by_id[f"{words[2]}/cat/1.png"] == ("cat", "test")


def test_a_class_may_be_called_train(put, tmp_path):
    for name in ("bus/1.png", "train/1.png"):
        put(name, "x")
    assert [label for _, label, _ in places(image_folders.read(tmp_path))] == ["bus", "train"]


def test_an_outer_folder_means_nothing(put, tmp_path):
    for name in ("archive/data/cat/1.png", "archive/data/dog/1.png"):
        put(name, "x")
    assert places(image_folders.read(tmp_path))[0] == ("archive/data/cat/1.png", "cat", None)


def test_split_words_within_names_and_folders_of_their_own_name(put, tmp_path):
    for part in ("seg_train", "seg_test"):
        for name in ("sea", "wood"):
            put(f"{part}/{part}/{name}/1.png", "x")
    assert places(image_folders.read(tmp_path))[0] == ("seg_test/seg_test/sea/1.png", "sea", "test")


def test_nothing_is_dropped_silently(put, tmp_path):
    for name in (
        "train/cat/1.png",
        "train/dog/1.png",
        "test/dog/2.png",
        "extra/cow/3.png",
        "train/4.png",
        "train/cat/notes.txt",
    ):
        put(name, "x")
    put("test/cat/empty.png", b"")
    os.symlink(tmp_path / "nowhere", tmp_path / "test/cat/broken.png")
    reading = image_folders.read(tmp_path)
    assert len(reading.records) == 3
    reasons = {bad.id: bad.reason for bad in reading.bad}
    assert set(reasons) == {"train/4.png", "test/cat/empty.png", "test/cat/broken.png"}
    assert "empty" in reasons["test/cat/empty.png"]
    assert any("extra" in note for note in reading.notes)
    assert any(".txt 1" in note for note in reading.notes)


def test_linked_folders_are_entered_once(put, tmp_path):
    put("real/cat/1.png", "x")
    put("real/dog/1.png", "x")
    os.symlink(tmp_path / "real", tmp_path / "real/cat/again")
    assert len(image_folders.read(tmp_path / "real").records) == 2


def test_a_flat_folder_with_a_pattern(put, tmp_path):
    for name in ("cat_ann_1.png", "dog_bob_2.png", "odd.png"):
        put(name, "x")
    reading = image_folders.read(tmp_path, pattern="{label}_{owner}_{n}.png")
    assert places(reading) == [("cat_ann_1.png", "cat", None), ("dog_bob_2.png", "dog", None)]
    assert reading.records[1].fields == {"label": "dog", "owner": "bob", "n": "2"}
    assert [bad.id for bad in reading.bad] == ["odd.png"]


def test_any_field_can_be_the_label_and_folders_can_be_splits(put, tmp_path):
    for name in ("train/cat_ann.png", "test/dog_bob.png"):
        put(name, "x")
    reading = image_folders.read(tmp_path, pattern="{kind}_{owner}.png", label="owner")
    assert places(reading) == [("test/dog_bob.png", "bob", "test"), ("train/cat_ann.png", "ann", "train")]


def test_a_pattern_without_a_label_leaves_the_class_to_the_folder(put, tmp_path):
    for name in ("cat/p1_a.png", "dog/p2_b.png"):
        put(name, "x")
    reading = image_folders.read(tmp_path, pattern="{patient}_{view}.png")
    assert [(record.label, record.fields["patient"]) for record in reading.records] == [("cat", "p1"), ("dog", "p2")]


@pytest.mark.parametrize(
    ("names", "options", "word"),
    [
        (["a.png", "b.png"], {}, "no class folders"),
        (["only/a.png"], {}, "no class folders"),
        (["notes.txt"], {}, "holds no image"),
        (["cat/a.png", "dog/b.png"], {"label": "x"}, "no pattern"),
        (["a_b.png"], {"pattern": "{x}_{y}.png", "label": "z"}, "Unknown field"),
        (["a_b.png"], {"pattern": "{label}-{y}.png"}, "No file name fits"),
        (["a_b.png"], {"pattern": "{x}_{y}.png"}, "no class folders"),
    ],
)
def test_mistakes_are_explained(put, tmp_path, names, options, word):
    for name in names:
        put(name, "x")
    with pytest.raises(UserError, match=word):
        image_folders.read(tmp_path, **options)


def test_a_file_is_no_folder(put):
    path = put("a.png", "x")
    assert not image_folders.sniff(path)
    with pytest.raises(UserError, match="no folder"):
        image_folders.read(path)


def test_clothing(real):
    reading = image_folders.read(real("clothing"))
    assert len(reading.records) == 841
    assert not reading.bad
    assert len({record.label for record in reading.records}) == 10
    assert {record.split for record in reading.records} == {"train", "validation", "test"}
