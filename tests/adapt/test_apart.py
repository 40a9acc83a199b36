"""A graph whose adapter is fed: it answers as the network does, with the tensors of any adapter."""

from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from lepton.core import plugins, settings
from lepton.export.onnx import export
from lepton.stages import _adapt


class _Plain(nn.Module):
    """A head on two features, and a part without a say."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.idle = nn.Linear(2, 5), nn.Linear(2, 2)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features)


def test_a_recurrent_network_is_fed_what_lora_trained(make, tmp_path: Path) -> None:
    backbone, module = make("recurrent", preset="tiny", bidirectional=False), plugins.load("adapt", "lora")
    how = module.adapt(backbone.network, backbone.head, **settings.settle(module.adapt, {"rank": 2}, "adapt"))
    backbone.train(list(how.still))
    trained = _adapt.tensors(backbone.network, how)
    names = ["input_ids", "attention_mask"]
    apart = {name: [0] if name in backbone.head else [] for name in trained}
    path = tmp_path / "model.onnx"
    export(backbone.network, dict(zip(names, backbone.inputs, strict=True)), path, lengths=names, apart=apart)
    session = onnxruntime.InferenceSession(path, _silent())
    assert {value.name for value in session.get_overridable_initializers()} == set(trained)
    feeds = {name: value.numpy() for name, value in zip(names, backbone.inputs, strict=True)}
    torch.testing.assert_close(torch.from_numpy(session.run(None, feeds)[0]), backbone.logits(), rtol=0, atol=1e-5)
    other = {name: (1.25 * value)[: 3 if name in backbone.head else None] for name, value in trained.items()}
    with torch.no_grad():
        want = torch.func.functional_call(backbone.network, other, tuple(backbone.inputs))
    got = session.run(None, {**feeds, **{name: value.numpy() for name, value in other.items()}})[0]
    assert got.shape == (4, 3)
    torch.testing.assert_close(torch.from_numpy(got), want, rtol=0, atol=2e-5)


def test_what_has_no_say_is_not_fed_and_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    apart = {"head.weight": [0], "head.bias": [0], "idle.weight": []}
    network = _Plain()
    for name in ("one", "two"):
        export(network, {"features": torch.zeros(2, 2)}, tmp_path / name, apart=apart)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    graph = onnx.load(tmp_path / "one").graph
    shapes = {value.name: [axis.dim_param or axis.dim_value for axis in _axes(value)] for value in graph.input}
    assert shapes == {"features": ["batch", 2], "head.weight": ["classes", 2], "head.bias": ["classes"]}
    assert [axis.dim_param for axis in _axes(graph.output[0])] == ["batch", "classes"]


def _axes(value: onnx.ValueInfoProto) -> Any:
    return value.type.tensor_type.shape.dim


def _silent() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options
