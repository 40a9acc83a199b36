"""The seed's digits CNN behind Lepton and behind what people serve with today: speed, memory, time to ready.

Usage: python benchmarks/serving/table.py [--seconds N] [--rounds N] [--only NAME ...]

A rival is a file `rival_NAME.py` beside this one, which says in its head what it needs and where it answers; it runs
in an environment of its own, with the same ONNX Runtime. Every server has one worker process (beside processes that
its design asks for) and graphs one thread. Each is given the same graph and the same request, its answer is compared
with the right one, and then wrk asks it on the same machine over 1 connection and over 32: a tensor of the Open
Inference Protocol in JSON numbers, the same picture as a PNG, and the tensor as bytes behind JSON where the server
knows that. Servers are measured in turn, each started anew in every round, in an order that turns round; a cell is the
median of the rounds. MB are the resident memory of all its processes after the load, seconds to ready those from the
start of the first process to the first 200 of its readiness route. Only a run with all defaults is kept.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _apps  # noqa: E402
import _asks  # noqa: E402
import _server  # noqa: E402
import _wrk  # noqa: E402
import numpy as np  # noqa: E402
from _asks import Ask  # noqa: E402
from _environments import head, python  # noqa: E402
from _table import keep, markdown  # noqa: E402

from lepton.runtime.app import load  # noqa: E402

SECONDS, ROUNDS, WARM = 5, 3, 1
CONNECTIONS = (1, 32)
LEPTON, BARE = "Lepton", "bare loop"

Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A server to be measured: its command without the port, its readiness route, and what it is asked."""

    title: str
    command: Sequence[str | Path]
    ready: str
    asks: Mapping[str, Ask]

    def start(self) -> Any:
        """Start it on a free port."""
        port = _server.free_port()
        command = [str(port) if part == "PORT" else part for part in self.command]
        return _server.started(command, port, ready=self.ready)


@dataclass(frozen=True)
class Turn:
    """What one start of a server gave: a load for each body and number of connections."""

    ready_s: float
    resident_mb: float
    loads: Mapping[tuple[str, int], _wrk.Load]


