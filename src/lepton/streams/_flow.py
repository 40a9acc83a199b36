"""Inputs from a source, answers to a sink: what the two are, and the loop between them.

Each input is answered at least once: its answer is written, and only then does the source hear that it is done. What
cannot be read gets an error for an answer, and the source puts it aside.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from lepton.core import plugins, settings
from lepton.core.errors import BadInput, UserError
from lepton.core.progress import Progress
from lepton.core.types import Raw
from lepton.runtime.app import App

ROOM = "streams"
PATIENCE = 0.5
"""Seconds that a source waits for an input at most, so that a signal is heard."""

_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Item:
    """One input: its `id`, what it is or why it cannot be read, and `own`, what its source knows it by."""

    id: str
    raw: Raw | Path | BadInput
    own: Any = None


class Source(Protocol):
    """Where inputs come from."""

    def take(self) -> Sequence[Item] | None:
        """The next inputs, none when there is none within half a second, or None when there will be no more."""

    def done(self, item: Item) -> None:
        """Hear that an item's answer is written."""

    def bury(self, item: Item, reason: str) -> None:
        """Put aside what cannot be read; this is its `done` as well."""

    def close(self) -> None:
        """Let go of what was opened."""


class Sink(Protocol):
    """Where answers go."""

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        """Write {"answer": ...} or {"error": ...} of the item `id`; when this returns, it is there."""

    def close(self) -> None:
        """Let go of what was opened."""


def place(text: str) -> tuple[str, str, dict[str, str]]:
    """The plug-in's name, its place and its settings in `NAME:PLACE?key=value&...`; `-` stands for `lines:-`.

    Raises UserError for what has another form.
    """
    name, sign, rest = ("lines", ":", text) if text.startswith("-") else text.partition(":")
    where, _, query = rest.partition("?")
    if not sign or not where:
        known = ", ".join(f"{one}:" for one in plugins.names(ROOM))
        rule = f"It is - for lines of text, or one of {known} and a place"
        raise UserError(
            "There is no source or sink of that form", rule=rule, received=shown(text), remedy="Say folder:PATH"
        )
    return name, where, dict(parse_qsl(query, keep_blank_values=True))


def shown(text: str) -> str:
    """A place without the name and password that may stand in it."""
    return re.sub(r"//[^/@]*@", "//", text)


def source(text: str, modality: str) -> Source:
    """The source that `text` names, for an app that takes `modality`."""
    found: Source = _opened(text, "source", modality)
    return found


def sink(text: str) -> Sink:
    """The sink that `text` names."""
    found: Sink = _opened(text, "sink")
    return found


def encoded(value: Any) -> bytes:
    """JSON on one line; numpy's numbers and arrays become plain ones."""
    return msgspec.json.encode(value, enc_hook=_plain)


def flow(app: App, ends: tuple[Source, Sink], *, stop: Event, full: bool, progress: Progress) -> int:
    """Answer what comes until the source is at its end or `stop` is set, and give the number of answers.

    What was taken when `stop` is set is answered. With `full` answers are full, else brief.
    """
    tally = _Tally(progress)
    while not stop.is_set() and (items := ends[0].take()) is not None:
        if items:
            samples = [one.raw if isinstance(one.raw, BadInput) else app.read(one.raw) for one in items]
            for item, answer in zip(items, app.answer(samples), strict=True):
                _hand_on(item, answer if full or isinstance(answer, BadInput) else app.brief(answer), ends)
                tally.count(item, answer)
        tally.say()
    tally.end()
    return tally.answered


def _hand_on(item: Item, answer: Any, ends: tuple[Source, Sink]) -> None:
    if isinstance(answer, BadInput):
        ends[1].write(item.id, {"error": answer.message})
        ends[0].bury(item, answer.message)
    else:
        ends[1].write(item.id, {"answer": answer})
        ends[0].done(item)


class _Tally:
    """Counts what was handed on and says so every few seconds."""

    def __init__(self, progress: Progress) -> None:
        self.answered = 0
        self._buried = 0
        self._progress = progress
        self._start = self._said = time.monotonic()
        self._told = 0

    def count(self, item: Item, answer: Any) -> None:
        if isinstance(answer, BadInput):
            self._buried += 1
            self._progress.say(f"put aside {item.id}: {answer.message}")
        else:
            self.answered += 1

    def say(self) -> None:
        now = time.monotonic()
        if now - self._said >= _EVERY and self.answered + self._buried != self._told:
            self._progress.say(f"{self} ({(self.answered + self._buried - self._told) / (now - self._said):,.4g}/s)")
            self._said, self._told = now, self.answered + self._buried

    def end(self) -> None:
        self._progress.say(f"{self} in {time.monotonic() - self._start:,.1f} s")

    def __str__(self) -> str:
        return f"{self.answered:,} answered, {self._buried:,} put aside"


def _opened(text: str, verb: str, *given: str) -> Any:
    name, where, values = place(text)
    known = [one for one in plugins.names(ROOM) if hasattr(plugins.load(ROOM, one), verb)]
    if name not in known:
        raise plugins.unknown(verb, name, known)
    target = getattr(plugins.load(ROOM, name), verb)
    kinds = {key: parameter.annotation for key, parameter in settings.parameters(target).items()}
    meant = {key: _value(value, kinds.get(key)) for key, value in values.items()}
    return target(where, *given, **settings.settle(target, meant, f"{name} {verb}"))


def _value(text: str, kind: Any) -> Any:
    """A setting as it is meant: text where that is due, else a number, true or false."""
    if kind in (str, str | None):
        return text
    try:
        return msgspec.json.decode(text, type=bool | int | float)
    except msgspec.DecodeError:
        return text


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
