"""One worker answers for an app; what is quick is answered at once, the rest waits its turn off the event loop."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lepton.runtime.app import App
from lepton.serve._inputs import Inputs
from lepton.serve._problems import Problem

_QUICK = 0.002
_SMALL = 64 * 2**10
_MEMORY = 0.2


class Worker:
    """Answers the requests of one app in their order, at most `queue` of them waiting.

    A hop to a thread costs more than a small model takes. So a small request whose app has lately answered in less
    than 2 ms an input is answered on the event loop; all others are encoded and run in the app's one thread.
    """

    def __init__(self, app: App, queue: int) -> None:
        self.app = app
        self._queue = queue
        self._waiting = 0
        self._pace = float("inf")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"lepton-{app.name}")

    async def answer(self, inputs: Inputs) -> list[Any]:
        """Full answers, or BadInput where there is none. Raises Problem 503 when the queue is full."""
        if self._is_quick(inputs):
            return self._answer(inputs)
        if self._waiting >= self._queue:
            detail = f"{self._waiting} requests wait already"
            raise Problem(503, detail, headers={"Retry-After": "1"}, remedy="Try again in a second")
        self._waiting += 1
        job = self._thread.submit(self._answer, inputs)
        loop = asyncio.get_running_loop()
        # Counted down when the work ends, not when the client goes: a client that hangs up frees no processor.
        job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(job)

    def close(self) -> None:
        """Finish what was accepted, and end the thread."""
        self._thread.shutdown(wait=True)

    def _is_quick(self, inputs: Inputs) -> bool:
        return not self._waiting and inputs.size <= _SMALL and self._pace * len(inputs.raws) < _QUICK

    def _answer(self, inputs: Inputs) -> list[Any]:
        start = time.perf_counter()
        found = self.app.attempt(inputs.raws)
        pace = (time.perf_counter() - start) / len(inputs.raws)
        self._pace = pace if self._pace == float("inf") else self._pace + _MEMORY * (pace - self._pace)
        return found

    def _leave(self) -> None:
        self._waiting -= 1
