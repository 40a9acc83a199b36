import json
from pathlib import Path
from typing import Any

import pytest

from lepton.cli.__main__ import main


def test_report_writes_the_page_and_says_where(fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(fake.go())]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == fake.folder / "report" / "index.html"
    assert (page.parent / "report.json").exists()


def test_report_json_writes_nothing(fake: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(fake.go()), "--json"]) == 0
    assert {"task", "metrics", "baselines", "contract", "app", "steps"} <= set(json.loads(capsys.readouterr().out))
    assert not (fake.folder / "report").exists()


def test_report_of_no_run_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "There is no run here" in capsys.readouterr().err


def test_compare_prints_what_differs(pair: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = pair
    first.go()
    second.go()
    for run, right in zip(pair, (10, 40), strict=True):
        run.answers([index < right for index in range(50)])
    assert main(["compare", str(first.folder), str(second.folder)]) == 0
    said = capsys.readouterr().out
    assert "second minus first on the 50 test records" in said
    assert "a clear difference" in said
    assert "Their settings are the same" in said


def test_compare_of_unfinished_runs(pair: Any, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = pair
    assert main(["compare", str(first.go(until="train")), str(second.refuse()), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["paired"]["metrics"] == {}
