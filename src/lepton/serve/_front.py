"""The first to see a request: it is let in or not, gets an id, and takes the short way where it asks an app."""

import itertools
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lepton.serve import _problems
from lepton.serve._guard import Guard
from lepton.serve._problems import Problem
from lepton.serve._service import Service

ACCESS = logging.getLogger("lepton.access")
_LOG = logging.getLogger(__name__)

Handler = Callable[[Service, Request, str], Awaitable[Response]]
"""Answers a request for the app of that name."""

_PLAIN_ID = re.compile(rb"[\w.:/=+-]{1,128}")


class Front:
    """An ASGI application before the router: `asks` maps the paths that are asked most to a handler and an app's name.

    A router and its middleware cost more than a tiny model takes, so these paths are looked up and answered here.
    """

    def __init__(
        self, rest: ASGIApp, service: Service, *, guard: Guard, asks: Mapping[str, tuple[Handler, str]]
    ) -> None:
        self._rest = rest
        self._service = service
        self._guard = guard
        self._asks = {path: (handler, name, service.meters.of(name)) for path, (handler, name) in asks.items()}
        self._start = os.urandom(6).hex().encode()
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] == "lifespan":
            await self._rest(scope, receive, send)
            return
        start = time.perf_counter()
        own = self._id(scope["headers"])
        found = self._asks.get(scope["path"]) if scope.get("method") == "POST" else None
        try:
            holder = self._guard.admit(scope)
        except Problem as problem:
            self._service.meters.refused(problem.status)
            await _problems.respond(problem, scope["path"])(scope, receive, _with_id(send, own))
            return
        if found is None:
            scope["lepton_id"] = own
            await self._rest(scope, receive, _with_id(send, own))
            return
        handler, name, meters = found
        response = await self._answer(handler, name, Request(scope, receive))
        if response is None:
            return
        response.raw_headers.append((b"x-request-id", own))
        seconds = time.perf_counter() - start
        meters.answered(response.status_code, seconds)
        await response(scope, receive, send)
        if ACCESS.isEnabledFor(logging.INFO):
            who = holder.name if holder else None
            facts = {"id": own.decode(), "app": name, "status": response.status_code, "ms": seconds * 1e3, "key": who}
            ACCESS.info(scope["path"], extra={"facts": facts})

    async def _answer(self, handler: Handler, name: str, request: Request) -> Response | None:
        """The handler's response, a problem as one, or None where the client has gone."""
        try:
            return await handler(self._service, request, name)
        except Problem as problem:
            return _problems.respond(problem, request.scope["path"])
        except ClientDisconnect:
            return None
        except Exception:  # noqa: BLE001 - our bug: the log has its traceback, the client a 500
            _LOG.exception("A bug, met at %s", request.url.path)
            return _problems.respond(_problems.bug(), request.scope["path"])

    def _id(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The id that the client gave its request, where it is plain, else a new one."""
        for name, value in headers:
            if name == b"x-request-id" and _PLAIN_ID.fullmatch(value):
                return value
        return b"%b-%x" % (self._start, next(self._numbers))


def _with_id(send: Send, own: bytes) -> Send:
    async def wrapped(message: Any) -> None:
        if message["type"].endswith("http.response.start"):
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", own)]
        await send(message)

    return wrapped
