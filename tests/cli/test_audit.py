"""`lepton audit` as it is typed, on a table of texts with one label that is wrong."""

import csv
import json
import re
import shlex
from importlib import util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton.cli.__main__ import main

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "audit.md"

WORDS = {"sport": ["team", "match", "goal", "player", "coach"], "food": ["bread", "butter", "oven", "sugar", "salt"]}


@pytest.fixture
def table(tmp_path):
    random = np.random.default_rng(0)
    rows = [(" ".join(random.choice(WORDS[kind], 7)), kind) for kind in WORDS for _ in range(40)]
    rows[5] = (rows[5][0], "food")
    with (tmp_path / "data.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return str(tmp_path / "data.csv")


def audited(capsys, *arguments):
    assert main(["audit", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def found(report, check="label_errors"):
    return [finding for finding in report["findings"] if finding["check"] == check]


def test_the_wrong_label_is_the_most_suspect(table, capsys):
    [finding] = found(audited(capsys, table))
    first = finding["records"][0]
    assert (first["id"], first["given"], first["suggested"]) == ("data.csv#5", "food", "sport")
    assert 0 < first["score"] <= 1
    assert "may be wrong" in finding["message"]


def test_people_see_what_a_label_should_perhaps_be(table, capsys):
    assert main(["audit", table]) == 0
    assert "data.csv#5: food, perhaps sport" in capsys.readouterr().out


def test_without_models_no_label_error_is_looked_for(table, capsys):
    report = audited(capsys, table, "--no-models")
    assert found(report) == []
    assert len(report["notes"]) == 1


def test_without_scikit_learn_a_note_says_how_to_get_it(table, capsys, monkeypatch):
    absent = util.find_spec
    monkeypatch.setattr("lepton.cli._models.find_spec", lambda name: None if name == "sklearn" else absent(name))
    report = audited(capsys, table)
    assert found(report) == []
    assert 'pip install "lepton-transfer[train]"' in report["notes"][-1]


def test_no_time_for_models_is_a_mistake(table, capsys):
    assert main(["audit", table, "--minutes", "0"]) == 2
    assert "--no-models" in capsys.readouterr().err


def test_the_documents_examples_run_as_shown(table, tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(0)
    for kind, level in (("dark", 40), ("light", 200)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for at in range(6):
            pixels = (level + random.integers(0, 50, (12, 12, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / kind / f"{at}.png")
    text = Path(table).read_text(encoding="utf-8")
    (tmp_path / "tickets.csv").write_text(text.replace("label", "topic", 1), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^lepton .*$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    report = json.loads((tmp_path / "audit" / "audit.json").read_text(encoding="utf-8"))
    shown = json.loads(re.search(r"```json\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)[1])
    assert shown.keys() == report.keys()
    assert found(report)[0]["records"][0].keys() == shown["findings"][0]["records"][0].keys()
