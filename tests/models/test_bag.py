from pathlib import Path

import numpy as np
import pytest
import torch
from text_families import NGRAMS, check_graph, count, moved, ngrams, without_gradient

from lepton.models import bag

PRESETS = sorted(bag.PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_gives_logits_and_every_parameter_learns(preset):
    network = bag.build(NGRAMS, preset=preset, dropout=0.0)
    assert network(*ngrams().values()).shape == (3, 3)
    assert without_gradient(moved(network), ngrams()) == []


def test_linear_is_the_weighted_sum_of_rows():
    network = moved(bag.build(NGRAMS, preset="linear"))
    batch = ngrams()
    features = np.zeros((3, 50))
    for row, (ids, weights) in enumerate(zip(*batch.values(), strict=True)):
        np.add.at(features[row], ids.numpy(), weights.numpy())
    wanted = features @ network.direct.weight.detach().numpy() + network.bias.detach().numpy()
    np.testing.assert_allclose(network(*batch.values()).detach().numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_graph_answers_alike_alone_and_padded(preset, tmp_path: Path):
    check_graph(moved(bag.build(NGRAMS, preset=preset)), ngrams(), tmp_path / "model.onnx")


def test_parameters_are_counted_by_hand():
    assert count(bag.build(NGRAMS, preset="linear")) == 50 * 3 + 3
    assert count(bag.build(NGRAMS, preset="large", width=10, hidden=7, direct=False)) == 500 + (10 * 7 + 7) + 21 + 3


def test_smaller_is_smaller():
    half = bag.smaller({"preset": "large"}, 0.5)
    assert (half["width"], half["hidden"]) == (128, 128)
    assert count(bag.build(NGRAMS, **half)) < count(bag.build(NGRAMS, preset="large"))


def test_a_linear_bag_stays_linear():
    assert bag.smaller({"preset": "linear"}, 0.5)["width"] == 0


def test_hidden_ngrams_do_not_matter():
    network = moved(bag.build(NGRAMS))
    batch = ngrams()
    other = {**batch, "ngrams": torch.where(batch["weights"] == 0, 7, batch["ngrams"])}
    torch.testing.assert_close(network(*batch.values()), network(*other.values()))
