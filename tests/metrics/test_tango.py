"""Tango's interval: published examples, and the definition by brute force."""

from math import inf, log, sqrt

import numpy as np
import pytest
from scipy import optimize, stats

from lepton.metrics._tango import nuisance, statistic, tango_bound, tango_interval

Z = stats.norm.ppf(0.975)


def likeliest(counts, difference):
    """The chance of "only the second was right" by numerical maximisation of the trinomial likelihood."""
    b, c, n = counts

    def loss(q):
        cells = [(b, q + difference), (c, q), (n - b - c, 1 - 2 * q - difference)]
        return (
            -sum(count * log(chance) if count else 0.0 for count, chance in cells)
            if all(chance > 0 or not count for count, chance in cells)
            else inf
        )

    low, high = max(0.0, -difference), (1 - difference) / 2
    return optimize.minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x


@pytest.mark.parametrize("counts", [(5, 3, 40), (1, 7, 21), (12, 0, 50), (30, 20, 60)])
@pytest.mark.parametrize("difference", [-0.2, 0.01, 0.3])
def test_the_nuisance_is_the_likeliest_one(counts, difference):
    assert nuisance(counts, difference) == pytest.approx(likeliest(counts, difference), abs=1e-6)


def test_at_no_difference_the_statistic_is_mcnemars():
    b, c, n = 12, 5, 100
    assert statistic((b, c, n), 0.0) == pytest.approx((b - c) / sqrt(b + c))


@pytest.mark.parametrize("counts", [(5, 3, 40), (1, 7, 21), (0, 4, 30), (40, 20, 160)])
def test_both_ends_lie_where_the_statistic_is_z(counts):
    low, high = tango_interval(counts, Z)
    assert statistic(counts, low) == pytest.approx(Z, abs=1e-6)
    assert statistic(counts, high) == pytest.approx(-Z, abs=1e-6)
    assert low < (counts[0] - counts[1]) / counts[2] < high


def test_the_published_example_of_airway_reactivity():
    # Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014): 1 against 7 of 21, -0.517 to -0.026.
    low, high = tango_interval((1, 7, 21), Z)
    assert low == pytest.approx(-0.517, abs=5e-4)
    assert high == pytest.approx(-0.026, abs=5e-4)


@pytest.mark.parametrize("n", [1, 10, 300])
def test_without_any_change_the_bound_has_a_closed_form(n):
    z = stats.norm.ppf(0.95)
    assert tango_bound((0, 0, n), z) == pytest.approx(z * z / (n + z * z))


def test_all_lost_or_all_won():
    assert tango_bound((9, 0, 9), Z) == 1.0
    assert -1 < tango_bound((0, 9, 9), Z) < 0


def test_the_bound_covers_about_as_often_as_it_says():
    random = np.random.default_rng(11)
    z, true = stats.norm.ppf(0.95), 0.02
    draws = random.multinomial(200, [0.04, 0.02, 0.94], 2000)
    covered = np.mean([tango_bound((int(b), int(c), 200), z) >= true for b, c, _ in draws])
    assert 0.93 < covered < 0.985
