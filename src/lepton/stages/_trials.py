"""Trials: what each plan costs and loses, measured on this machine and held against the contract."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lepton.core.contract import Clause, Contract
from lepton.core.types import Label, Raw
from lepton.metrics import _intervals
from lepton.runtime import bench
from lepton.runtime.app import App

REFERENCE = "onnx"
"""The plan that changes nothing: the uncompressed ONNX model, always a candidate."""


@dataclass(frozen=True)
class Bench:
    """What trials are measured with: the validation set, its metric, and the contract."""

    raws: Sequence[Raw]
    truth: Sequence[Label]
    classes: Sequence[str]
    metric: Any
    contract: Contract
    seed: int

    def table(self, app: App) -> np.ndarray:
        """The metric's table of the app's answers on the validation set."""
        return np.asarray(self.metric.table(self.truth, app.predict(list(self.raws)), self.classes))


@dataclass(frozen=True, slots=True)
class Trial:
    """One plan as measured. Latencies in ms at the contract's batch; `ratio` is of graph medians to the reference's."""

    plan: str
    metric: float
    drop: float
    drop_bound: float
    p50_ms: float
    p95_ms: float
    model_p50_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    size_mb: float
    batchable: bool
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """The trial as JSON."""
        return asdict(self)


def measure(plan: str, apps: tuple[App, App], how: Bench) -> Trial:
    """Measure the app of `plan` beside the reference's, in turn in this process. `apps` are (candidate, reference)."""
    app, reference = apps
    latency = how.contract.latency
    table, base = how.table(app), how.table(reference)
    drop = _drop(plan, how, (base, table))
    speed = _ratio(plan, apps, how)
    found = bench.measure(app, list(how.raws[:256]), batch=latency.batch, seconds=1.0)
    return Trial(
        plan=plan,
        metric=float(how.metric.score(table)),
        drop=drop[0],
        drop_bound=drop[1],
        p50_ms=found["p50_ms"],
        p95_ms=found["p95_ms"],
        model_p50_ms=found["model_p50_ms"],
        ratio=speed.value,
        ratio_low=speed.low,
        ratio_high=speed.high,
        size_mb=app.bundle.size_mb(),
        batchable=app.batchable,
    )


def _drop(plan: str, how: Bench, tables: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """The drop and its bound; the reference loses nothing against itself by definition."""
    if plan == REFERENCE:
        return 0.0, 0.0
    found = _intervals.drop_bound(how.metric, *tables, seed=how.seed)
    return found.value, found.bound


def _ratio(plan: str, apps: tuple[App, App], how: Bench) -> bench.Ratio:
    if plan == REFERENCE:
        return bench.Ratio(1.0, 1.0, 1.0)
    size = how.contract.latency.batch
    raws = [how.raws[index % len(how.raws)] for index in range(size)]
    batches = [app.collate([app.encode(raw) for raw in raws]) for app in apps]
    calls = {plan: lambda: apps[0].run(batches[0]), REFERENCE: lambda: apps[1].run(batches[1])}
    return bench.compare_latency(calls, rounds=60, calls=10).ratio(plan, REFERENCE, seed=how.seed)


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
        found.append(
            _at_most("time over fp32 ONNX (95 % bound)", 1.0, trial.ratio_high, note="no slower, the standing limit")
        )
    return found


def _size_clauses(trial: Trial, reference: Trial, contract: Contract) -> list[Clause]:
    if contract.size_mb is not None:
        return [_at_most("size (MB)", contract.size_mb, trial.size_mb)]
    return [_at_most("size (MB)", reference.size_mb, trial.size_mb, note="no larger, the standing limit")]


def _at_most(name: str, asked: float, measured: float, *, note: str = "") -> Clause:
    return Clause(name, asked, measured, measured <= asked, note)


def winner(trials: Sequence[Trial], held: Mapping[str, Sequence[Clause]]) -> Trial | None:
    """Of the trials that keep every clause the fastest, or the smaller where intervals of speed overlap."""
    kept = [trial for trial in trials if all(clause.kept for clause in held[trial.plan])]
    if not kept:
        return None
    fastest = min(kept, key=lambda trial: trial.ratio)
    level = [trial for trial in kept if trial.ratio_low <= fastest.ratio_high]
    return min(level, key=lambda trial: trial.size_mb)
