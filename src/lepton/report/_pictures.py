"""What compression found as two pictures: accuracy against time, and size against time."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from lepton.report import _cloud, _pareto, _words
from lepton.report._cloud import Mark, Side
from lepton.report._told import REFERENCE, TORCH, Told, missed

Trial = Mapping[str, Any]

_LARGEST, _SMALLEST = 13.0, 3.5  # radii of dots whose area tells a size
_FAINT = 2.5
_DEEP = 2.5  # how many times the allowed drop the picture reaches down


@dataclass(frozen=True)
class Clock:
    """A time that plans are compared by: its name, what a trial took in ms, and its limits."""

    name: str
    of: Callable[[Trial], float]
    limits: Sequence[tuple[float, str]] = ()
    alone: bool = False


def accuracy(told: Told) -> str:
    """The metric of every plan against the time of its graph; dots are as large as the plan."""
    clock = _alone(told)
    front = _pareto.pareto(told)
    known = [_trial(told, trial, front) for trial in told.trials]
    marks = [
        Mark(
            **shown, x=clock.of(trial), y=trial["metric"], radius=_radius(told, trial["size_mb"]), low=_low(told, trial)
        )
        for trial, shown in zip(told.trials, known, strict=True)
    ]
    name = _metric(told)
    up = Side(name=name, form=_share, log=False, more=not _pareto.lower(told), limits=_least(told), ends=_ends(told))
    sides = Side(name=clock.name, form=_plain, limits=clock.limits), up
    return _cloud.cloud(
        [*marks, *_torch(told, "metric"), *_rungs(told, "metric")],
        sides,
        name=f"{name} against time, for every plan; {_summary(told)}",
        front=[(clock.of(trial), trial["metric"]) for trial in front],
    )


def size(told: Told) -> str:
    """The size of every plan against its time: that which the contract limits, else that of its graph."""
    clock = _asked_clock(told)
    front = _pareto.smallest(told, [clock.of(trial) for trial in told.trials])
    marks = [Mark(**_trial(told, trial, front), x=clock.of(trial), y=trial["size_mb"]) for trial in told.trials]
    more = [*_torch(told, "size_mb"), *_rungs(told, "size_mb")] if clock.alone else []
    limits = [(clause["asked"], _size_limit(clause)) for clause in _clauses(told, "size")]
    return _cloud.cloud(
        [*marks, *more],
        (Side(name=clock.name, form=_plain, limits=clock.limits), Side(name="size (MB)", form=_plain, limits=limits)),
        name=f"size against time, for every plan; {_summary(told)}",
        front=[(clock.of(trial), trial["size_mb"]) for trial in front],
    )


def legend(told: Told) -> str:
    """What the marks of both pictures mean, of those that occur."""
    kinds = {_kind(told, trial) for trial in told.trials}
    keys = {
        "chosen": ("shipped", "chosen" in kinds),
        "kept": ("keeps the contract", "kept" in kinds),
        "missed": ("does not keep it", "missed" in kinds),
        "faint": ("trained a little only", bool(told.rungs)),
        "edge": ("lies farther out", _outside(told)),
        "bound": (f"95 % bound of its {_metric(told)}", any(trial.get("drop_bound") for trial in told.trials)),
        "sizes": ("area: its size", True),
        "front": ("no other is better in both", True),
    }
    return _cloud.legend([(kind, words) for kind, (words, shown) in keys.items() if shown])


def _metric(told: Told) -> str:
    return _words.metric(told.stage("compress").get("metric") or "score")


def _summary(told: Told) -> str:
    trial = told.winner
    if trial is None:
        return "none keeps the contract"
    costs = f"{_words.milliseconds(trial['model_p50_ms'])}, {_words.megabytes(trial['size_mb'])}"
    return f"shipped: {_words.plan(trial['plan'])} at {_words.percent(trial['metric'])}, {costs}"


def _alone(told: Told) -> Clock:
    """The time of the graph, with the limit that holds where no latency was asked for."""
    reference = told.trial(REFERENCE)
    limits = [
        (clause["asked"] * reference["model_p50_ms"], "no slower than fp32 ONNX")
        for clause in _clauses(told, "time")
        if reference
    ]
    return Clock("time of the model alone (ms)", lambda trial: _pareto.pace(told, trial), limits, alone=True)


def _asked_clock(told: Told) -> Clock:
    """The time from raw input to answer that the contract limits, else that of the graph."""
    for key, name in (("p95", "95th percentile"), ("p50", "median")):
        for clause in _clauses(told, f"latency {key}"):
            limit = clause["asked"], f"at most {_words.milliseconds(clause['asked'])}"
            return Clock(f"raw input to answer (ms, {name})", itemgetter(f"{key}_ms"), [limit])
    return _alone(told)


def _size_limit(clause: Mapping[str, Any]) -> str:
    standing = str(clause.get("note", "")).startswith("no larger")
    return "no larger than fp32 ONNX" if standing else f"at most {_words.megabytes(clause['asked'])}"


def _clauses(told: Told, name: str) -> list[Mapping[str, Any]]:
    """The clause of that name, which every trial was held against, if there is one."""
    return [clause for clause in told.trials[0].get("clauses") or () if clause["name"].startswith(name)]


def _trial(told: Told, trial: Trial, front: Sequence[Trial]) -> dict[str, Any]:
    """What both pictures say of a trial."""
    kind, name = _kind(told, trial), _words.plan(trial["plan"])
    must = kind == "chosen" or trial["plan"] == REFERENCE
    figures = (
        f"{_words.percent(trial['metric'])}, {_words.milliseconds(trial['model_p50_ms'])} alone, "
        f"{_words.milliseconds(trial['p95_ms'])} p95 from raw input, {_words.megabytes(trial['size_mb'])}"
    )
    names = _names(trial, kind) if must or trial in front else []
    return {"kind": kind, "hint": f"{name}: {figures}", "names": names, "must": must}


def _names(trial: Trial, kind: str) -> list[str]:
    """Ways to name a trial in a picture, the fullest first."""
    name = _words.plan(trial["plan"])
    if kind != "chosen":
        return [name]
    return [f"shipped: {name}", f"shipped: {_words.short_plan(trial['plan'])}", "shipped"]


def _kind(told: Told, trial: Trial) -> str:
    if told.winner is not None and trial["plan"] == told.winner["plan"]:
        return "chosen"
    return "missed" if any(missed(trial)) else "kept"


def _torch(told: Told, up: str) -> list[Mark]:
    """The trained network in PyTorch, whose answers the ONNX model gives as well."""
    facts, reference = told.stage("compress").get("torch") or {}, told.trial(REFERENCE)
    if not reference or facts.get("size_mb") is None or facts.get("model_p50_ms") is None:
        return []
    y = reference["metric"] if up == "metric" else facts["size_mb"]
    radius = _radius(told, facts["size_mb"]) if up == "metric" else 5.0
    hint = f"{TORCH}: {_words.milliseconds(facts['model_p50_ms'])} alone, {_words.megabytes(facts['size_mb'])}"
    return [Mark(x=facts["model_p50_ms"], y=y, kind="quiet", hint=hint, names=[TORCH], must=True, radius=radius)]


def _rungs(told: Told, up: str) -> list[Mark]:
    return [
        Mark(
            x=rung["model_p50_ms"],
            y=abs(rung[up]),
            kind="faint",
            hint=f"{_words.plan(rung['plan'])} after {100 * rung['effort']:.3g} % of its training: "
            f"{_words.percent(abs(rung['metric']))}",
            radius=_FAINT,
        )
        for rung in told.rungs
    ]


def _radius(told: Told, megabytes: float) -> float:
    sizes = [trial["size_mb"] for trial in told.trials]
    most = max([*sizes, (told.stage("compress").get("torch") or {}).get("size_mb") or 0])
    return max(_SMALLEST, _LARGEST * math.sqrt(megabytes / most))


def _low(told: Told, trial: Trial) -> float | None:
    """The metric that is left by the bound of a trial's drop, which counts."""
    reference = told.trial(REFERENCE)
    if reference is None or not trial.get("drop_bound"):
        return None
    return float(reference["metric"] + _worse(told) * trial["drop_bound"])


