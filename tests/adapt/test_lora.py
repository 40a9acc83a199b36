"""LoRA by its definition, on each kind of layer."""

import math

import pytest
import torch
from torch import nn

from lepton.adapt import _weights, lora
from lepton.core.errors import UserError

LAYERS = {
    "dense": (lambda: nn.Linear(12, 10), torch.randn(2, 12)),
    "images": (lambda: nn.Conv2d(6, 8, 3), torch.randn(2, 6, 5, 5)),
    "sequence": (lambda: nn.Conv1d(6, 8, 3), torch.randn(2, 6, 5)),
    "groups": (lambda: nn.Conv2d(8, 8, 3, groups=2), torch.randn(2, 8, 5, 5)),
    "lstm": (lambda: nn.LSTM(12, 8, num_layers=2, bidirectional=True, batch_first=True), torch.randn(2, 4, 12)),
    "gru": (lambda: nn.GRU(12, 8, batch_first=True), torch.randn(2, 4, 12)),
}


class Around(nn.Module):
    """One layer and a head, as a network has them."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(2, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = self.layer(inputs)
        return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("given", [{}, {"stabilised": True}, {"dora": True}, {"rank": 1, "alpha": 3.0}], ids=str)
def test_trained_products_fold_into_every_kind_of_layer(kind: str, given: dict) -> None:
    torch.manual_seed(0)
    layer, inputs = LAYERS[kind]
    network = Around(layer()).eval()
    before, keys = network(inputs), list(network.state_dict())
    weights = {name: getattr(network.layer, name).clone() for name in _weights.matrices(network.layer)}
    how = lora.adapt(network, {"head.weight", "head.bias"}, **{"rank": 2, **given})
    assert how.layers == ["layer"]
    torch.testing.assert_close(network(inputs), before)
    for name, value in network.named_parameters():
        if value.requires_grad and "head" not in name:
            nn.init.normal_(value, std=0.1)
    trained = network(inputs)
    assert (trained - before).abs().max() > 1e-3
    lora.merge(network)
    torch.testing.assert_close(network(inputs), trained, rtol=1e-5, atol=1e-5)
    assert list(network.state_dict()) == keys
    added = [(getattr(network.layer, name) - weight).flatten(1) for name, weight in weights.items()]
    ranks = [torch.linalg.matrix_rank(each, rtol=1e-4) for each in added]
    assert given.get("dora") or all(rank <= given.get("rank", 2) for rank in ranks), "what is added has the rank asked"


@pytest.mark.parametrize(("stabilised", "scale"), [(False, 8 / 4), (True, 8 / math.sqrt(4))])
@pytest.mark.parametrize("kind", ["dense", "gru"])
def test_the_product_is_scaled_as_told(kind: str, stabilised: bool, scale: float) -> None:
    network = Around(LAYERS[kind][0]())
    name = _weights.matrices(network.layer)[0]
    before = getattr(network.layer, name).clone()
    lora.adapt(network, set(), rank=4, alpha=8.0, stabilised=stabilised)
    thin = {key: value for key, value in network.named_parameters() if value.requires_grad}
    names = ("lora_A", "lora_B") if kind == "dense" else ("down", "up")
    down, up = (next(value for key, value in thin.items() if part in key) for part in names)
    nn.init.normal_(up)
    lora.merge(network)
    torch.testing.assert_close(getattr(network.layer, name) - before, scale * (up @ down), rtol=1e-4, atol=1e-5)


def test_layers_where_it_would_save_nothing_are_left_out() -> None:
    network = Around(nn.Sequential(nn.Linear(4, 3), nn.Linear(64, 64)))
    assert lora.adapt(network, set(), rank=2).layers == ["layer.1"]
    with pytest.raises(UserError, match="nothing in the network"):
        lora.adapt(Around(nn.Linear(4, 3)), set(), rank=2)


def test_layers_are_chosen_by_parts_of_their_names() -> None:
    network = Around(nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64)))
    assert lora.adapt(network, set(), layers=["layer.0"]).layers == ["layer.0"]
