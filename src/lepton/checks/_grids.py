"""What pictures are found by: coarse grids of grey levels, of a picture as it is and of how a copy may show it.

A grid leaves out the margin, where frames stand and what a shift brought in. Shapes: N pictures, S = 32 pixels a side
of a thumbnail, G = 16 cells a side of a grid, E = 21 pieces of a side, V = 254 ways to show a picture.
"""

from itertools import product

import numpy as np
from PIL import Image

from lepton.checks import _alignment, _content
from lepton.checks._index import Space, space, spread, unit

SIDE = 32
_CELLS = 16
_COMPONENTS = 100
_FLOOR = 0.01  # of the largest component; what is smaller is noise for the most part
_NOISE = 1e-4  # variance that saving and resampling may bring into a grid
_CONTRAST = 2.0  # standard deviation in grey levels
_PIXELS = (1 / 28, 1 / 56, 1 / 112)  # small pictures have about so many

_CUTS = [(low / 20, 1 - high / 20) for low in range(5) for high in range(5 - low)]
_SHIFTS = [[(shift, 1 + shift) for shift in (-pixel, 0, pixel)] for pixel in _PIXELS]
_ENDS = sorted({*_CUTS, *(ends for shifts in _SHIFTS for ends in shifts)})
_PLACED = [place for ends in (_CUTS, *_SHIFTS) for place in product(map(_ENDS.index, ends), repeat=2)]
_BY_PIECE = list(dict.fromkeys(_PLACED))
_MIRRORS = [(True, False), (False, True), (True, True)]
_TONES = [(1.5, 0), (1, -50)]  # gains and offsets that cut off at white or black

_PIECED = [(*_ENDS[x], *_ENDS[y]) for x, y in _BY_PIECE]
BOXES = np.array([*_PIECED, *[(0, 1, 0, 1)] * (len(_TONES) + len(_MIRRORS))], np.float32)
"""The ways (V, 4): cuts of up to a fifth of each side, shifts by a pixel, tones and mirrors; shares of the picture."""
TURNS = np.array([(False, False)] * (len(_PIECED) + len(_TONES)) + _MIRRORS)
"""Whether each way mirrors the picture left to right and top to bottom before (V, 2)."""


def thumbnail(raw: bytes) -> np.ndarray | None:
    """Grey levels (S, S) uint8 of an image, or None for what is none."""
    image = _content.open_image(raw, about=2 * SIDE)
    if image is None:
        return None
    grey = _content.plain(image).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0))


def uneven(pictures: np.ndarray) -> np.ndarray:
    """The places of the thumbnails (N, S, S) that are not of one grey inside the margin."""
    return np.flatnonzero([picture[2:-2, 2:-2].std() >= _CONTRAST for picture in pictures])


def learn(pictures: np.ndarray) -> Space:
    """The space of grids that tells pictures (N, S, S) apart; that cells are like their neighbours is known before."""
    across, down = (places.reshape(-1, 1) for places in np.meshgrid(np.arange(_CELLS), np.arange(_CELLS)))
    alike = np.exp(-np.hypot(across - across.T, down - down.T) / 4)
    centre = np.eye(_CELLS**2) - 1 / _CELLS**2
    return space(grids(spread(pictures)), centre @ alike @ centre, size=_COMPONENTS, floor=_FLOOR, least=_NOISE)


def grids(pictures: np.ndarray) -> np.ndarray:
    """The grids (N, G G) of pictures (N, h, w)."""
    height, width = pictures.shape[1:]
    return _rows(_pieces([(0, 1)], height)[0] @ pictures.astype(np.float32) @ _pieces([(0, 1)], width)[0].T)


def shown(pictures: np.ndarray) -> np.ndarray:
    """The grids (N, V, G G) of thumbnails (N, S, S) in all ways."""
    pieces = _pieces(_ENDS, SIDE).reshape(-1, SIDE)
    pieced = (pieces @ pictures.astype(np.float32) @ pieces.T).reshape(-1, len(_ENDS), _CELLS, len(_ENDS), _CELLS)
    columns, lines = np.array(_BY_PIECE).T
    boxed = _rows(pieced.transpose(0, 1, 3, 2, 4)[:, lines, columns])
    toned = [grids(np.clip(gain * pictures.astype(np.float32) + offset, 0, 255)) for gain, offset in _TONES]
    mirrored = [grids(turned(pictures, np.full(len(pictures), way - len(_MIRRORS)))) for way in range(len(_MIRRORS))]
    return np.concatenate([boxed, np.stack([*toned, *mirrored], axis=1)], axis=1)


def turned(pictures: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Pictures (N, S, S), each mirrored as its way says."""
    made = pictures.copy()
    for axis, mirrored in ((2, TURNS[ways, 0]), (1, TURNS[ways, 1])):
        made[mirrored] = np.flip(made[mirrored], axis=axis)
    return made


def _pieces(ends: list[tuple[float, float]], pixels: int) -> np.ndarray:
    """Matrices (E, G, pixels) that make cells of what lies inside the margin of each piece."""
    low, high = np.array(ends).T * pixels
    margin = _alignment.MARGIN * (high - low)
    return _alignment.weights(low + margin, high - margin, (_CELLS, pixels))


def _rows(cells: np.ndarray) -> np.ndarray:
    """Cells (..., G, G) as rows (..., G G) with mean 0 and length 1."""
    rows = cells.reshape(*cells.shape[:-2], -1)
    return unit(rows - rows.mean(axis=-1, keepdims=True))
