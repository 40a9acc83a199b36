"""Recordings of the same: louder or softer, with noise, cut or moved in time, or at another sample rate.

A recording is described around its loudest moments, which move with it: by the energies in bands of frequency around
each moment, before it and after it. That is what it is found by. Then waveforms decide, by their correlation at the lag
where it is largest: two utterances of a word may sound alike and yet never have the same waveform. Recordings of
different rates are compared below the frequencies that both have. Shapes: T samples at 16 kHz, F frames, M moments,
C numbers that describe the surroundings of one.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from math import gcd
from typing import NamedTuple

import numpy as np

from lepton.checks import _content
from lepton.checks._index import Index, likeliest, space
from lepton.core.progress import Progress
from lepton.core.types import Record

LEAST = 0.94
"""The least correlation of near waveforms; white noise 10 dB below a recording leaves 0.95."""

CEILINGS = (1800, 3600, 7200)
"""Frequencies in Hz of which recordings are compared up to the highest that both have."""

_RATE = 16_000
_LOWEST = 80.0  # Hz; hum and offsets lie below
_SECONDS = 60.0  # that are looked at of a longer recording
_SILENT = 1e-4  # of full scale
_WINDOW, _HOP = 512, 128
_AROUND = 40  # frames of silence that are put before and after
_BANDS, _LOWEST_BAND = 20, 100.0
_POWER = 0.33
_SMOOTH = 15  # frames
_MOMENTS = 3
_SPANS = ((-20, 20), (-2, 20), (-20, 2))  # frames around a moment
_KEPT = 8  # slow changes that are kept of them, along time and along frequency
_COMPONENTS, _FLOOR = 32, 0.03
_LIKELY = 0.5
_PARTNERS = 8
_OVERLAPS = (0.35, 0.9)  # least shares of their energies where recordings overlap, of one and of the other
_EVENED = ((0.94, 0.99, 0.999), (0.55, 0.75, 0.9))  # of a correlation, and the least that is left of it when evened
_NEIGHBOURS = 256  # a spectrum's bins over those that are averaged to each side
_ASKED = 4096
_REMEMBERED = 30_000_000  # samples

Waveform = tuple[np.ndarray, int]
"""Samples (T,) at 16 kHz, and the ceiling up to which they hold something."""


class Sketch(NamedTuple):
    """The ceiling of a recording, and what describes its moments below each ceiling (M, spans, C)."""

    ceiling: int
    moments: Mapping[int, np.ndarray]


def sketch(raw: bytes) -> Sketch | None:
    """What a recording is found by; None for what is none, for silence, and for a rate below 4,000 Hz."""
    found = waveform(raw)
    if found is None:
        return None
    power = _power(found[0])
    return Sketch(found[1], {low: _moments(power @ _filters(low).T) for low in CEILINGS if low <= found[1]})


def pairs(
    records: Sequence[Record], sketches: Sequence[Sketch], progress: Progress
) -> Iterator[tuple[int, int, float]]:
    """Pairs of near recordings, by their places in `records`, with the correlation of their waveforms."""
    ceilings = sorted({one.ceiling for one in sketches})
    found = [_candidates(sketches, ceiling) for ceiling in ceilings]
    ends = np.unique(np.concatenate([np.zeros((0, 2), int), *(np.sort(pair, axis=1) for pair in found)]), axis=0)
    heard = _Heard(records)
    with progress.bar("comparing recordings", len(ends)) as bar:
        for one, two in ends.tolist():
            first, second = heard(one), heard(two)
            alike = correlation(first, second) if first and second else 0.0
            if alike >= LEAST:
                yield one, two, alike
            bar.step()


def waveform(raw: bytes) -> Waveform | None:
    """The recording in mono at 16 kHz between 80 Hz and its ceiling, as a filter without delay leaves it."""
    sound = _content.open_sound(raw, seconds=_SECONDS)
    if sound is None or not len(sound[0]):
        return None
    samples, rate = np.nan_to_num(sound[0].mean(axis=1), posinf=0, neginf=0), sound[1]
    ceiling = max((low for low in CEILINGS if low <= 0.45 * rate), default=None)
    if ceiling is None:
        return None
    period = rate // gcd(rate, _RATE)  # samples after which both rates meet again
    length = -(-(len(samples) + rate // 10) // period) * period
    count = length * _RATE // rate
    spectrum = np.fft.rfft(samples - samples.mean(), length)
    spectrum[_outside(len(spectrum), length / rate, (_LOWEST, ceiling))] = 0
    whole = np.zeros(count // 2 + 1, complex)
    whole[: len(spectrum)] = spectrum[: len(whole)]
    made = np.fft.irfft(whole, count) * (count / length)
    kept = made[: -(-len(samples) * _RATE // rate)].astype(np.float32)
    return (kept, ceiling) if np.abs(kept).max() > _SILENT else None


def correlation(first: Waveform, second: Waveform) -> float:
    """The largest correlation of two waveforms over all lags at which most of their energy overlaps, 0 to 1.

    It is 0 where only what is loudest agrees, as in two recordings of one hum, and nothing that is beside it.
    """
    ceiling = min(first[1], second[1])
    size = 1 << (len(first[0]) + len(second[0]) - 1).bit_length()
    one, two = (_below(samples, ceiling, size) for samples in (first[0], second[0]))
    # Twice as many lags as samples, or the largest may fall between two of them.
    products = 2 * np.fft.irfft(one[1] * np.conj(two[1]), 4 * (len(one[1]) - 1))
    lags = np.arange(-2 * (len(two[0]) - 1), 2 * len(one[0]))
    energies = _overlap(one[0], two[0], lags // 2)
    shares = np.sort(energies / energies.max(axis=1, keepdims=True), axis=0)
    kept = (shares[0] >= _OVERLAPS[0]) & (shares[1] >= _OVERLAPS[1])
    alike = np.abs(products[lags]) / np.sqrt(np.maximum(energies.prod(axis=0), 1e-20))
    best = int((alike * kept).argmax())
    found = float(min(1.0, alike[best] * kept[best]))
    if found < LEAST:
        return found
    evened = _evened(*_together(one[0], two[0], int(lags[best] // 2)))
    return found if evened >= np.interp(found, *_EVENED) else 0.0


class _Heard:
    """Waveforms of records by their places; some are kept so that not all are decoded again for each pair."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._kept: dict[int, Waveform | None] = {}
        self._samples = 0

    def __call__(self, place: int) -> Waveform | None:
        """The waveform, or None where there is none any more."""
        if place not in self._kept:
            if self._samples > _REMEMBERED:
                self._kept, self._samples = {}, 0
            made = self._kept[place] = _heard(self._records[place])
            self._samples += len(made[0]) if made else 0
        return self._kept[place]


