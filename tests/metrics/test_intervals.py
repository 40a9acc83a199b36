"""Intervals against scipy, closed forms and light simulations."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from lepton.core.errors import UserError
from lepton.metrics import _intervals, accuracy, f1, macro_f1
from lepton.metrics._intervals import drop_bound, interval, paired_error, paired_interval, provable_drop, wilson

MEAN = SimpleNamespace(score=lambda table: float(table[:, 0].mean()), LOWER_IS_BETTER=False, PROPORTION=False)
ERROR = SimpleNamespace(score=lambda table: float(table[:, 0].mean()), LOWER_IS_BETTER=True, PROPORTION=True)


def column(*values):
    return np.array(values, np.float64)[:, None]


@pytest.mark.parametrize(("right", "count"), [(0, 10), (3, 10), (10, 10), (960, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_scipys(right, count, level):
    expected = stats.binomtest(right, count).proportion_ci(level, method="wilson")
    assert wilson(right, count, level) == pytest.approx((expected.low, expected.high))


def test_the_bootstrap_is_close_to_scipys_bca():
    values = np.random.default_rng(2).exponential(0.1, 150).clip(0, 1)
    expected = stats.bootstrap((values,), np.mean, n_resamples=5000, rng=np.random.default_rng(0)).confidence_interval
    found = interval(MEAN, values[:, None], seed=0)
    assert found.low == pytest.approx(expected.low, abs=3e-3)
    assert found.high == pytest.approx(expected.high, abs=3e-3)
    assert found.low < found.value < found.high


def test_equal_seeds_give_equal_intervals():
    table = np.random.default_rng(0).random((50, 1))
    assert interval(MEAN, table, seed=1) == interval(MEAN, table, seed=1)
    assert interval(MEAN, table, seed=1) != interval(MEAN, table, seed=2)


def test_a_score_without_any_spread_still_has_a_width():
    found = interval(macro_f1, np.zeros((30, 2)), seed=0)
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(wilson(30, 30)[0])


def test_groups_are_resampled_whole():
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(20), 50)
    table = (random.random(1000) < np.repeat(random.choice([0.3, 0.9], 20), 50)).astype(float)[:, None]
    grouped = interval(accuracy, table, seed=0, groups=groups.tolist())
    alone = interval(accuracy, table, seed=0)
    assert alone.method == "Wilson score"
    assert "groups" in grouped.method
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_a_score_that_is_unknown_everywhere_is_said_to_be_so():
    never = SimpleNamespace(score=lambda table: float("nan"), LOWER_IS_BETTER=False, PROPORTION=False)
    assert interval(never, column(1, 2), seed=0)[1:3] == (0.0, 1.0)


def test_a_drop_of_a_proportion_has_tangos_bound():
    reference, candidate = np.ones((300, 1)), np.ones((300, 1))
    unchanged = drop_bound(accuracy, reference, candidate, seed=0)
    assert unchanged.value == 0
    assert unchanged.bound == pytest.approx(provable_drop(300))
    candidate[:3] = 0
    changed = drop_bound(accuracy, reference, candidate, seed=0)
    assert changed.value == pytest.approx(0.01)
    assert unchanged.bound < 0.01 < changed.bound < 0.04


def test_of_an_error_rate_more_is_worse():
    reference, candidate = np.zeros((100, 1)), np.zeros((100, 1))
    candidate[:10] = 1
    drop = drop_bound(ERROR, reference, candidate, seed=0)
    assert drop.value == pytest.approx(0.1)
    mirrored = drop_bound(accuracy, 1 - reference, 1 - candidate, seed=0)
    assert drop.bound == pytest.approx(mirrored.bound)
    assert paired_interval(ERROR, reference, candidate, seed=0).value == pytest.approx(0.1)
    assert paired_interval(accuracy, 1 - reference, 1 - candidate, seed=0).value == pytest.approx(-0.1)


def test_a_bootstrapped_bound_is_never_the_value_itself():
    table = np.tile([1.0, 0.0, 0.0], (200, 1))
    drop = drop_bound(f1, table, table, seed=0)
    assert drop.value == 0
    assert drop.bound == pytest.approx(provable_drop(200))
    grouped = drop_bound(accuracy, table, table, seed=0, groups=[index % 5 for index in range(200)])
    assert grouped.bound == pytest.approx(provable_drop(5))


def test_the_paired_interval_holds_the_difference_and_mirrors():
    random = np.random.default_rng(7)
    first, second = (random.random(400) < 0.9).astype(float), (random.random(400) < 0.8).astype(float)
    there = paired_interval(accuracy, first[:, None], second[:, None], seed=0)
    back = paired_interval(accuracy, second[:, None], first[:, None], seed=0)
    assert there.low < there.value < there.high < 0
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_the_paired_error_of_a_proportion_is_mcnemars():
    first, second = np.ones((50, 1)), np.ones((50, 1))
    first[:3], second[3:8] = 0, 0  # three that only the second has right, five that only the first has
    assert paired_error(accuracy, first, second, seed=0) == pytest.approx(np.sqrt(8) / 50)
    assert paired_error(accuracy, first, first, seed=0) == 0


def test_the_paired_error_of_other_metrics_is_the_spread_of_a_bootstrap():
    truth = np.arange(120) % 3
    near = np.where(np.arange(120) < 12, (truth + 1) % 3, truth)
    first, second = (np.stack([truth, answer], 1).astype(float) for answer in (truth, near))
    found = paired_error(macro_f1, first, second, seed=0)
    assert found == pytest.approx(np.sqrt(0.1 * 0.9 / 120) + 1 / 121, rel=0.15)
    assert paired_error(macro_f1, first, first, seed=0) == pytest.approx(1 / 121)


def test_provable_drop_is_the_rule_of_three():
    assert provable_drop(1000) == pytest.approx(2.7 / 1000, rel=0.01)
    assert provable_drop(1000, 0.975) > provable_drop(1000)


def test_pairs_must_pair_and_tables_must_hold_something():
    with pytest.raises(UserError, match="same records"):
        drop_bound(accuracy, np.ones((3, 1)), np.ones((4, 1)), seed=0)
    with pytest.raises(UserError, match="no record"):
        interval(accuracy, np.ones((0, 1)), seed=0)


@pytest.mark.parametrize(("lost", "won"), [(0.01, 0.005), (0.05, 0.02)])
def test_the_bootstrapped_bound_covers_at_least_as_often_as_it_says(monkeypatch, lost, won):
    monkeypatch.setattr(_intervals, "RESAMPLES", 200)
    random = np.random.default_rng(13)
    covered = 0
    for trial in range(150):
        kinds = random.choice(3, 150, p=[lost, won, 1 - lost - won])
        reference, candidate = (kinds != 1).astype(float)[:, None], (kinds != 0).astype(float)[:, None]
        covered += drop_bound(MEAN, reference, candidate, seed=trial).bound >= lost - won
    assert covered >= 0.92 * 150
