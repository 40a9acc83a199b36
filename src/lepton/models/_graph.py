"""Surgery on an ONNX graph that was made elsewhere, until it takes and gives what Lepton's own graphs do.

Shapes: B batch, C channels, H height, W width, T tokens or time steps, K outputs.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from lepton.core.errors import UserError
from lepton.models import _nodes
from lepton.models._nodes import FLOATS

_KINDS = {"image": TensorProto.UINT8, "features": TensorProto.FLOAT, "weights": TensorProto.FLOAT}
_EIGHT_BITS = re.compile("QuantizeLinear|DynamicQuantize|QLinear|QGemm|QAttention|.*Integer")
_LEAST_IR = 8  # below 4 weights count as inputs
_SEGMENTS = "token_type_ids"

Axes = tuple[int, ...]
"""Sizes, 0 where they vary."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph: its name, element type (TensorProto's) and axes; None where they are not said."""

    name: str
    kind: int
    axes: Axes | None

    def __str__(self) -> str:
        axes = "of any shape" if self.axes is None else f"({', '.join(str(size or '?') for size in self.axes)})"
        return f"{self.name} {axes} {TensorProto.DataType.Name(self.kind).lower()}"

    @property
    def floating(self) -> bool:
        """Whether its elements are floats."""
        return self.kind in FLOATS

    @property
    def last(self) -> bool:
        """Whether images come with their channels last: (B, H, W, C)."""
        axes = self.axes or ()
        return len(axes) == 4 and axes[3] in (1, 3) and axes[1] not in (1, 3)


