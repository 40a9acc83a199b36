from typing import Any

import pytest

from lepton.report.compare import compare, flat


def test_shared_answers_give_paired_intervals(pair: Any) -> None:
    first, second = pair
    first.go()
    second.go()
    first.answers([True] * 80 + [False] * 20)
    second.answers([True] * 95 + [False] * 5)
    found = compare(first.folder, second.folder)["paired"]
    assert found["n"] == 100
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(0.15)
    assert 0 < found["metrics"]["accuracy"]["low"] < 0.15 < found["metrics"]["accuracy"]["high"]


def test_records_that_only_one_run_answered_are_counted(pair: Any) -> None:
    first, second = pair
    first.go()
    second.go()
    first.answers([True] * 5)
    second.answers([True] * 8)
    found = compare(first.folder, second.folder)["paired"]
    assert (found["n"], found["first_only"], found["second_only"]) == (5, 0, 3)


def test_other_classes_give_no_paired_interval(pair: Any) -> None:
    first, second = pair
    first.go()
    second.go(prepare={"classes": ["dog", "cat"]})
    for run in pair:
        run.answers([True] * 5)
    assert compare(first.folder, second.folder)["paired"]["metrics"] == {}


def test_runs_of_any_state_can_be_compared(pair: Any) -> None:
    first, second = pair
    found = compare(first.go(until="train"), second.refuse())
    assert [run["status"] for run in found["runs"]] == ["unfinished", "refused"]
    assert found["paired"]["n"] == 0


def test_settings_that_differ_are_named(pair: Any) -> None:
    first, second = pair
    second.ledger.write("run", recipe={"app": {"name": "pets"}, "train": {"lr": 0.01, "ema": None}}, time=0.0)
    found = compare(first.folder, second.folder)["settings"]
    assert {"place": "train.lr", "first": 0.001, "second": 0.01} in found
    assert not [row for row in found if row["place"] == "train.ema"]


def test_flat_keeps_lists_whole() -> None:
    assert flat({"a": {"b": 1, "c": [1, 2]}, "d": {}}) == {"a.b": 1, "a.c": [1, 2], "d": {}}
