import csv
import io
import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats import _table, table


def rows(reading):
    return [(record.raw, record.label) for record in reading.records]


def many(count=12):
    return [(f"this is text number {n}", ["good", "bad"][n % 2]) for n in range(count)]


@pytest.mark.parametrize(
    "names", ["text,label", "Sentence,Sentiment", "category,utterance", "id,review,target", "label,label_text,tweet"]
)
def test_columns_by_their_usual_names(put, names):
    cells = {"id": "9", "label": "0", "label_text": "good", "target": "good", "sentiment": "good", "category": "good"}
    columns = names.split(",")
    one = [cells.get(name.lower(), "a few words") for name in columns]
    if names == "text,label":
        one = ["a few words", "good"]
    path = put("x.csv", f"{names}\n{','.join(one)}\n")
    assert table.sniff(path)
    assert rows(table.read(path)) == [("a few words", "good")]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("order", [1, -1])
def test_columns_by_what_they_hold_without_a_header(put, mark, order):
    path = put("x.csv", "".join(mark.join((text, label)[::order]) + "\n" for text, label in many()))
    reading = table.read(path)
    assert rows(reading) == many()
    assert reading.records[0].id == "x.csv#0"
    assert any("no header" in note for note in reading.notes)


def test_columns_by_what_they_hold_under_a_strange_header(put):
    path = put("x.csv", "worte,art\n" + "".join(f"{text},{label}\n" for text, label in many()))
    assert rows(table.read(path)) == many()


def test_blank_names_in_a_header(put):
    path = put("spam.csv", "v1,v2,,,\nham,see you there,,,\nspam,win a prize,,,\n".encode("utf-16"))
    assert rows(table.read(path)) == [("see you there", "ham"), ("win a prize", "spam")]
    path = put("saved.csv", ",text,label\n0,a b,x\n1,c d,y\n")
    assert rows(table.read(path)) == [("a b", "x"), ("c d", "y")]


def test_columns_that_are_named(put):
    path = put("x.csv", "text,other,label,kind\na b,c d,0,k\n")
    assert rows(table.read(path, text="other", label="Kind")) == [("c d", "k")]
    assert table.read(path, text="other", label="kind").records[0].fields == {"text": "a b", "label": "0"}
    with pytest.raises(UserError, match="Unknown column in \\[data.label\\]"):
        table.read(path, label="nope")


def test_what_is_not_clear_is_asked(put):
    path = put("x.csv", "words,one,two\n" + "".join(f"some words {n},{n % 2},{n % 3}\n" for n in range(20)))
    with pytest.raises(UserError, match="which column is the label"):
        table.read(path)


def test_quotes_line_ends_and_marks(put):
    path = put("x.csv", '\ufefftext,label\r\n"a ""b"",\r\nc",x\r\nd,y\r\n')
    assert rows(table.read(path)) == [('a "b",\r\nc', "x"), ("d", "y")]


def test_bad_rows_are_named(put):
    path = put("x.csv", "text,label\na,x\n,y\nb,\nc,x,more\nd,y\n")
    reading = table.read(path)
    assert [record.id for record in reading.records] == ["x.csv#0", "x.csv#4"]
    assert {bad.id: bad.reason for bad in reading.bad} == {
        "x.csv#1": "'text' is empty",
        "x.csv#2": "'label' is empty",
        "x.csv#3": "has 3 columns, not 2",
    }


def test_a_column_of_splits(put):
    path = put("x.csv", "text,label,split\na,x,train\nb,y,VAL\nc,x,test\nd,y,extra\n")
    reading = table.read(path)
    assert [record.split for record in reading.records] == ["train", "validation", "test", None]
    assert any("1 row without a known split" in note for note in reading.notes)


def test_a_folder_of_splits(put, tmp_path):
    put("train.csv", "text,category\na,x\n")
    put("test.csv", "text,category\nb,x\n")
    put("categories.json", '["x"]')
    put("LICENSE", "free, as in,\n")
    assert table.sniff(tmp_path)
    assert [(r.id, r.split) for r in table.read(tmp_path).records] == [("train.csv#0", "train"), ("test.csv#0", "test")]


def test_a_test_file_without_labels_is_left_aside_and_noted(put, tmp_path):
    put("train.csv", "id,text,target\n1,a,x\n2,b,y\n")
    put("test.csv", "id,text\n3,c\n")
    reading = table.read(tmp_path)
    assert len(reading.records) == 2
    assert any("test.csv: left aside" in note for note in reading.notes)


def test_a_folder_that_is_not_clear(put, tmp_path):
    put("a.csv", "text,label\na,x\n")
    put("b.csv", "text,label\na,x\n")
    with pytest.raises(UserError, match="not clear"):
        table.read(tmp_path)


def test_json_lines(put):
    lines = [
        {"text": "a", "label": 1},
        {"text": "b", "label": True},
        {"text": "c", "label": 2.0},
        {"text": "d", "label": [1]},
    ]
    path = put("x.jsonl", "\n".join(map(json.dumps, lines)) + '\n{"text": "cut of\n[1]\n')
    reading = table.read(path)
    assert rows(reading) == [("a", "1"), ("b", "true"), ("c", "2")]
    reasons = {bad.id: bad.reason for bad in reading.bad}
    assert reasons["x.jsonl#3"] == "'label' holds list, not one value"
    assert "not valid JSON" in reasons["x.jsonl#4"]
    assert reasons["x.jsonl#5"] == "is no JSON object"


