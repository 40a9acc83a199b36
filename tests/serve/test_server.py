"""The real server in a process of its own, with the research libraries made unimportable."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lepton.core.errors import UserError
from lepton.serve.server import Options, bind, load_all

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
HEAVY = ["torch", "transformers", "sklearn", "onnx", "scipy", "pandas"]
BLOCKED = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Block())
from lepton.cli.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BLOCKED, *arguments], capture_output=True, text=True, check=False)


@contextmanager
def served(*arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server on a free port, which it says itself."""
    command = [sys.executable, "-c", BLOCKED, "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        yield int(line.split("http://127.0.0.1:")[1].split()[0]), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {"Content-Type": "application/octet-stream"} if body else {})
    reply = connection.getresponse()
    found = json.loads(reply.read())
    connection.close()
    return reply.status, found


def test_predict_works_with_torch_unimportable() -> None:
    folder = APPS / "image-classification"
    done = run("predict", str(folder), str(folder / "golden" / "inputs" / "0.png"))
    assert done.returncode == 0, done.stderr
    expected = json.loads((folder / "golden" / "answers.json").read_text())[0]["answer"]
    assert json.loads(done.stdout)["answer"][0]["label"] == expected[0]["label"]
    assert not done.stderr


def test_serve_works_with_torch_unimportable_and_ends_on_a_signal() -> None:
    picture = (APPS / "image-classification" / "golden" / "inputs" / "0.png").read_bytes()
    with served(str(APPS / "image-classification"), f"other={APPS / 'text-classification'}") as (port, process):
        assert ask(port, "GET", "/readyz")[1] == {"status": "ready", "apps": ["tiny-image-classification", "other"]}
        status, answer = ask(port, "POST", "/v1/apps/tiny-image-classification/predict", picture)
        assert status == 200
        assert len(answer) == 3  # type: ignore[arg-type]
        assert ask(port, "POST", "/v1/apps/other/predict", b"where is my card")[0] == 200
    assert process.returncode in (0, -signal.SIGTERM)


def test_several_workers_share_the_port() -> None:
    with served(str(APPS / "text-classification"), "--workers", "2") as (port, _):
        found = [_when_ready(port) for _ in range(4)]
    assert found == [200] * 4


def test_workers_add_their_meters_together() -> None:
    with served(str(APPS / "text-classification"), "--workers", "2") as (port, _):
        assert _when_ready(port) == 200
        for _ in range(7):
            ask(port, "POST", "/v1/apps/tiny-text-classification/predict", b"rate")
        texts = [_text(port, "/metrics") for _ in range(4)]
    for text in texts:
        assert 'lepton_requests_total{app="tiny-text-classification",status="200"} 8.0' in text


def _text(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
        return str(reply.read().decode())


def _when_ready(port: int) -> int:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            return ask(port, "POST", "/v1/apps/tiny-text-classification/predict", b"rate")[0]
        except OSError:
            time.sleep(0.1)
    return 0


def test_a_port_in_use_is_a_clear_error() -> None:
    with bind(Options(port=0)) as taken, pytest.raises(UserError, match="--port"):
        bind(Options(port=taken.getsockname()[1]))


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none_is_a_clear_error(port: int) -> None:
    with pytest.raises(UserError, match="Cannot listen"):
        bind(Options(port=port))


def test_two_apps_of_one_name_are_refused_unless_renamed() -> None:
    folder = str(APPS / "text-classification")
    with pytest.raises(UserError, match="NAME=FOLDER"):
        load_all([folder, folder])
    assert list(load_all([folder, f"again={folder}"])) == ["tiny-text-classification", "again"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="memory is read from /proc")
def test_the_server_stays_small() -> None:
    with served(str(APPS / "image-classification")) as (port, process):
        ask(port, "GET", "/readyz")
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    assert pages * os.sysconf("SC_PAGE_SIZE") < 120e6
