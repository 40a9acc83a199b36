"""What a client may leave open, and what is no HTTP or no handshake: an answer that says why, and an end."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
SECONDS = 0.5
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /v1/apps/text/predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
LONG = b"X: " + b"a" * 100_000
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
HANDSHAKE = UPGRADE + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n4\r\nrate\r\n"
REFUSED = {
    "no HTTP": (400, b"HELLO\r\n\r\n"),
    "a long head": (431, GET + LONG + b"\r\n\r\n"),
    "a head without end": (431, GET + LONG * 10),
    "headers without end behind a body": (431, CHUNKED + b"0\r\n" + LONG * 10),
    "a part's description without end": (431, CHUNKED + b"4;" + b"a" * 1_000_000),
    "a long body that waits to be asked for": (413, POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"),
    "half a head": (408, GET),
    "no body": (408, POST + b"Content-Length: 50\r\n\r\n"),
    "half a body": (408, POST + b"Content-Length: 50\r\n\r\nhalf"),
    "a handshake without a key": (400, GET + UPGRADE + b"\r\n"),
    "a handshake of another version": (400, GET + HANDSHAKE.replace(b"13", b"99") + b"\r\n"),
    "a handshake that posts": (405, POST + HANDSHAKE + b"Content-Length: 0\r\n\r\n"),
    "a handshake with a long header": (400, GET + HANDSHAKE + LONG[:9000] + b"\r\n\r\n"),
    "a handshake of many headers": (400, GET + HANDSHAKE + b"X: y\r\n" * 200 + b"\r\n"),
    "a handshake where nothing is": (404, GET + HANDSHAKE + b"\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server that waits half a second, and must not have told of any fault of its own."""
    apps = [f"{name}={APPS / name}-classification" for name in ("text", "audio")]
    command = [sys.executable, "-m", "lepton.cli", "serve", *apps, "--port", "0", "--deadline", str(SECONDS)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield int(process.stderr.readline().split("http://127.0.0.1:")[1].split()[0])
        process.terminate()
        assert '"error"' not in process.stderr.read()


def told(port: int, sent: bytes) -> bytes:
    """What the server says to `sent` until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        found = b""
        try:
            line.sendall(sent)
            while part := line.recv(65_536):
                found += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        return found


def statuses(answers: bytes) -> list[int]:
    return [int(part.split(b" ", 1)[0]) for part in answers.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_a_problem_and_an_end(server: int, name: str) -> None:
    status, sent = REFUSED[name]
    head, _, body = told(server, sent).partition(b"\r\n\r\n")
    assert statuses(head) == [status]
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


def test_a_connection_that_says_nothing_is_closed(server: int) -> None:
    start = time.monotonic()
    assert told(server, b"") == b""
    assert time.monotonic() - start < 15


def test_requests_before_a_broken_one_are_answered(server: int) -> None:
    good = POST + b"Content-Length: 4\r\n\r\nrate"
    answers = told(server, good + good + b"\0\1\2\r\n\r\n")
    assert statuses(answers)[:2] == [200, 200]


def test_a_request_that_comes_whole_is_answered_as_one_in_parts(server: int) -> None:
    head, body = POST + b"X-Request-Id: mine\r\nConnection: close\r\nContent-Length: 4\r\n\r\n", b"rate"
    whole = told(server, head + body)
    with socket.create_connection(("127.0.0.1", server), timeout=20) as line:
        line.sendall(head + body[:1])
        time.sleep(0.1)
        line.sendall(body[1:])
        parts = b"".join(iter(lambda: line.recv(4096), b""))
    assert statuses(whole) == [200]
    assert b"x-request-id: mine" in whole
    assert sorted(whole.lower().split(b"\r\n")) == sorted(parts.lower().split(b"\r\n"))


def test_answers_come_in_the_order_of_the_requests(server: int) -> None:
    """Whole ones that an app answers, one that comes in chunks, one that the router answers, and problems."""
    good = POST + b"Content-Length: 4\r\n\r\nrate"
    empty = POST + b"Content-Length: 0\r\n\r\n"
    last = GET + b"Connection: close\r\n\r\n"
    sent = good + CHUNKED + b"0\r\n\r\n" + good + empty + GET + b"\r\n" + good + b"BREW / HTTP/1.1\r\n" + last
    assert statuses(told(server, sent))[:6] == [200, 200, 200, 400, 200, 200]
    assert statuses(told(server, good + good + last)) == [200, 200, 200]


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_connection_ends_where_the_client_asks_for_it(server: int, version: bytes) -> None:
    closing = b"" if version == b"1.0" else b"Connection: close\r\n"
    sent = POST.replace(b"HTTP/1.1", b"HTTP/" + version) + closing + b"Content-Length: 4\r\n\r\nrate"
    answer = told(server, sent + sent)
    assert statuses(answer) == [200]
    assert b"connection: close" in answer


def test_headers_behind_a_body_are_none_of_the_request(server: int) -> None:
    untyped = CHUNKED.replace(b"Content-Type: text/plain\r\n", b"Connection: close\r\n")
    assert statuses(told(server, untyped + b"0\r\nContent-Type: text/plain\r\n\r\n")) == [415]


def test_a_wish_for_another_protocol_loses_no_body(server: int) -> None:
    wish = b"Connection: Upgrade, close, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
    assert statuses(told(server, POST + wish + b"Content-Length: 4\r\n\r\nrate")) == [200]


@pytest.mark.parametrize(
    "broken", [b"\x83\x80mask", b"\x81\x81\0\0\0\0\xff", b"\x81\x81\0\0\0\0\xff\x88\x80mask", b"\x82\xff" + b"\xff" * 8]
)
def test_a_frame_that_is_none_ends_a_stream_and_nothing_else(server: int, broken: bytes) -> None:
    end = b'{"type": "end"}'
    stream = b"GET /v1/apps/audio/stream HTTP/1.1\r\nHost: x\r\n" + HANDSHAKE + b"\r\n"
    with socket.create_connection(("127.0.0.1", server), timeout=20) as line:
        line.sendall(stream)
        assert line.recv(4096).startswith(b"HTTP/1.1 101")
        line.sendall(bytes([0x81, 0x80 | len(end), 0, 0, 0, 0]) + end + broken)
        assert b"".join(iter(lambda: line.recv(4096), b"")).count(b"\x88") >= 1
    assert statuses(told(server, POST + b"Connection: close\r\nContent-Length: 4\r\n\r\nrate")) == [200]
