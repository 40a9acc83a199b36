"""Prepare: read the data, audit it, set leaks aside, split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from lepton.checks._audit import findings
from lepton.checks._content import digests
from lepton.checks._near import pairs, tied
from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.settings import Plugin, Range
from lepton.core.types import Reading, Record
from lepton.formats import _read, _splits
from lepton.stages import _previews, _usable
from lepton.stages._records import write_records
from lepton.stages._stage import Stage

SECTION = "data"
AFTER: tuple[str, ...] = ()
ROOMS = ("formats", "checks", "core")
MEASURES = False


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the data is and how it is split.

    source: a built-in name, a path, or a table {train, validation, test}. format: sniffed when left out; a name,
    or a table {name, settings}. pattern:
    fields of file names, such as "{label}_{speaker}_{index}.wav". text, label: names of columns or fields. split:
    shares of test and validation, `group`, or values of fields such as {test = {speaker = ["theo"]}}. leaks: what to
    do with training records that stand in a given test or validation split. max_bad: largest share of unreadable
    records. transform: how raw inputs become arrays; the model's own when left out.
    """

    source: str | dict[str, str]
    format: Annotated[str | dict[str, Any] | None, Plugin("formats", "read")] = None
    pattern: str | None = None
    text: str | None = None
    label: str | None = None
    split: dict[str, Any] | None = None
    leaks: Literal["drop", "block", "allow"] = "drop"
    max_bad: Annotated[float, Range(0, 1)] = 0.05
    transform: Annotated[str | dict[str, Any] | None, Plugin("transforms", "fit")] = None


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return {name: value for name, value in recipe["data"].items() if name != "transform"}


def run(stage: Stage) -> None:
    """Write `records.jsonl` (every usable record with its split), `classes.json` and `leaks.json` (leaked test ids)."""
    chosen: Settings = stage.settings
    task = plugins.load("tasks", stage.task)
    reading = _readable(read(chosen, stage.base, task.MODALITY), task.MODALITY, chosen)
    known = digests(reading.records, progress=stage.progress)
    near = pairs(reading.records, known, progress=stage.progress)
    leaks = _leaks(reading.records, known)
    records = _without_leaks(reading.records, leaks, chosen.leaks)
    records = _splits.carve(records, split=chosen.split or {}, clusters={**known, **tied(near)}, seed=stage.seed)
    classes = task.classes([record.label for record in records if record.split == "train"])
    found = findings(reading.records, {"digests": known, "near": near})
    write_records(stage.folder / "records.jsonl", records)
    stage.write("classes.json", classes)
    stage.write("leaks.json", _in_train(reading.records, known))
    stage.fact(
        modality=task.MODALITY,
        classes=classes,
        counts=_counts(records),
        records=len(records),
        bad=[asdict(bad) for bad in reading.bad],
        notes=list(reading.notes),
        leaks={"policy": chosen.leaks, "train": sorted({pair[0] for pair in leaks}), "pairs": leaks},
        findings=[asdict(finding) for finding in found],
        examples=_previews.examples(stage, [item for item in records if item.split == "train"], task.MODALITY),
    )


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
    return Reading([record for record in reading.records if record.id not in names], bad, reading.notes)


def _leaks(records: Sequence[Record], known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs (training record, record of a given test or validation split) of the same content."""
    held_out: dict[str, str] = {}
    for record in records:
        if record.split in ("test", "validation"):
            held_out.setdefault(known[record.id], record.id)
    train = (record.id for record in records if record.split == "train")
    return [(name, held_out[known[name]]) for name in train if known[name] in held_out]


def _in_train(records: Sequence[Record], known: Mapping[str, str]) -> list[str]:
    """The records of a given test split whose content stands in the given train split too."""
    train = {known[record.id] for record in records if record.split == "train"}
    return [record.id for record in records if record.split == "test" and known[record.id] in train]


def _without_leaks(records: Sequence[Record], leaks: Sequence[tuple[str, str]], policy: str) -> list[Record]:
    if leaks and policy == "block":
        names = ", ".join(f"{train} = {other}" for train, other in leaks[:5])
        rule = "No record of the test or validation split may stand in train"
        raise UserError(f"{len(leaks)} leaked records", rule=rule, received=names, remedy='Say data.leaks = "drop"')
    dropped = {train for train, _ in leaks} if policy == "drop" else set()
    return [record for record in records if record.id not in dropped]


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Records of each class in each split; entities of each type where labels are spans."""
    counts: dict[str, Counter[str]] = {}
    for record in records:
        names = [record.label] if isinstance(record.label, str) else [span.label for span in record.label or ()]
        counts.setdefault(str(record.split), Counter()).update(names)
    return {split: dict(counter) for split, counter in counts.items()}
