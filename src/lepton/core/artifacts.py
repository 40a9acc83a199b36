"""Artifacts: what a stage made, in a folder whose name is the hash of all that went in."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core import files


@dataclass(frozen=True, slots=True)
class Artifact:
    """A finished stage: its folder, and the description kept in `artifact.json`."""

    folder: Path
    description: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The hash of all files in it: what later stages depend on."""
        return files.sha256_text(files.canonical(self.description["files"]))


def key(stage: str, inputs: Mapping[str, Any]) -> str:
    """The name of the artifact of `stage` made from `inputs`: `<stage>-<12 hex digits>`."""
    return f"{stage}-{files.sha256_text(files.canonical(inputs))[:12]}"


def find(root: Path, name: str) -> Artifact | None:
    """The artifact `name` under `root`, or None; one that was changed since counts as absent."""
    description = root / name / "artifact.json"
    if not description.exists():
        return None
    artifact = Artifact(root / name, files.read_json(description))
    intact = _hashes(artifact.folder) == artifact.description["files"]
    return artifact if intact else None


def make(root: Path, name: str, *, inputs: Mapping[str, Any], fill: Callable[[Path], Mapping[str, Any]]) -> Artifact:
    """Let `fill` write files into a folder aside, describe them, and move the folder into place.

    What `fill` returns is added to the description. What a killed run left aside is removed.
    """
    for left in root.glob(f".{name}.*"):
        shutil.rmtree(left)
    with files.folder_aside(root / name) as folder:
        more = fill(folder)
        description = {"name": name, "inputs": inputs, **more, "files": _hashes(folder)}
        files.write_json(folder / "artifact.json", description)
    return Artifact(root / name, description)


def _hashes(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "artifact.json")
    return {path.relative_to(folder).as_posix(): files.sha256(path) for path in found}
