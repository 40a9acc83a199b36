import copy

import pytest
import torch
from torch import nn
from workbench import Workshop, answers, batch, candidate, rebuilt, size

from lepton.compress import channels
from lepton.core.errors import UserError
from lepton.core.settings import resolve

PRUNED = [
    "cnn",
    "lenet",
    "resnet9",
    "resnet",
    "resnet50",
    "inception",
    "depthwise",
    "crnn",
    "textcnn",
    "encoder",
    "encoder-post",
    "bag",
    "blend",
    "blend-gru",
    "bert",
    "distilbert",
    "vit",
    "hub-resnet",
]


def pruned(given, folder, **settings):
    return channels.compress(given, Workshop().context(folder), **{"epochs": 0, **settings})


def silenced(given):
    """Let every second channel that may go give zero."""
    graph = channels._graph(given.network, batch(given, 2))
    for group in channels._groups(graph):
        for dep, places in group:
            part = dep.target.module
            if graph.is_out_channel_pruning_fn(dep.handler) and hasattr(part, "weight"):
                with torch.no_grad():
                    for each in filter(lambda value: value is not None, (part.weight, part.bias)):
                        each[places[::2]] = 0
    return given


def alternating(group):
    return (torch.arange(len(group[0].idxs)) % 2).float()


@pytest.mark.parametrize("name", PRUNED)
def test_silent_channels_go_and_nothing_changes(name, tmp_path, monkeypatch):
    given = silenced(candidate(name, tmp_path))
    monkeypatch.setattr(channels, "_scores", lambda network, groups, inputs: [alternating(group) for group in groups])
    made = pruned(given, tmp_path, share=0.5, multiple=1)
    assert size(made.network) < size(given.network)
    found, wanted = (answers(net, batch(given)) for net in (made.network, given.network))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", PRUNED)
def test_silent_channels_change_no_loss(name, tmp_path):
    given = silenced(candidate(name, tmp_path))
    groups = list(channels._groups(channels._graph(given.network, batch(given, 2))))
    for scores in channels._scores(given.network, groups, [batch(given)]):
        assert not scores[::2].any()
        assert len(scores) == 1 or scores[1::2].any()


@pytest.mark.parametrize("name", PRUNED)
@pytest.mark.parametrize("ranking", ["layer", "network"])
def test_widths_fall_and_ends_stay(name, ranking, tmp_path):
    given = candidate(name, tmp_path)
    made = pruned(given, tmp_path, share=0.7, ranking=ranking)
    before, after = (
        [each for each in net.modules() if hasattr(each, "weight")] for net in (given.network, made.network)
    )
    assert len(before) == len(after)
    assert after[-1].weight.shape[0] == before[-1].weight.shape[0]
    kept = (nn.Embedding, nn.LayerNorm, nn.RNNBase)
    assert all(
        one.weight.shape == other.weight.shape
        for one, other in zip(before, after, strict=True)
        if isinstance(one, kept)
    )
    assert answers(made.network, batch(given)).shape == (4, 3)


def test_the_multiple_is_kept(tmp_path):
    given = candidate("textcnn", tmp_path)
    widths = {
        share: pruned(given, tmp_path, share=share).network.body.body.windows[0].out_channels
        for share in (0.1, 0.3, 0.45, 0.6, 0.95)
    }
    assert widths == {0.1: 24, 0.3: 16, 0.45: 16, 0.6: 13, 0.95: 4}


def test_the_smallest_go(tmp_path):
    given = candidate("textcnn", tmp_path)
    window = given.network.body.body.windows[0]
    with torch.no_grad():
        window.weight[:20] *= 1e-3
    made = pruned(given, tmp_path, share=0.6).network.body.body.windows[0]
    assert made.weight.shape[0] == 13
    assert torch.equal(made.weight[-12:], window.weight[20:])


def test_ranking_over_the_network_spares_important_layers(tmp_path):
    given = candidate("textcnn", tmp_path)
    with torch.no_grad():
        given.network.body.body.windows[0].weight[8:] *= 0.01
    made = pruned(given, tmp_path, share=0.5, ranking="network", multiple=1).network.body.body.windows
    assert made[0].out_channels < 16 < made[1].out_channels


def test_frozen_parameters_stay_frozen_and_lie_as_they_lay(tmp_path):
    given = candidate("depthwise", tmp_path)
    given.network.body.stem.requires_grad_(False)
    made = pruned(given, tmp_path).network
    assert not made.body.stem[0].weight.requires_grad
    assert made.body.head.weight.requires_grad
    for network in (given.network, made):
        assert network.body.blocks[0].pointwise[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["recurrent", "linear"])
def test_networks_without_channels_are_refused(name, tmp_path):
    given = candidate(name, tmp_path)
    before = copy.deepcopy(given.network.state_dict())
    with pytest.raises(UserError, match="no channels") as caught:
        pruned(given, tmp_path)
    assert "0 groups" in caught.value.message
    assert all(torch.equal(value, before[key]) for key, value in given.network.state_dict().items())


def test_a_second_time_takes_more(tmp_path):
    once = pruned(candidate("resnet", tmp_path), tmp_path)
    twice = pruned(once, tmp_path)
    assert size(twice.network) < size(once.network)
    torch.testing.assert_close(answers(rebuilt(twice), batch(twice)), answers(twice.network, batch(twice)))


@pytest.mark.parametrize(
    "given", [{"share": 0.0}, {"share": 0.96}, {"multiple": 0}, {"ranking": "all"}, {"samples": 0}]
)
def test_settings_out_of_range(given):
    assert len(resolve(channels.compress, given, "channels")[1]) == 1
