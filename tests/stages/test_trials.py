"""Clauses held against what was measured, and which trial wins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lepton.core.contract import Contract, Latency, Metric
from lepton.metrics import accuracy
from lepton.stages import _trials
from lepton.stages._trials import Bench, Trial


def bench(n: int, contract: Contract | None = None) -> Bench:
    return Bench([], ["a"] * n, ["a", "b"], accuracy, contract or Contract(), 0, None)


def trial(plan: str = "plan", **more: float) -> Trial:
    usual = {"metric": 0.9, "drop": 0.0, "drop_bound": 0.0, "p50_ms": 1.0, "p95_ms": 1.0, "model_p50_ms": 1.0,
             "model_p95_ms": 1.0, "ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0, "size_mb": 1.0}  # fmt: skip
    return Trial(plan, **{**usual, **more}, batchable=True)


def missed(found: Trial, how: Bench) -> list[str]:
    return [clause.name for clause in _trials.clauses(found, trial("onnx"), how) if not clause.kept]


@given(st.integers(1, 400), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_answers_that_did_not_change_keep_the_standing_drop(n: int, wrong: int) -> None:
    """However few records there are: the limit is what they can prove."""
    how = bench(n)
    table = np.array([[float(index >= wrong)] for index in range(n)])
    drop, bound = _trials._drop("plan", how, (table, table))
    assert drop == 0
    assert missed(trial(drop_bound=bound), how) == []


@pytest.mark.parametrize(("n", "changed"), [(50, 1), (200, 2), (1000, 9)])
def test_answers_that_became_wrong_miss_it(n: int, changed: int) -> None:
    how, table = bench(n), np.ones((n, 1))
    worse = table.copy()
    worse[:changed] = 0
    _, bound = _trials._drop("plan", how, (table, worse))
    assert missed(trial(drop_bound=bound), how) == ["drop (95 % bound)"]


def test_the_reference_loses_nothing_against_itself() -> None:
    how = bench(3, Contract(metric=Metric(max_drop=0.0)))
    assert _trials._drop("onnx", how, (np.ones((3, 1)),) * 2) == (0.0, 0.0)
    assert missed(trial("onnx"), how) == []


def test_what_is_asked_takes_the_place_of_what_stands() -> None:
    slow_and_large = trial(ratio_high=3.0, size_mb=2.0, p95_ms=4.0, p50_ms=3.0)
    assert missed(slow_and_large, bench(400)) == ["time over fp32 ONNX (95 % bound)", "size (MB)"]
    asked = Contract(latency=Latency(p95_ms=5.0, p50_ms=2.0), size_mb=2.5)
    assert missed(slow_and_large, bench(400, asked)) == ["latency p50 (ms)"]
    assert missed(trial(metric=0.85), bench(400, Contract(metric=Metric(min=0.86)))) == ["metric (validation)"]


def test_the_fastest_wins_and_of_equally_fast_ones_the_smallest() -> None:
    fast = trial("fast", ratio=0.50, ratio_low=0.45, ratio_high=0.55, size_mb=3.0)
    level = trial("level", ratio=0.53, ratio_low=0.50, ratio_high=0.56, size_mb=2.0)
    slow = trial("slow", ratio=0.70, ratio_low=0.68, ratio_high=0.72, size_mb=1.0)
    how = bench(400, Contract(size_mb=5.0))
    for trials in ([fast, level, slow], [slow, level, fast]):
        held = {item.plan: _trials.clauses(item, trial("onnx"), how) for item in trials}
        assert _trials.winner(trials, held) is level
    held = {item.plan: _trials.clauses(item, trial("onnx"), bench(9, Contract(size_mb=0.5))) for item in trials}
    assert _trials.winner(trials, held) is None


def test_a_first_impression_has_a_tenth_to_spare() -> None:
    cost = _trials.Cost(1.0, 1.05, 1.0, 1.0, None, 1.05)
    assert _trials.could_keep(cost, Contract(latency=Latency(p95_ms=1.0), size_mb=1.0))
    assert not _trials.could_keep(cost, Contract(latency=Latency(p95_ms=0.9)))
    assert not _trials.could_keep(cost, Contract(size_mb=0.9))
    assert _trials.could_keep(cost, Contract())
