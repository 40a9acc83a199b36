"""Prepare: read the data, apply corrections, audit it, set leaks aside, split, and clean where that is asked for."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from lepton.checks._audit import findings
from lepton.checks._content import digests
from lepton.checks._finding import Finding
from lepton.checks._near import Pair, pairs, tied
from lepton.checks._traits import traits
from lepton.core import labels, plugins
from lepton.core.errors import UserError
from lepton.core.settings import Plugin, Range
from lepton.core.types import Reading, Record
from lepton.formats import _read, _splits
from lepton.mending.corrections import Correction, standing
from lepton.mending.mended import Mended, mend, version
from lepton.stages import _clean, _leaks, _out_of_fold, _previews, _shots, _unknown, _usable
from lepton.stages._leaks import Leaks
from lepton.stages._out_of_fold import Asked
from lepton.stages._records import write_records
from lepton.stages._stage import Stage

SECTION = "data"
AFTER: tuple[str, ...] = ()
ROOMS = ("formats", "checks", "mending", "core")
MEASURES = False

_SHARES = {"test": 0.2, "validation": 0.1}
"""What is held out where nothing is said."""

_LIKELY = 0.5
_SHOWN = 50  # of the labels that were cleaned, in the report


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the data is and how it is split.

    source: a built-in name, a path, or a table {train, validation, test}. format: sniffed when left out; a name,
    or a table {name, settings}. pattern: fields of file names, such as "{label}_{speaker}_{index}.wav". text, label:
    names of columns or fields. unknown: labels that no class covers: their records are never trained on, and measure
    how well the app abstains; left out, those that the format has for it (`oos` of CLINC). split: shares of test (left
    out, 0.2) and validation (0.1) where the source does not give them, `group`, `time` (a field: the latest records are
    held out), or values of fields such as {test = {speaker = ["theo"]}}. shots: training records of each class that are
    learned from, drawn by the seed; left out, all are. leaks: what to do with training records that stand in a given
    test or validation split. max_bad: largest share of unreadable records. transform: how raw inputs become arrays; the
    model's own when left out. corrections: a file that `lepton review` keeps. label_errors: whether models look for
    wrong labels. clean: what to do with training labels that are more likely wrong than right, where that helps: leave
    them out, replace them, or ("auto") the better of both. minutes: how long models may judge labels, each time.
    """

    source: str | dict[str, str]
    format: Annotated[str | dict[str, Any] | None, Plugin("formats", "read")] = None
    pattern: str | None = None
    text: str | None = None
    label: str | None = None
    unknown: str | list[str] | None = None
    split: dict[str, Any] | None = None
    shots: Annotated[int, Range(1, 1_000_000)] | None = None
    leaks: Literal["drop", "block", "allow"] = "drop"
    max_bad: Annotated[float, Range(0, 1)] = 0.05
    transform: Annotated[str | dict[str, Any] | None, Plugin("transforms", "fit")] = None
    corrections: str | None = None
    label_errors: bool = False
    clean: Literal["none", "auto", "drop", "relabel"] = "none"
    minutes: Annotated[float, Range(0.1, 10_000)] = 5.0

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules of cleaning that are tried."""
        return {"none": (), "auto": _clean.RULES}.get(self.clean, (self.clean,))


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return {name: value for name, value in recipe["data"].items() if name != "transform"}


def run(stage: Stage) -> None:
    """Write `records.jsonl` (every usable record with its split), `classes.json`, and what was done to the data.

    `unknown/records.jsonl` has the records that no class covers, those of validation and test, and
    `aside/records.jsonl` the training records that were set aside; `leaks.json` the leaked ids, `given.json` the
    labels that corrections changed, `doubts.json` the test labels that look wrong, `clean.json` the labels cleaned.
    """
    chosen: Settings = stage.settings
    task = plugins.load("tasks", stage.task)
    reading = _readable(read(chosen, stage.base, task.MODALITY), task.MODALITY, chosen)
    work = _Work.of(stage, reading.records)
    records, aside = _parted(work.done.records, work.leaks, chosen.leaks)
    outside = _unknown.labels(chosen.unknown, reading)
    records, unknown = _unknown.parted(work.carved(records), outside)
    unknown = work.held_out(unknown)
    records, drawn = work.drawn(records)
    classes = task.classes([record.label for record in records if record.split == "train"])
    cleaned, told = work.cleaned(records)
    found, notes = work.findings(records)
    write_records(stage.folder / "records.jsonl", cleaned)
    write_records(stage.folder / "aside" / "records.jsonl", _unknown.parted(aside, outside)[0])
    write_records(stage.folder / _unknown.FILE, unknown)
    stage.write("classes.json", classes)
    stage.write("leaks.json", {"train": work.leaks.train(), "test": work.leaked_tests(records)})
    stage.write("given.json", work.done.given)
    stage.write("doubts.json", work.doubts(records, found))
    stage.fact(
        modality=task.MODALITY,
        classes=classes,
        counts=_counts(cleaned),
        shots=drawn.fact if drawn else None,
        unknown=_unknown.told(unknown),
        records=len(cleaned),
        version=version(reading.records, work.digests, work.corrections.values()),
        bad=[asdict(bad) for bad in reading.bad],
        notes=[*reading.notes, *([drawn.told] if drawn else []), *notes],
        corrections=work.corrected(records),
        leaks={"policy": chosen.leaks, "train": work.leaks.train()["exact"], **asdict(work.leaks)},
        findings=[asdict(finding) for finding in found],
        clean=told,
        examples=_previews.examples(stage, [item for item in cleaned if item.split == "train"], task.MODALITY),
    )


@dataclass(frozen=True)
class _Work:
    """The usable records with their contents compared, and corrected."""

    stage: Stage
    digests: Mapping[str, str]
    near: Sequence[Pair]
    corrections: Mapping[str, Correction]
    done: Mended
    leaks: Leaks

    @classmethod
    def of(cls, stage: Stage, records: Sequence[Record]) -> "_Work":
        known = digests(records, progress=stage.progress)
        near = pairs(records, known, progress=stage.progress)
        named = stage.settings.corrections
        decided = standing(stage.base / named) if named else {}
        done = mend(records, known, decided)
        return cls(stage, known, near, decided, done, _leaks.find(done.records, known, near))

    @property
    def clusters(self) -> dict[str, Hashable]:
        """Record id -> what it is one with: its content, or its near-duplicates."""
        return {**self.digests, **tied(self.near)}

    @property
    def asked(self) -> Asked:
        """How labels are judged."""
        minutes = self.stage.settings.minutes
        return Asked(seed=self.stage.seed, minutes=minutes, clusters=self.clusters, progress=self.stage.progress)

    @property
    def given(self) -> set[str | None]:
        """The splits that the source gives."""
        return {record.split for record in self.done.records}

    @property
    def split(self) -> dict[str, Any]:
        """How records are split: as the recipe says, and by the usual shares what neither it nor the source gives."""
        usual = {part: share for part, share in _SHARES.items() if part not in self.given}
        return {**usual, **(self.stage.settings.split or {})}

    def carved(self, records: Sequence[Record]) -> list[Record]:
        """The records with their splits filled in."""
        return _splits.carve(records, split=self.split, clusters=self.clusters, seed=self.stage.seed)

    def held_out(self, unknown: Sequence[Record]) -> list[Record]:
        """The records that no class covers, in validation and test."""
        return _unknown.held_out(unknown, given=self.given, split=self.split, clusters=self.clusters)

    def leaked_tests(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """Those of `records` that stand in a given test split, and of which something stands in train too."""
        ids = {record.id for record in records}
        found = _leaks.in_train(self.done.records, self.digests, self.near)
        return {kind: [name for name in names if name in ids] for kind, names in found.items()}

    def drawn(self, records: list[Record]) -> tuple[list[Record], _shots.Drawn | None]:
        """The records that are learned from and those of the other splits, and what there is to tell of the draw."""
        shots = self.stage.settings.shots
        if shots is None:
            return records, None
        found = _shots.draw(records, shots, self.stage.seed)
        self.stage.progress.say(found.told)
        return found.records, found

    def findings(self, records: Sequence[Record]) -> tuple[list[Finding], list[str]]:
        """What the checks find, with the models' predictions where these are asked for, and remarks."""
        seen = traits(self.done.records, progress=self.stage.progress)
        given: dict[str, Any] = {"digests": self.digests, "near": self.near, "traits": seen}
        chosen: Settings = self.stage.settings
        if not (chosen.label_errors or chosen.rules):
            return findings(self.done.records, given), []
        judged = _out_of_fold.predictions(records, self.asked)
        more = {"predictions": judged.predictions} if judged.predictions else {}
        return findings(self.done.records, {**given, **more}), list(judged.notes)

    def cleaned(self, records: Sequence[Record]) -> tuple[Sequence[Record], dict[str, Any] | None]:
        """The records after cleaning and what there is to tell of it; None where it is not asked for."""
        rules = self.stage.settings.rules
        if not rules:
            return records, None
        done = _clean.clean(records, _clean.How(self.stage.task, rules, self.asked, self.done.judged))
        rows = done.facts.pop("records", [])
        self.stage.write("clean.json", rows)
        return done.records, {**done.facts, "records": rows[:_SHOWN]}

    def corrected(self, records: Sequence[Record]) -> dict[str, Any] | None:
        """What the corrections did; None where no file of them is named."""
        if self.stage.settings.corrections is None:
            return None
        changed = Counter(str(record.split) for record in records if record.id in self.done.given)
        confirmed = len(self.done.judged) - len(self.done.given)
        lost = [item.record for item in self.done.lost]
        return {"file": self.stage.settings.corrections, "changed": dict(changed), "confirmed": confirmed, "lost": lost}

    def doubts(self, records: Sequence[Record], found: Sequence[Finding]) -> dict[str, str | None]:
        """The test labels that nobody decided on and that are more likely wrong than right, with what they may be."""
        test = {record.id for record in records if record.split == "test"} - self.done.judged
        wrong = [suspect for finding in found if finding.check == "label_errors" for suspect in finding.records]
        return {item.id: item.suggested for item in wrong if item.id in test and item.score > _LIKELY}


