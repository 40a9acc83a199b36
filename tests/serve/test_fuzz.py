"""Requests that hypothesis makes: whatever comes, the answer is a right one or a problem, and nothing stays behind.

`benchmarks/serving/fuzz.py` sends many more of them to a real server.
"""

import asyncio
import base64
import gc
import io
import json
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from lepton.runtime.app import load
from lepton.serve._limits import Limits
from lepton.serve.application import application

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
TASKS = {
    "image": "image-classification",
    "text": "text-classification",
    "entities": "token-classification",
    "audio": "audio-classification",
}
LIMITS = Limits(body=200_000, inputs=8)
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
OCTETS = {"content-type": "application/octet-stream"}


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(stream, kind)
    return stream.getvalue()


def recording() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(np.arange(400, dtype="<i2").tobytes())
    return stream.getvalue()


FILES = [*(("image", picture(kind)) for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")), ("audio", recording())]
TENSOR = {"name": "raw", "datatype": "BYTES", "shape": [1], "data": ["rate"]}
PIXELS = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 8, 8], "data": [7] * 64}
IDS = [{"name": name, "datatype": "INT64", "shape": [1, 2], "data": [2, 3]} for name in ("input_ids", "attention_mask")]
VALID = [("text", [TENSOR]), ("entities", [TENSOR]), ("image", [PIXELS]), ("text", IDS)]

changes = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=4)), max_size=5)
words = st.one_of(st.text(max_size=20), st.sampled_from(["", "\0", "\ud800", "/etc/passwd", "raw", "BYTES", "FP16"]))
numbers = st.one_of(
    st.integers(), st.integers(-2, 300), st.floats(), st.sampled_from([2**63, 2**64, 10**300, -(2**63)])
)
leaves = st.one_of(st.none(), st.booleans(), numbers, words)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3), max_leaves=12
)
headers = st.dictionaries(
    st.sampled_from(["x-request-id", "authorization", "content-encoding", "inference-header-content-length"]),
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30),
        st.sampled_from(["9" * 5000, "0" * 19 + "1" + "0" * 5000, "-1", "1", "Bearer "]),
    ),
    max_size=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def served() -> ASGIApp:
    return application({name: load(APPS / task) for name, task in TASKS.items()}, limits=LIMITS)


@pytest.fixture(scope="module")
def client(served: ASGIApp) -> Iterator[TestClient]:
    with TestClient(served, follow_redirects=False, raise_server_exceptions=False) as found:
        yield found


def changed(data: bytes, edits: Sequence[tuple[float, int, bytes]]) -> bytes:
    """Some bytes overwritten, put in, left out or cut off."""
    for where, kind, piece in edits:
        place = int(where**3 * len(data))
        skipped = (len(piece), 0, len(piece), len(data))[kind]
        data = data[:place] + (piece if kind < 2 else b"") + data[place + skipped :]
    return data


def post(client: TestClient, path: str, body: bytes, more: dict[str, str] = OCTETS) -> int:
    """The status of an answer that keeps every promise."""
    return promised(client, "POST", path, body=body, more=more)


def promised(client: TestClient, method: str, path: str, *, body: bytes, more: dict[str, str]) -> int:
    reply = client.request(
        method, path, content=body, headers={name: text.encode("latin-1") for name, text in more.items()}
    )
    assert reply.status_code < 500 or (reply.status_code == 503 and reply.headers["retry-after"].isdigit()), reply.text
    assert reply.headers["x-request-id"].isascii()
    if reply.status_code >= 400 and method != "HEAD":
        told = reply.json()
        assert reply.headers["content-type"] == "application/problem+json"
        assert told["status"] == reply.status_code
        assert told["title"]
        assert told["detail"]
        assert "Traceback" not in reply.text
        assert "object at 0x" not in reply.text
    elif reply.headers.get("content-type") == "application/json" and method != "HEAD":
        reply.json()
    return reply.status_code


@QUICK
@given(st.sampled_from(FILES), changes, st.booleans())
def test_files_with_changed_bytes(client: TestClient, file: tuple[str, bytes], edits: list[Any], coded: bool) -> None:
    name, data = file[0], changed(file[1], edits)
    body = json.dumps({"inputs": [base64.b64encode(data).decode()]}).encode() if coded else data
    kind = "application/json" if coded else "application/octet-stream"
    status = post(client, f"/v1/apps/{name}/predict", body, {"content-type": kind})
    assert status in (200, 400, 422)
    assert status == 200 or edits


@QUICK
@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)),
    st.from_regex(r"(utf|latin|cp|windows|iso|koi8|gb|euc|big|x)[-_a-z0-9]{0,9}", fullmatch=True),
)
def test_texts_in_any_charset(client: TestClient, body: bytes, charset: str) -> None:
    kind = {"content-type": f"text/plain; charset={charset}"}
    assert post(client, "/v1/apps/text/predict", body, kind) in (200, 400, 415, 422)


