"""Walking through the nodes of an ONNX graph, and changing them: opset, width of floats, names."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper, version_converter

from lepton.core.errors import UserError

OPSET, OLDEST = 18, 13
"""What older graphs are brought to, and the oldest opset in which each channel can have a scale of its own."""

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
"""Types of elements that are floats."""

_TYPES = ("to", "dtype")  # attributes that name a type
_PREFIX = "brought/"


def newer(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model in an opset that the methods of compression know."""
    found = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), OPSET)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if found >= OLDEST:
        return made
    try:
        return version_converter.convert_version(made, OPSET)
    except version_converter.ConvertError as error:
        raise UserError(
            f"The graph is of opset {found}, and cannot be brought to {OPSET}",
            rule=said(error),
            remedy=f"Export it anew in opset {OLDEST} or later",
        ) from error


def singles(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with all floats in 32 bits, in place."""
    _widen([*model.graph.node, *(node for function in model.functions for node in function.node)])
    graph = model.graph
    stored = [_widened(item) for item in graph.initializer]
    del graph.initializer[:]
    graph.initializer.extend(stored)
    for item in [*graph.input, *graph.output]:
        if item.type.tensor_type.elem_type in FLOATS:
            item.type.tensor_type.elem_type = TensorProto.FLOAT
    return model


def said(error: Exception) -> str:
    """The first line of what an error of another library says."""
    return next(iter(str(error).splitlines()), repr(error))


def needed(graph: onnx.GraphProto, end: str) -> list[onnx.NodeProto]:
    """The nodes that the value `end` depends on, in their order."""
    wanted, found = {end}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            found.append(node)
            wanted |= used(node)
    return found[::-1]


def used(node: onnx.NodeProto) -> set[str]:
    """The values that a node takes, with those that graphs inside it take from outside."""
    inside = {name for graph in _inner(node) for each in graph.node for name in used(each)}
    given = {item.name for graph in _inner(node) for item in graph.output}
    return {*node.input, *inside, *given} - {""}


def values(graph: onnx.GraphProto) -> set[str]:
    """The names of all values, those of inner graphs included."""
    inside = {name for node in graph.node for inner in _inner(node) for name in values(inner)}
    listed = {item.name for item in [*graph.input, *graph.output, *graph.initializer]}
    return listed | inside | {name for node in graph.node for name in (*node.input, *node.output)}


def constants(graph: onnx.GraphProto) -> set[str]:
    """The names of values that follow from weights alone; inputs that are left out are nobody's."""
    found = {item.name for item in graph.initializer}
    for node in graph.node:
        if all(name in found or not name for name in node.input):
            found.update(node.output)
    return found


def rename(graph: onnx.GraphProto, moved: Mapping[str, str]) -> None:
    """Call values otherwise, in place, inner graphs included: a name stands for one value in all of them."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [moved.get(name, name) for name in names]
        for inner in _inner(node):
            rename(inner, moved)
    for item in [*graph.initializer, *graph.input, *graph.output]:
        item.name = moved.get(item.name, item.name)


def free(name: str, taken: Collection[str]) -> str:
    """A name, `name` if it can be, under which no value is called."""
    while any(f"{each}/".startswith(f"{name}/") for each in taken):
        name = _PREFIX + name
    return name


def _widen(nodes: Sequence[onnx.NodeProto]) -> None:
    """Give nodes constants and types in 32 bits, those of inner graphs included."""
    for node in nodes:
        for item in node.attribute:
            if item.name in _TYPES and item.i in FLOATS:
                item.i = TensorProto.FLOAT
            if item.HasField("t"):
                item.t.CopyFrom(_widened(item.t))
        for graph in _inner(node):
            _widen(graph.node)
            for stored in graph.initializer:
                stored.CopyFrom(_widened(stored))


def _widened(stored: onnx.TensorProto) -> onnx.TensorProto:
    if stored.data_type == TensorProto.FLOAT or stored.data_type not in FLOATS:
        return stored
    return numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float32), stored.name)


def _inner(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs inside a node, as of its branches."""
    return [graph for item in node.attribute for graph in ([item.g] if item.HasField("g") else item.graphs)]
