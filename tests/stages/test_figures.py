"""figures.json is made from what the stages told, and lies in the app without counting as its size."""

import json
from pathlib import Path
from typing import Any

import pytest

from lepton.bundle.manifest import read
from lepton.core.progress import Silent
from lepton.stages import _figures, _road
from lepton.stages._stage import Stage

METRICS = {"accuracy": {"value": 1.0}, "calibration_error": {"value": 0.1}}


def trial(plan: str, metric: float, ratio: float, *, kept: bool) -> dict[str, Any]:
    clauses = [
        {"name": "drop (95 % bound)", "asked": 0.01, "measured": 0.0, "kept": True},
        {"name": "size (MB)", "asked": 0.5, "measured": 0.1, "kept": kept},
    ]
    costs = {"model_p50_ms": 123.0, "p95_ms": 4.0, "size_mb": 0.1}
    return {"plan": plan, "metric": metric, "drop_bound": 0.0, "ratio": ratio, "clauses": clauses, **costs}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    trials = [{**trial("onnx", 0.9, 1.0, kept=False), "model_p50_ms": 2.0}, trial("int8_static", 0.89, 0.25, kept=True)]
    compress = {"trials": trials, "winner": "int8_static", "metric": "calibration_error"}
    told = {
        "compress": {**compress, "validation_records": 40, "drop_limit": {"value": 0.01, "origin": "the contract"}},
        "evaluate": {"n": 7, "metrics": METRICS, "baselines": [], "mistakes": ["not for an app"]},
    }
    for name, facts in told.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "artifact.json").write_text(json.dumps({"facts": facts}))
    parents = {name: tmp_path / name for name in told}
    return Stage({}, None, tmp_path, tmp_path, tmp_path, parents, Silent())


def test_every_plan_is_a_point_with_the_limits_it_was_held_against(stage: Stage) -> None:
    search = _figures.figures(stage)["search"]
    assert [(point["plan"], point["kept"]) for point in search["trials"]] == [("fp32 ONNX", False), ("int8", True)]
    assert search["shipped"] == "int8"
    assert search["reference"] == "fp32 ONNX"
    assert search["limits"] == {"drop (95 % bound)": 0.01, "size (MB)": 0.5}
    assert search["lower_is_better"]


def test_times_are_those_measured_in_turn_with_the_reference(stage: Stage) -> None:
    points = _figures.figures(stage)["search"]["trials"]
    assert [point["model_ms"] for point in points] == [2.0, 0.5]


def test_of_the_test_set_scores_are_told_and_no_records(stage: Stage) -> None:
    expected = {"n": 7, "metrics": METRICS, "baselines": [], "lower_is_better": ["calibration_error"]}
    assert _figures.figures(stage)["test"] == expected


def test_an_app_carries_them_beside_what_it_needs_to_answer(project: Path) -> None:
    done = _road.run(project / "recipe.toml", out=project / "run", sets=["compress.search=quick"])
    bundle = read(done.app)
    told = json.loads(bundle.path("figures.json").read_text())
    assert len(told["search"]["trials"]) > 1
    assert told["search"]["shipped"] in {point["plan"] for point in told["search"]["trials"]}
    assert 0 <= told["test"]["metrics"]["accuracy"]["low"] <= told["test"]["metrics"]["accuracy"]["high"] <= 1
    needed = sum((done.app / name).stat().st_size for name in ("manifest.json", "model.onnx"))
    assert bundle.size_mb() == needed / 1e6
