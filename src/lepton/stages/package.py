"""Package: push raw inputs through every form, record each changed decision, and write the app folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from lepton.bundle import golden
from lepton.compress._candidate import Candidate
from lepton.core import files, machine, plugins, seeds, settings
from lepton.core.settings import Range
from lepton.core.types import Raw, Record
from lepton.runtime import app as apps
from lepton.runtime import batches
from lepton.runtime.app import App
from lepton.stages import _assemble, _card, _encoded, _figures, _model, _plans, _synthetic
from lepton.stages._plans import REFERENCE, Plan
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.tasks._abstain import DISTANCE

SECTION = "package"
AFTER = ("prepare", "train", "compress", "evaluate")
ROOMS = ("runtime", "bundle", "transforms", "tasks", "metrics", "report", "core")
MEASURES = False

Form = Callable[[list[Raw]], list[Any]]
"""A form of the model: raw inputs to answers."""

_TRIED = 3
"""Samples that are run in company to see whether that changes their answers."""

TOLERANCE = 0.02
"""How far a golden score may be off: int8 products round differently on other processors."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What goes into the app beside what answers need.

    golden: inputs kept with their answers: samples of the validation set, synthetic inputs (where samples could carry
    patients' or customers' data), or none. parity: validation records pushed through every form.
    """

    golden: Literal["samples", "synthetic", "none"] = "samples"
    golden_count: Annotated[int, Range(1, 1000)] = 5
    parity: Annotated[int, Range(1, 1_000_000)] = 500


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return {"package": recipe["package"], "app": recipe["app"], "contract": recipe["contract"]}


def run(stage: Stage) -> None:
    """Write `app/`, the folder that is served, and tell its parity."""
    work = _Work.of(stage)
    validation = read_records(stage.parents["prepare"] / "records.jsonl", "validation")
    served = work.app(work.winner["folder"], work.decode)
    stage.fact(parity=_parity(work.forms(served), validation[: stage.settings.parity]))
    kept = _golden(stage, served, validation)
    more = {"contract": work.contract(), "machine": machine.fingerprint(), "provenance": work.provenance()}
    told = files.canonical(_figures.figures(stage)).encode()
    beside = {**kept, "CARD.md": _card.render(stage, work.winner, more).encode(), _figures.NAME: told}
    shipped = work.candidate(work.winner["folder"])
    alike = shipped.batchable and batches.exact(served, [record.read() for record in validation[:_TRIED]])
    shipped = replace(shipped, batchable=alike)
    bundle = _assemble.write(stage.folder / "app", work.parts(more), shipped, files=beside)
    listed = bundle.manifest.files
    stage.fact(app={"id": bundle.id, "size_mb": bundle.size_mb(), "files": listed, "golden": len(kept)}, **more)


@dataclass(frozen=True)
class _Work:
    """The winner of the search on its way into the app."""

    stage: Stage
    decode: Mapping[str, Any]
    winner: Mapping[str, Any]

    @classmethod
    def of(cls, stage: Stage) -> "_Work":
        return cls(stage, stage.read("evaluate", "decode.json"), stage.read("compress", "winner.json"))

    def candidate(self, folder: str) -> Candidate:
        """A candidate that the compress stage kept; the winner's graph has distances where it abstains by them."""
        found, measured = (
            _plans.load(self.stage.parents["compress"] / folder),
            self.stage.parents["evaluate"] / "model.onnx",
        )
        return found.with_graph(measured) if folder == self.winner["folder"] and measured.exists() else found

    @property
    def compared(self) -> Mapping[str, Any]:
        """The decode that every form of the model has: distances are an output of the graph that is served alone."""
        by = (self.decode.get("abstain") or {}).get("score")
        return {key: value for key, value in self.decode.items() if key != "abstain" or by != DISTANCE}

    def parts(self, more: Mapping[str, Any]) -> _assemble.Parts:
        return _assemble.Parts(self.stage.recipe["app"]["name"], self.stage.task, self.decode, more)

    def app(self, folder: str, decode: Mapping[str, Any]) -> App:
        """The app around a kept candidate, in the scratch folder."""
        place = self.stage.scratch / f"app-{Path(folder).name}-{len(decode)}"
        _assemble.write(place, replace(self.parts({}), decode=decode), self.candidate(folder))
        return apps.load(place)

    def forms(self, served: App) -> dict[str, Form]:
        """Every form of what is shipped as a function from raw inputs to answers: trained, PyTorch, ONNX, served."""
        reference, winner = f"plans/{REFERENCE}", str(self.winner["folder"])
        network, _ = _model.load(self.stage.parents["train"])
        named = "as it was brought" if hasattr(network.body, "graph") else "PyTorch"
        forms = {named: self._torch(replace(self.candidate(reference), network=network))}
        if winner != reference:
            forms[REFERENCE] = self.app(reference, self.compared).predict
        if Plan(tuple(self.winner["steps"])).network:
            forms[f"{self.winner['plan']} in PyTorch"] = self._torch(self.candidate(winner))
        last = served if self.compared == self.decode else self.app(winner, self.compared)
        return {**forms, f"{self.winner['plan']} (served)": last.predict}

    def _torch(self, candidate: Candidate) -> Form:
        name, fitted = candidate.transform
        collate = plugins.load("transforms", name).collate
        how = {**candidate.described, "decode": self.compared, "task": self.stage.task, "collate": collate}
        engine = _model.TorchRun(candidate.network, candidate.described["inputs"])  # type: ignore[arg-type]
        encode = _encoded.encoder(name, fitted)
        return lambda raws: _model.answers(engine, [encode(raw) for raw in raws], how)

    def contract(self) -> dict[str, Any]:
        return {"asked": settings.plain(self.stage.recipe["contract"]), "measured": dict(self.winner)}

    def provenance(self) -> dict[str, Any]:
        """Where the app comes from: model, seed, sizes of the splits, licences."""
        app = self.stage.recipe["app"]
        return {
            "model": named(self.candidate(self.winner["folder"]).described["model"]),
            "plan": self.winner["plan"],
            "steps": self.winner["steps"],
            "seed": app["seed"],
            "license": app["license"],
            "data_license": app["data_license"],
            "data": self.stage.read("prepare", "artifact.json")["facts"]["counts"],
            "artifacts": {name: folder.name for name, folder in self.stage.parents.items()},
        }


