from lepton.checks import conflicting_labels
from lepton.core.types import Span


def test_the_outvoted_come_first_with_the_usual_label(texts):
    records = texts(("a", "x"), ("a", "y"), ("a", "x"), ("b", "x"), ("b", "x"))
    [finding] = conflicting_labels.find(records)
    assert [(s.id, s.given, s.suggested) for s in finding.records] == [
        ("1", "y", "x"),
        ("0", "x", "x"),
        ("2", "x", "x"),
    ]
    assert finding.records[0].score > finding.records[1].score


def test_a_draw_suggests_nothing(texts):
    [finding] = conflicting_labels.find(texts(("a", "x"), ("a", "y")))
    assert [suspect.suggested for suspect in finding.records] == [None, None]


def test_entities_conflict_too(texts):
    [finding] = conflicting_labels.find(texts(("a b", (Span(0, 1, "PER"),)), ("a b", ())))
    assert [suspect.given for suspect in finding.records] == ["PER[0:1]", "no entity"]


def test_copies_with_one_label_are_no_conflict(texts):
    assert conflicting_labels.find(texts(("a", "x"), ("a", "x"))) == []
