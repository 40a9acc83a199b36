"""Cleaning: training labels that are probably wrong are left out or replaced, where that helps.

Two rules stand to choose: "drop" leaves out the training records whose label is more likely wrong than right, and
"relabel" gives them the likeliest class. How likely a label is wrong is judged out of fold, on the training records
alone. A rule is kept only if it helps: a quick model learns five times from a drawn part of train, with the rule and
without, and both answer the mended validation set. The 95 % interval of the difference, widened for the number of
rules, must lie above nought, and on the labels as they were given the score must not fall.

The mended validation set has the corrections that people made, and those of its records set aside whose label is more
likely wrong than right, as judged from train and validation. The test set takes no part in any of it.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lepton.core import plugins, seeds
from lepton.core.types import Record
from lepton.metrics import _intervals
from lepton.stages import _out_of_fold
from lepton.stages._out_of_fold import Asked, Judged
from lepton.stages._quick import Quick

RULES = ("drop", "relabel")
SEEDS = 5

_LIKELY = 0.5
_SHARE = 0.8  # of train, drawn anew for each seed
_LEVEL = 0.05


@dataclass(frozen=True)
class How:
    """The task, the rules to try, how labels are judged, and the records whose labels people decided on.

    Decided labels are never changed, and count on the mended validation set whatever models say of them.
    """

    task: str
    rules: Sequence[str]
    asked: Asked
    decided: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Cleaned:
    """The records, cleaned or as they were, and what there is to tell."""

    records: Sequence[Record]
    facts: dict[str, Any]


def clean(records: Sequence[Record], how: How) -> Cleaned:
    """Try the rules on the training records of `records`, which have their splits, and apply the best that helps.

    The facts have the `kept` rule or None, `why`, the number of `suspects`, and `tried` with a row for each rule:
    how many records it `changed`, the scores `without` and `with` it, their difference (`value`, `low`, `high`) on
    the mended validation set, and the difference on the labels as given (`given`).
    """
    train = [record for record in records if record.split == "train"]
    held_out = [record for record in records if record.split == "validation"]
    judged = _out_of_fold.suspects(train, how.asked)
    wrong = _suspects(judged, how.decided)
    known = {"rules": list(how.rules), "suspects": len(wrong), "notes": list(judged.notes)}
    if not wrong or not held_out:
        return Cleaned(records, {**known, "kept": None, "why": _why_not(judged, held_out), "tried": []})
    trial = _Trial.of(train, held_out, how)
    tried = [trial.of_rule(rule, applied(train, judged, (rule, wrong))) for rule in how.rules]
    kept = _best(tried)
    facts = {**known, **trial.told(), "tried": tried, "kept": kept, "why": _why(tried, kept)}
    if kept is None:
        return Cleaned(records, facts)
    done = {record.id: record for record in applied(train, judged, (kept, wrong))}
    changed = [done.get(item.id, item) for item in records if item.split != "train" or item.id in done]
    return Cleaned(changed, {**facts, "records": _changes(train, judged, wrong)})


def applied(train: Sequence[Record], judged: Judged, what: tuple[str, frozenset[str]]) -> list[Record]:
    """The training records after the rule `what[0]` was applied to those in `what[1]`."""
    rule, wrong = what
    if rule == "drop":
        return [record for record in train if record.id not in wrong]
    return [replace(item, label=judged.suggested[item.id]) if item.id in wrong else item for item in train]


def _suspects(judged: Judged, decided: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name, chance in judged.wrong.items() if chance > _LIKELY) - decided


@dataclass(frozen=True)
class _Trial:
    """The quick model, the records it knows, and what is asked of it."""

    how: How
    quick: Quick
    train: Sequence[Record]
    asked: Sequence[Record]
    mended: np.ndarray

    @classmethod
    def of(cls, train: Sequence[Record], held_out: Sequence[Record], how: How) -> "_Trial":
        every = [*train, *held_out]
        odd = _suspects(_out_of_fold.suspects(every, how.asked), how.decided)
        quick = Quick(every, plugins.load("tasks", how.task).MODALITY, how.asked.seed)
        return cls(how, quick, train, held_out, np.array([record.id not in odd for record in held_out]))

    @property
    def metric(self) -> Any:
        return plugins.load("metrics", plugins.load("tasks", self.how.task).METRICS[0])

    def told(self) -> dict[str, Any]:
        """What the comparison was made with."""
        name = plugins.load("tasks", self.how.task).METRICS[0]
        aside = int((~self.mended).sum())
        counts = {"validation": len(self.asked), "set_aside": aside, "seeds": SEEDS}
        return {"model": self.quick.name, "metric": name, **counts}

    def of_rule(self, rule: str, changed: Sequence[Record]) -> dict[str, Any]:
        """The row of one rule."""
        labels = {record.id: record.label for record in changed}
        pairs = [self._answered(labels, number) for number in range(SEEDS)]
        without, having = (np.concatenate(tables) for tables in zip(*pairs, strict=True))
        mended = np.tile(self.mended, SEEDS)
        row = {"rule": rule, "changed": sum(labels.get(item.id) != item.label for item in self.train)}
        scores = {"without": without[mended], "with": having[mended]}
        told = {name: float(self.metric.score(table)) for name, table in scores.items()}
        given = float(self.metric.score(having) - self.metric.score(without))
        return {**row, **told, **self._interval(scores), "given": given, "level": self._level}

    def _answered(self, labels: Mapping[str, Any], number: int) -> tuple[np.ndarray, np.ndarray]:
        """The metric's tables of the answers without the rule and with it, both from one draw of train."""
        seed = seeds.derive(self.how.asked.seed, "clean", number)
        count = max(1, round(_SHARE * len(self.train)))
        drawn = np.sort(np.random.default_rng(seed).permutation(len(self.train))[:count])
        kept = np.array([at for at in drawn.tolist() if self.train[at].id in labels])
        before = [str(self.train[at].label) for at in drawn]
        after = [str(labels[self.train[at].id]) for at in kept]
        asked = np.arange(len(self.asked)) + len(self.train)
        truth, classes = [record.label for record in self.asked], sorted({*before, *after})
        first, second = (
            self.metric.table(truth, self.quick.answers(lesson, asked, seed), classes)
            for lesson in ((drawn, before), (kept, after))
        )
        return first, second

    def _interval(self, scores: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The difference with its interval: answers of all seeds to one record, or to near copies, are one draw."""
        names = [record.id for record, mended in zip(self.asked, self.mended, strict=True) if mended]
        groups: list[Hashable] = [self.how.asked.clusters.get(name, name) for name in names] * SEEDS
        value, low, high, _ = _intervals.paired_interval(
            self.metric, scores["without"], scores["with"], seed=self.how.asked.seed, groups=groups, level=self._level
        )
        return {"value": value, "low": low, "high": high}

    @property
    def _level(self) -> float:
        return 1 - _LEVEL / len(self.how.rules)


def _best(tried: Sequence[Mapping[str, Any]]) -> str | None:
    helping = [row for row in tried if row["low"] > 0 and row["given"] >= 0]
    return str(max(helping, key=lambda row: row["value"])["rule"]) if helping else None


def _why_not(judged: Judged, held_out: Sequence[Record]) -> str:
    """Why no rule was tried."""
    if not held_out:
        return "there is no validation set"
    return "no training label is more likely wrong than right" if judged.wrong else judged.notes[0]


def _why(tried: Sequence[Mapping[str, Any]], kept: str | None) -> str:
    """The decision in a sentence, with its figures in points."""
    rows = ", ".join(
        f"{row['rule']} {100 * row['value']:+.2f} points ({100 * row['low']:+.2f} to {100 * row['high']:+.2f})"
        for row in tried
    )
    return f"{kept} helps: {rows}" if kept else f"nothing is changed, since no rule is sure to help: {rows}"


def _changes(train: Sequence[Record], judged: Judged, wrong: frozenset[str]) -> list[dict[str, Any]]:
    """Every record that the rule was applied to, the most suspect first."""
    rows = [
        {"id": item.id, "given": item.label, "suggested": judged.suggested[item.id], "score": judged.wrong[item.id]}
        for item in train
        if item.id in wrong
    ]
    return sorted(rows, key=lambda row: -row["score"])
