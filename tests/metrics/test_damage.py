"""What changed between two models, by definitions, scipy and a case worked by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lepton.core.types import Span
from lepton.metrics import _damage, accuracy
from lepton.metrics._tango import tango_interval

CLASSES = ["a", "b", "c"]
LABELS = st.sampled_from(CLASSES)
TRIPLES = st.lists(st.tuples(LABELS, LABELS, LABELS), min_size=1, max_size=40)
COUNTS = st.integers(0, 60)


def ranking(label):
    rest = [name for name in CLASSES if name != label]
    return [{"label": label, "score": 0.8}, *({"label": name, "score": 0.1} for name in rest)]


def answered(*columns):
    return tuple([ranking(label) for label in column] for column in columns)


def entity(start, label):
    return {"start": start, "end": start + 2, "entity_group": label, "score": 0.9}


def test_a_case_worked_by_hand():
    truth = list("aaaabbcc")
    answers = answered("aaabbbca", "abbbbbcb")
    found = _damage.fates(truth, answers)
    assert _damage.counts(found) == {"right_to_wrong": 2, "wrong_to_right": 0, "wrong_to_wrong": 1, "unchanged": 5}
    first, second, third = _damage.class_rows(truth, answers, CLASSES)
    assert (first["n"], first["before"], first["after"], first["change"]) == (4, 0.75, 0.25, -0.5)
    assert (first["lost"], first["won"], first["p"]) == (2, 0, 0.5)
    assert (second["change"], second["p"]) == (0.0, 1.0)
    assert third["before"] == third["after"] == 0.5
    assert not any(row["significant"] for row in (first, second, third))


@given(TRIPLES)
def test_every_record_is_counted_once_and_the_change_is_the_drop(triples):
    truth, before, after = zip(*triples, strict=True)
    answers = answered(before, after)
    counts = _damage.counts(_damage.fates(truth, answers))
    assert sum(counts.values()) == len(truth)
    assert counts["unchanged"] == sum(one == other for one, other in zip(before, after, strict=True))
    scores = [accuracy.score(accuracy.table(truth, own, CLASSES)) for own in answers]
    drop = (counts["right_to_wrong"] - counts["wrong_to_right"]) / len(truth)
    assert scores[0] - scores[1] == pytest.approx(drop)


@given(TRIPLES)
def test_class_rows_add_up_and_hold_their_change(triples):
    truth, before, after = zip(*triples, strict=True)
    rows = _damage.class_rows(truth, answered(before, after), CLASSES)
    assert [row["label"] for row in rows] == sorted(set(truth))
    assert sum(row["n"] for row in rows) == len(truth)
    for row in rows:
        assert row["change"] == pytest.approx(row["after"] - row["before"])
        low, high = tango_interval((row["won"], row["lost"], row["n"]), stats.norm.ppf(0.975))
        assert (row["low"], row["high"]) == (pytest.approx(low), pytest.approx(high))
        assert row["low"] <= row["change"] <= row["high"]


@given(COUNTS, COUNTS)
def test_the_sign_test_is_scipys_binomial_test(lost, won):
    expected = stats.binomtest(lost, lost + won).pvalue if lost + won else 1.0
    assert _damage.sign_test(lost, won) == pytest.approx(expected)


def test_many_changes_do_not_overflow():
    assert _damage.sign_test(5000, 5000) == 1.0
    assert 0 <= _damage.sign_test(6000, 4000) < 1e-80


def test_holms_steps_by_hand():
    assert _damage.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert _damage.holm([0.9, 0.8]) == [1.0, 1.0]
    assert _damage.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_as_its_definition_says(chances):
    passed = [chance <= 0.05 for chance in _damage.holm(chances)]
    ordered = sorted(range(len(chances)), key=chances.__getitem__)
    still = True
    for step, index in enumerate(ordered):
        still = still and chances[index] * (len(chances) - step) <= 0.05
        assert passed[index] == still


def test_a_loss_of_the_smallest_class_is_significant_among_many():
    names = [f"class {index}" for index in range(30)]
    values = [name for name in names for _ in range(50)][: 29 * 50] + [names[-1]] * 8
    small = np.array([value == names[-1] for value in values])
    right = np.ones(len(values), bool)
    rows = _damage.rows(_damage.Fates(right, ~small, small), values, names)
    assert [row["label"] for row in rows if row["significant"]] == [names[-1]]


def test_equal_chances_make_few_false_alarms():
    random = np.random.default_rng(5)
    names, alarms = [str(index) for index in range(8)], 0
    values = [name for name in names for _ in range(60)]
    for _ in range(400):
        kinds = random.choice(3, len(values), p=[0.15, 0.15, 0.7])
        rows = _damage.rows(_damage.Fates(kinds != 1, kinds != 0, kinds != 2), values, names)
        alarms += any(row["significant"] for row in rows)
    assert alarms / 400 <= 0.07


def test_values_that_are_none_count_for_nothing():
    right = np.array([True, True, False])
    rows = _damage.rows(_damage.Fates(right, ~right, np.ones(3, bool)), ["x", None, "y"], ["y", "x", "z"])
    assert [(row["label"], row["n"]) for row in rows] == [("y", 1), ("x", 1)]


def test_a_class_that_the_models_do_not_know_has_its_row():
    rows = _damage.class_rows(["a", "new"], answered("aa", "ab"), CLASSES)
    assert [(row["label"], row["before"]) for row in rows] == [("a", 1.0), ("new", 0.0)]


def test_entities_are_right_as_a_set_and_counted_by_type():
    truth = [(Span(0, 2, "person"), Span(5, 7, "place")), (Span(0, 2, "person"),), ()]
    before = [[entity(0, "person"), entity(5, "place")], [entity(0, "person")], []]
    after = [[entity(5, "place"), entity(0, "person")], [entity(0, "place")], [entity(3, "place")]]
    found = _damage.fates(truth, (before, after))
    assert _damage.counts(found) == {"right_to_wrong": 2, "wrong_to_right": 0, "wrong_to_wrong": 0, "unchanged": 1}
    person, place = _damage.class_rows(truth, (before, after), ["person", "place", "time"])
    assert (person["n"], person["before"], person["after"], person["change"]) == (2, 1.0, 0.5, -0.5)
    assert (person["lost"], person["won"], person["low"], person["high"]) == (1, 0, None, None)
    assert (place["n"], place["before"], place["after"]) == (1, 1.0, 1.0)


def test_texts_without_any_entity_found_are_no_classes():
    assert not _damage.ranked([[], [entity(0, "person")]])
    assert not _damage.ranked([[], []])
    assert _damage.ranked(answered("a")[0])


def test_rows_are_json():
    rows = _damage.class_rows(list("aab"), answered("aab", "abb"), CLASSES)
    assert json.loads(json.dumps(rows)) == rows
