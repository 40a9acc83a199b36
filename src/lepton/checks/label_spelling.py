"""Labels that are one but for case and white space."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import several
from lepton.core import labels
from lepton.core.types import Record

NEEDS = ()
ABOUT = "labels"


def find(records: Sequence[Record]) -> list[Finding]:
    """One finding for each label with several spellings; it names the records of the rarer ones.

    The most frequent spelling is suggested. The types of entities and boxes and the classes of masks count as well.
    """
    counts = Counter(label for record in records for label in _labels(record))
    spellings: dict[str, list[str]] = defaultdict(list)
    for label, _ in counts.most_common():
        spellings["".join(label.casefold().split())].append(label)
    return [_finding(records, found, counts) for found in spellings.values() if len(found) > 1]


def _labels(record: Record) -> Iterator[str]:
    yield from dict.fromkeys(labels.names(record.label))


def _finding(records: Sequence[Record], spellings: Sequence[str], counts: Counter[str]) -> Finding:
    usual, *rare = spellings
    suspects = [
        Suspect(record.id, 1 - counts[label] / counts.total(), label, usual)
        for record in records
        for label in _labels(record)
        if label in rare
    ]
    forms = ", ".join(f"{label!r} ({counts[label]:,})" for label in spellings)
    message = f"One label is spelt in {several(len(spellings), 'way')}: {forms}."
    return Finding(
        "label_spelling", "error", message, f"Spell them all {usual!r}, or they count as different classes.", suspects
    )
