"""Progress as the library sees it: silent unless a caller passes something that shows it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Bar(Protocol):
    """One running piece of work."""

    def step(self, count: int = 1, note: str = "") -> None:
        """Say that `count` more units are done, with a short remark such as the loss."""


class Progress(Protocol):
    """Where a stage tells how far it is."""

    def say(self, text: str) -> None:
        """Show one line."""

    def bar(self, what: str, total: int) -> AbstractContextManager[Bar]:
        """A context manager that gives a Bar of `total` units."""


class _NoBar:
    def step(self, count: int = 1, note: str = "") -> None:
        """Show nothing."""


class Silent:
    """Progress that shows nothing: the default everywhere."""

    def say(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Give a bar that shows nothing."""
        yield _NoBar()
