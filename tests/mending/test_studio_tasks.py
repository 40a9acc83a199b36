import base64
import io
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import soundfile
from PIL import Image

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.mending import label_studio, queue
from lepton.mending.queue import Doubt


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, "PNG")
    return stream.getvalue()


def sound() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(80), 8000, format="FLAC")
    return stream.getvalue()


def done(task, *results, **more):
    """The task as an export has it, with an annotation for each of `results`."""
    annotations = [{"result": result, "updated_at": f"2026-01-0{n + 1}", **more} for n, result in enumerate(results)]
    return {"id": 7, **task, "annotations": annotations}


def choice(name):
    return [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [name]}}]


def test_a_text_goes_out_with_its_prediction_and_comes_back(records, findings, contents):
    first, second = label_studio.tasks(queue.doubts(records, findings, contents))
    assert first["data"]["text"] == "who sailed it"
    assert first["predictions"][0]["result"][0]["value"] == {"choices": ["person"]}
    assert first["predictions"][0]["score"] == 0.9
    export = [done(first, choice("place"), choice("person"), completed_by={"email": "bo@x"}), done(second)]
    [answer] = label_studio.answers(json.dumps(export), "ada")
    assert (answer.label, answer.who) == ("person", "bo@x")
    [correction] = queue.taken([answer], records, contents).corrections
    assert correction.label == "person"


def test_what_was_skipped_says_nothing_and_numbers_are_no_names(records, findings, contents):
    first, second = label_studio.tasks(queue.doubts(records, findings, contents))
    export = [done(first, choice("person"), was_cancelled=True), done(second, choice("place"), completed_by=3)]
    [answer] = label_studio.answers(json.dumps(export), "ada")
    assert (answer.id, answer.who) == ("a#2", "ada")


def test_entities_are_regions_and_none_at_all_is_an_answer(entities, contents):
    spans = (Span(0, 4, "person"), Span(9, 11, "person"))
    [task] = label_studio.tasks([Doubt(entities[0], 0.8, spans, "", contents["b#0"])])
    regions = task["predictions"][0]["result"]
    assert [region["value"]["text"] for region in regions] == ["Anna", "Bo"]
    said = label_studio.answers(json.dumps([done(task, regions)]), "ada")
    assert queue.taken(said, entities, contents).corrections[0].label == spans
    nothing = label_studio.answers(json.dumps([done(task, [])]), "ada")
    assert queue.taken(nothing, entities, contents).corrections[0].label == ()


@pytest.mark.parametrize(
    ("raw", "start"), [(picture(), "data:image/png;base64,"), (sound(), "data:audio/flac;base64,")]
)
def test_media_travel_inside_the_task(tmp_path, raw, start):
    (tmp_path / "file").write_bytes(raw)
    for kept in (raw, tmp_path / "file"):
        [task] = label_studio.tasks([Doubt(Record("x", kept, "cat"), 1.0, None, "", "c")])
        shown = task["data"][start[5:10]]
        assert shown.startswith(start)
        assert base64.b64decode(shown.removeprefix(start)) == raw
        assert task["predictions"] == []


def test_large_files_are_named_by_their_path(tmp_path, monkeypatch):
    monkeypatch.setattr(label_studio, "_INLINE", 10)
    (tmp_path / "x.png").write_bytes(picture())
    [task] = label_studio.tasks([Doubt(Record("x", tmp_path / "x.png", "cat"), 1.0, None, "", "c")])
    assert task["data"]["image"] == str(tmp_path / "x.png")


def test_the_layout_fits_the_tasks(records, entities):
    view = ElementTree.fromstring(label_studio.layout(records[0], ['a "b" & c', "d"]))
    assert view.find("Text").get("value") == "$text"
    assert [choice.get("value") for choice in view.find("Choices")] == ['a "b" & c', "d"]
    assert ElementTree.fromstring(label_studio.layout(entities[0], ["p"])).find("Labels/Label").get("value") == "p"
    assert ElementTree.fromstring(label_studio.layout(Record("x", picture(), "cat"), [])).find("Image") is not None


@pytest.mark.parametrize("text", ["{}", "[]", "[1]", '[{"label": "x"}]', "no"])
def test_what_is_no_export_is_refused(text):
    with pytest.raises(UserError, match="This is no"):
        label_studio.answers(text)
