"""The workshop: what the compress stage does for its methods, which reach neither data nor training themselves."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lepton.compress._candidate import Candidate, Teaching
from lepton.core import files, plugins, seeds, settings
from lepton.core.errors import UserError
from lepton.core.progress import Progress
from lepton.core.settings import Plugin
from lepton.core.types import Arrays, Record
from lepton.runtime import app as apps
from lepton.stages import _encoded, _fit, _model
from lepton.stages._fit import Data, Start, Transform
from lepton.training import rewriting
from lepton.training.settings import TrainSettings, epochs_for
from lepton.training.teaching import Teacher


@dataclass(frozen=True)
class Shop:
    """Workshop of one trial. `effort` is the share of the full training that it is worth: 0 trains nothing.

    `train` are the settings that the model was trained with, `base` the folder that paths of teachers start from,
    `scratch` where checkpoints outlive a killed run, `shared` where teachers' answers do.
    """

    data: Data
    train: TrainSettings
    base: Path
    scratch: Path
    shared: Path
    progress: Progress
    effort: float = 1.0
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def samples(self, candidate: Candidate, count: int) -> Sequence[Arrays]:
        """At most `count` training samples, drawn by the seed, encoded by the candidate's transform."""
        picked = seeds.generator(self.data.seed, "calibration").permutation(len(self.data.train))[:count]
        encode = _encoded.encoder(*candidate.transform)
        return _encoded.encode([self.data.train[index] for index in picked], encode)

    def tune(self, candidate: Candidate, *, epochs: float, rate: float, teaching: Teaching | None) -> Candidate:
        """The candidate with its network trained further, in place: `epochs` and `rate` times those of its training."""
        chosen = replace(self.train, lr=self.train.lr * rate, warmup=max(self.train.warmup, 0.05))
        start = Start(candidate.network, candidate.described, candidate.transform)  # type: ignore[arg-type]
        return self._taught(start, teaching, (chosen, epochs), warm=False)

    def learn(self, model: Mapping[str, Any], teaching: Teaching, *, epochs: float) -> Candidate:
        """A fresh network of `model` (`{name, settings}`) that learns from a teacher."""
        resolved, faults = settings.choose(dict(model), Plugin("models", "build"), "distil.model")
        if faults:
            raise faults[0]
        start = _fit.built(self.data, resolved, self._transform(resolved, teaching))
        # What a family sets beforehand it learns from labels alone, and then keeps: a teacher would not be heard.
        return self._taught(start, teaching, (self._usual(resolved), epochs), warm=not teaching.share)

    def smaller(self, candidate: Candidate, fraction: float) -> dict[str, Any]:
        """The model of the candidate's own family with widths multiplied by `fraction`."""
        model = candidate.described["model"]
        given = {key: value for key, value in model.items() if key != "name"}
        made = {"name": model["name"], **plugins.load("models", model["name"]).smaller(given, fraction)}
        if made == model:
            rule = "Its size comes with its weights, or it is as small as its family goes"
            remedy = "Name another family for the student: model = ..."
            raise UserError(f"There is no smaller {model['name']}", rule=rule, remedy=remedy)
        return made

    def _taught(
        self, start: Start, teaching: Teaching | None, how: tuple[TrainSettings, float], *, warm: bool
    ) -> Candidate:
        chosen, epochs = how
        if self.effort > 0:
            # A little training is from the labels alone: it ranks plans, and asking the teacher is what costs most.
            teaching = teaching if self.effort == 1 else None
            data = self._extended(teaching)
            whole = chosen.epochs or epochs_for(len(self.data.train), chosen.batch)
            shares = len(self.data.train) / len(data.train)
            count = max(1, round(whole * epochs * self.effort * shares))
            job = _fit.Job(
                replace(chosen, epochs=count),
                self.scratch / "network.pt",
                self.progress,
                self._teacher(teaching, data, start),
            )
            _fit.fit(data, start, job, warm=warm)
        return Candidate(start.described, start.transform, start.network.eval())

    def _usual(self, model: Mapping[str, Any]) -> TrainSettings:
        """How the family is usually trained, on the device and with the class weights of this run."""
        if model["name"] == self._kept.get("family"):
            return self.train
        usual = dict(getattr(plugins.load("models", model["name"]), "TRAIN", {}))
        here = {name: getattr(self.train, name) for name in ("device", "threads", "precision", "class_weights")}
        return replace(TrainSettings(), **{**usual, **here})

    def _transform(self, model: Mapping[str, Any], teaching: Teaching) -> Transform:
        """The teacher's transform where the student takes the same kind, so that it can be asked as training goes."""
        choice = _fit.own_transform(self.data, model)
        teacher = teaching.teachers if isinstance(teaching.teachers, Candidate) else None
        if teacher is not None and teacher.transform[0] == choice["name"] and self._fits(teacher, model):
            return teacher.transform
        key = files.sha256_text(files.canonical(choice))
        if key not in self._kept:
            self._kept[key] = (choice["name"], _encoded.fit(choice, self.data.train))
        found: Transform = self._kept[key]
        return found

    def _fits(self, teacher: Candidate, model: Mapping[str, Any]) -> bool:
        """Whether sharing is right: pictures, sounds and tags always; texts in one family, else words are too many."""
        return self.data.task != "text-classification" or teacher.described["model"]["name"] == model["name"]

    def _extended(self, teaching: Teaching | None) -> Data:
        """The data with rewritten texts, each labelled as the teacher answers it."""
        if teaching is None or not teaching.generated or self.data.task != "text-classification":
            return self.data
        key = f"extended-{teaching.generated}-{_identity(teaching, ())}"
        if key not in self._kept:
            texts = [str(record.read()) for record in self.data.train]
            made = rewriting.rewritten(texts, count=teaching.generated, seed=self.data.seed)
            fresh = [Record(f"generated-{index}", text, None, "train") for index, text in enumerate(made)]
            named = self._table(teaching, fresh).argmax(1)
            labelled = [replace(item, label=self.data.classes[row]) for item, row in zip(fresh, named, strict=True)]
            self._kept[key] = self.data.learning([*self.data.train, *labelled])
        found: Data = self._kept[key]
        return found

    def _teacher(self, teaching: Teaching | None, data: Data, start: Start) -> Teacher | None:
        """The teacher as the loop asks it: looking at each batch where it can, else from a table."""
        if teaching is None:
            return None
        source = teaching.teachers
        if isinstance(source, Candidate) and source.transform is start.transform and data is self.data:
            network = source.network.eval()  # type: ignore[union-attr]
            return _teacher(lambda chosen, inputs: _ask(network, inputs), teaching, online=True)
        own = len(self.data.train)
        parts = [part for part in (data.train[:own], data.train[own:]) if part]
        table = torch.from_numpy(np.concatenate([self._table(teaching, part) for part in parts]))
        return _teacher(lambda chosen, inputs: table[chosen].to(inputs[0].device), teaching, online=False)

    def _table(self, teaching: Teaching, records: Sequence[Record]) -> np.ndarray:
        """The teachers' logits (N, C) for records, float32, kept in scratch: a teacher is slow and asked often."""
        if self.data.module.MODALITY == "text" and self.data.task != "text-classification":
            raise UserError("Tags are learnt from a teacher of the same family", remedy="Leave the student's model out")
        path = self.shared / f"answers-{_identity(teaching, records)}.npy"
        if not path.exists():
            stream = io.BytesIO()
            np.save(stream, self._answered(teaching.teachers, records), allow_pickle=False)
            files.write_bytes(path, stream.getvalue())
        table: np.ndarray = np.load(path, allow_pickle=False)
        return table

    def _answered(self, teachers: Candidate | Sequence[str], records: Sequence[Record]) -> np.ndarray:
        if isinstance(teachers, Candidate):
            return self._logits(teachers, records)
        chances = [self._chances(self.base / path, records) for path in teachers]
        return np.log(np.maximum(np.mean(chances, 0), 1e-7)).astype(np.float32)

    def _logits(self, teacher: Candidate, records: Sequence[Record]) -> np.ndarray:
        name, fitted = teacher.transform
        collate, encode = plugins.load("transforms", name).collate, _encoded.encoder(name, fitted)
        samples = _encoded.encode(records, encode)
        engine = _model.TorchRun(teacher.network.eval(), teacher.described["inputs"])  # type: ignore[union-attr]
        found = np.zeros((len(samples), len(self.data.classes)), np.float32)
        with self.progress.bar("asking the teacher", len(samples)) as bar:
            for chosen, batch in _model.batches(samples, collate):
                found[chosen] = engine(batch)["logits"]
                bar.step(len(chosen))
        return found

    def _chances(self, folder: Path, records: Sequence[Record]) -> np.ndarray:
        """The class probabilities (N, C) that the app in `folder` gives."""
        app = apps.load(folder)
        if set(app.manifest.classes) != set(self.data.classes):
            rule = f"A teacher answers with the classes of the data: {', '.join(self.data.classes[:8])} ..."
            remedy = "Name an app or a run that was trained on these classes"
            told = ", ".join(app.manifest.classes[:8])
            raise UserError(f"{folder} cannot teach", rule=rule, received=told, remedy=remedy)
        rows = [{item["label"]: item["score"] for item in answer} for answer in app.predict([r.raw for r in records])]
        return np.array([[row[name] for name in self.data.classes] for row in rows])

    def at(self, effort: float, scratch: Path) -> "Shop":
        """The same workshop for another trial."""
        return replace(self, effort=effort, scratch=scratch)


