"""Entities in CoNLL files: one token a line, its tag in the last column, a blank line between sentences."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _bio, _names, _text
from lepton.formats._joined import joined

MODALITY = "text"

_MENDED = {
    "stray": "tags continued no entity of their label and were read as the start of one",
    "several": "tags carried several labels, of which the first was kept",
    "comment": "comment or document lines were passed over",
}


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some."""
    return _bio.looks_tagged(path) if path.is_file() else bool(_names.data_files(path, _bio.looks_tagged))


def read(path: Path) -> Reading:
    """Read one record a sentence; ids are `train.conll#17`, sentences counted from 0.

    The text is the tokens joined by a space and the label a tuple of `Span` over it. Columns are separated by tabs or
    spaces; the token is the first, or the second where the first counts tokens; the tag the last, in BIO, BIOES,
    BILOU or IOB1. Stray tags are mended and counted in the notes. In a folder the files' names give the splits; of
    several for one split the one with the fewest irregular tags is read, and a note says so. A sentence with
    a line that has no tag is a bad record. Raises UserError for what is no such file.
    """
    parts, notes = ({None: path}, []) if path.is_file() else _parts(path)
    root = path.parent if path.is_file() else path
    readings = [_one(file, file.relative_to(root).as_posix(), split) for split, file in parts.items()]
    return joined([Reading([], [], notes), *readings])


def _parts(folder: Path) -> tuple[dict[str | None, Path], list[str]]:
    files = _names.data_files(folder, _bio.looks_tagged)
    if not files:
        raise UserError(f"{folder} holds no file of tokens and tags", rule="A line is a token and, last, its BIO tag")
    if len(files) == 1:
        return {None: files[0]}, []
    groups: dict[str | None, list[Path]] = {}
    for file in files:
        groups.setdefault(_names.split_of(file.name), []).append(file)
    if "train" not in groups or None in groups:
        raise _names.unclear(folder, files)
    order = [split for split in _names.SPLITS if split in groups]
    chosen: dict[str | None, Path] = {split: _tidiest(groups[split]) for split in order}
    return chosen, [note for split in order for note in _passed_over(str(split), groups[split], chosen[split])]


def _tidiest(files: Sequence[Path]) -> Path:
    return files[0] if len(files) == 1 else min(files, key=_untidiness)


def _untidiness(path: Path) -> tuple[int, str]:
    """How many tags had to be mended, then the name: the release that its makers cleaned comes first."""
    text, _ = _text.load(path)
    mended: Counter[str] = Counter()
    for block in _blocks(_text.lines(text), Counter()):
        tokens, tags, reason = _parsed(block)
        mended += Counter() if reason else _bio.spans(tokens, tags)[2]
    return mended.total(), path.name


def _passed_over(split: str, files: Sequence[Path], chosen: Path) -> list[str]:
    others = ", ".join(file.name for file in files if file != chosen)
    return (
        [f"{split} was read from {chosen.name}, whose tags are the most regular, and not from {others}"]
        if others
        else []
    )


def _one(path: Path, name: str, split: str | None) -> Reading:
    text, notes = _text.load(path)
    mended: Counter[str] = Counter()
    records: list[Record] = []
    bad: list[BadRecord] = []
    for at, block in enumerate(_blocks(_text.lines(text), mended)):
        tokens, tags, reason = _parsed(block)
        if reason:
            bad.append(BadRecord(f"{name}#{at}", reason))
            continue
        joined, spans, more = _bio.spans(tokens, tags)
        mended += more
        records.append(Record(f"{name}#{at}", joined, spans, split))
    if not records:
        raise UserError(f"{path} holds no sentence with tags", rule="A line is a token and, last, its BIO tag")
    return Reading(records, bad, [*notes, *(f"{name}: {count} {_MENDED[what]}" for what, count in mended.items())])


def _blocks(lines: Sequence[str], passed: Counter[str]) -> Iterator[list[tuple[int, list[str]]]]:
    """Sentences as (line number from 1, columns); comments and document marks are counted in `passed`."""
    block: list[tuple[int, list[str]]] = []
    for number, line in enumerate(lines, 1):
        row = _bio.columns(line)
        aside = bool(row) and (row[0] == "-DOCSTART-" or (line.startswith("#") and not _bio.TAG.fullmatch(row[-1])))
        passed["comment"] += aside
        if row and any(row) and not aside:
            block.append((number, row))
        elif block and not aside:
            yield block
            block = []
    if block:
        yield block


def _parsed(block: Sequence[tuple[int, list[str]]]) -> tuple[list[str], list[str], str]:
    """Tokens and tags of a sentence, or the reason why it has none."""
    numbered = all(len(row) > 2 and re.fullmatch(r"\d+([-.]\d+)?", row[0]) for _, row in block)
    for number, row in block:
        if len(row) < 2 or not _bio.TAG.fullmatch(row[-1]):
            return [], [], f"line {number} has no BIO tag in its last column: {' '.join(row)[:60]!r}"
        if not row[numbered]:
            return [], [], f"line {number} has no token"
    return [row[numbered] for _, row in block], [row[-1] for _, row in block], ""
