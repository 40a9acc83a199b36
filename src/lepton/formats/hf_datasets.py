"""Texts in a folder that the `datasets` library saved (`save_to_disk`), or in its cache (`hf://owner/name`)."""

from pathlib import Path

from lepton.core.types import Reading
from lepton.formats import _hf, _rows
from lepton.formats._joined import joined

MODALITY = "text"
ADDRESSES = ("hf",)


def sniff(path: Path) -> bool:
    """Whether `path` is such a folder without images and recordings."""
    return path.is_dir() and _hf.modality(path) == MODALITY


def sniff_at(address: str) -> bool:
    """Whether the cache holds such a data set; raises UserError where it holds none of that name."""
    return _hf.modality(_hf.located(address)) == MODALITY


def read(path: Path, *, text: str | None = None, label: str | None = None) -> Reading:
    """Read one record a row; ids are `train#17`, rows counted from 0 in each split; `data#17` for one without a name.

    Columns are chosen as in `table`: lists of tokens and of tags become texts with entities, class numbers their names.
    The Arrow files are mapped, not read into memory, and the `datasets` library is not needed. An address `hf://name`
    or `hf://owner/name`, with `?config=` where there are several, is looked for in the library's cache on
    this machine, and nothing is fetched. Raises UserError for what is no such folder, MissingExtra without pyarrow.
    """
    found, aside = _hf.tables(path)
    readings = []
    for name, (split, table) in found.items():
        text, label, notes = _rows.roles(table, text, label)
        made = _rows.reading(table, name, text=text, label=label, split=split)
        readings.append(Reading(made.records, made.bad, [*(f"{name}: {note}" for note in notes), *made.notes]))
    return joined([Reading([], [], aside), *readings])


def read_at(address: str, _: Path, *, text: str | None = None, label: str | None = None) -> Reading:
    """Read as `read` does from the cache."""
    return read(_hf.located(address), text=text, label=label)
