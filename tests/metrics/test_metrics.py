"""Every metric against its definition or scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as reference

from lepton.core.types import Span
from lepton.metrics import accuracy, auroc, calibration_error, exact_match, f1, macro_f1

CLASSES = ["a", "b", "c"]


def answers_of(chances, classes=CLASSES):
    rows = [sorted(zip(row, classes, strict=True), reverse=True) for row in np.asarray(chances).tolist()]
    return [[{"label": name, "score": score} for score, name in row] for row in rows]


@pytest.fixture
def drawn():
    random = np.random.default_rng(3)
    truth = [CLASSES[index] for index in random.integers(0, 3, 300)]
    chances = random.dirichlet([1, 1, 1], 300)
    chances[np.arange(300), [CLASSES.index(name) for name in truth]] += 0.3
    chances /= chances.sum(1, keepdims=True)
    return truth, answers_of(chances), chances


def scored(metric, truth, answers, *, classes=CLASSES):
    return metric.score(metric.table(truth, answers, classes))


def test_accuracy_and_macro_f1(drawn):
    truth, answers, _ = drawn
    labels = [answer[0]["label"] for answer in answers]
    assert scored(accuracy, truth, answers) == pytest.approx(reference.accuracy_score(truth, labels))
    assert scored(macro_f1, truth, answers) == pytest.approx(reference.f1_score(truth, labels, average="macro"))
    assert scored(exact_match, truth, answers) == scored(accuracy, truth, answers)


def test_a_class_that_the_model_does_not_know_is_wrong():
    answers = answers_of([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    assert scored(accuracy, ["a", "z"], answers) == 0.5
    assert scored(macro_f1, ["a", "z"], answers) == pytest.approx((2 / 3 + 0) / 2)


def test_auroc_of_two_classes_counts_the_second_as_positive():
    random = np.random.default_rng(5)
    positive = random.random(200).round(1)
    truth = ["ill" if chance > random.random() else "well" for chance in positive]
    classes = ["well", "ill"]
    answers = answers_of(np.stack([1 - positive, positive], 1), classes)
    expected = reference.roc_auc_score([name == "ill" for name in truth], positive)
    assert scored(auroc, truth, answers, classes=classes) == pytest.approx(expected)


def test_auroc_of_more_classes_is_the_mean_of_each_against_the_rest(drawn):
    truth, answers, chances = drawn
    expected = reference.roc_auc_score(truth, chances, multi_class="ovr", average="macro")
    assert scored(auroc, truth, answers) == pytest.approx(expected)


def test_auroc_has_no_value_with_one_class_alone():
    assert np.isnan(scored(auroc, ["a", "a"], answers_of([[0.6, 0.4, 0]] * 2)))


def test_calibration_error_by_hand():
    table = np.array([[0.9, 1], [0.9, 0], [0.95, 1], [0.55, 1], [0.0, 0]])
    # 0.9 stands in bin 13 (ends at 14/15), 0.95 in bin 14, 0.55 in bin 8, 0 in bin 0.
    expected = (abs(1.8 - 1) + abs(0.95 - 1) + abs(0.55 - 1) + 0) / 5
    assert calibration_error.score(table) == pytest.approx(expected)
    assert calibration_error.bin_of(np.array([1.0, 1 / 15, 1e-9, 0.0])).tolist() == [14, 0, 0, 0]


def test_calibration_error_uses_the_chosen_label_even_at_an_operating_point():
    answer = [{"label": "b", "score": 0.3}, {"label": "a", "score": 0.7}]
    assert calibration_error.table(["b"], [answer], ["a", "b"]).tolist() == [[0.3, 1.0]]


def entity(start, end, kind):
    return {"entity_group": kind, "score": 0.9, "word": "", "start": start, "end": end}


def test_entities_count_when_place_and_type_agree():
    truth = [(Span(0, 3, "per"), Span(5, 9, "loc")), (Span(1, 2, "per"),), ()]
    answers = [[entity(0, 3, "per"), entity(5, 8, "loc")], [entity(1, 2, "loc")], []]
    table = f1.table(truth, answers, ["loc", "per"])
    assert table.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    assert f1.score(table) == pytest.approx(2 * 1 / (2 * 1 + 2 + 2))
    assert exact_match.table(truth, answers, []).tolist() == [[0.0], [0.0], [1.0]]


def test_nothing_to_find_and_nothing_found_is_right():
    assert f1.score(f1.table([(), None], [[], []], [])) == 1.0


@pytest.mark.parametrize("metric", [accuracy, macro_f1, auroc, calibration_error])
def test_score_does_not_depend_on_the_order_of_rows(metric, drawn):
    table = metric.table(drawn[0], drawn[1], CLASSES)
    shuffled = table[np.random.default_rng(0).permutation(len(table))]
    assert metric.score(shuffled) == pytest.approx(metric.score(table))
