"""Few examples: exact counts of each class, drawn by the seed, the other splits whole."""

from collections import Counter
from pathlib import Path

import pytest

from lepton.core.errors import UserError
from lepton.core.ledger import facts
from lepton.core.types import Record, Span
from lepton.stages import _road, _shots
from lepton.stages._records import read_records

SIZES = {"many": 40, "some": 12, "few": 3}
RECORDS = [
    Record(id=f"{split}:{kind}{number}", raw="", label=kind, split=split)
    for split, share in (("train", 1), ("test", 2))
    for kind, size in SIZES.items()
    for number in range(size // share)
]


def counted(records: list[Record]) -> dict[str, Counter]:
    found: dict[str, Counter] = {}
    for record in records:
        found.setdefault(str(record.split), Counter())[record.label] += 1
    return found


def names(records: list[Record]) -> set[str]:
    return {record.id for record in records}


def test_each_class_has_as_many_as_asked_for_or_all_it_has() -> None:
    drawn = _shots.draw(RECORDS, 5, 0)
    assert counted(drawn.records) == {
        "train": {"many": 5, "some": 5, "few": 3},
        "test": {"many": 20, "some": 6, "few": 1},
    }
    assert drawn.fact == {"of_a_class": 5, "left_out": 55 - 13, "fewer": {"few": 3}}
    assert drawn.told == "5 training records of each class are learned from: 13 of 55 (fewer: few has 3)"
    assert [record for record in RECORDS if record in drawn.records] == drawn.records


def test_the_seed_decides_and_a_larger_draw_holds_the_smaller() -> None:
    draws = [names(_shots.draw(RECORDS, shots, seed).records) for shots, seed in ((5, 0), (5, 0), (5, 1), (8, 0))]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert draws[0] < draws[3]


def test_another_class_more_changes_nothing_for_the_others() -> None:
    without = [record for record in RECORDS if record.label != "some"]
    assert names(_shots.draw(without, 5, 0).records) == {
        name for name in names(_shots.draw(RECORDS, 5, 0).records) if "some" not in name
    }


def test_labels_that_are_no_class_are_refused() -> None:
    record = Record(id="a", raw="", label=(Span(0, 1, "x"),), split="train")
    with pytest.raises(UserError, match="each has to have one class") as caught:
        _shots.draw([record], 5, 0)
    assert all((caught.value.received, caught.value.remedy))


def test_on_the_road_they_stand_in_the_records_the_ledger_and_the_notes(project: Path) -> None:
    run = _road.run(project / "recipe.toml", out=project / "run", sets=["data.shots=4"], until="prepare")
    counts = counted(read_records(run.artifacts["prepare"].folder / "records.jsonl"))
    assert {split: sorted(found.values()) for split, found in counts.items()} == {
        "train": [4, 4],
        "validation": [7, 8],
        "test": [7, 8],
    }
    told = facts(project / "run")["prepare"]["facts"]
    assert told["counts"]["train"] == {"lying": 4, "standing": 4}
    assert told["shots"] == {"of_a_class": 4, "left_out": 60 - 30 - 8, "fewer": {}}
    assert "4 training records of each class are learned from: 8 of 30" in told["notes"]
