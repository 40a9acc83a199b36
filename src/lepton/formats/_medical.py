"""Folders and tables of medical files: which there are, where they stand, and what is beside them."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _manifest, _media
from lepton.formats._media import VOLUME, Layout, Parts
from lepton.formats._pattern import Pattern, compile_pattern
from lepton.formats._text import several, some
from lepton.volumes import decode, dicom, nifti

Naming = tuple[str | None, str | None]
"""The pattern of the files' names and the label's field."""

_LOOKED_AT = 64
_HEAD = 1 << 10
_NAMED = {
    ".mgh": "a FreeSurfer volume",
    ".mgz": "a FreeSurfer volume",
    ".mnc": "a MINC volume",
    ".head": "an AFNI volume",
    ".brik": "an AFNI volume",
    ".par": "a Philips PAR/REC volume",
    ".rec": "a Philips PAR/REC volume",
    ".nrrd": "an NRRD volume",
    ".mha": "a MetaImage volume",
    ".mhd": "a MetaImage volume",
}
_NONE = {".trk": "nerve fibres (TrackVis)", ".tck": "nerve fibres (MRtrix)", ".gii": "a surface (GIFTI)"}
_ANALYZE = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a format reads: the word for a file of it, the suffixes that promise one, and how one begins."""

    word: str
    suffixes: frozenset[str]
    suits: Callable[[bytes], bool]


@dataclass(slots=True)
class Found:
    """What was found: records whose `raw` is one file each, those set aside, and remarks.

    `by_folder`: labels are the names of folders.
    """

    records: list[Record] = field(default_factory=list)
    bad: list[BadRecord] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    by_folder: bool = False


def holds(path: Path, wanted: Wanted, other: Wanted) -> bool:
    """Whether `path` is a wanted file, or a folder whose first likely files are mostly wanted and not of the other."""
    if path.is_file():
        return wanted.suits(decode.head(path, _HEAD))
    likely = wanted.suffixes | other.suffixes
    names = (parts for parts, _ in zip(_media.names(path, set()), range(5000), strict=False))
    first = [parts for parts in names if _suffix(parts[-1]) in likely][:_LOOKED_AT] if path.is_dir() else []
    heads = [decode.head(path.joinpath(*parts), _HEAD) for parts in first]
    mine = sum(map(wanted.suits, heads))
    return mine > 0 and mine >= sum(other.suits(head) and not wanted.suits(head) for head in heads)


def find(path: Path, wanted: Wanted, naming: Naming) -> Found:
    """The wanted files at `path`: those that a table names, else all, whatever their names.

    Other medical files are bad records that say what they are; what is no medical file is counted in the notes. Raises
    UserError where nothing is wanted.
    """
    if path.is_dir() and _manifest.find(path, VOLUME):
        reading = _manifest.read(path, VOLUME, naming)
        return Found(list(reading.records), list(reading.bad), list(reading.notes))
    root = path if path.is_dir() else path.parent
    names = sorted(_media.names(path, set())) if path.is_dir() else [(path.name,)]
    found, others, files = Found(), Counter[str](), []
    for parts in names:
        wrong = _wrong(root.joinpath(*parts), parts, wanted)
        if wrong is None:
            files.append(parts)
        elif wrong:
            found.bad.append(BadRecord("/".join(parts), wrong))
        else:
            others[_suffix(parts[-1]) or "no suffix"] += 1
    if not files and not found.bad:
        raise UserError(f"{path} holds no {wanted.word}", rule="Files are known by how they begin, not by their names")
    counts = ", ".join(f"{suffix} {count}" for suffix, count in sorted(others.items()))
    found.notes += [f"{several(others.total(), 'file')} not read, being no medical files: {counts}"] if counts else []
    _place(root, files, (found, naming))
    return found


def settled(found: Found, records: Sequence[Record], bad: Sequence[BadRecord]) -> Reading:
    """The reading; labels are dropped where the folders are patients and not classes."""
    patients: dict[str, set[str]] = {}
    for record in records:
        patients.setdefault(str(record.label), set()).add(record.fields.get("patient", ""))
    notes = list(found.notes)
    if found.by_folder and _are_patients(patients):
        shown = some(sorted(patients), 3)
        notes.append(f"the folders {shown} hold one patient each, who is in no other: they are not taken for classes")
        records = [replace(record, label=None) for record in records]
    return Reading(records, [*found.bad, *bad], notes)


def _are_patients(patients: Mapping[str, set[str]]) -> bool:
    """Whether every folder is that of one patient."""
    everyone = [name for names in patients.values() for name in names]
    return len(patients) > 1 and len(everyone) == len(patients) == len(set(everyone))


def _suffix(name: str) -> str:
    """The suffix in small letters, below .gz; a number is none."""
    stem = name[:-3] if name.casefold().endswith(".gz") else name
    suffix = os.path.splitext(stem)[1].casefold()
    return "" if suffix[1:].isdigit() else suffix


def _wrong(path: Path, parts: Parts, wanted: Wanted) -> str | None:
    """Why a file is not read, empty where it is no medical file at all; None where it is wanted."""
    broken = _media.file_record(path, "")
    suffix = _suffix(parts[-1])
    if broken:
        return broken.reason if suffix in wanted.suffixes else ""
    head = decode.head(path, _HEAD)
    if wanted.suits(head):
        return None
    named = f"is no {wanted.word}, whatever its name says" if suffix in wanted.suffixes - {""} else ""
    return _other(head, suffix) or named


def _other(head: bytes, suffix: str) -> str:
    """What a medical file of another kind is."""
    if dicom.is_dicom(head):
        return 'is a DICOM file: read it with format = "dicom"'
    if nifti.is_nifti(head):
        return 'is a NIfTI file: read it with format = "nifti"'
    if suffix in _NONE:
        return f"holds {_NONE[suffix]} and no volume"
    kind = _NAMED.get(suffix) or ("an Analyze header, which does not tell left from right" if _analyze(head) else "")
    return f"is {kind}: convert it to NIfTI first" if kind else ""


def _analyze(head: bytes) -> bool:
    return len(head) == 348 and head[:4] in _ANALYZE


def _place(root: Path, files: Sequence[Parts], into: tuple[Found, Naming]) -> None:
    """Make records of files, with what folders and names say."""
    found, (pattern, label) = into
    compiled = compile_pattern(pattern) if pattern else None
    chosen = _media.label_field(compiled, label)
    layout = _media.layout_of(files, inside=2) if files else Layout(0, {})
    classes = {layout.place(parts)[1] for parts in files} - {None}
    found.by_folder = chosen is None and (len(classes) > 1 or bool(classes and layout.splits))
    for parts in files:
        made = _record(root, parts, (layout, compiled, chosen))
        if isinstance(made, BadRecord):
            found.bad.append(made)
        else:
            found.records.append(made if chosen or found.by_folder else replace(made, label=None))


def _record(root: Path, parts: Parts, how: tuple[Layout, Pattern | None, str | None]) -> Record | BadRecord:
    layout, pattern, chosen = how
    identity = "/".join(parts)
    fields = pattern.match(identity) if pattern else {}
    if fields is None:
        return BadRecord(identity, f"the name does not fit the pattern {pattern.text if pattern else ''}")
    split, label = layout.place(parts)
    return Record(identity, root.joinpath(*parts), fields[chosen] if chosen else label, split, fields)


DICOM = Wanted("DICOM file", frozenset(("", ".dcm", ".dicom", ".dic", ".ima")), dicom.is_dicom)
NIFTI = Wanted("NIfTI file", frozenset((".nii", ".hdr")), nifti.is_nifti)
