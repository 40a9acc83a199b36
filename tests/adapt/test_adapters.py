import torch

from lepton.adapt import adapters
from lepton.core import plugins


def test_one_stands_behind_each_block_of_a_transformer(make) -> None:
    bert = make("bert")
    how = adapters.adapt(bert.network, bert.head, width=4)
    assert how.layers == ["body.body.encoder.layer.0", "body.body.encoder.layer.1"]
    count = sum(value.numel() for name, value in bert.network.named_parameters() if ".adapter." in name)
    assert count == 2 * (16 * 4 + 4 + 4 * 16 + 16)
    assert bert.network.body.body.encoder.layer[0].attention is not None, "attributes of the block are handed on"


def test_one_stands_before_each_wide_enough_convolution_and_recurrent_layer(make) -> None:
    crnn = make("crnn")
    layers = adapters.adapt(crnn.network, crnn.head, width=16).layers
    assert layers == ["body.convolutions.2.0", "body.recurrent"]


def test_what_an_adapter_adds_is_down_gelu_up(make) -> None:
    backbone = make("recurrent")
    adapters.adapt(backbone.network, backbone.head, width=4)
    made = next(part for name, part in backbone.network.named_modules() if name.endswith(".adapter"))
    torch.nn.init.normal_(made.up.weight)
    given = torch.randn(3, made.down.in_features)
    inner = torch.nn.functional.gelu(given @ made.down.weight.T + made.down.bias)
    torch.testing.assert_close(made(given), given + inner @ made.up.weight.T + made.up.bias)


def test_the_method_says_that_it_stays() -> None:
    assert [name for name in plugins.names("adapt") if getattr(plugins.load("adapt", name), "STAYS", False)] == [
        "adapters"
    ]
