"""Separated values: the separator is found out, quotes may hold separators and line ends, fields may be huge."""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from lepton.core.errors import UserError
from lepton.formats._text import several

_SEPARATORS = ",\t;|"
_END = "\ue000end\ue000"
_SAMPLE_ROWS = 200
_SWALLOWED = 100
_BATCH = 1000
_BARE = "\t|"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of lines, without blank ones, parsed anew for each iteration."""

    lines: Iterable[str]
    mark: str
    quotes: bool = True
    closed: bool = True

    def __iter__(self) -> Iterator[list[str]]:
        found = (row for row in _parse(self.lines, self.mark, quotes=self.quotes) if row)
        return found if self.closed else _without_last_end(found)


def rows(lines: Iterable[str], separator: str) -> tuple[Rows, list[str]]:
    """The rows of `lines`, and remarks. `lines` are gone through once here, and once for each iteration.

    Where quotation marks do not pair up, they are taken as letters if tabs or bars separate, as most such files
    mean them. In other text the last row is left as it is, as in a file that was cut off; one that swallowed
    more than 100 lines raises UserError.
    """
    if separator in _BARE and not _is_strict(lines, separator):
        found = Rows(lines, separator, quotes=False)
        notes = ["quotation marks do not pair up, so they were taken as letters"]
        blank, _ = _survey(lines, separator, quotes=False)
    else:
        blank, last = _survey(lines, separator)
        found = Rows(lines, separator, closed=last is None)
        notes = [] if last is None else [_unclosed(*last)]
    return found, notes + ([f"{several(blank, 'blank line')} passed over"] if blank else [])


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
    kept = [row for row in islice(_parse(io.StringIO(text, newline=""), mark), _SAMPLE_ROWS) if row]
    return kept[:-1] if len(kept) > 2 else kept


def _evenness(text: str, mark: str) -> float:
    widths = Counter(len(row) for row in first_rows(text, mark))
    if not widths:
        return 0.0
    width, count = widths.most_common(1)[0]
    return count / widths.total() if width > 1 else 0.0


def _parse(lines: Iterable[str], mark: str, *, quotes: bool = True, strict: bool = False) -> Iterator[list[str]]:
    bare: dict[str, Any] = {} if quotes else {"quoting": csv.QUOTE_NONE}
    reader = csv.reader(lines, delimiter=mark, strict=strict, **bare)
    while batch := _batch(reader):
        yield from batch


def _batch(reader: Iterator[list[str]]) -> list[list[str]]:
    with _any_length():
        return list(islice(reader, _BATCH))


def _is_strict(lines: Iterable[str], mark: str) -> bool:
    """Whether every field that begins with a quotation mark ends with one."""
    try:
        for _ in _parse(lines, mark, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _survey(lines: Iterable[str], mark: str, *, quotes: bool = True) -> tuple[int, tuple[int, str] | None]:
    """How many lines are blank; the number and end of the last row where its quote is not closed, else None.

    A mark put after the lines comes out as a row of its own when every quote was closed.
    """
    blank, count, last = 0, 0, [""]
    for row in _parse(chain(lines, [_END]), mark, quotes=quotes):
        blank += not row
        count += bool(row)
        last = row
    closed = last == [_END]
    return blank, None if closed else (count, last[-1].removesuffix(_END))


def _without_last_end(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    before: list[str] = []
    for row in rows:
        if before:
            yield before
        before = row
    if before:
        yield [*before[:-1], before[-1].rstrip("\r\n")]


def _unclosed(row: int, field: str) -> str:
    swallowed = field.count("\n")
    if swallowed > _SWALLOWED:
        raise UserError(
            f"A quotation mark opened in row {row - 1} is never closed",
            rule="A quoted field ends with a quotation mark; one inside it is doubled",
            received=f"{swallowed} lines after it: {field[:60]}",
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
