"""Lines in, lines out: `-` is standard input and output, `lines:FILE` a file.

A line is a JSON object with `input` and, if it likes, `id`; or it is the input itself, as for `lepton predict`: the
text, or the name of a file where the app takes images or sound. Answers are JSON objects, one a line.
"""

import binascii
import os
import select
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lepton.core.errors import BadInput, UserError
from lepton.core.types import Raw
from lepton.streams._flow import PATIENCE, Item, encoded

LONGEST = 96 * 2**20
"""Bytes of a line at most."""

_PIECE = 2**16


def source(place: str, modality: str, *, dead: str | None = None) -> "_Source":
    """Read lines from `place`; those that cannot be read are appended to the file `dead`, where there is one."""
    try:
        descriptor = os.dup(sys.stdin.fileno()) if place == "-" else os.open(place, os.O_RDONLY)
        return _Source(descriptor, modality, open(dead, "ab") if dead else None)  # noqa: SIM115 - closed with the source
    except OSError as error:
        raise UserError(f"{error.filename or place} cannot be opened", rule=error.strerror or "") from error


def sink(place: str) -> "_Sink":
    """Write lines to `place`; a file is appended to."""
    try:
        return _Sink(sys.stdout.buffer if place == "-" else open(place, "ab"))  # noqa: SIM115 - closed with the sink
    except OSError as error:
        raise UserError(f"{place} cannot be opened", rule=error.strerror or "") from error


class _Source:
    """Takes all lines that have come, so that after a signal no line was read and not answered."""

    def __init__(self, descriptor: int, modality: str, dead: Any) -> None:
        self._descriptor = descriptor
        self._modality = modality
        self._dead = dead
        self._parts: list[bytes] = []
        self._size = 0
        self._number = 0
        self._ended = False

    def take(self) -> Sequence[Item] | None:
        if self._ended:
            return None
        if not select.select([self._descriptor], [], [], PATIENCE)[0]:
            return []
        piece = os.read(self._descriptor, _PIECE)
        self._ended = not piece
        first, sign, rest = piece.partition(b"\n")
        self._keep(first)
        if not sign and not self._ended:
            return []
        *whole, last = rest.split(b"\n")
        items = [self._item(line) for line in (self._kept(), *whole)]
        self._keep(last)
        return [item for item in items if item is not None]

    def done(self, item: Item) -> None:
        """A line that was read cannot be read again."""

    def bury(self, item: Item, reason: str) -> None:
        if self._dead is not None:
            self._dead.write(item.own + b"\n")
            self._dead.flush()

    def close(self) -> None:
        os.close(self._descriptor)
        if self._dead is not None:
            self._dead.close()

    def _keep(self, part: bytes) -> None:
        """Keep the beginning of a line; of one that is too long no more than shows that it is."""
        self._size += len(part)
        if part and self._size - len(part) <= LONGEST:
            self._parts.append(part)

    def _kept(self) -> bytes:
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return line

    def _item(self, line: bytes) -> Item | None:
        """The item of a line, or None for an empty one."""
        self._number += 1
        line = line.removesuffix(b"\r")
        if not line.strip():
            return None
        name, raw = _read(line, self._modality)
        return Item(name or str(self._number), raw, line)


class _Sink:
    """Writes a line for each answer, at once."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        self._stream.write(encoded({"id": id, **told}) + b"\n")
        self._stream.flush()

    def close(self) -> None:
        if self._stream is not sys.stdout.buffer:
            self._stream.close()


def _read(line: bytes, modality: str) -> tuple[str, Raw | Path | BadInput]:
    """The id that a line gives itself, and its input."""
    if len(line) > LONGEST:
        return "", BadInput("The line is too long", rule=f"At most {LONGEST:,} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return "", BadInput(
            "The line cannot be read", rule=f"It is UTF-8; byte {error.start} is not", received=line[:40]
        )
    told = _object(line)
    if told is None:
        return "", text if modality == "text" else Path(text.strip())
    return str(told.get("id", "")), _input(told["input"], modality)


def _object(line: bytes) -> dict[str, Any] | None:
    """A JSON object that has an input; any other line is an input itself."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) and "input" in found else None


def _input(value: Any, modality: str) -> Raw | BadInput:
    if not isinstance(value, str):
        return BadInput("The input is no string", rule="It is a text, or media in base64", received=repr(value))
    if modality == "text":
        return value
    try:
        return binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError as error:
        return BadInput("The input is not base64", rule=str(error), received=value[:40])
