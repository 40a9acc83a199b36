"""`adapt = "auto"` on the road: each method beside the others, within its budget, going on where it was."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lepton.core import plugins
from lepton.core.errors import Faults, UserError
from lepton.core.ledger import Ledger, facts
from lepton.stages import _candidate, _methods, _recipe, _road

RECIPE = """
[app]
name = "moved"
task = "image-classification"
seed = 3

[data]
source = "data"
split = { test = 0.25, validation = 0.25 }

[train]
start = "base"
epochs = 1
batch = 8
augment = 0
threads = 1

[adapt]
name = "auto"
methods = ["full", "adapters", "bitfit", { name = "lora", rank = 2 }]
"""
SMALL = "model={name='cnn',preset='small',widths=[8,16],dense=[]}"


@pytest.fixture(scope="module")
def base(shared_project: Path) -> Path:
    """A trained run in `base`, and the recipe `moved.toml` that compares methods to move it."""
    _road.run(shared_project / "recipe.toml", out=shared_project / "base", sets=[SMALL], until="train")
    (shared_project / "moved.toml").write_text(RECIPE)
    return shared_project


@pytest.fixture(scope="module")
def moved(base: Path) -> Path:
    """The run that compared them."""
    return compared(base, "moved")


def compared(base: Path, name: str, *sets: str) -> Path:
    return _road.run(base / "moved.toml", out=base / name, sets=sets, until="train").folder


def told(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = facts(run)["train"]["facts"]
    return found


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "artifacts" / facts(run)["train"]["artifact"] / "network.safetensors")


def same_weights(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def undone(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what depends on the machine."""
    return {key: value for key, value in row.items() if key not in ("seconds", "peak_mb")}


def test_the_ledger_keeps_a_row_for_each_method_the_fewest_weights_first(moved: Path) -> None:
    methods = told(moved)["methods"]
    assert [row["name"] for row in methods["rows"]] == ["bitfit", "lora (rank 2)", "full", "adapters"]
    tried = methods["rows"][:3]
    assert [row["trained"] for row in tried] == sorted(row["trained"] for row in tried)
    for row in tried:
        assert row["low"] <= row["metric"] <= row["high"]
        assert row["difference"]["low"] <= row["difference"]["value"] <= row["difference"]["high"]
        assert row["seconds"] > 0
        assert row["bytes"] > 4 * row["head"]
        assert row["method"]["name"] == row["name"].split()[0]
    assert "nothing in the network" in methods["rows"][3]["note"]
    assert methods["rows"][3]["metric"] is None


def test_one_is_chosen_and_the_reason_given(moved: Path) -> None:
    facts_ = told(moved)
    (chosen,) = (row for row in facts_["methods"]["rows"] if row.get("chosen"))
    assert facts_["methods"]["chosen"] == chosen["name"]
    assert facts_["adapt"]["method"] == chosen["method"]
    assert facts_["validation"] == chosen["metric"]
    assert chosen["name"] in facts_["methods"]["why"]
    assert facts_["methods"]["why"].count("15 validation records") == 1


def test_the_network_kept_is_the_one_that_the_method_alone_would_make(base: Path, moved: Path) -> None:
    method = told(moved)["adapt"]["method"]
    given = ",".join(f"{key}={json.dumps(value)}" for key, value in method.items() if value is not None)
    alone = compared(base, "other", f"adapt={{{given}}}")
    assert same_weights(moved, alone)
    assert told(alone)["methods"] is None


