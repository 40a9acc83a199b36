"""The two pictures of compression: what is drawn where, and by which limits."""

from typing import Any
from xml.etree import ElementTree

import pytest

from lepton.report import _pareto, _pictures
from lepton.report._told import Told

STUDENT = "student cnn (widths 16)"


def told(fake: Any, **facts: Any) -> Told:
    return Told.of(fake.go(compress=facts))


def names(svg: str) -> list[str]:
    """The labels of a picture, limits first, each as one line."""
    texts = [text for text in ElementTree.fromstring(svg).iter("text") if "label" in text.get("class", "")]
    said = [" ".join(line.text or "" for line in text.iter("tspan")) or text.text or "" for text in texts]
    return [words.replace("\N{NO-BREAK SPACE}", " ") for words in said]


def marks(svg: str) -> dict[str, ElementTree.Element]:
    """The marks of a picture by the plan that they tell."""
    shapes = [item for item in ElementTree.fromstring(svg).iter() if item.tag in ("circle", "path")]
    return {str(item[0].text).split(":")[0]: item for item in shapes}


def clauses(trials: list[dict[str, Any]], *more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**trial, "clauses": [*trial["clauses"], *more]} for trial in trials]


def clause(name: str, asked: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "asked": asked, "measured": asked, "kept": True, "note": "", **more}


def test_the_winner_the_references_and_the_front_are_named(fake: Any, searched: dict[str, Any]) -> None:
    found = names(_pictures.accuracy(told(fake, **searched)))
    limit = "2 points worse than fp32 ONNX"
    assert sorted(found) == sorted([limit, f"shipped: {STUDENT}", "fp32 ONNX", "fp32 PyTorch", "student bag"])


def test_every_other_plan_has_its_name_in_its_title(fake: Any, searched: dict[str, Any]) -> None:
    run = told(fake, **searched)
    for picture in (_pictures.accuracy(run), _pictures.size(run)):
        found = marks(picture)
        assert {"int8", "student bag", "their_method (share 0.3)"} <= set(found)
        assert found[STUDENT].get("class") == "dot chosen"
        assert found["int8"].get("class") == "dot kept"
        assert found["fp32 ONNX"].get("class") == "dot missed"
        assert found["student resnet (width 4) after 12 % of its training"].get("class") == "dot faint"


def test_an_area_tells_a_size(fake: Any, searched: dict[str, Any]) -> None:
    found = marks(_pictures.accuracy(told(fake, **searched)))
    radii = {name: float(found[name].get("r", 0)) for name in ("fp32 ONNX", "int8")}
    assert radii["fp32 ONNX"] ** 2 / radii["int8"] ** 2 == pytest.approx(2.0 / 0.5, rel=0.05)


def test_what_fell_far_stands_on_the_edge(fake: Any, searched: dict[str, Any]) -> None:
    run = told(fake, **searched)
    assert marks(_pictures.accuracy(run))["student bag"].tag == "path"
    assert marks(_pictures.size(run))["student bag"].tag == "circle"
    assert "lies farther out" in _pictures.legend(run)


def test_limits_that_were_asked_are_drawn(fake: Any, searched: dict[str, Any]) -> None:
    asked = clause("metric (validation)", 0.94), clause("latency p95 (ms)", 0.35)
    run = told(fake, **{**searched, "trials": clauses(searched["trials"], *asked)})
    assert "at least 94.0 %" in names(_pictures.accuracy(run))
    size = _pictures.size(run)
    assert {"at most 0.6 MB", "at most 0.35 ms"} <= set(names(size))
    assert "raw input to answer (ms, 95th percentile)" in size


def test_only_what_was_measured_from_raw_input_stands_on_its_axis(fake: Any, searched: dict[str, Any]) -> None:
    run = told(fake, **{**searched, "trials": clauses(searched["trials"], clause("latency p50 (ms)", 0.35))})
    assert not [name for name in marks(_pictures.size(run)) if "PyTorch" in name or "of its training" in name]
    assert "raw input to answer (ms, median)" in _pictures.size(run)


def test_the_standing_limits_are_those_of_the_reference(fake: Any, searched: dict[str, Any]) -> None:
    standing = clause("time over fp32 ONNX (95 % bound)", 1.0), clause("size (MB)", 2.0, note="no larger, the standing")
    trials = [{**trial, "clauses": list(standing)} for trial in searched["trials"]]
    run = told(fake, **{**searched, "trials": trials})
    assert {"no slower than fp32 ONNX", "no larger than fp32 ONNX"} <= set(names(_pictures.size(run)))
    assert "no slower than fp32 ONNX" in names(_pictures.accuracy(run))


def test_speed_is_what_was_measured_in_turn(fake: Any, searched: dict[str, Any]) -> None:
    searched["trials"][1] |= {"model_p50_ms": 0.001, "ratio": 0.5}
    run = told(fake, **searched)
    assert _pareto.pace(run, run.trials[1]) == pytest.approx(0.1)
    assert [trial["plan"] for trial in _pareto.pareto(run)] == ["distil(bag)", searched["winner"], "onnx"]


def test_where_less_is_better_the_front_is_of_the_lowest(fake: Any, searched: dict[str, Any]) -> None:
    trials = [{**trial, "metric": 1 - trial["metric"]} for trial in searched["trials"]]
    run = told(fake, **{**searched, "trials": trials, "metric": "calibration_error"})
    assert [trial["plan"] for trial in _pareto.pareto(run)] == ["distil(bag)", searched["winner"], "onnx"]
    found = marks(_pictures.accuracy(run))
    assert found["student bag"].get("d", "").endswith("h8l-4,-6z")
    assert float(found[STUDENT].get("cy", 0)) > 150


def test_what_lost_its_answers_is_not_on_the_front_of_sizes(fake: Any, searched: dict[str, Any]) -> None:
    run = told(fake, **searched)
    found = _pareto.smallest(run, [_pareto.pace(run, trial) for trial in run.trials])
    assert [trial["plan"] for trial in found] == [searched["winner"], f"{searched['winner']}+int8_static+weights"]


def test_a_refused_run_is_drawn_without_a_winner(fake: Any) -> None:
    run = Told.of(fake.refuse())
    assert "dot chosen" not in _pictures.accuracy(run)
    assert "none keeps the contract" in _pictures.size(run)
    assert "shipped" not in _pictures.legend(run)


def test_a_reference_alone_is_a_picture_too(fake: Any, searched: dict[str, Any]) -> None:
    run = told(fake, trials=searched["trials"][:1], torch=None, winner="onnx")
    assert names(_pictures.accuracy(run))[-1] == "shipped: fp32 ONNX"
    assert list(marks(_pictures.size(run))) == ["fp32 ONNX"]
    assert "bound" not in _pictures.legend(run)