def _least(told: Told) -> list[tuple[float, str]]:
    """The limits of the metric: the drop allowed below the reference, and what was asked of it alone."""
    limit, reference = told.stage("compress").get("drop_limit"), told.trial(REFERENCE)
    found = []
    if limit and reference:
        worst = reference["metric"] + _worse(told) * limit["value"]
        found.append((worst, f"{_points(limit['value'])} worse than fp32 ONNX"))
    return found + [
        (clause["asked"], f"at least {_words.percent(clause['asked'])}") for clause in _clauses(told, "metric")
    ]


def _ends(told: Told) -> tuple[float, float]:
    """The part of the metric that is shown: most finished plans and the limit, however low the others fell."""
    values = sorted((trial["metric"] for trial in told.trials), reverse=_pareto.lower(told))
    limit = (told.stage("compress").get("drop_limit") or {}).get("value") or 0.0
    deep = max(_DEEP * limit, 0.02)
    worst, best = values[len(values) // 4], values[-1]
    ends = [best + _worse(told) * deep, worst, best]
    return min(ends), max(ends)


def _outside(told: Told) -> bool:
    low, high = _ends(told)
    room = 0.1 * (high - low)
    seen = [*(trial["metric"] for trial in told.trials), *(abs(rung["metric"]) for rung in told.rungs)]
    return any(not low - room <= value <= high + room for value in seen)


def _worse(told: Told) -> int:
    """The direction in which the metric becomes worse."""
    return 1 if _pareto.lower(told) else -1


def _plain(value: float) -> str:
    return f"{value:,.6g}"


def _points(value: float) -> str:
    return f"{100 * value:.3g} point{'s' if round(100 * value, 2) != 1 else ''}"


def _share(value: float) -> str:
    """A share as the words of a tick; none for what no share can be."""
    return f"{100 * value:.4g}%" if 0 <= value < 1 + 1e-9 else ""
