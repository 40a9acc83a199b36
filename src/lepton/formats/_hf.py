"""Data sets that the `datasets` library saved or keeps in its cache: folders of Arrow files, read without it."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError
from lepton.core.types import BadRecord, Reading, Record
from lepton.formats import _arrow, _columns, _json, _names
from lepton.formats._joined import joined
from lepton.formats._table import Again, Cells, Table, text_of
from lepton.formats._text import some

_RULE = "It is a folder that save_to_disk wrote, with dataset_dict.json, or state.json and dataset_info.json"
_MEDIA = {"Image": "image", "Audio": "audio"}

Parts = Mapping[str, Sequence[Path]]
"""The files of each split; the name is "" where there is one part without a name."""


def parts(folder: Path) -> Parts:
    """The Arrow files of each split of `folder`, or Parquet files of media; nothing where it is no such data set."""
    if folder.is_file():
        return {"": [folder]} if holds_media(folder) else {}
    if (folder / "dataset_dict.json").is_file():
        below = {name: _files(folder / name) for name in _split_names(folder)}
        return {name: paths for name, paths in below.items() if paths}
    if (folder / "state.json").is_file():
        return {"": _files(folder)} if _files(folder) else {}
    cached = _cached(folder) if (folder / "dataset_info.json").is_file() else {}
    return cached or {name or "": paths for name, paths in _names.by_split(_parquets(folder)).items()}


def holds_media(path: Path) -> bool:
    """Whether a file is Parquet with a column of images or recordings, as the hub of Hugging Face holds them."""
    if not path.name.endswith(".parquet"):
        return False
    try:
        return any(kind in _MEDIA for kind in _kinds(_arrow.Parquet(path).features()).values())
    except UserError:
        return False


def _parquets(folder: Path) -> list[Path]:
    return _names.data_files(folder, holds_media)


def modality(folder: Path) -> str | None:
    """Whether the records are images, audio or text; None for what is no such folder."""
    found = parts(folder)
    if not found:
        return None
    kinds = (_MEDIA[kind] for kind in _features(found).values() if kind in _MEDIA)
    return next(kinds, "text")


def tables(folder: Path) -> tuple[dict[str, tuple[str | None, Table]], list[str]]:
    """Table and split by the part's name, and remarks; raises UserError for what is no such folder."""
    found = parts(folder)
    if not found:
        raise UserError(f"{folder} is no data set of the datasets library", rule=_RULE)
    known = {name: _names.split_word(name) for name in found}
    kept = {name: split for name, split in known.items() if split or len(found) == 1}
    aside = [name for name in found if name not in kept]
    if not kept:
        raise UserError(f"{folder} has no part for training", rule=f"Its parts: {some(aside)}")
    notes = [f"left aside, for they are no split for training or testing: {some(aside)}"] if aside else []
    named = {name: split if "train" in kept.values() else None for name, split in kept.items()}
    return {name or "data": (split, _table(found[name])) for name, split in named.items()}, notes


def located(address: str) -> Path:
    """The cached folder of `hf://name` or `hf://owner/name`, with `?config=` where there are several.

    Nothing is fetched: raises UserError where it is not in the cache on this machine.
    """
    name, _, config = address.removeprefix("hf://").partition("?config=")
    root = cache() / name.strip("/").replace("/", "___")
    found = [info.parent for info in sorted(root.glob("*/*/*/dataset_info.json")) if _cached(info.parent)]
    configs = {folder.relative_to(root).parts[0] for folder in found}
    chosen = [folder for folder in found if not config or folder.relative_to(root).parts[0] == config]
    if not chosen:
        rule = f"Its configurations there: {some(sorted(configs))}" if configs else f"Looked for in {root}"
        remedy = "Load it once with the datasets library, or name a folder that save_to_disk wrote"
        raise UserError(f"{name} is not in the cache of this machine", rule=rule, remedy=remedy)
    if len(configs) > 1 and not config:
        remedy = f"Name one: hf://{name}?config={sorted(configs)[0]}"
        raise UserError(f"{name} is cached in several configurations", rule=some(sorted(configs), 20), remedy=remedy)
    return max(chosen, key=lambda folder: folder.stat().st_mtime)


