"""What the labels of the test set do to its scores: corrections that people made, and labels that look wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lepton.checks._words import label_text
from lepton.core.types import Label, Record, Span
from lepton.metrics._answers import found_spans
from lepton.stages import _scores
from lepton.stages._scores import Answered
from lepton.stages._stage import Stage


def as_given(stage: Stage, answered: Answered, classes: Sequence[str]) -> dict[str, Any] | None:
    """How many test labels were corrected, and the scores on the labels as they were; None where none was."""
    given = stage.read("prepare", "given.json")
    records, answers = answered
    before = [replace(record, label=_label(given.get(record.id, record.label))) for record in records]
    changed = sum(record.id in given for record in records)
    if not changed:
        return None
    return {"n": changed, "metrics": _scores.scored(stage.task, (before, answers), classes, seed=stage.seed)}


def doubtful(stage: Stage, answered: Answered) -> dict[str, Any]:
    """How many test labels look wrong to models that did not learn from them, and how often the app agrees.

    `agreed` counts those for which it answers what is suggested instead.
    """
    suggested: Mapping[str, str | None] = stage.read("prepare", "doubts.json")
    pairs = [(item, answer) for item, answer in zip(*answered, strict=True) if item.id in suggested]
    agreed = sum(_answer(record, answer) == suggested[record.id] for record, answer in pairs)
    return {"n": len(pairs), "agreed": agreed}


def _label(label: Any) -> Label:
    return tuple(Span(*span) for span in label) if isinstance(label, list) else label


def _answer(record: Record, answer: Any) -> str | None:
    if isinstance(record.label, str):
        return str(answer[0]["label"]) if answer else None
    return label_text(tuple(sorted(found_spans(answer))))
