"""Distances of features as one more output of a graph: the formula, the graph's features, and the app."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from sklearn.covariance import ledoit_wolf

from lepton.core.errors import UserError
from lepton.stages import _distance

RANDOM = np.random.default_rng(0)
WIDE, CLASSES = 6, 3


def test_the_parameters_give_the_relative_distance() -> None:
    truth = np.repeat(np.arange(CLASSES), 40)
    rows = RANDOM.normal(size=(len(truth), WIDE)) @ RANDOM.normal(size=(WIDE, WIDE)) + 3 * truth[:, None]
    square, linear, free = _distance.parameters(rows, [f"class {index}" for index in truth])
    asked = RANDOM.normal(size=(10, WIDE)) * 5
    found = np.einsum("nd,de,ne->n", asked, square, asked) + (asked @ linear + free).max(1)

    means = np.stack([rows[truth == label].mean(0) for label in range(CLASSES)])
    within = np.linalg.inv(ledoit_wolf(rows - means[truth], assume_centered=True)[0])
    whole = np.linalg.inv(ledoit_wolf(rows - rows.mean(0), assume_centered=True)[0])
    to_class = [min((one - mean) @ within @ (one - mean) for mean in means) for one in asked]
    to_all = [(one - rows.mean(0)) @ whole @ (one - rows.mean(0)) for one in asked]
    assert found == pytest.approx(np.array(to_all) - np.array(to_class))


def graph(*, opset: int = 18, heads: int = 1) -> onnx.ModelProto:
    """x (B, 4) through a hidden layer of six to three logits, by one dense head or by two that are added."""
    make, weights = helper.make_node, {"w0": (4, WIDE), "b0": (WIDE,), "b1": (CLASSES,)}
    nodes = [make("Gemm", ["x", "w0", "b0"], ["hidden"]), make("Relu", ["hidden"], ["features"])]
    for at in range(heads):
        weights[f"w{at + 1}"] = (WIDE, CLASSES)
        nodes.append(make("MatMul", ["features", f"w{at + 1}"], [f"part{at}"]))
    parts = [f"part{at}" for at in range(heads)]
    nodes.append(make("Add", [*parts, "b1"][:2] if heads == 1 else parts, ["logits"]))
    values = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])]
    out = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])]
    known = [
        numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name) for name, shape in weights.items()
    ]
    made = helper.make_graph(nodes, "made", values, out, known)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("opset", [13, 18])
def test_the_graph_says_what_the_formula_says(tmp_path: Path, opset: int) -> None:
    model = graph(opset=opset)
    assert _distance.features_of(model) == "features"
    found = RANDOM.normal(size=(WIDE, WIDE)), RANDOM.normal(size=(WIDE, CLASSES)), RANDOM.normal(size=CLASSES)
    _distance._append(model, "features", found)
    onnx.checker.check_model(model, full_check=True)
    model.graph.output.append(onnx.ValueInfoProto(name="features"))
    x = RANDOM.normal(size=(5, 4)).astype(np.float32)
    run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    told, rows = run.run(["distance", "features"], {"x": x})
    square, linear, free = found
    assert told == pytest.approx(np.einsum("nd,de,ne->n", rows, square, rows) + (rows @ linear + free).max(1), rel=1e-4)


def test_features_of_int8_are_the_numbers_before_they_are_rounded(tmp_path: Path) -> None:
    onnx.save(graph(), tmp_path / "plain.onnx")
    quantize_dynamic(tmp_path / "plain.onnx", tmp_path / "int8.onnx", weight_type=QuantType.QInt8)
    model = onnx.load(tmp_path / "int8.onnx")
    assert "MatMulInteger" in {node.op_type for node in model.graph.node}
    assert _distance.features_of(model) == "features"


def test_two_heads_are_refused() -> None:
    with pytest.raises(UserError, match="no features to measure distances by"):
        _distance.features_of(graph(heads=2))


def test_an_app_that_grew_too_large_is_refused() -> None:
    app = SimpleNamespace(bundle=SimpleNamespace(size_mb=lambda: 2.0))
    _distance.fits(app, {"size_mb": None})
    _distance.fits(app, {"size_mb": 2.0})
    with pytest.raises(UserError, match=r"(?s)too large.*allows 1.5 MB"):
        _distance.fits(app, {"size_mb": 1.5})
