"""The seed's digits CNN behind Lepton and behind what people serve with today: speed, memory, time to ready.

Usage: python benchmarks/serving/table.py [--seconds N] [--rounds N] [--only NAME ...]

A rival is a file `rival_NAME.py` beside this one, which says in its head what it needs and where it answers; it runs
in an environment of its own, with the same ONNX Runtime. Every server has one worker process (beside processes that
its design asks for) and graphs one thread. Each is given the same graph and the same request, its answer is compared
with the right one, and then wrk asks it on the same machine over 1 connection and over 32: a tensor of the Open
Inference Protocol in JSON numbers, the same picture as a PNG, and the tensor as bytes behind JSON where the server
knows that. Servers are measured in turn, each started anew in every round, in an order that turns round; a cell is the
median of the rounds.

"server ms" is the processor time that all processes of the server used for one request, "MB" their resident memory
after the load, "ready s" the time from the start of the first process to the first 200 of its readiness route. Only a
run with all defaults is kept.
"""

import argparse
import statistics
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
import _wrk  # noqa: E402
from _contenders import BARE, LEPTON, Contender, Sample  # noqa: E402
from _table import keep, markdown  # noqa: E402

SECONDS, ROUNDS, WARM = 5, 3, 1
CONNECTIONS = (1, 32)

Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What one start of a server gave: a load for each body and number of connections."""

    ready_s: float
    resident_mb: float
    loads: Mapping[tuple[str, int], _wrk.Load]


def main() -> None:
    """Measure everything and keep the table."""
    args = _arguments()
    _wrk.binary()
    with tempfile.TemporaryDirectory() as name:
        sample = Sample.of(_apps.digits(Path(name) / "digits"), _apps.picture(28, "L"))
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
                _wrk.load(server, ask, connections=connections, seconds=WARM)
                loads[body, connections] = _wrk.load(server, ask, connections=connections, seconds=seconds)
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
            "server ms": statistics.median(load.server_ms for load in loads),
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
                aim = f"{least:.3g} x {rival}, {connections} connections, {body}"
                yield {"aim": aim, "reached": ours / theirs, "kept": ours / theirs >= least}
    for row in [row for row in rows if row["server"] == LEPTON][:1]:
        for column, most in (("MB", 100), ("ready s", 0.5)):
            yield {"aim": f"{column} at most {most}", "reached": row[column], "kept": row[column] <= most}


_RATIOS = {(BARE, 32): 1.0, (BARE, 1): 1 / 1.2, ("MLServer", 32): 4.0, ("LitServe", 32): 8.0}
"""Requests a second of Lepton, at least, in those of a rival."""

if __name__ == "__main__":
    main()
