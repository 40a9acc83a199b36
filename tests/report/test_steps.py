"""The section about compression: its table, its sentence, and what else was tried."""

import re
from typing import Any

from lepton.report import _steps, html
from lepton.report._told import Told
from lepton.report.summary import summarise

STUDENT = "student cnn (widths 16)"


def section(fake: Any, **facts: Any) -> str:
    found = re.search(r'<section id="steps">.*?</section>', html.render(fake.go(compress=facts)), re.DOTALL)
    return found.group().replace("\N{NO-BREAK SPACE}", " ") if found else ""


def rows(text: str) -> list[list[str]]:
    """The words of each cell of the tables of plans, without those of other tables."""
    tables = re.findall(r'<table class="steps">.*?</table>', text, re.DOTALL)
    lines = re.findall(r"<tr.*?</tr>", "".join(re.sub("<thead>.*?</thead>", "", table) for table in tables), re.DOTALL)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", line)] for line in lines]


def test_rows_go_from_what_is_shipped_to_what_misses(fake: Any, searched: dict[str, Any]) -> None:
    found = rows(section(fake, **searched))
    names = ["fp32 PyTorchthe network as trained", STUDENT, "fp32 ONNX", f"{STUDENT} → int8 → packed weights", "int8"]
    assert [row[0] for row in found[:5]] == names
    assert [row[-1] for row in found[:5]] == ["", "shipped", "misses size", "kept", "kept"]
    assert found[-1][0] == "student bag"
    assert found[-1][-1] == "misses drop"
    assert len(found) == 1 + len(searched["trials"])


def test_a_row_has_every_figure(fake: Any, searched: dict[str, Any]) -> None:
    row = rows(section(fake, **searched))[1]
    gains = ["25× / 7×", "10× / 6.7×"]
    assert row == [STUDENT, "97.0 %", "0.20 (0.80)", "0.02", "0.12 / 0.32", "0.3", *gains, "shipped"]


def test_what_is_compared_with_has_no_ratio_to_itself(fake: Any, searched: dict[str, Any]) -> None:
    found = rows(section(fake, **searched))
    assert found[0][1:] == ["", "", "0.5", "", "2.1", "", "", ""]
    assert found[2][6:8] == ["2.5× / 1.1×", ""]


def test_many_rows_are_folded(fake: Any, searched: dict[str, Any]) -> None:
    text = section(fake, **searched)
    first, rest = text.split("<details><summary>4 more</summary>")
    assert (len(rows(first)), len(rows(rest))) == (8, 4)


def test_few_rows_stand_open(fake: Any, searched: dict[str, Any]) -> None:
    assert "more</summary>" not in section(fake, trials=searched["trials"][:7])


def test_what_else_was_tried_is_told(fake: Any, searched: dict[str, Any]) -> None:
    text = section(fake, **searched)
    said = "11 plans finished and measured; 2 trained a little first, of which 1 went on to the end; "
    assert f"<p>{said}2 left out before any training.</p>" in text
    cells = '<td class="n">12 %</td><td class="n">40.0 %</td><td class="n">2.0 s</td><td>left out</td>'
    assert f'title="distil(resnet width 4)">student resnet (width 4)</th>{cells}' in text
    assert "<div>fused graph</div><div>fused graph → int8</div></td><td" in text
    assert text.count("&lt;script&gt;") == 1
    assert "<script" not in text


def test_a_search_without_rungs_says_only_what_it_knows(fake: Any) -> None:
    told = Told.of(fake.go(compress={"skipped": [{"plan": "fuse", "why": "nothing to fuse"}]}))
    assert _steps.searched(told) == "2 plans finished and measured; 1 left out before any training."


def test_a_run_that_tried_little_has_nothing_else_to_tell(fake: Any) -> None:
    text = section(fake)
    assert "what else was tried" not in text
    assert "finished and measured" not in text


def test_a_plan_that_is_answered_one_by_one_says_so(fake: Any, searched: dict[str, Any]) -> None:
    searched["trials"][1] |= {"batchable": False}
    assert 'int8<div class="note">served one by one' in section(fake, **searched)


def test_the_data_of_the_pictures_are_in_the_figures(fake: Any, searched: dict[str, Any]) -> None:
    changed = {"id": "a", "file": "previews/one.png", "kind": "image", "direction": "right_to_wrong"}
    found = summarise(fake.go(compress={**searched, "damage": {"n": 9, "changed": [changed]}}))
    assert found["search"] == {"sketches": [], "rungs": searched["rungs"], "skipped": searched["skipped"]}
    assert found["pareto"] == ["distil(bag)", searched["winner"], "onnx"]
    assert [step["plan"] for step in found["steps"]] == [trial["plan"] for trial in searched["trials"]]
    assert found["damage"] == {"n": 9, "changed": [{"id": "a", "kind": "image", "direction": "right_to_wrong"}]}


def test_the_figures_of_a_run_without_a_search_are_empty(fake: Any) -> None:
    found = summarise(fake.go(until="train"))
    assert (found["pareto"], found["search"]) == ([], {"sketches": [], "rungs": [], "skipped": []})
    assert found["damage"] is None
