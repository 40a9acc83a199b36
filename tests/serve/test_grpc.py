import asyncio
import hashlib
import json
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Raw
from lepton.runtime.app import App, load
from lepton.serve import _engine, _grpc, _messages, server
from lepton.serve._guard import Guard, Holder
from lepton.serve._limits import Limits
from lepton.serve._messages import SERVICE
from lepton.serve._meters import Meters
from lepton.serve._service import Service
from lepton.serve._shelf import Shelf
from lepton.serve._tensors import datatype, packed
from lepton.serve.server import Options, reserved

APPS = Path(__file__).parents[1] / "bundle" / "apps" / "v1"
EVERY = ("image", "audio", "text", "entities", "static", "dynamic")
LIMITS = Limits(body=50_000, inputs=20, seconds=20)
CLASSES = _messages.classes()
Code = grpc.StatusCode


class Running:
    """A server on a thread and an event loop of its own; `channel` leads to it."""

    def __init__(self, apps: Mapping[str, App], *, limits: Limits, guard: Guard, files: Mapping[str, Path]) -> None:
        meters = Meters()
        self.service = Service(Shelf(apps, limits=limits, meters=meters), limits, meters)
        self._address = _grpc.Address(host="127.0.0.1", port=0, **files)
        self._guard = guard
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(20)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}")

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with _grpc.serving(self._address, self._guard, self.service) as self.port:
            self._ready.set()
            await self._end.wait()
        await self.service.shelf.close()

    def begin_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.begin_to_stop()
        self._thread.join(20)
        self.channel.close()

    def method(self, name: str) -> Any:
        """A method of the service, which takes and gives messages."""
        path = f"/{SERVICE}/{name}"
        kinds = {"request_serializer": CLASSES[f"{name}Request"].SerializeToString}
        return self.channel.unary_unary(path, **kinds, response_deserializer=CLASSES[f"{name}Response"].FromString)

    def call(self, name: str, /, **fields: Any) -> Any:
        return self.method(name)(CLASSES[f"{name}Request"](**fields), timeout=20)


@contextmanager
def running(apps: Mapping[str, App], **how: Any) -> Iterator[Running]:
    found = Running(apps, **{"limits": LIMITS, "guard": Guard(), "files": {}, **how})
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def served(every_app: dict[str, App]) -> Iterator[Running]:
    with running(every_app) as found:
        yield found


def raw_request(app: str, raws: Sequence[Raw], *, typed: bool = False) -> Any:
    tensor: dict[str, Any] = {"name": "raw", "datatype": "BYTES", "shape": [len(raws)]}
    if typed:
        items = [raw.encode() if isinstance(raw, str) else raw for raw in raws]
        return CLASSES["ModelInferRequest"](model_name=app, inputs=[{**tensor, "contents": {"bytes_contents": items}}])
    return CLASSES["ModelInferRequest"](model_name=app, inputs=[tensor], raw_input_contents=[packed(raws)])


def encoded_request(name: str, arrays: Mapping[str, np.ndarray], *, typed: bool) -> Any:
    told = [
        {"name": key, "datatype": datatype(array.dtype.name), "shape": array.shape} for key, array in arrays.items()
    ]
    if not typed:
        parts = [array.tobytes() for array in arrays.values()]
        return CLASSES["ModelInferRequest"](model_name=name, inputs=told, raw_input_contents=parts)
    fields = {"UINT8": "uint_contents", "INT64": "int64_contents", "FP32": "fp32_contents"}
    inputs = [
        {**one, "contents": {fields[one["datatype"]]: array.ravel().tolist()}}
        for one, array in zip(told, arrays.values(), strict=True)
    ]
    return CLASSES["ModelInferRequest"](model_name=name, inputs=inputs)


def elements(reply: Any, place: int) -> list[Any]:
    """The elements of an output, typed or from its bytes."""
    output = reply.outputs[place]
    if not reply.raw_output_contents:
        contents = output.contents
        return [item.decode() for item in contents.bytes_contents] or list(contents.fp64_contents)
    data = reply.raw_output_contents[place]
    if output.datatype == "FP64":
        return list(np.frombuffer(data, "<f8").tolist())
    items = []
    while data:
        length = int.from_bytes(data[:4], "little")
        items.append(data[4 : 4 + length].decode())
        data = data[4 + length :]
    return items


