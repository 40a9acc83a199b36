"""Redis Streams: `redis://HOST[:PORT]/STREAM`, read as one of a group of consumers, or added to.

An entry's answer is written before the entry is acknowledged. What a consumer took and never acknowledged, because it
was killed, is claimed by the others after a while; what several have failed at goes to the stream STREAM:dead, with
what cannot be read. A password is taken from the address or from the variable REDISCLI_AUTH, as redis-cli does.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from lepton.core.errors import BadInput, MissingExtra, UserError
from lepton.core.settings import Range
from lepton.runtime.app import MAX_BATCH
from lepton.streams._flow import PATIENCE, Item, encoded, shown

PORT = 6379

_TRIES = 8  # times that a broken connection is tried again, up to 10 s apart


def source(
    place: str,
    modality: str,
    *,
    group: str = "lepton",
    consumer: str | None = None,
    field: str = "input",
    idle: Annotated[float, Range(0.01, 86_400)] = 60.0,
    tries: Annotated[int, Range(1, 1000)] = 5,
    db: Annotated[int, Range(0, 1000)] = 0,
    tls: bool = False,
) -> "_Source":
    """Read the stream at `place` as a `consumer` (this machine and process where left open) of a `group`.

    The group is made where there is none, and begins with the stream's first entry. `field` of an entry has the
    input: the bytes of an image or a recording, or a text; its field `id`, where it has one, names it in the answer.
    What another consumer took and did not acknowledge for `idle` seconds is claimed; what was given out more than
    `tries` times is put aside.
    """
    where = _where(place)
    client = _client(where, db=db, tls=tls)
    name = consumer or f"{socket.gethostname()}-{os.getpid()}"
    found = _Source(client, where, _Group(group, name, field, idle, tries))
    found.join()
    return found


def sink(
    place: str,
    *,
    maxlen: Annotated[int, Range(1, None)] | None = None,
    db: Annotated[int, Range(0, 1000)] = 0,
    tls: bool = False,
) -> "_Sink":
    """Add entries `id` and `answer` (or `error`), as JSON, to the stream at `place`, which keeps about `maxlen`."""
    where = _where(place)
    return _Sink(_client(where, db=db, tls=tls), where, maxlen)


@dataclass(frozen=True, slots=True)
class _Where:
    """A stream on a server."""

    host: str
    port: int
    user: str | None
    password: str | None
    stream: str


@dataclass(frozen=True, slots=True)
class _Group:
    """How a stream is read."""

    name: str
    consumer: str
    field: str
    idle: float
    tries: int


class _Source:
    """Entries that nobody has taken yet, and at times those that somebody took and left."""

    def __init__(self, client: Any, where: _Where, group: _Group) -> None:
        self._client = client
        self._where = where
        self._group = group
        self._cursor: Any = "0-0"
        self._next = 0.0

    def join(self) -> None:
        """Make the group where there is none. Raises UserError where the server cannot be asked."""
        with _asked(self._where):
            try:
                self._client.xgroup_create(self._where.stream, self._group.name, id="0", mkstream=True)
            except self._client_error() as error:
                if "BUSYGROUP" not in str(error):
                    raise

    def take(self) -> Sequence[Item] | None:
        with _asked(self._where):
            if time.monotonic() >= self._next:
                left = self._left()
                if left:
                    return left
            return [self._item(*entry) for entry in self._new()]

    def done(self, item: Item) -> None:
        with _asked(self._where):
            self._client.xack(self._where.stream, self._group.name, item.own[0])

    def bury(self, item: Item, reason: str) -> None:
        entry, fields = item.own
        with _asked(self._where):
            self._client.xadd(f"{self._where.stream}:dead", {**fields, "entry": entry, "error": reason})
        self.done(item)

    def close(self) -> None:
        self._client.close()

    def _new(self) -> Sequence[tuple[Any, Any]]:
        group, stream = self._group, self._where.stream
        wait = int(1000 * PATIENCE)
        found = self._client.xreadgroup(group.name, group.consumer, {stream: ">"}, count=MAX_BATCH, block=wait)
        if not found:
            return []
        entries: Any = next(iter(found.values()))[0] if isinstance(found, dict) else found[0][1]
        return list(entries)

    def _left(self) -> list[Item]:
        """Entries that some consumer has held for too long; the next look is due when all were seen."""
        group, stream = self._group, self._where.stream
        idle = int(1000 * group.idle)
        reply = self._client.xautoclaim(stream, group.name, group.consumer, idle, self._cursor, MAX_BATCH)
        self._cursor = reply[0]
        if self._cursor in (b"0-0", "0-0"):
            self._next = time.monotonic() + group.idle / 2
        return [self._again(*entry) for entry in reply[1] if entry[1] is not None]

    def _again(self, entry: bytes, fields: Mapping[bytes, bytes]) -> Item:
        """An entry that was given out before, or why it is given out no more."""
        group = self._group
        known = self._client.xpending_range(self._where.stream, group.name, min=entry, max=entry, count=1)
        times = known[0]["times_delivered"] if known else 1
        if times <= group.tries:
            return self._item(entry, fields)
        rule = f"It is given out {group.tries} times at most"
        return _item(entry, fields, BadInput("The entry was never answered", rule=rule, received=times))

    def _item(self, entry: bytes, fields: Mapping[bytes, bytes]) -> Item:
        raw: bytes | BadInput | None = fields.get(self._group.field.encode())
        if raw is None:
            rule = f"An entry's input is in its field {self._group.field}"
            received = ", ".join(key.decode(errors="replace") for key in fields)
            raw = BadInput("The entry has no input", rule=rule, received=received)
        return _item(entry, fields, raw)

    @staticmethod
    def _client_error() -> type[Exception]:
        from redis.exceptions import ResponseError

        return ResponseError


class _Sink:
    """Adds an entry for each answer."""

    def __init__(self, client: Any, where: _Where, maxlen: int | None) -> None:
        self._client = client
        self._where = where
        self._maxlen = maxlen

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        fields = {"id": id, **{key: value if key == "error" else encoded(value) for key, value in told.items()}}
        with _asked(self._where):
            self._client.xadd(self._where.stream, fields, maxlen=self._maxlen, approximate=True)

    def close(self) -> None:
        self._client.close()


def _item(entry: bytes, fields: Mapping[bytes, bytes], raw: bytes | BadInput) -> Item:
    """An entry as an item, which has its own field `id` or the entry's for an id."""
    return Item(fields.get(b"id", entry).decode(errors="replace"), raw, (entry, fields))


