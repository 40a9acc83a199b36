"""What every protocol asks: the apps, the limits, and an answer for a request."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request

from lepton.core.errors import UserError, shorten
from lepton.runtime.app import App
from lepton.serve import _problems
from lepton.serve._bell import Bell
from lepton.serve._engine import Ask
from lepton.serve._limits import Limits
from lepton.serve._meters import Meters
from lepton.serve._problems import Problem
from lepton.serve._shelf import Shelf

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Answered:
    """Full answers, or BadInput where there is none, and the app that gave them."""

    app: App
    answers: list[Any]


@dataclass(slots=True)
class Service:
    """The apps behind all protocols.

    `bell` is there where other workers serve the same apps; `held` counts the bytes of the bodies that wait; `open`
    ends when the server stops.
    """

    shelf: Shelf
    limits: Limits
    meters: Meters
    bell: Bell | None = None
    held: int = field(default=0, init=False)
    open: bool = field(default=True, init=False)

    async def answer(self, name: str, ask: Ask, *, request: Request | None = None) -> Answered:
        """Let the app `name` answer.

        Where `request` is given, its body has been read; when its client goes, what it asked is dropped.
        Raises Problem: 404 for an unknown name, 503 where the queue is full or the deadline cannot be kept, 422 for
        tensors that the app cannot compute with; ClientDisconnect when the client went.
        """
        app = self.submit(name, ask)
        if request is not None and not ask.at_once:
            await _first(ask, request)
        try:
            return Answered(app, await ask.future)
        except Exception as error:
            if _stays(ask, error):
                raise
            raise explained(ask, error) from error

    def submit(self, name: str, ask: Ask) -> App:
        """Let the app `name`, which is given back, answer in `ask.future`.

        Raises Problem as `answer` does.
        """
        engine = self.shelf.engine(name)
        ask.until = min(ask.until, time.monotonic() + self.limits.seconds)
        engine.submit(ask)
        return engine.app

    async def swap(self, name: str) -> tuple[str, str]:
        """Let the app of `name` be read again from its folder, here and in the workers beside; its old id and the new.

        Raises Problem 422 where the new app is refused; the old one goes on.
        """
        app = self.shelf.owner(name)
        try:
            found = await self.shelf.swap(app)
        except UserError as error:
            raise _problems.from_error(error, {}) from error
        if self.bell is not None:
            self.bell.ring(app)
        return found

    def hold(self, size: int) -> None:
        """Count bytes of a body that was received. Raises Problem 503 where all bodies together are too many."""
        if self.held + size > self.limits.held:
            detail = f"The bodies of waiting requests fill {self.limits.held:,} bytes already"
            raise Problem(503, detail, headers={"Retry-After": "1"}, remedy="Try again in a second")
        self.held += size

    def release(self, size: int) -> None:
        """Count bytes that are no longer held."""
        self.held -= size


def explained(ask: Ask, error: Exception) -> Exception:
    """The error as it is told: arrays that strangers made are no faults of ours, an id that no token has for instance.

    A Problem, or an error that raw inputs met, stays what it is.
    """
    if _stays(ask, error):
        return error
    _LOG.info("Tensors that were sent cannot be computed with: %s", error)
    # The frames that the error came through hold the request, and the request holds the error.
    error.with_traceback(None)
    rule = "Tensors have values, and lengths of their free axes, that fit each other as the app's own encoding does"
    return Problem(422, "The app cannot compute with these tensors", rule=rule, received=shorten(str(error)))


def _stays(ask: Ask, error: Exception) -> bool:
    return isinstance(error, Problem) or bool(ask.raws)


async def _first(ask: Ask, request: Request) -> None:
    """Return when the answer is there. Raises ClientDisconnect when the client goes first."""
    gone = asyncio.ensure_future(request.receive())
    waits: set[asyncio.Future[Any]] = {ask.future, gone}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if ask.future.done():
        gone.cancel()
        return
    ask.future.cancel()
    raise ClientDisconnect
