"""Class folders of images, on their own or under split folders, or a flat folder with a name pattern."""

from pathlib import Path

from lepton.core.types import Reading
from lepton.formats import _manifest, _media

MODALITY = "image"


def sniff(path: Path) -> bool:
    """Whether `path` is a folder with images under it and no table that names them."""
    return _media.holds(path, _media.IMAGE) and not _manifest.find(path, _media.IMAGE)


def read(path: Path, *, pattern: str | None = None, label: str | None = None) -> Reading:
    """Read `CLASS/FILE` or `SPLIT/CLASS/FILE`; images are not opened.

    `pattern` gives the fields in file names (`{label}_{patient}.png`) and `label` which of them is the label.
    Files that are empty, missing or stand in no class are bad records; other files are counted in the notes.
    Raises UserError for what is no folder of images.
    """
    return _media.read_folders(path, _media.IMAGE, (pattern, label))
