"""Streams to the real server, over real connections."""

import base64
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from lepton.serve.protocols.stream import MAX_FRAME

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "audio-classification"
ROUTE = "/v1/apps/tiny-audio-classification/stream"
EAGER = '{"hop_ms": 50, "smoothing": 1, "threshold": 0.5, "refractory_ms": 100}'


@contextmanager
def served() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "lepton.cli.__main__", "serve", str(APP), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        yield int(line.split("http://127.0.0.1:")[1].split()[0]), process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    with served() as found:
        assert works(found[0])
        yield found


def opened(port: int) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}{ROUTE}", compression=None, max_size=None)


def tone(seconds: float) -> bytes:
    return (np.sin(np.arange(int(8000 * seconds)) / 3) * 9000).astype("<i2").tobytes()


def works(port: int) -> bool:
    """Whether a stream is answered from its start to its end."""
    with opened(port) as client:
        client.send(EAGER)
        client.send(tone(1.0))
        client.send('{"type": "end"}')
        kinds = [json.loads(message)["type"] for message in client]
    return kinds[0] == "ready" and "event" in kinds and kinds[-1] == "end" and client.close_code == 1000


def resident(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_event_is_told_while_the_stream_goes_on(server: tuple[int, subprocess.Popen[str]]) -> None:
    with opened(server[0]) as client:
        client.send(EAGER)
        client.send(tone(1.0))
        assert [json.loads(client.recv(timeout=10))["type"] for _ in range(2)] == ["ready", "event"]


def test_frames_and_headers_that_are_too_long_are_refused_with_their_codes(
    server: tuple[int, subprocess.Popen[str]],
) -> None:
    header = (
        b"RIFF\xf0\xff\xff\xffWAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
        + b"data\xcc\xff\xff\xff"
    )
    for frame, code in ((bytes(MAX_FRAME + 1), 1009), (header, 1007)):
        with opened(server[0]) as client:
            start = time.monotonic()
            client.send(frame)
            with suppress(ConnectionClosed):
                list(client)
            assert client.close_code == code
            assert time.monotonic() - start < 5
    assert works(server[0])


def test_random_bytes_after_the_handshake_break_nothing(server: tuple[int, subprocess.Popen[str]]) -> None:
    port, process = server
    before = len(os.listdir(f"/proc/{process.pid}/fd"))
    dice = random.Random(0)
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            key = base64.b64encode(dice.randbytes(16)).decode()
            upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
            plain.sendall(f"GET {ROUTE} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
            assert plain.recv(1000).startswith(b"HTTP/1.1 101")
            with suppress(OSError):
                plain.sendall(
                    dice.choice([b"\x82", b"\x81", b"\x88", b"\xff", b""]) + dice.randbytes(dice.randrange(300))
                )
    assert works(port)
    end = time.monotonic() + 10
    while len(os.listdir(f"/proc/{process.pid}/fd")) > before and time.monotonic() < end:
        time.sleep(0.05)
    assert len(os.listdir(f"/proc/{process.pid}/fd")) <= before


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_client_that_sends_too_fast_is_held_back(server: tuple[int, subprocess.Popen[str]]) -> None:
    port, process = server
    before, sent = resident(process), 0

    def pour(client: ClientConnection) -> None:
        nonlocal sent
        frame = tone(MAX_FRAME / 16_000)
        with suppress(ConnectionClosed):
            while sent < 400e6:
                client.send(frame)
                sent += len(frame)

    with opened(port) as client:
        client.send('{"hop_ms": 400}')
        pouring = threading.Thread(target=pour, args=(client,))
        pouring.start()
        time.sleep(1.5)
        grown = resident(process) - before
        assert sent < 100e6
        client.close_timeout = 0.1
        client.socket.shutdown(socket.SHUT_RDWR)
        pouring.join(20)
    assert grown < 60e6
    assert works(port)


def test_the_server_ends_while_a_stream_is_open() -> None:
    with served() as (port, process), opened(port) as client:
        client.send(EAGER)
        assert json.loads(client.recv(timeout=10))["type"] == "ready"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=10)
        assert client.close_code == 1012
        process.wait(timeout=10)
    assert process.returncode in (0, -signal.SIGTERM)


def test_the_client_of_the_documentation_works(server: tuple[int, subprocess.Popen[str]], tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "streams.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    soundfile.write(tmp_path / "recording.wav", np.frombuffer(tone(1.0), np.int16), 8000)
    code = code.replace(":8000/v1/apps/keywords/stream", f":{server[0]}{ROUTE}")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds == ["ready", "event", "end"]


def test_a_client_may_not_send_compressed(server: tuple[int, subprocess.Popen[str]]) -> None:
    with connect(f"ws://127.0.0.1:{server[0]}{ROUTE}") as client:
        assert client.protocol.extensions == []