def main() -> None:
    """Measure everything and keep the table."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as name:
        sample = Sample.made(Path(name))
        contenders = [sample.lepton(), *(sample.rival(script) for script in sorted(HERE.glob("rival_*.py")))]
        chosen = [one for one in contenders if not args.only or one.title in args.only]
        turns = measured(chosen, sample.expected, rounds=args.rounds, seconds=args.seconds)
    rows = [row for one in chosen for row in _rows(one.title, turns[one.title])]
    aims = list(_aims(rows))
    if (args.seconds, args.rounds, args.only) == (SECONDS, ROUNDS, None):
        keep("serving", rows, aims=aims, seconds=args.seconds, rounds=args.rounds)
    else:
        print(markdown(rows))
    if aims:
        print(f"\n{markdown(aims)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure servers of the digits CNN in turn.")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"of load for each cell (default {SECONDS})")
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help=f"in which each server is started (default {ROUNDS})"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the servers to measure, by their titles")
    return parser.parse_args()


@dataclass(frozen=True)
class Sample:
    """The app, the job that rivals get, the input that is sent in every form, and the right answer to it."""

    app: Path
    job: Path
    picture: bytes
    pixels: np.ndarray
    expected: tuple[str, float]

    @classmethod
    def made(cls, folder: Path) -> "Sample":
        """Make the app in `folder`."""
        place = _apps.digits(folder / "digits")
        app, picture = load(place), _apps.picture(28, "L")
        first = app.predict(picture)[0]
        job = folder / "job"
        job.mkdir()
        (job / "model.onnx").write_bytes((place / "model.onnx").read_bytes())
        (job / "job.json").write_text(json.dumps({"classes": app.manifest.classes}), encoding="utf-8")
        return cls(place, job, picture, app.encode(picture)["image"][None], (first["label"], first["score"]))

    def lepton(self) -> Contender:
        """Lepton with the app."""
        infer = "/v2/models/digits/infer"
        asks = {
            _asks.NUMBERS: _asks.numbers(infer, self.pixels),
            _asks.PNG: _asks.png("/v1/apps/digits/predict", self.picture),
            _asks.BINARY: _asks.binary(infer, self.pixels),
        }
        command = [part if part != "0" else "PORT" for part in _server.lepton([f"digits={self.app}"], 0)]
        return Contender(LEPTON, command, "/readyz", asks)

    def rival(self, script: Path) -> Contender:
        """The rival of `script`, asked what its head says that it knows."""
        told = head(script)["tool"]["serving"]
        try:
            interpreter = python(script)
        except subprocess.CalledProcessError as error:
            sys.exit(f"There is no environment for {script.name}: {error.stderr}")
        asks = dict(self._asked(told))
        return Contender(told["title"], [interpreter, script, self.job, "PORT"], told["ready"], asks)

    def _asked(self, told: Mapping[str, str]) -> Iterable[tuple[str, Ask]]:
        if "numbers" in told:
            yield _asks.NUMBERS, _asks.numbers(told["numbers"], self.pixels)
        if "form" in told:
            yield _asks.PNG, _asks.form(told["png"], self.picture, name=told["form"])
        elif "png" in told:
            yield _asks.PNG, _asks.png(told["png"], self.picture)
        if "binary" in told:
            yield _asks.BINARY, _asks.binary(told["binary"], self.pixels)


def measured(
    contenders: Sequence[Contender], expected: tuple[str, float], *, rounds: int, seconds: int
) -> Mapping[str, list[Turn]]:
    """The turns of each contender by its title."""
    found: dict[str, list[Turn]] = {one.title: [] for one in contenders}
    for number in range(rounds):
        for one in contenders[:: 1 if number % 2 == 0 else -1]:
            print(f"round {number + 1}: {one.title}", file=sys.stderr, flush=True)
            found[one.title].append(_turn(one, expected, seconds))
    return found


def _turn(contender: Contender, expected: tuple[str, float], seconds: int) -> Turn:
    with contender.start() as server:
        loads = {}
        for body, ask in contender.asks.items():
            _asks.check(ask, server.port, expected)
            for connections in CONNECTIONS:
                _wrk.load(server.port, ask, connections=connections, seconds=WARM)
                loads[body, connections] = _wrk.load(server.port, ask, connections=connections, seconds=seconds)
        return Turn(server.ready_s, server.resident_mb(), loads)


def _rows(title: str, turns: Sequence[Turn]) -> Iterable[Row]:
    """A row for each body and number of connections."""
    for body, connections in turns[0].loads:
        loads = [turn.loads[body, connections] for turn in turns]
        yield {
            "server": title,
            "body": body,
            "connections": connections,
            "requests/s": statistics.median(load.per_second for load in loads),
            "p50 ms": statistics.median(load.p50_ms for load in loads),
            "p99 ms": statistics.median(load.p99_ms for load in loads),
            "failed": sum(load.errors for load in loads),
            "MB": statistics.median(turn.resident_mb for turn in turns),
            "ready s": statistics.median(turn.ready_s for turn in turns),
        }


def _aims(rows: Sequence[Row]) -> Iterable[Row]:
    """What was to be reached, and what was: ratios of requests a second, MB, and seconds."""
    speeds = {(row["server"], row["body"], row["connections"]): row["requests/s"] for row in rows}
    for (rival, connections), least in _RATIOS.items():
        for body in (_asks.NUMBERS, _asks.PNG, _asks.BINARY):
            ours, theirs = (speeds.get((name, body, connections)) for name in (LEPTON, rival))
            if ours and theirs:
                aim = f"{rival} x {least:.3g}, {connections} connections, {body}"
                yield {"aim": aim, "reached": ours / theirs, "kept": ours / theirs >= least}
    for row in [row for row in rows if row["server"] == LEPTON][:1]:
        for column, most in (("MB", 100), ("ready s", 0.5)):
            yield {"aim": f"{column} at most {most}", "reached": row[column], "kept": row[column] <= most}


_RATIOS = {(BARE, 32): 1.0, (BARE, 1): 1 / 1.2, ("MLServer", 32): 4.0, ("LitServe", 32): 8.0}
"""Requests a second of Lepton, at least, in those of a rival."""

if __name__ == "__main__":
    main()
