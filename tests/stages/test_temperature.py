"""One temperature against scipy's minimum, a planted one, and answers that would ask for endless certainty."""

import numpy as np
import pytest
from scipy import optimize, special

from lepton.core import plugins
from lepton.stages import _temperature

RANDOM = np.random.default_rng(3)


def drawn(count, classes, *, sharper):
    """Scores whose logits are `sharper` times those that the classes were drawn by, and the classes."""
    logits = RANDOM.normal(0, 2, (count, classes))
    truth = np.array([RANDOM.choice(classes, p=row) for row in special.softmax(logits, 1)])
    return special.softmax(sharper * logits, 1), truth


def answers(scores, classes):
    return [
        [{"label": classes[index], "score": float(row[index])} for index in np.argsort(-row, kind="stable")]
        for row in scores
    ]


def by_name(answer, classes):
    scores = {item["label"]: item["score"] for item in answer}
    return [scores[name] for name in classes]


@pytest.mark.parametrize("sharper", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_found(sharper):
    assert _temperature.fit(*drawn(4000, 5, sharper=sharper)) == pytest.approx(sharper, rel=0.1)


def test_it_is_scipys_minimum():
    scores, truth = drawn(300, 4, sharper=2.0)

    def loss(log):
        over = np.log(scores) / np.exp(log)
        return -special.log_softmax(over, 1)[np.arange(300), truth].sum() + log**2

    best = optimize.minimize_scalar(loss, bounds=(-2.9, 2.9), method="bounded", options={"xatol": 1e-10}).x
    assert _temperature.fit(scores, truth) == pytest.approx(np.exp(best), rel=1e-3)


def test_nothing_but_right_answers_ask_for_no_endless_certainty():
    truth = np.arange(30) % 3
    scores = np.full((30, 3), 0.05)
    scores[np.arange(30), truth] = 0.9
    assert 0.2 < _temperature.fit(scores, truth) < 1


def test_without_known_records_scores_stay_as_they_are():
    assert _temperature.fit(np.full((2, 3), 1 / 3), np.array([3, 3])) == pytest.approx(1.0, abs=1e-4)


def test_a_score_of_nought_is_survived():
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert np.isfinite(_temperature.fit(scores, np.array([0, 1, 1])))


def test_scaling_is_what_the_tasks_decode_does():
    logits, classes = RANDOM.normal(0, 3, (20, 4)), list("abcd")
    task = plugins.load("tasks", "text-classification")
    plain, hot = (
        task.answer(lambda _: {"logits": logits}, {}, {"classes": classes, "decode": {"name": "softmax", **more}})
        for more in ({}, {"temperature": 2.5})
    )
    given = np.array([by_name(row, classes) for row in plain])
    expected = np.array([by_name(row, classes) for row in hot])
    np.testing.assert_allclose(_temperature.scaled(given, 2.5), expected)


def test_refitting_mends_what_sharpening_broke():
    classes = list("abcde")
    sharp, truth = drawn(2000, 5, sharper=3.0)
    labels = [classes[index] for index in truth]
    fair = _temperature.scaled(sharp, 3.0)
    found = _temperature.calibration(labels, (answers(fair, classes), answers(sharp, classes)), classes)
    assert found["after"] > 0.1
    assert found["before"] < 0.05
    assert found["refitted"] < 0.05
    assert found["temperature"] == pytest.approx(3.0, rel=0.1)


def test_one_record_is_enough_to_answer():
    one = [[{"label": "a", "score": 0.7}, {"label": "b", "score": 0.3}]]
    found = _temperature.calibration(["a"], (one, one), ["a", "b"])
    assert found["refitted"] == pytest.approx(found["after"]) == pytest.approx(0.3)
