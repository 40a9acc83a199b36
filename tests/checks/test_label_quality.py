"""What is said of labels whose noise is known, since it was put there."""

import numpy as np
import pytest

from lepton.checks import _label_quality

CLASSES, EACH = 4, 300


@pytest.fixture
def noisy():
    """Labels of which some were flipped from 0 to 1, `rate` of all others evenly, and probabilities of a fair model."""

    def make(rate, pair=0.0, sure=4.0):
        random = np.random.default_rng(0)
        true = np.repeat(np.arange(CLASSES), EACH)
        scores = sure * np.eye(CLASSES)[true] + random.normal(0, 1, (len(true), CLASSES))
        clean = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        noise = (1 - rate) * np.eye(CLASSES) + rate * (1 - np.eye(CLASSES)) / (CLASSES - 1)
        noise[0] = (1 - pair) * noise[0] + pair * np.eye(CLASSES)[1]
        given = np.array([random.choice(CLASSES, p=noise[label]) for label in true])
        return true, given, clean @ noise

    return make


def precision(wrong, flipped):
    return flipped[np.argsort(-wrong, kind="stable")[: flipped.sum()]].mean()


def test_flipped_labels_come_first(noisy):
    true, given, probabilities = noisy(0.2)
    found = _label_quality.doubts(given, probabilities)
    assert precision(found.wrong, given != true) > 0.95
    assert (found.wrong >= 0).all()
    assert (found.wrong <= 1).all()


def test_the_suggestion_is_the_true_class_and_never_the_given_one(noisy):
    true, given, probabilities = noisy(0.2)
    found = _label_quality.doubts(given, probabilities)
    flipped = given != true
    assert (found.likeliest[flipped] == true[flipped]).mean() > 0.95
    assert (found.likeliest != given).all()


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
def test_about_as_many_are_expected_as_are_wrong(noisy, rate):
    true, given, probabilities = noisy(rate)
    expected = _label_quality.doubts(given, probabilities).expected
    assert abs(expected - (given != true).sum()) < 0.06 * len(given)


def test_a_class_that_is_often_mislabelled_is_more_suspect_than_plain_doubt_has_it(noisy):
    true, given, probabilities = noisy(0.0, pair=0.4, sure=2.5)
    flipped = given != true
    plain = 1 - probabilities[np.arange(len(given)), given]
    assert precision(_label_quality.doubts(given, probabilities).wrong, flipped) > precision(plain, flipped) + 0.05


@pytest.mark.parametrize(("rate", "sure"), [(0.1, 4.0), (0.2, 2.0), (0.4, 4.0)])
def test_probabilities_add_up_to_what_is_expected_in_the_order_of_suspicion(noisy, rate, sure):
    _, given, probabilities = noisy(rate, sure=sure)
    found = _label_quality.doubts(given, probabilities)
    assert found.wrong.sum() == pytest.approx(found.expected)
    assert (np.diff(found.wrong[np.argsort(found.suspicion)]) >= 0).all()


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_of_labels_called_likely_wrong_most_are(noisy, rate):
    true, given, probabilities = noisy(rate, sure=2.5)
    likely = _label_quality.doubts(given, probabilities).wrong > 0.8
    assert likely.sum() > 10
    assert (given != true)[likely].mean() > 0.8


def test_the_order_of_records_changes_nothing(noisy):
    _, given, probabilities = noisy(0.1)
    turned = _label_quality.doubts(given[::-1], probabilities[::-1].copy())
    assert np.allclose(turned.wrong[::-1], _label_quality.doubts(given, probabilities).wrong)


def test_single_precision_and_certain_models_make_no_fault(noisy):
    _, given, probabilities = noisy(0.1, sure=200.0)
    certain = np.where(probabilities > 0.5, 1.0, 0.0).astype(np.float32)
    assert np.isfinite(_label_quality.doubts(given, certain).wrong).all()
