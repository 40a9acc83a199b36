"""A CSV or TSV file that lists recordings with their labels or transcripts, in or beside the folder of the files."""

from collections.abc import Iterable
from pathlib import Path

from lepton.core.types import Reading, Record
from lepton.formats import _listing, _manifest, _media

MODALITY = "audio"


def sniff(path: Path) -> bool:
    """Whether `path` is a table that names recordings, or a folder that holds one."""
    return bool(_manifest.find(path, _media.AUDIO))


def read(path: Path, *, label: str | None = None, pattern: str | None = None) -> Reading:
    """Read one record a row; recordings are not opened. A record's id is its row: `meta/list.csv#17`.

    Lists in the manner of LJSpeech (`metadata.csv` with bars, names without their suffix) and of Common Voice
    (`train.tsv` beside `clips`) are such tables. `label` names the column (or the field of `pattern`) with the label
    where it is not clear; without a column of classes the label is what was said. Other columns become fields and
    a column `split` gives the splits. Files that are missing, empty or outside of the folder are bad
    records. Raises UserError when there is no such table.
    """
    return _manifest.read(path, _media.AUDIO, (pattern, label))


def write(records: Iterable[Record], place: Path) -> None:
    """Write `metadata.csv`, with the columns file, label, split and the fields, and copy the recordings to `files/`.

    Raises UserError for a record that is no recording or whose label is neither a class nor a transcript.
    """
    _listing.write(records, place, _media.AUDIO)
