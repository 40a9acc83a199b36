"""Recordings to log-mel features: decode, mix to mono, cut to one length, resample, short-time spectra, mel bands.

Shapes: N samples, T frames, F frequencies, M mel bands. The mel scale is HTK's, 2595 log10(1 + f / 700), with
triangles of height 1 (Davis and Mermelstein, 1980); the window is Hann's, periodic; there is no padding at the ends,
and the logarithm is natural.
"""

import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import numpy as np
import soundfile

from lepton.core.errors import BadInput, UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import bytes_of, some, stacked
from lepton.transforms._resample import resampled

MODALITY = "audio"
INPUTS = ("features",)

MAX_SECONDS = 600.0
"""Longest recording taken unless the settings say otherwise; the header is checked before anything is decoded."""

MAX_SAMPLES = 64_000_000
"""Most samples over all channels."""

_CHANNELS = 16
_RATES = (1_000, 192_000)
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "AIFF", "MP3")
_MARKS = re.compile(rb"(?:RIFF|RIFX|RF64)....WAVE|FORM....AIF[CF]|fLaC|OggS|\xff[\xe0-\xff]", re.DOTALL)
_TAGS = 4
_UNKNOWN = (0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF)
"""What programs write for a length that they do not know yet."""
_CHUNKS = 64
_LOOKED_AT = 512  # training recordings that `fit` looks at
_LONGEST = 30.0
_LEVEL = 0.1  # what the loudness of a recording is brought to, of full scale
_QUIET = 1e-4  # a recording below this loudness is left alone: what it has is noise
_FLOOR = 1e-6  # power added before the logarithm


def fit(
    raws: Iterable[Raw],
    *,
    rate: Annotated[int, Range(1_000, 48_000)] | None = None,
    seconds: Annotated[float, Range(0.05, 600)] | None = None,
    mels: Annotated[int, Range(4, 256)] = 40,
    window_ms: Annotated[float, Range(2, 200)] = 25.0,
    hop_ms: Annotated[float, Range(1, 100)] = 10.0,
    low_hz: Annotated[float, Range(0, 20_000)] = 20.0,
    trim_db: Annotated[float, Range(10, 120)] | None = None,
    level: Literal["rms", "peak", "bands", "none"] = "rms",
    max_seconds: Annotated[float, Range(1, 36_000)] = MAX_SECONDS,
) -> Fitted:
    """Fix rate and length from up to 512 training recordings, evenly spread.

    `rate` in Hz left open is the one most recordings have, at most 16,000. `seconds` left open is the 98th percentile
    of the lengths (after trimming), at most 30; shorter recordings are centred in silence, of longer ones the centre
    is taken. `trim_db` cuts leading and trailing frames of 10 ms that many dB below the loudest one. `level`: "rms" or
    "peak" brings each recording to the same loudness, "bands" takes each band's mean over the recording away (which
    also removes the microphone's colour), "none" leaves it. Recordings that cannot be decoded are passed over; raises
    UserError when none can be.
    """
    looks = _looks(some(raws, _LOOKED_AT), trim_db, max_seconds) if rate is None or seconds is None else []
    chosen = rate or min(16_000, Counter(each for each, _ in looks).most_common(1)[0][0])
    length = seconds or _length([duration for _, duration in looks], window_ms)
    settings = {"rate": chosen, "seconds": length, "mels": mels, "window_ms": window_ms, "hop_ms": hop_ms}
    return Fitted({**settings, "low_hz": low_hz, "trim_db": trim_db, "level": level, "max_seconds": max_seconds})


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from the bytes of a sound file to {"features": float32 (T, M)}, T the same for all.

    It takes WAV, FLAC, OGG, AIFF and MP3. It raises BadInput for anything else, for broken, empty or overlong files,
    and for samples that are no numbers.
    """
    spectrum = _Spectrum(settings)
    rate, count, level = settings["rate"], spectrum.samples, settings["level"]

    def encode(raw: Raw) -> Arrays:
        signal, own_rate = decode(raw, max_seconds=settings["max_seconds"])
        kept = _trimmed(signal, own_rate, settings["trim_db"])
        levelled = _levelled(_centre(kept, -(-count * own_rate // rate)), level)
        features = spectrum(_centred(_centre(resampled(levelled, own_rate, rate), count), count))
        return {"features": features - features.mean(0) if level == "bands" else features}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch: {"features": float32 (B, T, M)}."""
    return stacked(samples)


