"""What the page and the summary say of methods compared and of a learning curve."""

import re
from pathlib import Path
from typing import Any

import pytest

from lepton.cli import _runs
from lepton.core.ledger import Ledger
from lepton.report import _learning_curve, _methods, html, summary
from lepton.report._told import Told

EVIL = "<script>alert('x')</script>"


def row(name: str, trained: int, metric: float, **more: Any) -> dict[str, Any]:
    gap = metric - 0.92
    difference = {"value": gap, "low": gap - 0.03, "high": gap + 0.04, "error": 0.02}
    known = {"name": name, "method": {"name": name}, "trained": trained, "head": 34, "weights": 4000}
    reached = {"metric": metric, "low": metric - 0.05, "high": metric + 0.04, "difference": difference}
    costs = {"share": trained / 4000, "seconds": 12.0, "peak_mb": 512.4, "bytes": 4 * trained + 136, "note": ""}
    return {**known, **reached, **costs, "within": metric > 0.9, "best": metric == 0.92, "chosen": False, **more}


def methods() -> dict[str, Any]:
    left = {"metric": None, "note": EVIL, "seconds": 0.0, "peak_mb": None}
    rows = [row("linear", 0, 0.7), row("lora (rank 2)", 200, 0.91, chosen=True), row("full", 4000, 0.92)]
    return {
        "rows": [*rows, {**row("adapters", 0, 0.0), **left}],
        "chosen": "lora (rank 2)",
        "why": EVIL,
        "seconds": 36.0,
    }


def curve(**more: Any) -> dict[str, Any]:
    rows = [
        {"share": share, "records": count, "metric": value, "low": value - 0.03, "high": value + 0.02, "epochs": 3}
        for share, count, value in ((0.1, 100, 0.7), (0.5, 500, 0.85), (1.0, 1000, 0.89))
    ]
    rows = [{**each, "seconds": 2.0, "note": ""} for each in rows]
    law = {"scale": 0.11, "power": 0.43, "floor": 0.0, "size": 1000.0}
    gain = {"value": 0.028, "low": 0.01, "high": 0.05}
    foretold = {"value": 0.88, "low": 0.86, "high": 0.9}
    known = {"rows": rows, "metric": "accuracy", "seconds": 4.0, "law": law, "twice": gain, "foretold": foretold}
    return {**known, "told": "Twice the labels (2,000) would bring about +2.8 points", **more}


def told(folder: Path, **facts: Any) -> Told:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write("run", recipe={"app": {"name": "moved", "task": "image-classification"}})
    ledger.write("stage", stage="train", artifact="train-0", facts={"metric": "accuracy", **facts}, seconds=1.0)
    return Told.of(folder)


def test_the_page_has_both_sections_with_their_pictures(tmp_path: Path) -> None:
    told(tmp_path, methods=methods(), curve=curve())
    page = html.render(tmp_path)
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL))
    assert {"methods", "curve"} <= set(sections)
    for name in ("methods", "curve"):
        assert sections[name].count('<svg class="chart"') == 1
        assert "<table>" in sections[name]
    assert "Twice the labels (2,000) would bring about +2.8" in sections["curve"]
    assert "would have foretold 88.0" in sections["curve"]


def test_what_comes_from_elsewhere_is_escaped(tmp_path: Path) -> None:
    told(tmp_path, methods=methods(), curve=curve(told=EVIL))
    assert "<script" not in html.render(tmp_path)


def test_neither_section_without_facts(tmp_path: Path) -> None:
    run = told(tmp_path, methods=None, curve=None)
    assert _methods.methods(run) is None
    assert _learning_curve.curve(run) is None


def test_rows_of_methods_the_chosen_one_first(tmp_path: Path) -> None:
    view = _methods.methods(told(tmp_path, methods=methods()))
    assert view is not None
    assert [(each["name"], each["verdict"]) for each in view["rows"]] == [
        ("lora (rank 2)", "chosen, as good"),
        ("linear", "behind"),
        ("full", "best"),
    ]
    assert view["rows"][0]["difference"] == "-1.0 (-4.0 to +3.0)"
    assert view["rows"][0]["metric"] == "91.0 (86.0 to 95.0)"
    assert (view["rows"][0]["weights"], view["rows"][0]["share"], view["rows"][0]["memory"]) == ("200", "5 %", "512")
    assert view["rows"][2]["difference"] == ""
    assert view["left"] == [{"name": "adapters", "note": EVIL}]


def test_the_picture_has_an_interval_for_each_method(tmp_path: Path) -> None:
    view = _methods.methods(told(tmp_path, methods=methods()))
    assert view is not None
    assert view["chart"].count('class="bound"') == 2 * 3
    assert view["chart"].count("<circle") == 3


def test_the_law_is_drawn_through_the_points_and_dashed_beyond(tmp_path: Path) -> None:
    view = _learning_curve.curve(told(tmp_path, curve=curve()))
    assert view is not None
    assert view["chart"].count('class="ideal"') == view["chart"].count('class="line"') == 1
    assert view["chart"].count("<circle") == 4, "three points, and twice the labels"
    drawn = [
        float(y) for _, y in re.findall(r"([\d.]+),([\d.]+)", view["chart"].split('class="line"')[1].split("/>")[0])
    ]
    assert drawn == sorted(drawn, reverse=True), "up the page as records grow"
    (hollow,) = re.findall(r'class="dot missed" cx="([\d.]+)"', view["chart"])
    points = [float(x) for x in re.findall(r'class="dot" cx="([\d.]+)"', view["chart"])]
    assert float(hollow) > max(points)


@pytest.mark.parametrize("missing", [{"law": None, "twice": None, "foretold": None}])
def test_without_a_law_the_points_stand_alone(tmp_path: Path, missing: dict[str, Any]) -> None:
    view = _learning_curve.curve(told(tmp_path, curve=curve(**missing)))
    assert view is not None
    assert "polyline" not in view["chart"]
    assert view["law"] == view["foretold"] == ""


def test_the_summary_has_both(tmp_path: Path) -> None:
    told(tmp_path, methods=methods(), curve=curve())
    found = summary.summarise(tmp_path)
    assert found["methods"]["chosen"] == "lora (rank 2)"
    assert found["curve"]["twice"]["value"] == 0.028


def test_the_command_ends_with_a_line_on_each(tmp_path: Path) -> None:
    told(tmp_path, methods={**methods(), "why": "lora is enough"}, curve=curve())
    lines = _runs._lines(summary.summarise(tmp_path), tmp_path, tmp_path / "index.html")
    assert "method   lora is enough" in lines
    assert "labels   Twice the labels (2,000) would bring about +2.8 points" in lines
