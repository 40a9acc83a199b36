"""How unusual texts are among others: by their runs of three letters, counted over all of them.

Shapes: N texts, T = 2^18 places for runs, several of which may share one.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from lepton.core.types import Record

_PLACES = 1 << 18
_TOGETHER = 4096
_LONGEST = 2000  # characters that are looked at of a longer text
_SHRUNK = 12.0  # runs as usual as any that are added, so that short texts need more to be unusual
_ALPHA = 0.5
_FACTORS = np.array([2654435761, 40503, 97], np.uint32)


def unusual(records: Sequence[Record]) -> np.ndarray:
    """The mean of how many bits more than usual the runs of each text take (N,); its own runs do not count."""
    counts = np.zeros(_PLACES)
    for runs, _ in _chunks(records):
        counts += np.bincount(runs, minlength=_PLACES)
    usual = float((counts * _bits(counts, counts.sum())).sum() / max(counts.sum(), 1))
    found = []
    for runs, owners in _chunks(records):
        size = int(owners[-1]) + 1 if len(owners) else 0
        excess = _bits(np.maximum(counts[runs] - 1, 0), counts.sum()) - usual
        sums = np.bincount(owners, excess, minlength=size)
        found.append(sums / (np.bincount(owners, minlength=size) + _SHRUNK))
    return np.concatenate(found)


def _bits(counts: np.ndarray, total: float) -> np.ndarray:
    return np.asarray(-np.log2((counts + _ALPHA) / (total + _ALPHA * _PLACES)))


def _chunks(records: Sequence[Record]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The runs of some thousand texts at a time, by their places, and to which text of them each belongs."""
    for start in range(0, len(records), _TOGETHER):
        texts = [f"  {str(record.raw)[:_LONGEST].lower()} " for record in records[start : start + _TOGETHER]]
        codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        inside = owners[:-2] == owners[2:]
        mixed = sum(factor * codes[at : len(codes) - 2 + at] for at, factor in enumerate(_FACTORS))
        yield (mixed[inside] >> np.uint32(7)) % _PLACES, owners[:-2][inside]