def decode(raw: Raw, *, max_seconds: float = MAX_SECONDS) -> tuple[np.ndarray, int]:
    """The recording as float32 (N,), the mean of its channels, full scale at 1; and its rate in Hz.

    Raises BadInput as the encoder does.
    """
    data = _with_length(_untagged(bytes_of(raw, "a sound")))
    _check_marks(data)
    try:
        with soundfile.SoundFile(_Stream(data)) as file:
            _check_header(file, max_seconds)
            samples = file.read(frames=file.frames, dtype="float32", always_2d=True)
            rate = file.samplerate
    except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
        rule = "It must be a whole WAV, FLAC, OGG, AIFF or MP3 file"
        why = getattr(error, "error_string", error)
        received = f"{len(data)} bytes that begin with {data[:12]!r} ({why})"
        raise BadInput("The recording cannot be decoded", rule=rule, received=received) from error
    if not len(samples):
        raise BadInput("The recording is empty", rule="It must have at least one sample", received="0 samples")
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(1)
    if not np.isfinite(mono).all():
        raise BadInput("The recording has samples that are no finite numbers", remedy="Save it as 16-bit PCM")
    return mono, rate


def _untagged(data: bytes) -> bytes:
    """The file behind its ID3 tags, of which it may have a few."""
    start = 0
    for _ in range(_TAGS):
        if data[start : start + 3] == b"ID3" and len(data) >= start + 10:
            start += 10 + sum(
                (byte & 127) << shift for byte, shift in zip(data[start + 6 : start + 10], (21, 14, 7, 0), strict=True)
            )
    return data[start:]


def _with_length(data: bytes) -> bytes:
    """A WAV that was written to a pipe, its length unknown then, with the length that it has."""
    place, size = _samples(data)
    if not data.startswith(b"RIFF") or not place or size not in _UNKNOWN:
        return data
    return b"".join((data[: place - 4], (len(data) - place).to_bytes(4, "little"), data[place:]))


def _check_marks(data: bytes) -> None:
    """Refuse by the first bytes what would never be taken, and a header that claims more than any may.

    The library knows formats besides, and searches some of them without end.
    """
    if not _MARKS.match(data):
        raise BadInput("The recording has an unknown format", rule=f"Known: {', '.join(_FORMATS)}", received=data[:12])
    _, claimed = _samples(data)
    if claimed > max(len(data), MAX_SAMPLES):
        received = f"{claimed:,} bytes of samples in a file of {len(data):,}"
        remedy = "Save the file whole: a program that writes to a pipe cannot know the length"
        raise BadInput("The header claims more than there is", received=received, remedy=remedy)


def _samples(data: bytes) -> tuple[int, int]:
    """Where the samples of a WAV or AIFF begin, and how many bytes its header claims; 0 where that does not tell."""
    if not data.startswith((b"RI", b"RF64", b"FORM")):
        return 0, 0
    order: Literal["little", "big"] = "big" if data.startswith((b"RIFX", b"FORM")) else "little"
    place, long = 12, 0
    for _ in range(_CHUNKS):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], order)
        if name in (b"data", b"SSND"):
            return place + 8, long or size
        if name == b"ds64":
            long = int.from_bytes(data[place + 16 : place + 24], order)
        place += 8 + size + size % 2
    return 0, long


