"""What every plug-in of a room must do, run on every one that is found."""

import contextlib
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

from lepton.core import plugins, settings
from lepton.core.errors import UserError
from lepton.core.types import Span
from lepton.models._shape import Shape

VERBS = {
    "formats": ("sniff", "read"),
    "transforms": ("fit", "encoder", "collate"),
    "metrics": ("table", "score"),
    "tasks": ("classes", "answer", "brief"),
    "checks": ("find",),
    "models": ("build", "smaller"),
    "compress": ("compress",),
    "adapt": ("adapt",),
    "stages": ("run", "inputs"),
    "streams": ("source", "sink"),
    "deploy": ("deploy",),
    "cli": ("arguments", "main"),
}
FOUND = [(room, name) for room in VERBS for name in plugins.names(room)]
BRINGING = [name for name in plugins.names("models") if hasattr(plugins.load("models", name), "bring")]
MADE_ELSEWHERE = [name for name in plugins.names("models") if hasattr(plugins.load("models", name), "brought")]
CLASSIFIERS = [
    (name, task)
    for name in plugins.names("models")
    for task in plugins.load("models", name).OBJECTIVES
    if name not in MADE_ELSEWHERE
]
SHAPES = {
    "image": {"image": (1, 32, 32)},
    "logmel": {"features": (40, 24)},
    "tokens": {"input_ids": (0,), "attention_mask": (0,)},
    "ngrams": {"ngrams": (0,), "weights": (0,)},
    "views": {"input_ids": (0,), "attention_mask": (0,), "ngrams": (0,), "weights": (0,)},
}


def test_rooms_are_not_empty() -> None:
    assert {room for room, _ in FOUND} == set(VERBS)
    assert len(FOUND) >= 50


@pytest.mark.parametrize(("room", "name"), FOUND)
def test_a_plugin_has_its_verbs_documented_and_typed(room: str, name: str) -> None:
    module = plugins.load(room, name)
    assert inspect.getdoc(module)
    for verb in VERBS[room]:
        assert inspect.getdoc(getattr(module, verb)), f"{room}.{name}.{verb} has no docstring"
    if room not in ("cli", "stages", "tasks", "checks"):
        settings.parameters(getattr(module, VERBS[room][0]))


@pytest.mark.parametrize("name", plugins.names("formats"))
def test_a_format_does_not_sniff_what_is_not_there(name: str, tmp_path: Path) -> None:
    module = plugins.load("formats", name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)) * 8)
    assert module.MODALITY in ("image", "text", "audio", "volume")
    for place in (tmp_path / "empty", tmp_path / "noise.bin", tmp_path / "absent"):
        assert module.sniff(place) is False
    with contextlib.suppress(UserError):
        assert module.read(tmp_path / "noise.bin").bad, "noise is refused, or its records are set aside"


@pytest.mark.parametrize("name", plugins.names("metrics"))
def test_a_metric_is_best_for_right_answers(name: str) -> None:
    metric = plugins.load("metrics", name)
    classes, labels = ["a", "b"], ["a", "b", "b", "a"]
    if name == "f1":
        truth = [(Span(0, 3, "a"),)] * 4
        right = [[{"start": 0, "end": 3, "entity_group": "a", "score": 1.0}]] * 4
        wrong: list[object] = [[]] * 4
    else:
        truth = labels
        right = [_ranking(label, classes) for label in labels]
        wrong = [_ranking("b" if label == "a" else "a", classes) for label in labels]
    best, worst = (metric.score(metric.table(truth, answers, classes)) for answers in (right, wrong))
    assert (best, worst) == ((0, 1) if metric.LOWER_IS_BETTER else (1, 0))


def _ranking(label: str, classes: list[str]) -> list[dict[str, object]]:
    rest = [name for name in classes if name != label]
    return [{"label": label, "score": 1.0}, *({"label": name, "score": 0.0} for name in rest)]


@pytest.mark.parametrize(("name", "task"), CLASSIFIERS)
def test_a_model_answers_trains_and_shrinks(name: str, task: str) -> None:
    module = plugins.load("models", name)
    transform = module.TRANSFORMS[plugins.load("tasks", task).MODALITY]
    shape = Shape(SHAPES[transform], outputs=5, vocabulary=50, task=task, settings={"ngrams": {"vocabulary": 50}})
    torch.manual_seed(0)
    given = settings.settle(module.build, {}, "model")
    network = module.build(shape, **given)
    inputs = _batch(transform)
    logits = network(*inputs)
    assert logits.shape[0] == 2
    assert logits.shape[-1] == 5
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters() if parameter.requires_grad)
    small = settings.settle(module.build, module.smaller(given, 0.5), "model")
    assert _size(module.build(shape, **small)) <= _size(network), "a linear model cannot shrink; none may grow"


@pytest.mark.parametrize("name", BRINGING)
def test_a_family_that_brings_models_has_what_that_needs_and_brings_nothing_from_nowhere(
    name: str, tmp_path: Path
) -> None:
    module = plugins.load("models", name)
    for verb in ("bring", "brought", "align", "scaling", "transform"):
        assert inspect.getdoc(getattr(module, verb)), f"models.{name}.{verb} has no docstring"
    (tmp_path / "noise.bin").write_bytes(bytes(range(256)))
    assert [module.bring(place) for place in (tmp_path, tmp_path / "noise.bin", tmp_path / "absent")] == [None] * 3


def _batch(transform: str) -> list[torch.Tensor]:
    """Two samples of what the transform gives, already scaled."""
    random = np.random.default_rng(0)
    if transform in ("image", "logmel"):
        (size,) = SHAPES[transform].values()
        return [torch.from_numpy(random.normal(size=(2, *size)).astype(np.float32))]
    made = {
        "input_ids": torch.from_numpy(random.integers(1, 50, (2, 7))),
        "attention_mask": torch.ones(2, 7, dtype=torch.int64),
        "ngrams": torch.from_numpy(random.integers(1, 50, (2, 9))),
        "weights": torch.ones(2, 9),
    }
    return [made[name] for name in SHAPES[transform]]


def _size(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
