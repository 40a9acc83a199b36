"""Words for findings: counts with their noun, labels as text, and how rare a label is among its like."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lepton.checks._finding import Suspect
from lepton.core.labels import content
from lepton.core.types import Box, Label, Mask, Record, Span


def several(count: int, thing: str) -> str:
    """`count` with its noun, in the plural but for one: `1,204 records`, `2 boxes`."""
    ending = "" if count == 1 else "es" if thing.endswith(("s", "x")) else "s"
    return f"{count:,} {thing}{ending}"


def label_text(label: Label) -> str | None:
    """A label as a finding shows it: the class, the entities as `label[start:end]`, the boxes or the mask."""
    if label is None or isinstance(label, str):
        return label
    if isinstance(label, Mask):
        return f"mask {Path(label.path).name}"
    return ", ".join(map(_part_text, label)) or "no entity"


def _part_text(part: Span | Box) -> str:
    """An entity as `label[start:end]`, a box as `label[x1,y1,x2,y2]`."""
    place = f"{part.start}:{part.end}" if isinstance(part, Span) else ",".join(f"{edge:.10g}" for edge in part[:4])
    return f"{part.label}[{place}]"


def are_texts(labels: Sequence[str]) -> bool:
    """Whether labels are texts, such as transcripts, rather than classes: most differ and have several words."""
    spaced = sum(" " in label.strip() for label in labels)
    return len(set(labels)) > len(labels) / 2 and spaced > len(labels) / 2


def outvoted(records: Sequence[Record]) -> list[Suspect]:
    """Records of one content with several labels: the rarest label first, the most frequent one suggested."""
    contents = [content(record.label) for record in records]
    counts = Counter(contents)
    (most, top), *rest = counts.most_common()
    usual = records[contents.index(most)].label
    clear = not rest or rest[0][1] < top
    suspects = [
        Suspect(
            record.id,
            _doubt(counts[told], len(records)),
            label_text(record.label),
            label_text(usual) if clear else None,
        )
        for record, told in zip(records, contents, strict=True)
    ]
    return sorted(suspects, key=lambda suspect: -suspect.score)


def _doubt(count: int, total: int) -> float:
    return 1 - count / total
