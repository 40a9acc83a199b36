"""What compression changed, on records made here with damage planted in them."""

import io
import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from lepton.core.progress import Silent
from lepton.core.types import Record, Span
from lepton.stages._damage import damage
from lepton.stages._stage import Stage

CLASSES = ["big", "middling", "small"]
SIZES = {"big": 60, "middling": 30, "small": 8}


@pytest.fixture
def stage_of(tmp_path):
    def make(task):
        app = {"name": "app", "task": task, "seed": 0}
        return Stage({"app": app}, None, tmp_path, tmp_path, tmp_path, {}, Silent())

    return make


def ranking(label, score=0.8):
    rest = [name for name in CLASSES if name != label]
    return [{"label": label, "score": score}, *({"label": name, "score": (1 - score) / 2} for name in rest)]


def texts():
    labels = [label for label, count in SIZES.items() for _ in range(count)]
    return [
        Record(f"text#{index}", "x" * (1 + index % 40), label, "validation", {"speaker": "mn"[index % 2]})
        for index, label in enumerate(labels)
    ]


def test_damage_to_the_smallest_class_alone_is_named(stage_of):
    records = texts()
    before = [ranking(record.label) for record in records]
    after = [ranking("big" if record.label == "small" else record.label) for record in records]
    found = damage(stage_of("text-classification"), records, (before, after), CLASSES)
    assert found["lost"] == ["small"]
    assert found["n"] == 98
    assert found["counts"] == {"right_to_wrong": 8, "wrong_to_right": 0, "wrong_to_wrong": 0, "unchanged": 90}
    assert [row["change"] for row in found["classes"]] == [0, 0, -1]
    assert [item["given"] for item in found["changed"]] == ["small"] * 8
    assert found["changed"][0]["before"][0]["label"] == "small"
    assert found["changed"][0]["after"][0]["label"] == "big"
    assert json.loads(json.dumps(found)) == found


def test_without_any_change_there_is_nothing_to_see(stage_of):
    records = texts()
    answers = [ranking(record.label) for record in records]
    found = damage(stage_of("text-classification"), records, (answers, answers), CLASSES)
    assert found["counts"]["unchanged"] == 98
    assert found["lost"] == found["changed"] == []
    assert found["calibration"]["before"] == found["calibration"]["after"]


def test_groups_and_slices_are_told_apart(stage_of):
    records = texts()
    before = [ranking(record.label) for record in records]
    after = [
        ranking("big" if len(record.raw) > 30 else record.label) if record.fields["speaker"] == "n" else answer
        for record, answer in zip(records, before, strict=True)
    ]
    found = damage(stage_of("text-classification"), records, (before, after), CLASSES)
    (speaker,) = found["groups"]
    assert (speaker["name"], [row["label"] for row in speaker["rows"]]) == ("speaker", ["m", "n"])
    assert [row["lost"] > 0 for row in speaker["rows"]] == [False, True]
    (length,) = found["slices"]
    assert [row["lost"] > 0 for row in length["rows"]] == [False, False, True]


def test_a_gain_is_no_loss_and_the_surest_come_first(stage_of):
    records = texts()[:30]
    before = [ranking("small") for _ in records]
    after = [ranking("big", 0.5 + index / 100) for index in range(30)]
    found = damage(stage_of("text-classification"), records, (before, after), CLASSES)
    assert found["classes"][0]["significant"]
    assert found["lost"] == []
    assert [item["id"] for item in found["changed"]] == [f"text#{index}" for index in range(29, 17, -1)]
    assert {item["direction"] for item in found["changed"]} == {"wrong_to_right"}


def test_changed_pictures_and_sounds_are_kept(stage_of, tmp_path):
    pictures, sounds = io.BytesIO(), io.BytesIO()
    Image.new("L", (9, 9)).save(pictures, "PNG")
    soundfile.write(sounds, np.zeros(800), 8000, format="WAV")
    for task, raw in (("image-classification", pictures), ("audio-classification", sounds)):
        record = Record("one", raw.getvalue(), "small", "validation")
        found = damage(stage_of(task), [record], ([ranking("small")], [ranking("big")]), CLASSES)
        assert (tmp_path / found["changed"][0]["file"]).is_file()
        assert found["changed"][0]["kind"] == task.split("-")[0]


def test_entities_have_no_calibration(stage_of):
    item = {"entity_group": "place", "score": 0.9, "word": "Rome", "start": 0, "end": 4}
    records = [Record(str(index), "Rome fell", (Span(0, 4, "place"),)) for index in range(9)]
    found = damage(stage_of("token-classification"), records, ([[item]] * 9, [[]] * 9), ["place"])
    assert found["calibration"] is None
    assert found["lost"] == ["place"]
    assert found["changed"][0]["after"] == []
    assert json.loads(json.dumps(found))["changed"][0]["given"] == [[0, 4, "place"]]
