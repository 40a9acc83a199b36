"""Compress: export, try plans, measure each, and keep the cheapest that holds the contract, or refuse."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch

from lepton.compress._candidate import Candidate, Context
from lepton.core import machine, plugins, seeds, settings
from lepton.core.contract import Clause, Contract
from lepton.core.errors import ContractNotKept
from lepton.core.ledger import Ledger
from lepton.core.settings import Plugin, Range
from lepton.core.types import Arrays
from lepton.export.onnx import export
from lepton.models._network import Network
from lepton.runtime import app as apps
from lepton.runtime.bench import compare_latency
from lepton.stages import _assemble, _encoded, _model, _trials
from lepton.stages._records import read_records
from lepton.stages._stage import Stage
from lepton.stages._trials import REFERENCE, Bench, Trial

SECTION = "compress"
AFTER = ("prepare", "train")
ROOMS = ("compress", "export", "runtime", "bundle", "metrics", "transforms", "tasks", "core")
MEASURES = True


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is tried. search: "auto" tries each method alone, "none" only exports. passes: one chain, instead.

    calibration: training samples that methods may calibrate on.
    """

    search: Literal["auto", "none"] = "auto"
    passes: Annotated[list[str | dict[str, Any]] | None, Plugin("compress", "compress")] = None
    calibration: Annotated[int, Range(1, 100_000)] = 256


def inputs(recipe: Mapping[str, Any]) -> Any:
    """What of the recipe decides the result."""
    return {"compress": recipe["compress"], "contract": recipe["contract"], "name": recipe["app"]["name"]}


def run(stage: Stage) -> None:
    """Write every candidate's graph, `trials.json`, and `winner.json`.

    Raises ContractNotKept, naming the nearest candidates and what each misses, when none keeps the contract.
    """
    work = _Work.of(stage)
    work.export()
    journal = Ledger(stage.scratch / "trials.jsonl")
    known = {row["plan"]: row for row in journal.read("trial")}
    trials = []
    plans = _plans(stage.settings)
    with stage.progress.bar("compress", len(plans)) as bar:
        for name, chain in plans.items():
            trial = work.trial(name, chain, known.get(name))
            if name not in known:
                journal.write("trial", **trial.plain())
            trials.append(trial)
            bar.step(1, f"{name}: {trial.model_p50_ms:.3g} ms, {trial.size_mb:.3g} MB")
    held = {trial.plan: _trials.clauses(trial, trials[0], work.bench) for trial in trials}
    chosen = _trials.winner(trials, held)
    _tell(stage, work, (trials, held, chosen))
    if chosen is None:
        raise _refusal(trials, held)
    stage.write("winner.json", {**chosen.plain(), "clauses": [asdict(clause) for clause in held[chosen.plan]]})


def _plans(chosen: Settings) -> dict[str, list[dict[str, Any]]]:
    """The chains to try by name; the uncompressed model always comes first."""
    if chosen.passes is not None:
        chain = [item if isinstance(item, dict) else {"name": item} for item in chosen.passes]
        return {REFERENCE: [], "+".join(item["name"] for item in chain): chain} if chain else {REFERENCE: []}
    methods = plugins.names("compress") if chosen.search == "auto" else []
    tried = [name for name in methods if getattr(plugins.load("compress", name), "AUTO", False)]
    full = {name: settings.settle(plugins.load("compress", name).compress, {}, "compress") for name in tried}
    return {REFERENCE: [], **{name: [{"name": name, **values}] for name, values in full.items()}}


