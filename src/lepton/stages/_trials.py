"""Trials: what each plan costs and loses, measured on this machine and held against the contract."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lepton.core.contract import Clause, Contract
from lepton.core.types import Label, Raw
from lepton.metrics import _intervals
from lepton.runtime import bench
from lepton.runtime.app import App
from lepton.stages._plans import REFERENCE, Plan, Step

_SAME = 1.02
"""Bound of a ratio of times up to which two graphs count as equally fast: one measured against itself stays below."""

_QUICK, _LONG = 0.3, 1.0
"""Seconds that a latency is measured for: of a sketch, and of a trial."""


@dataclass(frozen=True)
class Bench:
    """What trials are measured with: the validation set, its metric, the contract, and the app of the reference."""

    raws: Sequence[Raw]
    truth: Sequence[Label]
    classes: Sequence[str]
    metric: Any
    contract: Contract
    seed: int
    reference: App

    @cached_property
    def expected(self) -> list[Any]:
        """The reference's answers on the validation set."""
        return self.answers(self.reference)

    def answers(self, app: App) -> list[Any]:
        """The app's answers on the validation set."""
        return list(app.predict(list(self.raws)))

    def table(self, answers: Sequence[Any]) -> np.ndarray:
        """The metric's table of answers on the validation set."""
        return np.asarray(self.metric.table(self.truth, answers, self.classes))


@dataclass(frozen=True, slots=True)
class Trial:
    """One plan as measured. Latencies in ms at the contract's batch; `ratio` is of graph medians to the reference's.

    `steps` are the plan's; `effort` is how much of its training it had (1: all).
    """

    plan: str
    metric: float
    drop: float
    drop_bound: float
    p50_ms: float
    p95_ms: float
    model_p50_ms: float
    model_p95_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    size_mb: float
    batchable: bool
    steps: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """The trial as JSON."""
        return {**asdict(self), "steps": [dict(step) for step in self.steps]}


@dataclass(frozen=True, slots=True)
class Cost:
    """What answering costs, whatever the weights are: known before anything is trained."""

    p50_ms: float
    p95_ms: float
    model_p50_ms: float
    model_p95_ms: float
    ratio: bench.Ratio
    size_mb: float


@dataclass(frozen=True, slots=True)
class Sketch:
    """A plan before training: what it would cost with its cheapest steps on the graph."""

    plan: Plan
    suffixes: tuple[tuple[Step, ...], ...]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Rung:
    """A plan after some of its training."""

    plan: str
    effort: float
    metric: float
    seconds: float
    kept: bool
    model_p50_ms: float
    size_mb: float


def cost(app: App, how: Bench, *, quick: bool = False) -> Cost:
    """Measure latency and size beside the reference's, in turn in this process; `quick` is a first impression."""
    latency = how.contract.latency
    seconds = _QUICK if quick else _LONG
    found = bench.measure(app, list(how.raws[:256]), batch=latency.batch, seconds=seconds)
    speed, model_p95 = _compared(app, how, seconds)
    return Cost(
        p50_ms=found["p50_ms"],
        p95_ms=found["p95_ms"],
        model_p50_ms=found["model_p50_ms"],
        model_p95_ms=model_p95,
        ratio=speed,
        size_mb=app.bundle.size_mb(),
    )


def measure(plan: str, app: App, how: Bench) -> Trial:
    """Measure the app of `plan` in full: its answers on the validation set beside the reference's, and its cost."""
    table, base = how.table(how.answers(app)), how.table(how.expected)
    drop, bound = _drop(plan, how, (base, table))
    found = cost(app, how)
    return Trial(
        plan=plan,
        metric=float(how.metric.score(table)),
        drop=drop,
        drop_bound=bound,
        p50_ms=found.p50_ms,
        p95_ms=found.p95_ms,
        model_p50_ms=found.model_p50_ms,
        model_p95_ms=found.model_p95_ms,
        ratio=found.ratio.value,
        ratio_low=found.ratio.low,
        ratio_high=found.ratio.high,
        size_mb=found.size_mb,
        batchable=app.batchable,
    )


def ratio_of(kept: Mapping[str, float]) -> bench.Ratio:
    """A ratio that was kept as JSON."""
    return bench.Ratio(**kept)


def could_keep(cost: Cost, contract: Contract) -> bool:
    """Whether latency and size are inside the contract, with a tenth to spare for a first impression."""
    pairs = (
        (cost.p95_ms, contract.latency.p95_ms),
        (cost.p50_ms, contract.latency.p50_ms),
        (cost.size_mb, contract.size_mb),
    )
    return all(most is None or found <= 1.1 * most for found, most in pairs)


