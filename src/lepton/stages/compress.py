"""Compress: search for the cheapest plan that keeps the contract, or refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch

from lepton.compress._candidate import Candidate
from lepton.core import machine, plugins, settings
from lepton.core.contract import Clause, Contract
from lepton.core.errors import ContractNotKept
from lepton.core.ledger import Ledger
from lepton.core.settings import Plugin, Range
from lepton.runtime import app as apps
from lepton.runtime.bench import compare_latency
from lepton.stages import _assemble, _damage, _encoded, _fit, _model, _plans, _trials, _workshop
from lepton.stages._plans import REFERENCE, Maker, Plan
from lepton.stages._search import Open, Search
from lepton.stages._stage import Stage
from lepton.stages._trials import Bench, Trial
from lepton.training.settings import TrainSettings

SECTION = "compress"
AFTER = ("prepare", "train")
ROOMS = (
    "compress", "export", "models", "training", "runtime", "bundle", "metrics", "transforms", "tasks", "core",
)  # fmt: skip
MEASURES = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is tried.

    search: "auto" looks for the cheapest plan that keeps the contract, students and pruned networks included, for at
    most `budget` minutes (what is being trained by then is finished); "quick" tries each method on the trained
    network's graph; "none" only exports. passes: one chain of methods, instead.
    """

    search: Literal["auto", "quick", "none"] = "auto"
    budget: Annotated[float, Range(0, 100_000)] = 10.0
    passes: Annotated[list[str | dict[str, Any]] | None, Plugin("compress", "compress")] = None


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return {"compress": recipe["compress"], "contract": recipe["contract"], "name": recipe["app"]["name"]}


def run(stage: Stage) -> None:
    """Write the reference and the winner into `plans/`, `trials.json` and `winner.json`.

    Raises ContractNotKept, naming the nearest candidates and what each misses, when none keeps the contract.
    """
    work = Work.of(stage)
    search = work.search()
    _go(search, stage.settings)
    reference = search.trials[0]
    held = {trial.plan: _trials.clauses(trial, reference, work.bench) for trial in search.trials}
    chosen = _trials.winner(search.trials, held)
    _tell(stage, work, (search, held, chosen))
    if chosen is None:
        raise _refusal(search.trials, held)
    work.keep(search, chosen, held[chosen.plan])


def _go(search: Search, chosen: Settings) -> None:
    if chosen.passes is not None:
        named = [item if isinstance(item, dict) else {"name": item} for item in chosen.passes]
        search.passes(named)
    else:
        {"auto": search.auto, "quick": search.quick, "none": lambda: search.passes(())}[chosen.search]()


@dataclass(frozen=True)
class Work:
    """The trained model on its way through the plans: what makes them, and what they are measured with."""

    stage: Stage
    maker: Maker
    bench: Bench

    @classmethod
    def of(cls, stage: Stage) -> "Work":
        """What the stage's parents left, its reference exported."""
        network, described = _model.load(stage.parents["train"])
        start = Candidate(described, _encoded.load(stage.parents["train"]), network)
        trained = settings.build(TrainSettings, stage.read("train", "artifact.json")["facts"]["train"])
        family = (described["model"]["name"], trained)
        shop = _workshop.shop(_fit.data_of(stage), family, (stage.base, stage.scratch), stage.progress)
        exported = Maker(start, shop, stage.scratch).graph(start, (), place=REFERENCE)
        maker = Maker(exported, shop, stage.scratch)
        return cls(stage, maker, _bench(stage, maker, _open(stage)(exported, REFERENCE)))

    @property
    def open(self) -> Open:
        """Makes apps of candidates, in the scratch folder."""
        return _open(self.stage)

    def search(self) -> Search:
        """A search that goes on where a killed one was."""
        journal = Ledger(self.stage.scratch / "trials.jsonl")
        chosen: Settings = self.stage.settings
        return Search(self.maker, self.bench, self.open, journal, self.stage.progress, chosen.budget)

    @property
    def in_torch(self) -> bool:
        """Whether the network computes in PyTorch; a graph that was brought runs as it will be served."""
        body = getattr(self.maker.start.network, "body", None)
        return body is not None and not hasattr(body, "graph")

    def torch(self) -> dict[str, float]:
        """Median and 95th percentile in ms of a call in eager PyTorch at the contract's batch and threads, and MB."""
        latency = self.bench.contract.latency
        samples = self.maker.shop.samples(self.maker.start, latency.batch)
        arrays = plugins.load("transforms", self.maker.start.transform[0]).collate(samples)
        engine = _model.TorchRun(self.maker.start.network, self.maker.start.described["inputs"])  # type: ignore[arg-type]
        before = torch.get_num_threads()
        torch.set_num_threads(latency.threads)
        found = compare_latency({"torch": lambda: engine(arrays)}, rounds=20, calls=5)
        torch.set_num_threads(before)
        weights = self.stage.parents["train"] / "network.safetensors"
        times = {"model_p50_ms": found.p50("torch"), "model_p95_ms": found.p95("torch")}
        return {**times, "size_mb": weights.stat().st_size / 1e6}

    def keep(self, search: Search, chosen: Trial, clauses: Sequence[Clause]) -> None:
        """Write the reference and the winner, and what the compression of the winner changed."""
        reference = self.maker.start
        _plans.save(self.stage.folder / "plans" / REFERENCE, replace(reference, network=None))
        plan = Plan(tuple(chosen.steps))
        winner, decode = reference, dict(self.maker.start.described["decode"])
        if plan.steps:
            winner = search.candidate(plan)
            _plans.save(self.stage.folder / "plans" / plan.slug, winner)
            decode |= self._damage(winner, plan)
        told = {"clauses": [asdict(clause) for clause in clauses], "folder": f"plans/{plan.slug}", "decode": decode}
        self.stage.write("winner.json", {**chosen.plain(), **told})

    def _damage(self, winner: Candidate, plan: Plan) -> dict[str, float]:
        """Tell what changed; returns what the decode needs so that scores mean what they did."""
        data = self.maker.shop.data
        answers = self.bench.expected, self.bench.answers(self.open(winner, plan.slug))
        found = _damage.damage(self.stage, data.validation, answers, data.classes)
        self.stage.fact(damage=found)
        calibration = found["calibration"]
        return {"temperature": calibration["temperature"]} if calibration else {}


