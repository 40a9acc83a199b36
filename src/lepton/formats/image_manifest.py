"""A CSV or TSV file that lists images with their labels, in or beside the folder of the files."""

from collections.abc import Iterable
from pathlib import Path

from lepton.core.types import Reading, Record
from lepton.formats import _listing, _manifest, _media

MODALITY = "image"


def sniff(path: Path) -> bool:
    """Whether `path` is a table that names images, or a folder that holds one."""
    return bool(_manifest.find(path, _media.IMAGE))


def read(path: Path, *, label: str | None = None, pattern: str | None = None) -> Reading:
    """Read one record a row; images are not opened. A record's id is its row: `meta/list.csv#17`.

    `label` names the column (or the field of `pattern`) with the label where it is not clear. Other columns
    become fields and a column `split` gives the splits. Files that are missing, empty or outside of the folder are
    bad records. Raises UserError when there is no such table.
    """
    return _manifest.read(path, _media.IMAGE, (pattern, label))


def write(records: Iterable[Record], place: Path) -> None:
    """Write `metadata.csv`, with the columns file, label, split and the fields, and copy the images to `files/`.

    Raises UserError for a record that is no image or whose label is no class.
    """
    _listing.write(records, place, _media.IMAGE)
