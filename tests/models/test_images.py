"""What every image family owes: logits, gradients, a smaller self, and a graph that answers as the module does."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lepton.core.settings import settle
from lepton.models import cnn, inception, resnet
from lepton.models._network import Network, normalisation
from lepton.models._shape import Shape

FAMILIES = (cnn, resnet, inception)
PRESETS = [(family, preset) for family in FAMILIES for preset in family.PRESETS]
DIGITS = Shape({"image": (1, 28, 28)}, 10)


def _weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _label(value: object) -> str | None:
    return getattr(value, "__name__", "").rpartition(".")[2] or None


@pytest.mark.parametrize(("family", "preset"), PRESETS, ids=_label)
@pytest.mark.parametrize("sizes", [(1, 28, 28), (3, 45, 64)])
def test_any_image_gives_logits(family, preset, sizes):
    thin = {} if family is cnn else {"width": 0.1} if family is inception else {"width": 4}
    body = family.build(Shape({"image": sizes}, 5), preset=preset, **thin).eval()
    assert body(torch.randn(2, *sizes)).shape == (2, 5)


@pytest.mark.parametrize(("family", "preset"), PRESETS, ids=_label)
def test_smaller_is_smaller_and_says_so_in_settings(family, preset):
    resolved = settle(family.build, {"preset": preset}, "model")
    less = settle(family.build, family.smaller(resolved, 0.5), "model")
    with torch.device("meta"):
        full, half = (_weights(family.build(DIGITS, **settings)) for settings in (resolved, less))
    assert half < 0.8 * full


@pytest.mark.parametrize("family", FAMILIES, ids=_label)
def test_the_gradient_reaches_every_parameter(family):
    torch.manual_seed(0)
    body = family.build(DIGITS)
    body(torch.randn(8, 1, 28, 28)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in body.parameters())


@pytest.mark.parametrize("family", FAMILIES, ids=_label)
def test_equal_seeds_build_equal_weights(family):
    bodies = []
    for _ in range(2):
        torch.manual_seed(3)
        bodies.append(family.build(DIGITS))
    for one, other in zip(*(body.parameters() for body in bodies), strict=True):
        assert torch.equal(one, other)


EXPORTED = [
    (cnn, {"preset": "seed"}, 28),
    (resnet, {"width": 8, "stem": "quarter"}, 45),
    (inception, {"modules": [1, 1]}, 28),
]


@pytest.mark.parametrize("exported", EXPORTED, ids=lambda exported: _label(exported[0]))
def test_the_graph_takes_bytes_and_answers_as_the_module(exported, tmp_path):
    family, settings, side = exported
    images = np.random.default_rng(0).integers(0, 256, (7, 3, side, side), dtype=np.uint8)
    network = Network(family.build(Shape({"image": images.shape[1:]}, 6), **settings), normalisation(images))
    network(torch.from_numpy(images))
    session = _session(network.eval(), torch.from_numpy(images), tmp_path / "model.onnx")
    assert session.get_inputs()[0].type == "tensor(uint8)"
    for count in (1, 7):
        given = session.run(None, {"image": images[:count]})[0]
        with torch.no_grad():
            wanted = network(torch.from_numpy(images[:count])).numpy()
        np.testing.assert_allclose(given, wanted, atol=1e-4)


def _session(network, images, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (images[:2],),
            path,
            dynamo=True,
            opset_version=18,
            verbose=False,
            input_names=["image"],
            dynamic_shapes=(({0: torch.export.Dim("batch")},),),
        )
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
