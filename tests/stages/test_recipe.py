from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lepton.core.errors import Faults, UserError
from lepton.stages import _recipe, _road

FIVE_FAULTS = """
[app]
name = "x"
task = "image-clasification"

[data]
source = "nowhere"

[model]
name = "resnett"

[train]
lr = -1.0
epocs = 3
"""


def test_five_faults_are_all_named(recipe: Callable[[str], Path]) -> None:
    with pytest.raises(Faults) as caught:
        _recipe.load(recipe(FIVE_FAULTS))
    assert len(caught.value.faults) == 5
    for word in ("image-classification", "nowhere", "'resnet'", "train.lr", "'epochs'"):
        assert word in caught.value.message


def test_every_default_is_in_the_resolved_recipe(project: Path) -> None:
    table = _recipe.load(project / "recipe.toml").table
    assert table["app"]["seed"] == 0
    assert table["train"]["optimizer"] == "adamw"
    assert table["model"]["preset"] == "seed"
    assert table["contract"]["latency"]["batch"] == 1


def test_sets_are_toml_and_else_strings(project: Path) -> None:
    sets = ["train.lr=3e-4", "app.name=other", "model={name='resnet'}", "train.clip=0"]
    table = _recipe.load(project / "recipe.toml", sets).table
    assert (table["train"]["lr"], table["app"]["name"], table["model"]["name"]) == (3e-4, "other", "resnet")
    assert table["train"]["clip"] == 0.0


@pytest.mark.parametrize("item", ["train.lr", "=3", "app.name.deeper.still=1"])
def test_a_wrong_set_is_one_clear_message(project: Path, item: str) -> None:
    with pytest.raises(UserError):
        _recipe.load(project / "recipe.toml", [item])


def test_a_model_that_does_not_serve_the_task(project: Path) -> None:
    with pytest.raises(Faults, match="does not do text-classification"):
        _recipe.load(project / "recipe.toml", ["app.task=text-classification"])


def test_auto_stands_for_the_families_that_serve_the_task(project: Path) -> None:
    table = _recipe.load(project / "recipe.toml", ["model=auto", "train={}"]).table
    names = {item["model"]["name"] for item in table["candidates"]}
    assert names
    assert names <= set(_recipe.models_for("image-classification"))


def test_no_recipe_and_no_toml(tmp_path: Path, recipe: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match="no such recipe"):
        _recipe.load(tmp_path / "none.toml")
    with pytest.raises(UserError, match="not TOML"):
        _recipe.load(recipe("[app\n"))


def test_stages_come_in_the_order_of_their_needs() -> None:
    assert _road.stage_order() == ["prepare", "train", "compress", "evaluate", "package"]
    assert _road.stage_order("train") == ["prepare", "train"]
    with pytest.raises(UserError, match="Known: "):
        _road.stage_order("trane")


_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["app", "data", "model", "train", "contract", "compress", "odd"]), _values))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_recipe_says_the_check_answers(tmp_path: Path, table: dict[str, object]) -> None:
    _, faults = _recipe.resolve(table, tmp_path)
    assert faults
    assert all(fault.message for fault in faults)
