"""Resampling by a polyphase filter: a windowed sinc, evaluated for each phase that occurs.

Crochiere and Rabiner, "Multirate Digital Signal Processing" (1983); the window is Kaiser's with beta 8.6, which keeps
aliases about 80 dB down. Shapes: N samples in, M samples out, K taps.
"""

from functools import lru_cache
from math import gcd

import numpy as np

_CROSSINGS = 24  # zero crossings of the sinc on each side
_ROLLOFF = 0.92  # of the lower Nyquist frequency; the filter's slope lies above it
_BETA = 8.6
_LARGEST = 1_000_000  # weights of a filter matrix that is worth keeping
_WIDE = 64  # samples out that one product gives at least
_BLOCK = 4096  # samples out that are filtered at once, so that memory stays small


def resampled(signal: np.ndarray, source: int, target: int) -> np.ndarray:
    """The signal, float (N,) at `source` Hz, as float32 (ceil(N target / source),) at `target` Hz, without delay.

    Beyond its ends the signal counts as silence.
    """
    if source == target or not len(signal):
        return signal.astype(np.float32)
    common = gcd(source, target)
    up, down = target // common, source // common
    count = -(-len(signal) * up // down)
    reach = _reach(up, down)
    wide = np.concatenate([np.zeros(reach - 1), signal, np.zeros(reach + down)]).astype(np.float32)
    small = up * (2 * reach + down) <= _LARGEST
    return _periods(wide, count, (up, down)) if small else _singly(wide, count, (up, down))


def _reach(up: int, down: int) -> int:
    """Taps on each side of a sample out."""
    return int(np.ceil(_CROSSINGS * max(1.0, down / up) / _ROLLOFF)) + 1


def _periods(wide: np.ndarray, count: int, ratio: tuple[int, int]) -> np.ndarray:
    """Some whole periods of `up` samples out at a time by one matrix; `wide` starts `_reach - 1` samples early."""
    up, down = ratio
    together = max(1, _WIDE // up)
    matrix = _matrix(up, down, together)
    rows = -(-count // (up * together))
    missing = (rows - 1) * down * together + len(matrix) - len(wide)
    full = np.pad(wide, (0, max(0, missing)))
    windows = np.lib.stride_tricks.sliding_window_view(full, len(matrix))[:: down * together][:rows]
    # BLAS takes no windows that overlap: without the copy the product is 20 times slower.
    return np.asarray(np.ascontiguousarray(windows) @ matrix).reshape(-1)[:count]


@lru_cache(maxsize=16)
def _matrix(up: int, down: int, together: int) -> np.ndarray:
    """float32 (K + together down, together up): in each column the filter of one sample out, where it stands."""
    first, phase = np.divmod(np.arange(up * together) * down, up)
    responses = _responses(phase, (up, down))
    matrix = np.zeros((responses.shape[1] + down * together, up * together), np.float32)
    for column, (start, response) in enumerate(zip(first, responses, strict=True)):
        matrix[start : start + len(response), column] = response
    return matrix


def _singly(wide: np.ndarray, count: int, ratio: tuple[int, int]) -> np.ndarray:
    """Every sample out by a filter of its own, for odd pairs of rates with many phases; `wide` as above."""
    up, down = ratio
    windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * _reach(up, down))
    out = np.empty(count, np.float32)
    for start in range(0, count, _BLOCK):
        first, phase = np.divmod(np.arange(start, min(start + _BLOCK, count)) * down, up)
        out[start : start + _BLOCK] = np.einsum("mk,mk->m", windows[first], _responses(phase, ratio))
    return out


def _responses(phase: np.ndarray, ratio: tuple[int, int]) -> np.ndarray:
    """(len(phase), K) windowed sincs, each with a sum of 1, around a place `phase / up` samples after a sample."""
    up, down = ratio
    reach = _reach(up, down)
    cut = min(1.0, up / down) * _ROLLOFF
    distance = (np.arange(1 - reach, reach + 1) - (phase / up)[:, None]) * cut
    shape = np.interp(np.abs(distance) / _CROSSINGS, np.linspace(0, 1, 4097), _window(), right=0)
    response = np.sinc(distance) * shape
    return np.asarray(response / response.sum(1, keepdims=True), np.float32)


@lru_cache(maxsize=1)
def _window() -> np.ndarray:
    """Half of Kaiser's window, from its middle (1) to its end."""
    return np.asarray(np.i0(_BETA * np.sqrt(1 - np.linspace(0, 1, 4097) ** 2)) / np.i0(_BETA))
