"""Predictions out of fold on texts, pictures, sounds and entities made here, some with labels that are wrong."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from lepton.core.types import Record, Span
from lepton.stages import _learners, _out_of_fold
from lepton.stages._out_of_fold import Asked, predictions, suspects

TOPICS = {
    "sport": ["team", "match", "goal", "player", "coach", "league", "score", "season"],
    "food": ["bread", "butter", "recipe", "oven", "sugar", "taste", "kitchen", "salt"],
    "money": ["bank", "price", "market", "share", "tax", "loan", "credit", "profit"],
}
WRONG = (3, 40, 77)


def mislabelled(records):
    """The records with those at WRONG given another class than their own."""
    classes = sorted({record.label for record in records})
    changed = list(records)
    for at in WRONG:
        other = classes[(classes.index(records[at].label) + 1) % len(classes)]
        changed[at] = Record(records[at].id, records[at].raw, other, records[at].split)
    return changed


def texts(count=90):
    random = np.random.default_rng(0)
    names = list(TOPICS)
    return [
        Record(f"t#{at}", " ".join(random.choice(TOPICS[names[at % 3]], 6)), names[at % 3], "train")
        for at in range(count)
    ]


def pictures(count=90):
    random = np.random.default_rng(0)
    made = []
    for at in range(count):
        pixels = random.integers(0, 60, (16, 16)).astype(np.uint8)
        place = int(random.integers(3, 12))
        pixels[(slice(place, place + 2), slice(None)) if at % 2 else (slice(None), slice(place, place + 2))] = 220
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        made.append(Record(f"{at}.png", stream.getvalue(), "lying" if at % 2 else "standing"))
    return made


def sounds(count=90):
    random = np.random.default_rng(0)
    made, time = [], np.arange(4000) / 8000
    for at in range(count):
        pitch = (300, 1200)[at % 2] * random.uniform(0.9, 1.1)
        stream = io.BytesIO()
        soundfile.write(
            stream, 0.3 * np.sin(2 * np.pi * pitch * time) + random.normal(0, 0.02, 4000), 8000, format="WAV"
        )
        made.append(Record(f"{at}.wav", stream.getvalue(), ("low", "high")[at % 2]))
    return made


@pytest.mark.parametrize("make", [texts, pictures, sounds])
def test_wrong_labels_of_any_kind_of_record_are_the_most_suspect(make):
    records = mislabelled(make())
    judged = suspects(records, Asked())
    worst = sorted(judged.wrong, key=judged.wrong.__getitem__, reverse=True)[: len(WRONG)]
    assert set(worst) == {records[at].id for at in WRONG}
    assert [judged.suggested[records[at].id] for at in WRONG] == [make()[at].label for at in WRONG]
    assert judged.wrong.keys() == {record.id for record in records}
    assert judged.notes == []


def test_the_same_seed_gives_the_same_answer():
    records = mislabelled(texts())
    assert suspects(records, Asked(seed=3)) == suspects(records, Asked(seed=3))


def test_rows_are_probabilities_and_classes_are_given():
    found = predictions(mislabelled(texts()), Asked()).predictions
    assert np.allclose(found.probabilities.sum(axis=1), 1)
    assert set(found.given) == set(range(len(found.classes)))


def test_copies_do_not_vouch_for_each_other():
    records = texts()
    copies = [Record(f"copy#{at}", "bread butter recipe oven sugar taste", "money") for at in range(8)]
    clusters = {copy.id: "one" for copy in copies}
    apart = suspects([*records, *copies], Asked(clusters=clusters)).wrong
    together = suspects([*records, *copies], Asked()).wrong
    names = {copy.id for copy in copies}
    assert set(sorted(apart, key=apart.__getitem__, reverse=True)[: len(copies)]) == names
    assert max(together[name] for name in names) < min(apart[name] for name in names)


def test_groups_stand_in_one_fold_and_classes_in_all():
    given, group = np.repeat([0, 1, 2], 40), np.arange(120) // 2
    fold = _learners.dealt(given, group, 0)
    assert all(len(set(fold[group == number])) == 1 for number in range(60))
    assert all(len(set(fold[given == label])) == _learners.FOLDS for label in range(3))


def test_words_of_entities_are_judged_one_by_one():
    random = np.random.default_rng(0)
    cities = ["Oslo", "Paris", "Rome", "Lima", "Cairo"]
    records = []
    for at in range(60):
        city = cities[random.integers(5)]
        before = ("we go to", "she lives in", "trains leave for")[at % 3]
        span = Span(len(before) + 1, len(before) + 1 + len(city), "place")
        records.append(Record(str(at), f"{before} {city} again", () if at == 7 else (span,), "train"))
    found = predictions(records, Asked()).predictions
    doubt = 1 - found.probabilities[np.arange(len(found.given)), found.given]
    assert found.records[int(doubt.argmax())] == "7"
    assert len(found.places) == len(found.records) == len(found.given)
    assert suspects(records, Asked()).wrong == {}


def test_unlabelled_unreadable_and_rare_ones_are_left_out():
    records = [*pictures(), Record("none", pictures(1)[0].raw, None), Record("bad", b"no picture", "lying")]
    records.append(Record("rare", pictures(1)[0].raw, "once"))
    found = predictions(records, Asked())
    assert {"none", "bad", "rare"}.isdisjoint(found.predictions.records)
    assert "once" in found.notes[0]


@pytest.mark.parametrize("records", [[], texts()[:3], [Record(str(at), "the same", "one") for at in range(20)]])
def test_too_little_is_said_to_be_too_little(records):
    found = predictions(records, Asked())
    assert found.predictions is None
    assert "two classes" in found.notes[-1]


def test_labels_that_have_nothing_to_do_with_the_records_are_not_judged():
    random = np.random.default_rng(1)
    drawn = [Record(record.id, record.raw, str(random.integers(2))) for record in texts(200)]
    found = predictions(drawn, Asked())
    assert found.predictions is None
    assert "cannot tell" in found.notes[0]


def test_when_time_is_over_what_was_learnt_until_then_counts_and_that_is_said(monkeypatch):
    clock = iter(range(0, 10_000, 7))
    monkeypatch.setattr(_out_of_fold.time, "monotonic", lambda: float(next(clock)))
    found = predictions(mislabelled(texts()), Asked(minutes=1))
    assert found.predictions is not None
    assert "--minutes" in found.notes[-1]


@pytest.mark.parametrize(("limit", "value"), [("_MOST", 60), ("_CELLS", 180)])
def test_of_very_many_records_some_are_judged_and_that_is_said(monkeypatch, limit, value):
    monkeypatch.setattr(_out_of_fold, limit, value)
    found = predictions(texts(), Asked())
    assert len(found.predictions.records) == 60
    assert "60 of 90" in found.notes[0]


def test_a_text_is_known_by_its_beginning_and_its_capitals():
    random = np.random.default_rng(0)
    letters = np.array(list("ABCDEFGH"))
    made = []
    for at in range(120):
        word = "".join(random.choice(letters, 4))
        made.append(Record(str(at), f"what is {word if at % 2 else word.lower()}", "short" if at % 2 else "long"))
    found = predictions(made, Asked()).predictions
    assert (found.probabilities.argmax(axis=1) == found.given).mean() > 0.95
