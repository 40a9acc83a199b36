"""Every recipe that is shipped is sound; those on data sets of their own are checked where the data is."""

from pathlib import Path

import pytest

from lepton.stages import _recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


def test_all_are_seen() -> None:
    assert len(RECIPES) >= 9


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_sound(path: Path) -> None:
    table = _recipe.read(path)
    _, faults = _recipe.resolve(table, path.parent)
    missing = [fault for fault in faults if "does not exist" in fault.what]
    assert faults == missing, [fault.message for fault in faults]
    if missing:
        pytest.skip(f"the data of {path.stem} is not here")
    assert path.read_text(encoding="utf-8").startswith("# "), "a recipe says what it shows"
