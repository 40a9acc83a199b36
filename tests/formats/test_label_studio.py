import json

import pytest

from lepton.core.errors import UserError
from lepton.core.types import Box
from lepton.formats import _read, label_studio


def rectangle(x=25, y=0, width=50, height=100, kind="rectanglelabels", **more):
    value = {"x": x, "y": y, "width": width, "height": height, kind: ["cat"], **more}
    return {"type": kind, "original_width": 40, "original_height": 20, "value": value}


def task(result, image="images/a.png", **more):
    return {"id": 1, "annotations": [{"result": result}], "data": {"image": image, **more}}


@pytest.fixture
def made(put, png):
    def make(*tasks):
        for name in ("a", "b"):
            put(f"set/images/{name}.png", png(size=(40, 20)))
        put("secret.png", png())
        return put("set/tasks.json", json.dumps(tasks))

    return make


def test_boxes_fields_and_splits(made, tmp_path):
    made(task([rectangle()], split="val", patient="7"), task([], "images/b.png"))
    first, second = _read.read(str(tmp_path / "set"), base=tmp_path).records
    assert (first.id, first.split, first.fields) == ("images/a.png", "validation", {"patient": "7"})
    assert (first.label, second.label) == ((Box(10, 0, 30, 20, "cat"),), ())


def test_other_shapes_become_boxes(made):
    outline = {"points": [[0, 0], [50, 0], [25, 50]], "polygonlabels": ["dog"]}
    ellipse = {"x": 50, "y": 50, "radiusX": 25, "radiusY": 50, "ellipselabels": ["dog"]}
    turned = rectangle(x=50, y=0, width=25, height=50, rotation=90)
    regions = [{**rectangle(), "value": outline}, {**rectangle(), "value": ellipse}, turned, {"type": "brushlabels"}]
    reading = label_studio.read(made(task(regions)))
    assert reading.records[0].label == (
        Box(0, 0, 20, 10, "dog"),
        Box(10, 0, 30, 20, "dog"),
        Box(10, 0, 20, 10, "cat"),
    )
    assert "1 brush strokes, points and other regions left out" in reading.notes


def test_choices_are_classes_where_nothing_is_drawn(made):
    chosen = {"type": "choices", "value": {"choices": ["cat"]}}
    reading = label_studio.read(made(task([chosen]), task([], "images/b.png")))
    assert [record.label for record in reading.records] == ["cat"]
    assert [bad.reason for bad in reading.bad] == ["has no choice, or several"]


def test_the_short_export(made):
    region = {**rectangle()["value"], "original_width": 40, "original_height": 20}
    path = made({"id": 1, "image": "/data/upload/1/0123abcd-a.png", "label": [region]}, {"image": "b.png"})
    reading = label_studio.read(path)
    assert [(record.id, record.label) for record in reading.records] == [("images/a.png", (Box(10, 0, 30, 20, "cat"),))]
    assert reading.notes == ["1 tasks that nobody annotated left out"]


def test_the_last_annotation_that_was_not_skipped_counts(made):
    found = [
        {"result": [rectangle()], "updated_at": "2026-01-02"},
        {"result": [], "updated_at": "2026-01-01"},
        {"result": [rectangle(), rectangle()], "updated_at": "2026-01-03", "was_cancelled": True},
    ]
    reading = label_studio.read(made({"annotations": found, "data": {"image": "/data/local-files/?d=images/a.png"}}))
    assert len(reading.records[0].label) == 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (task([rectangle(x="left")]), "without its numbers"),
        (task([{**rectangle(), "value": {"rectanglelabels": []}}]), "without a label"),
        (task([{**rectangle(), "value": {"polygonlabels": ["a"], "points": [[1]]}}]), "without its numbers"),
        (task([rectangle()], "https://example.com/a.png"), "which is not fetched"),
        (task([rectangle()], "data:image/png;base64,AAAA"), "which is not fetched"),
        (task([rectangle()], "../secret.png"), "outside of the data set's folder"),
        (task([rectangle()], "/data/local-files/?d=..%2Fsecret.png"), "outside of the data set's folder"),
        (task([rectangle()], ""), "names no picture"),
    ],
)
def test_what_is_wrong_is_set_aside(made, wrong, reason):
    reading = label_studio.read(made(wrong, task([rectangle()], "images/b.png")))
    assert [record.id for record in reading.records] == ["images/b.png"]
    [bad] = reading.bad
    assert bad.id == "tasks.json#0"
    assert reason in bad.reason


@pytest.mark.parametrize("text", ["[]", "{}", "[1]", "[[{"])
def test_what_is_no_such_file_is_refused(put, text):
    with pytest.raises(UserError):
        label_studio.read(put("a.json", text))
