"""One text a line behind its label: `label text`, `label<TAB>text`, `__label__x text`, or `text<TAB>label`."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _bio, _names, _stream, _table, _text
from lepton.formats._joined import joined

MODALITY = "text"

_NOT_DATA = frozenset(
    _text.words("md rst html htm xml yaml yml toml ini cfg py sh log license bib tex js css sha256 md5 head par tck")
)
_PREFIX = "__label__"
_LOOKED_AT = 20_000


def sniff(path: Path) -> bool:
    """Whether `path` is such a file, or a folder with some; few labels must come again and again."""
    return _suits(path) if path.is_file() else bool(_names.data_files(path, _suits))


def read(path: Path) -> Reading:
    """Read one record a line; ids are `train.txt#17`, lines counted from 0, blank ones too.

    The label ends at the first white space, or at the tab where every line has one (then the column of fewer
    different values is the label). In a folder, files of one name that carry train, dev and test are the splits.
    A line of one word is a bad record. Raises UserError for what is no such file or no single data set.
    """
    parts = {None: [path]} if path.is_file() else _parts(path)
    root = path.parent if path.is_file() else path
    readings = [
        _one(file, file.relative_to(root).as_posix(), split) for split, files in parts.items() for file in files
    ]
    return joined(readings)


def _suits(path: Path) -> bool:
    name = path.name.casefold()
    if _table.kind(path) or name.rpartition(".")[2] in _NOT_DATA or name in ("license", "readme", "copying"):
        return False
    lines = [line for line in _text.head_lines(path) if line.strip()]
    return _labelled(lines) and not _bio.looks_tagged(path)


def _labelled(lines: Sequence[str]) -> bool:
    """Whether most lines fall into a label and a text, with labels that come again: at most one in three differs."""
    pairs = [pair for pair in _pairs(lines) if pair]
    labels = {label for label, _ in pairs}
    single = len(labels) == 1 and not re.fullmatch(r"\d+|__label__.*", next(iter(labels)))
    again = 0 < len(labels) < len(pairs) and len(labels) <= max(2, len(pairs) // 3)
    return again and len(pairs) >= 0.9 * len(lines) and not single


def _parts(folder: Path) -> dict[str | None, list[Path]]:
    files = _names.data_files(folder, _suits)
    if not files:
        raise UserError(f"{folder} holds no file of labelled lines", rule="A line is a label, a space and a text")
    parts = _names.by_split(files)
    if not parts:
        raise _names.unclear(folder, files)
    return parts


def _one(path: Path, name: str, split: str | None) -> Reading:
    lines = _stream.Lines(path)
    cut = _way(lines)
    records: list[Record] = []
    bad: list[BadRecord] = []
    blank = 0
    for at, line in enumerate(lines):
        pair = cut(line.rstrip("\r\n"))
        blank += not line.strip()
        if pair:
            records.append(Record(f"{name}#{at}", pair[1], pair[0].removeprefix(_PREFIX), split))
        elif line.strip():
            bad.append(BadRecord(f"{name}#{at}", f"has no label and text: {line.strip()[:60]!r}"))
    if not records:
        raise UserError(f"{path} holds no labelled lines", rule="A line is a label, a space and a text")
    passed = [f"{name}: {_text.several(blank, 'blank line')} passed over"] if blank else []
    return Reading(records, bad, [*lines.notes, *passed])


def _pairs(lines: Sequence[str]) -> list[tuple[str, str] | None]:
    """Label and text of every line, None where a line is not both."""
    return list(map(_way(lines), lines))


def _way(lines: Iterable[str]) -> Callable[[str], tuple[str, str] | None]:
    """How a line is cut into label and text: at the tab where all have one, the rarer side being the label."""
    if not all("\t" in line for line in lines if line.strip()):
        return lambda line: _cut(line.strip().split(None, 1))
    filled = [line.rstrip("\r\n") for line in islice(filter(str.strip, lines), _LOOKED_AT)]
    front = {line.partition("\t")[0] for line in filled}
    back = {line.rpartition("\t")[2] for line in filled}
    if len(back) < len(front):
        return lambda line: _cut([*reversed(line.rpartition("\t")[::2])])
    return lambda line: _cut([*line.partition("\t")[::2]])


def _cut(pieces: list[str]) -> tuple[str, str] | None:
    stripped = [piece.strip() for piece in pieces]
    return (stripped[0], stripped[1]) if len(stripped) == 2 and all(stripped) else None
