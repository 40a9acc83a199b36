from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from text_families import LENGTHS, count, moved, ngrams, tokens, without_gradient

from lepton.export.onnx import export
from lepton.models import blend
from lepton.models._network import Network
from lepton.models._shape import Shape

SHAPE = Shape(
    dict.fromkeys(("input_ids", "attention_mask", "ngrams", "weights"), (0,)),
    outputs=3,
    vocabulary=50,
    task="text-classification",
    settings={"ngrams": {"vocabulary": 50}},
)
TINY = {"width": 8, "filters": 4, "hidden": 5}


def batch():
    """Three texts; there are two more n-grams than tokens."""
    extra = {name: torch.nn.functional.pad(each, (0, 2)) for name, each in ngrams().items()}
    return {**tokens(), **extra}


def solved(**settings):
    """A blend whose linear part is fitted, and what it was fitted to."""
    network = blend.build(SHAPE, **TINY, **settings)
    samples = [{"ngrams": np.array([1 + index % 3, 9]), "weights": np.array([0.8, 0.6])} for index in range(12)]
    blend.warm_start(network, samples, [np.array(index % 3) for index in range(12)])
    return network


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gives_logits_and_every_parameter_learns(cell):
    network = blend.build(SHAPE, **TINY, cell=cell, dropout=0.0)
    assert network(*batch().values()).shape == (3, 3)
    assert without_gradient(moved(network), batch()) == []


def test_parameters_are_counted_by_hand():
    windows = 50 * 8 + sum(8 * 4 * kernel + 4 for kernel in (1, 2, 3, 4))
    reader = 50 * 8 + 2 * 4 * (8 * 5 + 5 * 5 + 10)
    assert count(blend.build(SHAPE, **TINY)) == (50 * 3 + 3) + windows + reader + (16 * 3 + 3) + (20 * 3 + 3)


def test_the_linear_part_knows_its_texts():
    network = solved().eval()
    scores = network.wide(torch.tensor([[1, 9], [2, 9], [3, 9]]), torch.tensor([[0.8, 0.6]] * 3))
    assert scores.argmax(1).tolist() == [0, 1, 2]


def test_a_solved_part_is_not_trained_and_the_others_are():
    network = solved(dropout=0.0)
    torch.manual_seed(0)
    missing = without_gradient(network, {name: each.repeat(8, 1) for name, each in batch().items()})
    assert {name.split(".")[0] for name in missing} == {"wide"}


def test_in_training_each_text_goes_to_one_of_two():
    network = moved(solved(dropout=0.0))
    ids, mask = tokens().values()
    seen = network.heads[0](network.windows(ids, mask))
    read = network.heads[1](network._read(ids, mask))
    given = network.train()(*batch().values())
    for row in range(3):
        assert any(torch.allclose(given[row], each[row], atol=1e-6) for each in (seen, read))


def test_smaller_is_smaller():
    half = blend.smaller({"preset": "small"}, 0.5)
    assert (half["width"], half["filters"], half["hidden"]) == (32, 24, 32)
    assert count(blend.build(SHAPE, **half)) < count(blend.build(SHAPE, preset="small"))


def test_the_graph_answers_alike_alone_and_padded(tmp_path: Path):
    network, given, path = moved(solved()), batch(), tmp_path / "model.onnx"
    export(Network(network), given, path, lengths=list(given))
    session = onnxruntime.InferenceSession(path)
    with torch.no_grad():
        wanted = network(*given.values()).numpy()
    together = session.run(None, {name: each.numpy() for name, each in given.items()})[0]
    np.testing.assert_allclose(together, wanted, atol=1e-5)
    for row, length in enumerate(LENGTHS):
        alone = session.run(None, {name: each[row : row + 1, :length].numpy() for name, each in given.items()})[0]
        np.testing.assert_allclose(alone, together[row : row + 1], atol=1e-5)


def test_a_solved_part_stays_solved_when_it_is_loaded():
    network = blend.build(SHAPE, **TINY)
    network.load_state_dict(solved().state_dict())
    assert network.train().wide.kept
    assert not network.eval().wide.kept
