from pathlib import Path
from typing import Any

import pytest

from lepton.core.errors import UserError
from lepton.report.summary import summarise


def test_a_shipped_run(fake: Any) -> None:
    found = summarise(fake.go())
    assert (found["status"], found["task"], found["n"]) == ("shipped", "image-classification", 6)
    assert found["metrics"]["accuracy"]["value"] == 0.95
    assert [step["plan"] for step in found["steps"]] == ["onnx", "int8_static"]
    assert [step["chosen"] for step in found["steps"]] == [False, True]
    assert found["contract"]["kept"] is True
    assert found["app"]["plan"] == "int8_static"
    assert [stage["stage"] for stage in found["stages"]] == ["prepare", "train", "compress", "evaluate", "package"]


def test_ratios_are_against_both_forms(fake: Any) -> None:
    against = summarise(fake.go())["app"]["against"]
    assert against["fp32 PyTorch"] == pytest.approx({"smaller": 2.1 / 0.5, "faster": 5.0})
    assert against["fp32 ONNX"] == pytest.approx({"smaller": 4.0, "faster": 2.0})


def test_the_headline_has_the_score_its_interval_and_the_price(fake: Any) -> None:
    said = summarise(fake.go())["headline"]
    assert "cnn (seed) with 95.0 % accuracy (95 % interval 92.0 % to 97.0 %) on 6 test records" in said
    assert "shipped as int8: " in said
    assert "4.2× smaller and 5× faster than fp32 PyTorch" in said
    assert "4× smaller and 2× faster than fp32 ONNX" in said


def test_a_long_plan_does_not_drown_the_headline(fake: Any) -> None:
    name = "distil(cnn widths [16] dense [], epochs 4.0, by relations)+int8_static(samples 512)+weights(bits 4)"
    trials = [{**item, "plan": name} for item in fake.facts()["compress"]["trials"][1:]]
    said = summarise(fake.go(compress={"trials": trials, "winner": name}))["headline"]
    assert "shipped as student cnn → int8 → packed weights: " in said


def test_leaks_are_told(fake: Any) -> None:
    leaks = {"n": 2, "metrics": {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95}}}
    assert summarise(fake.go(evaluate={"leaks": leaks}))["leaks"] == leaks


def test_a_better_baseline_is_said_first(fake: Any) -> None:
    said = summarise(fake.go(evaluate={"beaten": "linear"}))["headline"]
    assert said.startswith("The baseline “linear” is better than this model: 90.0 % against 95.0 % accuracy.")


def test_a_baseline_is_held_against_an_app_that_does_not_abstain(fake: Any) -> None:
    forced = {"accuracy": {"value": 0.87, "low": 0.8, "high": 0.9}}
    said = summarise(fake.go(evaluate={"beaten": "linear", "open_set": {"forced": forced}}))["headline"]
    assert "better than this model, if it did not abstain: 90.0 % against 87.0 % accuracy." in said


def test_a_refusal_names_the_nearest_and_what_it_misses(fake: Any) -> None:
    found = summarise(fake.refuse())
    assert found["status"] == "refused"
    assert "nothing was shipped" in found["headline"]
    assert "int8 misses size: 0.7 MB, asked at most 0.6 MB" in found["headline"]
    assert found["contract"]["kept"] is False
    assert found["contract"]["plan"] == "int8_static"
    assert found["app"] is None
    assert found["refused"].startswith("No candidate")


@pytest.mark.parametrize("until", ["prepare", "train", "compress", "evaluate"])
def test_a_run_that_stopped(fake: Any, until: str) -> None:
    found = summarise(fake.go(until=until))
    assert found["status"] == "unfinished"
    assert found["app"] is None
    assert found["headline"]


def test_a_run_that_only_began(fake: Any) -> None:
    found = summarise(fake.folder)
    assert "not finished" in found["headline"]
    assert found["metrics"] is None


def test_no_run_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run"):
        summarise(tmp_path)
