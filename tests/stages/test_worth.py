"""The choice between methods, on planted answers."""

from typing import Any

import numpy as np
import pytest

from lepton.stages import _worth
from lepton.stages._worth import Tried


def tried(name: str, trained: int, wrong: set[int], *, of: int = 100) -> Tried:
    """A method that answers `of` records, those in `wrong` wrongly."""
    return Tried(name, trained, np.array([[float(row not in wrong)] for row in range(of)]))


def chosen(rows: list[dict[str, Any]]) -> str:
    (name,) = (row["name"] for row in rows if row["chosen"])
    return str(name)


def test_of_the_methods_within_one_standard_error_the_one_with_the_fewest_weights() -> None:
    best = tried("full", 1000, {1, 2, 3, 4})
    near = tried("thin", 10, {1, 2, 3, 4, 5, 6} - {1})  # two lost, one won: 1 behind, error root(3)
    far = tried("probe", 0, set(range(10, 20)))
    rows = _worth.judged("accuracy", [far, near, best], seed=0)
    assert chosen(rows) == "thin"
    assert [row["within"] for row in rows] == [False, True, True]
    assert [row["best"] for row in rows] == [False, False, True]
    assert rows[1]["difference"]["value"] == pytest.approx(-0.01)
    assert rows[1]["difference"]["error"] == pytest.approx(np.sqrt(3) / 100)
    assert rows[1]["difference"]["low"] < -0.01 < rows[1]["difference"]["high"]


def test_a_method_further_behind_than_its_error_is_not_chosen() -> None:
    rows = _worth.judged("accuracy", [tried("thin", 10, {1, 2}), tried("full", 1000, set())], seed=0)
    assert chosen(rows) == "full"  # two lost and none won: 2 behind, error root(2)


def test_one_record_tells_nothing_apart() -> None:
    rows = _worth.judged("accuracy", [tried("thin", 10, {1}), tried("full", 1000, set())], seed=0)
    assert chosen(rows) == "thin"


def test_the_error_is_paired() -> None:
    """Two methods that miss the same records differ by what only one of them misses, however many they both miss."""
    both = set(range(50))
    rows = _worth.judged("accuracy", [tried("thin", 10, both | {60, 61}), tried("full", 1000, both)], seed=0)
    assert not rows[0]["within"]


def test_of_two_with_as_many_weights_the_better_one() -> None:
    rows = _worth.judged("accuracy", [tried("one", 0, {1}), tried("other", 0, set())], seed=0)
    assert chosen(rows) == "other"


def test_of_an_error_less_is_better() -> None:
    """Columns of the calibration error's table: how sure, and whether right."""
    sure = np.full(200, 0.9)
    good = np.stack([sure, np.arange(200) % 10 > 0], 1).astype(float)
    bad = np.stack([sure, np.arange(200) % 2 > 0], 1).astype(float)
    rows = _worth.judged("calibration_error", [Tried("bad", 0, bad), Tried("good", 10, good)], seed=0)
    assert chosen(rows) == "good"
    assert rows[0]["difference"]["value"] > 0.3


def test_metrics_that_are_no_proportions_have_a_bootstrapped_error() -> None:
    truth = np.arange(60) % 3
    near = np.where(np.arange(60) == 0, 1, truth)
    far = np.where(np.arange(60) < 20, (truth + 1) % 3, truth)
    tables = [np.stack([truth, answer], 1).astype(float) for answer in (far, near, truth)]
    known = [Tried(name, index, table) for index, (name, table) in enumerate(zip("abc", tables, strict=True))]
    rows = _worth.judged("macro_f1", known, seed=0)
    assert [row["within"] for row in rows] == [False, True, True]
    assert _worth.judged("macro_f1", known, seed=0) == rows


def told(rows: list[dict[str, Any]], weights: dict[str, int]) -> str:
    return _worth.why([{**row, "trained": weights[row["name"]], "share": 0.01} for row in rows], 100)


def test_the_reason_is_told_with_its_numbers() -> None:
    weights = {"probe": 0, "thin": 10, "full": 1000}
    far, near = tried("probe", 0, set(range(10, 20))), tried("thin", 10, {1, 5})
    best = tried("full", 1000, {1})
    words = told(_worth.judged("accuracy", [far, near, best], seed=0), weights)
    assert words.startswith("thin trains the fewest weights, 10 beside the head (1 %), of the 2 methods that 100")
    assert "full: 98.0 % against 99.0 %, -1.0 points (95 % interval" in words
    assert "standard error 1.0" in words
    alone = told(_worth.judged("accuracy", [far, best], seed=0), weights)
    assert "none of the 1 that train fewer weights than its 1,000 beside the head (1 %) is within" in alone
    cheapest = told(_worth.judged("accuracy", [tried("probe", 0, set()), best], seed=0), weights)
    assert cheapest.endswith("and none trains fewer weights")
    assert "only method" in told(_worth.judged("accuracy", [near], seed=0), weights)
