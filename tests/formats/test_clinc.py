import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats import clinc

DATA = {
    "oos_val": [["what is love", "oos"]],
    "val": [["set an alarm", "alarm"]],
    "train": [["wake me at six", "alarm"], ["pay my bill", "pay_bill"]],
}


def test_keys_are_splits(put):
    path = put("data_full.json", json.dumps(DATA))
    assert clinc.sniff(path)
    assert [(record.id, record.raw, record.label, record.split) for record in clinc.read(path).records] == [
        ("data_full.json#oos_val/0", "what is love", "oos", "validation"),
        ("data_full.json#val/0", "set an alarm", "alarm", "validation"),
        ("data_full.json#train/0", "wake me at six", "alarm", "train"),
        ("data_full.json#train/1", "pay my bill", "pay_bill", "train"),
    ]


def test_what_is_out_of_scope_is_unknown(put):
    assert clinc.read(put("a.json", json.dumps(DATA))).unknown == ["oos"]
    assert clinc.read(put("b.json", json.dumps({"train": DATA["train"]}))).unknown == []
    # A label that stands among the classes too is one of them.
    mixed = {"train": [["what is love", "oos"]], "oos_train": [["what is love", "oos"], ["why", "odd"]]}
    assert clinc.read(put("c.json", json.dumps(mixed))).unknown == ["odd"]


def test_of_several_files_the_full_one_is_read(put, tmp_path):
    put("data/data_full.json", json.dumps(DATA))
    put("data/data_small.json", json.dumps({"train": DATA["val"]}))
    reading = clinc.read(tmp_path)
    assert len(reading.records) == 4
    assert "not data_small.json" in reading.notes[0]
    (tmp_path / "data/data_full.json").rename(tmp_path / "data/data_other.json")
    with pytest.raises(UserError, match="not clear"):
        clinc.read(tmp_path)


def test_pairs_that_are_none_are_named(put):
    data = {"train": [["a", "x"], ["b"], ["", "x"], [1, "x"], "ab", ["c", "y"]]}
    reading = clinc.read(put("x.json", json.dumps(data)))
    assert [record.raw for record in reading.records] == ["a", "c"]
    assert [bad.id for bad in reading.bad] == [f"x.json#train/{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b'{"a": []}', b'{"train": 3}', b'{"train": []}'])
def test_what_is_no_such_file_is_refused(put, data):
    with pytest.raises(UserError):
        clinc.read(put("x.json", data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["train", "val", "oos_test", "a"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(JSON)
def test_any_json_is_read_or_the_users_mistake(put, value):
    for part in (value, {"train": [["a", "b"], value]}, {"train": value}):
        try:
            reading = clinc.read(put("x.json", json.dumps(part)))
        except UserError:
            continue
        assert all(record.raw.strip() and record.label for record in reading.records)


WORD = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=8)
TEXT = WORD.filter(str.strip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, TEXT | st.just("oos"), st.sampled_from(["train", "test"])), min_size=1, max_size=5))
def test_what_is_written_comes_back(tmp_path, items):
    records = [Record(str(at), text, label, split) for at, (text, label, split) in enumerate(items)]
    clinc.write(iter(records), tmp_path)
    back = clinc.read(tmp_path / "data.json")
    assert sorted((r.raw, r.label, r.split) for r in back.records) == sorted(items)


def test_only_classes_can_be_written(tmp_path):
    with pytest.raises(UserError, match="classes"):
        clinc.write([Record("a", "b", (Span(0, 1, "x"),))], tmp_path)