@dataclass(frozen=True)
class Scale:
    """What pixels go through before they enter a graph of floats: (pixel * scale - mean) / std, mean and std a channel.

    None where it was not said: 1/255, 0 and 1.
    """

    scale: float | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None

    @property
    def said(self) -> bool:
        """Whether any of it was."""
        return any(item is not None for item in (self.scale, self.mean, self.std))

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as a factor and a shift, (C, 1, 1) or (1, 1, 1)."""
        mean, std = (np.array(item or [usual], np.float64) for item, usual in ((self.mean, 0.0), (self.std, 1.0)))
        scale = 1 / 255 if self.scale is None else self.scale
        pair = (scale / std, np.broadcast_to(-mean / std, np.broadcast_shapes(mean.shape, std.shape)))
        factor, shift = (item.astype(np.float32).reshape(-1, 1, 1) for item in pair)
        return factor, shift


@dataclass(frozen=True)
class Wanted:
    """What a graph shall take and give.

    `inputs` maps the names of the arrays, in order, to the axes of one sample; `axes` are those of its output, batch
    in front. `output` names it where it was said. `order` is the place in it of each output to give; None for all.
    """

    inputs: Mapping[str, Axes]
    axes: Axes
    output: str | None = None
    scale: Scale = field(default_factory=Scale)
    order: Sequence[int] | None = None

    def ports(self) -> list[Port]:
        """The inputs as ports, batch in front."""
        return [Port(name, _KINDS.get(name, TensorProto.INT64), (0, *axes)) for name, axes in self.inputs.items()]


def read(path: Path) -> onnx.ModelProto:
    """The graph in `path` with its weights. Raises UserError where it is none, or has more than 2 GB."""
    try:
        model = onnx.load(path)
        model.SerializeToString()
    except (DecodeError, EncodeError, ValueError, OSError, onnx.checker.ValidationError) as error:
        rule = "It must be a whole ONNX file of at most 2 GB, with its weights beside it where they are apart"
        raise UserError(f"{path} cannot be read", rule=rule, received=_nodes.said(error)) from error
    if not inputs(model) or not model.graph.output:
        raise UserError(f"{path} is no graph that answers", rule="It must have inputs and outputs")
    return model


def inputs(model: onnx.ModelProto) -> list[Port]:
    """What has to be given to the graph; old files name their weights among the inputs, which are left out."""
    stored = {item.name for item in model.graph.initializer}
    return [port(item) for item in model.graph.input if item.name not in stored]


def adapted(model: onnx.ModelProto, wanted: Wanted) -> onnx.ModelProto:
    """A graph around `model` that takes and gives what is `wanted`; one that does so already stays as it is.

    Floats of other widths become float32. Types of inputs, the order of their axes and the scaling of pixels are put
    right in front of it; the softmax is taken off, and the outputs are put in order and called "logits". Raises
    UserError where inputs or outputs cannot be matched, and where the graph computes in 8 bits.
    """
    made = _nodes.singles(_nodes.newer(model))
    theirs, output = inputs(made), _output(made, wanted)
    pairs, taken = _matched(theirs, wanted.ports()), _nodes.values(made.graph)
    end = _before_softmax(made.graph, output)
    front = [_front(port, pairs[port.name], (taken, wanted.scale)) for port in theirs]
    back = _back(Port(end, output.kind, output.axes), taken, wanted.order)
    ends = [(pipe, port.name) for pipe, port in zip(front, theirs, strict=True)]
    claimed = {pipe.start for pipe, name in ends if pipe.nodes or pipe.start != name}
    claimed |= {"logits"} if back.nodes or end != "logits" else set()
    moved = {name: _nodes.free(name, taken) for name in claimed & taken}
    _nodes.rename(made.graph, moved)
    for pipe, name in ends:
        pipe.end(moved.get(name, name))
    back.begin(moved.get(end, end))
    back.end("logits")
    inner = _nodes.needed(made.graph, moved.get(end, end))
    _check_floats(inner)
    return _joined(made, [*front, back], (inner, wanted))


@dataclass
class _Pipe:
    """Nodes in a row from the value `start`, each of which takes what the one before gave, named under `name`."""

    name: str
    start: str
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def then(self, kind: str, *arrays: np.ndarray, **attributes: Any) -> "_Pipe":
        """Add a node of `kind` that takes the last value and `arrays`."""
        place, before = f"{self.name}/{len(self.nodes)}", self.nodes[-1].output[0] if self.nodes else self.start
        names = [f"{place}/{index}" for index in range(len(arrays))]
        self.constants += [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)]
        self.nodes.append(helper.make_node(kind, [before, *names], [place], name=place, **attributes))
        return self

    def begin(self, name: str) -> None:
        """Start from the value `name` instead."""
        for node in self.nodes:
            node.input[:] = [name if each == self.start else each for each in node.input]
        self.start = name

    def end(self, name: str) -> None:
        """Call the last value `name`."""
        if not self.nodes and self.start != name:
            self.then("Identity")
        if self.nodes:
            self.nodes[-1].output[0] = name


def _front(theirs: Port, ours: Port, how: tuple[Collection[str], Scale]) -> _Pipe:
    """From an array as Lepton gives it to the input of the graph."""
    taken, scale = how
    pipe, kind = _Pipe(_nodes.free(f"to/{theirs.name}", taken), ours.name), ours.kind
    if theirs.name == _SEGMENTS != ours.name:
        pipe.nodes.append(helper.make_node("Sub", [ours.name, ours.name], [pipe.name], name=pipe.name))
    if theirs.floating and (kind == TensorProto.UINT8 or scale.said):
        pipe, kind = _scaled(pipe, kind, scale), TensorProto.FLOAT
    if theirs.kind != kind:
        pipe.then("Cast", to=theirs.kind)
    return pipe.then("Transpose", perm=[0, 2, 3, 1]) if theirs.last else pipe


def _scaled(pipe: _Pipe, kind: int, scale: Scale) -> _Pipe:
    factor, shift = scale.line()
    if kind != TensorProto.FLOAT:
        pipe.then("Cast", to=TensorProto.FLOAT)
    pipe.then("Mul", factor)
    return pipe.then("Add", shift) if shift.any() else pipe


def _back(theirs: Port, taken: Collection[str], order: Sequence[int] | None) -> _Pipe:
    """From the graph's output to the scores in order."""
    pipe = _Pipe(_nodes.free("from", taken), theirs.name)
    if order is not None and list(order) != list(range(len(order))):
        pipe.then("Gather", np.array(order, np.int64), axis=-1)
    return pipe


