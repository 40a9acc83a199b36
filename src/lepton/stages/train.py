"""Train: fit the transform, train the model (or try several and keep the best by validation)."""

import importlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton.core import files, plugins, seeds, settings
from lepton.core.ledger import Ledger
from lepton.core.types import Arrays, Record
from lepton.models._network import Network, normalisation
from lepton.models._objectives import Objective
from lepton.stages import _encoded, _model
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.training import loop
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings
from lepton.transforms._fitted import Fitted

SECTION = "train"
AFTER = ("prepare",)
ROOMS = ("models", "training", "transforms", "tasks", "core")
MEASURES = True
Settings = TrainSettings


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    kept = ("train", "model", "candidates")
    metric = recipe["contract"]["metric"]
    return {**{name: recipe.get(name) for name in kept}, "transform": recipe["data"]["transform"], "metric": metric}


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
class Data:
    """The training and validation records with the task's words for them."""

    stage: Stage
    task: ModuleType
    classes: Sequence[str]
    train: Sequence[Record]
    validation: Sequence[Record]

    @property
    def metric(self) -> str:
        """The name of the metric that chooses: the contract's, or the task's first."""
        return str(self.stage.recipe["contract"]["metric"]["name"] or self.task.METRICS[0])


@dataclass(frozen=True)
class Trained:
    """A trained candidate and what it reached."""

    candidate: Candidate
    network: Network
    described: Mapping[str, Any]
    transform: tuple[str, Fitted]
    history: list[dict[str, float]]
    seconds: float

    @property
    def metric(self) -> float:
        """The best validation metric (higher is better)."""
        return max(row["metric"] for row in self.history)


def run(stage: Stage) -> None:
    """Write the best model (`model.json`, `network.safetensors`, `transform.json`) and `history.json`."""
    data = _data(stage)
    candidates = _candidates(stage)
    journal = Ledger(stage.scratch / "journal.jsonl")
    best, tried = _best(data, candidates, journal)
    _model.save(stage.folder, best.network, best.described)
    _encoded.save(stage.folder, *best.transform)
    stage.write("history.json", best.history)
    stage.fact(
        model=best.described["model"],
        train=settings.plain(best.candidate.train),
        parameters=sum(parameter.numel() for parameter in best.network.parameters()),
        history=best.history,
        metric=data.metric,
        validation=best.metric,
        validation_records=len(data.validation),
        seconds=best.seconds,
        transform={"name": best.transform[0], "settings": best.transform[1].settings},
        tried=tried,
        why=_why(best, tried, data.metric),
    )


def _data(stage: Stage) -> Data:
    records = stage.parents["prepare"] / "records.jsonl"
    classes = stage.read("prepare", "classes.json")
    task = plugins.load("tasks", stage.task)
    return Data(stage, task, classes, read_records(records, "train"), read_records(records, "validation"))


def _candidates(stage: Stage) -> list[Candidate]:
    """The recipe's model, or the families that "auto" stands for."""
    several = stage.recipe.get("candidates")
    if not several:
        return [Candidate(stage.recipe["model"], stage.settings)]
    return [Candidate(item["model"], settings.build(TrainSettings, item["train"])) for item in several]


def _best(data: Data, candidates: Sequence[Candidate], journal: Ledger) -> tuple[Trained, list[dict[str, Any]]]:
    """Train each candidate while the budget lasts; each result is journalled before it is used."""
    limit = candidates[0].train.budget * 60
    best: Trained | None = None
    tried: list[dict[str, Any]] = []
    for candidate in candidates:
        spent = sum(item["seconds"] for item in tried)
        if best is not None and spent > limit:
            tried.append({"name": candidate.name, "metric": None, "seconds": 0.0, "note": "the budget was spent"})
            continue
        trained = train_one(data, candidate, label=candidate.name if len(candidates) > 1 else "")
        row = {"name": candidate.name, "metric": trained.metric, "seconds": trained.seconds, "note": ""}
        journal.write("trial", **row)
        tried.append(row)
        if best is None or trained.metric > best.metric:
            best = trained
    return best, tried  # type: ignore[return-value]


def train_one(data: Data, candidate: Candidate, *, label: str = "") -> Trained:
    """Fit the family's transform, encode, build and train one candidate."""
    began = time.perf_counter()
    family = plugins.load("models", candidate.model["name"])
    objective: Objective = family.OBJECTIVES[data.stage.task]
    choice = _transform(data, family, candidate)
    fitted = _encoded.fit(choice, data.train)
    encode = _encoded.encoder(choice["name"], fitted)
    encoded = _Encoded(
        choice["name"], fitted, _encoded.encode(data.train, encode), _encoded.encode(data.validation, encode)
    )
    network, described = _fresh(data, candidate, encoded)
    job = _job(data, candidate, (encoded, network, objective, described))
    if hasattr(family, "warm_start") and not job.checkpoint.exists():
        family.warm_start(network.body, encoded.train, np.array(job.samples.targets))
    if label:
        data.stage.progress.say(f"trying {label}")
    history = loop.fit(job, candidate.train)
    return Trained(candidate, network.cpu(), described, (choice["name"], fitted), history, time.perf_counter() - began)


