"""Classes that are tiny, very uneven, or missing from a split."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import are_texts, several
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
    """Findings on the classes of train (all records where there are no splits), for labels that are classes, not texts.

    Classes with fewer than `few` records, classes of test or validation that train lacks, and a largest class more
    than `ratio` times the smallest.
    """
    classed = [record for record in records if isinstance(record.label, str)]
    trained = [record for record in classed if record.split in (None, "train")]
    counts = Counter(str(record.label) for record in trained)
    if not counts or are_texts([str(record.label) for record in trained]):
        return []
    return [*_tiny(trained, counts, few), *_unseen(classed, counts), *_uneven(counts, ratio)]


def _tiny(records: Sequence[Record], counts: Counter[str], few: int) -> list[Finding]:
    rare = sorted((count, label) for label, count in counts.items() if count < few)
    if not rare:
        return []
    names = {label for _, label in rare}
    suspects = [Suspect(record.id, 0.5, str(record.label)) for record in records if record.label in names]
    message = (
        f"{several(len(rare), 'class').replace('classs', 'classes')} of fewer than {few} records: {_listed(rare)}."
    )
    return [
        Finding("imbalance", "warning", message, "Collect more of them, or join them with another class.", suspects)
    ]


def _unseen(records: Sequence[Record], counts: Counter[str]) -> list[Finding]:
    strange = [record for record in records if record.label not in counts]
    if not strange:
        return []
    names = ", ".join(sorted({str(record.label) for record in strange})[:_SHOWN])
    message = f"{several(len(strange), 'record')} of validation or test are of classes that train lacks: {names}."
    suspects = [Suspect(record.id, 1.0, str(record.label)) for record in strange]
    return [Finding("imbalance", "error", message, "Add such records to train, or take them out.", suspects)]


def _uneven(counts: Counter[str], ratio: float) -> list[Finding]:
    (large, most), (small, least) = counts.most_common()[0], counts.most_common()[-1]
    if most <= ratio * least:
        return []
    message = (
        f"The largest class {large!r} ({most:,}) has {most / least:.0f} times the records of {small!r} ({least:,})."
    )
    remedy = "Look at macro F1 beside accuracy, and consider class weights."
    return [Finding("imbalance", "info", message, remedy, [])]


def _listed(rare: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{label} ({count})" for count, label in rare[:_SHOWN]) + (", ..." if len(rare) > _SHOWN else "")
