"""The learning curve: its shares, what it measures, and that it goes on where it was."""

from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import Faults
from lepton.core.ledger import facts
from lepton.core.types import Record, Span
from lepton.stages import _candidate, _curve, _recipe, _road

SETS = ["model={name='cnn',preset='small',widths=[8],dense=[]}", "train.epochs=2", "train.lr=1e-2"]
SHARES = "train.curve=[0.1,0.3,0.5,0.7]"


def records(counts: dict[str, int]) -> list[Record]:
    labels = [label for label, count in counts.items() for _ in range(count)]
    return [Record(str(place), "", label, fields=MappingProxyType({})) for place, label in enumerate(labels)]


@given(
    counts=st.dictionaries(st.sampled_from("abcde"), st.integers(1, 60), min_size=1),
    shares=st.tuples(st.floats(0.001, 0.99), st.floats(0.001, 0.99)),
    seed=st.integers(0, 5),
)
def test_shares_are_nested_stratified_and_have_every_class(
    counts: dict[str, int], shares: tuple[float, float], seed: int
) -> None:
    whole = records(counts)
    less, more = (_curve.nested(whole, share, seed=seed) for share in sorted(shares))
    assert {record.id for record in less} <= {record.id for record in more}
    found = Counter(record.label for record in more)
    for label, count in counts.items():
        assert found[label] == max(1, round(max(shares) * count))
    assert _curve.nested(whole, max(shares), seed=seed) == more
    assert [int(record.id) for record in more] == sorted(int(record.id) for record in more)


def test_another_seed_draws_others() -> None:
    whole = records({"a": 50, "b": 50})
    assert _curve.nested(whole, 0.2, seed=0) != _curve.nested(whole, 0.2, seed=1)


def test_labels_that_are_no_classes_count_as_one() -> None:
    spans = [Record(str(place), "text", (Span(0, 2, "x"),)) for place in range(20)]
    assert len(_curve.nested(spans, 0.25, seed=0)) == 5


@pytest.fixture(scope="module")
def curved(shared_project: Path) -> Path:
    """A run with a learning curve."""
    return run(shared_project, "curved", SHARES)


def run(project: Path, name: str, *sets: str) -> Path:
    return _road.run(project / "recipe.toml", out=project / name, sets=[*SETS, *sets], until="train").folder


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = facts(folder)["train"]["facts"]
    return found


def test_each_share_has_a_row_and_the_whole_is_the_run_itself(curved: Path) -> None:
    curve = told(curved)["curve"]
    assert [row["records"] for row in curve["rows"]] == [3, 9, 15, 21, 30]
    assert [row["epochs"] for row in curve["rows"]] == [20, 7, 4, 3, 2], "as many steps as the whole"
    assert curve["rows"][-1]["metric"] == told(curved)["validation"]
    for row in curve["rows"]:
        assert row["low"] <= row["metric"] <= row["high"]
    assert curve["seconds"] == pytest.approx(sum(row["seconds"] for row in curve["rows"][:-1]))


def test_what_twice_the_labels_would_bring_is_told_with_its_interval(curved: Path) -> None:
    curve = told(curved)["curve"]
    assert curve["twice"]["low"] <= curve["twice"]["value"] <= curve["twice"]["high"]
    assert "wice the labels (60)" in curve["told"]
    assert curve["law"]["size"] == 30
    assert 0 <= curve["foretold"]["low"] <= curve["foretold"]["value"] <= curve["foretold"]["high"] <= 1


def undone(curve: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in curve["rows"]]


def test_a_killed_curve_goes_on_where_it_was(
    shared_project: Path, curved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, sizes = _candidate.train, []

    def killed(stage: Any, data: Any, begun: Any, **more: Any) -> Any:
        if len(sizes) == 3:
            raise KeyboardInterrupt
        sizes.append(len(data.train))
        return train(stage, data, begun, **more)

    monkeypatch.setattr(_candidate, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        run(shared_project, "killed", SHARES)
    assert sizes == [30, 3, 9]
    sizes[:] = []
    again = told(run(shared_project, "killed", SHARES))["curve"]
    assert sizes == [30, 15, 21], "the whole is read from its checkpoint"
    assert undone(again) == undone(told(curved)["curve"])
    assert {key: again[key] for key in ("law", "twice", "told")} == {
        key: told(curved)["curve"][key] for key in ("law", "twice", "told")
    }


def test_tiny_shares_keep_every_class_and_say_so(shared_project: Path) -> None:
    curve = told(run(shared_project, "other", "train.curve=[0.01,0.02]"))["curve"]
    assert [row["records"] for row in curve["rows"]] == [2, 30], "2 % are the same records as 1 %"
    assert curve["rows"][0]["note"] == "2 of 2 classes got one record, which is more than their share"
    assert curve["told"].startswith("What twice the labels would bring cannot be told from 2 sizes")
    assert curve["twice"] is None


def test_without_one_nothing_is_trained_beside(shared_project: Path) -> None:
    assert told(run(shared_project, "other"))["curve"] is None


@pytest.mark.parametrize("value", ["[0.0]", "[1.5]", "2", "'yes'"])
def test_shares_that_are_none_are_refused(shared_project: Path, value: str) -> None:
    with pytest.raises(Faults, match=r"train.curve"):
        _recipe.load(shared_project / "recipe.toml", [f"train.curve={value}"])
