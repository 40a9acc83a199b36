import io
import shutil
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import lepton
from lepton.bundle import manifest
from lepton.bundle.manifest import Graph
from lepton.core.errors import BadInput, UserError
from lepton.runtime.app import MAX_BATCH, App, load, open_bundle

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TEXTS = ["rate", "where is my card", "我的卡在哪里", "cancel the card that I lost", "rate the exchange"]


@pytest.fixture(scope="module")
def image() -> App:
    return load(APPS / "image-classification")


@pytest.fixture(scope="module")
def text() -> App:
    return load(APPS / "text-classification")


@pytest.fixture(scope="module")
def entities() -> App:
    return load(APPS / "token-classification")


def png(seed: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def wav(samples: int) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.arange(samples, dtype="<i2").tobytes())
    return stream.getvalue()


class Spy:
    """Runs the app's graph and remembers the shapes that it was given."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.shapes: list[dict[str, tuple[int, ...]]] = []

    def __call__(self, arrays: Any) -> Any:
        self.shapes.append({name: array.shape for name, array in arrays.items()})
        return self.app.run(arrays)


def test_an_app_tells_what_it_is(image: App) -> None:
    assert (image.name, image.task, image.modality) == ("tiny-image-classification", "image-classification", "image")
    assert image.batchable


def test_the_answer_is_that_of_the_graph_by_hand(image: App) -> None:
    import onnx

    graph = onnx.load(APPS / "image-classification" / "model.onnx").graph
    weights = next(onnx.numpy_helper.to_array(item) for item in graph.initializer if item.name == "weights")
    pixels = np.asarray(Image.open(io.BytesIO(png(5)))).astype(np.float64).ravel() / 255
    logits = pixels @ weights
    expected = np.exp(logits) / np.exp(logits).sum()
    answer = {item["label"]: item["score"] for item in image.predict(png(5))}
    assert [answer[name] for name in image.manifest.classes] == pytest.approx(expected, abs=1e-5)


def test_one_input_gives_one_answer_and_a_list_a_list(text: App) -> None:
    assert text.predict([TEXTS[0]]) == [text.predict(TEXTS[0])]
    assert text.predict([]) == []


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([*TEXTS, "a b", "b a"]), max_size=40))
def test_an_answer_does_not_depend_on_its_companions_nor_on_the_order(given_texts: list[str]) -> None:
    app = load(APPS / "text-classification")
    alone = {raw: app.predict(raw) for raw in set(given_texts)}
    for raw, answer in zip(given_texts, app.predict(given_texts), strict=True):
        assert [item["label"] for item in answer] == [item["label"] for item in alone[raw]]
        # Matrix kernels for one row and for several round differently, by some 1e-8 here.
        assert [item["score"] for item in answer] == pytest.approx([item["score"] for item in alone[raw]], abs=1e-6)


def test_only_equal_shapes_share_a_batch_and_nothing_is_padded(text: App) -> None:
    spy = Spy(text)
    raws = ["card", "the card", "card", "rate", *["where is my card"] * (MAX_BATCH + 1)]
    text.attempt(raws, run=spy)
    encoded = [text.encode(raw)["input_ids"] for raw in raws]
    assert sorted(shape["input_ids"][0] for shape in spy.shapes)[-1] <= MAX_BATCH
    assert sum(shape["input_ids"][0] * shape["input_ids"][1] for shape in spy.shapes) == sum(map(len, encoded))


def test_a_graph_that_is_not_batchable_runs_one_by_one(tmp_path: Path) -> None:
    source = manifest.read(APPS / "text-classification")
    files = {name: source.path(name) for name in source.manifest.files}
    graphs = {"model": Graph(file="model.onnx", batchable=False)}
    bundle = manifest.write(tmp_path / "app", msgspec.structs.replace(source.manifest, graphs=graphs), files)
    app = open_bundle(bundle)
    spy = Spy(app)
    app.attempt(["rate"] * 5, run=spy)
    assert [shape["input_ids"][0] for shape in spy.shapes] == [1] * 5


def test_a_graph_is_given_only_its_own_inputs(entities: App) -> None:
    sample = entities.encode("Zoë paid in Köln")
    assert {"offsets", "attention_mask"} <= sample.keys()
    assert set(entities.run(entities.collate([sample]))) == {"logits"}


def test_entities_bear_the_words_of_the_raw_text(entities: App) -> None:
    raw = "Zoë paid in Köln"
    answer = entities.predict(raw)
    assert answer
    assert all(raw[item["start"] : item["end"]] == item["word"] for item in answer)


def test_texts_come_as_strings_bytes_or_files(text: App, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes("\ufeffZoë".encode())
    assert text.predict(["Zoë", "Zoë".encode(), file]) == [text.predict("Zoë")] * 3


def test_media_come_as_bytes_or_files(image: App, tmp_path: Path) -> None:
    file = tmp_path / "picture"
    file.write_bytes(png(1))
    assert image.predict(file) == image.predict(png(1))


def test_a_string_never_opens_a_file(image: App) -> None:
    with pytest.raises(BadInput, match="is a string"):
        image.predict("/etc/passwd")


@pytest.mark.parametrize("raw", [b"", b"\x89PNG\r\n\x1a\n", png(1)[:40], b"text", Path("/nowhere"), Path("/")])
def test_bad_images_are_bad_inputs(image: App, raw: Any) -> None:
    with pytest.raises(BadInput):
        image.predict(raw)


def test_bad_inputs_take_none_of_their_companions_with_them(image: App) -> None:
    found = image.attempt([png(1), b"broken", png(2), Path("/nowhere")])
    assert [isinstance(answer, BadInput) for answer in found] == [False, True, False, True]
    assert [found[0], found[2]] == image.predict([png(1), png(2)])


def test_text_that_is_not_utf8_is_a_bad_input(text: App) -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        text.predict("Köln".encode("latin-1"))


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300) | st.integers(0, 60).map(lambda cut: png(0)[:cut] + b"\xff" + png(0)[cut + 1 :]))
def test_any_bytes_are_answered_or_refused(image: App, raw: bytes) -> None:
    (answer,) = image.attempt([raw])
    assert isinstance(answer, BadInput) or len(answer) == 3


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_answered_or_refused(text: App, entities: App, raw: str | bytes) -> None:
    for app in (text, entities):
        (answer,) = app.attempt([raw])
        assert isinstance(answer, BadInput | list)


def test_sound_of_any_length_is_answered() -> None:
    app = load(APPS / "audio-classification")
    assert len(app.predict([wav(50), wav(2000), wav(9000)])) == 3


def test_a_run_folder_stands_for_its_app(tmp_path: Path, image: App) -> None:
    shutil.copytree(APPS / "image-classification", tmp_path / "app")
    assert load(tmp_path).bundle.id == image.bundle.id


def test_threads_do_not_change_the_answer(image: App) -> None:
    assert load(APPS / "image-classification", threads=2).predict(png(3)) == image.predict(png(3))


def broken(tmp_path: Path, changes: dict[str, Any], files: dict[str, bytes]) -> Path:
    source = manifest.read(APPS / "image-classification")
    whole = {name: source.path(name) for name in source.manifest.files}
    manifest.write(tmp_path / "app", msgspec.structs.replace(source.manifest, **changes), {**whole, **files})
    return tmp_path / "app"


def test_an_unknown_task_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="image-classification"):
        load(broken(tmp_path, {"task": "image-clasification"}, {}))


def test_a_task_of_another_modality_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not fit"):
        load(broken(tmp_path, {"task": "text-classification"}, {}))


@pytest.mark.parametrize("graph", [b"", b"not a graph", b"\x08\x0a"])
def test_a_graph_that_cannot_be_opened_is_a_clear_error(tmp_path: Path, graph: bytes) -> None:
    with pytest.raises(UserError, match="cannot be opened"):
        load(broken(tmp_path, {}, {"model.onnx": graph}))


def test_the_package_gives_its_functions_when_asked() -> None:
    assert lepton.load is load
    assert "evaluate" in dir(lepton)
    with pytest.raises(AttributeError):
        _ = lepton.nothing


def test_importing_lepton_imports_nothing_else() -> None:
    code = "import sys, lepton; print([m for m in ('numpy', 'onnxruntime', 'msgspec') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
