import pytest
import torch
from torch import nn
from workbench import Workshop, answers, batch, candidate, rebuilt, size

from lepton.compress import layers
from lepton.core.errors import UserError
from lepton.core.settings import resolve

STACKS = {
    "encoder": [3],
    "encoder-post": [3],
    "bert": [3],
    "distilbert": [3],
    "vit": [3],
    "resnet": [4],
    "resnet9": [2],
    "hub-resnet": [4],
    "depthwise": [1],
    "cnn": [],
    "inception": [],
    "textcnn": [],
    "recurrent": [],
    "bag": [],
}


@pytest.mark.parametrize("name", sorted(STACKS))
def test_stacks_are_found(name, tmp_path):
    given = candidate(name, tmp_path)
    assert [stack.size for stack in layers._stacks(given.network, batch(given, 2))] == STACKS[name]


@pytest.mark.parametrize("name", ["encoder", "bert", "resnet"])
def test_the_first_and_last_stay(name, tmp_path):
    given = candidate(name, tmp_path)
    made = layers.compress(given, Workshop().context(tmp_path), keep=0.5, epochs=0)
    if name == "encoder":
        blocks, kept = given.network.body.blocks, made.network.body.blocks
    elif name == "bert":
        blocks, kept = given.network.body.body.encoder.layer, made.network.body.body.encoder.layer
    else:
        pick = [0, 1, 3, 4]
        blocks, kept = ([net.body.stages[place] for place in pick] for net in (given.network, made.network))
        assert [isinstance(each, nn.Identity) for each in kept] == [False, True, True, False]
        kept = [kept[0], kept[3]]
    for before, after in ((blocks[0], kept[0]), (blocks[-1], kept[-1])):
        assert all(map(torch.equal, before.state_dict().values(), after.state_dict().values()))
    assert len(kept) == 2


def test_a_residual_block_that_adds_nothing_is_not_missed(tmp_path):
    given = candidate("resnet", tmp_path)
    for place in (1, 3):
        nn.init.zeros_(given.network.body.stages[place].path[1][1].weight)
        nn.init.zeros_(given.network.body.stages[place].path[1][1].bias)
    made = layers.compress(given, Workshop().context(tmp_path), keep=0.5, epochs=0)
    torch.testing.assert_close(answers(made.network, batch(given)), answers(given.network, batch(given)))


@pytest.mark.parametrize(
    ("count", "keep", "dropped"),
    [(2, 0.5, [1]), (3, 0.5, [1]), (4, 0.5, [1, 2]), (6, 0.5, [1, 3, 4]), (12, 0.25, [1, 2, 3, 4, 5, 7, 8, 9, 10])],
)
def test_what_is_kept_is_evenly_spaced(count, keep, dropped):
    found = layers._dropped(count, keep)
    assert len(found) == count - max(1, round(keep * count))
    assert found == dropped


@pytest.mark.parametrize("count", range(1, 60))
def test_as_many_are_kept_as_were_asked_for(count):
    for keep in (0.05, 0.3, 0.5, 0.77, 0.95):
        kept = sorted(set(range(count)) - set(layers._dropped(count, keep)))
        assert len(kept) == max(1, round(keep * count))
        assert kept[0] == 0
        assert len(kept) == 1 or kept[-1] == count - 1


def test_layers_that_differ_are_no_stack(tmp_path):
    given = candidate("bert", tmp_path)
    given.network.body.body.encoder.layer[1].attention.self.shift = 2
    with pytest.raises(UserError, match="no layers"):
        layers.compress(given, Workshop().context(tmp_path))


def test_a_second_time_takes_more(tmp_path):
    context = Workshop().context(tmp_path)
    once = layers.compress(candidate("resnet", tmp_path), context, epochs=0)
    twice = layers.compress(once, context, epochs=0)
    assert size(twice.network) < size(once.network)
    torch.testing.assert_close(answers(rebuilt(twice), batch(twice)), answers(twice.network, batch(twice)))


@pytest.mark.parametrize(("name", "keep"), [("cnn", 0.5), ("bag", 0.5), ("encoder", 0.95)])
def test_networks_without_layers_to_spare_are_refused(name, keep, tmp_path):
    with pytest.raises(UserError, match="no layers"):
        layers.compress(candidate(name, tmp_path), Workshop().context(tmp_path), keep=keep)


@pytest.mark.parametrize("keep", [0.0, 0.96, 1])
def test_shares_out_of_range(keep):
    assert [fault.what for fault in resolve(layers.compress, {"keep": keep}, "layers")[1]] == ["[layers.keep] is wrong"]
