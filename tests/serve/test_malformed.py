"""Malformed requests: each gets a 4xx with one clear message, and the server answers the next one."""

import base64
import io
import json
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lepton.runtime.app import load
from lepton.serve._limits import Limits
from lepton.serve.application import application

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TASKS = {"image": "image-classification", "text": "text-classification", "audio": "audio-classification"}
KINDS = {"image": "image/png", "text": "text/plain", "audio": "audio/wav"}
LIMITS = Limits(body=20_000, inputs=5)


class Ask(NamedTuple):
    """A request, and the status that is its due."""

    status: int
    path: str
    body: bytes = b"x"
    headers: dict[str, str] = {"content-type": "text/plain"}
    method: str = "POST"


def raw(app: str, body: bytes, status: int = 422, kind: str | None = None, **headers: str) -> Ask:
    given = {"content-type": KINDS[app] if kind is None else kind, **headers}
    return Ask(status, f"/v1/apps/{app}/predict", body, {name: text for name, text in given.items() if text})


def form(body: Any, status: int = 422, app: str = "text") -> Ask:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw(app, data, status, "application/json")


def media(item: str) -> Ask:
    return form({"inputs": [item]}, app="image")


def named(app: str, rest: str = "/predict", method: str = "POST", status: int = 404) -> Ask:
    return Ask(status, f"/v1/apps/{app}{rest}", method=method)


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, "PNG")
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(size: tuple[int, int], *chunks: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG whose header says `size`, with a few pixels whatever it says."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(chunks)
        + chunk(b"IDAT", zlib.compress(bytes(72)))
        + chunk(b"IEND", b"")
    )


