import pytest
from torch import nn

from lepton.adapt import full


def network() -> nn.Sequential:
    """Two blocks and a head; the first block has statistics."""
    blocks = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 4))
    made = nn.Sequential()
    made.add_module("stages", blocks)
    made.add_module("head", nn.Linear(4, 2))
    return made


HEAD = {"head.weight", "head.bias"}


def test_left_alone_it_is_plain_training() -> None:
    how = full.adapt(network(), HEAD)
    assert (how.layers, how.lr, how.rates, how.thaws, how.still) == ([], None, {}, {}, [])


def test_each_block_learns_more_slowly_than_the_one_above() -> None:
    rates = full.adapt(network(), HEAD, layer_decay=0.5).rates
    assert rates["head.bias"] == 1
    assert rates["stages.1.weight"] == pytest.approx(0.5)
    assert {rates[name] for name in ("stages.0.0.weight", "stages.0.1.bias")} == {0.25}


def test_blocks_join_in_from_the_head_down_over_the_share_asked_for() -> None:
    thaws = full.adapt(network(), HEAD, unfreeze=0.6).thaws
    assert [thaws[name] for name in ("head.weight", "stages.1.bias", "stages.0.0.weight")] == pytest.approx(
        [0, 0.3, 0.6]
    )


def test_statistics_are_held_where_that_is_asked_for() -> None:
    assert full.adapt(network(), HEAD, batch_norm="frozen").still == ["stages.0.1"]
