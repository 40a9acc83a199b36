import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from text_families import LENGTHS, TAGGED, TOKENS, check_graph, tokens, without_gradient
from tokenizers import Tokenizer, models
from transformers import ASTConfig, AutoModel, BertConfig, DistilBertConfig, ResNetConfig, ViTConfig, Wav2Vec2Config
from transformers.utils import logging as transformers_logging

from lepton.core.errors import UserError
from lepton.models import hub
from lepton.models._shape import Shape

_SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
_TEXT = {
    "bert": BertConfig(vocab_size=50, max_position_embeddings=32, **_SMALL),
    "distilbert": DistilBertConfig(
        vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=32
    ),
}
_IMAGES = {
    "vit": ViTConfig(image_size=16, patch_size=8, **_SMALL),
    "resnet": ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1]),
}


def saved(config, folder: Path) -> str:
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(params=sorted(_TEXT))
def text_model(request, tmp_path):
    return saved(_TEXT[request.param], tmp_path / request.param)


def test_a_text_model_gives_logits_and_learns(text_model):
    network = hub.build(TOKENS, hub=text_model, dropout=0.0)
    assert network(*tokens().values()).shape == (3, 3)
    unused = without_gradient(network, tokens())
    assert [name for name in unused if "pooler" not in name and "token_type" not in name] == []


def test_a_text_model_tags(text_model):
    assert hub.build(TAGGED, hub=text_model)(*tokens().values()).shape == (3, max(LENGTHS), 5)


def test_the_weights_are_the_saved_ones(text_model):
    known = AutoModel.from_pretrained(text_model)
    for name, value in hub.build(TOKENS, hub=text_model).body.state_dict().items():
        torch.testing.assert_close(value, known.state_dict()[name])


@pytest.mark.parametrize("bars", [True, False])
def test_loading_is_silent_and_leaves_the_bars_as_they_were(text_model, bars, capfd):
    known = transformers_logging.is_progress_bar_enabled()
    (transformers_logging.enable_progress_bar if bars else transformers_logging.disable_progress_bar)()
    try:
        hub.build(TOKENS, hub=text_model)
        assert transformers_logging.is_progress_bar_enabled() == bars
    finally:
        (transformers_logging.enable_progress_bar if known else transformers_logging.disable_progress_bar)()
    assert capfd.readouterr() == ("", "")


def test_fresh_weights_on_request(text_model):
    (Path(text_model) / "model.safetensors").unlink()
    assert hub.build(TOKENS, hub=text_model, pretrained=False)(*tokens().values()).shape == (3, 3)


@pytest.mark.parametrize("pool", ["mean", "first"])
def test_the_graph_answers_alike_alone_and_padded(pool, tmp_path):
    network = hub.build(TOKENS, hub=saved(_TEXT["bert"], tmp_path / "bert"), pool=pool)
    check_graph(network.eval(), tokens(), tmp_path / "model.onnx")


@pytest.mark.parametrize("kind", sorted(_IMAGES))
def test_an_image_model(kind, tmp_path):
    folder = saved(_IMAGES[kind], tmp_path / kind)
    side = 16 if kind == "vit" else 224
    assert hub.transform({"hub": folder}) == ("image", {"size": side, "channels": 3})
    network = hub.build(Shape({"image": (3, 16, 16)}, 4, task="image-classification"), hub=folder)
    assert network(torch.rand(2, 3, 16, 16)).shape == (2, 4)


def test_the_preprocessor_says_the_size(tmp_path):
    folder = saved(_IMAGES["resnet"], tmp_path / "resnet")
    (tmp_path / "resnet" / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 48}}')
    assert hub.transform({"hub": folder})[1]["size"] == 48


def test_an_audio_model_over_spectra(tmp_path):
    config = ASTConfig(num_mel_bins=16, max_length=32, patch_size=8, frequency_stride=8, time_stride=8, **_SMALL)
    folder = saved(config, tmp_path / "ast")
    name, settings = hub.transform({"hub": folder})
    assert (name, settings["mels"]) == ("logmel", 16)
    network = hub.build(Shape({"features": (32, 16)}, 4, task="audio-classification"), hub=folder)
    assert network(torch.rand(2, 32, 16)).shape == (2, 4)


