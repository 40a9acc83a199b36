"""The whole road on a tiny data set: skipping, killing, refusing, and what lies in the app."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lepton.core.errors import ContractNotKept, UserError
from lepton.core.ledger import facts
from lepton.runtime import app as apps
from lepton.stages import _road


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_from_recipe_to_app(project: Path) -> None:
    done = _road.run(project / "recipe.toml", out=project / "run", sets=["compress.search=none"])
    told = facts(done.folder)
    assert told["evaluate"]["facts"]["metrics"]["accuracy"]["value"] >= 0.9
    leaks = told["evaluate"]["facts"]["leaks"]
    assert leaks == {"n": 0, "metrics": None, "near": {"n": 0, "metrics": None}, "raised": None}
    assert "given train split" not in (done.app / "CARD.md").read_text()
    assert told["prepare"]["facts"]["classes"] == ["lying", "standing"]
    assert all(not step["changed"] for step in told["package"]["facts"]["parity"])
    assert told["compress"]["facts"]["trials"][0]["metric"] == told["train"]["facts"]["validation"]
    app = apps.load(done.app)
    answer = app.predict(project / "data" / "lying" / "00.png")
    assert answer[0]["label"] == "lying"
    assert {"manifest.json", "model.onnx", "CARD.md", "golden"} <= {path.name for path in done.app.iterdir()}
    assert b"/" + str(project).encode() not in (done.app / "model.onnx").read_bytes()

    again = _road.run(project / "recipe.toml", out=project / "run", sets=["compress.search=none"])
    assert list(again.skipped) == _road.stage_order()

    changed = _road.run(
        project / "recipe.toml", out=project / "run", sets=["compress.search=none", "package.golden=none"]
    )
    assert list(changed.skipped) == ["prepare", "train", "compress", "evaluate"]
    assert not (changed.app / "golden").exists()


def test_an_impossible_contract_is_refused_and_nothing_is_packaged(project: Path) -> None:
    with pytest.raises(ContractNotKept, match="size") as caught:
        _road.run(
            project / "recipe.toml", out=project / "run", sets=["contract.size_mb=0.0001", "compress.search=none"]
        )
    assert caught.value.exit_code == 3
    assert not (project / "run" / "app").exists()
    assert facts(project / "run")["refused"]["facts"]["trials"][0]["plan"] == "onnx"


def test_too_many_unreadable_records_stop_the_run(project: Path) -> None:
    for number in range(8):
        (project / "data" / "lying" / f"{number:02d}.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(UserError, match="8 of 60 records cannot be read"):
        _road.run(project / "recipe.toml", out=project / "run", until="prepare")
    done = _road.run(project / "recipe.toml", out=project / "run", until="prepare", sets=["data.max_bad=0.2"])
    bad = facts(done.folder)["prepare"]["facts"]["bad"]
    assert {item["id"] for item in bad} == {f"lying/{number:02d}.png" for number in range(8)}


def given(project: Path) -> None:
    """Lay the project's pictures out as `given/train` and `given/test`, with one test record twice in train."""
    for kind in ("lying", "standing"):
        for split in ("train", "test"):
            (project / "given" / split / kind).mkdir(parents=True)
        for path in sorted((project / "data" / kind).iterdir()):
            split = "test" if int(path.stem) < 5 else "train"
            (project / "given" / split / kind / path.name).write_bytes(path.read_bytes())
    copy = (project / "given" / "test" / "lying" / "00.png").read_bytes()
    for name in ("leaked.png", "twice.png"):
        (project / "given" / "train" / "lying" / name).write_bytes(copy)


def test_a_leak_in_given_splits_is_named_and_set_aside(project: Path) -> None:
    given(project)
    sets = ["data={source='given', split={validation=0.2}}"]
    done = _road.run(project / "recipe.toml", out=project / "run", until="prepare", sets=sets)
    leaks = facts(done.folder)["prepare"]["facts"]["leaks"]
    assert leaks["train"] == ["train/lying/leaked.png", "train/lying/twice.png"]
    kept = (done.artifacts["prepare"].folder / "records.jsonl").read_text()
    assert "leaked.png" not in kept
    with pytest.raises(UserError, match="leaked"):
        _road.run(
            project / "recipe.toml",
            out=project / "run",
            until="prepare",
            sets=[sets[0].replace("}}", "}, leaks='block'}")],
        )