def _where(place: str) -> _Where:
    """The parts of `//HOST:PORT/STREAM`. Raises UserError for another form."""
    try:
        parts = urlsplit(f"redis:{place}")
        port = parts.port or PORT
    except ValueError:
        parts, port = urlsplit("redis:"), 0
    stream = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not stream:
        rule = "A stream of Redis is named by its server and its key"
        raise UserError(
            "The stream has no such place", rule=rule, received=shown(place), remedy="Say redis://HOST:PORT/STREAM"
        )
    password = unquote(parts.password) if parts.password else os.environ.get("REDISCLI_AUTH")
    return _Where(parts.hostname, port, parts.username or None, password, stream)


def _client(where: _Where, *, db: int, tls: bool) -> Any:
    """A connection that is tried again with pauses when it breaks."""
    try:
        from redis import Redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ModuleNotFoundError as error:
        raise MissingExtra("Streams of Redis need its client, which is not installed", "redis") from error
    how: Any = {"username": where.user, "password": where.password, "db": db, "ssl": tls}
    _check_password(where, Redis(where.host, where.port, **how, retry=Retry(ExponentialBackoff(), 0)))
    return Redis(where.host, where.port, **how, retry=Retry(ExponentialBackoff(cap=10, base=0.1), _TRIES))


def _check_password(where: _Where, client: Any) -> None:
    """Raise UserError where the server refuses the password, which trying again would not mend."""
    from redis.exceptions import AuthenticationError, RedisError

    # A server that is not there yet is waited for later on.
    with closing(client), suppress(RedisError):
        try:
            client.ping()
        except AuthenticationError as error:
            remedy = "Give it in the address or in REDISCLI_AUTH"
            raise UserError(
                f"Redis at {where.host}:{where.port} refuses the password", rule=str(error), remedy=remedy
            ) from error


@contextmanager
def _asked(where: _Where) -> Iterator[None]:
    """What the server cannot or will not do is the user's to mend."""
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        what = f"Redis at {where.host}:{where.port} does not answer for {where.stream}"
        raise UserError(what, rule=str(error), remedy="Check that it runs, and the key's type") from error
