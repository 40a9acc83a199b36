"""Evaluate: the packaged graph on the test set, once, beside baselines, with intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton.core import files, plugins
from lepton.core.types import Record
from lepton.metrics import _intervals
from lepton.runtime import app as apps
from lepton.stages import _assemble, _encoded, _plans, _scores
from lepton.stages._plans import REFERENCE
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.training import baselines

SECTION = "evaluate"
AFTER = ("prepare", "train", "compress")
ROOMS = ("runtime", "bundle", "metrics", "transforms", "tasks", "training", "core")
MEASURES = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the test set is read. operating_point: for two classes, how the threshold is chosen on the validation set.

    specificity: the least specificity; cost: what a missed positive costs against a false alarm. slices: fields to
    report separately. linear: whether the linear baseline is fitted.
    """

    linear: bool = True
    slices: list[str] | None = None
    operating_point: _scores.OperatingPoint = _scores.OperatingPoint()


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return recipe["evaluate"]


def run(stage: Stage) -> None:
    """Write `decode.json` (the decode with its operating point) and tell the scores; reads the test split once."""
    work = _Work.of(stage)
    decode = work.decode()
    winner, reference = work.app(work.winner["folder"], decode), work.app(f"plans/{REFERENCE}")
    test = work.records("test")
    found = _answered(winner, test)
    scores = _scores.scored(stage.task, (test, found), work.classes, seed=stage.seed)
    stage.write("decode.json", decode)
    _write_answers(stage, test, found)
    stage.fact(
        n=len(test),
        metrics=scores,
        leaks=_leaks(work, (test, found)),
        decode=decode,
        reference=_scores.scored(stage.task, (test, _answered(reference, test)), work.classes, seed=stage.seed),
        baselines=work.baselines(test),
        details=_scores.details(stage.task, (test, found), work.classes),
        mistakes=_scores.mistakes(stage, (test, found)),
        slices=_slices(stage, test, found),
        validation={"n": len(work.records("validation"))},
    )
    stage.fact(beaten=_beaten(stage.facts))


@dataclass(frozen=True)
class _Work:
    stage: Stage
    classes: Sequence[str]
    winner: Mapping[str, Any]

    @classmethod
    def of(cls, stage: Stage) -> "_Work":
        return cls(stage, stage.read("prepare", "classes.json"), stage.read("compress", "winner.json"))

    def records(self, split: str) -> list[Record]:
        return read_records(self.stage.parents["prepare"] / "records.jsonl", split)

    def app(self, folder: str, decode: Mapping[str, Any] | None = None) -> apps.App:
        """The app of a candidate that the compress stage kept in `folder`, in the scratch folder."""
        candidate = _plans.load(self.stage.parents["compress"] / folder)
        place = self.stage.scratch / f"app-{Path(folder).name}-{len(decode or {})}"
        _assemble.write(place, _assemble.Parts("evaluated", self.stage.task, decode), candidate)
        return apps.load(place)

    def decode(self) -> dict[str, Any]:
        """The decode, with the threshold that the validation set gives where an operating point is asked for."""
        plain = dict(self.winner["decode"])
        chosen = self.stage.settings.operating_point
        if not chosen.asked or len(self.classes) != 2:
            return plain
        validation = self.records("validation")
        answers = _answered(self.app(self.winner["folder"], plain), validation)
        return {**plain, "threshold": _scores.threshold(chosen, (validation, answers), self.classes)}

    def baselines(self, test: Sequence[Record]) -> list[dict[str, Any]]:
        """Majority and linear baselines on the same test records."""
        train = self.records("train")
        name, fitted = _encoded.load(self.stage.parents["train"])
        arrays: list[Any] = []
        asked: list[Any] = []
        if not isinstance(train[0].raw, str):
            encode = _encoded.encoder(name, fitted)
            arrays, asked = _encoded.encode(train, encode), _encoded.encode(test, encode)
        found = [("majority class", baselines.majority(train))]
        if self.stage.settings.linear:
            found.append(baselines.linear(train, arrays, self.stage.seed))
        classes = self.classes
        return [
            {
                "name": title,
                "metrics": _scores.scored(self.stage.task, (test, predict(test, asked)), classes, seed=self.stage.seed),
            }
            for title, predict in found
        ]


def _write_answers(stage: Stage, test: Sequence[Record], found: Sequence[Any]) -> None:
    """Keep every test answer, so that two runs can be compared record by record."""
    rows = (
        {"id": record.id, "label": record.label, "answer": answer} for record, answer in zip(test, found, strict=True)
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    files.write_text(stage.folder / "answers.jsonl", lines)


def _leaks(work: _Work, answered: _scores.Answered) -> dict[str, Any]:
    """How many test records also stand in the given train split, and the scores on the others, if there are both."""
    leaked = set(work.stage.read("prepare", "leaks.json"))
    others = [(record, answer) for record, answer in zip(*answered, strict=True) if record.id not in leaked]
    count = len(answered[0]) - len(others)
    if not count or not others:
        return {"n": count, "metrics": None}
    records, answers = zip(*others, strict=True)
    stage = work.stage
    metrics = _scores.scored(stage.task, (records, answers), work.classes, seed=stage.seed)
    return {"n": count, "metrics": metrics}


def _answered(app: apps.App, records: Sequence[Record]) -> list[Any]:
    return list(app.predict([record.read() for record in records]))


def _slices(stage: Stage, test: Sequence[Record], found: Sequence[Any]) -> list[dict[str, Any]]:
    """The default metric for each value of the fields asked for, the weakest first."""
    rows = []
    for field in stage.settings.slices or ():
        values = np.array([record.fields.get(field, "") for record in test])
        for value in sorted(set(values)):
            rows.append({"field": field, "value": value, **_slice(stage, (test, found), values == value)})
    return sorted(rows, key=lambda row: row["metric"]["value"])


def _slice(stage: Stage, pair: tuple[Sequence[Record], Sequence[Any]], inside: np.ndarray) -> dict[str, Any]:
    test, found = pair
    picked = np.flatnonzero(inside).tolist()
    task = plugins.load("tasks", stage.task)
    metric = plugins.load("metrics", task.METRICS[0])
    truth = [test[index].label for index in picked]
    table = metric.table(truth, [found[index] for index in picked], stage.read("prepare", "classes.json"))
    value, low, high, _ = _intervals.interval(metric, table, seed=stage.seed)
    return {"n": len(picked), "metric": {"value": value, "low": low, "high": high}}


def _beaten(facts: Mapping[str, Any]) -> str | None:
    """The baseline that is better than the model, if one is."""
    name, mine = next(iter(facts["metrics"].items()))
    better = [item for item in facts["baselines"] if item["metrics"][name]["value"] > mine["value"]]
    return max(better, key=lambda item: item["metrics"][name]["value"])["name"] if better else None
