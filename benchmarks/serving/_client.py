"""A client that knows of every request what became of it.

When a connection ends without an answer, the server had either taken the request or not. A socket that is closed
while bytes lie unread in it, or that bytes reach after it was closed, resets the connection; one whose bytes were all
read is closed in order. So a request was accepted when its answer had begun, or when all its bytes were acknowledged
and the connection was then closed in order; a reset means that nobody had read it.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from _asks import Ask

_ACKNOWLEDGED = 120
"""Where `struct tcp_info` of Linux has the number of bytes that were acknowledged, the opening SYN being one."""


class Unanswered(Exception):
    """There was no answer, or no whole one; `accepted` says whether the server had taken the request."""

    def __init__(self, why: str, *, accepted: bool) -> None:
        super().__init__(why)
        self.accepted = accepted


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers with names in lower case, body, and seconds since the request was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


def request(ask: Ask) -> bytes:
    """The request as it goes over the connection."""
    headers = {"Host": "127.0.0.1", **ask.headers, "Content-Length": str(len(ask.body))}
    lines = [f"POST {ask.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + ask.body


class Client:
    """One kept-alive connection to the server on `port`, opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sent = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> "Client":
        """Give itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    async def ask(self, sent: bytes) -> Reply:
        """Send a request and wait for its answer. Raises Unanswered."""
        began = time.perf_counter()
        try:
            reader, writer = await self._open()
            writer.write(sent)
            self._sent += len(sent)
            await writer.drain()
        except OSError as error:
            self.close()
            raise Unanswered(f"{type(error).__name__} before it was sent", accepted=False) from error
        status, headers, body = await self._read(reader)
        if headers.get("connection") == "close":
            self.close()
        return Reply(status, headers, body, time.perf_counter() - began)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._sent = 0
        return self._reader, self._writer

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
        begun = False
        try:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            begun = True
            pairs = (line.split(":", 1) for line in lines if line)
            headers = {name.lower(): value.strip() for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as error:
            accepted = begun or bool(error.partial) or self._acknowledged()
            self.close()
            raise Unanswered("closed in order", accepted=accepted) from error
        except OSError as error:
            self.close()
            raise Unanswered(type(error).__name__, accepted=begun) from error
        return int(first.split(" ")[1]), headers, body

    def _acknowledged(self) -> bool:
        """Whether the other side has acknowledged everything that was sent."""
        plain = self._writer.get_extra_info("socket") if self._writer else None
        if plain is None:
            return False
        told = plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return bool(struct.unpack_from("Q", told, _ACKNOWLEDGED)[0] > self._sent)
