"""How workers that share a port tell each other to read an app again: a file whose time changes."""

import os
from pathlib import Path


class Bell:
    """One file an app in a folder that all workers share; to ring is to touch it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._heard: dict[str, int] = {}

    def ring(self, name: str) -> None:
        """Tell the others; this process has heard it already."""
        path = self._path(name)
        path.touch()
        os.utime(path)
        self._heard[name] = self._time(name)

    def rings(self, name: str) -> bool:
        """Whether somebody has rung for `name` since the last look."""
        now, before = self._time(name), self._heard.get(name, 0)
        self._heard[name] = now
        return now != before

    def _path(self, name: str) -> Path:
        return self._folder / name.encode().hex()

    def _time(self, name: str) -> int:
        try:
            return self._path(name).stat().st_mtime_ns
        except FileNotFoundError:
            return 0
