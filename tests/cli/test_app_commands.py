import io
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from onnxruntime import AdapterFormat, OrtValue

from lepton.bundle import golden, manifest
from lepton.cli.__main__ import main

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
MANY = APPS.parent / "v2" / "text-classification"
IMAGE, TEXT = APPS / "image-classification", APPS / "text-classification"
PICTURE = IMAGE / "golden" / "inputs" / "0.png"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(item) for item in arguments])
        return code, *capsys.readouterr()

    return call


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_predict_gives_one_line_for_each_file(run: Any) -> None:
    code, out, err = run("predict", IMAGE, PICTURE, f"@{PICTURE}")
    assert (code, err) == (0, "")
    assert [line["answer"][0]["label"] for line in lines(out)] == ["gamma", "gamma"]
    assert lines(out)[0]["input"] == str(PICTURE)


def test_predict_takes_texts_as_they_are_and_files_by_at(run: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("where is my card\n")
    code, out, _ = run("predict", TEXT, "where is my card", f"@{tmp_path / 'text'}")
    found = lines(out)
    assert code == 0
    assert found[0]["answer"] == found[1]["answer"]


def test_an_adapter_is_chosen_by_its_name(run: Any, tmp_path: Path) -> None:
    (tmp_path / "moods.csv").write_text("text,label\nrate,glad\nwhere is my card,cross\n")
    _, first, _ = run("predict", MANY, "rate")
    code, out, _ = run("predict", MANY, "rate", "--adapter", "moods")
    assert code == 0
    assert {row["label"] for row in lines(first)[0]["answer"]} == {"card", "rate", "fee"}
    assert {row["label"] for row in lines(out)[0]["answer"]} == {"glad", "cross"}
    code, out, _ = run("evaluate", MANY, "--data", tmp_path / "moods.csv", "--adapter", "moods", "--json")
    assert (code, json.loads(out)["n"]) == (0, 2)
    code, out, _ = run("bench", MANY, "--adapter", "moods", "--seconds", 0.01, "--json")
    assert (code, "adapters" in json.loads(out)) == (0, False)
    code, _, err = run("predict", MANY, "rate", "--adapter", "mood")
    assert (code, "It has cards, moods" in err) == (2, True)


def test_bench_tells_what_more_adapters_cost(run: Any) -> None:
    code, out, _ = run("bench", MANY, "--seconds", 0.01, "--json")
    rows = json.loads(out)["adapters"]
    assert (code, [row["adapters"] for row in rows]) == (0, [1, 2])
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in rows)
    code, out, _ = run("bench", MANY, "--seconds", 0.01)
    assert [line.split(" in turn")[0] for line in out.splitlines()[-2:]] == ["1 adapters", "2 adapters"]
    assert "adapters" not in run("bench", TEXT, "--seconds", 0.01)[1]


def test_verify_asks_every_adapter(run: Any, tmp_path: Path) -> None:
    assert run("verify", MANY)[0] == 0
    bundle = manifest.read(MANY)
    files: dict[str, bytes | Path] = {name: bundle.path(name) for name in bundle.manifest.files}
    weights = AdapterFormat.read_adapter(str(bundle.path("adapters/moods.onnx_adapter"))).get_parameters()["weights"]
    other = AdapterFormat()
    other.set_parameters({"weights": OrtValue.ortvalue_from_numpy(-weights.numpy())})
    other.export_adapter(str(tmp_path / "other"))
    files["adapters/moods.onnx_adapter"] = tmp_path / "other"
    manifest.write(tmp_path / "app", bundle.manifest, files)
    code, out, _ = run("verify", tmp_path / "app")
    assert code == 2
    assert "golden/inputs/moods/0.txt" in out
    assert "golden/inputs/cards" not in out


