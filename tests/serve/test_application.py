import base64
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from lepton.bundle import golden
from lepton.core import plugins
from lepton.runtime.app import App, load
from lepton.serve import _engine
from lepton.serve._json import encode
from lepton.serve._limits import Limits
from lepton.serve.application import application

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
SVG = "http://www.w3.org/2000/svg"
"""A name, which no browser fetches."""
LIMITS = Limits(body=20_000, inputs=5)


@pytest.fixture(scope="module")
def apps() -> dict[str, App]:
    names = {"image": "image-classification", "text": "text-classification", "entities": "token-classification"}
    return {name: load(APPS / task) for name, task in {**names, "audio": "audio-classification"}.items()}


@pytest.fixture(scope="module")
def client(apps: dict[str, App]) -> Iterator[TestClient]:
    with TestClient(application(apps, limits=LIMITS), raise_server_exceptions=False) as found:
        yield found


def png() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, "PNG")
    return stream.getvalue()


def post(client: TestClient, app: str, content: Any, kind: str | None = None, **headers: str) -> Any:
    given_headers = {**headers, **({"content-type": kind} if kind else {})}
    return client.post(f"/v1/apps/{app}/predict", content=content, headers=given_headers)


def problem(reply: Any, status: int) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= body.keys()
    return dict(body)


def approximately(answer: Any, expected: Any) -> bool:
    return not list(golden.differences(json.loads(encode(expected)), answer, 1e-6))


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "apps": ["image", "text", "entities", "audio"]}


def test_apps_are_listed_and_described(client: TestClient, apps: dict[str, App]) -> None:
    listed = client.get("/v1/apps").json()["apps"]
    assert [item["task"] for item in listed] == [app.task for app in apps.values()]
    found = client.get("/v1/apps/text").json()
    assert found["id"] == apps["text"].bundle.id
    assert found["classes"] == ["alpha", "beta", "gamma"]
    assert found["card"].startswith("# tiny")


def test_names_in_the_list_are_those_of_the_routes(client: TestClient) -> None:
    for item in client.get("/v1/apps").json()["apps"]:
        assert client.get(f"/v1/apps/{item['name']}").status_code == 200


@pytest.mark.parametrize("kind", ["image/png", "image/x-anything", "application/octet-stream"])
def test_a_picture_is_answered(client: TestClient, apps: dict[str, App], kind: str) -> None:
    reply = post(client, "image", png(), kind)
    assert reply.status_code == 200
    assert approximately(reply.json(), apps["image"].brief(apps["image"].predict(png())))


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN;charset=UTF-8"])
def test_a_text_is_answered(client: TestClient, apps: dict[str, App], kind: str) -> None:
    reply = post(client, "text", "Zoë pays".encode(), kind)
    assert approximately(reply.json(), apps["text"].predict("Zoë pays"))


def test_a_text_in_another_charset_is_answered(client: TestClient, apps: dict[str, App]) -> None:
    reply = post(client, "text", "Zoë".encode("latin-1"), "text/plain; charset=iso-8859-1")
    assert approximately(reply.json(), apps["text"].predict("Zoë"))


def test_golden_answers_come_over_http(client: TestClient, apps: dict[str, App]) -> None:
    seen = 0
    for name, app in apps.items():
        for raw, item in golden.read(app.bundle):
            content = raw.encode() if isinstance(raw, str) else raw
            kind = "text/plain" if isinstance(raw, str) else "application/octet-stream"
            assert approximately(post(client, name, content, kind).json(), app.brief(item.answer))
            seen += 1
    assert seen > 10


def test_json_gives_one_answer_for_one_input_and_a_list_for_a_list(client: TestClient, apps: dict[str, App]) -> None:
    one = client.post("/v1/apps/text/predict", json={"inputs": "rate"}).json()
    many = client.post("/v1/apps/text/predict", json={"inputs": ["rate", "我的卡在哪里"]}).json()
    assert approximately(one, apps["text"].predict("rate"))
    assert approximately(many[0], apps["text"].predict("rate"))
    assert len(many) == 2


def test_json_takes_media_as_base64_and_as_data_urls(client: TestClient, apps: dict[str, App]) -> None:
    text = base64.b64encode(png()).decode()
    found = client.post("/v1/apps/image/predict", json={"inputs": [text, f"data:image/png;base64,{text}"]}).json()
    assert approximately(found[0], apps["image"].predict(png()))
    assert found[0] == found[1]


