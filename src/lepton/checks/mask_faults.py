"""Masks that cannot be: unreadable, of another size than their picture, with values of no class, or empty."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from lepton.checks import _content
from lepton.checks._finding import Finding, Severity, Suspect
from lepton.checks._words import label_text, several
from lepton.core.errors import BadInput
from lepton.core.pictures import UNKNOWN, classes
from lepton.core.progress import Silent
from lepton.core.types import Mask, Record

NEEDS = ()

_SILENT = Silent()

_FAULTS: Mapping[str, tuple[Severity, str, str]] = {
    "unreadable": ("error", "cannot be read", "Fetch or make them again, or take their pictures out."),
    "size": ("error", "not of the size of their picture", "Look whether the two belong together."),
    "unknown": ("error", "with values of no class", "Name all classes, or say which value is none (ignore = 255)."),
    "empty": ("warning", "with nothing but background", "Look whether they were forgotten or there is nothing to see."),
}

Fault = tuple[str, float, str]
"""The kind of a fault, how much of a mask has it, and what was found."""


def find(records: Sequence[Record]) -> list[Finding]:
    """One finding a kind of fault, with the records, those first of which most is wrong.

    Background is the class of the value 0. A mask of a size of its own is not looked at further. Each mask is read
    once, a few at a time.
    """
    masked = [record for record in records if isinstance(record.label, Mask)]
    wrong: dict[str, list[tuple[Record, float, str]]] = defaultdict(list)
    made = _content.each(masked, _fault, what="reading masks", progress=_SILENT)
    for record, fault in zip(masked, made, strict=True):
        if fault:
            wrong[fault[0]].append((record, fault[1], fault[2]))
    return [_finding(kind, wrong[kind]) for kind in _FAULTS if wrong[kind]]


def _fault(record: Record) -> Fault | None:
    mask = record.label
    if not isinstance(mask, Mask):
        return None
    try:
        found = classes(mask)
    except BadInput as error:
        return "unreadable", 1.0, error.what
    except OSError as error:
        return "unreadable", 1.0, error.strerror or str(error)
    height, width = found.shape
    picture = _content.size(record)
    if picture not in (None, (width, height)):
        return "size", 1.0, f"{width} x {height} beside {' x '.join(map(str, picture or ()))}"
    unknown = float((found == UNKNOWN).mean()) if found.size else 0.0
    if unknown:
        return "unknown", unknown, f"{unknown:.2%} of the pixels"
    return ("empty", 1.0, _only(mask, found)) if _is_empty(mask, found) else None


def _is_empty(mask: Mask, found: np.ndarray) -> bool:
    """Whether no pixel is of a class but that of 0, where there is one such and another."""
    background = [at for at, (value, _) in enumerate(mask.classes) if value in (0, (0, 0, 0))]
    return len(mask.classes) > 1 and bool(np.isin(found, [*background, -1]).all())


def _only(mask: Mask, found: np.ndarray) -> str:
    return f"{found.size:,} pixels of {mask.classes[0][0]}" if (found >= 0).any() else "no pixel that counts"


def _finding(kind: str, wrong: Sequence[tuple[Record, float, str]]) -> Finding:
    severity, what, remedy = _FAULTS[kind]
    order = sorted(wrong, key=lambda item: -item[1])
    suspects = [Suspect(record.id, score, label_text(record.label)) for record, score, _ in order]
    message = f"{several(len(wrong), 'mask')} {what}, such as that of {order[0][0].id} ({order[0][2]})."
    return Finding("mask_faults", severity, message, remedy, suspects)
