"""What every method on networks owes, on every family that it can shrink."""

import copy

import numpy as np
import onnxruntime
import pytest
import torch
from workbench import Workshop, answers, batch, candidate, exported, rebuilt, size

from lepton.core import plugins

TRANSFORMERS = ["encoder", "encoder-post", "bert", "distilbert", "vit"]
RESIDUAL = ["resnet9", "resnet", "hub-resnet"]
PLAIN = ["cnn", "lenet", "resnet50", "inception", "depthwise", "crnn", "textcnn", "bag", "blend"]
SHRINKS = {
    "channels": [*PLAIN, *RESIDUAL, *TRANSFORMERS],
    "heads": TRANSFORMERS,
    "layers": [*TRANSFORMERS, *RESIDUAL],
}
KEEPS = {name: ["cnn", "depthwise", "crnn", "textcnn", "bert"] for name in ("magnitude", "qat")}
FIRST = [(method, families[0]) for method, families in {**SHRINKS, **KEEPS}.items()]
SMALLER = [(method, family) for method, families in SHRINKS.items() for family in families]
CASES = SMALLER + [(method, family) for method, families in KEEPS.items() for family in families]
EXPORTED = [("resnet", "channels"), ("crnn", "channels"), ("resnet", "layers"), ("encoder", "heads")]
EXPORTED += [("bert", "layers")]
"""One network of each modality at least; families answer for the rest of their graphs themselves."""


def compressed(method: str, given, folder, **settings):
    workshop = Workshop()
    made = plugins.load("compress", method).compress(given, workshop.context(folder), **settings)
    return made, workshop


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def work(request, tmp_path_factory):
    """One method on one family: what was handed in as it was before, and what came out."""
    method, family = request.param
    given = candidate(family, tmp_path_factory.mktemp(family))
    kept = copy.deepcopy(given.network)
    made, workshop = compressed(method, given, tmp_path_factory.mktemp(method))
    return given, kept, made, workshop


def test_the_network_handed_in_is_left_alone(work):
    given, kept, made, _ = work
    assert made.network is not given.network
    assert str(given.network) == str(kept)
    assert all(each.requires_grad and each.grad is None for each in given.network.parameters())
    before, after = kept.state_dict(), given.network.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_it_learns_again_from_what_it_was(work):
    given, _, _, workshop = work
    assert len(workshop.asked) == 1
    assert workshop.asked[0]["teaching"].teachers is given


def test_the_network_is_rebuilt_from_its_weights(work):
    _, _, made, _ = work
    found = answers(made.network, batch(made))
    assert found.shape == (4, 3)
    again = rebuilt(made)
    assert torch.equal(answers(again, batch(made)), found)
    assert list(again.state_dict()) == list(made.network.state_dict())


@pytest.mark.parametrize(("method", "family"), SMALLER)
def test_tensors_shrink(method, family, tmp_path):
    given = candidate(family, tmp_path)
    made, workshop = compressed(method, given, tmp_path, epochs=0)
    assert size(made.network) < 0.95 * size(given.network)
    assert workshop.asked == []


@pytest.mark.parametrize(
    ("method", "family"), [(method, families[0]) for method, families in {**SHRINKS, **KEEPS}.items()]
)
def test_equal_seeds_give_equal_weights(method, family, tmp_path):
    one, other = (compressed(method, candidate(family, tmp_path), tmp_path)[0].network.state_dict() for _ in range(2))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(("family", "method"), EXPORTED)
def test_the_graph_answers_as_the_network(family, method, tmp_path):
    made, _ = compressed(method, candidate(family, tmp_path), tmp_path)
    session = onnxruntime.InferenceSession(exported(made, tmp_path / "model.onnx"))
    inputs = batch(made, 3)
    names = made.described["inputs"]
    found = session.run(None, {name: each.numpy() for name, each in zip(names, inputs, strict=True)})[0]
    np.testing.assert_allclose(found, answers(made.network, inputs).numpy(), rtol=1e-3, atol=1e-4)
