"""Readings of several files as one."""

from collections.abc import Sequence

from lepton.core.types import Reading


def joined(readings: Sequence[Reading]) -> Reading:
    """All records, bad records, notes and labels of what no class covers of `readings`, in their order."""
    return Reading(
        [record for reading in readings for record in reading.records],
        [bad for reading in readings for bad in reading.bad],
        [note for reading in readings for note in reading.notes],
        list(dict.fromkeys(label for reading in readings for label in reading.unknown)),
    )
