"""Requests of one sample in the forms that are compared, and whether an answer is the right one."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMBERS, PNG, BINARY = "JSON numbers", "raw PNG", "v2 binary"
_BOUNDARY = "lepton-benchmark"


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request that is sent again and again."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def to(self, port: int) -> tuple[int, Mapping[str, str], bytes]:
        """Ask the server on `port` once: status, headers in lower case, body."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", self.path, self.body, dict(self.headers))
        found = connection.getresponse()
        body = found.read()
        connection.close()
        return found.status, {name.lower(): value for name, value in found.getheaders()}, body


def numbers(path: str, pixels: np.ndarray) -> Ask:
    """A tensor of the Open Inference Protocol in JSON numbers."""
    body = json.dumps({"inputs": [{**_tensor(pixels), "data": pixels.ravel().tolist()}]}).encode()
    return Ask(path=path, body=body, headers={"Content-Type": "application/json"})


def binary(path: str, pixels: np.ndarray) -> Ask:
    """A tensor of the Open Inference Protocol whose bytes come behind the JSON."""
    told = {**_tensor(pixels), "parameters": {"binary_data_size": pixels.nbytes}}
    head = json.dumps({"inputs": [told]}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Ask(path=path, body=head + pixels.tobytes(), headers=headers)


def png(path: str, picture: bytes) -> Ask:
    """A picture as the body."""
    return Ask(path=path, body=picture, headers={"Content-Type": "image/png"})


def form(path: str, picture: bytes, *, name: str) -> Ask:
    """A picture as the file `name` of a form."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="digit.png"\r\n'
    body = f"{head}Content-Type: image/png\r\n\r\n".encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return Ask(path=path, body=body, headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"})


def check(ask: Ask, port: int, expected: tuple[str, float]) -> None:
    """Ask once. Raises ValueError when the answer is not the `expected` label with its score."""
    status, _, body = ask.to(port)
    found = answer(body) if status == 200 else None
    if found is None or found[0] != expected[0] or abs(found[1] - expected[1]) > 1e-3:
        raise ValueError(f"{ask.path} answered {status} {body[:300]!r}, where {expected} is right")


def answer(body: bytes) -> tuple[str, float]:
    """The label and the score that a JSON answer puts first."""
    found: Any = json.loads(body)
    if isinstance(found, dict) and "outputs" in found:
        found = {tensor["name"]: tensor["data"][0] for tensor in found["outputs"]}
    first = found[0] if isinstance(found, list) else found
    return str(first["label"]), float(first["score"])


def _tensor(pixels: np.ndarray) -> dict[str, Any]:
    return {"name": "image", "shape": list(pixels.shape), "datatype": pixels.dtype.name.upper()}