def answers(reply: Any) -> list[Any]:
    """Full answers in the shape of `App.predict`."""
    if reply.outputs[0].name == "answer":
        return [json.loads(text) for text in elements(reply, 0)]
    assert [output.name for output in reply.outputs] == ["label", "score"]
    pairs = [
        {"label": label, "score": score} for label, score in zip(elements(reply, 0), elements(reply, 1), strict=True)
    ]
    count, width = reply.outputs[0].shape
    assert len(pairs) == count * width
    return [pairs[start : start + width] for start in range(0, len(pairs), width)]


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("name", EVERY)
def test_every_form_gives_the_very_bits_of_predict_alone_and_in_company(
    served: Running, every_app: dict[str, App], raws: Any, name: str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_engine, "_QUICK", 1.0 if quick else 0.0)
    app, infer = every_app[name], served.method("ModelInfer")
    names = [one.name for one in served.call("ModelMetadata", name=name).inputs if one.name != "raw"]
    companions = [raw_request(name, [raw]) for raw in (raws[name] * 16)[:16]]
    checked = 0
    for raw in raws[name][:2]:
        expected, row = app.predict(raw), app.encode(raw)
        arrays = {key: row[key][None] for key in names}
        wordless = [{key: value for key, value in item.items() if key != "word"} for item in expected]
        for typed in (False, True):
            pairs = [
                (raw_request(name, [raw], typed=typed), expected),
                (encoded_request(name, arrays, typed=typed), wordless),
            ]
            for sent, right in pairs:
                assert answers(infer(sent, timeout=20)) == [right]
                waiting = [infer.future(one, timeout=20) for one in [*companions, sent]]
                assert answers(waiting[-1].result()) == [right]
                checked += 2
    assert checked == 16


def test_several_inputs_are_answered_in_their_order(served: Running, every_app: dict[str, App], raws: Any) -> None:
    for name in EVERY:
        reply = served.method("ModelInfer")(raw_request(name, raws[name]), timeout=20)
        assert answers(reply) == every_app[name].predict(raws[name])


def varint(value: int) -> bytes:
    head, rest = value & 127, value >> 7
    return bytes([head | 128]) + varint(rest) if rest else bytes([head])


def part(number: int, data: bytes) -> bytes:
    """A field of bytes, text or a message as it travels (protobuf's wire type 2)."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message by number."""
    found: dict[int, list[Any]] = {}
    while data:
        key, data = _number(data)
        value, data = _number(data)
        if key & 7 == 2:
            found.setdefault(key >> 3, []).append(data[:value])
            data = data[value:]
        else:
            found.setdefault(key >> 3, []).append(value)
    return found


def _number(data: bytes) -> tuple[int, bytes]:
    for length, byte in enumerate(data, 1):
        if byte < 128:
            return sum((each & 127) << 7 * place for place, each in enumerate(data[:length])), data[length:]
    raise AssertionError("a number without an end")


def test_messages_travel_as_the_protocol_numbers_them(served: Running, every_app: dict[str, App]) -> None:
    tensor = part(1, b"raw") + part(2, b"BYTES") + part(3, varint(1))
    parameter = part(4, part(1, b"priority") + part(2, b"\x10\x07"))
    sent = part(1, b"text") + part(3, b"id-7") + parameter + part(5, tensor) + part(7, packed(["rate"]))
    reply = fields(served.channel.unary_unary(f"/{SERVICE}/ModelInfer")(sent, timeout=20))
    assert (reply[1], reply[2], reply[3]) == ([b"text"], [b"1"], [b"id-7"])
    label, score = (fields(output) for output in reply[5])
    assert (label[1], label[2], label[3]) == ([b"label"], [b"BYTES"], [varint(1) + varint(3)])
    assert (score[1], score[2]) == ([b"score"], [b"FP64"])
    expected = every_app["text"].predict("rate")
    assert reply[6] == [
        packed([item["label"] for item in expected]),
        struct.pack("<3d", *(item["score"] for item in expected)),
    ]
    ready = served.channel.unary_unary(f"/{SERVICE}/ModelReady")(part(1, b"text"), timeout=20)
    assert fields(ready) == {1: [1]}


