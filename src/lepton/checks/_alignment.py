"""Laying one picture over another: the box of the first that the second shows, found by least squares.

B. Lucas and T. Kanade, "An iterative image registration technique" (1981), for a shift and a scale along each axis and
an affine change of brightness. Such a box is separable, so that every resampling is two small matrix products.
Shapes: N pairs, H x W pixels of the originals, h x w of the copies; a box is (left, right, top, bottom), shares of the
original's width and height.
"""

from typing import NamedTuple

import numpy as np

MARGIN = 0.06
"""The share at each edge that is not looked at: frames, and what a shift brought in, stand there."""

_STEP = 1 / 24  # most that an edge of the box moves in a round, of the original's side
_SAME = 0.9995  # correlation at which there is nothing to be gained
_DARK, _BRIGHT = 3, 252  # beyond these a grey level may have been cut off
_GAINS = (0.4, 2.5)
_BLUR = 0.2  # of the gain
_FREE = 0.2  # share of the pixels between them that tells the gain


class Fit(NamedTuple):
    """The boxes (N, 4); the originals in them (N, h, w), toned as the copies; and what of that counts, 0 or 1.

    Toned: as bright, contrasty and sharp as the copies, and cut off at black and white. Elsewhere the copy stands.
    """

    boxes: np.ndarray
    toned: np.ndarray
    counts: np.ndarray


class _Look(NamedTuple):
    """Places in pixels, what is there, how it is toned, what counts; how columns (N, w, W) and rows (N, h, H) came."""

    places: np.ndarray
    shown: np.ndarray
    toned: np.ndarray
    counts: np.ndarray
    across: np.ndarray
    down: np.ndarray


def fit(originals: np.ndarray, copies: np.ndarray, boxes: np.ndarray, *, rounds: int) -> Fit:
    """The boxes of the originals (N, H, W) in which they look most like the copies (N, h, w), starting from `boxes`.

    Grey levels are float32. For each pair the best of at most `rounds` steps is kept.
    """
    height, width = originals.shape[1:]
    frame = np.array([width, width, height, height], np.float32)
    slopes = np.gradient(originals, axis=2), np.gradient(originals, axis=1)
    look = best = _look(originals, copies, (boxes * frame).astype(np.float32))
    most = correlation(best.toned, copies, best.counts)
    for _ in range(rounds):
        if (most > _SAME).all():
            break
        look = _look(originals, copies, look.places + _step(look, copies, slopes))
        alike = correlation(look.toned, copies, look.counts)
        better = (alike > most)[:, None, None]
        most = np.maximum(most, alike)
        best = _Look(
            np.where(better[:, 0], look.places, best.places),
            *(np.where(better, new, old) for new, old in zip(look[1:], best[1:], strict=True)),
        )
    return Fit(best.places / frame, np.where(best.counts > 0, best.toned, copies), best.counts)


