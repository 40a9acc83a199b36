"""Evaluate: the packaged graph on the test set, once, beside baselines, with intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.errors import UserError
from lepton.core.types import Record
from lepton.runtime import app as apps
from lepton.stages import (
    _assemble,
    _distance,
    _label_scores,
    _leak_scores,
    _open_set,
    _plans,
    _rivals,
    _scores,
    _unknown,
    _weakest,
)
from lepton.stages._plans import REFERENCE
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.tasks._abstain import DISTANCE

SECTION = "evaluate"
AFTER = ("prepare", "train", "compress")
ROOMS = ("runtime", "bundle", "metrics", "transforms", "tasks", "training", "core")
MEASURES = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the test set is read. operating_point: for two classes, how the threshold is chosen on the validation set.

    slices: fields whose values are reported separately; those that part the records well, and what can be measured of
    the inputs, are without being named. linear: whether the linear baseline is fitted. abstain: when the app says
    that no class fits.
    """

    linear: bool = True
    slices: list[str] | None = None
    operating_point: _scores.OperatingPoint = _scores.OperatingPoint()
    abstain: _open_set.Abstain = _open_set.Abstain()


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return recipe["evaluate"]


def run(stage: Stage) -> None:
    """Write `decode.json` (the decode with its thresholds) and tell the scores; reads the test split once.

    Where the app abstains by a distance, `model.onnx` is the winner's graph with that as one more output.
    """
    work = _Work.of(stage)
    decode, areas = work.decode()
    winner, reference = work.app(work.winner["folder"], decode), work.app(f"plans/{REFERENCE}")
    test = work.records("test")
    declared = stage.settings.slices or []
    _weakest.check(test, declared)
    opened = _open_set.Found.of(winner, test, work.unknown("test")) if "abstain" in decode else None
    found = opened.known.answers if opened else _answered(winner, test)
    stage.write("decode.json", decode)
    _write_answers(stage, test, found)
    stage.fact(
        n=len(test),
        metrics=_scores.scored(stage.task, (test, found), work.classes, seed=stage.seed),
        open_set=_open_set.told(stage, opened, {"classes": work.classes, "decode": decode}) if opened else None,
        as_given=_label_scores.as_given(stage, (test, found), work.classes),
        doubtful=_label_scores.doubtful(stage, (test, found)),
        leaks=_leak_scores.told(stage, (test, found), work.classes),
        decode=decode,
        reference=_scores.scored(stage.task, (test, _answered(reference, test)), work.classes, seed=stage.seed),
        baselines=work.baselines(test),
        details=_scores.details(stage.task, (test, found), work.classes),
        mistakes=_scores.mistakes(stage, (test, found), work.classes),
        slices=_weakest.rows(stage.task, (test, found), work.classes, declared=declared, seed=stage.seed),
        validation={"n": len(work.records("validation")), "unknown": len(work.unknown("validation")), "auroc": areas},
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
        if folder == self.winner["folder"] and self.graph.exists():
            candidate = candidate.with_graph(self.graph)
        place = self.stage.scratch / f"app-{Path(folder).name}-{len(decode or {})}"
        _assemble.write(place, _assemble.Parts("evaluated", self.stage.task, decode), candidate)
        return apps.load(place)

    def unknown(self, split: str) -> list[Record]:
        """The records of a split that no class covers."""
        return read_records(self.stage.parents["prepare"] / _unknown.FILE, split)

    def decode(self) -> tuple[dict[str, Any], dict[str, float]]:
        """The decode with the thresholds that the validation set gives, where the recipe or the data ask for them.

        And, where it abstains, how well each score parts known and unknown validation records.
        """
        plain, asked = dict(self.winner["decode"]), self.stage.settings
        validation, unknown = self.records("validation"), self.unknown("validation")
        full = dict(plain)
        areas: dict[str, float] = {}
        if asked.operating_point.asked and len(self.classes) == 2:
            answers = _answered(self.app(self.winner["folder"], plain), validation)
            full["threshold"] = _scores.threshold(asked.operating_point, (validation, answers), self.classes)
        if asked.abstain.keep is not None or unknown or self.unknown("test"):
            self.measure_distances(explicit=asked.abstain.score == DISTANCE, known_only=not unknown)
            found = _open_set.Found.of(self.app(self.winner["folder"], plain), validation, unknown)
            full["abstain"], areas = _open_set.chosen(asked.abstain, found, {"classes": self.classes, "decode": plain})
            if full["abstain"]["score"] != DISTANCE:
                self.graph.unlink(missing_ok=True)
        return full, areas

    @property
    def graph(self) -> Path:
        """The winner's graph with distances, where it has some."""
        return self.stage.folder / "model.onnx"

    def measure_distances(self, *, explicit: bool, known_only: bool) -> None:
        """Write `graph` where distances are asked for, or could turn out best.

        Raises UserError where they are asked for and cannot be had, or make the app larger than its contract allows.
        """
        if not explicit and (known_only or self.stage.settings.abstain.score != "auto"):
            return
        candidate = _plans.load(self.stage.parents["compress"] / self.winner["folder"])
        try:
            _distance.with_likeness(candidate, self.graph, (self.records("train"), self.stage.seed))
            _distance.fits(self.app(self.winner["folder"]), self.stage.recipe["contract"])
        except UserError:
            self.graph.unlink(missing_ok=True)
            if explicit:
                raise

    def baselines(self, test: Sequence[Record]) -> list[dict[str, Any]]:
        """Majority and linear baselines on the same test records."""
        train, rivals = self.records("train"), _rivals.Rivals(self.stage, test)
        found = [rivals.majority(train), *([rivals.linear(train)] if self.stage.settings.linear else [])]
        return [
            {"name": name, "metrics": _scores.scored(self.stage.task, (test, own), self.classes, seed=self.stage.seed)}
            for name, own in found
        ]


def _write_answers(stage: Stage, test: Sequence[Record], found: Sequence[Any]) -> None:
    """Keep every test answer, so that two runs can be compared record by record."""
    rows = (
        {"id": record.id, "label": record.label, "answer": answer} for record, answer in zip(test, found, strict=True)
    )
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    files.write_text(stage.folder / "answers.jsonl", lines)


def _answered(app: apps.App, records: Sequence[Record]) -> list[Any]:
    return list(app.predict([record.read() for record in records]))


def _beaten(facts: Mapping[str, Any]) -> str | None:
    """The baseline that is better than the model, if one is; baselines do not abstain, so the model must not either."""
    own = facts["open_set"]["forced"] if facts["open_set"] else facts["metrics"]
    name, mine = next(iter(own.items()))
    better = [item for item in facts["baselines"] if item["metrics"][name]["value"] > mine["value"]]
    return max(better, key=lambda item: item["metrics"][name]["value"])["name"] if better else None
