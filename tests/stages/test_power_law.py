"""The power law through a learning curve, on planted ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.metrics import accuracy
from lepton.stages import _power_law
from lepton.stages._power_law import Law

SIZES = [40.0, 200.0, 400.0, 2000.0, 4000.0]


@given(scale=st.floats(0.005, 0.1), power=st.floats(0.1, 0.6), floor=st.floats(0, 0.2))
def test_a_planted_law_is_found_again(scale: float, power: float, floor: float) -> None:
    planted = Law(scale, power, floor, SIZES[-1])
    found = _power_law.fit(SIZES, [planted.error(size) for size in SIZES])
    assert found.gain(2) == pytest.approx(planted.gain(2), rel=0.02, abs=1e-5)
    assert found.error(8000) == pytest.approx(planted.error(8000), rel=0.01)
    assert found.power == pytest.approx(power, rel=0.05)


def answers(law: Law, *, count: int = 400) -> list[np.ndarray]:
    """Tables of accuracy whose errors are the law's; the harder a record, the more labels it takes."""
    hard = (np.arange(count) + 0.5) / count
    return [(hard > law.error(size))[:, None].astype(float) for size in SIZES]


def test_the_interval_holds_the_planted_gain() -> None:
    law = Law(0.08, 0.4, 0.02, SIZES[-1])
    found = _power_law.learned(SIZES, answers(law), accuracy, seed=0)
    gain = found.gain()
    assert gain.low <= law.gain(2) <= gain.high
    assert 0 <= gain.low < gain.value < gain.high
    error = found.error(8000)
    assert error.low <= law.error(8000) <= error.high


def test_the_same_seed_tells_the_same() -> None:
    tables = answers(Law(0.08, 0.4, 0.02, SIZES[-1]), count=100)
    first, again, other = (_power_law.learned(SIZES, tables, accuracy, seed=seed).gain() for seed in (0, 0, 1))
    assert first == again
    assert first.high != other.high


def test_more_validation_records_tell_more() -> None:
    law = Law(0.08, 0.4, 0.02, SIZES[-1])
    few, many = (_power_law.learned(SIZES, answers(law, count=count), accuracy, seed=0).gain() for count in (60, 2000))
    assert not _power_law.worth_telling(few)
    assert _power_law.worth_telling(many)


def test_a_flat_curve_promises_nothing_but_what_nobody_could_see() -> None:
    """Where not one answer changed, a bootstrap alone would be sure."""
    flat = [np.ones((50, 1))] * len(SIZES)
    gain = _power_law.learned(SIZES, flat, accuracy, seed=0).gain()
    assert gain.value == pytest.approx(0, abs=1e-9)
    assert gain.low == pytest.approx(0, abs=1e-9)
    assert gain.high == pytest.approx(3.84 / 53.84, abs=1e-3)
    assert not _power_law.worth_telling(gain)


def test_a_curve_that_falls_promises_nothing() -> None:
    found = _power_law.fit(SIZES, [0.1, 0.15, 0.2, 0.25, 0.3])
    assert found.gain(2) == 0
    assert 0.1 < found.error(1e6) < 0.3
