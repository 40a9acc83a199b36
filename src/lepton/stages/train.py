"""Train: fit the transform, train the model (or try several and keep the best by validation)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lepton.core import files, plugins, settings
from lepton.core.ledger import Ledger
from lepton.stages import _adapt, _encoded, _fit, _model, _origin
from lepton.stages._adapt import Adaptation
from lepton.stages._fit import Data, Start, Trained
from lepton.stages._origin import Mapped
from lepton.stages._stage import Stage
from lepton.training.settings import TrainSettings

SECTION = "train"
AFTER = ("prepare",)
ROOMS = ("models", "training", "adapt", "bundle", "transforms", "tasks", "core")
MEASURES = True
Settings = TrainSettings


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    kept = ("train", "model", "candidates", "adapt")
    metric = recipe["contract"]["metric"]
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


@dataclass(frozen=True)
class Result:
    """A candidate, trained: what became of it, how it was adapted, and what its weights began with."""

    candidate: Candidate
    trained: Trained
    adaptation: Adaptation
    mapped: Mapped | None

    def finish(self, stage: Stage, data: Data) -> tuple[Start, dict[str, Any]]:
        """The network as one network again, and what the ledger is told; its adapter is kept in `adapter/`."""
        start, done = self.trained.start, self.adaptation
        told = {
            "method": done.choice,
            "layers": list(done.how.layers),
            "trained": done.trained,
            "head": done.head,
            "weights": done.weights,
            "share": done.share,
            "start": asdict(self.mapped) if self.mapped else None,
        }
        if done.choice["name"] == "full":
            return start, told
        kept = _adapt.save(stage.folder / "adapter", start, done)
        return _adapt.described(start, done.choice), {
            **told,
            "adapter": kept,
            "merging": _adapt.finish(data, start, done),
        }


def run(stage: Stage) -> None:
    """Write the best model (`model.json`, `network.safetensors`, `transform.json`) and `history.json`.

    Where it was adapted, its adapter goes into `adapter/`, and the network is one with it.
    """
    data = _fit.data_of(stage)
    journal = Ledger(stage.scratch / "journal.jsonl")
    result, tried = _best(stage, data, journal)
    best = result.trained
    start, adapted = result.finish(stage, data)
    _model.save(stage.folder, start.network, start.described)
    _encoded.save(stage.folder, *start.transform)
    stage.write("history.json", best.history)
    stage.fact(
        model=start.described["model"],
        train=settings.plain(result.candidate.train),
        adapt=adapted,
        parameters=sum(parameter.numel() for parameter in start.network.parameters()),
        history=best.history,
        metric=data.metric,
        validation=best.metric,
        validation_records=len(data.validation),
        seconds=best.seconds,
        transform={"name": start.transform[0], "settings": start.transform[1].settings},
        tried=tried,
        why=_why(result, tried, data.metric),
    )


def _candidates(stage: Stage) -> list[Candidate]:
    """The recipe's model, or the families that "auto" stands for."""
    several = stage.recipe.get("candidates")
    if not several:
        return [Candidate(stage.recipe["model"], stage.settings)]
    return [Candidate(item["model"], settings.build(TrainSettings, item["train"])) for item in several]


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
        result = _train_one(stage, data, candidate)
        took = time.perf_counter() - began
        row = {"name": candidate.name, "metric": result.trained.metric, "seconds": took, "note": ""}
        journal.write("trial", **row)
        tried.append(row)
        found = [max([*found, result], key=lambda item: item.trained.metric)]
    return found[0], tried


def _train_one(stage: Stage, data: Data, candidate: Candidate) -> Result:
    """Fit the family's transform, build and train one candidate; a killed one goes on from its checkpoint."""
    if stage.recipe.get("candidates"):
        stage.progress.say(f"trying {candidate.name}")
    start, mapped = _start(stage, data, candidate)
    adaptation = _adapt.begin(data, start, stage.recipe["adapt"])
    if adaptation.choice["name"] != "full":
        stage.progress.say(adaptation.told)
    how, chosen = adaptation.how, candidate.train
    identity = files.sha256_text(files.canonical([candidate.model, settings.plain(chosen)]))[:12]
    paced = chosen if how.lr is None else replace(chosen, lr=how.lr)
    job = _fit.Job(paced, stage.scratch / f"{identity}.pt", stage.progress, how=how)
    return Result(candidate, _fit.fit(data, start, job, warm=mapped is None), adaptation, mapped)


def _start(stage: Stage, data: Data, candidate: Candidate) -> tuple[Start, Mapped | None]:
    """The candidate before training, and how it got the weights that the recipe says it starts from."""
    chosen, transform = candidate.train, stage.recipe["data"]["transform"]
    origin = _origin.read(Path(chosen.start)) if chosen.start else None
    if origin is not None and origin.transform is not None and transform is None:
        start = _fit.built(data, candidate.model, origin.transform)
    else:
        start = _fit.fresh(data, candidate.model, choice=transform)
    mapped = None
    if origin is not None:
        start = _origin.rebuilt(start, origin)
        mapped = _origin.take(start, origin)
        stage.progress.say(mapped.told)
    return (_adapt.lay(start, Path(chosen.adapter)) if chosen.adapter else start), mapped


def _why(best: Result, tried: Sequence[Mapping[str, Any]], metric: str) -> str:
    chosen = best.candidate
    if len(tried) == 1:
        return f"{chosen.name} was asked for"
    ran = [item for item in tried if item["metric"] is not None]
    others = ", ".join(f"{item['name']} {item['metric']:.4f}" for item in ran if item["name"] != chosen.name)
    return f"{chosen.name} has the best validation {metric}, {best.trained.metric:.4f} (others: {others})"
