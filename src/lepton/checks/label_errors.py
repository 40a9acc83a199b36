"""Labels that models which did not learn from them find wrong: of records, or of words where labels are entities."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from lepton.checks import _label_quality
from lepton.checks._finding import Finding, Suspect
from lepton.checks._label_quality import Doubts
from lepton.checks._predictions import NOTHING, Predictions
from lepton.checks._words import label_text, several
from lepton.core.types import Record, Span

NEEDS = ("predictions",)
ABOUT = "labels"

_LIKELY = 0.5
_POSSIBLE = 0.2
"""The suspicion from which a label is named: more than are wrong, since looking stops where most turn out right."""


def find(records: Sequence[Record], *, predictions: Predictions) -> list[Finding]:
    """One finding with the records whose labels may be wrong, the likeliest first; its message says how many should be.

    A suspect's score is the probability that its label is wrong, as `_label_quality` has it; of entities that of the
    worst word (Wang and Mueller, "Detecting Label Errors in Token Classification Data", 2022). The suggestion is the
    likeliest other class, or the entities with each doubtful word put into its likeliest class.
    """
    doubts = _label_quality.doubts(predictions.given, predictions.probabilities)
    order = np.argsort(-doubts.wrong, kind="stable")
    worst = order[: max(round(doubts.expected), int((doubts.suspicion > _POSSIBLE).sum()))]
    by_id = {record.id: record for record in records}
    named = _whole(predictions, doubts, worst) if predictions.places is None else _parts(predictions, doubts, worst)
    suspects = [
        Suspect(name, float(doubts.wrong[row]), label_text(by_id[name].label), _suggested(by_id[name], changed))
        for name, row, changed in named
    ]
    return [_finding(suspects, by_id)] if suspects else []


Change = str | Mapping[tuple[int, int], str]
"""The class of a record, or classes of words by their places."""

Named = Iterator[tuple[str, int, Change]]
"""A record's id, the row of its worst probability, and what should change."""


def _whole(predictions: Predictions, doubts: Doubts, worst: np.ndarray) -> Named:
    for row in worst.tolist():
        yield predictions.records[row], row, predictions.classes[doubts.likeliest[row]]


def _parts(predictions: Predictions, doubts: Doubts, worst: np.ndarray) -> Named:
    """Each record once, at the place of its worst word, with all words of it that are more likely wrong than not."""
    places = predictions.places or ()
    rows: dict[str, list[int]] = {}
    for row in worst.tolist():
        rows.setdefault(predictions.records[row], []).append(row)
    for name, found in rows.items():
        wrong = [row for row in found if doubts.suspicion[row] > _LIKELY] or found[:1]
        yield name, found[0], {places[row]: predictions.classes[doubts.likeliest[row]] for row in wrong}


def _suggested(record: Record, changed: Change) -> str | None:
    if isinstance(changed, str):
        return changed
    spans = [span for span in record.label or () if isinstance(span, Span)]
    left = [_trimmed(piece, str(record.raw)) for span in spans for piece in _kept(span, sorted(changed))]
    return label_text(_merged([*(piece for piece in left if piece.start < piece.end), *_made(changed)]))


def _trimmed(piece: Span, text: str) -> Span:
    """The piece without white space at its ends."""
    words = text[piece.start : piece.end]
    return Span(piece.end - len(words.lstrip()), piece.start + len(words.rstrip()), piece.label)


def _kept(span: Span, places: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """What is left of an entity without the words at `places`, in order; it may be the space between two."""
    start = span.start
    for first, last in places:
        if span.start <= first < span.end:
            yield Span(start, first, span.label)
            start = last
    yield Span(start, span.end, span.label)


def _made(changed: Mapping[tuple[int, int], str]) -> Iterator[Span]:
    return (Span(*place, kind) for place, kind in changed.items() if kind != NOTHING)


def _merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The entities in order, those that touch (but for one space) and are of one type as one."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and merged[-1].label == span.label and span.start - merged[-1].end <= 1:
            merged[-1] = Span(merged[-1].start, span.end, span.label)
        else:
            merged.append(span)
    return tuple(merged)


def _finding(suspects: Sequence[Suspect], records: Mapping[str, Record]) -> Finding:
    expected = round(sum(suspect.score for suspect in suspects))
    splits = Counter(records[suspect.id].split for suspect in suspects)
    where = ", ".join(f"{count:,} in {split}" for split, count in splits.items() if split)
    listed = f"{several(len(suspects), 'label')} may be wrong"
    look = "look" if expected > 1 else "looks"
    about = f"{listed}, of which about {expected:,} {look} wrong" if expected else listed
    remedy = (
        "Look at them from the top down and correct what is wrong, those of test first: scores are read there. "
        "Stop where most turn out to be right."
    )
    severity: Literal["info", "warning"] = "warning" if expected else "info"
    return Finding("label_errors", severity, f"{about} ({where})." if where else f"{about}.", remedy, suspects)
