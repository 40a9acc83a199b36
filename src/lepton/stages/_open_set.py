"""Abstaining where no class fits: its threshold from the validation set, and what it does on the test set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Record
from lepton.metrics import _answers, _open_set
from lepton.runtime.app import App
from lepton.runtime.evaluate import with_outputs
from lepton.stages import _previews, _scores
from lepton.stages._stage import Stage
from lepton.tasks._abstain import DISTANCE, SCORES, likeness

KEEP = 0.95
"""The share of known samples to keep where the data have unknown records and the recipe is silent."""

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Abstain:
    """When an app says that no class fits.

    keep: share of the known samples that are answered all the same; left out, 0.95 where the data have unknown
    records, and else nothing is abstained from. score: what a sample's likeness to the known is taken from ("auto":
    what parts known and unknown validation records best, the probability where there are none); "distance" is that of
    features from those of the classes, and one more output of the graph. label: what stands in the place of a class.
    """

    keep: Annotated[float, Range(0, 1)] | None = None
    score: Literal["auto", "probability", "energy", "margin", "distance"] = "auto"
    label: str = "unknown"


@dataclass(frozen=True)
class Asked:
    """Records, the full answer to each, and the graph's outputs behind it (1, ...)."""

    records: Sequence[Record]
    answers: Sequence[Any]
    outputs: Sequence[Arrays]

    @classmethod
    def of(cls, app: App, records: Sequence[Record]) -> "Asked":
        """Ask the app one by one."""
        pairs = [with_outputs(app, record.read()) for record in records]
        return cls(records, [answer for answer, _ in pairs], [outputs for _, outputs in pairs])

    def likeness(self, how: Mapping[str, Any], score: str) -> np.ndarray:
        """How much each looks known; `how` has the `decode` with its temperature."""
        temperature = float(how["decode"].get("temperature") or 1.0)
        each = [likeness(outputs, score, temperature=temperature) for outputs in self.outputs]
        return np.concatenate(each) if each else np.zeros(0)


@dataclass(frozen=True)
class Found:
    """What was answered to records of known classes and to unknown ones."""

    known: Asked
    unknown: Asked

    @classmethod
    def of(cls, app: App, known: Sequence[Record], unknown: Sequence[Record]) -> "Found":
        """Ask the app about all of them."""
        return cls(Asked.of(app, known), Asked.of(app, unknown))

    def likeness(self, how: Mapping[str, Any], score: str) -> tuple[np.ndarray, np.ndarray]:
        """How much known and unknown records look known."""
        return self.known.likeness(how, score), self.unknown.likeness(how, score)


def chosen(asked: Abstain, found: Found, how: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """The decode's table for abstaining, from answers to validation records, and the AUROC of each score there.

    `how` has the app's `classes` and its `decode`. The AUROC are none where no unknown record is there. Raises
    UserError where the label is a class, and where there are too few records.
    """
    if asked.label in how["classes"]:
        rule = "It must be the name of no class"
        raise UserError("[evaluate.abstain.label] is a class", rule=rule, received=asked.label)
    known = (*SCORES, DISTANCE) if all(DISTANCE in outputs for outputs in found.known.outputs) else SCORES
    alike = {score: found.likeness(how, score) for score in known}
    areas = {score: _open_set.area(*pair) for score, pair in alike.items() if len(pair[1])}
    score = asked.score if asked.score != "auto" else max(areas, key=areas.__getitem__, default=SCORES[0])
    keep = KEEP if asked.keep is None else asked.keep
    limit = _open_set.threshold(alike[score][0], keep)
    table = {"score": score, "threshold": limit, "label": asked.label, "keep": keep}
    return {**table, "tail": _open_set.tail(alike[score][0], limit)}, areas


def told(stage: Stage, found: Found, how: Mapping[str, Any]) -> dict[str, Any]:
    """What the report says of abstaining on the test set, with examples of where it failed.

    `how` has `classes` and `decode`. `accuracy` is that on the known records that are kept, `forced` the metrics as
    they are without abstaining.
    """
    table, classes = how["decode"]["abstain"], how["classes"]
    known, unknown = found.likeness(how, table["score"])
    limit = table["threshold"]
    forced = [_answers.forced(answer, set(classes)) for answer in found.known.answers]
    kept = [
        pair for pair, like in zip(zip(found.known.records, forced, strict=True), known, strict=True) if like >= limit
    ]
    return {
        **_open_set.figures(known, unknown, limit, seed=stage.seed),
        **{name: table[name] for name in ("score", "threshold", "label", "keep")},
        "accuracy": _accuracy(stage, kept, classes),
        "forced": _scores.scored(stage.task, (found.known.records, forced), classes, seed=stage.seed),
        "labels": _labels(found.unknown.records, unknown < limit),
        "taken": _examples(stage, found.unknown, np.where(unknown >= limit, unknown - limit, 0)),
        "turned_away": _examples(stage, found.known, np.where(known < limit, limit - known, 0)),
    }


def _accuracy(stage: Stage, kept: Sequence[tuple[Record, Any]], classes: Sequence[str]) -> dict[str, float] | None:
    """The task's default metric on the known records that are kept."""
    if not kept:
        return None
    records, answers = zip(*kept, strict=True)
    scored = _scores.scored(stage.task, (records, answers), classes, seed=stage.seed)
    return next(iter(scored.values()))


def _labels(records: Sequence[Record], rejected: np.ndarray) -> list[dict[str, Any]]:
    """For each unknown label how many records it has, and how many of them are rejected; the least rejected first."""
    names = np.array([str(record.label) for record in records])
    rows = [
        {"label": name, "n": int((names == name).sum()), "rejected": int(rejected[names == name].sum())}
        for name in np.unique(names).tolist()
    ]
    return sorted(rows, key=lambda row: row["rejected"] / row["n"])


def _examples(stage: Stage, asked: Asked, beyond: np.ndarray) -> list[dict[str, Any]]:
    """The records that are `beyond` the threshold on the wrong side, those furthest from it first."""
    task = plugins.load("tasks", stage.task)
    wrong = [at for at in np.argsort(-beyond, kind="stable").tolist() if beyond[at] > 0][:_SHOWN]
    return [
        {
            **_previews.preview(stage, asked.records[at], task.MODALITY),
            "given": asked.records[at].label,
            "answer": task.brief(asked.answers[at]),
        }
        for at in wrong
    ]