def test_an_unknown_app_is_a_problem_that_lists_the_known(client: TestClient) -> None:
    for found in (client.get("/v1/apps/none"), post(client, "none", b"x", "text/plain")):
        assert problem(found, 404)["known"] == ["image", "text", "entities", "audio"]


def test_an_unknown_path_and_method_are_problems(client: TestClient) -> None:
    assert "/nothing" in problem(client.get("/nothing"), 404)["detail"]
    reply = client.get("/v1/apps/text/predict")
    assert problem(reply, 405)
    assert reply.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        ("image", "text/plain"),
        ("image", "audio/wav"),
        ("text", "image/png"),
        ("audio", None),
        ("text", "nonsense"),
        ("text", "multipart/form-data"),
    ],
)
def test_a_type_the_app_does_not_take_is_415_with_the_right_one(client: TestClient, app: str, kind: str | None) -> None:
    reply = post(client, app, b"x", kind)
    assert "Content-Type" in problem(reply, 415)["rule"]
    assert "application/json" in reply.headers["accept-post"]


def test_an_unknown_charset_and_a_packed_body_are_415(client: TestClient) -> None:
    problem(post(client, "text", b"x", "text/plain; charset=klingon"), 415)
    problem(post(client, "text", b"x", "text/plain; charset=punycode"), 415)
    problem(post(client, "text", b"x", "text/plain", **{"content-encoding": "gzip"}), 415)


def test_a_body_above_the_limit_is_413_told_or_streamed(client: TestClient) -> None:
    long = b"x" * (LIMITS.body + 1)
    assert problem(post(client, "text", long, "text/plain"), 413)["limit"] == LIMITS.body
    taken = []

    def stream() -> Iterator[bytes]:
        for _ in range(1000):
            taken.append(1)
            yield b"x" * 1000

    problem(post(client, "text", stream(), "text/plain"), 413)


