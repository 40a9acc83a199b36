"""Figures behind a score against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from lepton.core.errors import UserError
from lepton.metrics import _tables

RANDOM = np.random.default_rng(9)
TRUTH, ANSWER = RANDOM.integers(0, 3, 200), RANDOM.integers(0, 3, 200)


def test_confusion_is_scikit_learns():
    np.testing.assert_array_equal(_tables.confusion(TRUTH, ANSWER, 3), reference.confusion_matrix(TRUTH, ANSWER))


def test_per_class_is_scikit_learns():
    expected = reference.precision_recall_fscore_support(TRUTH, ANSWER)
    rows = _tables.per_class(TRUTH, ANSWER, ["a", "b", "c"])
    found = [[row[name] for row in rows] for name in ("precision", "recall", "f1", "support")]
    np.testing.assert_allclose(found, expected)


def test_classes_that_never_occur_and_unknown_ones():
    rows = _tables.per_class(np.array([0, 2]), np.array([0, 0]), ["a", "b"])
    assert [row["f1"] for row in rows] == [pytest.approx(2 / 3), 0.0]
    assert _tables.confusion(np.array([0, 2]), np.array([0, 0]), 2).tolist() == [[1, 0], [0, 0]]


def test_reliability_names_the_bins_that_are_filled():
    rows = _tables.reliability(np.array([[0.9, 1], [0.9, 0], [0.2, 0]]))
    assert [row["count"] for row in rows] == [1, 2]
    assert rows[1]["score"] == pytest.approx(0.9)
    assert rows[1]["right"] == 0.5
    assert rows[1]["low"] < 0.9 <= rows[1]["high"]


def test_roc_is_scikit_learns():
    positive, given = TRUTH == 1, RANDOM.random(200).round(1)
    alarms, hits, _ = reference.roc_curve(positive, given, drop_intermediate=False)
    curve = _tables.roc(positive, given)
    np.testing.assert_allclose(curve["sensitivity"], hits)
    np.testing.assert_allclose(1 - curve["specificity"], alarms)
    for threshold, hit in zip(curve["threshold"], curve["sensitivity"], strict=True):
        assert (given[positive] >= threshold).mean() == pytest.approx(hit)


def test_operating_points():
    positive = np.array([0, 0, 0, 0, 1, 1, 1], bool)
    given = np.array([0.1, 0.2, 0.3, 0.8, 0.25, 0.7, 0.9])
    curve = _tables.roc(positive, given)
    assert _tables.at_specificity(curve, 0.75) == {
        "threshold": pytest.approx(0.5),
        "sensitivity": pytest.approx(2 / 3),
        "specificity": 0.75,
    }
    assert _tables.at_specificity(curve, 1.0)["sensitivity"] == pytest.approx(1 / 3)
    assert _tables.at_cost(curve, 3 / 7, (100.0, 1.0))["sensitivity"] == 1.0
    never = _tables.at_cost(curve, 0.0, (1.0, 1.0))
    assert (never["threshold"], never["specificity"]) == (2.0, 1.0)


def test_a_roc_curve_needs_both_classes():
    with pytest.raises(UserError, match="both classes"):
        _tables.roc(np.ones(3, bool), np.ones(3))
