from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats import _bio, conll

WORD = st.text("abcdéß漢字'.-", min_size=1, max_size=6)
ENTITY = st.tuples(st.sampled_from(["PER", "LOC", "creative-work"]), st.lists(WORD, min_size=1, max_size=3))
PIECE = st.one_of(WORD.map(lambda word: (None, [word])), ENTITY)


def tagged(pieces, scheme):
    tokens, tags = [], []
    for label, words in pieces:
        last = len(words) - 1
        for at, word in enumerate(words):
            tokens.append(word)
            tags.append("O" if label is None else f"{scheme(at, last)}-{label}")
    return tokens, tags


def bio(at, last):
    return "B" if at == 0 else "I"


def bioes(at, last):
    return "S" if last == 0 else "B" if at == 0 else "E" if at == last else "I"


def bilou(at, last):
    return "U" if last == 0 else "B" if at == 0 else "L" if at == last else "I"


@given(st.lists(PIECE, min_size=1, max_size=6), st.sampled_from([bio, bioes, bilou]))
def test_entities_come_back_from_each_scheme(pieces, scheme):
    text, spans, mended = _bio.spans(*tagged(pieces, scheme))
    entities = [(label, " ".join(words)) for label, words in pieces if label]
    assert [(span.label, text[span.start : span.end]) for span in spans] == entities
    assert not mended


def test_stray_tags_and_several_labels_are_mended_and_counted():
    _, spans, mended = _bio.spans(["a", "b", "c", "d"], ["I-X", "I-Y", "O", "B-X,B-Y"])
    assert [span.label for span in spans] == ["X", "Y", "X"]
    assert mended == {"stray": 2, "several": 1}


def test_iob1_comes_out_right():
    text, spans, _ = _bio.spans(["New", "York", "Paris", "x"], ["I-LOC", "I-LOC", "B-LOC", "O"])
    assert [text[span.start : span.end] for span in spans] == ["New York", "Paris"]


CONLL = "-DOCSTART- -X- O O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n\nPeter NNP I-NP B-PER\nBlack NNP I-NP I-PER\n"


def test_four_columns_and_document_marks(put):
    path = put("eng.train", CONLL)
    assert conll.sniff(path)
    reading = conll.read(path)
    assert [(record.id, record.raw, record.label) for record in reading.records] == [
        ("eng.train#0", "EU rejects", (Span(0, 2, "ORG"),)),
        ("eng.train#1", "Peter Black", (Span(0, 11, "PER"),)),
    ]
    assert "1 comment" in reading.notes[0]


def test_tabs_blank_lines_with_space_and_hash_tokens(put):
    path = put("x.conll", "#\tO\r\n@bob\tB-person\r\n\t\r\n \r\nso\tO\r\n")
    assert [(record.raw, record.label) for record in conll.read(path).records] == [
        ("# @bob", (Span(2, 6, "person"),)),
        ("so", ()),
    ]


def test_numbered_tokens(put):
    path = put("x.conll", "# text = A dog\n1\tA\tO\n2\tdog\tB-X\n\n1\tB\tO\n")
    assert [record.raw for record in conll.read(path).records] == ["A dog", "B"]


def test_a_sentence_with_a_line_without_tag_is_bad(put):
    path = put("x.conll", "a\tO\nb\n\nc\tB-X\nd\tweird\n\ne\tO\nf\tB-X\n")
    reading = conll.read(path)
    assert [record.raw for record in reading.records] == ["e f"]
    assert [bad.id for bad in reading.bad] == ["x.conll#0", "x.conll#1"]
    assert "line 2" in reading.bad[0].reason


def test_of_two_files_for_a_split_the_most_regular_is_read(put, tmp_path):
    good = "a\tB-X\nb\tO\n\n"
    put("w17train.conll", good)
    put("w.test.annotated", good)
    put("w.test.conll", "a\tB-X,B-Y\nb\tO\n\nc\tI-X\n")
    put("README.md", "words\n")
    reading = conll.read(tmp_path)
    assert [(record.id, record.split) for record in reading.records] == [
        ("w17train.conll#0", "train"),
        ("w.test.annotated#0", "test"),
    ]
    assert "w.test.conll" in reading.notes[0]


