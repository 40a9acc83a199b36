"""Findings made of predictions: whole records, and entities by their words."""

import numpy as np

from lepton.checks import label_errors
from lepton.checks._predictions import NOTHING, Predictions
from lepton.core.types import Record, Span


def predicted(given, guessed, sure=0.97):
    """Predictions of classes a and b by a model that is as sure as said of what it guesses."""
    classes = ["a", "b"]
    rows = np.array([[sure, 1 - sure] if guess == "a" else [1 - sure, sure] for guess in guessed])
    numbers = np.array([classes.index(label) for label in given])
    return Predictions(classes, [str(at) for at in range(len(given))], numbers, rows)


def records(given, split="train"):
    return [Record(str(at), "text", label, split) for at, label in enumerate(given)]


def test_the_wrong_label_is_named_first_with_what_it_should_be():
    given = ["a"] * 50 + ["b"] * 50
    guessed = [*given]
    guessed[7] = "b"
    [finding] = label_errors.find(records(given), predictions=predicted(given, guessed))
    first = finding.records[0]
    assert (first.id, first.given, first.suggested) == ("7", "a", "b")
    assert first.score > 0.5
    assert finding.severity == "warning"
    assert "1 in train" in finding.message


def test_the_most_suspect_come_first():
    given = ["a"] * 60 + ["b"] * 60
    guessed = ["b"] * 6 + ["a"] * 54 + ["b"] * 60
    found = predicted(given, guessed)
    found.probabilities[:6] = [[chance, 1 - chance] for chance in (0.02, 0.3, 0.01, 0.2, 0.1, 0.05)]
    [finding] = label_errors.find(records(given), predictions=found)
    assert [suspect.id for suspect in finding.records][:4] == ["2", "0", "5", "4"]
    scores = [suspect.score for suspect in finding.records]
    assert scores == sorted(scores, reverse=True)


def test_labels_that_models_agree_with_are_no_finding():
    given = ["a"] * 50 + ["b"] * 50
    assert label_errors.find(records(given), predictions=predicted(given, given)) == []


def entity(text, *spans):
    return text, tuple(Span(*span) for span in spans)


def test_entities_are_named_once_with_the_words_put_right():
    texts = [entity("in Oslo today", (3, 7, "place"))] * 30 + [entity("in Oslo Norway today", (3, 7, "place"))]
    rows = [Record(str(at), text, label, "train") for at, (text, label) in enumerate(texts)]
    places, names, given = [], [], []
    for row in rows:
        start = 0
        for word in row.raw.split():
            places.append((row.raw.index(word, start), row.raw.index(word, start) + len(word)))
            names.append(row.id)
            given.append("place" if word == "Oslo" else NOTHING)
            start = places[-1][1]
    classes = sorted({NOTHING, "place"})
    numbers = np.array([classes.index(each) for each in given])
    chances = np.where(np.eye(2)[numbers] == 1, 0.98, 0.02)
    norway = names.index("30") + 2
    chances[norway] = chances[norway][::-1]
    found = Predictions(classes, names, numbers, chances, places)
    [finding] = label_errors.find(rows, predictions=found)
    first = finding.records[0]
    assert (first.id, first.given, first.suggested) == ("30", "place[3:7]", "place[3:14]")
    assert len({suspect.id for suspect in finding.records}) == len(finding.records)


def test_a_word_taken_from_an_entity_leaves_the_other_words_of_it():
    text, span = "by Lady Gaga Tour now", Span(3, 17, "person")
    record = Record("0", text, (span,))
    suggested = label_errors._suggested(record, {(13, 17): NOTHING})
    assert suggested == "person[3:12]"
    assert label_errors._suggested(record, {(3, 7): "group", (8, 12): "group"}) == "group[3:12], person[13:17]"
    assert label_errors._suggested(record, {(3, 7): NOTHING, (8, 12): NOTHING, (13, 17): NOTHING}) == "no entity"