def _joined(model: onnx.ModelProto, pipes: Sequence[_Pipe], inner: tuple[Sequence[Any], Wanted]) -> onnx.ModelProto:
    """The model with its nodes that are needed between the pipes, the last of which stands behind; in place."""
    needed, wanted = inner
    *front, back = pipes
    nodes = [*(node for pipe in front for node in pipe.nodes), *needed, *back.nodes]
    used = {name for node in nodes for name in _nodes.used(node)}
    stored = [item for item in model.graph.initializer if item.name in used]
    constants = [*stored, *(item for pipe in pipes for item in pipe.constants)]
    graph = model.graph
    del graph.node[:], graph.initializer[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.input.extend(value(port) for port in wanted.ports() if port.name in used)
    graph.output.append(value(Port("logits", TensorProto.FLOAT, wanted.axes)))
    model.ir_version = max(model.ir_version, _LEAST_IR)
    return model


def value(port: Port) -> onnx.ValueInfoProto:
    """A port as the graph's own input or output, the axes that vary named."""
    axes = ["batch", *(size or "length" for size in (port.axes or ())[1:])]
    return helper.make_tensor_value_info(port.name, port.kind, axes)


def port(value: onnx.ValueInfoProto) -> Port:
    """A value's name, type and axes."""
    tensor = value.type.tensor_type
    axes = tuple(axis.dim_value for axis in tensor.shape.dim) if tensor.HasField("shape") else None
    return Port(value.name, tensor.elem_type, axes)


def _matched(theirs: Sequence[Port], ours: Sequence[Port]) -> dict[str, Port]:
    """Which of our arrays goes into each input: by name, or the one into the other where there is one of each."""
    known = {port.name: port for port in ours}
    if len(theirs) == len(ours) == 1:
        known = {theirs[0].name: ours[0]}
    elif _SEGMENTS not in known and "input_ids" in known:
        known[_SEGMENTS] = known["input_ids"]  # one text is one segment: zeros
    if not all(port.name in known for port in theirs):
        raise UserError(
            "The graph's inputs are not those of the task",
            rule=f"It may take {' and '.join(map(str, ours))}",
            received="; ".join(map(str, theirs)),
            remedy="Export it with inputs of these names",
        )
    for port in theirs:
        _agree(port, known[port.name])
    return known


def _agree(theirs: Port, ours: Port) -> None:
    """Raise UserError where an axis of the graph is fixed to a size that our arrays have not, the batch apart."""
    axes = theirs.axes
    if axes is None:
        return
    found = (axes[0], axes[3], *axes[1:3]) if theirs.last else axes
    sizes = ours.axes or ()
    if len(found) != len(sizes) or any(one and one != other for one, other in zip(found[1:], sizes[1:], strict=True)):
        raise UserError(
            f"The graph's input {theirs.name} has another shape",
            rule=f"It takes {theirs}",
            received=ours,
            remedy="Set data.transform so that they agree, or export the graph with axes that vary",
        )


def _output(model: onnx.ModelProto, wanted: Wanted) -> Port:
    """The output that gives the scores: the one asked for, else the one that can be; one called logits goes first."""
    found = [port(item) for item in model.graph.output if item.type.HasField("tensor_type")]
    fitting = [port for port in found if port.floating and _like(port.axes, wanted.axes)]
    asked = wanted.output or "logits"
    named = [port for port in fitting if port.name == asked]
    if named or (len(fitting) == 1 and wanted.output is None):
        return (named or fitting)[0]
    what = "can be read in several ways" if fitting else "does not give what the task needs"
    raise UserError(
        f"The graph {what}",
        rule=f"An output must be ({', '.join(str(size or '?') for size in wanted.axes)}), a score for each class",
        received="; ".join(map(str, found)) or "no tensor",
        remedy=f'Say which one: model.output = "{fitting[0].name}"' if fitting else "",
    )


def _like(theirs: Axes | None, ours: Axes) -> bool:
    return theirs is None or (len(theirs) == len(ours) and theirs[-1] in (0, ours[-1]))


def _before_softmax(graph: onnx.GraphProto, output: Port) -> str:
    """The value that a softmax at the end is taken of, which says more than its probabilities; else the output."""
    makers = {name: node for node in graph.node for name in node.output}
    node = makers.get(output.name)
    while node is not None and node.op_type == "Identity":
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Softmax":
        return output.name
    axis = next((each.i for each in node.attribute if each.name == "axis"), -1)
    is_last = axis == -1 or (output.axes is not None and axis == len(output.axes) - 1)
    return str(node.input[0]) if is_last else output.name


def _check_floats(nodes: Sequence[onnx.NodeProto]) -> None:
    """Raise UserError where nodes compute in 8 bits; weights that are stored so and unpacked are none of them."""
    found = sorted({node.op_type for node in nodes if _EIGHT_BITS.match(node.op_type)})
    if found:
        raise UserError(
            "The graph computes in 8 bits already",
            rule="Compression begins with a graph in floating point",
            received=", ".join(found),
            remedy="Bring the model from before it was quantised",
        )