def read(chosen: Settings, base: Path, modality: str) -> Reading:
    """Read the source of `chosen`, its paths starting at `base`."""
    return _read.read(
        chosen.source,
        base=base,
        modality=modality,
        format=chosen.format,
        pattern=chosen.pattern,
        text=chosen.text,
        label=chosen.label,
    )


def _readable(reading: Reading, modality: str, chosen: Settings) -> Reading:
    """Set aside what cannot be decoded, by name and reason; stop when that is more than the stated share."""
    bad = [*reading.bad, *_usable.unreadable(reading.records, modality)]
    total = len(reading.records) + len(reading.bad)
    if len(bad) > chosen.max_bad * total:
        first = "; ".join(f"{item.id} ({item.reason})" for item in bad[:3])
        raise UserError(
            f"{len(bad)} of {total} records cannot be read",
            rule=f"At most {chosen.max_bad:.0%} may be bad",
            received=first,
            remedy="Mend them, or raise data.max_bad",
        )
    names = {item.id for item in bad}
    good = [record for record in reading.records if record.id not in names]
    return Reading(good, bad, reading.notes, reading.unknown)


def _parted(records: Sequence[Record], leaks: Leaks, policy: str) -> tuple[list[Record], list[Record]]:
    """The records to go on with, and the training records that are set aside since they leaked."""
    if leaks.pairs and policy == "block":
        names = ", ".join(f"{train} = {other}" for train, other in leaks.pairs[:5])
        rule = "No record of the test or validation split may stand in train"
        raise UserError(
            f"{len(leaks.pairs)} leaked records", rule=rule, received=names, remedy='Say data.leaks = "drop"'
        )
    dropped = {train for train, _ in leaks.pairs} if policy == "drop" else set()
    return [item for item in records if item.id not in dropped], [item for item in records if item.id in dropped]


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Records of each class in each split; entities or boxes of each type where labels are such."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        counts.setdefault(str(record.split), Counter()).update(labels.names(record.label))
    return {split: dict(counter) for split, counter in counts.items()}
