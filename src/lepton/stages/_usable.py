"""Which records can be used: what kind they are, and which cannot be decoded."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from lepton.core import machine, plugins
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Record


def modality(records: Sequence[Record]) -> str:
    """Text, or what the first file that can be decoded holds; image where none can."""
    if all(isinstance(record.raw, str) for record in records):
        return "text"
    transforms = [plugins.load("transforms", name) for name in ("image", "logmel", "volume")]
    for record in records:
        for transform in transforms:
            with suppress(UserError, OSError):
                transform.decode(record.read())
                return str(transform.MODALITY)
    return "image"


def unreadable(records: Sequence[Record], modality: str) -> list[BadRecord]:
    """The records whose image, sound or volume cannot be decoded, each with its reason."""
    if modality == "text":
        return []
    name = next(name for name in plugins.names("transforms") if modality == plugins.load("transforms", name).MODALITY)
    decode = plugins.load("transforms", name).decode
    with ThreadPoolExecutor(machine.cores()) as pool:
        reasons = pool.map(lambda record: _reason(record, decode), records)
        return [BadRecord(record.id, reason) for record, reason in zip(records, reasons, strict=True) if reason]


def _reason(record: Record, decode: Callable[[Any], object]) -> str:
    try:
        decode(record.read())
    except UserError as error:
        return error.message
    except OSError as error:
        return f"the file cannot be opened: {error.strerror}"
    return ""
