"""Adaptation on the road: an earlier run moved to new data, its adapter kept alone, and laid on again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lepton.core.errors import Faults, UserError
from lepton.core.ledger import facts
from lepton.stages import _adapt, _model, _recipe, _road
from lepton.training import loop

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
epochs = 2
batch = 8
augment = 0
threads = 1
"""
SMALL = "model={name='cnn',preset='small',widths=[8,16],dense=[16]}"


@pytest.fixture(scope="module")
def base(shared_project: Path) -> Path:
    """A trained run in `base`, and the recipe `moved.toml` that starts from it."""
    _road.run(shared_project / "recipe.toml", out=shared_project / "base", sets=[SMALL], until="train")
    (shared_project / "moved.toml").write_text(RECIPE)
    return shared_project


@pytest.fixture(scope="module")
def moved(base: Path) -> Path:
    """The run that moved it by LoRA."""
    _road.run(base / "moved.toml", out=base / "moved", sets=["adapt={name='lora',rank=2}"], until="train")
    return base / "moved"


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "artifacts" / facts(run)["train"]["artifact"] / "network.safetensors")


def test_model_transform_and_weights_are_those_of_the_earlier_run(base: Path, moved: Path) -> None:
    told, before = facts(moved)["train"]["facts"], facts(base / "base")["train"]["facts"]
    assert told["model"] == before["model"]
    assert told["adapt"]["start"]["fresh"] == {}
    assert told["adapt"]["start"]["taken"] == len(weights(base / "base"))
    assert set(weights(moved)) == set(weights(base / "base"))


def test_the_ledger_tells_what_was_adapted_and_that_merging_changed_nothing(moved: Path) -> None:
    told = facts(moved)["train"]["facts"]["adapt"]
    assert told["layers"] == ["body.stages.0.0", "body.stages.1.0", "body.dense.1"]
    assert told["trained"] == 2 * (9 + 8) + 2 * (8 * 9 + 16) + 2 * (16 * 9 + 16)
    assert told["share"] == told["trained"] / told["weights"]
    assert told["head"] == 16 * 2 + 2
    assert told["merging"]["largest_change"] <= _adapt.TOLERANCE * max(1, told["merging"]["largest_logit"])
    assert told["merging"]["records"] == 15


def test_frozen_weights_are_those_of_the_start_bit_for_bit(base: Path, moved: Path) -> None:
    before, after = weights(base / "base"), weights(moved)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    layers = ("stages.0.0", "stages.1.0", "dense.1", "head")
    assert changed == {*(f"body.{name}.weight" for name in layers), "body.head.bias"}


def test_an_adapter_laid_on_its_base_gives_the_adapted_network(base: Path, moved: Path) -> None:
    sets = [f"train.adapter={moved.name}", "train.epochs=0"]
    _road.run(base / "moved.toml", out=base / "laid", sets=sets, until="train")
    for name, value in weights(base / "laid").items():
        torch.testing.assert_close(value, weights(moved)[name])


def test_an_adapter_is_small_and_says_what_it_belongs_to(moved: Path) -> None:
    folder = _adapt.located(moved)
    about = json.loads((folder / "adapter.json").read_text())
    assert sorted(path.name for path in folder.iterdir()) == ["adapter.json", "adapter.safetensors"]
    assert (about["method"]["name"], about["classes"]) == ("lora", ["lying", "standing"])
    assert about["base"] == facts(moved)["train"]["facts"]["adapt"]["adapter"]["base"]
    kept = load_file(folder / "adapter.safetensors")
    assert {name for name in kept if "lora" not in name} == {"body.head.weight", "body.head.bias", "mean", "std"}


def test_bottlenecks_stay_in_the_network_and_go_down_the_road(base: Path) -> None:
    sets = ["adapt={name='adapters',width=4}", "compress.search=none"]
    _road.run(base / "moved.toml", out=base / "wider", sets=sets, until="compress")
    folder = base / "wider" / "artifacts" / facts(base / "wider")["train"]["artifact"]
    network, described = _model.load(folder)
    assert [choice["name"] for choice in described["adapted"]] == ["adapters"]
    assert any(".adapter." in name for name in network.state_dict())
    sets = ["train.start=wider", "train.epochs=0"]
    _road.run(base / "moved.toml", out=base / "again", sets=sets, until="train")
    assert all(torch.equal(value, weights(base / "wider")[name]) for name, value in weights(base / "again").items())


def refused(base: Path, *sets: str) -> UserError:
    with pytest.raises(UserError) as caught:
        _road.run(base / "moved.toml", out=base / "refused", sets=sets, until="train")
    found = caught.value
    assert all((found.what, found.rule, found.received, found.remedy)), "a message has four parts"
    return found


