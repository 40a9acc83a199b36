"""What the README shows is run: its commands and its Python, on a data set made here."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(bash|python|toml)\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos/`: pictures of one colour each, in two classes."""
    folder = tmp_path_factory.mktemp("desk")
    random = np.random.default_rng(0)
    for name, colour in {"red": (200, 40, 40), "blue": (40, 40, 200)}.items():
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(np.array(colour) + random.normal(0, 25, (24, 24, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{number}.png")
    return folder


def test_there_is_something_to_run() -> None:
    kinds = [kind for kind, _ in BLOCKS]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"bash": 1, "python": 1, "toml": 1}


def test_the_commands_and_the_python_run_as_shown(desk: Path) -> None:
    shell, code, _ = (text for _, text in BLOCKS)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    lines = [line for line in shell.splitlines() if line.startswith("lepton ")]
    assert len(lines) >= 9
    for line in lines:
        command = [sys.executable, "-m", "lepton.cli", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=True)
    assert "red" in done.stdout


def test_the_recipe_shown_is_sound(tmp_path: Path) -> None:
    from lepton.stages import _recipe

    (tmp_path / "banking77").mkdir()
    (tmp_path / "recipe.toml").write_text(BLOCKS[-1][1])
    assert _recipe.load(tmp_path / "recipe.toml").table["app"]["name"] == "intents"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 8
    assert all((ROOT / link).exists() for link in links)


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + "Run: python docs/generate.py"