def test_models_over_waves_are_refused(tmp_path):
    Wav2Vec2Config().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="spectra"):
        hub.transform({"hub": str(tmp_path)})


def test_a_text_model_brings_its_tokenizer(text_model):
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(f"{text_model}/tokenizer.json")
    assert hub.transform({"hub": text_model}) == ("tokens", {"tokenizer": text_model, "max_length": 32})


@pytest.mark.parametrize("name", ["./missing", "/missing/model", "a/b/c"])
def test_a_missing_folder(name):
    with pytest.raises(UserError, match="not there"):
        hub.build(TOKENS, hub=name)


def test_a_name_that_is_no_id():
    with pytest.raises(UserError, match="no id"):
        hub.build(TOKENS, hub="what is this?")


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        hub.build(TOKENS, hub=str(tmp_path))


def test_a_folder_without_weights(text_model):
    (Path(text_model) / "model.safetensors").unlink()
    with pytest.raises(UserError, match="no safetensors"):
        hub.build(TOKENS, hub=text_model)


def test_pickled_weights_are_refused_unread(text_model):
    (Path(text_model) / "model.safetensors").unlink()
    (Path(text_model) / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(UserError, match="run code") as caught:
        hub.build(TOKENS, hub=text_model)
    assert "pytorch_model.bin" in caught.value.message


@pytest.mark.parametrize("text", ["{}", "{", '{"model_type": "nonesuch"}', '{"model_type": 3}', "[]"])
def test_a_broken_config(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError):
        hub.build(TOKENS, hub=str(tmp_path))


def test_broken_weights(text_model):
    (Path(text_model) / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read"):
        hub.build(TOKENS, hub=text_model)


def test_code_of_the_model_is_not_run(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}'
    )
    (tmp_path / "evil.py").write_text("import sys\nsys.evil = True\n")
    with pytest.raises(UserError):
        hub.build(TOKENS, hub=str(tmp_path))
    assert not hasattr(sys, "evil")


def test_there_is_no_smaller_one():
    assert hub.smaller({"hub": "a/b"}, 0.5) == {"hub": "a/b"}


_SOUND = ASTConfig(num_mel_bins=16, max_length=32, patch_size=8, frequency_stride=8, time_stride=8, **_SMALL)
_HEADED = {
    "text-classification": ("SequenceClassification", _TEXT["distilbert"]),
    "token-classification": ("TokenClassification", _TEXT["bert"]),
    "image-classification": ("ImageClassification", _IMAGES["vit"]),
    "audio-classification": ("AudioClassification", _SOUND),
}
_NAMES = {"token-classification": ["B-b", "I-b", "O", "B-a", "I-a"]}
_KNOWN = ["yes", "no", "maybe"]
_SHAPES = {
    "text-classification": TOKENS,
    "token-classification": TAGGED,
    "image-classification": Shape({"image": (3, 16, 16)}, 3, task="image-classification"),
    "audio-classification": Shape({"features": (32, 16)}, 3, task="audio-classification"),
}


def headed(task: str, folder: Path, names: list[str] | None = None) -> str:
    """A model saved with a head for `task` whose outputs are called `names`."""
    kind, config = _HEADED[task]
    named = copy.deepcopy(config)
    named.id2label = dict(enumerate(names or _NAMES.get(task, _KNOWN)))
    torch.manual_seed(0)
    getattr(transformers, f"AutoModelFor{kind}").from_config(named).save_pretrained(folder)
    return str(folder)


def batch(task: str) -> list[torch.Tensor]:
    if task.startswith("t"):
        return list(tokens().values())
    torch.manual_seed(1)
    return [torch.rand(2, *next(iter(_SHAPES[task].inputs.values())))]


@pytest.mark.parametrize("task", sorted(_HEADED))
def test_a_kept_head_answers_as_transformers_does_in_the_order_of_the_classes(task, tmp_path):
    folder = headed(task, tmp_path / "model")
    assert hub.bring(tmp_path / "model") == {"hub": folder, "head": "kept"}
    assert hub.brought({"hub": folder, "head": "kept"}).task == task
    body = hub.build(_SHAPES[task], hub=folder, head="kept").eval()
    hub.align(body, ["a", "b"] if task in _NAMES else ["maybe", "no", "yes"])
    kind, _ = _HEADED[task]
    known = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(folder)
    given = batch(task)
    names = [known.main_input_name, "attention_mask"][: len(given)]
    with torch.no_grad():
        wanted = known(**dict(zip(names, given, strict=True))).logits
        found = body(*given)
    order = [2, 3, 4, 0, 1] if task in _NAMES else [2, 1, 0]
    torch.testing.assert_close(found, wanted[..., order])
    again = hub.build(_SHAPES[task], hub=folder, head="kept").eval()
    again.load_state_dict(body.state_dict())
    torch.testing.assert_close(again(*given), found)


@pytest.mark.parametrize("task", sorted(_NAMES) + ["text-classification"])
def test_the_graph_of_a_kept_head_answers_alike_alone_and_padded(task, tmp_path):
    body = hub.build(_SHAPES[task], hub=headed(task, tmp_path / "model"), head="kept")
    hub.align(body, ["a", "b"] if task in _NAMES else ["maybe", "no", "yes"])
    check_graph(body.eval(), tokens(), tmp_path / "model.onnx")


def test_a_folder_without_a_head_has_none_to_keep(tmp_path):
    folder = saved(_TEXT["bert"], tmp_path / "bert")
    assert hub.brought({"hub": folder, "head": "kept"}).task == ""
    with pytest.raises(UserError, match="no trained head") as caught:
        hub.build(TOKENS, hub=folder, head="kept")
    assert "classifier" in caught.value.received


def test_a_head_of_another_size(tmp_path):
    folder = headed("text-classification", tmp_path / "model", ["a", "b"])
    with pytest.raises(UserError, match="another number of outputs"):
        hub.build(TOKENS, hub=folder, head="kept")


def test_a_head_with_other_names_takes_those_that_are_said(tmp_path):
    folder = headed("text-classification", tmp_path / "model")
    with pytest.raises(UserError, match="not the data's classes"):
        hub.align(hub.build(TOKENS, hub=folder, head="kept"), ["ja", "nein", "vielleicht"])
    body = hub.build(TOKENS, hub=folder, head="kept", classes=["ja", "nein", "vielleicht"])
    hub.align(body, ["ja", "nein", "vielleicht"])
    assert body.order.tolist() == [0, 1, 2]


def test_fresh_weights_have_no_head_to_keep(text_model):
    with pytest.raises(UserError, match="pretrained"):
        hub.build(TOKENS, hub=text_model, head="kept", pretrained=False)


def test_a_kept_head_sees_pixels_as_it_was_trained(tmp_path):
    settings = {"hub": headed("image-classification", tmp_path), "head": "kept"}
    with pytest.raises(UserError, match="how pixels are scaled"):
        hub.scaling(settings, [])
    told = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.25], "size": {"shortest_edge": 32}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    mean, std = hub.scaling(settings, [])
    np.testing.assert_allclose(mean.ravel(), [127.5, 102, 76.5], rtol=1e-6)
    np.testing.assert_allclose(std.ravel(), [25.5, 51, 63.75], rtol=1e-6)
    assert hub.transform(settings) == ("image", {"size": 32, "channels": 3, "resize": "crop"})
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**told, "do_normalize": False, "do_rescale": False}))
    assert [item.ravel().tolist() for item in hub.scaling(settings, [])] == [[0.0], [1.0]]


def test_what_is_no_model_is_not_brought(tmp_path):
    assert hub.bring(tmp_path) is None
    (tmp_path / "config.json").write_text("{}")
    assert hub.bring(tmp_path) is None


def test_a_tokenizer_with_more_tokens_than_the_model_knows_is_refused(text_model):
    with pytest.raises(UserError, match=r"does not fit.*vectors for 50 tokens\. Received: a tokenizer of 51\. Leave"):
        hub.build(Shape(TOKENS.inputs, outputs=3, vocabulary=51, task=TOKENS.task), hub=text_model)
