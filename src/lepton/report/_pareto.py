"""Which plans no other beats, of those that compression finished."""

from collections.abc import Mapping, Sequence
from typing import Any

from lepton.report import _words
from lepton.report._told import REFERENCE, Told, missed

Trial = Mapping[str, Any]


def pace(told: Told, trial: Trial) -> float:
    """Time of a trial's graph in ms: that of the reference's, times the ratio that was measured in turn with it.

    Two times that were measured apart differ by more than plans do; where there is no ratio, its own median.
    """
    reference = told.trial(REFERENCE)
    known = reference is not None and trial.get("ratio")
    return float(reference["model_p50_ms"] * trial["ratio"] if reference and known else trial["model_p50_ms"])


def pareto(told: Told) -> list[Trial]:
    """The trials that no other beats in both the metric and the time of the graph, fastest first."""
    sign = -1 if lower(told) else 1
    return _unbeaten(told.trials, [(pace(told, trial), -sign * trial["metric"]) for trial in told.trials])


def smallest(told: Told, times: Sequence[float]) -> list[Trial]:
    """Of the trials that keep the answers, those that no other beats in both its time, of `times`, and size."""
    known = [(trial, (time, trial["size_mb"])) for trial, time in zip(told.trials, times, strict=True) if _right(trial)]
    return _unbeaten([trial for trial, _ in known], [costs for _, costs in known])


def lower(told: Told) -> bool:
    """Whether less of the metric that compression looked at is better."""
    return _words.lower_is_better(told.stage("compress").get("metric") or "")


def _unbeaten(trials: Sequence[Trial], costs: Sequence[tuple[float, float]]) -> list[Trial]:
    found: list[Trial] = []
    least = float("inf")
    for (_, second), index in sorted((cost, index) for index, cost in enumerate(costs)):
        if second < least:
            found.append(trials[index])
            least = second
    return found


def _right(trial: Trial) -> bool:
    """Whether a trial keeps what was asked of its answers, whatever it costs."""
    return not any(clause["name"].startswith(("drop", "metric")) for clause in missed(trial))
