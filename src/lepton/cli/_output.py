"""What commands share in printing: JSON to standard output, progress to standard error."""

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lepton.core.progress import Bar, Progress, Silent

_EVERY = 5.0


def print_json(value: Any) -> None:
    """Print one indented JSON document."""
    print(_json(value, indent=2))


def print_line(value: Any) -> None:
    """Print JSON on one line."""
    print(_json(value))


def note(text: str) -> None:
    """Print one line to standard error."""
    print(text, file=sys.stderr, flush=True)


def progress(*, quiet: bool = False) -> Progress:
    """Bars on a terminal; elsewhere a plain line every few seconds; nothing when `quiet`."""
    if quiet:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()


class Bars:
    """Progress as bars with rates and time left."""

    def say(self, text: str) -> None:
        """Show one line."""
        note(text)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Show a bar of `total` units while the block runs."""
        from rich import progress as parts
        from rich.console import Console

        columns = (
            parts.TextColumn("{task.description}"),
            parts.BarColumn(),
            parts.MofNCompleteColumn(),
            parts.TextColumn("{task.fields[rate]} {task.fields[note]}"),
            parts.TimeRemainingColumn(),
        )
        with parts.Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(what, total=total, note="", rate="")
            yield _RichBar(shown, task)


class _RichBar:
    """One bar of rich."""

    def __init__(self, shown: Any, task: Any) -> None:
        self._shown = shown
        self._task = task
        self._start = time.monotonic()
        self._done = 0

    def step(self, count: int = 1, note: str = "") -> None:
        self._done += count
        rate = self._done / max(time.monotonic() - self._start, 1e-9)
        fields = {"note": note} if note else {}
        self._shown.update(self._task, advance=count, rate=f"{rate:,.4g}/s", **fields)


class Lines:
    """Progress as plain lines, for logs."""

    def say(self, text: str) -> None:
        """Show one line."""
        note(text)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Say every few seconds how far the block is."""
        yield _LineBar(what, total)


class _LineBar:
    """One piece of work in a log."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._start = self._said = time.monotonic()

    def step(self, count: int = 1, note: str = "") -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said >= _EVERY:
            self._said = now
            rate = self._done / (now - self._start)
            left = (self._total - self._done) / rate if rate else 0.0
            text = f"{self._what}: {self._done:,}/{self._total:,} ({rate:,.4g}/s, {left:.0f} s left) {note}"
            print(text.rstrip(), file=sys.stderr, flush=True)


def _json(value: Any, *, indent: int | None = None) -> str:
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(_finite(value), indent=indent, ensure_ascii=ascii_only, default=_plain)


def _finite(value: Any) -> Any:
    """What JSON can say: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as plain ones."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")
