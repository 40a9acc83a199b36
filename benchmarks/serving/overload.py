"""Ten times more clients than a server can serve, for a minute: what it promises then, and whether it kept it.

Usage: python benchmarks/serving/overload.py [--seconds N]

The app is a ResNet-18 in static int8, asked with a PNG of 224 x 224 pixels. What the server can serve is measured
first, over 8 connections. A client asks once a second on a connection of its own, or at once when its last answer
took longer; so ten clients for each request a second that can be served are ten times too many. The server has its
usual queue, and a deadline of a quarter of a second. Promises:

- every request gets an answer or a 503, and some of each;
- what is accepted (200) is answered inside the deadline, as the client sees it;
- memory stays flat: its median over the last third is at most 1.05 times that over the first third;
- when the clients stop, the server is back at once: a request is answered in at most three times the time that one
  took before, within a second.

Exits with 1 when one is broken. Only a run of a minute is kept.
"""

import argparse
import asyncio
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _apps  # noqa: E402
import _asks  # noqa: E402
import _server  # noqa: E402
import _wrk  # noqa: E402
from _client import Client, Unanswered, request  # noqa: E402
from _contenders import Sample  # noqa: E402
from _server import Server  # noqa: E402
from _table import keep, markdown  # noqa: E402

SECONDS, TIMES, DEADLINE = 60, 10, 0.25
FLAT, SOON, BACK = 1.05, 3.0, 1.0
_SPARE = 200

Row = dict[str, Any]


@dataclass
class Seen:
    """What the clients saw: seconds of the answers by status, and why there was none; and the server's memory."""

    answers: dict[int, list[float]] = field(default_factory=dict)
    unanswered: Counter[str] = field(default_factory=Counter)
    resident_mb: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Usual:
    """What the server does without too many clients: requests a second at most, and seconds of a lone one."""

    per_second: float
    seconds: float


def main() -> int:
    """Overload a server, and tell which promises it kept."""
    parser = argparse.ArgumentParser(description="Ask ten times more of a server than it can serve.")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"of overload (default {SECONDS})")
    seconds = parser.parse_args().seconds
    _wrk.binary()
    most = _open_files()
    with tempfile.TemporaryDirectory() as name:
        sample = Sample.of(_apps.resnet18(Path(name) / "resnet18"), _apps.picture(224, "RGB"))
        rows = _measured(sample, seconds=seconds, most=most)
    if seconds == SECONDS:
        keep("serving_overload", rows, deadline=DEADLINE, seconds=seconds)
    else:
        print(markdown(rows))
    return 0 if all(row["kept"] is not False for row in rows) else 1


def _measured(sample: Sample, *, seconds: int, most: int) -> list[Row]:
    ask = sample.lepton().asks[_asks.PNG]
    port = _server.free_port()
    command = _server.lepton([f"{sample.app.name}={sample.app}"], port, "--deadline", str(DEADLINE))
    with _server.started(command, port) as server:
        _asks.check(ask, port, sample.expected)
        sent = request(ask)
        speed = _wrk.load(server, ask, connections=8, seconds=max(2, min(10, seconds // 4))).per_second
        usual = Usual(speed, asyncio.run(_lone(port, sent)))
        if TIMES * speed + _SPARE > most:
            sys.exit(f"{TIMES * speed:.0f} clients need as many open files; ulimit -Hn allows {most}")
        seen, back = asyncio.run(_overloaded(server, sent, usual, seconds=seconds))
        _asks.check(ask, port, sample.expected)
    return [*_figures(seen, usual, seconds=seconds), *_promises(seen, back=back)]


async def _lone(port: int, sent: bytes) -> float:
    async with Client(port) as client:
        return statistics.median([(await client.ask(sent)).seconds for _ in range(30)])


async def _overloaded(server: Server, sent: bytes, usual: Usual, *, seconds: int) -> tuple[Seen, float]:
    """Let the clients ask for so many seconds; what they saw, and seconds until the server was as it had been."""
    seen = Seen()
    end = time.monotonic() + seconds
    clients = [_client(server.port, sent, seen, end=end) for _ in range(round(TIMES * usual.per_second))]
    tasks = [asyncio.create_task(one) for one in (*clients, _watch(server, seen, end))]
    await asyncio.sleep(seconds)
    back = await _recovered(server.port, sent, usual.seconds)
    await asyncio.gather(*tasks)
    return seen, back


async def _client(port: int, sent: bytes, seen: Seen, *, end: float) -> None:
    """Ask once a second until `end`."""
    due = time.monotonic() + random.random()
    async with Client(port) as client:
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = time.monotonic() + 1
            try:
                reply = await client.ask(sent)
            except Unanswered as error:
                seen.unanswered[str(error)] += 1
            else:
                seen.answers.setdefault(reply.status, []).append(reply.seconds)


async def _watch(server: Server, seen: Seen, end: float) -> None:
    """Look at the server's memory twice a second."""
    while time.monotonic() < end:
        seen.resident_mb.append(server.resident_mb())
        await asyncio.sleep(0.5)


async def _recovered(port: int, sent: bytes, usual: float) -> float:
    """Seconds from now until a request is answered about as fast as usual."""
    began = time.monotonic()
    async with Client(port) as client:
        while time.monotonic() - began < 30:
            reply = await client.ask(sent)
            if reply.status == 200 and reply.seconds <= SOON * usual:
                return time.monotonic() - began
            await asyncio.sleep(0.01)
    return float("inf")


def _figures(seen: Seen, usual: Usual, *, seconds: int) -> Iterable[Row]:
    """What was measured beside the promises."""
    accepted, refused = (seen.answers.get(status, []) for status in (200, 503))
    told = {
        "requests/s that can be served": usual.per_second,
        "ms of a lone request": 1e3 * usual.seconds,
        "clients, each once a second": round(TIMES * usual.per_second),
        "accepted/s": len(accepted) / seconds,
        "refused/s": len(refused) / seconds,
        "accepted: p50 ms": 1e3 * _quantile(accepted, 0.5),
        "accepted: p99 ms": 1e3 * _quantile(accepted, 0.99),
        "refused: p50 ms": 1e3 * _quantile(refused, 0.5),
        "MB at most": max(seen.resident_mb),
    }
    return [{"what": what, "measured": value, "kept": ""} for what, value in told.items()]


def _promises(seen: Seen, *, back: float) -> Iterable[Row]:
    """What was promised, and whether it was kept."""
    others = {status: len(found) for status, found in seen.answers.items() if status not in (200, 503)}
    third = len(seen.resident_mb) // 3
    growth = statistics.median(seen.resident_mb[-third:]) / statistics.median(seen.resident_mb[:third])
    slowest = max(seen.answers.get(200, [float("inf")]))
    told = {
        "requests without an answer": (dict(seen.unanswered) or 0, not seen.unanswered),
        "answers but 200 and 503": (others or 0, seen.answers.keys() == {200, 503}),
        f"accepted: slowest ms (deadline {1e3 * DEADLINE:g})": (1e3 * slowest, slowest <= DEADLINE),
        "memory, last third / first third": (growth, growth <= FLAT),
        "s until it is as fast as before": (back, back <= BACK),
    }
    return [{"what": what, "measured": value, "kept": kept} for what, (value, kept) in told.items()]


def _quantile(found: Sequence[float], share: float) -> float:
    return sorted(found)[int(len(found) * share)] if found else float("nan")


def _open_files() -> int:
    """Raise the limit of open files, for the server too, to what the system allows, and give it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


if __name__ == "__main__":
    sys.exit(main())
