"""Finding pictures by name, and whatever may stand in files of boxes: a clear UserError, or bad records."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Box, Record
from lepton.formats import _boxes

FILES = {
    "coco": "annotations/instances_train.json",
    "cvat": "annotations.xml",
    "label_studio": "tasks.json",
    "pascal_voc": "Annotations/a.xml",
    "yolo": "labels/train/a.txt",
}
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def read_or_refused(name, path):
    """Reads and checks that everything found is a record or says why not; a refusal is a UserError."""
    try:
        reading = plugins.load("formats", name).read(path)
    except UserError:
        return
    assert all(isinstance(record, Record) and isinstance(record.label, tuple | str) for record in reading.records)
    assert all(isinstance(bad, BadRecord) and bad.reason for bad in reading.bad)


@pytest.fixture
def written(tmp_path, boxed):
    """A data set in a format, with two pictures."""

    def make(name):
        boxes = (Box(1, 2, 30, 20, "cat"), Box(3.5, 2, 10, 20, "a & b <c>"))
        place = tmp_path / name
        if not place.exists():
            records = [boxed("a", boxes, "train"), boxed("b", boxes[:1], "train")]
            plugins.load("formats", name).write(records, place)
        return place

    return make


@pytest.mark.parametrize("name", FILES)
@QUIET
@given(data=st.data())
def test_damaged_files(written, name, data):
    place = written(name)
    path = place / FILES[name]
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 30))
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + length :])
    try:
        read_or_refused(name, place)
    finally:
        path.write_bytes(whole)


def changed(value, at: Sequence[int], new):
    """`value` with what stands at a place in it replaced; places wrap around."""
    if not at or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[at[0] % len(keys)]
    made = dict(value) if isinstance(value, dict) else list(value)
    made[key] = changed(value[key], at[1:], new)
    return made


@pytest.mark.parametrize("name", ["coco", "label_studio"])
@QUIET
@given(at=st.lists(st.integers(0, 9), max_size=7), new=JSON)
def test_values_of_any_kind_in_any_place(written, name, at, new):
    place = written(name)
    path = place / FILES[name]
    whole = path.read_text()
    path.write_text(json.dumps(changed(json.loads(whole), at, new)))
    try:
        read_or_refused(name, place)
    finally:
        path.write_text(whole)


@QUIET
@given(text=st.text(max_size=200))
def test_any_data_yaml(written, text):
    place = written("yolo")
    (place / "data.yaml").write_text(f"names: [cat, dog]\ntrain: images/train\n{text}", encoding="utf-8")
    read_or_refused("yolo", place)


@pytest.mark.parametrize("written_as", [None, True, "", "x", "nan", "inf", 1e300, 10**400, [1], {}, "1e9999"])
def test_what_is_no_number(written_as):
    assert _boxes.number(written_as) is None
    assert _boxes.numbers([1, written_as]) is None


def test_numbers():
    assert _boxes.numbers([1, " 2.5 ", -3.0]) == [1, 2.5, -3]
    assert _boxes.rounded((0.1 + 0.2, -1e-9, 1, 2), "x") == Box(0.3, 0, 1, 2, "x")


def test_a_box_turned_by_a_right_angle():
    xs, ys = _boxes.turned([0, 4], [0, 2], 90)
    assert _boxes.extent(xs, ys, "x") == Box(1, -1, 3, 3, "x")
    xs, ys = _boxes.turned([0, 4], [0, 2], 90, corner=True)
    assert _boxes.extent(xs, ys, "x") == Box(-2, 0, 0, 4, "x")


def test_a_picture_is_found_beside_below_and_alone(put, png, tmp_path):
    put("set/x/a.png", png())
    put("set/y/a.png", png())
    put("set/y/deep/b.png", png())
    pictures = _boxes.Pictures(tmp_path / "set")
    assert pictures.find("a.png", [tmp_path / "set" / "y"]) == tmp_path / "set" / "y" / "a.png"
    assert pictures.find("x\\a.png") == tmp_path / "set" / "x" / "a.png"
    assert pictures.find("elsewhere/b.png") == tmp_path / "set" / "y" / "deep" / "b.png"
    assert pictures.find("../x/a.png", [tmp_path / "set" / "y"]) == tmp_path / "set" / "x" / "a.png"
    assert pictures.find("a.png") == "names 'a.png', which stands in 2 places"


@pytest.mark.parametrize("name", ["../out.png", "x/../../out.png", "..\\out.png", "/out.png", "C:/out.png"])
def test_no_name_leads_out_of_the_folder(put, png, tmp_path, monkeypatch, name):
    put("out.png", png())
    put("set/x/a.png", png())
    monkeypatch.chdir(tmp_path / "set")
    for root in (tmp_path / "set", Path(), tmp_path / "set" / "x" / ".."):
        found = _boxes.Pictures(root).find(name, [root / "x"])
        assert isinstance(found, str)
        assert "outside" in found or "relative to" in found
