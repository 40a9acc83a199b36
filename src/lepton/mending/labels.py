"""Labels as people write them in a table: a class, or entities as `label[start:end], ...`."""

import re
from collections.abc import Sequence

from lepton.checks._words import label_text
from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.labels import boxes, names, spans
from lepton.core.types import Label, Mask, Record, Span

_ENTITY = re.compile(r"\s*(.+?)\[(\d+):(\d+)\]\s*(?:,|$)")
_NONE = label_text(())


def read(text: str, record: Record) -> Label:
    """The label that `text` says, of the kind that the record has. Raises UserError where it says none."""
    if record.label is None or isinstance(record.label, str):
        return text.strip()
    return fitting(() if text.strip() == _NONE else tuple(_entities(text)), record)


def fitting(label: Label, record: Record) -> Label:
    """`label`, held against the record: a class for a class, entities for entities, or UserError."""
    if isinstance(record.label, Mask) or boxes(record.label):
        raise UserError(f"The label of {record.id} cannot be corrected here", rule="Only classes and entities can")
    whole = record.label is None or isinstance(record.label, str)
    if whole != isinstance(label, str) or not whole and label is None:
        rule = "It has a class" if whole else "It has entities"
        raise UserError(f"This is no label for {record.id}", rule=rule, received=label_text(label))
    return label if whole else _checked(spans(label), record)


def _checked(given: Sequence[Span], record: Record) -> tuple[Span, ...]:
    """Entities in their order; UserError where one is empty or outside of the text, or two overlap."""
    found = sorted(given)
    ends = [0, *(span.end for span in found)]
    length = len(str(record.raw))
    for span, before in zip(found, ends, strict=False):
        if not before <= span.start < span.end <= length:
            rule = f"Entities lie within the text, 0 to {length}, and do not overlap"
            raise UserError(f"{label_text((span,))} is no entity of {record.id}", rule=rule)
    return tuple(found)


def known(records: Sequence[Record]) -> list[str]:
    """The classes, or the types of entities or boxes, that occur."""
    found: set[str] = set()
    for record in records:
        found.update(names(record.label))
    return sorted(found)


def check_known(label: Label, classes: Sequence[str]) -> None:
    """Raise UserError where a label says a class that does not occur: most often a slip of the pen."""
    strange = [name for name in names(label) if name not in classes]
    if strange:
        fault = plugins.unknown("class", strange[0], list(classes))
        raise UserError(
            fault.what, rule=fault.rule, received=strange[0], remedy=f"{fault.remedy}; say --new-labels if it is meant"
        )


def _entities(text: str) -> list[Span]:
    found, place = [], 0
    while place < len(text):
        match = _ENTITY.match(text, place)
        if match is None:
            rule = f'They are written "type[start:end], type[start:end]", or "{_NONE}"'
            raise UserError("These are no entities", rule=rule, received=text)
        found.append(Span(int(match[2]), int(match[3]), match[1]))
        place = match.end()
    return found
