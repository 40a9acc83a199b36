"""JSON answers."""

from typing import Any

import msgspec
import numpy as np
from starlette.responses import Response

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def respond(value: Any) -> Response:
    """A value as a JSON response that nobody keeps."""
    return Response(encode(value), media_type="application/json", headers=HEADERS)


class Ready(Response):
    """A 200 with a body and headers that are bytes already: to make them anew takes longer than a small model."""

    def __init__(self, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), *headers]


def encode(value: Any) -> bytes:
    """JSON of an answer; numpy's numbers and arrays become plain ones."""
    return _ENCODER.encode(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
