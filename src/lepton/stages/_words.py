"""The words of texts whose entities are labelled, each with its class and what stands in and around it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lepton.checks._predictions import NOTHING
from lepton.core.types import Record, Span

_WORD = re.compile(r"\w+|[^\w\s]")
_FEATURES = 2**18


@dataclass(frozen=True)
class Words:
    """W words: the numbers of their records, their places in the text, their classes, and features (W, D), sparse."""

    records: list[int]
    places: list[tuple[int, int]]
    classes: list[str]
    features: Any


def words(records: Sequence[Record]) -> Words:
    """The words and signs of all records in order; a word is of the entity that its first character is in.

    Features are hashed (Weinberger et al., 2009): the word, its beginnings and endings, its shape, and the same of its
    neighbours, two on each side.
    """
    from sklearn.feature_extraction import FeatureHasher

    numbers, places, classes, found = [], [], [], []
    for number, record in enumerate(records):
        matches = list(_WORD.finditer(str(record.raw)))
        numbers += [number] * len(matches)
        places += [match.span() for match in matches]
        classes += [_class_at(record, match.start()) for match in matches]
        found += list(_described([match.group() for match in matches]))
    hasher = FeatureHasher(_FEATURES, input_type="string", alternate_sign=False)
    return Words(numbers, places, classes, hasher.transform(found))


def _class_at(record: Record, place: int) -> str:
    spans = [span for span in record.label or () if isinstance(span, Span)]
    return next((span.label for span in spans if span.start <= place < span.end), NOTHING)


def _described(tokens: Sequence[str]) -> Iterator[list[str]]:
    """What is said of each token of a text."""
    own = [_about(token) for token in ["", "", *tokens, "", ""]]
    for at in range(2, len(own) - 2):
        around = [f"{step}{said}" for step in (-2, -1, 1, 2) for said in own[at + step][:2]]
        pair = [f"{step}&{own[at][0]}&{own[at + step][0]}" for step in (-1, 1)]
        yield [*own[at], *around, *pair]


def _about(token: str) -> list[str]:
    """The token in lower case, its shape, and its first and last letters."""
    small = token.lower()
    ends = [f"{kind}{small[cut]}" for size in (1, 2, 3, 4) for kind, cut in _cuts(size) if size < len(small)]
    return [f"w={small}", f"s={shape(token)}", *ends]


def _cuts(size: int) -> tuple[tuple[str, slice], tuple[str, slice]]:
    return ("<", slice(0, size)), (">", slice(-size, None))


def tokens(text: str) -> list[str]:
    """The words and signs of a text."""
    return _WORD.findall(text)


def shape(token: str) -> str:
    """Runs of capitals, small letters, digits and signs: `Paris` is `Aa`."""
    marks = ("A" if each.isupper() else "a" if each.isalpha() else "0" if each.isdigit() else each for each in token)
    return re.sub(r"(.)\1+", r"\1", "".join(marks))
