"""The threshold's promise by simulation, and the figures by their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import UserError
from lepton.metrics import _answers, _open_set, accuracy, auroc, calibration_error, macro_f1
from lepton.metrics._intervals import wilson

CLASSES = ["a", "b"]
KEPT = [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.1}, {"label": "unknown", "score": 0.0}]
REFUSED = [{"label": "unknown", "score": 0.96}, {"label": "b", "score": 0.03}, {"label": "a", "score": 0.01}]


@pytest.mark.parametrize(("count", "keep"), [(19, 0.95), (40, 0.9), (200, 0.95), (333, 0.8)])
def test_new_known_samples_are_kept_as_promised(count, keep):
    """On the mean over validation sets the share kept is at least `keep`, and hardly more than it must be."""
    random = np.random.default_rng(count)
    kept = [
        (random.standard_t(3, 400) >= _open_set.threshold(random.standard_t(3, count), keep)).mean()
        for _ in range(3000)
    ]
    mean, error = np.mean(kept), np.std(kept) / np.sqrt(len(kept))
    assert mean >= keep - 3 * error
    assert mean <= keep + 2 / (count + 1) + 3 * error


@given(st.lists(st.floats(-9, 9), min_size=20, max_size=60), st.floats(0.5, 0.95))
def test_the_share_of_seen_ones_below_is_at_most_what_may_be_lost(values, keep):
    known = np.array(values)
    assert (known < _open_set.threshold(known, keep)).mean() <= 1 - keep + 1e-9


def test_too_few_records_cannot_promise():
    assert _open_set.threshold(np.arange(19.0), 0.95) == 0.0
    with pytest.raises(UserError, match=r"(?s)18 known validation records are too few.*At least 19"):
        _open_set.threshold(np.arange(18.0), 0.95)
    with pytest.raises(UserError, match="too few"):
        _open_set.threshold(np.arange(1000.0), 1.0)


def test_the_tail_lies_below_the_threshold():
    known = np.arange(1000.0)[::-1]
    assert _open_set.tail(known, 4.5) == [0, 1, 2, 3, 4]
    long = _open_set.tail(known, 500)
    assert (len(long), long[0], long[-1]) == (20, 0, 499)
    assert np.ptp(np.diff(long)) <= 1
    assert _open_set.tail(known, -1) == []


def test_figures_are_shares_and_the_area():
    known, unknown = np.array([5.0, 4.0, 3.0, 1.0]), np.array([2.0, 1.0, 0.0])
    found = _open_set.figures(known, unknown, 2.5, seed=0)
    assert (found["known"], found["unknown"]) == (4, 3)
    assert found["kept"] == {"value": 0.75, "low": wilson(3, 4)[0], "high": wilson(3, 4)[1]}
    assert found["rejected"]["value"] == 1.0
    pairs = np.mean([(one > other) + (one == other) / 2 for one in known for other in unknown])
    assert found["auroc"]["value"] == pytest.approx(pairs) == pytest.approx(_open_set.area(known, unknown))
    assert found["auroc"]["low"] <= pairs <= found["auroc"]["high"]


def test_what_has_no_records_has_no_figure():
    found = _open_set.figures(np.array([1.0, 2.0]), np.zeros(0), 1.5, seed=0)
    assert (found["auroc"], found["rejected"], found["kept"]["value"]) == (None, None, 0.5)
    assert _open_set.figures(np.zeros(0), np.array([1.0]), 1.5, seed=0)["kept"] is None


def test_to_abstain_from_a_known_record_is_a_wrong_answer():
    truth, answers = ["a", "a", "b"], [KEPT, REFUSED, REFUSED]
    assert accuracy.score(accuracy.table(truth, answers, CLASSES)) == pytest.approx(1 / 3)
    # a: 1 right of 2 true and 1 answered; b: none right
    assert macro_f1.score(macro_f1.table(truth, answers, CLASSES)) == pytest.approx((2 / 3 + 0) / 2)
    assert macro_f1.score(macro_f1.table(["a"], [REFUSED], CLASSES)) == 0


def test_probabilities_of_classes_are_what_they_are_without_abstaining():
    assert _answers.forced(KEPT, CLASSES) == KEPT[:2]
    assert _answers.forced(REFUSED, CLASSES) == [
        {"label": "b", "score": pytest.approx(0.75)},
        {"label": "a", "score": pytest.approx(0.25)},
    ]
    assert _answers.scores([KEPT, REFUSED], CLASSES) == pytest.approx(np.array([[0.9, 0.1], [0.25, 0.75]]))
    table = calibration_error.table(["a", "a"], [KEPT, REFUSED], CLASSES)
    assert table == pytest.approx(np.array([[0.9, 1], [0.75, 0]]))
    assert auroc.score(auroc.table(["a", "b"], [KEPT, REFUSED], CLASSES)) == 1
