"""The page that `lepton audit -o` writes beside its JSON."""

import json
import sys

import pytest

from lepton.cli.__main__ import main


@pytest.fixture
def table(tmp_path):
    rows = [f"this is text number {at},{'ab'[at % 2]}" for at in range(30)]
    rows[7] = "the cafÃ© is closed,a"
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return str(tmp_path / "data.csv")


def test_the_page_and_the_json_tell_the_same(table, tmp_path):
    assert main(["audit", table, "--no-models", "-o", str(tmp_path / "out")]) == 0
    told = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    [finding] = [one for one in told["findings"] if one["check"] == "odd_files"]
    assert [record["id"] for record in finding["records"]] == ["data.csv#7"]
    assert "evidence" not in finding
    assert finding["message"] in page
    assert '<blockquote dir="auto">the cafÃ© is closed</blockquote>' in page


def test_without_the_template_engine_the_json_is_written_and_a_note_says_so(table, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert main(["audit", table, "--no-models", "-o", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["audit.json"]
    assert 'pip install "lepton-transfer[train]"' in capsys.readouterr().err
