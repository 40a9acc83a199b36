"""Texts made from texts, for a small model to learn from a large one's answers to them.

Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks" (2019): words are dropped or
replaced, and pieces are cut out; the beginning of one text may get the end of another.
"""

from collections.abc import Sequence

import numpy as np

from lepton.core import seeds

_DROP, _REPLACE = 0.1, 0.1
_CUT, _JOIN = 0.3, 0.2
_SHORTEST = 2


def rewritten(texts: Sequence[str], *, count: int, seed: int) -> list[str]:
    """`count` new texts for each of `texts`, in its order; equal seeds give equal texts.

    Texts without spaces are cut into characters instead of words.
    """
    words = [_pieces(text) for text in texts]
    pool = np.array([piece for pieces in words for piece in pieces], object)
    made = []
    for index, pieces in enumerate(words):
        random = seeds.generator(seed, "rewritten", index)
        for _ in range(count):
            other = words[int(random.integers(len(words)))]
            drawn = _changed(_joined(pieces, other, random), pool, random)
            made.append(_whole(drawn or pieces, texts[index]))
    return made


def _changed(pieces: list[str], pool: np.ndarray, random: np.random.Generator) -> list[str]:
    """Some pieces dropped or replaced by ones that occur as often as the pool says, and perhaps a part cut out."""
    fate = random.random(len(pieces))
    kept = [
        str(pool[int(random.integers(len(pool)))]) if fate[index] < _REPLACE else piece
        for index, piece in enumerate(pieces)
        if not _REPLACE <= fate[index] < _REPLACE + _DROP
    ]
    if random.random() >= _CUT or len(kept) <= _SHORTEST:
        return kept
    length = int(random.integers(_SHORTEST, len(kept) + 1))
    start = int(random.integers(0, len(kept) - length + 1))
    return kept[start : start + length]


def _joined(pieces: list[str], other: list[str], random: np.random.Generator) -> list[str]:
    if random.random() >= _JOIN or len(pieces) <= _SHORTEST or len(other) <= _SHORTEST:
        return pieces
    first = int(random.integers(1, len(pieces)))
    return [*pieces[:first], *other[int(random.integers(1, len(other))) :]]


def _pieces(text: str) -> list[str]:
    words = text.split()
    return list(words[0]) if len(words) == 1 else words


def _whole(pieces: Sequence[str], like: str) -> str:
    return (" " if len(like.split()) > 1 else "").join(pieces) or like
