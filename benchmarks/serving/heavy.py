"""A model that has something to do: how much of what ONNX Runtime does alone is left behind a server.

Usage: python benchmarks/serving/heavy.py [--seconds N] [--rounds N]

The model is a ResNet-18 in static int8 on 224 x 224 pixels, which come decoded, as the bytes of a uint8 tensor behind
JSON (the Open Inference Protocol's binary extension), over 1 to 8 connections; its graph runs on one thread. ONNX
Runtime alone is a loop around `session.run` in a process of its own. All are measured in turn, in each round.

On "one core" the server, the client (wrk) and the loop are each bound to the same single core, so nothing that the
server does can hide on another. With w milliseconds from answer to answer (1,000 / requests a second), c milliseconds
of the client's own processor time for each request (user and system time of the wrk process / requests) and t
milliseconds a run of ONNX Runtime alone, the server had w - c for each request, and

    share = t / (w - c)

On "all cores" the client is beside the server, so nothing is taken off: share = t / w. "server ms" is the processor
time of the server's processes for each request; where it is above w the server used more than one core.
Only a run with all defaults is kept.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import _apps  # noqa: E402
import _asks  # noqa: E402
import _wrk  # noqa: E402
from _contenders import BARE_SCRIPT, LEPTON, Contender, Sample  # noqa: E402
from _table import keep, markdown  # noqa: E402

SECONDS, ROUNDS, WARM = 5, 3, 1
CONNECTIONS = (1, 2, 4, 8)
ONE, ALL = "one core", "all cores"
AIM = 0.95

Row = dict[str, Any]
Key = tuple[str, str, int]
"""Where, which server, how many connections."""


def main() -> None:
    """Measure everything and keep the table."""
    parser = argparse.ArgumentParser(description="Measure what of ONNX Runtime's speed is left behind a server.")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"of load for each cell (default {SECONDS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of all measurements (default {ROUNDS})")
    args = parser.parse_args()
    _wrk.binary()
    with tempfile.TemporaryDirectory() as name:
        sample = Sample.of(_apps.resnet18(Path(name) / "resnet18"), _apps.picture(224, "RGB"))
        contenders = [sample.lepton(), sample.rival(BARE_SCRIPT)]
        rounds = [dict(_round(contenders, sample, args.seconds)) for _ in range(args.rounds)]
    rows = [_row(key, [found[key] for found in rounds]) for key in rounds[0]]
    best = max(row["share"] for row in rows if (row["where"], row["server"]) == (ONE, LEPTON))
    aims = [{"aim": f"{AIM:.0%} of ONNX Runtime alone, {ONE}", "reached": best, "kept": best >= AIM}]
    if (args.seconds, args.rounds) == (SECONDS, ROUNDS):
        keep("serving_heavy", rows, aims=aims, seconds=args.seconds, rounds=args.rounds)
    else:
        print(markdown(rows))
    print(f"\n{markdown(aims)}")


def _round(contenders: Sequence[Contender], sample: Sample, seconds: int) -> Iterable[tuple[Key, Mapping[str, float]]]:
    """One measurement of everything."""
    cores = os.sched_getaffinity(0)
    for where, bound in ((ONE, {max(cores)}), (ALL, cores)):
        with _bound(bound):
            for contender in contenders:
                alone = _alone(sample.job / "model.onnx", seconds)
                for connections, load in _loads(contender, sample.expected, seconds):
                    yield (where, contender.title, connections), _figures(load, alone, where)


def _loads(contender: Contender, expected: tuple[str, float], seconds: int) -> Iterator[tuple[int, _wrk.Load]]:
    ask = contender.asks[_asks.BINARY]
    with contender.start() as server:
        _asks.check(ask, server.port, expected)
        for connections in CONNECTIONS:
            _wrk.load(server, ask, connections=connections, seconds=WARM)
            yield connections, _wrk.load(server, ask, connections=connections, seconds=seconds)


def _figures(load: _wrk.Load, alone: float, where: str) -> dict[str, float]:
    between = 1e3 / load.per_second if load.per_second else float("inf")
    left = between - load.client_ms if where == ONE else between
    figures = {"requests/s": load.per_second, "p50 ms": load.p50_ms, "p99 ms": load.p99_ms}
    used = {"client ms": load.client_ms, "server ms": load.server_ms, "alone ms": alone}
    return {**figures, **used, "share": alone / left, "failed": load.errors}


def _row(key: Key, found: Sequence[Mapping[str, float]]) -> Row:
    where, title, connections = key
    medians = {name: statistics.median(figures[name] for figures in found) for name in found[0]}
    return {"where": where, "server": title, "connections": connections, **medians}


def _alone(model: Path, seconds: int) -> float:
    command = [sys.executable, HERE / "_alone.py", model, str(seconds)]
    # A session of its own, as servers have, since Linux shares processors out among sessions.
    done = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=True)
    return float(done.stdout)


@contextmanager
def _bound(cores: set[int]) -> Iterator[None]:
    """Bind what is started meanwhile to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
