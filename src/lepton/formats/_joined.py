"""Readings of several files as one."""

from collections.abc import Sequence

from lepton.core.types import Reading


def joined(readings: Sequence[Reading]) -> Reading:
    """All records, bad records and notes of `readings`, in their order."""
    return Reading(
        [record for reading in readings for record in reading.records],
        [bad for reading in readings for bad in reading.bad],
        [note for reading in readings for note in reading.notes],
    )
