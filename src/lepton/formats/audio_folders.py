"""Class folders of recordings, on their own or under split folders, or a flat folder with a name pattern."""

from pathlib import Path

from lepton.core.types import Reading
from lepton.formats import _manifest, _media

MODALITY = "audio"


def sniff(path: Path) -> bool:
    """Whether `path` is a folder with recordings under it and no table that names them."""
    return _media.holds(path, _media.AUDIO) and not _manifest.find(path, _media.AUDIO)


def read(path: Path, *, pattern: str | None = None, label: str | None = None) -> Reading:
    """Read `CLASS/FILE` or `SPLIT/CLASS/FILE`, or names such as `{label}_{speaker}_{index}.wav`; nothing is opened.

    `pattern` gives the fields in file names and `label` which of them is the label. The split lists of Speech
    Commands are heeded and folders whose name begins with an underscore are left aside with a note.
    Raises UserError for what is no folder of recordings.
    """
    return _media.read_folders(path, _media.AUDIO, (pattern, label))