def test_a_killed_comparison_goes_on_where_it_was_and_ends_the_same(
    base: Path, moved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, trained = _candidate.train, []

    def killed(stage: Any, data: Any, begun: Any, **more: Any) -> Any:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(begun.adaptation.choice["name"])
        return train(stage, data, begun, **more)

    monkeypatch.setattr(_candidate, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        compared(base, "killed")
    assert trained == ["bitfit", "lora"]
    (scratch,) = (base / "killed" / "scratch").iterdir()
    assert not list(scratch.glob("*.pt")), "a finished method keeps what it trained, and no checkpoint"
    trained.clear()
    done = compared(base, "killed")
    assert trained == ["full"]
    assert same_weights(moved, done)
    assert list(map(undone, told(done)["methods"]["rows"])) == list(map(undone, told(moved)["methods"]["rows"]))


def test_the_budget_is_kept_and_what_was_not_tried_is_said(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = _methods._Comparison._trained
    monkeypatch.setattr(_methods._Comparison, "_trained", lambda *given: {**trained(*given), "seconds": 100.0})
    found = told(compared(base, "other", "adapt.budget=1"))["methods"]
    assert [row["name"] for row in found["rows"] if row["metric"] is not None] == ["bitfit"]
    assert found["why"].endswith("; lora (rank 2), full not tried, since the budget was spent")
    assert found["seconds"] == 100.0


def rows(seconds: Sequence[float], budget: float, place: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notes of methods that take so many seconds."""
    empty = {"note": "", "metric": None}
    took = {f"m{index}": each for index, each in enumerate(seconds)}
    sketch = {name: {**empty, "name": name, "trained": index, "seconds": 0.0} for index, name in enumerate(took)}
    monkeypatch.setattr(_methods._Comparison, "_sketch", lambda _, method: sketch[method["name"]])
    monkeypatch.setattr(_methods._Comparison, "_trained", lambda _, row: {**row, "seconds": took[row["name"]]})
    comparison = _methods._Comparison(None, None, None, Ledger(place / "journal"))  # type: ignore[arg-type]
    return [row["note"] for row in comparison.rows([{"name": name} for name in took], budget)]


def test_no_method_is_begun_that_would_end_after_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spent = "the budget was spent"
    assert rows([3, 3, 3], 9, tmp_path, monkeypatch) == ["", "", ""]
    assert rows([3, 3, 3], 8, tmp_path, monkeypatch) == ["", "", spent]
    assert rows([1, 5, 1], 8, tmp_path, monkeypatch) == ["", "", spent]
    assert rows([9, 1], 8, tmp_path, monkeypatch) == ["", spent], "the first one always is"


def test_where_no_method_fits_it_is_said(base: Path) -> None:
    with pytest.raises(UserError, match="No method of adaptation could be tried") as caught:
        compared(base, "other", "adapt.methods=['adapters']")
    assert all((caught.value.rule, caught.value.received, caught.value.remedy))


def test_left_out_every_method_is_compared(base: Path) -> None:
    table = _recipe.load(base / "moved.toml", ["adapt=auto"]).table["adapt"]
    assert {method["name"] for method in table["methods"]} == set(plugins.names("adapt"))
    assert table["budget"] == 30
    ranks = [method["rank"] for method in table["methods"] if method["name"] == "lora"]
    assert ranks == [2, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('methods = ["lroa"]', "Did you mean 'lora'"),
        ('methods = [{ name = "lora", rank = 0 }]', r"adapt.methods\[0\].rank"),
        ("methods = []", "name one method at least"),
        ('methods = "lora"', "a list of names of adapt"),
        ("budget = 0", "between 0.1 and 10000"),
        ("budgte = 3", "Did you mean 'budget'"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(base: Path, tmp_path: Path, text: str, words: str) -> None:
    path = base / "wrong.toml"
    path.write_text(RECIPE[: RECIPE.index("methods")] + text + "\n")
    with pytest.raises(Faults, match=words):
        _recipe.load(path)


def test_without_weights_to_start_from_it_is_refused(base: Path) -> None:
    with pytest.raises(Faults, match="auto has no weights to start from"):
        _recipe.load(base / "recipe.toml", ["adapt=auto"])


def test_names_tell_what_is_not_usual() -> None:
    name: Callable[[dict[str, Any]], str] = _methods.name_of
    assert [name(method) for method in _methods.every() if method["name"] == "lora"] == ["lora (rank 2)", "lora"]
