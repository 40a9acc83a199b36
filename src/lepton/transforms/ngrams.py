"""Text to weighted word and character n-grams, the features of a strong linear classifier.

Each n-gram is a 32-bit hash; those that occur in most training texts get an id, and what a text says of each is its
TF-IDF weight with sublinear counts (Salton and Buckley, 1988). Bags of these follow Joulin et al., "Bag of Tricks for
Efficient Text Classification" (2017). Shapes: N different known n-grams of a text, V known n-grams in all.
"""

import io
import re
import unicodedata
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from lepton.core.errors import UserError
from lepton.core.settings import Range
from lepton.core.types import Arrays, Raw
from lepton.transforms._fitted import Encoder, Fitted
from lepton.transforms._raw import padded, text_of

MODALITY = "text"
INPUTS = ("ngrams", "weights")

_HASHES, _RARITY = "ngrams.npy", "rarity.npy"
_WORDS = re.compile(r"\w+|[^\w\s]")
_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: successive multiples spread evenly
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # finaliser of MurmurHash3
_HALF = np.uint64(32)
_MERGED = 2000  # texts whose n-grams are counted at once


def fit(
    raws: Iterable[Raw],
    *,
    vocabulary: Annotated[int, Range(2, 5_000_000)] = 50_000,
    words: Annotated[tuple[int, int], Range(0, 10)] = (1, 2),
    characters: Annotated[tuple[int, int], Range(0, 10)] = (2, 5),
    lowercase: bool = True,
    distinct: bool = True,
    max_characters: Annotated[int, Range(10, 1_000_000)] = 20_000,
) -> Fitted:
    """Choose the n-grams that get an id: those found in most texts, of equal ones those with the smaller hash.

    `distinct` keeps one of the n-grams that stand in exactly the same texts, such as the pieces of one rare word: they
    tell a classifier the same, and on questions and film reviews a third of the ids gives the accuracy of all.

    `vocabulary` bounds the number of ids, padding (0) included; the settings say how many there are. `words` and
    `characters` are the shortest and longest n-gram of each kind, (0, 0) for none. Longer texts are cut at
    `max_characters`. Raises UserError when there is no text or no n-gram is asked for.
    """
    settings: dict[str, Any] = {
        "words": _span("words", words),
        "characters": _span("characters", characters),
        "lowercase": lowercase,
        "max_characters": max_characters,
    }
    if not settings["words"][1] and not settings["characters"][1]:
        raise UserError("No n-grams are asked for", rule="words or characters must reach at least 1")
    hashes, sums, texts = _counted(raws, settings)
    counts = sums[:, 0].astype(np.int64)
    order = np.lexsort((hashes, -counts))
    if distinct:
        order = order[np.sort(np.unique(sums[order, 1], return_index=True)[1])]
    chosen = np.sort(order[: vocabulary - 1])
    rarity = np.log((1 + texts) / (1 + counts[chosen])) + 1
    files = {_HASHES: _packed(hashes[chosen]), _RARITY: _packed(rarity.astype(np.float16))}
    return Fitted({**settings, "vocabulary": len(chosen) + 1}, files)


