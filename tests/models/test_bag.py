from pathlib import Path

import numpy as np
import pytest
import torch
from text_families import NGRAMS, check_graph, count, moved, ngrams, solved, without_gradient

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
    bias = (network.bias + network.direct.bias).detach().numpy()
    wanted = features @ network.direct.table.weight.detach().numpy() + bias
    np.testing.assert_allclose(network(*batch.values()).detach().numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_graph_answers_alike_alone_and_padded(preset, tmp_path: Path):
    check_graph(moved(bag.build(NGRAMS, preset=preset)), ngrams(), tmp_path / "model.onnx")


def test_parameters_are_counted_by_hand():
    assert count(bag.build(NGRAMS, preset="linear")) == 50 * 3 + 3 + 3
    assert count(bag.build(NGRAMS, preset="large", width=10, hidden=7, direct=False)) == 500 + (10 * 7 + 7) + 21 + 3


def test_smaller_is_smaller():
    half = bag.smaller({"preset": "large"}, 0.5)
    assert (half["width"], half["hidden"]) == (128, 128)
    assert count(bag.build(NGRAMS, **half)) < count(bag.build(NGRAMS, preset="large"))


def test_a_linear_bag_stays_linear():
    assert bag.smaller({"preset": "linear"}, 0.5) == {"preset": "linear"}


def test_hidden_ngrams_do_not_matter():
    network = moved(bag.build(NGRAMS, preset="small"))
    batch = ngrams()
    other = {**batch, "ngrams": torch.where(batch["weights"] == 0, 7, batch["ngrams"])}
    torch.testing.assert_close(network(*batch.values()), network(*other.values()))


def test_the_direct_part_starts_as_a_support_vector_machine():
    network = bag.build(NGRAMS, preset="linear")
    machine, matrix, given = solved(lambda samples, targets: bag.warm_start(network, samples, targets))
    with torch.no_grad():
        logits = network.eval()(*given.values()).numpy()
    np.testing.assert_allclose(logits, 6 * machine.decision_function(matrix), atol=1e-3)
    assert set(without_gradient(network, given)) == {"direct.table.weight", "direct.bias"}


def test_beside_a_solved_part_the_hidden_one_learns_alone():
    network = bag.build(NGRAMS, preset="small", dropout=0.0)
    _, _, given = solved(lambda samples, targets: bag.warm_start(network, samples, targets))
    hidden = network.train()(*given.values())
    together = network.eval()(*given.values())
    torch.testing.assert_close(together - hidden, network.direct(*given.values()))


def test_one_class_alone_solves_nothing():
    network = bag.build(NGRAMS, preset="linear")
    bag.warm_start(network, [{"ngrams": np.array([1]), "weights": np.array([1.0])}] * 2, [np.array(0), np.array(0)])
    assert not network.direct.solved
    assert not network.direct.table.weight.any()