def test_what_is_served_is_told(served: Running) -> None:
    assert served.call("ServerLive").live
    assert served.call("ServerReady").ready
    assert served.call("ServerMetadata").name == "lepton"
    assert [model.name for model in served.call("RepositoryIndex").models] == [*EVERY]
    told = served.call("ModelMetadata", name="image", version="1")
    assert [(one.name, one.datatype, list(one.shape)) for one in told.inputs] == [
        ("raw", "BYTES", [-1]),
        ("image", "UINT8", [-1, 1, 8, 8]),
    ]
    config = served.call("ModelConfig", name="image").config
    assert [(one.name, one.data_type, one.optional) for one in config.input] == [("raw", 13, True), ("image", 2, True)]
    assert [(one.name, one.data_type) for one in config.output] == [("label", 13), ("score", 12)]


def test_readiness_of_a_model_is_its_own(served: Running) -> None:
    asked = [("text", ""), ("text", "1"), ("text", "2"), ("none", "")]
    ready = [served.call("ModelReady", name=name, version=version).ready for name, version in asked]
    assert ready == [True, True, False, False]


def test_id_and_chosen_outputs(served: Running) -> None:
    asked = raw_request("text", ["rate"])
    asked.id = "seven"
    asked.outputs.add(name="score")
    reply, call = served.method("ModelInfer").with_call(asked, timeout=20)
    assert (reply.id, [output.name for output in reply.outputs]) == ("seven", ["score"])
    assert dict(call.trailing_metadata())["x-lepton-app"] == served.service.shelf.engine("text").app.bundle.id


def tensor(**more: Any) -> dict[str, Any]:
    return {"name": "raw", "datatype": "BYTES", "shape": [1], **more}


