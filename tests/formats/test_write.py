"""Writing data sets: the one door, and boxes that go round through every format that has them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Reading, Record
from lepton.formats import _read, _write

BOXES = [name for name in plugins.names("formats") if getattr(plugins.load("formats", name), "LABELS", "") == "boxes"]
EDGE = st.floats(-5, 45, allow_nan=False).map(lambda value: round(value, 3))
NAME = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(
    lambda name: name == name.strip() and name.isprintable()
)
FOUND = st.lists(st.builds(Box, EDGE, EDGE, EDGE, EDGE, NAME), max_size=4).map(tuple)


def written(records, place, name="coco"):
    return _write.write(Reading(records), place, format=name)


def test_every_format_with_boxes_can_be_written():
    assert BOXES == ["coco", "cvat", "label_studio", "pascal_voc", "yolo"]
    assert {*BOXES, "image_masks"} <= set(_write.names())


@pytest.mark.parametrize("name", BOXES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(FOUND, min_size=1, max_size=3), split=st.sampled_from([None, "train", "validation", "test"]))
def test_boxes_come_back_as_they_were(name, tmp_path_factory, png, found, split):
    folder = tmp_path_factory.mktemp("round")
    picture = folder / "a.png"
    picture.write_bytes(png(size=(40, 30)))
    records = [Record(f"{at}", picture, boxes, split) for at, boxes in enumerate(found)]
    assert written(records, folder / "new", name) == []
    back = _read.read(str(folder / "new"), base=folder, format=name)
    assert [record.split for record in back.records] == [split] * len(found)
    assert back.bad == []
    for record, boxes in zip(sorted(back.records, key=lambda record: len(record.id)), found, strict=True):
        assert [box.label for box in record.label] == [box.label for box in boxes]
        assert [edge for box in record.label for edge in box[:4]] == pytest.approx(
            [edge for box in boxes for edge in box[:4]], abs=2e-6
        )


@pytest.mark.parametrize("name", BOXES)
def test_what_was_written_is_known_again(name, tmp_path, boxed):
    boxes = (Box(1, 2, 30, 20, "cat"),)
    written([boxed("a", boxes, "train"), boxed("b", (), "test")], tmp_path / "new", name)
    back = _read.read(str(tmp_path / "new"), base=tmp_path)
    assert sorted((record.raw.name, record.label, record.split) for record in back.records) == [
        ("a.png", boxes, "train"),
        ("b.png", (), "test"),
    ]


def test_pictures_of_one_name_are_kept_apart(tmp_path, png):
    paths = [tmp_path / folder / name for folder, name in (("x", "a.png"), ("y", "a.png"), ("z", "A.PNG"))]
    for at, path in enumerate(paths):
        path.parent.mkdir()
        path.write_bytes(png(at))
    records = [Record(str(path), path, (), "train") for path in paths]
    written(records, tmp_path / "new", "pascal_voc")
    back = _read.read(str(tmp_path / "new"), base=tmp_path).records
    assert {record.read() for record in back} == {path.read_bytes() for path in paths}


def test_bytes_become_files(tmp_path, png):
    written([Record("pile.npz#train/1", png(), (Box(0, 0, 1, 1, "x"),))], tmp_path / "new")
    [record] = _read.read(str(tmp_path / "new"), base=tmp_path).records
    assert record.id == "images/pile_npz_train_1.png"


def test_nothing_is_ever_overwritten(tmp_path, boxed):
    (tmp_path / "new").mkdir()
    with pytest.raises(UserError, match="exists already"):
        written([boxed("a", ())], tmp_path / "new")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UserError, match="exists already"):
        written([boxed("a", ())], tmp_path / "link")


def test_a_folder_that_came_meanwhile_stays(tmp_path, boxed):
    def records():
        yield boxed("a", ())
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").write_text("x")

    class Slow(list):
        __iter__ = lambda self: records()  # noqa: E731 - one expression

    with pytest.raises(UserError, match="could not be written"):
        written(Slow([boxed("a", ())]), tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]


def test_a_write_that_fails_leaves_nothing(tmp_path, boxed):
    with pytest.raises(UserError, match="Its label must be boxes"):
        written([boxed("a", ()), boxed("b", "cat")], tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.parametrize("label", ["cat", None])
@pytest.mark.parametrize("name", ["coco", "yolo", "pascal_voc"])
def test_labels_that_are_no_boxes_are_refused(tmp_path, boxed, name, label):
    with pytest.raises(UserError, match="cannot be written as"):
        written([boxed("a", label)], tmp_path / "new", name)


@pytest.mark.parametrize("name", BOXES)
def test_a_text_a_missing_and_a_broken_picture_are_refused(tmp_path, name):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for raw in ("a text", tmp_path / "gone.png", tmp_path / "broken.png"):
        with pytest.raises(UserError):
            written([Record("a", raw, (Box(0, 0, 1, 1, "x"),))], tmp_path / "new", name)


def test_a_format_that_can_only_be_read_is_told(tmp_path, boxed):
    with pytest.raises(UserError, match="These can be written: .*coco"):
        written([boxed("a", ())], tmp_path / "new", "idx")
    with pytest.raises(UserError, match="Did you mean 'coco'"):
        written([boxed("a", ())], tmp_path / "new", "cocoa")


def test_what_could_not_be_carried_is_told(tmp_path, boxed):
    record = boxed("a", (Box(0, 0, 1, 1, "x"),), "validation")
    record = Record(record.id, record.raw, record.label, record.split, {"patient": "7"})
    plain = boxed("b", ())
    reading = Reading([record, plain], [BadRecord("c", "is empty")])
    told = _write.write(reading, tmp_path / "new", format="yolo")
    assert told == ["1 record of the source could not be read: c (is empty)", "1 field not carried: patient"]


def test_progress_is_shown(tmp_path, boxed):
    steps = []

    class Shown:
        def say(self, text):
            raise AssertionError(text)

        def bar(self, what, total):
            steps.append((what, total))
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def step(self, count=1, note=""):
            steps.append(count)

    _write.write(Reading([boxed("a", ()), boxed("b", ())]), Path(tmp_path / "new"), format="coco", progress=Shown())
    assert steps == [("writing", 2), 1, 1]
