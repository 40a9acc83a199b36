"""A server as it is seen from outside: what it has open, its memory, its processor time, and what it has reached."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from mimetypes import knownfiles
from pathlib import Path

from _server import Server
from _watched import OPENED

_PATIENCE = 15.0
_LIBRARIES = ("/usr/lib", "/lib", "/usr/share/zoneinfo", "/etc/ssl")


@dataclass(frozen=True)
class State:
    """Open files and sockets, resident MB (10^6 bytes) now, and at most so far."""

    files: int
    resident_mb: float
    peak_mb: float

    @classmethod
    def of(cls, server: Server) -> "State":
        """The state now."""
        folder = Path(f"/proc/{server.process.pid}")
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        resident, peak = (int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
        return cls(len(list((folder / "fd").iterdir())), resident, peak)

    @classmethod
    def settled(cls, server: Server, before: "State") -> "State":
        """The state when connections that were left are closed, or after a while."""
        end = time.monotonic() + _PATIENCE
        while cls.of(server).files > before.files and time.monotonic() < end:
            time.sleep(0.1)
        return cls.of(server)


def processor_ms(server: Server) -> float:
    """Milliseconds that the server's first process has worked."""
    stats = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in stats) / 1e6


def reached(told: Path, start: int, *, own: Sequence[Path]) -> list[str]:
    """What the server opened or reached since its notes were `start` bytes long, but for files of its `own` folders.

    Its own are also Python's, and the tables of file types that Python looks into.
    """
    with told.open("rb") as file:
        file.seek(start)
        lines = file.read().decode().splitlines()
    folders = [*map(str, own), sys.prefix, sys.base_prefix, *_LIBRARIES]
    return sorted({line for line in lines if not _is_own(line, folders)})


def _is_own(line: str, folders: Sequence[str]) -> bool:
    event, _, path = line.partition(" ")
    found = Path(path)
    is_look = event in (OPENED, "os.listdir", "os.scandir")
    return is_look and (path in knownfiles or (found.is_absolute() and any(map(found.is_relative_to, folders))))
