"""Weights stored in 8 or 4 bits and computed with in floating point: a smaller file at the same speed.

Dettmers et al., "LLM.int8()" (2022) and Frantar et al., "GPTQ" (2023) store weights so; here rounding is to nearest.
ONNX Runtime unpacks constants once, when the graph is opened; look-up tables stay packed, so only the rows that are
looked up are unpacked. It reaches what int8 arithmetic does not: GRUs, n-gram tables, embeddings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    """Write a graph whose float matrices and kernels of at least `least` numbers are stored in `bits` bits.

    Each row or column of a matrix (or output channel of a kernel) has a scale of its own. 4 bits hold two numbers a
    byte; what would take more room so than in 8 bits has 8, and so have look-up tables.
    """
    model = onnx.load(graph_of(candidate))
    graph = model.graph
    stored = [_stored(graph, place, (bits, least)) for place in range(len(graph.initializer))]
    instead = {name: nodes for part in stored for name, nodes in part.instead.items()}
    nodes = [node for part in stored for node in part.nodes]
    nodes += [made for node in graph.node for made in instead.get(node.output[0], [node])]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(item for part in stored for item in part.constants)
    graph.node.extend(nodes)
    out = context.folder / "weights.onnx"
    out.write_bytes(model.SerializeToString(deterministic=True))
    return candidate.with_graph(out)


@dataclass(frozen=True)
class _Stored:
    """Constants as they are stored, the nodes that unpack them, and those that stand for others, by their answer."""

    constants: list[onnx.TensorProto]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    instead: Mapping[str, list[onnx.NodeProto]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return sum(item.ByteSize() for items in (self.constants, self.nodes) for item in items)


def _stored(graph: onnx.GraphProto, place: int, how: tuple[int, int]) -> _Stored:
    """The constant at `place`. What is new is named by it: names of parameters are long, and each would stand often."""
    bits, least = how
    constant = graph.initializer[place]
    if constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2 or np.prod(constant.dims) < least:
        return _Stored([constant])
    values, name = numpy_helper.to_array(constant), f"stored.{place}"
    users = [node for node in graph.node if constant.name in node.input]
    looked_up = bool(users) and all(node.op_type == "Gather" and node.input[0] == constant.name for node in users)
    if looked_up and values.ndim == 2 and all(_axis(node) == 0 for node in users):
        return _table(name, values, users)
    ways = [_matrix((name, constant.name), values, width) for width in (8, 4) if width >= bits]
    return min(ways, key=lambda way: way.size)


def _matrix(names: tuple[str, str], values: np.ndarray, bits: int) -> _Stored:
    """The whole constant, unpacked when the graph is opened: cast and scaled, which constant folding does once."""
    name, answer = names
    whole, scale = _rounded(values, bits)
    scales = numpy_helper.from_array(scale, f"{name}.scale")
    cast = helper.make_node("Cast", [f"{name}.whole"], [f"{name}.cast"], to=TensorProto.FLOAT)
    scaled = helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [answer])
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
    """A table of rows that are looked up: it stays packed, and what is found is unpacked."""
    whole, scale = _rounded(values, 8)
    constants = [numpy_helper.from_array(whole, f"{name}.whole"), numpy_helper.from_array(scale, f"{name}.scale")]
    made = {node.output[0]: _looked_up(name, node, len(scale) > 1) for node in users}
    return _Stored(constants, instead=made)


def _looked_up(name: str, node: onnx.NodeProto, by_row: bool) -> list[onnx.NodeProto]:
    """What stands for the look-up `node`; scales of rows are looked up too, those of columns hold for every row."""
    answer, ids = node.output[0], node.input[1]
    rows, cast, scales = f"{answer}.rows", f"{answer}.cast", f"{answer}.scales" if by_row else f"{name}.scale"
    found = [helper.make_node("Gather", [f"{name}.scale", ids], [scales])] if by_row else []
    return [
        *found,
        helper.make_node("Gather", [f"{name}.whole", ids], [rows]),
        helper.make_node("Cast", [rows], [cast], to=TensorProto.FLOAT),
        helper.make_node("Mul", [cast, scales], [answer]),
    ]


def _ways(axes: int) -> list[tuple[int, ...]]:
    """The axes that may share a scale: those of a row, of a column, or of an output channel."""
    if axes == 2:
        return [(1,), (0,)]
    return [(axes - 1,), tuple(range(1, axes))]


def _rounded(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers (int8) and the scales (float32) that bring them back, the way that loses least."""
    ways = [_scaled(values, axes, bits) for axes in _ways(values.ndim)]
    return min(ways, key=lambda way: _lost(values, way))


def _scaled(values: np.ndarray, axes: tuple[int, ...], bits: int) -> tuple[np.ndarray, np.ndarray]:
    most = 2 ** (bits - 1) - 1
    scale = np.abs(values).max(axis=axes, keepdims=True).astype(np.float32) / most
    scale[scale == 0] = 1.0
    return np.rint(values / scale).astype(np.int8), scale


def _lost(values: np.ndarray, way: tuple[np.ndarray, np.ndarray]) -> tuple[bool, float]:
    """The squared error; but a scale for each few numbers would be no saving, and then the fewest scales are best."""
    whole, scale = way
    crowded = scale.size * 16 > values.size
    return crowded, float(scale.size if crowded else np.square(values - whole * scale).sum())


def _axis(node: onnx.NodeProto) -> int:
    return next((item.i for item in node.attribute if item.name == "axis"), 0)
