"""A metric and a model in another installed package are found and used with no edit here."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton.core import plugins, settings

METRIC = '''
"""Share of records whose truth is among the first two answers."""

import numpy as np

LOWER_IS_BETTER = False
PROPORTION = True


def table(truth, answers, classes):
    """1 where the truth is among the first two."""
    return np.array([[float(label in [item["label"] for item in answer[:2]])] for label, answer in zip(truth, answers)])


def score(table):
    """The mean."""
    return float(table.mean())
'''

MODEL = '''
"""One linear layer."""

from torch import nn

from lepton.models._objectives import CLASSES

TRANSFORMS = {"image": "image"}
OBJECTIVES = {"image-classification": CLASSES}
PRESETS = {}


def build(shape, *, dropout: float = 0.0):
    """Flatten and multiply."""
    channels, height, width = shape.inputs["image"]
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels * height * width, shape.outputs))


def smaller(settings, fraction):
    """There is none."""
    return dict(settings)
'''


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed distribution "stranger" that offers both."""
    package = tmp_path / "stranger"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "top2.py").write_text(METRIC)
    (package / "perceptron.py").write_text(MODEL)
    described = tmp_path / "stranger-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[lepton.metrics]\ntop2 = stranger.top2\n\n[lepton.models]\nperceptron = stranger.perceptron\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("stranger")]:
        del sys.modules[name]


@pytest.mark.usefixtures("stranger")
def test_a_metric_from_elsewhere() -> None:
    assert "top2" in plugins.names("metrics")
    metric = plugins.load("metrics", "top2")
    answers = [[{"label": "a"}, {"label": "b"}, {"label": "c"}]] * 2
    assert metric.score(metric.table(["b", "c"], answers, ["a", "b", "c"])) == 0.5


@pytest.mark.usefixtures("stranger")
def test_a_model_from_elsewhere_goes_the_whole_road(tmp_path: Path) -> None:
    from lepton.runtime import app as apps
    from lepton.stages import _road

    (tmp_path / "recipe.toml").write_text(
        '[app]\nname = "x"\ntask = "image-classification"\n[data]\nsource = "digits"\n'
        'split = { test = 0.2, validation = 0.2 }\n[model]\nname = "perceptron"\ndropout = 0.1\n'
        '[train]\nepochs = 3\naugment = 0\nthreads = 1\n[compress]\nsearch = "none"\n'
    )
    done = _road.run(tmp_path / "recipe.toml", out=tmp_path / "run")
    assert apps.load(done.app).manifest.provenance["model"]["name"] == "perceptron"
    _, faults = settings.resolve(plugins.load("models", "perceptron").build, {"dropuot": 1}, "model")
    assert "dropout" in faults[0].message
