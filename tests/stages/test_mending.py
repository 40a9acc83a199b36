"""The road on texts with leaks, wrong labels and corrections of them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lepton.checks._content import digest
from lepton.core.errors import UserError
from lepton.core.ledger import facts
from lepton.core.types import Record
from lepton.mending import corrections
from lepton.mending.corrections import Correction
from lepton.stages import _out_of_fold, _road

WORDS = {
    "weather": ["rain", "sun", "wind", "snow", "cloud", "storm", "frost", "hail"],
    "food": ["bread", "soup", "rice", "cake", "fish", "butter", "salad", "pepper"],
}
RECIPE = """
[app]
name = "notes"
task = "text-classification"
[data]
source = { train = "train.csv", test = "test.csv" }
split = { validation = 0.25 }
[model]
name = "bag"
[train]
epochs = 1
threads = 1
[compress]
search = "none"
"""


def texts(count, random):
    return [
        (" ".join(random.choice(words, 5)) + f" {random.integers(10_000)}", name, "ab"[number % 2])
        for name, words in WORDS.items()
        for number in range(count)
    ]


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "who"), *rows])


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A project: one text of test stands in train, one nearly so, and rows 2 and 3 of test have the wrong label."""
    random = np.random.default_rng(0)
    train, test = texts(40, random), texts(15, random)
    train += [test[0], (test[1][0].upper(), *test[1][1:])]
    test[2:4] = [(text, "food", who) for text, _, who in test[2:4]]
    write(tmp_path / "train.csv", train)
    write(tmp_path / "test.csv", test)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def text_of(notes, row):
    with (notes / "test.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))[row]["text"]


def correct(notes, row, label, given="food"):
    content = digest(Record("x", text_of(notes, row), None))
    item = Correction(f"test:test.csv#{row}", content, given, label, "ada")
    corrections.add(notes / "fixed.sqlite", [item])


def run(notes, *sets, until=None):
    return _road.run(notes / "recipe.toml", out=notes / "run", sets=sets, until=until)


def test_the_scores_tell_what_leaks_and_wrong_labels_do(notes):
    correct(notes, 2, "weather")
    correct(notes, 5, "weather", "weather")
    before = {path.name: path.read_bytes() for path in notes.glob("*.csv")}
    done = run(notes, "data.corrections=fixed.sqlite", 'evaluate.slices=["who"]')
    told = facts(done.folder)
    prepared, evaluated = told["prepare"]["facts"], told["evaluate"]["facts"]

    assert prepared["corrections"] == {"file": "fixed.sqlite", "changed": {"test": 1}, "confirmed": 1, "lost": []}
    assert prepared["leaks"]["pairs"] == [["train:train.csv#80", "test:test.csv#0"]]
    assert prepared["leaks"]["near"] == [["train:train.csv#81", "test:test.csv#1"]]
    rows = [json.loads(line) for line in (done.artifacts["evaluate"].folder / "answers.jsonl").read_text().splitlines()]
    right = [row["answer"][0]["label"] == row["label"] for row in rows]
    assert rows[2]["label"] == "weather"
    accuracy = evaluated["metrics"]["accuracy"]["value"]
    assert accuracy == pytest.approx(np.mean(right))
    assert evaluated["as_given"]["n"] == 1
    shift = (1 if rows[2]["answer"][0]["label"] == "food" else -1) / 30
    assert evaluated["as_given"]["metrics"]["accuracy"]["value"] == pytest.approx(accuracy + shift)

    leaks = evaluated["leaks"]
    assert (leaks["n"], leaks["near"]["n"]) == (1, 1)
    assert leaks["metrics"]["accuracy"]["value"] == pytest.approx(np.mean(right[1:]))
    assert leaks["near"]["metrics"]["accuracy"]["value"] == pytest.approx(np.mean(right[2:]))
    raised = leaks["raised"]
    assert raised["n"] == 2
    assert raised["value"] == pytest.approx(raised["with"] - raised["without"])
    assert raised["low"] <= raised["value"] <= raised["high"]

    assert {row["value"] for row in evaluated["slices"] if row["declared"]} == {"a", "b"}
    card = (done.app / "CARD.md").read_text()
    assert prepared["version"] in card
    assert "on the labels as they were given" in card
    assert "nearly the same" in card
    assert {path.name: path.read_bytes() for path in notes.glob("*.csv")} == before


def test_test_labels_that_look_wrong_are_named_but_for_those_that_people_decided_on(notes, monkeypatch):
    monkeypatch.setattr(_out_of_fold, "ROUNDS", 1)
    correct(notes, 3, "food")
    done = run(notes, "data.corrections=fixed.sqlite", "data.label_errors=true", until="prepare")
    assert json.loads((done.artifacts["prepare"].folder / "doubts.json").read_text()) == {"test:test.csv#2": "weather"}
    checks = {finding["check"] for finding in facts(done.folder)["prepare"]["facts"]["findings"]}
    assert {"label_errors", "split_leaks", "near_duplicates"} <= checks


def test_a_version_follows_content_and_corrections(notes):
    def version(*sets):
        return facts(run(notes, *sets, until="prepare").folder)["prepare"]["facts"]["version"]

    first = version()
    correct(notes, 2, "weather")
    named = "data.corrections=fixed.sqlite"
    second = version(named)
    assert version() == first != second
    correct(notes, 3, "weather")
    third = version(named)
    corrections.undo(notes / "fixed.sqlite", 2, who="bo")
    assert version(named) == second != third
    with (notes / "test.csv").open("a") as stream:
        stream.write("one more,food,a\n")
    assert version() not in (first, second, third)


def test_a_correction_of_a_content_that_changed_is_told_and_not_applied(notes):
    correct(notes, 2, "weather")
    text = (notes / "test.csv").read_text()
    (notes / "test.csv").write_text(text.replace(text_of(notes, 2), "something else"))
    told = facts(run(notes, "data.corrections=fixed.sqlite", until="prepare").folder)["prepare"]["facts"]
    assert told["corrections"] == {
        "file": "fixed.sqlite",
        "changed": {},
        "confirmed": 0,
        "lost": ["test:test.csv#2"],
    }


def test_corrections_must_be_where_the_recipe_says(notes):
    with pytest.raises(UserError, match="data.corrections"):
        run(notes, "data.corrections=absent.sqlite", until="prepare")


def test_the_latest_are_held_out_where_the_recipe_says_time(notes):
    with (notes / "dated.csv").open("w", newline="") as stream:
        rows = [(f"text {number}", "ab"[number % 2], f"2026-03-{number + 1:02d}") for number in range(30)]
        csv.writer(stream).writerows([("text", "label", "day"), *rows])
    done = run(notes, 'data={source="dated.csv", split={test=0.2, validation=0.1, time="day"}}', until="prepare")
    lines = (done.artifacts["prepare"].folder / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["train"] * 21 + ["validation"] * 3 + ["test"] * 6