def test_an_adapter_for_another_base_is_refused(base: Path, moved: Path) -> None:
    found = refused(base, f"train.adapter={moved.name}", "train.start=moved")
    assert "belongs to another network" in found.what


def test_an_adapter_that_was_changed_is_refused(base: Path, moved: Path) -> None:
    shutil.copytree(_adapt.located(moved), base / "copied")
    with (base / "copied" / "adapter.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x07")
    assert "is not what adapter.json tells of" in refused(base, "train.adapter=copied").what


def test_an_adapter_of_other_classes_is_refused(base: Path, moved: Path) -> None:
    shutil.copytree(base / "data" / "lying", base / "other" / "flat")
    shutil.copytree(base / "data" / "standing", base / "other" / "tall")
    found = refused(base, f"train.adapter={moved.name}", "data.source=other")
    assert "has other classes" in found.what


def test_a_layer_that_a_method_does_not_find_is_refused(base: Path) -> None:
    assert "nothing in the network" in refused(base, "adapt={name='lora',layers=['attention']}").what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[adapt]\nname = "lora"\n[model]\nname = "cnn"\n', "lora has no weights to start from"),
        ('[adapt]\nname = "lroa"\n', "Did you mean 'lora'"),
        ('[adapt]\nname = "lora"\nrank = 0\n[model]\nname = "cnn"\n', "adapt.rank"),
        ('[train]\nstart = "nowhere"\n', "is not there"),
        ('[train]\nstart = "data"\n', "has no weights"),
        ('[train]\nadapter = "data"\n[model]\nname = "cnn"\n', "has no adapter"),
    ],
)
def test_faults_of_the_recipe_are_found_before_anything_runs(
    base: Path, recipe: Callable[[str], Path], text: str, words: str
) -> None:
    shutil.copytree(base / "data", recipe("").parent / "data")
    with pytest.raises(Faults, match=words):
        _recipe.load(recipe('[app]\nname = "x"\ntask = "image-classification"\n[data]\nsource = "data"\n' + text))


def test_plain_weights_need_their_model(base: Path, recipe: Callable[[str], Path]) -> None:
    path = recipe(
        '[app]\nname = "x"\ntask = "image-classification"\n[data]\nsource = "data"\n[train]\nstart = "w.pt"\n'
    )
    shutil.copytree(base / "data", path.parent / "data")
    (path.parent / "w.pt").write_bytes(b"")
    with pytest.raises(Faults, match=r"\[model\] is missing"):
        _recipe.load(path)


def test_a_head_that_is_solved_for_needs_no_epochs_and_changes_nothing_else(base: Path) -> None:
    _road.run(base / "moved.toml", out=base / "solved", sets=["adapt=linear"], until="train")
    told, trained = facts(base / "solved")["train"]["facts"], weights(base / "solved")
    assert [row["epoch"] for row in told["history"]] == [0]
    assert told["adapt"]["trained"] == 0
    assert told["adapt"]["adapter"]["tensors"] == 4
    before = weights(base / "base")
    changed = {name for name in trained if not torch.equal(before[name], trained[name])}
    assert changed == {"body.head.weight", "body.head.bias"}
    assert told["validation"] > 0.9


def test_contrastive_tuning_has_its_own_epochs_and_keeps_no_adapter(base: Path) -> None:
    sets = ["adapt={name='contrastive',epochs=3}", "data.shots=6"]
    _road.run(base / "moved.toml", out=base / "tuned", sets=sets, until="train")
    told = facts(base / "tuned")["train"]["facts"]
    assert [row["epoch"] for row in told["history"]] == [1, 2, 3]
    assert told["validation"] == max(row["metric"] for row in told["history"]) > 0.9
    assert "adapter" not in told["adapt"]
    assert told["adapt"]["trained"] == told["adapt"]["weights"]


def test_killed_contrastive_tuning_goes_on_to_the_same_weights(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets, kept, saves = ["adapt={name='contrastive',epochs=3}", "data.shots=6"], loop._save, []

    def save(*given: Any) -> None:
        kept(*given)
        saves.append(given)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_save", save)
    with pytest.raises(KeyboardInterrupt):
        _road.run(base / "moved.toml", out=base / "killed", sets=sets, until="train")
    _road.run(base / "moved.toml", out=base / "killed", sets=sets, until="train")
    _road.run(base / "moved.toml", out=base / "whole", sets=sets, until="train")
    assert len(saves) == 3 + 3
    assert all(torch.equal(value, weights(base / "whole")[name]) for name, value in weights(base / "killed").items())
