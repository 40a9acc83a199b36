"""Folders of image or sound files: finding them, and reading class, split and fields from where they stand."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lepton.core import plugins
from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats._names import split_of, split_word
from lepton.formats._pattern import Pattern, compile_pattern
from lepton.formats._text import several, some, words

Parts = tuple[str, ...]
"""A file's place under the root, folder by folder."""

_LOOKED_AT = 5000
_LISTS = {"validation_list.txt": "validation", "testing_list.txt": "test"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of media: the word for one of them and the suffixes of its files, in small letters."""

    word: str
    suffixes: frozenset[str]

    def has(self, name: str) -> bool:
        """Whether a file of this name is of the kind."""
        return os.path.splitext(name)[1].casefold() in self.suffixes


IMAGE = Kind("image", frozenset(words(".jpg .jpeg .jpe .jfif .png .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .pnm")))
AUDIO = Kind("recording", frozenset(words(".wav .flac .ogg .oga .opus .mp3 .aif .aiff")))

VOLUME = Kind("volume", frozenset(words(".dcm .dicom .dic .ima .nii .hdr .gz")))


@dataclass(slots=True)
class Found:
    """What a walk found: files of the kind in order, the others counted by suffix, and what it did not enter."""

    files: list[Parts] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)

    def notes(self, kind: Kind) -> list[str]:
        """Remarks on everything that was left aside."""
        counts = ", ".join(f"{suffix or 'no suffix'} {count}" for suffix, count in sorted(self.others.items()))
        lines = [f"{several(self.others.total(), 'file')} not read as {kind.word}s: {counts}"] if counts else []
        return lines + [
            f"folder {name} was left aside ({several(n, 'file')})" for name, n in sorted(self.aside.items())
        ]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a file's parts its split and its class stand; `splits` is empty where there are no split folders."""

    wrapper: int
    splits: Mapping[str, str]

    def place(self, parts: Parts) -> tuple[str | None, str | None]:
        """Split and class of a file; the class is None for one that stands in no class folder."""
        folders = parts[self.wrapper : -1]
        split = self.splits.get(folders[0]) if folders else None
        inner = folders[1:] if split else folders
        if split and len(inner) > 1 and inner[0] == folders[0]:
            inner = inner[1:]  # archives are often unpacked into a folder of their own name
        return split, inner[0] if inner else None

    def outside(self, parts: Parts) -> str | None:
        """The folder beside the split folders in which a file stands, if so."""
        folders = parts[self.wrapper : -1]
        return folders[0] if self.splits and folders and folders[0] not in self.splits else None


def holds(path: Path, kind: Kind) -> bool:
    """Whether there is a file of `kind` under the folder `path`, looking at the first few thousand entries."""
    seen = (name for name, _ in zip(names(path, set()), range(_LOOKED_AT), strict=False))
    return path.is_dir() and any(kind.has(parts[-1]) for parts in seen)


def walk(root: Path, kind: Kind) -> Found:
    """All files of `kind` under `root`, sorted; linked folders are entered once, hidden entries are not counted."""
    found = Found()
    for parts in sorted(names(root, set())):
        hidden = next((part for part in parts[:-1] if part.startswith("_")), None)
        if hidden:
            found.aside[hidden] += 1
        elif kind.has(parts[-1]):
            found.files.append(parts)
        else:
            found.others[os.path.splitext(parts[-1])[1].casefold()] += 1
    return found


def read_folders(root: Path, kind: Kind, naming: tuple[str | None, str | None]) -> Reading:
    """Records of the files of `kind` under `root`; `naming` is the pattern of their names and the label's field.

    The class is the folder (under a split folder, if there are such), or a field of the pattern.
    """
    pattern, label = naming
    found = walk(_folder(root), kind)
    if not found.files:
        raise UserError(f"{root} holds no {kind.word}", rule=f"Known suffixes: {some(sorted(kind.suffixes), 20)}")
    compiled = compile_pattern(pattern) if pattern else None
    layout = layout_of(found.files, inside=2 if compiled else 3)
    _leave_outside(found, layout)
    chosen = label_field(compiled, label)
    _need_classes(root, kind, (found.files, layout), by_field=chosen is not None)
    made = [_one(root, parts, (layout, compiled, chosen)) for parts in found.files]
    records = [item for item in made if isinstance(item, Record)]
    bad = [item for item in made if isinstance(item, BadRecord)]
    if compiled and not records:
        raise nothing_fits(compiled, found.files[0][-1])
    return with_lists(root, Reading(records, bad, found.notes(kind)))


def label_field(compiled: Pattern | None, label: str | None) -> str | None:
    """The pattern's field that is the label: the one asked for, else `label` if it has that, else None."""
    if compiled is None:
        if label is not None:
            raise UserError(
                "[data.label] names a field, and there is no pattern that has fields",
                received=label,
                remedy='Add pattern = "{label}_{speaker}.wav" or the like',
            )
        return None
    if label is not None and label not in compiled.fields:
        raise plugins.unknown("field in [data.label]", label, list(compiled.fields))
    return label or ("label" if "label" in compiled.fields else None)


def nothing_fits(compiled: Pattern, name: str) -> UserError:
    """The error for a pattern that no file name fits."""
    return UserError(
        f"No file name fits the pattern {compiled.text!r}",
        rule="Fields in braces take what stands between the letters around them",
        received=f"for example {name}",
        remedy="Write the pattern after such a name",
    )


def file_record(path: Path, identity: str) -> BadRecord | None:
    """A BadRecord for a file that is missing, empty or no plain file; None when it seems sound."""
    try:
        size = path.stat().st_size
    except OSError as error:
        return BadRecord(identity, f"cannot be opened: {error.strerror or error}")
    if not path.is_file():
        return BadRecord(identity, "is no plain file")
    return None if size else BadRecord(identity, "is empty (0 bytes)")


def with_lists(root: Path, reading: Reading) -> Reading:
    """Take splits from `validation_list.txt` and `testing_list.txt` (as in Speech Commands), where they stand."""
    named = {split: _listed(root / name) for name, split in _LISTS.items()}
    if not any(named.values()) or any(record.split for record in reading.records):
        return reading
    splits = {identity: split for split, identities in named.items() for identity in identities}
    records = [replace(record, split=splits.get(record.id, "train")) for record in reading.records]
    missing = len(splits.keys() - {record.id for record in records})
    notes = [f"splits were taken from {' and '.join(_LISTS)}"]
    notes += [f"{several(missing, 'name')} in these lists had no readable file"] if missing else []
    return Reading(records, reading.bad, [*reading.notes, *notes])


def names(root: Path, seen: set[str], parts: Parts = ()) -> Iterator[Parts]:
    """Every file under `root` by its parts; a folder met twice through links is entered once."""
    real = os.path.realpath(root)
    if real in seen:
        return
    seen.add(real)
    for entry in _entries(root):
        if entry.name.startswith(".") or entry.name in ("__MACOSX", "Thumbs.db", "desktop.ini"):
            continue
        # Not entry.is_dir(): a link that leads to itself makes it raise.
        if os.path.isdir(entry.path):
            yield from names(Path(entry.path), seen, (*parts, entry.name))
        else:
            yield (*parts, entry.name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise UserError(f"{root} is no folder", rule="Files in class folders are read from their folder")
    return root


def layout_of(files: Sequence[Parts], *, inside: int) -> Layout:
    """Where classes and splits stand; `inside` is how many parts a file in a split folder has at least."""
    wrapper = _wrapper(files)
    first = {parts[wrapper] for parts in files if len(parts) >= wrapper + 2}
    deep = {parts[wrapper] for parts in files if len(parts) >= wrapper + inside}
    name_of = split_of if len(first) > 1 and all(map(split_of, first)) else split_word
    splits = {name: word for name in deep if (word := name_of(name))}
    if "train" not in splits.values() and set(splits) != first:
        splits = {}
    return Layout(wrapper, splits)


def _wrapper(files: Sequence[Parts]) -> int:
    """How many outer folders hold everything and mean nothing, as unpacked archives have."""
    depth = 0
    shortest = min(map(len, files))
    while depth < shortest - 2 and len({parts[depth] for parts in files}) == 1 and not split_word(files[0][depth]):
        depth += 1
    return depth


def _leave_outside(found: Found, layout: Layout) -> None:
    outside = [layout.outside(parts) for parts in found.files]
    found.aside.update(folder for folder in outside if folder)
    found.files = [parts for parts, folder in zip(found.files, outside, strict=True) if not folder]


def _need_classes(root: Path, kind: Kind, files: tuple[Sequence[Parts], Layout], *, by_field: bool) -> None:
    parts, layout = files
    classes = {layout.place(item)[1] for item in parts} - {None}
    if by_field or len(classes) > 1 or (classes and layout.splits):
        return
    raise UserError(
        f"{root} has no class folders, so its {kind.word}s have no labels",
        rule="Put files into one folder a class (under train, validation, test folders if you like), or name a pattern",
        received=f"for example {'/'.join(parts[0])}",
        remedy='Name the pattern of the file names, such as pattern = "{label}_{speaker}_{index}'
        + f'{_suffix(parts)}"',
    )


def _suffix(parts: Sequence[Parts]) -> str:
    return os.path.splitext(parts[0][-1])[1]


def _one(root: Path, parts: Parts, how: tuple[Layout, Pattern | None, str | None]) -> Record | BadRecord:
    layout, pattern, chosen = how
    identity = "/".join(parts)
    path = root.joinpath(*parts)
    wrong = file_record(path, identity)
    if wrong:
        return wrong
    split, label = layout.place(parts)
    fields = pattern.match(identity) if pattern else {}
    if fields is None:
        return BadRecord(identity, f"the name does not fit the pattern {pattern.text if pattern else ''}")
    if chosen:
        label = fields[chosen]
    if label is None:
        return BadRecord(identity, "stands in no class folder")
    return Record(identity, path, label, split or split_word(fields.get("split", "")), fields)


def _listed(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []
