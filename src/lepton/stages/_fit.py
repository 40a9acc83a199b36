"""Fitting one model to the training records: transform, encoding, a fresh network, and the loop over it."""

import importlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton.adapt import _layers
from lepton.adapt._adapted import Adapted, Contrast
from lepton.bundle import manifest
from lepton.bundle.manifest import Bundle
from lepton.core import files, plugins, seeds, settings
from lepton.core.errors import UserError
from lepton.core.progress import Progress
from lepton.core.types import Arrays, Record
from lepton.models import _heads
from lepton.models._brought import Brought
from lepton.models._network import Network, Scaling, normalisation
from lepton.models._objectives import Objective
from lepton.stages import _encoded, _model
from lepton.stages._records import read_records
from lepton.stages._solved import Solver
from lepton.stages._stage import Stage
from lepton.training import devices, loop
from lepton.training.beside import Beside
from lepton.training.data import Samples
from lepton.training.settings import TrainSettings
from lepton.training.teaching import Teacher
from lepton.transforms._fitted import Fitted

Transform = tuple[str, Fitted]
"""A fitted transform's name, and itself."""


@dataclass(frozen=True)
class Encoded:
    """The arrays of the training and validation records, by one transform."""

    transform: Transform
    train: Sequence[Arrays]
    validation: Sequence[Arrays]

    @property
    def module(self) -> ModuleType:
        """The transform's plug-in."""
        return plugins.load("transforms", self.transform[0])


@dataclass(frozen=True)
class Data:
    """The training and validation records with the task's words for them."""

    task: str
    classes: Sequence[str]
    train: Sequence[Record]
    validation: Sequence[Record]
    metric: str
    seed: int
    _known: dict[str, Encoded] = field(default_factory=dict, repr=False)

    @property
    def module(self) -> ModuleType:
        """The task's plug-in."""
        return plugins.load("tasks", self.task)

    def encoded(self, transform: Transform) -> Encoded:
        """The records through a transform; the last one asked for is kept."""
        name, fitted = transform
        hashes = {file: files.sha256_text(data.hex()) for file, data in fitted.files.items()}
        key = files.sha256_text(files.canonical([name, settings.plain(fitted.settings), hashes]))
        if key not in self._known:
            encode = _encoded.encoder(name, fitted)
            made = Encoded(transform, _encoded.encode(self.train, encode), _encoded.encode(self.validation, encode))
            self._known.clear()
            self._known[key] = made
        return self._known[key]

    def learning(self, train: Sequence[Record]) -> "Data":
        """The same with other training records."""
        return replace(self, train=train, _known={})


@dataclass(frozen=True)
class Start:
    """A network before training, or before more of it, with what it is rebuilt from."""

    network: Network
    described: Mapping[str, Any]
    transform: Transform

    @property
    def family(self) -> ModuleType:
        """The model's plug-in."""
        return plugins.load("models", self.described["model"]["name"])


@dataclass(frozen=True)
class Job:
    """How a network is trained: settings, where it may go on, who hears of it; a teacher, and what stays as it is."""

    train: TrainSettings
    checkpoint: Path
    progress: Progress
    teacher: Teacher | None = None
    how: Adapted = field(default_factory=lambda: Adapted([]))

    @property
    def paced(self) -> TrainSettings:
        """The settings with the rate and the epochs of the method of adaptation, where it has its own."""
        lr = self.train.lr if self.how.lr is None else self.how.lr
        epochs = self.train.epochs if self.how.epochs is None else self.how.epochs
        return replace(self.train, lr=lr, epochs=epochs)


@dataclass(frozen=True)
class Trained:
    """A trained network and what it reached."""

    start: Start
    history: list[dict[str, float]]
    seconds: float

    @property
    def metric(self) -> float:
        """The best validation metric (higher is better)."""
        return max(row["metric"] for row in self.history)


def data_of(stage: Stage) -> Data:
    """The records that the prepare stage left."""
    records = stage.parents["prepare"] / "records.jsonl"
    name = stage.recipe["contract"]["metric"]["name"] or plugins.load("tasks", stage.task).METRICS[0]
    train, validation = read_records(records, "train"), read_records(records, "validation")
    return Data(stage.task, stage.read("prepare", "classes.json"), train, validation, str(name), stage.seed)


def fresh(data: Data, model: Mapping[str, Any], *, choice: Mapping[str, Any] | None = None) -> Start:
    """A network of `model` with weights from the seed; its transform (`choice`, or its own) is fitted to train.

    Of an app that was brought, transform and decode are the app's. Raises UserError where model and task do not fit.
    """
    app = _app(data, model)
    if app is None:
        return built(data, model, _fitted(data, choice or own_transform(data, model)))
    told = app.manifest
    kept = (told.transform.name, Fitted(told.transform.settings, app.transform_files()))
    start = built(data, model, _fitted(data, choice) if choice else kept)
    return replace(start, described={**start.described, "decode": dict(told.decode)})


def _app(data: Data, model: Mapping[str, Any]) -> Bundle | None:
    """The app that a model was brought in, every file compared with its hash; None where it came otherwise."""
    brought = getattr(plugins.load("models", model["name"]), "brought", None)
    if brought is None:
        return None
    found: Brought = brought(model)
    found.check(data.task)
    return manifest.read(found.app) if found.app else None


def _fitted(data: Data, choice: Mapping[str, Any]) -> Transform:
    """The chosen transform, fitted to train."""
    name, modality = str(choice["name"]), data.module.MODALITY
    reads = plugins.load("transforms", name).MODALITY
    if reads != modality:
        raise UserError(
            "The model does not fit the task",
            rule=f"{data.task} is about {modality}",
            received=f"inputs through the transform {name}, which reads {reads}",
            remedy="Name another task, or another model",
        )
    return name, _encoded.fit(choice, data.train)


