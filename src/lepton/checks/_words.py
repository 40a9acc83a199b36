"""Words for findings: counts with their noun, labels as text, and how rare a label is among its like."""

from collections import Counter
from collections.abc import Sequence

from lepton.checks._finding import Suspect
from lepton.core.types import Label, Record


def several(count: int, thing: str) -> str:
    """`count` with its noun, in the plural but for one: `1,204 records`."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def label_text(label: Label) -> str | None:
    """A label as a finding shows it: the class, or the entities as `label[start:end]`."""
    if label is None or isinstance(label, str):
        return label
    return ", ".join(f"{span.label}[{span.start}:{span.end}]" for span in label) or "no entity"


def outvoted(records: Sequence[Record]) -> list[Suspect]:
    """Records of one content with several labels: the rarest label first, the most frequent one suggested."""
    counts = Counter(record.label for record in records)
    (most, top), *rest = counts.most_common()
    clear = not rest or rest[0][1] < top
    suspects = [
        Suspect(
            record.id,
            _doubt(counts[record.label], len(records)),
            label_text(record.label),
            label_text(most) if clear else None,
        )
        for record in records
    ]
    return sorted(suspects, key=lambda suspect: -suspect.score)


def _doubt(count: int, total: int) -> float:
    return 1 - count / total
