from pathlib import Path

import pytest

from lepton.formats import _names


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"),
        ("TEST.tsv", "test"),
        ("stsa.binary.dev", "validation"),
        ("wnut17train.conll", "train"),
        ("eng.testa", "validation"),
        ("eng.testb", "test"),
        ("train-00000-of-00002.parquet", "train"),
        ("my_training-set_val.txt", "validation"),
        ("latest.csv", None),
        ("contest.csv", None),
        ("devices.csv", None),
    ],
)
def test_the_split_is_a_word_of_the_name(name, split):
    assert _names.split_of(name) == split


@pytest.mark.parametrize("word", ["Val", "VALID", "dev", "Validation"])
def test_words_of_validation_in_any_case(word):
    assert _names.split_word(word) == "validation"


def test_stems_are_equal_within_one_set_and_differ_between_two():
    assert _names.stem_of("TREC.train.all") == _names.stem_of("TREC.test.all")
    assert _names.stem_of("stsa.binary.train") == _names.stem_of("stsa.binary.dev")
    assert _names.stem_of("TREC.train.all") != _names.stem_of("stsa.binary.train")
    assert _names.stem_of("train-00000-of-00002.parquet") == _names.stem_of("test-00000-of-00001.parquet")


def test_several_files_are_a_set_only_under_one_stem_with_train():
    names = ["a.test", "a.train", "a.dev"]
    assert list(_names.by_split([Path(name) for name in names])) == ["train", "validation", "test"]
    assert _names.by_split([Path(name) for name in [*names, "b.train"]]) == {}
    assert _names.by_split([Path("a.dev"), Path("a.test")]) == {}
    assert _names.by_split([Path("one.csv")]) == {None: [Path("one.csv")]}
