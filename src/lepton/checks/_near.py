"""Near-duplicates: texts that are one without case, space and punctuation; images that look one when made small.

Images are compared by thumbnails of 16x16 grey levels. To stay below all pairs, difference hashes of 240 bits (after
N. Krawetz, "Kind of like that", 2013) are sorted four times, each time from another bit on, and only neighbours
in that order are compared. N images, S = 256 thumbnail pixels.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from lepton.checks import _content
from lepton.core.types import Raw, Record

SIDE = 16
FARTHEST = 1.5
"""The largest mean difference of two near thumbnails, in grey levels of 255 ..."""
CONTRAST = 0.04
"""... and as a share of their standard deviation, or two pale drawings of different things would be near."""

_WINDOW = 4
_TURNS = 4


def fold(text: str) -> str:
    """`text` in compatibility form without case, space and punctuation; as it is where nothing would be left."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter for letter in plain if unicodedata.category(letter)[0] in "LNM")
    return kept or text.strip()


def clusters(records: Sequence[Record]) -> dict[str, int]:
    """Record id -> cluster, for the records that have a near or exact duplicate; others are left out.

    Recordings are not compared. What cannot be decoded stands alone.
    """
    found = _text_pairs(records) + _image_pairs(records)
    parent = {at: at for pair in found for at in pair}
    for first, second in found:
        parent[_root(parent, second)] = _root(parent, first)
    return {records[at].id: _root(parent, at) for at in sorted(parent)}


def thumbnail(raw: Raw) -> np.ndarray | None:
    """Mean grey levels (S,) float32 of an image, or None for what is none."""
    if isinstance(raw, str) or raw[:4] in (b"fLaC", b"OggS") or (raw[:4] == b"RIFF" and raw[8:12] != b"WEBP"):
        return None
    image = _content.open_image(raw)
    if image is None:
        return None
    small = image.convert("L").resize((SIDE, SIDE), resample=_BOX)
    return np.asarray(small, np.float32).reshape(-1)


_BOX = 4  # PIL.Image.Resampling.BOX: the plain mean, so that a picture and its smaller copy agree


def _root(parent: dict[int, int], at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


def _text_pairs(records: Sequence[Record]) -> list[tuple[int, int]]:
    same: dict[str, list[int]] = defaultdict(list)
    for at, record in enumerate(records):
        if isinstance(record.raw, str):
            same[fold(record.raw)].append(at)
    return [(members[0], other) for members in same.values() for other in members[1:]]


def _image_pairs(records: Sequence[Record]) -> list[tuple[int, int]]:
    places, thumbnails = [], []
    for at, record in enumerate(records):
        small = None if isinstance(record.raw, str) else _read_small(record)
        if small is not None:
            places.append(at)
            thumbnails.append(small)
    if len(places) < 2:
        return []
    return [(places[one], places[two]) for one, two in _close(np.stack(thumbnails))]


def _read_small(record: Record) -> np.ndarray | None:
    try:
        return thumbnail(record.read())
    except OSError:
        return None


def _close(images: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of near thumbnails (N, S)."""
    bits = _hashes(images)
    limits = np.minimum(FARTHEST, CONTRAST * images.std(axis=1))
    found: set[tuple[int, int]] = set()
    for turn in range(_TURNS):
        turned = np.packbits(np.roll(bits, turn * bits.shape[1] // _TURNS, axis=1), axis=1)
        order = np.lexsort(turned.T[::-1])
        for step in range(1, min(_WINDOW, len(order) - 1) + 1):
            one, two = order[:-step], order[step:]
            near = np.abs(images[one] - images[two]).mean(axis=1) <= np.minimum(limits[one], limits[two])
            found.update(zip(one[near].tolist(), two[near].tolist(), strict=True))
    return sorted((min(pair), max(pair)) for pair in found)


def _hashes(images: np.ndarray) -> np.ndarray:
    """Whether each pixel is darker than its right neighbour: (N, 240) booleans."""
    grid = images.reshape(-1, SIDE, SIDE)
    return (grid[:, :, 1:] > grid[:, :, :-1]).reshape(len(images), -1)
