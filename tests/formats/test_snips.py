import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats import snips


def utterance(*pieces):
    return {"data": [{"text": text, **({"entity": slot} if slot else {})} for text, slot in pieces]}


PLAY = [utterance(("play ", None), ("Café", "track"), (" by ", None), ("Ann", "artist")), utterance(("play", None))]


def test_texts_in_pieces(put):
    path = put("train_PlayMusic.json", json.dumps({"PlayMusic": PLAY}))
    assert snips.sniff(path)
    first, second = snips.read(path).records
    assert (first.id, first.raw, first.label) == ("train_PlayMusic.json#0", "play Café by Ann", "PlayMusic")
    assert json.loads(first.fields["slots"]) == [[5, 9, "track"], [13, 16, "artist"]]
    assert (second.raw, second.label, dict(second.fields)) == ("play", "PlayMusic", {})
    slots = snips.read(path, label="slots").records[0]
    assert slots.label == (Span(5, 9, "track"), Span(13, 16, "artist"))
    assert slots.fields == {"intent": "PlayMusic"}


def test_folders_of_intents_full_files_and_latin_1(put, tmp_path):
    text = json.dumps({"PlayMusic": PLAY}, ensure_ascii=False)
    put("PlayMusic/train_PlayMusic_full.json", text.encode("latin-1"))
    put("PlayMusic/train_PlayMusic.json", text)
    put("PlayMusic/validate_PlayMusic.json", text)
    put("README.md", "words\n")
    assert snips.sniff(tmp_path)
    reading = snips.read(tmp_path)
    assert Counter(record.split for record in reading.records) == {"train": 2, "validation": 2}
    assert {record.raw for record in reading.records} == {"play Café by Ann", "play"}
    assert "train_PlayMusic.json" in reading.notes[0]


def test_the_layout_of_the_library(put):
    pieces = [{"text": "in "}, {"text": "Rome", "entity": "place", "slot_name": "city"}]
    data = {"language": "en", "intents": {"Weather": {"utterances": [{"data": pieces}]}}, "entities": {}}
    path = put("x.json", json.dumps(data))
    assert snips.sniff(path)
    [record] = snips.read(path, label="slots").records
    assert (record.raw, record.label) == ("in Rome", (Span(3, 7, "city"),))


def test_utterances_that_are_none_are_named(put):
    odd = [PLAY[0], {"data": 3}, {}, 7, utterance((" ", None)), {"data": [{"entity": "x"}]}, {"data": [3]}]
    reading = snips.read(put("x.json", json.dumps({"Play": odd})))
    assert len(reading.records) == 1
    assert [bad.id for bad in reading.bad] == [f"x.json#{n}" for n in range(1, 7)]


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b"3", b'{"a": 3}', b'{"intents": {"a": {}}}'])
def test_what_is_no_such_file_is_refused(put, data):
    with pytest.raises(UserError):
        snips.read(put("x.json", data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "text", "entity", "intents", "utterances", "Play"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(JSON)
def test_any_json_is_read_or_the_users_mistake(put, value):
    for part in (value, {"Play": [PLAY[0], value]}, {"Play": [{"data": value}]}, {"intents": value}):
        try:
            reading = snips.read(put("x.json", json.dumps(part)))
        except UserError:
            continue
        assert all(record.raw.strip() and record.label for record in reading.records)


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=6)
PIECES = st.lists(st.tuples(TEXT, st.none() | st.sampled_from(["track", "artist"])), min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(PIECES.filter(lambda pieces: "".join(text for text, _ in pieces).strip()), min_size=1, max_size=3))
@pytest.mark.parametrize("label", ["intent", "slots"])
def test_what_was_read_comes_back(put, tmp_path, label, texts):
    path = put("in.json", json.dumps({"Play": [utterance(*pieces) for pieces in texts]}))
    before = snips.read(path, label=label).records
    snips.write(iter(before), tmp_path / "out")
    after = snips.read(tmp_path / "out" / "data.json", label=label).records
    assert [(r.raw, r.label, r.fields) for r in after] == [(r.raw, r.label, r.fields) for r in before]


def test_splits_are_files(tmp_path):
    records = [Record("a", "play it", "Play", "train"), Record("b", "stop it", "Stop", "test")]
    snips.write(records, tmp_path)
    assert [(r.raw, r.label, r.split) for r in snips.read(tmp_path).records] == [
        ("stop it", "Stop", "test"),
        ("play it", "Play", "train"),
    ]


def test_snips(real):
    reading = snips.read(real("snips"))
    assert not reading.bad
    assert Counter(record.split for record in reading.records) == {"train": 13_784, "validation": 700}
    assert len({record.label for record in reading.records}) == 7
    assert any("not in UTF-8" in note for note in reading.notes)
    assert not any("\N{REPLACEMENT CHARACTER}" in record.raw for record in reading.records)
    slots = snips.read(real("snips"), label="slots")
    assert len({span.label for record in slots.records for span in record.label}) == 39
