"""A graph that was made elsewhere, cut where its features stand; and the layer that a new head adds behind them.

Shapes: B batch, C channels, H height, W width, T tokens or time steps, D features, K outputs.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lepton.core.errors import UserError
from lepton.models import _graph, _nodes
from lepton.models._graph import Port, Wanted

_MASK = "attention_mask"
_SHOWN = 6
_BEHIND = ("Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast", "Add")
"""What may stand between a dense layer and the output: its bias, and what turns scores into probabilities."""


def features(model: onnx.ModelProto, wanted: Wanted, *, each: bool) -> onnx.ModelProto:
    """A graph from Lepton's arrays (`wanted.inputs`) to features (B, D), or (B, T, D) for `each` token.

    They are the value `wanted.output`; where that is None, what enters the dense layer that makes the scores, or the
    first output where no dense layer makes it. Maps (B, C, H, W) and states (B, T, D) are averaged, states by the mask
    where there is one. Raises UserError where the value is not there or has other axes.
    """
    channels_last = _graph.inputs(model)[0].last
    end = wanted.output or _before_dense(model)
    port = _declared(model, end)
    axes = port.axes or ()
    if len(axes) not in ((3,) if each else (2, 3, 4)):
        raise UserError(
            "The graph has no features there",
            rule="They are (B, T, D), some for each token" if each else "They are (B, D), (B, T, D) or (B, C, H, W)",
            received=port,
            remedy=f'Name another value: model.output, such as "{_candidates(model)[0]}"',
        )
    made = _graph.adapted(model, Wanted(wanted.inputs, (0, *axes[1:]), end, wanted.scale))
    if not each:
        _pool(made, wanted, channels_last=channels_last)
    return made


def headed(features: bytes, weight: np.ndarray, bias: np.ndarray) -> bytes:
    """The graph of features with a dense layer behind: weight (K, D), bias (K,)."""
    model = onnx.load_from_string(features)
    graph, inner = model.graph, model.graph.output[0]
    taken = _nodes.values(graph)
    before, product = _nodes.free("features", taken), _nodes.free("head/product", taken)
    names = [_nodes.free(name, taken) for name in ("head/weight", "head/bias")]
    _nodes.rename(graph, {inner.name: before})
    graph.node.append(helper.make_node("MatMul", [before, names[0]], [product], name="head/matmul"))
    graph.node.append(helper.make_node("Add", [product, names[1]], ["logits"], name="head/add"))
    for name, array in zip(names, (weight.T, bias), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
    axes = [axis.dim_param or axis.dim_value for axis in inner.type.tensor_type.shape.dim]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*axes[:-1], len(bias)]))
    return bytes(model.SerializeToString(deterministic=True))


def _before_dense(model: onnx.ModelProto) -> str:
    """What enters the dense layer that makes the first output, softmax apart; the output where none does."""
    makers = {name: node for node in model.graph.node for name in node.output}
    stored = _nodes.constants(model.graph)
    name = next(item.name for item in model.graph.output)
    node = makers.get(name)
    while node is not None and node.op_type in _BEHIND:
        inner = [each for each in node.input if each not in stored]
        if len(inner) != 1:
            return str(name)
        node = makers.get(inner[0])
    if node is not None and node.op_type in ("Gemm", "MatMul") and node.input[1] in stored:
        return str(node.input[0])
    return str(name)


def _declared(model: onnx.ModelProto, name: str) -> Port:
    """The value `name` as an output of the graph, in place, with the axes that shape inference finds."""
    known = {item.name: item for item in onnx.shape_inference.infer_shapes(model).graph.value_info}
    known |= {item.name: item for item in model.graph.output}
    if name not in known:
        some = ", ".join(_candidates(model)[:_SHOWN])
        raise UserError(
            "[model.output] is no value of the graph whose axes are known",
            rule="It must name an output or a value inside",
            received=name,
            remedy=f"Values before the end: {some}",
        )
    del model.graph.output[:]
    model.graph.output.append(known[name])
    return _graph.port(known[name])


def _candidates(model: onnx.ModelProto) -> Sequence[str]:
    """Values of the graph, the last ones first."""
    return [name for node in reversed(model.graph.node) for name in node.output if name]


def _pool(model: onnx.ModelProto, wanted: Wanted, *, channels_last: bool) -> None:
    """Average the graph's output over places or time steps, in place. Operators that no opset since 13 changed."""
    graph, mask = model.graph, next((port for port in wanted.ports() if port.name == _MASK), None)
    rank = len(graph.output[0].type.tensor_type.shape.dim)
    if rank == 2:
        return
    place = _nodes.free("pool", _nodes.values(graph))
    _nodes.rename(graph, {"logits": f"{place}/states"})
    size = graph.output[0].type.tensor_type.shape.dim[1 if rank == 4 and not channels_last else -1]
    if rank == 3 and mask is not None:
        if all(item.name != _MASK for item in graph.input):
            graph.input.append(_graph.value(mask))
        graph.node.extend(_masked_mean(place))
        graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), f"{place}/time"))
    else:
        turn = [0, 2, 1] if rank == 3 else [0, 3, 1, 2] if channels_last else [0, 1, 2, 3]
        graph.node.append(helper.make_node("Transpose", [f"{place}/states"], [f"{place}/turned"], perm=turn))
        graph.node.append(helper.make_node("GlobalAveragePool", [f"{place}/turned"], [f"{place}/mean"]))
    graph.node.append(helper.make_node("Flatten", [f"{place}/mean"], ["logits"], axis=1))
    del graph.output[:]
    axes = ["batch", size.dim_param or size.dim_value]
    graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, axes))


def _masked_mean(place: str) -> list[onnx.NodeProto]:
    """Each token's share (B, 1, T) by the mask, times the states (B, T, D)."""
    mask, total, share, row = (f"{place}/{name}" for name in ("mask", "total", "share", "row"))
    return [
        helper.make_node("Cast", [_MASK], [mask], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", [mask, f"{place}/time"], [total], keepdims=1),
        helper.make_node("Div", [mask, total], [share]),
        helper.make_node("Unsqueeze", [share, f"{place}/time"], [row]),
        helper.make_node("MatMul", [row, f"{place}/states"], [f"{place}/mean"]),
    ]