def wav(
    data: bytes = bytes(80), *, size: int = 80, tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16
) -> bytes:
    layout = struct.pack("<IHHIIHH", 16, tag, channels, rate, rate * 2 % 2**32, bits // 8, bits)
    body = b"fmt " + layout + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def floats(value: float) -> bytes:
    return wav(np.full(20, value, np.float32).tobytes(), tag=3, bits=32)


BOMB = zlib.compress(bytes(8 * 2**20))
CODED = base64.b64encode(png()).decode()
REQUESTS = {
    "image: empty": raw("image", b"", 400),
    "image: one zero byte": raw("image", b"\0"),
    "image: only the mark of PNG": raw("image", png()[:8]),
    "image: a PNG cut in its header": raw("image", png()[:20]),
    "image: a PNG cut in its pixels": raw("image", png()[:50]),
    "image: a PNG with a wrong checksum": raw("image", png()[:18] + b"\xff" + png()[19:]),
    "image: a PNG of huge dimensions": raw("image", png_of((2**31 - 1, 2**31 - 1))),
    "image: a PNG of large dimensions": raw("image", png_of((60_000, 60_000))),
    "image: a PNG of one endless row": raw("image", png_of((10_000_000, 1))),
    "image: a PNG without area": raw("image", png_of((0, 0))),
    "image: a PNG of seven bits": raw("image", png_of((8, 8), depth=7)),
    "image: a PNG with colours and no palette": raw("image", png_of((8, 8), colour=3)),
    "image: a PNG with a text that unpacks to megabytes": raw("image", png_of((8, 8), chunk(b"zTXt", b"a\0\0" + BOMB))),
    "image: a PNG with too few pixels": raw("image", png_of((400, 400))),
    "image: a JPEG of three bytes": raw("image", b"\xff\xd8\xff"),
    "image: a JPEG with an endless block": raw("image", b"\xff\xd8\xff\xe1\xff\xff"),
    "image: a GIF cut off": raw("image", b"GIF89a\x01"),
    "image: a GIF of huge dimensions": raw("image", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;"),
    "image: a BMP of huge dimensions": raw(
        "image", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 100, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, *[0] * 6)
    ),
    "image: a TIFF that ends in its directory": raw("image", b"II*\0\x08\0\0\0\xff\xff"),
    "image: a WebP of a header": raw("image", b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0"),
    "image: a PNM of huge dimensions": raw("image", b"P5 99999999999 99999999999 255\n"),
    "image: a PNM of less than nothing": raw("image", b"P5 -1 -1 255\n"),
    "image: a drawing": raw("image", b"<svg xmlns='http://www.w3.org/2000/svg'/>", kind="image/svg+xml"),
    "image: PostScript": raw("image", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "image: an archive": raw("image", b"PK\3\4" + bytes(99), kind="application/octet-stream"),
    "image: a recording": raw("image", wav(), kind="application/octet-stream"),
    "image: a page": raw("image", b"<html>", 415, "text/html"),
    "audio: empty": raw("audio", b"", 400),
    "audio: only the mark of WAV": raw("audio", b"RIFF"),
    "audio: a WAV cut in its header": raw("audio", wav()[:30]),
    "audio: a WAV without samples": raw("audio", wav(b"", size=0)),
    "audio: a WAV without channels": raw("audio", wav(channels=0)),
    "audio: a WAV of 65,535 channels": raw("audio", wav(channels=65_535)),
    "audio: a WAV of no rate": raw("audio", wav(rate=0)),
    "audio: a WAV of one sample a second": raw("audio", wav(rate=1)),
    "audio: a WAV of a huge rate": raw("audio", wav(rate=2**32 - 1)),
    "audio: a WAV of no bits": raw("audio", wav(bits=0)),
    "audio: a WAV of an unknown coding": raw("audio", wav(tag=0x7777)),
    "audio: a WAV of no numbers": raw("audio", floats(np.nan)),
    "audio: a WAV of infinities": raw("audio", floats(np.inf)),
    "audio: a FLAC of a mark": raw("audio", b"fLaC" + bytes(30)),
    "audio: an OGG of a mark": raw("audio", b"OggS" + bytes(30)),
    "audio: an AIFF that is too long": raw("audio", b"FORM\xff\xff\xff\xffAIFF" + bytes(30)),
    "audio: a format that is not taken": raw("audio", b".snd" + struct.pack(">IIIII", 24, 8, 3, 8000, 1) + bytes(8)),
    "audio: a picture": raw("audio", png()),
    "text: empty": raw("text", b"", 400),
    "text: white space": raw("text", b" \n\t"),
    "text: only a byte-order mark": raw("text", b"\xef\xbb\xbf"),
    "text: not UTF-8": raw("text", b"\xff\xfe\xff", 400),
    "text: half a surrogate pair": raw("text", b"\xed\xa0\x80", 400),
    "text: half a character of UTF-16": raw("text", b"\xd8\0x", 400, "text/plain; charset=utf-16"),
    "text: bytes that are no big5": raw("text", b"\xff\xff", 400, "text/plain; charset=big5"),
    "text: an unknown charset": raw("text", b"x", 415, "text/plain; charset=klingon"),
    "text: a codec that is no charset": raw("text", b"x", 415, "text/plain; charset=base64"),
    "text: a codec that runs escapes": raw("text", b"\\x41", 415, "text/plain; charset=unicode_escape"),
    "text: a picture": raw("text", png(), 415, "image/png"),
    "text: too long": raw("text", b"x" * (LIMITS.body + 1), 413),
    "type: none": raw("text", b"x", 415, ""),
    "type: a word": raw("text", b"x", 415, "nonsense"),
    "type: half of one": raw("text", b"x", 415, "text/"),
    "type: anything": raw("text", b"x", 415, "*/*"),
    "type: two": raw("text", b"x", 415, "text/plain, application/json"),
    "type: semicolons": raw("text", b"x", 415, ";;"),
    "type: endless": raw("text", b"x", 415, "x" * 5000),
    "type: a form": raw("text", b"inputs=x", 415, "application/x-www-form-urlencoded"),
    "type: a form of parts": raw("text", b"--x--", 415, "multipart/form-data; boundary=x"),
    "type: XML": raw("text", b"<inputs/>", 415, "application/xml"),
    "coding: packed": raw("text", b"\x1f\x8b", 415, **{"content-encoding": "gzip"}),
    "coding: packed twice": raw("text", b"\x1f\x8b", 415, **{"content-encoding": "gzip, br"}),
    "json: empty": form(b"", 400),
    "json: white space": form(b" ", 400),
    "json: cut off": form(b'{"inputs": ["a"', 400),
    "json: not UTF-8": form(b"\xff", 400),
    "json: in UTF-16": form('{"inputs": "a"}'.encode("utf-16"), 400),
    "json: two of them": form(b'{"inputs": "a"} {"inputs": "b"}', 400),
    "json: single quotes": form(b"{'inputs': 'a'}", 400),
    "json: a comma too many": form(b'{"inputs": ["a",]}', 400),
    "json: a comment": form(b'// x\n{"inputs": "a"}', 400),
    "json: no number": form(b'{"inputs": NaN}', 400),
    "json: a zero byte": form(b'{"inputs": "a\0b"}', 400),
    "json: half a surrogate pair": form(b'{"inputs": "\\ud800"}', 400),
    "json: nested without end": form(b"[" * 9000),
    "json: objects nested without end": form(b'{"inputs":' * 1500),
    "json: a number of 9,000 digits": form(b'{"inputs": ' + b"1" * 9000 + b"}"),
    "json: null": form(None),
    "json: a list": form(["a"]),
    "json: a text": form("a"),
    "json: no inputs": form({}),
    "json: a misspelt key": form({"input": "a"}),
    "json: a key too many": form({"inputs": "a", "parameters": {}}),
    "json: inputs that are null": form({"inputs": None}),
    "json: inputs that are a number": form({"inputs": 1}),
    "json: inputs that are an object": form({"inputs": {"text": "a"}}),
    "json: a list in the list": form({"inputs": [["a"]]}),
    "json: a number in the list": form({"inputs": ["a", 1]}),
    "json: no input in the list": form({"inputs": []}),
    "json: too many inputs": form({"inputs": ["a"] * (LIMITS.inputs + 1)}, 413),
    "json: an empty text": form({"inputs": ["a", ""]}),
    "base64: stars": media("***"),
    "base64: too short": media(CODED[:-1]),
    "base64: of the other alphabet": media("-_-_"),
    "base64: letters of Greek": media("\N{GREEK SMALL LETTER ALPHA}" * 4),
    "base64: only padding": media("===="),
    "base64: nothing": media(""),
    "base64: a data URL without data": media("data:image/png;base64"),
    "base64: a data URL that is not base64": media("data:image/png,%89PNG"),
    "base64: an address": media("http://localhost/x.png"),
    "base64: a path": media("/etc/passwd"),
    "base64: a path as a URL": media("file:///etc/passwd"),
    "base64: words": media(base64.b64encode(b"words").decode()),
    "base64: half a picture": media(base64.b64encode(png()[:40]).decode()),
    "app: unknown": named("none"),
    "app: in capitals": named("TEXT"),
    "app: with a space": named("%20text"),
    "app: with a zero byte": named("text%00"),
    "app: with a line's end": named("text%0a"),
    "app: the folder above": named("%2e%2e"),
    "app: a path upwards": named("..%2f..%2fetc%2fpasswd"),
    "app: a path upwards, of another system": named("..%5c..%5ctext"),
    "app: an absolute path": named("%2fetc%2fpasswd"),
    "app: not UTF-8": named("%ff"),
    "app: a name of the code": named("__class__"),
    "app: braces": named("%7B0.__class__%7D"),
    "app: percent signs": named("%25s%25n"),
    "app: endless": named("a" * 5000),
    "app: none": named(""),
    "app: a slash too many": named("text", "/predict/"),
    "app: its manifest": named("text", "/manifest.json", "GET"),
    "app: asked with GET": named("text", method="GET", status=405),
    "app: put": named("text", method="PUT", status=405),
    "app: deleted": named("text", "", "DELETE", 405),
    "path: unknown": Ask(404, "/v9/apps", method="GET"),
    "path: braces": Ask(404, "/%7B%7D", method="GET"),
    "path: a file": Ask(404, "/..%2f..%2fetc%2fpasswd", method="GET"),
    "path: a method of its own": Ask(405, "/healthz", method="SMELL"),
}
LINE = b"POST /v1/apps/text/predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nConnection: close\r\n"
WIRE = {
    "noise": bytes(range(256)) + b"\r\n\r\n",
    "the start of TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
    "one word": b"HELLO\r\n\r\n",
    "a version from the future": b"GET /healthz HTTP/9.9\r\n\r\n",
    "a space in a header's name": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX Long: y\r\n\r\n",
    "a path upwards": b"GET /v1/apps/../../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
    "a zero byte in a header": b"GET /healthz HTTP/1.1\r\nHost: x\0y\r\n\r\n",
    "a length that is negative": LINE + b"Content-Length: -5\r\n\r\nhello",
    "a length that is a word": LINE + b"Content-Length: five\r\n\r\nhello",
    "two lengths": LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a length above the limit": LINE + b"Content-Length: 99999999999\r\n\r\nhello",
    "a piece of no length": LINE + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
}


def test_there_are_many() -> None:
    assert (len(REQUESTS), len(WIRE)) == (136, 13)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    apps = {name: load(APPS / task) for name, task in TASKS.items()}
    with TestClient(application(apps, limits=LIMITS), follow_redirects=False) as found:
        yield found


@pytest.mark.parametrize("name", REQUESTS)
def test_a_malformed_request_gets_a_problem(client: TestClient, name: str) -> None:
    ask = REQUESTS[name]
    reply = client.request(ask.method, ask.path, content=ask.body, headers=ask.headers)
    assert reply.status_code == ask.status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert told["status"] == ask.status
    assert 10 < len(told["detail"]) < 600
    assert "Traceback" not in reply.text
    assert client.post("/v1/apps/text/predict", json={"inputs": "rate"}).status_code == 200


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server of its own, which must not have told of any bug."""
    command = [sys.executable, "-m", "lepton.cli", "serve", f"text={APPS / TASKS['text']}", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield int(process.stderr.readline().split("http://127.0.0.1:")[1].split()[0])
        process.terminate()
        assert "Traceback" not in process.stderr.read()


def told(port: int, sent: bytes) -> bytes:
    """What the server says to `sent` before it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(sent)
        return b"".join(iter(lambda: line.recv(65_536), b""))


@pytest.mark.parametrize("name", WIRE)
def test_what_is_hardly_http_is_refused(server: int, name: str) -> None:
    assert told(server, WIRE[name]).startswith(b"HTTP/1.1 4")
    assert told(server, LINE + b"Content-Length: 4\r\n\r\nrate").startswith(b"HTTP/1.1 200")


def test_a_body_that_breaks_off_harms_nobody(server: int) -> None:
    with socket.create_connection(("127.0.0.1", server), timeout=20) as line:
        line.sendall(LINE + b"Content-Length: 500\r\n\r\nhello")
    assert told(server, LINE + b"Content-Length: 4\r\n\r\nrate").startswith(b"HTTP/1.1 200")
