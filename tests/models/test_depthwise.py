import numpy as np
import onnxruntime
import pytest
import torch

from lepton.core.errors import UserError
from lepton.export.onnx import export
from lepton.models import depthwise
from lepton.models._network import Network
from lepton.models._shape import Shape

SHAPE = Shape({"features": (31, 20)}, 7)


def _features(batch=3, frames=31, bands=20):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(batch, frames, bands)).astype(np.float32))


def _size(net):
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("preset", sorted(depthwise.PRESETS))
def test_every_preset_gives_logits(preset):
    net = depthwise.build(SHAPE, preset=preset).eval()
    assert net(_features()).shape == (3, 7)


def test_an_answer_does_not_depend_on_the_batch():
    net = depthwise.build(SHAPE).eval()
    features = _features(4)
    torch.testing.assert_close(net(features)[2:3], net(features[2:3]), atol=1e-5, rtol=0)


def test_settings_replace_the_presets():
    net = depthwise.build(SHAPE, widths=[10, 10, 12], stem_kernel=7, kernel=5, dropout=0.0, activation="silu")
    shapes = {tuple(part.weight.shape) for part in net.modules() if isinstance(part, torch.nn.Conv2d)}
    assert shapes == {(10, 1, 7, 7), (10, 1, 5, 5), (10, 10, 1, 1), (12, 10, 1, 1)}


def test_filters_see_one_channel_each():
    net = depthwise.build(SHAPE, widths=[6, 6])
    deep = [part for part in net.modules() if isinstance(part, torch.nn.Conv2d) and part.groups > 1]
    assert [part.groups for part in deep] == [6]


def test_a_block_that_keeps_its_size_adds_to_what_it_got():
    block = depthwise.build(SHAPE, widths=[6, 6]).blocks[0].eval()
    maps = torch.rand(2, 6, 5, 4)
    torch.testing.assert_close(block(maps), maps + block.pointwise(block.depthwise(maps)))


def test_gradients_reach_every_parameter():
    net = depthwise.build(SHAPE, activation="gelu")
    net(_features(8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_smaller_is_smaller_and_builds():
    given = {"preset": "large", "dropout": 0.0}
    less = depthwise.smaller(given, 0.5)
    assert less["widths"] == [32, 48, 64, 64, 80, 80]
    assert _size(depthwise.build(SHAPE, **less)) < 0.5 * _size(depthwise.build(SHAPE, **given))


def test_smaller_stops_at_eight_channels():
    assert depthwise.smaller({"widths": [16, 6]}, 0.1)["widths"] == [8, 6]


@pytest.mark.parametrize(
    ("wrong", "said"), [({"kernel": 4}, "kernel"), ({"stem_kernel": 2}, "stem_kernel"), ({"widths": []}, "widths")]
)
def test_wrong_settings_are_named(wrong, said):
    with pytest.raises(UserError, match=rf"model\.{said}\]"):
        depthwise.build(SHAPE, **wrong)


def test_pictures_are_refused():
    with pytest.raises(UserError, match="features"):
        depthwise.build(Shape({"image": (3, 8, 8)}, 2))


def test_the_exported_graph_answers_the_same(tmp_path):
    net = depthwise.build(SHAPE, preset="tiny").eval()
    export(Network(net), {"features": _features()}, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        features = _features(batch)
        (logits,) = session.run(None, {"features": features.numpy()})
        np.testing.assert_allclose(logits, net(features).detach().numpy(), atol=1e-4)
