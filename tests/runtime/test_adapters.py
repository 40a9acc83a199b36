"""An app with adapters: one opened network, which answers with the tensors of whichever is chosen."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnxruntime import AdapterFormat

from lepton.bundle import golden, manifest
from lepton.core.errors import UserError
from lepton.runtime.app import App, load
from lepton.runtime.bench import measure_adapters

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v2" / "text-classification"
TEXT = "where is my card"


@pytest.fixture(scope="module")
def app() -> App:
    return load(APP)


def test_the_first_adapter_answers_until_another_is_chosen(app: App) -> None:
    assert (app.adapters, app.adapter) == (["cards", "moods"], "cards")
    assert app.predict(TEXT) == app.with_adapter("cards").predict(TEXT)
    moods = app.with_adapter("moods")
    assert (moods.adapter, moods.adapters) == ("moods", app.adapters)
    assert {item["label"] for item in moods.predict(TEXT)} == {"glad", "cross"}
    assert [view.adapter for view in moods.views] == app.adapters


@pytest.mark.parametrize("name", ["cards", "moods"])
def test_logits_are_those_that_the_adapters_weights_give(app: App, name: str) -> None:
    view = app.with_adapter(name)
    batch = view.collate([view.encode(TEXT)])
    table = _initializer(app, "table")
    vectors = table[batch["input_ids"][0]]
    weights = AdapterFormat.read_adapter(str(APP / "adapters" / f"{name}.onnx_adapter")).get_parameters()["weights"]
    np.testing.assert_allclose(view.run(batch)["logits"][0], vectors.mean(0) @ weights.numpy(), rtol=1e-5, atol=1e-6)


def test_views_share_the_network_and_what_encodes(app: App) -> None:
    moods = app.with_adapter("moods")
    assert moods._graphs["model"]._session is app._graphs["model"]._session
    assert moods._encode is app._encode
    assert moods.bundle.id == app.bundle.id


def test_an_app_that_comes_instead_shares_the_same_network_alone(app: App, tmp_path: Path) -> None:
    bundle = app.with_adapter("moods").bundle
    kept: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.manifest.files}
    fewer = msgspec.structs.replace(bundle.manifest, adapters={"moods": bundle.manifest.adapters["moods"]})
    manifest.write(tmp_path / "fewer", fewer, kept)
    new = load(tmp_path / "fewer", instead=app)
    assert new._graphs["model"]._session is app._graphs["model"]._session
    assert (new.adapters, new.predict(TEXT)) == (["moods"], app.with_adapter("moods").predict(TEXT))
    graph = onnx.load(bundle.path("model.onnx"))
    graph.doc_string = "another"
    manifest.write(tmp_path / "other", fewer, {**kept, "model.onnx": graph.SerializeToString()})
    for other in (load(tmp_path / "other", instead=app), load(tmp_path / "fewer", instead=app, threads=2)):
        assert other._graphs["model"]._session is not app._graphs["model"]._session


def test_threads_may_ask_different_adapters_at_once(app: App) -> None:
    views = app.views * 50
    expected = {view.adapter: view.predict(TEXT) for view in app.views}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda view: view.predict(TEXT), views))
    assert found == [expected[view.adapter] for view in views]


def test_an_adapter_that_is_not_there_is_refused_with_those_that_are(app: App) -> None:
    with pytest.raises(UserError) as caught:
        app.with_adapter("mood")
    assert (caught.value.received, caught.value.rule) == ("mood", "It has cards, moods")
    plain = load(APP.parents[1] / "v1" / "text-classification")
    assert (plain.adapters, plain.adapter, plain.views) == ([], "", [plain])
    with pytest.raises(UserError, match="lepton join"):
        plain.with_adapter("moods")


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_an_adapter_that_is_none_is_refused(tmp_path: Path, cut: int) -> None:
    bundle = manifest.read(APP)
    kept: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.manifest.files}
    kept["adapters/moods.onnx_adapter"] = bundle.path("adapters/moods.onnx_adapter").read_bytes()[:cut]
    manifest.write(tmp_path / "app", bundle.manifest, kept)
    with pytest.raises(UserError, match=r"moods.onnx_adapter cannot be opened"):
        load(tmp_path / "app").with_adapter("moods")


def test_every_adapter_has_its_turn_in_measuring(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    answer = App.answer

    def noted(own: App, *given: Any, **more: Any) -> Any:
        asked.append(own.adapter)
        return answer(own, *given, **more)

    monkeypatch.setattr(App, "answer", noted)
    rows = measure_adapters(app, [TEXT], repeats=4)
    assert [row["adapters"] for row in rows] == [1, 2]
    assert asked == ["cards"] * 5 + ["cards", "moods"] * 3


def test_golden_answers_are_those_of_the_chosen_adapter(app: App) -> None:
    for view in app.views:
        pairs = golden.read(view.bundle)
        assert len(pairs) == 6
        for raw, item in pairs:
            assert list(golden.differences(item.answer, view.predict(raw), item.tolerance)) == []


def _initializer(app: App, name: str) -> np.ndarray:
    graph = onnx.load(app.bundle.path("model.onnx")).graph
    return next(onnx.numpy_helper.to_array(value) for value in graph.initializer if value.name == name)
