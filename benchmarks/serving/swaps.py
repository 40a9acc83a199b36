"""A thousand swaps and many stops while clients ask: no accepted request is lost, and none gets the wrong app's answer.

Usage: python benchmarks/serving/swaps.py [--swaps N] [--stops N]

Two apps differ in the names of their classes. The server serves what a symbolic link points to; 16 clients ask without
a pause, half of them with a PNG and half over the Open Inference Protocol, each over one kept connection, while the
link is turned to the other app and `POST /v1/apps/{name}:swap` makes the server read it again, over and over. Then it
gets a SIGTERM under the same load, and so does a server that is started anew, again and again. Promises:

- while apps are swapped, every request is answered with 200;
- every answer's label is one of the app's that the header `X-Lepton-App` names, and, where no swap was under way
  while the request was, that is the app last swapped to;
- at a SIGTERM every request that the server accepted is answered, and the server ends by itself. What was accepted can
  be told from outside; `_client.py` says how. The others, which nobody had read, are counted too.

Exits with 1 when one is broken. Only a run with all defaults is kept.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _apps  # noqa: E402
import _asks  # noqa: E402
import _server  # noqa: E402
import msgspec  # noqa: E402
from _asks import Ask  # noqa: E402
from _client import Client, Reply, Unanswered, request  # noqa: E402
from _server import Server  # noqa: E402
from _table import keep, markdown  # noqa: E402

from lepton.bundle.manifest import read  # noqa: E402
from lepton.runtime.app import load  # noqa: E402

SWAPS, STOPS, CLIENTS = 1000, 10, 16
LOADED_S, PATIENCE_S = 1.0, 30.0
KEY = "the-key-of-this-benchmark"
MARKS = ("one", "two")

Row = dict[str, Any]


@dataclass
class Seen:
    """What the clients saw: answers of each app, and what was wrong."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)