def built(data: Data, model: Mapping[str, Any], transform: Transform) -> Start:
    """A network of `model` with weights from the seed, for the arrays of a fitted transform."""
    torch.manual_seed(seeds.derive(data.seed, "weights"))
    family = plugins.load("models", model["name"])
    objective: Objective = family.OBJECTIVES[data.task]
    encoded = data.encoded(transform)
    fitted = transform[1].settings
    more = {
        "outputs": objective.outputs(data.classes),
        "vocabulary": int(fitted.get("vocabulary", 0)),
        "task": data.task,
        "settings": dict(fitted),
    }
    names = encoded.module.INPUTS
    shape = _model.shape_of(encoded.train, names, more)
    scaling = getattr(family, "scaling", _measured)
    network = _model.build(model, shape, scaling(model, (arrays[names[0]] for arrays in encoded.train)))
    if hasattr(family, "align"):
        family.align(network.body, data.classes)
    described = {
        "model": dict(model),
        "shape": _model.describe(shape),
        "classes": list(data.classes),
        "decode": {"name": objective.decode},
        "inputs": list(names),
    }
    return Start(network, described, transform)


def _measured(model: Mapping[str, Any], samples: Iterable[np.ndarray]) -> Scaling | None:
    return normalisation(samples)


def own_transform(data: Data, model: Mapping[str, Any]) -> dict[str, Any]:
    """The transform of the model's family, its settings resolved."""
    family = plugins.load("models", model["name"])
    wanted = getattr(family, "transform", None)
    name, given = wanted(model) if wanted else (family.TRANSFORMS[data.module.MODALITY], {})
    return {"name": name, **settings.settle(plugins.load("transforms", name).fit, given, "data.transform")}


def fit(data: Data, start: Start, job: Job, *, warm: bool = True) -> Trained:
    """Train the network of `start` in place; with `warm`, what its family can set from the data is set before.

    A head that is solved for is made before training, and after each epoch where features are trained to contrast.
    """
    began = time.perf_counter()
    run = _loop_job(data, start, job)
    solver = _solver(start.network, run, job.how)
    if not job.checkpoint.exists():
        if warm and hasattr(start.family, "warm_start"):
            arrays = data.encoded(start.transform).train
            start.family.warm_start(start.network.body, arrays, np.array(run.samples.targets))
        if solver is not None:
            _settle(solver, start.network, job)
    if solver is not None and job.how.contrast is not None:
        run = replace(run, validate=_settled(solver, run.validate), beside=_beside(solver, job.how.contrast))
    history = loop.fit(run, job.paced)
    start.network.cpu()
    return Trained(start, history, time.perf_counter() - began)


def _solver(network: nn.Module, run: loop.Job, how: Adapted) -> Solver | None:
    """What makes the head, where the method of adaptation does."""
    layer = _layers.dense_head(network, _heads.head(network))
    return Solver(layer, how.solve, run.samples, run.weights) if how.solve and layer else None


def _settle(solver: Solver, network: nn.Module, job: Job) -> None:
    devices.set_threads(job.train.threads)
    solver.settle(network.to(devices.choose(job.train.device)), job.progress)


def _settled(solver: Solver, validate: loop.Validate) -> loop.Validate:
    """The validation metric of a network whose head is made anew, which stays in it."""

    def measure(network: nn.Module) -> float:
        solver.settle(network)
        return validate(network)

    return measure


def _beside(solver: Solver, contrast: Contrast) -> Beside:
    if solver.samples.targets[0].ndim:
        raise UserError(
            "Features cannot be told apart by class here",
            rule="Contrastive tuning needs records that have one class each",
            received="a target for each token",
            remedy="Choose another method",
        )
    return Beside(solver.layer, contrast.loss, contrast.share, contrast.together)


def score(data: Data, start: Start) -> float:
    """The validation metric of the network of `start`, higher is better."""
    return _validate(data, data.encoded(start.transform), start.described)(start.network)


def _loop_job(data: Data, start: Start, job: Job) -> loop.Job:
    encoded = data.encoded(start.transform)
    objective: Objective = start.family.OBJECTIVES[data.task]
    targets = [
        objective.target(record.label, arrays, data.classes)
        for record, arrays in zip(data.train, encoded.train, strict=True)
    ]
    outputs = objective.outputs(data.classes)
    return loop.Job(
        network=start.network,
        samples=Samples(encoded.train, targets, tuple(encoded.module.INPUTS), encoded.module.collate),
        objective=objective,
        outputs=outputs,
        validate=_validate(data, encoded, start.described),
        augment=_augment(data, encoded.module, job.train.augment),
        weights=_class_weights(targets, job.train, outputs),
        seed=seeds.derive(data.seed, "train"),
        checkpoint=job.checkpoint,
        progress=job.progress,
        teacher=job.teacher,
        rates=job.how.rates,
        thaws=job.how.thaws,
        still=job.how.still,
    )


def _validate(data: Data, encoded: Encoded, described: Mapping[str, Any]) -> Callable[[nn.Module], float]:
    """The validation metric of a network, turned so that higher is better."""
    metric = plugins.load("metrics", data.metric)
    truth = [record.label for record in data.validation]
    how = {**described, "task": data.task, "collate": encoded.module.collate}
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
    module = importlib.import_module(f"lepton.training._augment_{data.module.MODALITY}")
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
