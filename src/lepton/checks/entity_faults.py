"""Entities that cannot be right: outside the text, on white space, over one another, inside words, or forgotten."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from lepton.checks import _surfaces
from lepton.checks._finding import Finding, Severity, Suspect
from lepton.checks._words import label_text, several
from lepton.core import labels
from lepton.core.settings import Range
from lepton.core.types import Record, Span

NEEDS = ()

_SHOWN = 5
_JOINED_SCRIPTS = 0x0E00
"""From Thai upwards there are scripts that put no space between words."""


def find(
    records: Sequence[Record], *, often: Annotated[int, Range(2)] = 5, share: Annotated[float, Range(0.5, 1)] = 0.8
) -> list[Finding]:
    """One finding a kind of fault, for texts whose labels are entities.

    Entities that are empty or lie outside of their text; that overlap; that begin or end with white space, or inside of
    a word (in scripts with spaces); and words that are an entity in at least `share` of at least `often` places and
    none in others. Where a fault can be mended, the entities are suggested as they would be then.
    """
    tagged = [_Tagged(record, str(record.raw), labels.spans(record.label)) for record in _with_entities(records)]
    found = [_outside(tagged), _overlapping(tagged), _blank(tagged), _inside(tagged), _forgotten(tagged, often, share)]
    return [finding for finding in found if finding]


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A record, its text and its entities."""

    record: Record
    text: str
    spans: tuple[Span, ...]

    def suspect(self, score: float = 1.0, suggested: Iterable[Span] | None = None) -> Suspect:
        """The record as a suspect, with the entities that are suggested."""
        better = None if suggested is None else label_text(tuple(suggested))
        return Suspect(self.record.id, score, label_text(self.record.label), better)

    def whole(self) -> list[Span]:
        """The entities that are a stretch of the text."""
        return [span for span in self.spans if 0 <= span.start < span.end <= len(self.text)]


def _with_entities(records: Sequence[Record]) -> Iterator[Record]:
    return (item for item in records if isinstance(item.raw, str) and isinstance(item.label, tuple))


def _outside(tagged: Sequence[_Tagged]) -> Finding | None:
    suspects = [item.suspect(1.0, item.whole()) for item in tagged if len(item.whole()) < len(item.spans)]
    what = "entities that are empty or lie outside of the text"
    return _finding("error", (what, "Take them out, or mend where they begin and end."), suspects)


def _overlapping(tagged: Sequence[_Tagged]) -> Finding | None:
    suspects = [item.suspect() for item in tagged if _overlap(item.whole())]
    remedy = "Keep one of them: a tag a token can tell one entity only."
    return _finding("warning", ("entities that overlap", remedy), suspects)


def _overlap(spans: Sequence[Span]) -> bool:
    ordered = sorted(spans)
    return any(after.start < before.end for before, after in zip(ordered, ordered[1:], strict=False))


def _blank(tagged: Sequence[_Tagged]) -> Finding | None:
    suspects = [
        item.suspect(0.9, filter(None, (_trimmed(item.text, span) for span in item.whole())))
        for item in tagged
        if any(_trimmed(item.text, span) != span for span in item.whole())
    ]
    what = "entities that begin or end with white space"
    return _finding("warning", (what, "Trim them, as suggested."), suspects)


def _trimmed(text: str, span: Span) -> Span | None:
    """The entity without the white space at its edges; None where it has nothing else."""
    words = text[span.start : span.end]
    start = span.start + len(words) - len(words.lstrip())
    return Span(start, start + len(words.strip()), span.label) if words.strip() else None


def _inside(tagged: Sequence[_Tagged]) -> Finding | None:
    suspects = [item.suspect(0.5) for item in tagged if any(_cuts(item.text, span) for span in item.whole())]
    what = "entities that begin or end inside of a word"
    return _finding("info", (what, "See whether they have slipped by a few characters."), suspects)


def _cuts(text: str, span: Span) -> bool:
    return any(0 < edge < len(text) and all(map(_joined, text[edge - 1 : edge + 1])) for edge in span[:2])


def _joined(letter: str) -> bool:
    return letter.isalpha() and ord(letter) < _JOINED_SCRIPTS


def _forgotten(tagged: Sequence[_Tagged], often: int, share: float) -> Finding | None:
    """Words that are an entity nearly everywhere, where they are none."""
    usual = _surfaces.usual([(item.text, item.whole()) for item in tagged], often, share)
    suspects: list[Suspect] = []
    words: Counter[str] = Counter()
    for item in tagged if usual else ():
        missed = [span for span in _surfaces.places(item.text, usual) if _apart(span, item.spans)]
        if missed:
            score = max(usual[_surfaces.words(item.text[span.start : span.end])].share for span in missed)
            suspects.append(item.suspect(score * 0.8, sorted([*item.spans, *missed])))
            words.update(item.text[span.start : span.end] for span in missed)
    shown = ", ".join(f"{word!r} ({count})" for word, count in words.most_common(_SHOWN))
    what = f"words that are an entity nearly everywhere else, such as {shown}"
    return _finding("info", (what, "Look at them: an entity may have been forgotten."), suspects)


def _apart(span: Span, spans: Sequence[Span]) -> bool:
    return all(other.end <= span.start or span.end <= other.start for other in spans)


def _finding(severity: Severity, told: tuple[str, str], suspects: Sequence[Suspect]) -> Finding | None:
    if not suspects:
        return None
    what, remedy = told
    has = "has" if len(suspects) == 1 else "have"
    ordered = sorted(suspects, key=lambda suspect: -suspect.score)
    return Finding("entity_faults", severity, f"{several(len(suspects), 'record')} {has} {what}.", remedy, ordered)
