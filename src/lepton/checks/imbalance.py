"""Classes that are tiny, very uneven, or missing from a split."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import are_texts, several
from lepton.core.labels import boxes, names
from lepton.core.settings import Range
from lepton.core.types import Record

NEEDS = ()

_SHOWN = 8


def find(
    records: Sequence[Record],
    *,
    few: Annotated[int, Range(1)] = 10,
    ratio: Annotated[float, Range(1)] = 10.0,
) -> list[Finding]:
    """Findings on the classes of train (all records where there are no splits): of labels, not texts, or of boxes.

    Classes with fewer than `few` records, or boxes, classes of test or validation that train lacks, and a largest class
    more than `ratio` times the smallest.
    """
    classed = [record for record in records if isinstance(record.label, str) or boxes(record.label)]
    trained = [record for record in classed if record.split in (None, "train")]
    found = [name for record in trained for name in names(record.label)]
    thing = "boxes" if any(boxes(record.label) for record in trained) else "records"
    if not found or thing == "records" and are_texts(found):
        return []
    counts = Counter(found)
    return [*_tiny(trained, counts, (few, thing)), *_unseen(classed, counts), *_uneven(counts, ratio, thing)]


def _tiny(records: Sequence[Record], counts: Counter[str], least: tuple[int, str]) -> list[Finding]:
    few, thing = least
    rare = sorted((count, label) for label, count in counts.items() if count < few)
    if not rare:
        return []
    those = {label for _, label in rare}
    suspects = [Suspect(record.id, 0.5, name) for record in records for name in _classes(record) if name in those]
    message = f"{several(len(rare), 'class')} of fewer than {few} {thing}: {_listed(rare)}."
    return [
        Finding("imbalance", "warning", message, "Collect more of them, or join them with another class.", suspects)
    ]


def _unseen(records: Sequence[Record], counts: Counter[str]) -> list[Finding]:
    strange = [(record, name) for record in records for name in _classes(record) if name not in counts]
    if not strange:
        return []
    which = ", ".join(sorted({name for _, name in strange})[:_SHOWN])
    many = several(len({record.id for record, _ in strange}), "record")
    message = f"{many} of validation or test are of classes that train lacks: {which}."
    suspects = [Suspect(record.id, 1.0, name) for record, name in strange]
    return [Finding("imbalance", "error", message, "Add such records to train, or take them out.", suspects)]


def _uneven(counts: Counter[str], ratio: float, thing: str) -> list[Finding]:
    (large, most), (small, least) = counts.most_common()[0], counts.most_common()[-1]
    if most <= ratio * least:
        return []
    times = f"{most / least:.0f} times the {thing}"
    message = f"The largest class {large!r} ({most:,}) has {times} of {small!r} ({least:,})."
    remedy = "Look at macro F1 beside accuracy, and consider class weights."
    return [Finding("imbalance", "info", message, remedy, [])]


def _classes(record: Record) -> list[str]:
    """The classes of a record, each once."""
    return list(dict.fromkeys(names(record.label)))


def _listed(rare: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{label} ({count})" for count, label in rare[:_SHOWN]) + (", ..." if len(rare) > _SHOWN else "")