REFUSED: dict[str, tuple[dict[str, Any], Any]] = {
    "no model": ({}, Code.NOT_FOUND),
    "an unknown model": ({"model_name": "none"}, Code.NOT_FOUND),
    "an unknown version": ({"model_name": "text", "model_version": "2"}, Code.NOT_FOUND),
    "no inputs": ({"model_name": "text"}, Code.INVALID_ARGUMENT),
    "no contents": ({"model_name": "text", "inputs": [tensor()]}, Code.INVALID_ARGUMENT),
    "contents twice": (
        {
            "model_name": "text",
            "inputs": [tensor(contents={"bytes_contents": [b"rate"]})],
            "raw_input_contents": [packed(["rate"])],
        },
        Code.INVALID_ARGUMENT,
    ),
    "contents too many": (
        {"model_name": "text", "inputs": [tensor()], "raw_input_contents": [packed(["rate"])] * 2},
        Code.INVALID_ARGUMENT,
    ),
    "an element that breaks off": (
        {"model_name": "text", "inputs": [tensor()], "raw_input_contents": [b"\x09\0\0\0rate"]},
        Code.INVALID_ARGUMENT,
    ),
    "contents of another field": (
        {"model_name": "text", "inputs": [tensor(contents={"fp32_contents": [1.0]})]},
        Code.INVALID_ARGUMENT,
    ),
    "an unknown datatype": (
        {"model_name": "text", "inputs": [tensor(datatype="BF16", contents={"fp32_contents": [1.0]})]},
        Code.INVALID_ARGUMENT,
    ),
    "too many inputs": (
        {"model_name": "text", "inputs": [tensor(shape=[21])], "raw_input_contents": [packed(["a"] * 21)]},
        Code.INVALID_ARGUMENT,
    ),
    "an empty text": (
        {"model_name": "text", "inputs": [tensor()], "raw_input_contents": [packed([""])]},
        Code.INVALID_ARGUMENT,
    ),
    "an unknown output": (
        {
            "model_name": "text",
            "inputs": [tensor()],
            "raw_input_contents": [packed(["rate"])],
            "outputs": [{"name": "nope"}],
        },
        Code.INVALID_ARGUMENT,
    ),
    "a message above the limit": (
        {"model_name": "text", "inputs": [tensor()], "raw_input_contents": [packed(["a" * 60_000])]},
        Code.RESOURCE_EXHAUSTED,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_gets_a_code_and_words(served: Running, case: str) -> None:
    asked, code = REFUSED[case]
    with pytest.raises(grpc.RpcError) as caught:
        served.call("ModelInfer", **asked)
    assert caught.value.code() == code
    assert 10 < len(caught.value.details()) < 1100
    assert answers(served.method("ModelInfer")(raw_request("text", ["rate"]), timeout=20))


def test_noise_is_refused(served: Running) -> None:
    with pytest.raises(grpc.RpcError):
        served.channel.unary_unary(f"/{SERVICE}/ModelInfer")(b"\xff" * 50, timeout=20)
    with pytest.raises(grpc.RpcError) as caught:
        served.channel.unary_unary(f"/{SERVICE}/ModelDance")(b"", timeout=20)
    assert caught.value.code() == Code.UNIMPLEMENTED


def test_a_bug_is_told_without_its_inside(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(App, "answer", broken)
    with pytest.raises(grpc.RpcError) as caught:
        served.method("ModelInfer")(raw_request("text", ["rate"]), timeout=20)
    assert caught.value.code() == Code.INTERNAL
    assert "secret" not in caught.value.details()


def test_calls_are_counted_by_known_names_only(served: Running) -> None:
    served.method("ModelInfer")(raw_request("text", ["rate"]), timeout=20)
    with pytest.raises(grpc.RpcError):
        served.call("ModelInfer", model_name="made-up")
    text = served.service.meters.text().decode()
    assert 'lepton_requests_total{app="text",status="200"}' in text
    assert "made-up" not in text


def test_statistics_are_those_of_the_meters(served: Running) -> None:
    one = served.call("ModelStatistics", name="text").model_stats
    before = one[0].inference_stats.success
    served.method("ModelInfer")(raw_request("text", ["rate", "my card"]), timeout=20)
    after = served.call("ModelStatistics", name="text").model_stats[0]
    assert (len(one), after.name) == (1, "text")
    assert after.inference_stats.success.count == before.count + 1
    assert after.inference_stats.success.ns > before.ns
    assert after.inference_count == one[0].inference_count + 2
    assert [model.name for model in served.call("ModelStatistics").model_stats] == [*EVERY]
    with pytest.raises(grpc.RpcError):
        served.call("ModelStatistics", name="none")


class Gate:
    """Holds answers back until it is opened; `entered` says that one is being held."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened, self.entered = threading.Event(), threading.Event()
        answer = App.answer

        def held(own: App, samples: Any, **more: Any) -> Any:
            self.entered.set()
            assert self.opened.wait(20)
            return answer(own, samples, **more)

        monkeypatch.setattr(_engine, "_QUICK", 0.0)
        monkeypatch.setattr(App, "answer", held)


def test_a_deadline_and_a_full_queue_are_codes(every_app: dict[str, App], monkeypatch: pytest.MonkeyPatch) -> None:
    with running({"text": every_app["text"]}, limits=Limits(queue=2)) as one:
        infer, asked = one.method("ModelInfer"), raw_request("text", ["rate"])
        infer(asked, timeout=20)
        gate = Gate(monkeypatch)
        first = infer.future(asked, timeout=20)
        assert gate.entered.wait(20)
        late = infer.future(asked, timeout=0.5)
        _until(lambda: one.service.shelf.engine("text")._waiting == 2)
        with pytest.raises(grpc.RpcError) as caught:
            infer(asked, timeout=20)
        assert caught.value.code() == Code.UNAVAILABLE
        assert dict(caught.value.trailing_metadata())["retry-after"] == "1"
        assert late.exception().code() == Code.DEADLINE_EXCEEDED
        gate.opened.set()
        assert answers(first.result())
        _until(lambda: one.service.shelf.engine("text")._waiting == 0)
        assert one.service.held == 0


def _until(true: Any) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_stopping_tells_the_watchers_and_answers_what_was_taken(
    every_app: dict[str, App], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running({"text": every_app["text"]}) as one:
        infer, asked = one.method("ModelInfer"), raw_request("text", ["rate"])
        infer(asked, timeout=20)
        gate = Gate(monkeypatch)
        watched = health_pb2_grpc.HealthStub(one.channel).Watch(
            health_pb2.HealthCheckRequest(service=SERVICE), timeout=20
        )
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        taken = infer.future(asked, timeout=20)
        assert gate.entered.wait(20)
        one.begin_to_stop()
        assert next(watched).status == health_pb2.HealthCheckResponse.NOT_SERVING
        gate.opened.set()
        assert answers(taken.result())
        start = time.monotonic()
        one.stop()
        assert time.monotonic() - start < 10, "who watches the health is not waited for"


def test_the_health_check(served: Running) -> None:
    check = health_pb2_grpc.HealthStub(served.channel).Check
    for name in ("", SERVICE):
        found = check(health_pb2.HealthCheckRequest(service=name), timeout=20)
        assert found.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        check(health_pb2.HealthCheckRequest(service="none"), timeout=20)
    assert caught.value.code() == Code.NOT_FOUND


def test_keys_are_asked_for_and_have_their_rates(every_app: dict[str, App]) -> None:
    guard = Guard({hashlib.sha256(b"a-key-of-the-shop").digest(): Holder("shop", rate=0.001, burst=2)})
    with running({"text": every_app["text"]}, guard=guard) as one:
        infer, asked = one.method("ModelInfer"), raw_request("text", ["rate"])
        assert one.call("ServerLive").live
        assert one.call("ServerReady").ready
        right, wrong = (("authorization", "Bearer a-key-of-the-shop"),), (("authorization", "Bearer x"),)
        codes = [_code(infer, asked, metadata) for metadata in ((), wrong, right, right, right)]
        assert codes == [Code.UNAUTHENTICATED, Code.UNAUTHENTICATED, Code.OK, Code.OK, Code.RESOURCE_EXHAUSTED]
        assert _code(one.method("RepositoryIndex"), CLASSES["RepositoryIndexRequest"](), ()) == Code.UNAUTHENTICATED


def _code(method: Any, asked: Any, metadata: Any) -> Any:
    return method.future(asked, timeout=20, metadata=metadata).code()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate, and is not there")
def test_the_certificate_is_that_of_http(every_app: dict[str, App], tmp_path: Path) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*made, "-keyout", key, "-out", chain], check=True, capture_output=True)
    files = {"certificate": chain, "private_key": key}
    with running({"text": every_app["text"]}, files=files) as one:
        assert _code(one.method("ServerLive"), CLASSES["ServerLiveRequest"](), ()) == Code.UNAVAILABLE
        one.channel.close()
        trusted = grpc.ssl_channel_credentials(chain.read_bytes())
        options = (("grpc.ssl_target_name_override", "localhost"),)
        one.channel = grpc.secure_channel(f"127.0.0.1:{one.port}", trusted, options)
        assert one.call("ServerLive").live


def test_workers_share_the_port_that_the_command_tells() -> None:
    command = [sys.executable, "-m", "lepton.cli", "serve", str(APPS / "text-classification")]
    options = ["--port", "0", "--grpc-port", "0", "--workers", "2"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = int(process.stderr.readline().split("gRPC on 127.0.0.1:")[1].split()[0])
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                kinds = {"request_serializer": CLASSES["ModelInferRequest"].SerializeToString}
                infer = channel.unary_unary(f"/{SERVICE}/ModelInfer", **kinds)
                assert infer(raw_request("tiny-text-classification", ["rate"]), timeout=60, wait_for_ready=True)
        finally:
            process.terminate()
            told = process.stderr.read()
    assert "Traceback" not in told


def test_without_the_extra_its_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"lepton-transfer\[grpc\]"), reserved(Options(grpc_port=0)):
        pass
    with reserved(Options()) as found:
        assert found.grpc_port is None


def test_a_port_in_use_is_a_clear_error(served: Running) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="--grpc-port"), reserved(Options(grpc_port=taken.getsockname()[1])):
            pass
    with pytest.raises(UserError, match="--grpc-port"), reserved(Options(grpc_port=served.port)):
        pass


def test_a_place_that_cannot_be_listened_on_is_a_clear_error(every_app: dict[str, App]) -> None:
    async def listen() -> None:
        service = Service(Shelf({"text": every_app["text"]}, limits=LIMITS, meters=Meters()), LIMITS, Meters())
        async with _grpc.serving(_grpc.Address(host="203.0.113.1", port=1), Guard(), service):
            pass

    with pytest.raises(UserError, match="203.0.113.1:1"):
        asyncio.run(listen())


def test_an_adapter_is_a_model_of_its_own() -> None:
    app = load(APPS.parent / "v2" / "text-classification")
    with running({"tiny": app}) as found:
        names = [model.name for model in found.call("RepositoryIndex").models]
        assert names == ["tiny", "tiny.cards", "tiny.moods"]
        reply = found.method("ModelInfer")(raw_request("tiny.moods", ["rate"]), timeout=20)
    assert (reply.model_name, reply.outputs[0].shape) == ("tiny.moods", [1, 2])
    assert elements(reply, 0) == [item["label"] for item in app.with_adapter("moods").predict("rate")]