@dataclass
class Place:
    """A link to one of two apps, and which one the server is known to have read."""

    link: Path
    apps: Mapping[str, Path]
    ids: Mapping[str, str]
    """The mark of each app by its id."""
    turn: int = 0
    """Counts up when a swap begins and when it is done: odd while one is under way."""

    @classmethod
    def made(cls, folder: Path) -> "Place":
        """Make both apps in `folder`, and the link to the first."""
        apps = {mark: _apps.digits(folder / f"digits-{mark}", mark=f"{mark} ") for mark in MARKS}
        place = cls(folder / "current", apps, {read(app).id: mark for mark, app in apps.items()})
        place.point(MARKS[0])
        return place

    def point(self, mark: str) -> None:
        """Turn the link, in one step."""
        aside = self.link.with_name("next")
        aside.symlink_to(self.apps[mark])
        os.replace(aside, self.link)

    @property
    def current(self) -> str:
        """The mark of the app last swapped to."""
        return MARKS[self.turn // 2 % 2]


def main() -> int:
    """Swap and stop under load, and tell which promises were kept."""
    parser = argparse.ArgumentParser(description="Swap apps and stop servers while clients ask.")
    parser.add_argument("--swaps", type=int, default=SWAPS, help=f"default {SWAPS}")
    parser.add_argument("--stops", type=int, default=STOPS, help=f"default {STOPS}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = _measured(Path(name), swaps=args.swaps, stops=args.stops)
    if (args.swaps, args.stops) == (SWAPS, STOPS):
        keep("serving_swaps", rows)
    else:
        print(markdown(rows))
    return 0 if all(row["kept"] is not False for row in rows) else 1


def _measured(folder: Path, *, swaps: int, stops: int) -> list[Row]:
    place = Place.made(folder)
    keys = folder / "keys.toml"
    keys.write_text(f'[[key]]\nname = "benchmark"\nkey = "{KEY}"\nadmin = true\n', encoding="utf-8")
    asks = list(_requests(place))
    port = _server.free_port()
    command = _server.lepton([f"digits={place.link}"], port, "--keys", str(keys))
    with _server.started(command, port) as server:
        before = server.resident_mb()
        swapped, seconds = asyncio.run(_swapped(server, place, asks, swaps=swaps))
        resident_mb = before, server.resident_mb()
        stopped = Seen()
        ended = [asyncio.run(_stopped(server, place, asks, seen=stopped))]
    for _ in range(stops - 1):
        with _server.started(command, port) as server:
            ended.append(asyncio.run(_stopped(server, place, asks, seen=stopped)))
    return [*_swap_rows(swapped, seconds, swaps=swaps, resident_mb=resident_mb), *_stop_rows(stopped, ended)]


def _requests(place: Place) -> Iterator[bytes]:
    """The same picture over both protocols."""
    picture = _apps.picture(28, "L")
    pixels = load(place.link).encode(picture)["image"][None]
    yield request(_asks.png("/v1/apps/digits/predict", picture))
    yield request(_asks.binary("/v2/models/digits/infer", pixels))


async def _swapped(server: Server, place: Place, asks: Sequence[bytes], *, swaps: int) -> tuple[Seen, list[float]]:
    """Swap so many times under load; what the clients saw, and the seconds of each swap."""
    seen, over = Seen(), asyncio.Event()
    tasks = _clients(server.port, asks, place, seen=seen, over=over)
    async with Client(server.port) as admin:
        seconds = [await _swap(admin, place) for _ in range(swaps)]
    over.set()
    await asyncio.gather(*tasks)
    return seen, seconds


async def _swap(admin: Client, place: Place) -> float:
    """Swap to the other app; the seconds it took. Raises RuntimeError when the server does not."""
    place.turn += 1
    mark = MARKS[(place.turn + 1) // 2 % 2]
    place.point(mark)
    reply = await admin.ask(request(Ask(path="/v1/apps/digits:swap", body=b"", headers={"X-API-Key": KEY})))
    if reply.status != 200 or place.ids.get(msgspec.json.decode(reply.body)["id"]) != mark:
        raise RuntimeError(f"the swap to {mark} was answered {reply.status} {reply.body!r}")
    place.turn += 1
    return reply.seconds


async def _stopped(server: Server, place: Place, asks: Sequence[bytes], *, seen: Seen) -> float:
    """Send SIGTERM under load; seconds until the server has ended, infinite when it does not."""
    over = asyncio.Event()
    tasks = _clients(server.port, asks, place, seen=seen, over=over)
    await asyncio.sleep(LOADED_S)
    server.terminate()
    began = time.monotonic()
    while server.process.poll() is None and time.monotonic() - began < PATIENCE_S:
        await asyncio.sleep(0.005)
    ended = time.monotonic() - began if server.process.poll() is not None else float("inf")
    over.set()
    await asyncio.gather(*tasks)
    return ended


def _clients(
    port: int, asks: Sequence[bytes], place: Place, *, seen: Seen, over: asyncio.Event
) -> list[asyncio.Task[None]]:
    """The clients, each of which asks one of `asks`."""
    every = [asks[number % len(asks)] for number in range(CLIENTS)]
    return [asyncio.create_task(_client(port, sent, place, seen=seen, over=over)) for sent in every]


async def _client(port: int, sent: bytes, place: Place, *, seen: Seen, over: asyncio.Event) -> None:
    """Ask until it is over, or until the server is gone."""
    async with Client(port) as client:
        while not over.is_set():
            turn = place.turn
            try:
                reply = await client.ask(sent)
            except Unanswered as error:
                (seen.lost if error.accepted else seen.unread)[str(error)] += 1
                return
            _look(reply, place, settled=turn == place.turn and turn % 2 == 0, seen=seen)


def _look(reply: Reply, place: Place, *, settled: bool, seen: Seen) -> None:
    """Count an answer, right or wrong; `settled` says that no swap was under way meanwhile."""
    if reply.status != 200:
        seen.wrong[f"status {reply.status}"] += 1
        return
    mark = place.ids.get(reply.headers.get("x-lepton-app", ""), "unknown")
    seen.answers[mark] += 1
    if not _asks.answer(reply.body)[0].startswith(f"{mark} "):
        seen.wrong["label of another app"] += 1
    elif settled and mark != place.current:
        seen.wrong["app that was swapped away"] += 1


def _swap_rows(seen: Seen, seconds: list[float], *, swaps: int, resident_mb: tuple[float, float]) -> list[Row]:
    failed = dict(seen.lost + seen.unread)
    ranked = sorted(seconds)
    figures = {
        "swaps": swaps,
        "swap: p50 ms": 1e3 * ranked[len(ranked) // 2],
        "swap: slowest ms": 1e3 * ranked[-1],
        "answers of each app": dict(seen.answers),
        "MB before the swaps": resident_mb[0],
        "MB after the swaps": resident_mb[1],
    }
    return [
        *({"what": what, "measured": value, "kept": ""} for what, value in figures.items()),
        {"what": "swaps: requests without an answer", "measured": failed or 0, "kept": not failed},
        {"what": "swaps: wrong answers", "measured": dict(seen.wrong) or 0, "kept": not seen.wrong},
        {"what": "swaps: apps that answered", "measured": len(seen.answers), "kept": len(seen.answers) == len(MARKS)},
    ]


def _stop_rows(seen: Seen, ended: list[float]) -> list[Row]:
    slowest = max(ended, default=0.0)
    told = dict(seen.lost), dict(seen.wrong)
    return [
        {"what": "stops", "measured": len(ended), "kept": ""},
        {"what": "stops: answers", "measured": seen.answers.total(), "kept": ""},
        {"what": "stops: requests that nobody read", "measured": dict(seen.unread) or 0, "kept": ""},
        {"what": "stops: accepted requests lost", "measured": told[0] or 0, "kept": not told[0]},
        {"what": "stops: answers but 200", "measured": told[1] or 0, "kept": not told[1]},
        {"what": "stops: s until the server ended, at most", "measured": slowest, "kept": slowest <= PATIENCE_S},
    ]


if __name__ == "__main__":
    sys.exit(main())
