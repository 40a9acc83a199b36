"""What is hardly HTTP and what is hardly a WebSocket, written to a socket of its own each time."""

import base64
import json
import socket
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from _fuzz import Reply, Seen, answers, faults, reset
from _fuzz_bodies import TASKS, changed, some_changes
from hypothesis import strategies as st

_QUIET = 0.3  # seconds without a word after which a connection is left
_STALLED = 45.0
_TOO_MUCH = 50_000_000

_GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
_POST = b"POST /v1/apps/text/predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_GOOD = _POST + b"Content-Length: 4\r\n\r\nrate"
_WORDS = (
    _GOOD,
    _GOOD * 20,
    _GET + b"\r\n",
    _CHUNKED + b"4\r\nrate\r\n0\r\n\r\n",
    _CHUNKED + b"4;a=b\r\nrate\r\n0\r\nTrailer: x\r\n\r\n" + _GOOD,
    _CHUNKED + b"FFFFFFFFFFFFFFFF\r\nrate",
    _CHUNKED + b"-4\r\nrate\r\n0\r\n\r\n",
    _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrate\r\n0\r\n\r\n" + _GOOD,
    _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + _GOOD,
    _POST + b"Transfer-Encoding: xchunked\r\n\r\n4\r\nrate\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding : chunked\r\n\r\n4\r\nrate\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n4\r\nrate\r\n0\r\n\r\n",
    _POST + b"Content-Length: 4\r\nContent-Length: 40\r\n\r\nrate",
    _POST + b"Content-Length: 4, 4\r\n\r\nrate",
    _POST + b"Content-Length: +4\r\n\r\nrate",
    _POST + b"Content-Length: 99999999999999999999\r\n\r\nrate",
    _POST + b"Content-Length: 400\r\n\r\nrate",
    _POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nrate",
    _POST + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n",
    _POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\nrate",
    _GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    _GET + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    _GET + b"X: a\r\n folded\r\n\r\n",
    _GET.replace(b"\r\n", b"\n") + b"\n",
    b"GET http://elsewhere/v1/apps/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /healthz\r\n",
    b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(40),
    _GET + _HANDSHAKE + b"\r\n",
    _POST + _HANDSHAKE + b"Content-Length: 4\r\n\r\nrate",
)
_SETTINGS = (
    "type", "rate", "format", "window_ms", "hop_ms", "silence_db", "smoothing", "threshold", "thresholds",
    "refractory_ms", "ignore", "scores", "x",
)  # fmt: skip
_USUAL = ("end", "s16le", "f32le", 8000, 16_000, 192_000, 20, 1000, 0.5, -60, ["alpha"], {"alpha": 0.1})
_ENDS = ("wait", "half-close", "close", "reset")
_STALLS = (
    b"",
    b"G",
    _GET,
    _GET + b"\r\n" + _GET,
    _POST + b"Content-Length: 50\r\n\r\n",
    _POST + b"Content-Length: 50\r\n\r\nhalf",
    _POST.replace(b"text/plain", b"image/png") + b"Content-Length: 50\r\n\r\nhalf",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf",
    _CHUNKED,
    _CHUNKED + b"4\r\nrate\r\n",
    _CHUNKED + b"4\r\nrate\r\n0\r\nTrail",
    _GET + _HANDSHAKE,
    b"POST /v1/apps/text:swap HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n",
    b"POST /v2/models/text/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{",
)


def words() -> st.SearchStrategy[tuple[Sequence[bytes], str]]:
    """Bytes in one to three pieces, and how the connection ends."""
    whole = st.one_of(
        st.sampled_from(_WORDS), st.builds(changed, st.sampled_from(_WORDS), some_changes()), st.binary(max_size=200)
    )
    cuts = st.lists(st.floats(0, 1), max_size=2).map(sorted)
    return st.tuples(st.builds(_pieces, whole, cuts), st.sampled_from(_ENDS))


def said(port: int, pieces: Sequence[bytes], end: str) -> bytes:
    """What the server says to these bytes, until it closes or is quiet for a while."""
    line = socket.create_connection(("127.0.0.1", port), timeout=_QUIET)
    with line, suppress(OSError):
        for piece in pieces:
            line.sendall(piece)
        if end == "half-close":
            line.shutdown(socket.SHUT_WR)
        if end == "reset":
            reset(line)
        if end in ("wait", "half-close"):
            return _heard(line)
    return b""


def judge(seen: Seen, sent: bytes, heard: bytes) -> None:
    """Count what was sent, and each answer that was heard."""
    try:
        found = answers(heard).replies
    except ValueError as error:
        seen.add(sent, None, [f"what the server says is HTTP ({error})"])
        return
    wrong = [fault for reply in found for fault in faults(reply)]
    seen.add(sent, found[0] if found else None, sorted(set(wrong)))


