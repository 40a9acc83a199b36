"""The ledger: what every stage saw, one JSON object a line, appended and never changed.

Reports and cards are rendered from the ledger alone.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton.core.errors import UserError


class Ledger:
    """The events of one run, in `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **facts: Any) -> None:
        """Append one event and force it to disk, so that what is used later was recorded before.

        What a killed run left of a line is cut off first.
        """
        line = json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n"
        with self.path.open("ab") as stream:
            stream.truncate(self._whole())
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _whole(self) -> int:
        """Bytes up to the end of the last whole line."""
        return self.path.read_bytes().rfind(b"\n") + 1

    def read(self, event: str | None = None) -> Iterator[dict[str, Any]]:
        """The events in their order, or only those named `event`; a torn last line is left out."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                return
            found = json.loads(line)
            if event in (None, found["event"]):
                yield found


def facts(folder: Path) -> dict[str, dict[str, Any]]:
    """The latest events of the run in `folder`: each stage's by its name, the run's own as "run" and "refused".

    Raises UserError when there is no run.
    """
    found: dict[str, dict[str, Any]] = {}
    for event in Ledger(folder / "ledger.jsonl").read():
        if event["event"] == "run":
            found.clear()
        found[event.get("stage", event["event"])] = event
    if not found:
        raise UserError("There is no run here", received=folder, remedy="Make one with: lepton run RECIPE -o DIR")
    return found