def toned(originals: np.ndarray, copies: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colour planes (C, h, w) of an original in `box`, toned as those of a copy, all by the same; and what counts."""
    height, width = originals.shape[1:]
    places = np.repeat((box * (width, width, height, height))[None].astype(np.float32), len(originals), axis=0)
    shown, counts = _shown(originals, copies.shape, places)[:2]
    rows = tuple(planes.reshape(1, -1, planes.shape[2]) for planes in (shown, copies, counts))
    return np.where(counts > 0, _toned(*rows).reshape(copies.shape), copies), counts


def correlation(first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The correlation of each pair of pictures (N, h, w) where `counts`; -1 where little counts, 0 for flat ones."""
    one, two = _centred(first, counts), _centred(second, counts)
    power = (counts * one * one).sum((1, 2)) * (counts * two * two).sum((1, 2))
    found = (counts * one * two).sum((1, 2)) / np.sqrt(power + 1e-6)
    return np.asarray(np.where(counts.mean((1, 2)) < 0.4, -1, found))


def weights(low: np.ndarray, high: np.ndarray, sizes: tuple[int, int]) -> np.ndarray:
    """Matrices (N, n, m) that resample m pixels to the n that fill `low` to `high` (N,), in pixels; `sizes` is (n, m).

    R. Keys's cubic (1981), widened where pixels are left out; beyond the ends the last pixel goes on.
    """
    count, pixels = sizes
    step = ((high - low) / count)[:, None]
    centres = np.clip(low[:, None] + (np.arange(count) + 0.5) * step, 0.5, pixels - 0.5)
    reach = np.maximum(1, np.abs(step))[:, :, None]
    far = np.abs(centres[:, :, None] - np.arange(pixels) - 0.5) / reach
    near = np.where(far < 1, (1.5 * far - 2.5) * far * far + 1, ((2.5 - 0.5 * far) * far - 4) * far + 2)
    kernel = np.where(far < 2, near, 0)
    return np.asarray(kernel / kernel.sum(axis=2, keepdims=True), np.float32)


def _look(originals: np.ndarray, copies: np.ndarray, places: np.ndarray) -> _Look:
    shown, counts, across, down = _shown(originals, copies.shape, places)
    return _Look(places, shown, _toned(shown, copies, counts), counts, across, down)


def _shown(originals: np.ndarray, shape: tuple[int, ...], places: np.ndarray) -> tuple[np.ndarray, ...]:
    """What is at the places, in as many pixels as `shape` has, what of it counts, and the matrices of both axes."""
    _, height, width = shape
    across = weights(places[:, 0], places[:, 1], (width, originals.shape[2]))
    down = weights(places[:, 2], places[:, 3], (height, originals.shape[1]))
    inside = (_inside(places[:, 2:], height, originals.shape[1]), _inside(places[:, :2], width, originals.shape[2]))
    counts = inside[0][:, :, None] * inside[1][:, None, :]
    return down @ originals @ across.transpose(0, 2, 1), counts, across, down


def _inside(ends: np.ndarray, count: int, pixels: int) -> np.ndarray:
    """Which of `count` pixels from `ends[0]` to `ends[1]` show some of the original and are not of the margin."""
    shares = (np.arange(count) + 0.5) / count
    centres = ends[:, :1] + shares * (ends[:, 1:] - ends[:, :1])
    margin = max(1, round(MARGIN * count))
    inner = (np.arange(count) >= margin) & (np.arange(count) < count - margin)
    return np.asarray(inner & (centres > -0.01) & (centres < pixels + 0.01), np.float32)


def _step(look: _Look, copies: np.ndarray, slopes: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How the places (N, 4) should move: a damped Gauss-Newton step."""
    height, width = copies.shape[1:]
    counts = _live(look, copies)
    shown, wanted = _centred(look.shown, counts), _centred(copies, counts)
    gain = _sum(counts * shown * wanted) / np.maximum(_sum(counts * shown * shown), 1e-6)
    moved = [look.down @ slope @ look.across.transpose(0, 2, 1) * gain for slope in slopes]
    right, bottom = (np.arange(width) + 0.5) / width, ((np.arange(height) + 0.5) / height)[:, None]
    columns = [moved[0] * (1 - right), moved[0] * right, moved[1] * (1 - bottom), moved[1] * bottom]
    columns += [shown, np.ones_like(shown)]
    slope = np.stack(columns, axis=1).reshape(len(copies), 6, -1)
    weighted = slope * counts.reshape(len(copies), 1, -1)
    error = (wanted - gain * shown).reshape(len(copies), -1, 1)
    square = (weighted @ slope.transpose(0, 2, 1)).astype(np.float64)
    diagonal = np.arange(6)
    square[:, diagonal, diagonal] *= 1.001
    square[:, diagonal, diagonal] += 1e-6 * square[:, diagonal, diagonal].max(axis=1, keepdims=True) + 1e-6
    step = np.linalg.solve(square, (weighted @ error).astype(np.float64))[:, :4, 0]
    sides = np.array(slopes[0].shape)[[2, 2, 1, 1]] * _STEP
    return np.asarray(np.clip(step, -sides, sides), np.float32)


def _live(look: _Look, copies: np.ndarray) -> np.ndarray:
    """What counts without the pixels that are cut off in both, which do not tell where the box lies."""
    black = (look.toned <= _DARK) & (copies <= _DARK)
    white = (look.toned >= _BRIGHT) & (copies >= _BRIGHT)
    live = look.counts * ~(black | white)
    return np.where(_sum(live) > _FREE * _sum(look.counts), live, look.counts)


def _centred(pictures: np.ndarray, counts: np.ndarray) -> np.ndarray:
    total = np.maximum(counts.sum((1, 2), keepdims=True), 1)
    return np.asarray(pictures - (pictures * counts).sum((1, 2), keepdims=True) / total)


def _toned(shown: np.ndarray, copies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The originals as shown, as bright, contrasty and sharp as the copies, cut off at black and white as those."""
    free = counts * ((copies > _DARK) & (copies < _BRIGHT))
    enough = free.sum((1, 2), keepdims=True) > _FREE * counts.sum((1, 2), keepdims=True)
    plain = _tone(shown, copies, counts)
    bare = _tone(shown, copies, np.where(enough, free, counts))
    return np.where(_error(bare, copies, counts) < _error(plain, copies, counts), bare, plain)


def _tone(shown: np.ndarray, copies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The copies by least squares from a gain, an offset and some of the Laplacian, by which resampling blurs."""
    one, bent, two = (_centred(picture, counts) for picture in (shown, _laplacian(shown), copies))
    power, bend = (np.maximum(_sum(counts * x * x), 1e-6) for x in (one, bent))
    cross = _sum(counts * one * bent)
    with_one, with_bent = _sum(counts * one * two), _sum(counts * bent * two)
    free = np.maximum(power * bend - cross**2, 1e-6 * power * bend)
    gain = np.clip((bend * with_one - cross * with_bent) / free, *_GAINS)
    blur = np.clip((with_bent - gain * cross) / bend, -_BLUR * gain, _BLUR * gain)
    gain = np.clip((with_one - blur * cross) / power, *_GAINS)
    offset = _sum(counts * copies) / np.maximum(_sum(counts), 1)
    return np.asarray(np.clip(gain * one + blur * bent + offset, 0, 255))


def _laplacian(pictures: np.ndarray) -> np.ndarray:
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    beside = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] + padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
    return np.asarray(beside - 4 * pictures)


def _sum(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.sum((1, 2), keepdims=True))


def _error(toned: np.ndarray, copies: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return _sum(counts * (copies - toned) ** 2)