def _heard(record: Record) -> Waveform | None:
    try:
        raw = record.read()
    except OSError:
        return None
    return None if isinstance(raw, str) else waveform(raw)


def _outside(bins: int, seconds: float, band: tuple[float, float]) -> np.ndarray:
    hertz = np.arange(bins) / seconds
    return (hertz < band[0]) | (hertz > band[1])


def _below(samples: np.ndarray, ceiling: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """What is below the ceiling, at no higher a rate than that needs, and its spectrum."""
    fewer = CEILINGS[-1] // ceiling
    spectrum = np.fft.rfft(samples, size)[: size // (2 * fewer) + 1] / fewer
    spectrum[_outside(len(spectrum), size / _RATE, (0, ceiling))] = 0
    return np.fft.irfft(spectrum, size // fewer)[: -(-len(samples) // fewer)], spectrum


def _together(one: np.ndarray, two: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """The parts of both that sound at once when the second starts `lag` samples after the first."""
    first, second = one[max(lag, 0) :], two[max(-lag, 0) :]
    length = min(len(first), len(second))
    return first[:length], second[:length]


def _evened(one: np.ndarray, two: np.ndarray) -> float:
    """The correlation of what sounds at once when loud frequencies are brought nearer to soft ones."""
    size = 1 << len(one).bit_length()
    first, second = (_flattened(np.fft.rfft(samples, size)) for samples in (one, two))
    products = np.abs(np.fft.irfft(first * np.conj(second), 2 * size)) * 2
    energies = [(np.fft.irfft(spectrum, size) ** 2).sum() for spectrum in (first, second)]
    return float(products[[-2, -1, 0, 1, 2]].max() / np.sqrt(max(np.prod(energies), 1e-20)))


def _flattened(spectrum: np.ndarray) -> np.ndarray:
    """The spectrum over the fourth root of its mean power around each frequency."""
    width = max(1, len(spectrum) // _NEIGHBOURS)
    power = np.abs(spectrum) ** 2
    sums = np.cumsum(np.pad(power, (width, width + 1)))
    around = (sums[2 * width :] - sums[: -2 * width])[: len(power)]
    return np.asarray(spectrum / (around + 1e-9 * power.max() + 1e-20) ** 0.25)


def _overlap(one: np.ndarray, two: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """The energies (2, lags) of both where they overlap when the second starts `lags` samples after the first."""
    found = []
    for samples, late, other in ((one, lags, len(two)), (two, -lags, len(one))):
        sums = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
        ends = np.clip(np.stack([late, late + other]), 0, len(samples))
        found.append(sums[ends[1]] - sums[ends[0]])
    return np.stack(found)


def _candidates(sketches: Sequence[Sketch], ceiling: int) -> np.ndarray:
    """Pairs (n, 2): the recordings of this ceiling, and each one's likeliest among those that go at least so high."""
    places = np.array([at for at, one in enumerate(sketches) if one.ceiling >= ceiling and len(one.moments[ceiling])])
    if len(places) < 2:
        return np.zeros((0, 2), int)
    owners = np.repeat(places, [len(sketches[at].moments[ceiling]) for at in places])
    moments = np.concatenate([sketches[at].moments[ceiling] for at in places]).astype(np.float32)
    asking = np.array([one.ceiling == ceiling for one in sketches])[owners]
    first, second, likeness = (
        np.concatenate(column)
        for column in zip(*(_hits(moments[:, span], owners, asking) for span in range(len(_SPANS))), strict=True)
    )
    chosen = likeliest(first, second, likeness, most=_PARTNERS)
    return np.stack([first[chosen], second[chosen]], axis=1)


def _hits(rows: np.ndarray, owners: np.ndarray, asking: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner, owner and likeness of moments that are near one that asks."""
    vectors = space(rows, np.eye(rows.shape[1]), size=_COMPONENTS, floor=_FLOOR)(rows)
    index = Index(vectors, owners)
    asked = np.flatnonzero(asking)
    found = []
    for start in range(0, len(asked), _ASKED):
        part = asked[start : start + _ASKED]
        hits = index.hits(vectors[part], owners[part], least=_LIKELY)
        found.append((owners[part][hits.query], owners[hits.place], hits.likeness))
    first, second, likeness = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, likeness


def _power(samples: np.ndarray) -> np.ndarray:
    """Short-time power (F, bins), with some silence around."""
    padded = np.pad(samples, _AROUND * _HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32), 2 * _WINDOW)) ** 2)


@cache
def _filters(ceiling: int) -> np.ndarray:
    """Matrix (bands, bins) that adds up the power between frequencies at equal ratios."""
    edges = np.geomspace(_LOWEST_BAND, ceiling, _BANDS + 1) * 2 * _WINDOW / _RATE
    below = np.clip(edges[:, None] - np.arange(_WINDOW + 1) + 0.5, 0, 1)
    return np.diff(below, axis=0)


def _moments(bands: np.ndarray) -> np.ndarray:
    """What describes the loudest moments (M, spans, C), float16, from energies in bands (F, bands)."""
    loud = np.convolve(bands.sum(axis=1), np.hanning(_SMOOTH), "same")
    rises = np.diff(loud, prepend=0, append=0) > 0
    peaks = np.flatnonzero(rises[:-1] & ~rises[1:])
    chosen = np.sort(peaks[np.argsort(-loud[peaks], kind="stable")][: _most(len(bands))])
    wide = np.pad(bands**_POWER, ((_AROUND, _AROUND), (0, 0)))
    made = [[_slow(wide[at + _AROUND + low : at + _AROUND + high + 1]) for low, high in _SPANS] for at in chosen]
    return np.array(made, np.float16).reshape(len(chosen), len(_SPANS), -1)


def _most(frames: int) -> int:
    """How many moments there are: one more for every two seconds."""
    return _MOMENTS + frames * _HOP // (2 * _RATE)


def _slow(part: np.ndarray) -> np.ndarray:
    """The slow changes of energies (frames, bands) along both, at one loudness: C numbers."""
    changes = _cosines(len(part)) @ part @ _cosines(part.shape[1]).T
    changes[0, 0] = 0
    return np.asarray(changes.reshape(-1) / max(float(np.linalg.norm(changes)), 1e-9))


@cache
def _cosines(count: int) -> np.ndarray:
    """The first rows of the discrete cosine transform of `count` numbers."""
    angles = np.pi * np.arange(_KEPT)[:, None] * (np.arange(count) + 0.5) / count
    rows = np.cos(angles)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