def _open(stage: Stage) -> Open:
    threads = stage.recipe["contract"]["latency"]["threads"]
    parts = _assemble.Parts(stage.recipe["app"]["name"], stage.task)

    def make(candidate: Candidate, place: str) -> apps.App:
        folder: Path = stage.scratch / f"app-{place}"
        _assemble.write(folder, parts, candidate)
        return apps.load(folder, threads=threads)

    return make


def _bench(stage: Stage, maker: Maker, reference: apps.App) -> Bench:
    data = maker.shop.data
    return Bench(
        raws=[record.read() for record in data.validation],
        truth=[record.label for record in data.validation],
        classes=data.classes,
        metric=plugins.load("metrics", data.metric),
        contract=settings.build(Contract, stage.recipe["contract"]),
        seed=stage.seed,
        reference=reference,
    )


def _tell(stage: Stage, work: Work, found: tuple[Search, Mapping[str, list[Clause]], Trial | None]) -> None:
    search, held, chosen = found
    limit, origin = _trials.allowed_drop(work.bench.contract, len(work.bench.truth))
    rows = [{**trial.plain(), "clauses": [asdict(clause) for clause in held[trial.plan]]} for trial in search.trials]
    stage.write("trials.json", rows)
    stage.fact(
        trials=rows,
        sketches=[{"plan": sketch.plan.name, **asdict(sketch.cost)} for sketch in search.sketches],
        rungs=[asdict(rung) for rung in search.rungs],
        skipped=search.skipped,
        winner=chosen.plan if chosen else None,
        contract=stage.recipe["contract"],
        standing=work.bench.contract.standing,
        drop_limit={"value": limit, "origin": origin},
        torch=work.torch() if work.in_torch else None,
        machine=machine.fingerprint(),
        validation_records=len(work.bench.truth),
        metric=work.maker.shop.data.metric,
    )


def _refusal(trials: Sequence[Trial], held: Mapping[str, Sequence[Clause]]) -> ContractNotKept:
    """The error that names the nearest candidates and what each misses."""
    by_misses = sorted(trials, key=lambda trial: _distance(held[trial.plan]))
    lines = [
        f"{trial.plan} misses {'; '.join(str(c) for c in held[trial.plan] if not c.kept)}" for trial in by_misses[:3]
    ]
    return ContractNotKept(
        "No candidate keeps the contract, so nothing was packaged",
        rule="Nearest first: " + " | ".join(lines),
        remedy="Loosen that clause, give more validation data, or try a smaller model",
    )


def _distance(clauses: Sequence[Clause]) -> float:
    """How far a trial is from the contract: the sum over its misses of the relative excess."""
    missed = (clause for clause in clauses if not clause.kept)
    return sum(abs(clause.measured - clause.asked) / max(abs(clause.asked), 1e-9) for clause in missed)
