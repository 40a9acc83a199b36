"""Write a data set in another format: the one door for commands.

A format that can be written has `write(records, place)`: it fills the empty folder `place` with the records, which
come one at a time, and may give remarks on what it could not carry.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from lepton.core import labels, plugins, settings
from lepton.core.errors import UserError
from lepton.core.progress import Bar, Progress, Silent
from lepton.core.types import Reading, Record
from lepton.formats import _read
from lepton.formats._text import several, some

ROOM = "formats"

_SILENT = Silent()


def write(
    reading: Reading,
    place: Path,
    *,
    format: str | Mapping[str, Any],  # noqa: A002 - as in `read`
    progress: Progress = _SILENT,
) -> list[str]:
    """Write the records of `reading` to the new folder `place`, and give remarks on what could not be carried.

    `format` is a name, or a table {name=, settings}. It is written aside, read back and compared, and moved into place.
    Raises UserError where something stands at `place` already, and for a format that is unknown, cannot be written
    or cannot hold such records.
    """
    chosen = dict(_read.choice(format))
    module = _writable(str(chosen.pop("name", "")))
    options = settings.settle(module.write, chosen, "format")
    with _new_folder(place) as aside:
        with progress.bar("writing", len(reading.records)) as bar:
            told = list(module.write(_shown(reading.records, bar), aside, **options) or ())
        return [*_left_out(reading), *told, *_lost(reading, module, aside)]


def names() -> list[str]:
    """The formats that can be written."""
    return [name for name in plugins.names(ROOM) if hasattr(plugins.load(ROOM, name), "write")]


def _writable(name: str) -> ModuleType:
    module = plugins.load(ROOM, name)
    if not hasattr(module, "write"):
        raise UserError(f"The format {name} can only be read", rule=f"These can be written: {', '.join(names())}")
    return module


@contextmanager
def _new_folder(place: Path) -> Iterator[Path]:
    """An empty folder beside `place`, moved there at the end; unlike `files.folder_aside` it never replaces one."""
    if os.path.lexists(place):
        raise UserError(f"{place} exists already", rule="Data are never overwritten", remedy="Name a new folder")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    except OSError as error:
        raise UserError(f"{place} cannot be written", rule=error.strerror or str(error)) from error
    aside.chmod(0o755)
    try:
        yield aside
        # A folder that came into being meanwhile makes this fail, unless it is empty.
        aside.rename(place)
    except OSError as error:
        raise UserError(f"{place} could not be written", rule=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _shown(records: Sequence[Record], bar: Bar) -> Iterator[Record]:
    for record in records:
        yield record
        bar.step()


def _left_out(reading: Reading) -> list[str]:
    if not reading.bad:
        return []
    first = some([f"{bad.id} ({bad.reason})" for bad in reading.bad], 3)
    return [f"{several(len(reading.bad), 'record')} of the source could not be read: {first}"]


def _lost(reading: Reading, module: ModuleType, place: Path) -> Iterator[str]:
    """What the written folder, read back, does not have of the reading."""
    try:
        back = module.read(place, **_way_back(reading, module))
    except UserError as error:
        yield f"what was written could not be read back: {error.message}"
        return
    if len(back.records) != len(reading.records):
        yield f"{several(len(reading.records), 'record')} became {len(back.records):,}"
    yield from _changed("records of split", _splits(reading), _splits(back))
    yield from _changed("labels", _labels(reading), _labels(back))
    fields = sorted(_fields(reading) - _fields(back))
    if fields:
        yield f"{several(len(fields), 'field')} not carried: {some(fields, 8)}"


def _way_back(reading: Reading, module: ModuleType) -> dict[str, str]:
    """What a format that tells classes and entities must be asked for, to give labels of the kind that was written."""
    parameter = settings.parameters(module.read).get("label")
    known = [word for part in get_args(parameter.annotation) for word in get_args(part)] if parameter else []
    entities = any(isinstance(record.label, tuple) for record in reading.records)
    return {"label": "slots"} if entities and "slots" in known else {}


def _changed(what: str, before: Counter[str], after: Counter[str]) -> list[str]:
    found = [f"{name} {before[name]:,} -> {after[name]:,}" for name in before if before[name] != after[name]]
    return [f"{what} that changed in number: {some(found, 8)}"] if found else []


def _splits(reading: Reading) -> Counter[str]:
    return Counter(record.split for record in reading.records if record.split)


def _labels(reading: Reading) -> Counter[str]:
    return Counter(name for record in reading.records for name in labels.names(record.label))


def _fields(reading: Reading) -> set[str]:
    return {name for record in reading.records for name in record.fields}
