"""What holds for every family that reads tokens."""

from pathlib import Path

import pytest
import torch
from text_families import LENGTHS, TAGGED, TOKENS, check_graph, count, moved, tokens, without_gradient

from lepton.models import encoder, recurrent, textcnn

CASES = [
    (textcnn, {"preset": "tiny"}),
    (textcnn, {"preset": "tiny", "kernels": [12], "activation": "gelu"}),
    (recurrent, {"preset": "tiny"}),
    (recurrent, {"preset": "tiny", "cell": "gru", "layers": 2, "pool": "mean"}),
    (recurrent, {"preset": "tiny", "bidirectional": False, "pool": "peak"}),
    (encoder, {"preset": "tiny"}),
    (encoder, {"preset": "tiny", "norm": "post", "activation": "relu"}),
]
TAGGERS = [(family, settings) for family, settings in CASES if "token-classification" in family.OBJECTIVES]
NAMES = [f"{family.__name__.split('.')[-1]}-{'-'.join(map(str, settings.values()))}" for family, settings in CASES]


@pytest.mark.parametrize(("family", "settings"), CASES, ids=NAMES)
def test_gives_logits_and_every_parameter_learns(family, settings):
    network = family.build(TOKENS, **settings, dropout=0.0)
    assert network(*tokens().values()).shape == (3, 3)
    assert without_gradient(moved(network), tokens()) == []


@pytest.mark.parametrize(("family", "settings"), TAGGERS)
def test_gives_tags(family, settings):
    assert family.build(TAGGED, **settings)(*tokens().values()).shape == (3, max(LENGTHS), 5)


@pytest.mark.parametrize(("family", "settings"), CASES, ids=NAMES)
def test_the_graph_answers_alike_alone_and_padded(family, settings, tmp_path: Path):
    check_graph(moved(family.build(TOKENS, **settings)), tokens(), tmp_path / "model.onnx")


@pytest.mark.parametrize(("family", "settings"), [TAGGERS[0], TAGGERS[1], TAGGERS[3]])
def test_the_graph_tags_alike_alone_and_padded(family, settings, tmp_path: Path):
    network = moved(family.build(TAGGED, **settings))
    check_graph(network, tokens(), tmp_path / "model.onnx")


@pytest.mark.parametrize(("family", "settings"), CASES, ids=NAMES)
def test_smaller_is_smaller(family, settings):
    half = family.smaller(settings, 0.5)
    assert count(family.build(TOKENS, **half)) < 0.7 * count(family.build(TOKENS, **settings))
    assert family.smaller(settings, 1.0)["width"] == family.PRESETS["tiny"]["width"]


@pytest.mark.parametrize(("family", "settings"), CASES, ids=NAMES)
def test_a_hidden_token_has_no_say(family, settings):
    network = moved(family.build(TOKENS, **settings))
    given = tokens()
    given["attention_mask"][:, 1] = 0
    other = {**given, "input_ids": given["input_ids"].clone()}
    other["input_ids"][:, 1] = 7
    torch.testing.assert_close(network(*given.values()), network(*other.values()))


@pytest.mark.parametrize("family", [textcnn, recurrent, encoder])
def test_presets_grow(family):
    sizes = [count(family.build(TOKENS, preset=preset)) for preset in family.PRESETS]
    assert sizes == sorted(sizes)
