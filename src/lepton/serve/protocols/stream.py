"""Sound in pieces in, events out: `WS /v1/apps/{name}/stream`.

The client may begin with its settings in a text frame of JSON, and then sends samples in binary frames of any size. It
gets "ready" with the settings in force, then "event" for each event, "scores" for each window where it asked for
them, and "error" before the server closes. `{"type": "end"}` asks for what is still due and for a close with 1000.

A frame is read when the one before it is answered. So a client that sends faster than the engine answers is held back
by its own connection, and what is kept of a stream never grows.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lepton.core import settings
from lepton.core.errors import BadInput, UserError
from lepton.serve import _about, _problems
from lepton.serve._engine import Ask
from lepton.serve._json import encode
from lepton.serve._problems import Problem
from lepton.serve._service import Service
from lepton.streams._detector import listening
from lepton.streams._ear import Ear

MAX_FRAME = 256 * 2**10
"""Bytes of a frame at most: longer sound comes in several."""

IDLE = 300.0
"""Seconds without a frame after which a stream is closed."""

ASKS: Mapping[str, Any] = {}

_LOG = logging.getLogger(__name__)
_AGAIN = 0.05  # seconds until the engine is asked again after its queue was full
_BAD, _POLICY, _TOO_LONG, _BUG, _SWAPPED, _BUSY = 1007, 1008, 1009, 1011, 1012, 1013


def routes(service: Service) -> list[BaseRoute]:
    """The stream, and what a plain GET at its place is told."""

    async def stream(socket: WebSocket) -> None:
        await _serve(service, socket)

    async def plain(request: Request) -> Response:
        service.shelf.engine(request.path_params["name"])
        remedy = "Open a WebSocket here and send samples in binary frames"
        raise Problem(426, "This is a stream", remedy=remedy, headers={"Upgrade": "websocket", "Connection": "Upgrade"})

    path = "/v1/apps/{name}/stream"
    return [WebSocketRoute(path, stream), Route(path, plain, methods=["GET"])]


def paths(names: list[str]) -> dict[str, Any]:
    """The stream in the OpenAPI document, which knows nothing of WebSockets but that they begin with a GET."""
    upgraded = {"101": {"description": "A WebSocket: samples in binary frames in, JSON in text frames out"}}
    plain = {"426": {"description": "The request asked for no WebSocket"}}
    described = _about.operation("Listen to sound that comes in pieces, and tell events", 404)
    described["responses"] = {**upgraded, **plain, "404": described["responses"]["404"]}
    return {"/v1/apps/{name}/stream": {"get": {**described, "parameters": [_about.in_path("name", names)]}}}


class _Close(Exception):
    """A stream that the server ends: the code of WebSockets, and a problem as members for the client."""

    def __init__(self, code: int, detail: str, **more: str) -> None:
        super().__init__(detail)
        self.code = code
        self.told = {"detail": detail, **{name: text for name, text in more.items() if text}}


async def _serve(service: Service, socket: WebSocket) -> None:
    """One stream, from its handshake to its close."""
    name = socket.path_params["name"]
    try:
        listening({}, service.shelf.engine(name).app)
    except Problem as problem:
        await socket.send_denial_response(_problems.respond(problem, socket.url.path))
        return
    except UserError as error:
        await socket.send_denial_response(_problems.respond(_problems.from_error(error, {}), socket.url.path))
        return
    await socket.accept()
    with suppress(WebSocketDisconnect):
        await _until_closed(_Stream(service, socket, name))


async def _until_closed(stream: "_Stream") -> None:
    try:
        await stream.run()
        await stream.socket.close()
    except _Close as ended:
        await _end(stream, ended)
    except UserError as error:
        parts = {"rule": error.rule, "received": error.received, "remedy": error.remedy}
        await _end(stream, _Close(_BAD, error.message, **parts))
    except Problem as problem:
        await _end(stream, _Close(_BUSY, problem.detail, **problem.more))
    except WebSocketDisconnect:
        raise
    except Exception:  # noqa: BLE001 - our bug: the log has its traceback, the client a close
        _LOG.exception("A bug, met in a stream to %s", stream.name)
        await _end(stream, _Close(_BUG, _problems.bug().detail))
    finally:
        stream.release()


async def _end(stream: "_Stream", ended: _Close) -> None:
    await stream.tell({"type": "error", **ended.told})
    # A reason has at most 123 bytes.
    await stream.socket.close(ended.code, ended.told["detail"].encode()[:123].decode(errors="ignore"))


class _Stream:
    """One client that is listened to."""

    def __init__(self, service: Service, socket: WebSocket, name: str) -> None:
        self.service = service
        self.socket = socket
        self.name = name
        self._ear: Ear | None = None
        self._held = 0

    async def run(self) -> None:
        """Answer until the client goes or says that it is at the end."""
        async for frame in _frames(self.socket):
            if isinstance(frame, bytes):
                ear = self._ear or await self._begin({})
                await self._hear(ear, frame)
                continue
            told = _json(frame)
            if told == {"type": "end"}:
                await self.tell({"type": "end", "seconds": self._ear.seconds if self._ear else 0.0})
                return
            if self._ear is not None:
                raise _Close(_BAD, "Settings come in the first frame", remedy="Open another stream for others")
            await self._begin(told)

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        await self.socket.send_text(encode(message).decode())

    def release(self) -> None:
        """Give back what the server holds for this stream."""
        self.service.release(self._held)
        self._held = 0

    async def _begin(self, given: Mapping[str, Any]) -> Ear:
        """Take the settings in force and tell them."""
        ear = Ear(self.service.shelf.engine(self.name).app, given)
        memory = ear.memory + 2 * MAX_FRAME
        self.service.hold(memory)
        self._held = memory
        self._ear = ear
        app = ear.app.bundle.id
        await self.tell({"type": "ready", "app": app, "labels": ear.classes, "settings": settings.plain(ear.chosen)})
        return ear

    async def _hear(self, ear: Ear, chunk: bytes) -> None:
        for windows in ear.windows(chunk):
            loud = {place: one for place, one in enumerate(windows) if one.level >= ear.chosen.silence_db}
            answers = await self._answers(ear, [ear.wav(one) for one in loud.values()]) if loud else []
            found = dict(zip(loud, answers, strict=True))
            if ear.chosen.scores:
                for place, answer in found.items():
                    await self.tell({"type": "scores", **ear.span(windows[place]), "answer": answer})
            for event in ear.events(windows, found):
                self.service.meters.of(self.name).decided([[event]])
                await self.tell({"type": "event", **event, "time": round(time.time(), 3)})

    async def _answers(self, ear: Ear, raws: Sequence[bytes]) -> list[Any]:
        """Full answers, which a stream waits for while the queue is full. Raises BadInput for what has none."""
        until = time.monotonic() + self.service.limits.seconds
        size = sum(map(len, raws))
        while True:
            try:
                answered = await self.service.answer(self.name, Ask(raws, size))
                break
            except Problem as problem:
                if problem.status != 503 or time.monotonic() > until:
                    raise
            await asyncio.sleep(_AGAIN)
        if not ear.takes(answered.app):
            raise _Close(_SWAPPED, "The app was swapped for another", remedy="Open the stream again")
        for answer in answered.answers:
            if isinstance(answer, BadInput):
                raise answer
        return answered.answers


async def _frames(socket: WebSocket) -> AsyncIterator[bytes | str]:
    """The client's frames. Raises _Close for one that is too long or never comes."""
    while True:
        try:
            async with asyncio.timeout(IDLE):
                message = await socket.receive()
        except TimeoutError as error:
            remedy = "Send silence too, or open the stream again"
            raise _Close(_POLICY, f"No frame came within {IDLE:g} s", remedy=remedy) from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        frame = message.get("bytes")
        found = frame if frame is not None else message.get("text") or ""
        if len(found) > MAX_FRAME:
            rule = f"A frame has at most {MAX_FRAME:,} bytes"
            raise _Close(_TOO_LONG, "The frame is too long", rule=rule, remedy="Send the sound in shorter ones")
        yield found


def _json(frame: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(frame, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        remedy = 'Send settings such as {"rate": 16000}, or {"type": "end"}'
        raise _Close(_BAD, f"The text frame is no JSON object: {error}", remedy=remedy) from error
