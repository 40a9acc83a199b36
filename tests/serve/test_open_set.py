"""An app that abstains: the same answers in Python, from the command line and over every protocol."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from lepton.bundle import golden, manifest
from lepton.cli import __main__ as cli
from lepton.runtime.app import App, load
from lepton.runtime.evaluate import with_outputs
from lepton.serve.application import application
from lepton.tasks._abstain import likeness

SOURCE = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"
TEXTS = [str(raw) for raw, _ in golden.read(manifest.read(SOURCE))]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """The app of format 1, which abstains from about half of its golden inputs."""
    plain = load(SOURCE)
    alike = sorted(float(likeness(with_outputs(plain, text)[1], "margin")[0]) for text in TEXTS)
    limit = (alike[2] + alike[3]) / 2
    table = {"score": "margin", "threshold": limit, "label": "unknown", "keep": 0.9, "tail": alike[:3]}
    folder = tmp_path_factory.mktemp("abstains") / "app"
    files: dict[str, Any] = {name: plain.bundle.path(name) for name in plain.manifest.files}
    decode = {**plain.manifest.decode, "abstain": table}
    told = msgspec.structs.replace(plain.manifest, decode=decode)
    manifest.write(folder, told, files)
    answers = load(folder).predict(TEXTS)
    kept = {name: path for name, path in files.items() if not name.startswith("golden/")}
    manifest.write(folder, told, {**kept, **golden.files(TEXTS, answers, tolerance=0.02)})
    return load(folder)


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[TestClient]:
    with TestClient(application({"app": app}), raise_server_exceptions=False) as found:
        yield found


def test_some_are_abstained_from_and_some_are_not(app: App) -> None:
    chosen = [answer[0]["label"] for answer in app.predict(TEXTS)]
    plain = [answer[0]["label"] for answer in load(SOURCE).predict(TEXTS)]
    assert chosen.count("unknown") == 3
    assert all(one in ("unknown", other) for one, other in zip(chosen, plain, strict=True))


def test_over_http_it_is_the_first_label(app: App, client: TestClient) -> None:
    found = client.post("/v1/apps/app/predict", json={"inputs": TEXTS}).json()
    assert found == [app.brief(answer) for answer in app.predict(TEXTS)]
    assert client.get("/v1/apps/app").json()["decode"]["abstain"]["label"] == "unknown"
    assert 'label="unknown"' in client.get("/metrics").text


def test_over_v2_every_answer_has_one_outcome_more(app: App, client: TestClient) -> None:
    wide = len(app.manifest.classes) + 1
    told = client.get("/v2/models/app").json()["outputs"]
    assert [tensor["shape"] for tensor in told] == [[-1, wide]] * 2
    tensor = {"name": "raw", "datatype": "BYTES", "shape": [len(TEXTS)], "data": TEXTS}
    outputs = client.post("/v2/models/app/infer", json={"inputs": [tensor]}).json()["outputs"]
    label, score = (next(item["data"] for item in outputs if item["name"] == name) for name in ("label", "score"))
    answers = app.predict(TEXTS)
    assert label == [item["label"] for answer in answers for item in answer]
    assert score == pytest.approx([item["score"] for answer in answers for item in answer])


def test_company_changes_nothing(app: App) -> None:
    alone = [app.predict(text) for text in TEXTS]
    for one, other in zip(alone, app.predict(TEXTS), strict=True):
        assert list(golden.differences(one, other, 1e-6)) == []


def test_golden_answers_hold_an_app_to_its_abstaining(app: App) -> None:
    answers = app.predict(TEXTS)
    abstained = next(answer for answer in answers if answer[0]["label"] == "unknown")
    plain = load(SOURCE).predict(TEXTS[answers.index(abstained)])
    assert any("'unknown'" in text for text in golden.differences(abstained, plain, 0.02))


def test_verify_tells_what_was_promised(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(app.bundle.folder), "--contract"]) == 0
    printed = capsys.readouterr().out
    assert "answers 'unknown' where no class fits: not measured here (it was set to keep 0.9 of the known" in printed
    assert "every golden answer is right" in printed


def test_evaluate_tells_known_from_unknown(app: App, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classes = load(SOURCE).predict(TEXTS)
    rows = [{"text": text, "label": answer[0]["label"]} for text, answer in zip(TEXTS, classes, strict=True)]
    rows += [{"text": text, "label": "weather"} for text in TEXTS[:2]]
    data = tmp_path / "data.csv"
    data.write_text("text,label\n" + "".join(f'"{row["text"]}",{row["label"]}\n' for row in rows), encoding="utf-8")
    command = ["evaluate", str(app.bundle.folder), "--data", str(data)]
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["n"], found["open_set"]["unknown"], found["open_set"]["labels"]) == (6, 2, ["weather"])
    assert found["metrics"]["accuracy"]["value"] == found["open_set"]["kept"]["value"] == 0.5
    assert cli.main(command) == 0
    printed = capsys.readouterr()
    assert "kept of the known" in printed.out
    assert "2 records have labels that are no classes (weather)" in printed.err