@dataclass(frozen=True)
class _Work:
    """The trained model on its way through the plans."""

    stage: Stage
    described: Mapping[str, Any]
    network: Network
    calibration: Sequence[Arrays]
    transform: str
    bench: Bench

    @classmethod
    def of(cls, stage: Stage) -> "_Work":
        network, described = _model.load(stage.parents["train"])
        name, fitted = _encoded.load(stage.parents["train"])
        records = stage.parents["prepare"] / "records.jsonl"
        train = read_records(records, "train")
        picked = seeds.generator(stage.seed, "calibration").permutation(len(train))[: stage.settings.calibration]
        samples = _encoded.encode([train[index] for index in picked], _encoded.encoder(name, fitted))
        return cls(stage, described, network, samples, name, _bench(stage, described))

    def export(self) -> None:
        """Write the uncompressed ONNX graph, the reference of every comparison."""
        names = self.described["inputs"]
        collate = plugins.load("transforms", self.transform).collate
        batch = collate([*self.calibration, *self.calibration][:2])
        lengths = [name for name, size in self.described["shape"]["inputs"].items() if size and size[0] == 0]
        example = {name: torch.from_numpy(array) for name, array in _odd_lengths(batch, names, lengths).items()}
        export(self.network, example, self.stage.folder / f"{REFERENCE}.onnx", lengths=lengths)

    def trial(self, name: str, chain: Sequence[Mapping[str, Any]], known: Mapping[str, Any] | None) -> Trial:
        """Make the graph of a plan and measure it, unless the journal already knows how it measured."""
        candidate = self._chain(name, chain)
        if known is not None:
            return Trial(**{key: value for key, value in known.items() if key != "event"})
        app = self._app(name, candidate)
        reference = self._app(REFERENCE, Candidate(self.stage.folder / f"{REFERENCE}.onnx"))
        return _trials.measure(name, (app, reference), self.bench)

    def torch(self) -> dict[str, float]:
        """Median ms of a call in eager PyTorch at the contract's batch and threads, and MB of the weights."""
        latency = self.bench.contract.latency
        samples = [self.calibration[index % len(self.calibration)] for index in range(latency.batch)]
        arrays = plugins.load("transforms", self.transform).collate(samples)
        engine = _model.TorchRun(self.network, self.described["inputs"])
        before = torch.get_num_threads()
        torch.set_num_threads(latency.threads)
        found = compare_latency({"torch": lambda: engine(arrays)}, rounds=20, calls=5)
        torch.set_num_threads(before)
        weights = self.stage.parents["train"] / "network.safetensors"
        return {"model_p50_ms": found.p50("torch"), "size_mb": weights.stat().st_size / 1e6}

    def _chain(self, name: str, chain: Sequence[Mapping[str, Any]]) -> Candidate:
        out = self.stage.folder / f"{name}.onnx"
        candidate = Candidate(self.stage.folder / f"{REFERENCE}.onnx")
        for index, item in enumerate(chain):
            folder = self.stage.scratch / f"{name}-{index}"
            folder.mkdir(exist_ok=True)
            given = {key: value for key, value in item.items() if key != "name"}
            method = plugins.load("compress", item["name"])
            candidate = method.compress(candidate, Context(self.calibration, folder), **given)
        if chain:
            out.write_bytes(candidate.graph.read_bytes())
        return Candidate(out, candidate.batchable)

    def _app(self, name: str, candidate: Candidate) -> apps.App:
        parts = _assemble.Parts(
            name=self.stage.recipe["app"]["name"],
            task=self.stage.task,
            trained=self.stage.parents["train"],
            described=self.described,
            decode=self.described["decode"],
        )
        folder = self.stage.scratch / f"app-{name}"
        _assemble.write(folder, parts, (candidate.graph, candidate.batchable))
        return apps.load(folder, threads=self.bench.contract.latency.threads)


def _odd_lengths(batch: Arrays, names: Sequence[str], lengths: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays named, padded or cut to lengths that are no width of a network.

    The exporter takes an axis for a fixed one where its size happens to be that of something fixed.
    """
    odd = dict(zip(sorted({batch[name].shape[1] for name in lengths}), (37, 53, 71), strict=False))
    return {name: _sized(batch[name], odd[batch[name].shape[1]]) if name in lengths else batch[name] for name in names}


def _sized(array: np.ndarray, length: int) -> np.ndarray:
    """`array` (B, T) with T = `length`, zeros behind."""
    out = np.zeros((len(array), length), array.dtype)
    kept = min(length, array.shape[1])
    out[:, :kept] = array[:, :kept]
    return out


def _bench(stage: Stage, described: Mapping[str, Any]) -> Bench:
    contract: Contract = settings.build(Contract, stage.recipe["contract"])
    validation = read_records(stage.parents["prepare"] / "records.jsonl", "validation")
    name = contract.metric.name or plugins.load("tasks", stage.task).METRICS[0]
    return Bench(
        raws=[record.read() for record in validation],
        truth=[record.label for record in validation],
        classes=described["classes"],
        metric=plugins.load("metrics", name),
        contract=contract,
        seed=stage.seed,
    )


def _tell(stage: Stage, work: _Work, found: tuple[list[Trial], Mapping[str, list[Clause]], Trial | None]) -> None:
    trials, held, chosen = found
    limit, origin = _trials.allowed_drop(work.bench.contract, len(work.bench.truth))
    stage.fact(
        trials=[{**trial.plain(), "clauses": [asdict(clause) for clause in held[trial.plan]]} for trial in trials],
        winner=chosen.plan if chosen else None,
        contract=stage.recipe["contract"],
        standing=work.bench.contract.standing,
        drop_limit={"value": limit, "origin": origin},
        torch=work.torch(),
        machine=machine.fingerprint(),
        validation_records=len(work.bench.truth),
        metric=work.bench.metric.__name__.rsplit(".", 1)[-1],
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