def shop(data: Data, train: tuple[str, TrainSettings], places: tuple[Path, Path], progress: Progress) -> Shop:  # noqa: PLR0917 - one caller
    """The workshop of a run. `train` is the trained family and its settings, `places` base and scratch folders."""
    base, scratch = places
    return Shop(data, train[1], base, scratch, scratch, progress, _kept={"family": train[0]})


def _teacher(answers: Callable[[Tensor, list[Tensor]], Tensor], teaching: Teaching, *, online: bool) -> Teacher:
    return Teacher(answers, online, teaching.share, teaching.temperature, teaching.by)


def _ask(network: torch.nn.Module, inputs: list[Tensor]) -> Tensor:
    network.to(inputs[0].device)
    answers: Tensor = network(*inputs)
    return answers


def _identity(teaching: Teaching, records: Sequence[Record]) -> str:
    """A hash of who is asked what."""
    found = hashlib.sha256()
    for record in records:
        found.update(record.id.encode() + (record.raw if isinstance(record.raw, str) else "").encode())
    if isinstance(teaching.teachers, Candidate):
        for name, value in teaching.teachers.network.state_dict().items():  # type: ignore[union-attr]
            found.update(name.encode() + np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    else:
        found.update(" ".join(map(str, teaching.teachers)).encode())
    return found.hexdigest()[:16]
