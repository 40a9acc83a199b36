"""Train: fit the transform, train the model (or try several and keep the best by validation)."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lepton.core import files, plugins, settings
from lepton.core.ledger import Ledger
from lepton.stages import _adapt, _candidate, _curve, _encoded, _fit, _methods, _model, _origin
from lepton.stages._candidate import Candidate, Ready, Result
from lepton.stages._fit import Data
from lepton.stages._stage import Stage
from lepton.training.settings import TrainSettings

SECTION = "train"
AFTER = ("prepare",)
ROOMS = ("models", "training", "adapt", "bundle", "transforms", "tasks", "metrics", "core")
MEASURES = True
Settings = TrainSettings


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    kept = ("train", "model", "candidates", "adapt")
    metric = recipe["contract"]["metric"]["name"]  # what it may lose is the affair of later stages
    sources = {**_sources(recipe["model"]), **_begun_with(recipe["train"])}
    more = {"transform": recipe["data"]["transform"], "metric": metric, "sources": sources}
    return {**{name: recipe.get(name) for name in kept}, **more}


def _sources(model: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the files that a model was brought in: a changed one is another model."""
    known = model["name"] in plugins.names("models")
    brought = getattr(plugins.load("models", model["name"]), "brought", None) if known else None
    return {path.name: files.sha256(path) for path in brought(model).sources} if brought else {}


def _begun_with(train: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the weights and of the adapter that training begins with."""
    weights = _origin.sources(Path(train["start"])) if train["start"] else {}
    folder = _adapt.located(Path(train["adapter"])) if train["adapter"] else None
    return {**weights, **({path.name: files.sha256(path) for path in sorted(folder.iterdir())} if folder else {})}


def run(stage: Stage) -> None:
    """Write the best model (`model.json`, `network.safetensors`, `transform.json`) and `history.json`.

    Where it was adapted, its adapter goes into `adapter/`, and the network is one with it.
    """
    data = _fit.data_of(stage)
    result, tried, methods = _trained(stage, data)
    best, curve = result.trained, _curve.learn(stage, data, result)
    start, adapted = result.finish(stage, data)
    _model.save(stage.folder, start.network, start.described)
    _encoded.save(stage.folder, *start.transform)
    stage.write("history.json", best.history)
    stage.fact(
        model=start.described["model"],
        train=settings.plain(result.ready.candidate.train),
        adapt=adapted,
        parameters=sum(parameter.numel() for parameter in start.network.parameters()),
        history=best.history,
        metric=data.metric,
        validation=best.metric,
        validation_records=len(data.validation),
        seconds=best.seconds,
        processes=max(row.get("processes", 1) for row in best.history),
        transform={"name": start.transform[0], "settings": start.transform[1].settings},
        tried=tried,
        why=_why(result, tried, data.metric),
        methods=methods,
        curve=curve,
    )


def _trained(stage: Stage, data: Data) -> tuple[Result, list[dict[str, Any]], dict[str, Any] | None]:
    """The model that is kept, the families that were tried, and the methods of adaptation that were compared."""
    if stage.recipe["adapt"]["name"] != "auto":
        return *_best(stage, data, Ledger(stage.scratch / "journal.jsonl")), None
    (candidate,) = _candidates(stage)
    result, methods = _methods.choose(stage, data, candidate)
    row = {"name": candidate.name, "metric": result.trained.metric, "seconds": methods["seconds"], "note": ""}
    return result, [row], methods


def _candidates(stage: Stage) -> list[Candidate]:
    """The recipe's model, or the families that "auto" stands for."""
    several, method = stage.recipe.get("candidates"), stage.recipe["adapt"]
    if not several:
        return [Candidate(stage.recipe["model"], stage.settings, method)]
    return [Candidate(item["model"], settings.build(TrainSettings, item["train"]), method) for item in several]


def _best(stage: Stage, data: Data, journal: Ledger) -> tuple[Result, list[dict[str, Any]]]:
    """Train each candidate while the budget lasts; each result is journalled before it is used."""
    candidates = _candidates(stage)
    found: list[Result] = []
    tried: list[dict[str, Any]] = []
    for candidate in candidates:
        if found and sum(item["seconds"] for item in tried) > candidates[0].train.budget * 60:
            tried.append({"name": candidate.name, "metric": None, "seconds": 0.0, "note": "the budget was spent"})
            continue
        began = time.perf_counter()
        if len(candidates) > 1:
            stage.progress.say(f"trying {candidate.name}")
        result = _candidate.train(stage, data, _begun(stage, data, candidate))
        took = time.perf_counter() - began
        row = {"name": candidate.name, "metric": result.trained.metric, "seconds": took, "note": ""}
        journal.write("trial", **row)
        tried.append(row)
        found = [max([*found, result], key=lambda item: item.trained.metric)]
    return found[0], tried


def _begun(stage: Stage, data: Data, candidate: Candidate) -> Ready:
    """The candidate before training; what it starts from and what of it is trained is said."""
    begun = _candidate.ready(stage, data, candidate)
    told = [begun.mapped.told] if begun.mapped else []
    for line in told + ([begun.adaptation.told] if candidate.method["name"] != "full" else []):
        stage.progress.say(line)
    return begun


def _why(best: Result, tried: Sequence[Mapping[str, Any]], metric: str) -> str:
    chosen = best.ready.candidate
    if len(tried) == 1:
        return f"{chosen.name} was asked for"
    ran = [item for item in tried if item["metric"] is not None]
    others = ", ".join(f"{item['name']} {item['metric']:.4f}" for item in ran if item["name"] != chosen.name)
    return f"{chosen.name} has the best validation {metric}, {best.trained.metric:.4f} (others: {others})"
