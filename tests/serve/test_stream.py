"""The WebSocket: what it answers is what `predict` answers, and nothing that a client sends breaks it."""

import asyncio
import gc
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from lepton.bundle import manifest
from lepton.core.errors import BadInput
from lepton.runtime.app import App, load
from lepton.serve._guard import Guard, Holder, _digest
from lepton.serve._limits import Limits
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.serve.application import application
from lepton.serve.protocols import stream
from lepton.streams._detector import Detector, chances, listening, sizes
from lepton.streams._sound import Windows, wav

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
PATH = "/v1/apps/audio/stream"
RATE = 8000
EAGER = {"hop_ms": 50, "smoothing": 2, "threshold": 0.5, "refractory_ms": 100}


@pytest.fixture(scope="module")
def app() -> App:
    return load(APPS / "audio-classification")


@pytest.fixture(scope="module")
def client(app: App) -> Iterator[TestClient]:
    apps = {"audio": app, "text": load(APPS / "text-classification")}
    with TestClient(application(apps), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> list[Service]:
    """The services that were made, to look into."""
    made: list[Service] = []
    routes = stream.routes

    def kept(service: Service) -> Any:
        made.append(service)
        return routes(service)

    monkeypatch.setattr(stream, "routes", kept)
    return made


def sound(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    """Tones of several heights between silences, 16-bit."""
    random = np.random.default_rng(seed)
    pieces = []
    while sum(map(len, pieces)) < seconds * RATE:
        count = int(random.integers(400, 4000))
        tone = np.sin(np.arange(count) * random.uniform(0.1, 3)) * 8000
        pieces += [tone, random.normal(0, random.choice([0, 300]), count)]
    return np.concatenate(pieces)[: int(seconds * RATE)].astype(np.int16)


def expected(app: App, samples: np.ndarray, given_settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The events as a recording's windows through `predict` and the detector have them."""
    chosen = listening(given_settings, app)
    length, hop = sizes(chosen)
    classes = list(app.manifest.classes)
    windows = list(Windows(length, hop).feed(samples))
    rows = np.zeros((len(windows), len(classes)))
    for row, window in zip(rows, windows, strict=True):
        if window.level >= chosen.silence_db:
            row[:] = chances(app.predict(wav(window.samples, chosen.rate or 0)), classes)
    return [
        {
            "label": hit.label,
            "score": hit.score,
            "start": hit.window * hop / RATE,
            "end": (hit.window * hop + length) / RATE,
        }
        for hit in Detector(classes, chosen).feed(rows)
    ]


def talk(client: TestClient, frames: list[bytes | str | dict[str, Any]], path: str = PATH) -> list[dict[str, Any]]:
    """Everything that the server says to `frames` and an end; a close comes as {"type": "close"}."""
    told: list[dict[str, Any]] = []
    with client.websocket_connect(path) as socket:
        try:
            for frame in [*frames, {"type": "end"}]:
                if isinstance(frame, bytes):
                    socket.send_bytes(frame)
                else:
                    socket.send_text(frame if isinstance(frame, str) else json.dumps(frame))
            while True:
                told.append(json.loads(socket.receive_text()))
        except WebSocketDisconnect as closed:
            told.append({"type": "close", "code": closed.code, "reason": closed.reason})
    return told


def of(told: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [message for message in told if message["type"] == kind]


def close(told: list[dict[str, Any]], code: int) -> dict[str, Any]:
    """The error that was told before the close, which has `code`."""
    assert [message["type"] for message in told[-2:]] == ["error", "close"]
    assert told[-1]["code"] == code
    assert len(told[-1]["reason"].encode()) <= 123
    assert told[-2]["detail"].startswith(told[-1]["reason"])
    return told[-2]


def test_a_stream_is_ready_tells_events_and_ends(client: TestClient, app: App) -> None:
    told = talk(client, [EAGER, sound().tobytes()])
    assert (told[0]["type"], told[0]["app"], told[0]["labels"]) == ("ready", app.bundle.id, ["alpha", "beta", "gamma"])
    assert told[0]["settings"]["rate"] == RATE
    assert told[0]["settings"]["threshold"] == 0.5
    assert told[-2:] == [{"type": "end", "seconds": 2.0}, {"type": "close", "code": 1000, "reason": ""}]
    events = of(told, "event")
    assert len(events) >= 3
    assert all(abs(event.pop("time") - time.time()) < 60 and event.pop("type") for event in events)
    assert events == [{**one, "score": pytest.approx(one["score"])} for one in expected(app, sound(), EAGER)]


@pytest.mark.parametrize("size", [1, 37, 160, 4001])
def test_events_are_the_same_however_the_sound_is_cut(client: TestClient, size: int) -> None:
    data = sound(1.0).tobytes()
    whole = of(talk(client, [EAGER, data]), "event")
    parts = of(talk(client, [EAGER, *(data[at : at + size] for at in range(0, len(data), size))]), "event")
    assert [(one["label"], one["end"]) for one in parts] == [(one["label"], one["end"]) for one in whole]


def test_both_formats_are_heard_alike(client: TestClient) -> None:
    samples = sound(1.0)
    whole = of(talk(client, [EAGER, samples.tobytes()]), "event")
    floats = (samples / 32768).astype("<f4").tobytes()
    found = of(talk(client, [{**EAGER, "format": "f32le"}, floats]), "event")
    assert [(one["label"], one["score"]) for one in found] == [(one["label"], one["score"]) for one in whole]


def test_scores_are_what_predict_answers_for_the_window(client: TestClient, app: App) -> None:
    samples = sound(0.5)
    scores = of(talk(client, [{**EAGER, "scores": True, "silence_db": -120}, samples.tobytes()]), "scores")
    assert [one["start"] for one in scores] == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    for one in scores:
        stretch = samples[round(one["start"] * RATE) : round(one["end"] * RATE)]
        answer = app.predict(wav(stretch, RATE))
        assert [item["label"] for item in one["answer"]] == [item["label"] for item in answer]
        assert one["answer"][0]["score"] == pytest.approx(answer[0]["score"], abs=1e-6)


def test_another_rate_is_resampled_as_predict_does(client: TestClient, app: App) -> None:
    samples = np.repeat(sound(0.5), 2)
    given_settings = {"rate": 16_000, "scores": True, "hop_ms": 100, "silence_db": -120}
    scores = of(talk(client, [given_settings, samples.tobytes()]), "scores")
    assert len(scores) == 3
    answer = app.predict(wav(samples[:4000], 16_000))
    assert scores[0]["answer"][0]["score"] == pytest.approx(answer[0]["score"], abs=1e-6)


def test_settings_may_be_left_out_and_silence_asks_nothing(client: TestClient) -> None:
    told = talk(client, [bytes(2 * RATE)])
    assert [one["type"] for one in told] == ["ready", "end", "close"]
    assert told[0]["settings"]["smoothing"] == 5


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("{", "no JSON"),
        ("[]", "JSON object"),
        ('{"threshold": 3}', "between 0 and 1"),
        ({"smooting": 3}, "smoothing"),
        ({"ignore": ["silence"]}, "alpha"),
        ("[" * 5000, "no JSON"),
        ('{"rate": NaN}', "no JSON"),
    ],
)
def test_settings_that_are_wrong_close_the_stream_and_say_why(client: TestClient, frame: Any, said: str) -> None:
    assert said in json.dumps(close(talk(client, [frame]), 1007))


def test_settings_come_once_and_first(client: TestClient) -> None:
    assert "first frame" in close(talk(client, [{}, {}]), 1007)["detail"]
    assert "first frame" in close(talk(client, [b"\0\0", {}]), 1007)["detail"]


def test_a_files_header_and_samples_that_are_no_numbers_close_the_stream(client: TestClient) -> None:
    assert "header" in close(talk(client, [wav(sound(0.1), RATE)]), 1007)["detail"]
    nan = np.full(9, np.nan, "<f4").tobytes()
    assert "finite" in close(talk(client, [{"format": "f32le"}, nan]), 1007)["detail"]


def test_a_frame_that_is_too_long_closes_the_stream(client: TestClient) -> None:
    assert close(talk(client, [bytes(stream.MAX_FRAME + 1)]), 1009)["rule"]
    assert of(talk(client, [bytes(stream.MAX_FRAME)]), "end")


def test_a_client_that_sends_nothing_is_let_go(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "IDLE", 0.05)
    with client.websocket_connect(PATH) as socket:
        assert "0.05 s" in json.loads(socket.receive_text())["detail"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008


@pytest.mark.parametrize(("name", "status", "said"), [("none", 404, "GET /v1/apps"), ("text", 422, "audio")])
def test_what_takes_no_stream_is_refused_as_a_problem(client: TestClient, name: str, status: int, said: str) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect(f"/v1/apps/{name}/stream"),
    ):
        pass
    assert denied.value.status_code == status
    assert denied.value.headers["content-type"] == "application/problem+json"
    assert said in denied.value.text


def test_a_plain_get_is_told_to_upgrade(client: TestClient) -> None:
    reply = client.get(PATH)
    assert (reply.status_code, reply.headers["upgrade"]) == (426, "websocket")
    assert client.get("/v1/apps/none/stream").status_code == 404


def test_a_stream_needs_a_key_where_requests_do(app: App) -> None:
    guard = Guard({_digest(b"a key of some length"): Holder("shop")})
    with TestClient(application({"audio": app}, guard=guard)) as client:
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(PATH):
            pass
        assert denied.value.status_code == 401
        with client.websocket_connect(PATH, headers={"authorization": "Bearer a key of some length"}) as socket:
            socket.send_text("{}")
            assert json.loads(socket.receive_text())["type"] == "ready"


def test_what_a_stream_holds_is_counted_and_given_back(app: App, services: list[Service]) -> None:
    limits = Limits(held=2_500_000)
    with TestClient(application({"audio": app}, limits=limits)) as client:
        with client.websocket_connect(PATH) as first:
            first.send_text("{}")
            assert json.loads(first.receive_text())["type"] == "ready"
            assert 2 * stream.MAX_FRAME < services[0].held < limits.held
            with client.websocket_connect(PATH) as second:
                second.send_text("{}")
                assert json.loads(second.receive_text())["type"] == "ready"
                assert "bytes" in close(talk(client, ["{}"]), 1013)["detail"]
        assert len(of(talk(client, ["{}"]), "ready")) == 1
        assert services[0].held == 0


def test_a_full_queue_is_waited_for(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Service.answer
    refusals = iter([True, True])

    async def busy(self: Service, *arguments: Any, **more: Any) -> Any:
        if next(refusals, False):
            raise Problem(503, "The queue is full")
        return await answer(self, *arguments, **more)

    monkeypatch.setattr(Service, "answer", busy)
    with TestClient(application({"audio": app})) as client:
        told = talk(client, [EAGER, sound(1.0).tobytes()])
    assert len(of(told, "event")) == len(expected(app, sound(1.0), EAGER))


def test_a_queue_that_stays_full_closes_the_stream(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: Any, **__: Any) -> Any:
        raise Problem(503, "The queue is full")

    monkeypatch.setattr(Service, "answer", busy)
    with TestClient(application({"audio": app}, limits=Limits(seconds=0.1))) as client:
        assert close(talk(client, [sound(1.0).tobytes()]), 1013)["detail"] == "The queue is full"


def test_what_the_app_cannot_answer_closes_the_stream(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "read", lambda self, raw: BadInput("The recording is odd", remedy="Send another"))
    with TestClient(application({"audio": app})) as client:
        assert close(talk(client, [sound(1.0).tobytes()]), 1007)["remedy"] == "Send another"


def test_a_bug_closes_the_stream_and_shows_nothing_inside(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("secret")

    with TestClient(application({"audio": app})) as client:
        with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
            broken.setattr(Detector, "feed", fail)
            told = talk(client, [sound(1.0).tobytes()])
        assert "secret" not in json.dumps(told)
        assert "secret" in caplog.text
        close(told, 1011)
        assert of(talk(client, [EAGER, sound(1.0).tobytes()]), "event")


def test_events_are_counted(app: App) -> None:
    with TestClient(application({"audio": app})) as client:
        events = of(talk(client, [EAGER, sound().tobytes()]), "event")
        text = client.get("/metrics").text
    for label in {event["label"] for event in events}:
        count = sum(event["label"] == label for event in events)
        assert f'lepton_answers_total{{app="audio",label="{label}"}} {count:.1f}' in text


@contextmanager
def swappable(tmp_path: Path, services: list[Service], changed: dict[str, Any]) -> Iterator[tuple[TestClient, Any]]:
    """A client of an app in a folder, and what puts another in its place, whose manifest has `changed`."""
    folder = tmp_path / "app"
    shutil.copytree(APPS / "audio-classification", folder)
    with TestClient(application({"audio": load(folder)}, folders={"audio": folder})) as client:

        def swap() -> None:
            bundle = manifest.read(folder)
            files = {name: (folder / name).read_bytes() for name in bundle.manifest.files if "golden" not in name}
            shutil.rmtree(folder)
            manifest.write(folder, msgspec.structs.replace(bundle.manifest, **changed), files)
            client.portal.call(services[0].swap, "audio")

        yield client, swap


def between(client: TestClient, act: Any) -> list[dict[str, Any]]:
    """A second of sound, then `act`, then another second."""
    told = []
    with client.websocket_connect(PATH) as socket, suppress(WebSocketDisconnect):
        for data in (sound(1.0).tobytes(), sound(1.0, seed=1).tobytes()):
            socket.send_text(json.dumps(EAGER)) if not told else act()
            socket.send_bytes(data)
            told.append(json.loads(socket.receive_text()))
        socket.send_text('{"type": "end"}')
        while True:
            told.append(json.loads(socket.receive_text()))
    return told


def test_a_swap_that_changes_nothing_in_listening_is_not_noticed(tmp_path: Path, services: list[Service]) -> None:
    with swappable(tmp_path, services, {"provenance": {"made": "again"}}) as (client, swap):
        told = between(client, swap)
        assert told[-1] == {"type": "end", "seconds": 2.0}
        assert len({told[0]["app"], client.get("/v1/apps/audio").json()["id"]}) == 2


def test_a_swap_to_other_labels_closes_the_stream(tmp_path: Path, services: list[Service]) -> None:
    with swappable(tmp_path, services, {"classes": ("one", "two", "three")}) as (client, swap):
        assert "swapped" in between(client, swap)[-1]["detail"]


FRAMES = (
    st.binary(max_size=3000)
    | st.integers(0, 5).map(lambda seed: sound(0.4, seed).tobytes())
    | st.text(max_size=30)
    | st.sampled_from(["{}", '{"type": "end"}', '{"format": "f32le"}', '{"hop_ms": 10}', '{"scores": true}'])
    | st.dictionaries(
        st.sampled_from(["rate", "format", "window_ms", "hop_ms", "smoothing", "threshold", "refractory_ms", "ignore"]),
        st.integers(-10, 100_000) | st.text(max_size=5) | st.none() | st.floats(0, 1) | st.lists(st.text(max_size=5)),
        max_size=3,
    ).map(json.dumps)
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(FRAMES, max_size=5))
def test_random_frames_never_break_a_stream(client: TestClient, frames: list[Any]) -> None:
    told = talk(client, frames)
    assert told[-1]["type"] == "close"
    assert told[-1]["code"] in (1000, 1007)


def test_many_streams_leave_nothing_behind(app: App, services: list[Service]) -> None:
    with TestClient(application({"audio": app})) as client:
        ends: list[list[Any]] = [[EAGER, sound(0.5).tobytes()], ["{"], [b"RIFF"], [bytes(stream.MAX_FRAME + 1)]]
        for frames in ends * 5:
            talk(client, frames)
        with client.websocket_connect(PATH) as socket:
            socket.send_bytes(sound(0.5).tobytes())
        gc.collect()
        assert not [one for one in gc.get_objects() if type(one) is stream._Stream]
        assert services[0].held == 0

        async def running() -> int:
            return len(asyncio.all_tasks())

        assert client.portal is not None
        assert client.portal.call(running) <= 3
