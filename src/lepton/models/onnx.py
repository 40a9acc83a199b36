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
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as states
from torch import Tensor, nn

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.models import _brought, _graph, _nodes, _processor
from lepton.models._brought import Brought
from lepton.models._graph import Scale, Wanted
from lepton.models._network import Scaling
from lepton.models._objectives import CLASSES, TAGS
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

_MANIFEST, _MODEL, _CONFIG, _TOKENIZER = "manifest.json", "model.onnx", "config.json", "tokenizer.json"
_BESIDE = (_CONFIG, _TOKENIZER, *_processor.FILES)
_RATE, _HOP = 16_000, 0.01  # of sound whose spectra a graph takes, where nothing says more
_TRIED, _SHORT = 7, 5  # tokens of the texts that a graph is tried with, and of shorter ones
_TOKENS = ("input_ids", "attention_mask")
_APART = 1e-3  # of the largest score: what may change with the batch by rounding alone
_REFUSALS = (
    states.Fail,
    states.InvalidGraph,
    states.InvalidProtobuf,
    states.InvalidArgument,
    states.NotImplemented,
    states.RuntimeException,
)


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
    body = _Body(shape, classes or _names(Path(path), shape.task))
    if Path(path).exists():
        graph = _located(Path(path))
        pixels = _scale(graph, Scale(scale, mean, std), shape.inputs.get("image", ()))
        body.take(partial(_adapted, _graph.read(graph), Wanted(_arrays(shape), _scores(shape), output, pixels)))
        _check(body, shape)
    return body


def smaller(settings: Mapping[str, Any], fraction: float) -> dict[str, Any]:
    """The settings as they are: a graph cannot be made anew in another size; other families can learn from it."""
    return dict(settings)