def encoder(settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Encoder:
    """A function from a text (or its bytes in UTF-8) to "ngrams", int64 (N,) ids, and "weights", float32 (N,).

    A weight is (1 + ln count) times the rarity ln((1 + texts) / (1 + texts with it)) + 1; those of words and those of
    characters have a Euclidean norm of 1 each. A text without any known n-gram has the id 0 with weight 0.
    It raises BadInput for an empty text and for bytes that are not UTF-8.
    """
    known = _unpacked(files[_HASHES])
    rarity = _unpacked(files[_RARITY]).astype(np.float64)
    family = (known & 1).astype(np.int64)

    def encode(raw: Raw) -> Arrays:
        places, counts = np.unique(_look_up(known, _ngrams(text_of(raw), settings)), return_counts=True)
        if not len(places):
            return {"ngrams": np.zeros(1, np.int64), "weights": np.zeros(1, np.float32)}
        weights = (1 + np.log(counts)) * rarity[places]
        kind = family[places]
        norms = np.sqrt(np.bincount(kind, weights * weights, minlength=2))
        return {"ngrams": places + 1, "weights": (weights / norms[kind]).astype(np.float32)}

    return encode


def collate(samples: Sequence[Arrays]) -> Arrays:
    """A batch as wide as the text with most n-grams; the others are filled up with id 0 and weight 0."""
    return padded(samples)


def decode(raw: Raw) -> str:
    """The text of a raw input; raises BadInput as the encoder does."""
    return text_of(raw)


def _span(name: str, span: Sequence[int]) -> list[int]:
    if len(span) != 2 or span[0] > span[1] or (span[1] and not span[0]):
        rule = "It must be the shortest and the longest n-gram, such as [2, 5], or [0, 0] for none"
        raise UserError(f"[{name}] is wrong", rule=rule, received=list(span))
    return list(span)


def _counted(raws: Iterable[Raw], settings: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, int]:
    """All V hashes in order, their sums (V, 2), and the number of texts.

    Over the texts that an n-gram stands in the sums are the number of texts, and of a random mark of each text: equal
    marks mean the same texts.
    """
    hashes, sums, texts = np.zeros(0, np.uint32), np.zeros((0, 2), np.uint64), 0
    waiting: list[np.ndarray] = []
    for raw in raws:
        waiting.append(np.unique(_ngrams(text_of(raw), settings)))
        texts += 1
        if len(waiting) == _MERGED:
            hashes, sums = _merged((hashes, sums), waiting, texts)
            waiting = []
    if not texts:
        raise UserError("There is no training input to fit the transform to", remedy="Check data.source and the split")
    return *_merged((hashes, sums), waiting, texts), texts


def _merged(
    known: tuple[np.ndarray, np.ndarray], more: Sequence[np.ndarray], texts: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes and sums with those of `more` added, the last of which is the text number `texts`."""
    numbers = np.repeat(np.arange(texts - len(more), texts), [len(each) for each in more]).astype(np.uint64)
    added = np.stack([np.ones_like(numbers), _mixed((numbers + np.uint64(1)) * _STEP)], 1)
    together = np.concatenate([known[0], *more])
    sums = np.concatenate([known[1], added])
    order = np.argsort(together, kind="stable")
    unique, first = np.unique(together[order], return_index=True)
    return unique, np.add.reduceat(sums[order], first, axis=0) if len(first) else sums


def _ngrams(text: str, settings: Mapping[str, Any]) -> np.ndarray:
    """The hash of every n-gram of the text, uint32, odd for words and even for characters."""
    plain = _plain(text[: settings["max_characters"]], settings["lowercase"])
    words = np.array([zlib.crc32(word.encode()) for word in _WORDS.findall(plain)], np.uint64)
    letters = np.frombuffer(f" {plain} ".encode("utf-32-le"), "<u4").astype(np.uint64)
    return np.concatenate(
        [_hashed(words, settings["words"]) | np.uint32(1), _hashed(letters, settings["characters"]) & ~np.uint32(1)]
    )


def _plain(text: str, lowercase: bool) -> str:
    """NFKC, single spaces, and lower case where asked for."""
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join((folded.lower() if lowercase else folded).split())


def _hashed(units: np.ndarray, span: Sequence[int]) -> np.ndarray:
    """A 32-bit hash of every run of span[0] to span[1] units (uint64, below 2**32)."""
    low, high = span
    rolling, runs = units, []
    for length in range(1, min(high, len(units)) + 1):
        if length > 1:
            rolling = rolling[:-1] * _STEP + units[length - 1 :]
        if length >= low:
            runs.append(rolling + np.uint64(length))
    if not runs:
        return np.zeros(0, np.uint32)
    return np.asarray(_mixed(np.concatenate(runs) * _STEP) >> _HALF, np.uint32)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    return np.asarray((numbers ^ (numbers >> _HALF)) * _MIX)


def _look_up(known: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """The places in `known` (sorted) of those hashes that it holds."""
    places = np.searchsorted(known, hashes)
    places[places == len(known)] = 0
    return places[known[places] == hashes] if len(known) else places[:0]


def _packed(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array.astype(array.dtype.newbyteorder("<")), allow_pickle=False)
    return stream.getvalue()


def _unpacked(data: bytes) -> np.ndarray:
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="))
