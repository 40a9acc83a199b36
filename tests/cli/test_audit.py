"""`lepton audit` as it is typed, on a table of texts with one label that is wrong."""

import csv
import json
from importlib import util

import numpy as np
import pytest

from lepton.cli.__main__ import main

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
    assert 0.5 < first["score"] <= 1
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