def test_a_json_list(put):
    path = put("x.json", json.dumps([{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]))
    assert table.sniff(path)
    assert rows(table.read(path)) == [("a", "x"), ("b", "y")]


def test_parquet_and_its_class_names(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    info = {"info": {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}}
    made = arrow.table({"text": ["a", "b"], "label": [1, 0]})
    parquet.write_table(made.replace_schema_metadata({"huggingface": json.dumps(info)}), tmp_path / "x.parquet")
    assert table.sniff(tmp_path)
    assert rows(table.read(tmp_path)) == [("a", "good"), ("b", "bad")]
    parquet.write_table(made, tmp_path / "x.parquet")
    assert rows(table.read(tmp_path / "x.parquet")) == [("a", "1"), ("b", "0")]


def test_lists_of_tokens_and_tags(put):
    lines = [
        {"id": 1, "tokens": ["Ann", "Lee", "ran"], "ner_tags": ["B-PER", "I-PER", "O"]},
        {"tokens": ["x"], "ner_tags": ["O", "O"]},
        {"tokens": "x", "ner_tags": ["O"]},
        {"tokens": ["y"], "ner_tags": ["I-LOC"]},
    ]
    reading = table.read(put("x.jsonl", "\n".join(map(json.dumps, lines))))
    assert rows(reading) == [("Ann Lee ran", (Span(0, 7, "PER"),)), ("y", (Span(0, 1, "LOC"),))]
    assert reading.records[0].fields == {"id": "1"}
    assert [bad.id for bad in reading.bad] == ["x.jsonl#1", "x.jsonl#2"]
    assert any("1 tags continued no entity" in note for note in reading.notes)


def test_half_a_pair_of_surrogates_is_replaced(put):
    reading = table.read(put("x.jsonl", '{"text": "a \\ud83d b", "label": "\\ud83d\\ude00"}\n'))
    assert rows(reading) == [("a \N{REPLACEMENT CHARACTER} b", "\N{GRINNING FACE}")]


def test_quotes_in_bars_and_tabs_are_letters_where_they_do_not_end_a_field(put):
    texts = ['"Who" asked "whom"', '"All of it"', 'no "quotes" first', "none"]
    for mark in "|\t":
        body = "".join(f"{text}{mark}{'xy'[at % 2]}\n" for at, text in enumerate(texts))
        found = rows(table.read(put("x.csv", f"text{mark}label\n{body}")))
        assert found == [(text, "xy"[at % 2]) for at, text in enumerate(texts)]


def test_parquet_is_read_a_row_group_at_a_time(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    made = arrow.table({"text": [f"a {n}" for n in range(5000)], "label": ["x", "y"] * 2500})
    parquet.write_table(made, tmp_path / "x.parquet", row_group_size=700)
    reading = table.read(tmp_path / "x.parquet")
    assert rows(reading) == [(f"a {n}", "xy"[n % 2]) for n in range(5000)]


def test_rows_are_not_held_while_they_are_read(put):
    """What is kept of a table is its records: the peak stays near them, whatever the table is."""
    path = put("x.csv", "text,label,note\n" + "".join(f"text {n},x,\n" for n in range(20_000)))
    opened = _table.load(path)
    opened.sample()
    tracemalloc.start()
    try:
        count = sum(1 for _ in opened.rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000, "20,000 rows as lists of cells are above 5 MB"


KINDS = ["csv", "tsv", "jsonl", "parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_comes_back(tmp_path, kind):
    pytest.importorskip("pyarrow")
    records = [
        Record("1", 'a "b",\tc\nd', "x", "train", {"user": "ann"}),
        Record("2", "e|f; ünï", "y", "train", {"label": "z"}),
        Record("3", " g ", "x", "test"),
    ]
    table.write(iter(records), tmp_path, kind=kind)
    back = table.read(tmp_path)
    assert [(r.raw, r.label, r.split) for r in back.records] == [(r.raw, r.label, r.split) for r in records]
    assert [r.fields for r in back.records] == [{"user": "ann"}, {"label_": "z"}, {}]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_entities_that_are_written_come_back(tmp_path, kind):
    pytest.importorskip("pyarrow")
    records = [Record("1", "Ann Lee ran", (Span(0, 7, "PER"),)), Record("2", "so what", ())]
    table.write(iter(records), tmp_path, kind=kind)
    assert rows(table.read(tmp_path)) == [(record.raw, record.label) for record in records]


@pytest.mark.parametrize(
    "record", [Record("1", "a", (Span(0, 1, "x"),)), Record("1", b"a", "x"), Record("1", "a", None)]
)
def test_what_a_table_cannot_hold_is_refused(tmp_path, record):
    with pytest.raises(UserError, match="Record 1"):
        table.write([record], tmp_path)


TEXT = st.text(st.characters(blacklist_characters="\0\ue000", blacklist_categories=["Cs"]), max_size=15)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(TEXT, st.sampled_from(["x", "y", " "])), min_size=1, max_size=6))
def test_every_row_is_a_record_or_a_bad_one(put, items):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([("text", "label"), *items])
    reading = table.read(put("x.csv", stream.getvalue()))
    assert len(reading.records) + len(reading.bad) == len(items)
    kept = [(text, label) for text, label in items if text.strip() and label.strip()]
    assert rows(reading) == kept


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.binary(max_size=60), st.sampled_from(["x.csv", "x.tsv", "x.jsonl", "x.json", "x.parquet"]))
def test_any_bytes_are_a_table_or_the_users_mistake(put, data, name):
    try:
        table.read(put(name, data))
    except UserError:
        return


def test_banking77(real):
    reading = table.read(real("banking77"))
    assert [sum(record.split == split for record in reading.records) for split in ("train", "test")] == [10_003, 3_080]
    assert len({record.label for record in reading.records}) == 77
    assert not reading.bad
    assert reading.records[0].id == "train.csv#0"


def test_financial_phrasebank(real):
    reading = table.read(real("financial-phrasebank"))
    assert len(reading.records) == 1937
    assert {record.label for record in reading.records} == {"positive", "neutral", "negative"}
