import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lepton.runtime.app import load
from lepton.serve._front import ACCESS
from lepton.serve._log import Lines, _is_fault
from lepton.serve.application import application

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines())
    root = logging.getLogger("lepton")
    root.addHandler(handler)
    ACCESS.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    ACCESS.setLevel(logging.NOTSET)


def told(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_request_is_one_line_that_bears_its_id(lines: io.StringIO) -> None:
    with TestClient(application({"text": load(APP)})) as client:
        headers = {"content-type": "text/plain", "x-request-id": "order-17"}
        reply = client.post("/v1/apps/text/predict", content=b"rate", headers=headers)
    assert reply.headers["x-request-id"] == "order-17"
    (line,) = told(lines)
    assert line["id"] == "order-17"
    assert (line["app"], line["status"], line["message"]) == ("text", 200, "/v1/apps/text/predict")
    assert isinstance(line["ms"], float)
    assert str(line["time"]).endswith("Z")


@pytest.mark.parametrize("given", ["", "a b", "x" * 200, 'a"b', "new\tline"])
def test_an_id_that_is_not_plain_is_replaced(given: str) -> None:
    with TestClient(application({"text": load(APP)})) as client:
        ids = [client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"] for _ in range(2)]
    assert given not in ids
    assert len(set(ids)) == 2


def test_a_bug_is_logged_with_its_traceback(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    with TestClient(application({"text": load(APP)}), raise_server_exceptions=False) as client:
        monkeypatch.setattr("lepton.serve._inputs._content_type", lambda header: 1 / 0)
        assert client.post("/v1/apps/text/predict", content=b"rate").status_code == 500
    line = next(line for line in told(lines) if line["level"] == "error")
    assert "ZeroDivisionError" in str(line["traceback"])


@pytest.mark.parametrize(("error", "told"), [("the handler is closed", False), ("a bug of ours", True)])
def test_a_client_that_resets_the_connection_is_no_fault(error: str, told: bool) -> None:
    raised = RuntimeError(f"unable to go on; {error}")
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "", None, (RuntimeError, raised, None))
    assert _is_fault(record) is told
