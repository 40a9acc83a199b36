"""Records of the rows of a table: texts with a label, or tokens with tags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record, Span
from lepton.formats import _bio, _columns, _names
from lepton.formats._table import Cells, Table, text_of
from lepton.formats._text import several, words

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})
_TOKENS = words("tokens words")
_TAGS = words("ner_tags tags ner labels slots pos_tags chunk_tags")


@dataclass(slots=True)
class _Pass:
    """One pass over the rows of a table, and what was counted on the way."""

    name: str
    text: str
    label: str
    column: str | None
    given: str | None
    tagged: bool = False
    known: int = 0
    unknown: int = 0
    mended: dict[str, int] = field(default_factory=dict)

    def records(self, table: Table) -> Iterator[Record | BadRecord]:
        """A record or a bad one for each row."""
        for at, cells in table.rows:
            identity = f"{self.name}#{at}"
            yield BadRecord(identity, cells) if isinstance(cells, str) else self._record(identity, cells)

    def _record(self, identity: str, cells: Cells) -> Record | BadRecord:
        made = self._tagged(cells) if self.tagged else self._plain(cells)
        if isinstance(made, str):
            return BadRecord(identity, made)
        others = {key: cell for key, cell in cells.items() if key not in (self.text, self.label)}
        fields = {key: text for key, cell in others.items() if (text := text_of(cell)) is not None}
        return Record(identity, made[0], made[1], self._split(cells), fields or _NO_FIELDS)

    def _plain(self, cells: Cells) -> tuple[str, str] | str:
        text, label = text_of(cells.get(self.text)), text_of(cells.get(self.label))
        if text is None or label is None:
            return _missing(cells, self.text if text is None else self.label)
        return text, label

    def _tagged(self, cells: Cells) -> tuple[str, tuple[Span, ...]] | str:
        tokens, tags = _words(cells.get(self.text)), _words(cells.get(self.label))
        if tokens is None or tags is None:
            return f"{self.text!r} and {self.label!r} are no lists of words"
        if len(tokens) != len(tags):
            return f"{len(tokens)} tokens have {len(tags)} tags"
        if not tokens:
            return f"{self.text!r} is empty"
        text, spans, mended = _bio.spans(tokens, tags)
        for what, count in mended.items():
            self.mended[what] = self.mended.get(what, 0) + count
        return text, spans

    def _split(self, cells: Cells) -> str | None:
        if self.column is None:
            return self.given
        word = _names.split_word(text_of(cells.get(self.column)) or "")
        self.known += word is not None
        self.unknown += word is None
        return word

    def notes(self) -> Iterator[str]:
        """Remarks on the splits and on mended tags."""
        if self.column and not self.known:
            yield f"column {self.column!r} holds no names of splits, so it is an ordinary field"
        elif self.column:
            yield f"splits from column {self.column!r}"
            if self.unknown:
                yield f"{several(self.unknown, 'row')} without a known split there"
        yield from (f"{count} {_bio.MENDED[what]}" for what, count in self.mended.items())


def roles(table: Table, text: str | None, label: str | None) -> tuple[str, str, list[str]]:
    """The columns of texts and labels, named or found, and a remark where they were found.

    Tokens and tags come first, then usual names, then what the columns hold. Raises UserError where that is not clear.
    """
    sample = table.sample()
    if not sample:
        raise UserError("The table has a header and no rows", rule="A data file holds at least one record")
    lists = [column for column in table.columns if isinstance(sample[0].get(column), list | tuple)]
    label_name = _columns.pick(table.columns, label, "data.label") if label else None
    free = [column for column in table.columns if column != label_name]
    text_name = _columns.pick(table.columns, text, "data.text") if text else _columns.by_name(lists, _TOKENS)
    text_name = text_name or _columns.text_column(free, sample)
    if text_name in lists:
        label_name = label_name or _columns.by_name(lists, _TAGS)
    split = _columns.by_name(table.columns, _columns.SPLITS)
    taken = [text_name, *([split] if split else [])]
    label_name = label_name or _columns.label_column(table.columns, sample, taken)
    notes = [] if text and label else [f"texts from column {text_name!r}, labels from {label_name!r}"]
    return text_name, label_name, notes


def reading(table: Table, name: str, *, text: str, label: str, split: str | None = None) -> Reading:
    """The records of the rows, whose ids are `name#17`, with the columns of `text` and `label`.

    `split` is the split of all of them; else a column with known words gives it.
    """
    column = None if split else _columns.by_name(table.columns, _columns.SPLITS)
    tagged = any(isinstance(cells.get(text), list | tuple) for cells in table.sample()[:1])
    one = _Pass(name, text, label, column, split, tagged=tagged)
    records: list[Record] = []
    bad: list[BadRecord] = []
    for item in one.records(table):
        if isinstance(item, Record):
            records.append(item)
        else:
            bad.append(item)
    return Reading(records, bad, [*table.notes, *(f"{name}: {note}" for note in one.notes())])


def _words(cell: Any) -> list[str] | None:
    fits = isinstance(cell, list | tuple) and all(isinstance(item, str) and item for item in cell)
    return list(cell) if fits else None


def _missing(cells: Mapping[str, Any], column: str) -> str:
    cell = cells.get(column)
    nested = isinstance(cell, dict | list | bytes)
    return f"{column!r} holds {type(cell).__name__}, not one value" if nested else f"{column!r} is empty"
