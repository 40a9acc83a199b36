"""The learning curve: the same training on shares of the records, and what more labels would bring.

Shares are nested (a larger one holds the smaller ones) and hold each class in its proportion, with one record at least.
Each begins from the same start, and is trained for as many steps as the whole, in 60 epochs at most (or in those of its
method), since fewer steps would be taken for fewer labels. What was measured is kept in the stage's scratch folder
before the next share begins.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lepton.core import plugins, seeds
from lepton.core.errors import UserError
from lepton.core.ledger import Ledger
from lepton.core.types import Record
from lepton.metrics import _intervals
from lepton.report import _words
from lepton.stages import _candidate, _methods, _power_law
from lepton.stages._candidate import Result
from lepton.stages._fit import Data
from lepton.stages._stage import Stage
from lepton.training.settings import TrainSettings, epochs_for

SHARES = (0.01, 0.05, 0.1, 0.5)
"""What `curve = true` stands for; the whole is the run's own training."""

_EPOCHS = 60
"""Epochs at most, unless the whole is trained for more."""


def learn(stage: Stage, data: Data, result: Result) -> dict[str, Any] | None:
    """Train on each share that the recipe asks for; None where it asks for none. `result` is the whole.

    `rows` has the metric and its interval by the number of records, `law` the power law through them, `twice` what
    twice the labels would bring, and `told` says so.
    """
    asked = stage.settings.curve
    if not asked:
        return None
    curve = _Curve(stage, data, result, Ledger(stage.scratch / "curve.jsonl"))
    shares = sorted(set(SHARES if asked is True else asked))
    stage.progress.say(curve.price(shares))
    rows = [*curve.rows(shares), curve.whole()]
    found = {"rows": rows, "metric": data.metric, "seconds": sum(row["seconds"] for row in rows[:-1])}
    return {**found, **curve.forecast(rows)}


def nested(records: Sequence[Record], share: float, *, seed: int) -> list[Record]:
    """That share of each class, drawn by the seed, and one record of each at least; in the order of `records`.

    Records whose labels are no classes count as one class.
    """
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault(record.label if isinstance(record.label, str) else "", []).append(place)
    kept: list[int] = []
    for name, own in sorted(places.items()):
        order = seeds.generator(seed, "share", name).permutation(own)
        kept += order[: max(1, round(share * len(own)))].tolist()
    return [records[place] for place in sorted(kept)]


