"""`lepton review` on a table of short texts, some of them labelled wrongly."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lepton.checks._content import digest
from lepton.cli.__main__ import main
from lepton.core.types import Record
from lepton.stages import _out_of_fold

WORDS = {
    "weather": ["rain", "sun", "wind", "snow", "cloud", "storm", "frost", "thunder", "breeze", "hail", "dew", "fog"],
    "food": ["bread", "soup", "rice", "cake", "fish", "butter", "salad", "pepper", "noodle", "cheese", "apple", "stew"],
}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `data/notes.csv`: 80 texts; row 0 has the wrong label, and row 2 comes again with another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_out_of_fold, "ROUNDS", 1)
    (tmp_path / "data").mkdir()
    random = np.random.default_rng(0)
    rows = [(" ".join(random.permutation(words)[:6]), label) for label, words in WORDS.items() for _ in range(40)]
    rows[0] = (rows[0][0], "food")
    rows.append((rows[2][0], "food"))
    write(tmp_path / "data" / "notes.csv", rows)
    return tmp_path


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "label"), *rows])


def fill(path, **corrections):
    """Fill in the table at `path`, by row numbers."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["correction"] = corrections.get("row" + row["id"].split("#")[1], "")
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_doubtful_labels_go_out_and_corrections_come_back(desk, capsys):
    before = (desk / "data" / "notes.csv").read_bytes()
    assert main(["review", "data/notes.csv", "--json"]) == 0
    out = told(capsys)
    assert out["files"] == ["review/review.csv", "review/label_studio.json", "review/label_studio.xml"]
    with (desk / "review" / "review.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    assert rows["notes.csv#0"]["suggested"] == "weather"
    assert {"notes.csv#2", "notes.csv#80"} <= set(rows)
    assert len(json.loads((desk / "review" / "label_studio.json").read_text())) == out["doubtful"] == len(rows)

    fill(desk / "review" / "review.csv", row0="weather", row2="weather")
    asked = ["review", "data/notes.csv", "--import", "review/review.csv", "--json"]
    assert main([*asked, "--by", "ada"]) == 0
    assert told(capsys) == {"file": "corrections.sqlite", "taken": 2, "changed": 1, "refused": []}
    assert main(["review", "data/notes.csv", "--json"]) == 0
    again = told(capsys)
    assert again["judged"] == 3, "the copy in row 80 is decided on with row 2"
    assert again["doubtful"] <= out["doubtful"] - 3
    assert main(["audit", "data/notes.csv", "--no-models", "--json", "-c", "corrections.sqlite"]) == 0
    assert "corrections.sqlite: 2 labels corrected, 1 confirmed" in told(capsys)["notes"]
    assert (desk / "data" / "notes.csv").read_bytes() == before
    assert [path.name for path in (desk / "data").iterdir()] == ["notes.csv"]


def test_history_and_undo(desk, capsys):
    main(["review", "data/notes.csv", "--json"])
    fill(desk / "review" / "review.csv", row0="weather")
    main(["review", "data/notes.csv", "--import", "review/review.csv", "--by", "ada"])
    assert main(["review", "data/notes.csv", "--undo", "1", "--by", "bo", "--why", "no"]) == 0
    capsys.readouterr()
    assert main(["review", "data/notes.csv", "--history"]) == 0
    assert "ada  notes.csv#0: food -> weather, undone" in capsys.readouterr().out
    assert main(["review", "data/notes.csv", "--undo", "1", "--by", "bo"]) == 2


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        (["--import", "filled.csv"], "Say --by NAME"),
        (["--import", "absent.csv", "--by", "ada"], "cannot be read"),
        (["--import", "data/notes.csv", "--by", "ada"], "no table of corrections"),
        (["--history", "-c", "absent.sqlite"], "There are no corrections"),
    ],
)
def test_mistakes_are_told_in_one_line(desk, capsys, more, fault):
    with (desk / "data" / "notes.csv").open(newline="") as stream:
        text = next(csv.DictReader(stream))["text"]
    content = digest(Record("x", text, None))
    (desk / "filled.csv").write_text(f"id,correction,content\nnotes.csv#0,weather,{content}\n")
    assert main(["review", "data/notes.csv", *more]) == 2
    assert fault in capsys.readouterr().err


def test_what_changed_since_is_refused_by_name(desk, capsys):
    main(["review", "data/notes.csv", "--json"])
    fill(desk / "review" / "review.csv", row0="weather", row2="wether")
    lines = (desk / "data" / "notes.csv").read_text().splitlines()
    (desk / "data" / "notes.csv").write_text("\n".join([lines[0], "all new,food", *lines[2:]]) + "\n")
    asked = ["review", "data/notes.csv", "--import", "review/review.csv", "--by", "ada"]
    assert main(asked) == 2
    shown = capsys.readouterr().err
    assert "notes.csv#0: Its content is not what was looked at" in shown
    assert "wether" in shown
    assert "--new-labels" in shown
    assert main([*asked, "--new-labels"]) == 0
    assert "has 1 new decision: 1 label corrected, 0 confirmed" in capsys.readouterr().out
