from fractions import Fraction
from math import comb

import numpy as np
import pytest

from lepton.metrics._weakness import weak


def exact(found, size, wrong, total):
    ways = sum(comb(wrong, k) * comb(total - wrong, size - k) for k in range(found, min(size, wrong) + 1))
    return float(Fraction(ways, comb(total, size)))


def answers(*counts):
    """Records in slices of (right, wrong) each, and the slices' masks."""
    right = np.concatenate([[True] * good + [False] * bad for good, bad in counts]).astype(bool)
    ends = np.cumsum([0, *(good + bad for good, bad in counts)])
    places = np.arange(len(right))
    return right, [(places >= low) & (places < high) for low, high in zip(ends, ends[1:], strict=False)]


@pytest.mark.parametrize(
    "counts", [[(8, 2), (15, 1)], [(0, 3), (9, 0)], [(40, 10), (400, 30), (3, 3)], [(5, 0), (4, 0)]]
)
def test_the_chance_is_that_of_drawing_so_many_wrong_ones(counts):
    right, slices = answers(*counts)
    wrong = sum(bad for _, bad in counts)
    for (chance, _), (good, bad) in zip(weak(right, slices), counts, strict=True):
        assert chance == pytest.approx(exact(bad, good + bad, wrong, len(right)))


def test_a_slice_that_is_much_worse_is_named_and_no_other():
    right, slices = answers((60, 40), (95, 5), (94, 6), (96, 4))
    assert [is_weak for _, is_weak in weak(right, slices)] == [True, False, False, False]


def test_looking_at_many_slices_finds_nothing_in_noise():
    random = np.random.default_rng(0)
    named = 0
    for _ in range(200):
        right = random.random(400) < 0.8
        slices = [random.random(400) < 0.2 for _ in range(20)]
        named += any(is_weak for _, is_weak in weak(right, slices))
    assert named <= 16, "5 % of 200, and three standard errors"


def test_slices_that_could_never_be_significant_cost_the_others_nothing():
    right, slices = answers((75, 25), (92, 8))
    tiny = [np.arange(len(right)) == at for at in range(100)]
    assert weak(right, slices)[0][1]
    assert weak(right, [*slices, *tiny])[0][1]


def test_nothing_wrong_and_nothing_there():
    assert weak(np.ones(5, bool), [np.ones(5, bool), np.zeros(5, bool)]) == [(1.0, False), (1.0, False)]
    assert weak(np.zeros(5, bool), []) == []
