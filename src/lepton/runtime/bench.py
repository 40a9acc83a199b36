"""Measuring: how fast an app answers, and how candidates compare when they run in turn.

Shapes: R rounds, K calls of one candidate within a round.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lepton.core.errors import BadInput, UserError
from lepton.core.machine import resident_mb
from lepton.core.seeds import generator
from lepton.core.types import Arrays, Raw
from lepton.runtime.app import App

_ENOUGH = 20
_SIZES = (1, 10, 50)
"""Numbers of adapters that are measured together."""


def measure(
    app: App, raws: Sequence[Raw], *, batch: int = 1, seconds: float = 2.0, repeats: int | None = None
) -> dict[str, Any]:
    """Time `app` on `raws`, `batch` at a time, for `seconds` (at least 20 calls) or exactly `repeats` calls.

    Gives batch, threads, p50_ms and p95_ms from raw input to answer, model_p50_ms in the graphs alone,
    per_second (inputs), resident_mb and size_mb (10^6 bytes). Raises BadInput when an input cannot be answered.
    """
    if not raws or batch < 1:
        rule = "At least one input and a batch of at least 1"
        raise UserError("Nothing to measure", rule=rule, received=f"{len(raws)} inputs, batch {batch}")
    whole, model = _times([app], raws, _Length(batch, seconds, repeats))
    return {
        "batch": batch,
        "threads": app.threads,
        "p50_ms": _round(np.quantile(whole, 0.5) * 1e3),
        "p95_ms": _round(np.quantile(whole, 0.95) * 1e3),
        "model_p50_ms": _round(np.quantile(model, 0.5) * 1e3),
        "per_second": _round(batch * len(whole) / whole.sum()),
        "resident_mb": _round(resident_mb()),
        "size_mb": app.bundle.size_mb(),
    }


def measure_adapters(
    app: App, raws: Sequence[Raw], *, batch: int = 1, seconds: float = 2.0, repeats: int | None = None
) -> list[dict[str, Any]]:
    """Time the app with 1, 10, 50 and all of its adapters, each call asking the next of them.

    Gives for each number `{"adapters", "p50_ms", "p95_ms", "resident_mb"}`, nothing where there are no adapters.
    """
    views: list[App] = []
    found = []
    whole = len(app.adapters)
    for count in sorted({size for size in (*_SIZES, whole) if 0 < size <= whole}):
        views += [app.with_adapter(name) for name in app.adapters[len(views) : count]]
        times, _ = _times(views, raws, _Length(batch, seconds, repeats))
        p50, p95 = (_round(quantile * 1e3) for quantile in np.quantile(times, [0.5, 0.95]))
        found.append({"adapters": count, "p50_ms": p50, "p95_ms": p95, "resident_mb": _round(resident_mb())})
    return found


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of medians and the bounds of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Times of candidates measured in turn: `times[name]` is (R, K) in ms, round by round."""

    times: Mapping[str, np.ndarray] = field(repr=False)

    def p50(self, name: str) -> float:
        """Median time of a call in ms."""
        return float(np.quantile(self.times[name], 0.5))

    def p95(self, name: str) -> float:
        """95th percentile of the time of a call in ms."""
        return float(np.quantile(self.times[name], 0.95))

    def ratio(self, name: str, base: str, *, confidence: float = 0.95, draws: int = 1000, seed: int = 0) -> Ratio:
        """Median of `name` over that of `base`, with a two-sided percentile bootstrap interval.

        Whole rounds are drawn, the same ones for both, so that a slow spell of the machine counts on both sides
        (Efron and Tibshirani 1993, chapter 13, on the paired case).
        """
        mine, theirs = (np.median(self.times[which], axis=1) for which in (name, base))
        picks = generator(seed, "ratio", name, base).integers(0, len(mine), (draws, len(mine)))
        drawn = np.median(mine[picks], axis=1) / np.median(theirs[picks], axis=1)
        tail = (1 - confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return Ratio(float(np.median(mine) / np.median(theirs)), float(low), float(high))


def compare_latency(
    callables: Mapping[str, Callable[[], object]], *, rounds: int = 40, calls: int = 5, warmup: int = 3
) -> Comparison:
    """Time candidates in turn in one process: each round gives every candidate a slot of `calls` timed calls.

    The order turns round from round to round (A B, B A, ...), and one untimed call opens each slot, so that none
    pays for the caches its neighbour left cold. `warmup` calls of each come first.
    """
    if not callables or rounds < 2 or calls < 1:
        rule = "At least one candidate, two rounds and one call"
        raise UserError("Nothing to compare", rule=rule, received=f"{len(callables)}, {rounds}, {calls}")
    for call in callables.values():
        _slot(call, warmup)
    times: dict[str, list[list[float]]] = {name: [] for name in callables}
    for turn in range(rounds):
        for name in list(callables)[:: 1 if turn % 2 == 0 else -1]:
            callables[name]()
            times[name].append(_slot(callables[name], calls))
    return Comparison({name: np.array(found) * 1e3 for name, found in times.items()})


@dataclass(frozen=True, slots=True)
class _Length:
    """How much to measure."""

    batch: int
    seconds: float
    repeats: int | None

    def enough(self, done: int, spent: float) -> bool:
        return done >= self.repeats if self.repeats else done >= _ENOUGH and spent >= self.seconds


def _times(apps: Sequence[App], raws: Sequence[Raw], length: _Length) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each call from raw to answer, and of those the seconds spent in the graphs; the apps take turns."""
    turns = [(app, _Clock(app.run)) for app in apps]
    batches = [[raws[(start + index) % len(raws)] for index in range(length.batch)] for start in range(len(raws))]
    for app, clock in turns:
        _call(app, batches[0], clock)
    whole: list[float] = []
    model: list[float] = []
    begin = time.perf_counter()
    while not length.enough(len(whole), time.perf_counter() - begin):
        app, clock = turns[len(whole) % len(turns)]
        clock.spent = 0.0
        start = time.perf_counter()
        _call(app, batches[len(whole) % len(batches)], clock)
        whole.append(time.perf_counter() - start)
        model.append(clock.spent)
    return np.array(whole), np.array(model)


class _Clock:
    """Runs the graphs and adds up the seconds spent in them."""

    __slots__ = ("_run", "spent")

    def __init__(self, run: Callable[[Arrays], Arrays]) -> None:
        self._run = run
        self.spent = 0.0

    def __call__(self, arrays: Arrays) -> Arrays:
        start = time.perf_counter()
        found = self._run(arrays)
        self.spent += time.perf_counter() - start
        return found


def _call(app: App, raws: Sequence[Raw], clock: _Clock) -> None:
    for answer in app.attempt(raws, run=clock):
        if isinstance(answer, BadInput):
            raise answer


def _slot(call: Callable[[], object], count: int) -> list[float]:
    found = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def _round(value: float) -> float:
    return float(f"{value:.4g}")
