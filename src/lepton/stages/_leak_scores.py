"""By how much leaks between given splits raise a score: with the leaked records, and without."""

from collections.abc import Mapping, Sequence
from typing import Any

from lepton.core import plugins
from lepton.core.types import Record
from lepton.metrics import _intervals
from lepton.stages import _rivals, _scores
from lepton.stages._records import read_records
from lepton.stages._scores import Answered
from lepton.stages._stage import Stage


def told(stage: Stage, answered: Answered, classes: Sequence[str]) -> dict[str, Any]:
    """What the report says of leaks into the test set.

    `n` test records also stand in the given train split, `metrics` are those without them; `near` has both for the
    records of which something nearly the same stands there, those without either. None where nothing or everything is
    left out. `raised` tells what the leaks are worth to the linear baseline.
    """
    known = stage.read("prepare", "leaks.json")
    exact, near = (set(known["test"][kind]) for kind in ("exact", "near"))
    return {
        **_without(stage, answered, (exact, exact, classes)),
        "near": _without(stage, answered, (near, exact | near, classes)),
        "raised": _raised(stage, known, (answered[0], classes)) if (exact or near) and stage.settings.linear else None,
    }


def _without(stage: Stage, answered: Answered, what: tuple[set[str], set[str], Sequence[str]]) -> dict[str, Any]:
    counted, left_out, classes = what
    others = [(record, answer) for record, answer in zip(*answered, strict=True) if record.id not in left_out]
    if not counted or not others:
        return {"n": len(counted), "metrics": None}
    records, answers = zip(*others, strict=True)
    return {"n": len(counted), "metrics": _scores.scored(stage.task, (records, answers), classes, seed=stage.seed)}


def _raised(stage: Stage, known: Mapping[str, Any], asked: tuple[Sequence[Record], Sequence[str]]) -> dict[str, Any]:
    """The linear baseline's score on the test set when it learns from the leaked records too, and when it does not."""
    test, classes = asked
    folder = stage.parents["prepare"]
    leaked = {*known["train"]["exact"], *known["train"]["near"]}
    every = [*read_records(folder / "records.jsonl", "train"), *read_records(folder / "aside" / "records.jsonl")]
    clean = [record for record in every if record.id not in leaked]
    rival = _rivals.Rivals(stage, test)
    (name, before), (_, after) = rival.linear(clean), rival.linear(every)
    metric = plugins.load("metrics", plugins.load("tasks", stage.task).METRICS[0])
    truth = [record.label for record in test]
    without, having = (metric.table(truth, own, classes) for own in (before, after))
    value, low, high, _ = _intervals.paired_interval(metric, without, having, seed=stage.seed)
    scores = {"without": float(metric.score(without)), "with": float(metric.score(having))}
    return {"n": len(leaked), "model": name, **scores, "value": value, "low": low, "high": high}
