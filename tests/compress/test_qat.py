import copy

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn
from workbench import Workshop, answers, batch, candidate, exported

from lepton.compress import int8_static, qat
from lepton.core.errors import UserError
from lepton.core.settings import resolve


def rounded(network: nn.Module) -> nn.Module:
    """The network with weights as static int8 has them: one scale for each output, -127 to 127."""
    network = copy.deepcopy(network)
    for part in network.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.Linear):
            scale = part.weight.data.abs().flatten(1).amax(1).view(-1, *[1] * (part.weight.ndim - 1)) / 127
            part.weight.data = (part.weight.data / scale).round() * scale
    return network


def drift(network: nn.Module, inputs: list[torch.Tensor]) -> float:
    return float((answers(rounded(network), inputs) - answers(network, inputs)).abs().max())


@pytest.mark.parametrize("name", ["cnn", "depthwise", "textcnn", "encoder", "crnn", "bert"])
def test_rounding_again_changes_nothing(name, tmp_path):
    given = candidate(name, tmp_path)
    made = qat.compress(given, Workshop().context(tmp_path), samples=8)
    assert drift(made.network, batch(given)) < 1e-3 * drift(given.network, batch(given))
    assert list(made.network.state_dict()) == list(given.network.state_dict())
    assert str(made.network) == str(given.network)


def test_training_sees_the_rounding(tmp_path):
    given = candidate("lenet", tmp_path)
    seen = {}

    class Peeping(Workshop):
        def tune(self, made, **how):
            head = made.network.body.head
            seen["weight"] = head.weight.detach().clone()
            head.register_forward_pre_hook(lambda part, inputs: seen.update(inputs=inputs[0].detach()))
            answers(made.network, batch(given, 16))
            return super().tune(made, **how)

    qat.compress(given, Peeping(steps=0).context(tmp_path), samples=16)
    assert torch.equal(seen["weight"], rounded(given.network).body.head.weight)
    steps = seen["inputs"].unique().diff()
    smallest = steps.min()
    torch.testing.assert_close((steps / smallest).round() * smallest, steps, rtol=1e-3, atol=1e-5)
    assert len(seen["inputs"].unique()) <= 256


def test_ranges_hold_all_samples_and_zero(tmp_path):
    layer = nn.Linear(3, 2)
    inputs, hook = qat._watched(layer)
    network = nn.Sequential(layer)
    qat._calibrate(network, [inputs], [[torch.tensor([[1.0, 2.0, 3.0]])], [torch.tensor([[2.0, 5.0, 3.0]])]])
    assert (float(inputs.low), float(inputs.high)) == (0.0, 5.0)
    network(torch.tensor([[-1.0, 7.0, 0.0]]))
    assert float(inputs.high) == pytest.approx(5.02)
    assert float(inputs.low) == pytest.approx(-0.01)
    network.eval()(torch.tensor([[-50.0, 70.0, 0.0]]))
    assert float(inputs.high) == pytest.approx(5.02)


def test_slopes_pass_straight_through(tmp_path):
    layer = nn.Linear(3, 2)
    inputs, _ = qat._watched(layer)
    qat._calibrate(layer, [inputs], [[torch.tensor([[1.0, 2.0, 3.0]])]])
    given = torch.tensor([[0.5, 2.0, 9.0]], requires_grad=True)
    layer.eval()(given).sum().backward()
    slope = layer.weight.detach().sum(0)
    torch.testing.assert_close(given.grad[0], slope * torch.tensor([1.0, 1.0, 0.0]))
    slope = layer.parametrizations.weight.original.grad[0]
    torch.testing.assert_close(slope, torch.tensor([0.5, 2.0, 3.0]), atol=0.02, rtol=0)


@pytest.mark.parametrize("name", ["cnn", "resnet9", "depthwise"])
def test_static_int8_stores_the_weights_that_were_trained(name, tmp_path):
    context = Workshop().context(tmp_path)
    made = qat.compress(candidate(name, tmp_path), context, samples=8)
    made = made.with_graph(exported(made, tmp_path / "model.onnx"))
    quantised = int8_static.compress(made, context, samples=8)
    graph = onnx.load(quantised.graph).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    checked = 0
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and stored.get(node.input[0], np.zeros(0)).dtype == np.int8:
            values = stored[node.input[0]].reshape(len(stored[node.input[0]]), -1)
            checked += 1
            assert np.abs(values).max() == 127
    assert checked > 2
    session = onnxruntime.InferenceSession(quantised.graph)
    found = session.run(None, {made.described["inputs"][0]: batch(made)[0].numpy()})[0]
    assert found.shape == (4, 3)


def test_there_must_be_a_layer(tmp_path):
    with pytest.raises(UserError, match="no weights"):
        qat.compress(candidate("linear", tmp_path), Workshop().context(tmp_path))


def test_the_search_knows_what_it_prepares_for():
    assert (qat.AUTO, qat.PREPARES) == ((), int8_static.GIVES)


@pytest.mark.parametrize("given", [{"samples": 0}, {"epochs": -1}, {"rate": -0.1}])
def test_settings_out_of_range(given):
    assert len(resolve(qat.compress, given, "qat")[1]) == 1


def test_a_copy_follows_its_own_batches():
    layer = nn.Linear(3, 2)
    inputs, _ = qat._watched(layer)
    qat._calibrate(layer, [inputs], [[torch.tensor([[1.0, 2.0, 3.0]])]])
    other = copy.deepcopy(nn.Sequential(layer))
    other(torch.tensor([[9.0, 9.0, 9.0]]))
    assert float(inputs.high) == 3.0
    assert float(other[0].rounded_input.high) > 3.0