def _drop(plan: str, how: Bench, tables: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """The drop and its bound; the reference loses nothing against itself by definition."""
    if plan == REFERENCE:
        return 0.0, 0.0
    found = _intervals.drop_bound(how.metric, *tables, seed=how.seed)
    return found.value, found.bound


def _compared(app: App, how: Bench, seconds: float) -> tuple[bench.Ratio, float]:
    """The ratio of graph medians to the reference's, and the 95th percentile in ms."""
    pair = {"app": app, REFERENCE: how.reference}
    size = how.contract.latency.batch
    raws = [how.raws[index % len(how.raws)] for index in range(size)]
    batches = {name: one.collate([one.encode(raw) for raw in raws]) for name, one in pair.items()}
    calls = {name: lambda one=one, name=name: one.run(batches[name]) for name, one in pair.items()}
    once = bench.compare_latency(calls, rounds=2, calls=2)
    slow = (once.p50("app") + once.p50(REFERENCE)) / 1e3
    each = max(1, min(10, round(seconds / 30 / slow)))
    found = bench.compare_latency(calls, rounds=max(12, min(60, round(2 * seconds / slow / each))), calls=each)
    if app is how.reference:
        return bench.Ratio(1.0, 1.0, 1.0), found.p95("app")
    return found.ratio("app", REFERENCE, seed=how.seed), found.p95("app")


def allowed_drop(contract: Contract, n: int) -> tuple[float, str]:
    """The largest drop allowed, and where it comes from: the contract, or one point, or what `n` records can prove."""
    if contract.metric.max_drop is not None:
        return contract.metric.max_drop, "the contract"
    provable = _intervals.provable_drop(n)
    if provable > 0.01:
        return provable, f"the smallest drop that {n} validation records can prove"
    return 0.01, "one point, the standing limit"


def clauses(trial: Trial, reference: Trial, how: Bench) -> list[Clause]:
    """Every clause of the contract held against a trial; the standing ones where nothing was asked."""
    contract = how.contract
    limit, origin = allowed_drop(contract, len(how.truth))
    found = [_at_most("drop (95 % bound)", limit, trial.drop_bound, note=origin)]
    if contract.metric.min is not None:
        least = contract.metric.min
        found.append(Clause("metric (validation)", least, trial.metric, trial.metric >= least))
    return [*found, *_latency_clauses(trial, contract), *_size_clauses(trial, reference, contract)]


def _latency_clauses(trial: Trial, contract: Contract) -> list[Clause]:
    asked = contract.latency
    found = []
    if asked.p95_ms is not None:
        found.append(_at_most("latency p95 (ms)", asked.p95_ms, trial.p95_ms))
    if asked.p50_ms is not None:
        found.append(_at_most("latency p50 (ms)", asked.p50_ms, trial.p50_ms))
    if not found:
        note = f"no slower, the standing limit; {_SAME - 1:.0%} is what a graph differs from itself"
        found.append(_at_most("time over fp32 ONNX (95 % bound)", _SAME, trial.ratio_high, note=note))
    return found


def _size_clauses(trial: Trial, reference: Trial, contract: Contract) -> list[Clause]:
    if contract.size_mb is not None:
        return [_at_most("size (MB)", contract.size_mb, trial.size_mb)]
    return [_at_most("size (MB)", reference.size_mb, trial.size_mb, note="no larger, the standing limit")]


def _at_most(name: str, asked: float, measured: float, *, note: str = "") -> Clause:
    return Clause(name, asked, measured, within(measured, asked), note)


def within(measured: float, most: float) -> bool:
    """Whether a figure is at most `most`, up to rounding: a bound that is found by halving is that near its formula."""
    return measured <= most or math.isclose(measured, most, rel_tol=1e-9)


def winner(trials: Sequence[Trial], held: Mapping[str, Sequence[Clause]]) -> Trial | None:
    """Of the trials that keep every clause the fastest, or the smaller where intervals of speed overlap."""
    kept = [trial for trial in trials if all(clause.kept for clause in held[trial.plan])]
    if not kept:
        return None
    fastest = min(kept, key=lambda trial: trial.ratio)
    level = [trial for trial in kept if trial.ratio_low <= fastest.ratio_high]
    return min(level, key=lambda trial: trial.size_mb)
