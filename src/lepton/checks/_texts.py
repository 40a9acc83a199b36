"""Texts that are almost one: equal without case, space and punctuation, or with nearly all their shingles in common.

Shingles are runs of four letters of what is left then. Texts that share many are found by their minhashes (A. Broder,
"On the resemblance and containment of documents", 1997), which are put together into bands: equal bands make a
candidate, and the shingles themselves decide. In a short text a single word may say the opposite, so that it must have
more in common. Shapes: N texts, H hashes, B bands of R hashes.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from lepton.core.progress import Progress
from lepton.core.types import Record

RESEMBLANCE = (0.95, 0.8)
"""The least share of common shingles in texts of up to 100 shingles, and of 400 or more."""

_LENGTHS = (100, 400)
_SHINGLE = 4
_FEWEST = 19  # shingles; of fewer, no two different texts share enough
_BANDS, _ROWS = 10, 4
_LETTERS = 1_000_000  # that are hashed at once
_TEXTS = 8192  # likewise
_BESIDE = 2  # texts of one band that each is compared with, so that the cost of like ones stays linear
_NOTHING = np.uint64(0xFFFFFFFFFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_FACTORS = np.random.default_rng(1).integers(0, 2**63, _BANDS * _ROWS, np.uint64) * np.uint64(2) + np.uint64(1)


class _Kept(dict[int, int | None]):
    """Which characters are kept: letters, numbers, marks and pictographs. It fills itself."""

    def __missing__(self, code: int) -> int | None:
        category = unicodedata.category(chr(code))
        self[code] = code if category[0] in "LNM" or category == "So" else None
        return self[code]


_KEPT = _Kept()


def fold(text: str) -> str:
    """`text` in compatibility form without case, space and punctuation; as it is where nothing would be left."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return plain.translate(_KEPT) or text.strip()


def pairs(records: Sequence[Record], progress: Progress) -> Iterator[tuple[int, int, float]]:
    """Pairs of near texts, by their places in `records`, with the share of shingles that they have in common."""
    names, bands = _hashed(records, progress)
    order = np.argsort(names, kind="stable")
    new = np.ones(len(order), bool)
    new[1:] = names[order][1:] != names[order][:-1]
    starts = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    for at in np.flatnonzero(~new):
        yield int(order[starts[at]]), int(order[at]), 1.0
    firsts = np.sort(order[new])
    yield from _resembling(records, _candidates(firsts, bands), progress)


def resemblance(one: str, two: str) -> float:
    """The share of common shingles of two folded texts, or 0 where that is too little for texts of their length."""
    first, second = _shingles(one), _shingles(two)
    share = len(first & second) / max(len(first | second), 1)
    enough = np.interp(max(len(first), len(second)), _LENGTHS, RESEMBLANCE)
    return share if share >= enough else 0.0


def _shingles(folded: str) -> set[str]:
    return {folded[at : at + _SHINGLE] for at in range(len(folded) - _SHINGLE + 1)}


def _resembling(
    records: Sequence[Record], candidates: np.ndarray, progress: Progress
) -> Iterator[tuple[int, int, float]]:
    with progress.bar("comparing texts", len(candidates)) as bar:
        for one, two in candidates.tolist():
            share = resemblance(fold(str(records[one].raw)), fold(str(records[two].raw)))
            if share:
                yield one, two, share
            bar.step()


def _hashed(records: Sequence[Record], progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Of each text a hash of what folding leaves (N,), and the hashes of its bands (N, B)."""
    names = np.empty(len(records), np.uint64)
    bands = np.full((len(records), _BANDS), _NOTHING, np.uint64)
    done = 0
    with progress.bar("reading texts", len(records)) as bar:
        for part in _batches(records):
            place = slice(done, done + len(part))
            names[place] = [_name(text) for text in part]
            bands[place] = _bands(part)
            done += len(part)
            bar.step(len(part))
    return names, bands


def _batches(records: Sequence[Record]) -> Iterator[list[str]]:
    """Folded texts, some thousands at a time."""
    part, letters = [], 0
    for record in records:
        part.append(fold(str(record.raw)))
        letters += len(part[-1])
        if letters > _LETTERS or len(part) == _TEXTS:
            yield part
            part, letters = [], 0
    if part:
        yield part


def _name(folded: str) -> int:
    made = hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(made.digest(), "little")


def _bands(folded: Sequence[str]) -> np.ndarray:
    """Hashes (n, B) of bands of minhashes; texts of too few shingles have none."""
    bands = np.full((len(folded), _BANDS), _NOTHING, np.uint64)
    lengths = np.array([len(text) for text in folded], int)
    long = np.flatnonzero(lengths - _SHINGLE + 1 >= _FEWEST)
    if len(long):
        counts = lengths[long] - _SHINGLE + 1
        starts = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat((np.cumsum(lengths) - lengths)[long] - starts, counts)
        hashes = _hashes("".join(folded), places)
        least = [np.minimum.reduceat((hashes * factor) >> _HALF, starts) for factor in _FACTORS]
        bands[long] = _joined(np.stack(least, axis=1))
    return bands


def _hashes(text: str, places: np.ndarray) -> np.ndarray:
    """A hash of the shingle at each place of the text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    made = codes[places]
    for step in range(1, _SHINGLE):
        made = made * _MIX + codes[places + step]
    return _mixed(made)


def _joined(least: np.ndarray) -> np.ndarray:
    """Minhashes (n, H) as one hash for each band (n, B)."""
    rows = least.reshape(len(least), _BANDS, _ROWS)
    made = rows[:, :, 0]
    for row in range(1, _ROWS):
        made = _mixed(made * _MIX + rows[:, :, row])
    return made


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Every bit in has a say in every bit out (the end of splitmix64, G. Steele and others, 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(numbers ^ (numbers >> np.uint64(31)))


def _candidates(places: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of places, of texts that have a band in common."""
    found = np.zeros(0, np.int64)
    for band in range(_BANDS):
        keys = bands[places, band]
        order = np.lexsort((bands[places, (band + 1) % _BANDS], keys))
        order = order[keys[order] != _NOTHING]
        for step in range(1, _BESIDE + 1):
            one, two = order[:-step], order[step:]
            same = keys[one] == keys[two]
            ends = np.sort(np.stack([places[one[same]], places[two[same]]]), axis=0)
            found = np.union1d(found, ends[0] * len(bands) + ends[1])
    return np.stack(np.divmod(found, max(len(bands), 1)), axis=1)
