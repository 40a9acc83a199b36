"""One engine answers for an app, in batches of what has queued while it was busy."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lepton.core import machine
from lepton.core.errors import BadInput
from lepton.core.types import Raw
from lepton.runtime.app import MAX_BATCH, App, Sample
from lepton.serve._limits import Limits
from lepton.serve._meters import AppMeters
from lepton.serve._problems import Problem

_QUICK = 0.002
_SMALL = 64 * 2**10
_MEMORY = 0.1
_OUTLIER = 3.0
_DECODERS = 4
"""Threads that decode: more would hold that many large pictures at a time."""
_ALONE = 15
"""Requests that are answered at once after one that met no company in its turn, before the next looks for some."""


@dataclass(slots=True, eq=False)
class Ask:
    """What one request wants answered: raw inputs, or `samples` that came encoded. `size` is in bytes.

    `until` is the time (`time.monotonic`) after which nobody waits for the answer; `at_once` tells of one that was
    submitted that it is answered in this turn of the event loop or the next.
    """

    raws: Sequence[Raw] = ()
    size: int = 0
    until: float = float("inf")
    samples: Sequence[Sample | BadInput] = ()
    future: "asyncio.Future[list[Any]]" = field(init=False)
    at_once: bool = field(default=False, init=False)

    @property
    def count(self) -> int:
        """The number of inputs."""
        return len(self.samples) or len(self.raws)


class _Threads:
    """One thread that runs a network and some that decode for it; they end when the last of their engines leaves."""

    def __init__(self, name: str) -> None:
        self.run = ThreadPoolExecutor(1, thread_name_prefix=f"lepton-{name}")
        self.decode = ThreadPoolExecutor(min(_DECODERS, machine.cores()), thread_name_prefix="lepton-decode")
        self.engines = 0

    def leave(self) -> None:
        self.engines -= 1
        if not self.engines:
            self.decode.shutdown(wait=True)
            self.run.shutdown(wait=True)


class Engine:
    """Answers the requests of one app. A lone request never waits for company.

    A hop to a thread costs more than a small model takes. So a small request that its app needs less than 2 ms for is
    answered on the event loop: those that arrive in one turn of it make batches of 2 ms at most, between which the loop
    sees to others, and where they lately came alone, they are answered as they come. All others are decoded by a pool
    of threads and answered by the engine's own thread: while it runs one batch, the next queues. Engines `beside` one
    another answer with adapters of one network: they share its threads, and are as warm as the first.
    """

    def __init__(self, app: App, *, limits: Limits, meters: AppMeters, beside: "Engine | None" = None) -> None:
        self.app = app
        self._limits = limits
        self._meters = meters
        self._turn: deque[Ask] = deque()
        self._alone = 0
        self._ready: deque[Ask] = deque()
        self._running = False
        self._waiting = 0
        self._behind = 0
        self._pace: float = beside._pace if beside else float("inf")
        self._read_pace: float = beside._read_pace if beside else float("inf")
        self._threads: _Threads = beside._threads if beside else _Threads(app.name)
        self._threads.engines += 1

    def submit(self, ask: Ask) -> None:
        """Take a request in; `ask.future` will hold full answers, or BadInput where there is none.

        Raises Problem 503 when the queue is full, or too long for the request's deadline.
        """
        loop = asyncio.get_running_loop()
        ask.future = loop.create_future()
        if self._is_quick(ask):
            ask.at_once = True
            self._answer_soon(ask, loop)
            return
        self._check_queue(ask)
        self._waiting += 1
        self._behind += ask.count
        self._meters.waiting.set(self._waiting)
        loop.create_task(self._decode(ask))  # noqa: RUF006 - it is held by the loop until its thread is done

    async def drained(self) -> None:
        """Return when everything that was accepted is answered, and end the threads."""
        while self._waiting or self._turn:
            await asyncio.sleep(0.01)
        self.close()

    def close(self) -> None:
        """Finish what the threads have begun, and end them where no other engine has a share in them."""
        self._threads.leave()

    def warm(self, raws: Sequence[Raw]) -> None:
        """Answer some inputs, so that the first request finds a session that has run and a known pace."""
        for number, raw in enumerate((*raws[:1], *raws)):
            if number == 1:  # the very first took what the cold code took, which tells nothing of the next
                self._pace = self._read_pace = float("inf")
            self._work(self._samples(Ask([raw])))

    def _answer_soon(self, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        if self._alone:
            self._alone -= 1
            _give([ask], self._attempt([ask]))
            return
        if len(self._turn) >= self._limits.queue:
            raise _busy(f"{len(self._turn)} requests wait already", wait=self._wait(len(self._turn)))
        self._turn.append(ask)
        if len(self._turn) == 1:
            loop.call_soon(self._begin_turn, loop)

    def _is_quick(self, ask: Ask) -> bool:
        return not self._waiting and ask.size <= _SMALL and self._takes(ask) < _QUICK

    def _takes(self, ask: Ask) -> float:
        """Seconds that a request takes alone, as far as is known."""
        return ask.count * (self._pace if ask.samples else self._pace + self._read_pace)

    def _check_queue(self, ask: Ask) -> None:
        if self._waiting >= self._limits.queue:
            raise _busy(f"{self._waiting} requests wait already", wait=self._wait(self._behind))
        wait = self._wait(self._behind + ask.count)
        if time.monotonic() + wait > ask.until:
            raise _busy(f"The answer would take {wait:.1f} s, longer than this request may wait", wait=wait)

    def _wait(self, count: int) -> float:
        """Seconds that `count` inputs take, as far as is known."""
        return 0.0 if self._pace == float("inf") else self._pace * count

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alone = _ALONE if len(self._turn) == 1 else 0
        self._go_on(loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer the first requests of this turn, as many as take 2 ms, and the others when the loop comes round."""
        asks = [self._turn.popleft()]
        takes = self._takes(asks[0])
        while self._turn and (takes := takes + self._takes(self._turn[0])) < _QUICK:
            asks.append(self._turn.popleft())
        _give(asks, self._attempt(asks))
        if self._turn:
            loop.call_soon(self._go_on, loop)

    def _samples(self, ask: Ask) -> Sequence[Sample | BadInput]:
        if ask.samples:
            return ask.samples
        start = time.perf_counter()
        found = [self.app.read(raw) for raw in ask.raws]
        self._read_pace = _follow(self._read_pace, (time.perf_counter() - start) / len(found))
        return found

    async def _decode(self, ask: Ask) -> None:
        try:
            if not ask.samples:
                ask.samples = await asyncio.get_running_loop().run_in_executor(self._threads.decode, self._samples, ask)
        except Exception as error:  # noqa: BLE001 - a bug belongs to the request that met it
            self._leave(ask)
            _give([ask], [error])
            return
        self._ready.append(ask)
        if not self._running:
            await self._run()

    async def _run(self) -> None:
        """Answer what is ready, batch after batch, until nothing is."""
        self._running = True
        loop = asyncio.get_running_loop()
        while self._ready:
            asks = self._next()
            found = await loop.run_in_executor(self._threads.run, self._attempt, asks)
            for ask in asks:
                self._leave(ask)
            _give(asks, found)
        self._running = False

    def _next(self) -> list[Ask]:
        """The oldest requests, as many as make a batch; those that nobody waits for are dropped."""
        asks: list[Ask] = []
        count = 0
        while self._ready and (not asks or count + self._ready[0].count <= MAX_BATCH):
            ask = self._ready.popleft()
            if self._is_waited_for(ask, self._wait(count + ask.count)):
                asks.append(ask)
                count += ask.count
        return asks

    def _is_waited_for(self, ask: Ask, takes: float) -> bool:
        """Whether somebody waits, and still will when a batch that `takes` so many seconds is done."""
        late = time.monotonic() + takes > ask.until
        if late and not ask.future.done():
            ask.future.set_exception(_busy("The request's time was over before its turn came", wait=1.0))
        if ask.future.done():
            self._leave(ask)
            self._meters.dropped.inc()
            return False
        return True

    def _leave(self, ask: Ask) -> None:
        self._waiting -= 1
        self._behind -= ask.count
        self._meters.waiting.set(self._waiting)

    def _attempt(self, asks: Sequence[Ask]) -> list[list[Any] | Exception]:
        """The answers to every request, or the error that it met alone: it takes no companion with it."""
        try:
            found = iter(self._work([one for ask in asks for one in self._samples(ask)]))
        except Exception as error:  # noqa: BLE001 - a bug is told to the request it hit, and the engine goes on
            return [error] if len(asks) == 1 else [one for ask in asks for one in self._attempt([ask])]
        return [list(islice(found, ask.count)) for ask in asks]

    def _work(self, samples: Sequence[Sample | BadInput]) -> list[Any]:
        if not samples:
            return []
        start = time.perf_counter()
        found = self.app.answer(samples)
        self._pace = _follow(self._pace, (time.perf_counter() - start) / len(samples))
        self._meters.batch.observe(len(samples))
        return found


def _follow(mean: float, new: float) -> float:
    """The mean with a new value in it; one that stands out, as on a machine that paused, counts for little."""
    return new if mean == float("inf") else mean + _MEMORY * (min(new, _OUTLIER * mean) - mean)


def _give(asks: Sequence[Ask], found: Sequence[list[Any] | Exception]) -> None:
    """Hand every request its answers, or its error."""
    for ask, one in zip(asks, found, strict=True):
        if ask.future.done():
            continue
        if isinstance(one, Exception):
            ask.future.set_exception(one)
        else:
            ask.future.set_result(one)


def _busy(detail: str, *, wait: float) -> Problem:
    return Problem(503, detail, headers={"Retry-After": str(max(1, round(wait)))}, remedy="Try again later")
