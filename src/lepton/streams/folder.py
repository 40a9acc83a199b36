"""A folder that is watched, and a folder of answers: `folder:PATH`.

A file that has come and has not changed for a while is answered once; a list in `.lepton` inside the folder says which
were, so a process that is killed repeats at most the last. What cannot be read is moved to the folder `dead`.
"""

import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import IO, Annotated, Any
from urllib.parse import quote

from lepton.core import files
from lepton.core.errors import BadInput, UserError
from lepton.core.settings import Range
from lepton.runtime.app import MAX_BATCH
from lepton.streams._flow import PATIENCE, Item, encoded

Stamp = tuple[int, int]
"""Size and time of a file's last change."""

_TOGETHER = 32 * 2**20  # bytes of files that are answered at a time, or one file
_NAME = 200
_UNFIT = re.compile(r'^\.|[%/\\:*?"<>|~\x00-\x1f\x7f]')


def source(
    place: str,
    modality: str,
    *,
    every: Annotated[float, Range(0.01, 3600)] = 0.5,
    settle: Annotated[float, Range(0, 3600)] = 1.0,
    dead: str = "dead",
    max_mb: Annotated[float, Range(0.001, 2000)] = 64.0,
) -> "_Source":
    """Watch the folder `place`, looking `every` so many seconds.

    A file counts as written when it has not changed for `settle` seconds. Files whose name begins with a dot, and
    folders in it, are left alone; one of more than `max_mb` MiB is not read. `dead` is inside the folder, unless it is
    a path of its own. Raises UserError for what is no folder, and where another process watches it.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise UserError("There is no folder to watch", received=place, remedy=f"Make it: mkdir {place}")
    return _Source(folder, folder / dead, every=every, settle=settle, limit=int(max_mb * 2**20))


def sink(place: str) -> "_Sink":
    """Write a file for each answer into the folder `place`, named after the item: `ID.json`."""
    return _Sink(Path(place))


class _Source:
    """Files of one folder, oldest first."""

    def __init__(self, folder: Path, dead: Path, *, every: float, settle: float, limit: int) -> None:
        self._folder = folder
        self._dead = dead
        self._every = every
        self._settle = settle
        self._limit = limit
        self._next = 0.0
        self._seen: dict[str, tuple[Stamp, float]] = {}
        try:
            self._lock = _locked(folder / ".lepton")
            self._done = _Done(folder / ".lepton" / "done", folder)
        except OSError as error:
            rule = f"It keeps a list of what was answered: {error.strerror}"
            raise UserError(f"{folder} cannot be watched", rule=rule, remedy="Make it writable") from error

    def take(self) -> Sequence[Item] | None:
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, PATIENCE))
            return []
        items = list(self._items())
        if not items:
            self._next = time.monotonic() + self._every
        return items

    def done(self, item: Item) -> None:
        self._done.add(*item.own)

    def bury(self, item: Item, reason: str) -> None:
        try:
            place = _free(self._dead / item.own[0])
            files.write_text(place.with_name(f"{place.name}.reason"), f"{reason}\n")
            os.replace(self._folder / item.own[0], place)
        except FileNotFoundError:
            # Whoever put it there has taken it away meanwhile.
            place.with_name(f"{place.name}.reason").unlink()
        except OSError as error:
            rule = f"What cannot be read is moved to {self._dead}: {error.strerror}"
            raise UserError(f"{item.id} cannot be put aside", rule=rule, remedy="Make both folders writable") from error

    def close(self) -> None:
        self._done.close()
        self._lock.close()

    def _items(self) -> Iterator[Item]:
        """The next files that are written, together no more than may be kept at a time."""
        size = 0
        for number, (name, stamp) in enumerate(self._written()):
            size += stamp[0]
            if number and (number == MAX_BATCH or size > _TOGETHER):
                return
            raw = self._read(name, stamp)
            if raw is not None:
                yield Item(_shown(name), raw, (name, stamp))

    def _read(self, name: str, stamp: Stamp) -> bytes | BadInput | None:
        """The file's bytes, why it cannot be read, or None where it is gone."""
        if stamp[0] > self._limit:
            return BadInput("The file is too long", rule=f"At most {self._limit:,} bytes", received=f"{stamp[0]:,}")
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return BadInput("The file cannot be read", rule=error.strerror or str(error))

    def _written(self) -> list[tuple[str, Stamp]]:
        """Files without an answer that have not changed for long enough."""
        now, stamps = time.monotonic(), self._stamps()
        since = {name: self._seen.get(name, (stamp, now)) for name, stamp in stamps.items()}
        self._seen = {name: since[name] if since[name][0] == stamp else (stamp, now) for name, stamp in stamps.items()}
        ready = [(name, stamp) for name, (stamp, start) in self._seen.items() if now - start >= self._settle]
        return sorted(ready, key=lambda pair: (pair[1][1], pair[0]))

    def _stamps(self) -> dict[str, Stamp]:
        found = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                stamp = None if entry.name.startswith(".") else _stamp(entry)
                if stamp is not None and self._done.known.get(entry.name) != stamp:
                    found[entry.name] = stamp
        return found


class _Done:
    """The list of files that were answered, a line each. A line that a kill has cut off counts as not written."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.known = {name: stamp for name, stamp in _entries(path) if (folder / name).exists()}
        files.write_text(path, "".join(_line(name, stamp) for name, stamp in self.known.items()))
        self._stream = path.open("a", encoding="utf-8")

    def add(self, name: str, stamp: Stamp) -> None:
        self._stream.write(_line(name, stamp))
        self._stream.flush()
        self.known[name] = stamp

    def close(self) -> None:
        self._stream.close()


class _Sink:
    """A file for each answer, there as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        files.write_bytes(self._folder / f"{_file_name(id)}.json", encoded({"id": id, **told}) + b"\n")

    def close(self) -> None:
        """Nothing stays open."""


def _locked(folder: Path) -> IO[str]:
    """A file that one process at a time can hold, and that the system lets go when the process dies."""
    folder.mkdir(exist_ok=True)
    stream = (folder / "lock").open("w")
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            stream.close()
            rule = "One process watches a folder"
            raise UserError(f"{folder.parent} is watched already", rule=rule, remedy="End the other") from error
    return stream


def _entries(path: Path) -> Iterator[tuple[str, Stamp]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            name, size, changed = json.loads(line)
        except ValueError:
            continue
        yield name, (size, changed)


def _line(name: str, stamp: Stamp) -> str:
    return json.dumps([name, *stamp]) + "\n"


def _stamp(entry: "os.DirEntry[str]") -> Stamp | None:
    """Size and time of a file, None for what is none or has gone."""
    try:
        if not entry.is_file():
            return None
        found = entry.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _free(path: Path) -> Path:
    """The path, or where it is taken one with a number behind it."""
    others = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return next(place for place in chain([path], others) if not place.exists())


def _shown(name: str) -> str:
    """A file's name as text; names need not be."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _file_name(id: str) -> str:
    """A name that file systems take and that leads nowhere else, different for different ids."""
    name = _UNFIT.sub(lambda found: quote(found.group(), safe="") if found.group() != "." else "%2E", id)
    return name if len(name.encode()) <= _NAME else f"{name[:40]}~{files.sha256_text(id)}"
