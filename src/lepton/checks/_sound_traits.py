"""How a recording sounds, in a few numbers and in its spectrum: of all of it, and of its quietest moments.

Shapes: T samples, F frames, B = 48 bands of frequency.
"""

import io
from functools import cache
from typing import NamedTuple

import numpy as np

from lepton.checks import _content

KINDS = ("WAV", "FLAC", "OGG")
NAMES = ("seconds", "rate", "channels", "kind", "peak", "loudness", "floor", "clipped", "before", "after", "offset")
"""The numbers.

Seconds; Hz; how many; the place in KINDS; the largest sample of 1; loudness and the quietest moments in dB of full
scale; share of samples that stand at the largest one in a row; seconds of quiet before and after; the mean.
"""

BANDS = 48
_BEGINNINGS = (b"RIFF", b"fLaC", b"OggS")
_SECONDS = 60.0  # that are looked at of a longer recording
_LOWEST, _BEND, _HIGHEST = 20.0, 300.0, 8000.0  # Hz; below the bend bands are about equally wide
_FRAME = 0.064  # seconds
_QUIET = 10  # per cent of the moments
_SILENCE = 1e-12
_BELOW = 30.0  # dB below the loudest moment, where it counts as quiet


class Look(NamedTuple):
    """The numbers, and the spectra (2, B) in dB, float16: of all, and of the quietest moments."""

    numbers: tuple[float, ...]
    sketch: np.ndarray


def look(raw: bytes) -> Look | None:
    """How a recording sounds, or None for what is none."""
    length = _length(raw)
    sound = _content.open_sound(raw, seconds=_SECONDS) if length else None
    if sound is None or length is None:
        return None
    channels, rate = sound
    samples = np.nan_to_num(channels.mean(axis=1), posinf=0, neginf=0)
    file = (length, rate, channels.shape[1], _BEGINNINGS.index(raw[:4]))
    if not len(samples):
        return Look((*file, *[0.0] * 7), np.full((2, BANDS), -120, np.float16))
    power = _power(samples - samples.mean(), rate)
    loud = 10 * np.log10(power.sum(axis=1) + _SILENCE)
    told = (*file, *_levels(samples, loud), *_silences(loud), float(samples.mean()))
    return Look(told, _spectra(samples - samples.mean(), power, rate).astype(np.float16))


@cache
def edges() -> np.ndarray:
    """The frequencies in Hz between which the bands lie (B + 1,)."""
    low, high = np.log1p(np.array([_LOWEST, _HIGHEST]) / _BEND).tolist()
    return np.asarray(_BEND * np.expm1(np.linspace(low, high, BANDS + 1)))


def _length(raw: bytes) -> float | None:
    """Seconds of the whole recording, which may be longer than what is looked at."""
    import soundfile

    try:
        found = soundfile.info(io.BytesIO(raw))
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        return None
    return float(found.frames / max(found.samplerate, 1))


def _levels(samples: np.ndarray, loud: np.ndarray) -> tuple[float, ...]:
    """The peak, loudness, quietest moments, and the share of clipped samples."""
    peak = float(np.abs(samples).max())
    level = 10 * np.log10(float((samples.astype(np.float64) ** 2).mean()) + _SILENCE)
    return peak, float(level), float(np.percentile(loud, _QUIET)), _clipped(samples, peak)


def _clipped(samples: np.ndarray, peak: float) -> float:
    """The share of samples at the largest or smallest value that stand next to another such."""
    at = np.abs(samples) >= 0.999 * peak
    return float((at[1:] & at[:-1]).mean()) if len(samples) > 1 and peak > 0 else 0.0


def _silences(loud: np.ndarray) -> tuple[float, float]:
    heard = np.flatnonzero(loud > loud.max() - _BELOW)
    return float(heard[0] * _FRAME / 2), float((len(loud) - 1 - heard[-1]) * _FRAME / 2)


def _power(samples: np.ndarray, rate: int) -> np.ndarray:
    """Short-time power (F, bins) of a recording; one that is shorter than a frame is filled up with silence."""
    width = max(16, round(_FRAME * rate))
    padded = np.pad(samples, (0, max(0, width - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[:: width // 2]
    window = np.hanning(width).astype(np.float32)
    return np.asarray(np.abs(np.fft.rfft(frames * window)) ** 2 / (window**2).sum() / width)


def _spectra(samples: np.ndarray, power: np.ndarray, rate: int) -> np.ndarray:
    """Spectra (2, B) in dB below the whole: of all samples at once, which is fine, and of the quietest moments."""
    whole = np.abs(np.fft.rfft(samples)) ** 2 / len(samples) ** 2
    quiet = np.percentile(power, _QUIET, axis=0)
    found = np.stack([_banded(whole, rate), _banded(quiet, rate)])
    return np.asarray(np.maximum(10 * np.log10(found + _SILENCE), -120))


def _banded(power: np.ndarray, rate: int) -> np.ndarray:
    """Power in bands (B,) from power in bins, those that a bin spans sharing it."""
    bins = np.arange(len(power) + 1) * rate / (2 * max(len(power) - 1, 1))
    sums = np.concatenate([[0.0], np.cumsum(power)])
    return np.asarray(np.diff(np.interp(edges(), bins, sums)))
