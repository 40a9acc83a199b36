"""Graphs that were made elsewhere, for tests: written node by node."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Made = Callable[..., str]
"""Writes a graph of (operator, inputs, outputs, attributes) and gives its path."""


def value(name: str, axes: Sequence[Any], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, axes)


def writer(folder: Path) -> Made:
    """What writes a graph into `folder`."""

    def write(nodes: list, inputs: list, outputs: list, weights: dict, **more: Any) -> str:
        stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
        opset, named = more.get("opset", 18), [value(*item) for item in inputs]
        if more.get("named"):
            named += [value(item.name, item.dims, item.data_type) for item in stored]
        graph = helper.make_graph(
            [helper.make_node(kind, ins, outs, **how) for kind, ins, outs, how in nodes],
            "made",
            named,
            [value(*item) for item in outputs],
            stored,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=more.get("ir", 9))
        onnx.checker.check_model(model)
        onnx.save(model, folder / "model.onnx")
        return str(folder / "model.onnx")

    return write