@dataclass(frozen=True)
class _Curve:
    stage: Stage
    data: Data
    result: Result
    journal: Ledger

    def rows(self, shares: Sequence[float]) -> Iterator[dict[str, Any]]:
        """A row for each share; those that would be the same records as the one before are left out."""
        known = {row["share"]: row for row in self.journal.read("share")}
        last = 0
        for share in shares:
            count = len(self._records(share))
            if last < count < len(self.data.train):
                row = known.get(share) or self._trained(share)
                yield {key: value for key, value in row.items() if key != "event"}
            last = count

    def whole(self) -> dict[str, Any]:
        """The row of the run's own training."""
        answered = _methods.table(self.data, self.result.trained.start)
        np.save(self._place(1.0), answered)
        own = {"share": 1.0, "records": len(self.data.train), "epochs": len(self.result.trained.history)}
        return {**own, **self._scored(answered), "seconds": self._took, "note": ""}

    def price(self, shares: Sequence[float]) -> str:
        """What the shares will cost, in one line."""
        sizes = [len(self._records(share)) for share in shares]
        whole = len(self.data.train)
        times = sum(_steps(self._settings(size), size) for size in sizes) / _steps(self._settings(whole), whole)
        counts = ", ".join(f"{size:,}" for size in sizes)
        took = f"about {times:.2g} times as long as the whole, {_words.seconds(times * self._took)}"
        return f"learning curve: {len(sizes)} more trainings, on {counts} of {whole:,} records, {took}"

    def forecast(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The law through the rows, and what twice the labels would bring, also as a sentence.

        `foretold` is what the rows without the last one say of that, which can be held against what it reached.
        """
        known = [row for row in rows if row["metric"] is not None]
        if len(known) < _power_law.POINTS:
            few = f"What twice the labels would bring cannot be told from {len(known)} sizes of the training set"
            return {"law": None, "twice": None, "foretold": None, "told": f"{few}; {_power_law.POINTS} are needed"}
        found = self._learned(known)
        twice = found.gain()
        told = {"law": found.law._asdict(), "twice": twice._asdict(), "told": _said(twice, len(self.data.train))}
        return {**told, "foretold": self._foretold(known)}

    def _foretold(self, known: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
        if len(known) <= _power_law.POINTS:
            return None
        error = self._learned(known[:-1]).error(known[-1]["records"])
        lower = plugins.load("metrics", self.data.metric).LOWER_IS_BETTER
        return error._asdict() if lower else {"value": 1 - error.value, "low": 1 - error.high, "high": 1 - error.low}

    def _learned(self, known: Sequence[Mapping[str, Any]]) -> _power_law.Learned:
        tables = [np.load(self._place(row["share"])) for row in known]
        metric = plugins.load("metrics", self.data.metric)
        return _power_law.learned([row["records"] for row in known], tables, metric, seed=self.data.seed)

    @property
    def _took(self) -> float:
        """Seconds of the run's own training, also where that was finished in an earlier call."""
        trained = self.result.trained
        return max(trained.seconds, sum(row.get("seconds", 0.0) for row in trained.history))

    def _records(self, share: float) -> list[Record]:
        return nested(self.data.train, share, seed=self.data.seed)

    def _settings(self, count: int) -> TrainSettings:
        """[train], with as many steps for `count` records as for all of them."""
        own, fixed = self.result.ready.candidate.train, self.result.ready.adaptation.how.epochs
        if fixed is not None:
            return replace(own, epochs=fixed)
        if not own.epochs:  # left out, they follow from the number of records; 0 stays 0
            return own
        longer = min(_EPOCHS, math.ceil(own.epochs * len(self.data.train) / count))
        return replace(own, epochs=max(own.epochs, longer))

    def _trained(self, share: float) -> dict[str, Any]:
        records, began = self._records(share), time.perf_counter()
        few = self.data.learning(records)
        candidate = replace(self.result.ready.candidate, train=self._settings(len(records)))
        row = {"share": share, "records": len(records), "note": self._note(share)}
        self.stage.progress.say(f"learning curve: {len(records):,} of {len(self.data.train):,} records")
        checkpoint = f"share-{share:g}"
        try:
            begun = _candidate.ready(self.stage, few, candidate)
            trained = _candidate.train(self.stage, few, begun, checkpoint=checkpoint).trained
        except UserError as fault:
            failed = {"metric": None, "low": None, "high": None, "epochs": 0, "seconds": time.perf_counter() - began}
            return {**row, **failed, "note": fault.what}
        answered = _methods.table(few, trained.start)
        np.save(self._place(share), answered)
        took = max(time.perf_counter() - began, sum(each["seconds"] for each in trained.history))
        row = {**row, **self._scored(answered), "epochs": len(trained.history), "seconds": took}
        self.journal.write("share", **row)
        (self.stage.scratch / f"{checkpoint}.pt").unlink(missing_ok=True)
        return row

    def _note(self, share: float) -> str:
        """How many classes have a record that their share alone would not give them."""
        counts: dict[str, int] = {}
        for record in self.data.train:
            name = record.label if isinstance(record.label, str) else ""
            counts[name] = counts.get(name, 0) + 1
        scarce = sum(round(share * count) < 1 for count in counts.values())
        return f"{scarce} of {len(counts)} classes got one record, which is more than their share" if scarce else ""

    def _scored(self, answered: np.ndarray) -> dict[str, Any]:
        metric = plugins.load("metrics", self.data.metric)
        value, low, high, _ = _intervals.interval(metric, answered, seed=self.data.seed)
        return {"metric": value, "low": low, "high": high}

    def _place(self, share: float) -> Any:
        return self.stage.scratch / f"share-{share:g}.npy"


def _steps(chosen: TrainSettings, count: int) -> float:
    """Records seen in training, to compare costs by."""
    return count * float(epochs_for(count, chosen.batch) if chosen.epochs is None else max(chosen.epochs, 1))


def _said(gain: _power_law.Told, count: int) -> str:
    value, low, high = (100 * part for part in gain)
    if _power_law.worth_telling(gain):
        likely = f"likely between {low:.1f} and {high:.1f}"
        return f"Twice the labels ({2 * count:,}) would bring about {value:+.1f} points, {likely}"
    fits = f"anything from {low:.1f} to {high:.1f} points fits the curve"
    return f"What twice the labels ({2 * count:,}) would bring cannot be told: {fits}"