def test_predict_reads_standard_input(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Zoë\n".encode())))
    code, out, _ = run("predict", TEXT, "-", "Zoë")
    assert code == 0
    assert lines(out)[0]["answer"] == lines(out)[1]["answer"]


def test_a_bad_input_has_its_own_line_and_the_rest_is_answered(run: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(PICTURE.read_bytes()[:30])
    code, out, err = run("predict", IMAGE, tmp_path / "broken.png", PICTURE, tmp_path, "/nowhere")
    assert (code, err) == (2, "")
    assert ["error" in line for line in lines(out)] == [True, False, True, True]


def test_a_folder_that_is_no_app_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    for arguments in (
        ["predict", tmp_path, "x"],
        ["verify", tmp_path],
        ["bench", tmp_path],
        ["serve", tmp_path, "--port", 0],
        ["evaluate", tmp_path, "--data", "x"],
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert "is no app" in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    "wrong", [["--threads", "0"], ["--threads", "two"], ["--batch", "-1"], ["--seconds", "nan"], ["--seconds", "0"]]
)
def test_numbers_out_of_range_are_usage_errors(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", str(IMAGE), *wrong])
    assert caught.value.code == 2
    assert "must be" in capsys.readouterr().err


def test_verify_finds_a_sound_app_sound(run: Any) -> None:
    code, out, _ = run("verify", IMAGE)
    assert code == 0
    assert "what was packaged" in out


def test_verify_names_a_changed_file(run: Any, tmp_path: Path) -> None:
    shutil.copytree(IMAGE, tmp_path / "app")
    (tmp_path / "app" / "CARD.md").write_text("better")
    code, out, _ = run("verify", tmp_path / "app", "--json")
    assert code == 2
    assert "CARD.md was changed" in json.loads(out)["problems"][0]


def changed(folder: Path, **changes: Any) -> Path:
    """The image app with other manifest fields, its files and hashes being right."""
    source = manifest.read(IMAGE)
    files = {name: source.path(name).read_bytes() for name in source.manifest.files}
    files.update(changes.pop("files", {}))
    manifest.write(folder, msgspec.structs.replace(source.manifest, **changes), files)
    return folder


def test_verify_names_a_changed_answer(run: Any, tmp_path: Path) -> None:
    answers = golden.files([PICTURE.read_bytes()], [[{"label": "alpha", "score": 1.0}]])
    code, out, _ = run("verify", changed(tmp_path / "app", files=answers))
    assert code == 2
    assert "instead of 'alpha'" in out


def test_verify_measures_the_contract(run: Any, tmp_path: Path) -> None:
    kept = changed(tmp_path / "kept", contract={"asked": {"size_mb": 1.0, "metric": {"min": 0.9}}})
    code, out, _ = run("verify", kept, "--contract")
    assert code == 0
    assert "size_mb" in out
    assert "metric: not measured here" in out
    broken = changed(tmp_path / "broken", contract={"asked": {"size_mb": 1e-6}})
    code, out, _ = run("verify", broken, "--contract", "--json")
    assert code == 3
    assert json.loads(out)["contract"][0]["kept"] is False


def test_the_standing_contract_says_why_it_is_not_measured(run: Any, tmp_path: Path) -> None:
    asked = {"metric": {"name": None, "min": None, "max_drop": None}, "latency": {"p95_ms": None}, "size_mb": None}
    code, out, _ = run("verify", changed(tmp_path / "app", contract={"asked": asked}), "--contract")
    assert code == 0
    assert "uncompressed model" in out


def test_bench_prints_one_document(run: Any) -> None:
    code, out, err = run("bench", IMAGE, "--json", "--seconds", "0.01", "--batch", "2")
    found = json.loads(out)
    assert code == 0
    assert list(found) == [
        "batch",
        "threads",
        "p50_ms",
        "p95_ms",
        "model_p50_ms",
        "per_second",
        "resident_mb",
        "size_mb",
    ]
    assert "golden" in err


def test_bench_takes_inputs_of_ones_own(run: Any) -> None:
    assert run("bench", IMAGE, "--seconds", "0.01", "--input", PICTURE)[0] == 0
    code, _, err = run("bench", IMAGE, "--input", "/nowhere.png")
    assert code == 2
    assert "cannot be read" in err


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Texts labelled as the app answers them, but for one in the test split."""
    rows = []
    for index, (raw, item) in enumerate(golden.read(manifest.read(TEXT))):
        split = "train" if index < 2 else "test"
        rows.append({"text": raw, "label": item.answer[1 if index == 2 else 0]["label"], "split": split})
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return tmp_path / "data.jsonl"


def test_evaluate_scores_the_test_split_where_there_is_one(run: Any, table: Path) -> None:
    code, out, _ = run("evaluate", TEXT, "--data", table, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["task"], found["n"], found["split"]) == ("text-classification", 4, "test")
    assert found["metrics"]["accuracy"]["value"] == 0.75
    assert found["metrics"]["accuracy"].keys() == {"value", "low", "high"}


def test_evaluate_prints_for_people_too(run: Any, table: Path) -> None:
    code, out, _ = run("evaluate", TEXT, "--data", table, "--split", "train")
    assert code == 0
    assert "2 records of train" in out
    assert "95 % interval" in out


def test_evaluate_refuses_an_unknown_split_and_missing_data(run: Any, table: Path) -> None:
    code, _, err = run("evaluate", TEXT, "--data", table, "--split", "dev")
    assert code == 2
    assert "test, train" in err
    assert run("evaluate", TEXT, "--data", "/nowhere")[0] == 2