def stalled(port: int, seen: Seen) -> None:
    """Let many connections stop in the middle, all at once; each must be closed, with 408 where a request had begun."""
    with ThreadPoolExecutor(len(_STALLS)) as pool:
        heard = list(pool.map(lambda sent: _until_closed(port, sent), _STALLS))
    for sent, (told, closed) in zip(_STALLS, heard, strict=True):
        replies = answers(told).replies
        wrong = [fault for reply in replies for fault in faults(reply)]
        seen.add(sent, replies[-1] if replies else None, wrong if closed else ["what stops is closed"])


def streams() -> st.SearchStrategy[tuple[str, Sequence[bytes], str]]:
    """The path of a stream or of none, frames for it, and how the connection ends."""
    others = [*(f"/v1/apps/{name}/stream" for name in TASKS), "/", "/nowhere", "/v1/apps/audio/predict"]
    paths = st.one_of(st.just("/v1/apps/audio/stream"), st.just("/v1/apps/audio/stream"), st.sampled_from(others))
    return st.tuples(paths, st.lists(_frames(), max_size=6), st.sampled_from(_ENDS))


def streamed(
    port: int, path: str, frames: Sequence[bytes], *, end: str, key: bytes = b""
) -> tuple[Reply | None, bytes]:
    """The answer to the handshake, and what follows it."""
    line = socket.create_connection(("127.0.0.1", port), timeout=_STALLED)
    begun, heard = None, b""
    with line, suppress(OSError):
        told = b"Authorization: Bearer " + key + b"\r\n" if key else b""
        line.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\n" + told + _HANDSHAKE + b"\r\n")
        begun = _first(line)
        line.settimeout(_QUIET)
        for frame in frames if begun is not None and begun.status == 101 else ():
            line.sendall(frame)
        if end == "reset":
            reset(line)
        heard = _heard(line) if end in ("wait", "half-close") else b""
    return begun, heard


def frame_faults(heard: bytes) -> list[str]:
    """What is wrong with the frames that a server sent."""
    while len(heard) >= 2:
        code, length = heard[0] & 15, heard[1]
        start = 2 + {126: 2, 127: 8}.get(length, 0)
        size = int.from_bytes(heard[2:start]) if start > 2 else length
        body, heard = heard[start : start + size], heard[start + size :]
        if code == 1 and len(body) == size and not _is_message(body):
            return ["a stream tells JSON"]
        if code == 8 and body[:2] == struct.pack(">H", 1011):
            return ["a stream meets no bug"]
    return []


def _frames() -> st.SearchStrategy[bytes]:
    values = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.sampled_from(_USUAL)
    )
    settings = st.dictionaries(st.sampled_from(_SETTINGS), values, max_size=4)
    texts = st.one_of(settings.map(lambda value: json.dumps(value).encode()), st.just(b'{"type": "end"}'), st.binary())
    sound = st.integers(0, 40_000).map(lambda size: base64.b64encode(bytes(size))[:size])
    right = st.one_of(texts.map(lambda body: frame(1, body)), sound.map(lambda body: frame(2, body)))
    odd = st.builds(
        _odd_frame, st.integers(0, 255), body=st.binary(max_size=200), length=st.sampled_from([0, 1, 2**20, 2**63])
    )
    return st.one_of(right, right, odd, st.builds(changed, right, some_changes()), st.binary(max_size=50))


def frame(code: int, body: bytes) -> bytes:
    """A whole frame as a client sends it, masked by zeros."""
    return _head(0x80 | code, len(body)) + bytes(4) + body


def _odd_frame(first: int, *, body: bytes, length: int) -> bytes:
    return _head(first, length or len(body)) + b"mask" + body


def _head(first: int, length: int) -> bytes:
    if length < 126:
        return bytes([first, 0x80 | length])
    return bytes([first, 0x80 | 126]) + struct.pack(">H", length) if length < 2**16 else _long(first, length)


def _long(first: int, length: int) -> bytes:
    return bytes([first, 0x80 | 127]) + struct.pack(">Q", length)


def _pieces(whole: bytes, cuts: Sequence[float]) -> list[bytes]:
    places = [0, *(int(cut * len(whole)) for cut in cuts), len(whole)]
    return [whole[start:end] for start, end in zip(places, places[1:], strict=False)]


def _heard(line: socket.socket) -> bytes:
    heard = b""
    with suppress(OSError):
        while len(heard) < _TOO_MUCH and (part := line.recv(65_536)):
            heard += part
    return heard


def _first(line: socket.socket) -> Reply | None:
    """The answer to a handshake, byte by byte, so that no frame is taken with it."""
    heard = b""
    while not answers(heard).replies:
        part = line.recv(1)
        if not part:
            return None
        heard += part
    return answers(heard).replies[0]


def _until_closed(port: int, sent: bytes) -> tuple[bytes, bool]:
    """What the server says before it closes the connection, and whether it does."""
    with socket.create_connection(("127.0.0.1", port), timeout=_STALLED) as line:
        heard = b""
        try:
            line.sendall(sent)
            while part := line.recv(65_536):
                heard += part
        except ConnectionError:
            return heard, True
        except TimeoutError:
            return heard, False
        return heard, True


def _is_message(body: bytes) -> bool:
    try:
        told: Any = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and "type" in told
