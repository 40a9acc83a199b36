# /// script
# dependencies = ["uvicorn", "uvloop", "httptools", "msgspec", "numpy", "onnxruntime", "pillow"]
#
# [tool.serving]
# title = "bare loop"
# ready = "/ready"
# numbers = "/numbers"
# png = "/png"
# binary = "/binary"
# ///
"""The least that answers: an ASGI callable, msgspec, numpy and ONNX Runtime, under uvicorn with uvloop and httptools.

No router, no checks, no limits, no counts, no queue: what a server costs beyond this is its own.

Usage: python rival_bare.py JOB PORT
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import uvicorn
from _rival import Model, decoded, first, tensors

Headers = Mapping[bytes, bytes]
_LENGTH = b"inference-header-content-length"


class _Tensor(msgspec.Struct):
    shape: list[int]
    data: list[int]


class _Request(msgspec.Struct):
    inputs: list[_Tensor]


class _BinaryTensor(msgspec.Struct):
    shape: list[int]


class _BinaryRequest(msgspec.Struct):
    inputs: list[_BinaryTensor]


class Application:
    """The ASGI callable."""

    def __init__(self, model: Model) -> None:
        self._ranking = model.ranking
        self._encode = msgspec.json.Encoder().encode
        self._numbers = msgspec.json.Decoder(_Request).decode
        self._binary = msgspec.json.Decoder(_BinaryRequest).decode
        self._routes: Mapping[str, Callable[[bytes, Headers], Any]] = {
            "/numbers": self.numbers,
            "/png": self.png,
            "/binary": self.binary,
            "/ready": lambda body, headers: "ready",
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = self._encode(self._routes[scope["path"]](body, dict(scope["headers"])))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def numbers(self, body: bytes, _: Headers) -> Any:
        """Answer a tensor in JSON numbers."""
        tensor = self._numbers(body).inputs[0]
        return tensors(self._ranking(np.array(tensor.data, np.uint8).reshape(tensor.shape)))

    def binary(self, body: bytes, headers: Headers) -> Any:
        """Answer a tensor whose bytes come behind the JSON."""
        length = int(headers[_LENGTH])
        shape = self._binary(body[:length]).inputs[0].shape
        return tensors(self._ranking(np.frombuffer(body, np.uint8, offset=length).reshape(shape)))

    def png(self, body: bytes, _: Headers) -> Any:
        """Answer a picture."""
        return first(self._ranking(decoded(body)))


if __name__ == "__main__":
    uvicorn.run(
        Application(Model(Path(sys.argv[1]))),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