def test_files_without_a_training_one_are_not_clear(put, tmp_path):
    put("a.conll", "a\tB-X\nb\tO\n")
    put("b.conll", "a\tB-X\nb\tO\n")
    with pytest.raises(UserError, match="not clear"):
        conll.read(tmp_path)


NAMED = "# global.columns = ID FORM UPOS NER MISC\n1\tEU\tPROPN\tB-ORG\t_\n2\tfell\tVERB\tO\t_\n\n1\tHe\tPRON\tO\t3\n"


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [(Span(0, 2, "ORG"),), ()]),
        ({"label": "NER"}, [(Span(0, 2, "ORG"),), ()]),
        ({"label": "-2", "text": "1"}, [(Span(0, 2, "ORG"),), ()]),
        ({"label": "UPOS", "text": "FORM"}, [(Span(0, 2, "PROPN"), Span(3, 7, "VERB")), (Span(0, 2, "PRON"),)]),
    ],
)
def test_any_column_by_name_or_number(put, options, labels):
    path = put("x.conllup", NAMED)
    assert conll.sniff(path)
    reading = conll.read(path, **options)
    assert [record.raw for record in reading.records] == ["EU fell", "He"]
    assert [record.label for record in reading.records] == labels


def test_tags_before_tokens_and_columns_that_are_not_there(put):
    path = put("x.bio", "B-a\tfoo\nI-a\tbar\nO\tx\nO\ty\n\nO\tz\n")
    assert [(record.raw, record.label) for record in conll.read(path).records] == [
        ("foo bar x y", (Span(0, 7, "a"),)),
        ("z", ()),
    ]
    with pytest.raises(UserError, match="Unknown column in"):
        conll.read(path, label="NER")
    with pytest.raises(UserError, match="no sentence with tags"):
        conll.read(path, label="7")


@given(st.lists(st.lists(PIECE, min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from([bio, bilou]))
def test_what_was_read_comes_back(tmp_path_factory, sentences, scheme):
    place = tmp_path_factory.mktemp("conll")
    pairs = [_bio.spans(*tagged(pieces, scheme)) for pieces in sentences]
    records = [Record(str(at), text, spans, "train") for at, (text, spans, _) in enumerate(pairs)]
    conll.write(iter(records), place)
    found = conll.read(place / "train.conll").records
    assert [(record.raw, record.label) for record in found] == [(record.raw, record.label) for record in records]


def test_entities_inside_words_and_over_others_are_cut(tmp_path):
    spans = (Span(0, 3, "a b"), Span(2, 9, "c"), Span(12, 15, "d"))
    conll.write([Record("1", "NewYork is  big.", spans), Record("2", " ", ())], tmp_path)
    assert (tmp_path / "data.conll").read_text() == "New\tB-a_b\nYork\tO\nis\tO\nbig\tB-d\n.\tO\n\n"
    with pytest.raises(UserError, match="entities"):
        conll.write([Record("1", "a", "b")], tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(st.text(st.sampled_from("abO BI-X\t\n,#0"), max_size=60))
def test_any_text_is_read_or_the_users_mistake(put, text):
    try:
        reading = conll.read(put("x.conll", text))
    except UserError:
        return
    for record in reading.records:
        assert all(0 <= span.start < span.end <= len(record.raw) for span in record.label)


def test_wnut17(real):
    reading = conll.read(real("wnut17"))
    assert Counter(record.split for record in reading.records) == {"train": 3394, "validation": 1009, "test": 1287}
    assert not reading.bad
    entities = Counter(record.split for record in reading.records for _ in record.label)
    assert entities["train"] == 660 + 548 + 264 + 221 + 142 + 140
    assert entities["test"] == 429 + 165 + 150 + 142 + 127 + 66
    assert any("emerging.test.annotated" in note for note in reading.notes)
