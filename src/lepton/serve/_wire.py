"""What stands between the wire and the application: uvicorn's protocols, and an end to what a client may leave open.

uvicorn bounds neither the length of a head nor the time that one takes, waits without end for a handshake that it could
not read, and says what is hardly HTTP in plain text. Here each of these is a problem with a reason, and the connection
is closed.
"""

import asyncio
import re
from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Any

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.protocol import State

from lepton.serve import _problems
from lepton.serve._front import Front
from lepton.serve._limits import Limits
from lepton.serve._problems import Problem

HEAD = 64 * 2**10
"""Bytes of a request's line and headers at most, and of what stands between the parts of a body."""

# Clients that would like HTTP/2 say so beside a whole request of HTTP/1.1; the parser would lose that one's body.
_WISH = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n|\Z)", re.IGNORECASE)


class Turn:
    """Stands for uvicorn's own cycle while a request that came whole is answered without a task."""

    more_body = False
    disconnected = False
    response_complete = False

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.message_event = self
        self.future: asyncio.Future[Any] | None = None

    def set(self) -> None:
        """Nobody waits for a message: what is cancelled here is the answer, when the client has gone."""
        if self.future is not None:
            self.future.cancel()


class Wire(HttpToolsProtocol):
    """One connection. What it owes, a head or the rest of a body, must come within the server's `limits`.

    A request that asks an app, and comes whole while nothing else is answered, is answered without a task.
    """

    def __init__(self, *args: Any, limits: Limits, **more: Any) -> None:
        super().__init__(*args, **more)
        self._limits = limits
        self.url = b""
        self._in_head = True
        self._owed = 0
        self._heard = False
        self._seen: Any = self  # no cycle: what was sent may lie unread at the first look, where the loop is late
        self._why: Problem | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._front = self.app if isinstance(self.app, Front) else None
        self._parts: list[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to look, once in the time that a request may take, whether something still comes."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self._limits.seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._end_looking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, unless the head, or what stands between the parts of a body, is too long already."""
        self._heard = True
        self._owed += len(data)
        super().data_received(_without_wish(data) if self._in_head and b"h2c" in data else data)
        if self._parts is not None:
            self._begin_long()
        if self._owed > HEAD and not self.transport.is_closing():
            self._refuse(_too_long())

    def on_headers_complete(self) -> None:
        """Let the application begin. Later headers, which follow a body, are never those of the request."""
        if self._owed > HEAD or self.expect_100_continue:
            self._check_head()
        self._in_head, self._owed = False, 0
        if self._may_be_short():
            self._parts = []
        else:
            super().on_headers_complete()
        if not self.parser.should_upgrade():
            self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._owed = 0
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Expect the next head."""
        self._in_head, self._owed = True, 0
        if self._parts is None or self._front is None:
            super().on_message_complete()
        else:
            self._answer(self._front, b"".join(self._parts))

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._end_looking()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Say why this cannot be read, after what was asked before on this connection is answered."""
        self._refuse(self._why or Problem(400, "This is not HTTP", remedy="Send a request as RFC 9112 has it"))

    def _may_be_short(self) -> bool:
        """Whether the request asks an app, and nothing is under way that its answer would have to wait for."""
        return (
            self._front is not None
            and self._front.knows(self.url.decode("latin-1"))
            and (self.cycle is None or self.cycle.response_complete)
            and not (self.expect_100_continue or self.flow.write_paused or self.parser.should_upgrade())
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
        )

    def _begin_long(self) -> None:
        """Begin uvicorn's own way with a request whose body is still to come."""
        parts, self._parts = self._parts or (), None
        super().on_headers_complete()
        for part in parts:
            super().on_body(part)

    def _answer(self, front: Front, body: bytes) -> None:
        """Let the front answer the request, which is whole."""
        self._parts = None
        turn: Any = Turn(keep_alive=self.parser.should_keep_alive())
        self.cycle = turn
        done = partial(self._done, turn)
        headers: Any = self.scope["headers"]
        turn.future = front.answer(self.url.decode("latin-1"), headers, body, done=done)

    def _done(self, turn: Turn, response: Response) -> None:
        turn.response_complete = True
        if turn.disconnected:
            return
        closes = not turn.keep_alive or (b"connection", b"close") in response.raw_headers
        self.transport.write(written(response, closes=closes))
        if closes:
            self.transport.close()
        self.on_response_complete()

    def _check_head(self) -> None:
        """Raise the Problem, which the parser passes on as an error of its own, that a head may be."""
        if self._owed > HEAD and len(self.url) + sum(map(len, chain.from_iterable(self.headers))) > HEAD:
            self._why = _too_long()
            raise self._why
        if self.expect_100_continue and _announced(self.headers) > self._limits.body:
            self._why = Problem(413, f"The body is too long: at most {self._limits.body:,} bytes")
            raise self._why

    def _look(self) -> None:
        """Close a connection whose head has not come since the last look, or whose body has stopped."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            late = cycle is self._seen and (cycle is None or self._owed > 0 or not self._in_head)
        else:
            late = cycle.more_body and not self._heard and not self.flow.read_paused
        if late:
            self._give_up()
            return
        self._seen, self._heard = cycle, False
        self._timer = self.loop.call_later(self._limits.seconds, self._look)

    def _give_up(self) -> None:
        if self._owed or not self._in_head:
            self._refuse(Problem(408, f"The request did not come within {self._limits.seconds:g} s"))
        else:
            self.transport.close()

    def _end_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem and close; where earlier requests are still being answered, close behind the last."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not self.pipeline:
            self.transport.write(written(_problems.respond(problem, self.url.decode("latin-1")), closes=True))
        self.transport.close()


class Frames(WebSocketsSansIOProtocol):
    """One WebSocket. A handshake that fails is a problem, too."""

    _gone = False

    def data_received(self, data: bytes) -> None:
        """Read, and refuse what is no handshake."""
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse(Problem(400, f"This is no handshake: {self.conn.handshake_exc}"))

    def handle_connect(self, event: Any) -> None:
        """Begin, where the handshake is one."""
        found = self.conn.accept(event)
        if found.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            super().handle_connect(event)
            return
        kept = {name: found.headers[name] for name in ("Allow", "Upgrade") if name in found.headers}
        self._refuse(Problem(int(found.status_code), f"This is no handshake: {self.conn.handshake_exc}", headers=kept))

    def send_receive_event_to_app(self) -> None:
        """Hand a message over; a text that is none ends the connection, which uvicorn would log as a fault."""
        if self.curr_msg_data_type == "text" and not _is_text(self._message()):
            if self.conn.state is State.OPEN:
                self.conn.send_close(CloseCode.INVALID_DATA, "A text frame is UTF-8")
                self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Close after a frame that is none; whatever is still to be told finds the client gone."""
        super().handle_parser_exception()
        self._gone = True

    def keepalive_timeout(self) -> None:
        """Close where no pong came; whatever is still to be told finds the client gone."""
        super().keepalive_timeout()
        self._gone = self.close_sent

    async def send(self, message: Any) -> None:
        """Send; an answer in place of a handshake ends it, which uvicorn would call the application's fault."""
        if self._gone:
            raise ClientDisconnected
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def _message(self) -> bytes:
        """The bytes of the message that is whole now; the older uvicorns keep them together."""
        return b"".join(getattr(self, "frames", None) or [getattr(self, "bytes", b"")])

    def _refuse(self, problem: Problem) -> None:
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        self.transport.write(written(_problems.respond(problem, ""), closes=True))
        self.transport.close()


def written(response: Response, *, closes: bool) -> bytes:
    """The whole response; with `closes` it says that the connection ends with it."""
    headers = [pair for pair in response.raw_headers if pair[0] != b"connection"] if closes else response.raw_headers
    lines = [b"%b: %b" % pair for pair in headers]
    ends = (b"connection: close", b"", response.body) if closes else (b"", response.body)
    return b"\r\n".join([_STATUS[response.status_code], *lines, *ends])


_STATUS = {int(one): b"HTTP/1.1 %d %b" % (one, one.phrase.encode()) for one in HTTPStatus}


def _too_long() -> Problem:
    return Problem(431, f"The head of the request is too long: at most {HEAD:,} bytes")


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """The length that a body is said to have; the parser has seen to it that it is a number."""
    return int(dict(headers).get(b"content-length", b"0"))


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_wish(data: bytes) -> bytes:
    head, end, body = data.partition(b"\r\n\r\n")
    return b"".join((_WISH.sub(b"", head), end, body))
