"""What a protocol makes of one request for an app: what it asks, and the response to the answers."""

from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.responses import Response

from lepton.serve._engine import Ask
from lepton.serve._service import Answered, Service

Headers = Sequence[tuple[bytes, bytes]]


class Exchange(Protocol):
    """One request and its response. Nothing in it waits, so it serves a request that came whole and one to come."""

    def ask(self, body: bytes) -> Ask:
        """What the body asks. Raises Problem where it cannot be understood."""
        ...

    def reply(self, answered: Answered) -> Response:
        """The response to full answers. Raises Problem 422 where an input has none."""
        ...


Kind = Callable[[Service, str, Headers], Exchange]
"""Begins an exchange with the app of that name. Raises Problem where the headers tell already that it cannot be."""
