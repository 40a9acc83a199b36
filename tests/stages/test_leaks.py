from lepton.checks._content import digests
from lepton.checks._near import Pair
from lepton.core.types import Record
from lepton.stages import _leaks


def records(**texts):
    """Records by ids such as `train_1`, whose split is the word before the number."""
    return [Record(name, text, "a", name.split("_")[0]) for name, text in texts.items()]


def test_equal_and_near_ones_are_told_apart_and_each_training_record_stands_once():
    every = records(train_1="x", train_2="y", train_3="z!", train_4="w", test_1="x", test_2="z", validation_1="y")
    near = [Pair("train_1", "test_1", 1.0, equal=True), Pair("train_3", "test_2", 0.9), Pair("train_1", "test_2", 0.8)]
    found = _leaks.find(every, digests(every), near)
    assert found.pairs == [("train_1", "test_1"), ("train_2", "validation_1")]
    assert found.near == [("train_3", "test_1")], "one cluster: the first record of it that is held out stands for it"
    assert found.train() == {"exact": ["train_1", "train_2"], "near": ["train_3"]}
    assert _leaks.in_train(every, digests(every), near) == {"exact": ["test_1"], "near": ["test_2"]}


def test_records_without_given_splits_leak_nothing():
    every = [Record("1", "x", "a"), Record("2", "x", "a")]
    near = [Pair("1", "2", 1.0, equal=True)]
    assert _leaks.find(every, digests(every), near) == _leaks.Leaks([], [])
    assert _leaks.in_train(every, digests(every), near) == {"exact": [], "near": []}
