"""Mending: how much of the accuracy that planted label noise costs `data.clean = "auto"` gives back.

Usage: python benchmarks/data/mending.py [NAME ...]

Of each class of train and validation a share of the labels is flipped, to classes drawn by how often a quick model
takes them for each other, cross-validated on the labels as they are. The test labels stay as they are. Accuracy on
test is that of the quick model that cleaning itself compares with (linear, `stages/_quick.py`), taught with all of
train: with the labels as they were, with the noise, and after cleaning. "regained" is the share of the loss that
came back. Labels are judged for as long as MINUTES allow, train alone and then train with validation.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from _table import DATA, RESULTS, keep
from label_noise import RATES, SOURCES, planted

from lepton.checks._content import digests
from lepton.checks._predictions import Predictions
from lepton.cli._output import Lines
from lepton.core import seeds
from lepton.core.types import Record
from lepton.formats import _read, _splits
from lepton.stages import _clean, _usable
from lepton.stages._clean import How
from lepton.stages._out_of_fold import Asked
from lepton.stages._quick import Quick

MINUTES = 1.0
FOLDS = 5


def main(names: Sequence[str]) -> None:
    """Measure the data sets named, or all, at every rate, and keep the table."""
    if not DATA.is_dir():
        sys.exit(f"The data sets are not at {DATA}")
    for name in names or SOURCES:
        case = Case(name)
        for rate in RATES:
            rows = {**_known(), (name, rate): case.measured(rate)}
            keep("mending", list(rows.values()), minutes=MINUTES)


def _known() -> dict[tuple[str, float], dict[str, Any]]:
    path = RESULTS / "mending.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    return {(row["data"], row["rate"]): row for row in rows}


class Case:
    """One data set, split, with the quick model that knows it and how it takes classes for each other."""

    def __init__(self, name: str) -> None:
        reading = _read.read(base=DATA, **SOURCES[name])
        self.name = name
        self.clusters = digests(reading.records)
        shares = {"test": 0.2, "validation": 0.2}
        self.records = _splits.carve(reading.records, split=shares, clusters=self.clusters, seed=0)
        self.modality = _usable.modality(self.records)
        self.quick = Quick(self.records, self.modality, 0)
        self.places = {record.id: place for place, record in enumerate(self.records)}
        self.confusion = self._confusion()

    def measured(self, rate: float) -> dict[str, Any]:
        """One row of the table."""
        noisy, flipped = planted(self.records, self.confusion, rate)
        began = time.process_time()
        how = How(
            f"{self.modality}-classification",
            _clean.RULES,
            Asked(clusters=self.clusters, minutes=MINUTES, progress=Lines()),
        )
        done = _clean.clean(noisy, how)
        seconds = time.process_time() - began
        clean, before, after = (self.accuracy(records) for records in (self.records, noisy, done.records))
        train = [record.id for record in noisy if record.split == "train"]
        told = next((row for row in done.facts["tried"] if row["rule"] == done.facts["kept"]), None)
        return {
            **{"data": self.name, "rate": rate, "train": len(train), "wrong": len(flipped & set(train))},
            **{"suspects": done.facts["suspects"], "found": self._found(done.facts, flipped)},
            **{"clean": clean, "noisy": before, "mended": after, "kept": done.facts["kept"] or "nothing"},
            "regained": (after - before) / (clean - before) if clean > before else 0.0,
            "validation points": "" if told is None else _points(told),
            "judged": "cut short" if done.facts["notes"] else "whole",
            **{"model": self.quick.name, "seconds": seconds},
        }

    def accuracy(self, records: Sequence[Record]) -> float:
        """On the test labels as they are, taught by the training records of `records`."""
        train = [record for record in records if record.split == "train"]
        test = [record for record in self.records if record.split == "test"]
        lesson = np.array([self.places[record.id] for record in train]), [str(record.label) for record in train]
        answers = self.quick.answers(lesson, np.array([self.places[record.id] for record in test]), 0)
        return float(np.mean([found[0]["label"] == record.label for found, record in zip(answers, test, strict=True)]))

    def _found(self, facts: dict[str, Any], flipped: set[str]) -> str:
        """Of the labels that cleaning changed, how many had been flipped; nothing where it changed none."""
        rows = facts.get("records") or []
        return f"{sum(row['id'] in flipped for row in rows)} of {len(rows)}" if rows else ""

    def _confusion(self) -> Predictions:
        """What the quick model answers for train and validation, each fifth taught by the others."""
        known = [place for place, record in enumerate(self.records) if record.split != "test"]
        labels = [str(self.records[place].label) for place in known]
        classes = sorted(set(labels))
        fold = seeds.generator(0, "confusion").integers(0, FOLDS, len(known))
        chances = np.zeros((len(known), len(classes)))
        for number in range(FOLDS):
            taught, asked = (np.flatnonzero(mask) for mask in (fold != number, fold == number))
            lesson = np.array(known)[taught], [labels[at] for at in taught]
            for at, answer in zip(asked, self.quick.answers(lesson, np.array(known)[asked], 0), strict=True):
                chances[at, classes.index(answer[0]["label"])] = 1
        given = np.array([classes.index(label) for label in labels])
        return Predictions(classes, [self.records[place].id for place in known], given, chances)


def _points(row: dict[str, Any]) -> str:
    return f"{100 * row['value']:+.2f} ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})"


if __name__ == "__main__":
    main(sys.argv[1:])
