"""What the page on adaptation shows is run, on tiny data and as far as the trained network."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from lepton.cli.__main__ import main
from lepton.core import plugins
from lepton.core.ledger import facts
from lepton.stages import _road

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "adapt.md").read_text(encoding="utf-8")
FEWER = ["--until", "train", "--set", "data.split={test=0.25,validation=0.25}", "--set", "train.threads=1"]


def test_the_page_names_every_method() -> None:
    assert set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)) == {"full", *plugins.names("adapt")}


def test_the_recipe_and_the_commands_run_as_shown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    model = "model={name='cnn',preset='small',widths=[8,16],dense=[16]}"
    _road.run(project / "recipe.toml", out="runs/letters", sets=[model], until="train")
    shutil.copytree("data", "xrays")
    block, _few = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    Path("xrays.toml").write_text(block)
    lines = re.findall(r"^lepton run xrays.toml .*$", PAGE, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        epochs = [] if "train.epochs" in line else ["--set", "train.epochs=1"]
        methods = ["--set", "adapt.methods=['linear', 'bitfit']"] if "adapt=auto" in line else []
        assert main([*shlex.split(line)[1:], *FEWER, *epochs, *methods]) == 0, line
    first, which, again = (facts(Path("runs") / name)["train"]["facts"] for name in ("xrays", "which", "again"))
    assert len(which["methods"]["rows"]) == 2
    assert len(which["curve"]["rows"]) == 4, "1 % and 5 % are the same two records"
    assert first["adapt"]["merging"]["largest_change"] < 1e-4
    assert again["validation"] == first["validation"]
