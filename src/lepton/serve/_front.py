"""The first to see a request: it is let in or not, gets an id, and takes the short way where it asks an app."""

import asyncio
import itertools
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lepton.serve import _inputs, _problems
from lepton.serve._exchange import Exchange, Headers, Kind
from lepton.serve._guard import Guard, Holder
from lepton.serve._meters import AppMeters
from lepton.serve._problems import Problem
from lepton.serve._service import Answered, Service, explained

ACCESS = logging.getLogger("lepton.access")
_LOG = logging.getLogger(__name__)

_PLAIN_ID = re.compile(rb"[\w.:/=+-]{1,128}")


@dataclass(frozen=True, slots=True)
class _Place:
    """What stands at a path: a kind of exchange with an app, and its meters."""

    path: str
    kind: Kind
    app: str
    meters: AppMeters


@dataclass(slots=True)
class _Visit:
    """A request that asks an app, from its first moment to its response. `own` is its id."""

    place: _Place
    headers: Headers
    own: bytes
    start: float
    admitted: bool = False
    holder: Holder | None = None


class Front:
    """An ASGI application before the router: `asks` maps the paths asked most, with {name} for an app's, to exchanges.

    A router and its middleware cost more than a tiny model takes, so these paths are looked up and answered here. The
    task and the messages that ASGI wants cost as much again: `answer` does without them where a request came whole.
    """

    def __init__(self, rest: ASGIApp, service: Service, *, guard: Guard, asks: Mapping[str, Kind]) -> None:
        self._rest = rest
        self._service = service
        self._guard = guard
        self._asks = asks
        self._names: list[str] = []
        self._places: dict[str, _Place] = {}
        self._learn()
        self._start = os.urandom(6).hex().encode()
        self._numbers = itertools.count(1)

    def knows(self, path: str) -> bool:
        """Whether `answer` answers what is posted to `path`."""
        return self._place(path) is not None

    def _place(self, path: str) -> _Place | None:
        """What stands at a path; an app that was swapped may have names that were not there before."""
        found = self._places.get(path)
        if found is None and self._names != self._service.shelf.names:
            self._learn()
            found = self._places.get(path)
        return found

    def _learn(self) -> None:
        self._names = self._service.shelf.names
        for path, kind in self._asks.items():
            for name in self._names:
                own = path.format(name=name)
                self._places[own] = _Place(own, kind, name, self._service.meters.of(name))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's scope."""
        if scope["type"] == "lifespan":
            await self._rest(scope, receive, send)
            return
        place = self._place(scope["path"]) if scope.get("method") == "POST" else None
        if place is None:
            await self._other(scope, receive, send)
            return
        response = await self._answer(self._visit(place, scope["headers"]), Request(scope, receive))
        if response is not None:
            await response(scope, receive, send)

    def answer(
        self, path: str, headers: Headers, body: bytes, *, done: Callable[[Response], None]
    ) -> "asyncio.Future[Any] | None":
        """Answer a whole request, posted to a path it `knows`: `done` gets the response, now or in a later turn.

        The future is what is waited for, if anything; once it is cancelled, nobody is answered.
        """
        visit = self._visit(self._places[path], headers)
        held = 0
        try:
            exchange = self._begun(visit)
            held = len(_inputs.whole(body, self._service))
            ask = exchange.ask(body)
            app = self._service.submit(visit.place.app, ask)
        except Exception as error:  # noqa: BLE001 - a problem, or a bug of ours: a response either way
            self._service.release(held)
            done(self._finished(visit, _fault(visit, error)))
            return None

        def give(future: "asyncio.Future[Any]") -> None:
            self._service.release(held)
            if future.cancelled():
                return
            try:
                response = self._reply(visit, exchange, Answered(app, future.result()))
            except Exception as error:  # noqa: BLE001 - the same
                response = _fault(visit, explained(ask, error))
            done(self._finished(visit, response))

        if ask.future.done():
            give(ask.future)
            return None
        ask.future.add_done_callback(give)
        return ask.future

    async def _answer(self, visit: _Visit, request: Request) -> Response | None:
        """The response, a problem as one, or None where the client has gone."""
        try:
            exchange = self._begun(visit)
            body = await _inputs.body(request, self._service)
            try:
                answered = await self._service.answer(visit.place.app, exchange.ask(body), request=request)
            finally:
                self._service.release(len(body))
            response = self._reply(visit, exchange, answered)
        except ClientDisconnect:
            return None
        except Exception as error:  # noqa: BLE001 - a problem, or a bug of ours: a response either way
            response = _fault(visit, error)
        return self._finished(visit, response)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the router answer."""
        own = self._id(scope["headers"])
        try:
            self._guard.admit(scope["path"], scope["headers"])
        except Problem as problem:
            self._service.meters.refused(problem.status)
            await _problems.respond(problem, scope["path"])(scope, receive, _with_id(send, own))
            return
        scope["lepton_id"] = own
        await self._rest(scope, receive, _with_id(send, own))

    def _visit(self, place: _Place, headers: Headers) -> _Visit:
        return _Visit(place, headers, self._id(headers), time.perf_counter())

    def _begun(self, visit: _Visit) -> Exchange:
        visit.holder = self._guard.admit(visit.place.path, visit.headers)
        visit.admitted = True
        return visit.place.kind(self._service, visit.place.app, visit.headers)

    def _reply(self, visit: _Visit, exchange: Exchange, answered: Answered) -> Response:
        response = exchange.reply(answered)
        visit.place.meters.decided(answered.answers)
        return response

    def _finished(self, visit: _Visit, response: Response) -> Response:
        """The response with its id, counted and logged."""
        response.raw_headers.append((b"x-request-id", visit.own))
        if not visit.admitted:
            self._service.meters.refused(response.status_code)
            return response
        seconds = time.perf_counter() - visit.start
        visit.place.meters.answered(response.status_code, seconds)
        if ACCESS.isEnabledFor(logging.INFO):
            who = visit.holder.name if visit.holder else None
            facts = {"id": visit.own.decode(), "app": visit.place.app, "status": response.status_code, "key": who}
            ACCESS.info(visit.place.path, extra={"facts": {**facts, "ms": seconds * 1e3}})
        return response

    def _id(self, headers: Headers) -> bytes:
        """The id that the client gave its request, where it is plain, else a new one."""
        for name, value in headers:
            if name == b"x-request-id" and _PLAIN_ID.fullmatch(value):
                return value
        return b"%b-%x" % (self._start, next(self._numbers))


def _fault(visit: _Visit, error: Exception) -> Response:
    """A problem as a response; of a bug the log has the traceback, and the client a 500."""
    if isinstance(error, Problem):
        return _problems.respond(error, visit.place.path)
    _LOG.error("A bug, met at %s", visit.place.path, exc_info=error)
    return _problems.respond(_problems.bug(), visit.place.path)


def _with_id(send: Send, own: bytes) -> Send:
    async def wrapped(message: Any) -> None:
        if message["type"].endswith("http.response.start"):
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", own)]
        await send(message)

    return wrapped
