"""Train: fit the transform, train the model (or try several and keep the best by validation)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lepton.core import files, plugins, settings
from lepton.core.ledger import Ledger
from lepton.stages import _encoded, _fit, _model
from lepton.stages._fit import Data, Trained
from lepton.stages._stage import Stage
from lepton.training.settings import TrainSettings

SECTION = "train"
AFTER = ("prepare",)
ROOMS = ("models", "training", "bundle", "transforms", "tasks", "core")
MEASURES = True
Settings = TrainSettings


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    kept = ("train", "model", "candidates")
    metric = recipe["contract"]["metric"]
    more = {"transform": recipe["data"]["transform"], "metric": metric, "sources": _sources(recipe["model"])}
    return {**{name: recipe.get(name) for name in kept}, **more}


def _sources(model: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the files that a model was brought in: a changed one is another model."""
    known = model["name"] in plugins.names("models")
    brought = getattr(plugins.load("models", model["name"]), "brought", None) if known else None
    return {path.name: files.sha256(path) for path in brought(model).sources} if brought else {}


@dataclass(frozen=True)
class Candidate:
    """One family with its settings, and how it is trained."""

    model: Mapping[str, Any]
    train: TrainSettings

    @property
    def name(self) -> str:
        """The family, with its preset where it has one."""
        preset = self.model.get("preset")
        return f"{self.model['name']} ({preset})" if preset else str(self.model["name"])


def run(stage: Stage) -> None:
    """Write the best model (`model.json`, `network.safetensors`, `transform.json`) and `history.json`."""
    data = _fit.data_of(stage)
    journal = Ledger(stage.scratch / "journal.jsonl")
    chosen, best, tried = _best(stage, data, journal)
    start = best.start
    _model.save(stage.folder, start.network, start.described)
    _encoded.save(stage.folder, *start.transform)
    stage.write("history.json", best.history)
    stage.fact(
        model=start.described["model"],
        train=settings.plain(chosen.train),
        parameters=sum(parameter.numel() for parameter in start.network.parameters()),
        history=best.history,
        metric=data.metric,
        validation=best.metric,
        validation_records=len(data.validation),
        seconds=best.seconds,
        transform={"name": start.transform[0], "settings": start.transform[1].settings},
        tried=tried,
        why=_why((chosen, best), tried, data.metric),
    )


def _candidates(stage: Stage) -> list[Candidate]:
    """The recipe's model, or the families that "auto" stands for."""
    several = stage.recipe.get("candidates")
    if not several:
        return [Candidate(stage.recipe["model"], stage.settings)]
    return [Candidate(item["model"], settings.build(TrainSettings, item["train"])) for item in several]


def _best(stage: Stage, data: Data, journal: Ledger) -> tuple[Candidate, Trained, list[dict[str, Any]]]:
    """Train each candidate while the budget lasts; each result is journalled before it is used."""
    candidates = _candidates(stage)
    found: list[tuple[Candidate, Trained]] = []
    tried: list[dict[str, Any]] = []
    for candidate in candidates:
        if found and sum(item["seconds"] for item in tried) > candidates[0].train.budget * 60:
            tried.append({"name": candidate.name, "metric": None, "seconds": 0.0, "note": "the budget was spent"})
            continue
        began = time.perf_counter()
        trained = _train_one(stage, data, candidate)
        took = time.perf_counter() - began
        row = {"name": candidate.name, "metric": trained.metric, "seconds": took, "note": ""}
        journal.write("trial", **row)
        tried.append(row)
        found = [max([*found, (candidate, trained)], key=lambda pair: pair[1].metric)]
    return *found[0], tried


def _train_one(stage: Stage, data: Data, candidate: Candidate) -> Trained:
    """Fit the family's transform, build and train one candidate; a killed one goes on from its checkpoint."""
    if stage.recipe.get("candidates"):
        stage.progress.say(f"trying {candidate.name}")
    start = _fit.fresh(data, candidate.model, choice=stage.recipe["data"]["transform"])
    identity = files.sha256_text(files.canonical([candidate.model, settings.plain(candidate.train)]))[:12]
    return _fit.fit(data, start, _fit.Job(candidate.train, stage.scratch / f"{identity}.pt", stage.progress))


def _why(best: tuple[Candidate, Trained], tried: Sequence[Mapping[str, Any]], metric: str) -> str:
    chosen, trained = best
    if len(tried) == 1:
        return f"{chosen.name} was asked for"
    ran = [item for item in tried if item["metric"] is not None]
    others = ", ".join(f"{item['name']} {item['metric']:.4f}" for item in ran if item["name"] != chosen.name)
    return f"{chosen.name} has the best validation {metric}, {trained.metric:.4f} (others: {others})"
