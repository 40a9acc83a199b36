"""Runs that adapted one network, joined to one app that answers as each of their own networks does."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file

from lepton.bundle.verify import answers, verify
from lepton.cli.__main__ import main
from lepton.core.errors import Faults, UserError
from lepton.core.ledger import Ledger, facts
from lepton.runtime.app import App, load
from lepton.runtime.samples import samples
from lepton.stages import _join, _model, _road
from lepton.stages._join import Member

BASE = """
[app]
name = "bars"
task = "image-classification"

[data]
source = "data"
split = { test = 0.25, validation = 0.25 }

[model]
name = "cnn"
preset = "small"
widths = [8]
dense = [8]

[train]
epochs = 1
batch = 8
augment = 0
threads = 1
"""
MOVED = """
[app]
name = "moved"
task = "image-classification"

[data]
source = "data"
split = { test = 0.25, validation = 0.25 }

[train]
start = "base"
epochs = 2
batch = 8
augment = 0
threads = 1

[adapt]
name = "lora"
rank = 2

[package]
golden_count = 2
"""


@pytest.fixture(scope="module")
def runs(shared_project: Path) -> Path:
    """A folder with the runs `two` and `three`, which moved `base` to so many classes, and their app `app`."""
    place = shared_project
    shutil.copytree(place / "data", place / "more")
    shutil.copytree(place / "data" / "lying", place / "more" / "again")
    (place / "base.toml").write_text(BASE)
    (place / "moved.toml").write_text(MOVED)
    _road.run(place / "base.toml", out=place / "base", until="train")
    for name, source in {"two": "data", "three": "more"}.items():
        _road.run(place / "moved.toml", out=place / name, sets=[f"data.source={source}"], until="train")
    return place


@pytest.fixture(scope="module")
def told(runs: Path) -> dict[str, Any]:
    """What `lepton join` prints of them."""
    out = runs / "told.json"
    with pytest.MonkeyPatch.context() as patch, out.open("w") as stream:
        patch.setattr("sys.stdout", stream)
        names = [str(runs / "two"), f"triple={runs / 'three'}"]
        assert main(["join", *names, "-o", str(runs / "app"), "--name", "both", "--quiet", "--json"]) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    return found


@pytest.fixture(scope="module")
def app(runs: Path, told: dict[str, Any]) -> App:
    return load(runs / "app")


def test_each_adapter_gives_the_logits_of_its_runs_network(runs: Path, app: App) -> None:
    for adapter, run in {"two": "two", "triple": "three"}.items():
        member, view = Member(adapter, runs / run), app.with_adapter(adapter)
        network, described = _model.load(member.artifact("train"))
        batch = view.collate([view.encode(record.read()) for record in member.validation])
        want = _model.TorchRun(network, described["inputs"])(batch)["logits"]
        assert want.shape[1] == len(view.manifest.classes)
        np.testing.assert_allclose(view.run(batch)["logits"], want, atol=1e-5)


def test_what_was_compared_is_told(told: dict[str, Any]) -> None:
    rows = {row["adapter"]: row for row in told["adapters"]}
    assert {name: row["classes"] for name, row in rows.items()} == {"two": 2, "triple": 3}
    assert all(0 < row["largest_change"] < 1e-5 < row["largest_logit"] for row in rows.values())
    assert [row["records"] for row in rows.values()] == [15, 23]


def test_the_app_is_whole_and_says_where_it_comes_from(runs: Path, app: App) -> None:
    assert (app.name, app.manifest.format, app.adapters, app.adapter) == ("both", 2, ["two", "triple"], "two")
    assert app.manifest.classes == ("lying", "standing")
    assert [tensor.name for tensor in app.manifest.inputs] == ["image"]
    assert app.manifest.outputs[0].shape == (None, None)
    assert app.manifest.provenance["base"] == Member("two", runs / "two").about["base"]
    assert verify(runs / "app") == []
    assert "| triple | 3 |" in app.bundle.path("CARD.md").read_text()


def test_golden_answers_of_every_adapter_travel_with_it(app: App) -> None:
    for view in app.views:
        assert (len(samples(view)[0]), samples(view)[1]) == (2, "golden")
        assert answers(view.bundle, view.predict) == []


def test_the_graph_alone_answers_as_the_first_adapter(app: App) -> None:
    graph = onnx.load(app.bundle.path("model.onnx")).graph
    kept = {value.name for value in graph.initializer} & {value.name for value in graph.input}
    assert {"body.head.weight", "body.head.bias", "mean", "std"} < kept
    assert any("lora" in name for name in kept)


def changed(runs: Path, place: Path, name: str) -> Path:
    """A copy of the run `two`, to be spoilt."""
    shutil.copytree(runs / "two", place / name)
    return place / name


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def given(run: Path, section: str, **changes: Any) -> None:
    """Let the run's recipe have been another one."""
    told, journal = facts(run), Ledger(run / "ledger.jsonl")
    recipe = told["run"]["recipe"]
    journal.write("run", recipe={**recipe, section: {**recipe[section], **changes}})
    for stage in ("prepare", "train"):
        journal.write("stage", stage=stage, artifact=told[stage]["artifact"])


