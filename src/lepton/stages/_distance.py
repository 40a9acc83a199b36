"""How far features are from those of the classes, as one more output of an ONNX graph: in whatever form it is shipped.

The squared Mahalanobis distance to the nearest class mean (Lee et al., "A Simple Unified Framework for Detecting
Out-of-Distribution Samples", 2018) less that to the mean of all (Ren et al., "A Simple Fix to Mahalanobis Distance",
2021). Shapes: N records, D features, C classes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from sklearn.covariance import ledoit_wolf

from lepton.compress._candidate import Candidate
from lepton.compress._graphs import graph_of
from lepton.core import plugins, seeds
from lepton.core.errors import UserError
from lepton.core.types import Label, Record
from lepton.export.onnx import strip
from lepton.models import _nodes
from lepton.runtime._engine import Graph
from lepton.runtime.app import App
from lepton.stages import _encoded
from lepton.tasks._abstain import DISTANCE

_DENSE = (
    "Gemm",
    "MatMul",
    "FusedMatMul",
    "MatMulInteger",
    "QLinearMatMul",
    "QGemm",
    "DynamicQuantizeMatMul",
    "MatMulNBits",
)
_NUMBERS = ("QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear", "Cast")
"""Operators after which a tensor says the same in other numbers."""

_SEEN = "lepton_features"
_AXIS_IS_INPUT = 18  # the opset from which the axes of ReduceMax are an input
_OLDEST = 13
_MOST = 20_000


def features_of(model: onnx.ModelProto) -> str:
    """The name of the tensor that the dense head reads, a floating point one.

    Raises UserError where the logits are not made by one dense layer of inputs that are computed.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    constant = _nodes.constants(model.graph)
    node = makers.get("logits")
    while node is not None and node.op_type not in _DENSE:
        given = [name for name in node.input if name in makers and name not in constant]
        node = makers[given[0]] if len(given) == 1 else _one_chain(given, makers)
    name = node.input[0] if node is not None else ""
    while name in makers and makers[name].op_type in _NUMBERS:
        name = makers[name].input[0]
    if name not in makers or name in constant:
        rule = "Distances are between the features that one dense head reads"
        raise UserError("The graph has no features to measure distances by", rule=rule, remedy="Choose another score")
    return name


def _one_chain(given: Sequence[str], makers: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """Of several inputs the maker of the one that comes from a dense operator: scales of int8 stand beside."""
    dense = [makers[name] for name in given if _leads_to_dense(name, makers)]
    return dense[0] if len(dense) == 1 else None


def _leads_to_dense(name: str, makers: dict[str, onnx.NodeProto]) -> bool:
    node = makers.get(name)
    while node is not None and node.op_type in ("Cast", "Mul", "DequantizeLinear"):
        node = makers.get(node.input[0])
    return node is not None and node.op_type in _DENSE


def parameters(rows: np.ndarray, truth: Sequence[Label]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A, B, b) with which a likeness is f A f + max over classes of (f B + b): the distance, negative.

    `rows` are features (N, D) of training records of the classes `truth`. Both covariances are shrunk as Ledoit and
    Wolf (2004) say.
    """
    places = np.unique([str(label) for label in truth], return_inverse=True)[1]
    means = np.stack([rows[places == place].mean(0) for place in range(places.max() + 1)])
    centre = rows.mean(0)
    within, whole = (
        np.linalg.inv(ledoit_wolf(each, assume_centered=True)[0]) for each in (rows - means[places], rows - centre)
    )
    linear = 2 * (means @ within - centre @ whole)
    free = centre @ whole @ centre - np.einsum("cd,de,ce->c", means, within, means)
    return whole - within, linear.T, free


def with_likeness(candidate: Candidate, target: Path, seen: tuple[Sequence[Record], int]) -> None:
    """Write the candidate's graph to `target` with one more output, a likeness (B,); `seen` are records and a seed.

    At most 20,000 training records, drawn by the seed, tell where classes lie. The graph itself is asked about them,
    one by one as it will be, so that what compression did to features is in the distances. Raises UserError as
    `features_of`, and for features that are no rows of float32.
    """
    records, seed = seen
    drawn = [records[at] for at in seeds.generator(seed, "distances").permutation(len(records))[:_MOST]]
    model = onnx.load(graph_of(candidate))
    name = features_of(model)
    rows = _features(candidate, target, (model, name, drawn))
    if rows.ndim != 2 or rows.dtype != np.float32 or _opset(model) < _OLDEST:
        received = f"{rows.dtype.name} of shape {list(rows.shape)}, opset {_opset(model)}"
        rule = f"They are rows of float32, in a graph of opset {_OLDEST} or newer"
        raise UserError("The graph's features cannot be measured", rule=rule, received=received)
    _append(model, name, parameters(rows.astype(np.float64), [record.label for record in drawn]))
    target.write_bytes(strip(model).SerializeToString(deterministic=True))


def fits(app: App, contract: Mapping[str, Any]) -> None:
    """Raise UserError where the app is larger than its contract allows."""
    most, found = contract.get("size_mb"), app.bundle.size_mb()
    if most is not None and found > most:
        rule = f"The contract allows {most:.4g} MB"
        remedy = "Choose another evaluate.abstain.score, or allow more"
        raise UserError("Distances make the app too large", rule=rule, received=f"{found:.4g} MB", remedy=remedy)


def _features(candidate: Candidate, target: Path, asked: tuple[onnx.ModelProto, str, Sequence[Record]]) -> np.ndarray:
    """The features (N, D) of records, from the graph with these as an output, which `target` holds meanwhile."""
    model, name, records = asked
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.append(onnx.ValueInfoProto(name=name))
    target.write_bytes(opened.SerializeToString())
    graph = Graph(target)
    transform, fitted = candidate.transform
    encode, collate = _encoded.encoder(transform, fitted), plugins.load("transforms", transform).collate
    return np.concatenate([graph(collate([sample]))[name] for sample in _encoded.encode(records, encode)])


def _append(model: onnx.ModelProto, features: str, found: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    graph, make = model.graph, onnx.helper.make_node
    names = [f"{_SEEN}_{part}" for part in ("square", "linear", "free")]
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name)
        for value, name in zip(found, names, strict=True)
    )
    one = numpy_helper.from_array(np.array([1], np.int64), f"{_SEEN}_axis")
    graph.initializer.append(one)
    square, linear, free = names
    top = [f"{_SEEN}_classes", one.name] if _opset(model) >= _AXIS_IS_INPUT else [f"{_SEEN}_classes"]
    axes: dict[str, Any] = {} if len(top) == 2 else {"axes": [1]}
    graph.node.extend(
        [
            make("MatMul", [features, square], [f"{_SEEN}_bent"]),
            make("Mul", [f"{_SEEN}_bent", features], [f"{_SEEN}_terms"]),
            make("ReduceSum", [f"{_SEEN}_terms", one.name], [f"{_SEEN}_sum"], keepdims=0),
            make("Gemm", [features, linear, free], [f"{_SEEN}_classes"]),
            make("ReduceMax", top, [f"{_SEEN}_top"], keepdims=0, **axes),
            make("Add", [f"{_SEEN}_sum", f"{_SEEN}_top"], [DISTANCE]),
        ]
    )
    graph.output.append(onnx.helper.make_tensor_value_info(DISTANCE, onnx.TensorProto.FLOAT, ["batch"]))


def _opset(model: onnx.ModelProto) -> int:
    return max(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
