"""What compression methods hand on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton.core.types import Arrays


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph on its way to an app. One that is not `batchable` answers differently in company."""

    graph: Path
    batchable: bool = True


@dataclass(frozen=True, slots=True)
class Context:
    """What a method may use: encoded training samples to calibrate on, and a folder to write in."""

    calibration: Sequence[Arrays]
    folder: Path
