# /// script
# dependencies = ["tritonclient[http,grpc]", "grpcio-health-checking", "numpy"]
#
# [tool.environment]
# pinned = ["numpy", "grpcio", "grpcio-health-checking"]
#
# [tool.serving]
# title = "tritonclient"
# ///
"""NVIDIA's client over HTTP and gRPC, on threads and with asyncio, and the gRPC health check.

Usage: python client_tritonclient.py JOB HTTP_PORT GRPC_PORT
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from _calls import Case, cases, tell
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import aio as grpc_aio
from tritonclient.http import aio as http_aio
from tritonclient.utils import InferenceServerException

Calls = dict[str, Callable[[], object]]


def main() -> None:
    """Make every call."""
    given = cases(Path(sys.argv[1]))
    http, rpc = (f"127.0.0.1:{port}" for port in sys.argv[2:4])
    calls: Calls = {}
    for name, room, url in (("http", over_http, http), ("grpc", over_grpc, rpc)):
        client = room.InferenceServerClient(url)
        calls |= {f"{name} {what}": call for what, call in _about(client, room).items()}
        for case in given:
            calls |= {f"{name} {case.app}: {what}": call for what, call in _infer(client, room, case).items()}
        calls[f"{name} asyncio"] = partial(_at_once, room, url, given[0])
    calls["http text: JSON both ways"] = partial(_json, over_http.InferenceServerClient(http), given)
    calls["grpc health check"] = partial(_health, rpc)
    tell(calls)


def _about(client: Any, room: Any) -> Calls:
    """What is asked beside inference."""
    return {
        "live, ready": lambda: client.is_server_live() and client.is_server_ready(),
        "model ready": lambda: client.is_model_ready("text") and client.is_model_ready("text", "1"),
        "model not there": lambda: not client.is_model_ready("none"),
        "server metadata": lambda: "binary_tensor_data" in _plain(client.get_server_metadata, room)["extensions"],
        "model metadata": lambda: _names(_plain(partial(client.get_model_metadata, "image"), room)["inputs"]),
        "model config": lambda: _names(_config(_plain(partial(client.get_model_config, "image"), room))["input"]),
        "repository index": lambda: len(_models(_plain(client.get_model_repository_index, room))) == 3,
        "statistics": lambda: _stats(_plain(partial(client.get_inference_statistics, "text"), room)),
        "an unknown model's error": lambda: _fails(partial(client.infer, "none", _raw(room, [b"x"])), "no app"),
        "a wrong tensor's error": lambda: _fails(partial(client.infer, "image", _wrong(room)), "UINT8"),
    }


def _plain(call: Callable[..., Any], room: Any) -> Any:
    return call(as_json=True) if room is over_grpc else call()


def _names(tensors: Any) -> bool:
    return [tensor["name"] for tensor in tensors] == ["raw", "image"]


def _config(told: Any) -> Any:
    return told.get("config", told)


def _models(told: Any) -> Any:
    return told["models"] if isinstance(told, dict) else told


def _stats(told: Any) -> bool:
    return [model["name"] for model in told["model_stats"]] == ["text"]


def _fails(call: Callable[[], object], words: str) -> bool:
    try:
        call()
    except InferenceServerException as error:
        return words in error.message()
    return False


def _infer(client: Any, room: Any, case: Case) -> Calls:
    """Inference in the forms that the client knows."""
    sent = _raw(room, case.raws)
    score = [room.InferRequestedOutput("score")]
    return {
        "raw": lambda: _is_right(client.infer(case.app, sent, request_id="seven"), case),
        "a version": lambda: _is_right(client.infer(case.app, sent, model_version="1"), case),
        "encoded": lambda: _is_right(client.infer(case.app, _encoded(room, case)), case),
        "one output": lambda: client.infer(case.app, sent, outputs=score).as_numpy("score").tolist() == case.scores,
    }


def _is_right(found: Any, case: Case) -> bool:
    return case.is_right(found.as_numpy("label").tolist(), found.as_numpy("score"))


def _raw(room: Any, raws: list[bytes]) -> list[Any]:
    tensor = room.InferInput("raw", [len(raws)], "BYTES")
    tensor.set_data_from_numpy(np.array(raws, np.object_))
    return [tensor]


def _wrong(room: Any) -> list[Any]:
    tensor = room.InferInput("image", [1, 1, 8, 8], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 1, 8, 8), np.float32))
    return [tensor]


def _encoded(room: Any, case: Case) -> list[Any]:
    kinds = {"uint8": "UINT8", "int64": "INT64", "float32": "FP32"}
    found = []
    for name, array in case.encoded.items():
        found.append(room.InferInput(name, list(array.shape), kinds[array.dtype.name]))
        found[-1].set_data_from_numpy(array)
    return found


def _json(client: Any, given: list[Case]) -> bool:
    """Text and numbers in JSON, answered in JSON."""
    right = []
    for case in given:
        sent = _raw(over_http, case.raws) if case.text else _encoded(over_http, case)
        for tensor, array in zip(sent, [case.raws] if case.text else case.encoded.values(), strict=True):
            tensor.set_data_from_numpy(np.array(array, np.object_ if case.text else None), binary_data=False)
        outputs = [over_http.InferRequestedOutput(name, binary_data=False) for name in ("label", "score")]
        right.append(_is_right(client.infer(case.app, sent, outputs=outputs), case))
    return all(right)


def _at_once(room: Any, url: str, case: Case) -> bool:
    """Sixteen requests at one time, on an event loop."""

    async def ask() -> bool:
        client = (grpc_aio if room is over_grpc else http_aio).InferenceServerClient(url)
        try:
            found = await asyncio.gather(*(client.infer(case.app, _raw(room, case.raws)) for _ in range(16)))
            return all(_is_right(one, case) for one in found)
        finally:
            await client.close()

    return asyncio.run(ask())


def _health(url: str) -> bool:
    with grpc.insecure_channel(url) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        asked = [health_pb2.HealthCheckRequest(service=name) for name in ("", "inference.GRPCInferenceService")]
        return all(check(one).status == health_pb2.HealthCheckResponse.SERVING for one in asked)


if __name__ == "__main__":
    main()
