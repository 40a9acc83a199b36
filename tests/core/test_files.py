import hashlib
from pathlib import Path

import pytest

from lepton.core import artifacts, files
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger, facts


def fail_half_way(place: Path) -> None:
    with files.folder_aside(place) as folder:
        (folder / "a").write_text("new")
        raise RuntimeError("half way")


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "it"
    with files.folder_aside(place) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(RuntimeError, match="half"):
        fail_half_way(place)
    assert (place / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


def test_json_that_is_none_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        files.read_json(tmp_path / "x.json")


def test_an_artifact_is_found_again_and_a_changed_one_is_not(tmp_path: Path) -> None:
    name = artifacts.key("train", {"lr": 0.1})

    def fill(folder: Path) -> dict[str, object]:
        (folder / "weights").write_text("1")
        return {"facts": {}}

    made = artifacts.make(tmp_path, name, inputs={"lr": 0.1}, fill=fill)
    found = artifacts.find(tmp_path, name)
    assert found is not None
    assert found.digest == made.digest
    (made.folder / "weights").write_text("2")
    assert artifacts.find(tmp_path, name) is None


def test_key_depends_on_everything_that_went_in() -> None:
    assert artifacts.key("a", {"x": 1, "y": 2}) == artifacts.key("a", {"y": 2, "x": 1})
    assert artifacts.key("a", {"x": 1}) != artifacts.key("a", {"x": 2})


def test_ledger_leaves_a_torn_line_out(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.write("run", n=1)
    ledger.write("stage", stage="train", facts={"a": 1})
    with ledger.path.open("a") as stream:
        stream.write('{"event": "sta')
    assert [event["event"] for event in ledger.read()] == ["run", "stage"]
    assert facts(tmp_path)["train"]["facts"] == {"a": 1}


def test_facts_of_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run"):
        facts(tmp_path)


def test_what_a_killed_run_left_aside_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".train-1.killed").mkdir()
    (tmp_path / ".train-2.another").mkdir()
    artifacts.make(tmp_path, "train-1", inputs={}, fill=lambda folder: {})
    assert {path.name for path in tmp_path.iterdir()} == {"train-1", ".train-2.another"}


def test_a_torn_last_line_is_cut_off_before_the_next(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.write("trial", plan="one")
    with ledger.path.open("a") as stream:
        stream.write('{"event": "trial", "pl')
    assert [event["plan"] for event in ledger.read()] == ["one"]
    ledger.write("trial", plan="two")
    assert [event["plan"] for event in ledger.read()] == ["one", "two"]
