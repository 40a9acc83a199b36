"""What the ledger of a run tells, with what is missing left empty."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton.core import ledger

REFERENCE = "onnx"
"""The plan that changes nothing, which compression is measured against."""

TORCH = "fp32 PyTorch"
"""What the trained network in PyTorch is called, which compression is compared with as well."""

STAGES = ("prepare", "train", "adapt", "compress", "evaluate", "explain", "package")
"""The order in which a report names stages; others follow in the ledger's order."""


@dataclass(frozen=True)
class Told:
    """The latest events of a run. Every property is empty or None where the run did not come so far."""

    folder: Path
    events: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, folder: str | Path) -> "Told":
        """Read the ledger in `folder`; raises UserError where there is no run."""
        return cls(Path(folder), ledger.facts(Path(folder)))

    def stage(self, name: str) -> Mapping[str, Any]:
        """The facts that a stage told, or nothing."""
        if name == self.refused_stage:
            return self.events["refused"].get("facts") or {}
        return self.events.get(name, {}).get("facts") or {}

    def place(self, name: str) -> Path | None:
        """The folder of a stage's artifact."""
        artifact = self.events.get(name, {}).get("artifact")
        return self.folder / "artifacts" / artifact if artifact else None

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The resolved recipe."""
        return self.events.get("run", {}).get("recipe") or {}

    @property
    def app(self) -> Mapping[str, Any]:
        """The recipe's table about the app."""
        return self.recipe.get("app") or {}

    @property
    def refused_stage(self) -> str | None:
        """The stage that refused to go on because the contract is not kept."""
        return str(self.events["refused"].get("section", "compress")) if "refused" in self.events else None

    @property
    def status(self) -> str:
        """How the run ended: "shipped", "refused" or "unfinished"."""
        if "refused" in self.events:
            return "refused"
        return "shipped" if self.stage("package") else "unfinished"

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """The events of finished stages, in the order of the road."""
        found = [event for event in self.events.values() if "stage" in event]
        return sorted(
            found, key=lambda event: STAGES.index(event["stage"]) if event["stage"] in STAGES else len(STAGES)
        )

    @property
    def trials(self) -> Sequence[Mapping[str, Any]]:
        """What compression tried."""
        return self.stage("compress").get("trials") or []

    @property
    def sketches(self) -> Sequence[Mapping[str, Any]]:
        """What compression measured of plans before any training: what they would cost."""
        return self.stage("compress").get("sketches") or []

    @property
    def rungs(self) -> Sequence[Mapping[str, Any]]:
        """What compression trained a little, to see whether more is worth it."""
        return self.stage("compress").get("rungs") or []

    @property
    def skipped(self) -> Sequence[Mapping[str, str]]:
        """The plans that compression left out, each with the reason."""
        return self.stage("compress").get("skipped") or []

    @property
    def winner(self) -> Mapping[str, Any] | None:
        """The trial that is shipped."""
        return self.trial(self.stage("compress").get("winner"))

    def trial(self, plan: str | None) -> Mapping[str, Any] | None:
        """The trial of that plan."""
        return next((trial for trial in self.trials if trial["plan"] == plan), None)

    def nearest(self, count: int = 3) -> list[Mapping[str, Any]]:
        """The trials that miss the contract by least, by the sum of their relative excesses."""
        return sorted(self.trials, key=lambda trial: sum(map(_excess, missed(trial))))[:count]


def missed(trial: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The clauses that a trial does not keep."""
    return (clause for clause in trial.get("clauses") or () if not clause["kept"])


def _excess(clause: Mapping[str, Any]) -> float:
    asked, measured = float(clause["asked"]), float(clause["measured"])
    return abs(measured - asked) / max(abs(asked), 1e-9)
