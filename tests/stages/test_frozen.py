"""A graph of another origin on the whole road: its features, a solved head, one graph in the app."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lepton.core.ledger import facts
from lepton.runtime import app as apps
from lepton.stages import _road

RECIPE = """
[app]
name = "bars"
task = "image-classification"

[data]
source = "data"
split = { test = 0.25, validation = 0.25 }

[model]
name = "frozen"
path = "sums.onnx"

[compress]
search = "none"
"""


def write_sums(path: Path) -> None:
    """A graph that knows the brightest row and column of (B, 1, 12, 12), and a dense layer of another task."""
    nodes = [
        helper.make_node("ReduceMean", ["x", "across"], ["rows"], keepdims=0),
        helper.make_node("ReduceMean", ["x", "down"], ["columns"], keepdims=0),
        helper.make_node("ReduceMax", ["rows", "last"], ["row"], keepdims=1),
        helper.make_node("ReduceMax", ["columns", "last"], ["column"], keepdims=1),
        helper.make_node("Concat", ["row", "column"], ["seen"], axis=1),
        helper.make_node("Gemm", ["seen", "outer"], ["scores"]),
    ]
    stored = {"across": np.array([1, 3]), "down": np.array([1, 2]), "last": np.array([1]), "outer": np.ones((2, 7))}
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 12, 12])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 7])],
        [
            numpy_helper.from_array(array.astype(np.float32 if name == "outer" else np.int64), name)
            for name, array in stored.items()
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def test_its_features_carry_an_app(project: Path) -> None:
    write_sums(project / "sums.onnx")
    (project / "frozen.toml").write_text(RECIPE)
    run = _road.run(project / "frozen.toml", out=project / "run")
    told = facts(run.folder)
    assert told["run"]["recipe"]["adapt"]["name"] == "linear"
    assert told["train"]["facts"]["adapt"]["head"] == 2 * 2 + 2
    assert told["evaluate"]["facts"]["metrics"]["accuracy"]["value"] == 1.0
    assert not any(step["changed"] for step in told["package"]["facts"]["parity"])
    app = apps.load(run.app)
    picture = next((project / "data" / "lying").iterdir())
    assert app.predict(picture)[0]["label"] == "lying"
