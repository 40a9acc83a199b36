"""Transcripts that do not fit how long their recording lasts: cut off, of another recording, or of two."""

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated

from lepton.checks._finding import Finding, Suspect
from lepton.checks._words import are_texts, several
from lepton.core.settings import Range
from lepton.core.types import Record

NEEDS = ()

_FEWEST = 10
_SLACK = 1.0
"""Seconds by which silence around what is said may differ."""


def find(records: Sequence[Record], *, times: Annotated[float, Range(1.1)] = 2.0) -> list[Finding]:
    """One finding with recordings whose transcript is `times` as long or as short as their length lets expect.

    What is expected is the set's median of characters a second, with a second's grace for silence. Only sets of
    recordings whose labels are texts rather than classes are looked at, ten at least.
    """
    spoken = [record for record in records if isinstance(record.label, str) and isinstance(record.raw, Path | bytes)]
    if len(spoken) < _FEWEST or not are_texts([str(record.label) for record in spoken]):
        return []
    timed = [(record, length) for record in spoken if (length := seconds(record)) is not None]
    if len(timed) < _FEWEST:
        return []
    rate = median(len(str(record.label)) / length for record, length in timed)
    odd = [(record, length, _times(len(str(record.label)), length * rate, rate)) for record, length in timed]
    suspects = [
        Suspect(record.id, 1 - 1 / ratio, _told(record, length)) for record, length, ratio in odd if ratio >= times
    ]
    return [_finding(suspects, rate)] if suspects else []


def seconds(record: Record) -> float | None:
    """How long a recording lasts, by its header; None for what is none, or is empty."""
    import soundfile

    source = io.BytesIO(record.raw) if isinstance(record.raw, bytes) else str(record.raw)
    try:
        found = soundfile.info(source)
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, OSError):
        return None
    return float(found.duration) or None


def _times(characters: int, expected: float, rate: float) -> float:
    """By which factor a transcript is too long or too short, after the grace for silence."""
    slack = _SLACK * rate
    if characters > expected:
        return characters / (expected + slack)
    return max(expected - slack, 1e-9) / max(characters, 1)


def _told(record: Record, length: float) -> str:
    text = str(record.label)
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return f"{shown} ({len(text)} characters in {length:.1f} s)"


def _finding(suspects: Sequence[Suspect], rate: float) -> Finding:
    message = (
        f"{several(len(suspects), 'transcript')} {'does' if len(suspects) == 1 else 'do'} not fit the length of the "
        f"recording; {rate:.1f} characters a second are usual."
    )
    remedy = "Listen to them: they may be cut off, or belong to another recording."
    ordered = sorted(suspects, key=lambda suspect: -suspect.score)
    return Finding("transcript_lengths", "warning", message, remedy, ordered)
