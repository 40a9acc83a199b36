from lepton.checks import imbalance
from lepton.core.types import Box


def many(*counts, split="train"):
    return [("t", label, split) for label, count in counts for _ in range(count)]


def test_tiny_classes_are_named_with_their_records(texts):
    [finding] = imbalance.find(texts(*many(("a", 20), ("b", 3))))
    assert len(finding.records) == 3
    assert "b (3)" in finding.message
    assert finding.message.startswith("1 class of fewer")


def test_classes_that_train_lacks(texts):
    [finding] = imbalance.find(texts(*many(("a", 20), ("b", 20)), *many(("c", 2), split="test")))
    assert finding.severity == "error"
    assert [suspect.given for suspect in finding.records] == ["c", "c"]


def test_very_uneven_classes(texts):
    [finding] = imbalance.find(texts(*many(("a", 300), ("b", 20))))
    assert (finding.severity, "15 times" in finding.message) == ("info", True)
    assert imbalance.find(texts(*many(("a", 300), ("b", 20))), ratio=20.0) == []


def test_even_classes_and_no_classes(texts):
    assert imbalance.find(texts(*many(("a", 20), ("b", 20)))) == []
    assert imbalance.find(texts(("a", ()), ("b", None))) == []


def boxes(*counts):
    return tuple(Box(at, 0, at + 1, 1, label) for label, count in counts for at in range(count))


def test_boxes_are_counted_not_pictures(texts):
    first, second = boxes(("a", 40), ("b", 2)), boxes(("a", 5), ("c", 3))
    rare, strange, uneven = imbalance.find(texts(("t", first, "train"), ("t", (), "train"), ("t", second, "test")))
    assert rare.message == "1 class of fewer than 10 boxes: b (2)."
    assert [(suspect.id, suspect.given) for suspect in rare.records] == [("0", "b")]
    assert strange.message == "1 record of validation or test are of classes that train lacks: c."
    assert "20 times the boxes of 'b' (2)" in uneven.message
