from collections import Counter

import pytest

from lepton.core.errors import UserError
from lepton.formats import lines

TEXT = "0 How far is it ?\n1 Who was he ?\n0 What is an atom ?\n1 Who wrote it ?\n0 Why ?\n1 Who ?\n"


def pairs(reading):
    return [(record.label, record.raw) for record in reading.records]


@pytest.mark.parametrize(
    "text",
    [
        "spam win a prize\nham see you\n" * 4,
        "spam\twin a prize\nham\tsee you\n" * 4,
        "__label__spam win a prize\r\n__label__ham see you\r\n" * 4,
    ],
)
def test_label_and_text(put, text):
    path = put("data.txt", text)
    assert lines.sniff(path)
    assert pairs(lines.read(path)) == [("spam", "win a prize"), ("ham", "see you")] * 4


def test_the_label_behind_a_tab(put):
    path = put("data.txt", "".join(f"so good it is {n}\t{n % 2}\n" for n in range(9)))
    assert lines.sniff(path)
    assert pairs(lines.read(path))[1] == ("1", "so good it is 1")


def test_labels_of_several_words_before_a_tab(put):
    path = put("data.txt", "very good\tone two\nvery bad\tthree four\n" * 3)
    assert pairs(lines.read(path))[1] == ("very bad", "three four")


def test_bad_and_blank_lines_are_counted(put):
    reading = lines.read(put("a.all", TEXT + "\n1\n0 last one\n"))
    assert [bad.id for bad in reading.bad] == ["a.all#7"]
    assert reading.records[-1].id == "a.all#8"
    assert reading.notes == ["a.all: 1 blank line passed over"]


def test_a_folder_with_one_stem(put, tmp_path):
    for split in ("train", "dev", "test"):
        put(f"stsa.binary.{split}", TEXT)
    assert lines.sniff(tmp_path)
    counts = Counter(record.split for record in lines.read(tmp_path).records)
    assert counts == {"train": 6, "validation": 6, "test": 6}
    put("TREC.train.all", TEXT)
    with pytest.raises(UserError, match="not clear"):
        lines.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prose.txt", "The cat sat.\nA dog ran.\nWhere is it?\nNobody knows.\n"),
        ("README.md", TEXT),
        ("data.csv", TEXT),
        ("tags.txt", "EU B-ORG\nrejects O\ncall O\n\nGerman B-MISC\nlamb O\n"),
        ("empty.txt", ""),
        ("same.txt", "the cat\nthe dog\nthe cow\n"),
    ],
)
def test_other_files_are_not_taken(put, name, text):
    assert not lines.sniff(put(name, text))


def test_trec_and_sst(real):
    reading = lines.read(real("sentences") / "TREC.train.all")
    assert len(reading.records) == 5452
    assert not reading.bad
    assert reading.notes == ["TREC.train.all: 1 line not in UTF-8, read as cp1252 or Latin-1"]
    assert {record.label for record in reading.records} == set("012345")
    assert len(lines.read(real("sentences") / "TREC.test.all").records) == 500
    assert [
        len(lines.read(real("sentences") / f"stsa.binary.{part}").records) for part in ("train", "dev", "test")
    ] == [
        6920,
        872,
        1821,
    ]
