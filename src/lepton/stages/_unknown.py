"""Records that no class covers: never trained on, they stand in validation and test, where abstaining is measured."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lepton.core import plugins
from lepton.core.types import Reading, Record
from lepton.formats import _splits

FILE = "unknown/records.jsonl"
"""Where the prepare stage keeps them."""


def labels(asked: str | Sequence[str] | None, reading: Reading) -> set[str]:
    """The labels that no class covers: those `asked` for, else the format's own.

    Raises UserError for one that no record has.
    """
    if asked is None:
        return set(reading.unknown)
    wanted = [asked] if isinstance(asked, str) else list(asked)
    known = sorted({record.label for record in reading.records if isinstance(record.label, str)})
    for name in wanted:
        if name not in known:
            raise plugins.unknown("label in [data.unknown]", name, known)
    return set(wanted)


def parted(records: Sequence[Record], labels: set[str]) -> tuple[list[Record], list[Record]]:
    """The records of classes, and those of `labels`."""
    outside = [isinstance(record.label, str) and record.label in labels for record in records]
    inside = [record for record, out in zip(records, outside, strict=True) if not out]
    return inside, [record for record, out in zip(records, outside, strict=True) if out]


def held_out(
    unknown: Sequence[Record], *, given: set[str | None], split: Mapping[str, Any], clusters: Mapping[str, Hashable]
) -> list[Record]:
    """The unknown records of dealt splits, none in train: what stood there joins validation.

    Where neither test nor validation was `given` and both were dealt by shares alone, test gets half of it instead.
    """
    train = [record for record in unknown if record.split == "train"]
    dealt = not given & {"test", "validation"} and split.get("group") is None and split.get("time") is None
    if dealt and len(train) > 1 and all(isinstance(split.get(part), float) for part in ("test", "validation")):
        train = _splits.carve(train, split={"test": 0.5}, clusters=clusters, seed=0)
    moved = {record.id: "validation" if record.split == "train" else record.split for record in train}
    return [replace(record, split=moved.get(record.id, record.split)) for record in unknown]


def told(unknown: Sequence[Record]) -> dict[str, Any] | None:
    """What the ledger keeps of them: records of each label in each split; None where there are none."""
    counts: dict[str, Counter[str]] = {}
    for record in unknown:
        counts.setdefault(str(record.split), Counter())[str(record.label)] += 1
    return {split: dict(sorted(counter.items())) for split, counter in sorted(counts.items())} or None
