import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lepton.core.errors import BadInput, UserError
from lepton.streams import folder
from lepton.streams._flow import Item

QUICK: Any = {"every": 0.01, "settle": 0.0}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def opened(inbox: Path, **more: Any) -> Any:
    return folder.source(str(inbox), "text", **{**QUICK, **more})


def taken(source: Any, seconds: float = 0.1) -> list[Item]:
    """Everything taken within some time, unacknowledged."""
    found: dict[str, Item] = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found |= {item.id: item for item in source.take()}
    return list(found.values())


def test_files_are_taken_oldest_first_and_once(inbox: Path) -> None:
    for age, name in enumerate(["new.txt", "middle.txt", "old.txt"]):
        (inbox / name).write_text(name)
        os.utime(inbox / name, (1000 - age, 1000 - age))
    source = opened(inbox)
    found = source.take()
    assert [(item.id, item.raw) for item in found] == [
        (name, name.encode()) for name in ("old.txt", "middle.txt", "new.txt")
    ]
    for item in found:
        source.done(item)
    assert taken(source) == []
    source.close()
    again = opened(inbox)
    assert taken(again) == []
    (inbox / "old.txt").write_text("changed")
    assert [item.raw for item in taken(again)] == [b"changed"]
    again.close()


def test_hidden_files_and_folders_are_left_alone(inbox: Path) -> None:
    (inbox / ".hidden").write_text("x")
    (inbox / "folder").mkdir()
    (inbox / "gone").symlink_to(inbox / "nowhere")
    source = opened(inbox)
    assert taken(source) == []
    source.close()


def test_a_file_that_is_being_written_is_waited_for(inbox: Path) -> None:
    source = opened(inbox, settle=0.3)
    start = time.monotonic()
    with (inbox / "slow").open("w") as stream:
        while time.monotonic() < start + 0.5:
            stream.write("part ")
            stream.flush()
            assert not source.take()
            time.sleep(0.02)
    written = time.monotonic()
    while not (found := source.take()):
        time.sleep(0.01)
    assert time.monotonic() - written > 0.2
    assert found[0].raw == (inbox / "slow").read_bytes()
    source.close()


def test_what_cannot_be_read_is_moved_with_its_reason(inbox: Path, tmp_path: Path) -> None:
    source = opened(inbox)
    for _ in range(2):
        (inbox / "bad.wav").write_bytes(b"?")
        (item,) = source.take()
        source.bury(item, "no sound")
    source.close()
    assert sorted(path.name for path in (inbox / "dead").iterdir()) == [
        *("bad.wav", "bad.wav.2", "bad.wav.2.reason", "bad.wav.reason")
    ]
    assert (inbox / "dead" / "bad.wav.reason").read_text() == "no sound\n"
    assert not (inbox / "bad.wav").exists()
    (inbox / "bad.wav").write_bytes(b"?")
    elsewhere = opened(inbox, dead=str(tmp_path / "apart"))
    elsewhere.bury(elsewhere.take()[0], "no sound")
    elsewhere.close()
    assert (tmp_path / "apart" / "bad.wav").exists()


def test_a_file_that_somebody_takes_away_is_no_fault(inbox: Path) -> None:
    source = opened(inbox)
    (inbox / "a").write_text("x")
    (item,) = source.take()
    (inbox / "a").unlink()
    source.bury(item, "gone")
    assert list((inbox / "dead").iterdir()) == []
    assert taken(source) == []
    source.close()


def test_a_file_that_is_too_long_is_not_read(inbox: Path) -> None:
    with (inbox / "long").open("wb") as stream:
        stream.truncate(4 * 2**30)
    source = opened(inbox)
    start = time.monotonic()
    (item,) = source.take()
    assert isinstance(item.raw, BadInput)
    assert time.monotonic() - start < 1
    source.close()


def test_no_more_is_taken_at_a_time_than_is_answered_together(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (inbox / f"{number:02}").write_bytes(b"x" * 10)
    source = opened(inbox)
    assert len(source.take()) == 16
    monkeypatch.setattr(folder, "_TOGETHER", 35)
    assert len(source.take()) == 3
    monkeypatch.setattr(folder, "_TOGETHER", 5)
    assert len(source.take()) == 1
    source.close()


def test_names_that_are_no_text_are_taken_too(inbox: Path) -> None:
    name = os.fsencode(inbox) + b"/odd\xff"
    Path(os.fsdecode(name)).write_text("rate")
    source = opened(inbox)
    (item,) = source.take()
    assert item.id == "odd\\xff"
    source.done(item)
    source.close()
    again = opened(inbox)
    assert taken(again) == []
    again.close()


def test_two_do_not_watch_one_folder(inbox: Path) -> None:
    source = opened(inbox)
    with pytest.raises(UserError, match="watched already"):
        opened(inbox)
    source.close()
    opened(inbox).close()


def test_a_list_that_was_cut_off_loses_only_its_last_line(inbox: Path) -> None:
    for name in "ab":
        (inbox / name).write_text(name)
    source = opened(inbox)
    for item in source.take():
        source.done(item)
    source.close()
    path = inbox / ".lepton" / "done"
    path.write_text(path.read_text()[:-4])
    again = opened(inbox)
    assert [item.id for item in taken(again)] == ["b"]
    again.close()


def test_the_list_forgets_files_that_are_gone(inbox: Path) -> None:
    (inbox / "a").write_text("x")
    source = opened(inbox)
    source.done(source.take()[0])
    source.close()
    (inbox / "a").unlink()
    opened(inbox).close()
    assert (inbox / ".lepton" / "done").read_text() == ""


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="mkdir"):
        folder.source(str(tmp_path / "absent"), "text")


@given(st.text(max_size=300), st.text(max_size=10))
def test_ids_become_names_that_lead_nowhere_else(first: str, second: str) -> None:
    name = folder._file_name(first)
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert len(f"{name}.json".encode()) < 255
    assert (name == folder._file_name(second)) == (first == second)


def test_answers_are_files(tmp_path: Path) -> None:
    sink = folder.sink(str(tmp_path / "out"))
    sink.write("../a b.wav", {"answer": [1]})
    sink.close()
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "%2E.%2Fa b.wav.json"
    assert json.loads(path.read_text()) == {"id": "../a b.wav", "answer": [1]}


def test_a_killed_process_repeats_the_last_and_loses_none(
    inbox: Path, tmp_path: Path, die: Callable[..., None]
) -> None:
    out = tmp_path / "answers"
    for number in range(6):
        (inbox / f"{number}.txt").write_text(f"rate {number}")
        os.utime(inbox / f"{number}.txt", (number, number))
    where = f"folder:{inbox}?settle=0&every=0.01"
    die("folder", 3, "--from", where, "--to", f"lines:{out}")
    die("folder", 0, "--from", where, "--to", f"lines:{out}")
    app = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"
    command = [sys.executable, "-m", "lepton.cli.__main__", "stream", str(app), "--from", where, "--to", f"lines:{out}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 30
    while out.read_text().count("\n") < 8 and time.monotonic() < end:
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == 0
    ids = [json.loads(line)["id"] for line in out.read_text().splitlines()]
    assert ids == [f"{number}.txt" for number in (0, 1, 2, 3, 3, 3, 4, 5)]
