"""Pictures that show the same: saved again, cut, mirrored, made brighter, moved or made smaller.

Every picture is looked for among all others in all ways a copy may show it (`_grids`), in the space of this data set's
own components, where what all its pictures share counts little. What is found is laid over the other (`_alignment`),
as thumbnails first and then in full. Two are near when grids and pixels together lack little to a correlation of 1;
how little depends on how much alike other pictures of this data set are, since a hundred written ones look the same.
Shapes: N pictures, S = 32 pixels a side of a thumbnail, V ways.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image

from lepton.checks import _alignment, _content, _grids
from lepton.checks._index import Index, Space, likeliest
from lepton.core.progress import Progress
from lepton.core.types import Record

FARTHEST = (0.025, 0.05)
"""Between these lies the largest sum of what the correlations of near pictures' grids and pixels lack to 1."""

_OTHERS = 3  # the rank from which a picture's likeliest ones are taken for other pictures ...
_RARE = 0.01  # ... of which the likest are no duplicates ...
_CLOSER = 0.5  # ... where duplicates are this much closer

_SEARCHED = 48  # components that candidates are found by
_TOGETHER = 128  # pictures that are looked for at once
_LEAST = 0.7  # likeness of a candidate
_PARTNERS = 4  # candidates for each picture
_ROUGHLY = 0.9  # likeness of thumbnails, laid over each other, that is worth a look in full ...
_AT_LEAST = 0.65  # ... and that of a partner by far likelier than others,
_BY_FAR = 1.5  # which lack so many times more
_LARGEST = 128  # longest side of pictures compared in full
_DECODED = 512
_SMALLEST = 0.7  # side of the box that a copy shows ...
_BEYOND = 0.06  # ... and how far it may reach beyond the picture
_RESCALED = 0.06  # a size so little off is left to the alignment, since resampling blurs
_COLOURS = 0.95  # least correlation of mean colours ...
_COLOURED = 5.0  # ... where the planes of both pictures differ by so many levels
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_NONE = 2.0


class Candidate(NamedTuple):
    """Two pictures by their places, the way and the box of the first that the second may show, and a likeness."""

    first: int
    second: int
    way: int
    box: np.ndarray
    likeness: float


def pairs(records: Sequence[Record], thumbnails: np.ndarray, progress: Progress) -> Iterator[tuple[int, int, float]]:
    """Pairs of near pictures, by their places in `records`, with their likeness. `thumbnails`: (N, S, S) uint8."""
    places = _grids.uneven(thumbnails)
    if len(places) < 2:
        return
    whole = _grids.learn(thumbnails[places])
    found: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    search = _Search(thumbnails, places, whole)
    with progress.bar("searching pictures", len(places)) as bar:
        for start in range(0, len(places), _TOGETHER):
            asked = places[start : start + _TOGETHER]
            for one in search.candidates(asked):
                found[min(one[:2]), max(one[:2])].append(one)
            bar.step(len(asked))
    yield from _near(records, found, (whole, progress))


