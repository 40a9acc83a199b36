"""A candidate, trained once: its network at the start, made ready by a method, trained, and one network again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lepton.core import files, settings
from lepton.stages import _adapt, _fit, _origin
from lepton.stages._adapt import Adaptation
from lepton.stages._fit import Data, Start, Trained
from lepton.stages._origin import Mapped
from lepton.stages._stage import Stage
from lepton.training.settings import TrainSettings


@dataclass(frozen=True)
class Candidate:
    """One family with its settings, how it is trained, and by which method it is adapted."""

    model: Mapping[str, Any]
    train: TrainSettings
    method: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The family, with its preset where it has one."""
        preset = self.model.get("preset")
        return f"{self.model['name']} ({preset})" if preset else str(self.model["name"])

    @property
    def identity(self) -> str:
        """What tells its checkpoint from those of others."""
        told = [self.model, settings.plain(self.train), self.method]
        return files.sha256_text(files.canonical(told))[:12]


@dataclass(frozen=True)
class Ready:
    """A candidate before training: how it was adapted, and what its weights began with."""

    candidate: Candidate
    start: Start
    adaptation: Adaptation
    mapped: Mapped | None


@dataclass(frozen=True)
class Result:
    """A candidate, trained: what became of it."""

    ready: Ready
    trained: Trained

    def finish(self, stage: Stage, data: Data) -> tuple[Start, dict[str, Any]]:
        """The network as one network again, and what the ledger is told; its adapter is kept in `adapter/`."""
        start, done = self.trained.start, self.ready.adaptation
        told = {
            "method": done.choice,
            "layers": list(done.how.layers),
            "trained": done.trained,
            "head": done.head,
            "weights": done.weights,
            "share": done.share,
            "start": asdict(self.ready.mapped) if self.ready.mapped else None,
        }
        if done.whole:
            return start, told
        kept = _adapt.save(stage.folder / "adapter", start, done)
        return _adapt.described(start, done.choice), {
            **told,
            "adapter": kept,
            "merging": _adapt.finish(data, start, done),
        }


def ready(stage: Stage, data: Data, candidate: Candidate) -> Ready:
    """Fit the family's transform and build the network; the same bit for bit each time.

    Raises UserError where the method of adaptation does not fit.
    """
    start, mapped = _start(stage, data, candidate)
    return Ready(candidate, start, _adapt.begin(data, start, candidate.method), mapped)


def train(stage: Stage, data: Data, begun: Ready, *, checkpoint: str = "") -> Result:
    """Train the network in place; one that was killed goes on from its checkpoint in the scratch folder."""
    place = stage.scratch / f"{checkpoint or begun.candidate.identity}.pt"
    job = _fit.Job(begun.candidate.train, place, stage.progress, how=begun.adaptation.how)
    return Result(begun, _fit.fit(data, begun.start, job, warm=begun.mapped is None))


def _start(stage: Stage, data: Data, candidate: Candidate) -> tuple[Start, Mapped | None]:
    """The network with the weights that the recipe says it starts from, and how it got them."""
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
    return (_adapt.lay(start, Path(chosen.adapter)) if chosen.adapter else start), mapped
