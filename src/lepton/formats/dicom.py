"""DICOM files: a series is one volume and one record, a lone image or film too; with spacing, window and orientation.

NEMA PS3 / ISO 12052. Needs the extra `medical`.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lepton.core.errors import BadInput
from lepton.core.types import BadRecord, Files, Reading, Record
from lepton.formats import _medical
from lepton.formats._pseudonyms import pseudonym
from lepton.formats._text import several
from lepton.volumes import decode, frames
from lepton.volumes import dicom as headers
from lepton.volumes.frames import Plane

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MODALITY = "volume"

_FIELDS = {"modality": "Modality", "body_part": "BodyPartExamined", "view": "ViewPosition"}


def sniff(path: Path) -> bool:
    """Whether `path` is a DICOM file, or a folder with some and not more NIfTI files."""
    return _medical.holds(path, _medical.DICOM, _medical.NIFTI)


def read(path: Path, *, series: bool = True, pattern: str | None = None, label: str | None = None) -> Reading:
    """Read one record a series, whose id is the place of its first slice; or, without `series`, one a file.

    Files are read up to their pixels, which are held against the bytes that are there. A series is the files of one
    SeriesInstanceUID that lie parallel, one behind the other; images without a place in the patient are records of
    their own. Labels come from class folders, a table or `pattern`, or are None. Fields: patient and study (pseudonyms,
    equal for the same one), modality, body_part, view, laterality, slices, spacing. Reports, plans, lists, broken and
    cut off files, and series with slices missing are bad records. Raises UserError where there is no DICOM file,
    MissingExtra without pydicom.
    """
    headers.library()
    found = _medical.find(path, _medical.DICOM, (pattern, label))
    slices: dict[Hashable, list[_File]] = defaultdict(list)
    bad = []
    for record in found.records:
        made = _file(record)
        if isinstance(made, BadRecord):
            bad.append(made)
        else:
            slices[made.series if series else record.id].append(made)
    made_of = [item for files in slices.values() for group in _parallel(files) for item in _volume(group)]
    records = [item for item in made_of if isinstance(item, Record)]
    return _medical.settled(found, records, [*bad, *(item for item in made_of if isinstance(item, BadRecord))])


@dataclass(frozen=True, slots=True)
class _File:
    """A sound file: its record, what its series is known by, its own identity, number and place."""

    record: Record
    series: Hashable
    unique: str
    number: float
    plane: Plane


def _file(record: Record) -> _File | BadRecord:
    """What the header of the record's file says; a BadRecord in plain words where it has no sound image."""
    path = record.raw
    if not isinstance(path, Path):
        return BadRecord(record.id, "is no file")
    try:
        stream, size = decode.opened(path)
        with stream:
            data, held = headers.header(stream, size)
        extent = headers.extent(data)
        headers.check_length(data, extent, held)
        planes = frames.planes(data, extent.frames)
    except BadInput as error:
        return BadRecord(record.id, error.message)
    except OSError as error:
        return BadRecord(record.id, f"cannot be read: {error.strerror or error}")
    plane, alone = planes[0], extent.frames > 1 or planes[0].position is None
    unique = headers.text(data, "SeriesInstanceUID")
    shape = (extent.rows, extent.columns, extent.samples)
    key = record.id if alone or not unique else (unique, record.split, record.label, shape)
    steps = (plane.steps[1], plane.steps[0], plane.thickness)
    fields = {**record.fields, **_fields(data, record.id), "slices": str(extent.frames), "spacing": _spacing(steps)}
    own = headers.text(data, "SOPInstanceUID") or record.id
    return _File(replace(record, fields=fields), key, own, headers.number(data), plane)


def _fields(data: "Dataset", identity: str) -> Mapping[str, str]:
    """Who (by a pseudonym), what and where. Who has no number counts by the study, else by the series, else alone."""
    study, series = headers.text(data, "StudyInstanceUID"), headers.text(data, "SeriesInstanceUID")
    patient = headers.text(data, "PatientID")
    issuer = headers.text(data, "IssuerOfPatientID") if patient else ""
    found = {name: headers.text(data, element) for name, element in _FIELDS.items()}
    found["laterality"] = headers.text(data, "ImageLaterality") or headers.text(data, "Laterality")
    known = {name: value for name, value in found.items() if value}
    who = pseudonym("patient", issuer, patient or study or series or identity)
    return {"patient": who, "study": pseudonym("study", study or series or identity), **known}


def _spacing(steps: Sequence[float]) -> str:
    return " ".join(f"{step:.6g}" for step in steps)


def _parallel(files: Sequence[_File]) -> list[list[_File]]:
    """The files in groups that can be slices of one volume."""
    groups: list[list[_File]] = []
    for file in files:
        fitting = (group for group in groups if group[0].plane.parallel(file.plane))
        group = next(fitting, None)
        if group is None:
            groups.append([file])
        else:
            group.append(file)
    return groups


def _volume(files: Sequence[_File]) -> Iterator[Record | BadRecord]:
    """The record of a series; a BadRecord for it when its slices make no volume, and for doubled slices.

    Lone images stay apart, equal ones too: what is doubled in a data set is for the audit to find.
    """
    known: dict[str, _File] = {}
    doubled = [file for file in files if known.setdefault(file.unique, file) is not file]
    if len(known) == 1:
        yield from (file.record for file in files)
        return
    yield from (BadRecord(file.record.id, f"is a copy of {known[file.unique].record.id}") for file in doubled)
    slices = sorted(known.values(), key=lambda file: (file.number, file.record.id))
    try:
        built = frames.stack([file.plane for file in slices])
    except BadInput as error:
        reason = f"{error.message} The series has {several(len(slices), 'file')}: read them apart with series = false"
        yield BadRecord(slices[0].record.id, reason)
        return
    first = slices[int(built.order[0, 0])].record
    steps = np.sqrt((built.affine[:3, :3] ** 2).sum(axis=0))
    fields = {**first.fields, "slices": str(len(slices)), "spacing": _spacing([float(step) for step in steps])}
    paths = tuple(Path(str(file.record.raw)) for file in slices)
    yield replace(first, raw=Files(paths), fields=fields)
