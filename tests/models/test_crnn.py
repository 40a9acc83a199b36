import numpy as np
import onnxruntime
import pytest
import torch

from lepton.core.errors import UserError
from lepton.export.onnx import export
from lepton.models import crnn
from lepton.models._network import Network
from lepton.models._shape import Shape

SHAPE = Shape({"features": (31, 20)}, 7)


def _features(batch=3, frames=31, bands=20):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(batch, frames, bands)).astype(np.float32))


def _size(net):
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("preset", sorted(crnn.PRESETS))
def test_every_preset_gives_logits(preset):
    net = crnn.build(SHAPE, preset=preset).eval()
    assert net(_features()).shape == (3, 7)


@pytest.mark.parametrize("bands", [1, 5, 40])
def test_any_number_of_bands_fits(bands):
    net = crnn.build(Shape({"features": (31, bands)}, 7), preset="tiny").eval()
    assert net(_features(bands=bands)).shape == (3, 7)


def test_an_answer_does_not_depend_on_the_batch():
    net = crnn.build(SHAPE).eval()
    features = _features(4)
    torch.testing.assert_close(net(features)[2:3], net(features[2:3]), atol=1e-5, rtol=0)


def test_the_order_of_the_frames_matters():
    net = crnn.build(SHAPE, preset="tiny", kernel=1).eval()
    features = _features()
    assert not torch.allclose(net(features), net(features.flip(1)), atol=1e-5)


def test_settings_replace_the_presets():
    net = crnn.build(SHAPE, widths=[5, 6], kernel=5, hidden=9, layers=2, activation="silu")
    convolutions = [tuple(part.weight.shape) for part in net.modules() if isinstance(part, torch.nn.Conv2d)]
    assert convolutions == [(5, 1, 5, 5), (6, 5, 5, 5)]
    assert (net.recurrent.input_size, net.recurrent.hidden_size, net.recurrent.num_layers) == (30, 9, 2)


def test_gradients_reach_every_parameter():
    net = crnn.build(SHAPE, activation="gelu", layers=2)
    net(_features(8)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_smaller_is_smaller_and_builds():
    given = {"preset": "large", "dropout": 0.0}
    less = crnn.smaller(given, 0.5)
    assert (less["widths"], less["hidden"]) == ([16, 32, 48], 64)
    assert _size(crnn.build(SHAPE, **less)) < 0.5 * _size(crnn.build(SHAPE, **given))


@pytest.mark.parametrize(("wrong", "said"), [({"kernel": 4}, "kernel"), ({"widths": []}, "widths")])
def test_wrong_settings_are_named(wrong, said):
    with pytest.raises(UserError, match=rf"model\.{said}\]"):
        crnn.build(SHAPE, **wrong)


def test_texts_are_refused():
    with pytest.raises(UserError, match="features"):
        crnn.build(Shape({"input_ids": (0,)}, 2))


def test_the_exported_graph_answers_the_same(tmp_path):
    net = crnn.build(SHAPE, preset="tiny").eval()
    export(Network(net), {"features": _features()}, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        features = _features(batch)
        (logits,) = session.run(None, {"features": features.numpy()})
        np.testing.assert_allclose(logits, net(features).detach().numpy(), atol=1e-4)
