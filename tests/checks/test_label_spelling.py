from lepton.checks import label_spelling
from lepton.core.types import Span


def test_rare_spellings_are_named_with_the_usual_one(texts):
    records = texts(("a", "Spam"), ("b", "Spam"), ("c", "spam"), ("d", "Spam "), ("e", "ham"))
    [finding] = label_spelling.find(records)
    assert [(s.id, s.given, s.suggested) for s in finding.records] == [("2", "spam", "Spam"), ("3", "Spam ", "Spam")]
    assert finding.message.startswith("One label is spelt in 3 ways")


def test_entities_count_too(texts):
    records = texts(
        ("a", (Span(0, 1, "PER"), Span(0, 1, "PER"))), ("b", (Span(0, 1, "per"),)), ("c", (Span(0, 1, "PER"),))
    )
    [finding] = label_spelling.find(records)
    assert [(s.id, s.suggested) for s in finding.records] == [("1", "PER")]


def test_different_labels_are_different(texts):
    assert label_spelling.find(texts(("a", "x"), ("b", "y"), ("c", None))) == []
