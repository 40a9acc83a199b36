"""Models from elsewhere down the road: labels are what the model itself answers, so as it is it is always right."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification

from lepton.cli.__main__ import main
from lepton.core.ledger import facts
from lepton.runtime import app as apps

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
SHORT = ["--quiet", "--set", "compress.search=none", "--set", "evaluate.linear=false", "--set", "train.threads=1"]
WORDS = ["card", "rate", "lost", "late", "wrong", "money", "bank", "where"]

Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]


@pytest.fixture
def refused(run: Run, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Compress, and give the one message of a refusal."""

    def call(*arguments: object) -> str:
        capsys.readouterr()
        code, out, err = run(*arguments, "--quiet")
        assert (code, out) == (2, "")
        assert err.startswith("lepton: ")
        assert "Traceback" not in err
        return err

    return call


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["compress", *map(str, arguments)])
        return code, *capsys.readouterr()

    return call


def png(random: np.random.Generator) -> bytes:
    """A grey picture of 8 x 8: a bright noisy square somewhere on black."""
    pixels, stream = np.zeros((8, 8), np.uint8), io.BytesIO()
    down, right = random.integers(0, 7, 2)
    square = pixels[down : down + 4, right : right + 4]
    square[:] = random.integers(100, 256, square.shape)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def pictures(place: Path, label: Callable[[bytes], str], count: int = 90) -> Path:
    """A folder for each class with pictures, labelled by `label`."""
    random = np.random.default_rng(0)
    for number in range(count):
        data = png(random)
        folder = place / label(data)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(data)
    return place


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures labelled by the kept app for images."""
    app = apps.load(APPS / "image-classification")
    return pictures(tmp_path_factory.mktemp("data") / "pictures", lambda data: app.predict(data)[0]["label"])


def linear(path: Path, outputs: int = 3) -> np.ndarray:
    """An ONNX file that multiplies grey pictures of 8 x 8, from 0 to 1, by random weights, which are given."""
    weights = np.random.default_rng(1).normal(size=(64, outputs)).astype(np.float32)
    weights -= weights.mean(0)
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(*item) for item in (("x", 1, ["n", 1, 8, 8]), ("y", 1, ["n", outputs]))]
    graph = helper.make_graph(nodes, "linear", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return weights


def test_an_app_is_right_always_about_its_own_answers(run: Run, answered: Path) -> None:
    code, out, err = run(APPS / "image-classification", "--data", answered, "--json", *SHORT, "-o", "run")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["task"], told["metrics"]["accuracy"]["value"]) == ("image-classification", 1.0)
    known = facts(Path("run"))
    assert known["train"]["facts"]["history"][0].items() >= {"epoch": 0, "metric": 1.0}.items()
    assert all(not step["changed"] for step in known["package"]["facts"]["parity"])
    made, brought = apps.load("run"), apps.load(APPS / "image-classification")
    picture = next((answered / "alpha").iterdir()).read_bytes()
    assert made.predict(picture) == brought.predict(picture)
    assert made.manifest.provenance["model"]["path"] == "image-classification", "not where it lay on this machine"


def test_a_search_finds_something_smaller_and_the_folder_has_a_name_of_its_own(run: Run, answered: Path) -> None:
    quick = [*SHORT, "--set", "compress.search=quick"]
    code, out, _ = run(APPS / "image-classification", "--data", answered, "--name", "small", "--max-drop", 0.5, *quick)
    assert code == 0
    assert "runs/small-compressed/app" in out
    told = facts(Path("runs/small-compressed"))["compress"]["facts"]
    assert {trial["plan"] for trial in told["trials"]} >= {"onnx", "int8_static", "weights"}
    assert told["contract"]["metric"]["max_drop"] == 0.5


def test_a_bare_graph_with_its_outputs_named(run: Run, tmp_path: Path) -> None:
    weights = linear(tmp_path / "model.onnx")

    def label(data: bytes) -> str:
        pixels = np.asarray(Image.open(io.BytesIO(data)), np.float32) / 255
        return ["cat", "ant", "bee"][int((pixels.ravel() @ weights).argmax())]

    data = pictures(tmp_path / "data", label)
    how = ["--data", data, "--task", "image-classification", "-o", "run", *SHORT]
    code, out, _ = run(tmp_path / "model.onnx", *how, "--set", 'model.classes=["cat", "ant", "bee"]', "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["accuracy"]["value"] == 1.0
    linear(tmp_path / "model.onnx", outputs=4)
    code, _, err = run(tmp_path / "model.onnx", *how)
    assert code == 2
    assert "(?, 3)" in err
    assert "y (?, 4) float" in err


def test_a_contract_that_cannot_be_kept(run: Run, answered: Path) -> None:
    code, _, err = run(APPS / "image-classification", "--data", answered, "--size-mb", 1e-6, *SHORT, "-o", "run")
    assert code == 3
    assert "size (MB)" in err
    assert not Path("run/app").exists()


def hub(folder: Path, names: list[str]) -> str:
    """A tiny BERT with a head, saved with its tokenizer."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    named = dict(enumerate(names))
    config = BertConfig(vocab_size=12, max_position_embeddings=64, id2label=named, initializer_range=2.0, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_a_hub_folder_keeps_its_head(run: Run, tmp_path: Path) -> None:
    folder = hub(tmp_path / "bert", ["yes", "no"])
    known = BertForSequenceClassification.from_pretrained(folder).eval()
    random, rows = np.random.default_rng(0), []
    for _ in range(80):
        ids = random.integers(0, len(WORDS), random.integers(2, 9))
        with torch.no_grad():
            label = ["yes", "no"][int(known(torch.from_numpy(ids)[None] + 2).logits.argmax())]
        rows.append({"text": " ".join(WORDS[index] for index in ids), "label": label})
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = run(folder, "--data", tmp_path / "data.jsonl", "--json", "-o", "run", *SHORT)
    assert code == 0
    assert json.loads(out)["metrics"]["accuracy"]["value"] == 1.0
    assert facts(Path("run"))["train"]["facts"]["model"]["head"] == "kept"


def test_what_cannot_be_brought(refused: Refused, answered: Path, tmp_path: Path) -> None:
    data = ["--data", answered]
    assert "is not there" in refused(tmp_path / "nowhere", *data)
    assert "not there" in refused(tmp_path / "nowhere.onnx", *data)
    assert "is no model" in refused(tmp_path, *data)
    linear(tmp_path / "model.onnx")
    assert "--task" in refused(tmp_path / "model.onnx", *data)
    assert "did you mean" in refused(tmp_path / "model.onnx", *data, "--task", "image-clasification").lower()
    image = ["--task", "image-classification"]
    assert "data.source" in refused(tmp_path / "model.onnx", "--data", "nowhere", *image)
    assert "max_drop" in refused(tmp_path / "model.onnx", *data, *image, "--max-drop", 3)


def test_an_app_of_another_task(refused: Refused, answered: Path) -> None:
    told = refused(APPS / "text-classification", "--data", answered, "--task", "image-classification")
    assert "another task" in told
    assert "text-classification" in told
    assert "no text data" in refused(APPS / "text-classification", "--data", answered)


def test_an_app_that_was_changed(refused: Refused, answered: Path, tmp_path: Path) -> None:
    shutil.copytree(APPS / "image-classification", tmp_path / "app")
    linear(tmp_path / "app" / "model.onnx")
    assert "was changed" in refused(tmp_path / "app", "--data", answered)


def test_the_model_is_never_overwritten(refused: Refused, answered: Path, tmp_path: Path) -> None:
    shutil.copytree(APPS / "image-classification", tmp_path / "run" / "app")
    assert "cannot take the run" in refused(tmp_path / "run", "--data", answered, "-o", tmp_path / "run")
    assert (tmp_path / "run" / "app" / "manifest.json").is_file()


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rows = [
        {"text": f"{word} {other}", "label": "ab"[index % 2]} for index, word in enumerate(WORDS) for other in WORDS
    ]
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "texts.jsonl"


def test_a_text_graph_with_unknown_inputs(refused: Refused, texts: Path, tmp_path: Path) -> None:
    ends: list[Any] = [("words", TensorProto.INT64, ["n", "t"]), ("mask", TensorProto.INT64, ["n", "t"])]
    nodes = [
        helper.make_node("Mul", ["words", "mask"], ["shown"]),
        helper.make_node("Cast", ["shown"], ["y"], to=TensorProto.FLOAT),
    ]
    values = [helper.make_tensor_value_info(*item) for item in [*ends, ("y", TensorProto.FLOAT, ["n", 2])]]
    graph = helper.make_graph(nodes, "texts", values[:2], values[2:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "a.onnx")
    how = [tmp_path / "a.onnx", "--data", texts, "--task", "text-classification"]
    assert "no tokenizer beside it" in refused(*how)
    hub(tmp_path / "bert", ["a", "b"])
    told = refused(*how, "--set", f'data.transform={{name="tokens", tokenizer="{tmp_path}/bert"}}')
    assert "inputs are not those of the task" in told
    assert "words (?, ?) int64; mask (?, ?) int64" in told


def test_a_hub_folder_with_other_classes(refused: Refused, texts: Path, tmp_path: Path) -> None:
    told = refused(hub(tmp_path / "bert", ["yes", "no"]), "--data", texts)
    assert "not the data's classes" in told
    assert "model.classes" in told
