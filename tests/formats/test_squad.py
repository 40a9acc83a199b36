import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Span
from lepton.formats import squad

CONTEXT = "Ann Lee went to New York. Ann liked it."


def document(*questions, context=CONTEXT, title="Trips"):
    return {"version": "1.1", "data": [{"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def question(text, *answers, name="q", **more):
    made = [{"answer_start": start, "text": words} for start, words in answers]
    return {"id": name, "question": text, "answers": made, **more}


def told(record):
    return [record.raw[span.start : span.end] for span in record.label]


def test_a_question_and_its_answer(put):
    path = put("dev.json", json.dumps(document(question("Who?", (0, "Ann Lee")))))
    assert squad.sniff(path)
    [record] = squad.read(path).records
    assert record.id == "dev.json#0"
    assert record.raw == f"Who?\n{CONTEXT}"
    assert record.label == (Span(5, 12, "answer"),)
    assert record.fields == {"id": "q", "title": "Trips", "paragraph": "dev.json:0.0", "question": "Who?"}


def test_several_answers_none_and_wrong_places(put):
    several = question("Where?", (16, "New York"), (16, "New York"), (20, "York"))
    none = question("Why?", is_impossible=True, plausible_answers=[{"answer_start": 30, "text": "liked"}])
    moved, absent = question("Who liked it?", (24, "Ann")), question("When?", (0, "Bob"))
    path = put("dev.json", json.dumps(document(several, none, moved, absent, {"id": "x"}, 7)))
    reading = squad.read(path)
    assert [told(record) for record in reading.records] == [["New York"], [], ["Ann"]]
    assert len(json.loads(reading.records[0].fields["answers"])) == 3
    assert reading.records[2].raw.index("Ann liked") == reading.records[2].label[0].start
    assert [bad.id for bad in reading.bad] == ["dev.json#3", "dev.json#4", "dev.json#5"]
    assert "'Bob'" in reading.bad[0].reason
    assert any("1 answer stood elsewhere" in note for note in reading.notes)


def test_splits_from_names_and_files_without_them(put, tmp_path):
    put("a/train-v1.1.json", json.dumps(document(question("Who?", (0, "Ann")))))
    put("a/dev-v1.1.json", json.dumps(document(question("Who?", (0, "Ann")))))
    assert [record.split for record in squad.read(tmp_path / "a").records] == ["train", "validation"]
    put("b/x.de.json", json.dumps(document(question("Wer?", (0, "Ann")))))
    put("b/x.en.json", json.dumps(document(question("Who?", (0, "Ann")))))
    reading = squad.read(tmp_path / "b")
    assert [(record.split, record.fields["file"]) for record in reading.records] == [
        (None, "x.de.json"),
        (None, "x.en.json"),
    ]


BROKEN = [
    b"",
    b"{",
    b"[1]",
    b'{"data": 3}',
    b'{"data": [{"paragraphs": 3}]}',
    b'{"data": [{"paragraphs": [{"qas": []}]}]}',
    b'{"data": [{"paragraphs": [{"context": "a", "qas": 3}]}]}',
    b'{"data": [{"paragraphs": [{"context": "a", "qas": []}]}]}',
    b'{"data": [3]}',
    b'{"data": ' * 100_000,
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_such_file_is_refused(put, data):
    with pytest.raises(UserError):
        squad.read(put("x.json", data))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "paragraphs", "context", "qas", "answers", "question", "text", "answer_start"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(JSON, JSON, JSON)
def test_any_json_is_read_or_the_users_mistake(put, first, second, third):
    item = {"question": "a?", "answers": first}
    parts = [{"data": first}, document(second, item), {"data": [{"paragraphs": [{"context": "a b", "qas": third}]}]}]
    for part in parts:
        try:
            reading = squad.read(put("x.json", json.dumps(part)))
        except UserError:
            continue
        assert all(record.raw[span.start : span.end].strip() for record in reading.records for span in record.label)


def test_what_was_read_comes_back(put, tmp_path):
    questions = [
        question("Where?", (16, "New York"), (20, "York"), name="1"),
        question("Why?", name="2", is_impossible=True, plausible_answers=[{"answer_start": 30, "text": "liked"}]),
        question("Is \n it?", (0, "Ann"), name="3"),
    ]
    before = squad.read(put("train.json", json.dumps(document(*questions))))
    squad.write(before.records, tmp_path / "out")
    after = squad.read(tmp_path / "out" / "data.json")
    assert [(r.raw, r.label, r.fields["id"], r.fields.get("answers")) for r in after.records] == [
        (r.raw, r.label, r.fields["id"], r.fields.get("answers")) for r in before.records
    ]
    assert json.loads((tmp_path / "out" / "data.json").read_text())["data"][0]["paragraphs"][0]["context"] == CONTEXT


def test_xquad(real):
    reading = squad.read(real("xquad"))
    assert not reading.bad
    assert Counter(record.fields["file"] for record in reading.records) == {
        f"xquad.{language}.json": 1190 for language in ("ar", "de", "en", "es", "zh")
    }
    assert len({record.fields["paragraph"] for record in reading.records}) == 5 * 240
    assert all(len(record.label) == 1 for record in reading.records)
