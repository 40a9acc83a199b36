"""From a request to raw inputs: the body within its limit, its type checked, JSON and base64 taken apart."""

import asyncio
import encodings
import pkgutil
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from encodings.aliases import aliases
from functools import cache, lru_cache

import msgspec
from starlette.requests import ClientDisconnect, Request

from lepton.core.errors import shorten
from lepton.core.types import Raw
from lepton.serve import _media
from lepton.serve._exchange import Headers
from lepton.serve._problems import Problem
from lepton.serve._service import Service


@dataclass(frozen=True, slots=True)
class Inputs:
    """The raw inputs of a request; `many` says that a list was asked and a list is due."""

    raws: list[Raw]
    many: bool


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON form of a request."""

    inputs: str | list[str]


def check(headers: Headers, modality: str) -> tuple[str, str]:
    """The type of a body and its charset. Raises Problem 415 for one that an app of `modality` does not take."""
    told = dict(headers)
    _check_encoding(told.get(b"content-encoding", b"identity"))
    kind, charset = _content_type(told.get(b"content-type", b"")[:_LONGEST_TYPE])
    if not _is_taken(kind, modality):
        raise _other_kind(kind, modality)
    return kind, charset


def parsed(body: bytes, kind: tuple[str, str], *, modality: str, most: int) -> Inputs:
    """The raw inputs, at most `most`, of a body of the type and charset `kind`.

    Raises Problem 400, 413, 415 or 422 for what cannot be understood.
    """
    if kind[0] == "application/json":
        return _from_json(body, modality, most)
    return Inputs([_text(body, kind[1]) if modality == "text" else body], False)


def _check_encoding(encoding: bytes) -> None:
    if encoding != b"identity":
        received = shorten(encoding.decode("latin-1"))
        raise Problem(415, "A body is sent as it is, without Content-Encoding", received=received)


@lru_cache(256)
def _content_type(header: bytes) -> tuple[str, str]:
    kind, _, parameters = header.decode("latin-1").partition(";")
    charset = _CHARSET.search(parameters)
    return kind.strip().lower(), charset.group(1).lower() if charset else "utf-8"


@lru_cache(256)
def _is_taken(kind: str, modality: str) -> bool:
    return any(kind == one or (one.endswith("/*") and kind.startswith(one[:-1])) for one in _kinds(modality))


def _other_kind(kind: str, modality: str) -> Problem:
    allowed = _kinds(modality)
    return Problem(
        415,
        f"This app does not take {shorten(kind, 80) or 'a body without Content-Type'}",
        rule=f"Content-Type must be one of {', '.join(allowed)}",
        remedy=f"Send the header Content-Type: {allowed[0].replace('*', _USUAL.get(modality, '*'))}",
        headers={"Accept-Post": ", ".join(allowed)},
    )


_CHARSET = re.compile(r"""\bcharset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
# Python knows codecs that are no charsets, some of them (punycode, idna) slow enough to stop a server.
_TEXTUAL = re.compile(
    r"utf-?(8|16|32)([lb]e)?|(us-)?ascii|(iso-?8859|latin|windows|cp|koi8|euc|gb|big|shift)[-_a-z0-9]*"
)
_USUAL = {"image": "png", "audio": "wav"}
_LONGEST_TYPE = 200  # bytes of a Content-Type that count


def _kinds(modality: str) -> list[str]:
    own = "text/plain" if modality == "text" else f"{modality}/*"
    return [own, "application/octet-stream", "application/json"]


async def body(request: Request, service: Service) -> bytes:
    """The body of a request, given up as soon as it is known to be too long; the caller releases its length.

    Raises Problem: 413 above the limit, 408 when it does not come in time, 400 where there is none, 503 where too
    many bodies wait.
    """
    first = await request.receive()
    if first["type"] == "http.disconnect":
        raise ClientDisconnect
    if not first.get("more_body"):
        return whole(first.get("body", b""), service)
    return _some(await _rest(request, first["body"], service))


def whole(data: bytes, service: Service) -> bytes:
    """A body that has come already, as `body` gives it."""
    if len(data) > service.limits.body:
        raise _too_long(service.limits.body)
    _some(data)
    service.hold(len(data))
    return data


def _some(data: bytes) -> bytes:
    if not data:
        raise Problem(400, "The body is empty", remedy="Send the raw input, or JSON with inputs")
    return data


async def _rest(request: Request, first: bytes, service: Service) -> bytes:
    """All parts of a body that comes in several, within the server's time."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > service.limits.body:
        raise _too_long(service.limits.body)
    parts: list[bytes] = []
    held = 0
    try:
        async with asyncio.timeout(service.limits.seconds):
            async for part in _parts(request, first):
                service.hold(len(part))
                held += len(part)
                if held > service.limits.body:
                    raise _too_long(service.limits.body)
                parts.append(part)
    except BaseException as error:
        service.release(held)
        if isinstance(error, TimeoutError):
            detail = f"The body did not come within {service.limits.seconds:g} s"
            raise Problem(408, detail, headers={"Connection": "close"}) from error
        raise
    return b"".join(parts)


async def _parts(request: Request, first: bytes) -> AsyncIterator[bytes]:
    yield first
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        yield message.get("body", b"")


def _too_long(limit: int) -> Problem:
    # The rest of the body is never read, so the connection cannot be used again.
    return Problem(413, f"The body is too long: at most {limit:,} bytes", limit=limit, headers={"Connection": "close"})


def _from_json(body: bytes, modality: str, most: int) -> Inputs:
    try:
        found = msgspec.json.decode(body, type=_Body).inputs
    except msgspec.ValidationError as error:
        raise Problem(422, f"The JSON has another form than {_FORM}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"The body is not valid JSON: {error}", remedy=f"Send {_FORM}") from error
    many = isinstance(found, list)
    items = found if isinstance(found, list) else [found]
    if not 1 <= len(items) <= most:
        raise Problem(422 if not items else 413, f"There must be 1 to {most} inputs", received=len(items))
    raws: list[Raw] = (
        list(items) if modality == "text" else [_media.from_base64(item, index) for index, item in enumerate(items)]
    )
    return Inputs(raws, many)


_FORM = '{"inputs": [...]} with texts, or media in base64'


def _text(body: bytes, charset: str) -> str:
    if charset not in _UTF_8 and not (_TEXTUAL.fullmatch(charset) and re.sub("[-_]+", "_", charset) in _codecs()):
        raise Problem(415, "The charset of the text is not known", received=shorten(charset), remedy="Send UTF-8")
    try:
        return body.decode("utf-8-sig" if charset in _UTF_8 else charset)
    except ValueError as error:
        raise Problem(400, f"The text is not in {shorten(charset, 40)}", remedy="Send UTF-8") from error


_UTF_8 = ("utf-8", "utf8")


@cache
def _codecs() -> frozenset[str]:
    """The names of Python's codecs. It keeps every other name that it was ever asked for."""
    return frozenset((*aliases, *(module.name for module in pkgutil.iter_modules(encodings.__path__))))
