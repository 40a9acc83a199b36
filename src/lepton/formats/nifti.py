"""NIfTI volumes, version 1 and 2, packed or not, in one file or as a pair of header and image.

R. W. Cox et al.: A (sort of) new image data format standard: NIfTI-1, 2004. Needs the extra `medical`.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lepton.core import files
from lepton.core.errors import BadInput, UserError
from lepton.core.types import BadRecord, Files, Reading, Record
from lepton.formats import _medical
from lepton.formats._text import several, some
from lepton.volumes import decode, nifti

MODALITY = "volume"

_TABLE = "volumes.csv"
_ENDS = re.compile(r"(\.(nii|dcm|dicom|ima|hdr|img))?(\.gz)?$", re.IGNORECASE)
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")


def sniff(path: Path) -> bool:
    """Whether `path` is a NIfTI file, or a folder with some and more of them than of DICOM files."""
    return _medical.holds(path, _medical.NIFTI, _medical.DICOM) and not (
        path.is_dir() and _medical.holds(path, _medical.DICOM, _medical.NIFTI)
    )


def read(path: Path, *, pattern: str | None = None, label: str | None = None) -> Reading:
    """Read one record a volume; headers are read and held against the sizes of the files, voxels are not.

    Labels come from class folders, a table or `pattern`, or are None; folders named `sub-...`, as in BIDS, are
    patients. Fields: patient (in BIDS), spacing. A pair is a record whose id is its header. Broken and cut off files,
    pairs without an image and files of other kinds are bad records. Raises UserError where there is no NIfTI file,
    MissingExtra without nibabel.
    """
    nifti.library()
    found = _medical.find(path, _medical.NIFTI, (pattern, label))
    made = [_one(record) for record in found.records]
    subjects = {str(record.label) for record in found.records}
    if found.by_folder and all(map(_SUBJECT.fullmatch, subjects)):
        made = [item if isinstance(item, BadRecord) else _of_subject(item) for item in made]
        found.by_folder = False
    records = [item for item in made if isinstance(item, Record)]
    return _medical.settled(found, records, [item for item in made if isinstance(item, BadRecord)])


def write(records: Iterable[Record], place: Path) -> list[str]:
    """Write a packed file a volume into the folder `place`; if all have labels, a table of them and of the fields too.

    Spacing, orientation, window and time between volumes are kept; what a file said of the patient is not, but for the
    fields. Gives remarks on the records that could not be decoded. Raises UserError when none could.
    """
    told: list[str] = []
    rows: list[Mapping[str, str]] = []
    taken: set[str] = set()
    for record in records:
        try:
            data = nifti.encode(decode.decode(_bytes(record)))
        except (BadInput, OSError) as error:
            told.append(f"{record.id}: {error.message if isinstance(error, BadInput) else error.strerror}")
            continue
        name = _name(record.id, taken)
        files.write_bytes(place / name, nifti.packed(data))
        label = record.label if isinstance(record.label, str) else ""
        rows.append(
            {**record.fields, "file": name, "label": label, **({"split": record.split} if record.split else {})}
        )
    if not rows:
        raise UserError("No record could be written as NIfTI", rule="They must be volumes", received=some(told, 3))
    if all(row["label"] for row in rows):
        files.write_text(place / _TABLE, _table(rows))
    return [f"{several(len(told), 'record')} could not be decoded: {some(told, 5)}"] if told else []


def _one(record: Record) -> Record | BadRecord:
    path = Path(str(record.raw))
    head = decode.head(path, 540)
    try:
        image = _image(path) if nifti.is_pair(head) else None
        size = decode.size(image or path)
        fault = nifti.header_fault(head, size, alone=image is None)
        if fault:
            return BadRecord(record.id, fault)
        spacing = " ".join(f"{step:.6g}" for step in nifti.spacing(head))
    except BadInput as error:
        return BadRecord(record.id, error.message)
    except OSError as error:
        return BadRecord(record.id, f"cannot be read: {error.strerror or error}")
    return replace(record, raw=Files((path, image)) if image else path, fields={**record.fields, "spacing": spacing})


def _of_subject(record: Record) -> Record:
    return replace(record, label=None, fields={**record.fields, "patient": str(record.label)})


def _image(header: Path) -> Path:
    """The image of a pair. Raises BadInput where none stands beside the header."""
    stem = _ENDS.sub("", header.name)
    for name in (f"{stem}.img", f"{stem}.img.gz"):
        if (header.parent / name).is_file():
            return header.parent / name
    raise BadInput("The header's image is missing", rule=f"{stem}.img stands beside it")


def _bytes(record: Record) -> bytes:
    raw = record.read()
    if isinstance(raw, str):
        raise BadInput("It is a text and no volume")
    return raw


def _name(identity: str, taken: set[str]) -> str:
    """A file name for a record's id, in one folder and taken by no other."""
    stem = re.sub(r"[^\w+-]+", "_", _ENDS.sub("", identity)).strip("_")[:150] or "volume"
    name = next(name for at in range(len(taken) + 1) if (name := f"{stem}{f'-{at}' if at else ''}.nii.gz") not in taken)
    taken.add(name)
    return name


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    names = ["file", "label", *dict.fromkeys(name for row in rows for name in row if name not in ("file", "label"))]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
