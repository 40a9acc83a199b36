import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lepton.cli.__main__ import main
from lepton.runtime.app import load

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TEXT, AUDIO = APPS / "text-classification", APPS / "audio-classification"


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Any:
    def call(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
        held = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = main(["stream", *(str(item) for item in arguments)])
        finally:
            for one, handler in held.items():
                signal.signal(one, handler)
        out, err = capsysbinary.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err.decode()

    return call


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """`lepton stream` in a process of its own, once it listens."""
    command = [sys.executable, "-m", "lepton.cli.__main__", "stream", *(str(item) for item in arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"answers what comes" in process.stderr.readline()
    return process


def test_lines_are_answered_to_their_end(run: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_text('where is my card\n{"id": "x", "input": "rate"}\n{"id": "y", "input": 3}\n')
    code, found, err = run(TEXT, "--from", f"lines:{tmp_path / 'in'}")
    app = load(TEXT)
    assert code == 0
    assert [item["id"] for item in found] == ["1", "x", "y"]
    assert [item["answer"][0]["label"] for item in found[:2]] == [
        app.predict(text)[0]["label"] for text in ("where is my card", "rate")
    ]
    assert "no string" in found[2]["error"]
    assert "2 answered, 1 put aside" in err


def test_files_named_in_lines_are_answered(run: Any, tmp_path: Path) -> None:
    wavs = sorted((AUDIO / "golden" / "inputs").iterdir())
    (tmp_path / "in").write_text("\n".join([*map(str, wavs), str(tmp_path / "absent.wav")]))
    code, found, _ = run(AUDIO, "--from", f"lines:{tmp_path / 'in'}", "--full")
    assert code == 0
    assert [len(item.get("answer", ())) for item in found] == [3, 3, 0]


def test_mistakes_are_one_clear_line(run: Any, tmp_path: Path) -> None:
    for arguments, said in (
        (("--from", "inbox"), "folder:"),
        (("--from", "kafka://x/y"), "Known: folder, lines, redis"),
        (("--from", f"folder:{tmp_path}", "--to", f"folder:{tmp_path}?x=1"), "come back as inputs"),
        (("--from", f"folder:{tmp_path}/absent"), "mkdir"),
        (("--from", "redis://:secret@/x"), "redis://HOST:PORT/STREAM"),
    ):
        code, _, err = run(TEXT, *arguments)
        assert code == 2
        assert said in err
        assert "secret" not in err
        assert len(err.splitlines()) == 1


def test_standard_input_is_answered_line_by_line() -> None:
    with started(TEXT, "--from", "-") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("rate", "my card"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            assert "answer" in json.loads(process.stdout.readline()), "the answer comes before the next line is written"
        process.stdin.write(b"half a line")
        rest, _ = process.communicate(timeout=20)
        assert json.loads(rest)["id"] == "3"
        assert process.returncode == 0


def test_a_signal_ends_it_when_what_was_read_is_answered(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for number in range(40):
        (tmp_path / "in" / f"{number}.txt").write_text(f"rate {number}")
    with started(TEXT, "--from", f"folder:{tmp_path}/in?settle=0", "--to", f"folder:{tmp_path}/out") as process:
        end = time.monotonic() + 20
        while not os.listdir(tmp_path / "out") and time.monotonic() < end:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 0
    answered = {path.name.removesuffix(".json") for path in (tmp_path / "out").iterdir()}
    done = {json.loads(line)[0] for line in (tmp_path / "in" / ".lepton" / "done").read_text().splitlines()}
    assert answered == done
    assert f"{len(done)} answered".encode() in err