def cache() -> Path:
    """The folder in which the `datasets` library keeps what it has prepared."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets").expanduser()


@dataclass(frozen=True, slots=True)
class Media:
    """Which columns of a table hold the media and the labels."""

    file: str
    label: str

    def records(self, table: Table, name: str, split: str | None) -> Iterator[Record | BadRecord]:
        """The media as bytes, or as the path of a file that is there, with their labels."""
        for at, cells in table.rows:
            identity = f"{name}#{at}"
            raw = _raw(cells.get(self.file)) if not isinstance(cells, str) else None
            label = text_of(cells.get(self.label)) if not isinstance(cells, str) else None
            if isinstance(cells, str) or raw is None or label is None:
                yield BadRecord(identity, f"{self.file!r} holds no file" if raw is None else f"{self.label!r} is empty")
            else:
                yield Record(identity, raw, label, split, self._fields(cells))

    def _fields(self, cells: Cells) -> dict[str, str]:
        others = {key: text_of(cell) for key, cell in cells.items() if key not in (self.file, self.label)}
        return {key: text for key, text in others.items() if text is not None}


def media(folder: Path, kind: str, label: str | None) -> Reading:
    """The records of a data set of images or recordings; their bytes stay in memory."""
    found, notes = tables(folder)
    features = _features(parts(folder))
    column = next((name for name, feature in features.items() if _MEDIA.get(feature) == kind), None)
    if column is None:
        raise UserError(f"{folder} holds no column of {kind}s", rule=f"Its columns: {some(list(features), 20)}")
    readings = [_media_of(table, (name, split), (column, label)) for name, (split, table) in found.items()]
    return joined([Reading([], [], notes), *readings])


def _media_of(table: Table, name: tuple[str, str | None], columns: tuple[str, str | None]) -> Reading:
    file, label = columns
    free = [column for column in table.columns if column != file]
    chosen = _columns.pick(free, label, "data.label") if label else _columns.label_column(free, table.sample(), [])
    made = list(Media(file, chosen).records(table, *name))
    records = [item for item in made if isinstance(item, Record)]
    return Reading(records, [item for item in made if isinstance(item, BadRecord)])


def _raw(cell: Any) -> bytes | Path | None:
    """What an image or audio cell holds: bytes, or the path of a file."""
    if not isinstance(cell, dict):
        return None
    path = Path(cell["path"]) if isinstance(cell.get("path"), str) else None
    return cell.get("bytes") or (path if path is not None and path.is_file() else None)


def _table(paths: Sequence[Path]) -> Table:
    if paths[0].suffix == ".parquet":
        read = [_arrow.Parquet(path) for path in paths]
        return Table(read[0].columns(), Again(lambda: enumerate(row for file in read for row in file.rows())))
    files = _arrow.Arrow(paths)
    return Table(files.columns(), Again(lambda: enumerate(files.rows())))


def _split_names(folder: Path) -> list[str]:
    names = _noted(folder / "dataset_dict.json").get("splits")
    return [name for name in names if _is_plain(name)] if isinstance(names, list) else []


def _files(folder: Path) -> list[Path]:
    """The Arrow files that `state.json` names, in its order; nothing where one of them is not there."""
    listed = _noted(folder / "state.json").get("_data_files")
    items = listed if isinstance(listed, list) else []
    names = [item.get("filename") if isinstance(item, dict) else None for item in items]
    whole = all(_is_plain(name) and (folder / str(name)).is_file() for name in names)
    return [folder / str(name) for name in names] if whole else []


def _is_plain(name: Any) -> bool:
    """Whether `name` is one of a file or folder, and leads nowhere else."""
    return isinstance(name, str) and re.fullmatch(r"[\w.-]+", name) is not None and name not in (".", "..")


def _cached(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder of the cache, `name-train.arrow` or `name-train-00000-of-00002.arrow`, by split."""
    splits = _info(folder).get("splits")
    found: dict[str, list[Path]] = {name: [] for name in splits if _is_plain(name)} if isinstance(splits, dict) else {}
    for path in sorted(folder.glob("*.arrow")) if found else ():
        stem = re.sub(r"-\d{5}-of-\d{5}$", "", path.stem)
        name = next((name for name in found if stem.endswith(f"-{name}")), None)
        if name is not None:
            found[name].append(path)
    return {name: paths for name, paths in found.items() if paths}


def _info(folder: Path) -> dict[str, Any]:
    return _noted(folder / "dataset_info.json")


def _noted(path: Path) -> dict[str, Any]:
    """A JSON object beside the data; empty where it is none, for sniffing asks too."""
    try:
        value = _json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _features(found: Parts) -> dict[str, str]:
    """Kind of each column: `Value`, `ClassLabel`, `Image`, ..."""
    first = next(iter(found.values()))[0]
    parquet = first.suffix == ".parquet"
    return _kinds(_arrow.Parquet(first).features() if parquet else _info(first.parent).get("features"))


def _kinds(features: Any) -> dict[str, str]:
    items = features.items() if isinstance(features, dict) else ()
    return {name: str(kind.get("_type", "")) if isinstance(kind, dict) else "" for name, kind in items}
