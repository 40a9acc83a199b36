"""What a stage is handed: its settings, its parents' folders, and where it writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lepton.core import files
from lepton.core.progress import Progress
from lepton.core.types import Json


@dataclass(frozen=True)
class Stage:
    """One run of one stage.

    `folder` becomes the artifact; `scratch` outlives a killed run and is cleared after a good one; `base` is the
    folder that the recipe's paths start from. Facts go to the ledger.
    """

    recipe: Json
    settings: Any
    base: Path
    folder: Path
    scratch: Path
    parents: Mapping[str, Path]
    progress: Progress
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return int(self.recipe["app"]["seed"])

    @property
    def task(self) -> str:
        """The task's name."""
        return str(self.recipe["app"]["task"])

    def fact(self, **facts: Any) -> None:
        """Put facts into the ledger, by name; they are all that reports see."""
        self.facts.update(facts)

    def write(self, name: str, value: Any) -> None:
        """Write `value` as JSON into the artifact."""
        files.write_json(self.folder / name, value)

    def read(self, stage: str, name: str) -> Any:
        """Read a JSON file of a parent."""
        return files.read_json(self.parents[stage] / name)
