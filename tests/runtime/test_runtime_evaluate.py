from pathlib import Path

import pytest

from lepton.bundle import golden, manifest
from lepton.core.errors import UserError
from lepton.core.types import Record
from lepton.metrics._intervals import wilson
from lepton.runtime.evaluate import evaluate

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
APP = APPS / "text-classification"
GOLDEN = golden.read(manifest.read(APP))


def records(wrong: int = 0) -> list[Record]:
    """Records labelled as the app answers them, the first `wrong` of them otherwise."""
    found = []
    for index, (raw, item) in enumerate(GOLDEN):
        place = 1 if index < wrong else 0
        found.append(Record(str(index), raw, item.answer[place]["label"]))
    return found


def test_scores_come_with_their_intervals() -> None:
    found = evaluate(APP, records(wrong=2))
    assert found["task"] == "text-classification"
    assert found["n"] == len(GOLDEN) == 6
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(4 / 6)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx(wilson(4, 6))


def test_bad_inputs_are_named_and_do_not_count() -> None:
    found = evaluate(APP, [*records(), Record("empty", "", "alpha"), Record("gone", Path("/nowhere"), "alpha")])
    assert [bad["id"] for bad in found["bad"]] == ["empty", "gone"]
    assert found["metrics"]["accuracy"]["value"] == 1.0
    assert found["n"] == 6


def test_records_without_a_label_do_not_count() -> None:
    found = evaluate(APP, [*records(), Record("x", "rate", None)])
    assert (found["n"], found["unlabelled"]) == (6, 1)


def test_a_label_the_app_does_not_know_is_a_wrong_answer() -> None:
    found = evaluate(APP, [*records(), Record("x", "rate", "delta")])
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(6 / 7)


def test_nothing_to_evaluate_is_a_clear_error() -> None:
    with pytest.raises(UserError, match="nothing to evaluate"):
        evaluate(APP, [Record("x", "rate", None)])


def test_entities_are_scored() -> None:
    folder = APPS / "token-classification"
    known = golden.read(manifest.read(folder))
    labelled = [
        Record(str(index), raw, tuple((e["start"], e["end"], e["entity_group"]) for e in item.answer))
        for index, (raw, item) in enumerate(known)
    ]
    assert evaluate(folder, labelled)["metrics"]["f1"]["value"] == 1.0
