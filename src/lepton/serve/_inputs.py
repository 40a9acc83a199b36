"""From a request to raw inputs: the body within its limit, its type checked, JSON and base64 taken apart."""

import binascii
import re
from dataclasses import dataclass

import msgspec
from starlette.requests import Request

from lepton.core.errors import shorten
from lepton.core.types import Raw
from lepton.serve._problems import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server takes: bytes of a body, inputs of a request, requests that wait for an answer."""

    body: int = 16 * 2**20
    inputs: int = 256
    queue: int = 64


@dataclass(frozen=True, slots=True)
class Inputs:
    """The raw inputs of a request; `many` says that a list was asked and a list is due. `size` is in bytes."""

    raws: list[Raw]
    many: bool
    size: int


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON form of a request."""

    inputs: str | list[str]


async def read(request: Request, modality: str, limits: Limits) -> Inputs:
    """Read a request's inputs for an app that takes `modality`.

    Raises Problem: 413 above the limits, 415 for a type that the app does not take, 400 or 422 for a body that
    cannot be understood.
    """
    _check_encoding(request)
    kind, charset = _content_type(request.headers.get("content-type", ""))
    _check_kind(kind, modality)
    body = await _body(request, limits.body)
    if kind == "application/json":
        return _from_json(body, modality, limits.inputs)
    return Inputs([_text(body, charset) if modality == "text" else body], False, len(body))


def _check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise Problem(415, "A body is sent as it is, without Content-Encoding", received=shorten(encoding))


def _content_type(header: str) -> tuple[str, str]:
    kind, _, parameters = header.partition(";")
    charset = _CHARSET.search(parameters)
    return kind.strip().lower(), charset.group(1).lower() if charset else "utf-8"


def _check_kind(kind: str, modality: str) -> None:
    allowed = _kinds(modality)
    if not any(kind == one or (one.endswith("/*") and kind.startswith(one[:-1])) for one in allowed):
        raise Problem(
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


def _kinds(modality: str) -> list[str]:
    own = "text/plain" if modality == "text" else f"{modality}/*"
    return [own, "application/octet-stream", "application/json"]


async def _body(request: Request, limit: int) -> bytes:
    """The body, given up as soon as it is known to be too long, so that no more than the limit is ever held."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        raise _too_long(limit)
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > limit:
            raise _too_long(limit)
        parts.append(part)
    if not length:
        raise Problem(400, "The body is empty", remedy="Send the raw input, or JSON with inputs")
    return b"".join(parts)


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
    raws: list[Raw] = list(items) if modality == "text" else [_media(item, index) for index, item in enumerate(items)]
    return Inputs(raws, many, len(body))


_FORM = '{"inputs": [...]} with texts, or media in base64'


def _media(item: str, index: int) -> bytes:
    text = item.partition(",")[2] if item.startswith("data:") else item
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError as error:
        raise Problem(422, f"Input {index} is not base64: {error}", index=index) from error


def _text(body: bytes, charset: str) -> str:
    if not _TEXTUAL.fullmatch(charset):
        raise Problem(415, "The charset of the text is not known", received=shorten(charset), remedy="Send UTF-8")
    try:
        return body.decode("utf-8-sig" if charset in ("utf-8", "utf8") else charset)
    except LookupError as error:
        raise Problem(415, "The charset of the text is not known", received=shorten(charset)) from error
    except ValueError as error:
        raise Problem(400, f"The text is not in {shorten(charset, 40)}", remedy="Send UTF-8") from error