def test_scores_are_told_with_and_without_leaked_records(project: Path) -> None:
    given(project)
    sets = ["data={source='given', split={validation=0.2}}", "compress.search=none"]
    done = _road.run(project / "recipe.toml", out=project / "run", sets=sets)
    told = facts(done.folder)["evaluate"]["facts"]
    assert (told["n"], told["leaks"]["n"]) == (10, 1)
    rows = map(json.loads, (done.artifacts["evaluate"].folder / "answers.jsonl").read_text().splitlines())
    right = {row["id"]: row["answer"][0]["label"] == row["label"] for row in rows}
    assert told["metrics"]["accuracy"]["value"] == pytest.approx(sum(right.values()) / 10)
    del right["test/lying/00.png"]
    assert told["leaks"]["metrics"]["accuracy"]["value"] == pytest.approx(sum(right.values()) / 9)
    assert "also stand in the given train split (1)" in (done.app / "CARD.md").read_text()


DYING = """
import os, signal, sys
from fnmatch import fnmatch
from lepton.cli.__main__ import main

put, left, pattern, folder = os.replace, int(sys.argv.pop(1)), sys.argv.pop(1), sys.argv[-1]

def put_or_die(source, target):
    global left
    left -= fnmatch(os.path.relpath(target, folder), pattern)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    put(source, target)

os.replace = put_or_die
sys.exit(main())
"""
"""A run that is killed as it puts a file, the nth of a pattern, into its place: both are its first arguments."""
MOMENTS = {
    "prepare": (1, "artifacts/.prepare-*/classes.json"),
    "train": (2, "scratch/train-*.pt"),
    "compress": (1, "artifacts/.compress-*/winner.json"),
    "evaluate": (1, "artifacts/.evaluate-*/answers.jsonl"),
    "package": (1, "artifacts/.package-*/CARD.md"),
    "nothing": (1, "app"),
}
"""By stage, a moment in the midst of it; the last comes when all stages are done and the app is put into place."""


@pytest.fixture(scope="module")
def calm(shared_project: Path) -> Path:
    """A project whose run was not disturbed."""
    _road.run(shared_project / "recipe.toml", out=shared_project / "run", sets=["compress.search=none"])
    return shared_project


def test_every_stage_is_killed_once() -> None:
    assert [*_road.stage_order(), "nothing"] == list(MOMENTS)


@pytest.mark.parametrize("stage", MOMENTS)
def test_killed_and_run_again_gives_the_same_model(calm: Path, tmp_path: Path, stage: str) -> None:
    """SIGKILL in the middle of a stage; the second run goes on and ends with the undisturbed run's bytes."""
    count, pattern = MOMENTS[stage]
    line = ["run", str(calm / "recipe.toml"), "--quiet", "--set", "compress.search=none", "-o", str(tmp_path / "run")]
    killed = subprocess.run([sys.executable, "-c", DYING, str(count), pattern, *line], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "run" / "app").exists()
    again = _road.run(calm / "recipe.toml", out=tmp_path / "run", sets=["compress.search=none"])
    assert [*again.skipped, stage] == [*_road.stage_order(), "nothing"][: len(again.skipped) + 1]
    assert sha(again.app / "model.onnx") == sha(calm / "run" / "app" / "model.onnx")
    assert not list((tmp_path / "run" / "scratch").iterdir())


def test_what_neither_source_nor_recipe_splits_is_held_out_by_the_usual_shares(project: Path) -> None:
    recipe = project / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("split = { test = 0.25, validation = 0.25 }\n", ""))
    _road.run(recipe, out=project / "run", until="prepare")
    counts = facts(project / "run")["prepare"]["facts"]["counts"]
    assert {split: sum(found.values()) for split, found in counts.items()} == {"train": 42, "test": 12, "validation": 6}
