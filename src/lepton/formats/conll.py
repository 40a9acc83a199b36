"""Entities in CoNLL files: one token a line, its tag in a column, a blank line between sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lepton.core import files, plugins
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _bio, _names, _stream
from lepton.formats._joined import joined

MODALITY = "text"

_RULE = "A line is a token and, in the last column or another, its BIO tag"
_COMMENT = "comment or document lines were passed over"
_LOOKED_AT = 2000

Line = tuple[int, list[str]]
"""A line's number, from 1, and its columns."""


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some."""
    return _bio.looks_tagged(path) if path.is_file() else bool(_names.data_files(path, _bio.looks_tagged))


def read(path: Path, *, text: str | None = None, label: str | None = None) -> Reading:
    """Read one record a sentence; ids are `train.conll#17`, sentences counted from 0.

    The text is the tokens joined by a space and the label a tuple of `Span` over it. Columns are separated by tabs or
    spaces. `text` is the column of the tokens and `label` that of the tags, by number (0 is the first, -1 the last) or,
    under a line `# global.columns = ID FORM ...`, by name; left out, the tags are the last column in BIO, BIOES, BILOU
    or IOB1, and the tokens the first other one that does not count. Tags of another kind, such as parts of speech,
    make each token an entity. Stray tags are mended and counted in the notes. In a folder the files' names give
    the splits; of several for one split the one with the fewest irregular tags is read, and a note says so. A sentence
    with a line that has no tag is a bad record. Raises UserError for what is no such file.
    """
    parts, notes = ({None: path}, []) if path.is_file() else _parts(path, (text, label))
    root = path.parent if path.is_file() else path
    readings = [_one(file, (file.relative_to(root).as_posix(), split), (text, label)) for split, file in parts.items()]
    return joined([Reading([], [], notes), *readings])


def write(records: Iterable[Record], place: Path) -> None:
    """Write token and BIO tag, separated by a tab, a file a split: `train.conll`; without splits `data.conll`.

    Tokens are the words between white space, cut also where an entity begins or ends. Raises UserError for a record
    that is no text with entities.
    """
    sentences: dict[str, list[str]] = {}
    for record in records:
        sentences.setdefault(f"{record.split or 'data'}.conll", []).append(_sentence(record))
    for name, found in sentences.items():
        files.write_text(place / name, "\n".join(found))


@dataclass(frozen=True, slots=True)
class _Roles:
    """Which columns hold tokens and tags, and whether the tags are of the BIO kind."""

    token: int
    tag: int
    bio: bool = True

    def parsed(self, block: Sequence[Line]) -> tuple[list[str], list[str], str]:
        """Tokens and tags of a sentence, or the reason why it has none."""
        for number, row in block:
            tag = _cell(row, self.tag)
            if not tag or (self.bio and not _bio.TAG.fullmatch(tag)):
                return [], [], f"line {number} has no tag in its column {self.tag}: {' '.join(row)[:60]!r}"
            if not _cell(row, self.token):
                return [], [], f"line {number} has no token"
        tags = [row[self.tag] for _, row in block]
        return [row[self.token] for _, row in block], tags if self.bio else list(map(_alone, tags)), ""


def _parts(folder: Path, asked: tuple[str | None, str | None]) -> tuple[dict[str | None, Path], list[str]]:
    found = _names.data_files(folder, _bio.looks_tagged)
    if not found:
        raise UserError(f"{folder} holds no file of tokens and tags", rule=_RULE)
    if len(found) == 1:
        return {None: found[0]}, []
    groups: dict[str | None, list[Path]] = {}
    for file in found:
        groups.setdefault(_names.split_of(file.name), []).append(file)
    if "train" not in groups or None in groups:
        raise _names.unclear(folder, found)
    order = [split for split in _names.SPLITS if split in groups]
    chosen: dict[str | None, Path] = {split: _tidiest(groups[split], asked) for split in order}
    return chosen, [note for split in order for note in _passed_over(str(split), groups[split], chosen[split])]


def _tidiest(found: Sequence[Path], asked: tuple[str | None, str | None]) -> Path:
    return found[0] if len(found) == 1 else min(found, key=lambda path: _untidiness(path, asked))


def _untidiness(path: Path, asked: tuple[str | None, str | None]) -> tuple[int, str]:
    """How many tags had to be mended, then the name: the release that its makers cleaned comes first."""
    mended: Counter[str] = Counter()
    roles = _roles(path, asked)
    for block in _blocks(_stream.Lines(path), Counter()):
        tokens, tags, reason = roles.parsed(block)
        mended += Counter() if reason else _bio.spans(tokens, tags)[2]
    return mended.total(), path.name


def _passed_over(split: str, found: Sequence[Path], chosen: Path) -> list[str]:
    others = ", ".join(file.name for file in found if file != chosen)
    told = f"{split} was read from {chosen.name}, whose tags are the most regular, and not from {others}"
    return [told] if others else []


def _one(path: Path, name: tuple[str, str | None], asked: tuple[str | None, str | None]) -> Reading:
    roles = _roles(path, asked)
    lines = _stream.Lines(path)
    mended: Counter[str] = Counter()
    records: list[Record] = []
    bad: list[BadRecord] = []
    for at, block in enumerate(_blocks(lines, mended)):
        tokens, tags, reason = roles.parsed(block)
        if reason:
            bad.append(BadRecord(f"{name[0]}#{at}", reason))
            continue
        text, spans, more = _bio.spans(tokens, tags)
        mended += more
        records.append(Record(f"{name[0]}#{at}", text, spans, name[1]))
    if not records:
        raise UserError(f"{path} holds no sentence with tags", rule=_RULE, received=bad[0].reason if bad else None)
    counted = {**_bio.MENDED, "comment": _COMMENT}
    notes = [f"{count} {counted[what]}" for what, count in (+mended).items()]
    notes += [] if roles.bio else ["the tags are not of the BIO kind, so each token is an entity"]
    return Reading(records, bad, [*lines.notes, *(f"{name[0]}: {note}" for note in notes)])


def _blocks(lines: Iterable[str], passed: Counter[str]) -> Iterator[list[Line]]:
    """Sentences as their lines; comments and document marks are counted in `passed`."""
    block: list[Line] = []
    for number, line in enumerate(lines, 1):
        row = _bio.columns(line.rstrip("\r\n"))
        aside = _bio.is_aside(row)
        passed["comment"] += aside
        if row and any(row) and not aside:
            block.append((number, row))
        elif block and not aside:
            yield block
            block = []
    if block:
        yield block


def _roles(path: Path, asked: tuple[str | None, str | None]) -> _Roles:
    """The columns asked for, by number or name, else those found in the beginning of the file."""
    lines = list(islice(_stream.Lines(path), _LOOKED_AT))
    rows = [row for block in _blocks(lines, Counter()) for _, row in block]
    names = next((line.partition("=")[2].split() for line in lines if line.startswith("# global.columns")), [])
    text, label = asked
    if not rows:
        raise UserError(f"{path} holds no sentence with tags", rule=_RULE)
    found = _bio.tag_column(rows)
    tag = (-1 if found is None else found) if label is None else _number(label, names, "data.label")
    token = _token_column(rows, tag) if text is None else _number(text, names, "data.text")
    tagged = sum(_bio.TAG.fullmatch(_cell(row, tag)) is not None for row in rows)
    return _Roles(token, tag, label is None or tagged > len(rows) / 2)


def _number(asked: str, names: Sequence[str], place: str) -> int:
    if asked in names:
        return names.index(asked)
    if re.fullmatch(r"-?\d{1,3}", asked):
        return int(asked)
    known = [*names, *map(str, range(3)), "-1"]
    raise plugins.unknown(f"column in [{place}]", asked, known)


def _token_column(rows: Sequence[list[str]], tag: int) -> int:
    """The first column, or the next where the first is the tags or counts the tokens."""
    for at in range(2):
        counts = len(rows[0]) > 2 and all(re.fullmatch(r"\d+([-.]\d+)?", _cell(row, at)) for row in rows)
        if not counts and at != tag and at - len(rows[0]) != tag:
            return at
    return 2 if len(rows[0]) > 2 else 0


def _cell(row: Sequence[str], at: int) -> str:
    return row[at] if -len(row) <= at < len(row) else ""


def _alone(tag: str) -> str:
    """A tag that is no BIO tag, as one of a whole entity."""
    return "O" if tag in ("O", "_") else f"S-{tag}"


def _sentence(record: Record) -> str:
    return "".join(f"{token}\t{tag}\n" for token, tag in _bio.tokens(*_bio.entities(record, "CoNLL")))
