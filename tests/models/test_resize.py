import pytest
import torch
from torch import nn

from lepton.models._attention import attentions
from lepton.models._resize import fit_to


def taken(network: nn.Module, source: nn.Module) -> nn.Module:
    """`network` with the sizes and the weights of `source`."""
    weights = source.state_dict()
    fit_to(network, weights)
    network.load_state_dict(weights)
    return network.eval()


PAIRS = [
    (nn.Linear(5, 4), nn.Linear(3, 2), (2, 3)),
    (nn.Linear(5, 4, bias=False), nn.Linear(5, 2, bias=False), (2, 5)),
    (nn.Conv1d(6, 4, 3), nn.Conv1d(2, 3, 3), (2, 2, 9)),
    (nn.Conv2d(6, 4, 3, stride=2), nn.Conv2d(2, 3, 3, stride=2), (2, 2, 9, 9)),
    (nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(3, 3, 3, groups=3), (2, 3, 9, 9)),
    (nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(3, 6, 3, groups=3), (2, 3, 9, 9)),
    (nn.Conv2d(8, 16, 3, groups=2), nn.Conv2d(4, 6, 3, groups=2), (2, 4, 9, 9)),
    (nn.BatchNorm1d(7), nn.BatchNorm1d(3), (4, 3)),
    (nn.BatchNorm2d(7, affine=False), nn.BatchNorm2d(3, affine=False), (4, 3, 2, 2)),
    (nn.LayerNorm(7), nn.LayerNorm(3), (4, 3)),
    (nn.GroupNorm(2, 8), nn.GroupNorm(2, 4), (4, 4, 5)),
]


@pytest.mark.parametrize(("network", "source", "shape"), PAIRS, ids=[str(source) for _, source, _ in PAIRS])
def test_a_layer_takes_the_sizes_of_another(network, source, shape):
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(taken(network, source)(inputs), source.eval()(inputs))
    assert str(network) == str(source)


def test_an_embedding_takes_the_sizes_of_another():
    network = taken(nn.Embedding(10, 8), source := nn.Embedding(4, 3))
    assert torch.equal(network(torch.tensor([3])), source(torch.tensor([3])))
    assert str(network) == str(source)


def test_what_fits_is_left_alone():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.ModuleList([nn.Dropout(0.1), nn.Linear(4, 2)]))
    parts, told = list(network.parameters()), str(network)
    fit_to(network, network.state_dict())
    assert all(one is other for one, other in zip(parts, network.parameters(), strict=True))
    assert str(network) == told


def test_bare_parameters_and_frozen_ones():
    class Scaled(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.rand(width), requires_grad=False)

    network = taken(Scaled(5), source := Scaled(3))
    assert torch.equal(network.scale, source.scale)
    assert not network.scale.requires_grad


def test_lists_end_where_the_weights_do():
    layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
    network = taken(nn.ModuleList(nn.Linear(4, 4) for _ in range(5)), layers)
    assert len(network) == 3


def test_parts_of_sequences_without_weights_hand_on_their_input():
    source = nn.Sequential(nn.Linear(4, 4), nn.Identity(), nn.ReLU(), nn.Linear(4, 2))
    network = taken(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), source)
    assert str(network) == str(source)


def test_weights_of_another_network_are_not_taken_silently():
    network = nn.Sequential(nn.Linear(4, 4))
    weights = {"0.weight": torch.zeros(2, 2)}
    fit_to(network, weights)
    with pytest.raises(RuntimeError, match="Missing"):
        network.load_state_dict(weights)


class Layer(nn.Module):
    """Attention with one projection for queries, keys and values, or with three."""

    def __init__(self, width: int, heads: int, size: int, *, names: tuple[str, ...], keys: int | None = None) -> None:
        super().__init__()
        self.num_heads, self.all_head_size = heads, heads * size
        wide = heads * size * 3 // len(names)
        for name in names:
            self.add_module(name, nn.Linear(width, keys if keys and name.startswith("k") else wide))
        self.out_proj = nn.Linear(heads * size, width)


THREE = ("q_proj", "k_proj", "v_proj")


@pytest.mark.parametrize("names", [("Wqkv",), THREE])
def test_heads_are_kept_and_counted(names):
    layer = Layer(6, 4, 2, names=names)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    (found,) = attentions(nn.Sequential(layer))
    assert (found.heads, found.size) == (4, 2)
    found.keep([0, 3])
    assert (layer.num_heads, layer.all_head_size, found.heads) == (2, 4, 2)
    wanted = [0, 1, 6, 7] if len(names) == 3 else [0, 1, 6, 7, 8, 9, 14, 15, 16, 17, 22, 23]
    for name in names:
        assert torch.equal(layer.state_dict()[f"{name}.weight"], before[f"{name}.weight"][wanted])
        assert torch.equal(layer.state_dict()[f"{name}.bias"], before[f"{name}.bias"][wanted])
    assert torch.equal(layer.out_proj.weight, before["out_proj.weight"][:, [0, 1, 6, 7]])
    fresh = nn.Sequential(Layer(6, 4, 2, names=names))
    fit_to(fresh, {f"0.{name}": value for name, value in layer.state_dict().items()})
    assert (fresh[0].num_heads, fresh[0].all_head_size) == (2, 4)


def test_heads_that_share_keys_are_not_found():
    assert attentions(nn.Sequential(Layer(6, 4, 2, names=THREE, keys=2))) == []
