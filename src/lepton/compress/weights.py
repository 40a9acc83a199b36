"""Weights stored in 8 or 4 bits and computed with in floating point: a smaller file at the same speed.

Dettmers et al., "LLM.int8()" (2022) and Frantar et al., "GPTQ" (2023) store weights so; here rounding is to nearest.
ONNX Runtime unpacks constants once, when the graph is opened; look-up tables stay packed, so only the rows that are
looked up are unpacked. It reaches what int8 arithmetic does not: GRUs, n-gram tables, embeddings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lepton.compress._candidate import Candidate, Context
from lepton.compress._graphs import graph_of
from lepton.core.settings import Range

TAKES, GIVES = ("graph", "quantised"), "packed"
AUTO: tuple[Mapping[str, Any], ...] = ({},)


def compress(
    candidate: Candidate,
    context: Context,
    *,
    bits: Literal[8, 4] = 8,
    least: Annotated[int, Range(1)] = 512,
) -> Candidate:
    """Write a graph whose float constants of at least `least` numbers are stored in `bits` bits.

    Each row of a matrix (or output channel of a kernel) has a scale of its own. 4 bits hold two numbers a byte.
    """
    model = onnx.load(graph_of(candidate))
    stored = [_stored(model.graph, item, (bits, least)) for item in model.graph.initializer]
    nodes = [*(node for part in stored for node in part.nodes), *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(item for part in stored for item in part.constants)
    model.graph.node.extend(_in_order(nodes, [item.name for item in [*model.graph.input, *model.graph.initializer]]))
    out = context.folder / "weights.onnx"
    out.write_bytes(model.SerializeToString(deterministic=True))
    return candidate.with_graph(out)


@dataclass(frozen=True)
class _Stored:
    """Constants as they are stored, and the nodes that make of them what the graph uses."""

    constants: list[onnx.TensorProto]
    nodes: list[onnx.NodeProto]


def _stored(graph: onnx.GraphProto, constant: onnx.TensorProto, how: tuple[int, int]) -> _Stored:
    bits, least = how
    if constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2 or np.prod(constant.dims) < least:
        return _Stored([constant], [])
    values = numpy_helper.to_array(constant)
    users = [node for node in graph.node if constant.name in node.input]
    looked_up = all(node.op_type == "Gather" and node.input[0] == constant.name for node in users)
    if looked_up and values.ndim == 2 and all(_axis(node) == 0 for node in users):
        return _table(constant.name, values, users)
    return _matrix(constant.name, values, bits)


def _matrix(name: str, values: np.ndarray, bits: int) -> _Stored:
    """The whole constant, unpacked when the graph is opened: cast and scaled, which constant folding does once."""
    whole, scale = min(
        (_rounded(values, axes, bits) for axes in _ways(values.ndim)), key=lambda pair: _lost(values, pair)
    )
    scales = numpy_helper.from_array(scale, f"{name}.scale")
    cast = helper.make_node("Cast", [f"{name}.whole"], [f"{name}.cast"], to=TensorProto.FLOAT)
    scaled = helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name])
    if bits == 8:
        return _Stored([numpy_helper.from_array(whole, f"{name}.whole"), scales], [cast, scaled])
    halves, nodes = _halved(name, whole)
    return _Stored([*halves, scales], [*nodes, cast, scaled])


def _halved(name: str, whole: np.ndarray) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """Numbers from -7 to 7 as two a byte, and the nodes that part them again."""
    flat = np.pad((whole.reshape(-1) + 8).astype(np.uint8), (0, whole.size % 2))
    pairs = flat.reshape(-1, 2)
    packed = numpy_helper.from_array(pairs[:, :1] << 4 | pairs[:, 1:], f"{name}.packed")
    sizes = {"shape": whole.shape, "from": [0], "to": [whole.size], "flat": [-1]}
    constants: dict[str, np.ndarray] = {"four": np.array(4, np.uint8), "eight": np.array(8, np.int8)}
    constants |= {key: np.array(value, np.int64) for key, value in sizes.items()}
    stored = [packed, *(numpy_helper.from_array(value, f"{name}.{key}") for key, value in constants.items())]
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("BitShift", ["packed", "four"], "high", {"direction": "RIGHT"}),
        ("BitShift", ["packed", "four"], "left", {"direction": "LEFT"}),
        ("BitShift", ["left", "four"], "low", {"direction": "RIGHT"}),
        ("Concat", ["high", "low"], "pairs", {"axis": 1}),
        ("Reshape", ["pairs", "flat"], "line", {}),
        ("Slice", ["line", "from", "to"], "cut", {}),
        ("Cast", ["cut"], "signed", {"to": TensorProto.INT8}),
        ("Sub", ["signed", "eight"], "centred", {}),
        ("Reshape", ["centred", "shape"], "whole", {}),
    ]
    made = [
        helper.make_node(kind, [f"{name}.{item}" for item in takes], [f"{name}.{gives}"], **more)
        for kind, takes, gives, more in steps
    ]
    return stored, made


def _table(name: str, values: np.ndarray, users: Sequence[onnx.NodeProto]) -> _Stored:
    """A table of rows that are looked up: it stays packed, and what is found is unpacked. Changes `users` in place."""
    whole, scale = _rounded(values, (1,), 8)
    nodes = []
    for index, node in enumerate(users):
        answer, ids, made = node.output[0], node.input[1], f"{name}.{index}"
        node.input[0], node.output[0] = f"{name}.whole", f"{made}.rows"
        nodes += [
            helper.make_node("Gather", [f"{name}.scale", ids], [f"{made}.scales"]),
            helper.make_node("Cast", [f"{made}.rows"], [f"{made}.cast"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{made}.cast", f"{made}.scales"], [answer]),
        ]
    constants = [numpy_helper.from_array(whole, f"{name}.whole"), numpy_helper.from_array(scale, f"{name}.scale")]
    return _Stored(constants, nodes)


def _ways(axes: int) -> list[tuple[int, ...]]:
    """The axes that may share a scale: those of a row, of a column, or of an output channel."""
    if axes == 2:
        return [(1,), (0,)]
    return [(axes - 1,), tuple(range(1, axes))]


def _rounded(values: np.ndarray, axes: tuple[int, ...], bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers (int8) and the scales (float32) that bring them back."""
    most = 2 ** (bits - 1) - 1
    scale = np.abs(values).max(axis=axes, keepdims=True).astype(np.float32) / most
    scale[scale == 0] = 1.0
    return np.rint(values / scale).astype(np.int8), scale


def _lost(values: np.ndarray, pair: tuple[np.ndarray, np.ndarray]) -> float:
    """The squared error, with the scales' own room: a scale for each few numbers would be no saving."""
    whole, scale = pair
    error = float(np.square(values - whole * scale).sum())
    return error if scale.size * 16 <= values.size else np.inf


def _axis(node: onnx.NodeProto) -> int:
    return next((item.i for item in node.attribute if item.name == "axis"), 0)


def _in_order(nodes: list[onnx.NodeProto], known: Sequence[str]) -> list[onnx.NodeProto]:
    """The nodes so that each comes after those it takes from; "" is an input left out."""
    ready, ordered, waiting = {*known, ""}, [], nodes
    while waiting:
        now = [node for node in waiting if ready.issuperset(node.input)]
        if not now:
            raise RuntimeError("the graph goes round")
        ordered += now
        ready |= {name for node in now for name in node.output}
        waiting = [node for node in waiting if not ready.issuperset(node.input) or node not in now]
    return ordered
