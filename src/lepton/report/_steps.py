"""What compression costs and brings, as the page shows it: two pictures, a table of plans, and what else was tried."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lepton.report import _pareto, _pictures, _words
from lepton.report._headline import ratios
from lepton.report._told import REFERENCE, TORCH, Told, missed

View = dict[str, Any]
"""What one part of the section is made from."""

Trial = Mapping[str, Any]

_OPEN = 8  # rows that stand open; the rest is folded


def steps(told: Told) -> View | None:
    """The section, or None where nothing was tried."""
    if not told.trials:
        return None
    torch = told.stage("compress").get("torch")
    first = [_torch_row(torch)] if torch else []
    rows = [*first, *(_row(told, trial) for trial in ranked(told))]
    return {
        "rows": rows[:_OPEN],
        "rest": rows[_OPEN:],
        "metric": _words.metric(told.stage("compress").get("metric") or "score"),
        "lower": _pareto.lower(told),
        "charts": [chart for chart in (_pictures.accuracy(told), _pictures.size(told)) if chart],
        "legend": _pictures.legend(told),
        "searched": searched(told),
        "rungs": [_rung(rung) for rung in told.rungs],
        "skipped": _reasons(told.skipped),
    }


def ranked(told: Told) -> list[Trial]:
    """The trials as a reader wants them.

    What is shipped, what it is compared with, then what keeps the contract, fastest first, and what does not, nearest
    first.
    """
    nearness = [trial["plan"] for trial in told.nearest(len(told.trials))]

    def rank(trial: Trial) -> tuple[bool, bool, float]:
        kept = not any(missed(trial))
        order = _pareto.pace(told, trial) if kept else nearness.index(trial["plan"])
        return trial["plan"] != REFERENCE, not kept, order

    chosen = [told.winner] if told.winner else []
    return [*chosen, *sorted((trial for trial in told.trials if trial not in chosen), key=rank)]


def searched(told: Told) -> str:
    """The search in one sentence; nothing where only a few methods were tried."""
    begun = list(dict.fromkeys(rung["plan"] for rung in told.rungs))
    if not begun and not told.skipped:
        return ""
    names = [trial["plan"] for trial in told.trials]
    whole = [plan for plan in begun if any(f"{name}+".startswith(f"{plan}+") for name in names)]
    left = {item["plan"] for item in told.skipped} - {*names, *begun}
    sketched = len(told.sketches)
    parts = [
        f"{_counted(sketched, 'plan')} sketched to see what they would cost" if sketched else "",
        f"{_counted(len(names), 'plan')} finished and measured",
        f"{len(begun)} trained a little first, of which {len(whole) or 'none'} went on to the end" if begun else "",
        f"{len(left)} left out before any training" if left else "",
    ]
    return f"{'; '.join(filter(None, parts))}."


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def _row(told: Told, trial: Trial) -> View:
    chosen = told.winner is not None and told.winner["plan"] == trial["plan"]
    gains = ratios(told, trial)
    return {
        "plan": _words.plan(trial["plan"]),
        "name": trial["plan"],
        "metric": _words.percent(trial["metric"]),
        "drop": f"{100 * trial['drop']:.2f}",
        "bound": f"{100 * trial['drop_bound']:.2f}",
        "model": _figure(trial["model_p50_ms"]),
        "p50": _figure(trial["p50_ms"]),
        "p95": _figure(trial["p95_ms"]),
        "size": _figure(trial["size_mb"]),
        "torch": _times(gains.get(TORCH)),
        "onnx": "" if trial["plan"] == REFERENCE else _times(gains.get("fp32 ONNX")),
        "note": _noted(trial),
        "verdict": "shipped" if chosen else _verdict(trial),
        "mark": "good" if chosen else ("bad" if any(missed(trial)) else "info"),
        "chosen": chosen,
    }


def _torch_row(torch: Mapping[str, Any]) -> View:
    size, time = torch.get("size_mb"), torch.get("model_p50_ms")
    figures = {"model": "" if time is None else _figure(time), "size": "" if size is None else _figure(size)}
    return {"plan": TORCH, **figures, "note": "the network as trained"}


def _times(gains: Mapping[str, float] | None) -> str:
    """How many times faster and smaller: "2.7× / 37×"; below one it is slower or larger."""
    if not gains:
        return ""
    return " / ".join(_words.ratio(gains[name]) if name in gains else "" for name in ("faster", "smaller"))


def _verdict(trial: Trial) -> str:
    names = [clause["name"].split(" (")[0].split(" over ")[0] for clause in missed(trial)]
    return f"misses {', '.join(names)}" if names else "kept"


def _noted(trial: Trial) -> str:
    alone = "" if trial.get("batchable", True) else "served one by one, since its answers depend on the batch"
    return "; ".join(filter(None, [trial.get("note", ""), alone]))


def _rung(rung: Mapping[str, Any]) -> View:
    return {
        "plan": _words.plan(rung["plan"]),
        "name": rung["plan"],
        "effort": f"{100 * rung['effort']:.3g} %",
        "metric": _words.percent(abs(rung["metric"])),
        "took": _words.seconds(rung["seconds"]),
        "kept": rung["kept"],
    }


def _reasons(skipped: Iterable[Mapping[str, str]]) -> list[tuple[str, Sequence[str]]]:
    """The plans that were left out, by the reason."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in skipped:
        found[item["why"]].append(_words.plan(item["plan"]))
    return list(found.items())


def _figure(value: float) -> str:
    """A figure of a column whose head has the unit, with three digits that count."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
