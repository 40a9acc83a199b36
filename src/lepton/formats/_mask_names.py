"""What the values in masks mean: read from a file of names where there is one, else from the values themselves."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton.core import files
from lepton.core.types import Value
from lepton.formats import _names, _text
from lepton.formats._text import words

VOID = frozenset(words("void ignore ignored unlabeled unlabelled"))
"""Names, in small letters, of what is no class."""

FILE = "classes.txt"

_STEMS = frozenset(
    words("classes class_names codes names labels label_names labelmap label_map label_colors colors class_dict")
)
_SPACED = re.compile(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*\S)\s*$|\s*(\d+)[\s:.,;]+(.*\S)\s*$")
_EDGE = 16
_SURE = 0.95

Named = tuple[tuple[Value, str], ...]
"""Values with their names."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The classes of masks and the values that are of none, with a remark on where that is from."""

    classes: Named
    ignored: tuple[Value, ...] = ()
    note: str = ""


def stated(root: Path) -> tuple[Named, str]:
    """The names that a file in `root`, or one folder below, gives to indices or colours, and its name; none, ""."""
    folders = [root, *(item for item in _names.visible(root)[:50] if item.is_dir())]
    found = (item for folder in folders for item in _names.visible(folder)[:200] if _is_list(item))
    for path in found:
        named = _parsed(_text.head(path))
        if named:
            return named, path.relative_to(root).as_posix()
    return (), ""


def write(meaning: Meaning, place: Path) -> None:
    """Write the file that `stated` reads, a line a value; values of no class are `void`."""
    named = [*meaning.classes, *((value, "void") for value in meaning.ignored)]
    lines = [f"{value if isinstance(value, int) else ' '.join(map(str, value))} {name}\n" for value, name in named]
    files.write_text(place / FILE, "".join(lines))


def meaning(seen: Sequence[Value], named: Named, ignored: Sequence[Value]) -> Meaning:
    """Classes for the values `seen` in masks, after the names given to them; void names and `ignored` are of no class.

    Two names belong to two values in their order, whatever these are. Without names, two values with 0 are
    background and foreground, 255 beside smaller ones is ignored, and others are their own names.
    """
    void = {*ignored, *(value for value, name in named if name.casefold() in VOID)}
    values = [value for value in seen if value not in void]
    if not named:
        return _unnamed(values, void)
    kept = tuple((value, name) for value, name in named if value not in void)
    if len(kept) == len(values) == 2:
        kept = tuple(zip(values, (name for _, name in kept), strict=True))
    return Meaning(kept, tuple(sorted(void, key=str)))


def ends(counts: Iterable[tuple[int, int]]) -> bool:
    """Whether nearly all pixels, given as value and count, are near 0 or 255, as those of two classes in a JPEG are."""
    pairs = list(counts)
    total = sum(count for _, count in pairs)
    near = sum(count for value, count in pairs if value < _EDGE or 255 - _EDGE < value < 256)
    return near >= _SURE * total


def _unnamed(values: Sequence[Value], void: set[Value]) -> Meaning:
    small = [value for value in values if isinstance(value, int)]
    if len(small) > 2 and small[-1] == 255 and small[-2] < 254:
        void, small = {*void, 255}, small[:-1]
    if small and len(small) == 2 and small[0] == 0:
        return Meaning(((0, "background"), (small[1], "foreground")), tuple(sorted(void, key=str)))
    kept = [value for value in values if value not in void]
    return Meaning(tuple((value, _own_name(value)) for value in kept), tuple(sorted(void, key=str)))


def _own_name(value: Value) -> str:
    return str(value) if isinstance(value, int) else "#{:02x}{:02x}{:02x}".format(*value)


def _is_list(path: Path) -> bool:
    return path.suffix.casefold() in (".txt", ".csv", ".tsv") and path.stem.casefold() in _STEMS and path.is_file()


def _parsed(text: str) -> Named:
    """Indices or colours with their names; () where the lines are not all of one kind."""
    lines = [line for line in _text.lines(text) if line.strip() and not line.lstrip().startswith("#")]
    found = [_line(line) for line in lines]
    if found and found[0][0] is None and any(value is not None for value, _ in found[1:]):
        found = found[1:]  # a header
    values = [value for value, _ in found]
    if all(value is None for value in values):
        return tuple(enumerate(name for _, name in found))
    if len({type(value) for value in values}) > 1 or len(set(values)) < len(values):
        return ()
    return tuple((value, name) for value, name in found if value is not None)


def _line(line: str) -> tuple[Value | None, str]:
    """The value of a line, if it has one, and the name: `0 sky`, `sky,128,0,0`, `128 0 0 sky`, `sky:128,0,0::`."""
    spaced = _SPACED.match(line)
    if spaced and spaced[4] and not re.search(r"[,;\t]\s*\d", spaced[4]):
        return _colour(spaced[1], spaced[2], spaced[3]), spaced[4]
    cells = [cell.strip().strip('"') for cell in re.split(r"[,;:\t]", line)]
    digits = [cell for cell in cells if cell.isdecimal()]
    name = next((cell for cell in cells if cell and not cell.isdecimal()), "")
    if len(digits) >= 3 and name:
        return _colour(*digits[-3:]), name
    if spaced and spaced[5]:
        return int(spaced[5]), spaced[6]
    return None, line.strip()


def _colour(*levels: str) -> Value:
    red, green, blue = (min(int(level), 255) for level in levels)
    return red, green, blue
