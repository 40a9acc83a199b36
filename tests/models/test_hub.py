import sys
from pathlib import Path

import pytest
import torch
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
