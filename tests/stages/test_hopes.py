from types import SimpleNamespace
from typing import Any

import pytest

from lepton.core.contract import Contract, Metric
from lepton.runtime.bench import Ratio
from lepton.stages import _plans
from lepton.stages._hopes import Hopes
from lepton.stages._plans import Plan
from lepton.stages._trials import Cost, Sketch

STUDENT, CUT = _plans.step("distil"), _plans.step("channels")


@pytest.fixture
def hopes() -> Hopes:
    """Beside a reference of 94 % and 90 MB, where a drop of one point is allowed."""
    bench: Any = SimpleNamespace(contract=Contract(metric=Metric(max_drop=0.01)), truth=["x"] * 10_000)
    reference: Any = SimpleNamespace(metric=0.94, size_mb=90.0)
    return Hopes(bench, reference)


def cost(ratio: float, size: float) -> Cost:
    return Cost(ratio, ratio, ratio, ratio, Ratio(ratio, ratio, ratio), size)


def sketch(step: dict[str, Any]) -> Sketch:
    return Sketch(Plan((step,)), ((),), cost(0.1, 1.0))


def test_nothing_is_far_off_before_anything_was_trained_in_full(hopes: Hopes) -> None:
    assert not hopes.is_far_off(sketch(STUDENT), 0.1)


def test_a_student_is_far_off_where_the_best_of_its_kind_closed_too_little(hopes: Hopes) -> None:
    """From 66 to 87 %: a quarter of the distance was left. Of 78 % it would leave 4 points, of 88 % one and a half."""
    hopes.learn(sketch(STUDENT), before=0.66, after=0.87)
    assert hopes.is_far_off(sketch(STUDENT), 0.78)
    assert not hopes.is_far_off(sketch(STUDENT), 0.88)
    assert not hopes.is_far_off(sketch(CUT), 0.78), "networks that were cut are another kind"


def test_the_best_of_a_kind_counts(hopes: Hopes) -> None:
    hopes.learn(sketch(STUDENT), before=0.66, after=0.87)
    hopes.learn(sketch(STUDENT), before=0.66, after=0.95)
    assert not hopes.is_far_off(sketch(STUDENT), 0.5)


def test_what_gains_more_or_is_less_behind_is_the_more_promising(hopes: Hopes) -> None:
    fast, slow = cost(0.05, 1.0), cost(0.5, 1.0)
    rung = {"best": 0.9, "effort": 0.1}
    assert hopes.promise(0.9, fast, **rung) < hopes.promise(0.9, slow, **rung)
    assert hopes.promise(0.9, fast, **rung) < hopes.promise(0.7, fast, **rung)
    assert hopes.promise(0.9, cost(0.05, 0.5), **rung) < hopes.promise(0.9, fast, **rung)
