import torch
from torch import nn

from lepton.adapt import norm

HEAD = {"head.weight", "head.bias"}


def network() -> nn.Sequential:
    made = nn.Sequential()
    made.add_module("first", nn.Linear(3, 4))
    made.add_module("scale", nn.BatchNorm1d(4))
    made.add_module("head", nn.Linear(4, 2))
    made.scale.running_mean.fill_(9.0)
    return made


def test_measured_anew_statistics_are_those_of_all_batches() -> None:
    made = network()
    assert norm.adapt(made, HEAD).still == []
    batches = torch.randn(3, 8, 3)
    with torch.no_grad():
        for batch in batches:
            made.train()(batch)
        given = made.first(batches)
    torch.testing.assert_close(made.scale.running_mean, given.mean(1).mean(0))
    torch.testing.assert_close(made.scale.running_var, given.var(1).mean(0))


def test_held_statistics_stay_in_evaluation_mode() -> None:
    made = network()
    how = norm.adapt(made, HEAD, statistics="frozen")
    assert (how.layers, how.still, made.scale.running_mean[0].item()) == (["scale"], ["scale"], 9.0)
    assert [name for name, value in made.named_parameters() if value.requires_grad] == [
        "scale.weight",
        "scale.bias",
        "head.weight",
        "head.bias",
    ]
