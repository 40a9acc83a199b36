"""What a fuzzed request is, how it is sent, and which promises its answer keeps."""

import json
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

PROBLEM = "application/problem+json"
SECRET = "what-stands-in-a-file-beside-the-server"
"""What a file holds whose name is in many requests; it must stand in no answer."""

_PATIENCE = 60.0
_IDLE = 3.0  # the server closes a connection after five
_ID = re.compile(r"[\w.:/=+-]{1,128}")
_OPEN = re.compile(rb"/(healthz|readyz|openapi\.json|console/.*|v2/health/(live|ready))?")

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request. Its length is told unless `headers` tell of one."""

    path: bytes
    body: bytes = b""
    headers: Headers = ()
    method: bytes = b"POST"

    def wire(self) -> bytes:
        """The bytes that are sent."""
        told = {name.lower() for name, _ in self.headers} & {b"content-length", b"transfer-encoding"}
        length = [] if told else [(b"Content-Length", b"%d" % len(self.body))]
        lines = [b"%b %b HTTP/1.1" % (self.method, self.path), b"Host: 127.0.0.1"]
        lines += [b"%b: %b" % pair for pair in (*self.headers, *length)]
        return b"\r\n".join((*lines, b"", self.body))


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers with names in lower case, body, and seconds since the request was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


@dataclass
class Seen:
    """What came of the requests of one part: how many there were, their statuses, and the broken promises."""

    what: str
    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    broken: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By promise: how often it was broken, and the first request that broke it."""
    costs: dict[str, float] = field(default_factory=dict)
    """Milliseconds of processor time of what has a name."""

    def add(self, sent: bytes, reply: Reply | None, faults: Sequence[str]) -> None:
        """Count one request and what was wrong with its answer."""
        self.count += 1
        self.statuses["none" if reply is None else str(reply.status)] += 1
        self.slowest = max(self.slowest, reply.seconds if reply else 0.0)
        for fault in faults:
            times, first = self.broken.get(fault, (0, ""))
            self.broken[fault] = (times + 1, first or f"{sent[:2000]!r} -> {reply!r}"[:6000])


class Client:
    """One kept connection, opened again whenever the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._line: socket.socket | None = None
        self._last = 0.0

    def ask(self, sent: bytes, *, is_head: bool = False) -> Reply | None:
        """The answer, or None where the server closed the connection without one."""
        if time.perf_counter() - self._last > _IDLE:
            self.close()
        start = time.perf_counter()
        line = self._line = self._line or socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
        try:
            _send(line, sent)
            found = _read(line, is_head)
        except ConnectionError:
            found = None
        if found is None or found.rest or found.replies[0].headers.get("connection") == "close":
            self.close()
        self._last = time.perf_counter()
        return replace(found.replies[0], seconds=self._last - start) if found else None

    def close(self) -> None:
        """Close the connection."""
        if self._line is not None:
            self._line.close()
        self._line = None


@dataclass(frozen=True)
class Answers:
    """The whole answers in what was received, and what is behind them."""

    replies: Sequence[Reply]
    rest: bytes


def answers(received: bytes, *, is_head: bool = False) -> Answers:
    """Take apart what was received. Raises ValueError for what is no HTTP."""
    replies = []
    rest = received
    while True:
        head, end, behind = rest.partition(b"\r\n\r\n")
        if not end:
            return Answers(replies, rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status = first.split(" ")[:2]
        if version != "HTTP/1.1":
            raise ValueError(f"no HTTP: {first!r}")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if is_head or int(status) < 200 else int(headers.get("content-length", ""))
        if len(behind) < length:
            return Answers(replies, rest)
        if int(status) not in (100, 101):
            replies.append(Reply(int(status), headers, behind[:length]))
        elif int(status) == 101:
            return Answers([*replies, Reply(101, headers, b"")], behind)
        rest = behind[length:]


def _send(line: socket.socket, sent: bytes) -> None:
    try:
        line.sendall(sent)
    except ConnectionError:
        # The server may have answered and closed before it had all.
        return


def _read(line: socket.socket, is_head: bool) -> Answers | None:
    received = b""
    while part := line.recv(1 << 20):
        received += part
        found = answers(received, is_head=is_head)
        if found.replies:
            return found
    return None


def faults(reply: Reply | None, *, is_head: bool = False) -> list[str]:
    """The promises that an answer breaks."""
    if reply is None:
        return ["every request is answered"]
    found = {
        "no 5xx but 503 with Retry-After": reply.status < 500 or _says_when(reply),
        "nothing of the file system is told": SECRET.encode() not in reply.body and b"root:x:0" not in reply.body,
        "nothing of the program is told": b"Traceback" not in reply.body and b" object at 0x" not in reply.body,
        "every answer has a plain id": reply.status in _WITHOUT_ID or _is_plain(reply.headers.get("x-request-id")),
        "every problem is application/problem+json": reply.status < 400 or is_head or _is_problem(reply),
        "every JSON is JSON": reply.headers.get("content-type") != "application/json" or is_head or _is_json(reply),
    }
    return [promise for promise, kept in found.items() if not kept]


def key_faults(sent: Sent, reply: Reply | None, keys: Sequence[bytes]) -> list[str]:
    """The promise of a server with keys: without one nothing but what is open is answered."""
    given = {value.removeprefix(b"Bearer ") for name, value in sent.headers if name in (b"Authorization", b"X-API-Key")}
    is_open = bool(_OPEN.fullmatch(sent.path.partition(b"?")[0]))
    is_kept = reply is None or reply.status >= 400 or is_open or not given.isdisjoint(keys)
    return [] if is_kept else ["no answer without a key"]


def reset(line: socket.socket) -> None:
    """Close a connection so that the other side is told of a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


# What is no HTTP, too long or too late is refused before it is a request that could have an id.
_WITHOUT_ID = (101, 400, 405, 408, 413, 426, 431)


def _says_when(reply: Reply) -> bool:
    return reply.status == 503 and reply.headers.get("retry-after", "").isdigit()


def _is_plain(found: str | None) -> bool:
    return found is not None and bool(_ID.fullmatch(found))


def _is_problem(reply: Reply) -> bool:
    if reply.headers.get("content-type") != PROBLEM or not _is_json(reply):
        return False
    told: Any = json.loads(reply.body)
    return bool(told["status"] == reply.status and told["title"] and told["detail"])


def _is_json(reply: Reply) -> bool:
    try:
        json.loads(reply.body)
    except ValueError:
        return False
    return True
