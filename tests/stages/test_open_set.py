"""Records that no class covers, from the recipe to the app: where they stand, the threshold, what is told of it."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lepton.bundle import verify
from lepton.core.errors import UserError
from lepton.core.ledger import facts
from lepton.core.types import Reading, Record
from lepton.metrics import _open_set as metrics
from lepton.report import html
from lepton.report.summary import summarise
from lepton.runtime import app as apps
from lepton.runtime.evaluate import evaluate
from lepton.stages import _open_set, _road, _unknown
from lepton.stages._records import read_records

WORDS = {
    "card": "card lost stolen pin blocked replacement plastic",
    "rate": "rate exchange euro dollar percent currency fee",
    "transfer": "transfer money sent account arrive pending",
    "weather": "rain sunny forecast cloud storm umbrella",
}
FILLERS = ["my", "the", "is", "why", "please", "what"]
RECIPE = """
[app]
name = "support"
task = "text-classification"

[data]
source = "questions.csv"
unknown = "weather"
split = { test = 0.25, validation = 0.25 }

[model]
name = "textcnn"

[train]
epochs = 12
threads = 1

[compress]
search = "none"

[evaluate]
linear = false
"""


def question(kind: str, draw: random.Random) -> str:
    words = draw.sample(WORDS[kind].split(), draw.randint(1, 4)) + draw.sample(FILLERS, 2)
    return " ".join(draw.sample(words, len(words)))


def make(place: Path) -> Path:
    """`recipe.toml` and 90 questions of each kind; two of the kinds share words, so that some are hard."""
    draw = random.Random(0)
    rows = [f"{question(kind, draw)},{kind}" for _ in range(90) for kind in WORDS]
    (place / "questions.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    (place / "recipe.toml").write_text(RECIPE)
    return place


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> _road.Run:
    place = make(tmp_path_factory.mktemp("open-set"))
    return _road.run(place / "recipe.toml", out=place / "run")


def told(run: _road.Run, stage: str) -> dict[str, Any]:
    return facts(run.folder)[stage]["facts"]


def test_unknown_records_are_no_class_and_stand_in_no_training(run: _road.Run) -> None:
    folder = run.artifacts["prepare"].folder
    assert told(run, "prepare")["classes"] == ["card", "rate", "transfer"]
    assert {record.label for record in read_records(folder / "records.jsonl")} == {"card", "rate", "transfer"}
    unknown = read_records(folder / _unknown.FILE)
    assert {record.label for record in unknown} == {"weather"}
    assert {record.split for record in unknown} == {"validation", "test"}
    counts = told(run, "prepare")["unknown"]
    assert sum(counts["test"].values()) + sum(counts["validation"].values()) == len(unknown)
    assert abs(counts["test"]["weather"] - counts["validation"]["weather"]) <= 2


def test_the_app_abstains_and_says_how(run: _road.Run) -> None:
    app = apps.load(run.app)
    table = app.manifest.decode["abstain"]
    assert ("distance" in [output.name for output in app.manifest.outputs]) == (table["score"] == "distance")
    areas = told(run, "evaluate")["validation"]["auroc"]
    assert table["score"] == max(areas, key=areas.__getitem__)
    assert (table["label"], table["keep"]) == ("unknown", 0.95)
    assert app.predict("my card is stolen lost pin")[0]["label"] == "card"
    assert verify.verify(run.app, app.predict) == []


def test_figures_are_those_of_the_app_that_is_shipped(run: _road.Run) -> None:
    found = told(run, "evaluate")["open_set"]
    folder = run.artifacts["prepare"].folder
    known, unknown = read_records(folder / "records.jsonl", "test"), read_records(folder / _unknown.FILE, "test")
    again = evaluate(run.app, [*known, *unknown])
    assert again["n"] == told(run, "evaluate")["n"] == len(known)
    expected = told(run, "evaluate")["metrics"]
    assert {name: again["metrics"][name] for name in expected} == expected
    for name in ("auroc", "kept", "rejected", "known", "unknown"):
        assert again["open_set"][name] == found[name]
    assert again["open_set"]["labels"] == ["weather"]
    answers = apps.load(run.app).predict([record.read() for record in [*known, *unknown]])
    abstained = [answer[0]["label"] == "unknown" for answer in answers]
    assert found["kept"]["value"] == pytest.approx(1 - sum(abstained[: len(known)]) / len(known))
    assert found["rejected"]["value"] == pytest.approx(sum(abstained[len(known) :]) / len(unknown))
    right = [answer[0]["label"] == record.label for answer, record in zip(answers, known, strict=False)]
    assert again["metrics"]["accuracy"]["value"] == pytest.approx(sum(right) / len(known))
    assert found["forced"]["accuracy"]["value"] >= again["metrics"]["accuracy"]["value"]
    assert found["rejected"]["value"] > 0.5


def test_examples_are_on_the_wrong_side(run: _road.Run) -> None:
    found = told(run, "evaluate")["open_set"]
    assert all(item["answer"][0]["label"] == "unknown" != item["given"] for item in found["turned_away"])
    assert all(item["given"] == "weather" for item in found["taken"])
    assert all(item["answer"][0]["label"] != "unknown" for item in found["taken"])
    assert found["labels"] == [
        {"label": "weather", "n": found["unknown"], "rejected": round(found["rejected"]["value"] * found["unknown"])}
    ]


def test_card_report_and_summary_tell_of_it(run: _road.Run) -> None:
    card = (run.app / "CARD.md").read_text()
    assert '"unknown"' in card
    assert "What no class covers" in card
    page = html.render(run.folder)
    assert "What no class covers" in page
    found = summarise(run.folder)["open_set"]
    assert found["kept"] == told(run, "evaluate")["open_set"]["kept"]
    assert json.dumps(found)


def test_an_app_can_abstain_by_distance(run: _road.Run) -> None:
    """The graph gives it, parity is of the classes that every form gives, and golden answers hold the app to it."""
    place = run.folder.parent / "recipe.toml"
    other = _road.run(place, out=run.folder.parent / "distance", sets=["evaluate.abstain.score='distance'"])
    app = apps.load(other.app)
    assert [output.name for output in app.manifest.outputs] == ["logits", "distance"]
    assert app.manifest.decode["abstain"]["score"] == "distance"
    assert verify.verify(other.app, app.predict) == []
    assert all(not step["changed"] for step in told(other, "package")["parity"])
    found = told(other, "evaluate")
    assert found["open_set"]["score"] == "distance"
    assert set(found["validation"]["auroc"]) == {"probability", "energy", "margin", "distance"}
    test = read_records(other.artifacts["prepare"].folder / "records.jsonl", "test")
    assert evaluate(other.app, test)["open_set"]["kept"] == found["open_set"]["kept"]


def asked(logits: list[list[float]]) -> _open_set.Asked:
    records = [record(number, "validation") for number in range(len(logits))]
    return _open_set.Asked(records, [[]] * len(logits), [{"logits": np.array([row])} for row in logits])


HOW = {"classes": ["a", "b", "c"], "decode": {"name": "softmax", "temperature": 2.0}}


def test_the_score_is_the_one_that_parts_best_or_that_is_asked_for() -> None:
    # Known ones have one large logit or two, unknown ones two smaller: the energy alone tells them apart.
    known = asked([[9.0, 8.9 - number / 99, 0.0] for number in range(40)])
    unknown = asked([[4.0, 3.0, 0.0]] * 9)
    table, areas = _open_set.chosen(_open_set.Abstain(), _open_set.Found(known, unknown), HOW)
    assert (table["score"], areas["energy"], table["keep"]) == ("energy", 1.0, 0.95)
    assert areas["probability"] < 1
    energies = known.likeness(HOW, "energy")
    assert table["threshold"] == metrics.threshold(energies, 0.95)
    assert table["tail"] == sorted(energies)[: len(table["tail"])]
    settings = _open_set.Abstain(keep=0.5, score="margin", label="none of these")
    table, _ = _open_set.chosen(settings, _open_set.Found(known, unknown), HOW)
    assert (table["score"], table["keep"], table["label"]) == ("margin", 0.5, "none of these")


def test_without_unknown_records_it_is_the_probability() -> None:
    known = asked([[float(number), 0.0, 0.0] for number in range(40)])
    table, areas = _open_set.chosen(_open_set.Abstain(keep=0.9), _open_set.Found(known, asked([])), HOW)
    assert (table["score"], areas) == ("probability", {})


def test_the_outcome_is_not_called_like_a_class() -> None:
    known = asked([[float(number), 0.0, 0.0] for number in range(40)])
    with pytest.raises(UserError, match="is a class"):
        _open_set.chosen(_open_set.Abstain(label="b"), _open_set.Found(known, asked([])), HOW)


def test_a_label_that_nobody_has_is_the_users_mistake(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(UserError, match=r"(?s)data\.unknown.*weather"):
        _road.run(tmp_path / "recipe.toml", out=tmp_path / "run", until="prepare", sets=["data.unknown='wether'"])


def record(number: int, split: str | None, label: str = "oos") -> Record:
    return Record(str(number), f"text {number}", label, split)


def test_the_formats_own_labels_hold_where_the_recipe_is_silent() -> None:
    reading = Reading([record(0, None), record(1, None, "a")], unknown=["oos"])
    assert _unknown.labels(None, reading) == {"oos"}
    assert _unknown.labels([], reading) == set()
    assert _unknown.labels("a", reading) == {"a"}


def test_given_splits_stand_and_train_joins_validation() -> None:
    found = _unknown.held_out(
        [record(0, "train"), record(1, "test"), record(2, "validation")],
        given={"train", "test", "validation"},
        split={},
        clusters={},
    )
    assert [item.split for item in found] == ["validation", "test", "validation"]


@pytest.mark.parametrize("more", [{"group": "speaker"}, {"time": "day"}, {"test": {"speaker": ["theo"]}}])
def test_what_else_holds_records_together_is_not_parted(more: dict[str, Any]) -> None:
    split = {"test": 0.1, "validation": 0.1, **more}
    records = [record(number, "train") for number in range(10)]
    found = _unknown.held_out(records, given={None}, split=split, clusters={})
    assert {item.split for item in found} == {"validation"}


def test_near_duplicates_stay_on_one_side() -> None:
    records = [record(number, "train") for number in range(40)]
    clusters = {str(number): number // 4 for number in range(40)}
    found = _unknown.held_out(records, given={None}, split={"test": 0.1, "validation": 0.1}, clusters=clusters)
    sides = [{item.split for item in found[start : start + 4]} for start in range(0, 40, 4)]
    assert all(len(side) == 1 for side in sides)
    assert sum(side == {"test"} for side in sides) == 5
