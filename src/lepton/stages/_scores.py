"""Scores of answers: every metric of a task with its interval, tables for the report, and the worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from lepton.core import plugins
from lepton.core.settings import Range
from lepton.core.types import Record
from lepton.metrics import _answers, _intervals, _tables, calibration_error
from lepton.stages import _previews
from lepton.stages._stage import Stage

Answered = tuple[Sequence[Record], Sequence[Any]]
"""Records, and the full answer to each."""


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """How a threshold for the second of two classes is chosen on the validation set.

    specificity: the highest sensitivity with at least this specificity. miss_cost: the least cost, a missed positive
    costing this much when a false alarm costs 1.
    """

    specificity: Annotated[float, Range(0, 1)] | None = None
    miss_cost: Annotated[float, Range(0)] | None = None

    @property
    def asked(self) -> bool:
        """Whether the recipe asks for one."""
        return self.specificity is not None or self.miss_cost is not None


def scored(task: str, answered: Answered, classes: Sequence[str], *, seed: int) -> dict[str, dict[str, float]]:
    """Each metric of the task that has a meaning here: its value and 95 % interval. AUROC is for two classes."""
    records, answers = answered
    truth = [record.label for record in records]
    found = {}
    for name in plugins.load("tasks", task).METRICS:
        metric = plugins.load("metrics", name)
        if name == "auroc" and not len({str(label) for label in truth}) == len(classes) == 2:
            continue
        table = metric.table(truth, answers, classes)
        value, low, high, _ = _intervals.interval(metric, table, seed=seed)
        found[name] = {"value": value, "low": low, "high": high}
    return found


def threshold(chosen: OperatingPoint, answered: Answered, classes: Sequence[str]) -> float:
    """The threshold on the second class' score that the operating point asks for."""
    records, answers = answered
    positive = np.array([record.label == classes[1] for record in records])
    curve = _tables.roc(positive, _answers.scores(answers, classes)[:, 1])
    if chosen.specificity is not None:
        return float(_tables.at_specificity(curve, chosen.specificity)["threshold"])
    return float(_tables.at_cost(curve, float(positive.mean()), (float(chosen.miss_cost or 1.0), 1.0))["threshold"])


def details(task: str, answered: Answered, classes: Sequence[str]) -> dict[str, Any]:
    """Per class, confusion and reliability, where answers are classes; per class alone where they are entities.

    As they are without abstaining.
    """
    records, answers = answered
    if not _is_ranking(answers):
        return {
            "classes": list(classes),
            "per_class": _per_entity(answered, classes),
            "confusion": None,
            "reliability": None,
        }
    labels = [record.label for record in records]
    answers = [_answers.forced(answer, set(classes)) for answer in answers]
    truth, answer = _answers.true(labels, classes), _answers.chosen(answers, classes)
    found = {
        "classes": list(classes),
        "per_class": _tables.per_class(truth, answer, classes),
        "confusion": _tables.confusion(truth, answer, len(classes)).tolist(),
        "reliability": _tables.reliability(calibration_error.table(labels, answers, classes)),
    }
    return {**found, "operating": _operating(truth == 1, answer == 1)} if len(classes) == 2 else found


def _operating(positive: np.ndarray, called: np.ndarray) -> dict[str, float]:
    """Sensitivity and specificity of the decisions as they are, the second class being the positive one."""
    sensitivity = float(called[positive].mean()) if positive.any() else 0.0
    specificity = float((~called[~positive]).mean()) if (~positive).any() else 0.0
    return {"sensitivity": sensitivity, "specificity": specificity}


def _per_entity(answered: Answered, classes: Sequence[str]) -> list[dict[str, Any]]:
    pairs = [
        (_answers.spans(record.label), _answers.found_spans(answer)) for record, answer in zip(*answered, strict=True)
    ]
    return [_entity_row(name, pairs) for name in classes]


def _entity_row(name: str, pairs: Sequence[tuple[frozenset[Any], frozenset[Any]]]) -> dict[str, Any]:
    right = sum(len([span for span in true & found if span.label == name]) for true, found in pairs)
    support = sum(len([span for span in true if span.label == name]) for true, _ in pairs)
    answered = sum(len([span for span in found if span.label == name]) for _, found in pairs)
    precision, recall = right / max(answered, 1), right / max(support, 1)
    f1 = 2 * right / max(answered + support, 1)
    return {"label": name, "precision": precision, "recall": recall, "f1": f1, "support": support}


def mistakes(stage: Stage, answered: Answered, classes: Sequence[str], *, limit: int = 24) -> list[dict[str, Any]]:
    """The wrong answers given with most confidence, with previews; to abstain is none of them."""
    task = plugins.load("tasks", stage.task)
    wrong = [pair for pair in zip(*answered, strict=True) if _wrong(*pair) and not _abstains(pair[1], classes)]
    wrong.sort(key=lambda pair: -_confidence(pair[1]))
    return [
        {
            **_previews.preview(stage, record, task.MODALITY),
            "given": record.label,
            "answer": task.brief(answer),
            "score": _confidence(answer),
        }
        for record, answer in wrong[:limit]
    ]


def _wrong(record: Record, answer: Any) -> bool:
    if isinstance(record.label, str):
        return bool(answer[0]["label"] != record.label)
    return _answers.spans(record.label) != _answers.found_spans(answer)


def _abstains(answer: Any, classes: Sequence[str]) -> bool:
    return _is_ranking([answer]) and answer[0]["label"] not in classes


def _confidence(answer: Any) -> float:
    return float(answer[0]["score"]) if answer else 0.0


def _is_ranking(answers: Sequence[Any]) -> bool:
    return bool(answers) and bool(answers[0]) and all("label" in item for item in answers[0])
