"""Which columns of a table are which: by their usual names, else by what stands in them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.formats._text import words

# By rank: where a table has several of these, the earlier is meant.
TEXTS = words(
    "text sentence utterance question query review tweet message content comment body document headline premise "
    "phrase description title sms email v2 x"
)
LABELS = words(
    "label_text label_name label labels category class class_name target intent sentiment topic emotion tag type "
    "rating polarity v1 y coarse_label label_coarse"
)
FILES = words(
    "file filename file_name path filepath file_path image image_path audio audio_path wav slice_file_name id"
)
TRANSCRIPTS = words(
    "normalized_text normalized_transcription sentence transcript transcription transcripts raw_transcription text"
)
SPLITS = words("split set subset partition")

_SAMPLE = 2000
_OTHERS = words("id idx index uid guid row number no fold source date user lang language")


def header(rows: Sequence[list[str]], wanted: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Column names and the rows below them. Where there is no header the names are "0", "1", ...

    The first row is one when it holds a usual or a wanted name, or else when its cells are short words, not
    numbers, that never come again in their column.
    """
    first = [cell.strip() for cell in rows[0]]
    if _is_header(first, rows[1 : _SAMPLE + 1], {*map(str, wanted)}):
        return _unique(first), list(rows[1:])
    return [str(at) for at in range(max(map(len, rows[:_SAMPLE])))], list(rows)


def pick(columns: Sequence[str], name: str, place: str) -> str:
    """The column that the user named at `place`, in its exact spelling or else but for case; else UserError."""
    same = [column for column in columns if column == name] or [c for c in columns if c.casefold() == name.casefold()]
    if not same:
        raise plugins.unknown(f"column in [{place}]", name, list(columns))
    return same[0]


def by_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column with the highest ranked of `names`, whatever its case and joints (`Label Text`); or None."""
    plain = {re.sub(r"[\s\-]+", "_", column.strip().casefold()): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), None)


def text_column(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The column with the text: by a usual name, else the longest one that has several words; else UserError."""
    named = by_name(columns, TEXTS)
    if named:
        return named
    lengths = {column: _mean_length(column, rows) for column in columns}
    wordy = [column for column in columns if _wordy(column, rows)]
    if not wordy:
        raise _not_clear("text", columns)
    return max(wordy, key=lambda column: lengths[column])


def label_column(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], taken: Sequence[str]) -> str:
    """The column with the label: by a usual name, else the only one of few and repeated values; else UserError."""
    free = [column for column in columns if column not in taken]
    named = by_name(free, LABELS)
    if named:
        return named
    few = [column for column in free if _few(column, rows) and not by_name([column], [*_OTHERS, *SPLITS])]
    if len(few) != 1:
        raise _not_clear("label", free)
    return few[0]


def transcript_column(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The column with what was said: by a usual name, else the last wordy one where none has few values; or None."""
    named = by_name(columns, TRANSCRIPTS)
    if named or any(_few(column, rows) and not _wordy(column, rows) for column in columns):
        return named
    return next((column for column in reversed(columns) if _wordy(column, rows)), None)


def _is_header(first: Sequence[str], below: Sequence[Sequence[str]], wanted: set[str]) -> bool:
    if wanted & set(first):
        return True
    filled = [cell for cell in first if cell]
    if len(set(filled)) < len(filled) or not all(map(_wordlike, filled)):
        return False
    columns = [{row[at].strip() for row in below if at < len(row)} for at in range(len(first))]
    again = any(cell and cell in column for cell, column in zip(first, columns, strict=True))
    usual = by_name(first, [*TEXTS, *LABELS, *FILES, *SPLITS])
    return usual is not None or (bool(below) and not again and all(first[1:]))


def _wordlike(cell: str) -> bool:
    return len(cell) <= 40 and len(cell.split()) <= 3 and not re.fullmatch(r"[-+.,\d\s]*", cell)


def _unique(names: Sequence[str]) -> list[str]:
    """Names made distinct: blank ones become their number, a second `label` becomes `label.1`."""
    made: list[str] = []
    for at, name in enumerate(names):
        fresh = name or str(at)
        count = 0
        while fresh in made:
            count += 1
            fresh = f"{name or at}.{count}"
        made.append(fresh)
    return made


def _cells(column: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    found = (row.get(column) for row in rows[:_SAMPLE])
    return [cell for cell in found if cell is not None and cell != ""]


def _mean_length(column: str, rows: Sequence[Mapping[str, Any]]) -> float:
    texts = [cell for cell in _cells(column, rows) if isinstance(cell, str)]
    return sum(map(len, texts)) / len(texts) if texts else 0.0


def _wordy(column: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Texts differ and are longer than names; scripts without spaces (U+2E80 upwards) count by letters."""
    texts = [cell for cell in _cells(column, rows) if isinstance(cell, str)]
    many = sum(" " in text.strip() or any(letter >= "\u2e80" for letter in text[:20]) for text in texts)
    return bool(texts) and many > 0.5 * len(texts) and len(set(texts)) > 0.3 * len(texts)


def _few(column: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    cells = [cell for cell in _cells(column, rows) if isinstance(cell, str | int)]
    distinct = len(set(cells))
    return bool(cells) and 2 <= distinct <= max(2, len(cells) // 3) and max(len(str(cell)) for cell in cells) <= 60


def _not_clear(what: str, columns: Sequence[str]) -> UserError:
    return UserError(
        f"It is not clear which column is the {what}",
        rule=f"Columns: {', '.join(columns)}",
        remedy=f'Name it: {what} = "..." in [data]',
    )
