"""Separated values: the separator is found out, quotes may hold separators and line ends, fields may be huge."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from lepton.core.errors import UserError
from lepton.formats._text import several

_SEPARATORS = ",\t;|"
_END = "\ue000end\ue000"
_SAMPLE_ROWS = 200
_SWALLOWED = 100


def rows(text: str, separator: str) -> tuple[list[list[str]], list[str]]:
    """The rows of `text` without blank ones, and remarks.

    Where a quotation mark is never closed, quotes are taken as letters in tab-separated text, as most such files
    mean them. In other text the last row is left as it is, as in a file that was cut off; one that swallowed
    more than 100 lines raises UserError.
    """
    found, closed = _parse(text, separator)
    notes = []
    if not closed and separator == "\t":
        found, _ = _parse(text, separator, quotes=False)
        notes.append("quotation marks do not pair up, so they were taken as letters")
    elif not closed:
        notes.append(_unclosed(found))
    kept = [row for row in found if row]
    if len(kept) < len(found):
        notes.append(f"{several(len(found) - len(kept), 'blank line')} passed over")
    return kept, notes


def separator(text: str, preferred: str = "") -> str | None:
    """The character that splits most rows of `text` into one same number of columns (two at least), or None.

    `text` may be a beginning that is cut anywhere. `preferred` wins where it does so too.
    """
    order = [*preferred, *(mark for mark in _SEPARATORS if mark not in preferred)]
    scores = [_evenness(text, mark) for mark in order]
    best = max(scores)
    return order[scores.index(best)] if best >= 0.6 else None


def first_rows(text: str, mark: str) -> list[list[str]]:
    """The first rows of a beginning of a file; the last one, which may be cut, is left out if others are there."""
    found, _ = _parse(text, mark, limit=_SAMPLE_ROWS)
    kept = [row for row in found if row]
    return kept[:-1] if len(kept) > 2 else kept


def _evenness(text: str, mark: str) -> float:
    widths = Counter(len(row) for row in first_rows(text, mark))
    if not widths:
        return 0.0
    width, count = widths.most_common(1)[0]
    return count / widths.total() if width > 1 else 0.0


def _parse(text: str, mark: str, *, quotes: bool = True, limit: int = sys.maxsize) -> tuple[list[list[str]], bool]:
    """Rows, and whether every quote was closed: a mark put after the text must come out as a row of its own."""
    joint = "" if text.endswith(("\n", "\r")) else "\n"
    stream = io.StringIO(f"{text}{joint}{_END}", newline="")
    with _any_length():
        reader = csv.reader(stream, delimiter=mark, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE)
        found = [row for _, row in zip(range(limit), reader, strict=False)]
    if found and found[-1] == [_END]:
        return found[:-1], True
    if found and found[-1] and found[-1][-1].endswith(_END):
        found[-1][-1] = found[-1][-1].removesuffix(_END).rstrip("\r\n")
        return found, False
    return found, True


def _unclosed(found: list[list[str]]) -> str:
    swallowed = found[-1][-1].count("\n")
    if swallowed > _SWALLOWED:
        raise UserError(
            f"A quotation mark opened in row {len(found) - 1} is never closed",
            rule="A quoted field ends with a quotation mark; one inside it is doubled",
            received=f"{swallowed} lines after it: {found[-1][-1][:60]}",
            remedy="Close or double it, or separate the columns by tabs",
        )
    return "the last row has a quotation mark that is never closed: the file may be cut off"


@contextmanager
def _any_length() -> Iterator[None]:
    """The csv module refuses fields over 128 kB, by a limit of the whole process: lift it for the moment."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
