"""Words that are entities, and where else they stand: found word by word, without comparing all with all."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lepton.core.types import Span

_WORD = re.compile(r"\w+|[^\w\s]")
_LONGEST = 6

Words = tuple[str, ...]


class Usual(NamedTuple):
    """How words are mostly labelled, and in which share of their places."""

    label: str
    share: float


def words(text: str) -> Words:
    """The words and marks of a text."""
    return tuple(_WORD.findall(text))


def usual(items: Sequence[tuple[str, Sequence[Span]]], often: int, share: float) -> dict[Words, Usual]:
    """The words that are an entity in at least `share` of at least `often` places, yet not in all."""
    counts: dict[Words, Counter[str]] = defaultdict(Counter)
    for text, spans in items:
        for span in spans:
            found = words(text[span.start : span.end])
            if len(found) <= _LONGEST and any(any(map(str.isalpha, word)) for word in found):
                counts[found][span.label] += 1
    known = {found: labels for found, labels in counts.items() if labels.total() >= share * often}
    everywhere = Counter(words(text[span.start : span.end]) for text, _ in items for span in places(text, known))
    shares = {found: labels.total() / max(everywhere[found], 1) for found, labels in known.items()}
    return {
        found: Usual(known[found].most_common(1)[0][0], part)
        for found, part in shares.items()
        if everywhere[found] >= often and share <= part < 1
    }


def places(text: str, known: Mapping[Words, object]) -> Iterator[Span]:
    """Every place of `known` words, with their usual label, in order; the longest where several begin in one place."""
    if not known:
        return
    tokens = list(_WORD.finditer(text))
    spelt = [token.group() for token in tokens]
    for at, token in enumerate(tokens):
        for length in range(min(_LONGEST, len(tokens) - at), 0, -1):
            found = known.get(tuple(spelt[at : at + length]))
            if found is not None:
                label = found.label if isinstance(found, Usual) else ""
                yield Span(token.start(), tokens[at + length - 1].end(), label)
                break
