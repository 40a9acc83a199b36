"""Scores of slices: those that the recipe declares, and those that fields and properties of the records make."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lepton.core import plugins
from lepton.core.types import Record
from lepton.metrics import _intervals, _weakness, exact_match
from lepton.stages import _slices
from lepton.stages._scores import Answered
from lepton.stages._slices import Cut


def check(records: Sequence[Record], declared: Sequence[str]) -> None:
    """Raise UserError for a declared field that no record has."""
    known = dict.fromkeys(name for record in records for name in record.fields)
    for name in declared:
        if name not in known:
            raise plugins.unknown("field in [evaluate.slices]", name, list(known))


def rows(task: str, answered: Answered, classes: Sequence[str], *, declared: Sequence[str], seed: int) -> list[Any]:
    """A row for each slice, the weakest first.

    It has its `field` and `value`, whether it was `declared`, its `n` records, the task's default metric there
    (`metric`, with its 95 % interval of this slice alone) and on the other records (`others`, None where there are
    none), the `p` of being right so much less often than those, and whether it is `weak`: significantly so among all.
    """
    records, answers = answered
    module = plugins.load("tasks", task)
    metric = plugins.load("metrics", module.METRICS[0])
    truth = [record.label for record in records]
    table = metric.table(truth, answers, classes)
    named = [
        (cut, value, np.array([own == value for own in cut.values], bool))
        for cut in _cuts(records, module.MODALITY, declared)
        for value in cut.names
    ]
    right = exact_match.table(truth, answers, classes)[:, 0] > 0
    judged = _weakness.weak(right, [inside for *_, inside in named])
    found = [
        {
            **{"field": cut.name, "value": value, "declared": cut.name in declared, "n": int(inside.sum())},
            "metric": _interval(metric, table[inside], seed),
            "others": float(metric.score(table[~inside])) if not inside.all() else None,
            **{"p": chance, "weak": weak},
        }
        for (cut, value, inside), (chance, weak) in zip(named, judged, strict=True)
    ]
    sign = -1 if metric.LOWER_IS_BETTER else 1
    return sorted(found, key=lambda row: sign * row["metric"]["value"])


def _cuts(records: Sequence[Record], modality: str, declared: Sequence[str]) -> list[Cut]:
    fields = [cut for cut in _slices.fields(records) if cut.name not in declared]
    return [*(_declared(records, name) for name in declared), *fields, *_slices.properties(records, modality)]


def _declared(records: Sequence[Record], name: str) -> Cut:
    """Every value of a field, however rare; records without the field are a slice of their own."""
    values = [record.fields.get(name, "") for record in records]
    return Cut(name, values, sorted(set(values)))


def _interval(metric: Any, table: np.ndarray, seed: int) -> dict[str, float]:
    value, low, high, _ = _intervals.interval(metric, table, seed=seed)
    return {"value": value, "low": low, "high": high}