def named(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model's settings, a path by its last part: where it lay on this machine is nobody's affair."""
    paths = {key: Path(value).name for key, value in model.items() if isinstance(value, str) and value.startswith("/")}
    return {**model, **paths}


def _parity(forms: Mapping[str, Form], records: Sequence[Record]) -> list[dict[str, Any]]:
    """Raw inputs through each form and the next: every changed decision, and the largest change of a score."""
    raws = [record.read() for record in records]
    found = {name: form(raws) for name, form in forms.items()}
    names = list(found)
    return [
        _step((before, found[before]), (after, found[after]), records)
        for before, after in zip(names, names[1:], strict=False)
    ]


def _step(before: tuple[str, list[Any]], after: tuple[str, list[Any]], records: Sequence[Record]) -> dict[str, Any]:
    triples = list(zip(records, before[1], after[1], strict=True))
    changed = [
        {"id": record.id, "before": _decision(one), "after": _decision(other)}
        for record, one, other in triples
        if _decision(one) != _decision(other)
    ]
    largest = max((_apart(one, other) for _, one, other in triples), default=0.0)
    return {"before": before[0], "after": after[0], "n": len(records), "changed": changed, "largest": largest}


def _decision(answer: Any) -> Any:
    """What an answer decides: the first label, or the spans found."""
    if answer and "label" in answer[0]:
        return answer[0]["label"]
    return [[item["start"], item["end"], item["entity_group"]] for item in answer]


def _apart(one: Any, other: Any) -> float:
    """The largest difference between the scores that two answers give the same label."""
    scores = {item.get("label", item.get("start")): item["score"] for item in one}
    pairs = [(item["score"], scores.get(item.get("label", item.get("start")))) for item in other]
    return max((abs(score - known) for score, known in pairs if known is not None), default=0.0)


def _golden(stage: Stage, app: App, validation: Sequence[Record]) -> dict[str, bytes]:
    """Golden inputs with the answers expected, as the recipe wants them."""
    raws = golden_inputs(stage.settings, validation, modality=app.modality, seed=stage.seed)
    return golden.files(raws, app.predict(raws), tolerance=TOLERANCE) if raws else {}


def golden_inputs(chosen: Settings, validation: Sequence[Record], *, modality: str, seed: int) -> list[Raw]:
    """Inputs to travel with an app: drawn from the validation records by the seed, made up, or none."""
    if chosen.golden == "none":
        return []
    if chosen.golden == "synthetic":
        return _synthetic.inputs(modality, count=chosen.golden_count, seed=seed)
    picked = seeds.generator(seed, "golden").permutation(len(validation))[: chosen.golden_count]
    return [validation[index].read() for index in picked]
