"""A tiny data set of pictures, and recipes on it."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RECIPE = """
[app]
name = "bars"
task = "image-classification"

[data]
source = "data"
split = { test = 0.25, validation = 0.25 }

[model]
name = "cnn"

[train]
epochs = 5
batch = 8
augment = 0
threads = 1
lr = 5e-3
"""


def picture(kind: str, random: np.random.Generator) -> bytes:
    """A bright bar on a dark noisy ground: lying or standing."""
    pixels = random.integers(0, 60, (12, 12)).astype(np.uint8)
    place = int(random.integers(2, 9))
    pixels[(slice(place, place + 2), slice(None)) if kind == "lying" else (slice(None), slice(place, place + 2))] = 220
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def make_project(place: Path) -> Path:
    """Put `data` (two classes of 30 pictures) and `recipe.toml` into `place`."""
    random = np.random.default_rng(0)
    for kind in ("lying", "standing"):
        folder = place / "data" / kind
        folder.mkdir(parents=True)
        for number in range(30):
            (folder / f"{number:02d}.png").write_bytes(picture(kind, random))
    (place / "recipe.toml").write_text(RECIPE)
    return place


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with `data` and `recipe.toml`, a test's own."""
    return make_project(tmp_path)


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and `recipe.toml`, which the tests of a module do not change."""
    return make_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[str], Path]:
    """Write a recipe's text and give its path."""

    def write(text: str) -> Path:
        path = tmp_path / "recipe.toml"
        path.write_text(text)
        return path

    return write