class _Stream(io.BytesIO):
    """Bytes in which a place before the start is the start, and one behind all places is the last.

    A damaged header makes the decoder seek there, and an error raised under it would be printed, not raised.
    """

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place as BytesIO does, or to the start."""
        origin = (0, self.tell(), len(self.getbuffer()))[whence]
        return super().seek(min(max(0, origin + offset), sys.maxsize))


def _check_header(file: Any, max_seconds: float) -> None:
    """Hold the header against the limits before a sample is read: a lying one could ask for gigabytes."""
    if file.format not in _FORMATS:
        raise BadInput(
            "The recording has an unknown format", rule=f"Known: {', '.join(_FORMATS)}", received=file.format
        )
    if not _RATES[0] <= file.samplerate <= _RATES[1]:
        rule = f"It must be between {_RATES[0]:,} and {_RATES[1]:,} Hz"
        raise BadInput("The sample rate is out of range", rule=rule, received=f"{file.samplerate} Hz")
    if file.channels > _CHANNELS:
        raise BadInput("The recording has too many channels", rule=f"At most {_CHANNELS}", received=file.channels)
    if file.frames > max_seconds * file.samplerate or file.frames * file.channels > MAX_SAMPLES:
        received = f"{file.frames:,} samples in each of {file.channels} channels, {file.samplerate} Hz"
        rule = f"At most {max_seconds:g} s and {MAX_SAMPLES:,} samples"
        raise BadInput("The recording is too long", rule=rule, received=received, remedy="Cut it")


def _trimmed(signal: np.ndarray, rate: int, below: float | None) -> np.ndarray:
    """Without the leading and trailing frames of 10 ms that are `below` dB quieter than the loudest."""
    step = max(1, rate // 100)
    if below is None or len(signal) < step:
        return signal
    frames = signal[: len(signal) // step * step].reshape(-1, step)
    power = np.square(frames, dtype=np.float64).mean(1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below / 10))
    last = len(signal) if loud[-1] + 1 == len(power) else (loud[-1] + 1) * step
    return signal[loud[0] * step : last]


def _levelled(signal: np.ndarray, level: str) -> np.ndarray:
    if level in ("none", "bands"):
        return signal
    squares = np.square(signal, dtype=np.float64)
    loudness = float(np.sqrt(squares.max() if level == "peak" else squares.mean()))
    aim = 1.0 if level == "peak" else _LEVEL
    return signal if loudness < _QUIET else signal * np.float32(aim / loudness)


def _centre(signal: np.ndarray, count: int) -> np.ndarray:
    """The middle `count` samples, or all where there are fewer."""
    start = max(0, len(signal) - count) // 2
    return signal[start : start + count]


def _centred(signal: np.ndarray, count: int) -> np.ndarray:
    """The signal in the middle of `count` samples of silence."""
    missing = count - len(signal)
    return np.pad(signal, (missing // 2, missing - missing // 2)) if missing else signal


class _Spectrum:
    """Log-mel features of signals that all have `samples` samples."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        rate = settings["rate"]
        self.hop = max(1, round(rate * settings["hop_ms"] / 1000))
        self.width = max(2, round(rate * settings["window_ms"] / 1000))
        self.samples = max(self.width, round(rate * settings["seconds"]))
        self.points = 1 << (self.width - 1).bit_length()
        self.window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.width) / self.width)).astype(np.float32)
        self.bands = filterbank(rate, self.points, (settings["mels"], settings["low_hz"])).T.copy()

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """float32 (samples,) to float32 (T, M), T = 1 + (samples - width) // hop."""
        frames = np.lib.stride_tricks.sliding_window_view(signal, self.width)[:: self.hop]
        spectra = np.fft.rfft(frames * self.window, self.points)
        power = (spectra.real**2 + spectra.imag**2).astype(np.float32)
        features: np.ndarray = np.log(power @ self.bands + np.float32(_FLOOR))
        return features


@lru_cache(maxsize=16)
def filterbank(rate: int, points: int, bands: tuple[int, float]) -> np.ndarray:
    """Triangles on the mel scale, float32 (M, F = points / 2 + 1), of `bands` = (M, lowest frequency in Hz).

    Each rises from the centre of the one below to its own and falls to that of the one above; the last ends at half
    the rate. A band too narrow to hold a frequency takes the one nearest to its centre, so that none is always zero.
    """
    count, low = bands
    edges = _hertz(np.linspace(_mel(min(low, rate / 4)), _mel(rate / 2), count + 2))
    places = np.arange(points // 2 + 1) * rate / points
    rising = (places - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - places) / np.diff(edges)[1:, None]
    weights = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(weights.max(1) == 0)
    weights[empty, np.abs(places - edges[1:-1][empty, None]).argmin(1)] = 1
    return np.asarray(weights, np.float32)


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def _looks(raws: Sequence[Raw], trim_db: float | None, max_seconds: float) -> list[tuple[int, float]]:
    """Rate and seconds of each recording that can be decoded."""
    found = []
    for raw in raws:
        try:
            signal, rate = decode(raw, max_seconds=max_seconds)
        except BadInput as error:
            last = error
            continue
        found.append((rate, len(_trimmed(signal, rate, trim_db)) / rate))
    if not found:
        raise UserError("None of the training recordings can be decoded", rule=last.message, remedy="Check data.source")
    return found


def _length(durations: Sequence[float], window_ms: float) -> float:
    enough = float(np.quantile(durations, 0.98, method="higher"))
    return round(min(_LONGEST, max(enough, 2 * window_ms / 1000, 0.05)), 3)
