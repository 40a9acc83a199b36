"""Boxes that cannot be: without area, outside of their picture, told twice, or hardly there."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from lepton.checks import _content
from lepton.checks._finding import Finding, Severity, Suspect
from lepton.checks._words import label_text, several
from lepton.core.labels import boxes
from lepton.core.settings import Range
from lepton.core.types import Box, Record

NEEDS = ()

_SLACK = 1.0
"""Pixels by which an edge may stand over: tools count pixels from 0 or from 1, up to the last or behind it."""

_FAULTS: Mapping[str, tuple[Severity, str, str]] = {
    "empty": ("error", "without area", "Draw them again or take them out: no model can learn from them."),
    "outside": ("error", "that reach outside of the picture", "Cut them off at its edge, or look whether the two fit."),
    "double": ("warning", "told twice", "Keep one of each, or every answer misses the other."),
    "tiny": ("warning", "smaller than {tiny:g} pixels a side", "Look whether they are slips of the mouse."),
}


def find(records: Sequence[Record], *, tiny: Annotated[float, Range(0)] = 3.0) -> list[Finding]:
    """One finding a kind of fault, which names the records and the boxes in them, those with the most first.

    Double are boxes of one class with the same edges. Those without area are not tiny, too. Sizes of pictures are read
    from their files, and a picture that cannot be opened has nothing outside of it.
    """
    wrong: dict[str, list[tuple[Record, Sequence[Box]]]] = defaultdict(list)
    for record in records:
        found = boxes(record.label)
        for fault, those in (_faults(record, found, tiny) if found else {}).items():
            wrong[fault].append((record, those))
    return [_finding(fault, wrong[fault], tiny) for fault in _FAULTS if wrong[fault]]


def _faults(record: Record, found: Sequence[Box], tiny: float) -> dict[str, list[Box]]:
    whole = [box for box in found if box.x2 > box.x1 and box.y2 > box.y1]
    small = [box for box in whole if min(box.x2 - box.x1, box.y2 - box.y1) < tiny]
    faults = {
        "empty": [box for box in found if box not in whole],
        "outside": list(_outside(record, found)),
        "double": [box for box, count in Counter(found).items() if count > 1],
        "tiny": small,
    }
    return {fault: those for fault, those in faults.items() if those}


def _outside(record: Record, found: Sequence[Box]) -> Iterator[Box]:
    limits = _content.size(record)
    if limits is None:
        return
    wide, high = limits
    for box in found:
        over = max(-box.x1, -box.y1, box.x2 - wide, box.y2 - high)
        if over > _SLACK:
            yield box


def _finding(fault: str, wrong: Sequence[tuple[Record, Sequence[Box]]], tiny: float) -> Finding:
    severity, what, remedy = _FAULTS[fault]
    count = sum(len(those) for _, those in wrong)
    order = sorted(wrong, key=lambda item: -len(item[1]))
    suspects = [Suspect(record.id, _share(record, those), label_text(tuple(those))) for record, those in order]
    where = f"in {several(len(wrong), 'record')}, such as {label_text(tuple(order[0][1][:1]))}"
    message = f"{several(count, 'box')} {what.format(tiny=tiny)}, {where}."
    return Finding("box_faults", severity, message, remedy, suspects)


def _share(record: Record, those: Sequence[Box]) -> float:
    """The share of a record's boxes that are wrong."""
    return len(those) / len(boxes(record.label))