def test_a_run_that_was_cut_off_is_refused(runs: Path, tmp_path: Path) -> None:
    odd = changed(runs, tmp_path, "odd")
    Ledger(odd / "ledger.jsonl").write("run", recipe={})
    with pytest.raises(UserError, match="is not done"):
        Member("odd", odd).artifact("train")


@pytest.mark.parametrize(
    ("file", "changes", "words"),
    [
        ("adapter/adapter.json", {"base": "0" * 64}, "another network"),
        ("adapter/adapter.json", {"method": {"name": "lora", "rank": 3}}, "another method"),
        ("model.json", {"model": {"name": "resnet"}}, "another model"),
        ("transform.json", {"settings": {"size": 99}}, "another transform"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(
    runs: Path, tmp_path: Path, file: str, changes: dict[str, Any], words: str
) -> None:
    odd = changed(runs, tmp_path, "odd")
    rewrite(Member("odd", odd).artifact("train") / file, **changes)
    with pytest.raises(Faults) as caught:
        _join.join({"two": runs / "two", "odd": odd}, tmp_path / "app", name="app")
    (found,) = caught.value.faults
    assert words in found.what
    assert all((found.what, found.rule, found.received, found.remedy)), "a message has four parts"
    assert not (tmp_path / "app").exists()


def test_a_rate_of_training_makes_no_other_method(runs: Path, tmp_path: Path) -> None:
    odd = Member("odd", changed(runs, tmp_path, "odd"))
    path = odd.artifact("train") / "adapter" / "adapter.json"
    rewrite(path, method={**json.loads(path.read_text())["method"], "lr": 0.5})
    assert list(_join._misfits(Member("two", runs / "two"), odd)) == []


def test_a_run_without_an_adapter_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no adapter"):
        _join.join({"two": runs / "two", "base": runs / "base"}, tmp_path / "app", name="app")


def test_an_adapter_that_was_changed_is_refused(runs: Path, tmp_path: Path) -> None:
    odd = changed(runs, tmp_path, "odd")
    with (Member("odd", odd).artifact("train") / "adapter" / "adapter.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x07")
    with pytest.raises(UserError, match="was changed"):
        _join.join({"odd": odd}, tmp_path / "app", name="app")


def test_a_base_that_has_become_another_is_refused(runs: Path, tmp_path: Path) -> None:
    odd = changed(runs, tmp_path, "odd")
    given(odd, "train", start=str(runs / "two"))
    with pytest.raises(UserError, match="is not there any more"):
        _join.join({"odd": odd}, tmp_path / "app", name="app")


PLAIN = {"name": "softmax", "threshold": 0.7}
FAR = {"name": "softmax", "abstain": {"score": "distance", "threshold": 2.0}}


@pytest.mark.parametrize(
    ("steps", "decode", "left"),
    [([], PLAIN, []), ([{"name": "int8_static"}], PLAIN, ["threshold"]), ([], FAR, ["abstain"])],
)
def test_the_decode_of_an_app_is_taken_where_the_joined_network_can_give_it(
    runs: Path, tmp_path: Path, steps: list[Any], decode: dict[str, Any], left: list[str]
) -> None:
    odd = changed(runs, tmp_path, "odd")
    kept = {
        "compress": ("winner.json", {"steps": steps}),
        "evaluate": ("decode.json", decode),
    }
    for stage, (name, value) in kept.items():
        (odd / "artifacts" / f"{stage}-0").mkdir()
        (odd / "artifacts" / f"{stage}-0" / name).write_text(json.dumps(value))
        Ledger(odd / "ledger.jsonl").write("stage", stage=stage, artifact=f"{stage}-0")
    member = Member("odd", odd)
    assert (member.left, member.decode) == (left, {key: decode[key] for key in decode if key not in left})


def test_two_adapters_of_one_name_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["join", str(runs / "two"), str(runs / "two"), "-o", str(runs / "twice")]) == 2
    assert "Two adapters have one name" in capsys.readouterr().err


def test_an_adapter_that_answers_otherwise_is_refused(runs: Path, app: App, tmp_path: Path) -> None:
    odd = Member("two", changed(runs, tmp_path, "odd"))
    path = odd.artifact("train") / "network.safetensors"
    kept = load_file(path)
    save_file({**kept, "body.head.bias": kept["body.head.bias"] + 1e-3}, path)
    with pytest.raises(UserError, match="answers otherwise than its run's network"):
        _join._compared(app.with_adapter("two"), odd)


def test_a_recipe_that_keeps_its_samples_keeps_them(runs: Path, app: App, tmp_path: Path) -> None:
    odd = changed(runs, tmp_path, "odd")
    given(odd, "package", golden="none")
    assert _join._Work([Member("two", odd)], "both", tmp_path).golden(app) == {}


def test_a_network_that_cannot_be_exported_so_is_refused(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise torch.onnx.OnnxExporterError("a shape is fixed")

    monkeypatch.setattr(_join, "export", refuse)
    with pytest.raises(UserError, match="cannot be had apart") as caught:
        _join.join({"two": runs / "two", "three": runs / "three"}, tmp_path / "app", name="app")
    assert caught.value.received == "cnn with 2, 3 classes"
