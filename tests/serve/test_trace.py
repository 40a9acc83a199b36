"""Spans of requests: sent to a collector that stands in for a real one, over HTTP."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from lepton.core.errors import UserError
from lepton.serve import _trace

APP = Path(__file__).parents[1] / "bundle" / "apps" / "v1" / "text-classification"


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    taken: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        """Take a request."""
        self.taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Collector.taken.clear()
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(environment: dict[str, str]) -> str:
    """Serve with more in the environment, ask once and once for health, and give what the server printed."""
    command = [sys.executable, "-m", "lepton.cli", "serve", f"text={APP}", "--port", "0"]
    given = {**os.environ, **environment}
    with subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        place = process.stderr.readline().split("http://")[1].split()[0].rstrip("/")
        body = urllib.request.Request(
            f"http://{place}/v1/apps/text/predict", b"rate", {"Content-Type": "text/plain"}, method="POST"
        )
        with urllib.request.urlopen(body, timeout=20) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"http://{place}/healthz", timeout=20) as answer:
            assert answer.status == 200
        process.terminate()
        return process.communicate(timeout=30)[0]


def test_spans_reach_a_collector(collector: str) -> None:
    trace = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    ask({"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_SERVICE_NAME": "shop"})
    paths = {path for path, _ in Collector.taken}
    assert paths == {"/v1/traces"}
    requests = [trace.ExportTraceServiceRequest.FromString(body) for _, body in Collector.taken]
    resources = [resource for request in requests for resource in request.resource_spans]
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert [span.name for span in spans] == ["POST /v1/apps/text/predict"]
    named = {item.key: item.value.string_value for item in resources[0].resource.attributes}
    assert named["service.name"] == "shop"


def test_spans_are_printed_where_that_is_asked_for() -> None:
    pytest.importorskip("opentelemetry.sdk")
    printed = ask({"OTEL_TRACES_EXPORTER": "console"})
    assert printed.count('"trace_id"') == 1
    assert "/v1/apps/text/predict" in printed


def test_without_an_exporter_nothing_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(*_: object) -> None: ...

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert _trace.traced(app) is app
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(UserError, match="names no exporter"):
        _trace.traced(app)
