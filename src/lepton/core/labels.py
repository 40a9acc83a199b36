"""What labels of every kind have in common: the classes they name, and how they are read from JSON."""

from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.types import Box, Label, Mask, Span


def names(label: Label) -> list[str]:
    """The class of a label; the types of its entities or boxes, each as often as it occurs; the classes of a mask."""
    if label is None or isinstance(label, str):
        return [label] if label else []
    if isinstance(label, Mask):
        return [name for _, name in label.classes]
    return [part.label for part in label]


def spans(label: Label) -> tuple[Span, ...]:
    """The entities of a label; none where it has none."""
    parts = () if label is None or isinstance(label, str | Mask) else label
    return tuple(part for part in parts if isinstance(part, Span))


def boxes(label: Label) -> tuple[Box, ...]:
    """The boxes of a label; none where it has none."""
    parts = () if label is None or isinstance(label, str | Mask) else label
    return tuple(part for part in parts if isinstance(part, Box))


def content(label: Label) -> Label:
    """The label as it is wherever it lies: the path of a mask becomes the digest of its file, or its name if gone."""
    if not isinstance(label, Mask):
        return label
    path = Path(label.path)
    return label._replace(path=files.sha256(path) if path.is_file() else path.name)


def from_json(found: Any) -> Label:
    """The label that was written as JSON: there every tuple became a list."""
    if not isinstance(found, list):
        return None if found is None else str(found)
    if found and isinstance(found[0], str):
        path, classes, ignored = found
        return Mask(path, tuple((_value(value), name) for value, name in classes), tuple(map(_value, ignored)))
    if found and len(found[0]) == len(Box._fields):
        return tuple(Box(*part) for part in found)
    return tuple(Span(*part) for part in found)


def _value(found: Any) -> Any:
    return tuple(found) if isinstance(found, list) else found