@QUICK
@given(values, changes)
def test_json_of_any_form(client: TestClient, value: Any, edits: list[Any]) -> None:
    for body in (
        json.dumps(value).encode(),
        json.dumps({"inputs": value}).encode(),
        changed(b'{"inputs": ["a"]}', edits),
    ):
        status = post(client, "/v1/apps/entities/predict", body, {"content-type": "application/json"})
        assert status in (200, 400, 413, 422)


@QUICK
@given(
    st.sampled_from(VALID),
    st.integers(0, 7),
    st.sampled_from(["name", "datatype", "shape", "data", "parameters"]),
    values,
)
def test_tensors_with_another_member(
    client: TestClient, valid: tuple[str, list[dict[str, Any]]], place: int, member: str, value: Any
) -> None:
    name, tensors = valid
    other = [{**one, member: value} if index == place % len(tensors) else one for index, one in enumerate(tensors)]
    assert post(client, f"/v2/models/{name}/infer", json.dumps({"inputs": other}).encode()) in (200, 400, 413, 422)


@QUICK
@given(
    changes,
    st.integers(-9, 9),
    st.one_of(st.none(), st.sampled_from(["", "-1", "1e3", "9" * 5000, "0" * 19 + "1" + "0" * 5000])),
)
def test_tensors_in_bytes_of_wrong_lengths(client: TestClient, edits: list[Any], wrong: int, told: str | None) -> None:
    tensor = {
        "name": "image",
        "datatype": "UINT8",
        "shape": [1, 1, 8, 8],
        "parameters": {"binary_data_size": 64 + wrong},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    length = {"inference-header-content-length": str(len(head)) if told is None else told}
    status = post(client, "/v2/models/image/infer", head + changed(bytes(64), edits), {**OCTETS, **length})
    assert status in (200, 400)


@QUICK
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    st.one_of(
        st.sampled_from(["/", "/healthz", "/v1/apps", "/v1/apps/text", "/v2/models/text", "/v2/models/text/infer"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: "/v1/apps/" + text),
    ),
    headers,
)
def test_any_place_with_any_headers(client: TestClient, method: str, path: str, more: dict[str, str]) -> None:
    safe = "".join(
        letter if letter.isalnum() or letter in "/:-." else f"%{byte:02x}"
        for letter in path
        for byte in letter.encode()[:1]
    )
    promised(client, method, safe, body=b"" if method in ("GET", "HEAD") else b"rate", more=more)


async def asked(served: ASGIApp, path: str, body: bytes, kind: str) -> int:
    """The status of one answer, without a client between that would keep anything."""
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> Message:
        if not waiting:
            await gone.wait()
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", kind.encode())]}
    await served({**scope, "query_string": b"", "http_version": "1.1"}, receive, send)
    gone.set()
    await asyncio.sleep(0.02)
    return int(sent[0]["status"])


BAD_IDS = [{**IDS[0], "data": [10**9, 0]}, IDS[1]]
REFUSED = {
    "a broken picture": ("/v1/apps/image/predict", b"GIF89a" + bytes(100_000), "image/gif"),
    "a broken recording": ("/v1/apps/audio/predict", b"RIFF" + bytes(100_000), "audio/wav"),
    "no text": ("/v1/apps/text/predict", b" " * 100_000, "text/plain"),
    "broken JSON": ("/v1/apps/text/predict", b"[" * 100_000, "application/json"),
    "no base64": ("/v1/apps/image/predict", b'{"inputs": ["*"]}', "application/json"),
    "another type": ("/v1/apps/text/predict", bytes(100_000), "image/png"),
    "too much": ("/v1/apps/text/predict", bytes(300_000), "text/plain"),
    "tensors that do not fit": (
        "/v2/models/text/infer",
        json.dumps({"inputs": [PIXELS]}).encode(),
        OCTETS["content-type"],
    ),
    "tensors that cannot be computed": (
        "/v2/models/text/infer",
        json.dumps({"inputs": BAD_IDS}).encode(),
        OCTETS["content-type"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_request_leaves_nothing_for_the_collector(served: ASGIApp, name: str) -> None:
    """What only the collector can free stays long where little else is made; a body of 16 MB can be among it."""

    async def both() -> tuple[int, int]:
        await asked(served, *REFUSED[name])
        gc.collect()
        gc.disable()
        status = await asked(served, *REFUSED[name])
        return status, gc.collect()

    try:
        status, found = asyncio.run(both())
    finally:
        gc.enable()
    assert 400 <= status < 500
    assert found < 20