def transform(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The transform whose arrays the graph takes, by the axes of its first input, with the sizes that it fixes.

    Texts need the tokenizer that the graph was made with: a tokenizer.json beside it. Raises UserError where no
    transform gives what the graph takes.
    """
    path = _located(Path(settings["path"]))
    first = _graph.inputs(_graph.read(path))[0]
    axes = first.axes or ()
    if len(axes) == 4:
        channels, *sides = (axes[3], *axes[1:3]) if first.last else axes[1:]
        return "image", {"size": _side(sides, path), "channels": channels if channels in (1, 3) else None}
    if len(axes) == 3 and first.floating:
        length = {"seconds": round(axes[1] * _HOP + 0.015, 3)} if axes[1] else {}
        return "logmel", {"rate": _RATE, **({"mels": axes[2]} if axes[2] else {}), **length}
    if len(axes) == 2 and not first.floating:
        return "tokens", {"tokenizer": str(_tokenizer(path))}
    raise UserError(
        f"{path} takes what no transform gives",
        rule="Images are (B, C, H, W) or (B, H, W, C), spectra (B, T, M) floats, texts (B, T) whole numbers",
        received=first,
        remedy="Export it with such an input, or bring it as an app",
    )


def bring(path: Path) -> dict[str, Any] | None:
    """The settings that stand for an ONNX file, or for the folder of an app, a run, or a model.onnx; else None."""
    is_folder = any((path / name).is_file() for name in (_MANIFEST, f"app/{_MANIFEST}", _MODEL))
    return {"path": str(path.resolve())} if is_folder or path.suffix == ".onnx" else None


def brought(settings: Mapping[str, Any]) -> Brought:
    """What the graph, or the app that it came in, tells of itself. Raises UserError where there is none."""
    path = Path(settings["path"])
    graph, app = _located(path), _app(path)
    if app is None:
        near = (_near(graph.parent, name) for name in _BESIDE)
        sources = sorted([*graph.parent.glob(f"{graph.name}*"), *filter(None, near)])
        return Brought(graph.stem if path.is_file() else path.name, "", sources)
    told = _told(app)
    return Brought(told["name"], told["task"], [app / _MANIFEST, graph], app)


def scaling(settings: Mapping[str, Any], samples: Iterable[np.ndarray]) -> Scaling | None:
    """None: what the graph wants done to its inputs stands inside it."""
    return None


def align(body: nn.Module, classes: Sequence[str]) -> None:
    """Put the outputs of a fresh body into the order of the data's classes. Raises UserError where names do not fit."""
    if isinstance(body, _Body):
        body.align(_brought.outputs(body.task, classes))


class _Body(nn.Module):
    """ONNX Runtime around a graph, which is all of its state; a copy opens the graph anew."""

    def __init__(self, shape: Shape, names: Sequence[str] | None) -> None:
        super().__init__()
        self.task, self.names, self.inputs = shape.task, names, list(shape.inputs)
        # Who works with a network asks its weights where they are.
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)
        self._make: Callable[[Sequence[int] | None], bytes] | None = None
        self._graph = b""
        self._session: onnxruntime.InferenceSession | None = None

    def graph(self) -> bytes:
        """The ONNX file of this network."""
        if not self._graph:
            raise UserError("The graph that was brought is not there any more", remedy="Put it back, or run again")
        return self._graph

    def take(self, make: Callable[[Sequence[int] | None], bytes]) -> None:
        """Answer with the graph that `make` gives, its outputs in their own order."""
        self._make = make
        self.set_extra_state(make(None))

    def align(self, ours: Sequence[str]) -> None:
        """Put the outputs into the order of the names `ours`."""
        if self._make is not None:
            self.set_extra_state(self._make(_brought.order(self.names, ours)))

    def forward(self, *arrays: Tensor) -> Tensor:
        self._session = self._session or _session(self.graph())
        named = dict(zip(self.inputs, arrays, strict=True))
        given = {item.name: _as(item.type, named[item.name].cpu()) for item in self._session.get_inputs()}
        try:
            (found,) = self._session.run(["logits"], given)
        except _REFUSALS as error:
            raise UserError(
                "The graph cannot answer",
                rule=_nodes.said(error),
                received=", ".join(f"{name} {array.shape}" for name, array in given.items()),
                remedy="Check that the transform is the one that it was made with",
            ) from error
        return torch.from_numpy(found).to(self.place.device)

    def get_extra_state(self) -> Tensor:
        """The graph's bytes, uint8 (N,)."""
        return torch.frombuffer(bytearray(self.graph()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor | bytes) -> None:
        """Take other bytes."""
        self._graph = state if isinstance(state, bytes) else state.cpu().numpy().tobytes()
        self._session = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def _arrays(shape: Shape) -> dict[str, tuple[int, ...]]:
    """The axes of one sample by name; texts may have any length, also where those at hand have but one."""
    fixed = ("image", "features")
    return {name: axes if name in fixed else (0,) * len(axes) for name, axes in shape.inputs.items()}


def _scores(shape: Shape) -> tuple[int, ...]:
    """The axes of the scores, batch in front."""
    return (0, 0, shape.outputs) if shape.task == "token-classification" else (0, shape.outputs)


def _adapted(model: onnx.ModelProto, wanted: Wanted, order: Sequence[int] | None) -> bytes:
    made = _graph.adapted(model, replace(wanted, order=order))
    return bytes(made.SerializeToString(deterministic=True))


def _as(kind: str, array: Tensor) -> np.ndarray:
    """An array in the type of an input; pixels that were augmented, and are floats by that, become whole again."""
    whole = array.round().clamp(0, 255).byte() if kind == "tensor(uint8)" and array.is_floating_point() else array
    return np.asarray(whole.numpy())


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = torch.get_num_threads()
    chosen.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, chosen, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        rule = f"ONNX Runtime {onnxruntime.__version__} must know all of it"
        what = "The graph that was brought cannot be opened"
        raise UserError(what, rule=rule, received=_nodes.said(error)) from error


def _check(body: nn.Module, shape: Shape) -> None:
    """Raise UserError where made-up samples do not get a score for each class, or other ones in company or padded."""
    random = np.random.default_rng(0)
    arrays = {name: _made_up(name, (2, *axes), random) for name, axes in _arrays(shape).items()}
    alone = torch.cat([body(*(array[index : index + 1] for array in arrays.values())) for index in range(2)])
    try:
        together = body(*arrays.values())
    except UserError as error:
        remedy = "Export it with a batch axis that varies"
        raise UserError("The graph takes one sample at a time", rule=error.rule, remedy=remedy) from error
    if together.shape != alone.shape or together.shape[-1] != shape.outputs:
        raise UserError(
            "The graph does not give one score for each class of each sample",
            rule=f"The data have {shape.outputs}",
            received=f"scores of shape {tuple(together.shape)} for two samples",
        )
    _same(alone, together, "what else is in its batch, as with dynamic quantisation")
    if "attention_mask" in arrays:
        short = {name: array[:, :_SHORT] if name in _TOKENS else array for name, array in arrays.items()}
        seen = torch.arange(_TRIED) < _SHORT
        padded = {name: array * seen if name in _TOKENS else array for name, array in arrays.items()}
        found = body(*padded.values())
        _same(body(*short.values()), found[:, :_SHORT] if found.ndim == 3 else found, "padding behind its mask")


def _same(one: Tensor, other: Tensor, company: str) -> None:
    if one.shape != other.shape or float((one - other).abs().max()) > _APART * max(1.0, float(one.abs().max())):
        raise UserError(
            "The graph answers otherwise in company",
            rule=f"An answer must not depend on {company}",
            remedy="Bring the graph in floating point, with a mask that it heeds where it reads texts",
        )


def _made_up(name: str, axes: Sequence[int], random: np.random.Generator) -> Tensor:
    """A batch of what the transform could give: pixels, features, or ids that every vocabulary has."""
    sizes = [size or _TRIED for size in axes]
    if name == "image":
        return torch.from_numpy(random.integers(0, 256, sizes).astype(np.uint8))
    if name in ("features", "weights"):
        return torch.from_numpy(random.normal(size=sizes).astype(np.float32))
    return torch.from_numpy(random.integers(1, 4, sizes) if name != "attention_mask" else np.ones(sizes, np.int64))


def _located(path: Path) -> Path:
    """The ONNX file at `path`: itself, the first graph of an app, or model.onnx in a folder."""
    app = _app(path)
    found = path / _MODEL if path.is_dir() else path
    found = app / _told(app)["file"] if app else found
    if not found.is_file():
        rule = f"It must be an ONNX file, a folder with {_MODEL}, or the folder of an app or a run"
        raise UserError("The graph that was to be brought is not there", rule=rule, received=found)
    return found


def _app(path: Path) -> Path | None:
    """The folder of the app at `path`, an app's folder or a run's; None where there is none."""
    return next((folder for folder in (path, path / "app") if (folder / _MANIFEST).is_file()), None)


def _told(app: Path) -> dict[str, Any]:
    """Name, task, classes and graph file in the manifest of an app; the stage that takes the app checks the rest."""
    kept = files.read_json(app / _MANIFEST)
    try:
        first = next(iter(kept["graphs"].values()))
        return {"name": kept["name"], "task": kept["task"], "classes": [*kept["classes"]], "file": first["file"]}
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        rule = "It must have name, task, classes and graphs"
        raise UserError(f"{app / _MANIFEST} is no manifest", rule=rule, received=repr(error)) from error


def _names(path: Path, task: str) -> list[str] | None:
    """The names of the outputs in their order, where an app or a config.json has them."""
    app = _app(path)
    if app is not None:
        return _brought.outputs(task, _told(app)["classes"])
    near = _near(path if path.is_dir() else path.parent, _CONFIG)
    return _brought.labels(near.parent) if near else None


def _near(folder: Path, name: str) -> Path | None:
    """The file `name` beside the graph, or in the folder around that."""
    return next((place / name for place in (folder, folder.parent) if (place / name).is_file()), None)


def _scale(graph: Path, said: Scale, axes: Sequence[int]) -> Scale:
    """What was said of the scaling of pixels, else what an image processor's file beside the graph says.

    `axes` are those of an image; there are none where inputs are no images.
    """
    for name, item in (("mean", said.mean), ("std", said.std)):
        if item is not None and axes and len(item) not in (1, axes[0]):
            rule = f"It must have a number for each channel, {axes[0]}, or one for all"
            raise UserError(f"[model.{name}] is wrong", rule=rule, received=item)
    near = [path for path in (_near(graph.parent, name) for name in _processor.FILES) if path]
    if said.said or not near or not axes:
        return said
    mean, std = _processor.pixels(near[0].parent)
    return Scale(1.0, mean.ravel().tolist(), std.ravel().tolist())


def _tokenizer(graph: Path) -> Path:
    near = _near(graph.parent, _TOKENIZER)
    if near is None:
        raise UserError(
            f"{graph} reads tokens, and there is no tokenizer beside it",
            rule="Texts must be cut as they were when it was made",
            remedy=f'Put its {_TOKENIZER} beside it, or say data.transform = {{ name = "tokens", tokenizer = "..." }}',
        )
    return near


def _side(sides: Sequence[int], path: Path) -> int | None:
    """The one size of both sides; None where they vary."""
    fixed = {size for size in sides if size}
    if len(fixed) > 1:
        received = " x ".join(map(str, sides))
        raise UserError(f"{path} takes images that are not square", rule="Both sides must agree", received=received)
    return fixed.pop() if fixed else None
