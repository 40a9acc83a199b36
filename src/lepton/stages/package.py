"""Package: push raw inputs through every form, record each changed decision, and write the app folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from lepton.bundle import golden
from lepton.core import machine, plugins, seeds, settings
from lepton.core.settings import Range
from lepton.core.types import Raw, Record
from lepton.runtime import app as apps
from lepton.runtime.app import App
from lepton.stages import _assemble, _card, _encoded, _model, _synthetic
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.stages._trials import REFERENCE

SECTION = "package"
AFTER = ("prepare", "train", "compress", "evaluate")
ROOMS = ("runtime", "bundle", "transforms", "tasks", "core")
MEASURES = False

Form = Callable[[list[Raw]], list[Any]]
"""A form of the model: raw inputs to answers."""

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
    served = work.app(work.plan)
    stage.fact(parity=_parity(work.forms(served), validation[: stage.settings.parity]))
    kept = _golden(stage, served, validation)
    more = {"contract": work.contract(), "machine": machine.fingerprint(), "provenance": work.provenance()}
    files = {**kept, "CARD.md": _card.render(stage, work.winner, more).encode()}
    bundle = _assemble.write(stage.folder / "app", work.parts(more), work.graph(work.plan), files=files)
    listed = bundle.manifest.files
    stage.fact(app={"id": bundle.id, "size_mb": bundle.size_mb(), "files": listed, "golden": len(kept)}, **more)


@dataclass(frozen=True)
class _Work:
    """The winner of the search on its way into the app."""

    stage: Stage
    described: Mapping[str, Any]
    decode: Mapping[str, Any]
    winner: Mapping[str, Any]

    @classmethod
    def of(cls, stage: Stage) -> "_Work":
        described, decode = stage.read("train", "model.json"), stage.read("evaluate", "decode.json")
        return cls(stage, described, decode, stage.read("compress", "winner.json"))

    @property
    def plan(self) -> str:
        return str(self.winner["plan"])

    def parts(self, more: Mapping[str, Any]) -> _assemble.Parts:
        name = self.stage.recipe["app"]["name"]
        return _assemble.Parts(name, self.stage.task, self.stage.parents["train"], self.described, self.decode, more)

    def graph(self, plan: str) -> tuple[Path, bool]:
        batchable = self.winner["batchable"] if plan == self.plan else True
        return self.stage.parents["compress"] / f"{plan}.onnx", batchable

    def app(self, plan: str) -> App:
        """The app around a plan's graph, in the scratch folder."""
        folder = self.stage.scratch / f"app-{plan}"
        _assemble.write(folder, self.parts({}), self.graph(plan))
        return apps.load(folder)

    def forms(self, served: App) -> dict[str, Form]:
        """Every form of the model as a function from raw inputs to answers: PyTorch, ONNX, and what is served."""
        network, _ = _model.load(self.stage.parents["train"])
        name, fitted = _encoded.load(self.stage.parents["train"])
        collate = plugins.load("transforms", name).collate
        how = {**self.described, "decode": self.decode, "task": self.stage.task, "collate": collate}
        engine = _model.TorchRun(network, self.described["inputs"])
        encode = _encoded.encoder(name, fitted)
        forms: dict[str, Form] = {"PyTorch": lambda raws: _model.answers(engine, [encode(raw) for raw in raws], how)}
        if self.plan != REFERENCE:
            forms[REFERENCE] = self.app(REFERENCE).predict
        return {**forms, f"{self.plan} (served)": served.predict}

    def contract(self) -> dict[str, Any]:
        return {"asked": settings.plain(self.stage.recipe["contract"]), "measured": dict(self.winner)}

    def provenance(self) -> dict[str, Any]:
        """Where the app comes from: model, seed, sizes of the splits, licences."""
        app = self.stage.recipe["app"]
        return {
            "model": self.described["model"],
            "plan": self.plan,
            "seed": app["seed"],
            "license": app["license"],
            "data_license": app["data_license"],
            "data": self.stage.read("prepare", "artifact.json")["facts"]["counts"],
            "artifacts": {name: folder.name for name, folder in self.stage.parents.items()},
        }


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
    chosen = stage.settings
    if chosen.golden == "none":
        return {}
    picked = seeds.generator(stage.seed, "golden").permutation(len(validation))[: chosen.golden_count]
    raws: list[Raw] = [validation[index].read() for index in picked]
    if chosen.golden == "synthetic":
        raws = _synthetic.inputs(app.modality, count=chosen.golden_count, seed=stage.seed)
    return golden.files(raws, app.predict(list(raws)), tolerance=TOLERANCE)
