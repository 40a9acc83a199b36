"""A graph that was made elsewhere: an ONNX file, or an app of Lepton, as a network that answers and does not learn.

ONNX Runtime answers, on the processor. Shapes: B batch, T tokens or time steps, K outputs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
import onnx
from torch import nn

from lepton.core.settings import Range
from lepton.models import _brought, _graph, _graph_files, _runner
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
TRAIN: Mapping[str, Any] = MappingProxyType({"epochs": 0, "augment": 0.0})


def build(
    shape: Shape,
    *,
    path: str,
    classes: list[str] | None = None,
    output: str | None = None,
    scale: Annotated[float, Range(1e-9, 1e9)] | None = None,
    mean: list[float] | None = None,
    std: Annotated[list[float], Range(1e-9, 1e9)] | None = None,
) -> nn.Module:
    """Make a network of the graph at `path`, an ONNX file or the folder of an app or run; it gives logits (B, K).

    For token-classification they are (B, T, K). `classes` names its outputs in their order (for entities: tags), where
    neither an app nor a config.json beside the file does; without any name they stand in the data's order. `output`
    is needed where several could be meant. Pixels enter a graph of floats as (pixel * scale - mean) / std, mean and
    std one for each channel; left out, they are those of an image processor's file beside it, else 1/255, 0 and 1.
    The network keeps the graph's bytes: where the path is gone it is empty until saved weights are loaded. Raises
    UserError where the graph does not fit the task or the data, and where an answer would depend on its batch.
    """
    body = _Body(shape, classes or _graph_files.names(Path(path), shape.task))
    if Path(path).exists():
        graph = _graph_files.located(Path(path))
        pixels = _graph_files.scale(graph, Scale(scale, mean, std), shape.inputs.get("image", ()))
        body.take(partial(_adapted, _graph.read(graph), Wanted(_runner.arrays(shape), _scores(shape), output, pixels)))
        _runner.check(body, shape)
    return body


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings as they are: a graph cannot be made anew in another size; other families can learn from it."""
    return dict(settings)


def transform(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The transform whose arrays the graph takes, with the sizes that it fixes. Raises UserError where none does."""
    return _graph_files.transform(Path(settings["path"]))


def bring(path: Path) -> dict[str, Any] | None:
    """The settings that stand for an ONNX file, or for the folder of an app, a run, or a model.onnx; else None."""
    return {"path": str(path.resolve())} if _graph_files.holds(path) else None


def brought(settings: Mapping[str, Any]) -> Brought:
    """What the graph, or the app that it came in, tells of itself. Raises UserError where there is none."""
    return _graph_files.describe(Path(settings["path"]))


def scaling(settings: Mapping[str, Any], samples: Iterable[np.ndarray]) -> Scaling | None:
    """None: what the graph wants done to its inputs stands inside it."""
    return None


def align(body: nn.Module, classes: Sequence[str]) -> None:
    """Put the outputs of a fresh body into the order of the data's classes. Raises UserError where names do not fit."""
    if isinstance(body, _Body):
        body.align(_brought.outputs(body.task, classes))


class _Body(Runner):
    """A graph whose outputs can be put into another order."""

    def __init__(self, shape: Shape, names: Sequence[str] | None) -> None:
        super().__init__(list(shape.inputs))
        self.task, self.names = shape.task, names
        self._make: Callable[[Sequence[int] | None], bytes] | None = None

    def take(self, make: Callable[[Sequence[int] | None], bytes]) -> None:
        """Answer with the graph that `make` gives, its outputs in their own order."""
        self._make = make
        self.set_extra_state(make(None))

    def align(self, ours: Sequence[str]) -> None:
        """Put the outputs into the order of the names `ours`."""
        if self._make is not None:
            self.set_extra_state(self._make(_brought.order(self.names, ours)))


def _scores(shape: Shape) -> tuple[int, ...]:
    """The axes of the scores, batch in front."""
    return (0, 0, shape.outputs) if shape.task == "token-classification" else (0, shape.outputs)


def _adapted(model: onnx.ModelProto, wanted: Wanted, order: Sequence[int] | None) -> bytes:
    made = _graph.adapted(model, replace(wanted, order=order))
    return bytes(made.SerializeToString(deterministic=True))