class _Search:
    """Finds candidates among thumbnails, those at `places`."""

    def __init__(self, thumbnails: np.ndarray, places: np.ndarray, whole: Space) -> None:
        self._thumbnails = thumbnails
        self._places = places
        self._whole = whole
        self._space = whole.first(_SEARCHED)
        parts = (places[start : start + 4096] for start in range(0, len(places), 4096))
        self._index = Index(np.concatenate([self._space(_grids.grids(thumbnails[part])) for part in parts]), places)

    def candidates(self, asked: np.ndarray) -> Iterator[Candidate]:
        """The likeliest partners of each picture `asked` that are still alike when laid over it."""
        ways = len(_grids.BOXES)
        shown = self._space(_grids.shown(self._thumbnails[asked]).reshape(len(asked) * ways, -1))
        hits = self._index.hits(shown, np.repeat(asked, ways), least=_LEAST)
        first, second, way = asked[hits.query // ways], self._places[hits.place], hits.query % ways
        chosen = likeliest(first, second, hits.likeness, most=_PARTNERS)
        least = np.where(_outstanding(first[chosen], hits.likeness[chosen]), _AT_LEAST, _ROUGHLY)
        for start in range(0, len(chosen), _TOGETHER):
            part = chosen[start : start + _TOGETHER]
            candidates = self._laid_over(first[part], second[part], way[part])
            wanted = least[start : start + _TOGETHER]
            yield from (one for one, enough in zip(candidates, wanted, strict=True) if one.likeness >= enough)

    def _laid_over(self, first: np.ndarray, second: np.ndarray, way: np.ndarray) -> Iterator[Candidate]:
        """How the pairs look as thumbnails."""
        originals = _grids.turned(self._thumbnails[first], way).astype(np.float32)
        copies = self._thumbnails[second].astype(np.float32)
        fitted = _alignment.fit(originals, copies, _grids.BOXES[way], rounds=4)
        likeness = _likeness(self._whole, fitted.toned, copies)
        likeness = np.where(_sized(fitted.boxes), likeness, 0)
        for row in zip(first, second, way, fitted.boxes, likeness, strict=True):
            yield Candidate(int(row[0]), int(row[1]), int(row[2]), row[3], float(row[4]))


def _outstanding(first: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Which rows hold the likeliest partner of a first picture, if by far; rows are sorted by both."""
    starts = np.searchsorted(first, first)
    ends = np.searchsorted(first, first, side="right")
    other = np.where(ends - starts == _PARTNERS, likeness[ends - 1], _LEAST)
    return np.asarray((starts == np.arange(len(first))) & (1 - other > _BY_FAR * (1 - likeness)))


def _near(
    records: Sequence[Record],
    candidates: Mapping[tuple[int, int], Sequence[Candidate]],
    how: tuple[Space, Progress],
) -> Iterator[tuple[int, int, float]]:
    """The pairs that stay near when seen in full, whichever of the two is the original."""
    whole, progress = how

    @lru_cache(maxsize=64)
    def picture(place: int) -> Image.Image | None:
        return _in_full(records[place])

    def distance(one: Candidate) -> float:
        original, copy = picture(one.first), picture(one.second)
        return _distance(_mirrored(original, one.way), copy, (one.box, whole)) if original and copy else _NONE

    ends = sorted(candidates)
    far = np.full(len(ends), _NONE)
    with progress.bar("comparing pictures", len(ends)) as bar:
        for at, pair in enumerate(ends):
            for one in candidates[pair]:
                far[at] = min(far[at], distance(one) if far[at] > FARTHEST[0] else _NONE)
            bar.step()
    limit = _limit(np.array(ends, int).reshape(-1, 2), far, len(records))
    yield from ((*ends[at], float(min(1, 1 - far[at]))) for at in np.flatnonzero(far <= limit))


def _limit(ends: np.ndarray, far: np.ndarray, count: int) -> float:
    """The largest distance of near pictures, from how far each of `count` is from its third likest, if it has one."""
    record, distance = ends.reshape(-1), np.repeat(far, 2)
    order = np.lexsort((distance, record))
    rank = np.arange(len(order)) - np.searchsorted(record[order], record[order])
    others = np.full(count, _NONE)
    third = distance[order][rank == _OTHERS - 1]
    others[: len(third)] = third
    return float(np.clip(_CLOSER * np.quantile(others, _RARE), *FARTHEST))


def _in_full(record: Record) -> Image.Image | None:
    """The picture, with at most 512 pixels a side."""
    try:
        raw = record.read()
    except OSError:
        return None
    image = None if isinstance(raw, str) else _content.open_image(raw, about=_DECODED)
    if image is None:
        return None
    plain = _content.plain(image)
    plain.thumbnail((_DECODED, _DECODED), Image.Resampling.BICUBIC)
    return plain


def _mirrored(image: Image.Image, way: int) -> Image.Image:
    across, down = _grids.TURNS[way]
    image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if across else image
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if down else image


def _distance(original: Image.Image, copy: Image.Image, how: tuple[np.ndarray, Space]) -> float:
    """What the correlations of grids and pixels lack to 1, at the finest scale that both pictures have."""
    box, whole = how
    first, second = _to_scale(original, copy, box)
    fitted = _alignment.fit(_grey(_planes(first)), _grey(_planes(second)), box[None], rounds=6)
    if not _sized(fitted.boxes)[0]:
        return _NONE
    mode = "RGB" if _coloured(first) and _coloured(second) else "L"
    planes = _planes(second.convert(mode))
    toned, counts = _alignment.toned(_planes(first.convert(mode)), planes, fitted.boxes[0])
    if not _same_colours(toned, planes):
        return _NONE
    one, two = _grey(toned), _grey(planes)
    return float(2 - _alignment.correlation(one, two, counts[:1])[0] - _likeness(whole, one, two)[0])


def _to_scale(original: Image.Image, copy: Image.Image, box: np.ndarray) -> tuple[Image.Image, Image.Image]:
    """Both in sizes at which a pixel is as large in both."""
    shares = box[1::2] - box[::2]
    scale = min(1, _LARGEST / max(copy.size), *(original.size * shares / copy.size))
    size = np.maximum(8, np.round(np.array(copy.size) * scale)).astype(int)
    wanted = np.round(size / shares).astype(int)
    kept = np.abs(wanted / original.size - 1).max() < _RESCALED
    return original if kept else _resized(original, wanted), _resized(copy, size)


def _resized(image: Image.Image, size: np.ndarray) -> Image.Image:
    wanted = (int(size[0]), int(size[1]))
    return image if image.size == wanted else image.resize(wanted, Image.Resampling.BICUBIC)


def _planes(image: Image.Image) -> np.ndarray:
    """The colour planes (C, h, w) of an image in L or RGB."""
    levels = np.asarray(image, np.float32)
    return levels[None] if levels.ndim == 2 else np.ascontiguousarray(levels.transpose(2, 0, 1))


def _grey(planes: np.ndarray) -> np.ndarray:
    """Grey levels (1, h, w) as Pillow makes them."""
    return planes if len(planes) == 1 else np.tensordot(_LUMA, planes, 1)[None]


def _coloured(image: Image.Image) -> bool:
    planes = _planes(image)
    return bool((planes.max(axis=0) - planes.min(axis=0)).mean() > _COLOURED)


def _same_colours(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether the mean colours of 4x4 cells agree; in grey pictures the pixels say as much."""
    cells = [_alignment.weights(np.zeros(1), np.full(1, float(size)), (4, size))[0] for size in one.shape[1:]]
    first, second = (_centred(cells[0] @ planes @ cells[1].T) for planes in (one, two))
    strength = np.sqrt((first * first).sum() * (second * second).sum())
    return len(one) == 1 or bool((first * second).sum() >= _COLOURS * strength)


def _centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean())


def _sized(boxes: np.ndarray) -> np.ndarray:
    """Whether boxes (N, 4) are of a size and at a place that a copy may show."""
    sides = boxes[:, 1::2] - boxes[:, ::2]
    inside = (boxes >= -_BEYOND).all(axis=1) & (boxes <= 1 + _BEYOND).all(axis=1)
    return np.asarray((sides > _SMALLEST).all(axis=1) & inside)


def _likeness(whole: Space, toned: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """The cosines (N,) of the grids of two stacks of pictures (N, h, w)."""
    return np.asarray((whole(_grids.grids(toned)) * whole(_grids.grids(copies))).sum(axis=1))