def test_a_body_at_the_limit_is_answered(client: TestClient) -> None:
    assert post(client, "text", b"rate " * (LIMITS.body // 5), "text/plain").status_code == 200


def test_too_many_and_too_few_inputs_are_refused(client: TestClient) -> None:
    problem(client.post("/v1/apps/text/predict", json={"inputs": ["x"] * (LIMITS.inputs + 1)}), 413)
    problem(client.post("/v1/apps/text/predict", json={"inputs": []}), 422)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"inputs": ["a"', b'{"inputs": "\\ud800"}'])
def test_what_is_no_json_is_400(client: TestClient, body: bytes) -> None:
    problem(post(client, "text", body, "application/json"), 400)


@pytest.mark.parametrize(
    "body", [[], {}, {"inputs": 1}, {"inputs": [1]}, {"inputs": "a", "top": 1}, None, {"inputs": None}]
)
def test_json_of_another_form_is_422(client: TestClient, body: Any) -> None:
    assert "inputs" in problem(post(client, "text", json.dumps(body).encode(), "application/json"), 422)["detail"]


def test_what_is_no_base64_is_422_and_named(client: TestClient) -> None:
    good = base64.b64encode(png()).decode()
    found = problem(client.post("/v1/apps/image/predict", json={"inputs": [good, "*?*"]}), 422)
    assert found["index"] == 1


def test_an_input_that_cannot_be_decoded_is_422_with_its_parts(client: TestClient) -> None:
    found = problem(post(client, "image", png()[:30], "image/png"), 422)
    assert "image" in found["detail"].lower()
    assert found["rule"]


def test_every_bad_input_of_a_list_is_named(client: TestClient) -> None:
    inputs = ["rate", "", "card", " "]
    found = problem(client.post("/v1/apps/text/predict", json={"inputs": inputs}), 422)
    assert [item["index"] for item in found["errors"]] == [1, 3]


def test_an_empty_body_is_a_problem(client: TestClient) -> None:
    problem(post(client, "text", b"", "text/plain"), 400)


def test_a_full_queue_is_503_and_says_when_to_come_back(apps: dict[str, App], monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    answer = App.answer

    def slow(self: App, samples: Any, **more: Any) -> Any:
        entered.set()
        assert leave.wait(20)
        return answer(self, samples, **more)

    with TestClient(application({"text": apps["text"]}, limits=Limits(queue=1))) as client:
        monkeypatch.setattr(App, "answer", slow)
        monkeypatch.setattr(_engine, "_QUICK", 0.0)
        replies: list[Any] = []
        first = threading.Thread(target=lambda: replies.append(post(client, "text", b"rate", "text/plain")))
        first.start()
        assert entered.wait(20)
        refused = post(client, "text", b"rate", "text/plain")
        leave.set()
        first.join()
    problem(refused, 503)
    assert refused.headers["retry-after"] == "1"
    assert replies[0].status_code == 200


@pytest.mark.parametrize("quick", [0.0, 1.0])
@pytest.mark.parametrize("method", ["read", "answer"])
def test_a_bug_is_a_problem_that_shows_nothing_inside(
    apps: dict[str, App], monkeypatch: pytest.MonkeyPatch, method: str, quick: float
) -> None:
    def fail(self: App, raws: Any) -> Any:
        raise RuntimeError("secret")

    with TestClient(application({"text": apps["text"]}), raise_server_exceptions=False) as client:
        monkeypatch.setattr(_engine, "_QUICK", quick)
        with monkeypatch.context() as broken:
            broken.setattr(App, method, fail)
            assert "secret" not in json.dumps(problem(post(client, "text", b"rate", "text/plain"), 500))
        assert post(client, "text", b"rate", "text/plain").status_code == 200


def test_the_page_needs_nothing_from_elsewhere_and_runs_under_its_policy(client: TestClient) -> None:
    reply = client.get("/")
    policy = reply.headers["content-security-policy"]
    assert reply.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    elsewhere = [found for found in re.findall(r"https?://[^\"' ]+", reply.text) if found != SVG]
    assert not elsewhere
    assert " style=" not in reply.text
    assert "<style" not in reply.text
    assert " on" + "click" not in reply.text


def test_metrics_count_requests_by_status(apps: dict[str, App]) -> None:
    with TestClient(application({"text": apps["text"]})) as client:
        post(client, "text", b"rate", "text/plain")
        post(client, "text", b"", "text/plain")
        text = client.get("/metrics").text
    assert 'lepton_requests_total{app="text",status="200"} 1' in text
    assert 'lepton_requests_total{app="text",status="400"} 1' in text
    assert 'lepton_batch_size_sum{app="text"}' in text
    assert 'lepton_confidence_count{app="text"} 1.0' in text
    assert 'lepton_queue_length{app="text"} 0.0' in text


def test_openapi_tells_every_route(client: TestClient, apps: dict[str, App]) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) >= 7
    for path, item in paths.items():
        for method in item:
            reply = client.request(method, path.format(name="text", version="1"), content=b"?")
            assert reply.status_code not in (404, 405), f"{method} {path}"
    modules = [plugins.load("serve.protocols", name) for name in plugins.names("serve.protocols")]
    assert set(paths) >= {path for module in modules for path in module.ASKS}


def test_answers_of_numpy_become_json() -> None:
    assert encode([np.float32(0.5), np.int64(3), np.array([1, 2])]) == b"[0.5,3,[1,2]]"


KINDS = [
    "application/json",
    "text/plain",
    "image/png",
    "audio/wav",
    "application/octet-stream",
    "",
    "text/plain; charset=utf-16",
    ";;",
    "a/b",
]
BODIES = (
    st.binary(max_size=200)
    | st.text(max_size=50).map(lambda text: json.dumps({"inputs": text}).encode())
    | st.lists(st.text(max_size=20) | st.none(), max_size=7).map(lambda items: json.dumps({"inputs": items}).encode())
    | st.integers(0, 90).map(lambda cut: png()[:cut] + b"\xfe" + png()[cut + 2 :])
    | st.binary(max_size=60).map(lambda data: json.dumps({"inputs": [base64.b64encode(data).decode()]}).encode())
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    app=st.sampled_from(["image", "text", "entities", "audio", "none", "..", "%00", "a b"]),
    body=BODIES,
    kind=st.sampled_from(KINDS) | HEADER,
    more=st.dictionaries(st.sampled_from(["content-encoding", "accept", "x-odd", "transfer"]), HEADER, max_size=2),
)
def test_no_request_makes_the_server_fail(
    client: TestClient, app: str, body: bytes, kind: str, more: dict[str, str]
) -> None:
    reply = post(client, app, body, kind, **more)
    assert reply.status_code < 500
    if reply.status_code >= 400:
        problem(reply, reply.status_code)
