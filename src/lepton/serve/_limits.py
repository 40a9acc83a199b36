"""What a server takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server takes, so that no client can make it grow or wait without bound.

    body: bytes of a body.
    held: bytes of all bodies that wait at one time.
    inputs: inputs of a request.
    queue: requests that wait for an answer of one app.
    seconds: how long a request waits for its answer at most.
    """

    body: int = 16 * 2**20
    held: int = 256 * 2**20
    inputs: int = 256
    queue: int = 64
    seconds: float = 30.0
