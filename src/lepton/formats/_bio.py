"""Entity tags a token: BIO, and its relatives BIOES, BILOU and IOB1. Tokens become a text, tags become spans."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lepton.core.errors import UserError
from lepton.core.types import Record, Span
from lepton.formats import _text

TAG = re.compile(r"O|[BIESLU]-\S+")
MENDED = {
    "stray": "tags continued no entity of their label and were read as the start of one",
    "several": "tags carried several labels, of which the first was kept",
}
_STARTS = frozenset("BSU")
_ENDS = frozenset("ESLU")


def spans(tokens: Sequence[str], tags: Sequence[str]) -> tuple[str, tuple[Span, ...], Counter[str]]:
    """Tokens joined by a space, the entities as characters of that text, and what had to be mended, counted.

    An I (or E, L) tag that continues nothing of its label starts an entity: so IOB1 comes out right, and BIO
    files with stray tags are mended (`stray`). Of a tag with several labels (`B-a,B-b`) the first is kept (`several`).
    """
    mended: Counter[str] = Counter()
    found: list[tuple[int, int, str]] = []
    going = ""
    for at, tag in enumerate(tags):
        prefix, label = _split(tag, mended)
        follows = bool(label) and label == going and prefix not in _STARTS
        if follows:
            found[-1] = (found[-1][0], at, label)
        elif label:
            found.append((at, at, label))
            mended["stray"] += prefix not in _STARTS
        going = "" if prefix in _ENDS else label
    starts = _starts(tokens)
    made = tuple(Span(starts[first], starts[last] + len(tokens[last]), label) for first, last, label in found)
    return " ".join(tokens), made, +mended


def entities(record: Record, what: str) -> tuple[str, tuple[Span, ...]]:
    """The text and the entities of a record that is to be written as `what`; UserError where it has none of these."""
    parts = record.label if isinstance(record.label, tuple) else (None,)
    found = tuple(part for part in parts if isinstance(part, Span))
    if not isinstance(record.raw, str) or len(found) < len(parts):
        rule = f"{what} files hold texts whose labels are entities"
        raise UserError(f"Record {record.id} cannot be written as {what}", rule=rule)
    return record.raw, found


def tokens(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """The words of a text, cut also where an entity begins or ends, with BIO tags.

    Of entities that overlap only the first is told; white space in a label becomes `_`.
    """
    apart = disjoint(spans)
    edges = {place for span in apart for place in (span.start, span.end)}
    begun = {place: span for span in apart for place in range(span.start, span.end)}
    before: Span | None = None
    for start, end in _pieces(text, edges):
        span = begun.get(start)
        tag = "O" if span is None else f"{'I' if span == before else 'B'}-{'_'.join(span.label.split())}"
        yield text[start:end], tag
        before = span


def disjoint(spans: Sequence[Span]) -> list[Span]:
    """The spans in their order, without those that overlap one before them."""
    kept: list[Span] = []
    for span in sorted(spans):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return kept


def columns(line: str) -> list[str]:
    """The columns of a line: by tabs where there is one, else by white space."""
    return [cell.strip() for cell in line.split("\t")] if "\t" in line.strip() else line.split()


def looks_tagged(path: Path) -> bool:
    """Whether the beginning of a file is tokens with tags in some column, entities among them."""
    rows = [columns(line) for line in _text.head_lines(path) if line.strip()]
    return tag_column([row for row in rows if not is_aside(row)]) is not None


def is_aside(row: Sequence[str]) -> bool:
    """Whether the columns of a line are a comment or a document mark; a token `#` has a tag behind it."""
    return bool(row) and (row[0] == "-DOCSTART-" or (row[0].startswith("#") and not TAG.fullmatch(row[-1])))


def tag_column(rows: Sequence[Sequence[str]]) -> int | None:
    """The column of most rows that holds tags, entities among them: the last (-1) or else the next before; or None."""
    wide = [row for row in rows if len(row) > 1]
    places = [-1, *reversed(range(max(map(len, wide)) - 1))] if wide else []
    return next((at for at in places if is_tags(rows, at)), None)


def is_tags(rows: Sequence[Sequence[str]], at: int) -> bool:
    """Whether column `at` of four in five rows holds a tag, with entities and tags outside of them."""
    held = [row[at] for row in rows if len(row) > max(at, 1) and TAG.fullmatch(row[at])]
    return bool(rows) and len(held) >= 0.8 * len(rows) and any(tag != "O" for tag in held) and "O" in held


def _split(tag: str, mended: Counter[str]) -> tuple[str, str]:
    first, comma, rest = tag.partition(",")
    if comma and TAG.fullmatch(rest.partition(",")[0]):
        mended["several"] += 1
        tag = first
    prefix, _, label = tag.partition("-")
    return prefix, label


def _starts(tokens: Sequence[str]) -> list[int]:
    starts, place = [], 0
    for token in tokens:
        starts.append(place)
        place += len(token) + 1
    return starts


def _pieces(text: str, edges: set[int]) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"\S+", text):
        cuts = [match.start(), *sorted(edge for edge in edges if match.start() < edge < match.end()), match.end()]
        yield from zip(cuts, cuts[1:], strict=False)
