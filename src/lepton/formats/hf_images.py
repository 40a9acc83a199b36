"""Images in a folder that the `datasets` library saved, in its cache (`hf://owner/name`), or in Parquet."""

from pathlib import Path

from lepton.core.types import Reading
from lepton.formats import _hf

MODALITY = "image"
ADDRESSES = ("hf",)


def sniff(path: Path) -> bool:
    """Whether `path` is such a folder, or Parquet files, with a column of images."""
    return _hf.modality(path) == MODALITY


def sniff_at(address: str) -> bool:
    """Whether the cache holds such a data set; raises UserError where it holds none of that name."""
    return _hf.modality(_hf.located(address)) == MODALITY


def read(path: Path, *, label: str | None = None) -> Reading:
    """Read one record a row of Arrow or Parquet files; ids are `train#17`, rows counted from 0 in each split.

    `label` names the column with the label where it is not clear; the other columns become fields. The encoded bytes
    stay in memory. An address `hf://name` is looked for in the library's cache, as in `hf_datasets`. Rows
    without a file or a label are bad records. Raises UserError for what is no such folder.
    """
    return _hf.media(path, MODALITY, label)


def read_at(address: str, _: Path, *, label: str | None = None) -> Reading:
    """Read as `read` does from the cache."""
    return read(_hf.located(address), label=label)
