"""A graph that was made elsewhere as an extractor of features, which stays as it is, and a linear head that learns.

The graph may come from any framework that writes ONNX (Keras: `model.export("model.onnx", format="onnx")`); ONNX
Runtime answers for it, on the processor. Shapes: B batch, T tokens, D features, K outputs.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from torch import Tensor, nn

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models import _cut, _graph, _graph_files, _runner
from lepton.models._brought import Brought
from lepton.models._graph import Scale, Wanted
from lepton.models._network import Scaling
from lepton.models._objectives import CLASSES, TAGS
from lepton.models._runner import Runner
from lepton.models._shape import Shape

TRANSFORMS = {"text": "tokens", "image": "image", "audio": "logmel"}
OBJECTIVES = {
    "text-classification": CLASSES,
    "token-classification": TAGS,
    "image-classification": CLASSES,
    "audio-classification": CLASSES,
}
PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
TRAIN: Mapping[str, Any] = MappingProxyType({"augment": 0.0})
ADAPT = "linear"
"""How it learns where the recipe does not say: the head alone has weights."""


def build(
    shape: Shape,
    *,
    path: str,
    output: str | None = None,
    scale: Annotated[float, Range(1e-9, 1e9)] | None = None,
    mean: list[float] | None = None,
    std: Annotated[list[float], Range(1e-9, 1e9)] | None = None,
) -> nn.Module:
    """Make a network of the graph at `path`, an ONNX file or a folder with model.onnx, and a fresh head on features.

    `output` names the value of the graph that is taken as features; left out, it is what enters the dense layer that
    makes the graph's scores, or its first output where no dense layer makes that. Maps and states are averaged, states
    by the mask where there is one. Pixels enter as (pixel * scale - mean) / std, see the model `onnx`. The network
    keeps the graph's bytes. Raises UserError where the graph does not fit the data.
    """
    body = _Headed(Runner(list(shape.inputs)), shape.outputs)
    if Path(path).exists():
        graph = _graph_files.located(Path(path))
        pixels = _graph_files.scale(graph, Scale(scale, mean, std), shape.inputs.get("image", ()))
        wanted = Wanted(_runner.arrays(shape), (), output, pixels)
        made = _cut.features(_graph.read(graph), wanted, each=shape.task == "token-classification")
        body.begin(bytes(made.SerializeToString(deterministic=True)), [*_runner.made_up(shape).values()])
        _runner.check(body, shape)
    return body


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings as they are: a graph cannot be made anew in another size; other families can learn from it."""
    return dict(settings)


def transform(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The transform whose arrays the graph takes, with the sizes that it fixes. Raises UserError where none does."""
    return _graph_files.transform(Path(settings["path"]))


def brought(settings: Mapping[str, Any]) -> Brought:
    """The files that decide the features. Raises UserError where there is no graph, and for runs and apps."""
    path = Path(settings["path"])
    told = _graph_files.describe(path)
    if told.app is not None:
        raise UserError(
            f"{path} is an app or a run of Lepton",
            rule="A frozen graph is an ONNX file of another origin",
            remedy=f'Start from it: train.start = "{path}" with adapt = "linear"; or name its graph, app/model.onnx',
        )
    return told


def scaling(settings: Mapping[str, Any], samples: Iterable[np.ndarray]) -> Scaling | None:
    """None: what the graph wants done to its inputs stands inside it."""
    return None


class _Headed(nn.Module):
    """Features from a graph, and a dense layer; without the graph it is empty until saved weights are loaded."""

    def __init__(self, extractor: Runner, outputs: int) -> None:
        super().__init__()
        self.extractor = extractor
        self.head = nn.Linear(1, outputs)

    def begin(self, features: bytes, tried: list[Tensor]) -> None:
        """Take the graph of features, whose number `tried` inputs show."""
        self.extractor.set_extra_state(features)
        self.head = nn.Linear(self.extractor(*tried).shape[-1], self.head.out_features)

    def forward(self, *arrays: Tensor) -> Tensor:
        logits: Tensor = self.head(self.extractor(*arrays))
        return logits

    def graph(self) -> bytes:
        """The ONNX file of the whole."""
        weight, bias = (item.detach().cpu().numpy() for item in (self.head.weight, self.head.bias))
        return _cut.headed(self.extractor.graph(), weight, bias)
