"""What compression changed: which records got another answer, in which direction, and what they have in common."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lepton.core import plugins
from lepton.core.types import Record
from lepton.metrics import _damage
from lepton.metrics._damage import Answers, Fates
from lepton.stages import _previews, _slices, _temperature
from lepton.stages._slices import Cut
from lepton.stages._stage import Stage

_SHOWN = 12


def damage(stage: Stage, records: Sequence[Record], answers: Answers, classes: Sequence[str]) -> dict[str, Any]:  # noqa: PLR0917 - one caller
    """The facts of the damage report, as JSON; previews of changed records are written into the artifact.

    `answers` are those of the uncompressed model and those of the compressed one, the full ones. "counts" has records
    by what became of them, "classes" a row for each true class and "lost" the classes with a significant loss;
    "groups" has a table for each field of the records, "slices" one for each property of the raw inputs; rows are
    those of `metrics._damage`. "calibration" has the calibration error before, after and with the "temperature" that
    belongs into the app's decode; it is None where answers are entities. "changed" has up to 12 records that became
    wrong and 12 that became right, those answered with most confidence now first.
    """
    task = plugins.load("tasks", stage.task)
    truth = [record.label for record in records]
    found, rows = _damage.fates(truth, answers), _damage.class_rows(truth, answers, classes)
    honest = _temperature.calibration(truth, answers, classes) if _damage.ranked(answers[0]) else None
    return {
        "n": len(records),
        "counts": _damage.counts(found),
        "classes": rows,
        "lost": [row["label"] for row in rows if row["significant"] and row["change"] < 0],
        "groups": _tables(found, _slices.fields(records)),
        "slices": _tables(found, _slices.properties(records, task.MODALITY)),
        "calibration": honest,
        "changed": [
            *_changed(stage, (records, answers), ("right_to_wrong", found.lost)),
            *_changed(stage, (records, answers), ("wrong_to_right", found.won)),
        ],
    }


def _tables(found: Fates, cuts: Sequence[Cut]) -> list[dict[str, Any]]:
    return [{"name": cut.name, "rows": _damage.rows(found, cut.values, cut.names)} for cut in cuts]


def _changed(
    stage: Stage, answered: tuple[Sequence[Record], Answers], kind: tuple[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Previews of the records that went that way, with both answers as `predict` would show them."""
    task = plugins.load("tasks", stage.task)
    (records, (before, after)), (direction, inside) = answered, kind
    places = sorted(np.flatnonzero(inside).tolist(), key=lambda index: -_confidence(after[index]))
    return [
        {
            **_previews.preview(stage, records[index], task.MODALITY),
            "given": records[index].label,
            "before": task.brief(before[index]),
            "after": task.brief(after[index]),
            "direction": direction,
        }
        for index in places[:_SHOWN]
    ]


def _confidence(answer: Any) -> float:
    return float(answer[0]["score"]) if answer else 0.0
