"""A long recording with labelled events, as the detector would hear it.

Shapes: T windows, C classes.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from lepton.core import plugins
from lepton.core.errors import BadInput, Faults, UserError
from lepton.core.progress import Progress
from lepton.runtime.app import MAX_BATCH, App
from lepton.streams._detector import Listening, chances, sizes
from lepton.streams._sound import Window, Windows, wav

_BLOCK = 10.0  # seconds that are read at a time
_CHANNELS = 16


class Event(NamedTuple):
    """A label between two times in seconds."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What the app answered for every window of a recording.

    `rows` are probabilities (T, C), zeros where the window was quieter than any setting asks; `levels` (T,) is how
    loud each is, in decibels below full scale; `ends` (T,) when each ends, in seconds.
    """

    classes: list[str]
    rows: np.ndarray
    levels: np.ndarray
    ends: np.ndarray
    seconds: float


def hear(app: App, path: Path, chosen: Listening, *, progress: Progress) -> Heard:
    """Answer all windows of the recording at `path` that are as loud as `chosen.silence_db`.

    It is read in blocks, at its own rate; channels are averaged. Raises UserError for what is no recording.
    """
    classes = list(app.manifest.classes)
    with _opened(path) as file:
        here = replace(chosen, rate=file.samplerate)
        length, hop = sizes(here)
        windows = Windows(length, hop)
        levels: list[float] = []
        rows: list[np.ndarray] = []
        with progress.bar("listening (s)", math.ceil(file.frames / file.samplerate)) as bar:
            for block in _blocks(file):
                found = windows.feed(block)
                while some := list(islice(found, MAX_BATCH)):
                    levels += [one.level for one in some]
                    rows.append(_answers(app, some, here))
                bar.step(round(len(block) / file.samplerate))
        seconds = file.frames / file.samplerate
    if not rows:
        rule = f"A window has {length / here.rate:g} s" if here.rate else ""
        raise UserError("The recording is shorter than one window", rule=rule, received=f"{seconds:g} s")
    ends = (np.arange(len(levels)) * hop + length) / (here.rate or 1)
    return Heard(classes, np.concatenate(rows), np.array(levels), ends, seconds)


def duration(path: Path) -> float:
    """Seconds of the recording at `path`, from its header. Raises UserError for what is no recording."""
    with _opened(path) as file:
        return float(file.frames / file.samplerate)


def events(path: Path, classes: Sequence[str], seconds: float) -> list[Event]:
    """The events that a table with the columns label, start and end tells, in the order of their starts.

    Raises Faults that name every row with a label that is not one of `classes`, or with times that are none in a
    recording of so many `seconds`.
    """
    found: list[Event] = []
    faults: list[UserError] = []
    for place, row in _rows(path):
        fault = _fault(row, place, (classes, seconds))
        faults += [fault] if fault else []
        if fault is None:
            found.append(Event(row["label"], float(row["start"]), float(row["end"])))
    if faults:
        raise Faults(str(path), faults)
    if not found:
        raise UserError(f"{path} has no event", rule="It has a row for each: label,start,end")
    return sorted(found, key=lambda one: (one.start, one.end))


def _opened(path: Path) -> Any:
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.SoundFileError, OSError) as error:
        remedy = "Give a WAV, FLAC, OGG, AIFF or MP3 file"
        raise UserError(f"{path} cannot be read as a recording", rule=str(error), remedy=remedy) from error
    if file.channels > _CHANNELS or not 1_000 <= file.samplerate <= 192_000:
        received = f"{file.channels} channels, {file.samplerate} Hz"
        rule = f"At most {_CHANNELS} channels, 1,000 to 192,000 Hz"
        raise UserError(f"{path} is no recording that an app takes", rule=rule, received=received)
    return file


def _blocks(file: Any) -> Iterator[np.ndarray]:
    """The samples in blocks, as a client would send them: 16-bit ones where they are stored so, else floats."""
    plain = file.subtype == "PCM_16" and file.channels == 1
    size = int(_BLOCK * file.samplerate)
    for block in file.blocks(size, dtype="int16" if plain else "float32", always_2d=True):
        yield block[:, 0] if file.channels == 1 else block.mean(1, dtype=np.float32)


def _answers(app: App, windows: Sequence[Window], chosen: Listening) -> np.ndarray:
    """Probabilities of some windows (K, C)."""
    classes = app.manifest.classes
    rows = np.zeros((len(windows), len(classes)))
    loud = [place for place, one in enumerate(windows) if one.level >= chosen.silence_db]
    raws = [wav(windows[place].samples, chosen.rate or 0) for place in loud]
    for place, answer in zip(loud, app.attempt(raws), strict=True):
        if isinstance(answer, BadInput):
            raise answer
        rows[place] = chances(answer, classes)
    return rows


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The rows of a table, each with the place it has."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read", rule=str(error)) from error
    first = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in first else ",", skipinitialspace=True)
    missing = {"label", "start", "end"} - set(reader.fieldnames or ())
    if missing:
        rule = "Its first line names the columns label, start and end; times are in seconds"
        raise UserError(f"{path} lacks {', '.join(sorted(missing))}", rule=rule, received=first)
    for row in reader:
        yield (
            f"{path}, line {reader.line_num}",
            {key: value or "" for key, value in row.items() if isinstance(key, str)},
        )


def _fault(row: Mapping[str, str], place: str, known: tuple[Sequence[str], float]) -> UserError | None:
    classes, seconds = known
    if row["label"] not in classes:
        return plugins.unknown(f"label in {place}", row["label"], list(classes))
    try:
        start, end = float(row["start"]), float(row["end"])
    except ValueError:
        start = end = math.nan
    if not 0 <= start < end <= seconds + 1:
        rule = f"An event starts at 0 or later, ends later than it starts, and within the recording's {seconds:g} s"
        return UserError(f"The times in {place} are none", rule=rule, received=f"{row['start']}, {row['end']}")
    return None