@dataclass(frozen=True)
class _Encoded:
    name: str
    fitted: Fitted
    train: Sequence[Arrays]
    validation: Sequence[Arrays]

    @property
    def module(self) -> ModuleType:
        return plugins.load("transforms", self.name)


def _transform(data: Data, family: ModuleType, candidate: Candidate) -> Mapping[str, Any]:
    """The recipe's transform, or the family's with its default settings."""
    chosen: Mapping[str, Any] | None = data.stage.recipe["data"]["transform"]
    if chosen is not None:
        return chosen
    wanted = getattr(family, "transform", None)
    name, given = wanted(candidate.model) if wanted else (family.TRANSFORMS[data.task.MODALITY], {})
    fit = plugins.load("transforms", name).fit
    return {"name": name, **settings.settle(fit, given, "data.transform")}


def _fresh(data: Data, candidate: Candidate, encoded: _Encoded) -> tuple[Network, dict[str, Any]]:
    """A network with weights from the seed, and its description."""
    torch.manual_seed(seeds.derive(data.stage.seed, "weights"))
    family = plugins.load("models", candidate.model["name"])
    objective: Objective = family.OBJECTIVES[data.stage.task]
    more = {
        "outputs": objective.outputs(data.classes),
        "vocabulary": int(encoded.fitted.settings.get("vocabulary", 0)),
        "task": data.stage.task,
        "settings": dict(encoded.fitted.settings),
    }
    names = encoded.module.INPUTS
    shape = _model.shape_of(encoded.train, names, more)
    network = _model.build(candidate.model, shape, normalisation(arrays[names[0]] for arrays in encoded.train))
    described = {
        "model": dict(candidate.model),
        "shape": _model.describe(shape),
        "classes": list(data.classes),
        "decode": {"name": objective.decode},
        "inputs": list(names),
    }
    return network, described


def _job(data: Data, candidate: Candidate, parts: tuple[_Encoded, Network, Objective, Mapping[str, Any]]) -> loop.Job:
    encoded, network, objective, described = parts
    targets = [
        objective.target(record.label, arrays, data.classes)
        for record, arrays in zip(data.train, encoded.train, strict=True)
    ]
    identity = files.sha256_text(files.canonical([candidate.model, settings.plain(candidate.train)]))[:12]
    return loop.Job(
        network=network,
        samples=Samples(encoded.train, targets, tuple(encoded.module.INPUTS), encoded.module.collate),
        objective=objective,
        outputs=objective.outputs(data.classes),
        validate=_validate(data, encoded, described),
        augment=_augment(data, encoded.module, candidate.train.augment),
        weights=_class_weights(targets, candidate.train, objective.outputs(data.classes)),
        seed=seeds.derive(data.stage.seed, "train"),
        checkpoint=data.stage.scratch / f"{identity}.pt",
        progress=data.stage.progress,
    )


def _validate(data: Data, encoded: _Encoded, described: Mapping[str, Any]) -> Callable[[nn.Module], float]:
    """The validation metric of a network, turned so that higher is better."""
    metric = plugins.load("metrics", data.metric)
    truth = [record.label for record in data.validation]
    how = {**described, "task": data.stage.task, "collate": encoded.module.collate}
    sign = -1 if metric.LOWER_IS_BETTER else 1

    def measure(network: nn.Module) -> float:
        network.eval()
        found = _model.answers(_model.TorchRun(network, described["inputs"]), encoded.validation, how)
        return sign * float(metric.score(metric.table(truth, found, data.classes)))

    return measure


def _augment(data: Data, transform: ModuleType, strength: float) -> loop.Augment | None:
    """The modality's augmentation at `strength`: of the one array of images and sounds, of texts' arrays by name."""
    if strength == 0:
        return None
    module = importlib.import_module(f"lepton.training._augment_{data.task.MODALITY}")
    names = transform.INPUTS

    def change(tensors: list[Tensor], random: torch.Generator) -> list[Tensor]:
        if len(names) == 1:
            return [module.augment(tensors[0], random, strength=strength)]
        changed = module.augment(dict(zip(names, tensors, strict=True)), random, strength=strength)
        return [changed[name] for name in names]

    return change


def _class_weights(targets: Sequence[np.ndarray], chosen: TrainSettings, outputs: int) -> Tensor | None:
    """Weights that give each class the same say, mean 1 over the records."""
    if chosen.class_weights == "none" or targets[0].ndim:
        return None
    counts = np.maximum(np.bincount(np.array(targets), minlength=outputs), 1)
    return torch.tensor(len(targets) / (outputs * counts), dtype=torch.float32)


def _why(best: Trained, tried: Sequence[Mapping[str, Any]], metric: str) -> str:
    if len(tried) == 1:
        return f"{best.candidate.name} was asked for"
    ran = [item for item in tried if item["metric"] is not None]
    others = ", ".join(f"{item['name']} {item['metric']:.4f}" for item in ran if item["name"] != best.candidate.name)
    return f"{best.candidate.name} has the best validation {metric}, {best.metric:.4f} (others: {others})"
