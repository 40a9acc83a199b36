"""Sound as it comes in pieces: bytes to samples, samples to overlapping windows, a window to a WAV file.

An app takes files, so a window becomes one, in memory: what a stream asks is what `predict` would answer for that
stretch of the recording. Shapes: N samples.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lepton.core.errors import BadInput

Format = Literal["s16le", "f32le"]
"""How samples are written: 16-bit whole numbers, or 32-bit floats with full scale at 1; little-endian both."""

_TYPES: dict[Format, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
_TAGS = {"i": 1, "f": 3}
_CONTAINERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM")


class Samples:
    """Takes one channel's bytes in chunks of any size and gives the samples that are whole."""

    def __init__(self, form: Format) -> None:
        self._type = _TYPES[form]
        self._rest = b""
        self._first = True

    def feed(self, chunk: bytes) -> np.ndarray:
        """Samples (N,) of the chunk; an odd byte at its end waits for the next.

        Raises BadInput for a file's header where samples are due, and for floats that are no finite numbers.
        """
        data = self._rest + chunk
        if self._first and data:
            self._first = False
            _check_raw(data)
        whole = len(data) - len(data) % self._type.itemsize
        self._rest = data[whole:]
        samples = np.frombuffer(data, self._type, count=whole // self._type.itemsize)
        if self._type.kind == "f" and not np.isfinite(samples).all():
            raise BadInput(
                "The sound has samples that are no finite numbers", remedy="Say format s16le for 16-bit ones"
            )
        return samples


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a stream that begins at its sample number `start`."""

    start: int
    samples: np.ndarray

    @property
    def level(self) -> float:
        """Loudness in decibels below full scale; -inf for nothing but zeros."""
        values = self.samples.astype(np.float64)
        power = float(np.mean(values * values))
        full = 32768.0**2 if self.samples.dtype.kind == "i" else 1.0
        return float(10 * np.log10(power / full)) if power else float("-inf")


class Windows:
    """Takes samples in chunks of any size and gives windows of `length` samples, a new one each `hop` samples."""

    def __init__(self, length: int, hop: int) -> None:
        self._length = length
        self._hop = hop
        self._held: np.ndarray = np.empty(0)
        self._start = 0
        self._skip = 0

    def feed(self, samples: np.ndarray) -> Iterator[Window]:
        """The windows that `samples` complete, each with a copy of its own; take all before the next call."""
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        held = np.concatenate([self._held, samples[skipped:]]) if len(self._held) else samples[skipped:]
        place = 0
        while place + self._length <= len(held):
            yield Window(self._start + place, held[place : place + self._length].copy())
            place += self._hop
        self._start += place
        self._skip += max(0, place - len(held))
        self._held = held[place:].copy()


def wav(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of one channel; int16 samples as 16-bit PCM, float32 ones as floats."""
    data = samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()
    size = samples.dtype.itemsize
    form = struct.pack("<HHIIHH", _TAGS[samples.dtype.kind], 1, rate, rate * size, size, 8 * size)
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", len(form))
    return head + form + struct.pack("<4sI", b"data", len(data)) + data


def _check_raw(data: bytes) -> None:
    if data.startswith(_CONTAINERS):
        rule = "A stream is samples alone, in the format that the settings say"
        remedy = "Leave the file's header out"
        raise BadInput("The sound begins with a file's header", rule=rule, received=data[:4], remedy=remedy)
